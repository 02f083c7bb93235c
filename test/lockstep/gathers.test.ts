/** The styles of gathers against the weakest machine: when what was unmapped is due, and what the bridge of seed 0 says as posted. */
import test from 'ava';
import { replay } from '../../src/lockstep/replay.js';
import { EVENT } from '../../src/spec/event.js';
import type { Operation } from '../../src/stack/operation.js';
import { describeOutcome, type Outcome } from '../../src/stack/outcome.js';
import { GATHER_STYLES, smallWorld, type GatherStyle, type World } from '../../src/stack/world.js';
import { access, after, attach, counts, fault, GB1, KB4, map, MB2, ok, smmu, sync, unmap, verdict } from '../rules/rig.js';

const ODD = 4 * MB2 + KB4;

function styled(gather: GatherStyle, range = true): World {
  return smallWorld({ smmus: [smmu({ range })], domains: [{ mode: 'strict', managed: false, gather }] });
}

for (const range of [true, false]) {
  const how = range ? 'with ranges' : 'without ranges';

  test(`sva, ${how}: nothing of it can be seen when the unmap has returned, and it was judged then`, (t) => {
    const stack = after([attach(), map(0x5000, 0x70000, 2 * KB4), access(0x5000), unmap(0x5000)], styled('sva', range));
    t.false(stack.intent.allows(0, 5, false, ok(0x70)));
    t.true(stack.intent.allows(0, 5, false, fault(EVENT.F_TRANSLATION)));
    t.is(describeOutcome(stack.step(access(0x5000)).outcome as Outcome), 'F_TRANSLATION');
    const { armed, decided, violated } = counts(stack, 'stale-translation');
    t.true(armed > 0 && decided === armed && violated === 0);
  });

  for (const gather of GATHER_STYLES) {
    test(`${gather}, ${how}: tables of pages, blocks and both, unmapped whole and in parts`, (t) => {
      const sequences: Operation[][] = [
        [map(0, ODD, MB2), unmap(0, MB2), sync()],
        [map(MB2 - KB4, ODD, MB2 + 2 * KB4), unmap(MB2 - KB4, MB2 + 2 * KB4), sync()],
        [map(MB2 - KB4, 8 * MB2 - KB4, MB2 + 2 * KB4), unmap(MB2 - KB4, MB2 + 2 * KB4), sync()],
        [map(GB1, 3 * GB1 + MB2, GB1 - MB2), map(2 * GB1 - MB2, ODD, MB2), unmap(GB1, GB1), sync()],
        [map(0, 3 * GB1, GB1), map(GB1, 5 * GB1 + MB2, GB1), unmap(0, 2 * GB1), sync()],
        [map(0, 0x70000), unmap(0), map(0, 8 * MB2, MB2), sync()],
        [map(0, 0x70000), unmap(0), sync(), map(0, 4 * GB1, GB1), sync()],
      ];
      for (const s of sequences) t.is(verdict([attach(), ...s], styled(gather, range)), null);
    });

    test(`${gather}, ${how}: a table that is freed before its flush is noticed`, (t) => {
      const v = verdict([attach(), map(0, ODD, MB2), unmap(0, MB2), sync()], styled(gather, range), 'table-freed-before-sync');
      t.is(v?.rule, 'stale-walk');
    });
  }
}

test('sva: a page that the notifier leaves out breaks the rule in the unmap, not later', (t) => {
  const again = replay(styled('sva'), [attach(), map(0x5000, 0x70000, 2 * KB4), unmap(0x5000, 2 * KB4), sync()], { mutant: 'mm-end-too-early' });
  t.is(again.violation?.rule, 'stale-translation');
  t.is(again.failedAt, 2);
});

for (const range of [true, false]) {
  test(`sva, ${range ? 'with' : 'without'} ranges: the page behind the range is over-invalidation, also when a planner keeps its promise`, (t) => {
    const v = verdict([attach(), map(0x5000, 0x70000, 40 * KB4), unmap(0x5000, 33 * KB4)], styled('sva', range), 'mm-end-too-late');
    t.is(v?.rule, 'over-invalidation');
    t.is(v?.cause, 'a notifier names more than what changed');
  });
}

/** A table, unmapped whole or replaced → does one table bit, from the size of its span, name everything? */
const WALKS: readonly [what: string, operations: readonly Operation[], range: boolean, enough: boolean][] = [
  ['an emptied table of pages', [map(0, 0x70000), unmap(0), sync(), map(0, 8 * MB2, MB2), sync()], true, true],
  ['an emptied table of pages', [map(0, 0x70000), unmap(0), sync(), map(0, 8 * MB2, MB2), sync()], false, true],
  ['a table of pages', [map(0, ODD, MB2), unmap(0, MB2), sync()], true, true],
  ['a table of pages', [map(0, ODD, MB2), unmap(0, MB2), sync()], false, false],
  ['a table of blocks', [map(GB1, 3 * GB1 + MB2, GB1), unmap(GB1, GB1), sync()], true, true],
  ['a table of blocks', [map(GB1, 3 * GB1 + MB2, GB1), unmap(GB1, GB1), sync()], false, false],
  ['a table of blocks and a table of pages', [map(GB1, 3 * GB1 + MB2, GB1 - MB2), map(2 * GB1 - MB2, ODD, MB2), unmap(GB1, GB1), sync()], true, false],
  ['an emptied table of emptied tables', [map(GB1, 0x70000), map(GB1 + MB2, 0x90000), unmap(GB1), unmap(GB1 + MB2), sync(), map(GB1, 4 * GB1, GB1)], true, false],
  ['an emptied table of emptied tables', [map(GB1, 0x70000), map(GB1 + MB2, 0x90000), unmap(GB1), unmap(GB1 + MB2), sync(), map(GB1, 4 * GB1, GB1)], false, false],
];

for (const [what, operations, range, enough] of WALKS) {
  test(`io-pgtable, ${range ? 'with' : 'without'} ranges: one table bit is ${enough ? '' : 'not '}enough for ${what}`, (t) => {
    const world = styled('io-pgtable', range);
    t.is(verdict([attach(), ...operations], world), null);
    const v = verdict([attach(), ...operations], world, 'io-pgtable-one-bit');
    if (enough) t.is(v, null);
    else t.true(v?.rule === 'stale-translation' || v?.rule === 'stale-walk', v?.rule);
  });
}

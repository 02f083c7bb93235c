/** Layouts of short sequences within a reach: what is odd stands in few of them only, and does not come by way of changes either. */
import test, { type ExecutionContext } from 'ava';
import { BIT_AF, BIT_UNPRIVILEGED, BIT_VALID } from '../../src/spec/descriptor.js';
import { concatenatedTables } from '../../src/spec/granule.js';
import type { Entry } from '../../src/operations/machine-trees.js';
import { changeLeaf } from '../../src/operations/reach-changes.js';
import { ReachLayout } from '../../src/operations/reach-layout.js';
import { QEMU_NESTED_REACH, QEMU_STAGE1_REACH, type Reach } from '../../src/operations/reach.js';
import { RandomChooser } from '../../src/stack/chooser.js';

const REACHES = [['stage 1', QEMU_STAGE1_REACH], ['nested', QEMU_NESTED_REACH]] as const;
const LAYOUTS = 1000;

function layoutsOf(reach: Reach): readonly ReachLayout[] {
  return Array.from({ length: LAYOUTS }, (_, k) => new ReachLayout(new RandomChooser(`layout/${k}`), reach, () => undefined));
}

/** Leaves of both stages, without those that map the tables themselves. */
function leavesOf(l: ReachLayout): readonly Entry[] {
  const trees = [...l.cds.flatMap((cd) => [...cd.trees, ...(cd.upper === null ? [] : [cd.upper])]), ...l.stage2];
  return trees.flatMap((tree) => tree.entries).filter((e) => !e.table && !l.keeps(e.at));
}

function withoutAccessFlag(e: Entry): boolean {
  return (e.lo & BIT_AF) === 0;
}

function privileged(e: Entry): boolean {
  return e.tree.stage === 1 && (e.lo & BIT_UNPRIVILEGED) === 0;
}

function concatenated(l: ReachLayout): boolean {
  return l.stage2.some(({ context }) => concatenatedTables(context.tg, context.inputBits, context.startLevel) > 1);
}

for (const [name, reach] of REACHES) {
  const layouts = layoutsOf(reach);
  const odd = layouts.filter((l) => l.odd);
  const usual = layouts.filter((l) => !l.odd);

  test(`${name}: one layout in sixteen is odd`, (t) => {
    t.true(odd.length > LAYOUTS / 24 && odd.length < LAYOUTS / 11, `${odd.length} of ${LAYOUTS}`);
  });

  test(`${name}: pages without the access flag stand in odd layouts, and only there`, (t) => {
    t.true(odd.some((l) => leavesOf(l).some(withoutAccessFlag)));
    t.false(usual.some((l) => leavesOf(l).some(withoutAccessFlag)));
  });

  test(`${name}: pages without unprivileged access stand in odd layouts, and only there`, (t) => {
    t.true(odd.some((l) => leavesOf(l).some(privileged)));
    t.false(usual.some((l) => leavesOf(l).some(privileged)));
  });

  test(`${name}: stage-2 start tables stand side by side in odd layouts, and only there`, (t) => {
    t.is(odd.some(concatenated), reach.features.stage2);
    t.false(usual.some(concatenated));
  });

  test(`${name}: changes of a leaf touch the access flag and AP[1] in odd layouts only`, (t) => {
    changes(t, usual.slice(0, 100), []);
    changes(t, odd, ['AF', 'AP[1]']);
  });
}

/** What changes of all leaves came to. */
function changes(t: ExecutionContext, layouts: readonly ReachLayout[], expected: readonly string[]): void {
  const seen = new Set<string>();
  let done = 0;
  layouts.forEach((layout, k) => {
    const c = new RandomChooser(`changes/${k}`);
    for (const leaf of leavesOf(layout)) {
      for (let i = 0; i < 40; i += 1) {
        const e = { ...leaf };
        changeLeaf(c, layout, e);
        if (e.lo !== leaf.lo || e.hi !== leaf.hi) done += 1;
        if (withoutAccessFlag(e) !== withoutAccessFlag(leaf) && (e.lo & BIT_VALID) !== 0) seen.add('AF');
        if (privileged(e) !== privileged(leaf)) seen.add('AP[1]');
      }
    }
  });
  t.true(done > 1000);
  t.deepEqual([...seen].sort(), [...expected]);
}

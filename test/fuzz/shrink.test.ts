/** Shrinking: the smallest sequence with the same rule and cause, and when it may be called minimal. */
import test from 'ava';
import { campaign, newResult, type FoundFailure } from '../../src/fuzz/campaign.js';
import { shrink, type Candidate, type ShrinkResult } from '../../src/fuzz/shrink.js';
import { replay } from '../../src/lockstep/replay.js';
import { findProfile, type Profile } from '../../src/operations/profiles.js';
import type { Operation } from '../../src/stack/operation.js';
import type { Violation } from '../../src/stack/violation.js';
import { smallWorld, type World } from '../../src/stack/world.js';
import { access, alloc, attach, detach, fail, flush, KB4, map, MB2, smmu, sync, unmap, verdict } from '../rules/rig.js';

/** Two SMMUs, devices and domains that the failure does not need. */
const LARGE: World = {
  smmus: [smmu({ range: false, asidMax: 3, queueLog2: 3, eventLog2: 1, tlbEntries: 4 }), smmu({ queueLog2: 3 })],
  devices: [{ smmu: 1, streams: [4] }, { smmu: 0, streams: [1, 2] }, { smmu: 1, streams: [9] }],
  domains: [{ mode: 'lazy', managed: true }, { mode: 'strict', managed: true }, { mode: 'strict', managed: false }],
  inputBits: 39, flushQueue: 2, storeOrder: 'reverse',
};

/** Eighty operations of which four, one value of each, make `missing-tlbi` fail. */
function long(): Operation[] {
  const noise = (i: number): Operation[] => [
    map((0x400 + i * 8) * KB4, (0x600 + i) * KB4, (1 + (i % 5)) * KB4, 'rw', 2), access((0x400 + i * 8) * KB4, i % 2 === 0, 1), sync(0), map(0x1000, 0, KB4, 'rw', 9),
  ];
  const cut = (i: number): Operation[] => Array.from({ length: 5 }, (_, k) => noise(i * 5 + k)).flat();
  return [
    attach(0, 0), ...cut(0), alloc(0x40000000, MB2, 1), attach(2, 1), ...cut(1), map(0x40000000, 0x7654000, 13 * KB4, 'r', 1), ...cut(2), attach('identity', 2), ...cut(3),
    map(0x7f000000, 0x1234000, 7 * KB4, 'rw', 2), unmap(0x7f000000, 7 * KB4, 2), sync(2),
  ];
}

function shrunk(start: Candidate, mutant: string, budget?: number): ShrinkResult {
  const v = verdict(start.operations, start.world, mutant) as Violation;
  return shrink(start, v, { mutant, ...(budget === undefined ? {} : { budget }) });
}

/** Does leaving out any one operation lose the failure? */
function oneMinimal(r: ShrinkResult, mutant: string): boolean {
  return r.operations.every((_, i) => {
    const v = verdict(r.operations.filter((__, k) => k !== i), r.world, mutant);
    return v === null || v.rule !== r.violation.rule || v.cause !== r.violation.cause;
  });
}

test('a long synthetic sequence comes down to the four operations that matter', (t) => {
  const operations = long();
  t.true(operations.length >= 80);
  const r = shrunk({ world: LARGE, operations }, 'missing-tlbi');
  t.deepEqual(r.operations.map((o) => o.op), ['attach', 'map', 'unmap', 'sync']);
  t.is(r.from, operations.length);
  t.true(r.minimal);
});

test('sizes come down to one page, addresses to the smallest', (t) => {
  const r = shrunk({ world: LARGE, operations: long() }, 'missing-tlbi');
  const mapped = r.operations.find((o) => o.op === 'map');
  t.like(mapped, { iova: 0, size: KB4 });
  t.like(r.operations.find((o) => o.op === 'unmap'), { iova: 0, size: KB4 });
});

test('a style of gather that the failure needs stays, one that it does not need goes', (t) => {
  const of = (gather: 'io-pgtable' | 'sva'): World => smallWorld({ domains: [{ mode: 'strict', managed: false, gather }] });
  const operations = [attach(), map(0, 0x90000000, 2 * KB4), unmap(0, 2 * KB4), sync()];
  t.is(shrunk({ world: of('sva'), operations }, 'mm-end-too-early').world.domains[0]?.gather, 'sva');
  t.deepEqual(shrunk({ world: of('io-pgtable'), operations }, 'missing-tlbi').world.domains, smallWorld().domains);
  const lazy = smallWorld({ domains: [{ mode: 'lazy', managed: true, gather: 'io-pgtable' }], flushQueue: 1 });
  const waits = [attach(), alloc(0x5000), map(0x5000, 0x90000000), unmap(0x5000), flush()];
  t.deepEqual(shrunk({ world: lazy, operations: waits }, 'flush-all-by-range').world.domains, [{ mode: 'lazy', managed: true }]);
});

test('two mappings become one, and operations that need each other go together', (t) => {
  const mutant = 'asid-reused-without-flush';
  const operations = [
    map(0, 0x90000000, KB4, 'r'), attach(), detach(), unmap(0), map(0, 0x90000000, 2 * KB4), fail, unmap(0, 2 * KB4), attach(), sync(), attach(), access(KB4, true),
  ];
  const r = shrunk({ world: smallWorld(), operations }, mutant);
  t.deepEqual(r.operations.map((o) => o.op), ['map', 'attach', 'detach', 'unmap', 'sync', 'attach', 'access']);
  t.true(oneMinimal(r, mutant));
});

test('the world loses what the failure does not need', (t) => {
  const r = shrunk({ world: LARGE, operations: long() }, 'missing-tlbi');
  t.deepEqual(r.world, { ...smallWorld(), devices: [{ smmu: 0, streams: [1] }] });
});

test('a planner and DS that the failure does not need go', (t) => {
  const world: World = { ...LARGE, planner: 'exact-ranges', smmus: LARGE.smmus.map((s) => ({ ...s, range: true, ds: true as const })) };
  t.deepEqual(shrunk({ world, operations: long() }, 'missing-tlbi').world, { ...smallWorld(), devices: [{ smmu: 0, streams: [1] }] });
});

test('features that the failure needs stay', (t) => {
  const operations = [attach(2, 1), map(0, 8 * MB2 + KB4, MB2, 'rw', 2), unmap(0, MB2, 2), sync(2)];
  const r = shrunk({ world: LARGE, operations }, 'single-for-populated-table');
  t.false(r.world.smmus[0]?.range);
  t.is(r.world.smmus.length, 1);
});

test('what shrinking returns is 1-minimal', (t) => {
  for (const mutant of ['missing-tlbi', 'wrong-asid', 'sync-missing']) {
    const r = shrunk({ world: LARGE, operations: long() }, mutant);
    t.true(r.minimal && oneMinimal(r, mutant), mutant);
  }
});

test('rule and cause stay the same, and the shrunk sequence fails when run again', (t) => {
  for (const mutant of ['leaf-only-for-freed-table', 'asid-reused-without-flush', 'one-smmu-forgotten', 'cfgi-missing-after-cd']) {
    const result = newResult();
    for (const _ of campaign({ seed: 'shrink', profile: findProfile('swarm') as Profile, mutant }, result)) void _;
    const found = result.failures[0] as FoundFailure;
    const r = shrink(found, found.violation, { mutant });
    t.deepEqual([r.violation.rule, r.violation.cause], [found.violation.rule, found.violation.cause], mutant);
    t.deepEqual(replay(r.world, r.operations, { mutant }).violation, r.violation, mutant);
    t.true(r.operations.length <= found.operations.length);
  }
});

test('two bugs in one sequence: the one that was found is kept', (t) => {
  const operations = [attach('identity', 0), ...long()];
  const world = { ...LARGE, devices: [{ smmu: 1, streams: [4] }, ...LARGE.devices.slice(1)] };
  const v = verdict(operations, world, 'cfgi-missing-after-ste') as Violation;
  const r = shrink({ world, operations }, v, { mutant: 'cfgi-missing-after-ste' });
  t.is(r.violation.cause, v.cause);
  t.is(r.operations.length, 1);
});

test('a smaller failure of another cause is not taken for it', (t) => {
  const operations = [attach(), map(MB2, 8 * MB2, MB2), unmap(MB2, MB2), sync()];
  const r = shrunk({ world: smallWorld(), operations }, 'missing-tlbi');
  t.is(r.violation.cause, 'a level 2 leaf outlives its unmap');
  t.like(r.operations.find((o) => o.op === 'map'), { size: MB2 });
  t.is(verdict(r.operations, r.world, 'missing-tlbi')?.cause, r.violation.cause);
});

test('each improvement is told, smaller or simpler than the last, and still failing', (t) => {
  const told: Candidate[] = [];
  const start = { world: LARGE, operations: long() };
  const v = verdict(start.operations, start.world, 'missing-tlbi') as Violation;
  const r = shrink(start, v, { mutant: 'missing-tlbi', improved: (c, w) => { told.push(c); t.is(w.cause, v.cause); } });
  t.is(told.length, r.accepted);
  t.true(told.every((c, i) => i === 0 || c.operations.length <= (told[i - 1] as Candidate).operations.length));
  t.deepEqual(told.at(-1), { world: r.world, operations: r.operations });
});

test('without budget nothing is lost, and minimal is not claimed before a whole pass', (t) => {
  const start = { world: LARGE, operations: long() };
  const r = shrunk(start, 'missing-tlbi', 0);
  t.true(r.tried <= 400);
  t.deepEqual(r.world, LARGE); // only the last deletion pass has evaluations of its own
  t.is(replay(r.world, r.operations, { mutant: 'missing-tlbi' }).violation?.rule, 'stale-translation');
  t.is(r.minimal, oneMinimal(r, 'missing-tlbi'));
});

test('a sequence that is minimal already stays', (t) => {
  const operations = [attach(), map(0, 0), unmap(0), sync()];
  const r = shrunk({ world: smallWorld(), operations }, 'missing-tlbi');
  t.deepEqual(r.operations, operations);
  t.true(r.minimal);
});

test('a failure at reset needs no operations at all', (t) => {
  const r = shrunk({ world: LARGE, operations: [attach(2, 1), detach(1)] }, 'reset-without-cfgi-all');
  t.deepEqual(r.operations, []);
  t.true(r.minimal);
});

test('shrinking twice gives the same', (t) => {
  const start = { world: LARGE, operations: long() };
  t.deepEqual(shrunk(start, 'missing-tlbi'), shrunk(start, 'missing-tlbi'));
});

/**
 * The corner cases on both whole machines, for several sizes of caches: every right form passes every check, every wrong form breaks
 * exactly its rule; and a right form passes as well when the concrete machine loses its caches after every operation.
 */
import test, { type ExecutionContext } from 'ava';
import { replayMachine } from '../../src/lockstep/machine-replay.js';
import { DECIDED } from '../../src/operations/corner/cases.js';
import type { MachineConfig, MachineOperation, MachineWorld } from '../../src/stack/machine-world.js';

type Freedom = Omit<MachineConfig, 'features'>;

/** What the concrete machine is free to do. */
const FREEDOMS: readonly Freedom[] = [
  { tlbEntries: 4, mergeRuns: false, strictReserved: true },
  { tlbEntries: 64, mergeRuns: true, strictReserved: true },
  { tlbEntries: 4096, mergeRuns: true, strictReserved: false },
];

function withFreedom(world: MachineWorld, freedom: Freedom): MachineWorld {
  return { ...world, smmus: world.smmus.map(({ features }) => ({ features, ...freedom })) };
}

function passes(t: ExecutionContext, world: MachineWorld, operations: readonly MachineOperation[]): void {
  const run = replayMachine(world, operations);
  t.is(run.unmodelled, null);
  t.is(run.violation, null, `right, operation ${run.failedAt}: ${run.violation?.actual ?? ''}`);
}

for (const c of DECIDED) {
  test(`${c.number} ${c.slug}`, (t) => {
    for (const freedom of FREEDOMS) {
      const world = withFreedom(c.world, freedom);
      passes(t, world, c.right);
      const wrong = replayMachine(world, c.wrong);
      t.is(wrong.unmodelled, null);
      t.is(wrong.violation?.rule, c.rule, `wrong, operation ${wrong.failedAt}: ${wrong.violation?.actual ?? 'no violation'}`);
    }
    passes(t, c.world, c.right.flatMap((o): MachineOperation[] => [o, { op: 'evict', smmu: 0 }]));
  });
}

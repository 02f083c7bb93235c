/** Workloads and questions: they are what their names say. */
import test from 'ava';
import { fixed, measure } from '../../src/compare/measure.js';
import { questionAt } from '../../src/compare/questions.js';
import { RANDOM } from '../../src/compare/workloads.js';
import { Lockstep } from '../../src/lockstep/lockstep.js';
import { SINGLE_RANGE } from '../../src/optimised/driver/planners/single-range.js';
import { leafAllowed, levelFrames } from '../../src/spec/granule.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import type { Description } from '../../src/stack/description.js';
import type { Operation } from '../../src/stack/operation.js';

function asked(name: string, run: number): { descriptions: Description[]; operations: readonly Operation[]; refused: number; range: boolean } {
  const workload = RANDOM.find((w) => w.name === name);
  if (workload === undefined) throw new RangeError(name);
  const { world, source } = workload.draw('workloads', run);
  const descriptions: Description[] = [];
  const m = measure(world, source, SINGLE_RANGE, { asked: (d) => { descriptions.push({ ...d }); } });
  const stack = new Lockstep(world, { planner: SINGLE_RANGE });
  const refused = m.operations.filter((op) => stack.step(op).result !== 'ok').length;
  return { descriptions, operations: m.operations, refused, range: world.smmus[0]?.range === true };
}

for (const name of ['teardown', 'sva']) {
  test(`${name}: no call is refused, and both forms of SMMUs are there`, (t) => {
    const ranges = new Set<boolean>();
    for (let run = 0; run < 12; run += 1) {
      const a = asked(name, run);
      t.is(a.refused, 0, String(run));
      ranges.add(a.range);
    }
    t.is(ranges.size, 2);
  });
}

test('teardown takes tables away; an mm names all levels that can have changed', (t) => {
  t.true(asked('teardown', 0).descriptions.some((d) => d.tables !== 0));
  const mm = asked('sva', 0).descriptions;
  t.true(mm.length > 5);
  t.true(mm.every((d) => d.all || (d.leaves !== 0 && d.tables !== 0)));
});

test('a sequence is drawn from its seed, its name and its number alone', (t) => {
  const first = asked('swarm', 3).operations;
  t.deepEqual(asked('swarm', 3).operations, first);
  t.notDeepEqual(asked('swarm', 4).operations, first);
  t.true(first.length > 0);
});

test('the baseline’s sequence is what the candidate is given', (t) => {
  const workload = RANDOM[0];
  if (workload === undefined) return t.fail();
  const { world, source } = workload.draw('workloads', 1);
  const base = measure(world, source, SINGLE_RANGE);
  t.deepEqual(measure(world, fixed(base.operations), SINGLE_RANGE).cost, base.cost);
});

test('questions: whole granules in the address space, levels that exist and fit', (t) => {
  const chooser = new RandomChooser('questions');
  for (let k = 0; k < 5000; k += 1) {
    const { description: d, features } = questionAt(k, chooser);
    if (d.all) continue;
    const text = JSON.stringify({ d, features });
    const granule = levelFrames(d.tg, 3);
    t.true(d.first >= 0 && d.last >= d.first && d.first % granule === 0 && (d.last + 1) % granule === 0, text);
    t.true(d.last < 2 ** ((features.ds ? 52 : 48) - 12), text);
    t.true((d.leaves | d.tables) !== 0 && (d.tables & 1) === 0, text);
    for (let bit = 0; bit < 4; bit += 1) {
      if ((d.leaves & (1 << bit)) !== 0) t.true(leafAllowed(d.tg, 3 - bit, features.ds) && levelFrames(d.tg, 3 - bit) <= d.last - d.first + 1, text);
      if ((d.tables & (1 << bit)) !== 0) t.true(levelFrames(d.tg, 3 - bit) <= d.last - d.first + 1, text);
    }
  }
});

test('questions grow: what fails at once fails on one granule', (t) => {
  t.deepEqual(questionAt(0, new RandomChooser('any')), { description: { tg: 12, first: 1, last: 1, leaves: 1, tables: 0, all: false }, features: { range: true, ds: false } });
});

/** The campaign: who is right, what plans cost, and the smallest that shows it. */
import test from 'ava';
import { compareCampaign, newCompareResult, runAgain, type CompareResult, type CompareSetup } from '../../src/compare/campaign.js';
import { loadWasm } from '../../src/compare/candidate-wasm.js';
import { wrap } from '../../src/compare/candidate.js';
import { METRICS, ratio } from '../../src/compare/cost.js';
import { shrinkSequence, shrinkWrongQuestion } from '../../src/compare/failure.js';
import { fixed, measure } from '../../src/compare/measure.js';
import { alone } from '../../src/compare/pulse.js';
import { PLANS, RANDOM, recorded } from '../../src/compare/workloads.js';
import { shrinkWorse, shrinkWorseQuestion } from '../../src/compare/worse.js';
import { DOUBLE_RANGE } from '../../src/optimised/driver/planners/double-range.js';
import { EXACT_RANGES } from '../../src/optimised/driver/planners/exact-ranges.js';
import { SINGLE_RANGE } from '../../src/optimised/driver/planners/single-range.js';
import { WHOLE_TAG_PLANNER } from '../../src/optimised/driver/planners/whole-tag.js';
import type { Operation } from '../../src/stack/operation.js';
import type { Planner } from '../../src/stack/planner.js';
import { smallWorld } from '../../src/stack/world.js';
import { bytesOf, type ModuleName } from './modules.js';

function module(name: ModuleName): Planner {
  return wrap(name, loadWasm(bytesOf(name), name), alone()).planner;
}

function setup(candidate: Planner, change: Partial<CompareSetup> = {}): CompareSetup {
  return { seed: 'campaign', baseline: SINGLE_RANGE, candidate, workloads: RANDOM, plans: true, operations: 800, runs: Infinity, ...change };
}

function go(s: CompareSetup): CompareResult {
  const result = newCompareResult(s);
  for (const _ of compareCampaign(s, result));
  return result;
}

test('a right candidate that plans the same costs the same everywhere', (t) => {
  const s = setup(module('right'));
  const r = go(s);
  t.is(r.wrong, null);
  t.is(r.baseline, null);
  t.deepEqual(r.workloads.map((w) => w.name), [PLANS, ...RANDOM.map((w) => w.name)]);
  for (const w of r.workloads) {
    t.true(w.runs > 0 && w.operations >= 500 && w.baseline.plans > 0, w.name);
    t.deepEqual(w.candidate, w.baseline, w.name);
  }
  t.is(r.worse.size + r.worseQuestions.size, 0);
  t.deepEqual(runAgain(s, r, () => module('right')), { checked: 5, identical: 5 });
});

test('the same seed gives the same result, another one another', (t) => {
  const sums = (seed: string): unknown => go(setup(DOUBLE_RANGE, { seed, operations: 400 })).workloads.map(({ name, runs, operations, baseline, candidate }) => ({ name, runs, operations, baseline, candidate }));
  t.deepEqual(sums('a'), sums('a'));
  t.notDeepEqual(sums('a'), sums('b'));
});

test('a candidate that drops the last page: one small question', (t) => {
  const { wrong } = go(setup(module('wrong')));
  if (wrong?.kind !== 'question') return t.fail();
  const small = shrinkWrongQuestion(wrong, () => module('wrong'));
  t.is(small.violation?.rule, 'range-coverage');
  t.is(small.question?.description.first, 0);
  t.is(small.question?.description.last, 2);
});

test('a candidate that drops the last page: four operations, told while it gets smaller', (t) => {
  const { wrong } = go(setup(module('wrong'), { plans: false, operations: 5000 }));
  if (wrong?.kind !== 'sequence') return t.fail();
  let told = 0;
  const small = shrinkSequence(wrong, module('wrong'), () => { told += 1; });
  t.true(small.minimal);
  t.true(told > 0);
  t.deepEqual(small.operations.map((o) => o.op).sort(), ['attach', 'map', 'sync', 'unmap']);
});

test('whole-tag is right, and loses entries that were wanted: five operations', (t) => {
  const r = go(setup(WHOLE_TAG_PLANNER, { plans: false }));
  t.is(r.wrong, null);
  const all = r.workloads.find((w) => w.name === 'teardown');
  t.is(all?.candidate.wholeTagFlushes, all?.candidate.plans);
  const found = r.worse.get('entriesLost');
  if (found === undefined) return t.fail();
  const small = shrinkWorse(found, SINGLE_RANGE, WHOLE_TAG_PLANNER);
  t.true(small.minimal && small.operations.length <= 6, JSON.stringify(small.operations));
  t.true(small.candidate > small.baseline);
});

test('exact-ranges needs more commands on a question that shrinks', (t) => {
  const r = go(setup(EXACT_RANGES, { workloads: [], operations: 2000 }));
  t.is(r.wrong, null);
  const q = r.worseQuestions.get('commands');
  if (q === undefined) return t.fail();
  const small = shrinkWorseQuestion('commands', q, SINGLE_RANGE, EXACT_RANGES);
  t.true(small.candidate > small.baseline);
  t.true(small.question.description.last < 4096 * 16);
});

test('a candidate that answers one question in two ways is found out', (t) => {
  const { wrong } = go(setup(module('remembers'), { workloads: [] }));
  t.regex((wrong?.kind === 'question' ? wrong.fault?.text : '') ?? '', /two ways/);
});

test('state that only sequences show: first runs do not come out the same', (t) => {
  const moody = (): Planner => {
    let calls = 0;
    const plan: Planner['plan'] = (d, f, out) => {
      calls += 1;
      return calls > 20 ? -1 : SINGLE_RANGE.plan(d, f, out);
    };
    return { ...SINGLE_RANGE, plan };
  };
  const s = setup(moody(), { plans: false });
  const r = go(s);
  t.is(r.wrong, null);
  const fresh = runAgain(s, r, moody);
  t.true(fresh.identical < fresh.checked);
  const one = moody(); // a JavaScript module exists twice only: the workloads come in another order
  const again = runAgain(s, r, () => one);
  t.true(again.identical < again.checked);
});

test('a baseline that is wrong is no measure', (t) => {
  t.regex(go(setup(SINGLE_RANGE, { baseline: module('wrong') })).baseline ?? '', /range-coverage/);
  t.regex(go(setup(SINGLE_RANGE, { baseline: module('wrong'), plans: false, operations: 5000 })).baseline ?? '', /range-coverage .* in run \d+ of/);
});

const PA = 0x800000000;
const NEIGHBOUR: readonly Operation[] = [
  { op: 'attach', device: 0, to: 0 },
  { op: 'map', domain: 0, iova: 0x4000, pa: PA, size: 0x2000, prot: 'rw' },
  { op: 'access', device: 0, stream: 0, iova: 0x4000, write: false },
  { op: 'access', device: 0, stream: 0, iova: 0x5000, write: false },
  { op: 'unmap', domain: 0, iova: 0x4000, size: 0x1000 },
  { op: 'sync', domain: 0 },
];

test('lost: the neighbour’s leaf and the tables above it, never what was unmapped', (t) => {
  const lost = (planner: Planner): number => measure(smallWorld(), fixed(NEIGHBOUR), planner).cost.entriesLost;
  t.is(lost(SINGLE_RANGE), 0);
  t.is(lost(WHOLE_TAG_PLANNER), 4); // 0x5000, and the descriptors of levels 0, 1 and 2
});

test('commands, SYNCs and granules beyond: a 33-page range', (t) => {
  const operations: Operation[] = [NEIGHBOUR[0] as Operation, { op: 'map', domain: 0, iova: 0, pa: PA, size: 33 * 4096, prot: 'rw' }, { op: 'unmap', domain: 0, iova: 0, size: 33 * 4096 }, { op: 'sync', domain: 0 }];
  const single = measure(smallWorld(), fixed(operations), SINGLE_RANGE).cost;
  const double = measure(smallWorld(), fixed(operations), DOUBLE_RANGE).cost;
  t.like(single, { commands: 1, syncs: 1, overInvalidatingRanges: 1, overInvalidatedGranules: 1, worstOver: 1 / 33, wholeTagFlushes: 0, plans: 1 });
  t.like(double, { commands: 2, syncs: 1, overInvalidatingRanges: 0, overInvalidatedGranules: 0, worstOver: 0, plans: 1 });
});

test('a recording is run as it is, and once', (t) => {
  const r = go(setup(SINGLE_RANGE, { plans: false, workloads: [recorded({ name: 'mine', world: smallWorld(), operations: NEIGHBOUR })], operations: 2 }));
  t.deepEqual(r.workloads.map(({ name, runs, operations }) => ({ name, runs, operations })), [{ name: 'mine', runs: 1, operations: NEIGHBOUR.length }]);
});

test('a ratio', (t) => {
  t.is(ratio(0, 0), 1);
  t.is(ratio(0, 3), null);
  t.is(ratio(4, 1), 0.25);
  t.is(METRICS.length, 6);
});

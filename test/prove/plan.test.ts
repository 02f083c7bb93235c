/** Plan: one plan judged in words, by both judges: the vectors of the contiguous erratum, each rule with its evidence, and stored plans. */
import test from 'ava';
import type { PlanCase, PlanFeatures } from '../../src/operations/plan-case.js';
import { findPlanner } from '../../src/parts/planners.js';
import { judgePlan, judgePlanCase, planOf, violationOf, type Judged } from '../../src/prove/plan.js';
import type { Description } from '../../src/stack/description.js';
import { WHOLE_TAG, type Planner } from '../../src/stack/planner.js';
import { BROKEN } from './broken.js';

const RANGES: PlanFeatures = { range: true, ds: false, wholeRunOnly: false };
const ERRATUM: PlanFeatures = { ...RANGES, wholeRunOnly: true };

function damage(first: number, granules: number, o: Partial<Description> = {}): Description {
  const g = 2 ** ((o.tg ?? 12) - 12);
  return { tg: 12, first: first * g, last: (first + granules) * g - 1, leaves: 1, tables: 0, all: false, ...o };
}

function judged(p: Planner, d: Description, f: PlanFeatures): Judged {
  return judgePlan(d, f, planOf(p, d, f), p.promise);
}

function named(name: string): Planner {
  return (findPlanner(name) ?? BROKEN.find((b) => b.planner.name === name)?.planner) as Planner;
}

/** First granule, granules, granule size, and the run that survives a plain double range. */
const VECTORS = [[1, 47, 12, '0x20000..0x2ffff'], [1, 255, 14, '0x200000..0x3fffff'], [1, 63, 16, '0x200000..0x3fffff']] as const;

for (const [first, n, tg, run] of VECTORS) {
  test(`contiguous erratum: ${n} granules of ${2 ** (tg - 10)}K from granule ${first}`, (t) => {
    const d = damage(first, n, { tg });
    const [v] = judged(named('double-range'), d, ERRATUM).violations;
    t.is(v?.rule, 'range-coverage');
    t.is(v?.actual, `the level 3 contiguous run of ${run} stays`);
    t.true(v?.because.some((line) => line.includes('only a part of the contiguous run')));
    t.deepEqual(judged(named('double-range'), d, RANGES).violations, []);
    for (const safe of ['single-range', 'double-range-cont', 'whole-tag']) t.deepEqual(judged(named(safe), d, ERRATUM).violations, [], safe);
  });
}

test('each rule with its evidence', (t) => {
  const one = (name: string, d: Description, f = RANGES): unknown => {
    const [v] = judged(named(name), d, f).violations;
    return [v?.rule, v?.actual];
  };
  t.deepEqual(one('off-by-one', damage(0, 3)), ['range-coverage', 'the level 3 leaf of 0x2000..0x2fff stays']);
  t.deepEqual(one('leaf-always', damage(0, 512, { tables: 2 })), ['range-coverage', 'the level 2 table descriptor of 0x0..0x1fffff stays']);
  t.deepEqual(one('scale-one-more', damage(0, 64)), ['over-invalidation', '64 granules beyond']);
  t.deepEqual(one('two-commands', damage(0, 33)), ['command-bound', '2 commands']);
  t.regex(String(one('single-with-granule', damage(5, 1, { leaves: 3 }))), /illegal-command,command 1 of 1, .*reserved/);
});

test('everything needs the whole tag', (t) => {
  const d = damage(0, 1, { all: true });
  t.deepEqual(judged(named('single-range'), d, RANGES), { commands: null, violations: [] });
  const v = judgePlan(d, RANGES, { words: new Uint32Array(4), count: 1 }, undefined).violations[0];
  t.is(v?.cause, 'everything was asked, a range was planned');
  t.deepEqual(judgePlan(d, RANGES, { words: new Uint32Array(0), count: WHOLE_TAG }, undefined).violations, []);
});

const CASE: PlanCase = {
  schema: 1, kind: 'plan', features: ERRATUM, description: damage(15, 33), subject: { parts: { planner: 'double-range' } }, expect: { verdict: 'violation', rule: 'range-coverage' }, provenance: {},
};

test('a stored plan is judged with its planner or with the commands that it carries', (t) => {
  t.is(violationOf(CASE, judgePlanCase(CASE))?.rule, 'range-coverage');
  const none = judgePlanCase({ ...CASE, subject: { parts: {}, payloads: [] } });
  t.is(none.commands?.length, 0);
  t.deepEqual(none.violations.map((v) => v.because.at(-1)), ['no command at all']);
  const reserved = judgePlanCase({ ...CASE, description: damage(1, 1), subject: { parts: {}, payloads: [[0, 0, 0x1401, 0]] } });
  t.deepEqual(reserved.violations.map((v) => v.rule), ['illegal-command', 'range-coverage']);
  t.is(violationOf({ expect: { verdict: 'violation', rule: 'range-coverage' } }, reserved)?.rule, 'range-coverage');
  t.is(violationOf({ expect: { verdict: 'ok' } }, judgePlanCase({ ...CASE, subject: { parts: {}, payloads: 'whole-tag' } })), null);
});

test('large damage: many commands are told in part', (t) => {
  const d = damage(0, 400);
  const { count, words } = planOf(named('per-granule'), d, { ...RANGES, range: false });
  const v = judgePlan(d, { ...RANGES, range: false }, { words, count: count - 1 }, undefined).violations[0];
  t.is(v?.actual, 'the level 3 leaf of 0x18f000..0x18ffff stays');
  t.is(v?.because.at(-1), '… and 393 more commands');
});

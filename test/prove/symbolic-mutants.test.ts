/** Every mutant of a formula is refuted, by a plan that replays as a case; the one that is complete all the same breaks what it is said to break. */
import test from 'ava';
import { decodePlanCase, encodePlanCase } from '../../src/operations/plan-codec.js';
import type { PlanCase } from '../../src/operations/plan-case.js';
import { judgePlanCase, violationOf } from '../../src/prove/plan.js';
import { BROKEN, SYMBOLIC } from '../../src/prove/symbolic.js';
import { MUTANTS } from '../../src/prove/symbolic/mutants.js';
import { RANGE_TEXTS } from '../../src/prove/symbolic/claims.js';
import { isThereOneAgainst } from '../../src/prove/symbolic/question.js';
import { ran, withSolver } from './symbolic.js';

const TIME = 600_000;

test('every claim that is expected to hold of all inputs has a mutant that breaks it', (t) => {
  const broken = new Set(BROKEN.map((c) => c.id.replace(/\+.*/, '')));
  const without = SYMBOLIC.filter((c) => c.expected === 'proved' && /-(coverage|legality|over-invalidation|contiguous|command-bound|fallback)\//.test(c.id) && !broken.has(c.id)).map((c) => c.id);
  // The other steps of double-range-cont and of the fallback are those of double-range and single-range.
  t.deepEqual(without, ['symbolic-fallback/double-range', 'symbolic-fallback/double-range-cont', 'symbolic-coverage/double-range-cont', 'symbolic-legality/double-range-cont', 'symbolic-over-invalidation/double-range-cont']);
});

test('every mutant is refuted, and its counterexample replays as a case', async (t) => {
  t.timeout(TIME);
  await withSolver(t, async (solver) => {
    for (const claim of BROKEN) {
      const r = await ran(claim, solver);
      t.is(r.verdict, 'refuted', `${r.id} ${r.why ?? ''}`);
      if (r.counterexample === undefined) {
        t.regex(r.id, /^symbolic-fallback\//);
        t.truthy(r.witness);
        continue;
      }
      const { rule, features, description, subject } = r.counterexample;
      const stored: PlanCase = { schema: 1, kind: 'plan', features, description, subject, expect: { verdict: 'violation', rule }, provenance: {} };
      const read = decodePlanCase(encodePlanCase(stored), 'a case');
      t.deepEqual(read, stored);
      t.is(violationOf(read, judgePlanCase(read))?.rule, rule, r.id);
    }
  });
});

test('length-bits is complete, legal and within its bound: only when the whole tag goes is different', async (t) => {
  t.timeout(TIME);
  const mutant = MUTANTS.find((m) => m.name === 'length-bits');
  t.deepEqual(mutant?.breaks, ['fallback']);
  await withSolver(t, async (solver) => {
    const results: string[] = [];
    for (const text of RANGE_TEXTS.filter((x) => x.planner === 'single-range')) {
      let holds = true;
      for (const q of mutant === undefined ? [] : text.questions(mutant.recipes)) holds &&= (await isThereOneAgainst(q, solver, 60_000)).kind === 'unsat';
      results.push(`${text.what} ${holds}`);
    }
    t.deepEqual(results, ['coverage true', 'legality true', 'over-invalidation true', 'contiguous true', 'fallback false']);
  });
});

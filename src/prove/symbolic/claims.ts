/**
 * The symbolic claims: for each planner what is claimed of all inputs, the questions that together prove it, and the same claim as a formula that a
 * concrete plan breaks, for the search of a counterexample.
 *
 * Questions without a granule in them are asked for 4K granules in 64 bits: 2^52 granules, so that all smaller numbers are among them.
 */
import { TGS, type Tg } from '../../spec/granule.js';
import type { PlanRule } from '../../operations/plan-case.js';
import { LOOP, type LoopRecipe } from './exact.js';
import { COUNT, doubleRange, doubleRangeCont, isDescription, RECIPE, singleRange, type PlanTerm, type Recipe, type Scope } from './planners.js';
import {
  asks, beginsInside, complete, containmentTouches, distanceContains, fieldsFit, atMostSixteenth, inDamage, OFFSET, reached, same, tooLong, wellFormed, wholeRuns, within, withinSixteenth,
} from './properties.js';
import type { Question } from './question.js';
import { and, lt, num, TRUE, type Bool } from './terms.js';

/** The steps of every planner; a mutant replaces one. */
export interface Recipes {
  readonly ranges: Recipe;
  readonly loop: LoopRecipe;
}

export const RECIPES: Recipes = { ranges: RECIPE, loop: LOOP };

/** A plan as a formula, and for which inputs it is the whole plan. */
export interface Formula {
  readonly plan: PlanTerm;
  readonly valid: Bool;
}

export type FormulaOf = (r: Recipes, s: Scope) => Formula;

/** What a search for a counterexample looks for: a plan for which `goal` fails. */
export type Broken = (f: Formula, s: Scope) => { readonly assume: Bool; readonly goal: Bool };

export interface SymbolicText {
  readonly what: string;
  readonly planner: string;
  readonly sentence: string;
  readonly source: string;
  readonly expected: 'proved' | 'refuted';
  readonly rule: PlanRule;
  readonly wholeRunOnly?: true;
  readonly formula: FormulaOf;
  readonly questions: (r: Recipes) => readonly Question[];
  readonly broken: Broken;
  /** Only descriptions of very many granules can break it. */
  readonly far?: true;
}

export const WIDEST: Scope = { tg: 12, addressBits: 64 };
export const EACH: readonly Scope[] = TGS.map((tg: Tg) => ({ tg, addressBits: 64 }));

export const SINGLE: FormulaOf = (r, s) => ({ plan: singleRange(r.ranges, s), valid: TRUE });
export const DOUBLE: FormulaOf = (r, s) => ({ plan: doubleRange(r.ranges, s), valid: TRUE });
export const CONT: FormulaOf = (r, s) => ({ plan: doubleRangeCont(r.ranges, s), valid: TRUE });
export const RANGES = 'IHI 0070 §4.4.1.1; seed 0';
export const LATER = 'IHI 0070 §4.4.1.1; seed 0, later revision';

export function ask(s: Scope, assume: Bool, goal: Bool): Question {
  return { scope: s, assume: and(isDescription(s), assume), goal };
}

/** Coverage of a plan of ranges: every granule in some command, every command asks for everything. */
export function coverage(formula: FormulaOf): (r: Recipes) => readonly Question[] {
  return (r) => [
    ask(WIDEST, lt(OFFSET, COUNT), reached(formula(r, WIDEST).plan)),
    ask(WIDEST, TRUE, beginsInside(formula(r, WIDEST).plan)),
    ...EACH.map((s) => ask(s, TRUE, asks(formula(r, s).plan, s))),
    { scope: WIDEST, assume: TRUE, goal: distanceContains(WIDEST) },
    ...EACH.map((s): Question => ({ scope: s, assume: TRUE, goal: containmentTouches(s) })),
  ];
}

export function legality(formula: FormulaOf): (r: Recipes) => readonly Question[] {
  return (r) => [ask(WIDEST, TRUE, fieldsFit(formula(r, WIDEST).plan)), ...EACH.map((s) => ask(s, TRUE, wellFormed(formula(r, s).plan, s)))];
}

export const COMPLETE: Broken = (f, s) => ({ assume: inDamage(s), goal: complete(f.plan, s) });
export const LEGAL: Broken = (f, s) => ({ assume: TRUE, goal: and(fieldsFit(f.plan), wellFormed(f.plan, s)) });
export const RUNS: Broken = (f, s) => ({ assume: lt(OFFSET, COUNT), goal: wholeRuns(f.plan, s) });

export const COVERAGE = 'every damaged leaf and table descriptor of every description is removed: all first, last and bitmaps of 48, 52 and 64 bits, with 4K, 16K and 64K granules';
export const LEGALITY = 'NUM is 0..31, SCALE at most 31 (39 with DS), no command is reserved, and every address is aligned as TG and TTL ask';
export const ERRATUM = 'every contiguous run of a damaged level that lies in the damage is spanned by one range, or holds a single address';
const FALLBACK = 'the whole tag goes exactly when one range cannot say the length: above 2^36 granules, or 2^44 with DS';

function pair(planner: string, source: string, formula: FormulaOf): readonly SymbolicText[] {
  return [
    { what: 'coverage', planner, sentence: COVERAGE, source, expected: 'proved', rule: 'range-coverage', formula, questions: coverage(formula), broken: COMPLETE },
    { what: 'legality', planner, sentence: LEGALITY, source, expected: 'proved', rule: 'illegal-command', formula, questions: legality(formula), broken: LEGAL },
  ];
}

const SINGLE_TEXTS: readonly SymbolicText[] = [
  ...pair('single-range', RANGES, SINGLE),
  {
    what: 'over-invalidation', planner: 'single-range', sentence: 'fewer than n / 16 granules beyond the n of the damage are reached, all of them behind it', source: RANGES, expected: 'proved',
    rule: 'over-invalidation', formula: SINGLE, questions: (r) => [ask(WIDEST, TRUE, withinSixteenth(SINGLE(r, WIDEST).plan))], broken: (f) => ({ assume: TRUE, goal: atMostSixteenth(f.plan) }),
  },
  {
    what: 'contiguous', planner: 'single-range', sentence: ERRATUM, source: 'contiguous erratum (84c6089a365f)', expected: 'proved', rule: 'range-coverage', wholeRunOnly: true, formula: SINGLE,
    questions: (r) => EACH.map((s) => ask(s, lt(OFFSET, COUNT), wholeRuns(SINGLE(r, s).plan, s))), broken: RUNS,
  },
];

export function exactlyWithin(planner: string, formula: FormulaOf): SymbolicText {
  return {
    what: 'over-invalidation', planner, sentence: 'no granule beyond the damage is reached', source: LATER, expected: 'proved', rule: 'over-invalidation', formula,
    questions: (r) => [ask(WIDEST, TRUE, within(formula(r, WIDEST).plan, num(0)))], broken: (f) => ({ assume: TRUE, goal: within(f.plan, num(0)) }),
  };
}

const DOUBLE_TEXTS: readonly SymbolicText[] = [
  ...pair('double-range', LATER, DOUBLE),
  exactlyWithin('double-range', DOUBLE),
  {
    what: 'contiguous', planner: 'double-range', sentence: ERRATUM, source: 'contiguous erratum (84c6089a365f)', expected: 'refuted', rule: 'range-coverage', wholeRunOnly: true, formula: DOUBLE,
    questions: (r) => EACH.map((s) => ask(s, lt(OFFSET, COUNT), wholeRuns(DOUBLE(r, s).plan, s))), broken: RUNS,
  },
];

/** The claim about the whole tag, for the planners whose commands are one or two ranges. */
const FALLBACKS: readonly SymbolicText[] = (['single-range', 'double-range', 'double-range-cont'] as const).map((planner) => {
  const formula = planner === 'single-range' ? SINGLE : planner === 'double-range' ? DOUBLE : CONT;
  return {
    what: 'fallback', planner, sentence: FALLBACK, source: planner === 'single-range' ? RANGES : LATER, expected: 'proved', rule: 'command-bound', formula,
    questions: (r) => [ask(WIDEST, TRUE, same(formula(r, WIDEST).plan.whole, tooLong(WIDEST)))], far: true, broken: (f, s) => ({ assume: TRUE, goal: same(f.plan.whole, tooLong(s)) }),
  };
});

export const RANGE_TEXTS: readonly SymbolicText[] = [...SINGLE_TEXTS, ...DOUBLE_TEXTS, ...FALLBACKS];

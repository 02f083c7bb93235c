/**
 * Symbolic claims: decided for all inputs at once by an SMT solver. A claim is proved when the solver finds no input against any of its questions. A
 * claim that is expected to fail, and every mutant of a formula, needs a concrete counterexample: the solver is asked for one in small windows first,
 * and what it finds is judged as every plan is (plan.ts) before it counts. Anything else is undecided, and says why.
 *
 * What is proved are formulas (symbolic/planners.ts, symbolic/exact.ts); that they are what the planners calculate is what test/prove/symbolic.test.ts checks.
 */
import { describeDescription } from '../stack/description.js';
import { findPlanner } from '../parts/planners.js';
import type { Claim, ClaimResult, Counterexample, SymbolicClaim, SymbolicContext } from './claims.js';
import { judgePlanCase } from './plan.js';
import { CONT_TEXTS } from './symbolic/claims-cont.js';
import { LOOP_TEXTS, POSSIBILITIES, possible, type Possibility } from './symbolic/claims-loop.js';
import { RANGE_TEXTS, RECIPES, type Recipes, type SymbolicText } from './symbolic/claims.js';
import { MUTANTS as TABLE, type Mutant } from './symbolic/mutants.js';
import { COUNT, FIRST, granuleBits, isDescription, type Scope } from './symbolic/planners.js';
import { descriptionOf, isThereOneAgainst, payloadsFor, type Question } from './symbolic/question.js';
import type { Answer, Solver } from './symbolic/solver.js';
import { and, le, num, TRUE, type Bool, type Values } from './symbolic/terms.js';

/** What one question may take; beyond it the claim is undecided. */
const QUESTION_MS = 60_000;
const STOPPED_EVERY_MS = 50;

/** Where counterexamples are looked for: at most so many bits of the start and of the length, then anywhere. */
const WINDOWS: readonly (number | null)[] = [6, 12, null];
const SEARCHED: readonly Scope[] = [{ tg: 12, addressBits: 52 }, { tg: 14, addressBits: 52 }, { tg: 16, addressBits: 52 }];

/** The state of one claim: how many questions were answered. */
class Asking {
  asked = 0;
  /** Why nothing more is asked. */
  why: string | null = null;
  readonly #solver: Solver;
  readonly #stopped: () => boolean;

  constructor(solver: Solver, stopped: () => boolean) {
    this.#solver = solver;
    this.#stopped = stopped;
  }

  /** The values of an input against it; null: there is none, or `why` is set. */
  async against(q: Question): Promise<Values | null> {
    if (this.why !== null) return null;
    if (this.#stopped()) return this.#gaveUp('ended before the solver was asked');
    const answer = await this.#orStopped(isThereOneAgainst(q, this.#solver, QUESTION_MS));
    if (answer === null) return this.#gaveUp('ended while the solver was at work');
    if (answer.kind === 'unknown') return this.#gaveUp(answer.reason);
    this.asked += 1;
    return answer.kind === 'sat' ? answer.values : null;
  }

  #gaveUp(why: string): null {
    this.why = why;
    return null;
  }

  /** The answer, or null as soon as the run is to end: the threads of the solver are then ended with the run. */
  async #orStopped(answer: Promise<Answer>): Promise<Answer | null> {
    let timer: NodeJS.Timeout | undefined;
    const stop = new Promise<null>((resolve) => { timer = setInterval(() => { if (this.#stopped()) resolve(null); }, STOPPED_EVERY_MS); });
    try {
      return await Promise.race([answer, stop]);
    } finally {
      clearInterval(timer);
    }
  }
}

type Verdict = Pick<ClaimResult, 'verdict' | 'counterexample' | 'witness' | 'why'>;

async function decide(t: SymbolicText, recipes: Recipes, expected: Claim['expected'], a: Asking): Promise<Verdict> {
  if (expected === 'proved') {
    const against = await firstAgainst(t, recipes, a);
    if (a.why !== null) return { verdict: 'undecided', why: a.why };
    if (against === null) return { verdict: 'proved' };
  }
  const found = await search(t, recipes, a);
  if (found !== null) return found;
  if (a.why !== null) return { verdict: 'undecided', why: a.why };
  if (expected === 'refuted' && await firstAgainst(t, recipes, a) === null && a.why === null) return { verdict: 'proved' };
  return { verdict: 'undecided', why: a.why ?? 'the proof fails, but no plan was found that breaks the claim' };
}

async function firstAgainst(t: SymbolicText, recipes: Recipes, a: Asking): Promise<Values | null> {
  for (const q of t.questions(recipes)) {
    const values = await a.against(q);
    if (values !== null || a.why !== null) return values;
  }
  return null;
}

/** Small inputs first. */
function window(bits: number | null, s: Scope): Bool {
  const most = bits === null || bits > granuleBits(s) ? null : num(1n << BigInt(bits));
  return most === null ? TRUE : and(le(FIRST, most), le(COUNT, most));
}

async function search(t: SymbolicText, recipes: Recipes, a: Asking): Promise<Verdict | null> {
  for (const bits of t.far === true ? [null] : WINDOWS) {
    for (const scope of SEARCHED) {
      const formula = t.formula(recipes, scope);
      const { assume, goal } = t.broken(formula, scope);
      const values = await a.against({ scope, assume: and(isDescription(scope), window(bits, scope), formula.valid, assume), goal });
      if (a.why !== null) return null;
      if (values !== null) return concrete(t, payloadsFor(formula.plan, values, scope), values, scope);
    }
  }
  return null;
}

/** A model as a counterexample, when the rules of plans say so too; what they do not judge (when the whole tag goes) is told as it is. */
function concrete(t: SymbolicText, payloads: ReturnType<typeof payloadsFor>, values: Values, scope: Scope): Verdict {
  const description = descriptionOf(values, scope);
  const features = { range: true, ds: values.get('ds') === 1n, wholeRunOnly: t.wholeRunOnly === true };
  if (t.what === 'fallback') {
    return { verdict: 'refuted', witness: `${describeDescription(description)}${features.ds ? ' with DS' : ''}: ${payloads === null ? 'the whole tag goes' : 'ranges are sent'}` };
  }
  const parts = findPlanner(t.planner) === undefined ? {} : { planner: t.planner };
  const subject: Counterexample['subject'] = t.expected === 'refuted' ? { parts: { planner: t.planner } } : { parts, payloads: payloads ?? 'whole-tag' };
  const judged = judgePlanCase({ schema: 1, kind: 'plan', features, description, subject, expect: { verdict: 'violation', rule: t.rule }, provenance: {} });
  const violation = judged.violations.find((v) => v.rule === t.rule);
  if (violation === undefined) return { verdict: 'undecided', why: `the solver's counterexample ${describeDescription(description)} breaks no rule` };
  return { verdict: 'refuted', counterexample: { rule: t.rule, features, description, subject, actual: violation.actual, smallest: false } };
}

async function decidePossible(p: Possibility, a: Asking): Promise<Verdict> {
  for (const scope of p.scopes) {
    const values = await a.against(possible(p, scope));
    if (a.why !== null) return { verdict: 'undecided', why: a.why };
    if (values !== null) return { verdict: 'proved', witness: `${describeDescription(descriptionOf(values, scope))}, ${2 ** (scope.tg - 10)}K granules` };
  }
  return { verdict: 'refuted' };
}

function claim(text: Pick<Claim, 'planner' | 'sentence' | 'source' | 'expected'>, id: string, decided: (a: Asking) => Promise<Verdict>): SymbolicClaim {
  const { planner, sentence, source, expected } = text;
  const fixed = { id, planner, sentence, source, expected, method: 'symbolic' } as const;
  return {
    ...fixed,
    run: async ({ solver, stopped }: SymbolicContext): Promise<ClaimResult> => {
      if ('missing' in solver) return { ...fixed, cases: 0, verdict: 'undecided', why: solver.missing };
      const a = new Asking(solver, stopped);
      const verdict = await decided(a);
      return { ...fixed, cases: a.asked, ...verdict };
    },
  };
}

const TEXTS: readonly SymbolicText[] = [...RANGE_TEXTS, ...CONT_TEXTS, ...LOOP_TEXTS];

export const SYMBOLIC: readonly SymbolicClaim[] = [
  ...TEXTS.map((t) => claim(t, `symbolic-${t.what}/${t.planner}`, (a) => decide(t, RECIPES, t.expected, a))),
  ...POSSIBILITIES.map((p) => claim(p, `symbolic-${p.what}/${p.planner}`, (a) => decidePossible(p, a))),
];

/** The same claims about deliberately broken formulas: each must be refuted. */
export const BROKEN: readonly SymbolicClaim[] = TABLE.flatMap((m: Mutant) => m.breaks.map((what) => {
  const t = TEXTS.find((x) => x.what === what && x.planner === m.planner);
  if (t === undefined) throw new Error(`mutant ${m.name} breaks ${what}/${m.planner}, which is no claim`);
  const broken = { ...t, sentence: `${t.sentence}; broken on purpose: ${m.about}`, expected: 'proved' } as const;
  return claim({ ...broken, expected: 'refuted' }, `symbolic-${what}/${m.planner}+${m.name}`, (a) => decide(broken, m.recipes, 'refuted', a));
}));

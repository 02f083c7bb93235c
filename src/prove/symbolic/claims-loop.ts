/**
 * The symbolic claims about the classic loop, by induction: the loop begins in a state that has the invariants, and one round from any such state
 * keeps them. And what is only possible: inputs that show how far a planner can go.
 */
import { COVERAGE, COMPLETE, EACH, LEGAL, LEGALITY, ask, RECIPES, SINGLE, WIDEST, type FormulaOf, type Recipes, type SymbolicText } from './claims.js';
import { entriesWhole, exactRanges, isState, round, type Round } from './exact.js';
import { COUNT, DS, entryBits, FIRST, granuleBits, isDescription, scaleMax, type PlanTerm, type Scope } from './planners.js';
import { asks, belowTop, every, fieldsFit, OFFSET, reached, wellFormed, within } from './properties.js';
import type { Question } from './question.js';
import { add, and, eq, implies, isAligned, le, lowBits, lt, mask, not, num, or, shl, sub, TRUE, type Bool } from './terms.js';

const CLASSIC = 'IHI 0070 §4.4.1.1; the classic loop (kernel up to v7.0)';

const EXACT: FormulaOf = (r, s) => {
  const { plan, finished } = exactRanges(r.loop, s);
  return { plan, valid: and(finished, entriesWhole(r.loop, s)) };
};

/** More rounds than the loop may have. */
const MANY = 13;
const MOST = 11;
/** Lengths whose bits are all set have the longest plans: where to look for one that is too long. */
const ALL_ONES = eq(mask(COUNT, add(COUNT, num(1))), num(0));

const LONG: FormulaOf = (r, s) => {
  const { plan, finished } = exactRanges(r.loop, s, MANY);
  return { plan, valid: and(finished, entriesWhole(r.loop, s)) };
};

interface Step {
  readonly next: Round;
  /** The range of this round as a plan of its own. */
  readonly plan: PlanTerm;
}

/** One round from any state; a round that cannot be said makes no command. */
function step(r: Recipes, s: Scope): Step {
  const next = round(r.loop, s, { first: FIRST, count: COUNT });
  return { next, plan: { whole: next.whole, commands: [{ ...next.command, there: not(next.whole) }] } };
}

function from(r: Recipes, s: Scope, assume: Bool, goal: Bool): Question {
  return { scope: s, assume: and(isState(r.loop, s), assume), goal };
}

/** The loop begins with the description or one granule more, whatever stands around it. */
function beginsWith(r: Recipes, s: Scope): Question {
  const start = r.loop.start(COUNT, r.loop.hint(s));
  return ask(s, TRUE, and(le(COUNT, start), le(start, add(COUNT, num(1)))));
}

/** It begins with the invariants: without a hint never with one granule of 32, with one aligned to it. */
function begins(r: Recipes, s: Scope): Question {
  const start = r.loop.start(COUNT, r.loop.hint(s));
  const hinted = not(eq(r.loop.hint(s), num(0)));
  const aligned = [1, 2].map((level) => implies(eq(r.loop.hint(s), num(level)), isAligned(start, entryBits(s.tg, level))));
  return ask(s, entriesWhole(r.loop, s), and(or(hinted, not(eq(lowBits(start, 5), num(1)))), ...aligned));
}

/** Every granule that is left is in this round's range or is left for the next; something was done; the end stays the end. */
function goesOn(r: Recipes, s: Scope): Question {
  const { next, plan } = step(r, s);
  const later = lt(sub(add(FIRST, OFFSET), next.first), next.count);
  const moves = and(lt(next.count, COUNT), eq(add(next.first, next.count), add(FIRST, COUNT)));
  return from(r, s, lt(OFFSET, COUNT), or(next.whole, and(or(reached(plan), later), moves)));
}

/** The next state has the invariants as well. */
function keeps(r: Recipes, s: Scope): Question {
  const { next } = step(r, s);
  const aligned = [1, 2].map((level) => implies(eq(r.loop.hint(s), num(level)), and(isAligned(next.first, entryBits(s.tg, level)), isAligned(next.count, entryBits(s.tg, level)))));
  return from(r, s, entriesWhole(r.loop, s), or(next.whole, and(isAligned(next.count, 5), ...aligned)));
}

function legalRound(r: Recipes, s: Scope): Question {
  const { plan } = step(r, s);
  return from(r, s, entriesWhole(r.loop, s), and(fieldsFit(plan), wellFormed(plan, s)));
}

/** What is left after a round has five zeros more at its end: with SCALE at most 31 (39) there are seven (eight) rounds. */
function fiveBits(r: Recipes, s: Scope): Question {
  const { next } = step(r, s);
  const ones = sub(shl(num(1), add(next.command.scale, num(5))), num(1));
  return from(r, s, TRUE, or(next.whole, eq(mask(next.count, ones), num(0))));
}

/** Lengths that never need a SCALE that does not exist. */
function short(s: Scope): Bool {
  const below = (log2: number): Bool => (log2 < granuleBits(s) ? lt(COUNT, num(1n << BigInt(log2))) : TRUE);
  return or(and(DS, below(40)), and(not(DS), below(32)));
}

const OVER = 'at most one granule beyond the damage is reached, and only where NUM, SCALE and TTL would all be 0';

export const LOOP_TEXTS: readonly SymbolicText[] = [
  {
    what: 'coverage', planner: 'exact-ranges', sentence: `${COVERAGE}, where leaves of one level begin and end with whole entries; by induction over the rounds`, source: CLASSIC, expected: 'proved', rule: 'range-coverage', formula: EXACT,
    questions: (r) => [...EACH.map((s) => beginsWith(r, s)), goesOn(r, WIDEST), ...EACH.map((s) => ask(s, TRUE, asks(step(r, s).plan, s)))], broken: COMPLETE,
  },
  {
    what: 'legality', planner: 'exact-ranges', sentence: `${LEGALITY}, when leaves of one level begin and end with whole entries`, source: CLASSIC, expected: 'proved', rule: 'illegal-command', formula: EXACT,
    questions: (r) => EACH.flatMap((s) => [begins(r, s), keeps(r, s), legalRound(r, s)]), broken: LEGAL,
  },
  {
    what: 'over-invalidation', planner: 'exact-ranges', sentence: OVER, source: CLASSIC, expected: 'proved', rule: 'over-invalidation', formula: EXACT,
    questions: (r) => [beginsWith(r, WIDEST), goesOn(r, WIDEST), from(r, WIDEST, TRUE, within(step(r, WIDEST).plan, num(0)))], broken: (f) => ({ assume: TRUE, goal: within(f.plan, num(1)) }),
  },
  {
    what: 'command-bound', planner: 'exact-ranges', sentence: 'at most 7 commands, 8 with DS (11 are promised): each round leaves five zeros more at the end of the length, and SCALE ends at 31 (39)', source: CLASSIC, expected: 'proved', rule: 'command-bound', formula: LONG, far: true,
    questions: (r) => [fiveBits(r, WIDEST), from(r, WIDEST, TRUE, every(step(r, WIDEST).plan, (c) => le(c.scale, scaleMax(DS))))], broken: (f) => ({ assume: ALL_ONES, goal: or(...f.plan.commands.slice(0, MOST + 1).map((c) => not(c.there))) }),
  },
  {
    what: 'fallback', planner: 'exact-ranges', sentence: 'below 2^32 granules, or 2^40 with DS, the loop never asks for a SCALE that does not exist', source: CLASSIC, expected: 'proved', rule: 'command-bound',
    formula: EXACT, far: true, questions: (r) => [from(r, WIDEST, short(WIDEST), not(step(r, WIDEST).next.whole))], broken: (f, s) => ({ assume: short(s), goal: not(f.plan.whole) }),
  },
];

/** Something that some input shows: proved by one that does, refuted when there is none. */
export interface Possibility {
  readonly what: string;
  readonly planner: string;
  readonly sentence: string;
  readonly source: string;
  readonly expected: 'proved' | 'refuted';
  readonly formula: FormulaOf;
  readonly scopes: readonly Scope[];
  /** What an input must show. */
  readonly shows: (plan: PlanTerm, s: Scope) => Bool;
}

const width = (addressBits: number): readonly Scope[] => [12, 14, 16].map((tg) => ({ tg: tg as Scope['tg'], addressBits }));

/** The planners' own fallback, by the width of addresses. */
function fallback(planner: string, formula: FormulaOf, bits: number, expected: 'proved' | 'refuted'): Possibility {
  return {
    what: `fallback-at-${bits}`, planner, sentence: `addresses of ${bits} bits can need the whole tag without DS`, source: 'seed 0: SCALE has 5 bits, 39 with DS', expected, formula, scopes: width(bits),
    shows: (p) => and(p.whole, not(DS)),
  };
}

export const POSSIBILITIES: readonly Possibility[] = [
  fallback('single-range', SINGLE, 48, 'refuted'), fallback('single-range', SINGLE, 52, 'proved'),
  fallback('exact-ranges', EXACT, 48, 'proved'), fallback('exact-ranges', EXACT, 52, 'proved'),
  {
    what: 'fallback-ds', planner: 'single-range', sentence: 'addresses of 52 bits can need the whole tag with DS', source: 'IDR5.DS: SCALE up to 39', expected: 'refuted', formula: SINGLE, scopes: width(52),
    shows: (p) => and(p.whole, DS),
  },
  {
    what: 'longer-than-asked', planner: 'exact-ranges', sentence: 'the loop can give up a length that one range can say', source: CLASSIC, expected: 'proved', formula: EXACT, scopes: width(52),
    shows: (p) => and(p.whole, not(DS), le(COUNT, num(1n << 36n))),
  },
  {
    what: 'beyond-the-top', planner: 'single-range', sentence: 'a range can reach beyond the last 64-bit address, where it must saturate', source: 'IHI 0070 §4.4.1.1: a range does not wrap', expected: 'proved', formula: SINGLE,
    scopes: width(64), shows: (p, s) => not(belowTop(p, s)),
  },
];

/** A description that shows it. */
export function possible(p: Possibility, s: Scope): Question {
  const { plan, valid } = p.formula(RECIPES, s);
  return { scope: s, assume: and(isDescription(s), valid), goal: not(p.shows(plan, s)) };
}

/**
 * Exact ranges as formulas: one round of the loop, from any state that the loop can be in, for proofs by induction; and the loop unrolled a few
 * times, for counterexamples. State: `first`, the granule where the next range begins, and `count`, the granules that are left (kernel up to v7.0;
 * the formula and its invariants as in optimised/driver/planners/exact-ranges.ts).
 */
import {
  COUNT, DS, entryBits, exists16k, FIRST, granuleBits, isBitmaps, isSingle, LEAVES, lowest, scaleMax, TABLES, ttlOfBit, type CommandTerm, type PlanTerm, type Scope,
} from './planners.js';
import { add, and, eq, FALSE, isAligned, le, lowBits, lt, mask, not, num, or, shl, shr, sub, trailingZeros, when, type Bits, type Bool } from './terms.js';

/** The steps of the loop, each replaceable. */
export interface LoopRecipe {
  /** Granules that the loop starts with. */
  readonly start: (n: Bits, ttl: Bits) => Bits;
  readonly units: (n: Bits, scale: Bits) => Bits;
  readonly num: (units: Bits) => Bits;
  readonly tooLarge: (scale: Bits, ds: Bool) => Bool;
  /** Granules by which the address goes on. */
  readonly advance: (covered: Bits) => Bits;
  readonly hint: (s: Scope) => Bits;
}

function hint(s: Scope): Bits {
  return when(and(eq(TABLES, num(0)), isSingle(LEAVES)), exists16k(ttlOfBit(lowest(LEAVES)), s), num(0));
}

export const LOOP: LoopRecipe = {
  start: (n, ttl) => when(and(eq(ttl, num(0)), eq(lowBits(n, 5), num(1))), add(n, num(1)), n),
  units: (n, scale) => mask(shr(n, scale), num(31)),
  num: (units) => sub(units, num(1)),
  tooLarge: (scale, ds) => lt(scaleMax(ds), scale),
  advance: (covered) => covered,
  hint,
};

export interface Round {
  readonly command: CommandTerm;
  /** SCALE cannot be said: the whole tag goes. */
  readonly whole: Bool;
  readonly units: Bits;
  /** The state after it. */
  readonly first: Bits;
  readonly count: Bits;
}

/** One round from a state with something left. */
export function round(r: LoopRecipe, s: Scope, state: { readonly first: Bits; readonly count: Bits }): Round {
  const scale = trailingZeros(state.count, granuleBits(s) + 1);
  const units = r.units(state.count, scale);
  const covered = shl(units, scale);
  return {
    whole: r.tooLarge(scale, DS), units,
    command: { there: not(eq(state.count, num(0))), start: state.first, num: r.num(units), scale, ttl: r.hint(s), ranged: not(FALSE), leaf: eq(TABLES, num(0)) },
    first: add(state.first, r.advance(covered)), count: sub(state.count, covered),
  };
}

/** The loop unrolled: four rounds are enough for 20 bits of length. `finished`: nothing is left after them. */
export function exactRanges(r: LoopRecipe, s: Scope, rounds = 4): { readonly plan: PlanTerm; readonly finished: Bool } {
  let state = { first: FIRST, count: r.start(COUNT, r.hint(s)) };
  let whole: Bool = FALSE;
  const commands: CommandTerm[] = [];
  for (let i = 0; i < rounds; i += 1) {
    const step = round(r, s, state);
    whole = or(whole, and(step.command.there, step.whole));
    commands.push(step.command);
    state = { first: step.first, count: step.count };
  }
  const all = commands.map((c) => ({ ...c, there: and(c.there, not(whole)) }));
  return { plan: { whole, commands: all }, finished: or(whole, eq(state.count, num(0))) };
}

/**
 * What the gathers of the classic path keep to: with leaves of one level only, the range begins and ends with entries of that level. Without it the
 * hint is for an address that is not aligned to it.
 */
export function entriesWhole(r: LoopRecipe, s: Scope): Bool {
  const ttl = r.hint(s);
  return and(...[1, 2].map((level) => or(not(eq(ttl, num(level))), and(isAligned(FIRST, entryBits(s.tg, level)), isAligned(COUNT, entryBits(s.tg, level))))));
}

/** A state of the loop: as a description, but up to one granule longer; without a hint, never one granule of 32 alone. */
export function isState(r: LoopRecipe, s: Scope): Bool {
  const space = num(1n << BigInt(granuleBits(s)));
  return and(isBitmaps(s), lt(FIRST, space), lt(num(0), COUNT), le(add(FIRST, COUNT), add(space, num(1))), or(not(eq(r.hint(s), num(0))), not(eq(lowBits(COUNT, 5), num(1)))));
}

/**
 * Planners as formulas: what `single-range`, `double-range` and `double-range-cont` calculate, written from their definition (seed 0 and its
 * later revisions), with every step that a mutant can replace in a `Recipe`. That these formulas are what the code in
 * optimised/driver/planners does is checked by a test on many thousands of inputs; that they are right for all inputs is what the solver says.
 *
 * Unit: granules of the description, so `first` and `last` are granule numbers of `addressBits - tg` bits.
 */
import { contiguousEntries, levelShift, type Tg } from '../../spec/granule.js';
import {
  add, and, bitLength, bitsVar, boolVar, eq, FALSE, hasBit, isAligned, le, lowBits, lt, not, num, or, shl, shr, sub, trailingZeros, TRUE, when,
  type Bits, type Bool,
} from './terms.js';

/** Which descriptions one question is about. */
export interface Scope {
  readonly tg: Tg;
  /** Bits of an address: 48, 52, or 64 for everything up to the top. */
  readonly addressBits: number;
}

export const FIRST = bitsVar('first');
/** Granules of the description. The solver is asked about (first, count), so that it need not find out that most of it does not depend on first. */
export const COUNT = bitsVar('count');
export const LAST = sub(add(FIRST, COUNT), num(1));
export const LEAVES = bitsVar('leaves');
export const TABLES = bitsVar('tables');
export const DS = boolVar('ds');
export const INPUTS: readonly string[] = ['first', 'count', 'leaves', 'tables', 'ds'];

/** Highest level with a bit of its own: -1 with 4K granules, 0 with 16K, 1 with 64K. */
export function topLevel(tg: Tg): number {
  return tg === 12 ? -1 : tg === 14 ? 0 : 1;
}

export function granuleBits(s: Scope): number {
  return s.addressBits - s.tg;
}

/** Bits of every term: no sum of the planners passes it (a range of n granules has at most n + n / 16, and starts below 2^granuleBits). */
export function widthOf(s: Scope): number {
  return granuleBits(s) + 2;
}

/** log2 of the granules of one entry at `level`. */
export function entryBits(tg: Tg, level: number): number {
  return levelShift(tg, level) - tg;
}

/** At least one damaged level, none that the granule has not; no table descriptor stands at level 3. */
export function isBitmaps(s: Scope): Bool {
  const end = num(1n << BigInt(4 - topLevel(s.tg)));
  return and(lt(LEAVES, end), lt(TABLES, end), not(hasBit(TABLES, 0)), or(not(eq(LEAVES, num(0))), not(eq(TABLES, num(0)))));
}

/** What a description is: at least one granule, all of them within the addresses. */
export function isDescription(s: Scope): Bool {
  const space = num(1n << BigInt(granuleBits(s)));
  return and(lt(FIRST, space), lt(num(0), COUNT), le(COUNT, space), le(add(FIRST, COUNT), space), isBitmaps(s));
}

/** One command of a plan; the others of its fields do not depend on the input. `start` in granules, `tg` 0 or the granule's code. */
export interface CommandTerm {
  readonly there: Bool;
  readonly start: Bits;
  readonly num: Bits;
  readonly scale: Bits;
  readonly ttl: Bits;
  /** TG names the granule; else the command is for a single address. */
  readonly ranged: Bool;
  readonly leaf: Bool;
}

export interface PlanTerm {
  /** Everything of the tag goes: there are no commands. */
  readonly whole: Bool;
  readonly commands: readonly CommandTerm[];
}

/** The steps of the calculation, each replaceable. */
export interface Recipe {
  /** Granules of the description. */
  readonly length: (first: Bits, last: Bits) => Bits;
  /** SCALE of a range for n granules. */
  readonly scale: (n: Bits, s: Scope) => Bits;
  /** Is SCALE too large to be said? */
  readonly tooLarge: (scale: Bits, ds: Bool) => Bool;
  /** Units of 2^scale that reach n granules, and that stay within them. */
  readonly unitsUp: (n: Bits, scale: Bits) => Bits;
  readonly unitsDown: (n: Bits, scale: Bits) => Bits;
  readonly num: (units: Bits) => Bits;
  /** Start of the second range, of `size` granules, when the first ends at `seam`. */
  readonly trailStart: (end: Bits, size: Bits, seam: Bits) => Bits;
  /** The hint for a description, before the alignment of an address is looked at. */
  readonly hint: (s: Scope) => Bits;
  readonly keepsHint: (start: Bits, ttl: Bits, s: Scope) => Bool;
  /** Is TG said? */
  readonly ranged: (num: Bits, scale: Bits, ttl: Bits) => Bool;
  readonly leaf: Bool;
  /** Is a contiguous run beginning at `start` cut by the seam between the first range's end and the second one's start? */
  readonly cut: (start: Bits, frames: Bits, firstEnd: Bits, seam: Bits) => Bool;
}

const SCALE_MAX = 31;
const SCALE_MAX_DS = 39;

export function scaleMax(ds: Bool): Bits {
  return when(ds, num(SCALE_MAX_DS), num(SCALE_MAX));
}

/** Lowest set bit of a bitmap, as a number; level = 3 - bit. */
export function lowest(bitmap: Bits): Bits {
  return trailingZeros(bitmap, 8);
}

export function isSingle(bitmap: Bits): Bool {
  return and(not(eq(bitmap, num(0))), or(...[0, 1, 2, 3, 4].map((n) => eq(bitmap, num(1 << n)))));
}

/** Level = 3 - bit as TTL can say it: 0 for level 0 and above. */
export function ttlOfBit(bit: Bits): Bits {
  return when(le(num(3), bit), num(0), sub(num(3), bit));
}

/** TTL = 1 with 16K granules exists with DS only. */
export function exists16k(ttl: Bits, s: Scope): Bits {
  return s.tg === 14 ? when(and(eq(ttl, num(1)), not(DS)), num(0), ttl) : ttl;
}

function hint(s: Scope): Bits {
  const tableHint = ttlOfBit(sub(lowest(TABLES), num(1))); // the level below the table's descriptor
  const leafHint = when(and(not(eq(TABLES, num(0))), le(lowest(TABLES), lowest(LEAVES))), num(0), ttlOfBit(lowest(LEAVES)));
  return exists16k(when(eq(LEAVES, num(0)), tableHint, when(isSingle(LEAVES), leafHint, num(0))), s);
}

function aligned(start: Bits, ttl: Bits, s: Scope): Bool {
  return or(...[1, 2, 3].map((level) => and(eq(ttl, num(level)), isAligned(start, entryBits(s.tg, level)))));
}

export const RECIPE: Recipe = {
  length: (first, last) => add(sub(last, first), num(1)),
  scale: (n, s) => bitLength(shr(sub(n, num(1)), num(5)), granuleBits(s)),
  tooLarge: (scale, ds) => lt(scaleMax(ds), scale),
  unitsUp: (n, scale) => shr(add(n, sub(shl(num(1), scale), num(1))), scale),
  unitsDown: (n, scale) => shr(n, scale),
  num: (units) => sub(units, num(1)),
  trailStart: (end, size) => sub(end, size),
  hint,
  keepsHint: aligned,
  ranged: (n, scale, ttl) => not(and(eq(n, num(0)), eq(scale, num(0)), eq(ttl, num(0)))),
  leaf: eq(TABLES, num(0)),
  cut: (start, frames, firstEnd, seam) => and(lt(firstEnd, add(start, frames)), lt(start, seam)),
};

function command(r: Recipe, s: Scope, there: Bool, range: { start: Bits; units: Bits; scale: Bits }): CommandTerm {
  const hinted = r.hint(s);
  const ttl = when(r.keepsHint(range.start, hinted, s), hinted, num(0));
  const n = r.num(range.units);
  return { there, start: range.start, num: n, scale: range.scale, ttl, ranged: r.ranged(n, range.scale, ttl), leaf: r.leaf };
}

/** One range, rounded up. */
export function singleRange(r: Recipe, s: Scope): PlanTerm {
  const n = r.length(FIRST, LAST);
  const scale = r.scale(n, s);
  const whole = r.tooLarge(scale, DS);
  return { whole, commands: [command(r, s, not(whole), { start: FIRST, units: r.unitsUp(n, scale), scale })] };
}

/** The range of n granules, rounded up, that ends before `end`. */
function trail(r: Recipe, s: Scope, n: Bits, end: Bits, seam: Bits): { start: Bits; units: Bits; scale: Bits } {
  const scale = r.scale(n, s);
  const units = r.unitsUp(n, scale);
  return { start: r.trailStart(end, shl(units, scale), seam), units, scale };
}

/** One range rounded down, and a second that ends with the description; they may overlap. */
export function doubleRange(r: Recipe, s: Scope): PlanTerm {
  const { whole, lead, rest, end, seam } = leading(r, s);
  const second = and(not(whole), not(eq(rest, num(0))));
  return { whole, commands: [command(r, s, not(whole), lead), command(r, s, second, trail(r, s, rest, end, seam))] };
}

function leading(r: Recipe, s: Scope): { whole: Bool; lead: { start: Bits; units: Bits; scale: Bits }; rest: Bits; end: Bits; seam: Bits } {
  const n = r.length(FIRST, LAST);
  const scale = r.scale(n, s);
  const units = r.unitsDown(n, scale);
  const covered = shl(units, scale);
  return { whole: r.tooLarge(scale, DS), lead: { start: FIRST, units, scale }, rest: sub(n, covered), end: add(LAST, num(1)), seam: add(FIRST, covered) };
}

/** log2 of the granules of a contiguous run at each level that has them, highest first; level 0 of 4K has them with DS only. */
export function runs(tg: Tg): readonly { level: number; bits: number; withDs: boolean }[] {
  const found: { level: number; bits: number; withDs: boolean }[] = [];
  for (let level = topLevel(tg); level <= 3; level += 1) {
    const members = contiguousEntries(tg, level, true);
    if (members > 1) found.push({ level, bits: entryBits(tg, level) + (31 - Math.clz32(members)), withDs: contiguousEntries(tg, level, false) === 1 });
  }
  return found;
}

/** The largest contiguous run of a damaged level that lies in the damage and across the granule before `second`, if neither range holds it whole. */
export function cutRun(r: Recipe, s: Scope, end: Bits, firstEnd: Bits, second: Bits): { readonly found: Bool; readonly start: Bits; readonly log2: Bits } {
  let found: Bool = FALSE;
  let at = num(0);
  let log2 = num(0);
  for (const run of [...runs(s.tg)].reverse()) {
    const inside = sub(second, num(1));
    const start = sub(inside, lowBits(inside, run.bits));
    const granules = num(1n << BigInt(run.bits));
    const here = and(hasBit(LEAVES, 3 - run.level), run.withDs ? DS : TRUE, le(FIRST, start), le(add(start, granules), end), r.cut(start, granules, firstEnd, second));
    at = when(here, start, at);
    log2 = when(here, num(run.bits), log2);
    found = or(here, found);
  }
  return { found, start: at, log2 };
}

/** As `doubleRange`; where a whole contiguous run of the damage is cut, the second range begins with it, or a third covers it. */
export function doubleRangeCont(r: Recipe, s: Scope): PlanTerm {
  const { whole, lead, rest, end, seam } = leading(r, s);
  const plain = trail(r, s, rest, end, seam);
  const cut = cutRun(r, s, end, seam, plain.start);
  const longer = trail(r, s, sub(end, cut.start), end, seam);
  const fits = le(add(FIRST, shl(longer.units, longer.scale)), end);
  const two = and(not(whole), not(eq(rest, num(0))));
  const instead = and(cut.found, fits);
  const second = {
    start: when(instead, longer.start, plain.start), units: when(instead, longer.units, plain.units), scale: when(instead, longer.scale, plain.scale),
  };
  const third = and(two, cut.found, not(fits));
  return {
    whole,
    commands: [command(r, s, not(whole), lead), command(r, s, third, { start: cut.start, units: num(1), scale: cut.log2 }), command(r, s, two, second)],
  };
}

/** The parts of `doubleRangeCont` by themselves: the range that begins with a run `offset` granules behind the start, if the plan has one. */
export function longerPlan(r: Recipe, s: Scope, offset: Bits): { readonly plan: PlanTerm; readonly covered: Bits; readonly fits: Bool } {
  const { whole, lead, end, seam } = leading(r, s);
  const longer = trail(r, s, sub(COUNT, offset), end, seam);
  const fits = le(shl(longer.units, longer.scale), COUNT);
  return { plan: { whole, commands: [command(r, s, not(whole), lead), command(r, s, not(whole), longer)] }, covered: shl(lead.units, lead.scale), fits };
}

/** Granules of the rest and of the range that is planned for it. */
export function restAndTrail(r: Recipe, s: Scope): { readonly rest: Bits; readonly size: Bits } {
  const { rest, end, seam } = leading(r, s);
  const { units, scale } = trail(r, s, rest, end, seam);
  return { rest, size: shl(units, scale) };
}

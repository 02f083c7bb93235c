/**
 * Properties: what is claimed of a plan, as formulas: the matching rule of a range command (IHI 0070 §4.4.1.1, as reference/machine/match.ts has
 * it for tables of one granule), its legality (as spec/command.ts commandError), and the promises of the planners. Each takes the fields as the SMMU
 * decodes them: NUM has five bits, SCALE six.
 */
import { commandTg } from '../../spec/granule.js';
import { COUNT, DS, entryBits, FIRST, granuleBits, LAST, LEAVES, runs, scaleMax, TABLES, topLevel, type CommandTerm, type PlanTerm, type Scope } from './planners.js';
import {
  add, and, bitsVar, eq, FALSE, hasBit, implies, isAligned, join, le, lowBits, lt, not, num, or, shl, shr, sub, TRUE, when, type Bits, type Bool,
} from './terms.js';

/** Any granule of the description: the one that the solver looks for. */
export const OFFSET = bitsVar('offset');
export const PLACE = add(FIRST, OFFSET);

const NUM_BITS = 5;
const SCALE_BITS = 6;
/** VA[55] divides the two halves of the address space; stage-1 ranges do not cross it (§4.4.1.1). */
const HALF_BIT = 55;

/** Granules that a command reaches, as the SMMU reads its fields. */
function size(c: CommandTerm): Bits {
  return shl(add(lowBits(c.num, NUM_BITS), num(1)), lowBits(c.scale, SCALE_BITS));
}

/** TTL = 1 with 16K granules counts as 0 without DS. */
function hintOf(c: CommandTerm, s: Scope): Bits {
  return s.tg === 14 ? when(and(eq(c.ttl, num(1)), not(DS)), num(0), c.ttl) : c.ttl;
}

/** Do the two lie in one half? Only 64-bit addresses have bit 55. */
function sameHalf(a: Bits, b: Bits, s: Scope): Bool {
  return s.addressBits > HALF_BIT ? eq(hasBitAt(a, HALF_BIT - s.tg), hasBitAt(b, HALF_BIT - s.tg)) : TRUE;
}

function hasBitAt(a: Bits, n: number): Bits {
  return lowBits(shr(a, num(n)), 1);
}

/** The command touches the aligned entry of 2^bits granules in which `place` lies. */
function touches(c: CommandTerm, bits: number, s: Scope): Bool {
  const ones = num((1n << BigInt(bits)) - 1n);
  const from = sub(c.start, lowBits(c.start, bits));
  const single = eq(from, sub(PLACE, lowBits(PLACE, bits)));
  const to = join(sub(add(c.start, size(c)), num(1)), ones);
  return or(and(not(c.ranged), single), and(c.ranged, le(from, PLACE), le(PLACE, to), sameHalf(c.start, PLACE, s)));
}

/** It must remove a leaf of `level` there; a table descriptor of `level`. */
function removesLeaf(c: CommandTerm, level: number, s: Scope): Bool {
  const hint = hintOf(c, s);
  return and(c.there, or(not(c.ranged), eq(hint, num(0)), level >= 1 ? eq(hint, num(level)) : FALSE), touches(c, entryBits(s.tg, level), s));
}

function removesTable(c: CommandTerm, level: number, s: Scope): Bool {
  const hint = hintOf(c, s);
  return and(c.there, not(c.leaf), or(not(c.ranged), eq(hint, num(0)), level < 0 ? TRUE : lt(num(level), hint)), touches(c, entryBits(s.tg, level), s));
}

/** `place` is a granule of the damage; a description that lies across VA[55] is no driver's. */
export function inDamage(s: Scope): Bool {
  return and(lt(OFFSET, COUNT), s.addressBits > HALF_BIT ? eq(shr(FIRST, num(HALF_BIT - s.tg)), shr(LAST, num(HALF_BIT - s.tg))) : TRUE);
}

/** Every leaf and table descriptor of a damaged level that has a granule in the description is removed. */
export function coverage(p: PlanTerm, s: Scope): Bool {
  const parts: Bool[] = [];
  for (let level = topLevel(s.tg); level <= 3; level += 1) {
    parts.push(implies(hasBit(LEAVES, 3 - level), or(...p.commands.map((c) => removesLeaf(c, level, s)))));
    if (level < 3) parts.push(implies(hasBit(TABLES, 3 - level), or(...p.commands.map((c) => removesTable(c, level, s)))));
  }
  return or(p.whole, and(...parts));
}

/** With the erratum a merged contiguous run goes only with one range that spans it whole, or a single address in it. */
export function wholeRuns(p: PlanTerm, s: Scope): Bool {
  const parts = runs(s.tg).map((run) => {
    const start = sub(PLACE, lowBits(PLACE, run.bits));
    const end = add(start, num(1n << BigInt(run.bits)));
    const damaged = and(hasBit(LEAVES, 3 - run.level), run.withDs ? DS : TRUE, le(FIRST, start), le(end, add(LAST, num(1))));
    const goes = p.commands.map((c) => {
      const asked = or(eq(hintOf(c, s), num(0)), eq(hintOf(c, s), num(run.level)));
      const spans = and(c.ranged, le(c.start, start), le(end, add(c.start, size(c))), run.level >= 1 ? asked : eq(hintOf(c, s), num(0)));
      return and(c.there, or(spans, and(not(c.ranged), le(start, c.start), lt(c.start, end))));
    });
    return implies(damaged, or(...goes));
  });
  return or(p.whole, and(...parts));
}

function every(p: PlanTerm, holds: (c: CommandTerm) => Bool): Bool {
  return and(...p.commands.map((c) => implies(c.there, holds(c))));
}

/** NUM is 0..31 and SCALE no more than the SMMU has: nothing is lost in the fields. */
export function fields(p: PlanTerm): Bool {
  return every(p, (c) => and(le(c.num, num(31)), le(c.scale, scaleMax(DS))));
}

/** No reserved form, no address that is not aligned as TG and TTL ask (§4.4.1.1). */
export function legal(p: PlanTerm, s: Scope): Bool {
  return every(p, (c) => {
    const zero = and(eq(c.num, num(0)), eq(c.scale, num(0)), eq(c.ttl, num(0)));
    const aligned = or(...[0, 1, 2, 3].map((ttl) => and(eq(c.ttl, num(ttl)), isAligned(c.start, ttl === 0 ? 0 : entryBits(s.tg, ttl)))));
    const ttlExists = s.tg === 14 ? or(DS, not(eq(c.ttl, num(1)))) : TRUE;
    return or(and(not(c.ranged), zero), and(c.ranged, not(zero), aligned, ttlExists));
  });
}

/** No granule outside of the description is reached. */
export function exact(p: PlanTerm): Bool {
  return every(p, (c) => and(le(FIRST, c.start), le(add(c.start, size(c)), add(LAST, num(1)))));
}

/** Fewer than n / 16 granules outside of the description are reached, all of them behind it. */
export function withinSixteenth(p: PlanTerm): Bool {
  return every(p, (c) => and(eq(c.start, FIRST), lt(shl(sub(size(c), COUNT), num(4)), COUNT)));
}

/** No range goes beyond the last address: it would saturate there, not wrap (§4.4.1.1). */
export function belowTop(p: PlanTerm, s: Scope): Bool {
  return every(p, (c) => le(add(c.start, size(c)), num(1n << BigInt(granuleBits(s)))));
}

/** Everything goes only when no single range can say n granules: n > 2^36, or 2^44 with DS. */
export function wholeOnlyWhenNeeded(p: PlanTerm): Bool {
  const most = when(DS, num(1n << 44n), num(1n << 36n));
  return eqBool(p.whole, lt(most, COUNT));
}

function eqBool(a: Bool, b: Bool): Bool {
  return and(implies(a, b), implies(b, a));
}

export function neverWhole(p: PlanTerm): Bool {
  return not(p.whole);
}

/** The TG field of a command. */
export function tgField(s: Scope): number {
  return commandTg(s.tg);
}

/** Granule `place` lies in the command's range. Distances wrap, but never so far that a granule before the range is in it. */
function contains(c: CommandTerm): Bool {
  return lt(sub(PLACE, c.start), size(c));
}
export function coverageByGranule(p: PlanTerm, s: Scope): Bool {
  const parts: Bool[] = [];
  const has = p.commands.map((c) => and(c.there, or(and(not(c.ranged), eq(c.start, PLACE)), and(c.ranged, contains(c), sameHalf(c.start, PLACE, s)))));
  for (let level = topLevel(s.tg); level <= 3; level += 1) {
    const leaf = p.commands.map((c, i) => and(has[i] as Bool, or(not(c.ranged), eq(hintOf(c, s), num(0)), level >= 1 ? eq(hintOf(c, s), num(level)) : FALSE)));
    const table = p.commands.map((c, i) => and(has[i] as Bool, not(c.leaf), or(not(c.ranged), eq(hintOf(c, s), num(0)), level < 0 ? TRUE : lt(num(level), hintOf(c, s)))));
    parts.push(implies(hasBit(LEAVES, 3 - level), or(...leaf)));
    if (level < 3) parts.push(implies(hasBit(TABLES, 3 - level), or(...table)));
  }
  return or(p.whole, and(...parts));
}
export function reach(p: PlanTerm): Bool {
  return or(p.whole, ...p.commands.map((c) => and(c.there, contains(c))));
}
export function exact2(p: PlanTerm): Bool {
  return every(p, (c) => and(le(sub(c.start, FIRST), COUNT), le(add(sub(c.start, FIRST), size(c)), COUNT)));
}
export function wholeRuns2(p: PlanTerm, s: Scope): Bool {
  const parts = runs(s.tg).map((run) => {
    const frames = num(1n << BigInt(run.bits));
    const damaged = and(isAligned(PLACE, run.bits), hasBit(LEAVES, 3 - run.level), run.withDs ? DS : TRUE, le(add(OFFSET, frames), COUNT));
    const goes = p.commands.map((c) => {
      const asked = or(eq(hintOf(c, s), num(0)), eq(hintOf(c, s), num(run.level)));
      const spans = and(c.ranged, le(c.start, PLACE), le(add(sub(PLACE, c.start), frames), size(c)), run.level >= 1 ? asked : eq(hintOf(c, s), num(0)));
      return and(c.there, or(spans, and(not(c.ranged), lt(sub(c.start, PLACE), frames))));
    });
    return implies(damaged, or(...goes));
  });
  return or(p.whole, and(...parts));
}

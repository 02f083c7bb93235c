/**
 * Properties: what is claimed of a plan, as formulas: what a range command must remove (IHI 0070 §4.4.1.1, as reference/machine/match.ts has it),
 * its legality (as spec/command.ts commandError), and the promises of the planners. All read a command as the SMMU decodes it: NUM has
 * five bits, SCALE six.
 *
 * `complete` is the rule itself, entry by entry. To prove it, two stronger formulas that a solver finds easier do together: every granule
 * lies in some command (`reached`), and every command asks for all that was damaged (`asks`). What contains a granule touches every entry around it
 * (`distanceContains`, `containmentTouches`).
 */
import { COUNT, DS, entryBits, FIRST, granuleBits, LEAVES, runs, scaleMax, TABLES, topLevel, type CommandTerm, type PlanTerm, type Scope } from './planners.js';
import {
  add, and, bitsVar, eq, FALSE, hasBit, implies, isAligned, join, le, lowBits, lt, not, num, or, shl, shr, sub, TRUE, when, type Bits, type Bool,
} from './terms.js';

/** Any granule of the description: the one that the solver looks for. */
export const OFFSET = bitsVar('offset');
export const PLACE = add(FIRST, OFFSET);

const NUM_BITS = 5;
const SCALE_BITS = 6;
/** VA[55] divides the address space; a range need not reach from one half into the other (§4.4.1.1). */
const HALF_BIT = 55;

/** Granules that a command reaches, as the SMMU reads its fields. */
function size(c: CommandTerm): Bits {
  return shl(add(lowBits(c.num, NUM_BITS), num(1)), lowBits(c.scale, SCALE_BITS));
}

/** TTL = 1 with 16K granules counts as 0 without DS. */
function hintOf(c: CommandTerm, s: Scope): Bits {
  return s.tg === 14 ? when(and(eq(c.ttl, num(1)), not(DS)), num(0), c.ttl) : c.ttl;
}

function half(a: Bits, s: Scope): Bits {
  return lowBits(shr(a, num(HALF_BIT - s.tg)), 1);
}

/** Only 64-bit addresses have bit 55. */
function sameHalf(a: Bits, b: Bits, s: Scope): Bool {
  return s.addressBits > HALF_BIT ? eq(half(a, s), half(b, s)) : TRUE;
}

function asksForLeaf(c: CommandTerm, level: number, s: Scope): Bool {
  const hint = hintOf(c, s);
  return or(not(c.ranged), eq(hint, num(0)), level >= 1 ? eq(hint, num(level)) : FALSE);
}

function asksForTable(c: CommandTerm, level: number, s: Scope): Bool {
  const hint = hintOf(c, s);
  return and(not(c.leaf), or(not(c.ranged), eq(hint, num(0)), level < 0 ? TRUE : lt(num(level), hint)));
}

/** The granules from `start` to `last` touch the aligned entry of 2^bits granules in which `place` lies. */
function touchesEntry(start: Bits, last: Bits, place: Bits, bits: number): Bool {
  return and(le(sub(start, lowBits(start, bits)), place), le(place, join(last, num((1n << BigInt(bits)) - 1n))));
}

function touches(c: CommandTerm, bits: number, s: Scope): Bool {
  const single = eq(sub(c.start, lowBits(c.start, bits)), sub(PLACE, lowBits(PLACE, bits)));
  return or(and(not(c.ranged), single), and(c.ranged, touchesEntry(c.start, sub(add(c.start, size(c)), num(1)), PLACE, bits), sameHalf(c.start, PLACE, s)));
}

/** The place lies in the range. Distances wrap, but no granule before the range comes so near. */
function contains(c: CommandTerm): Bool {
  return lt(sub(PLACE, c.start), size(c));
}

/** The place is in the damage. No driver describes a range across the halves of the address space. */
export function inDamage(s: Scope): Bool {
  const halves = s.addressBits > HALF_BIT ? eq(shr(FIRST, num(HALF_BIT - s.tg)), shr(sub(add(FIRST, COUNT), num(1)), num(HALF_BIT - s.tg))) : TRUE;
  return and(lt(OFFSET, COUNT), halves);
}

function levels(s: Scope): number[] {
  return Array.from({ length: 4 - topLevel(s.tg) }, (_, n) => 3 - n);
}

/** Every leaf and table descriptor of a damaged level around the place must be removed by some command. */
export function complete(p: PlanTerm, s: Scope): Bool {
  const parts = levels(s).flatMap((level) => {
    const touched = p.commands.map((c) => and(c.there, touches(c, entryBits(s.tg, level), s)));
    const leaf = implies(hasBit(LEAVES, 3 - level), or(...p.commands.map((c, i) => and(touched[i] as Bool, asksForLeaf(c, level, s)))));
    if (level === 3) return [leaf];
    return [leaf, implies(hasBit(TABLES, 3 - level), or(...p.commands.map((c, i) => and(touched[i] as Bool, asksForTable(c, level, s)))))];
  });
  return or(p.whole, and(...parts));
}

/** The place lies in some command. Does not depend on the granule: one scope stands for all with as many granules or fewer. */
export function reached(p: PlanTerm): Bool {
  return or(p.whole, ...p.commands.map((c) => and(c.there, contains(c))));
}

/** Every command asks for every damaged level, and one without TG is for one granule. */
export function asks(p: PlanTerm, s: Scope): Bool {
  return every(p, (c) => and(
    or(c.ranged, eq(size(c), num(1))),
    ...levels(s).map((level) => implies(hasBit(LEAVES, 3 - level), asksForLeaf(c, level, s))),
    ...levels(s).slice(1).map((level) => implies(hasBit(TABLES, 3 - level), asksForTable(c, level, s))),
  ));
}

/** Each range begins in the half of the damage: it begins within the description. */
export function beginsInside(p: PlanTerm): Bool {
  return every(p, (c) => lt(sub(c.start, FIRST), COUNT));
}

/** What a distance below the length means: the place is between the first and the last granule of the range. */
export function distanceContains(s: Scope): Bool {
  const space = num(1n << BigInt(granuleBits(s)));
  const near = and(lt(FIRST, space), le(COUNT, space), lt(PLACE, space), lt(sub(PLACE, FIRST), COUNT));
  return implies(near, and(le(FIRST, PLACE), le(PLACE, sub(add(FIRST, COUNT), num(1)))));
}

/** Any range at all that contains a granule touches every entry around it. */
export function containmentTouches(s: Scope): Bool {
  const [last, place] = [bitsVar('last'), bitsVar('place')];
  return implies(and(le(FIRST, place), le(place, last)), and(...levels(s).map((level) => touchesEntry(FIRST, last, place, entryBits(s.tg, level)))));
}

/** With the erratum a contiguous run that begins at the place goes only with a range that spans it, or with a single address in it. */
export function wholeRuns(p: PlanTerm, s: Scope): Bool {
  const parts = runs(s.tg).map((run) => {
    const granules = num(1n << BigInt(run.bits));
    const damaged = and(hasBit(LEAVES, 3 - run.level), run.withDs ? DS : TRUE, isAligned(PLACE, run.bits), le(add(OFFSET, granules), COUNT));
    const goes = p.commands.map((c) => {
      const spans = and(c.ranged, le(c.start, PLACE), le(add(sub(PLACE, c.start), granules), size(c)), asksForLeaf(c, run.level, s));
      return and(c.there, or(spans, and(not(c.ranged), lt(sub(c.start, PLACE), granules))));
    });
    return implies(damaged, or(...goes));
  });
  return or(p.whole, and(...parts));
}

export function every(p: PlanTerm, holds: (c: CommandTerm) => Bool): Bool {
  return and(...p.commands.map((c) => implies(c.there, holds(c))));
}

/** NUM is 0..31 and SCALE no more than the SMMU has. */
export function fieldsFit(p: PlanTerm): Bool {
  return every(p, (c) => and(le(c.num, num(31)), le(c.scale, scaleMax(DS))));
}

/** No reserved form, and the address is aligned as TG and TTL ask (§4.4.1.1). */
export function wellFormed(p: PlanTerm, s: Scope): Bool {
  return every(p, (c) => {
    const zero = and(eq(c.num, num(0)), eq(c.scale, num(0)), eq(c.ttl, num(0)));
    const aligned = or(...[0, 1, 2, 3].map((ttl) => and(eq(c.ttl, num(ttl)), isAligned(c.start, ttl === 0 ? 0 : entryBits(s.tg, ttl)))));
    const exists = s.tg === 14 ? or(DS, not(eq(c.ttl, num(1)))) : TRUE;
    return or(and(not(c.ranged), zero), and(c.ranged, not(zero), aligned, exists));
  });
}

/** At most `extra` granules behind the description are reached, none before it. */
export function within(p: PlanTerm, extra: Bits): Bool {
  return every(p, (c) => and(le(sub(c.start, FIRST), COUNT), le(add(sub(c.start, FIRST), size(c)), add(COUNT, extra))));
}

/** Fewer than n / 16 granules outside of the description are reached, all of them behind it. */
export function withinSixteenth(p: PlanTerm): Bool {
  return every(p, (c) => and(eq(c.start, FIRST), lt(shl(size(c), num(4)), add(shl(COUNT, num(4)), COUNT))));
}

/** The same as the planner promises it: n / 16 at most. */
export function atMostSixteenth(p: PlanTerm): Bool {
  return every(p, (c) => le(shl(size(c), num(4)), add(shl(COUNT, num(4)), COUNT)));
}

/** No range goes beyond the last address, where it would saturate (§4.4.1.1). */
export function belowTop(p: PlanTerm, s: Scope): Bool {
  return every(p, (c) => le(add(c.start, size(c)), num(1n << BigInt(granuleBits(s)))));
}

/** Is the description longer than one range can say: 32 * 2^SCALE? */
export function tooLong(s: Scope): Bool {
  const longer = (log2: number): Bool => (log2 <= granuleBits(s) ? lt(num(1n << BigInt(log2)), COUNT) : FALSE);
  return or(and(DS, longer(44)), and(not(DS), longer(36)));
}

export function same(a: Bool, b: Bool): Bool {
  return and(implies(a, b), implies(b, a));
}

/** Broken planners: each with one mistake that somebody could make, and the claim that is there for it. */
import { DOUBLE_RANGE_CONT } from '../../src/optimised/driver/planners/double-range-cont.js';
import { DOUBLE_RANGE } from '../../src/optimised/driver/planners/double-range.js';
import { EXACT_RANGES } from '../../src/optimised/driver/planners/exact-ranges.js';
import { SINGLE_RANGE } from '../../src/optimised/driver/planners/single-range.js';
import { BAD } from '../../src/prove/judge.js';
import { POW2 } from '../../src/spec/bits.js';
import { commandTg } from '../../src/spec/granule.js';
import type { Description } from '../../src/stack/description.js';
import type { Planner } from '../../src/stack/planner.js';

/** What is done to one payload of a range command; `at`: its first word. */
type Change = (out: Uint32Array, at: number, d: Description) => void;

/** A planner whose range commands are changed after they were written. */
function changed(name: string, of: Planner, change: Change): Planner {
  return {
    ...of, name,
    plan: (d, f, out) => {
      const count = of.plan(d, f, out);
      for (let i = 0; i < count; i += 1) if (((out[i * 4 + 2] as number) & 0xc00) !== 0) change(out, i * 4, d);
      return count;
    },
  };
}

/** A planner of single addresses whose command in the middle of a long plan is changed; `at`: its first word. */
function middle(name: string, of: Planner, change: (out: Uint32Array, at: number) => void): Planner {
  return {
    ...of, name,
    plan: (d, f, out) => {
      const count = of.plan(d, f, out);
      if (count > LONG && (out[2] as number) % 2 ** 12 < 2) change(out, (count >> 1) * 4);
      return count;
    },
  };
}

/** A planner of single addresses whose long plans are changed as a whole. */
function singles(name: string, change: (out: Uint32Array, count: number) => number): Planner {
  return {
    ...SINGLE_RANGE, name,
    plan: (d, f, out) => {
      const count = SINGLE_RANGE.plan(d, f, out);
      return count > LONG && count < 500 ? change(out, count) : count;
    },
  };
}

/** Commands of a plan that is judged as a run. */
const LONG = 30;

function word(out: Uint32Array, at: number): number {
  return out[at] as number;
}

const TTL = 0x300;

export interface Broken {
  readonly planner: Planner;
  /** The bit of the claim that is there for it. */
  readonly bit: number;
  /** Seen only where ranges begin anywhere. */
  readonly any?: true;
}

export const BROKEN: readonly Broken[] = [
  {
    bit: BAD.coverage,
    planner: {
      ...SINGLE_RANGE, name: 'off-by-one',
      plan: (d, f, out) => (d.all ? -1 : SINGLE_RANGE.plan({ ...d, last: Math.max(d.first + (POW2[d.tg - 12] as number) - 1, d.last - (POW2[d.tg - 12] as number)) }, f, out)),
    },
  },
  { bit: BAD.coverage, planner: changed('rounding-down', SINGLE_RANGE, (out, at) => { if (word(out, at) >>> 20 > 0) out[at] = word(out, at) - (1 << 12); }) },
  { bit: BAD.coverage, planner: changed('leaf-always', SINGLE_RANGE, (out, at) => { out[at + 2] = word(out, at + 2) | 1; }) },
  { bit: BAD.coverage, planner: changed('ttl-3-always', SINGLE_RANGE, (out, at) => { out[at + 2] = word(out, at + 2) | TTL; }) },
  {
    bit: BAD.coverage,
    planner: changed('hint-of-the-table-itself', SINGLE_RANGE, (out, at, d) => {
      const hint = (word(out, at + 2) & TTL) >> 8;
      if (d.leaves === 0 && hint > 1 && !(d.tg === 14 && hint === 2)) out[at + 2] = (word(out, at + 2) & ~TTL) | ((hint - 1) << 8);
    }),
  },
  { bit: BAD.coverage, planner: changed('granule-of-the-cd', SINGLE_RANGE, (out, at) => { out[at + 2] = word(out, at + 2) ^ 0x400; }) },
  { bit: BAD.legality, planner: { ...changed('single-with-granule', SINGLE_RANGE, () => undefined), plan: (d, f, out) => withGranule(d, SINGLE_RANGE.plan(d, f, out), f.range, out) } },
  { bit: BAD.legality, planner: { ...SINGLE_RANGE, name: 'ranges-anyway', plan: (d, f, out) => SINGLE_RANGE.plan(d, { ...f, range: true }, out) } },
  { bit: BAD.legality, planner: { ...SINGLE_RANGE, name: 'hint-1-of-16k', plan: (d, f, out) => SINGLE_RANGE.plan(d, { ...f, ds: true }, out) } },
  {
    bit: BAD.legality, any: true,
    planner: changed('hint-never-dropped', DOUBLE_RANGE, (out, at, d) => { if (d.tables === 0 && d.leaves === 2) out[at + 2] = (word(out, at + 2) & ~TTL) | 0x200; }),
  },
  { bit: BAD.over, planner: changed('scale-one-more', SINGLE_RANGE, (out, at) => { out[at] = word(out, at) + (1 << 20); }) },
  { bit: BAD.over, planner: changed('num-not-one-less', { ...DOUBLE_RANGE }, (out, at) => { if (((word(out, at) >>> 12) & 31) < 31) out[at] = word(out, at) + (1 << 12); }) },
  { bit: BAD.bound, planner: { ...DOUBLE_RANGE, name: 'two-commands', promise: { range: 1, single: 512, over: () => 0 } } },
  { bit: BAD.coverage, planner: { ...EXACT_RANGES, name: 'last-single-missing', plan: (d, f, out) => { const n = EXACT_RANGES.plan(d, f, out); return f.range || n < LONG ? n : n - 1; } } },
  { bit: BAD.coverage, planner: middle('single-repeated', EXACT_RANGES, (out, at) => { out.copyWithin(at, at - 4, at); }) },
  { bit: BAD.coverage, planner: middle('single-skipped', EXACT_RANGES, (out, at) => { out.copyWithin(at, at + 4, at + 8); }) },
  { bit: BAD.coverage, planner: middle('single-in-the-wrong-half', EXACT_RANGES, (out, at) => { out[at + 3] = word(out, at + 3) ^ 1; }) },
  { bit: BAD.coverage, planner: middle('one-single-leaf', SINGLE_RANGE, (out, at) => { out[at + 2] = word(out, at + 2) | 1; }) },
  { bit: BAD.over, planner: { ...EXACT_RANGES, name: 'double-steps', plan: (d, f, out) => doubled(d, EXACT_RANGES.plan(d, f, out), f.range, out) } },
  { bit: BAD.legality, planner: middle('single-with-reserved-bit', EXACT_RANGES, (out, at) => { out[at + 2] = word(out, at + 2) | 0x10; }) },
  { bit: BAD.legality, planner: middle('single-with-hint', EXACT_RANGES, (out, at) => { out[at + 2] = word(out, at + 2) | 0x300; }) },
  { bit: BAD.legality, planner: middle('single-with-opcode', EXACT_RANGES, (out, at) => { out[at] = 0x10; }) },
  { bit: BAD.legality, planner: middle('single-with-tag', EXACT_RANGES, (out, at) => { out[at + 1] = 0x80000000; }) },
  { bit: BAD.legality, planner: { ...EXACT_RANGES, name: 'words-not-written', promise: { range: 2 ** 18, single: 2 ** 18, over: () => 0 }, plan: (d, f, out) => addressesOnly(EXACT_RANGES.plan(d, { ...f, range: false }, own), out) } },
  { bit: BAD.coverage, planner: singles('first-single-missing', (out, count) => { out.copyWithin(0, 4, count * 4); return count - 1; }) },
  { bit: BAD.coverage, planner: singles('singles-leaf-always', (out, count) => { for (let i = 0; i < count; i += 1) out[i * 4 + 2] = word(out, i * 4 + 2) | 1; return count; }) },
  { bit: BAD.over, planner: singles('one-single-more', (out, count) => { const at = count * 4; out.copyWithin(at, at - 4, at); out[at + 2] = 2 * word(out, at - 2) - word(out, at - 6); return count + 1; }) },
  { bit: BAD.legality, planner: singles('last-single-with-tag', (out, count) => { out[count * 4 - 3] = 1; return count; }) },
  { bit: BAD.legality, planner: singles('first-single-with-hint', (out, count) => { out[2] = word(out, 2) | 0x100; return count; }) },
  { bit: BAD.contiguous, planner: { ...DOUBLE_RANGE, name: 'cuts-runs', promise: DOUBLE_RANGE_CONT.promise as NonNullable<Planner['promise']> } },
];

/** A single address as a range of one granule without a hint: reserved. */
function withGranule(d: Description, count: number, range: boolean, out: Uint32Array): number {
  if (range && count === 1 && ((out[2] as number) & 0xc00) === 0) out[2] = (out[2] as number) | (commandTg(d.tg) << 10);
  return count;
}

/** Every second address of singles: twice the steps, twice as far. */
function doubled(d: Description, count: number, range: boolean, out: Uint32Array): number {
  for (let i = 1; !range && count > LONG && i < count; i += 1) {
    const frame = d.first + 2 * ((word(out, i * 4 + 3) * 2 ** 20 + (word(out, i * 4 + 2) >>> 12)) - d.first);
    out[i * 4 + 2] = ((frame % 2 ** 20) * 4096 + (word(out, i * 4 + 2) & 1)) >>> 0;
    out[i * 4 + 3] = Math.floor(frame / 2 ** 20);
  }
  return count;
}

const own = new Uint32Array(EXACT_RANGES.room * 4);

/** Leaves words 0 and 1 as they were: right only by what was planned before. */
function addressesOnly(count: number, out: Uint32Array): number {
  for (let i = 0; i < count; i += 1) {
    out[i * 4 + 2] = word(own, i * 4 + 2);
    out[i * 4 + 3] = word(own, i * 4 + 3);
  }
  return count;
}

/** Broken planners: each with one mistake that somebody could make, and the claim that is there for it. */
import { DOUBLE_RANGE_CONT } from '../../src/optimised/driver/planners/double-range-cont.js';
import { DOUBLE_RANGE } from '../../src/optimised/driver/planners/double-range.js';
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
  { bit: BAD.contiguous, planner: { ...DOUBLE_RANGE, name: 'cuts-runs', promise: DOUBLE_RANGE_CONT.promise as NonNullable<Planner['promise']> } },
];

/** A single address as a range of one granule without a hint: reserved. */
function withGranule(d: Description, count: number, range: boolean, out: Uint32Array): number {
  if (range && count === 1 && ((out[2] as number) & 0xc00) === 0) out[2] = (out[2] as number) | (commandTg(d.tg) << 10);
  return count;
}

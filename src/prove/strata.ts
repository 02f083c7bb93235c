/**
 * Strata: every description that can occur, cut into parts of one kind: granule, features of the SMMU, damaged levels, and where the addresses lie.
 *
 * Which levels: leaves stand at levels 3 and 2; at level 1 with 4K and 64K (4 TB blocks with 52-bit output), with 16K only with DS; at level 0
 * with 4K and DS. Table descriptors stand above level 3 and below the top of a 52-bit space: levels 2 to 0 (64K: 2 and 1), and -1 with 4K and DS.
 * A description is the union of what was gathered, so that every set of leaf levels may meet every set of table levels; not both empty.
 *
 * Which addresses: what is removed is whole entries, the range is their union, and larger entries begin where smaller ones begin: `first` and
 * `last + 1` are multiples of an entry of the deepest damaged level. Ranges that begin anywhere do not come from our gathers (an entry that
 * is larger than the request goes whole, and its size is what is gathered); they are strata of their own (`any`), because an outside
 * caller that invalidates a range of pages without looking at the tables may have them.
 *
 * Where: 4096 entries of the deepest level from address 0 (`low`), around the first boundary two levels up (`middle`), and up to the top
 * of the address space (`top`); and, for sizes beyond any window, lengths around k * 2^n from a few starts (`sizes`). One exception: a planner
 * that expands a range without a bound such as 512 gives a command for each granule of a removed table, up to 2^18 in a plan. Where the deepest
 * entries are of level 2 and tables were removed, each entry is 512 commands (4K) to 8192 (64K): there windows are 256 entries. 4096 would be days.
 */
import { levelFrames, type Tg } from '../spec/granule.js';
import { levelBit } from '../stack/description.js';
import type { PlannerFeatures, PlannerPromise } from '../stack/planner.js';

export type Place = 'low' | 'middle' | 'top' | 'any' | 'sizes';

export interface Stratum {
  readonly tg: Tg;
  readonly features: PlannerFeatures;
  readonly leaves: number;
  readonly tables: number;
  readonly place: Place;
  /** First frame of the window, and frames of its unit: an entry of the deepest level, or of a granule for `any`. */
  readonly base: number;
  readonly unit: number;
  /** Units of the window. */
  readonly count: number;
}

/** Units of a window; and of one where each unit is hundreds of commands. */
export const WINDOW = 4096;
export const EXPANDED_WINDOW = 256;
/** Frames of 52 bits, of half of the whole address space, and of all of it. */
const SPACE = 2 ** 40;
const HALF = 2 ** 43;
const TOP = 2 ** 52;

/** Ranges; ranges with DS; no range commands, whose plans cost most. */
export const FEATURES: readonly PlannerFeatures[] = [{ range: true, ds: false }, { range: true, ds: true }, { range: false, ds: false }];

export function leafLevels(tg: Tg, ds: boolean): readonly number[] {
  if (tg === 12) return ds ? [3, 2, 1, 0] : [3, 2, 1];
  return tg === 14 && !ds ? [3, 2] : [3, 2, 1];
}

export function tableLevels(tg: Tg, ds: boolean): readonly number[] {
  if (tg === 12 && ds) return [2, 1, 0, -1];
  return tg === 16 ? [2, 1] : [2, 1, 0];
}

/** Every set of these levels as a bitmap, small sets first. */
function subsets(levels: readonly number[]): readonly number[] {
  const all = Array.from({ length: 2 ** levels.length }, (_, set) => levels.reduce((bits, level, i) => ((set >> i) & 1 ? bits | levelBit(level) : bits), 0));
  return all.sort((a, b) => bitsIn(a) - bitsIn(b) || a - b);
}

export function bitsIn(n: number): number {
  let bits = 0;
  for (let rest = n; rest !== 0; rest &= rest - 1) bits += 1;
  return bits;
}

/** Units of the windows of a set of levels: see above. Entries of level 1 and up are too large to be expanded. */
function windowOf(levels: { readonly leaves: number; readonly tables: number }, expands: boolean): number {
  return expands && levels.tables !== 0 && deepestLevel(levels) === 2 ? EXPANDED_WINDOW : WINDOW;
}

function windows(tg: Tg, levels: { readonly leaves: number; readonly tables: number }, expands: boolean): readonly Pick<Stratum, 'place' | 'base' | 'unit' | 'count'>[] {
  const deepest = deepestLevel(levels);
  const unit = levelFrames(tg, deepest);
  const granule = levelFrames(tg, 3);
  const most = windowOf(levels, expands);
  const count = Math.min(most, SPACE / unit);
  const middle = levelFrames(tg, deepest - 2) - (most / 2) * unit;
  return [
    { place: 'low', base: 0, unit, count },
    ...(middle > 0 && middle + most * unit <= SPACE ? [{ place: 'middle' as const, base: middle, unit, count }] : []),
    { place: 'top', base: TOP - count * unit, unit, count },
    ...(deepest < 3 ? [{ place: 'any' as const, base: levelFrames(tg, 1) - (WINDOW / 2) * granule, unit: granule, count: WINDOW }] : []),
    { place: 'sizes', base: 0, unit, count: 0 },
  ];
}

export function deepestLevel(levels: { readonly leaves: number; readonly tables: number }): number {
  const damage = levels.leaves | levels.tables;
  return 3 - (31 - Math.clz32(damage & -damage));
}

/** More commands in one plan than this: the planner expands ranges. */
const EXPANDED = 512;

/** Does this planner put very many commands into one plan? */
export function expands(p: PlannerPromise | undefined, f: PlannerFeatures): boolean {
  return p === undefined || (f.range ? p.range : p.single) > EXPANDED;
}

/** All that a planner with this promise is asked, in a fixed order. */
export function allStrata(promise: PlannerPromise | undefined): readonly Stratum[] {
  const out: Stratum[] = [];
  for (const features of FEATURES) {
    for (const tg of [12, 14, 16] as const) {
      for (const leaves of subsets(leafLevels(tg, features.ds))) {
        for (const tables of subsets(tableLevels(tg, features.ds))) {
          if (leaves === 0 && tables === 0) continue;
          for (const w of windows(tg, { leaves, tables }, expands(promise, features))) out.push({ tg, features, leaves, tables, ...w });
        }
      }
    }
  }
  return out;
}

/** One range of a stratum: first frame and frames. */
export interface Span {
  readonly first: number;
  readonly frames: number;
}

/** The ranges of `sizes`: around k * 2^n units, at the bottom, off by some, and against the ends of both halves. */
export function sizeSpans(s: Stratum): readonly Span[] {
  let spans = SPANS.get(s.unit);
  if (spans === undefined) {
    spans = spansOfUnit(s.unit);
    SPANS.set(s.unit, spans);
  }
  return spans;
}

const SPANS = new Map<number, readonly Span[]>();

function spansOfUnit(unit: number): readonly Span[] {
  const most = HALF / unit;
  const lengths = new Set<number>();
  for (let n = 1; n <= most; n *= 2) {
    for (const k of [1, 31 / 32, 33 / 32, 17 / 16, 3 / 2]) for (const off of [-1, 0, 1]) lengths.add(Math.floor(n * k) + off);
  }
  const out: Span[] = [];
  for (const length of [...lengths].filter((l) => l >= 1 && l <= most).sort((a, b) => a - b)) {
    const starts = [0, 1, 15, 31, 511, 2047, most - length].filter((at) => at >= 0 && at + length <= most);
    for (const at of new Set(starts)) out.push({ first: at * unit, frames: length * unit });
    out.push({ first: TOP - length * unit, frames: length * unit });
  }
  return out;
}

/** How many ranges it has. */
export function spansOf(s: Stratum): number {
  return s.place === 'sizes' ? sizeSpans(s).length : (s.count * (s.count + 1)) / 2;
}

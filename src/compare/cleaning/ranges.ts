/**
 * Ranges: every way in which a range can lie in the tables of one geometry, as classes: at each level the first entry, the second, each power of
 * two, the last, in the first table of that level and in a later one; from there one entry, two, three, each power of two, up to the end of the
 * table and one more; each exactly, and with its ends one granule further in or out. Those of few leaves first; long ones are left out. Granules.
 */
import { POW2 } from '../../spec/bits.js';
import type { Tg } from '../../spec/granule.js';

export interface RangeShape {
  readonly tg: Tg;
  readonly startLevel: number;
  readonly rootBits: number;
  /** Bit n: may a leaf stand at level 3 - n? */
  readonly leafLevels: number;
}

export interface GranuleRange {
  readonly first: number;
  readonly count: number;
  /** Leaves when the largest are taken wherever they fit. */
  readonly leaves: number;
}

/** Granules below one entry. */
function span(s: RangeShape, level: number): number {
  return POW2[(s.tg - 3) * (3 - level)] as number;
}

function indices(bits: number): number[] {
  const found = new Set([0, 1, (POW2[bits] as number) - 1]);
  for (let j = 1; j < bits; j += 1) found.add(POW2[j] as number);
  return [...found].filter((i) => i < (POW2[bits] as number)).sort((a, b) => a - b);
}

function lengths(bits: number, index: number): number[] {
  const rest = (POW2[bits] as number) - index;
  const found = new Set([1, 2, 3, rest, rest + 1]);
  for (let j = 2; j <= bits; j += 1) found.add(POW2[j] as number);
  return [...found].sort((a, b) => a - b);
}

/** Leaves of a range when the largest that fit are taken, from its start on. */
export function leavesOf(s: RangeShape, first: number, count: number): number {
  const sizes: number[] = [];
  for (let level = s.startLevel; level <= 3; level += 1) if ((s.leafLevels & (1 << (3 - level))) !== 0) sizes.push(span(s, level));
  let leaves = 0;
  let at = first;
  const end = first + count;
  while (at < end) {
    const size = sizes.find((b) => at % b === 0 && at + b <= end) as number;
    const larger = sizes.filter((b) => b > size).at(-1);
    const stop = larger === undefined ? end : Math.min(end, Math.floor(at / larger) * larger + larger);
    const n = Math.floor((stop - at) / size);
    leaves += n;
    at += n * size;
  }
  return leaves;
}

/** How many granules further out the start (left) and the end (right) lie. */
const ENDS: readonly (readonly [left: number, right: number])[] = [[0, 0], [-1, 0], [0, 1], [1, 1], [1, -1]];

export function rangesOf(s: RangeShape, leavesMax: number): GranuleRange[] {
  const total = span(s, s.startLevel) * (POW2[s.rootBits] as number);
  const found = new Map<string, GranuleRange>();
  const add = (first: number, count: number): void => {
    if (first < 0 || count < 1 || first + count > total) return;
    const key = `${first}+${count}`;
    if (found.has(key)) return;
    const leaves = leavesOf(s, first, count);
    if (leaves <= leavesMax) found.set(key, { first, count, leaves });
  };
  for (let level = s.startLevel; level <= 3; level += 1) {
    const bits = level === s.startLevel ? s.rootBits : s.tg - 3;
    const unit = span(s, level);
    const bases = level === s.startLevel ? [0] : [0, span(s, level - 1)];
    for (const base of bases) for (const index of indices(bits)) for (const n of lengths(bits, index)) {
      for (const [left, right] of level === 3 ? ENDS.slice(0, 1) : ENDS) add(base + index * unit - left, n * unit + left + right);
    }
  }
  return [...found.values()].sort((a, b) => a.leaves - b.leaves || a.count - b.count || a.first - b.first);
}

/**
 * Posted index: which entries of one table the walk of seed 2 takes (`.iotlb_sync_map`, patch 1/2, September 2025), with its own 64-bit
 * arithmetic and whatever that gets wrong; posted-walk.ts does with them what the patch does.
 *
 * Addresses and sizes are counted in granules, modulo 2^(64 - tg): all that the patch adds and shifts are multiples of the granule, so that
 * each wrap of its unsigned 64-bit words is a wrap here, and every number stays exact below 2^53. A property holds this against bigint.
 */
import { POW2 } from '../../../spec/bits.js';
import type { Tg } from '../../../spec/granule.js';

/** The part of a geometry that the arithmetic asks for. */
export interface IndexShape {
  readonly tg: Tg;
  readonly startLevel: number;
  /** Index bits of the root: more than those of other tables where roots are concatenated, fewer where the root is short. */
  readonly rootBits: number;
}

/** Granules after which an unsigned word starts again at 0. */
export function wordSpan(tg: Tg): number {
  return POW2[64 - tg] as number;
}

/** Entries of a table that is no root. */
export function tableEntries(tg: Tg): number {
  return POW2[tg - 3] as number;
}

/** log2 of the granules below one entry at `level`. */
export function entryBits(tg: Tg, level: number): number {
  return (tg - 3) * (3 - level);
}

/** Index bits that a level has more (fewer: negative) than `tg - 3`. */
function rootExcess(s: IndexShape, level: number): number {
  return level === s.startLevel ? s.rootBits - (s.tg - 3) : 0;
}

/**
 * Address bits that are kept to find the last entry: one table's worth, so it should have been. The excess of the root is added where the
 * level *above* is the root, and not where the table itself is: so the root and the level below a root of another size get a wrong mask.
 */
export function keptBits(s: IndexShape, level: number): number {
  return entryBits(s.tg, level - 1) + rootExcess(s, level - 1);
}

/** First entry. */
export function postedFirst(s: IndexShape, level: number, iova: number): number {
  return Math.floor(iova / (POW2[entryBits(s.tg, level)] as number)) % (POW2[s.tg - 3 + rootExcess(s, level)] as number);
}

/** Entry behind the last one, before anything is clipped; it may be before the first. */
export function postedEnd(s: IndexShape, level: number, iova: number, size: number): number {
  const span = POW2[entryBits(s.tg, level)] as number;
  const offset = iova % (POW2[keptBits(s, level)] as number);
  return Math.floor(((offset + size + span - 1) % wordSpan(s.tg)) / span);
}

/** Number of entries: at most to the end of this page of the table; an end before the first entry is a huge number, and so the same. */
export function postedCount(s: IndexShape, first: number, end: number): number {
  const page = tableEntries(s.tg);
  const left = page - (first % page);
  return end >= first && end - first < left ? end - first : left;
}

/**
 * Payload: what the planners share: levels of a bitmap, the TTL hint that is right for a whole description, range sizes, and how a payload
 * is written (IHI 0070 §4.4.1.1; seed 0). Counts are granules of the description, addresses 4 KiB frames.
 *
 * A plan takes some ten nanoseconds: sizes are computed with 32-bit shifts (a count of 2^32 granules and more by its upper 32 bits), and
 * of a frame, which may have 52 bits, `<<` and `>>>` take the lower 32 bits, whatever stands above them.
 */
import { POW2, TWO32 } from '../../../spec/bits.js';
import { commandTg, levelFrames, levelShift, TGS, type Tg } from '../../../spec/granule.js';
import type { Description } from '../../../stack/description.js';
import { PLAN_MAX, WHOLE_TAG } from '../../../stack/planner.js';

/** Multiplying by these is exact, and much faster than dividing. */
const TWO20 = 2 ** 20;
const PER_TWO20 = 2 ** -20;
export const GRANULES_PER_FRAME: Readonly<Record<Tg, number>> = { 12: 1, 14: 2 ** -2, 16: 2 ** -4 };

/** 4 KiB frames of one granule. */
export const GRANULE_FRAMES: Readonly<Record<Tg, number>> = { 12: 1, 14: 4, 16: 16 };

/** Largest SCALE: 5 bits, or 39 with IDR5.DS. */
export function scaleMax(ds: boolean): number {
  return ds ? 39 : 31;
}

export function granules(d: Description): number {
  return (d.last - d.first + 1) * GRANULES_PER_FRAME[d.tg];
}

/** Level of the lowest set bit: the deepest level present. The bitmap is not 0. */
export function deepest(bitmap: number): number {
  return Math.clz32(bitmap & -bitmap) - 28;
}

/** The deepest level at which anything was damaged. */
export function deepestDamage(d: Description): number {
  return deepest(d.leaves | d.tables);
}

/** Number of bits that `n` needs, for whole n below 2^53; 0 for 0. */
export function bitLength(n: number): number {
  return n < TWO32 ? 32 - Math.clz32(n) : 64 - Math.clz32(n / TWO32);
}

/** Leaf = 1 asks for no table descriptor: right only when none was removed. */
export function leafBit(d: Description): 0 | 1 {
  return d.tables === 0 ? 1 : 0;
}

/** Writes one payload; the caller adds opcode and tag. `low`: the lower 12 bits of word 2. */
export function writePayload(out: Uint32Array, at: number, frame: number, low: number, word0: number): void {
  out[at] = word0;
  out[at + 1] = 0;
  out[at + 2] = (frame << 12) | low;
  out[at + 3] = frame * PER_TWO20;
}

/** What one unit of 2^SCALE granules more adds to word 0: NUM is at [16:12], SCALE at [25:20]. */
export const ONE_UNIT = 1 << 12;

/**
 * Word 0 of the one range that covers n granules: SCALE is the bit length of (n - 1) / 32, so that NUM fits, and the
 * units of 2^SCALE granules, NUM + 1, are rounded up. SCALE may come out larger than there is: ask `scaleOf`.
 */
export function sizeFor(n: number): number {
  return n > TWO32 ? longSizeFor(n) : shortSizeFor(n);
}

/** The same by bits 51 to 20 of n - 1: SCALE is 28 at least, so the lower ones do not count. */
function longSizeFor(n: number): number {
  const upper = ((n - 1) * PER_TWO20) >>> 0;
  const scale = 47 - Math.clz32(upper);
  return ((upper >>> (scale - 20)) << 12) | (scale << 20);
}

export function scaleOf(size: number): number {
  return size >>> 20;
}

/** Granules of a range of this size: (NUM + 1) * 2^SCALE. */
export function granulesOf(size: number): number {
  const units = ((size >>> 12) & 31) + 1;
  return size < 26 << 20 ? units << (size >>> 20) : units * (POW2[size >>> 20] as number);
}

/**
 * Most granules that are calculated with in 32 bits all through, sizes rounded up included: no invalidation of a page table is longer, and
 * not to turn numbers into integers and back takes a third off the time of a plan.
 */
export const SHORT = 2 ** 30;

/** `sizeFor` up to SHORT granules. */
export function shortSizeFor(n: number): number {
  const scale = 32 - Math.clz32((n - 1) >>> 5);
  return (((n - 1) >>> scale) << 12) | (scale << 20);
}

/** `granulesOf` a size up to SHORT granules. */
export function shortGranulesOf(size: number): number {
  return (((size >>> 12) & 31) + 1) << (size >>> 20);
}

/** Word 0 of a range of 2^scale granules. */
export function unitSize(scale: number): number {
  return scale << 20;
}

/** The TTL that is right for every damaged entry; 0 when there is none. 16K granules have TTL = 1 with DS only. */
function ttlOf(tg: Tg, ds: boolean, leaves: number, tables: number): number {
  const ttl = commonTtl(leaves, tables);
  return ttl < 0 || (ttl === 1 && tg === 14 && !ds) ? 0 : ttl;
}

function commonTtl(leaves: number, tables: number): number {
  if (leaves === 0) return tables === 0 ? 0 : deepest(tables) + 1;
  if ((leaves & (leaves - 1)) !== 0) return 0;
  const level = deepest(leaves);
  return tables !== 0 && deepest(tables) + 1 > level ? 0 : level;
}

/** A hint: bits 11 to 0 are those of word 2 (Leaf, TTL at [9:8], TG); above them log2 of the frames to which TTL asks the address to be aligned. */
function hintOf(tg: Tg, ds: boolean, leaves: number, tables: number): number {
  const ttl = ttlOf(tg, ds, leaves, tables);
  const align = ttl === 0 ? 0 : levelShift(tg, ttl) - 12;
  return (tables === 0 ? 1 : 0) | (ttl << 8) | (commandTg(tg) << 10) | (align << 12);
}

/** Five levels, -1 to 3, in each bitmap. */
const LEVELS = 5;
const hintIndex = (tg: Tg, ds: boolean, leaves: number, tables: number): number => (((tg - 12) | Number(ds)) << (2 * LEVELS)) | (leaves << LEVELS) | tables;

/** Every hint there is: a plan looks its own up. */
const HINTS = new Int32Array(6 << (2 * LEVELS));
for (const tg of TGS) for (const ds of [false, true]) {
  for (let bits = 0; bits < 1 << (2 * LEVELS); bits += 1) {
    const leaves = bits >> LEVELS;
    const tables = bits & ((1 << LEVELS) - 1);
    HINTS[hintIndex(tg, ds, leaves, tables)] = hintOf(tg, ds, leaves, tables);
  }
}

/** What all ranges of a description have in common. */
export function hintFor(d: Description, ds: boolean): number {
  return HINTS[hintIndex(d.tg, ds, d.leaves, d.tables)] as number;
}

/** TTL of a hint. */
export function ttlFor(d: Description, ds: boolean): number {
  return (hintFor(d, ds) >> 8) & 3;
}

/**
 * Writes one range of `size` from `frame` on. TTL is dropped where the address is not aligned to its level (2^30 frames at most); what
 * then has neither TTL nor size is said without TG, because with TG it is reserved.
 */
export function writeRange(out: Uint32Array, at: number, frame: number, size: number, hint: number): void {
  let low = hint & 0xfff;
  if ((frame & ((1 << (hint >> 12)) - 1)) !== 0) low &= 0xcff;
  if (size === 0 && (low & 0x300) === 0) low &= 1;
  writePayload(out, at, frame, low, size);
}

/**
 * Single-address commands, one per smallest damaged entry; a removed table without leaves needs one for its span. One command removes every
 * entry, of any size, that contains its address (§4.4.1.1), so the stride is that of the deepest level. More than PLAN_MAX: the whole tag.
 */
export function planSingles(d: Description, out: Uint32Array): number {
  const step = levelFrames(d.tg, deepestDamage(d)); // neither leaves nor tables may slip between two
  const start = Math.floor(d.first / step) * step;
  const n = Math.floor((d.last - start) / step) + 1;
  return n > PLAN_MAX ? WHOLE_TAG : writeSteps(d, step, n, out);
}

/** Commands from which on the words that are 0 are cleared at once. */
const MANY = 32;

/** One command per step; the first at the start of the range, the others at multiples of the step. */
export function writeSteps(d: Description, step: number, n: number, out: Uint32Array): number {
  const leaf = leafBit(d);
  writePayload(out, 0, d.first, leaf, 0);
  if (n > MANY) return writeMany(d, step, n, out);
  let frame = Math.floor(d.first / step) * step;
  for (let i = 1; i < n; i += 1) {
    frame += step;
    writePayload(out, i * 4, frame, leaf, 0);
  }
  return n;
}

/** Commands 1 to n - 1 of many: words 0 and 1 are cleared together, and word 3 changes only every 2^20 frames. */
function writeMany(d: Description, step: number, n: number, out: Uint32Array): number {
  const leaf = leafBit(d);
  const start = Math.floor(d.first / step) * step;
  const one = step << 12;
  const two = one << 1;
  const three = (one + two) | 0;
  out.fill(0, 4, n * 4);
  for (let i = 1; i < n;) {
    const frame = start + i * step;
    const high = Math.floor(frame * PER_TWO20);
    const end = (i + Math.min(n - i, Math.ceil(((high + 1) * TWO20 - frame) / step))) * 4;
    let low = (frame << 12) | leaf;
    let at = i * 4;
    for (; at + 16 <= end; at += 16) {
      out[at + 2] = low;
      out[at + 3] = high;
      out[at + 6] = low + one;
      out[at + 7] = high;
      out[at + 10] = low + two;
      out[at + 11] = high;
      out[at + 14] = low + three;
      out[at + 15] = high;
      low = (low + (two << 1)) | 0;
    }
    for (; at < end; at += 4) {
      out[at + 2] = low;
      out[at + 3] = high;
      low = (low + one) | 0;
    }
    i = end / 4;
  }
  return n;
}

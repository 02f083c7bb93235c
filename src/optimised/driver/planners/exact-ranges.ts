/**
 * Exact ranges: the classic loop (kernel up to v7.0, and later for paravirtual SMMUs): with range support as many range commands as n has
 * groups of five bits, lowest first; without it one command per page of the gather, unless that are 2^(log2 page - 3) or more: the whole tag.
 * It has a TTL hint for leaves of one level only; for removed tables it rounds up by one granule where NUM, SCALE and TTL would all be 0.
 * One difference: where the loop would ask for a SCALE that does not exist, the whole tag goes.
 */
import { POW2, TWO32 } from '../../../spec/bits.js';
import { commandTg, levelFrames, levelShift } from '../../../spec/granule.js';
import type { Description } from '../../../stack/description.js';
import { PAYLOAD_WORDS, WHOLE_TAG, type Planner } from '../../../stack/planner.js';
import { deepest, GRANULE_FRAMES, granules, leafBit, scaleMax, writePayload, writeSteps } from './payload.js';

/** Pages of 2 MB: 2^18. Larger pages than that have no buffer. */
const ROOM = 2 ** 18;

/** The level of the only kind of leaf, when no table was removed; 0 otherwise: no hint. */
function leafTtl(d: Description, ds: boolean): number {
  if (d.tables !== 0 || (d.leaves & (d.leaves - 1)) !== 0) return 0;
  const level = deepest(d.leaves);
  return level < 1 || (level === 1 && d.tg === 14 && !ds) ? 0 : level;
}

/** Trailing zeros of n > 0. */
function trailingZeros(n: number): number {
  const low = n | 0;
  if (low !== 0) return 31 - Math.clz32(low & -low);
  const high = (n / TWO32) | 0;
  return 63 - Math.clz32(high & -high);
}

function planRanges(d: Description, ds: boolean, out: Uint32Array): number {
  const ttl = leafTtl(d, ds);
  const low = leafBit(d) | (ttl << 8) | (commandTg(d.tg) << 10);
  let n = granules(d);
  if (ttl === 0 && (n & 31) === 1) n += 1; // NUM = SCALE = TTL = 0 is reserved
  if (n >= TWO32) return longRanges(d, n, low, scaleMax(ds), out);
  let left = n >>> 0;
  let frame = d.first;
  let at = 0;
  while (left !== 0) {
    const scale = 31 - Math.clz32(left & -left);
    const units = (left >>> scale) & 31;
    writePayload(out, at, frame, low, ((units - 1) << 12) | (scale << 20));
    at += PAYLOAD_WORDS;
    const done = units << scale;
    left = (left - done) >>> 0;
    frame += (done >>> 0) * GRANULE_FRAMES[d.tg];
  }
  return at / PAYLOAD_WORDS;
}

/** The same for 2^32 granules and more. */
function longRanges(d: Description, n: number, low: number, most: number, out: Uint32Array): number {
  let left = n;
  let frame = d.first;
  let count = 0;
  while (left > 0) {
    const scale = trailingZeros(left);
    if (scale > most) return WHOLE_TAG;
    const unit = POW2[scale] as number;
    const units = (left / unit) % 32;
    writePayload(out, count * PAYLOAD_WORDS, frame, low, ((units - 1) << 12) | (scale << 20));
    count += 1;
    left -= units * unit;
    frame += units * unit * GRANULE_FRAMES[d.tg];
  }
  return count;
}

/** The page size of the gather; the smallest page when tables were removed or it is mixed. */
function stepLevel(d: Description): number {
  return d.tables !== 0 || d.leaves === 0 ? 3 : deepest(d.leaves);
}

function planSteps(d: Description, out: Uint32Array): number {
  const level = stepLevel(d);
  const step = levelFrames(d.tg, level);
  const n = Math.floor((d.last - Math.floor(d.first / step) * step) / step) + 1;
  if (n >= (POW2[levelShift(d.tg, level) - 3] as number) || n > ROOM) return WHOLE_TAG;
  return writeSteps(d, step, n, out);
}

export const EXACT_RANGES: Planner = {
  name: 'exact-ranges',
  about: 'the classic loop: exact, one range command per group of five bits of the length',
  room: ROOM,
  promise: { range: 11, single: ROOM, over: () => 1 },
  plan: (d, f, out) => {
    if (d.all) return WHOLE_TAG;
    return f.range ? planRanges(d, f.ds, out) : planSteps(d, out);
  },
};

/**
 * Exact ranges: the classic loop (kernel up to v7.0, and later for paravirtual SMMUs): with range support as many range commands as n has
 * groups of five bits, lowest first; without it one command per page of the gather, unless that are 2^(log2 page - 3) or more: the whole tag.
 * It has a TTL hint for leaves of one level only; for removed tables it rounds up by one granule where NUM, SCALE and TTL would all be 0.
 * One difference: where the loop would ask for a SCALE that does not exist, the whole tag goes.
 */
import { POW2 } from '../../../spec/bits.js';
import { commandTg, levelFrames, levelShift } from '../../../spec/granule.js';
import type { Description } from '../../../stack/description.js';
import { PAYLOAD_WORDS, WHOLE_TAG, type Planner } from '../../../stack/planner.js';
import { deepest, granuleFrames, granules, leafBit, scaleMax, writePayload } from './payload.js';

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
  const low = n % 4294967296;
  if (low !== 0) return 31 - Math.clz32(low & -low);
  const high = n / 4294967296;
  return 63 - Math.clz32(high & -high);
}

function planRanges(d: Description, ds: boolean, out: Uint32Array): number {
  const g = granuleFrames(d.tg);
  const ttl = leafTtl(d, ds);
  const low = leafBit(d) | (ttl << 8) | (commandTg(d.tg) << 10);
  let n = granules(d);
  if (ttl === 0 && n % 32 === 1) n += 1; // NUM = SCALE = TTL = 0 is reserved
  let frame = d.first;
  let count = 0;
  while (n > 0) {
    const scale = trailingZeros(n);
    if (scale > scaleMax(ds)) return WHOLE_TAG;
    const unit = POW2[scale] as number;
    const units = (n / unit) % 32;
    writePayload(out, count * PAYLOAD_WORDS, frame, low, ((units - 1) << 12) | (scale << 20));
    count += 1;
    n -= units * unit;
    frame += units * unit * g;
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
  const n = Math.floor((d.last - (d.first - (d.first % step))) / step) + 1;
  if (n >= (POW2[levelShift(d.tg, level) - 3] as number) || n > ROOM) return WHOLE_TAG;
  return writeSteps(d, step, n, out);
}

/** One command per step; the first at the start of the range, the others at multiples of the step. */
export function writeSteps(d: Description, step: number, n: number, out: Uint32Array): number {
  const start = d.first - (d.first % step);
  const leaf = leafBit(d);
  for (let i = 0; i < n; i += 1) writePayload(out, i * PAYLOAD_WORDS, i === 0 ? d.first : start + i * step, leaf, 0);
  return n;
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

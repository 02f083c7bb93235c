/**
 * Payload: what the planners share: levels of a bitmap, the TTL hint that is right for a whole description, range sizes, and how a payload
 * is written (IHI 0070 §4.4.1.1; seed 0). Counts are granules of the description, addresses 4 KiB frames.
 */
import { POW2 } from '../../../spec/bits.js';
import { commandTg, levelFrames, type Tg } from '../../../spec/granule.js';
import type { Description } from '../../../stack/description.js';
import { PLAN_MAX, WHOLE_TAG, type PlannerFeatures } from '../../../stack/planner.js';

/** Largest SCALE: 5 bits, or 39 with IDR5.DS. */
export function scaleMax(ds: boolean): number {
  return ds ? 39 : 31;
}

/** 4 KiB frames of one granule. */
export function granuleFrames(tg: Tg): number {
  return POW2[tg - 12] as number;
}

export function granules(d: Description): number {
  return (d.last - d.first + 1) / granuleFrames(d.tg);
}

/** Level of the lowest set bit: the deepest level present; -Infinity never: the bitmap is not 0. */
export function deepest(bitmap: number): number {
  return 3 - (31 - Math.clz32(bitmap & -bitmap));
}

/** The deepest level at which anything was damaged. */
export function deepestDamage(d: Description): number {
  if (d.leaves === 0) return deepest(d.tables);
  return d.tables === 0 ? deepest(d.leaves) : Math.max(deepest(d.leaves), deepest(d.tables));
}

/** Number of bits that `n` needs, for whole n below 2^53; 0 for 0. */
export function bitLength(n: number): number {
  return n < 4294967296 ? 32 - Math.clz32(n) : 64 - Math.clz32(Math.floor(n / 4294967296));
}

/** The TTL hint that is right for every damaged entry; 0 when there is none. 16K granules have TTL = 1 with DS only. */
export function ttlFor(d: Description, ds: boolean): number {
  const ttl = hint(d);
  return ttl < 0 || (ttl === 1 && d.tg === 14 && !ds) ? 0 : ttl;
}

function hint(d: Description): number {
  if (d.leaves === 0) return deepest(d.tables) + 1;
  if ((d.leaves & (d.leaves - 1)) !== 0) return 0;
  const level = deepest(d.leaves);
  return d.tables !== 0 && deepest(d.tables) + 1 > level ? 0 : level;
}

/** Leaf = 1 asks for no table descriptor: right only when none was removed. */
export function leafBit(d: Description): 0 | 1 {
  return d.tables === 0 ? 1 : 0;
}

/** Writes one payload; the caller adds opcode and tag. `tg`: the TG field, 0 for a single address. */
export function writePayload(out: Uint32Array, at: number, frame: number, last: number, word0: number): void {
  out[at] = word0;
  out[at + 1] = 0;
  out[at + 2] = ((frame % (POW2[20] as number)) * 4096) | last;
  out[at + 3] = Math.floor(frame / (POW2[20] as number));
}

/**
 * Writes one range of (num + 1) * 2^scale granules from `frame` on. The hint is dropped where the address is not aligned to its
 * level; what then has neither hint nor size is said without TG, because with TG it is reserved.
 */
export function writeRange(out: Uint32Array, at: number, d: Description, frame: number, num: number, scale: number, ttl: number): void {
  const kept = ttl !== 0 && frame % levelFrames(d.tg, ttl) === 0 ? ttl : 0;
  const tg = num === 0 && scale === 0 && kept === 0 ? 0 : commandTg(d.tg);
  writePayload(out, at, frame, leafBit(d) | (kept << 8) | (tg << 10), (num << 12) | (scale << 20));
}

/** SCALE of the one range that covers n granules: bit length of (n - 1) / 32, so that NUM fits. */
export function scaleFor(n: number): number {
  return bitLength(Math.floor((n - 1) / 32));
}

/** Ranges of 2^scale granules that cover n: NUM + 1. */
export function unitsFor(n: number, scale: number): number {
  return Math.ceil(n / (POW2[scale] as number));
}

/**
 * Single-address commands, one per smallest damaged entry; a removed table without leaves needs one for its span. One command removes every
 * entry, of any size, that contains its address (§4.4.1.1), so the stride is that of the deepest level. More than PLAN_MAX: the whole tag.
 */
export function planSingles(d: Description, out: Uint32Array): number {
  const step = levelFrames(d.tg, deepestDamage(d)); // neither leaves nor tables may slip between two
  const start = d.first - (d.first % step);
  const n = Math.floor((d.last - start) / step) + 1;
  if (n > PLAN_MAX) return WHOLE_TAG;
  const leaf = leafBit(d);
  for (let i = 0; i < n; i += 1) writePayload(out, i * 4, i === 0 ? d.first : start + i * step, leaf, 0);
  return n;
}

/** How a planner is asked: everything of the tag is never planned. */
export type PlanRange = (d: Description, ds: boolean, out: Uint32Array) => number;

/** A planner of the new flow: ranges where the SMMU has them, else at most PLAN_MAX singles. */
export function newFlow(range: PlanRange): (d: Description, f: PlannerFeatures, out: Uint32Array) => number {
  return (d, f, out) => {
    if (d.all) return WHOLE_TAG;
    return f.range ? range(d, f.ds, out) : planSingles(d, out);
  };
}

/**
 * Plan: the default planner, after the new invalidation flow (seed 0: "Organize the SMMUv3 invalidation flow so
 * iommupt can use it", spring 2026; sizing as in its test emulation). One range command where the SMMU has range
 * invalidation; else at most 512 single-address commands; else the whole tag. 4 KB granule.
 *
 * One difference from the thread: a table that was removed *with leaves in it* has its leaf levels in the
 * description, so that without range support the stride is the leaf's and no leaf under a freed table survives.
 */
import { POW2 } from '../../spec/bits.js';
import { commandTg, levelFrames } from '../../spec/granule.js';
import type { Description } from '../../stack/description.js';
import { PLAN_MAX, WHOLE_TAG, type Planner } from '../../stack/planner.js';

const TG = 12;

/** Level of the lowest set bit: the deepest level present. */
function deepest(bitmap: number): number {
  return 3 - (31 - Math.clz32(bitmap & -bitmap));
}

/** The TTL hint that is right for every damaged entry, 0 when there is none. */
export function ttlFor(d: Description): number {
  if (d.leaves === 0) return Math.max(0, deepest(d.tables) + 1);
  if ((d.leaves & (d.leaves - 1)) !== 0) return 0;
  const level = deepest(d.leaves);
  return d.tables !== 0 && deepest(d.tables) + 1 > level ? 0 : Math.max(0, level);
}

/** Writes one payload; the caller adds opcode and tag. */
function payload(out: Uint32Array, at: number, frame: number, leaf: number, tg: number, ttl: number, num: number, scale: number): void {
  out[at] = (num << 12) | (scale << 20);
  out[at + 1] = 0;
  out[at + 2] = ((frame % (POW2[20] as number)) * 4096) | leaf | (ttl << 8) | (tg << 10);
  out[at + 3] = Math.floor(frame / (POW2[20] as number));
}

/** One range command: SCALE = bit length of (n - 1) / 32, NUM + 1 = ceil(n / 2^SCALE); over-invalidates by less than n / 16. */
function planRange(d: Description, ds: boolean, out: Uint32Array): number {
  const n = d.last - d.first + 1;
  const chunks = Math.floor((n - 1) / 32);
  const scale = chunks === 0 ? 0 : chunks < 4294967296 ? 32 - Math.clz32(chunks) : 64 - Math.clz32(Math.floor(chunks / 4294967296));
  if (scale > (ds ? 39 : 31)) return WHOLE_TAG;
  const num = Math.ceil(n / (POW2[scale] as number)) - 1;
  const leaf = d.tables === 0 ? 1 : 0;
  let ttl = ttlFor(d);
  if (ttl !== 0 && d.first % levelFrames(TG, ttl) !== 0) ttl = 0; // alignment that the hint asks for
  const bare = num === 0 && scale === 0 && ttl === 0; // reserved with TG: say it without
  payload(out, 0, d.first, leaf, bare ? 0 : commandTg(TG), ttl, num, scale);
  return 1;
}

/** Single-address commands, one per smallest damaged entry; a removed table without leaves needs one for its span. */
function planSingles(d: Description, out: Uint32Array): number {
  const level = Math.max(d.leaves === 0 ? 0 : deepest(d.leaves), d.tables === 0 ? 0 : deepest(d.tables)); // neither may slip between two
  const step = levelFrames(TG, level);
  const start = d.first - (d.first % step);
  const n = Math.floor((d.last - start) / step) + 1;
  if (n > PLAN_MAX) return WHOLE_TAG;
  const leaf = d.tables === 0 ? 1 : 0;
  for (let i = 0; i < n; i += 1) payload(out, i * 4, Math.max(d.first, start + i * step), leaf, 0, 0, 0, 0);
  return n;
}

export const SINGLE_RANGE: Planner = {
  name: 'single-range',
  plan(d, features, out) {
    if (d.all) return WHOLE_TAG;
    return features.range ? planRange(d, features.ds, out) : planSingles(d, out);
  },
};

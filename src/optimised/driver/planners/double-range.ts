/**
 * Double range: a later revision of seed 0. Two range commands at most, exact on both ends: the first rounds down, the second ends with the
 * range and may overlap the first. On SMMUs that lose a contiguous run only to one range that covers all of it, a run
 * across the seam survives: see `double-range-cont`.
 */
import { POW2 } from '../../../spec/bits.js';
import type { Description } from '../../../stack/description.js';
import { PLAN_MAX, WHOLE_TAG, type Planner } from '../../../stack/planner.js';
import { granuleFrames, granules, newFlow, scaleFor, scaleMax, ttlFor, unitsFor, writeRange } from './payload.js';

/** Granules that the second range starts before the end of the range: r granules, rounded up to what a range can say. */
export function trailSize(r: number): number {
  const scale = scaleFor(r);
  return unitsFor(r, scale) * (POW2[scale] as number);
}

/** Writes the range of r granules, rounded up, that ends with the description. */
export function writeTrail(out: Uint32Array, at: number, d: Description, r: number, ttl: number): void {
  const scale = scaleFor(r);
  const units = unitsFor(r, scale);
  writeRange(out, at, d, d.last + 1 - units * (POW2[scale] as number) * granuleFrames(d.tg), units - 1, scale, ttl);
}

function planRange(d: Description, ds: boolean, out: Uint32Array): number {
  const n = granules(d);
  const scale = scaleFor(n);
  if (scale > scaleMax(ds)) return WHOLE_TAG;
  const unit = POW2[scale] as number;
  const units = Math.floor(n / unit);
  const ttl = ttlFor(d, ds);
  writeRange(out, 0, d, d.first, units - 1, scale, ttl);
  const rest = n - units * unit;
  if (rest === 0) return 1;
  writeTrail(out, 4, d, rest, ttl);
  return 2;
}

export const DOUBLE_RANGE: Planner = {
  name: 'double-range',
  about: 'two range commands at most, exact on both ends (seed 0, later revision)',
  room: PLAN_MAX,
  promise: { range: 2, single: PLAN_MAX, over: () => 0 },
  plan: newFlow(planRange),
};

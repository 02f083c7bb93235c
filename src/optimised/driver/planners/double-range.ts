/**
 * Double range: a later revision of seed 0. Two range commands at most, exact on both ends: the first rounds down, the second ends with the
 * range and may overlap the first. On SMMUs that lose a contiguous run only to one range that covers all of it, a run
 * across the seam survives: see `double-range-cont`.
 */
import type { Description } from '../../../stack/description.js';
import { PLAN_MAX, WHOLE_TAG, type Planner, type PlannerFeatures } from '../../../stack/planner.js';
import { GRANULE_FRAMES, granules, granulesOf, hintFor, ONE_UNIT, planSingles, scaleMax, scaleOf, sizeFor, writeRange } from './payload.js';

/** First frame of the range of this size that ends with the description. */
function trailStart(d: Description, size: number): number {
  return d.last + 1 - granulesOf(size) * GRANULE_FRAMES[d.tg];
}

function plan(d: Description, f: PlannerFeatures, out: Uint32Array): number {
  if (d.all) return WHOLE_TAG;
  if (!f.range) return planSingles(d, out);
  const n = granules(d);
  const size = sizeFor(n);
  if (scaleOf(size) > scaleMax(f.ds)) return WHOLE_TAG;
  const hint = hintFor(d, f.ds);
  const exact = granulesOf(size) === n;
  const first = exact ? size : size - ONE_UNIT; // rounded down: with a SCALE above 0 there are 17 units or more
  writeRange(out, 0, d.first, first, hint);
  if (exact) return 1;
  const trail = sizeFor(n - granulesOf(first));
  writeRange(out, 4, trailStart(d, trail), trail, hint);
  return 2;
}

export const DOUBLE_RANGE: Planner = {
  name: 'double-range',
  about: 'two range commands at most, exact on both ends (seed 0, later revision)',
  room: PLAN_MAX,
  promise: { range: 2, single: PLAN_MAX, over: () => 0 },
  plan,
};

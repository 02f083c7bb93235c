/**
 * Double range: a later revision of seed 0. Two range commands at most, exact on both ends: the first rounds down, the second ends with the
 * range and may overlap the first. On SMMUs that lose a contiguous run only to one range that covers all of it, a run
 * across the seam survives: see `double-range-cont`.
 */
import type { Description } from '../../../stack/description.js';
import { PLAN_MAX, WHOLE_TAG, type Planner, type PlannerFeatures } from '../../../stack/planner.js';
import {
  GRANULE_FRAMES, granules as granulesIn, granulesOf, hintFor, ONE_UNIT, planSingles, scaleMax, scaleOf, SHORT, shortGranulesOf, shortSizeFor, sizeFor, writeRange,
} from './payload.js';

function plan(d: Description, f: PlannerFeatures, out: Uint32Array): number {
  if (d.all) return WHOLE_TAG;
  if (!f.range) return planSingles(d, out);
  const granules = granulesIn(d);
  if (granules > SHORT) return planLong(d, f.ds, out);
  const n = granules | 0;
  const size = shortSizeFor(n);
  const hint = hintFor(d, f.ds);
  const exact = shortGranulesOf(size) === n;
  const first = exact ? size : size - ONE_UNIT; // rounded down: with a SCALE above 0 there are 17 units or more
  writeRange(out, 0, d.first, first, hint);
  if (exact) return 1;
  const trail = shortSizeFor(n - shortGranulesOf(first));
  writeRange(out, 4, d.last + 1 - shortGranulesOf(trail) * GRANULE_FRAMES[d.tg], trail, hint);
  return 2;
}

/** The same for more granules than SHORT. */
function planLong(d: Description, ds: boolean, out: Uint32Array): number {
  const n = granulesIn(d);
  const size = sizeFor(n);
  if (scaleOf(size) > scaleMax(ds)) return WHOLE_TAG;
  const hint = hintFor(d, ds);
  if (granulesOf(size) === n) {
    writeRange(out, 0, d.first, size, hint);
    return 1;
  }
  const rest = sizeFor(n - granulesOf(size - ONE_UNIT));
  writeRange(out, 0, d.first, size - ONE_UNIT, hint);
  writeRange(out, 4, d.last + 1 - granulesOf(rest) * GRANULE_FRAMES[d.tg], rest, hint);
  return 2;
}

export const DOUBLE_RANGE: Planner = {
  name: 'double-range',
  about: 'two range commands at most, exact on both ends (seed 0, later revision)',
  room: PLAN_MAX,
  promise: { range: 2, single: PLAN_MAX, over: () => 0 },
  plan,
};

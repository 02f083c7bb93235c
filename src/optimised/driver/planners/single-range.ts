/**
 * Single range: the planner of the new invalidation flow (seed 0: "Organize the SMMUv3 invalidation flow so iommupt can use it", spring
 * 2026; sizing as in its test emulation). One range command where the SMMU has range invalidation; else at most 512 single-address
 * commands; else the whole tag.
 *
 * One difference from the thread: a table that was removed *with leaves in it* has its leaf levels in the description, so that without
 * range support the stride is the leaf's and no leaf under a freed table survives.
 */
import type { Description } from '../../../stack/description.js';
import { PLAN_MAX, WHOLE_TAG, type Planner, type PlannerFeatures } from '../../../stack/planner.js';
import { granules, hintFor, planSingles, scaleMax, scaleOf, sizeFor, writeRange } from './payload.js';

function plan(d: Description, f: PlannerFeatures, out: Uint32Array): number {
  if (d.all) return WHOLE_TAG;
  if (!f.range) return planSingles(d, out);
  const size = sizeFor(granules(d));
  if (scaleOf(size) > scaleMax(f.ds)) return WHOLE_TAG;
  writeRange(out, 0, d.first, size, hintFor(d, f.ds));
  return 1;
}

export const SINGLE_RANGE: Planner = {
  name: 'single-range',
  about: 'one range command, or at most 512 singles, or the whole tag (seed 0)',
  room: PLAN_MAX,
  promise: { range: 1, single: PLAN_MAX, over: (n) => n / 16 },
  plan,
};

/**
 * Double range for SMMUs with the contiguous erratum (kernel: 84c6089a365f; wholeRunOnly in features): a merged contiguous run goes
 * only when one range command covers all of it. Where the seam between the two ranges cuts a run that lies in the damage, the second
 * range begins with that run, or a third one covers exactly the run.
 */
import { POW2 } from '../../../spec/bits.js';
import { contiguousEntries, levelFrames } from '../../../spec/granule.js';
import type { Description } from '../../../stack/description.js';
import { PLAN_MAX, WHOLE_TAG, type Planner } from '../../../stack/planner.js';
import { trailSize, writeTrail } from './double-range.js';
import { bitLength, granuleFrames, granules, newFlow, scaleFor, scaleMax, ttlFor, writeRange } from './payload.js';

/** Highest level at which a leaf can stand. */
const LEVEL_MIN = -1;

/** Frames of the largest run of a damaged leaf level that lies in the damage and across the frame `seam`, with its start in `cut`; 0: none is. */
const cut = { start: 0, frames: 0 };
function findCut(d: Description, ds: boolean, firstEnd: number, seam: number): boolean {
  for (let level = LEVEL_MIN; level <= 3; level += 1) {
    if ((d.leaves & (1 << (3 - level))) === 0) continue;
    const members = contiguousEntries(d.tg, level, ds);
    if (members === 1) continue;
    const frames = members * levelFrames(d.tg, level);
    const inside = seam - granuleFrames(d.tg);
    const start = inside - (inside % frames);
    if (start < d.first || start + frames > d.last + 1) continue; // it sticks out: nothing of it was there
    if (start + frames <= firstEnd || start >= seam) continue; // whole in the first or in the second
    cut.start = start;
    cut.frames = frames;
    return true;
  }
  return false;
}

function planRange(d: Description, ds: boolean, out: Uint32Array): number {
  const n = granules(d);
  const scale = scaleFor(n);
  if (scale > scaleMax(ds)) return WHOLE_TAG;
  const g = granuleFrames(d.tg);
  const unit = POW2[scale] as number;
  const units = Math.floor(n / unit);
  const ttl = ttlFor(d, ds);
  writeRange(out, 0, d, d.first, units - 1, scale, ttl);
  const rest = n - units * unit;
  if (rest === 0) return 1;
  const end = d.last + 1;
  const seam = end - trailSize(rest) * g;
  if (!findCut(d, ds, d.first + units * unit * g, seam)) {
    writeTrail(out, 4, d, rest, ttl);
    return 2;
  }
  const longer = (end - cut.start) / g;
  if (end - trailSize(longer) * g >= d.first) {
    writeTrail(out, 4, d, longer, ttl);
    return 2;
  }
  writeRange(out, 4, d, cut.start, 0, bitLength(cut.frames / g) - 1, ttl);
  writeTrail(out, 8, d, rest, ttl);
  return 3;
}

export const DOUBLE_RANGE_CONT: Planner = {
  name: 'double-range-cont',
  about: 'double-range that cuts no contiguous run: safe with the contiguous erratum (84c6089a365f)',
  room: PLAN_MAX,
  promise: { range: 3, single: PLAN_MAX, over: () => 0 },
  plan: newFlow(planRange),
};

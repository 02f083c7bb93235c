/**
 * Per granule: the oldest expansion, without range invalidation: one single-address command per page of the gather, and for a removed table
 * one per smallest page of its span (seed 0: "expands into a TLBI for every translation granule"): 512 for a table of
 * 2 MB, 262,144 for one of 1 GB. Beyond that the whole tag.
 */
import { levelFrames } from '../../../spec/granule.js';
import { WHOLE_TAG, type Planner } from '../../../stack/planner.js';
import { deepest, writeSteps } from './payload.js';

const ROOM = 2 ** 18;

export const PER_GRANULE: Planner = {
  name: 'per-granule',
  about: 'the old expansion: one single-address command per page, ranges or not',
  room: ROOM,
  promise: { range: ROOM, single: ROOM, over: () => 0 },
  plan: (d, _features, out) => {
    if (d.all) return WHOLE_TAG;
    const step = levelFrames(d.tg, d.tables !== 0 || d.leaves === 0 ? 3 : deepest(d.leaves));
    const n = Math.floor((d.last - Math.floor(d.first / step) * step) / step) + 1;
    return n > ROOM ? WHOLE_TAG : writeSteps(d, step, n, out);
  },
};

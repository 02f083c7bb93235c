/**
 * Double range for SMMUs with the contiguous erratum (kernel: 84c6089a365f; wholeRunOnly in features): a merged contiguous run goes
 * only when one range command covers all of it. Where the seam between the two ranges cuts a run that lies in the damage, the second
 * range begins with that run, or a third one covers exactly the run.
 */
import { POW2 } from '../../../spec/bits.js';
import { contiguousEntries, levelFrames, TGS, type Tg } from '../../../spec/granule.js';
import type { Description } from '../../../stack/description.js';
import { PLAN_MAX, WHOLE_TAG, type Planner, type PlannerFeatures } from '../../../stack/planner.js';
import {
  GRANULE_FRAMES, granules, GRANULES_PER_FRAME, granulesOf, hintFor, ONE_UNIT, planSingles, scaleMax, scaleOf, SHORT, shortGranulesOf, shortSizeFor, sizeFor, unitSize,
  writeRange,
} from './payload.js';

const LEVELS = 5;
const runIndex = (tg: Tg, ds: boolean, bit: number): number => ((tg - 12) | Number(ds)) * LEVELS + bit;

/** Granules of a contiguous run at level 3 - bit, less 1 (2^31 - 1 at most); 0 where there is none. */
const RUNS = new Int32Array(6 * LEVELS);
for (const tg of TGS) for (const ds of [false, true]) for (let bit = 0; bit < LEVELS; bit += 1) {
  const members = contiguousEntries(tg, 3 - bit, ds);
  RUNS[runIndex(tg, ds, bit)] = members === 1 ? 0 : (members * levelFrames(tg, 3 - bit)) / GRANULE_FRAMES[tg] - 1;
}

const onlyIndex = (tg: Tg, ds: boolean, leaves: number): number => (((tg - 12) | Number(ds)) << LEVELS) | leaves;

/** The same for the only damaged leaf level; 0 also where there is no leaf, -1 where there are several levels. */
const RUN_OF_ONLY = new Int32Array(6 << LEVELS);
for (const tg of TGS) for (const ds of [false, true]) for (let leaves = 1; leaves < 1 << LEVELS; leaves += 1) {
  RUN_OF_ONLY[onlyIndex(tg, ds, leaves)] = (leaves & (leaves - 1)) === 0 ? (RUNS[runIndex(tg, ds, 31 - Math.clz32(leaves))] as number) : -1;
}

/** The two ranges of a description, in granules from its first: the one has [0, covered), the other [seam, n). */
const halves = { n: 0, covered: 0, seam: 0 };
/** What `cutRun` found: a run and its last granule. */
const cut = { start: 0, last: 0 };

/**
 * Finds the largest run of a damaged leaf level that has the granule before the seam in it, lies in the damage (else it was not there) and
 * not in the first range: one that neither range has whole.
 */
function cutRun(d: Description, ds: boolean, h: typeof halves): boolean {
  const before = h.seam - 1;
  const at = d.first * GRANULES_PER_FRAME[d.tg] + before;
  for (let bits = d.leaves; bits !== 0;) {
    const bit = 31 - Math.clz32(bits); // the highest level first
    bits ^= 1 << bit;
    const run = RUNS[runIndex(d.tg, ds, bit)] as number;
    const start = before - (at & run);
    const last = start + run;
    if (run !== 0 && start >= 0 && last < h.n && last >= h.covered) {
      cut.start = start;
      cut.last = last;
      return true;
    }
  }
  return false;
}

function plan(d: Description, f: PlannerFeatures, out: Uint32Array): number {
  if (d.all) return WHOLE_TAG;
  if (!f.range) return planSingles(d, out);
  const all = granules(d);
  const run = RUN_OF_ONLY[onlyIndex(d.tg, f.ds, d.leaves)] as number;
  if (all > SHORT || run < 0) return planAny(d, f.ds, out);
  // What nearly every plan is: short, and leaves of one level at most.
  const n = all | 0;
  const size = shortSizeFor(n);
  const hint = hintFor(d, f.ds);
  const full = shortGranulesOf(size);
  writeRange(out, 0, d.first, full === n ? size : size - ONE_UNIT, hint);
  if (full === n) return 1;
  const covered = full - (1 << scaleOf(size));
  let trail = shortSizeFor(n - covered);
  let reach = shortGranulesOf(trail);
  const before = n - reach - 1;
  const start = before - ((d.first * GRANULES_PER_FRAME[d.tg] + before) & run);
  if (run !== 0 && start >= 0 && run < n - start && run >= covered - start) { // see cutRun
    trail = shortSizeFor(n - start);
    reach = shortGranulesOf(trail);
    if (reach > n) return planAny(d, f.ds, out);
  }
  writeRange(out, 4, d.last + 1 - reach * GRANULE_FRAMES[d.tg], trail, hint);
  return 2;
}

/** A plan with range commands for any length and any levels. */
function planAny(d: Description, ds: boolean, out: Uint32Array): number {
  const n = granules(d);
  const size = sizeFor(n);
  if (scaleOf(size) > scaleMax(ds)) return WHOLE_TAG;
  const hint = hintFor(d, ds);
  const full = granulesOf(size);
  writeRange(out, 0, d.first, full === n ? size : size - ONE_UNIT, hint);
  if (full === n) return 1;
  const covered = full - (POW2[scaleOf(size)] as number);
  let trail = sizeFor(n - covered);
  let reach = granulesOf(trail);
  let count = 2;
  halves.n = n;
  halves.covered = covered;
  halves.seam = n - reach;
  if (cutRun(d, ds, halves)) {
    const longer = sizeFor(n - cut.start);
    const farther = granulesOf(longer);
    if (farther <= n) {
      trail = longer;
      reach = farther;
    } else {
      writeRange(out, 8, d.first + cut.start * GRANULE_FRAMES[d.tg], unitSize(32 - Math.clz32(cut.last - cut.start)), hint);
      count = 3;
    }
  }
  writeRange(out, 4, d.last + 1 - reach * GRANULE_FRAMES[d.tg], trail, hint);
  return count;
}

export const DOUBLE_RANGE_CONT: Planner = {
  name: 'double-range-cont',
  about: 'double-range that cuts no contiguous run: safe with the contiguous erratum (84c6089a365f)',
  room: PLAN_MAX,
  promise: { range: 3, single: PLAN_MAX, over: () => 0 },
  plan,
};

/**
 * Shrink: the smallest range near one that shows something: fewer leaves, then fewer granules, then a lower start. Each step is asked again.
 */
import { POW2 } from '../../spec/bits.js';
import { leavesOf, type GranuleRange, type RangeShape } from './ranges.js';

/** Steps that are taken at the most. */
const STEPS_MAX = 200;

function smaller(a: GranuleRange, b: GranuleRange): boolean {
  return a.leaves !== b.leaves ? a.leaves < b.leaves : a.count !== b.count ? a.count < b.count : a.first < b.first;
}

/** Shorter at either end by a power of two, and moved down by one. */
function nearby(s: RangeShape, r: GranuleRange): GranuleRange[] {
  const found: GranuleRange[] = [];
  const add = (first: number, count: number): void => {
    if (first < 0 || count < 1) return;
    const made = { first, count, leaves: leavesOf(s, first, count) };
    if (smaller(made, r)) found.push(made);
  };
  for (let j = 51; j >= 0; j -= 1) {
    const by = POW2[j] as number;
    if (by > r.first + r.count) continue;
    add(r.first, r.count - by);
    add(r.first + by, r.count - by);
    add(r.first - by, r.count);
  }
  return found;
}

export function shrinkRange(s: RangeShape, start: GranuleRange, shows: (r: GranuleRange) => boolean): GranuleRange {
  let best = start;
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const next = nearby(s, best).find(shows);
    if (next === undefined) return best;
    best = next;
  }
  return best;
}

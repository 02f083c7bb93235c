/**
 * Range visitor: what the reviewers of seed 2 ask for in place of a walk of its own. The library's visitor of ranges clips the range to each table before
 * it enters it, so that an index is never computed from an address beyond, and tells of leaves in runs; each run is cleaned once: exactly the lines
 * that hold leaves of the range, at every level. Holes are passed over and no warning.
 *
 * A run waits for the next one and is joined with it when that begins in the same line or the next one of the same table: so no line is cleaned twice,
 * and what lies between is in these lines anyway.
 */
import { newCleanCost } from '../room.js';
import { visitLeaves } from '../visitor.js';
import type { LeafCleaner } from './leaf-cleaner.js';
import { joins } from './runs.js';

export function rangeVisitor(): LeafCleaner {
  const cost = newCleanCost();
  return {
    name: 'range-visitor', about: 'one walk after the last map, by the library’s own visitor of ranges', deferred: true, cost,
    leavesWritten() { /* deferred */ },
    callDone() { /* deferred */ },
    syncMap(room, iova, size) {
      if (size === 0) return;
      let from = 0;
      let end = 0;
      const clean = (): void => {
        if (end === from) return;
        cost.calls += 1;
        cost.lines += room.cpu.clean(from, end - from, 'sync-map');
      };
      cost.walks += 1;
      cost.descriptors += visitLeaves(room, iova, size, (ref, count) => {
        if (end === from || !joins(room, { ref: from, end }, ref)) {
          clean();
          from = ref;
        }
        end = ref + count;
      });
      clean();
    },
  };
}

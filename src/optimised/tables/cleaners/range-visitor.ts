/**
 * Range visitor: what the reviewers of seed 2 ask for in place of a walk of its own. The library's visitor of ranges clips the range to each table before
 * it enters it, so that an index is never computed from an address beyond, and tells of leaves in runs; runs that share a line are joined (runs.ts):
 * exactly the lines that hold leaves of the range are cleaned, at every level, each once. Holes are passed over and no warning.
 */
import { newCleanCost } from '../room.js';
import { visitLeaves } from '../visitor.js';
import type { LeafCleaner } from './leaf-cleaner.js';
import { OpenRuns } from './runs.js';

export function rangeVisitor(): LeafCleaner {
  const cost = newCleanCost();
  return {
    name: 'range-visitor', about: 'one walk after the last map, by the library’s own visitor of ranges', deferred: true, cost,
    leavesWritten() { /* deferred */ },
    callDone() { /* deferred */ },
    syncMap(room, iova, size) {
      if (size === 0) return;
      const runs = new OpenRuns();
      const clean = (ref: number, words: number): void => {
        cost.calls += 1;
        cost.lines += room.cpu.clean(ref, words, 'sync-map');
      };
      cost.walks += 1;
      cost.descriptors += visitLeaves(room, iova, size, (ref, count) => { runs.add(room, ref, count, clean); });
      runs.close(clean);
    },
  };
}

/**
 * map-sg: what the reviewers of seed 2 propose in place of a second walk. The call that maps a whole scatter list knows where it has written: runs of
 * leaves that are neighbours in one table grow together, and a run is cleaned once, when the next one begins elsewhere or the call is done, also
 * when it failed half-way (what was mapped until then stays mapped, and must be visible). No walk, no descriptor is looked at again.
 *
 * A piece mapped by a call of its own is a list of one. Runs are kept for each CPU: a clean takes along what its own CPU has not yet made visible.
 */
import { newCleanCost } from '../room.js';
import type { CleanCpu, CleanRoom, LeafCleaner } from './leaf-cleaner.js';
import { joins } from './runs.js';

/** What one CPU has written and not cleaned: [ref, end). */
interface OwnRun {
  readonly cpu: CleanCpu;
  ref: number;
  end: number;
}

export function mapSg(): LeafCleaner {
  const cost = newCleanCost();
  const runs: OwnRun[] = [];

  /** That of this CPU; empty when it is new. */
  const runOf = (room: CleanRoom): OwnRun => {
    for (const run of runs) if (run.cpu === room.cpu) return run;
    const run: OwnRun = { cpu: room.cpu, ref: 0, end: 0 };
    runs.push(run);
    return run;
  };
  const cleaned = (run: OwnRun): void => {
    if (run.end === run.ref) return;
    cost.calls += 1;
    cost.lines += run.cpu.clean(run.ref, run.end - run.ref, 'leaves');
    run.end = run.ref;
  };

  return {
    name: 'map-sg', about: 'each run of leaves in one table once, at the end of the run or of the call', deferred: false, oneWalk: true, cost,
    leavesWritten(room, ref, count) {
      const run = runOf(room);
      if (run.end > run.ref && joins(room, run, ref)) {
        run.end = ref + count;
        return;
      }
      cleaned(run);
      run.ref = ref;
      run.end = ref + count;
    },
    callDone(room) {
      cleaned(runOf(room));
    },
    syncMap() { /* nothing is left */ },
  };
}

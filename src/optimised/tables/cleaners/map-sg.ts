/**
 * map-sg: what the reviewers of seed 2 propose in place of a second walk. The call that maps a whole scatter list knows where it has written: runs of
 * leaves that are neighbours in one table grow together, and a run is cleaned once, when the next one begins elsewhere or the call is done, also
 * when it failed half-way (what was mapped until then stays mapped, and must be visible). No walk, no descriptor is looked at again.
 *
 * A piece mapped by a call of its own is a list of one. Runs are kept for each CPU: a clean takes along what its own CPU has not yet made visible.
 */
import { newCleanCost, type Cleaner, type TableCpu, type TableRoom } from '../room.js';

const LINE_WORDS = 8;

/** What one CPU has written and not cleaned: [ref, end). */
interface Run {
  readonly cpu: TableCpu;
  ref: number;
  end: number;
}

export function mapSg(): Cleaner {
  const cost = newCleanCost();
  const runs: Run[] = [];

  /** That of this CPU; empty when it is new. */
  const runOf = (room: TableRoom): Run => {
    for (const run of runs) if (run.cpu === room.cpu) return run;
    const run: Run = { cpu: room.cpu, ref: 0, end: 0 };
    runs.push(run);
    return run;
  };
  const cleaned = (run: Run): void => {
    if (run.end === run.ref) return;
    cost.calls += 1;
    cost.lines += run.cpu.clean(run.ref, run.end - run.ref, 'leaves');
    run.end = run.ref;
  };

  return {
    name: 'map-sg', about: 'each run of leaves in one table once, at the end of the run or of the call', deferred: false, cost,
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

/**
 * Are the leaves at `ref` in the same table as the run, behind it, and in the line that it ends in or the next one? Tables are as large as they are aligned; a
 * concatenated root counts as one.
 */
function joins(room: TableRoom, run: Run, ref: number): boolean {
  const root = room.root * 512;
  const inRoot = run.ref >= root && run.ref < root + room.shape.rootEntries;
  const words = inRoot ? room.shape.rootEntries : room.shape.frames * 512;
  const table = inRoot ? root : run.ref - (run.ref % words);
  if (ref < run.end || ref >= table + words) return false;
  return Math.floor(ref / LINE_WORDS) - Math.floor((run.end - 1) / LINE_WORDS) <= 1;
}

/**
 * map-sg: what the reviewers of seed 2 propose in place of a second walk. The call that maps a whole scatter list knows where it has written: runs of leaves
 * that share lines grow together (runs.ts), and are cleaned once, when leaves elsewhere in their table come or the call is done, also when it
 * failed half-way (what was mapped until then stays mapped, and must be visible). The table that the last piece was written to is kept, so
 * that the walk from the root is made once for each table; no descriptor is looked at again.
 *
 * The default of the optimised driver: it is sound wherever the library's own stores are, because it cleans what was stored and computes no
 * index of its own; and of the four it is the cheapest, in lines (as few as any), in walks and in descriptors looked at. A caller that maps pages by single
 * calls gets what eager does, and nothing that is not visible yet.
 *
 * Runs are kept for each CPU: a clean takes along what its own CPU has not yet made visible.
 */
import { newCleanCost } from '../room.js';
import type { CleanCpu, CleanRoom, LeafCleaner } from './leaf-cleaner.js';
import { OpenRuns } from './runs.js';

interface OwnRuns {
  readonly cpu: CleanCpu;
  readonly runs: OpenRuns;
  readonly clean: (ref: number, words: number) => void;
}

export function mapSg(): LeafCleaner {
  const cost = newCleanCost();
  const all: OwnRuns[] = [];

  const runsOf = ({ cpu }: CleanRoom): OwnRuns => {
    for (const own of all) if (own.cpu === cpu) return own;
    const clean = (ref: number, words: number): void => {
      cost.calls += 1;
      cost.lines += cpu.clean(ref, words, 'leaves');
    };
    const own = { cpu, runs: new OpenRuns(), clean };
    all.push(own);
    return own;
  };

  return {
    name: 'map-sg', about: 'each run of leaves in one table once, at the end of the run or of the call', deferred: false, oneWalk: true, cost,
    leavesWritten(room, ref, count) {
      const { runs, clean } = runsOf(room);
      runs.add(room, ref, count, clean);
    },
    callDone(room) {
      const { runs, clean } = runsOf(room);
      runs.close(clean);
    },
    syncMap() { /* nothing is left */ },
  };
}

/**
 * Eager: what io-pgtable does before seed 2. Every run of leaves is cleaned as soon as it is written: right for every caller, needs no call of its own
 * afterwards, and cleans a line once for each map call that writes into it, eight times when single pages are mapped one by one.
 */
import { newCleanCost, type Cleaner } from '../room.js';

export function eagerCleaner(): Cleaner {
  const cost = newCleanCost();
  return {
    name: 'eager', about: 'each run of leaves, as soon as it is written', deferred: false, cost,
    leavesWritten(room, ref, count) {
      cost.calls += 1;
      cost.lines += room.cpu.clean(ref, count, 'leaves');
    },
    callDone() { /* nothing is left */ },
    syncMap() { /* nothing is left */ },
  };
}

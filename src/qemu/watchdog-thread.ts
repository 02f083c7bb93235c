/**
 * The watchdog's thread. Time is counted in naps, not read off a clock: a program that was stopped for an hour and
 * goes on has not waited an hour for its reply.
 */
import { workerData } from 'node:worker_threads';
import { CELL_LIVE, SLOT_BASE, SLOT_CELLS, SLOT_COUNT, SLOT_HUNG, SLOT_PATIENCE, SLOT_PID, SLOTS } from './watchdog.js';

const NAP_MS = 20;
const cells = workerData as Int32Array<SharedArrayBuffer>;
const seen = new Int32Array(SLOTS);
const waited = new Float64Array(SLOTS);
const nap = new Int32Array(new SharedArrayBuffer(4));

function look(slot: number): void {
  const base = SLOT_BASE + slot * SLOT_CELLS;
  const pid = Atomics.load(cells, base + SLOT_PID);
  const count = Atomics.load(cells, base + SLOT_COUNT);
  const waiting = pid !== 0 && (count & 1) !== 0 && count === seen[slot];
  seen[slot] = count;
  waited[slot] = waiting ? (waited[slot] as number) + NAP_MS : 0;
  if (!waiting || (waited[slot] as number) < Atomics.load(cells, base + SLOT_PATIENCE) || Atomics.exchange(cells, base + SLOT_HUNG, 1) !== 0) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It died meanwhile.
  }
}

for (;;) {
  Atomics.wait(cells, CELL_LIVE, 0);
  Atomics.wait(nap, 0, 0, NAP_MS);
  for (let slot = 0; slot < SLOTS; slot += 1) look(slot);
}

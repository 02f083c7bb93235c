/**
 * Watchdog: a blocking read cannot be given up, so a thread of its own watches that replies come, and kills the QEMU
 * whose reply does not: the read then ends. One thread for all QEMUs of this thread, started with the first.
 */
import { Worker } from 'node:worker_threads';

/** The first cell counts the live slots; then come the slots. */
export const CELL_LIVE = 0;
export const SLOT_BASE = 1;
export const SLOTS = 64;
/** Of a slot: a counter that is odd while a reply is awaited, QEMU's process (0: free), its patience, and whether it was killed. */
export const SLOT_COUNT = 0;
export const SLOT_PID = 1;
export const SLOT_PATIENCE = 2;
export const SLOT_HUNG = 3;
export const SLOT_CELLS = 4;

let cells: Int32Array<SharedArrayBuffer> | null = null;

function shared(): Int32Array<SharedArrayBuffer> {
  if (cells === null) {
    cells = new Int32Array(new SharedArrayBuffer(4 * (SLOT_BASE + SLOTS * SLOT_CELLS)));
    new Worker(new URL('./watchdog-thread.js', import.meta.url), { workerData: cells, execArgv: [], stdin: false }).unref();
  }
  return cells;
}

/** The watch over one QEMU. */
export class Watch {
  readonly #cells = shared();
  readonly #base: number;

  constructor(pid: number, patienceMs: number) {
    let slot = 0;
    while (slot < SLOTS && this.#cells[SLOT_BASE + slot * SLOT_CELLS + SLOT_PID] !== 0) slot += 1;
    if (slot === SLOTS) throw new Error(`more than ${SLOTS} QEMUs at once`);
    this.#base = SLOT_BASE + slot * SLOT_CELLS;
    Atomics.store(this.#cells, this.#base + SLOT_COUNT, 0);
    Atomics.store(this.#cells, this.#base + SLOT_HUNG, 0);
    this.patience(patienceMs);
    Atomics.store(this.#cells, this.#base + SLOT_PID, pid);
    Atomics.add(this.#cells, CELL_LIVE, 1);
    Atomics.notify(this.#cells, CELL_LIVE);
  }

  patience(ms: number): void {
    Atomics.store(this.#cells, this.#base + SLOT_PATIENCE, Math.max(1, Math.ceil(ms)));
  }

  /** Once before a reply is awaited and once when it is there. */
  turn(): void {
    Atomics.add(this.#cells, this.#base + SLOT_COUNT, 1);
  }

  /** Was it killed because no reply came? */
  get hung(): boolean {
    return Atomics.load(this.#cells, this.#base + SLOT_HUNG) !== 0;
  }

  end(): void {
    Atomics.store(this.#cells, this.#base + SLOT_PID, 0);
    Atomics.sub(this.#cells, CELL_LIVE, 1);
  }
}

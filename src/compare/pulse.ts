/**
 * Pulse: how the thread that runs a candidate tells the thread that watches it where it is. A counter that is odd while the candidate has
 * the word, and what it was asked, in memory that both threads share: when the candidate never returns, the watcher still knows the question.
 */
import type { Tg } from '../spec/granule.js';
import { newDescription, type Description } from '../stack/description.js';
import type { PlannerFeatures } from '../stack/planner.js';

const CELL_COUNT = 0;
/** What the candidate does while the counter is odd: 0 loading, 1 planning. */
const CELL_DOING = 1;
/** Not 0: end after what runs now. */
const CELL_STOP = 2;
const CELLS = 4;
const BYTES_CELLS = 4 * CELLS;
const NUMBERS = 8;
export const PULSE_BYTES = BYTES_CELLS + 8 * NUMBERS;

/** One question to a planner. */
export interface Question {
  readonly description: Description;
  readonly features: PlannerFeatures;
}

export class Pulse {
  readonly #cells: Int32Array;
  readonly #numbers: Float64Array;

  constructor(memory: ArrayBufferLike) {
    this.#cells = new Int32Array(memory, 0, CELLS);
    this.#numbers = new Float64Array(memory, BYTES_CELLS, NUMBERS);
  }

  /** The candidate is asked. */
  ask(d: Description, f: PlannerFeatures): void {
    const n = this.#numbers;
    n[0] = d.tg;
    n[1] = d.first;
    n[2] = d.last;
    n[3] = d.leaves;
    n[4] = d.tables;
    n[5] = Number(d.all);
    n[6] = Number(f.range);
    n[7] = Number(f.ds);
    this.begin(true);
  }

  begin(planning: boolean): void {
    Atomics.store(this.#cells, CELL_DOING, Number(planning));
    Atomics.add(this.#cells, CELL_COUNT, 1);
  }

  /** It answered. */
  end(): void {
    Atomics.add(this.#cells, CELL_COUNT, 1);
  }

  /** Asks the other thread for an end. */
  stop(): void {
    Atomics.store(this.#cells, CELL_STOP, 1);
  }

  get stopped(): boolean {
    return Atomics.load(this.#cells, CELL_STOP) !== 0;
  }

  get count(): number {
    return Atomics.load(this.#cells, CELL_COUNT);
  }

  /** Does the candidate have the word? */
  get busy(): boolean {
    return (this.count & 1) !== 0;
  }

  get planning(): boolean {
    return Atomics.load(this.#cells, CELL_DOING) !== 0;
  }

  get question(): Question {
    const n = this.#numbers;
    const at = (i: number): number => n[i] as number;
    const description: Description = { ...newDescription(), tg: at(0) as Tg, first: at(1), last: at(2), leaves: at(3), tables: at(4), all: at(5) !== 0 };
    return { description, features: { range: at(6) !== 0, ds: at(7) !== 0 } };
  }
}

/** A pulse that nobody feels. */
export function alone(): Pulse {
  return new Pulse(new ArrayBuffer(PULSE_BYTES));
}

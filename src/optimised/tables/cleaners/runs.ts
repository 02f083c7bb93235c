/**
 * Runs: which leaves are cleaned together. A run of leaves stays open, to grow, until leaves elsewhere in its table come, or everything is closed. One run in
 * each of the tables on a way can be open, so that blocks between tables, and pages below them, do not interrupt each other.
 *
 * Leaves join a run when they begin behind it in the line that it ends in, or in the next one: cleaning both at once then cleans no line that cleaning each
 * would not, and cleaning each could clean a line twice.
 */
import type { TableShape } from '../geometry.js';
import type { CleanRoom } from './leaf-cleaner.js';

const LINE_WORDS = 8;
/** Levels of the deepest table. */
const OPEN_MAX = 5;

/** Which walk a run belongs to: where its tables are. */
type Tables = Pick<CleanRoom, 'root'> & { readonly shape: TableShape };

/** Cleans [ref, ref + words). */
export type CleanRun = (ref: number, words: number) => void;

/** First word of the table that `ref` lies in. Tables are as large as they are aligned; a concatenated root counts as one. */
function tableOf(room: Tables, ref: number): number {
  const root = room.root * 512;
  if (ref >= root && ref < root + room.shape.rootEntries) return root;
  return ref - (ref % (room.shape.frames * 512));
}

export class OpenRuns {
  /** Where each run begins and ends; the one that grew last is the last. */
  readonly #refs = new Float64Array(OPEN_MAX);
  readonly #ends = new Float64Array(OPEN_MAX);
  #count = 0;

  /** Leaves [ref, ref + count) of one table. */
  add(room: Tables, ref: number, count: number, clean: CleanRun): void {
    const table = tableOf(room, ref);
    let from = ref;
    for (let i = this.#count - 1; i >= 0; i -= 1) {
      const run = this.#refs[i] as number;
      if (tableOf(room, run) !== table) continue;
      const end = this.#ends[i] as number;
      this.#drop(i);
      if (ref >= end && Math.floor(ref / LINE_WORDS) - Math.floor((end - 1) / LINE_WORDS) <= 1) from = run;
      else clean(run, end - run);
      break;
    }
    if (this.#count === OPEN_MAX) this.#close(0, clean);
    this.#refs[this.#count] = from;
    this.#ends[this.#count] = ref + count;
    this.#count += 1;
  }

  /** Cleans all of them. */
  close(clean: CleanRun): void {
    for (let i = 0; i < this.#count; i += 1) clean(this.#refs[i] as number, (this.#ends[i] as number) - (this.#refs[i] as number));
    this.#count = 0;
  }

  #close(i: number, clean: CleanRun): void {
    const ref = this.#refs[i] as number;
    const words = (this.#ends[i] as number) - ref;
    this.#drop(i);
    clean(ref, words);
  }

  #drop(i: number): void {
    this.#refs.copyWithin(i, i + 1, this.#count);
    this.#ends.copyWithin(i, i + 1, this.#count);
    this.#count -= 1;
  }
}

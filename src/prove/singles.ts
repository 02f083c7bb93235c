/**
 * Singles: plans that are one command after another at equal steps, as a planner without ranges gives them: up to 2^18 commands, most of what
 * a whole proof has to read (IHI 0070 §4.4.1.1: TG = 0, one address each).
 *
 * Every word of such a run is compared with what it must be, in one native comparison with a table of its own: single-address payloads from
 * some frame on at some step, written here, entry by entry, and never taken from a planner. What is not equal to the last bit is no run,
 * and the judge reads it command by command. A run that is one is decided by arithmetic: it asks for what its first command asks for,
 * in steps, to the last.
 */
/** Fewer commands are read one by one: faster than a native comparison. */
export const RUN_LEAST = 24;
/** Payloads of the table; a longer run is none. */
const TABLE = 2 ** 19;
const BYTES = 16;

const PER_HIGH = 2 ** -20;
/** Word 2 of a single address: Leaf, and the address from bit 12 on. */
const NOT_SINGLE = 0xffe;

/** The frame that the payload at `at` names. */
export function frameOf(words: Uint32Array, at: number): number {
  return (words[at + 3] as number) * 1048576 + ((words[at + 2] as number) >>> 12);
}

export class Singles {
  /** Frames from one command to the next of the run that was found last. */
  step = 0;
  readonly #least: number;
  /** The table: payload i names #from + i * #step, with #leaf; #filled of them are written. */
  #table = new Uint32Array(0);
  #tableBytes: Buffer = Buffer.alloc(0);
  #from = 0;
  #step = 0;
  #leaf = 0;
  #filled = 0;
  /** The plans that were asked about last, as bytes. */
  #words: Uint32Array | null = null;
  #bytes: Buffer = Buffer.alloc(0);

  /** `least`: commands of the shortest run. */
  constructor(least = RUN_LEAST) {
    this.#least = Math.max(2, least);
  }

  /**
   * Where a run begins that lasts to the end of the plan: 0 or 1, because the first address may stand off the steps; `count`: nowhere. All of it is
   * single addresses, nothing reserved is set, and each names the frame one `step` after the one before.
   */
  begin(words: Uint32Array, count: number): number {
    for (let at = 0; at <= 1 && count - at >= this.#least; at += 1) if (this.#isRun(words, at, count)) return at;
    return count;
  }

  #isRun(words: Uint32Array, begin: number, count: number): boolean {
    const at = begin * 4;
    const first = frameOf(words, at);
    const step = frameOf(words, at + 4) - first;
    const leaf = (words[at + 2] as number) & 1;
    const n = count - begin;
    // What cannot be one must not cost a new table.
    if (!(step > 0) || n > TABLE || ((words[at + 2] as number) & NOT_SINGLE) !== 0 || frameOf(words, count * 4 - 4) !== first + (n - 1) * step) return false;
    const to = this.#reach(first, step, leaf, n);
    if (words !== this.#words) {
      this.#words = words;
      this.#bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
    }
    this.step = step;
    return this.#bytes.compare(this.#tableBytes, (to - n) * BYTES, to * BYTES, begin * BYTES, count * BYTES) === 0;
  }

  /** Makes the table have `n` payloads from `first` on; returns the index after the last of them. */
  #reach(first: number, step: number, leaf: number, n: number): number {
    let index = step === this.#step && leaf === this.#leaf ? (first - this.#from) / step : -1;
    if (!(index >= 0 && index + n <= TABLE && Number.isInteger(index))) {
      index = 0;
      this.#from = first;
      this.#step = step;
      this.#leaf = leaf;
      this.#filled = 0;
    }
    if (index + n > this.#filled) this.#fill(index + n);
    return index + n;
  }

  #fill(to: number): void {
    if (this.#table.length === 0) {
      this.#table = new Uint32Array(TABLE * 4);
      this.#tableBytes = Buffer.from(this.#table.buffer);
    }
    const table = this.#table;
    for (let i = this.#filled; i < to; i += 1) {
      const frame = this.#from + i * this.#step;
      const high = Math.floor(frame * PER_HIGH);
      table[i * 4] = 0;
      table[i * 4 + 1] = 0;
      table[i * 4 + 2] = (frame - high * 1048576) * 4096 + this.#leaf;
      table[i * 4 + 3] = high;
    }
    this.#filled = to;
  }
}

/** Of `n` frames from `first` on, `step` apart: how many are multiples of `span`, a power of two? */
export function multiples(first: number, step: number, n: number, span: number): number {
  const rest = first - Math.floor(first / span) * span;
  const stride = span / step;
  if (stride <= 1 && step % span === 0) return rest === 0 ? n : 0;
  if (!Number.isInteger(stride)) return slowly(rest, step, n, span);
  if (rest === 0) return Math.floor((n - 1) / stride) + 1;
  const before = (span - rest) / step; // steps to the first multiple
  return !Number.isInteger(before) || before >= n ? 0 : Math.floor((n - 1 - before) / stride) + 1;
}

function slowly(rest: number, step: number, n: number, span: number): number {
  let found = 0;
  for (let i = 0; i < n; i += 1) if ((rest + i * step) % span === 0) found += 1;
  return found;
}

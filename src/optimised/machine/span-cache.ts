/**
 * SpanCache: the hashed store that the TLB and the walk cache are made of. An entry is one descriptor (its two
 * halves) under the tag (ASID, level) and the number of the span it covers: frame / frames-per-entry at its level,
 * 4 KB granule. Set-associative, round robin per set, all in typed arrays, nothing allocated after construction.
 *
 * Why it equals its slow twin (a list of entries that is searched from end to end): an entry lives only in the set
 * that its own tag and span number hash to, `claim` looks there for the same key first, so no key is held twice;
 * and `dropSpans` either tries every key that the scope could hold or compares every entry. Losing an entry to
 * replacement is always legal (no caching at all is: IHI 0070 §16.2).
 */
import { mix } from '../../memory/memory.js';

const WAYS = 4;
/** Frames spanned by one entry of a level 0..3, and the exact reciprocals (powers of two). */
const SPAN_FRAMES: readonly number[] = [2 ** 27, 2 ** 18, 2 ** 9, 1];
const PER_FRAME: readonly number[] = [2 ** -27, 2 ** -18, 2 ** -9, 1];
const HIGH = 2 ** -32;

/** Which entries a command names. Reused from command to command. */
export interface SpanScope {
  /** -1: every ASID. */
  asid: number;
  /** Inclusive frames; an entry is named when its span meets them anywhere. */
  first: number;
  last: number;
  /** Inclusive levels. */
  fromLevel: number;
  toLevel: number;
}

/** Number of the span of `level` in which `frame` lies. */
export function spanNumber(frame: number, level: number): number {
  return Math.floor(frame * (PER_FRAME[level] as number));
}

export class SpanCache {
  readonly entries: number;
  readonly #ways: number;
  readonly #setMask: number;
  /** asid * 4 + level, or -1 for an empty entry. */
  readonly #tags: Int32Array;
  readonly #spans: Float64Array;
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
  /** Where the descriptor leads: first output frame, or frame of the next table. */
  readonly target: Float64Array;
  readonly #turn: Uint8Array;
  /** Live entries by level: empty levels need no probe. */
  readonly #live = new Int32Array(4);

  /** `entries`: a power of two. */
  constructor(entries: number) {
    if (!Number.isInteger(Math.log2(entries))) throw new RangeError(`a cache has a power of two of entries, not ${entries}`);
    this.entries = entries;
    this.#ways = Math.min(WAYS, entries);
    const sets = entries / this.#ways;
    this.#setMask = sets - 1;
    this.#tags = new Int32Array(entries).fill(-1);
    this.#spans = new Float64Array(entries);
    this.lo = new Uint32Array(entries);
    this.hi = new Uint32Array(entries);
    this.target = new Float64Array(entries);
    this.#turn = new Uint8Array(sets);
  }

  /** Entry that covers `frame` at `level` for `asid`, or -1. */
  find(asid: number, level: number, frame: number): number {
    if (this.#live[level] === 0) return -1;
    return this.#probe(asid * 4 + level, Math.floor(frame * (PER_FRAME[level] as number)));
  }

  #probe(tag: number, span: number): number {
    return this.#search(this.#setOf(tag, span), tag, span);
  }

  #search(first: number, tag: number, span: number): number {
    const end = first + this.#ways;
    for (let i = first; i < end; i += 1) if (this.#spans[i] === span && this.#tags[i] === tag) return i;
    return -1;
  }

  /** First entry of the set where this key may be. */
  #setOf(tag: number, span: number): number {
    return (mix(span ^ Math.imul(span * HIGH, 0x2c1b3c6d) ^ Math.imul(tag, 0x9e3779b1)) & this.#setMask) * this.#ways;
  }

  /** The entry to be filled for this key: the one that has it, an empty one, or the set's next victim. */
  claim(asid: number, level: number, frame: number): number {
    const tag = asid * 4 + level;
    const span = spanNumber(frame, level);
    const first = this.#setOf(tag, span);
    let at = this.#search(first, tag, span);
    if (at >= 0) return at;
    for (let i = first; i < first + this.#ways && at < 0; i += 1) if (this.#tags[i] === -1) at = i;
    if (at < 0) at = this.#victim(first);
    this.#tags[at] = tag;
    this.#spans[at] = span;
    this.#live[level] = (this.#live[level] as number) + 1;
    return at;
  }

  #victim(first: number): number {
    const set = first / this.#ways;
    const way = this.#turn[set] as number;
    this.#turn[set] = (way + 1) % this.#ways;
    this.#drop(first + way);
    return first + way;
  }

  fill(entry: number, lo: number, hi: number, target: number): void {
    this.lo[entry] = lo;
    this.hi[entry] = hi;
    this.target[entry] = target;
  }

  /** Level of an entry that `find` or `claim` returned. */
  levelOf(entry: number): number {
    return (this.#tags[entry] as number) & 3;
  }

  /** First frame of the span of such an entry. */
  startOf(entry: number): number {
    return (this.#spans[entry] as number) * (SPAN_FRAMES[this.levelOf(entry)] as number);
  }

  #drop(entry: number): void {
    const level = (this.#tags[entry] as number) & 3;
    this.#live[level] = (this.#live[level] as number) - 1;
    this.#tags[entry] = -1;
  }

  get #empty(): boolean {
    const live = this.#live;
    return live[0] === 0 && live[1] === 0 && live[2] === 0 && live[3] === 0;
  }

  clear(): void {
    if (this.#empty) return;
    this.#tags.fill(-1);
    this.#live.fill(0);
  }

  dropAsid(asid: number): void {
    if (this.#empty) return;
    for (let i = 0; i < this.entries; i += 1) {
      const tag = this.#tags[i] as number;
      if (tag >= 0 && tag >> 2 === asid) this.#drop(i);
    }
  }

  /** Drops exactly the entries of the scope: by trying the keys when they are few, else by looking at every entry. */
  dropSpans(scope: SpanScope): void {
    for (let level = scope.fromLevel; level <= scope.toLevel; level += 1) {
      if (this.#live[level] === 0) continue;
      const first = spanNumber(scope.first, level);
      const last = spanNumber(scope.last, level);
      if (scope.asid < 0 || last - first > this.#setMask) this.#scan(scope.asid, level, first, last);
      else this.#tryEach(scope.asid * 4 + level, first, last);
    }
  }

  #tryEach(tag: number, first: number, last: number): void {
    for (let span = first; span <= last; span += 1) {
      const at = this.#probe(tag, span);
      if (at >= 0) this.#drop(at);
    }
  }

  #scan(asid: number, level: number, first: number, last: number): void {
    for (let i = 0; i < this.entries; i += 1) {
      const tag = this.#tags[i] as number;
      if (tag < 0 || (tag & 3) !== level || (asid >= 0 && tag >> 2 !== asid)) continue;
      const span = this.#spans[i] as number;
      if (span >= first && span <= last) this.#drop(i);
    }
  }

  /** Visits every entry; `frame` is the first of its span. */
  forEach(visit: (asid: number, frame: number, level: number, lo: number, hi: number) => void): void {
    for (let i = 0; i < this.entries; i += 1) {
      const tag = this.#tags[i] as number;
      if (tag >= 0) visit(tag >> 2, this.startOf(i), tag & 3, this.lo[i] as number, this.hi[i] as number);
    }
  }
}

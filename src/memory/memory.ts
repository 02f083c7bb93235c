/**
 * Physical memory: 64-bit words, sparse by 4 KiB frame. What stands in the arrays is what every CPU and every coherent
 * SMMU sees; a CPU's own stores wait in its store buffer first (`cpu.ts`). Other SMMUs: `walker-view.ts`.
 *
 * Hot form: a word is named by a *reference*, slot * 512 + index, where a slot is the place of its frame in
 * the arrays. Frames of the RAM window [RAM_BASE, RAM_BASE + slots) have slot = frame - RAM_BASE, so that
 * following a table pointer is one subtraction.
 */
import type { Journal } from './journal.js';

/** First frame of the RAM window: tables, CDs, queues and driver objects live here. */
export const RAM_BASE = 0x100000;
export const WORDS_PER_FRAME = 512;

/** A machine that must hear of stores to the pages it watches. Called after the word has its new value. */
export interface MemoryWatcher {
  stored(slot: number, index: number, oldLo: number, oldHi: number): void;
}

/** Cleans lines from the CPUs' cache for walkers that do not look into it (walker-view.ts); returns how many lines these are. */
export interface LineCleaner {
  clean(ref: number, words: number): number;
  /** The cache writes a dirty line back by itself: the n-th by address, modulo their number. */
  evict(n: number): boolean;
}

export class Memory {
  readonly journal: Journal;
  lo: Uint32Array;
  hi: Uint32Array;
  /** Changes of any word of a slot so far: lets a reader know that a page is as it was. */
  version: Uint32Array;
  /** Words of a slot whose bit 0 is set, as that of a valid descriptor is: a reader of tables need not look for more. */
  odd: Uint16Array;
  /** How many watchers asked for this slot. */
  watched: Uint16Array;
  watchers: MemoryWatcher[] = [];
  /** Set where walkers have a view of their own. */
  walkers: LineCleaner | null = null;
  /** Told when there is room for more slots. */
  grown: ((slots: number) => void) | null = null;
  /** Incremental fingerprint of all words (two 32-bit halves); kept only while the journal records. */
  printA = 0;
  printB = 0;
  #slots: number;

  constructor(journal: Journal, slots = 128) {
    this.journal = journal;
    this.#slots = slots;
    this.lo = new Uint32Array(slots * WORDS_PER_FRAME);
    this.hi = new Uint32Array(slots * WORDS_PER_FRAME);
    this.version = new Uint32Array(slots);
    this.odd = new Uint16Array(slots);
    this.watched = new Uint16Array(slots);
  }

  get slots(): number {
    return this.#slots;
  }

  /** Slot of a frame, or -1 when the frame is outside of modelled memory. */
  slotOf(frame: number): number {
    const slot = frame - RAM_BASE;
    return slot >= 0 && slot < this.#slots ? slot : -1;
  }

  frameOf(slot: number): number {
    return RAM_BASE + slot;
  }

  /** Makes room for at least `slots` slots (doubling). References stay valid. */
  grow(slots: number): void {
    if (slots <= this.#slots) return;
    let size = this.#slots;
    while (size < slots) size *= 2;
    this.lo = enlarge(this.lo, new Uint32Array(size * WORDS_PER_FRAME));
    this.hi = enlarge(this.hi, new Uint32Array(size * WORDS_PER_FRAME));
    this.version = enlarge(this.version, new Uint32Array(size));
    this.odd = enlarge(this.odd, new Uint16Array(size));
    this.watched = enlarge(this.watched, new Uint16Array(size));
    this.#slots = size;
    this.grown?.(size);
  }

  /** A store becomes visible to everybody. Watchers of the page hear of it if the word changes. */
  commit(ref: number, lo: number, hi: number): void {
    const oldLo = this.lo[ref] as number;
    const oldHi = this.hi[ref] as number;
    if (oldLo === lo && oldHi === hi) return;
    const slot = Math.floor(ref / WORDS_PER_FRAME);
    this.lo[ref] = lo;
    this.hi[ref] = hi;
    this.odd[slot] = (this.odd[slot] as number) + (lo & 1) - (oldLo & 1);
    this.version[slot] = (this.version[slot] as number) + 1;
    this.journal.clock.now += 1;
    if (this.journal.recording) this.#record(ref, slot, oldLo, oldHi);
    if (this.watched[slot] === 0) return;
    const index = ref % WORDS_PER_FRAME;
    const watchers = this.watchers;
    for (let i = 0; i < watchers.length; i += 1) (watchers[i] as MemoryWatcher).stored(slot, index, oldLo, oldHi);
  }

  /** Every word of a page becomes zero, visibly. */
  zeroPage(slot: number): void {
    const first = slot * WORDS_PER_FRAME;
    if (this.watched[slot] === 0 && !this.journal.recording) {
      this.lo.fill(0, first, first + WORDS_PER_FRAME);
      this.hi.fill(0, first, first + WORDS_PER_FRAME);
      this.odd[slot] = 0;
      this.version[slot] = (this.version[slot] as number) + 1;
      this.journal.clock.now += 1;
      return;
    }
    for (let i = 0; i < WORDS_PER_FRAME; i += 1) this.commit(first + i, 0, 0);
  }

  #record(ref: number, slot: number, oldLo: number, oldHi: number): void {
    this.#print(ref, oldLo, oldHi);
    this.#print(ref, this.lo[ref] as number, this.hi[ref] as number);
    this.journal.push(() => {
      this.#print(ref, this.lo[ref] as number, this.hi[ref] as number);
      this.#print(ref, oldLo, oldHi);
      this.odd[slot] = (this.odd[slot] as number) + (oldLo & 1) - ((this.lo[ref] as number) & 1);
      this.lo[ref] = oldLo;
      this.hi[ref] = oldHi;
      this.version[slot] = (this.version[slot] as number) - 1;
    });
  }

  /** Adds or removes one (word, value) pair of the fingerprint: exclusive-or of a mix, zero words count nothing. */
  #print(ref: number, lo: number, hi: number): void {
    if (lo === 0 && hi === 0) return;
    const a = mix(mix(ref ^ 0x9e3779b9) ^ lo);
    const b = mix(a ^ hi ^ 0x85ebca6b);
    this.printA ^= mix(a ^ b);
    this.printB ^= b;
  }

  watch(slot: number): void {
    this.watched[slot] = (this.watched[slot] as number) + 1;
    if (this.journal.recording) this.journal.push(() => { this.watched[slot] = (this.watched[slot] as number) - 1; });
  }

  unwatch(slot: number): void {
    this.watched[slot] = (this.watched[slot] as number) - 1;
    if (this.journal.recording) this.journal.push(() => { this.watched[slot] = (this.watched[slot] as number) + 1; });
  }
}

function enlarge<T extends Uint32Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** A 32-bit finalizer (multiply and shift), used for fingerprints and hashed tables. */
export function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return x ^ (x >>> 16);
}

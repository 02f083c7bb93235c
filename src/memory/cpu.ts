/**
 * Cpu: one processor's view of memory. Stores wait in a buffer until a barrier, until the buffer is full, or
 * until somebody drains it (the interleaving engine does); loads see the CPU's own pending stores first. Every
 * load, store and barrier counts as work, so that a call that never ends is noticed (`Stuck`).
 *
 * Buffered stores drain oldest first, or, with order 'reverse', newest first (Arm orders plain stores to
 * different words in no way; a word's own stores are then merged, so that the last value stays the last).
 */
import { Stuck } from '../stack/violation.js';
import type { Memory } from './memory.js';

const CAPACITY = 64;
/** Words of work that one call may do before it counts as stuck: far above the largest legal call. */
export const STEP_BUDGET = 8_000_000;

/** Why a barrier stands where it stands; a step filter names them. */
export type BarrierSite = 'map-done' | 'before-invs' | 'command-published' | 'entry-target-visible' | 'table-contents' | 'array-published';

/** What a clean of cache lines is for; only domains whose walkers are not coherent need any. */
export type CleanSite = 'root-table' | 'new-table' | 'table-pointer' | 'cleared' | 'leaves' | 'sync-map';

const LINE_WORDS = 8;

export class Cpu {
  readonly memory: Memory;
  readonly #order: 'fifo' | 'reverse';
  readonly #refs = new Int32Array(CAPACITY);
  readonly #los = new Uint32Array(CAPACITY);
  readonly #his = new Uint32Array(CAPACITY);
  /** Oldest pending store; the next ones follow it around the ring. */
  #head = 0;
  #count = 0;
  /** One bit per hash of a pending word: a load that misses it need not search. */
  #filter = 0;
  #steps = 0;
  #budget = STEP_BUDGET;
  /** Set by mutants only: barriers for which it says false are left out. */
  barrierFilter: ((site: BarrierSite) => boolean) | null = null;
  /** Set by mutants only: what becomes of a clean. 'early': it takes what stands in the cache, not waiting for this CPU's own stores. */
  cleanFilter: ((site: CleanSite, ref: number, words: number) => 'whole' | 'none' | 'early' | 'short') | null = null;
  /** Calls of `clean` so far, also where there is nothing to clean for. */
  cleanCalls = 0;

  constructor(memory: Memory, order: 'fifo' | 'reverse' = 'fifo') {
    this.memory = memory;
    this.#order = order;
  }

  /** Stores that are not visible yet. */
  get pending(): number {
    return this.#count;
  }

  /** Starts the step budget of one call. */
  begin(budget = STEP_BUDGET): void {
    this.#steps = 0;
    this.#budget = budget;
  }

  get steps(): number {
    return this.#steps;
  }

  /** One unit of work that is neither a load nor a store (a poll). */
  step(what: string): void {
    this.#steps += 1;
    if (this.#steps > this.#budget) throw new Stuck(`${what}: more than ${this.#budget} steps in one call`);
  }

  loadLo(ref: number): number {
    if ((this.#steps += 1) > this.#budget) this.step('load');
    if (this.#count > 0 && (this.#filter & (1 << (ref & 31))) !== 0) {
      const at = this.#find(ref);
      if (at >= 0) return this.#los[at] as number;
    }
    return this.memory.lo[ref] as number;
  }

  loadHi(ref: number): number {
    if (this.#count > 0 && (this.#filter & (1 << (ref & 31))) !== 0) {
      const at = this.#find(ref);
      if (at >= 0) return this.#his[at] as number;
    }
    return this.memory.hi[ref] as number;
  }

  store(ref: number, lo: number, hi: number): void {
    if ((this.#steps += 1) > this.#budget) this.step('store');
    const recording = this.memory.journal.recording;
    if (recording) this.#save();
    if (this.#order === 'reverse') {
      const at = this.#find(ref);
      if (at >= 0) {
        this.#los[at] = lo;
        this.#his[at] = hi;
        return;
      }
    }
    if (this.#count === CAPACITY) this.#drainHead();
    const at = (this.#head + this.#count) % CAPACITY;
    this.#refs[at] = ref;
    this.#los[at] = lo;
    this.#his[at] = hi;
    this.#count += 1;
    this.#filter |= 1 << (ref & 31);
  }

  /** `count` consecutive words, each `stepFrame` frames further in its address field than the last (a run of leaves). */
  storeRun(ref: number, count: number, lo: number, hi: number, stepFrame: number): void {
    let low = lo;
    let high = hi;
    // A long run pushes everything older out, and its own first words: they need not pass through the buffer.
    const through = this.#order === 'fifo' && count > CAPACITY && !this.memory.journal.recording ? count - CAPACITY : 0;
    if (through > 0) this.drainAll();
    for (let i = 0; i < count; i += 1) {
      if (i < through) {
        this.#steps += 1;
        this.memory.commit(ref + i, low, high);
      } else {
        this.store(ref + i, low, high);
      }
      if (stepFrame !== 0) {
        const sum = low + stepFrame * 4096;
        if (sum >= 4294967296) high += Math.floor(sum / 4294967296);
        low = sum % 4294967296;
      }
    }
  }

  /**
   * One atomic compare-exchange, seen by everybody at once: this CPU's own stores to the word come first, its other stores may stay behind (it is a
   * relaxed one). True: the word held the old value, and holds the new one now.
   */
  compareExchange(ref: number, oldLo: number, oldHi: number, lo: number, hi: number): boolean {
    if ((this.#steps += 1) > this.#budget) this.step('compare-exchange');
    if (this.#count > 0) this.#drainBetween(ref, ref + 1);
    if (this.memory.lo[ref] !== oldLo || this.memory.hi[ref] !== oldHi) return false;
    this.memory.commit(ref, lo, hi);
    return true;
  }

  /** Sets the bits of a word in one atomic step, as `compareExchange` does. */
  setBits(ref: number, lo: number, hi: number): void {
    if ((this.#steps += 1) > this.#budget) this.step('atomic or');
    if (this.#count > 0) this.#drainBetween(ref, ref + 1);
    this.memory.commit(ref, ((this.memory.lo[ref] as number) | lo) >>> 0, ((this.memory.hi[ref] as number) | hi) >>> 0);
  }

  /** Clears the bits of a word in one atomic step. */
  clearBits(ref: number, lo: number, hi: number): void {
    if ((this.#steps += 1) > this.#budget) this.step('atomic and');
    if (this.#count > 0) this.#drainBetween(ref, ref + 1);
    this.memory.commit(ref, ((this.memory.lo[ref] as number) & ~lo) >>> 0, ((this.memory.hi[ref] as number) & ~hi) >>> 0);
  }

  /** Everything this CPU stored becomes visible before anything it does next. */
  barrier(site: BarrierSite): void {
    if (this.barrierFilter !== null && !this.barrierFilter(site)) return;
    this.drainAll();
  }

  /**
   * Cleans every line that [ref, ref + words) touches, and waits for it (DC CVAC for each, then DSB). This CPU's own stores to these lines
   * leave the store buffer first: maintenance by address keeps its order with stores to the same line. Others may stay behind.
   */
  clean(ref: number, words: number, site: CleanSite): number {
    const { journal, walkers } = this.memory;
    this.cleanCalls += 1;
    if (journal.recording) journal.push(() => { this.cleanCalls -= 1; });
    if (walkers === null) return 0;
    const how = this.cleanFilter === null ? 'whole' : this.cleanFilter(site, ref, words);
    if (how === 'none') return 0;
    const first = ref - (ref % LINE_WORDS);
    let end = ref + words + LINE_WORDS - 1;
    end -= end % LINE_WORDS;
    if (how === 'short') end -= LINE_WORDS;
    if (end <= first) return 0;
    if (how !== 'early') this.#drainBetween(first, end);
    const lines = walkers.clean(first, end - first);
    if ((this.#steps += lines) > this.#budget) this.step('clean');
    if (how === 'early') this.#drainBetween(first, end);
    return lines;
  }

  /** Pending stores to [first, end) become visible; the others keep their places. */
  #drainBetween(first: number, end: number): void {
    let found = 0;
    for (let i = 0; i < this.#count; i += 1) {
      const ref = this.#refs[(this.#head + i) % CAPACITY] as number;
      if (ref >= first && ref < end) found += 1;
    }
    if (found === 0) return;
    if (found === this.#count) this.drainAll();
    else this.#drainWhere((ref) => ref >= first && ref < end);
  }

  drainAll(): void {
    if (this.#count === 0) return;
    if (this.memory.journal.recording) this.#save();
    const n = this.#count;
    this.#count = 0;
    this.#filter = 0;
    for (let i = 0; i < n; i += 1) {
      const at = (this.#head + (this.#order === 'fifo' ? i : n - 1 - i)) % CAPACITY;
      this.memory.commit(this.#refs[at] as number, this.#los[at] as number, this.#his[at] as number);
    }
    this.#head = 0;
  }

  /** Only pending stores to the slots for which `which` says so become visible (plain stores are not ordered). */
  drainOnly(which: (slot: number) => boolean): void {
    this.#drainWhere((ref) => which(Math.floor(ref / 512)));
  }

  #drainWhere(which: (ref: number) => boolean): void {
    if (this.memory.journal.recording) this.#save();
    const n = this.#count;
    const head = this.#head;
    this.#head = 0;
    this.#count = 0;
    const refs = this.#refs.slice();
    const los = this.#los.slice();
    const his = this.#his.slice();
    for (let i = 0; i < n; i += 1) {
      const at = (head + i) % CAPACITY;
      const ref = refs[at] as number;
      if (which(ref)) {
        this.memory.commit(ref, los[at] as number, his[at] as number);
        continue;
      }
      this.#refs[this.#count] = ref;
      this.#los[this.#count] = los[at] as number;
      this.#his[this.#count] = his[at] as number;
      this.#count += 1;
    }
  }

  /** The oldest pending store becomes visible (an act of the environment). */
  drainOldest(): void {
    if (this.#count === 0) return;
    if (this.memory.journal.recording) this.#save();
    this.#drainHead();
  }

  #drainHead(): void {
    const at = this.#head;
    this.#head = (at + 1) % CAPACITY;
    this.#count -= 1;
    this.memory.commit(this.#refs[at] as number, this.#los[at] as number, this.#his[at] as number);
  }

  /** Place of the newest pending store to `ref`, or -1. */
  #find(ref: number): number {
    for (let i = this.#count - 1; i >= 0; i -= 1) {
      const at = (this.#head + i) % CAPACITY;
      if (this.#refs[at] === ref) return at;
    }
    return -1;
  }

  #save(): void {
    const count = this.#count;
    const head = this.#head;
    const refs = this.#refs.slice();
    const los = this.#los.slice();
    const his = this.#his.slice();
    const filter = this.#filter;
    this.memory.journal.push(() => {
      this.#refs.set(refs);
      this.#los.set(los);
      this.#his.set(his);
      this.#count = count;
      this.#head = head;
      this.#filter = filter;
    });
  }

  /** Pending stores as text: part of a state's identity. */
  pendingKey(): string {
    let key = '';
    for (let i = 0; i < this.#count; i += 1) {
      const at = (this.#head + i) % CAPACITY;
      key += `${this.#refs[at]}=${this.#his[at]}:${this.#los[at]};`;
    }
    return key;
  }
}

/**
 * WalkerView: what SMMUs that do not look into the CPU's caches read (IHI 0070 §3.15, IDR0.COHACC = 0). `Memory` is what CPUs and coherent
 * SMMUs see; this is a second Memory of the same frames. Pages that are cached (translation tables) reach it a line at a time: when software
 * cleans the line, or when the cache writes it back by itself, which it may do at any time. Every other page (queues, STEs, CDs, the
 * driver's own objects) is mapped uncached and is the same in both views, whoever writes it.
 *
 * A page that was allocated just now shows the walker whatever stood in it before: its lines are *ghosts* until each was written back once. A
 * store makes its line dirty; a dirty line differs from what the CPU sees, or may do so. A clean here is the maintenance instruction and the
 * barrier that completes it (DSB) in one; what it finds in the cache is the business of the CPU that gives it (`Cpu.clean`).
 */
import { Memory, type MemoryWatcher, mix, WORDS_PER_FRAME } from './memory.js';

/** A cache line: 64 bytes. */
export const LINE_WORDS = 8;
export const LINES_PER_FRAME = WORDS_PER_FRAME / LINE_WORDS;
/** Lines of one 32-bit word of the bitmaps. */
const GROUP = 32;
const GROUPS_PER_FRAME = LINES_PER_FRAME / GROUP;

export interface Eviction {
  /** After every so many stores to cached pages a dirty line is written back; 0: never. */
  readonly oneIn: number;
  /** Draws the lines. */
  readonly seed: number;
}

export const NO_EVICTION: Eviction = { oneIn: 0, seed: 0 };

/** Hears what happens to cached pages, before anything is written back because of it. */
export interface ViewListener {
  /** A store reached the CPU's cache; the word has its new value there, the line is dirty. */
  stored(ref: number, oldLo: number, oldHi: number): void;
  /** The page is handed out: all of its lines are ghosts. */
  allocated(slot: number): void;
  /** Software cleaned the lines `first` to `last`. */
  cleanedLines(first: number, last: number): void;
}

export class WalkerView {
  readonly memory: Memory;
  listener: ViewListener | null = null;
  readonly #cpu: Memory;
  readonly #cached: (slot: number) => boolean;
  readonly #oneIn: number;
  #random: number;
  #stores = 0;
  #dirty: Uint32Array;
  #ghost: Uint32Array;
  /** Dirty lines by slot. */
  #count: Uint8Array;
  #dirtyLines = 0;
  #cleans = 0;
  #calls = 0;

  /** `cached`: is the page of this slot cached (a table), or nobody's? Asked at each store. */
  constructor(cpuView: Memory, cached: (slot: number) => boolean, eviction = NO_EVICTION) {
    this.#cpu = cpuView;
    this.#cached = cached;
    this.#oneIn = eviction.oneIn;
    this.#random = eviction.seed | 0;
    const slots = cpuView.slots;
    this.memory = new Memory(cpuView.journal, slots);
    this.memory.lo.set(cpuView.lo);
    this.memory.hi.set(cpuView.hi);
    this.memory.odd.set(cpuView.odd);
    this.#dirty = new Uint32Array(slots * GROUPS_PER_FRAME);
    this.#ghost = new Uint32Array(slots * GROUPS_PER_FRAME);
    this.#count = new Uint8Array(slots);
    for (const memory of [cpuView, this.memory]) memory.watched.forEach((n, slot, all) => { all[slot] = n + 1; });
    cpuView.watchers.push(this.#ofCpu());
    this.memory.watchers.push(this.#ofWalker());
    cpuView.grown = (size) => { this.#grow(size); };
    cpuView.walkers = this;
  }

  get dirtyLines(): number {
    return this.#dirtyLines;
  }

  /** Lines that were cleaned so far, dirty or not: that is the cost. */
  get cleans(): number {
    return this.#cleans;
  }

  /** Calls of `clean` so far. */
  get calls(): number {
    return this.#calls;
  }

  #ofCpu(): MemoryWatcher {
    return {
      stored: (slot, index, oldLo, oldHi) => {
        const ref = slot * WORDS_PER_FRAME + index;
        if (!this.#cached(slot)) {
          this.memory.commit(ref, this.#cpu.lo[ref] as number, this.#cpu.hi[ref] as number);
          return;
        }
        this.#soil(Math.floor(ref / LINE_WORDS), false);
        this.listener?.stored(ref, oldLo, oldHi);
        if (this.#oneIn > 0) this.#draw();
      },
    };
  }

  /** What an SMMU writes (event records, MSIs) to uncached pages is seen by everybody. */
  #ofWalker(): MemoryWatcher {
    return {
      stored: (slot, index) => {
        if (this.#cached(slot)) return;
        const ref = slot * WORDS_PER_FRAME + index;
        this.#cpu.commit(ref, this.memory.lo[ref] as number, this.memory.hi[ref] as number);
      },
    };
  }

  #grow(size: number): void {
    const before = this.memory.slots;
    this.memory.grow(size);
    for (let slot = before; slot < size; slot += 1) {
      for (const memory of [this.#cpu, this.memory]) memory.watched[slot] = (memory.watched[slot] as number) + 1;
    }
    this.#dirty = enlarge(this.#dirty, new Uint32Array(size * GROUPS_PER_FRAME));
    this.#ghost = enlarge(this.#ghost, new Uint32Array(size * GROUPS_PER_FRAME));
    this.#count = enlarge(this.#count, new Uint8Array(size));
  }

  /** A page was handed out. A cached one shows the walker what stood in it; any other one is the same in both views. */
  allocated(slot: number): void {
    const first = slot * WORDS_PER_FRAME;
    if (!this.#cached(slot)) {
      for (let i = 0; i < LINES_PER_FRAME; i += 1) this.#writeBack(first / LINE_WORDS + i);
      return;
    }
    for (let i = 0; i < LINES_PER_FRAME; i += 1) this.#soil(first / LINE_WORDS + i, true);
    this.listener?.allocated(slot);
  }

  /** A page was given back, and nobody will miss what its dirty lines hold. What the walker sees of it stays. */
  released(slot: number): void {
    if ((this.#count[slot] as number) === 0) return;
    for (let i = 0; i < LINES_PER_FRAME; i += 1) this.#forget(slot * LINES_PER_FRAME + i);
  }

  /** Writes back every line that [ref, ref + words) touches; returns how many these are. */
  clean(ref: number, words: number): number {
    const first = Math.floor(ref / LINE_WORDS);
    const last = Math.floor((ref + words - 1) / LINE_WORDS);
    const lines = last - first + 1;
    this.#cleans += lines;
    this.#calls += 1;
    if (this.memory.journal.recording) this.memory.journal.push(() => { this.#cleans -= lines; this.#calls -= 1; });
    this.listener?.cleanedLines(first, last);
    for (let line = first; line <= last; line += 1) if (this.#bit(this.#dirty, line)) this.#writeBack(line);
    return lines;
  }

  /** Writes back the n-th dirty line (modulo their number) by address; false: none is dirty. */
  evict(n: number): boolean {
    const line = this.dirtyLine(n);
    if (line < 0) return false;
    this.#writeBack(line);
    return true;
  }

  /** The n-th dirty line (modulo their number) by address, or -1: its first word is at line * 8. */
  dirtyLine(n: number): number {
    if (this.#dirtyLines === 0) return -1;
    let left = n % this.#dirtyLines;
    let slot = 0;
    for (; left >= (this.#count[slot] as number); slot += 1) left -= this.#count[slot] as number;
    for (let line = slot * LINES_PER_FRAME; ; line += 1) {
      if (!this.#bit(this.#dirty, line)) continue;
      if (left === 0) return line;
      left -= 1;
    }
  }

  isDirty(ref: number): boolean {
    return this.#bit(this.#dirty, Math.floor(ref / LINE_WORDS));
  }

  /** Dirty lines of one page. */
  dirtyIn(slot: number): number {
    return this.#count[slot] as number;
  }

  /** Does the line of this word still show the walker what stood in the page before it was allocated? */
  isGhost(ref: number): boolean {
    return this.#bit(this.#ghost, Math.floor(ref / LINE_WORDS));
  }

  /** Reference of the first word of the page that shows what stood there before, or -1. */
  ghostIn(slot: number): number {
    for (let i = 0; i < GROUPS_PER_FRAME; i += 1) {
      const bits = this.#ghost[slot * GROUPS_PER_FRAME + i] as number;
      if (bits !== 0) return ((slot * GROUPS_PER_FRAME + i) * GROUP + 31 - Math.clz32(bits & -bits)) * LINE_WORDS;
    }
    return -1;
  }

  /** Does the walker see this word as the CPUs do? */
  agrees(ref: number): boolean {
    return this.memory.lo[ref] === this.#cpu.lo[ref] && this.memory.hi[ref] === this.#cpu.hi[ref];
  }

  /** What the walker sees, which lines are dirty and which line is drawn next, as text: part of a state's identity. */
  key(): string {
    let lines = '';
    this.#count.forEach((n, slot) => {
      if (n === 0) return;
      const at = slot * GROUPS_PER_FRAME;
      lines += `;${slot}:${this.#dirty.subarray(at, at + GROUPS_PER_FRAME).join('.')}:${this.#ghost.subarray(at, at + GROUPS_PER_FRAME).join('.')}`;
    });
    return `${this.memory.printA},${this.memory.printB},${this.#oneIn === 0 ? 0 : `${this.#stores}.${this.#random}`}${lines}`;
  }

  #draw(): void {
    const { journal } = this.memory;
    const stores = this.#stores;
    const random = this.#random;
    if (journal.recording) journal.push(() => { this.#stores = stores; this.#random = random; });
    this.#stores = (stores + 1) % this.#oneIn;
    if (this.#stores !== 0) return;
    this.#random = (Math.imul(random, 1664525) + 1013904223) | 0;
    this.evict(mix(this.#random) >>> 0);
  }

  #bit(map: Uint32Array, line: number): boolean {
    return ((map[Math.floor(line / GROUP)] as number) & (1 << line % GROUP)) !== 0;
  }

  #soil(line: number, ghost: boolean): void {
    if (this.#bit(this.#dirty, line) && (!ghost || this.#bit(this.#ghost, line))) return;
    this.#flags(line, true, ghost);
  }

  #forget(line: number): void {
    if (this.#bit(this.#dirty, line)) this.#flags(line, false, false);
  }

  #writeBack(line: number): void {
    this.#forget(line);
    for (let ref = line * LINE_WORDS; ref < (line + 1) * LINE_WORDS; ref += 1) this.memory.commit(ref, this.#cpu.lo[ref] as number, this.#cpu.hi[ref] as number);
  }

  #flags(line: number, dirty: boolean, ghost: boolean): void {
    const { journal } = this.memory;
    if (journal.recording) {
      const wasDirty = this.#bit(this.#dirty, line);
      const wasGhost = this.#bit(this.#ghost, line);
      journal.push(() => { this.#write(line, wasDirty, wasGhost); });
    }
    this.#write(line, dirty, ghost);
  }

  #write(line: number, dirty: boolean, ghost: boolean): void {
    const at = Math.floor(line / GROUP);
    const bit = 1 << line % GROUP;
    const change = Number(dirty) - Number(this.#bit(this.#dirty, line));
    const slot = Math.floor(line / LINES_PER_FRAME);
    this.#dirtyLines += change;
    this.#count[slot] = (this.#count[slot] as number) + change;
    this.#dirty[at] = dirty ? (this.#dirty[at] as number) | bit : (this.#dirty[at] as number) & ~bit;
    this.#ghost[at] = ghost ? (this.#ghost[at] as number) | bit : (this.#ghost[at] as number) & ~bit;
  }
}

function enlarge<T extends Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

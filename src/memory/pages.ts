/**
 * Pages: who owns which frame of the RAM window, and the driver's small objects (the heap). An owner is a word
 * such as 'table' or 'cd'; freeing tells the listeners first, while whatever still points to the page can be
 * found. The allocator is an act of the environment with a lock of its own, so it is not split into steps.
 */
import { type Memory, RAM_BASE, WORDS_PER_FRAME } from './memory.js';

export type PageOwner = 'table' | 'cd' | 'stream' | 'queue' | 'heap' | 'guest';

/** Told when a page is given back, before it can be reused. */
export interface FreeListener {
  freed(slot: number, owner: PageOwner): void;
}

/** Told of pages as they come and go: a page that is handed out has its owner, one that was given back has none and is zeroed. */
export interface PageObserver {
  allocated(slot: number): void;
  released(slot: number): void;
}

export interface AllocationFault {
  readonly kind: 'double-free' | 'use-after-free';
  readonly what: string;
}

/** Words of the heap: cells that two CPUs may share. Enough for the tag bitmaps of 8 SMMUs and their arrays. */
export const HEAP_FRAMES = 40;
const HEAP_WORDS = HEAP_FRAMES * WORDS_PER_FRAME;
/** First frame of the memory of guests, where a system has any: the pages that are handed out first. */
export const GUEST_FRAME = RAM_BASE + HEAP_FRAMES;
/** Words behind each object that belong to nobody: reading one is a fault. */
const GUARD = 1;
/** Pages at the most: beyond it allocations fail, as they would on a machine that has run out. */
export const PAGES_MAX = 32_768;

/** What driver code may ask of the allocator. */
export interface PagesPort {
  readonly memory: Memory;
  failNext(): void;
  /** The n-th dirty line of the tables (modulo their number) is written back, where walkers have a view of their own. */
  evict(line: number): void;
  allocate(owner: PageOwner): number;
  release(slot: number): void;
  allocateObject(words: number): number;
  releaseObject(ref: number): void;
  touch(ref: number, what: string): void;
}

export class Pages implements PagesPort {
  readonly memory: Memory;
  readonly listeners: FreeListener[] = [];
  /** The walkers' view, where they have one. */
  observer: PageObserver | null = null;
  #owner: (PageOwner | null)[] = [];
  #free: number[] = [];
  /** Free tables of more than one frame, by their frames. */
  readonly #freeTables = new Map<number, number[]>();
  /** Version of a freed page when it was zeroed: a store that reaches it later is noticed when it is handed out again. */
  readonly #zeroed: number[] = [];
  #used = 0;
  /** Heap: sizes of live objects by first word, 0 elsewhere; free objects by size. */
  readonly #objectSize = new Int32Array(HEAP_WORDS);
  readonly #live = new Uint8Array(HEAP_WORDS);
  readonly #freeObjects = new Map<number, number[]>();
  #heapTop = 0;
  #liveObjects = 0;
  #failNext = false;
  /** Allocations refused so far: tells whether a call met the failing one. */
  refused = 0;
  /** First misuse of the allocator or of a freed object. */
  fault: AllocationFault | null = null;

  constructor(memory: Memory) {
    this.memory = memory;
    memory.grow(HEAP_FRAMES);
    for (let i = 0; i < HEAP_FRAMES; i += 1) this.#owner.push('heap');
  }

  /** Pages handed out and not given back, the heap apart. */
  get pagesInUse(): number {
    return this.#used;
  }

  get objectsInUse(): number {
    return this.#liveObjects;
  }

  ownerOf(slot: number): PageOwner | null {
    return this.#owner[slot] ?? null;
  }

  failNext(): void {
    const before = this.#failNext;
    this.#failNext = true;
    if (this.memory.journal.recording) this.memory.journal.push(() => { this.#failNext = before; });
  }

  evict(line: number): void {
    this.memory.walkers?.evict(line);
  }

  #refuse(): boolean {
    if (!this.#failNext) return false;
    this.#failNext = false;
    this.refused += 1;
    if (this.memory.journal.recording) this.memory.journal.push(() => { this.#failNext = true; this.refused -= 1; });
    return true;
  }

  #misuse(fault: AllocationFault): void {
    if (this.fault !== null) return;
    this.fault = fault;
    if (this.memory.journal.recording) this.memory.journal.push(() => { this.fault = null; });
  }

  #exhausted(is: boolean): boolean {
    if (!is) return false;
    this.refused += 1;
    if (this.memory.journal.recording) this.memory.journal.push(() => { this.refused -= 1; });
    return true;
  }

  /** A zeroed page (visible to everybody as zeros), or -1. Returns its slot. */
  allocate(owner: PageOwner): number {
    if (this.#refuse() || this.#exhausted(this.#used >= PAGES_MAX)) return -1;
    let slot = this.#free.pop();
    const fresh = slot === undefined;
    if (slot === undefined) {
      slot = this.#owner.length;
      this.#owner.push(null);
      this.memory.grow(slot + 1);
    }
    if (!fresh) this.#untouched(slot);
    this.#owner[slot] = owner;
    this.#used += 1;
    const given = slot;
    if (this.memory.journal.recording) {
      this.memory.journal.push(() => {
        this.#used -= 1;
        this.#owner[given] = null;
        if (fresh) this.#owner.pop(); else this.#free.push(given);
      });
    }
    this.observer?.allocated(given);
    return given;
  }

  /** `count` neighbouring pages for a structure larger than one (set-up only; never refused). Returns the first slot. */
  allocateRun(owner: PageOwner, count: number): number {
    const first = this.#owner.length;
    for (let i = 0; i < count; i += 1) this.#owner.push(owner);
    this.memory.grow(first + count);
    this.#used += count;
    for (let i = 0; i < count; i += 1) this.observer?.allocated(first + i);
    return first;
  }

  /** A page that is handed out again must be as it was when it was freed. */
  #untouched(slot: number): void {
    if (this.memory.version[slot] === this.#zeroed[slot]) return;
    this.#misuse({ kind: 'use-after-free', what: `a store reached page 0x${this.memory.frameOf(slot).toString(16)}000 after it was freed` });
    this.memory.zeroPage(slot);
  }

  /** A zeroed table of `frames` neighbouring frames (a power of two), aligned to its size; its first slot, or -1. */
  allocateTable(frames: number): number {
    if (frames === 1) return this.allocate('table');
    if (this.#refuse() || this.#exhausted(this.#used + frames > PAGES_MAX)) return -1;
    const known = this.#freeTables.get(frames);
    const reused = known?.pop();
    const before = this.#owner.length;
    const slot = reused ?? Math.ceil(before / frames) * frames;
    if (reused === undefined) {
      this.memory.grow(slot + frames);
      for (let i = before; i < slot + frames; i += 1) {
        this.#owner.push(null);
        this.#zeroed[i] = this.memory.version[i] as number;
        if (i < slot) this.#free.push(i);
      }
    }
    for (let i = slot; i < slot + frames; i += 1) {
      this.#untouched(i);
      this.#owner[i] = 'table';
    }
    this.#used += frames;
    if (this.memory.journal.recording) {
      this.memory.journal.push(() => {
        this.#used -= frames;
        for (let i = slot; i < slot + frames; i += 1) this.#owner[i] = null;
        if (reused !== undefined) {
          known?.push(slot);
          return;
        }
        this.#owner.length = before;
        this.#free.length -= slot - before;
      });
    }
    if (this.observer !== null) for (let i = slot; i < slot + frames; i += 1) this.observer.allocated(i);
    return slot;
  }

  /** Gives a table of `frames` frames back. */
  releaseTable(slot: number, frames: number): void {
    if (frames === 1) {
      this.release(slot);
      return;
    }
    if (this.#owner[slot] !== 'table' || slot % frames !== 0) {
      this.#misuse({ kind: 'double-free', what: `table 0x${this.memory.frameOf(slot).toString(16)}000` });
      return;
    }
    for (const listener of this.listeners) for (let i = slot; i < slot + frames; i += 1) listener.freed(i, 'table');
    for (let i = slot; i < slot + frames; i += 1) {
      this.#owner[i] = null;
      this.memory.zeroPage(i);
      this.observer?.released(i);
      this.#zeroed[i] = this.memory.version[i] as number;
    }
    this.#used -= frames;
    let list = this.#freeTables.get(frames);
    if (list === undefined) this.#freeTables.set(frames, list = []);
    list.push(slot);
    if (this.memory.journal.recording) {
      this.memory.journal.push(() => {
        list.pop();
        this.#owner.fill('table', slot, slot + frames);
        this.#used += frames;
      });
    }
  }

  /** Gives a page back. Listeners hear of it while its contents still stand; then it is zeroed. */
  release(slot: number): void {
    const owner = this.#owner[slot];
    if (owner === null || owner === undefined || owner === 'heap') {
      this.#misuse({ kind: 'double-free', what: `page 0x${this.memory.frameOf(slot).toString(16)}000` });
      return;
    }
    for (const listener of this.listeners) listener.freed(slot, owner);
    this.#owner[slot] = null;
    this.#used -= 1;
    this.memory.zeroPage(slot);
    this.observer?.released(slot);
    this.#zeroed[slot] = this.memory.version[slot] as number;
    this.#free.push(slot);
    if (this.memory.journal.recording) {
      this.memory.journal.push(() => {
        this.#free.pop();
        this.#owner[slot] = owner;
        this.#used += 1;
      });
    }
  }

  /** A zeroed driver object of `words` words; returns the reference of its first word, or -1. */
  allocateObject(words: number): number {
    if (this.#refuse()) return -1;
    const list = this.#freeObjects.get(words);
    let ref = list?.pop();
    const fresh = ref === undefined;
    if (ref === undefined) {
      ref = this.#heapTop;
      if (this.#exhausted(ref + words > HEAP_WORDS)) return -1;
      this.#heapTop += words + GUARD;
    }
    const at = ref;
    for (let i = 0; i < words; i += 1) {
      this.#live[at + i] = 1;
      this.memory.commit(at + i, 0, 0);
    }
    this.#objectSize[at] = words;
    this.#liveObjects += 1;
    if (this.memory.journal.recording) {
      this.memory.journal.push(() => {
        this.#live.fill(0, at, at + words);
        this.#objectSize[at] = 0;
        this.#liveObjects -= 1;
        if (fresh) this.#heapTop = at; else list?.push(at);
      });
    }
    return at;
  }

  releaseObject(ref: number): void {
    const words = this.#objectSize[ref] as number;
    if (words === 0) {
      this.#misuse({ kind: 'double-free', what: `driver object ${ref}` });
      return;
    }
    this.#objectSize[ref] = 0;
    this.#live.fill(0, ref, ref + words);
    this.#liveObjects -= 1;
    let list = this.#freeObjects.get(words);
    if (list === undefined) this.#freeObjects.set(words, list = []);
    list.push(ref);
    if (this.memory.journal.recording) {
      this.memory.journal.push(() => {
        list.pop();
        this.#objectSize[ref] = words;
        this.#live.fill(1, ref, ref + words);
        this.#liveObjects += 1;
      });
    }
  }

  /** Must be asked before a shared object is read: a freed one is a fault of the driver. */
  touch(ref: number, what: string): void {
    if (this.#live[ref] === 0) this.#misuse({ kind: 'use-after-free', what });
  }
}

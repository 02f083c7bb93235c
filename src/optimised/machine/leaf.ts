/**
 * Leaf: the leaf descriptor at which a walk ended, read once and judged step by step; one object, used again for every walk. It
 * also writes the hardware updates of access flag and dirty state (IHI 0070 §3.13), each a store of the whole word that is
 * seen by all at once.
 *
 * Addresses: spec/descriptor.ts knows every form; for 4 KB granules with 48-bit addresses they are taken with masks here, which
 * is the same, because no such block spans more than 30 address bits.
 */
import { POW2 } from '../../spec/bits.js';
import { BIT_AF, HI_CONTIGUOUS, leafAddress, tableAddress } from '../../spec/descriptor.js';
import { contiguousEntries, levelShift } from '../../spec/granule.js';
import type { Memory } from '../../memory/memory.js';
import type { Context } from './context.js';

/** Low-half bits of a leaf's address field that count, by level (1 GB, 2 MB, 4 KB). */
const BLOCK_MASK: readonly number[] = [0, 0xc0000000, 0xffe00000, 0xfffff000];
const HIGH_FRAMES = 2 ** 20;
/** What members of a run share: everything but the address. */
const ATTRIBUTES_LOW = 0xfff;
const ATTRIBUTES_HIGH = 0xfff80000;

/** Frame of the table that a table descriptor names. */
export function tableTarget(lo: number, hi: number, c: Context): number {
  return c.plain ? (hi & 0xffff) * HIGH_FRAMES + (lo >>> 12) : tableAddress(lo, hi, c);
}

function leafTarget(lo: number, hi: number, level: number, c: Context): number {
  return c.plain ? (hi & 0xffff) * HIGH_FRAMES + ((lo & (BLOCK_MASK[level] as number)) >>> 12) : leafAddress(lo, hi, level, c);
}

export class Leaf {
  readonly #memory: Memory;
  readonly #mergeRuns: boolean;
  /** Reference of the word; the word; its level and output frame. */
  ref = 0;
  lo = 0;
  hi = 0;
  level = 3;
  target = 0;
  /** log2 of the frames that one entry for it may span; more than the descriptor's own for a merged run. */
  shift = 0;
  merged = false;

  constructor(memory: Memory, mergeRuns: boolean) {
    this.#memory = memory;
    this.#mergeRuns = mergeRuns;
  }

  read(ref: number, level: number, c: Context): void {
    this.ref = ref;
    this.level = level;
    this.lo = this.#memory.lo[ref] as number;
    this.hi = this.#memory.hi[ref] as number;
    this.target = leafTarget(this.lo, this.hi, level, c);
  }

  get accessed(): boolean {
    return (this.lo & BIT_AF) !== 0;
  }

  /** Stores a new low half. */
  update(lo: number): void {
    this.lo = lo >>> 0;
    this.#memory.commit(this.ref, this.lo, this.hi);
  }

  /** Output frame less input frame, for any frame that the leaf translates. */
  deltaFrom(frame: number, c: Context): number {
    const per = c.per[this.level + 1] as number;
    return this.target - Math.floor(frame * per) / per;
  }

  /** Sets `shift` and `merged`, once the word is what will be cached. */
  measure(c: Context): void {
    const own = c.plain ? 9 * (3 - this.level) : levelShift(c.tg, this.level) - 12;
    this.shift = own;
    this.merged = false;
    if ((this.hi & HI_CONTIGUOUS) === 0 || !this.#mergeRuns) return;
    const count = contiguousEntries(c.tg, this.level, c.ds);
    if (count === 1 || !this.#uniform(count, POW2[own] as number, c)) return;
    this.shift = own + 31 - Math.clz32(count);
    this.merged = true;
  }

  /** Are all members of the run alike, with consecutive addresses from an aligned one on? Otherwise it is cached apart. */
  #uniform(count: number, frames: number, c: Context): boolean {
    if (this.level === c.startLevel && c.rootEntries < count) return false;
    const memory = this.#memory;
    const first = this.ref - (this.ref % count);
    const start = this.target - (this.ref - first) * frames;
    if (start % (count * frames) !== 0) return false;
    for (let i = 0; i < count; i += 1) {
      const lo = memory.lo[first + i] as number;
      const hi = memory.hi[first + i] as number;
      if (leafTarget(lo, hi, this.level, c) !== start + i * frames || ((lo ^ this.lo) & ATTRIBUTES_LOW) !== 0 || ((hi ^ this.hi) & ATTRIBUTES_HIGH) !== 0) return false;
    }
    return true;
  }
}

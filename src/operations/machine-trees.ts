/**
 * Trees: translation tables as a random machine sequence builds them: tables are handed out on the way to an entry, and
 * every entry that was written is remembered, so that it can be changed later. Addresses are 4 KiB frames.
 */
import { addressHigh, addressLow, ATTR_NORMAL_CACHED, BIT_TABLE, BIT_VALID, SH_INNER } from '../spec/descriptor.js';
import { POW2 } from '../spec/bits.js';
import { levelFrames, levelIndex, type Tg } from '../spec/granule.js';
import type { TableContext } from '../spec/tables.js';
import { RAM_BASE } from '../memory/memory.js';
import { PLACE } from './machine-worlds.js';

/** Frames of RAM that tables may take. */
const POOL_END = 500;

/** Hands out aligned frames of RAM; when there are none left, the first ones again. */
export class Pool {
  #next: number = PLACE.pool;

  /** First frame (of physical memory). `frames`: a power of two. */
  take(frames: number): number {
    const at = Math.ceil(this.#next / frames) * frames;
    if (at + frames > POOL_END) return RAM_BASE + Math.ceil(PLACE.pool / frames) * frames;
    this.#next = at + frames;
    return RAM_BASE + at;
  }

  /** Frames of RAM that are in use. */
  get end(): number {
    return this.#next;
  }
}

/** One descriptor that was written. */
export interface Entry {
  readonly tree: Tree;
  /** Byte address of the descriptor. */
  readonly at: number;
  readonly level: number;
  /** First input frame that it serves. */
  readonly frame: number;
  readonly table: boolean;
  lo: number;
  hi: number;
}

export type Emit = (at: number, lo: number, hi: number) => void;

export class Tree {
  readonly stage: 1 | 2;
  readonly context: TableContext;
  /** What is added to frames of this tree to make an input address (upper half). */
  readonly base: number;
  readonly entries: Entry[] = [];
  readonly #pool: Pool;
  readonly #tables = new Map<string, number>();

  constructor(stage: 1 | 2, context: TableContext, pool: Pool, base = 0) {
    this.stage = stage;
    this.context = context;
    this.base = base;
    this.#pool = pool;
  }

  get tg(): Tg {
    return this.context.tg;
  }

  /** Frames of input that one entry at `level` serves. */
  span(level: number): number {
    return levelFrames(this.tg, level);
  }

  /** Input frames that the tree can serve. */
  get frames(): number {
    return POW2[this.context.inputBits - 12] as number;
  }

  /** Byte address of the entry for `frame` at `level`; tables on the way are written. */
  reach(frame: number, level: number, emit: Emit): number {
    const { startLevel, rootFrame, rootIndex } = this.context;
    if (level <= startLevel) return rootFrame * 4096 + (rootIndex + Math.floor(frame / this.span(startLevel))) * 8;
    const key = `${level} ${Math.floor(frame / this.span(level - 1))}`;
    let table = this.#tables.get(key);
    if (table === undefined) {
      table = this.#pool.take(POW2[this.tg - 12] as number);
      this.#tables.set(key, table);
      const at = this.reach(frame, level - 1, emit);
      const lo = (addressLow(table, this.context) | BIT_VALID | BIT_TABLE) >>> 0;
      this.#write({ tree: this, at, level: level - 1, frame: frame - (frame % this.span(level - 1)), table: true, lo, hi: addressHigh(table, this.context) }, emit);
    }
    return table * 4096 + levelIndex(this.tg, level, frame) * 8;
  }

  /** Maps what one entry at `level` serves; `lo`, `hi`: attribute bits. */
  map(frame: number, level: number, target: number, bits: { readonly lo: number; readonly hi: number }, emit: Emit): Entry {
    const at = this.reach(frame, level, emit);
    const to = target - (target % this.span(level));
    const type = BIT_VALID | (level === 3 ? BIT_TABLE : 0);
    const usual = this.stage === 1 ? ATTR_NORMAL_CACHED : 0x3c;
    const lo = (addressLow(to, this.context) | type | usual | (this.context.ds ? 0 : SH_INNER) | bits.lo) >>> 0;
    const entry: Entry = { tree: this, at, level, frame: frame - (frame % this.span(level)), table: false, lo, hi: (addressHigh(to, this.context) | bits.hi) >>> 0 };
    this.#write(entry, emit);
    return entry;
  }

  #write(entry: Entry, emit: Emit): void {
    const old = this.entries.findIndex((e) => e.at === entry.at);
    if (old >= 0) this.entries.splice(old, 1);
    this.entries.push(entry);
    emit(entry.at, entry.lo, entry.hi);
  }
}

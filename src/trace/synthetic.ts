/**
 * Synthetic tables: the descriptors that must have been stored for what was mapped and unmapped, for one page table of any granule and stage. Inner tables get
 * addresses of their own, which no leaf can name. Not the optimised driver's tables: one flat map from (level, address) to a table, and nothing else.
 */
import { levelShift, stride, type Tg } from '../spec/granule.js';

export interface SyntheticStore {
  readonly pa: number;
  readonly lo: number;
  readonly hi: number;
}

/** nG, AF, inner shareable, writable at EL0; stage 2: AF, inner shareable, read and write. */
const LEAF_LOW = 0xf40;
const LEAF_LOW_2 = 0x7fc;

export interface Shape {
  readonly tg: Tg;
  readonly stage: 1 | 2;
  readonly startLevel: number;
}

export class SyntheticTable {
  readonly root: number;
  readonly #start: number;
  readonly #tg: Tg;
  readonly #low: number;
  readonly #fresh: () => number;
  /** Table with entries at `level` for an address: `level address/span`. */
  readonly #tables = new Map<string, number>();

  /** `fresh`: the address of a new, zeroed page of the granule. */
  constructor(root: number, { tg, stage, startLevel }: Shape, fresh: () => number) {
    this.root = root;
    this.#tg = tg;
    this.#low = stage === 2 ? LEAF_LOW_2 : LEAF_LOW;
    this.#start = startLevel;
    this.#fresh = fresh;
  }

  #key(level: number, iova: number): string {
    return `${level} ${Math.floor(iova / 2 ** (levelShift(this.#tg, level) + stride(this.#tg)))}`;
  }

  #table(level: number, iova: number): number | undefined {
    return level === this.#start ? this.root : this.#tables.get(this.#key(level, iova));
  }

  #entry(level: number, iova: number): number {
    const index = Math.floor(iova / 2 ** levelShift(this.#tg, level));
    // Tables put together at the start level of stage 2 are one table there.
    return (this.#table(level, iova) as number) + (level === this.#start ? index : index % 2 ** stride(this.#tg)) * 8;
  }

  /** Level of a page or block of so many bytes, or -1. */
  levelOf(pgsize: number): number {
    for (const level of [3, 2, 1]) if (pgsize === 2 ** levelShift(this.#tg, level) && level >= this.#start) return level;
    return -1;
  }

  /** Tables that stand where blocks are going to: they are taken away first, and flushed. */
  unlink(iova: number, pgsize: number, count: number): SyntheticStore[] {
    const level = this.levelOf(pgsize);
    const out: SyntheticStore[] = [];
    for (let i = 0; level >= 0 && level < 3 && i < count; i += 1) {
      const at = iova + i * pgsize;
      if (!this.#tables.delete(this.#key(level + 1, at))) continue;
      if (level < 2) this.#forget(level + 2, at, pgsize);
      out.push({ pa: this.#entry(level, at), lo: 0, hi: 0 });
    }
    return out;
  }

  #forget(level: number, iova: number, span: number): void {
    for (let at = iova; at < iova + span; at += 2 ** (levelShift(this.#tg, level) + stride(this.#tg))) this.#tables.delete(this.#key(level, at));
  }

  map(iova: number, pa: number, pgsize: number, count: number): SyntheticStore[] {
    const level = this.levelOf(pgsize);
    const out = this.unlink(iova, pgsize, count);
    for (let i = 0; level >= 0 && i < count; i += 1) {
      const at = iova + i * pgsize;
      for (let l = this.#start; l < level; l += 1) this.#ensure(l, at, out);
      out.push(descriptor(this.#entry(level, at), pa + i * pgsize, this.#low + (level === 3 ? 3 : 1)));
    }
    return out;
  }

  #ensure(level: number, iova: number, out: SyntheticStore[]): void {
    const key = this.#key(level + 1, iova);
    if (this.#tables.has(key)) return;
    const page = this.#fresh();
    this.#tables.set(key, page);
    out.push(descriptor(this.#entry(level, iova), page, 3));
  }

  unmap(iova: number, pgsize: number, count: number): SyntheticStore[] {
    const level = this.levelOf(pgsize);
    const out = this.unlink(iova, pgsize, count);
    for (let i = 0; level >= 0 && i < count; i += 1) {
      if (this.#table(level, iova + i * pgsize) !== undefined) out.push({ pa: this.#entry(level, iova + i * pgsize), lo: 0, hi: 0 });
    }
    return out;
  }
}

function descriptor(at: number, pa: number, low: number): SyntheticStore {
  return { pa: at, lo: ((pa % 2 ** 32) + low) >>> 0, hi: Math.floor(pa / 2 ** 32) };
}

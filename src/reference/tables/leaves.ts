/**
 * Leaves: descriptors that map something, ascending by input address; both what a flat map holds and what a walk of memory finds. One entry is one
 * descriptor; the members of a contiguous run are entries of their own.
 */
import { levelShift, type Tg } from '../../spec/granule.js';
import { POW2 } from '../../spec/bits.js';
import type { TableProt } from '../../stack/page-table.js';

const PROTS: readonly TableProt[] = ['none', 'r', 'w', 'rw'];

export interface Leaf {
  readonly iova: number;
  readonly size: number;
  readonly pa: number;
  readonly prot: TableProt;
  readonly level: number;
  readonly dirty: boolean;
  readonly contiguous: boolean;
}

const LEVEL = 7;
const PROT_SHIFT = 3;
export const CONTIGUOUS = 1 << 5;
export const DIRTY = 1 << 6;

/** Level, permissions and marks of a leaf in one number. */
export function leafInfo(level: number, prot: TableProt, contiguous: boolean, dirty: boolean): number {
  return (level + 1) | (PROTS.indexOf(prot) << PROT_SHIFT) | (contiguous ? CONTIGUOUS : 0) | (dirty ? DIRTY : 0);
}

export class Leaves {
  readonly tg: Tg;
  iova = new Float64Array(64);
  pa = new Float64Array(64);
  info = new Uint8Array(64);
  length = 0;

  constructor(tg: Tg) {
    this.tg = tg;
  }

  level(i: number): number {
    return ((this.info[i] as number) & LEVEL) - 1;
  }

  size(i: number): number {
    return POW2[levelShift(this.tg, this.level(i))] as number;
  }

  end(i: number): number {
    return (this.iova[i] as number) + this.size(i);
  }

  at(i: number): Leaf {
    const info = this.info[i] as number;
    return {
      iova: this.iova[i] as number, size: this.size(i), pa: this.pa[i] as number, prot: PROTS[(info >> PROT_SHIFT) & 3] as TableProt,
      level: this.level(i), dirty: (info & DIRTY) !== 0, contiguous: (info & CONTIGUOUS) !== 0,
    };
  }

  /** Place of the first leaf that ends after `iova`. */
  firstAfter(iova: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.end(middle) <= iova) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Place of the leaf that maps `iova`, or -1. */
  find(iova: number): number {
    const i = this.firstAfter(iova);
    return i < this.length && (this.iova[i] as number) <= iova ? i : -1;
  }

  clear(): void {
    this.length = 0;
  }

  push(iova: number, pa: number, info: number): void {
    this.#room(this.length + 1);
    this.iova[this.length] = iova;
    this.pa[this.length] = pa;
    this.info[this.length] = info;
    this.length += 1;
  }

  /** `count` leaves of the same kind side by side, where nothing is mapped. */
  insert(iova: number, pa: number, info: number, count: number): void {
    const at = this.firstAfter(iova);
    const size = POW2[levelShift(this.tg, (info & LEVEL) - 1)] as number;
    this.#room(this.length + count);
    for (const list of [this.iova, this.pa, this.info]) list.copyWithin(at + count, at, this.length);
    for (let i = 0; i < count; i += 1) {
      this.iova[at + i] = iova + i * size;
      this.pa[at + i] = pa + i * size;
      this.info[at + i] = info;
    }
    this.length += count;
  }

  /** Takes every leaf of [first, end) away; none may stand half in it. */
  remove(first: number, end: number): void {
    if (first >= end) return;
    const from = this.firstAfter(first);
    let to = from;
    while (to < this.length && (this.iova[to] as number) < end) to += 1;
    for (const list of [this.iova, this.pa, this.info]) list.copyWithin(from, to, this.length);
    this.length -= to - from;
  }

  #room(length: number): void {
    if (length <= this.iova.length) return;
    const size = Math.max(length, this.iova.length * 2);
    const iova = new Float64Array(size);
    const pa = new Float64Array(size);
    const info = new Uint8Array(size);
    iova.set(this.iova);
    pa.set(this.pa);
    info.set(this.info);
    this.iova = iova;
    this.pa = pa;
    this.info = info;
  }
}

/** The first place in which two lists differ, or -1. */
export function firstDifference(a: Leaves, b: Leaves): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i += 1) if (a.iova[i] !== b.iova[i] || a.pa[i] !== b.pa[i] || a.info[i] !== b.info[i]) return i;
  return a.length === b.length ? -1 : n;
}

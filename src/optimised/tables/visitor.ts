/**
 * Visitor: what is found in a table without changing it. Descriptors are read through the CPU, so its own pending stores are seen.
 */
import { BIT_VALID, HI_CONTIGUOUS, leafAddress } from '../../spec/descriptor.js';
import { slotOfTable } from './format.js';
import { indexAt } from './geometry.js';
import type { TableRoom } from './room.js';

/** Output address of `iova`, or -1 where nothing is mapped; outside of the table nothing is. */
export function lookup(room: TableRoom, iova: number): number {
  const { shape, cpu, parts } = room;
  if (parts.outside(shape, iova)) return -1;
  let slot = room.root;
  for (let level = shape.startLevel; level <= 3; level += 1) {
    const ref = slot * 512 + indexAt(shape, level, iova);
    const lo = cpu.loadLo(ref);
    if ((lo & BIT_VALID) === 0) return -1;
    const hi = cpu.loadHi(ref);
    if (!parts.isTable(lo, level)) return leafAddress(lo, hi, level, shape) * 4096 + (iova % (shape.span[level + 1] as number));
    slot = slotOfTable(lo, hi);
  }
  return -1;
}

/** What stands at an address: a leaf with its whole contiguous run, or a hole. */
export interface Found {
  /** Reference of the first entry; -1: a hole. */
  ref: number;
  level: number;
  /** Entries of the run; 1 for a single leaf. */
  entries: number;
  /** Where the leaf, the run or the hole's entry begins, and its bytes. */
  iova: number;
  size: number;
}

export function newFound(): Found {
  return { ref: -1, level: 3, entries: 1, iova: 0, size: 0 };
}

/** Looks `iova`, which is inside of the table, up. */
export function find(room: TableRoom, iova: number, out: Found): Found {
  const { shape, cpu } = room;
  let slot = room.root;
  for (let level = shape.startLevel; ; level += 1) {
    const span = shape.span[level + 1] as number;
    const ref = slot * 512 + indexAt(shape, level, iova);
    const lo = cpu.loadLo(ref);
    out.level = level;
    out.entries = 1;
    out.size = span;
    out.iova = iova - (iova % span);
    out.ref = (lo & BIT_VALID) === 0 ? -1 : ref;
    if (out.ref < 0) return out;
    const hi = cpu.loadHi(ref);
    if (room.parts.isTable(lo, level)) {
      slot = slotOfTable(lo, hi);
      continue;
    }
    if ((hi & HI_CONTIGUOUS) === 0) return out;
    out.entries = shape.runEntries[level + 1] as number;
    out.size = span * out.entries;
    out.iova = iova - (iova % out.size);
    out.ref = ref - (ref % out.entries);
    return out;
  }
}

/** Told of leaves: `count` entries of one table page at `level` that lie in the range, the first at `ref`, which begins at `iova`; holes are not told. */
export type LeafVisitor = (ref: number, count: number, level: number, iova: number) => void;

/** Visits the leaves of [iova, iova + size), which is inside of the table, in ascending order, joined as long as they stand side by side in a table page. */
export function visitLeaves(room: TableRoom, iova: number, size: number, visit: LeafVisitor): void {
  visitTable(room, { slot: room.root, level: room.shape.startLevel, base: 0 }, { first: iova, end: iova + size, visit });
}

interface TablePage {
  readonly slot: number;
  readonly level: number;
  readonly base: number;
}

interface Visit {
  readonly first: number;
  readonly end: number;
  readonly visit: LeafVisitor;
}

function visitTable(room: TableRoom, page: TablePage, v: Visit): void {
  const { shape, cpu, parts } = room;
  const span = shape.span[page.level + 1] as number;
  const entries = page.level === shape.startLevel ? shape.rootEntries : shape.entries;
  const from = Math.max(0, Math.floor((v.first - page.base) / span));
  const to = Math.min(entries, Math.ceil((v.end - page.base) / span));
  let n = 0;
  for (let i = from; i <= to; i += 1) {
    const ref = page.slot * 512 + i;
    const lo = i < to ? cpu.loadLo(ref) : 0;
    const table = (lo & BIT_VALID) !== 0 && parts.isTable(lo, page.level);
    const split = i > from && i % shape.entries === 0; // a concatenated root: another table
    if (n > 0 && ((lo & BIT_VALID) === 0 || table || split)) {
      v.visit(ref - n, n, page.level, page.base + (i - n) * span);
      n = 0;
    }
    if (table) visitTable(room, { slot: slotOfTable(lo, cpu.loadHi(ref)), level: page.level + 1, base: page.base + i * span }, v);
    else if ((lo & BIT_VALID) !== 0) n += 1;
  }
}

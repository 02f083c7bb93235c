/**
 * Room: what the rooms of the page-table library share. One table is one room; a second CPU in the same table has a copy with a `cpu` of its own.
 * Everything that order matters for is a step generator (`*.steps.ts`), of which the build derives the plain twin; `parts` and `hooks`
 * must be of the same form as the functions that are called with the room.
 *
 * Not coherent: new tables, table pointers and clears are cleaned by the library at once. Leaves that `map` writes are the
 * business of `cleaner`. A coherent table is never cleaned, and its cleaner never called.
 *
 * Software bit SW_SYNC [55] of a table descriptor: it was cleaned already. It is stored after that clean, so the walker's view and the CPU's differ in it
 * for good; hardware ignores it, and whoever compares the views must.
 */
import type { BarrierSite, Cpu } from '../../memory/cpu.js';
import type { TableShape } from './geometry.js';
import type { Found } from './visitor.js';
import type { TableError, TableGeometry, TableProt, TableVariant } from '../../stack/page-table.js';
import type { Steps } from '../../stack/steps.js';

export type { PageSize, TableShape } from './geometry.js';

/** What a clean is for. */
export type TableCleanSite = 'new-table' | 'table-pointer' | 'cleared' | 'leaves' | 'sync-map';

/** One processor as tables need it. */
export interface TableCpu extends Pick<Cpu, 'memory' | 'loadLo' | 'loadHi' | 'store' | 'storeRun'> {
  /** One atomic compare-exchange of a word; own pending stores to it come first. True: it held the old value, and holds the new one now. */
  compareExchange(ref: number, oldLo: number, oldHi: number, lo: number, hi: number): boolean;
  /** Atomic or / and-not of a word. */
  setBits(ref: number, lo: number, hi: number): void;
  clearBits(ref: number, lo: number, hi: number): void;
  barrier(site: BarrierSite): void;
  /** Cleans every line that [ref, ref + words) touches, and waits for it. Returns how many these are. */
  clean(ref: number, words: number, site: TableCleanSite): number;
}

/** Where tables come from: `frames` neighbouring frames (a power of two), zeroed, aligned to their size. */
export interface TablePages {
  /** First slot, or -1. */
  allocateTable(frames: number): number;
  releaseTable(slot: number, frames: number): void;
}

/** What cleaning has cost so far. */
export interface CleanCost {
  /** Lines cleaned; calls that cleaned them; descriptors looked at; walks from the root; warnings that a kernel would print. */
  lines: number;
  calls: number;
  descriptors: number;
  walks: number;
  warnings: number;
}

export function newCleanCost(): CleanCost {
  return { lines: 0, calls: 0, descriptors: 0, walks: 0, warnings: 0 };
}

/**
 * A way to clean the leaves that are mapped. Made anew for each table. The library calls it for tables that are not coherent only: `leavesWritten`
 * after each run of leaf stores within one table page, in ascending order; `callDone` once before a map or map-sg call returns, also when it failed half-way;
 * `syncMap` where the caller says that a range is complete (map-sg says so itself at its end).
 */
export interface Cleaner {
  readonly name: string;
  readonly about: string;
  /** Are leaves clean only after `syncMap`? */
  readonly deferred: boolean;
  /** map-sg goes on from the table page of the last piece where it can, and does not walk from the root for each. */
  readonly oneWalk: boolean;
  readonly cost: CleanCost;
  leavesWritten(room: TableRoom, ref: number, count: number): void;
  callDone(room: TableRoom): void;
  /** [iova, iova + size) was mapped; the range is inside of the table. */
  syncMap(room: TableRoom, iova: number, size: number): void;
}

/** What was taken out and is not invalidated yet. Frames of 4 KiB, last inclusive; bit n of a bitmap is level 3 - n. */
export interface TableGather {
  pending: boolean;
  first: number;
  last: number;
  leaves: number;
  tables: number;
  /** Tables that the flush releases. */
  readonly freed: number[];
}

export function newTableGather(): TableGather {
  return { pending: false, first: 0, last: -1, leaves: 0, tables: 0, freed: [] };
}

/**
 * Why something is flushed: a table was taken out (io-pgtable: at once); a gather is full, disjoint or synced; a block was
 * written over an empty table (iommupt); written pages were marked clean.
 */
export type FlushReason = 'walk' | 'gather' | 'replaced' | 'dirty';

/** What the owner of the table does. */
export interface TableHooks {
  /**
   * Invalidates what the gather says, and waits for it. Begins with a barrier that makes the table's stores visible. Addresses of the upper half come
   * without their sign extension. The library releases the tables afterwards.
   */
  readonly flush: (room: TableRoom, gather: TableGather, why: FlushReason) => Steps<void>;
}

/** The replaceable functions; each mutant of this room replaces one. */
export interface TableParts {
  readonly startLevel: (g: TableGeometry) => number;
  /** Entries from `index` to the end of its table page; of a concatenated root: of the table that `index` lies in. */
  readonly entriesLeft: (shape: TableShape, index: number) => number;
  /** Is the valid descriptor at `level` one of a table? */
  readonly isTable: (lo: number, level: number) => boolean;
  /** The new table `fresh` becomes the entry at `ref`. Returns the table that stands there in the end; -1: a leaf does. */
  readonly install: (room: TableRoom, ref: number, fresh: number) => Steps<number>;
  /** io-pgtable: takes out the table at `ref`, an entry of `level` that begins at `iova`. */
  readonly takeTable: (room: TableRoom, ref: number, level: number, iova: number) => Steps<void>;
  /** iommupt: is there no leaf in or below the table? */
  readonly isEmpty: (room: TableRoom, slot: number, level: number) => boolean;
  /** Flushes the gather, then releases its tables; it is empty afterwards. */
  readonly retire: (room: TableRoom, gather: TableGather, why: FlushReason) => Steps<void>;
  /** Does [first, end) (frames) not even touch what the gather holds? */
  readonly disjoint: (gather: TableGather, first: number, end: number) => boolean;
  /** Does a range that begins (or ends) before entry `index` of a table, whose descriptor has high half `hi`, cut a contiguous run? */
  readonly cutsRun: (shape: TableShape, level: number, index: number, hi: number) => boolean;
  /** Low and high half of a leaf's attributes and type, without address; `run`: member of a contiguous run. */
  readonly leafLow: (geometry: TableGeometry, prot: TableProt, level: number) => number;
  readonly leafHigh: (geometry: TableGeometry, prot: TableProt, run: boolean) => number;
  /** Is the leaf marked written? */
  readonly isDirty: (stage: 1 | 2, lo: number, hi: number) => boolean;
  /** Is any member of the leaf or run marked written? */
  readonly anyDirty: (room: TableRoom, found: Found) => boolean;
  /** Marks it clean. */
  readonly markClean: (room: TableRoom, ref: number) => void;
  /** Is iova outside of the table? */
  readonly outside: (shape: TableShape, iova: number) => boolean;
}

export interface TableRoom {
  readonly geometry: TableGeometry;
  readonly variant: TableVariant;
  readonly shape: TableShape;
  /** First slot of the root. */
  readonly root: number;
  /** Does the walker see what the CPU's cache holds? */
  readonly coherent: boolean;
  /** Is what unmap takes out flushed later, all at once? Then nothing of it enters the gather, and tables wait in `queued`. */
  readonly lazy: boolean;
  readonly queued: number[];
  readonly cpu: TableCpu;
  readonly pages: TablePages;
  readonly cleaner: Cleaner;
  readonly gather: TableGather;
  /** Tables that blocks were written over (iommupt); empty between calls. */
  readonly replaced: TableGather;
  readonly hooks: TableHooks;
  readonly parts: TableParts;
  /** Cleans of tables, pointers and clears: the same for every cleaner. */
  readonly upkeep: CleanCost;
  /** Scratch of this CPU: the leaves that the running call writes, and where it was last. */
  readonly run: LeafRun;
  readonly place: Place;
  /** Why the running call stopped. */
  stop: 'ok' | TableError;
}

/** Leaves of one size side by side in one table page. */
export interface LeafRun {
  slot: number;
  index: number;
  level: number;
  /** Entries, and how many of them make one contiguous run (1: single leaves). */
  count: number;
  entries: number;
  iova: number;
  pa: number;
  prot: TableProt;
}

/** The table page that a scatter list was written to last: its slot (-1: none), level, and which table page of that level it is. */
export interface Place {
  slot: number;
  level: number;
  page: number;
}

export interface MapCall {
  readonly iova: number;
  readonly pa: number;
  readonly pageSize: number;
  readonly count: number;
  readonly prot: TableProt;
}

export interface UnmapCall {
  readonly iova: number;
  readonly pageSize: number;
  readonly count: number;
}

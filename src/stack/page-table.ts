/**
 * Page table: what a domain's translation table is asked, by any caller: geometry, the two variants of the interface (io-pgtable of the
 * Linux driver; iommupt, the generic page table that is to replace it), and the parts that clean descriptors from the CPU's cache for
 * walkers that are not coherent (seed 2). Pure data and interfaces; addresses and sizes are bytes (numbers below 2^53), ends exclusive.
 * Addresses of the upper half (TTBR1) are given without their sign extension: `half` says which half a table serves.
 */
import type { Tg } from '../spec/granule.js';

export interface TableGeometry {
  /** log2 of the granule in bytes. */
  readonly tg: Tg;
  readonly stage: 1 | 2;
  /** Input bits of the table (64 - TxSZ). */
  readonly inputBits: number;
  /** Output bits, at most 52; more than 48 only with 64K granules, or with `ds`. */
  readonly outputBits: number;
  /** Stage 1: which half of the address space; stage 2 is always `lower`. */
  readonly half: 'lower' | 'upper';
  /** The 52-bit form of 4K and 16K granules. */
  readonly ds: boolean;
  /** Are runs of leaves marked contiguous where they can be? */
  readonly contiguous: boolean;
  /** Are leaves writable-clean (DBM), for hardware to mark them dirty? Needs a coherent walker. */
  readonly dirty: boolean;
}

/** Which way of mapping and unmapping: see optimised/tables. */
export const TABLE_VARIANTS = ['io-pgtable', 'iommupt'] as const;
export type TableVariant = (typeof TABLE_VARIANTS)[number];

/** Four ways to clean leaf descriptors (seed 2 and its review); installing tables and clearing entries is always eager. */
export const CLEANER_NAMES = ['eager', 'posted-walk', 'range-visitor', 'map-sg'] as const;
export type CleanerName = (typeof CLEANER_NAMES)[number];

export type TableProt = 'none' | 'r' | 'w' | 'rw';

/** One piece of a scatter list. */
export interface Piece {
  readonly pa: number;
  readonly size: number;
}

/** A system made of one table, one walker and what stands between them. */
export interface TableWorld {
  readonly geometry: TableGeometry;
  readonly variant: TableVariant;
  /** Is the walker coherent with the CPU's cache? Then `cleaner` is never called. */
  readonly coherent: boolean;
  readonly cleaner: CleanerName;
  /** After every `oneIn`-th store that reaches the cache a dirty line, drawn from `seed`, is written back; 0: never. */
  readonly eviction: { readonly oneIn: number; readonly seed: number };
  /** IDR3.BBML of the walker. */
  readonly bbml: 0 | 1 | 2;
  /** Does the walker cache contiguous runs as one entry? */
  readonly mergeRuns: boolean;
  /** In which order a CPU's pending stores become visible at a barrier. */
  readonly storeOrder: 'fifo' | 'reverse';
}

export type TableOperation =
  /** `count` entries of `pageSize`; a caller that gets fewer goes on with the rest, as the core does. iommupt takes the whole size and chooses. */
  | { readonly op: 'map'; readonly iova: number; readonly pa: number; readonly pageSize: number; readonly count: number; readonly prot: TableProt }
  /** One piece after the other; afterwards `sync-map` of all of it, inside of the same call. */
  | { readonly op: 'map-sg'; readonly iova: number; readonly pieces: readonly Piece[]; readonly prot: TableProt }
  | { readonly op: 'sync-map'; readonly iova: number; readonly size: number }
  | { readonly op: 'unmap'; readonly iova: number; readonly pageSize: number; readonly count: number }
  /** Flushes what the gather holds. */
  | { readonly op: 'sync' }
  /** Written pages of the range; `clear`: they are clean afterwards, and what may still be cached as dirty is flushed before the call returns. */
  | { readonly op: 'read-dirty'; readonly iova: number; readonly size: number; readonly clear: boolean }
  | { readonly op: 'access'; readonly iova: number; readonly write: boolean }
  /** The `line`-th dirty line (modulo their number) is written back. */
  | { readonly op: 'evict'; readonly line: number }
  | { readonly op: 'fail-next-allocation' }
  /** Two calls on two CPUs; the next step is that of the CPU whose number comes next in `order`, then what is left, first CPU first. */
  | { readonly op: 'together'; readonly calls: readonly [TableOperation, TableOperation]; readonly order: readonly (0 | 1)[] };

/** Why a call was refused. What was done before the refusal is told beside it. */
export type TableError = 'invalid' | 'out-of-range' | 'exists' | 'not-mapped' | 'partial-block' | 'no-memory';

/** What a call returned. */
export interface TableResult {
  readonly code: 'ok' | TableError;
  /** map, map-sg: bytes mapped; unmap: bytes taken away, which may be more than asked for (iommupt). */
  readonly bytes: number;
  /** read-dirty: written ranges, ascending, joined. */
  readonly dirty?: readonly { readonly iova: number; readonly size: number }[];
}

export const TABLE_LIMITS = { operations: 20_000, pieces: 4096, entries: 262_144, order: 4096 } as const;

/**
 * Table ranges: which addresses a call on a page table is about, in frames of 4 KiB.
 */
import type { TableOperation } from '../stack/page-table.js';
import type { Span } from './table-spans.js';

/** What the library is asked. */
export type Call = Extract<TableOperation, { op: 'map' | 'map-sg' | 'sync-map' | 'unmap' | 'sync' | 'read-dirty' }>;

export function isTableCall(op: TableOperation): op is Call {
  return op.op === 'map' || op.op === 'map-sg' || op.op === 'sync-map' || op.op === 'unmap' || op.op === 'sync' || op.op === 'read-dirty';
}

export interface Range {
  readonly first: number;
  readonly frames: number;
}

/** The addresses that a call is about, in frames; null: none. */
export function rangeOf(op: TableOperation): Range | null {
  switch (op.op) {
    case 'map': case 'unmap': return { first: op.iova / 4096, frames: (op.pageSize * op.count) / 4096 };
    case 'map-sg': return { first: op.iova / 4096, frames: op.pieces.reduce((sum, p) => sum + p.size, 0) / 4096 };
    case 'sync-map': case 'read-dirty': return { first: op.iova / 4096, frames: op.size / 4096 };
    default: return null;
  }
}

/** What a map call maps, if all of it is. */
export function spansOf(op: TableOperation): Span[] {
  if (op.op === 'map') return [{ first: op.iova / 4096, frames: (op.pageSize * op.count) / 4096, target: op.pa / 4096, prot: op.prot }];
  if (op.op !== 'map-sg') return [];
  let first = op.iova / 4096;
  return op.pieces.map((p) => {
    const span = { first, frames: p.size / 4096, target: p.pa / 4096, prot: op.prot };
    first += span.frames;
    return span;
  });
}

/**
 * Stored: what a cleaner left behind, as a case of kind `tables`: the range is mapped as a list of one piece, which syncs it at its end. The cleaner is
 * part of the world, so the case expects what this cleaner shows.
 */
import { CASE_SCHEMA } from '../../operations/case.js';
import type { TableCase } from '../../operations/table-case.js';
import { POW2 } from '../../spec/bits.js';
import type { CleanerName, TableGeometry, TableOperation, TableWorld } from '../../stack/page-table.js';
import type { RuleId } from '../../stack/violation.js';
import type { GranuleRange } from './ranges.js';

/** A system whose walker does not look into the CPU's caches. */
export function cleaningWorld(geometry: TableGeometry, cleaner: CleanerName): TableWorld {
  return { geometry, variant: 'io-pgtable', coherent: false, cleaner, eviction: { oneIn: 0, seed: 0 }, bbml: 0, mergeRuns: false, storeOrder: 'fifo' };
}

/** Maps to the same address, so that leaves are as large as they can be. */
export function mapRange(geometry: TableGeometry, range: GranuleRange): TableOperation {
  const unit = POW2[geometry.tg] as number;
  return { op: 'map-sg', iova: range.first * unit, pieces: [{ pa: range.first * unit, size: range.count * unit }], prot: 'rw' };
}

export function cleaningCase(geometry: TableGeometry, cleaner: CleanerName, operations: readonly TableOperation[], rule: RuleId | null): TableCase {
  return {
    schema: CASE_SCHEMA, kind: 'tables', world: cleaningWorld(geometry, cleaner), subject: { parts: {} }, operations,
    expect: rule === null ? { verdict: 'ok' } : { verdict: 'violation', rule }, provenance: { suite: 'seed-2' },
  };
}

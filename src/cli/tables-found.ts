/** Found, for table sequences: shrunk, stored in the smallest form, and made into the record from which every report is printed. */
import { tableFailureRecord, type TableFailureRecord, type TableSource } from '../fuzz/table-failure.js';
import type { TableFailure } from '../fuzz/table-campaign.js';
import { shrinkTables } from '../fuzz/table-shrink.js';
import type { TableStore } from '../fuzz/store.js';
import { replayTables } from '../lockstep/table-replay.js';
import type { FailureLine } from '../report/fuzz.js';
import { now } from './output.js';

export interface TableFound {
  readonly record: TableFailureRecord;
  /** The stored sequence shows the same violation when it is run again. */
  readonly repeatable: boolean;
}

/** Shrinks (if asked), stores and explains a failure that `store` already holds. */
export function workUpTables(failure: Pick<TableFailure, 'world' | 'operations' | 'violation'>, how: { readonly store: TableStore; readonly shrink: boolean; readonly source: TableSource; readonly timeMs?: number }): TableFound {
  const { world, operations, violation } = failure;
  const { mutant } = how.source;
  const loaded = mutant === null ? {} : { mutant };
  const start = now();
  const again = replayTables(world, operations, loaded).violation;
  // The shrinker has no clock: a limit of time becomes a limit of evaluations, at the cost of the longest.
  const budget = how.timeMs === undefined ? {} : { budget: Math.max(1, Math.floor(how.timeMs / Math.max(0.1, now() - start))) };
  const repeatable = again?.rule === violation.rule && again.cause === violation.cause;
  const small = how.shrink && repeatable ? shrinkTables({ world, operations }, violation, { ...loaded, ...budget, improved: (c, v) => { how.store.improved(c, v); } }) : null;
  const best = small ?? { world, operations, violation };
  const files = how.store.finish(best, best.violation);
  const shrunk = small === null ? null : { from: small.from, tried: small.tried, accepted: small.accepted, minimal: small.minimal };
  return { record: tableFailureRecord(best, best.violation, how.source, { shrunk, ...files }), repeatable };
}

export function tableLine(r: TableFailureRecord): FailureLine {
  return { id: r.id, rule: r.violation.rule, cause: r.violation.cause, operations: r.operations.length, shrunkFrom: r.shrunk?.from ?? null, file: r.file };
}

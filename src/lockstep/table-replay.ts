/**
 * Table replay: a stored table sequence run again, with what both sides said to each operation.
 */
import type { TableOperation, TableWorld } from '../stack/page-table.js';
import { Unmodelled, ViolationError, type Violation } from '../stack/violation.js';
import type { Replayed, Row } from './replay.js';
import { TableLockstep, type TableOptions } from './table-lockstep.js';

export interface TableReplayOptions extends TableOptions {
  readonly until?: number;
}

/** Runs the sequence to its end, to `until`, or to the first broken rule. */
export function replayTables(world: TableWorld, operations: readonly TableOperation[], options: TableReplayOptions = {}, rows = false): Replayed<TableOperation> {
  const out: Row<TableOperation>[] = [];
  const end = Math.min(options.until ?? operations.length, operations.length);
  const ended = (at: number, violation: Violation | null, unmodelled: string | null): Replayed<TableOperation> => ({ violation, failedAt: at, failedStep: at, unmodelled, rows: out });
  let at = -1;
  try {
    const run = new TableLockstep(world, options);
    for (const operation of operations.slice(0, end)) {
      at += 1;
      const step = run.step(operation);
      if (rows) out.push({ operation, reference: step.expected, optimised: step.text, differs: false });
    }
    at = operations.length;
    if (options.until === undefined) run.close();
  } catch (error) {
    if (error instanceof Unmodelled) return ended(at, null, error.what);
    if (!(error instanceof ViolationError)) throw error;
    const operation = operations[at];
    if (rows && operation !== undefined) out.push({ operation, reference: error.violation.expected, optimised: error.violation.actual, differs: true });
    return ended(at, error.violation, null);
  }
  return ended(-1, null, null);
}

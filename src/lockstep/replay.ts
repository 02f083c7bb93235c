/**
 * Replay: a stored sequence run again, with what happened on both sides of each operation.
 */
import type { Operation } from '../stack/operation.js';
import { describeOutcome } from '../stack/outcome.js';
import { Unmodelled, ViolationError, type Violation } from '../stack/violation.js';
import type { World } from '../stack/world.js';
import { Lockstep, type LockstepOptions } from './lockstep.js';

/** One operation as both sides saw it, in words. */
export interface Row<O = Operation> {
  readonly operation: O;
  readonly reference: string;
  readonly optimised: string;
  /** What the optimised machine said when another one stands in its place: then `optimised` is that one's, `reference` all that is permitted. */
  readonly beside?: string;
  readonly differs: boolean;
}

export interface Replayed<O = Operation> {
  readonly violation: Violation | null;
  /** Index of the operation in which a rule broke; operations.length: at the end (teardown); -1: at reset, or none. */
  readonly failedAt: number;
  /** The same, counting the calls of the teardown on. */
  readonly failedStep: number;
  readonly unmodelled: string | null;
  readonly rows: readonly Row<O>[];
}

/** Runs the sequence to its end or to the first broken rule. */
export function replay(world: World, operations: readonly Operation[], options: LockstepOptions = {}, rows = false): Replayed {
  const out: Row[] = [];
  let at = -1;
  let stack: Lockstep | undefined;
  const step = (): number => stack?.index ?? -1;
  try {
    stack = new Lockstep(world, options);
    for (const operation of operations) {
      at += 1;
      const done = stack.step(operation);
      if (!rows) continue;
      const text = done.outcome === null ? done.result : describeOutcome(done.outcome);
      out.push({ operation, reference: done.outcome === null ? done.expected : text, optimised: text, differs: false });
    }
    at = operations.length;
    stack.close();
  } catch (error) {
    if (error instanceof Unmodelled) return { violation: null, failedAt: at, failedStep: step(), unmodelled: error.what, rows: out };
    if (!(error instanceof ViolationError)) throw error;
    const operation = operations[at];
    if (rows && operation !== undefined) out.push({ operation, reference: error.violation.expected, optimised: error.violation.actual, differs: true });
    return { violation: error.violation, failedAt: at, failedStep: step(), unmodelled: null, rows: out };
  }
  return { violation: null, failedAt: -1, failedStep: -1, unmodelled: null, rows: out };
}

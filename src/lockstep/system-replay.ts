/**
 * System replay: a stored sequence of a SystemWorld run again, with what both sides said to each operation.
 */
import type { SystemOperation, SystemResult, SystemWorld } from '../stack/system.js';
import { Unmodelled, ViolationError } from '../stack/violation.js';
import { describeAnswer } from './machine-words.js';
import type { Replayed, Row } from './replay.js';
import { SystemLockstep, type SystemOptions, type SystemStep } from './system-lockstep.js';

function resultText(r: SystemResult): string {
  return r.consumed === undefined ? r.code : `${r.code} (${r.consumed} issued)`;
}

export function stepText(s: SystemStep): string {
  return s.answer === null ? resultText(s.result) : describeAnswer(s.answer, s.kind);
}

/** Runs the sequence to its end, to `until`, or to the first broken rule. */
export function replaySystem(world: SystemWorld, operations: readonly SystemOperation[], options: SystemOptions & { readonly until?: number } = {}, rows = false): Replayed<SystemOperation> {
  const out: Row<SystemOperation>[] = [];
  const end = Math.min(options.until ?? operations.length, operations.length);
  let at = -1;
  let run: SystemLockstep | undefined;
  const step = (): number => run?.index ?? -1;
  try {
    run = new SystemLockstep(world, options);
    for (const operation of operations.slice(0, end)) {
      at += 1;
      const done = run.step(operation);
      if (rows) out.push({ operation, reference: done.answer === null ? resultText(done.expected) : stepText(done), optimised: stepText(done), differs: false });
    }
    if (options.until === undefined) {
      at = operations.length;
      run.close();
    }
  } catch (error) {
    if (error instanceof Unmodelled) return { violation: null, failedAt: at, failedStep: step(), unmodelled: error.what, rows: out };
    if (!(error instanceof ViolationError)) throw error;
    const operation = operations[at];
    if (rows && operation !== undefined) out.push({ operation, reference: error.violation.expected, optimised: error.violation.actual, differs: true });
    return { violation: error.violation, failedAt: at, failedStep: step(), unmodelled: null, rows: out };
  }
  return { violation: null, failedAt: -1, failedStep: -1, unmodelled: null, rows: out };
}

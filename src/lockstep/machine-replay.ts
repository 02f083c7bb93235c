/**
 * Machine replay: a stored machine sequence run again, with what both sides said to each operation.
 */
import type { MachineOperation, MachineWorld } from '../stack/machine-world.js';
import { Unmodelled, ViolationError } from '../stack/violation.js';
import { describeAllowed } from './claims.js';
import { MachineLockstep, type MachineOptions, type MachineStep } from './machine-lockstep.js';
import { describeAnswer } from './machine-words.js';
import type { Replayed, Row } from './replay.js';

/** Runs the sequence to its end, to `until`, or to the first broken rule. */
export function replayMachine(world: MachineWorld, operations: readonly MachineOperation[], options: MachineOptions & { readonly until?: number } = {}, rows = false): Replayed<MachineOperation> {
  const out: Row<MachineOperation>[] = [];
  const end = Math.min(options.until ?? operations.length, operations.length);
  let at = -1;
  try {
    const run = new MachineLockstep(world, options);
    for (const operation of operations.slice(0, end)) {
      at += 1;
      const step = run.step(operation);
      if (rows) out.push(rowOf(step));
    }
    at = operations.length;
    run.close();
  } catch (error) {
    if (error instanceof Unmodelled) return { violation: null, failedAt: at, failedStep: at, unmodelled: error.what, rows: out };
    if (!(error instanceof ViolationError)) throw error;
    const operation = operations[at];
    if (rows && operation !== undefined) out.push({ operation, reference: error.violation.expected, optimised: error.violation.actual, differs: true });
    return { violation: error.violation, failedAt: at, failedStep: at, unmodelled: null, rows: out };
  }
  return { violation: null, failedAt: -1, failedStep: -1, unmodelled: null, rows: out };
}

function rowOf(step: MachineStep): Row<MachineOperation> {
  const { operation } = step;
  const text = operation.op === 'claim' ? `only ${operation.allow.map(describeAllowed).join(' or ') || 'nothing'}`
    : step.answer !== null && (operation.op === 'access' || operation.op === 'ats-request' || operation.op === 'translated') ? describeAnswer(step.answer, operation.op)
      : (step.note ?? 'done');
  return { operation, reference: text, optimised: text, differs: false };
}

/**
 * Machine replay: a stored machine sequence run again, with what both sides said to each operation.
 */
import type { MachineOperation, MachineWorld } from '../stack/machine-world.js';
import { Unmodelled, ViolationError, type Violation } from '../stack/violation.js';
import { describeAllowed } from './claims.js';
import { MachineLockstep, type MachineOptions, type MachineStep } from './machine-lockstep.js';
import { anyOf, permittedTexts } from './machine-checks.js';
import { describeAnswer } from './machine-words.js';
import type { Replayed, Row } from './replay.js';
import type { Transaction } from '../stack/transaction.js';

export interface MachineReplayOptions extends MachineOptions {
  readonly until?: number;
  /** Called with the runner before anything is done. */
  readonly made?: (run: MachineLockstep) => void;
}

/** Runs the sequence to its end, to `until`, or to the first broken rule. */
export function replayMachine(world: MachineWorld, operations: readonly MachineOperation[], options: MachineReplayOptions = {}, rows = false): Replayed<MachineOperation> {
  const out: Row<MachineOperation>[] = [];
  const end = Math.min(options.until ?? operations.length, operations.length);
  let at = -1;
  let run: MachineLockstep | undefined;
  try {
    run = new MachineLockstep(world, options);
    options.made?.(run);
    for (const operation of operations.slice(0, end)) {
      at += 1;
      const permitted = rows ? permittedOf(run, operation) : null;
      const step = run.step(operation);
      if (rows) out.push(rowOf(step, permitted));
    }
    at = operations.length;
    run.close();
  } catch (error) {
    if (error instanceof Unmodelled) return { violation: null, failedAt: at, failedStep: at, unmodelled: error.what, rows: out };
    if (!(error instanceof ViolationError)) throw error;
    const operation = operations[at];
    if (rows && operation !== undefined) out.push(failedRow(operation, error.violation, run));
    return { violation: error.violation, failedAt: at, failedStep: at, unmodelled: null, rows: out };
  }
  return { violation: null, failedAt: -1, failedStep: -1, unmodelled: null, rows: out };
}

/** Permitted answers that are listed in a row. */
const LISTED = 2;

/** All that may be answered, where the machine that answers is no twin of ours. */
function permittedOf(run: MachineLockstep, op: MachineOperation): string | null {
  return op.op === 'access' ? permittedTo(run, op.smmu, { ...op, frame: Math.floor(op.iova / 4096) }) : null;
}

function permittedTo(run: MachineLockstep, smmu: number, t: Transaction): string | null {
  const side = run.sides[smmu];
  if (side?.likeness === undefined) return null;
  const texts = permittedTexts(side.weakest, 'access', t);
  return texts.length > LISTED ? `${texts.length} answers` : anyOf(texts);
}

function rowOf(step: MachineStep, permitted: string | null): Row<MachineOperation> {
  const { operation, answer, beside } = step;
  const text = operation.op === 'claim' ? `only ${operation.allow.map(describeAllowed).join(' or ') || 'nothing'}`
    : answer !== null && (operation.op === 'access' || operation.op === 'ats-request' || operation.op === 'translated') ? describeAnswer(answer, operation.op)
      : (step.note ?? 'done');
  return { operation, reference: answer === null ? text : (permitted ?? text), optimised: text, ...(beside === null ? {} : { beside: describeAnswer(beside) }), differs: false };
}

/** The operation that broke a rule. Of an access that reads and writes, what is shown is the half that broke it. */
function failedRow(operation: MachineOperation, v: Violation, run: MachineLockstep | undefined): Row<MachineOperation> {
  const said = run?.said ?? null;
  const permitted = run === undefined || operation.op !== 'access' || said === null ? null : permittedTo(run, operation.smmu, said.t);
  if (operation.op !== 'access' || permitted === null || said === null) return { operation, reference: v.expected, optimised: v.actual, differs: true };
  const half = said.t.write === operation.write ? '' : said.t.write ? 'write: ' : 'read: ';
  return {
    operation, reference: `${half}${permitted}`, optimised: `${half}${describeAnswer(said.answer)}`, differs: true,
    ...(said.beside === null ? {} : { beside: half === '' ? describeAnswer(said.beside) : '' }),
  };
}

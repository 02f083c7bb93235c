/**
 * One stored case run again, with what replay() does not give: recorded answers compared, a stop after so many
 * operations, the state at the end, and the judgement of a case of the corpus.
 */
import { Lockstep } from '../lockstep/lockstep.js';
import type { Replayed, Row } from '../lockstep/replay.js';
import type { Case, Observation } from '../operations/case.js';
import type { MachineCase } from '../operations/machine-case.js';
import type { PlanCase } from '../operations/plan-case.js';
import type { StoredCase } from '../operations/stored.js';
import { judgePlanCase, violationOf, type Judged } from '../prove/plan.js';
import { replayMachine } from '../lockstep/machine-replay.js';
import { replaySystem } from '../lockstep/system-replay.js';
import { replayTables } from '../lockstep/table-replay.js';
import type { SystemCase } from '../operations/system-case.js';
import type { TableCase } from '../operations/table-case.js';
import type { TableOperation } from '../stack/page-table.js';
import type { SystemOperation } from '../stack/system.js';
import type { MachineOperation } from '../stack/machine-world.js';
import type { StateView } from '../report/replay.js';
import type { Operation } from '../stack/operation.js';
import { describeOutcome } from '../stack/outcome.js';
import { Unmodelled, ViolationError, type RuleId } from '../stack/violation.js';
import { allowedMeanwhile, observedProblem, permittedFor } from './observed.js';
import { stateOf } from './state.js';

export interface RunOptions {
  readonly mutant: string | null;
  readonly rows?: boolean;
  readonly until?: number;
  readonly state?: boolean;
}

export interface CaseRun<O = Operation> extends Replayed<O> {
  readonly operations: number;
  /** Recorded answers that were compared, and those that differ: index and sentence. */
  readonly observed: number;
  readonly differences: ReadonlyMap<number, string>;
  readonly state: StateView | null;
}

/** Runs a case to its end, to `until`, or to the first broken rule. */
export function runCase(c: Case, options: RunOptions): CaseRun {
  const rows: Row[] = [];
  const differences = new Map<number, string>();
  const recorded = new Map<number, Observation>((c.observed ?? []).map((o) => [o.at, o]));
  const operations = options.until === undefined ? c.operations : c.operations.slice(0, options.until);
  let observed = 0;
  let at = -1;
  let stack: Lockstep | undefined;
  let state: StateView | null = null;
  const result = (rest: Pick<Replayed, 'violation' | 'failedAt' | 'unmodelled'>): CaseRun => ({
    ...rest, failedStep: rest.violation === null ? -1 : (stack?.index ?? -1), rows, operations: Math.min(at + 1, operations.length), observed, differences, state,
  });
  try {
    stack = new Lockstep(c.world, options.mutant === null ? {} : { mutant: options.mutant });
    for (const operation of operations) {
      at += 1;
      const seen = operation.op === 'access' ? recorded.get(at) : undefined;
      const permitted = seen !== undefined && operation.op === 'access' ? permittedFor(stack, operation) : [];
      const done = stack.step(operation);
      const text = done.outcome === null ? done.result : describeOutcome(done.outcome);
      if (options.rows === true) rows.push({ operation, reference: done.outcome === null ? done.expected : text, optimised: text, differs: false });
      if (seen === undefined || operation.op !== 'access') continue;
      observed += 1;
      const problem = observedProblem(seen, operation, permitted, done.outcome);
      if (problem !== null && !allowedMeanwhile(stack, operation, seen)) differences.set(at, problem);
    }
    at = operations.length;
    if (options.state === true) state = stateOf(stack, operations.length);
    if (options.until === undefined) stack.close();
  } catch (error) {
    if (options.state === true && stack !== undefined) state = stateOf(stack, Math.min(at + 1, operations.length));
    if (error instanceof Unmodelled) return result({ violation: null, failedAt: at, unmodelled: error.what });
    if (!(error instanceof ViolationError)) throw error;
    const operation = operations[at];
    if (options.rows === true && operation !== undefined) rows.push({ operation, reference: error.violation.expected, optimised: error.violation.actual, differs: true });
    return result({ violation: error.violation, failedAt: at, unmodelled: null });
  }
  return result({ violation: null, failedAt: -1, unmodelled: null });
}

export interface Judgement {
  readonly operations: number;
  readonly observed: number;
  /** The rule that broke and should not have. */
  readonly rule: RuleId | null;
  /** One sentence each. */
  readonly problems: readonly string[];
  readonly unmodelled: string | null;
}

/** Recorded answers that are told one by one. */
const TOLD = 3;

/**
 * How a run of a right subject differs from what the case expects. Recorded answers must agree, unless a violation
 * without a rule is expected: that is the recording of a broken driver, which shows in what its devices got.
 */
export function againstExpectation(c: Pick<StoredCase, 'expect'>, run: Pick<CaseRun, 'violation' | 'differences' | 'unmodelled'>): string[] {
  const { expect } = c;
  const v = run.violation;
  const told = [...run.differences.values()];
  if (run.unmodelled !== null) return [];
  if (expect.verdict === 'violation') {
    if (v === null) return expect.rule === undefined && told.length > 0 ? [] : [`breaks no rule, but a violation${expect.rule === undefined ? '' : ` of ${expect.rule}`} is expected`];
    return expect.rule === undefined || expect.rule === v.rule ? [] : [`breaks ${v.rule}, but a violation of ${expect.rule} is expected`];
  }
  const problems = v === null ? [] : [`breaks ${v.rule} (${v.cause}), but no violation is expected`];
  problems.push(...told.slice(0, TOLD));
  if (told.length > TOLD) problems.push(`${told.length - TOLD} more recorded answers differ`);
  return problems;
}

/** The same for a raw machine sequence. */
export function runMachineCase(c: MachineCase, options: Pick<RunOptions, 'rows' | 'until'>): CaseRun<MachineOperation> {
  const until = options.until === undefined ? {} : { until: options.until };
  const run = replayMachine(c.world, c.operations, until, options.rows === true);
  const end = Math.min(options.until ?? c.operations.length, c.operations.length);
  return { ...run, operations: run.failedAt < 0 ? end : Math.min(run.failedAt + 1, end), observed: 0, differences: new Map(), state: null };
}

/** The same for a sequence on a page table. */
export function runTableCase(c: TableCase, options: Pick<RunOptions, 'rows' | 'until' | 'mutant'>): CaseRun<TableOperation> {
  const some = { ...(options.until === undefined ? {} : { until: options.until }), ...(options.mutant === null ? {} : { mutant: options.mutant }) };
  const run = replayTables(c.world, c.operations, some, options.rows === true);
  const end = Math.min(options.until ?? c.operations.length, c.operations.length);
  return { ...run, operations: run.failedAt < 0 ? end : Math.min(run.failedAt + 1, end), observed: 0, differences: new Map(), state: null };
}

/** The same for a system. */
export function runSystemCase(c: SystemCase, options: Pick<RunOptions, 'mutant' | 'rows' | 'until'>): CaseRun<SystemOperation> {
  const run = replaySystem(c.world, c.operations, { ...(options.mutant === null ? {} : { mutant: options.mutant }), ...(options.until === undefined ? {} : { until: options.until }) }, options.rows === true);
  const end = Math.min(options.until ?? c.operations.length, c.operations.length);
  return { ...run, operations: run.failedAt < 0 ? end : Math.min(run.failedAt + 1, end), observed: 0, differences: new Map(), state: null };
}

/** A plan against what its case expects. */
export function planProblems(c: PlanCase, judged: Judged): string[] {
  return againstExpectation(c, { violation: violationOf(c, judged), differences: new Map(), unmodelled: null });
}

function judgeStoredPlan(c: PlanCase): Judgement {
  const judged = judgePlanCase(c);
  const problems = planProblems(c, judged);
  return { operations: 0, observed: 0, rule: problems.length > 0 ? (violationOf(c, judged)?.rule ?? null) : null, problems, unmodelled: null };
}

/** A case of any kind. */
export function judgeStored(c: StoredCase): Judgement {
  if (c.kind === 'driver') return judgeCase(c, (mutant) => runCase(c, { mutant }));
  if (c.kind === 'tables') return judgeCase(c, (mutant) => runTableCase(c, { mutant }));
  if (c.kind === 'system') return judgeCase(c, (mutant) => runSystemCase(c, { mutant }));
  if (c.kind === 'plan') return judgeStoredPlan(c);
  const run = runMachineCase(c, {});
  const problems = againstExpectation(c, run);
  return { operations: run.operations, observed: 0, rule: problems.length > 0 ? (run.violation?.rule ?? null) : null, problems, unmodelled: run.unmodelled };
}

/** A case of a corpus: right without its mutant, and broken with it. */
function judgeCase(c: Pick<Case, 'subject' | 'expect'>, run: (mutant: string | null) => CaseRun<unknown>): Judgement {
  const mutant = c.subject.mutant ?? null;
  const right = run(null);
  const problems = againstExpectation(c, right);
  let unmodelled = right.unmodelled;
  if (mutant !== null) {
    const wrong = run(mutant);
    unmodelled ??= wrong.unmodelled;
    if (wrong.violation === null && wrong.unmodelled === null) problems.push(`lost its power: mutant ${mutant} breaks no rule any more`);
  }
  const rule = problems.length > 0 ? (right.violation?.rule ?? null) : null;
  return { operations: right.operations, observed: right.observed, rule, problems, unmodelled };
}

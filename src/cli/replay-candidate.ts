/**
 * replay --candidate: one stored sequence, or one stored question, with a planner from outside in place of the driver's own, in the watched thread.
 */
import type { ReplayJob } from '../compare/job.js';
import { readCaseText } from '../operations/node.js';
import { decodeStored, storedId } from '../operations/stored.js';
import { failureBlock } from '../report/failure.js';
import { operationTable } from '../report/operations.js';
import { wrongBlock } from '../report/compare.js';
import { counted, labelled, visible } from '../report/words.js';
import type { RuleId } from '../stack/violation.js';
import { nameCandidate, watch } from './candidate-watch.js';
import { candidateOf, readStdinText, type NamedCase } from './cases.js';
import { UsageError } from './exit.js';
import type { Output } from './output.js';

/** Longest time for one plan. */
const TIMEOUT_MS = 2000;

export interface CandidateRun {
  readonly id: string;
  readonly file: string;
  readonly operations: number;
  readonly problem: string | null;
  readonly rule: RuleId | null;
  readonly unmodelled: string | null;
}

/** The sentence for a case that is about a candidate when none is given. */
export function needsCandidate(c: NamedCase): UsageError | null {
  const part = candidateOf(c.case);
  return part === null ? null : new UsageError(`${c.file}: the case is about the candidate ${visible(part)}: give it with --candidate PATH`);
}

/** One sequence or one question, and the candidate that it was found with. */
interface Stored {
  readonly id: string;
  readonly part: string | null;
  readonly subject: ReplayJob['subject'];
}

async function readStored(path: string): Promise<Stored> {
  const file = nameOf(path);
  const c = decodeStored(path === '-' ? await readStdinText() : readCaseText(path), file);
  if (c.kind === 'system') throw new UsageError(`${file}: option --candidate is not built yet for systems`);
  if (c.kind === 'machine') throw new UsageError(`${file}: a raw machine sequence has no driver, so --candidate has nothing to do in it`);
  if (c.kind === 'tables') throw new UsageError(`${file}: a table sequence has no planner to stand in for, so --candidate has nothing to do in it`);
  const subject: ReplayJob['subject'] = c.kind === 'plan' ? { kind: 'question', question: { description: c.description, features: c.features } }
    : { kind: 'sequence', world: c.world, operations: c.operations };
  return { id: storedId(c), part: candidateOf(c), subject };
}

function nameOf(path: string): string {
  return path === '-' ? 'stdin' : path;
}

export async function replayCandidate(path: string, candidatePath: string, out: Output, whole: boolean): Promise<CandidateRun> {
  const stored = await readStored(path);
  const candidate = nameCandidate(candidatePath);
  const { subject } = stored;
  const ended = await watch({ job: 'replay', candidate: candidate.source, about: { part: candidate.part, path: candidatePath }, subject }, { timeoutMs: TIMEOUT_MS });
  if (ended.type === 'compared' || ended.type === 'replanned') throw new Error('the thread did another job');
  const file = nameOf(path);
  out.print([
    `case ${stored.id}  ${visible(file)}`, ...labelled('subject', [`the optimised stack with planner ${visible(candidate.part)}`]),
    ...(stored.part === null || stored.part === candidate.part ? [] : labelled('found with', [visible(stored.part)])),
  ].join('\n'));
  const run = { id: stored.id, file, operations: subject.kind === 'sequence' ? subject.operations.length : 1, rule: null, problem: null, unmodelled: null };
  const told = { program: out.program, part: candidate.part, path: candidatePath, origin: null, file: path === '-' ? null : path };
  const outcome = ended.type === 'fault' ? null : ended.outcome;
  const fault = ended.type === 'fault' ? ended.fault : ended.outcome.fault;
  if (outcome === null || fault !== null) {
    out.print(wrongBlock({ question: fault?.question ?? null, violation: null, fault }, told));
    return { ...run, problem: fault?.text ?? null };
  }
  const { record, violation, unmodelled } = outcome;
  if (record !== null) out.print(failureBlock({ ...record, file: told.file }, { program: out.program, whole }));
  else if (violation !== null && subject.kind === 'question') out.print(wrongBlock({ question: subject.question, violation, fault: null }, told));
  else if (unmodelled !== null) out.print(`[inconclusive] not modelled: ${visible(unmodelled)}`);
  else out.print([...(whole && subject.kind === 'sequence' ? operationTable(outcome.rows, { outside: null }) : []), `[ok] no violation  ${subject.kind === 'sequence' ? counted(run.operations, 'op') : '1 plan'}`].join('\n'));
  return { ...run, problem: violation === null ? null : `breaks ${violation.rule} (${violation.cause})`, rule: violation?.rule ?? null, unmodelled };
}

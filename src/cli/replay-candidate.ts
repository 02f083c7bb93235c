/**
 * replay --candidate: one stored sequence with a planner from outside in place of the driver's own, in the watched thread.
 */
import type { ReplayJob } from '../compare/job.js';
import { failureBlock } from '../report/failure.js';
import { operationTable } from '../report/operations.js';
import { wrongBlock } from '../report/compare.js';
import { counted, labelled, visible } from '../report/words.js';
import type { RuleId } from '../stack/violation.js';
import { nameCandidate, watch, type Named } from './candidate-watch.js';
import { candidateOf, type NamedCase } from './cases.js';
import { UsageError } from './exit.js';
import type { Output } from './output.js';

/** Longest time for one plan. */
const TIMEOUT_MS = 2000;

export interface CandidateRun {
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

function jobOf(c: NamedCase, candidate: Named): ReplayJob {
  if (c.case.kind === 'machine') throw new UsageError(`${c.file}: a raw machine sequence has no driver, so --candidate has nothing to do in it`);
  const { world, operations } = c.case;
  return { job: 'replay', candidate: candidate.source, about: { part: candidate.part, path: candidate.path }, subject: { kind: 'sequence', world, operations } };
}

export async function replayCandidate(c: NamedCase, path: string, out: Output, whole: boolean): Promise<CandidateRun> {
  const candidate = nameCandidate(path);
  const job = jobOf(c, candidate);
  const ended = await watch(job, { timeoutMs: TIMEOUT_MS });
  const known = candidateOf(c.case);
  out.print([
    `case ${c.id}  ${visible(c.file)}`, ...labelled('subject', [`the optimised stack with planner ${visible(candidate.part)}`]),
    ...(known === null || known === candidate.part ? [] : labelled('found with', [visible(known)])),
  ].join('\n'));
  const operations = job.subject.kind === 'sequence' ? job.subject.operations.length : 1;
  if (ended.type === 'compared') throw new Error('the thread did another job');
  const fault = ended.type === 'fault' ? ended.fault : ended.outcome.fault;
  if (fault !== null) {
    out.print(wrongBlock({ question: fault.question, violation: null, fault }, { program: out.program, part: candidate.part, path, origin: null, file: c.file === 'stdin' ? null : c.file }));
    return { operations, problem: fault.text, rule: null, unmodelled: null };
  }
  const { record, rows, violation, unmodelled } = (ended as Extract<typeof ended, { type: 'replayed' }>).outcome;
  if (record !== null) out.print(failureBlock({ ...record, file: c.file === 'stdin' ? null : c.file }, { program: out.program, whole }));
  else if (unmodelled !== null) out.print(`[inconclusive] not modelled: ${visible(unmodelled)}`);
  else out.print([...(whole ? operationTable(rows, { outside: null }) : []), `[ok] no violation  ${counted(operations, 'op')}`].join('\n'));
  return { operations, problem: violation === null ? null : `breaks ${violation.rule} (${violation.cause})`, rule: violation?.rule ?? null, unmodelled };
}

/**
 * Failure: what a candidate got wrong, shrunk and explained, as the records from which reports and cases are made. A wrong sequence is a
 * driver case whose subject is the candidate; a wrong answer, or none, is a plan case.
 */
import type { FailureRecord } from '../fuzz/failure.js';
import { shrink, type ShrinkResult } from '../fuzz/shrink.js';
import { explain } from '../lockstep/explain.js';
import { replay } from '../lockstep/replay.js';
import { caseId, type Case } from '../operations/case.js';
import type { PlanCase } from '../operations/plan-case.js';
import type { Planner } from '../stack/planner.js';
import type { Operation } from '../stack/operation.js';
import type { Violation } from '../stack/violation.js';
import type { World } from '../stack/world.js';
import { CandidateFault, type Fault } from './candidate.js';
import type { WrongRun } from './campaign.js';
import { alike, answerTwice, roomOf, shrinkQuestion } from './judge-plan.js';
import type { Question } from './pulse.js';

/** Where a failure came from, for the case. */
export interface CompareOrigin {
  readonly seed: string;
  readonly workload: string;
  readonly run: number;
}

/** The same for a plan that a recording asked for: `line` is where the batch that it stands for returned. */
export interface RecordedOrigin {
  readonly recording: string;
  readonly line: number;
}

/** The name of a candidate in a case: its file's name and the beginning of its SHA-256. */
export function partName(file: string, hash: string): string {
  return `${file}#${hash.slice(0, 16)}`;
}

export function candidateCase(c: { readonly world: World; readonly operations: readonly Operation[] }, violation: Violation, part: string, origin: CompareOrigin | null): Case {
  return {
    schema: 1, kind: 'driver', world: c.world, subject: { parts: { planner: part } }, operations: c.operations, expect: { verdict: 'ok' },
    provenance: { rule: violation.rule, cause: violation.cause, ...(origin ?? {}) },
  };
}

export function candidatePlanCase(q: Question, wrong: Violation | Fault, part: string, origin: CompareOrigin | RecordedOrigin): PlanCase {
  return {
    schema: 1, kind: 'plan', features: { ...q.features, wholeRunOnly: false }, description: { ...q.description },
    subject: { parts: { planner: part } }, expect: { verdict: 'ok' },
    provenance: { ...('rule' in wrong ? { rule: wrong.rule, cause: wrong.cause } : { fault: wrong.kind, cause: wrong.text.slice(0, 200) }), ...origin },
  };
}

type WrongSequence = Extract<WrongRun, { kind: 'sequence' }>;
type WrongQuestion = Extract<WrongRun, { kind: 'question' }>;

/** The same violation with as little as possible. A candidate that does worse than that on the way is not followed there. */
export function shrinkSequence(wrong: WrongSequence, planner: Planner, improved: (c: { readonly world: World; readonly operations: readonly Operation[] }, v: Violation) => void): ShrinkResult {
  const shows = (c: { readonly world: World; readonly operations: readonly Operation[] }): Violation | null => {
    try {
      return replay(c.world, c.operations, { planner }).violation;
    } catch (error) {
      if (error instanceof CandidateFault) return null;
      throw error;
    }
  };
  return shrink({ world: wrong.world, operations: wrong.operations }, wrong.violation, { shows, improved });
}

/** A smaller question that shows the same. One that is never answered is not asked again. */
export function shrinkWrongQuestion(wrong: WrongQuestion, fresh: () => Planner): WrongQuestion {
  const start = wrong.question;
  if (start === null || wrong.fault?.kind === 'loops') return wrong;
  const seen = { count: 0, violation: wrong.violation, fault: wrong.fault };
  const ask = (q: Question): ReturnType<typeof answerTwice> => {
    const planner = fresh();
    return answerTwice(planner, q, roomOf(planner), roomOf(planner));
  };
  const small = shrinkQuestion(start, (q) => alike(ask(q), seen));
  const last = ask(small);
  return alike(last, seen) ? { ...wrong, question: small, violation: last.violation, fault: last.fault } : wrong;
}

/** One failing sequence as every report takes it. */
export function candidateRecord(small: { readonly world: World; readonly operations: readonly Operation[]; readonly violation: Violation }, planner: Planner, candidate: NonNullable<FailureRecord['candidate']>,
  shrunk: FailureRecord['shrunk']): FailureRecord {
  const { world, operations, violation } = small;
  return {
    id: caseId(candidateCase(small, violation, candidate.part, null)), world, operations, violation, mutant: null, candidate, origin: null, shrunk,
    explanation: explain(world, operations, violation, { planner }), rows: replay(world, operations, { planner }, true).rows, file: null, fullFile: null,
  };
}

/**
 * Failure: one found violation, shrunk and explained, as one record from which every report is made.
 */
import { explain, type Explanation } from '../lockstep/explain.js';
import { replay, type Row } from '../lockstep/replay.js';
import { caseId, type Case } from '../operations/case.js';
import type { Operation } from '../stack/operation.js';
import type { Violation } from '../stack/violation.js';
import type { World } from '../stack/world.js';

/** Where a failing sequence came from; enough to draw it again. */
export interface Origin {
  readonly seed: string;
  readonly run: number;
  readonly profile: string;
  /** In place of what the profile draws. */
  readonly planner?: string;
}

export interface FailureRecord {
  readonly id: string;
  readonly world: World;
  readonly operations: readonly Operation[];
  readonly violation: Violation;
  readonly mutant: string | null;
  /** A planner from outside was tested: as the case names it, where it is, and the command that finds the failure again. */
  readonly candidate?: { readonly part: string; readonly path: string; readonly again?: string };
  readonly explanation: Explanation;
  /** Both sides of every operation; the last one differs. */
  readonly rows: readonly Row[];
  readonly origin: Origin | null;
  /** Null when the sequence was not shrunk. */
  readonly shrunk: { readonly from: number; readonly tried: number; readonly accepted: number; readonly minimal: boolean } | null;
  /** Where the case and the unshrunk original are stored. */
  readonly file: string | null;
  readonly fullFile: string | null;
}

/** The stored form. `expect` is what a right subject shows: no violation. */
export function failureCase(world: World, operations: readonly Operation[], violation: Violation, mutant: string | null, origin: Origin | null): Case {
  return {
    schema: 1, kind: 'driver', world,
    subject: { parts: {}, ...(mutant === null ? {} : { mutant }) },
    operations,
    expect: { verdict: 'ok' },
    provenance: {
      rule: violation.rule, cause: violation.cause,
      ...(origin === null ? {} : { seed: origin.seed, run: origin.run, profile: origin.profile, ...(origin.planner === undefined ? {} : { planner: origin.planner }) }),
    },
  };
}

export function failureRecord(world: World, operations: readonly Operation[], violation: Violation, mutant: string | null, origin: Origin | null,
  shrunk: FailureRecord['shrunk'], files: { file: string | null; fullFile: string | null }): FailureRecord {
  const subject = mutant === null ? {} : { mutant };
  return {
    id: caseId(failureCase(world, operations, violation, mutant, origin)),
    world, operations, violation, mutant, origin, shrunk,
    explanation: explain(world, operations, violation, subject),
    rows: replay(world, operations, subject, true).rows,
    ...files,
  };
}

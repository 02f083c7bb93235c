/**
 * Job: what the thread that runs a candidate is given, and what it tells. Plain data: it crosses from thread to thread.
 */
import type { FailureRecord } from '../fuzz/failure.js';
import type { Row } from '../lockstep/replay.js';
import type { Description } from '../stack/description.js';
import type { Operation } from '../stack/operation.js';
import type { PlannerFeatures } from '../stack/planner.js';
import type { Violation } from '../stack/violation.js';
import type { World } from '../stack/world.js';
import type { WhatIf } from '../trace/what-if.js';
import type { WrongRun } from './campaign.js';
import type { Fault } from './candidate.js';
import type { Cost } from './cost.js';
import type { Worse, WorseQuestion } from './worse.js';
import type { Recording } from './workloads.js';

/** A planner of the house by its name; a module by its bytes; or an ES module by its address. */
export type CandidateSource =
  | { readonly kind: 'own'; readonly name: string }
  | { readonly kind: 'wasm'; readonly name: string; readonly bytes: Uint8Array }
  | { readonly kind: 'js'; readonly name: string; readonly url: string };

export interface CompareJob {
  readonly job: 'compare';
  readonly candidate: CandidateSource;
  readonly baseline: string;
  readonly seed: string;
  /** Names of workloads; every one when missing. */
  readonly only: readonly string[] | null;
  readonly recordings: readonly Recording[];
  readonly operations: number;
  readonly runs: number;
  /** Milliseconds; Infinity: no limit. */
  readonly timeMs: number;
  /** What the records of failures say about the candidate. */
  readonly about: NonNullable<FailureRecord['candidate']>;
}

export interface ReplayJob {
  readonly job: 'replay';
  readonly candidate: CandidateSource;
  readonly about: NonNullable<FailureRecord['candidate']>;
  readonly subject: { readonly kind: 'sequence'; readonly world: World; readonly operations: readonly Operation[] }
    | { readonly kind: 'question'; readonly question: { readonly description: Description; readonly features: PlannerFeatures } };
}

/** A recording, planned by the candidate. */
export interface WhatIfJob {
  readonly job: 'what-if';
  readonly candidate: CandidateSource;
  readonly recording: string;
  /** Has the SMMU range invalidation? */
  readonly range: boolean;
}

/** One workload, when it is over. */
export interface WorkloadSum {
  readonly name: string;
  readonly runs: number;
  readonly operations: number;
  readonly baseline: Cost;
  readonly candidate: Cost;
  /** Nanoseconds per plan; null: nothing was planned, or something was wrong. */
  readonly nanoseconds: { readonly baseline: number; readonly candidate: number } | null;
}

export interface CompareOutcome {
  readonly workloads: readonly WorkloadSum[];
  readonly worse: readonly Worse[];
  /** For what no sequence shows. */
  readonly worseQuestions: readonly WorseQuestion[];
  /** A failing sequence, shrunk and explained. */
  readonly record: FailureRecord | null;
  /** A failing question, shrunk. */
  readonly wrong: Extract<WrongRun, { kind: 'question' }> | null;
  readonly baselineProblem: string | null;
  readonly unmodelled: readonly string[];
  readonly determinism: { readonly checked: number; readonly identical: number } | null;
}

export interface ReplayOutcome {
  readonly rows: readonly Row[];
  readonly record: FailureRecord | null;
  readonly violation: Violation | null;
  readonly fault: Fault | null;
  readonly unmodelled: string | null;
}

export type Told =
  | { readonly type: 'refused'; readonly text: string }
  | { readonly type: 'begin'; readonly workload: string; readonly run: number }
  | { readonly type: 'progress'; readonly runs: number; readonly operations: number }
  | { readonly type: 'found'; readonly wrong: WrongRun }
  | { readonly type: 'improved'; readonly world: World; readonly operations: readonly Operation[]; readonly violation: Violation }
  | { readonly type: 'compared'; readonly outcome: CompareOutcome }
  | { readonly type: 'replayed'; readonly outcome: ReplayOutcome }
  | { readonly type: 'replanned'; readonly outcome: WhatIf }
  | { readonly type: 'internal'; readonly text: string };

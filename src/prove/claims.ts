/**
 * Claims: what is claimed of a planner, in a sentence with its source, and what came of it. Exhaustive claims are decided together, in one
 * pass over every description that can occur (strata.ts, campaign.ts); symbolic ones each by themselves (symbolic.ts).
 */
import type { Description } from '../stack/description.js';
import type { SolverState } from './symbolic/solver.js';
import type { PlanFeatures, PlanRule, PlanSubject } from '../operations/plan-case.js';

/** How a claim was decided: every case of a finite space, a sample of that space, or all inputs by a solver. */
export type Method = 'exhaustive' | 'sampled' | 'symbolic';
export type ClaimVerdict = 'proved' | 'refuted' | 'undecided';

export interface Claim {
  /** Unique; `<what>/<planner>`. */
  readonly id: string;
  /** Of the registry. */
  readonly planner: string;
  /** What is claimed, for a reader. */
  readonly sentence: string;
  /** Clause or series. */
  readonly source: string;
  readonly method: 'exhaustive' | 'symbolic';
  readonly expected: 'proved' | 'refuted';
}

/** One description for which a claim does not hold. */
export interface Counterexample {
  readonly rule: PlanRule;
  readonly features: PlanFeatures;
  readonly description: Readonly<Description>;
  /** The planner, or the commands of a formula that is none. */
  readonly subject: PlanSubject;
  /** What is wrong with the plan, in a sentence. */
  readonly actual: string;
  /** Nothing with fewer granules, or the same number and a lower start, breaks the claim. */
  readonly smallest: boolean;
}

export interface ClaimResult {
  readonly id: string;
  readonly planner: string;
  readonly sentence: string;
  readonly source: string;
  readonly method: Method;
  /** Descriptions that were judged; of a symbolic claim the questions that the solver answered. */
  readonly cases: number;
  /** Descriptions that there are, when not all were judged. */
  readonly of?: number;
  readonly expected: Claim['expected'];
  readonly verdict: ClaimVerdict;
  readonly counterexample?: Counterexample;
  /** A description that decides it without being a violation, in words. */
  readonly witness?: string;
  /** Why it is undecided. */
  readonly why?: string;
  /** What was counted on the way, for a reader and as figures. */
  readonly notes?: readonly string[];
  readonly figures?: Readonly<Record<string, number>>;
}

/** What a symbolic claim is run with. */
export interface SymbolicContext {
  readonly solver: SolverState;
  /** Asked between the questions to the solver: true means end with what is known, as undecided. */
  readonly stopped: () => boolean;
}

export interface SymbolicClaim extends Claim {
  readonly method: 'symbolic';
  run(context: SymbolicContext): Promise<ClaimResult>;
}

/** Did the claim come out as it is expected to? */
export function asExpected(r: Pick<ClaimResult, 'expected' | 'verdict'>): boolean {
  return r.verdict === r.expected;
}

/**
 * Violation: a rule broken, with the evidence. And the two other ways a run can end early: `Unmodelled`
 * (verdict inconclusive, never ok) and `Stuck` (a call used up its step budget).
 */

export type RuleId =
  | 'stale-translation' | 'stale-walk' | 'stale-configuration' | 'use-after-free' | 'isolation' | 'range-coverage'
  | 'over-invalidation' | 'command-bound'
  | 'illegal-command' | 'queue-integrity' | 'translation-equivalence' | 'machine-refinement' | 'api-result'
  | 'progress' | 'accounting' | 'stale-atc' | 'stale-event' | 'break-before-make' | 'dirty-tracking' | 'tag-lifetime'
  | 'table-coherency' | 'publication' | 'clean-bound' | 'hitless';

export const RULE_IDS: readonly RuleId[] = [
  'stale-translation', 'stale-walk', 'stale-configuration', 'use-after-free', 'isolation', 'range-coverage',
  'over-invalidation', 'command-bound',
  'illegal-command', 'queue-integrity', 'translation-equivalence', 'machine-refinement', 'api-result', 'progress', 'accounting',
  'stale-atc', 'stale-event', 'break-before-make', 'dirty-tracking', 'tag-lifetime',
  'table-coherency', 'publication', 'clean-bound', 'hitless',
];

/** The evidence of one broken rule. Everything in words is for the reader; `cause` is what shrinking must keep. */
export interface Violation {
  readonly rule: RuleId;
  /** A short stable key of what went wrong, without addresses: two violations with one cause are one bug. */
  readonly cause: string;
  /** What the rule allows here. */
  readonly expected: string;
  /** What was found. */
  readonly actual: string;
  /** The chain of causes, oldest first; filled from the log when the failure is explained. */
  readonly because: readonly string[];
  /** Where the fact or command lives: SMMU instance, tag, address span; for the check of a missing command. */
  readonly fact?: FactPlace;
}

/** Enough of a fact to name it and to build the command that must remove it. */
export interface FactPlace {
  readonly smmu: number;
  readonly kind: 'leaf' | 'table' | 'ste' | 'cd';
  readonly asid?: number;
  readonly sid?: number;
  /** First frame and number of frames of the span, level of the descriptor. */
  readonly frame?: number;
  readonly frames?: number;
  readonly level?: number;
}

/** Thrown by the lockstep runner and by watchers inside the models; carries the evidence. */
export class ViolationError extends Error {
  readonly violation: Violation;
  constructor(violation: Violation) {
    super(`${violation.rule}: ${violation.actual}`);
    this.name = 'ViolationError';
    this.violation = violation;
  }
}

/** Something the models do not cover was used: the verdict is inconclusive. */
export class Unmodelled extends Error {
  readonly what: string;
  constructor(what: string) {
    super(`not modelled: ${what}`);
    this.name = 'Unmodelled';
    this.what = what;
  }
}

/** A driver call used up its step budget. */
export class Stuck extends Error {
  constructor(what: string) {
    super(`no progress: ${what}`);
    this.name = 'Stuck';
  }
}

export function violate(v: Violation): never {
  throw new ViolationError(v);
}

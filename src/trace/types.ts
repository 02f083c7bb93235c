/**
 * Trace: judging a recording of a real driver. The rooms, in the order in which a recorded line goes through them:
 *
 *   captures/recording   lines of either vocabulary as data (`Recorded`)
 *   reconstruct          tracing alone: the stores that must have happened, from calls and entries (marked assumed)
 *   machine              the recorded SMMU: stores, registers and commands drive the weakest legal machine
 *   weakest              what is asked of it: stage1 is the fast one, whole the one with everything else
 *   cleaning             stores to tables that a walker does not see until they are cleaned
 *   lives, intent        the recorded driver: lifetimes of domains, what each maps, what is being taken away and when it must be gone
 *   duties, whole-duties the rules, asked at every moment that promises something: of the facts of one machine or the other
 *   calls                which functions of the driver promise what
 *   judge                one line at a time through all of these
 *   explain              the chain of lines behind a finding, and the missing command, verified by inserting it: more passes over the file
 *   cost                 what the recorded driver paid
 *   mutate, pursue       honest recordings damaged: is the judge sharp? What was promised is kept there a second time (promises)
 *   what-if              the same recording with its invalidations planned by others
 *   around               the lanes near a line
 *
 * Three verdicts are kept apart. *violation*: the driver could have left something stale, whatever the recorded device did. *proof*: the
 * recorded device did use something stale. A recording that contradicts itself is no verdict but a CaptureError. What the machine does not
 * model, and what hangs on the order of neighbouring lines, is *inconclusive*.
 */
import type { RuleCount } from '../rules/ledger.js';
import type { FactPlace, RuleId } from '../stack/violation.js';

export type TraceVerdict = 'ok' | 'violation' | 'inconclusive';

/** One rule broken. */
export interface Finding {
  /** `violation`: it could have been used; `proof`: it was. */
  readonly how: 'violation' | 'proof';
  readonly rule: RuleId;
  /** Short and without addresses: findings with one cause are one bug. */
  readonly cause: string;
  readonly expected: string;
  readonly actual: string;
  /** The line where it fell due, or where the device used it, and that line in words. */
  readonly line: number;
  readonly at: string;
  /** The call that took it away, where there is one. */
  readonly from: Origin | null;
  readonly place: FactPlace | null;
  /** It rests on stores that tracing did not show. */
  readonly assumed: boolean;
  readonly mark: string;
}

/** A line of the driver, in words. */
export interface Origin {
  readonly line: number;
  readonly text: string;
}

/** Something that could not be decided. */
export interface Doubt {
  readonly line: number;
  readonly why: string;
}

export interface AccessCounts {
  /** Recorded translations, bypasses and faults. */
  seen: number;
  /** Among the answers that the weakest machine may give. */
  permitted: number;
  /** Permitted by some order of neighbouring lines only. */
  reordered: number;
  /** Not judged: the SMMU was off, or its state is not modelled. */
  skipped: number;
}

export interface TraceResult {
  readonly form: 'full' | 'tracing';
  readonly lines: number;
  readonly verdict: TraceVerdict;
  readonly findings: readonly Finding[];
  /** Findings beyond those that are kept. */
  readonly more: number;
  readonly doubts: readonly Doubt[];
  readonly unknown: Readonly<Record<string, number>>;
  readonly accesses: Readonly<AccessCounts>;
  readonly rules: Readonly<Record<RuleId, RuleCount>>;
  /** What the recording cannot show and was taken for granted. */
  readonly assumed: readonly string[];
  readonly domains: number;
}

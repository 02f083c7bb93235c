/** Found, for systems: shrunk, stored in the smallest form, and made into the record from which every report is printed. */
import type { Origin } from '../fuzz/failure.js';
import { shrinkSystem, SYSTEM_SHRINK_BUDGET, type SystemCandidate } from '../fuzz/system-shrink.js';
import { systemFailureRecord, type SystemFailureRecord } from '../fuzz/system-failure.js';
import type { SystemStore } from '../fuzz/store.js';
import { replaySystem } from '../lockstep/system-replay.js';
import type { FailureLine } from '../report/fuzz.js';
import type { Violation } from '../stack/violation.js';
import { now } from './output.js';

export interface SystemFound {
  readonly record: SystemFailureRecord;
  /** The stored sequence shows the same violation when it is run again. */
  readonly repeatable: boolean;
}

export interface SystemWorkUp {
  readonly store: SystemStore;
  readonly shrink: boolean;
  readonly mutant: string | null;
  readonly origin: Origin | null;
  readonly timeMs?: number;
}

/** Shrinks (if asked), stores and explains a failure that `store` already holds. */
export function workUpSystem(c: SystemCandidate, violation: Violation, how: SystemWorkUp): SystemFound {
  const mutant = how.mutant === null ? {} : { mutant: how.mutant };
  const start = now();
  const again = replaySystem(c.world, c.operations, mutant);
  const cost = Math.max(0.1, now() - start);
  // The shrinker has no clock: a limit of time becomes a limit of evaluations, at the cost of the longest.
  const budget = how.timeMs === undefined ? {} : { budget: Math.max(1, Math.min(SYSTEM_SHRINK_BUDGET, Math.floor(how.timeMs / cost))) };
  const repeatable = again.violation?.rule === violation.rule && again.violation.cause === violation.cause;
  const small = how.shrink && repeatable ? shrinkSystem(c, violation, { ...mutant, ...budget, improved: (b, v) => { how.store.improved(b, v); } }) : null;
  const best = small ?? { ...c, violation };
  const files = how.store.finish(best, best.violation);
  const shrunk = small === null ? null : { from: small.from, tried: small.tried, accepted: small.accepted, minimal: small.minimal };
  return { record: systemFailureRecord(best, best.violation, { mutant: how.mutant, origin: how.origin }, { shrunk, ...files }), repeatable };
}

export function systemLine(r: SystemFailureRecord): FailureLine {
  return { id: r.id, rule: r.violation.rule, cause: r.violation.cause, operations: r.operations.length, shrunkFrom: r.shrunk?.from ?? null, file: r.file };
}

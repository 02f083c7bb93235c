/**
 * Found: what happens to a failing sequence: stored as it is, shrunk with every improvement stored, stored in its
 * smallest form, and made into the record from which every report is printed.
 */
import { failureRecord, type FailureRecord, type Origin } from '../fuzz/failure.js';
import { shrink, type Candidate, type ShrinkResult } from '../fuzz/shrink.js';
import { FailureStore } from '../fuzz/store.js';
import { replay } from '../lockstep/replay.js';
import type { FailureLine } from '../report/fuzz.js';
import type { Violation } from '../stack/violation.js';
import { now } from './output.js';

export interface FoundOptions {
  readonly mutant: string | null;
  readonly origin: Origin | null;
  readonly corpus: string;
  readonly shrink: boolean;
  /** Milliseconds that shrinking may take; no limit when missing. */
  readonly timeMs?: number;
}

export interface Found {
  readonly record: FailureRecord;
  /** The stored sequence shows the same violation when it is run again. */
  readonly repeatable: boolean;
}

/** Stores the sequence as it was found; whatever happens next, it is on disk. */
export function storeOriginal(c: Candidate, violation: Violation, o: FoundOptions): FailureStore {
  const store = new FailureStore(o.corpus, violation, o.mutant, o.origin);
  store.original(c, violation);
  return store;
}

/** Shrinks (if asked), stores and explains a failure that `store` already holds. */
export function workUp(c: Candidate, violation: Violation, o: FoundOptions, store: FailureStore): Found {
  const start = now();
  const again = replay(c.world, c.operations, o.mutant === null ? {} : { mutant: o.mutant });
  const cost = now() - start;
  const repeatable = again.violation?.rule === violation.rule && again.violation.cause === violation.cause;
  const small = o.shrink && repeatable ? shrinkWithin(c, violation, o, store, cost) : null;
  const best = small ?? { ...c, violation };
  const files = store.finish(best, best.violation);
  const shrunk = small === null ? null : { from: small.from, tried: small.tried, accepted: small.accepted, minimal: small.minimal };
  return { record: failureRecord(best.world, best.operations, best.violation, o.mutant, o.origin, shrunk, files), repeatable };
}

/** Thrown from the callback of the shrinker, which has no clock of its own. */
class TimeUp extends Error {}

/** `cost`: milliseconds of one evaluation, from which a limit of time gives a limit of evaluations. */
function shrinkWithin(c: Candidate, violation: Violation, o: FoundOptions, store: FailureStore, cost: number): ShrinkResult {
  const mutant = o.mutant === null ? {} : { mutant: o.mutant };
  const { timeMs } = o;
  if (timeMs === undefined) return shrink(c, violation, { ...mutant, improved: (b, v) => { store.improved(b, v); } });
  const end = now() + timeMs;
  let best = { ...c, violation };
  let accepted = 0;
  try {
    return shrink(c, violation, {
      ...mutant, budget: Math.max(1, Math.min(4000, Math.floor(timeMs / Math.max(cost, 0.01)))),
      improved: (b, v) => {
        store.improved(b, v);
        best = { ...b, violation: v };
        accepted += 1;
        if (now() > end) throw new TimeUp();
      },
    });
  } catch (error) {
    if (!(error instanceof TimeUp)) throw error;
    return { ...best, from: c.operations.length, tried: accepted, accepted, minimal: false };
  }
}

export function failureLine(r: FailureRecord): FailureLine {
  return { id: r.id, rule: r.violation.rule, cause: r.violation.cause, operations: r.operations.length, shrunkFrom: r.shrunk?.from ?? null, file: r.file };
}

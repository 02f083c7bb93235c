/** Found, for raw machine sequences: shrunk, stored in the smallest form, and made into the record from which every report is printed. */
import { machineFailureRecord, type Elsewhere, type MachineFailureRecord } from '../fuzz/machine-failure.js';
import type { MachineFailure } from '../fuzz/machine-campaign.js';
import { shrinkMachine, type MachineCandidate } from '../fuzz/machine-shrink.js';
import type { MachineStore } from '../fuzz/store.js';
import { replayMachine } from '../lockstep/machine-replay.js';
import type { Twins } from '../lockstep/twins.js';
import type { FailureLine } from '../report/fuzz.js';
import type { MachineOperation } from '../stack/machine-world.js';
import type { Violation } from '../stack/violation.js';
import { now } from './output.js';

/** A sequence that takes so long is slow to run again; then so much time is spent on making it smaller. */
const SLOW_MS = 500;
const SLOW_SHRINK_MS = 120_000;

export interface MachineFound {
  readonly record: MachineFailureRecord;
  /** The stored sequence shows the same violation when it is run again. */
  readonly repeatable: boolean;
}

/** Another machine in the optimised one's place. */
export interface Other {
  readonly about: Elsewhere;
  twins(operations: readonly MachineOperation[]): Twins;
  /** What a candidate breaks on it, if that is like this violation and nothing that is known. */
  judge(c: MachineCandidate, like: Violation): Violation | null;
  /** What is known of it that explains a violation, in words. */
  known(c: MachineCandidate, v: Violation): readonly string[];
}

export interface WorkUp {
  readonly store: MachineStore;
  readonly shrink: boolean;
  readonly origin: MachineFailureRecord['origin'];
  readonly timeMs?: number;
  readonly other?: Other;
}

/** Shrinks (if asked), stores and explains a failure that `store` already holds. */
export function workUpMachine(failure: Pick<MachineFailure, 'world' | 'operations' | 'violation'>, how: WorkUp): MachineFound {
  const { world, operations, violation } = failure;
  const { other } = how;
  const start = now();
  const again = other === undefined ? replayMachine(world, operations).violation : other.judge({ world, operations }, violation);
  const cost = Math.max(0.1, now() - start);
  // The shrinker has no clock: a limit of time becomes a limit of evaluations, at the cost of the longest. A machine that hangs costs seconds each time.
  const timeMs = how.timeMs ?? (cost > SLOW_MS ? SLOW_SHRINK_MS : undefined);
  const budget = timeMs === undefined ? {} : { budget: Math.max(1, Math.floor(timeMs / cost)) };
  const repeatable = again?.rule === violation.rule && again.cause === violation.cause;
  const on = other === undefined ? {} : { worldStays: true, judge: (c: MachineCandidate) => other.judge(c, violation) };
  const small = how.shrink && repeatable ? shrinkMachine({ world, operations }, violation, { improved: (c, v) => { how.store.improved(c, v); }, ...budget, ...on }) : null;
  const best = small ?? { world, operations, violation };
  const files = how.store.finish(best, best.violation);
  const shrunk = small === null ? null : { from: small.from, tried: small.tried, accepted: small.accepted, minimal: small.minimal };
  const ran = other === undefined ? {} : { elsewhere: { ...other.about, known: other.known(best, best.violation) }, twins: other.twins(best.operations) };
  return { record: machineFailureRecord(best, best.violation, how.origin, { shrunk, ...files, ...ran }), repeatable };
}

export function machineLine(r: MachineFailureRecord): FailureLine {
  return { id: r.id, rule: r.violation.rule, cause: r.violation.cause, operations: r.operations.length, shrunkFrom: r.shrunk?.from ?? null, file: r.file };
}

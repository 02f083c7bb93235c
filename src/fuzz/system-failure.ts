/**
 * System failure: one violation of a SystemWorld, shrunk and explained, as one record from which every report is made. The explanation is the story that the
 * weakest machine tells of what broke the rule, or else the last commands that went out.
 */
import { describeCommand, OP } from '../spec/command.js';
import type { Explanation } from '../lockstep/explain.js';
import { Log } from '../lockstep/log.js';
import type { Row } from '../lockstep/replay.js';
import { replaySystem } from '../lockstep/system-replay.js';
import { systemCaseId, type SystemCase } from '../operations/system-case.js';
import type { SystemOperation, SystemWorld } from '../stack/system.js';
import type { Violation } from '../stack/violation.js';
import type { FailureRecord, Origin } from './failure.js';
import type { SystemCandidate } from './system-shrink.js';

export interface SystemFailureRecord extends Pick<FailureRecord, 'id' | 'violation' | 'mutant' | 'explanation' | 'origin' | 'shrunk' | 'file' | 'fullFile'> {
  readonly kind: 'system';
  readonly world: SystemWorld;
  readonly operations: readonly SystemOperation[];
  readonly rows: readonly Row<SystemOperation>[];
}

/** The stored form. `expect` is what a right driver shows: no violation, unless the case at hand was stored with another expectation (`like`). */
export function systemFailureCase(c: SystemCandidate, violation: Violation, about: { readonly mutant: string | null; readonly origin: Origin | null }, like?: Pick<SystemCase, 'expect' | 'provenance'>): SystemCase {
  const { mutant, origin } = about;
  return {
    schema: 1, kind: 'system', world: c.world, subject: { parts: {}, ...(mutant === null ? {} : { mutant }) }, operations: c.operations, expect: like?.expect ?? { verdict: 'ok' },
    provenance: { ...like?.provenance, rule: violation.rule, cause: violation.cause, ...(origin === null ? {} : { seed: origin.seed, run: origin.run, profile: origin.profile }) },
  };
}

/** Commands of the last operations that are told when there is no story. */
const SHOWN = 6;

function explain(violation: Violation, told: Violation | null, log: Log): Explanation {
  const story = told?.because ?? violation.because;
  if (story.length > 0) return { because: story, verified: null, tried: 0 };
  const lines = log.entries.flatMap((e) => {
    if (e.kind === 'command' && e.command.op !== OP.SYNC && e.op >= 0) return [`op ${e.op + 1} ${describeCommand(e.command)} goes to SMMU ${e.smmu}`];
    return e.kind === 'synced' && e.op >= 0 ? [`op ${e.op + 1} CMD_SYNC completes on SMMU ${e.smmu}`] : [];
  });
  return { because: lines.slice(-SHOWN), verified: null, tried: 0 };
}

export function systemFailureRecord(c: SystemCandidate, violation: Violation, about: { readonly mutant: string | null; readonly origin: Origin | null },
  rest: Pick<SystemFailureRecord, 'shrunk' | 'file' | 'fullFile'>): SystemFailureRecord {
  const log = new Log();
  const again = replaySystem(c.world, c.operations, { log, ...(about.mutant === null ? {} : { mutant: about.mutant }) }, true);
  return {
    kind: 'system', id: systemCaseId(systemFailureCase(c, violation, about)), world: c.world, operations: c.operations, violation, ...about, rows: again.rows,
    explanation: explain(violation, again.violation, log), ...rest,
  };
}

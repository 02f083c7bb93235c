/**
 * Machine failure: one violation of a raw machine sequence, shrunk and explained, as one record from which every report is
 * made. The explanation names the last commands and SYNCs; what would have helped is tried out.
 */
import { describeCommand, newCommand, OP, type Command } from '../spec/command.js';
import { Log } from '../lockstep/log.js';
import { replayMachine } from '../lockstep/machine-replay.js';
import type { Explanation } from '../lockstep/explain.js';
import type { Row } from '../lockstep/replay.js';
import type { Twins } from '../lockstep/twins.js';
import { machineCaseId, type MachineCase } from '../operations/machine-case.js';
import type { MachineOperation, MachineWorld } from '../stack/machine-world.js';
import type { Violation } from '../stack/violation.js';
import type { FailureRecord } from './failure.js';
import type { MachineCandidate } from './machine-shrink.js';

/** Where a failing sequence came from; enough to draw it again. */
export interface MachineOrigin {
  readonly seed: string;
  readonly run: number;
}

export interface MachineFailureRecord extends Pick<FailureRecord, 'id' | 'violation' | 'explanation' | 'shrunk' | 'file' | 'fullFile'> {
  readonly kind: 'machine';
  readonly world: MachineWorld;
  readonly operations: readonly MachineOperation[];
  readonly rows: readonly Row<MachineOperation>[];
  readonly origin: MachineOrigin | null;
}

/** The stored form. `expect` is what right machines show: no violation. */
export function machineFailureCase(c: MachineCandidate, violation: Violation, origin: MachineOrigin | null): MachineCase {
  return {
    schema: 1, kind: 'machine', world: c.world, operations: c.operations, expect: { verdict: 'ok' },
    provenance: { rule: violation.rule, cause: violation.cause, ...(origin === null ? {} : { seed: origin.seed, run: origin.run }) },
  };
}

export function machineFailureRecord(c: MachineCandidate, violation: Violation, origin: MachineOrigin | null,
  rest: Pick<MachineFailureRecord, 'shrunk' | 'file' | 'fullFile'> & { readonly twins?: Twins }): MachineFailureRecord {
  const twins = rest.twins === undefined ? {} : { twins: rest.twins };
  const log = new Log();
  const again = replayMachine(c.world, c.operations, { ...twins, log }, true);
  return {
    kind: 'machine', id: machineCaseId(machineFailureCase(c, violation, origin)), world: c.world, operations: c.operations, violation, origin,
    explanation: explain(c, violation, { at: again.failedAt, log, twins }), rows: again.rows, shrunk: rest.shrunk, file: rest.file, fullFile: rest.fullFile,
  };
}

const SHOWN = 6;

interface Context {
  /** Index of the operation in which the rule broke. */
  readonly at: number;
  readonly log: Log;
  readonly twins: { readonly twins?: Twins };
}

function explain(c: MachineCandidate, violation: Violation, context: Context): Explanation {
  const seen = context.log.entries.filter((e) => (e.kind === 'command' && e.command.op !== OP.SYNC) || e.kind === 'synced');
  const told = seen.slice(-SHOWN).map((e) => `op ${e.op + 1} ${e.kind === 'command' ? `${describeCommand(e.command)} becomes visible to SMMU ${e.smmu}` : `CMD_SYNC completes on SMMU ${'smmu' in e ? e.smmu : 0}`}`);
  const because = [...violation.because, ...(seen.length > SHOWN ? [`… ${seen.length - SHOWN} commands and SYNCs before these`] : []), ...told];
  const failing = c.operations[context.at];
  if (failing === undefined || (failing.op !== 'claim' && failing.op !== 'free')) return { because, verified: null, tried: 0 };
  return { because, ...verify(c, violation, context) };
}

/** Broad remedies in front of the failing operation: each one that makes it pass is *verified* as what is missing. */
function verify(c: MachineCandidate, violation: Violation, context: Context): { verified: string | null; tried: number } {
  const failing = c.operations[context.at] as MachineOperation;
  const smmus = 'smmu' in failing ? [failing.smmu] : c.world.smmus.map((_, i) => i);
  const fields: Partial<Command>[] = [{ op: OP.TLBI_NSNH_ALL }, { op: OP.TLBI_EL2_ALL }, { op: OP.CFGI_STE_RANGE, range: 31 }, ...('sid' in failing ? [{ op: OP.ATC_INV, sid: failing.sid, size: 52 }] : [])];
  const remedies: { text: string; operations: readonly MachineOperation[] }[] = [
    { text: 'a barrier', operations: [{ op: 'barrier' }] },
    { text: 'a CMD_SYNC', operations: smmus.map((smmu) => ({ op: 'sync' as const, smmu, queue: 0, msi: 0 })) },
    ...fields.map((f) => ({
      text: `${describeCommand({ ...newCommand(), ...f })} and a CMD_SYNC`,
      operations: smmus.flatMap((smmu): MachineOperation[] => [{ op: 'command', smmu, queue: 0, command: { ...newCommand(), ...f } }, { op: 'sync', smmu, queue: 0, msi: 0 }]),
    })),
  ];
  let tried = 0;
  for (const r of remedies) {
    tried += 1;
    const operations = [...c.operations.slice(0, context.at), ...r.operations, ...c.operations.slice(context.at)];
    const again = replayMachine(c.world, operations, context.twins);
    if (again.unmodelled !== null) continue;
    const gone = again.violation === null || again.failedAt > context.at + r.operations.length;
    if (gone && again.violation?.rule !== violation.rule) return { verified: `inserting ${r.text} in front of op ${context.at + 1} removes the violation`, tried };
  }
  return { verified: null, tried };
}

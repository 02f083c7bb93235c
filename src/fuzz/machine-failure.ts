/**
 * Machine failure: one violation of a raw machine sequence, shrunk and explained, as one record from which every report is
 * made. The explanation is the story of what broke the rule, or else names the last commands and SYNCs; what would have helped is tried out (remedies.ts).
 */
import { describeCommand, OP } from '../spec/command.js';
import { Log } from '../lockstep/log.js';
import { replayMachine } from '../lockstep/machine-replay.js';
import type { Explanation } from '../lockstep/explain.js';
import type { Row } from '../lockstep/replay.js';
import type { Twins } from '../lockstep/twins.js';
import { registerName } from '../operations/machine-fields.js';
import { machineCaseId, type MachineCase } from '../operations/machine-case.js';
import type { MachineOperation, MachineWorld } from '../stack/machine-world.js';
import type { Violation } from '../stack/violation.js';
import type { FailureRecord } from './failure.js';
import type { MachineCandidate } from './machine-shrink.js';
import { remedies } from './remedies.js';

/** Where a failing sequence came from; enough to draw it again. */
export interface MachineOrigin {
  readonly seed: string;
  readonly run: number;
}

/** A machine that is not ours and stood in the optimised one's place. */
export interface Elsewhere {
  /** As `QEMU 7.2.22`. */
  readonly name: string;
  /** The program that it is. */
  readonly path: string;
  /** Its known deviations were not reported. */
  readonly waived: boolean;
  /** Known deviations that the violation is, in words. */
  readonly known?: readonly string[];
}

export interface MachineFailureRecord extends Pick<FailureRecord, 'id' | 'violation' | 'explanation' | 'shrunk' | 'file' | 'fullFile'> {
  readonly kind: 'machine';
  readonly world: MachineWorld;
  readonly operations: readonly MachineOperation[];
  readonly rows: readonly Row<MachineOperation>[];
  readonly origin: MachineOrigin | null;
  readonly elsewhere?: Elsewhere;
}

/** The stored form. `expect` is what right machines show: no violation, unless the case at hand was stored with another expectation (`like`). */
export function machineFailureCase(c: MachineCandidate, violation: Violation, origin: MachineOrigin | null, like?: Pick<MachineCase, 'expect' | 'provenance'>): MachineCase {
  return {
    schema: 1, kind: 'machine', world: c.world, operations: c.operations, expect: like?.expect ?? { verdict: 'ok' },
    provenance: { ...like?.provenance, rule: violation.rule, cause: violation.cause, ...(origin === null ? {} : { seed: origin.seed, run: origin.run }) },
  };
}

export function machineFailureRecord(c: MachineCandidate, violation: Violation, origin: MachineOrigin | null,
  rest: Pick<MachineFailureRecord, 'shrunk' | 'file' | 'fullFile' | 'elsewhere'> & { readonly twins?: Twins }): MachineFailureRecord {
  const twins = rest.twins === undefined ? {} : { twins: rest.twins };
  const log = new Log();
  const again = replayMachine(c.world, c.operations, { ...twins, log }, true);
  return {
    kind: 'machine', id: machineCaseId(machineFailureCase(c, violation, origin)), world: c.world, operations: c.operations, violation, origin,
    explanation: explain(c, violation, { at: again.failedAt, log, told: again.violation, twins }), rows: again.rows, shrunk: rest.shrunk, file: rest.file, fullFile: rest.fullFile,
    ...(rest.elsewhere === undefined ? {} : { elsewhere: rest.elsewhere }),
  };
}

const SHOWN = 6;

interface Context {
  /** Index of the operation in which the rule broke. */
  readonly at: number;
  readonly log: Log;
  /** The violation as it came again, with what the machines told of it. */
  readonly told: Violation | null;
  readonly twins: { readonly twins?: Twins };
}

function explain(c: MachineCandidate, violation: Violation, context: Context): Explanation {
  const story = context.told?.because ?? violation.because;
  const because = story.length > 0 ? story : lastCommands(c.operations, context);
  const failing = c.operations[context.at];
  if (failing === undefined || (failing.op !== 'claim' && failing.op !== 'free')) return { because, verified: null, tried: 0 };
  return { because, ...verify(c, violation, context) };
}

/** Without a story: what went out last, boot aside, and the registers that were written. */
function lastCommands(operations: readonly MachineOperation[], { at, log }: Context): string[] {
  const lines: string[] = [];
  for (const e of log.entries) {
    const op = operations[e.op];
    if (op === undefined || op.op === 'boot') continue;
    if (e.kind === 'operation' && op.op === 'register' && e.op <= at) lines.push(`op ${e.op + 1} writes ${registerName(op.offset)} = 0x${op.value.toString(16)}`);
    if (e.kind === 'command' && e.command.op !== OP.SYNC) lines.push(`op ${e.op + 1} ${describeCommand(e.command)} becomes visible to SMMU ${e.smmu}`);
    if (e.kind === 'synced') lines.push(`op ${e.op + 1} CMD_SYNC completes on SMMU ${e.smmu}`);
  }
  return lines.length > SHOWN ? [`… ${lines.length - SHOWN} before these`, ...lines.slice(-SHOWN)] : lines;
}

/** Remedies one after the other: the first that makes the failing operation pass is *verified* as what is missing. */
function verify(c: MachineCandidate, violation: Violation, context: Context): { verified: string | null; tried: number } {
  let tried = 0;
  for (const r of remedies(c.operations, context.at, context.log.remedies)) {
    tried += 1;
    const operations = [...c.operations.slice(0, r.at), ...r.operations, ...c.operations.slice(r.at)];
    const again = replayMachine(c.world, operations, context.twins);
    if (again.unmodelled !== null) continue;
    const gone = again.violation === null || again.failedAt > context.at + r.operations.length;
    if (gone && again.violation?.rule !== violation.rule) return { verified: `inserting ${r.text} removes the violation`, tried };
  }
  return { verified: null, tried };
}

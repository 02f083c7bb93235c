/**
 * Remedies: operations that might be missing from a sequence that broke a rule, narrowest first: a barrier, a CMD_SYNC (also between two commands of
 * the last batch), the exact commands that name what is stale, and last the ones that name everything.
 */
import { describeCommand, newCommand, OP, type Command } from '../spec/command.js';
import type { MachineOperation } from '../stack/machine-world.js';

export interface Remedy {
  /** As `CFGI_STE sid 1 leaf and a CMD_SYNC in front of op 7`. */
  readonly text: string;
  /** Index of the operation in front of which these are inserted. */
  readonly at: number;
  readonly operations: readonly MachineOperation[];
}

/** At most so many places between commands are tried. */
const BETWEEN = 12;

/** What to try in front of operation `failing`; `exact`: lists of commands, each command with a CMD_SYNC behind it. */
export function* remedies(operations: readonly MachineOperation[], failing: number, exact: readonly (readonly Command[])[]): Generator<Remedy> {
  const op = operations[failing] as MachineOperation;
  const used = new Set(operations.slice(0, failing).map((o) => ('smmu' in o ? o.smmu : 0)));
  const smmus = 'smmu' in op ? [op.smmu] : [...used];
  const here = `in front of op ${failing + 1}`;
  yield* barriers(operations, failing);
  yield { text: `a CMD_SYNC ${here}`, at: failing, operations: smmus.map(sync) };
  yield* otherQueues(operations, failing, smmus);
  yield* between(operations, failing);
  for (const list of [...exact, ...broad(op)]) {
    yield {
      text: `${list.map((c) => `${describeCommand(c)} and a CMD_SYNC`).join(', then ')} ${here}`, at: failing,
      operations: smmus.flatMap((smmu) => list.flatMap((command): MachineOperation[] => [{ op: 'command', smmu, queue: 0, command }, sync(smmu)])),
    };
  }
}

function sync(smmu: number): MachineOperation {
  return { op: 'sync', smmu, queue: 0, msi: 0 };
}

/** A barrier right behind the last held store. */
function* barriers(operations: readonly MachineOperation[], failing: number): Generator<Remedy> {
  for (let at = failing - 1; at >= 0; at -= 1) {
    const o = operations[at];
    if (o?.op !== 'store' || !o.held) continue;
    yield { text: `a barrier behind op ${at + 1}`, at: at + 1, operations: [{ op: 'barrier' }] };
    return;
  }
}

/** A CMD_SYNC of another queue that was used. */
function* otherQueues(operations: readonly MachineOperation[], failing: number, smmus: readonly number[]): Generator<Remedy> {
  const seen = new Set<number>();
  for (const o of operations.slice(0, failing)) {
    if ((o.op !== 'command' && o.op !== 'raw') || o.queue === 0 || !smmus.includes(o.smmu) || seen.has(o.queue)) continue;
    seen.add(o.queue);
    yield { text: `a CMD_SYNC of queue ${o.queue} in front of op ${failing + 1}`, at: failing, operations: [{ op: 'sync', smmu: o.smmu, queue: o.queue, msi: 0 }] };
  }
}

/** A CMD_SYNC between two commands of one batch, the last batch first. */
function* between(operations: readonly MachineOperation[], failing: number): Generator<Remedy> {
  let tried = 0;
  let next: { readonly at: number; readonly text: string; readonly smmu: number; readonly queue: number } | null = null;
  for (let at = failing - 1; at >= 0 && tried < BETWEEN; at -= 1) {
    const o = operations[at] as MachineOperation;
    if (o.op === 'sync' || o.op === 'boot') next = null;
    if (o.op !== 'command') continue;
    const text = describeCommand(o.command);
    if (next !== null && next.smmu === o.smmu && next.queue === o.queue) {
      tried += 1;
      yield { text: `a CMD_SYNC between op ${at + 1} ${text} and op ${next.at + 1} ${next.text}`, at: at + 1, operations: [{ op: 'sync', smmu: o.smmu, queue: o.queue, msi: 0 }] };
    }
    next = { at, text, smmu: o.smmu, queue: o.queue };
  }
}

/** Commands that name everything of their kind. */
function broad(op: MachineOperation): Command[][] {
  const make = (fields: Partial<Command>): Command => ({ ...newCommand(), ...fields });
  const all = make({ op: OP.CFGI_STE_RANGE, range: 31 });
  const tlb = make({ op: OP.TLBI_NSNH_ALL });
  const atc = 'sid' in op ? [make({ op: OP.ATC_INV, sid: op.sid, size: 52 })] : [];
  return [[tlb], [make({ op: OP.TLBI_EL2_ALL })], [all], ...atc.map((c) => [c]), [all, tlb], ...atc.map((c) => [tlb, c]), ...atc.map((c) => [all, tlb, c])];
}

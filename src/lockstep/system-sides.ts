/**
 * System sides: the SMMUs of a SystemWorld, each as the whole weakest machine and the whole concrete machine behind one set of registers, with software's view
 * of the event queue. A command is complete when the driver has seen the concrete machine's CONS behind its CMD_SYNC.
 */
import type { Command, CommandVerdict } from '../spec/command.js';
import { REG } from '../spec/register.js';
import type { Memory } from '../memory/memory.js';
import { OptimisedMachine } from '../optimised/machine/machine.js';
import { ReferenceMachine } from '../reference/machine/machine.js';
import type { Ledger } from '../rules/ledger.js';
import type { RegisterPort } from '../stack/machine.js';
import { systemMachineConfig } from '../stack/machine.js';
import type { MachineConfig } from '../stack/machine-world.js';
import type { SystemWorld } from '../stack/system.js';
import { EventReader } from './event-reader.js';
import { RecordCheck } from './record-check.js';
import type { Judged, Telling } from './telling.js';

const POINTER = 0x100000;

export interface SystemSide extends Judged {
  readonly weakest: ReferenceMachine;
  readonly config: MachineConfig;
  readonly concrete: OptimisedMachine;
  readonly events: EventReader;
  readonly records: RecordCheck;
  /** Registers as the driver has them. */
  readonly port: RegisterPort;
  /** Has a CMD_SYNC completed since somebody looked? */
  synced: boolean;
}

/** What the sides tell the runner. */
export interface SideListener {
  commandSeen(smmu: number, command: Command, verdict: CommandVerdict): void;
  synced(smmu: number): void;
  conflict(smmu: number, what: string, facts: readonly unknown[]): void;
  /** The concrete machine is at work from now on (with the first word of the record that it may write, or -1), or no longer (`smmu` -1). */
  working(smmu: number, recordAt: number): void;
}

export function makeSide(world: SystemWorld, smmu: number, around: { readonly memory: Memory; readonly ledger: Ledger; readonly telling: Telling | null; readonly listener: SideListener }): SystemSide {
  const { memory, ledger, telling, listener } = around;
  const config = systemMachineConfig(world.base.smmus[smmu] as SystemWorld['base']['smmus'][number], world.smmus[smmu] ?? {});
  const weakest = new ReferenceMachine(memory, config);
  const concrete = new OptimisedMachine(memory, config);
  const events = new EventReader(memory, concrete, config.features.eventLog2);
  const records = new RecordCheck(ledger, false);
  weakest.judged = true;
  weakest.software = true;
  if (telling !== null) weakest.remember();
  const port: RegisterPort = {
    writeRegister: (offset, value) => {
      weakest.writeRegister(offset, value);
      listener.working(smmu, -1);
      concrete.writeRegister(offset, value);
      listener.working(-1, -1);
    },
    readRegister: (offset) => {
      const value = concrete.readRegister(offset);
      if (offset === REG.CMDQ_CONS) weakest.observe(0, value % POINTER);
      return value;
    },
  };
  const side: SystemSide = { weakest, config, concrete, events, records, port, telling, synced: false };
  weakest.listener = {
    commandSeen: (_queue, command, verdict) => { listener.commandSeen(smmu, command, verdict); },
    synced: () => {
      side.synced = true;
      records.synced();
      listener.synced(smmu);
    },
    conflict: (what, facts) => { listener.conflict(smmu, what, facts ?? []); },
  };
  return side;
}

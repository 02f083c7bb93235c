/**
 * Control: the register file of the SMMU (IHI 0070 §6.2, §6.3) with its queues and errors behind it. Guards as from
 * v3.2 on: a write that the guard forbids is ignored (§6.3.9 and the register's own text). An Update of CR0, IRQ_CTRL or
 * GBPA takes effect at once, so the acknowledge registers show what was written. Fields that this SMMU does not
 * implement are RES0.
 *
 * What translates is a `Unit`: it is told the registers that govern it and is given the commands. Caches are its business;
 * no register write here touches them (§6.3.9.6), and queue indices stay as SMMUEN and the queues go off and on.
 */
import type { Command } from '../../spec/command.js';
import type { FaultRecord } from '../../spec/event.js';
import { registersOf } from '../../spec/features.js';
import {
  commandCons, CONTROL_PAGE, CR0_ATSCHK, CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, CR2_E2H, CR2_PTM, CR2_REC_CFG_ATS, CR2_RECINVSID, EXTRA_CONS,
  EXTRA_PROD, extraQueue, GBPA_ABORT, GBPA_UPDATE, GERROR_CMDQ, GERROR_MSI_CMDQ_ABT, IRQ_EVENTQ, IRQ_GERROR, REG,
} from '../../spec/register.js';
import type { Memory } from '../../memory/memory.js';
import type { RegisterPort } from '../../stack/machine.js';
import type { MachineConfig } from '../../stack/machine-world.js';
import { Unmodelled } from '../../stack/violation.js';
import { EventQueue, type EventTiming } from './events.js';
import { ExtraQueue } from './extra-queue.js';
import { GlobalErrors } from './gerror.js';
import { CommandQueue, type CommandSink, type QueueOwner } from './queue.js';

/** What the registers govern. */
export interface Unit extends CommandSink {
  /**
   * Register values, after every change of one of them: STRTAB_BASE, STRTAB_BASE_CFG, CR0, CR2 and GBPA.ABORT. Until the
   * first call all are 0, except CR2.RECINVSID.
   */
  configured(strtabBase: number, strtabCfg: number, cr0: number, cr2: number, gbpaAbort: boolean): void;
}

/** CR0.VMW, bits [8:6]. */
const CR0_VMW = 7 << 6;
/** CR1: attributes of tables (guarded by SMMUEN) and of queues (guarded by the queues' enables) (§6.3.11). */
const CR1_TABLES = 0xfc0;
const CR1_QUEUES = 0x3f;
/** GBPA: ABORT, INSTCFG, PRIVCFG, SHCFG, ALLOCCFG, MTCFG, MemAttr (§6.3.14). */
const GBPA_FIELDS = 0x1f3f1f;

export class Control implements RegisterPort, QueueOwner {
  readonly #unit: Unit;
  readonly #errors = new GlobalErrors();
  readonly #commands: CommandQueue;
  readonly #extra: readonly ExtraQueue[];
  /** Bytes of the control page per further queue. */
  readonly #extraBytes: number;
  readonly #events: EventQueue;
  readonly #identification: ReturnType<typeof registersOf>;
  readonly #cr0Fields: number;
  readonly #cr2Fields: number;
  #cr0 = 0;
  #cr1 = 0;
  /** UNKNOWN at reset (§6.3.12): here, faults of unknown streams are recorded. */
  #cr2 = CR2_RECINVSID;
  /** IMPLEMENTATION DEFINED at reset (§6.3.14): here, bypass. */
  #gbpa = 0;
  #irq = 0;
  #strtabBase = 0;
  #strtabConfig = 0;

  constructor(memory: Memory, config: MachineConfig, unit: Unit, timing: EventTiming = 'prompt') {
    const f = config.features;
    const errors = this.#errors;
    this.#unit = unit;
    this.#identification = registersOf(f);
    this.#cr0Fields = CR0_SMMUEN | CR0_EVENTQEN | CR0_CMDQEN | (f.ats ? CR0_ATSCHK : 0) | (f.vmidWildcard ? CR0_VMW : 0);
    this.#cr2Fields = CR2_RECINVSID | CR2_PTM | (f.hyp ? CR2_E2H : 0) | (f.ats ? CR2_REC_CFG_ATS : 0);
    this.#commands = new CommandQueue(memory, config, this, {
      get active(): boolean { return errors.active(GERROR_CMDQ); },
      raise(): void { errors.raise(GERROR_CMDQ); },
    });
    this.#extra = Array.from({ length: f.extraQueues }, () => new ExtraQueue(memory, config, this, errors));
    this.#extraBytes = extraQueue(1, Math.max(1, f.extraQueues)) - CONTROL_PAGE;
    this.#events = new EventQueue(memory, f.eventLog2, errors, timing);
  }

  /** SMMUEN. */
  get enabled(): boolean { return (this.#cr0 & CR0_SMMUEN) !== 0; }

  /** An event record of a terminated transaction. */
  record(event: FaultRecord): void {
    this.#events.record(event);
  }

  /** Records that wait become visible. */
  commitAll(): void {
    this.#events.commitAll();
  }

  /** QueueOwner. */
  execute(c: Command): boolean {
    return this.#unit.execute(c);
  }

  synced(): void {
    this.#events.synced();
  }

  msiLost(): void {
    this.#errors.raise(GERROR_MSI_CMDQ_ABT);
  }

  writeRegister(offset: number, value: number): void {
    switch (offset) { // what software writes most comes first
      case REG.CMDQ_PROD: this.#commands.setProd(value); return;
      case REG.EVENTQ_CONS: this.#events.setCons(value); return;
      case REG.CR0: this.#writeCr0(value); return;
      case REG.CR1: this.#writeCr1(value); return;
      case REG.CR2: if (!this.enabled) this.#cr2 = value & this.#cr2Fields; break;
      case REG.GBPA: if (value >= GBPA_UPDATE) this.#gbpa = value & GBPA_FIELDS; break;
      case REG.STRTAB_BASE: if (!this.enabled) this.#strtabBase = value; break;
      case REG.STRTAB_BASE_CFG: if (!this.enabled) this.#strtabConfig = value; break;
      default: this.#writeOther(offset, value); return;
    }
    this.#configured();
  }

  /** Registers of queues, errors and interrupts. */
  #writeOther(offset: number, value: number): void {
    switch (offset) {
      case REG.GERRORN:
        this.#errors.acknowledge(value);
        this.#commands.resume();
        return;
      case REG.IRQ_CTRL: this.#irq = value & (IRQ_GERROR | IRQ_EVENTQ); return;
      case REG.CMDQ_BASE: this.#commands.setBase(value); return;
      case REG.CMDQ_CONS: this.#commands.setCons(value); return;
      case REG.EVENTQ_BASE: this.#events.setBase(value); return;
      case REG.EVENTQ_PROD: this.#events.setProd(value); return;
      case REG.IDR0: case REG.IDR1: case REG.IDR2: case REG.IDR3: case REG.IDR5: case REG.IDR6: case REG.IIDR:
      case REG.CR0ACK: case REG.IRQ_CTRLACK: case REG.GERROR: return; // read-only
      default: this.#writeExtra(offset, value);
    }
  }

  readRegister(offset: number): number {
    switch (offset) { // what software reads most comes first
      case REG.CMDQ_CONS: return commandCons(this.#commands.cons, this.#commands.reason);
      case REG.EVENTQ_PROD: return this.#events.prod;
      case REG.EVENTQ_CONS: return this.#events.cons;
      case REG.IDR0: return this.#identification.idr0;
      case REG.IDR1: return this.#identification.idr1;
      case REG.IDR2: return 0; // BA_VATOS: no VATOS page
      case REG.IDR3: return this.#identification.idr3;
      case REG.IDR5: return this.#identification.idr5;
      case REG.IDR6: return this.#identification.idr6;
      case REG.IIDR: return this.#identification.iidr;
      case REG.CR0: case REG.CR0ACK: return this.#cr0;
      case REG.CR1: return this.#cr1;
      case REG.CR2: return this.#cr2;
      case REG.GBPA: return this.#gbpa;
      case REG.IRQ_CTRL: case REG.IRQ_CTRLACK: return this.#irq;
      case REG.GERROR: return this.#errors.raised;
      case REG.GERRORN: return this.#errors.acknowledged;
      case REG.STRTAB_BASE: return this.#strtabBase;
      case REG.STRTAB_BASE_CFG: return this.#strtabConfig;
      case REG.CMDQ_BASE: return this.#commands.base;
      case REG.CMDQ_PROD: return this.#commands.prod;
      case REG.EVENTQ_BASE: return this.#events.base;
      default: return this.#readExtra(offset);
    }
  }

  /** The unit hears of it before the queues go on. */
  #writeCr0(value: number): void {
    this.#cr0 = value & this.#cr0Fields;
    this.#configured();
    this.#events.enable((this.#cr0 & CR0_EVENTQEN) !== 0);
    this.#commands.enable((this.#cr0 & CR0_CMDQEN) !== 0);
  }

  #writeCr1(value: number): void {
    const queues = (this.#cr0 & (CR0_CMDQEN | CR0_EVENTQEN)) !== 0;
    const open = (this.enabled ? 0 : CR1_TABLES) | (queues ? 0 : CR1_QUEUES);
    this.#cr1 = (this.#cr1 & ~open) | (value & open);
  }

  #configured(): void {
    this.#unit.configured(this.#strtabBase, this.#strtabConfig, this.#cr0, this.#cr2, (this.#gbpa & GBPA_ABORT) !== 0);
  }

  #writeExtra(offset: number, value: number): void {
    const queue = this.#extraAt(offset);
    switch (this.#extraRegister(offset)) {
      case 0: queue.setBase(value); return;
      case EXTRA_PROD: queue.setProd(value); return;
      case EXTRA_CONS: queue.setCons(value); return;
      default: throw new Unmodelled(`register 0x${offset.toString(16)}`);
    }
  }

  #readExtra(offset: number): number {
    const queue = this.#extraAt(offset);
    switch (this.#extraRegister(offset)) {
      case 0: return queue.base;
      case EXTRA_PROD: return queue.prod;
      case EXTRA_CONS: return queue.cons;
      default: throw new Unmodelled(`register 0x${offset.toString(16)}`);
    }
  }

  /** The further queue whose registers these are (§3.5.6). */
  #extraAt(offset: number): ExtraQueue {
    const queue = this.#extra[Math.floor((offset - CONTROL_PAGE) / this.#extraBytes)];
    if (queue === undefined) throw new Unmodelled(`register 0x${offset.toString(16)}`);
    return queue;
  }

  /** Offset from the queue's own first register. */
  #extraRegister(offset: number): number {
    return (offset - CONTROL_PAGE) % this.#extraBytes;
  }
}

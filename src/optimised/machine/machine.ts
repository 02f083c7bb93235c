/**
 * OptimisedMachine: a concrete SMMUv3 for stage 1, 4 KB granule, linear stream table, one CD per stream, TTB0, VMID 0.
 * Registers (IHI 0070 §6.3, guards as in v3.2: a guarded write is ignored) and the translation procedure of §3.3.2 and
 * §7.3.22; the caches, queues and the walk have rooms of their own. What is outside that scope
 * throws `Unmodelled`.
 *
 * Why it equals its slow twin: every answer is one that the weakest machine may give. Caches hold only what was read
 * through valid precursors while SMMUEN was 1, and lose what a command names at the moment it is consumed.
 *
 * Hot path: `access` on a TLB hit is two array compares for the configuration and one set probe; it allocates nothing.
 */
import { CLASS_IN, EVENT, isTranslationFault, newFault } from '../../spec/event.js';
import { CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, GERROR_CMDQ, GERROR_MSI_CMDQ_ABT, REG } from '../../spec/register.js';
import { IPS_BITS } from '../../spec/cd.js';
import { STE_BYTES } from '../../spec/ste.js';
import { POW2 } from '../../spec/bits.js';
import type { Command } from '../../spec/command.js';
import { FULL_FEATURES, type Features } from '../../spec/features.js';
import type { Memory } from '../../memory/memory.js';
import type { ConcreteMachine, InsertListener } from '../../stack/machine.js';
import { setAbort, setFault, setOk, type Outcome } from '../../stack/outcome.js';
import { Unmodelled } from '../../stack/violation.js';
import { LIMITS, OAS, PHYSICAL_FRAMES, type SmmuConfig } from '../../stack/world.js';
import { ConfigCache, STE_ABORT, STE_BYPASS, STE_ILLEGAL, type Heard } from './config-cache.js';
import { EventQueue } from './events.js';
import { GlobalErrors } from './gerror.js';
import { executeCommand, type Caches } from './invalidate.js';
import { CommandQueue, type QueueOwner } from './queue.js';
import { Tlb } from './tlb.js';
import { WalkCache } from './walk-cache.js';
import { Walker } from './walk.js';

/** CR2.RECINVSID: are C_BAD_STREAMID events recorded? */
const CR2_RECINVSID = 2;
/** Walk cache entries: a quarter of the TLB's, within these. */
const TABLE_ENTRIES_MIN = 4;
const TABLE_ENTRIES_MAX = 64;
/** IDR1.CMDQS and IDR1.EVENTQS. */
const QUEUE_LOG2_MAX = 19;
/** IDR5.OAS for 44 bits. */
const OAS_44 = IPS_BITS.indexOf(OAS);
/** VA[55] in frames: selects TTB1. */
const UPPER_HALF = 2 ** 43;

export interface MachineStats {
  accesses: number;
  tlbHits: number;
  walks: number;
  commands: number;
}

export type LeafVisitor = (asid: number, frame: number, level: number, lo: number, hi: number) => void;
/** What this machine implements, for the legality of commands. */
function stage1Features(config: SmmuConfig): Features {
  return {
    ...FULL_FEATURES, stage2: false, hyp: false, ats: false, splitAts: false, ds: false, ssidBits: 0, extraQueues: 0, msi: false,
    asidBits: config.asidBits, range: config.range, sidBits: LIMITS.streamLog2, commandLog2: QUEUE_LOG2_MAX, eventLog2: QUEUE_LOG2_MAX,
  };
}

export type StructureVisitor = (sid: number, words: Uint32Array, base: number) => void;

export class OptimisedMachine implements ConcreteMachine, QueueOwner, Heard {
  /** Told of every cache insert. */
  listener: InsertListener | null = null;
  readonly stats: MachineStats = { accesses: 0, tlbHits: 0, walks: 0, commands: 0 };
  readonly #config: SmmuConfig;
  readonly #tlb: Tlb;
  readonly #tables: WalkCache;
  readonly #structures: ConfigCache;
  readonly #caches: Caches;
  readonly #walker: Walker;
  readonly #errors = new GlobalErrors();
  readonly #commands: CommandQueue;
  readonly #events: EventQueue;
  readonly #event = { ...newFault(), class: CLASS_IN };
  #cr0 = 0;
  #cr1 = 0;
  /** UNKNOWN at reset (§6.3.12): here, faults of unknown streams are recorded. */
  #cr2 = CR2_RECINVSID;
  #translating = false;
  #strtabBase = 0;
  #strtabConfig = 0;
  /** From the two above: address of STE 0 in bytes, and how many STEs there are. */
  #steTable = 0;
  #streams = 1;

  constructor(memory: Memory, config: SmmuConfig) {
    this.#config = config;
    this.#tlb = new Tlb(config.tlbEntries);
    this.#tables = new WalkCache(Math.min(TABLE_ENTRIES_MAX, Math.max(TABLE_ENTRIES_MIN, config.tlbEntries / 4)));
    this.#structures = new ConfigCache(memory, config, this);
    this.#caches = { tlb: this.#tlb, tables: this.#tables, config: this.#structures };
    this.#walker = new Walker(memory, this.#caches, this);
    const errors = this.#errors;
    this.#commands = new CommandQueue(memory, { features: stage1Features(config), strictReserved: true }, this, {
      get active(): boolean { return errors.active(GERROR_CMDQ); },
      raise(): void { errors.raise(GERROR_CMDQ); },
    });
    this.#events = new EventQueue(memory, QUEUE_LOG2_MAX, errors);
  }

  /** One access of 4 bytes at `frame` (4 KiB). */
  access(sid: number, frame: number, write: boolean, out: Outcome): void {
    this.stats.accesses += 1;
    if (!this.#translating) {
      if (frame < PHYSICAL_FRAMES) setOk(out, frame); else setAbort(out); // §6 step 1: no event
      return;
    }
    if (sid >= this.#streams) {
      this.#unknownStream(sid, out);
      return;
    }
    const structures = this.#structures;
    const ste = structures.ste(sid, this.#steTable);
    const action = structures.action[ste] as number;
    if (action <= STE_BYPASS) {
      this.#untranslated(action, sid, frame, write, out);
      return;
    }
    const cd = structures.cd(sid, ste);
    if (structures.legal[cd] === 0) {
      this.#fault(EVENT.C_BAD_CD, sid, frame, write, out);
      return;
    }
    let entry = -EVENT.F_TRANSLATION;
    if (frame < (structures.inputFrames[cd] as number)) {
      entry = this.#tlb.lookup(structures.asid[cd] as number, frame);
      if (entry >= 0) this.stats.tlbHits += 1; else entry = this.#miss(cd, frame);
    } else {
      this.#refuseUpperHalf(cd, frame);
    }
    if (entry >= 0 && write && !this.#tlb.writable(entry)) entry = -EVENT.F_PERMISSION;
    if (entry >= 0) setOk(out, this.#tlb.translate(entry, frame));
    else if (structures.records[cd] === 0) setAbort(out); // CD.R = 0 (§5.5)
    else this.#fault(-entry, sid, frame, write, out);
  }

  /** A walk, unless EPD0 forbids it (§5.4.1.1). Returns an entry, or minus the event type. */
  #miss(cd: number, frame: number): number {
    if (this.#structures.walkDisabled[cd] !== 0) {
      this.#refuseUpperHalf(cd, frame);
      return -EVENT.F_TRANSLATION;
    }
    this.stats.walks += 1;
    return this.#walker.walk(this.#structures, cd, frame);
  }

  #refuseUpperHalf(cd: number, frame: number): void {
    if (Math.floor(frame / UPPER_HALF) % 2 === 1 && this.#structures.upperDisabled[cd] === 0) {
      throw new Unmodelled('translation through TTB1');
    }
  }

  /** Streams that need no context: the action is STE_ILLEGAL, STE_ABORT or STE_BYPASS. */
  #untranslated(action: number, sid: number, frame: number, write: boolean, out: Outcome): void {
    if (action === STE_ILLEGAL) this.#fault(EVENT.C_BAD_STE, sid, frame, write, out);
    else if (action === STE_ABORT) setAbort(out);
    else if (frame < PHYSICAL_FRAMES) setOk(out, frame);
    else this.#fault(EVENT.F_ADDR_SIZE, sid, frame, write, out);
  }

  #unknownStream(sid: number, out: Outcome): void {
    if ((this.#cr2 & CR2_RECINVSID) === 0) setAbort(out);
    else this.#fault(EVENT.C_BAD_STREAMID, sid, 0, false, out);
  }

  #fault(type: number, sid: number, frame: number, write: boolean, out: Outcome): void {
    const event = this.#event;
    const carries = isTranslationFault(type);
    event.type = type;
    event.sid = sid;
    event.read = carries && !write ? 1 : 0;
    event.inputFrame = carries ? frame : 0;
    this.#events.record(event);
    setFault(out, type);
  }

  /** QueueOwner: one legal command takes effect. */
  execute(c: Command): boolean {
    this.stats.commands += 1;
    executeCommand(c, this.#caches);
    return true;
  }

  get enabled(): boolean { return this.#translating; }

  synced(): void {
    this.#events.synced();
  }

  msiLost(): void {
    this.#errors.raise(GERROR_MSI_CMDQ_ABT);
  }

  writeRegister(offset: number, value: number): void {
    switch (offset) {
      case REG.CR0: this.#writeCr0(value); return;
      case REG.CR1: this.#cr1 = value; return;
      case REG.CR2: if (!this.#translating) this.#cr2 = value; return;
      case REG.GERRORN:
        this.#errors.acknowledge(value);
        this.#commands.resume();
        return;
      case REG.STRTAB_BASE: if (!this.#translating) this.#strtabBase = value; this.#locateStreams(); return;
      case REG.STRTAB_BASE_CFG: if (!this.#translating) this.#strtabConfig = value; this.#locateStreams(); return;
      case REG.CMDQ_BASE: this.#commands.setBase(value); return;
      case REG.CMDQ_PROD: this.#commands.setProd(value); return;
      case REG.CMDQ_CONS: this.#commands.setCons(value); return;
      case REG.EVENTQ_BASE: this.#events.setBase(value); return;
      case REG.EVENTQ_PROD: this.#events.setProd(value); return;
      case REG.EVENTQ_CONS: this.#events.setCons(value); return;
      case REG.IDR0: case REG.IDR1: case REG.IDR3: case REG.IDR5: case REG.CR0ACK: case REG.GERROR: return; // read-only
      default: throw new Unmodelled(`register 0x${offset.toString(16)}`);
    }
  }

  readRegister(offset: number): number {
    switch (offset) {
      case REG.IDR0: case REG.IDR1: case REG.IDR3: case REG.IDR5: return this.#identification(offset);
      case REG.CR0: case REG.CR0ACK: return this.#cr0; // an Update takes effect at once
      case REG.CR1: return this.#cr1;
      case REG.CR2: return this.#cr2;
      case REG.GERROR: return this.#errors.raised;
      case REG.GERRORN: return this.#errors.acknowledged;
      case REG.STRTAB_BASE: return this.#strtabBase;
      case REG.STRTAB_BASE_CFG: return this.#strtabConfig;
      case REG.CMDQ_BASE: return this.#commands.base;
      case REG.CMDQ_PROD: return this.#commands.prod;
      case REG.CMDQ_CONS: return this.#commands.cons + this.#commands.reason * 2 ** 24;
      case REG.EVENTQ_BASE: return this.#events.base;
      case REG.EVENTQ_PROD: return this.#events.prod;
      case REG.EVENTQ_CONS: return this.#events.cons;
      default: throw new Unmodelled(`register 0x${offset.toString(16)}`);
    }
  }

  /** Caches are not touched by SMMUEN (§6.3.9.6). */
  #writeCr0(value: number): void {
    this.#cr0 = value;
    this.#translating = (value & CR0_SMMUEN) !== 0;
    this.#events.enable((value & CR0_EVENTQEN) !== 0);
    this.#commands.enable((value & CR0_CMDQEN) !== 0);
  }

  /** §5.1, §6.3.24: LOG2SIZE [5:0] is capped by SIDSIZE; FMT [17:16]; the base is aligned to the table's size. */
  #locateStreams(): void {
    if (Math.floor(this.#strtabConfig / 65536) % 4 === 1) throw new Unmodelled('a two-level stream table');
    this.#streams = POW2[Math.min(this.#strtabConfig % 64, LIMITS.streamLog2)] as number;
    this.#steTable = this.#strtabBase - (this.#strtabBase % (this.#streams * STE_BYTES));
  }

  /** IDR0, 1, 3, 5 (§6.3.1–6.3.6): what stack/machine.ts says this SMMU implements. */
  #identification(offset: number): number {
    const config = this.#config;
    switch (offset) {
      case REG.IDR0: // S1P, TTF = AArch64, COHACC, ASID16, TTENDIAN = LE, STALL_MODEL = 1, TERM_MODEL = 1
        return (1 << 1) | (2 << 2) | (1 << 4) | (config.asidBits === 16 ? 1 << 12 : 0) | (2 << 21) | (1 << 24) | (1 << 26);
      case REG.IDR1: // SIDSIZE, EVENTQS, CMDQS
        return LIMITS.streamLog2 | (QUEUE_LOG2_MAX << 16) | (QUEUE_LOG2_MAX << 21);
      case REG.IDR3: return (config.range ? 1 << 10 : 0) | (2 << 11); // RIL, BBML = 2
      default: return OAS_44 | (1 << 4); // OAS, GRAN4K
    }
  }

  forEachLeaf(visit: LeafVisitor): void {
    this.#tlb.forEach(visit);
  }

  forEachTable(visit: LeafVisitor): void {
    this.#tables.forEach(visit);
  }

  forEachSte(visit: StructureVisitor): void {
    this.#structures.forEachSte(visit);
  }

  forEachCd(visit: StructureVisitor): void {
    this.#structures.forEachCd(visit);
  }

  /** Every cache loses everything, as caches may at any time. */
  flushCaches(): void {
    this.#tlb.clear();
    this.#tables.clear();
    this.#structures.clear();
  }
}

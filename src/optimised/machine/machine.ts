/**
 * OptimisedMachine: a concrete SMMUv3, all of its translation: both stages, nested, all granules and sizes, substreams, ATS (IHI 0070
 * §3.3.2, §7.3.22). Here the parts are put together: registers and queues (control.ts) govern the unit and give it
 * commands, the translator answers, and answers become event records. What is outside that scope throws `Unmodelled`.
 *
 * Why it equals its slow twin: every answer is one that the weakest machine may give. Caches hold only what was read
 * through valid precursors while SMMUEN was 1, and lose what a command names at the moment it is consumed.
 */
import { EVENT, newFault, type FaultRecord } from '../../spec/event.js';
import { CR0_ATSCHK, CR0_SMMUEN, CR2_E2H, CR2_REC_CFG_ATS, CR2_RECINVSID, vmwOf } from '../../spec/register.js';
import type { Command } from '../../spec/command.js';
import type { Memory } from '../../memory/memory.js';
import type { ConcreteMachine, InsertListener } from '../../stack/machine.js';
import type { MachineConfig } from '../../stack/machine-world.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, setAbort, setFault, setOk, type Outcome } from '../../stack/outcome.js';
import { newCachedEntry, newTransaction, type Answer, type CachedEntry, type Transaction, type WholeMachine } from '../../stack/transaction.js';
import { answerOk, Ats, setAnswer } from './ats.js';
import { forEachCached } from './cached.js';
import { ConfigCache } from './config-cache.js';
import { Control, type Unit } from './control.js';
import { Endpoints } from './endpoint.js';
import { Fault } from './fault.js';
import { Invalidation, type Caches } from './invalidate.js';
import { KIND_READ, KIND_WRITE, kindOf } from './permissions.js';
import { GROUPS_S1 } from './span-cache.js';
import { Stage2 } from './stage2.js';
import { Tlb } from './tlb.js';
import { Translator } from './translate.js';
import { WalkCache } from './walk-cache.js';
import type { Heard } from './walk.js';

/** Walk cache entries: a quarter of the TLB's, within these. */
const TABLE_ENTRIES_MIN = 4;
const TABLE_ENTRIES_MAX = 64;

export interface MachineStats {
  accesses: number;
  tlbHits: number;
  walks: number;
  commands: number;
}

export type LeafVisitor = (asid: number, frame: number, level: number, lo: number, hi: number) => void;
export type StructureVisitor = (sid: number, words: Uint32Array, base: number) => void;

export class OptimisedMachine implements ConcreteMachine, WholeMachine, Unit, Heard {
  /** Told of every insert into a cache of stage 1 or of the configuration. */
  listener: InsertListener | null = null;
  readonly #fault = new Fault();
  readonly #caches: Caches;
  readonly #translator: Translator;
  readonly #invalidation: Invalidation;
  readonly #ats: Ats;
  readonly #endpoints = new Endpoints();
  readonly #control: Control;
  readonly #event: FaultRecord = newFault();
  readonly #transaction: Transaction = newTransaction();
  #accesses = 0;
  #commands = 0;
  #translating = false;
  #gbpaAbort = false;

  constructor(memory: Memory, config: MachineConfig) {
    const features = config.features;
    const tlb = new Tlb(config.tlbEntries);
    const tables = new WalkCache(Math.min(TABLE_ENTRIES_MAX, Math.max(TABLE_ENTRIES_MIN, config.tlbEntries / 4)));
    const parts = { memory, tlb, tables, fault: this.#fault, mergeRuns: config.mergeRuns };
    const stage2 = new Stage2(parts);
    const structures = new ConfigCache(parts, features, stage2, this);
    this.#caches = { tlb, tables, config: structures };
    this.#translator = new Translator(parts, structures, stage2, { heard: this, features });
    this.#invalidation = new Invalidation(this.#caches, features);
    this.#ats = new Ats({ translator: this.#translator, streams: structures.streams, tlb, fault: this.#fault, endpoints: this.#endpoints });
    this.#control = new Control(memory, config, this);
  }

  get stats(): MachineStats {
    return { accesses: this.#accesses, tlbHits: this.#translator.hits, walks: this.#translator.walks, commands: this.#commands };
  }

  /** One unprivileged data access of 4 bytes at `frame` (4 KiB), without SubstreamID. */
  access(sid: number, frame: number, write: boolean, out: Outcome): void {
    this.#accesses += 1;
    const target = this.#translating ? this.#translator.resolve(sid, -1, frame, write ? KIND_WRITE : KIND_READ) : this.#untranslated(frame);
    if (target >= 0) {
      setOk(out, target);
      return;
    }
    if (this.#fault.silent) {
      setAbort(out);
      return;
    }
    const t = this.#transaction;
    t.sid = sid;
    t.frame = frame;
    t.write = write;
    this.#record(t, frame);
    setFault(out, this.#fault.event);
  }

  transact(t: Transaction, out: Answer): void {
    this.#accesses += 1;
    const kind = kindOf(t.write, t.privileged, t.instruction);
    const target = this.#translating ? this.#translator.resolve(t.sid, t.ssid, t.frame, kind) : this.#untranslated(t.frame);
    if (target >= 0) answerOk(out, target);
    else this.#refuse(t, t.frame, out);
  }

  /** SMMUEN = 0 (§6 step 1): GBPA decides; what is no physical address is aborted. No event. */
  #untranslated(frame: number): number {
    return !this.#gbpaAbort && frame < this.#translator.physicalFrames ? frame : this.#fault.abort();
  }

  /** The fault at hand as the answer. `frame`: the address that was presented. */
  #refuse(t: Transaction, frame: number, out: Answer): void {
    const fault = this.#fault;
    setAnswer(out, fault.silent ? OUTCOME_ABORT : OUTCOME_FAULT);
    if (fault.silent) return;
    out.event = fault.event;
    out.stage2 = fault.stage2;
    out.class = fault.class;
    out.ipa = fault.ipa;
    this.#record(t, frame);
  }

  #record(t: Transaction, frame: number): void {
    const fault = this.#fault;
    const e = this.#event;
    e.type = fault.event;
    e.sid = t.sid;
    e.ssv = t.ssid < 0 ? 0 : 1;
    e.ssid = Math.max(0, t.ssid);
    e.read = t.write ? 0 : 1;
    e.privileged = t.privileged ? 1 : 0;
    e.instruction = t.instruction && !t.write ? 1 : 0;
    e.stage2 = fault.stage2;
    e.class = fault.class;
    e.inputFrame = frame;
    e.ipa = fault.ipa;
    e.ttRead = fault.tableRead;
    e.fetchFrame = Math.floor(fault.fetch / 4096);
    e.fetchWord = Math.floor((fault.fetch - e.fetchFrame * 4096) / 8);
    e.treqWrite = t.write ? 1 : 0;
    e.treqExecute = t.instruction ? 1 : 0;
    if (e.type === EVENT.F_BAD_ATS_TREQ) e.read = 1;
    this.#control.record(e);
  }

  atsRequest(t: Transaction, out: Answer): void {
    if (!this.#ats.request(t, out)) return;
    out.event = this.#fault.event;
    this.#record(t, t.frame);
  }

  translated(t: Transaction, out: Answer): void {
    if (this.#ats.translated(t, out)) this.#refuse(t, this.#ats.sent, out);
  }

  /** The endpoint's ATC is empty, as that of a device whose ATS was switched on just now. */
  emptyEndpoint(sid: number): void {
    this.#endpoints.empty(sid);
  }

  setEndpoint(sid: number, ats: boolean, responds: boolean): void {
    this.#endpoints.set(sid, ats, responds);
  }

  /** Unit: one command takes effect. False: an ATC_INV that was not answered. */
  execute(c: Command): boolean {
    this.#commands += 1;
    this.#invalidation.execute(c);
    return this.#endpoints.execute(c);
  }

  /** Unit. Caches are not touched by SMMUEN (§6.3.9.6). */
  configured(strtabBase: number, strtabCfg: number, cr0: number, cr2: number, gbpaAbort: boolean): void {
    const e2h = (cr2 & CR2_E2H) !== 0;
    this.#translating = (cr0 & CR0_SMMUEN) !== 0;
    this.#gbpaAbort = gbpaAbort;
    this.#caches.config.streams.configured(strtabBase, strtabCfg, (cr2 & CR2_RECINVSID) !== 0, e2h);
    this.#invalidation.e2h = e2h;
    this.#invalidation.vmidMask = (0xffff << vmwOf(cr0)) & 0xffff;
    this.#ats.enabled = this.#translating;
    this.#ats.check = (cr0 & CR0_ATSCHK) !== 0;
    this.#ats.recordConfiguration = (cr2 & CR2_REC_CFG_ATS) !== 0;
  }

  writeRegister(offset: number, value: number): void {
    this.#control.writeRegister(offset, value);
  }

  readRegister(offset: number): number {
    return this.#control.readRegister(offset);
  }

  forEachCached(visit: (entry: CachedEntry) => void): void {
    forEachCached(this.#caches, visit);
    this.#endpoints.forEach(newCachedEntry(), visit);
  }

  /** Leaves of stage 1 alone. */
  forEachLeaf(visit: LeafVisitor): void {
    this.#caches.tlb.forEach(GROUPS_S1, visit);
  }

  /** Table descriptors of stage 1 alone. */
  forEachTable(visit: LeafVisitor): void {
    this.#caches.tables.forEach(GROUPS_S1, visit);
  }

  forEachSte(visit: StructureVisitor): void {
    this.#caches.config.streams.forEach(visit);
  }

  forEachCd(visit: StructureVisitor): void {
    this.#caches.config.forEachCd(visit);
  }

  /** Every cache of the SMMU loses everything, as caches may at any time; the endpoints' stay. */
  flushCaches(): void {
    this.#caches.tlb.clear();
    this.#caches.tables.clear();
    this.#caches.config.clear();
  }
}

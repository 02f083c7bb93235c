/**
 * The weakest legal SMMU for the stage-1 path: it caches everything it may the moment it may, and forgets only
 * what it must. Raw words in, permitted outcomes out.
 *
 * At reset every cache may hold anything: one wildcard per kind (STE, CD, TLB) with the streams and tags that the
 * right CFGI or TLBI and its SYNC have cleaned since. While SMMUEN is 0 nothing is fetched, so a wildcard cannot
 * come back; what is left of it when it could be used breaks a rule (`unknownTag`, `unknownConfiguration`).
 */
import { OP, type Command } from '../../spec/command.js';
import { CR0_CMDQEN, CR0_SMMUEN, REG, strtabAddress, strtabSplit } from '../../spec/register.js';
import { registersOf } from '../../spec/features.js';
import type { Memory, MemoryWatcher } from '../../memory/memory.js';
import { machineConfig, stage1Features, type RegisterPort, type Stage1Features } from '../../stack/machine.js';
import { sameOutcome, type Outcome } from '../../stack/outcome.js';
import { Unmodelled } from '../../stack/violation.js';
import { LIMITS, type SmmuConfig } from '../../stack/world.js';
import { Configuration, sameWords } from './configuration.js';
import type { Pending, Regime } from './facts.js';
import { isCfgi, isTlbi, matchesCd, matchesLeaf, matchesSte, matchesTable, namesTag } from './match.js';
import { permittedOutcomes, type Visit } from './permitted.js';
import { CommandQueue, type QueueListener } from './queue.js';
import { Tables } from './tables.js';

/** What a machine tells the rules about commands. */
export interface MachineListener {
  commandSeen(command: Command): void;
  /** A SYNC is complete and the facts it retires are gone. */
  synced(covered: readonly Pending[]): void;
}

/** StreamIDs are of so many bits at the most. */
const STREAM_BITS = 32;

interface Wildcards {
  ste: boolean;
  cd: boolean;
  tlb: boolean;
  cleanStes: Set<number>;
  cleanCds: Set<number>;
  cleanTags: Set<number>;
}

export class Stage1Reference implements RegisterPort, MemoryWatcher, QueueListener {
  readonly memory: Memory;
  readonly config: SmmuConfig;
  readonly features: Stage1Features;
  readonly tables: Tables;
  readonly configuration: Configuration;
  readonly queue: CommandQueue;
  listener: MachineListener | null = null;
  readonly #registers = new Map<number, number>();
  #wild: Wildcards = { ste: true, cd: true, tlb: true, cleanStes: new Set(), cleanCds: new Set(), cleanTags: new Set() };

  /** `features`: of a real SMMU that has more than the worlds' one. */
  constructor(memory: Memory, config: SmmuConfig, features = stage1Features(config)) {
    this.memory = memory;
    this.config = config;
    this.features = features;
    this.tables = new Tables(memory);
    this.configuration = new Configuration(memory, features, this.tables);
    this.queue = new CommandQueue(memory, features.command, this, config.forceSync === true ? LIMITS.forcedList : Infinity);
    memory.watchers.push(this);
  }

  stored(slot: number, index: number, oldLo: number, oldHi: number): void {
    this.configuration.stored(slot, index, oldLo, oldHi);
    this.tables.stored(slot, index, oldLo, oldHi);
    this.queue.stored(slot, index);
  }

  writeRegister(offset: number, value: number): void {
    const before = this.#registers.get(offset) ?? 0;
    this.#registers.set(offset, value);
    if (this.memory.journal.recording) this.memory.journal.push(() => { this.#registers.set(offset, before); });
    switch (offset) {
      case REG.CMDQ_BASE: this.queue.setBase(value); break;
      case REG.CMDQ_PROD:
        if ((this.#read(REG.CR0) & CR0_CMDQEN) === 0) this.queue.setIndices(value, this.#read(REG.CMDQ_CONS));
        else this.queue.setProd(value);
        break;
      case REG.CMDQ_CONS: this.queue.setIndices(this.#read(REG.CMDQ_PROD), value); break;
      case REG.CR0: this.#control(before, value); break;
      default: break;
    }
  }

  #read(offset: number): number {
    return this.#registers.get(offset) ?? 0;
  }

  /** CONS as software would see it when everything published is consumed at once. */
  readRegister(offset: number): number {
    if (offset === REG.CR0ACK) return this.#read(REG.CR0);
    if (offset === REG.CMDQ_CONS) return this.queue.prod;
    return offset <= REG.IIDR ? this.#identification(offset) : this.#read(offset);
  }

  #identification(offset: number): number {
    const ids = registersOf(machineConfig(this.config).features);
    return new Map<number, number>([[REG.IDR0, ids.idr0], [REG.IDR1, ids.idr1], [REG.IDR3, ids.idr3], [REG.IDR5, ids.idr5], [REG.IIDR, ids.iidr]]).get(offset) ?? 0;
  }

  #control(before: number, value: number): void {
    if ((before & CR0_SMMUEN) !== 0 && (value & CR0_SMMUEN) === 0) throw new Unmodelled('disabling an SMMU');
    if ((before & CR0_SMMUEN) === 0 && (value & CR0_SMMUEN) !== 0) {
      const cfg = this.#read(REG.STRTAB_BASE_CFG);
      const split = strtabSplit(cfg);
      if (split !== 0 && !this.features.twoLevelStreams) throw new Unmodelled('two-level stream tables');
      this.configuration.enable(strtabAddress(this.#read(REG.STRTAB_BASE), cfg, STREAM_BITS), cfg % 64, split);
    }
  }

  commandSeen(command: Command): void {
    if (!isTlbi(command.op) && !isCfgi(command.op) && command.op !== OP.SYNC && command.op !== OP.PREFETCH_CONFIG) {
      throw new Unmodelled(`command 0x${command.op.toString(16)}`);
    }
    this.listener?.commandSeen(command);
  }

  /** A SYNC completes: judge every fact against the facts as they are, then remove, then close what lost its support. */
  synced(covered: readonly Pending[]): void {
    if (covered.length > 0) {
      const cfgis = covered.filter((p) => isCfgi(p.command.op));
      const tlbis = covered.filter((p) => isTlbi(p.command.op));
      const deadEntries = cfgis.length > 0 ? this.configuration.judge(covered) : [];
      if (tlbis.length > 0) {
        for (const r of this.configuration.regimes) {
          if (r.leafRecs.length === 0 && r.wayRecs.length === 0) continue;
          const K = tlbis.filter((p) => namesTag(p.command, r.asid));
          if (K.length > 0) this.tables.sync(r, K);
        }
      }
      this.configuration.apply(deadEntries);
      this.configuration.prune();
      this.#clean(covered);
    }
    this.listener?.synced(covered);
  }

  #clean(covered: readonly Pending[]): void {
    const w = this.#wild;
    if (!w.ste && !w.cd && !w.tlb) return;
    const before: Wildcards = { ...w, cleanStes: new Set(w.cleanStes), cleanCds: new Set(w.cleanCds), cleanTags: new Set(w.cleanTags) };
    for (const { command } of covered) {
      if (command.op === OP.CFGI_STE_RANGE && command.range === 31) { w.ste = false; w.cd = false; }
      if (command.op === OP.TLBI_NSNH_ALL || (command.op === OP.TLBI_NH_ALL && command.vmid === 0)) w.tlb = false;
      if (command.op === OP.TLBI_NH_ASID && command.vmid === 0) w.cleanTags.add(command.asid);
      for (let sid = 0; isCfgi(command.op) && sid < 64; sid += 1) {
        if (matchesSte(command, sid)) w.cleanStes.add(sid);
        if (matchesCd(command, sid)) w.cleanCds.add(sid);
      }
    }
    if (this.memory.journal.recording) this.memory.journal.push(() => { this.#wild = before; });
  }

  /** May the TLB still hold entries of this tag from before reset? */
  unknownTag(asid: number): boolean {
    return this.#wild.tlb && !this.#wild.cleanTags.has(asid);
  }

  /** A stream whose STE or CD may still be cached from before reset, or -1. */
  unknownConfiguration(): number {
    if (!this.#wild.ste && !this.#wild.cd) return -1;
    for (let sid = 0; sid < this.configuration.streams; sid += 1) {
      if (this.#wild.ste && !this.#wild.cleanStes.has(sid)) return sid;
      if (this.#wild.cd && !this.#wild.cleanCds.has(sid)) return sid;
    }
    return -1;
  }

  permitted(sid: number, frame: number, write: boolean, visit: Visit): boolean {
    return permittedOutcomes(this, sid, frame, write, visit);
  }

  /** Is this outcome among the permitted ones? */
  permits(sid: number, frame: number, write: boolean, outcome: Outcome): boolean {
    return permittedOutcomes(this, sid, frame, write, (o) => sameOutcome(o, outcome));
  }

  /** Is a cached leaf of this tag and value a fact? */
  holdsLeaf(asid: number, va: number, level: number, lo: number, hi: number): boolean {
    return this.configuration.regimes.some((r) => r.asid === asid
      && this.tables.leavesAt(r, va, (l, h, lv, v) => l === lo && h === hi && lv === level && v === va));
  }

  /** Is a cached table descriptor of this tag a fact? `level` is the descriptor's. */
  holdsTable(asid: number, va: number, level: number, lo: number, hi: number): boolean {
    return this.configuration.regimes.some((r) => r.asid === asid && this.tables.tableAt(r, va, level, lo, hi));
  }

  holdsSte(sid: number, words: Uint32Array): boolean {
    return this.configuration.stesOf(sid).some((f) => sameWords(f.words, words));
  }

  holdsCd(sid: number, words: Uint32Array): boolean {
    return this.configuration.stesOf(sid).some((f) => f.cds.some((cd) => sameWords(cd.words, words)));
  }

  /** Must one of these commands have removed such a leaf or table descriptor? */
  leafNamed(K: readonly Pending[], asid: number, level: number, va: number, frames: number): boolean {
    for (const p of K) if (matchesLeaf(p.command, asid, level, va, frames)) return true;
    return false;
  }

  tableNamed(K: readonly Pending[], asid: number, level: number, va: number, frames: number): boolean {
    for (const p of K) if (matchesTable(p.command, asid, level, va, frames)) return true;
    return false;
  }

  get regimes(): readonly Regime[] {
    return this.configuration.regimes;
  }
}

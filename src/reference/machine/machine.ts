/**
 * The weakest legal SMMU: it caches everything it may the moment it may, and forgets only what it must (IHI 0070). Raw words and register
 * writes in, permitted answers out. Every fact is listed with the derivation it came from (facts.ts); match.ts says which command must
 * remove which kind, justify.ts when a removed fact is gone for good. Slow and plain: meant for worlds of some hundred frames; the stage-1 form
 * of the same rule for large runs is reference/stage1, and a property holds the two equal.
 *
 * At reset every cache may hold anything: one wildcard for the configuration and one for each group of StreamWorlds, which the right CFGI or TLBI and
 * its SYNC clean. SMMUEN = 0 stops every fetch and keeps every cache (§6.3.9.6). Not modelled: stall, PRI, MPAM, 32-bit and 128-bit descriptors.
 */
import { POW2 } from '../../spec/bits.js';
import { OP, type Command } from '../../spec/command.js';
import { descriptorKind, LEAF, BIT_AF, BIT_READ_ONLY, BIT_S2AP_WRITE } from '../../spec/descriptor.js';
import {
  CR0_ATSCHK, CR0_CMDQEN, CR0_SMMUEN, CR2_E2H, CR2_REC_CFG_ATS, CR2_RECINVSID, EXTRA_CONS, EXTRA_ENABLE, EXTRA_ERROR, EXTRA_PROD, extraQueue, GBPA_ABORT, GBPA_UPDATE, GERROR_CMDQ, queuePointer, REG, strtabSplit, vmwOf,
} from '../../spec/register.js';
import type { CommandVerdict } from '../../spec/command.js';
import type { Memory, MemoryWatcher } from '../../memory/memory.js';
import type { RegisterPort } from '../../stack/machine.js';
import type { MachineConfig } from '../../stack/machine-world.js';
import { OUTCOME_OK } from '../../stack/outcome.js';
import { newAnswer, WORLD_EL1, type Answer, type CachedEntry, type Transaction } from '../../stack/transaction.js';
import { addressIn, Atc } from './atc.js';
import { Contexts } from './contexts.js';
import type { Fact, Pending } from './facts.js';
import { holdsEntry, inMemory, pointerTo } from './held.js';
import { Lookup } from './lookup.js';
import { isCfgi, isTlbi, type MatchContext } from './match.js';
import { stage1Clean, stage2Clean } from './permissions.js';
import { Permitted, type Control, type Mode } from './permitted.js';
import { CommandQueue } from './queue.js';
import { StructureStore } from './structures.js';
import { cacheable, Tables } from './tables.js';
import { nearestAnswer, nearestEntry, tellFacts, type Told } from './tell.js';
import { Trace, type OperationAt } from './trace.js';

export type { Mode } from './permitted.js';

/** The output frame of an answer from a cache entry of before reset: nobody knows it. */
export const UNKNOWN_FRAME = -1;

export interface MachineListener {
  commandSeen(queue: number, command: Command, verdict: CommandVerdict): void;
  /** A SYNC is complete and the facts it retires are gone. */
  synced(queue: number, covered: readonly Pending[]): void;
  /** Software broke break-before-make. */
  conflict(what: string, facts?: readonly Fact[]): void;
}

interface Wild {
  config: boolean;
  el1: boolean;
  el2: boolean;
  readonly streams: Set<number>;
  readonly vmids: Set<number>;
}

export class ReferenceMachine implements RegisterPort, MemoryWatcher {
  readonly memory: Memory;
  readonly config: MachineConfig;
  readonly tables: Tables;
  readonly contexts: Contexts;
  readonly atc: Atc;
  readonly queues: readonly CommandQueue[];
  listener: MachineListener | null = null;
  /** Kept while a failure is being explained. */
  trace: Trace | null = null;
  /** Is software held to the rules about PROD and published entries? */
  judged = false;
  readonly #lookup: Lookup;
  readonly #permitted: Permitted;
  readonly #registers = new Map<number, number>();
  /** The queue whose SYNC is being judged. */
  #syncing = 0;
  readonly #wild: Wild = { config: true, el1: true, el2: true, streams: new Set(), vmids: new Set() };

  constructor(memory: Memory, config: MachineConfig) {
    this.memory = memory;
    this.config = config;
    const f = config.features;
    this.tables = new Tables(memory, {
      stage2Born: (leaf) => { this.contexts.stage2Born(leaf); },
      conflict: (what, old) => { this.listener?.conflict(what, [old]); },
    }, f.bbml, () => this.context);
    this.contexts = new Contexts(new StructureStore(memory, { wordBorn: (fact) => { this.contexts.wordBorn(fact); } }, () => this.tables.nextId()), f, this.tables);
    this.atc = new Atc(f, this.contexts, this.tables);
    this.#lookup = new Lookup(memory, f, this.tables);
    this.#permitted = new Permitted(f, this.contexts, this.#lookup);
    this.queues = Array.from({ length: 1 + f.extraQueues }, (_, queue) => new CommandQueue(memory, config, {
      commandSeen: (c, v) => { this.#seen(queue, c, v); },
      synced: (covered) => { this.#synced(queue, covered); },
      invalidatesAtc: (c) => this.#invalidatesAtc(c),
    }));
    memory.watchers.push(this);
  }

  /** Is the store that is going to be made the software's (and not the SMMU's own)? Break-before-make is judged only then. */
  set software(on: boolean) { this.tables.software = on; }

  get software(): boolean { return this.tables.software; }

  get context(): MatchContext {
    const f = this.config.features;
    return { vmw: f.vmidWildcard ? vmwOf(this.#read(REG.CR0)) : 0, e2h: (this.#read(REG.CR2) & CR2_E2H) !== 0 && f.hyp, ds: f.ds, wholeRunOnly: f.wholeRunOnly, enabled: this.enabled, queue: this.#syncing };
  }

  get enabled(): boolean { return (this.#read(REG.CR0) & CR0_SMMUEN) !== 0; }

  get #control(): Control {
    const cr0 = this.#read(REG.CR0);
    const cr2 = this.#read(REG.CR2);
    return {
      enabled: this.enabled, gbpaAbort: (this.#read(REG.GBPA) & GBPA_ABORT) !== 0, recordUnknown: (cr2 & CR2_RECINVSID) !== 0, recordAts: (cr2 & CR2_REC_CFG_ATS) !== 0,
      atsChk: (cr0 & CR0_ATSCHK) !== 0,
    };
  }

  stored(slot: number, index: number, oldLo: number, oldHi: number): void {
    this.contexts.store.stored(slot, index, oldLo, oldHi);
    this.tables.stored(slot, index, oldLo, oldHi);
  }

  #read(offset: number): number { return this.#registers.get(offset) ?? 0; }

  /** CONS at its furthest; the rest as it was written. */
  readRegister(offset: number): number {
    if (offset === REG.CR0ACK) return this.#read(REG.CR0);
    if (offset === REG.CMDQ_CONS) return (this.queues[0] as CommandQueue).cons;
    return this.#read(offset);
  }

  writeRegister(offset: number, value: number): void {
    const extra = this.#extra(offset);
    if (extra !== null) { this.#writeExtra(extra, value); return; }
    const before = this.#read(offset);
    const main = this.queues[0] as CommandQueue;
    switch (offset) {
      case REG.CR0: this.#registers.set(offset, value); this.#control0(before, value); return;
      case REG.CR2: case REG.STRTAB_BASE: case REG.STRTAB_BASE_CFG: 
        if (!this.enabled) this.#registers.set(offset, value); // guarded by SMMUEN
        else this.trace?.notes.push({ at: this.memory.journal.clock.now + 1, text: 'a write to STRTAB_BASE, STRTAB_BASE_CFG or CR2 while SMMUEN is 1 is ignored (§6.3.12, §6.3.24)' });
        return;
      case REG.GBPA: if (value >= GBPA_UPDATE) this.#registers.set(offset, value - GBPA_UPDATE); return;
      case REG.CMDQ_BASE: main.setBase(value); return;
      case REG.CMDQ_CONS: main.setCons(queuePointer(value)); return;
      case REG.CMDQ_PROD: main.setProd(queuePointer(value), this.judged); return;
      case REG.GERRORN: this.#registers.set(offset, value); this.#acknowledged(before, value); return;
      default: this.#registers.set(offset, value); return;
    }
  }

  #control0(before: number, value: number): void {
    if ((before & CR0_SMMUEN) === 0 && (value & CR0_SMMUEN) !== 0) this.#enable();
    if ((before & CR0_SMMUEN) !== 0 && (value & CR0_SMMUEN) === 0) this.#disable();
    (this.queues[0] as CommandQueue).enable((value & CR0_CMDQEN) !== 0);
  }

  #enable(): void {
    this.memory.journal.clock.now += 1;
    this.contexts.enable(this.#read(REG.STRTAB_BASE), this.#read(REG.STRTAB_BASE_CFG), this.context.e2h);
    for (const r of this.tables.regimes) if (r.supports.length > 0) this.tables.opened(r);
    this.tables.enable();
    this.contexts.follow();
  }

  #disable(): void {
    this.memory.journal.clock.now += 1;
    this.contexts.disable();
    this.tables.disable();
  }

  #acknowledged(before: number, value: number): void {
    if (((before ^ value) & GERROR_CMDQ) !== 0) (this.queues[0] as CommandQueue).acknowledge();
  }

  /** Registers of the extra queues: queue 1 and on. */
  #extra(offset: number): { readonly queue: CommandQueue; readonly register: number; readonly at: number } | null {
    const count = this.config.features.extraQueues;
    for (let i = 0; i < count; i += 1) {
      const register = offset - extraQueue(i, count);
      if (register === 0 || register === EXTRA_PROD || register === EXTRA_CONS) return { queue: this.queues[i + 1] as CommandQueue, register, at: offset };
    }
    return null;
  }

  #writeExtra({ queue, register, at }: { readonly queue: CommandQueue; readonly register: number; readonly at: number }, value: number): void {
    const before = this.#read(at);
    this.#registers.set(at, value);
    if (register === 0) queue.setBase(value);
    else if (register === EXTRA_CONS) queue.setCons(queuePointer(value));
    else {
      queue.setProd(queuePointer(value), this.judged);
      queue.enable(value >= EXTRA_ENABLE);
      if (((before ^ value) & EXTRA_ERROR) !== 0) queue.acknowledge();
    }
  }

  observe(queue: number, cons: number): void { this.queues[queue]?.observe(cons); }

  /** CONS at its furthest, and the error code that goes with it (0: none). */
  consOf(queue: number): { readonly cons: number; readonly error: number } {
    const q = this.queues[queue] as CommandQueue;
    return { cons: q.cons, error: q.error };
  }

  setEndpoint(sid: number, ats: boolean, responds: boolean): void {
    if (!ats) for (const q of this.queues) q.withdrawAtc(sid);
    this.atc.set(sid, ats, responds);
  }

  /** The endpoint's ATC is empty, as that of a device whose ATS was switched on just now. */
  emptyEndpoint(sid: number): void {
    this.atc.empty(sid);
  }

  /** §4.5.1: ignored while SMMUEN is 0; an endpoint with ATS off answers UR, and need not remove anything. */
  #invalidatesAtc(c: Command): 'yes' | 'timeout' | 'ignored' {
    if (!this.enabled) return 'ignored';
    const e = this.atc.endpoint(c.sid);
    if (!e.responds) return 'timeout';
    return e.ats ? 'yes' : 'ignored';
  }

  #seen(queue: number, c: Command, v: CommandVerdict): void {
    this.memory.journal.clock.now += 1;
    this.trace?.seen({ queue, command: { ...c }, verdict: v, visible: this.memory.journal.clock.now });
    this.listener?.commandSeen(queue, c, v);
  }

  /** A SYNC completes: judge every fact against the facts as they are, then remove, then close what lost its support. */
  #synced(queue: number, covered: readonly Pending[]): void {
    this.memory.journal.clock.now += 1;
    if (covered.length > 0) {
      this.#syncing = queue;
      const m = this.context;
      const K = covered.slice();
      const structures = K.some((p) => isCfgi(p.command.op)) ? this.contexts.store.judge(K, m) : [];
      const translations = K.some((p) => isTlbi(p.command.op)) ? this.tables.judge(K, m) : [];
      const atc = this.atc.judge(K, m);
      this.atc.before(new Set<Fact>([...structures, ...translations]));
      this.trace?.synced({ queue, at: this.memory.journal.clock.now }, K, { all: this.#facts(), dead: new Set<Fact>([...structures, ...translations, ...atc]), regimes: this.tables.regimes }, m);
      this.tables.apply(translations, queue);
      this.contexts.forgetDying(structures);
      this.contexts.store.apply(structures, queue);
      this.atc.apply(atc, this.memory.journal.clock.now, queue);
      this.contexts.store.review();
      this.tables.review(Math.min(...this.queues.flatMap((q) => q.pending.map((p) => p.visible))));
      this.#clean(K);
    }
    else this.trace?.syncs.push({ queue, at: this.memory.journal.clock.now });
    this.listener?.synced(queue, covered);
  }

  /** Everything that is cached and listed. */
  #facts(): Fact[] {
    return [...this.contexts.store.arrays.flatMap((a) => [...a.elements.values()].flatMap((e) => e.words.flat())), ...this.tables.translations, ...this.atc.records];
  }

  /** What is left of the wildcards. While a stale STE may be cached and used, the TLB may be filled through it again (§4.3.6 note). */
  #clean(K: readonly Pending[]): void {
    const w = this.#wild;
    const refilled = this.enabled && w.config;
    for (const { command: c } of K) {
      if (c.op === OP.CFGI_STE_RANGE && c.range === 31) w.config = false;
      else if (c.op === OP.CFGI_STE_RANGE) this.#addRange(w.streams, c);
      // Leaf = 1 leaves a level-1 descriptor, which may lead to any STE (§4.3.1).
      if (c.op === OP.CFGI_STE && (c.leaf === 0 || strtabSplit(this.#read(REG.STRTAB_BASE_CFG)) === 0)) w.streams.add(c.sid);
      if (refilled) continue;
      if (c.op === OP.TLBI_NSNH_ALL || (c.op === OP.TLBI_NH_ALL && !this.config.features.stage2)) w.el1 = false;
      if (c.op === OP.TLBI_EL2_ALL) w.el2 = false;
      if (c.op === OP.TLBI_S12_VMALL) w.vmids.add(c.vmid);
    }
  }

  /** The aligned block of 2^(Range+1) streams, as far as there are streams. */
  #addRange(streams: Set<number>, c: Command): void {
    const size = POW2[c.range + 1] as number;
    const first = c.sid - (c.sid % size);
    const end = Math.min(first + size, POW2[this.config.features.sidBits] as number);
    for (let sid = first; sid < end; sid += 1) streams.add(sid);
  }

  /** Caches that may hold something from before reset which this transaction could hit; or null. */
  #unknown(t: Transaction): string | null {
    const w = this.#wild;
    if (!this.enabled || t.sid >= this.contexts.streams) return null;
    if (w.config && !w.streams.has(t.sid)) return 'a cached STE or CD of before reset: no CFGI_ALL, or CFGI_STE of the stream, and CMD_SYNC removed it yet';
    for (const ste of this.contexts.steVectors(t.sid)) {
      if (ste.action !== 'stage1' && ste.action !== 'stage2' && ste.action !== 'nested') continue;
      if (this.unknownTag(ste.world, ste.vmid)) return `a TLB entry of before reset: no ${ste.world === WORLD_EL1 ? 'TLBI_NSNH_ALL' : 'TLBI_EL2_ALL'} and CMD_SYNC behind those of the configuration removed it yet`;
    }
    return null;
  }

  /** Calls `visit` with each answer that may be given, why, and the facts that it rests on, until it returns true. Returns whether it did. */
  permitted(mode: Mode, t: Transaction, visit: (a: Answer, reason: string, facts: readonly Fact[]) => boolean): boolean {
    let stopped = false;
    const say = (a: Answer, reason: string, facts: readonly Fact[]): void => { if (!stopped && visit(a, reason, facts)) stopped = true; };
    if (mode === 'translated') {
      this.#permitted.none(say, 'the ATC holds nothing for it');
      if (!this.atc.endpoint(t.sid).ats) return stopped;
      for (const e of this.atc.held(t.sid)) {
        if (stopped) break;
        const at = addressIn(e, t.frame);
        if (e.ssid !== t.ssid || at < 0 || !(t.write ? e.canWrite : e.canRead)) continue;
        this.#permitted.translated(t, e.target + at, this.#control, { fact: e, say });
      }
      return stopped;
    }
    if (mode === 'ats-request' && !this.atc.endpoint(t.sid).ats) {
      this.#permitted.none(say, 'ATS is off at the endpoint');
      return stopped;
    }
    const unknown = this.#unknown(t);
    if (unknown !== null) say({ ...newAnswer(), kind: OUTCOME_OK, frame: UNKNOWN_FRAME }, unknown, []);
    this.#permitted.collect(t, mode === 'ats-request', this.#control, say);
    return stopped;
  }

  /** A stream whose STE or CD may still be cached from before reset, or -1. */
  unknownConfiguration(): number {
    for (let sid = 0; this.#wild.config && sid < this.contexts.streams; sid += 1) if (!this.#wild.streams.has(sid)) return sid;
    return -1;
  }

  /** May the TLB hold entries of the StreamWorld (EL1: of the VMID) from before reset? */
  unknownTag(world: number, vmid: number): boolean {
    return world === WORLD_EL1 ? this.#wild.el1 && !this.#wild.vmids.has(vmid) : this.#wild.el2;
  }

  /** Commands of nobody's queue take effect, and a SYNC behind them completes. */
  complete(covered: readonly Pending[]): void { this.#synced(0, covered); }

  /** From now on what is needed to tell why is kept. */
  remember(): void { this.trace ??= new Trace(); }

  /** Why what rests on these facts can still be used, and commands that would end it, and what rests on `also`. */
  tell(facts: readonly Fact[], op: OperationAt, also: readonly Fact[] = []): Told { return tellFacts(this, facts, op, also); }

  /** Facts that come nearest to a cached entry, or to an answer, for which there is none. */
  tellEntry(e: CachedEntry, op: OperationAt): readonly string[] { return nearestEntry(this, e, op); }
  tellAnswer(t: Transaction, a: Answer, op: OperationAt): readonly string[] { return nearestAnswer(this, t, a, op); }

  /** Is an entry of a concrete machine's caches a fact? */
  holds(e: CachedEntry): boolean { return holdsEntry(this, e); }

  /** A fact that points to this page, in words. */
  pointsTo(slot: number): string | null {
    const pointer = pointerTo(this, slot);
    return pointer === null ? null : `${pointer.text}, ${pointer.facts.every(inMemory) ? 'which memory still holds' : 'which only caches hold'}`;
  }

  /** The facts by which one points to it. */
  pointerFacts(slot: number): readonly Fact[] { return pointerTo(this, slot)?.facts ?? []; }

  /** May the SMMU itself change a descriptor so: access flag set, or marked dirty (then accessed too), where hardware update is on (§3.13)? */
  mayUpdate(ref: number, old: readonly [number, number], now: readonly [number, number]): boolean {
    if (old[1] !== now[1]) return false;
    const [lo, hi] = old;
    const slot = Math.floor(ref / 512);
    return this.tables.entriesAt(slot, ref % 512).some(({ page }) => {
      const r = page.regime;
      const c = r.context;
      if (!c.ha || !page.writable || !this.tables.fetchable(page) || descriptorKind(lo, page.level, c.tg, c.ds, c.wide) !== LEAF || !cacheable(page, lo, hi)) return false;
      const accessed = (lo | BIT_AF) >>> 0;
      if (now[0] >>> 0 === accessed) return true;
      const guarded = { lo, hi, limits: page.limits, world: r.world };
      if (r.stage === 1) return stage1Clean(guarded, c.hd) && now[0] >>> 0 === (accessed & ~BIT_READ_ONLY) >>> 0;
      return stage2Clean(guarded, c.hd) && now[0] >>> 0 === (accessed | BIT_S2AP_WRITE) >>> 0;
    });
  }
}

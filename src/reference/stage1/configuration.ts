/**
 * Configuration: STE and CD facts of one SMMU and the regimes they support (IHI 0070 §3.21.3, §5.2.1, §5.4.1).
 * Linear or two-level stream table (reaches.ts), one CD per stream. Structures may be fetched word by word: each combination of values that the
 * words had since they could be fetched may be cached, valid or not, and stays until a CFGI and its SYNC retire it.
 */
import { CD, cdGranule, cdInputBits, cdLegal, cdOutputBits, cdStartLevel, cdTableFrame } from '../../spec/cd.js';
import { getField } from '../../spec/bits.js';
import { STE, steAction } from '../../spec/ste.js';
import type { Memory } from '../../memory/memory.js';
import { l1stdPointer, l1stdStreams } from '../../spec/level1.js';
import type { Stage1Features } from '../../stack/machine.js';
import { Unmodelled } from '../../stack/violation.js';
import { isCurrent, NEVER, type EntryFact, type Pending, type Regime, type Support, type WordHold } from './facts.js';
import { whenCd, whenLevel1, whenSte } from './justify.js';
import { matchesCd } from './match.js';
import { Holds, type Changing } from './holds.js';
import { entryRef, newReach, type Part, type Reach } from './reaches.js';
import type { Tables } from './tables.js';

/** Combinations of the words of one structure that are followed. */
const TORN_LIMIT = 512;

/** A two-level stream table: its level-1 descriptors, each with what it may be cached as. */
interface Level1 {
  readonly reach: Reach;
  readonly split: number;
  readonly facts: Map<number, EntryFact[]>;
}

export class Configuration {
  readonly #memory: Memory;
  readonly #features: Stage1Features;
  readonly #tables: Tables;
  /**
   * Per StreamID: every STE that the SMMU may use, the current one among them. A stream whose STE leads nowhere and never changed is implied: it
   * is listed when somebody asks.
   */
  readonly #stes: (EntryFact[] | undefined)[] = [];
  /** Streams that have a list, in no order. */
  readonly #listed: number[] = [];
  #enabledAt = 0;
  /** The stream table, or the level-2 tables that a level-1 descriptor, cached or in memory, leads to. */
  #reaches: Reach[] = [];
  readonly #partsBySlot: (Part[] | undefined)[] = [];
  #level1: Level1 | null = null;
  #streams = 0;
  /** CD facts by the slot their words lie in. */
  readonly #cdsBySlot: (EntryFact[] | undefined)[] = [];
  #regimes: Regime[] = [];
  readonly #holds: Holds;
  readonly #scratch = new Uint32Array(16);
  /** Told of each change of an STE or CD in memory. */
  changed: ((kind: 'ste' | 'cd', sid: number) => void) | null = null;

  constructor(memory: Memory, features: Stage1Features, tables: Tables) {
    this.#memory = memory;
    this.#holds = new Holds(memory);
    this.#features = features;
    this.#tables = tables;
  }

  get regimes(): readonly Regime[] {
    return this.#regimes;
  }

  get streams(): number {
    return this.#streams;
  }

  stesOf(sid: number): readonly EntryFact[] {
    if (sid >= this.#streams) return [];
    for (const r of this.#reaches) if (sid >= r.first && sid < r.first + r.count) this.#list(r, sid);
    return this.#stes[sid] ?? [];
  }

  /** May a level-1 descriptor of this stream be cached, or stand in memory, that leads to no STE? */
  unreached(sid: number): boolean {
    const l1 = this.#level1;
    if (l1 === null) return false;
    return this.#listLevel1(l1, Math.floor(sid / 2 ** l1.split)).some((f) => l1stdStreams(f.words[0] as number, l1.split) <= sid - f.sid);
  }

  /** SMMUEN became 1: every STE of the table at `address` is reachable from this moment. `split`: 0 for a linear table, else 6, 8 or 10. */
  enable(address: number, log2size: number, split = 0): void {
    if (this.#streams !== 0) throw new Unmodelled('enabling an SMMU twice');
    this.#set(() => { this.#streams = 2 ** log2size; }, () => { this.#streams = 0; });
    this.#enabledAt = this.#memory.journal.clock.now;
    this.#stes.length = 0;
    this.#listed.length = 0;
    if (split === 0) {
      this.#open(newReach(this.#memory, null, { address, first: 0, count: 2 ** log2size, bytes: 64 }));
      return;
    }
    const reach = newReach(this.#memory, null, { address, first: 0, count: Math.max(1, 2 ** (log2size - split)), bytes: 8 });
    const level1: Level1 = { reach, split, facts: new Map() };
    this.#set(() => { this.#level1 = level1; }, () => { this.#level1 = null; });
    this.#watch(reach);
    for (let i = 0; i < reach.count; i += 1) {
      if (l1stdStreams(this.#memory.lo[entryRef(reach, i)] as number, split) > 0) this.#followLevel1(this.#listLevel1(level1, i)[0] as EntryFact);
    }
  }

  /** STEs become reachable. */
  #open(reach: Reach): void {
    this.#set(() => { this.#reaches = [...this.#reaches, reach]; }, () => { this.#reaches = this.#reaches.filter((r) => r !== reach); });
    this.#watch(reach);
    for (let sid = reach.first; sid < reach.first + reach.count; sid += 1) {
      if (steAction(this.#wordsAt(entryRef(reach, sid)), 0, this.#features.ste) === 'stage1') this.#list(reach, sid);
    }
  }

  #watch(reach: Reach): void {
    reach.slots.forEach((slot, index) => {
      const parts = (this.#partsBySlot[slot] ??= []);
      const part: Part = { reach, index };
      this.#set(() => { parts.push(part); }, () => { parts.splice(parts.indexOf(part), 1); });
      this.#memory.watch(slot);
    });
  }

  #listAll(reach: Reach): void {
    for (let sid = reach.first; sid < reach.first + reach.count; sid += 1) this.#list(reach, sid);
  }

  /** A level-1 descriptor that is not cached any more leads nowhere; STEs that were reached through it may stay cached. */
  #close(reach: Reach): void {
    this.#set(() => { this.#reaches = this.#reaches.filter((r) => r !== reach); }, () => { this.#reaches = [...this.#reaches, reach]; });
    for (const slot of reach.slots) {
      const parts = this.#partsBySlot[slot] as Part[];
      const at = parts.findIndex((p) => p.reach === reach);
      const part = parts[at] as Part;
      this.#set(() => { parts.splice(at, 1); }, () => { parts.splice(at, 0, part); });
      this.#memory.unwatch(slot);
    }
  }

  /** What the level-1 descriptor of this index may be cached as. */
  #listLevel1(l1: Level1, index: number, changing?: Changing): EntryFact[] {
    const known = l1.facts.get(index);
    if (known !== undefined) return known;
    const own = this.#holds.since(entryRef(l1.reach, index), 1, this.#enabledAt, changing);
    const list = [{ ...this.#newFact('l1std', index * 2 ** l1.split, entryRef(l1.reach, index), own, null), born: this.#enabledAt }];
    l1.facts.set(index, list);
    return list;
  }

  #followLevel1(f: EntryFact): void {
    const count = l1stdStreams(f.words[0] as number, (this.#level1 as Level1).split);
    if (count > 0) this.#open(newReach(this.#memory, f, { address: l1stdPointer(f.words[0] as number, f.words[1] as number), first: f.sid, count, bytes: 64 }));
  }

  #level1Changed(l1: Level1, index: number, was: Changing): void {
    const list = this.#listLevel1(l1, index, was);
    const hold = this.#holds.now(was.ref);
    if (list.some((f) => f.own[0] === hold)) return;
    const fact = this.#newFact('l1std', index * 2 ** l1.split, was.ref, [hold], null);
    this.#set(() => { list.push(fact); }, () => { list.splice(list.indexOf(fact), 1); });
    this.#followLevel1(fact);
  }

  #wordsAt(ref: number): Uint32Array {
    for (let i = 0; i < 8; i += 1) {
      this.#scratch[i * 2] = this.#memory.lo[ref + i] as number;
      this.#scratch[i * 2 + 1] = this.#memory.hi[ref + i] as number;
    }
    return this.#scratch;
  }

  /**
   * The STEs of a stream. One that was implied stood in memory since it could be fetched, but for a word that changes just now. (Listing it takes
   * nothing back: no journal.)
   */
  #list(reach: Reach, sid: number, changing?: Changing): EntryFact[] {
    let list = this.#stes[sid];
    if (list === undefined) {
      list = [];
      this.#stes[sid] = list;
      this.#listed.push(sid);
    }
    if (reach.listed.has(sid)) return list;
    reach.listed.add(sid);
    const ref = entryRef(reach, sid);
    const fact = { ...this.#newFact('ste', sid, ref, this.#holds.since(ref, 8, reach.openedAt, changing), null), level1: reach.level1, born: reach.openedAt };
    list.push(fact);
    this.#followSte(fact);
    return list;
  }

  stored(slot: number, index: number, oldLo: number, oldHi: number): void {
    const ref = slot * 512 + index;
    const parts = this.#partsBySlot[slot];
    for (let i = 0; parts !== undefined && i < parts.length; i += 1) this.#partStored(parts[i] as Part, index, { ref, lo: oldLo, hi: oldHi });
    const cds = this.#cdsBySlot[slot];
    if (cds === undefined) return;
    const first = ref - (index % 8);
    const here = cds.filter((cd) => cd.ref === first);
    if (here.length === 0) return;
    for (const ste of new Set(here.map((cd) => cd.ste as EntryFact))) this.#cdChanged(ste, first, ref);
  }

  #partStored({ reach, index: part }: Part, index: number, was: Changing): void {
    const entry = Math.floor((part * 512 + index - reach.offset) / (reach.bytes / 8));
    if (entry < 0 || entry >= reach.count) return;
    if (reach.bytes === 8) this.#level1Changed(this.#level1 as Level1, entry, was);
    else this.#steChanged(reach, reach.first + entry, was);
  }

  #steChanged(reach: Reach, sid: number, was: Changing): void {
    this.changed?.('ste', sid);
    const word = was.ref - entryRef(reach, sid);
    const list = this.#list(reach, sid, was);
    const hold = this.#holds.now(was.ref);
    for (const f of list.slice()) {
      if (f.level1 === reach.level1) this.#addSte(f, list, f.own.map((w, i) => (i === word ? hold : w)));
    }
    this.#review();
  }

  #addSte(like: EntryFact, list: EntryFact[], own: readonly WordHold[]): void {
    if (list.some((f) => f.level1 === like.level1 && f.own.every((w, i) => w === own[i]))) return;
    if (list.length >= TORN_LIMIT) throw new Unmodelled(`more than ${TORN_LIMIT} combinations of the words of one STE`);
    const fact = { ...this.#newFact('ste', like.sid, like.ref, own, null), level1: like.level1 };
    this.#set(() => { list.push(fact); }, () => { list.splice(list.indexOf(fact), 1); });
    this.#followSte(fact);
  }

  /** A stage-1 STE makes its CD reachable. */
  #followSte(ste: EntryFact): void {
    const action = steAction(ste.words, 0, this.#features.ste);
    if (action === 'stage2' || action === 'nested') throw new Unmodelled(`STE.Config ${action}`);
    if (action !== 'stage1') return;
    if (getField(ste.words, STE.S1CDMax) !== 0) throw new Unmodelled('substreams (S1CDMax > 0)');
    const pointer = getField(ste.words, STE.S1ContextPtr) * 64;
    const slot = this.#memory.slotOf(Math.floor(pointer / 4096));
    if (slot < 0) throw new Unmodelled('a CD outside of modelled memory');
    const ref = slot * 512 + (pointer % 4096) / 8;
    this.#addCd(ste, ref, Array.from({ length: 8 }, (_, i) => this.#holds.now(ref + i)));
  }

  #addCd(ste: EntryFact, ref: number, own: readonly WordHold[]): void {
    if (ste.cds.some((f) => f.ref === ref && f.own.every((w, i) => w === own[i]))) return;
    if (ste.cds.length >= TORN_LIMIT) throw new Unmodelled(`more than ${TORN_LIMIT} combinations of the words of one CD`);
    const slot = Math.floor(ref / 512);
    const cd = this.#newFact('cd', ste.sid, ref, own, ste);
    this.#set(() => { ste.cds.push(cd); }, () => { ste.cds.splice(ste.cds.indexOf(cd), 1); });
    const into = (this.#cdsBySlot[slot] ??= []);
    this.#set(() => { into.push(cd); }, () => { into.splice(into.indexOf(cd), 1); });
    this.#memory.watch(slot);
    this.#support(ste, cd);
  }

  /** A word of a CD changed that may be fetched by way of this STE. */
  #cdChanged(ste: EntryFact, first: number, ref: number): void {
    this.changed?.('cd', ste.sid);
    const hold = this.#holds.now(ref);
    for (const cd of ste.cds.slice()) if (cd.ref === first) this.#addCd(ste, first, cd.own.map((w, i) => (i === ref % 8 ? hold : w)));
    this.#review();
  }

  #newFact(kind: EntryFact['kind'], sid: number, ref: number, own: readonly WordHold[], ste: EntryFact | null): EntryFact {
    const words = new Uint32Array(16);
    own.forEach((w, i) => { words[i * 2] = w.lo; words[i * 2 + 1] = w.hi; });
    return { kind, sid, ref, words, ste, born: this.#memory.journal.clock.now, own, cds: [], level1: null, dead: false };
  }

  /** A pair that translates supports the regime of its tag and tables; the first pair opens it. */
  #support(ste: EntryFact, cd: EntryFact): void {
    if (this.#features.hardwareFlags && getField(cd.words, CD.HA) !== 0) throw new Unmodelled('access and dirty flags updated by hardware');
    if (!cdLegal(cd.words, 0, this.#features.cd)) return;
    if (this.#features.ste.stage2 && getField(ste.words, STE.S2VMID) !== 0) throw new Unmodelled('a stage-1 stream with a VMID other than 0');
    if (getField(cd.words, CD.EPD0) !== 0) throw new Unmodelled('EPD0 = 1');
    if (getField(cd.words, CD.EPD1) === 0) throw new Unmodelled('tables through TTB1');
    if (cdGranule(cd.words, 0) !== 12) throw new Unmodelled('granules other than 4 KB');
    const support: Support = { ste, cd };
    const regime = this.#regimeOf(cd);
    this.#set(() => { regime.supports.push(support); }, () => { regime.supports.splice(regime.supports.indexOf(support), 1); });
    if (regime.root === null) this.#tables.openRoot(regime);
  }

  #regimeOf(cd: EntryFact): Regime {
    const asid = getField(cd.words, CD.ASID);
    const frame = cdTableFrame(cd.words, 0);
    const startLevel = cdStartLevel(cd.words, 0);
    const inputBits = cdInputBits(cd.words, 0);
    const outputBits = cdOutputBits(cd.words, 0, this.#features.cd.oas);
    const known = this.#regimes.find((r) => r.asid === asid && r.frame === frame && r.startLevel === startLevel
      && r.inputBits === inputBits && r.outputBits === outputBits);
    if (known !== undefined) return known;
    const regime: Regime = { asid, frame, startLevel, inputBits, outputBits, supports: [], root: null, leafRecs: [], wayRecs: [], domain: -1 };
    const before = this.#regimes;
    this.#set(() => { this.#regimes = [...before, regime]; }, () => { this.#regimes = before; });
    return regime;
  }

  /** Regimes without support close: what hangs under their base cannot be derived any more. */
  #review(): void {
    for (const r of this.#regimes) if (r.supports.length === 0 && r.root !== null) this.#tables.closeRoot(r);
  }

  /** Judges every fact that the CFGIs of K touch; returns the dead ones. Nothing changes yet. */
  judge(K: readonly Pending[]): EntryFact[] {
    const dead: EntryFact[] = [];
    for (const list of this.#level1?.facts.values() ?? []) for (const f of list) if (whenLevel1(f, K, this.#split) === NEVER) dead.push(f);
    // STEs that were implied stand for themselves once nothing leads to them.
    for (const r of this.#reaches) if (r.level1 !== null && dead.includes(r.level1)) this.#listAll(r);
    for (const sid of this.#listed) {
      if (!K.some((p) => matchesCd(p.command, sid))) continue; // whatever names an STE names its CDs as well
      for (const ste of this.#stes[sid] ?? []) {
        if (whenSte(ste, K, this.#split) === NEVER) dead.push(ste);
        for (const cd of ste.cds) if (whenCd(cd, K, this.#split) === NEVER) dead.push(cd);
      }
    }
    return dead;
  }

  get #split(): number {
    return this.#level1?.split ?? 0;
  }

  /** Removes the dead facts; regimes that lose their last support close. */
  apply(dead: readonly EntryFact[]): void {
    for (const f of dead) {
      if (f.kind === 'cd') this.#removeCd(f);
      else if (f.kind === 'ste') this.#removeSte(f);
      else this.#removeLevel1(f);
    }
    for (const f of dead) this.#forgetWords(f);
    if (dead.length > 0) this.#review();
  }

  #forgetWords(f: EntryFact): void {
    if (f.kind === 'l1std') return;
    this.#holds.forget(f.ref, f.kind === 'ste' ? (this.#stes[f.sid] ?? []) : (this.#cdsBySlot[Math.floor(f.ref / 512)] ?? []));
  }

  /** Forgets regimes of which nothing is left. */
  prune(): void {
    const before = this.#regimes;
    const after = before.filter((r) => r.supports.length > 0 || r.leafRecs.length > 0 || r.wayRecs.length > 0);
    if (after.length !== before.length) this.#set(() => { this.#regimes = after; }, () => { this.#regimes = before; });
  }

  #removeLevel1(f: EntryFact): void {
    const l1 = this.#level1 as Level1;
    const list = l1.facts.get(f.sid / 2 ** l1.split) as EntryFact[];
    const at = list.indexOf(f);
    for (const r of this.#reaches) if (r.level1 === f) this.#close(r);
    this.#set(() => { list.splice(at, 1); f.dead = true; }, () => { list.splice(at, 0, f); f.dead = false; });
  }

  /** Every CD cached through a dead STE is dead too: whatever removes an STE must remove its CDs (§4.3.1). */
  #removeSte(f: EntryFact): void {
    const list = this.#stes[f.sid] as EntryFact[];
    const at = list.indexOf(f);
    this.#set(() => { list.splice(at, 1); }, () => { list.splice(at, 0, f); });
    for (const cd of f.cds.slice()) this.#removeCd(cd);
  }

  #removeCd(f: EntryFact): void {
    const ste = f.ste as EntryFact;
    const at = ste.cds.indexOf(f);
    if (at < 0) return;
    this.#set(() => { ste.cds.splice(at, 1); }, () => { ste.cds.splice(at, 0, f); });
    const slot = Math.floor(f.ref / 512);
    const list = this.#cdsBySlot[slot] as EntryFact[];
    const where = list.indexOf(f);
    this.#set(() => { list.splice(where, 1); }, () => { list.splice(where, 0, f); });
    this.#memory.unwatch(slot);
    for (const r of this.#regimes) {
      const i = r.supports.findIndex((s) => s.cd === f);
      if (i < 0) continue;
      const support = r.supports[i] as Support;
      this.#set(() => { r.supports.splice(i, 1); }, () => { r.supports.splice(i, 0, support); });
    }
  }

  /** The stream whose STE has this word, as far as the SMMU may know; -1 for none. */
  streamAt(slot: number, index: number): number {
    for (const { reach, index: part } of this.#partsBySlot[slot] ?? []) {
      const entry = Math.floor((part * 512 + index - reach.offset) / 8);
      if (reach.bytes === 64 && entry >= 0 && entry < reach.count) return reach.first + entry;
    }
    return -1;
  }

  /** Level-1 descriptors that memory no longer says and that lead to STEs. */
  staleLevel1(): EntryFact[] {
    const l1 = this.#level1;
    if (l1 === null) return [];
    return [...l1.facts.values()].flat().filter((f) => !isCurrent(f) && l1stdStreams(f.words[0] as number, l1.split) > 0);
  }

  /** CD facts whose words lie in this page. */
  cdsIn(slot: number): readonly EntryFact[] {
    return this.#cdsBySlot[slot] ?? [];
  }

  #set(change: () => void, undo: () => void): void {
    change();
    if (this.#memory.journal.recording) this.#memory.journal.push(undo);
  }
}

export function sameWords(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < 16; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

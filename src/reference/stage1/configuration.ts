/**
 * Configuration: STE and CD facts of one SMMU and the regimes they support (IHI 0070 §3.21.3, §5.2.1, §5.4.1).
 * Linear stream table, one CD per stream. Structures may be fetched word by word: each combination of values that the words had since they
 * could be fetched may be cached, valid or not, and stays until a CFGI and its SYNC retire it.
 */
import { CD, cdGranule, cdInputBits, cdLegal, cdOutputBits, cdStartLevel, cdTableFrame } from '../../spec/cd.js';
import { getField } from '../../spec/bits.js';
import { STE, steAction } from '../../spec/ste.js';
import type { Memory } from '../../memory/memory.js';
import { cdFeatures, steFeatures } from '../../stack/machine.js';
import { Unmodelled } from '../../stack/violation.js';
import { OAS, type SmmuConfig } from '../../stack/world.js';
import { NEVER, type EntryFact, type Pending, type Regime, type Support, type WordHold } from './facts.js';
import { whenCd, whenSte } from './justify.js';
import { matchesCd } from './match.js';
import type { Tables } from './tables.js';

/** Combinations of the words of one structure that are followed. */
const TORN_LIMIT = 512;

export class Configuration {
  readonly #memory: Memory;
  readonly #config: SmmuConfig;
  readonly #tables: Tables;
  /**
   * Per StreamID: every STE that the SMMU may use, the current one among them. A stream whose STE leads nowhere and never changed is implied: it
   * is listed when somebody asks.
   */
  readonly #stes: (EntryFact[] | undefined)[] = [];
  #enabledAt = 0;
  /** First slot and number of slots of the stream table; streams of it by slot are contiguous. */
  #firstSlot = -1;
  #streams = 0;
  /** CD facts by the slot their words lie in. */
  readonly #cdsBySlot: (EntryFact[] | undefined)[] = [];
  #regimes: Regime[] = [];
  /** Every value that a word of an STE or CD had since it could be fetched, by reference. */
  readonly #words = new Map<number, readonly WordHold[]>();
  readonly #scratch = new Uint32Array(16);
  /** Told of each change of an STE or CD in memory. */
  changed: ((kind: 'ste' | 'cd', sid: number) => void) | null = null;

  constructor(memory: Memory, config: SmmuConfig, tables: Tables) {
    this.#memory = memory;
    this.#config = config;
    this.#tables = tables;
  }

  get regimes(): readonly Regime[] {
    return this.#regimes;
  }

  get streams(): number {
    return this.#streams;
  }

  stesOf(sid: number): readonly EntryFact[] {
    return sid < this.#streams ? this.#list(sid) : [];
  }

  /** SMMUEN became 1: every STE of the table is reachable from this moment. */
  enable(tableFrame: number, log2size: number): void {
    if (this.#streams !== 0) throw new Unmodelled('enabling an SMMU twice');
    const first = this.#memory.slotOf(tableFrame);
    if (first < 0) throw new Unmodelled('a stream table outside of modelled memory');
    this.#set(() => { this.#firstSlot = first; this.#streams = 2 ** log2size; }, () => { this.#firstSlot = -1; this.#streams = 0; });
    const slots = Math.ceil((this.#streams * 8) / 512);
    for (let i = 0; i < slots; i += 1) this.#memory.watch(first + i);
    this.#enabledAt = this.#memory.journal.clock.now;
    this.#stes.length = 0;
    for (let sid = 0; sid < this.#streams; sid += 1) {
      const ref = first * 512 + sid * 8;
      if (steAction(this.#wordsAt(ref), 0, steFeatures()) === 'stage1') this.#followSte(this.#list(sid)[0] as EntryFact);
    }
  }

  #wordsAt(ref: number): Uint32Array {
    for (let i = 0; i < 8; i += 1) {
      this.#scratch[i * 2] = this.#memory.lo[ref + i] as number;
      this.#scratch[i * 2 + 1] = this.#memory.hi[ref + i] as number;
    }
    return this.#scratch;
  }

  /** The STEs of a stream. One that was implied stood in memory since SMMUEN, but for a word that changes just now. (Listing it takes nothing back: no journal.) */
  #list(sid: number, changing?: { readonly ref: number; readonly lo: number; readonly hi: number }): EntryFact[] {
    const known = this.#stes[sid];
    if (known !== undefined) return known;
    const ref = this.#firstSlot * 512 + sid * 8;
    const own = Array.from({ length: 8 }, (_, i): WordHold => {
      const at = ref + i;
      const was = changing?.ref === at ? changing : { lo: this.#memory.lo[at] as number, hi: this.#memory.hi[at] as number };
      const hold: WordHold = { lo: was.lo, hi: was.hi, starts: [this.#enabledAt], ends: [Infinity] };
      this.#words.set(at, [hold]);
      return hold;
    });
    const list = [{ ...this.#newFact('ste', sid, ref, own, null), born: this.#enabledAt }];
    this.#stes[sid] = list;
    return list;
  }

  stored(slot: number, index: number, oldLo: number, oldHi: number): void {
    const ref = slot * 512 + index;
    if (this.#streams !== 0) {
      const sid = (slot - this.#firstSlot) * 64 + Math.floor(index / 8);
      if (slot >= this.#firstSlot && sid < this.#streams) this.#steChanged(sid, { ref, lo: oldLo, hi: oldHi });
    }
    const cds = this.#cdsBySlot[slot];
    if (cds === undefined) return;
    const first = ref - (index % 8);
    const here = cds.filter((cd) => cd.ref === first);
    if (here.length === 0) return;
    for (const ste of new Set(here.map((cd) => cd.ste as EntryFact))) this.#cdChanged(ste, first, ref);
  }

  #steChanged(sid: number, was: { readonly ref: number; readonly lo: number; readonly hi: number }): void {
    this.changed?.('ste', sid);
    const { ref } = was;
    const list = this.#list(sid, was);
    const hold = this.#hold(ref);
    for (const f of list.slice()) this.#addSte(sid, list, f.own.map((w, i) => (i === ref % 8 ? hold : w)));
    this.#review();
  }

  #addSte(sid: number, list: EntryFact[], own: readonly WordHold[]): void {
    if (list.some((f) => f.own.every((w, i) => w === own[i]))) return;
    if (list.length >= TORN_LIMIT) throw new Unmodelled(`more than ${TORN_LIMIT} combinations of the words of one STE`);
    const fact = this.#newFact('ste', sid, this.#firstSlot * 512 + sid * 8, own, null);
    this.#set(() => { list.push(fact); }, () => { list.splice(list.indexOf(fact), 1); });
    this.#followSte(fact);
  }

  /** A stage-1 STE makes its CD reachable. */
  #followSte(ste: EntryFact): void {
    const action = steAction(ste.words, 0, steFeatures());
    if (action === 'stage2' || action === 'nested') throw new Unmodelled(`STE.Config ${action}`);
    if (action !== 'stage1') return;
    if (getField(ste.words, STE.S1CDMax) !== 0) throw new Unmodelled('substreams (S1CDMax > 0)');
    const pointer = getField(ste.words, STE.S1ContextPtr) * 64;
    const slot = this.#memory.slotOf(Math.floor(pointer / 4096));
    if (slot < 0) throw new Unmodelled('a CD outside of modelled memory');
    const ref = slot * 512 + (pointer % 4096) / 8;
    this.#addCd(ste, ref, this.#holds(ref));
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
    const hold = this.#hold(ref);
    for (const cd of ste.cds.slice()) if (cd.ref === first) this.#addCd(ste, first, cd.own.map((w, i) => (i === ref % 8 ? hold : w)));
    this.#review();
  }

  #newFact(kind: 'ste' | 'cd', sid: number, ref: number, own: readonly WordHold[], ste: EntryFact | null): EntryFact {
    const words = new Uint32Array(16);
    own.forEach((w, i) => { words[i * 2] = w.lo; words[i * 2 + 1] = w.hi; });
    return { kind, sid, ref, words, ste, born: this.#memory.journal.clock.now, own, cds: [] };
  }

  /** The eight words that memory holds now. */
  #holds(ref: number): WordHold[] {
    return Array.from({ length: 8 }, (_, i) => this.#hold(ref + i));
  }

  /** The word that memory holds now: what it held before ends, the same value again goes on. */
  #hold(ref: number): WordHold {
    const lo = this.#memory.lo[ref] as number;
    const hi = this.#memory.hi[ref] as number;
    const known = this.#words.get(ref);
    let same: WordHold | undefined;
    for (const w of known ?? []) {
      if (w.lo === lo && w.hi === hi) same = w;
      else if (w.ends[w.ends.length - 1] === Infinity) this.#endHold(w);
    }
    if (same !== undefined) {
      if (same.ends[same.ends.length - 1] !== Infinity) this.#goOn(same);
      return same;
    }
    const fresh: WordHold = { lo, hi, starts: [this.#memory.journal.clock.now], ends: [Infinity] };
    this.#words.set(ref, known === undefined ? [fresh] : [...known, fresh]);
    if (this.#memory.journal.recording) this.#memory.journal.push(() => { if (known === undefined) this.#words.delete(ref); else this.#words.set(ref, known); });
    return fresh;
  }

  #endHold(w: WordHold): void {
    const last = w.ends.length - 1;
    w.ends[last] = this.#memory.journal.clock.now;
    if (this.#memory.journal.recording) this.#memory.journal.push(() => { w.ends[last] = Infinity; });
  }

  #goOn(w: WordHold): void {
    w.starts.push(this.#memory.journal.clock.now);
    w.ends.push(Infinity);
    if (this.#memory.journal.recording) this.#memory.journal.push(() => { w.starts.pop(); w.ends.pop(); });
  }

  /** A pair that translates supports the regime of its tag and tables; the first pair opens it. */
  #support(ste: EntryFact, cd: EntryFact): void {
    if (!cdLegal(cd.words, 0, cdFeatures(this.#config))) return;
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
    const outputBits = cdOutputBits(cd.words, 0, OAS);
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

  /** Judges every STE and CD fact that the CFGIs of K touch; returns the dead ones. Nothing changes yet. */
  judge(K: readonly Pending[]): EntryFact[] {
    const dead: EntryFact[] = [];
    for (let sid = 0; sid < this.#streams; sid += 1) {
      if (!K.some((p) => matchesCd(p.command, sid))) continue; // whatever names an STE names its CDs as well
      for (const ste of this.#stes[sid] ?? []) {
        if (whenSte(ste, K) === NEVER) dead.push(ste);
        for (const cd of ste.cds) if (whenCd(cd, K) === NEVER) dead.push(cd);
      }
    }
    return dead;
  }

  /** Removes the dead facts; regimes that lose their last support close. */
  apply(dead: readonly EntryFact[]): void {
    for (const f of dead) {
      if (f.kind === 'cd') this.#removeCd(f);
      else this.#removeSte(f);
    }
    for (const f of dead) this.#forgetWords(f);
    if (dead.length > 0) this.#review();
  }

  /** Values of words that memory no longer holds and no fact has. */
  #forgetWords(f: EntryFact): void {
    const facts = f.kind === 'ste' ? this.stesOf(f.sid) : (this.#cdsBySlot[Math.floor(f.ref / 512)] ?? []);
    for (let i = 0; i < 8; i += 1) {
      const before = this.#words.get(f.ref + i);
      if (before === undefined || before.length < 2) continue;
      const after = before.filter((w) => w.ends[w.ends.length - 1] === Infinity || facts.some((e) => e.own[i] === w));
      if (after.length < before.length) this.#set(() => { this.#words.set(f.ref + i, after); }, () => { this.#words.set(f.ref + i, before); });
    }
  }

  /** Forgets regimes of which nothing is left. */
  prune(): void {
    const before = this.#regimes;
    const after = before.filter((r) => r.supports.length > 0 || r.leafRecs.length > 0 || r.wayRecs.length > 0);
    if (after.length !== before.length) this.#set(() => { this.#regimes = after; }, () => { this.#regimes = before; });
  }

  /** Every CD cached through a dead STE is dead too: whatever removes an STE must remove its CDs (§4.3.1). */
  #removeSte(f: EntryFact): void {
    const list = this.#list(f.sid);
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

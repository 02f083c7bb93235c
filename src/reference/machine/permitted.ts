/**
 * Permitted: every answer that a transaction may get at this moment: the translation procedure of IHI 0070 §3.3.2 and §7.3.22, step by step, asked of
 * every combination of cached STE words, CD words and translations, and of fresh walks. ATS requests: §3.9.1.2.
 */
import { getField, POW2 } from '../../spec/bits.js';
import { CD, cdVerdict } from '../../spec/cd.js';
import { CLASS_CD, CLASS_IN, CLASS_TT, EVENT, eventName } from '../../spec/event.js';
import type { Features } from '../../spec/features.js';
import { l1cdPointer, l1cdValid, l1stdStreams } from '../../spec/level1.js';
import { EATS_FULL, EATS_SPLIT, INSTCFG_DATA, INSTCFG_INSTRUCTION, PRIVCFG_PRIVILEGED, PRIVCFG_UNPRIVILEGED, S1DSS_BYPASS, S1DSS_SSID0, STE, steCdFormat, steCdMax, steCdTable } from '../../spec/ste.js';
import { newTableContext, stage1Context } from '../../spec/tables.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK } from '../../stack/outcome.js';
import { ANSWER_CA, ANSWER_NONE, ANSWER_UR, newAnswer, WORLD_EL2, type Answer, type Transaction } from '../../stack/transaction.js';
import { regimeKey, stage1Tag, type CdVector, type Contexts, type SteVector } from './contexts.js';
import { stands, type AtcFact, type Fact, type LeafFact, type StructureFact } from './facts.js';
import type { Asked, Fault, Lookup, Pair } from './lookup.js';
import { stage1Allows, stage1Clean, stage2Allows, stage2Clean, type Kind } from './permissions.js';

export type Mode = 'access' | 'ats-request' | 'translated';

/** Registers on which answers depend. */
export interface Control {
  readonly enabled: boolean;
  readonly gbpaAbort: boolean;
  /** CR2.RECINVSID, CR2.REC_CFG_ATS, CR0.ATSCHK. */
  readonly recordUnknown: boolean;
  readonly recordAts: boolean;
  readonly atsChk: boolean;
}

/** `facts`: what the answer rests on, all of them needed. */
export type Say = (answer: Answer, reason: string, facts: readonly Fact[]) => void;

/** CD half of an address: VA[55]. */
const UPPER = 2 ** 43;
const HALVES = 2 ** 44;

/** What one stream does with one CD, or without. */
interface Use {
  readonly ste: SteVector;
  readonly cd: CdVector | null;
}

export class Permitted {
  readonly #features: Features;
  readonly #contexts: Contexts;
  readonly #lookup: Lookup;
  /** What is being collected. */
  #say: Say = () => undefined;
  /** What the answer that is being worked out rests on so far. */
  #facts: readonly Fact[] = [];
  #ats = false;
  #control: Control = { enabled: false, gbpaAbort: false, recordUnknown: false, recordAts: false, atsChk: false };

  constructor(features: Features, contexts: Contexts, lookup: Lookup) {
    this.#features = features;
    this.#contexts = contexts;
    this.#lookup = lookup;
  }

  /** Every answer of an untranslated transaction, or of a Translation Request. */
  collect(t: Transaction, ats: boolean, control: Control, say: Say): void {
    this.#say = say;
    this.#facts = [];
    this.#ats = ats;
    this.#control = control;
    if (!control.enabled) { // step 1
      if (ats) this.#refuse(EVENT.F_BAD_ATS_TREQ, 'the SMMU is not enabled');
      else if (control.gbpaAbort || t.frame >= this.#outputEnd()) this.#abort('the SMMU is not enabled');
      else this.#ok(t.frame, 'the SMMU is not enabled');
      return;
    }
    if (t.sid >= this.#contexts.streams) {
      this.#badStream('the StreamID is beyond the stream table');
      return;
    }
    this.#findSte(t);
    for (const ste of this.#contexts.steVectors(t.sid)) this.#resting(ste.facts, () => { this.#throughSte(t, ste); });
  }

  /** Step 3: what looking for the STE may end in, but for an STE. */
  #findSte(t: Transaction): void {
    this.#level1(t);
    for (const a of this.#contexts.arraysFor('ste', t.sid, t.sid)) {
      if (this.#contexts.store.element(a, t.sid).ref < 0) this.#configuration(EVENT.F_STE_FETCH, 'the STE is outside of memory');
    }
  }

  /** Two-level tables: a level-1 descriptor that does not lead to this stream (§5.1.1). */
  #level1(t: Transaction): void {
    const split = this.#contexts.split;
    if (split === 0) return;
    for (const e of this.#contexts.elements('l1std', t.sid)) {
      if (e.ref < 0 && e.table.open) this.#configuration(EVENT.F_STE_FETCH, 'the level-1 descriptor is outside of memory');
      for (const f of e.words[0] as StructureFact[]) {
        if (t.sid - e.index >= l1stdStreams(f.lo, split)) this.#resting([f], () => { this.#badStream(`${which(f)} level-1 stream table descriptor`); });
      }
    }
  }

  /** Step 4 and the table of §3.9.1.2. */
  #throughSte(t: Transaction, ste: SteVector): void {
    const why = ste.facts.every(stands) ? 'the STE in memory' : 'a cached older STE';
    if (ste.action === 'illegal') { this.#configuration(EVENT.C_BAD_STE, why); return; }
    if (ste.action === 'abort') {
      if (this.#ats) this.#refuse(0, why); else this.#abort(why);
      return;
    }
    if (this.#ats && (ste.action === 'bypass' || effectiveEats(ste, this.#features) === 0)) { this.#refuse(EVENT.F_BAD_ATS_TREQ, why); return; }
    const s1 = ste.action === 'stage1' || ste.action === 'nested';
    const max = s1 ? steCdMax(ste.words, 0, this.#features) : 0;
    if (t.ssid >= 0 && (max === 0 || t.ssid >= (POW2[max] as number))) { this.#configuration(EVENT.C_BAD_SUBSTREAMID, why); return; } // step 5
    if (ste.action === 'bypass') { this.#bypass(t, why); return; }
    if (!s1) { this.#stage1Bypassed(t, ste, why); return; }
    const dss = getField(ste.words, STE.S1DSS);
    if (t.ssid < 0 && max > 0) {
      if (dss === S1DSS_BYPASS) { this.#stage1Bypassed(t, ste, why); return; }
      if (dss !== S1DSS_SSID0) { this.#configuration(EVENT.F_STREAM_DISABLED, why); return; }
    }
    if (t.ssid === 0 && dss === S1DSS_SSID0) { this.#configuration(EVENT.F_STREAM_DISABLED, why); return; }
    this.#throughCds(t, ste, Math.max(0, t.ssid), why);
  }

  #bypass(t: Transaction, why: string): void {
    if (t.frame >= this.#outputEnd()) this.#fault({ event: EVENT.F_ADDR_SIZE, stage2: 0, class: CLASS_IN, ipa: 0 }, true, why); // §3.4
    else this.#ok(t.frame, why);
  }

  /** Without stage 1 the input is an IPA: beyond the input size of the SMMU (its output size) it is a stage-1 address size fault (§3.4). */
  #stage1Bypassed(t: Transaction, ste: SteVector, why: string): void {
    if (t.frame >= this.#outputEnd()) this.#fault({ event: EVENT.F_ADDR_SIZE, stage2: 0, class: CLASS_IN, ipa: 0 }, true, why);
    else if (ste.action === 'stage1') this.#ok(t.frame, `${why}, stage 1 bypassed`);
    else this.#translate(t, { ste, cd: null }, ste.action === 'stage2' ? why : `${why}, stage 1 bypassed`);
  }

  /** Step 6: every CD that may be cached, and what a fetch may end in. */
  #throughCds(t: Transaction, ste: SteVector, index: number, why: string): void {
    this.#fetchFaults(ste, index, why);
    for (const cd of this.#contexts.cdVectors(ste.sid, index)) {
      const reason = `${why}, ${cd.facts.every(stands) ? 'the CD in memory' : 'a cached older CD'}`;
      this.#resting(cd.facts, () => {
        if (!cdVerdict(cd.words, 0, ste.words, 0, this.#features, this.#contexts.e2h)) this.#configuration(EVENT.C_BAD_CD, reason);
        else this.#translate(t, { ste, cd }, reason);
      });
    }
  }

  #fetchFaults(ste: SteVector, index: number, why: string): void {
    const format = steCdFormat(ste.words, 0, this.#features);
    const table = steCdTable(ste.words, 0, this.#features);
    for (const kind of ['l1cd', 'cd'] as const) {
      for (const a of this.#contexts.arraysFor(kind, ste.sid, index)) {
        if (this.#contexts.store.element(a, index).ref < 0) this.#configuration(EVENT.F_CD_FETCH, `${why}: the CD or its table is outside of memory`);
      }
    }
    if (format === 0) {
      this.#stage2Fetch(ste, Math.floor((table + index * 64) / 4096), why);
      return;
    }
    const span = format === 1 ? 64 : 1024;
    this.#stage2Fetch(ste, Math.floor((table + Math.floor(index / span) * 8) / 4096), why);
    for (const e of this.#contexts.elements('l1cd', ste.sid, index)) {
      for (const f of e.words[0] as StructureFact[]) {
        if (!l1cdValid(f.lo)) this.#resting([f], () => { this.#configuration(EVENT.C_BAD_SUBSTREAMID, `${why}, ${which(f)} level-1 CD`); });
        else this.#stage2Fetch(ste, Math.floor((l1cdPointer(f.lo, f.hi, format) + (index % span) * 64) / 4096), why);
      }
    }
  }

  /** Nested: the CD or its table is fetched through stage 2 (class CD). */
  #stage2Fetch(ste: SteVector, ipa: number, why: string): void {
    if (ste.action !== 'nested') return;
    for (const f of this.#lookup.stage2Faults(ste, ipa, CLASS_CD)) this.#fault(f, recordsStage2(ste), `${why}: fetching the CD`);
    for (const p of this.#lookup.stage2Pairs(ste.vmid, ipa)) {
      const leaf = p.second as LeafFact;
      if (!stage2Allows(leaf, false, { write: false, privileged: true, instruction: false })) {
        this.#fault({ event: EVENT.F_PERMISSION, stage2: 1, class: CLASS_CD, ipa, from: leaf }, recordsStage2(ste), `${why}: fetching the CD`);
      }
    }
  }

  /** Steps 7 to 9. */
  #translate(t: Transaction, use: Use, why: string): void {
    const { ste, cd } = use;
    if (cd === null) {
      for (const f of this.#lookup.stage2Faults(ste, t.frame, CLASS_IN)) this.#fault(f, recordsStage2(ste), why);
      for (const p of this.#lookup.stage2Pairs(ste.vmid, t.frame)) this.#pair(t, use, p, why);
      return;
    }
    const half = t.frame % HALVES >= UPPER ? 1 : 0;
    const context = stage1Context(cd.words, 0, ste.world === WORLD_EL2 ? 0 : half, this.#features, newTableContext());
    const records = getField(cd.words, CD.R) !== 0;
    const frame = canonical(t.frame, context.tbi, half);
    const fault = (event: number): Fault => ({ event, stage2: 0, class: CLASS_IN, ipa: 0 });
    const tag: Asked = { ...stage1Tag(ste, cd, half), nested: ste.action === 'nested' };
    // Addresses of a half with EPDx = 1, and those beyond a TxSZ that has shrunk since, may still hit the TLB: it may cache TxSZ as well (§5.4.1).
    for (const p of this.#lookup.stage1Pairs(tag, frame)) this.#pair(t, use, p, why);
    if (tag.nested) this.#firstOnly(t, use, this.#lookup.stage1Leaves(tag, frame), { records, frame, why });
    // TxSZ of a half with EPDx = 1 means nothing (§5.4.1.1).
    if (!context.disabled && !inRange(frame, context.inputBits, half, ste.world === WORLD_EL2)) {
      this.#fault(fault(EVENT.F_TRANSLATION), records, `${why}: out of the input range`);
      return;
    }
    if (context.disabled) {
      this.#fault(fault(EVENT.F_TRANSLATION), records, `${why}: EPD${half} = 1`);
      return;
    }
    const own = { key: regimeKey(stage1Tag(ste, cd, half), context), context };
    for (const f of this.#lookup.stage1Faults(ste, tag, own, frame)) this.#fault(f, f.stage2 !== 0 ? recordsStage2(ste) : records, `${why}: a walk`);
  }

  /** Nested: a stage-1 leaf that denies the access ends it, whatever stage 2 would say; one that allows it leads to stage 2, which may fault. */
  #firstOnly(t: Transaction, use: Use, leaves: readonly LeafFact[], at: { readonly records: boolean; readonly frame: number; readonly why: string }): void {
    const k = overridden(t, use.ste);
    for (const first of leaves) {
      const hd = first.regime.context.hd;
      const reads = this.#ats && stage1Allows(first, hd, { ...k, write: false, instruction: false });
      if (!stage1Allows(first, hd, k) && !reads) this.#fault({ event: EVENT.F_PERMISSION, stage2: 0, class: CLASS_IN, ipa: 0, from: first }, at.records, at.why);
      else for (const f of this.#lookup.stage2Faults(use.ste, first.target + at.frame - first.va, CLASS_IN)) this.#resting([first], () => { this.#fault(f, recordsStage2(use.ste), at.why); });
    }
  }

  /** A cached pair of leaves answers with its output, or with F_PERMISSION. */
  #pair(t: Transaction, use: Use, p: Pair, why: string): void {
    this.#resting(p.via !== undefined ? [p.via] : [p.first, p.second].filter((f) => f !== null), () => { this.#answerPair(t, use, p, why); });
  }

  #answerPair(t: Transaction, use: Use, p: Pair, why: string): void {
    const k = overridden(t, use.ste);
    const stale = [p.first, p.second].some((f) => f !== null && !stands(f)) ? `${why}, a stale leaf` : why;
    if (this.#ats) { this.#complete(t, use.ste, p, stale); return; }
    const denied = this.#denial(k, p);
    if (denied === 'gone') return;
    if (denied !== null) this.#fault(denied, denied.stage2 !== 0 ? recordsStage2(use.ste) : use.cd === null || getField(use.cd.words, CD.R) !== 0, stale);
    else this.#ok(p.frame, stale);
  }

  /** Why the pair does not allow this kind of access; 'gone': its dirty state cannot be marked, so the SMMU walks again. */
  #denial(k: Kind, p: Pair): Fault | 'gone' | null {
    const hd1 = p.first?.regime.context.hd ?? false;
    const hd2 = p.second?.regime.context.hd ?? false;
    if (p.first !== null && !stage1Allows(p.first, hd1, k)) return { event: EVENT.F_PERMISSION, stage2: 0, class: CLASS_IN, ipa: 0 };
    if (p.second !== null && !stage2Allows(p.second, hd2, k)) return { event: EVENT.F_PERMISSION, stage2: 1, class: CLASS_IN, ipa: p.ipa };
    if (!k.write) return null;
    if (p.first !== null && stage1Clean(p.first, hd1)) {
      const ipa = this.#lookup.readOnlyDescriptor(p.first);
      if (ipa >= 0) return { event: EVENT.F_PERMISSION, stage2: 1, class: CLASS_TT, ipa };
      if (!stands(p.first)) return 'gone';
    }
    return p.second !== null && stage2Clean(p.second, hd2) && !stands(p.second) ? 'gone' : null;
  }

  /**
   * ATS: a Success with the permissions that are granted; write only when it was asked for or needs no marking. Whether INSTCFG makes the
   * read of a request an instruction fetch is left open (§13.6): either may be answered.
   */
  #complete(t: Transaction, ste: SteVector, p: Pair, why: string): void {
    const k = overridden(t, ste);
    const clean = (p.first !== null && stage1Clean(p.first, p.first.regime.context.hd)) || (p.second !== null && stage2Clean(p.second, p.second.regime.context.hd));
    const write = this.#denial({ ...k, write: true, instruction: false }, p);
    if (t.write && clean && write === 'gone') return;
    const canWrite = (t.write || !clean) && write === null;
    const frame = effectiveEats(ste, this.#features) === EATS_SPLIT ? p.ipa : p.frame;
    for (const instruction of overridden({ ...t, write: false }, ste).instruction ? [true, false] : [false]) {
      const read = this.#denial({ ...k, write: false, instruction }, p) === null;
      this.#success(frame, read, canWrite, why);
      if (!t.write && canWrite) this.#success(frame, read, false, why); // write permission that was not asked for (NW) may be withheld
    }
  }

  /** Translated traffic with a PA (or IPA) from the ATC (§3.9.1.3, §3.9.2). */
  translated(t: Transaction, frame: number, control: Control, entry: { readonly fact: AtcFact; readonly say: Say }): void {
    this.#say = entry.say;
    this.#facts = [entry.fact];
    this.#ats = false;
    this.#control = control;
    if (!control.enabled) { this.#abort('the SMMU is not enabled'); return; }
    if (!control.atsChk) { this.#ok(frame, entry.fact.split ? 'ATSCHK = 0: an IPA goes out as a PA' : 'an ATC entry, unchecked'); return; }
    if (t.sid >= this.#contexts.streams) { this.#badStream('the StreamID is beyond the stream table'); return; }
    this.#findSte(t);
    for (const ste of this.#contexts.steVectors(t.sid)) this.#resting(ste.facts, () => { this.#checked({ ...t, frame }, ste); });
  }

  /** ATSCHK = 1: what the STE says of a Translated transaction. */
  #checked(t: Transaction, ste: SteVector): void {
    if (ste.action === 'illegal') { this.#configuration(EVENT.C_BAD_STE, 'the STE'); return; }
    if (ste.action === 'abort') { this.#abort('the STE'); return; }
    const eats = ste.action === 'bypass' ? 0 : effectiveEats(ste, this.#features);
    if (eats === 0) this.#configuration(EVENT.F_TRANSL_FORBIDDEN, 'the STE does not allow ATS');
    else if (eats === EATS_SPLIT) this.#translate(t, { ste, cd: null }, 'an ATC entry, stage 2 of it');
    else this.#ok(t.frame, 'an ATC entry');
  }

  none(say: Say, why: string): void {
    say({ ...newAnswer(), kind: ANSWER_NONE }, why, []);
  }

  /** Everything that `act` says rests on these facts as well. */
  #resting(facts: readonly Fact[], act: () => void): void {
    const before = this.#facts;
    this.#facts = before.length === 0 ? facts : [...before, ...facts];
    act();
    this.#facts = before;
  }

  #outputEnd(): number {
    return POW2[this.#features.oas - 12] as number;
  }

  #badStream(why: string): void {
    if (this.#control.recordUnknown || this.#ats) this.#configuration(EVENT.C_BAD_STREAMID, why); else this.#abort(why);
  }

  /** Configuration errors always abort and record; an ATS request completes with CA, recorded only with REC_CFG_ATS. */
  #configuration(event: number, why: string): void {
    if (!this.#ats) this.#say({ ...newAnswer(), kind: OUTCOME_FAULT, event }, why, this.#facts);
    else this.#say({ ...newAnswer(), kind: ANSWER_CA, event: this.#control.recordAts && (event !== EVENT.C_BAD_STREAMID || this.#control.recordUnknown) ? event : 0 }, why, this.#facts);
  }

  #fault({ from, ...f }: Fault, records: boolean, why: string): void {
    if (from === undefined || from === null) this.#faulted(f, records, why);
    else this.#resting([from], () => { this.#faulted(f, records, why); });
  }

  #faulted(f: Fault, records: boolean, why: string): void {
    if (this.#ats) {
      if (f.event === EVENT.F_WALK_EABT) this.#configuration(f.event, why);
      else this.#success(0, false, false, why);
    } else if (f.event === EVENT.F_WALK_EABT) this.#say({ ...newAnswer(), ...f, ipa: 0, kind: OUTCOME_FAULT }, why, this.#facts); // always recorded; has no IPA
    else if (records) this.#say({ ...newAnswer(), ...f, kind: OUTCOME_FAULT }, why, this.#facts);
    else this.#abort(`${why}: ${eventName(f.event) ?? ''} that is not recorded`);
  }

  #ok(frame: number, why: string): void {
    if (this.#ats) {
      this.#success(frame, true, true, why);
    }
    else this.#say({ ...newAnswer(), kind: OUTCOME_OK, frame }, why, this.#facts);
  }

  #success(frame: number, canRead: boolean, canWrite: boolean, why: string): void {
    this.#say({ ...newAnswer(), kind: OUTCOME_OK, frame: canRead || canWrite ? frame : 0, canRead, canWrite }, why, this.#facts);
  }

  #abort(why: string): void {
    this.#say({ ...newAnswer(), kind: OUTCOME_ABORT }, why, this.#facts);
  }

  #refuse(event: number, why: string): void {
    this.#say({ ...newAnswer(), kind: ANSWER_UR, event }, why, this.#facts);
  }
}

function which(f: StructureFact): string {
  return stands(f) ? 'the' : 'a cached older';
}

/** EATS as it counts: 3 is reserved without DPT and behaves as 0; nothing without IDR0.ATS. */
export function effectiveEats(ste: SteVector, f: Features): number {
  const eats = f.ats ? getField(ste.words, STE.EATS) : 0;
  return eats === EATS_FULL || eats === EATS_SPLIT ? eats : 0;
}

function recordsStage2(ste: SteVector): boolean {
  return getField(ste.words, STE.S2R) !== 0;
}

/** STE.PRIVCFG and INSTCFG override what the transaction says; a write is always data. */
function overridden(t: Transaction, ste: SteVector): Kind {
  const priv = getField(ste.words, STE.PRIVCFG);
  const inst = getField(ste.words, STE.INSTCFG);
  return {
    write: t.write,
    privileged: priv === PRIVCFG_PRIVILEGED || (priv !== PRIVCFG_UNPRIVILEGED && t.privileged),
    instruction: !t.write && (inst === INSTCFG_INSTRUCTION || (inst !== INSTCFG_DATA && t.instruction)),
  };
}

/** The address without its top byte, where that is ignored: extended from VA[55]. */
function canonical(frame: number, tbi: boolean, half: number): number {
  if (!tbi) return frame;
  return (half === 1 ? 255 * HALVES : 0) + (frame % HALVES);
}

/** VA[63:inputBits] all equal to VA[55]; EL2 has one half: all zero (§3.4). */
function inRange(frame: number, inputBits: number, half: number, el2: boolean): boolean {
  const size = POW2[inputBits - 12] as number;
  return half === 0 || el2 ? frame < size : frame >= (POW2[52] as number) - size;
}

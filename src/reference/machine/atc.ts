/**
 * ATC: what the endpoints may hold (IHI 0070 §3.9, §4.5.1). An endpoint with ATS enabled may ask for any translation at any time, so whatever
 * it could be answered with now it may hold: that is implied. When something that such an answer rests on goes, the entry is recorded; only
 * ATC_INV and its SYNC remove it then. Entries that could be asked for again come back whatever is invalidated.
 */
import { getField, POW2 } from '../../spec/bits.js';
import { CD_HALF, cdVerdict } from '../../spec/cd.js';
import { OP } from '../../spec/command.js';
import type { Features } from '../../spec/features.js';
import { EATS_SPLIT, S1DSS_BYPASS, S1DSS_SSID0, STE, steCdMax } from '../../spec/ste.js';
import { WORLD_EL2 } from '../../stack/transaction.js';
import { stage1Tag, type CdVector, type Contexts, type SteVector, vectors } from './contexts.js';
import { bury, NEVER, type AtcFact, type Fact, type LeafFact, type Pending, type TranslationFact } from './facts.js';
import { when } from './justify.js';
import type { MatchContext } from './match.js';
import { stage1Allows, stage1Clean, stage2Allows, stage2Clean } from './permissions.js';
import { effectiveEats } from './permitted.js';
import type { Tables } from './tables.js';

/** Address bits below the top byte, in frames; and the upper half of them. */
const HALVES = 2 ** 44;
const UPPER = 2 ** 43;

interface Endpoint {
  readonly ats: boolean;
  readonly responds: boolean;
}

export class Atc {
  readonly #features: Features;
  readonly #contexts: Contexts;
  readonly #tables: Tables;
  readonly #endpoints = new Map<number, Endpoint>();
  /** Entries that cannot be implied any more. */
  records: AtcFact[] = [];
  /** Keys of the records. */
  readonly #known = new Set<string>();

  constructor(features: Features, contexts: Contexts, tables: Tables) {
    this.#features = features;
    this.#contexts = contexts;
    this.#tables = tables;
  }

  endpoint(sid: number): Endpoint {
    return this.#endpoints.get(sid) ?? { ats: false, responds: true };
  }

  /** ATS switched off at the endpoint: what it holds stays, and it asks for nothing more. */
  set(sid: number, ats: boolean, responds: boolean): void {
    if (this.endpoint(sid).ats && !ats) for (const e of this.#implied(sid)) this.#record({ ...e, premises: [GONE] });
    this.#endpoints.set(sid, { ats, responds });
  }

  /** The endpoint emptied its ATC by itself. */
  empty(sid: number): void {
    for (const e of this.records) if (e.sid === sid) this.#known.delete(keyOf(e));
    this.records = this.records.filter((e) => e.sid !== sid);
  }

  /** What the endpoint of a stream may hold now. */
  held(sid: number): AtcFact[] {
    return [...this.records.filter((e) => e.sid === sid), ...(this.endpoint(sid).ats ? this.#implied(sid) : [])];
  }

  /**
   * These facts are about to go: what endpoints hold because of them is recorded first. What goes is all that matters of its premises:
   * without it the entry cannot be asked for again.
   */
  before(dead: ReadonlySet<Fact>): void {
    if (dead.size === 0) return;
    for (const [sid, endpoint] of this.#endpoints) {
      if (!endpoint.ats) continue;
      for (const e of this.#implied(sid, dead)) this.#record({ ...e, premises: e.premises.filter((p) => p.kind !== 'regime' && dead.has(p)) });
    }
  }

  judge(K: readonly Pending[], m: MatchContext): AtcFact[] {
    return K.some((p) => p.command.op === OP.ATC_INV) ? this.records.filter((e) => when(e, K, m) === NEVER) : [];
  }

  apply(dead: readonly AtcFact[], now: number, queue: number): void {
    for (const e of dead) {
      bury(e, now, queue);
      this.#known.delete(keyOf(e));
    }
    if (dead.length > 0) this.records = this.records.filter((e) => e.alive);
  }

  #record(e: AtcFact): void {
    const key = keyOf(e);
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.records.push(e);
  }

  /** Everything that a Translation Request of the stream may be granted now; or only what rests on one of the facts of `about`. */
  #implied(sid: number, about: ReadonlySet<Fact> | null = null): AtcFact[] {
    const out: AtcFact[] = [];
    const concerns = (facts: readonly Fact[]): boolean => about === null || facts.some((f) => about.has(f));
    const leaves = (facts: readonly Fact[]): readonly TranslationFact[] => (concerns(facts) ? this.#tables.translations : this.#tables.translations.filter((f) => about?.has(f)));
    for (const ste of this.#contexts.steVectors(sid)) {
      if (ste.action === 'illegal' || ste.action === 'abort' || ste.action === 'bypass' || effectiveEats(ste, this.#features) === 0) continue;
      if (ste.action === 'stage2') { this.#addStage2(out, ste, leaves(ste.facts)); continue; }
      const substreams = steCdMax(ste.words, 0, this.#features) > 0;
      const dss = getField(ste.words, STE.S1DSS);
      if (substreams && dss === S1DSS_BYPASS) {
        if (ste.action === 'nested') this.#addStage2(out, ste, leaves(ste.facts));
        else if (concerns(ste.facts)) out.push(this.#entry(ste, null, -1, { va: 0, frames: POW2[this.#features.oas - 12] as number, target: 0 }, [], [true, true]));
      }
      for (const e of this.#contexts.elements('cd', sid)) {
        for (const v of vectors(e)) {
          const cd: CdVector = { ...v, index: e.index };
          if (!cdVerdict(cd.words, 0, ste.words, 0, this.#features, this.#contexts.e2h)) continue;
          const from = leaves([...ste.facts, ...cd.facts]);
          if (cd.index === 0 && (!substreams || dss === S1DSS_SSID0)) this.#addStage1(out, { ste, cd, ssid: -1 }, from);
          if (substreams && (cd.index > 0 || dss !== S1DSS_SSID0)) this.#addStage1(out, { ste, cd, ssid: cd.index }, from);
        }
      }
    }
    return out;
  }

  /** Split stage with stage 1 bypassed: the IPA is what was asked for (§3.9.1). */
  #addStage2(out: AtcFact[], ste: SteVector, from: readonly TranslationFact[]): void {
    const split = effectiveEats(ste, this.#features) === EATS_SPLIT;
    for (const leaf of from) if (leaf.kind === 'leaf' && leaf.stage === 2 && leaf.vmid === ste.vmid) out.push(this.#entry(ste, null, -1, split ? { ...leaf, target: leaf.va } : leaf, [leaf], granted(null, leaf)));
  }

  #addStage1(out: AtcFact[], { ste, cd, ssid }: { readonly ste: SteVector; readonly cd: CdVector; readonly ssid: number }, from: readonly TranslationFact[]): void {
    const tag = stage1Tag(ste, cd, 0);
    const split = effectiveEats(ste, this.#features) === EATS_SPLIT;
    for (const f of from) {
      if (f.kind !== 'leaf' || f.stage === 2 || f.world !== tag.world || f.vmid !== tag.vmid || (f.asid >= 0 && f.asid !== tag.asid)) continue;
      if (ste.world === WORLD_EL2 && f.asid >= 0) continue;
      if (f.stage === 1 && f.regime.nested) continue;
      const first = f.first ?? f;
      const span = split && f.first !== null ? { va: f.va, frames: f.frames, target: first.target + f.va - first.va } : f;
      const entry = this.#entry(ste, cd, ssid, span, [f], granted(first, f.second));
      out.push(entry);
      if (ignoresTop(cd, f.va % HALVES < UPPER ? 0 : 1)) out.push({ ...entry, aliases: true });
    }
  }

  #entry(ste: SteVector, cd: CdVector | null, ssid: number, span: Pick<LeafFact, 'va' | 'frames' | 'target'>, leaves: readonly LeafFact[], may: readonly [boolean, boolean]): AtcFact {
    return {
      kind: 'atc', id: 0, premises: [...leaves, ...ste.facts, ...(cd === null ? [] : cd.facts)], ref: -1, lo: 0, hi: 0, starts: [-Infinity], ends: [Infinity], alive: true, memoFor: null, memo: 0,
      sid: ste.sid, ssid, va: span.va, frames: span.frames, target: span.target, split: effectiveEats(ste, this.#features) === EATS_SPLIT, aliases: false, canRead: may[0], canWrite: may[1],
    };
  }
}

function keyOf(e: AtcFact): string {
  return `${e.sid} ${e.ssid} ${e.va} ${e.frames} ${e.target} ${[e.split, e.aliases, e.canRead, e.canWrite].map((b) => (b ? 1 : 0)).join('')} ${e.premises.map((p) => (p.kind === 'regime' ? p.key : p.id)).join(',')}`;
}

function ignoresTop(cd: CdVector, half: 0 | 1): boolean {
  return getField(cd.words, CD_HALF[half].TBI) !== 0;
}

/** Where in the span of an entry a frame lies: frames from its start, or -1. */
export function addressIn(e: AtcFact, frame: number): number {
  const at = (e.aliases ? (frame % HALVES) - (e.va % HALVES) : frame - e.va);
  return at >= 0 && at < e.frames ? at : -1;
}

/** A premise that is no longer there. */
const GONE: AtcFact = {
  kind: 'atc', id: 0, premises: [], ref: -1, lo: 0, hi: 0, starts: [0], ends: [0], alive: false, memoFor: null, memo: 0, sid: -1, ssid: -1, va: 0, frames: 0, target: 0, split: false, aliases: false, canRead: false, canWrite: false,
};

/** The most that a completion may grant: to privileged or unprivileged requests, writes only where nothing is left to be marked dirty. */
function granted(first: LeafFact | null, second: LeafFact | null): readonly [boolean, boolean] {
  const allows = (write: boolean): boolean => [true, false].some((privileged) => {
    const k = { write, privileged, instruction: false };
    const one = first === null || (stage1Allows(first, first.regime.context.hd, k) && !(write && stage1Clean(first, first.regime.context.hd)));
    return one && (second === null || (stage2Allows(second, second.regime.context.hd, k) && !(write && stage2Clean(second, second.regime.context.hd))));
  });
  return [allows(false), allows(true)];
}

/**
 * Contexts: what the cached words of structures amount to (IHI 0070 §5.1–§5.4). A *vector* is one value for each word of one STE or CD:
 * any combination of cached words may be what a torn fetch gives (§3.21.3). STE vectors make CDs reachable;
 * STE and CD vectors together support translation regimes. A lookup takes any cached STE of the stream with any cached CD of (stream, index).
 */
import { getField, POW2 } from '../../spec/bits.js';
import { CD, cdVerdict } from '../../spec/cd.js';
import type { Features } from '../../spec/features.js';
import { l1cdPointer, l1cdValid, l1stdPointer, l1stdStreams } from '../../spec/level1.js';
import { steCdFormat, steCdMax, steCdTable, STE, steVerdict, streamWorld, type SteAction } from '../../spec/ste.js';
import { newTableContext, stage1Context, stage2Context, type TableContext } from '../../spec/tables.js';
import { strtabAddress, strtabLog2, strtabSplit } from '../../spec/register.js';
import { WORLD_EL1, WORLD_EL2 } from '../../stack/transaction.js';
import { Unmodelled } from '../../stack/violation.js';
import type { Element, LeafFact, Regime, StructureFact, Vector, Structures } from './facts.js';
import { StructureStore, type ArrayShape } from './structures.js';
import { readable, type Tables } from './tables.js';

export interface SteVector extends Vector {
  readonly sid: number;
  readonly action: SteAction;
  readonly world: 0 | 1 | 2;
  readonly vmid: number;
}

export interface CdVector extends Vector {
  readonly index: number;
}

const TORN_LIMIT = 256;

export class Contexts {
  readonly store: StructureStore;
  readonly #features: Features;
  readonly #tables: Tables;
  readonly #supports = new Set<string>();
  readonly #opened = new Set<string>();
  /** STEs by the combinations that they were made of. */
  #known = new WeakMap<readonly Vector[], readonly SteVector[]>();
  /** VMIDs that some STE has been nested under. */
  readonly #nested = new Set<number>();
  #e2h = false;
  #split = 0;
  #streams = 0;

  constructor(store: StructureStore, features: Features, tables: Tables) {
    this.store = store;
    this.#features = features;
    this.#tables = tables;
  }

  get streams(): number { return this.#streams; }
  get split(): number { return this.#split; }
  get e2h(): boolean { return this.#e2h; }

  /** SMMUEN became 1: the stream table is reachable (§5.1, §6.3.24). */
  enable(base: number, cfg: number, e2h: boolean): void {
    const f = this.#features;
    if (e2h !== this.#e2h) this.#known = new WeakMap();
    this.#e2h = e2h;
    this.#split = f.twoLevelStreams ? strtabSplit(cfg) : 0;
    const log2 = strtabLog2(cfg, f.sidBits);
    this.#streams = POW2[log2] as number;
    const address = strtabAddress(base, cfg, f.sidBits);
    const split = this.#split;
    if (split === 0) this.store.open({ kind: 'ste', sid: -1, first: 0, span: 1, count: this.#streams, address, premises: [] });
    else this.store.open({ kind: 'l1std', sid: -1, first: 0, span: POW2[split] as number, count: Math.max(1, POW2[Math.max(0, log2 - split)] as number), address, premises: [] });
  }

  /** Cached pointers are followed again. */
  follow(): void {
    for (const a of this.store.arrays.slice()) {
      for (const e of [...a.elements.values()]) {
        if (a.kind === 'l1std') for (const f of e.words[0] as StructureFact[]) this.#followL1std(f);
        if (a.kind === 'ste') this.reviewStream(e.index);
      }
    }
  }

  /** SMMUEN became 0: nothing is fetched. What may be cached stays. */
  disable(): void {
    for (const a of this.store.arrays) this.store.close(a);
    this.#opened.clear();
  }

  /** A word may be cached that could not be: what does it make reachable? */
  wordBorn(f: StructureFact): void {
    switch (f.kind) {
      case 'l1std': this.#followL1std(f); break;
      case 'ste': this.reviewStream(f.element.index); break;
      case 'l1cd': case 'cd': this.reviewStream(f.element.table.sid); break;
    }
  }

  #followL1std(f: StructureFact): void {
    const streams = l1stdStreams(f.lo, this.#split);
    if (streams === 0) return;
    this.#openOnce({ kind: 'ste', sid: -1, first: f.element.index, span: 1, count: streams, address: l1stdPointer(f.lo, f.hi), premises: [f] });
  }

  #openOnce(shape: ArrayShape): void {
    const key = `${shape.kind} ${shape.sid} ${shape.first} ${shape.count} ${shape.address} ${shape.premises.map((p) => (p.kind === 'regime' ? p.key : p.id)).join(',')}`;
    if (this.#opened.has(key)) return;
    this.#opened.add(key);
    this.store.open(shape);
  }

  /** Elements of a kind that may be cached for a stream (and index). */
  elements(kind: 'ste' | 'cd' | 'l1std' | 'l1cd', sid: number, index = -1): Element[] {
    const out: Element[] = [];
    for (const a of this.store.arrays) {
      if (a.kind !== kind || ((kind === 'cd' || kind === 'l1cd') && a.sid !== sid)) continue;
      const wanted = kind === 'ste' || kind === 'l1std' ? sid : index;
      if (wanted < 0) out.push(...a.elements.values());
      else if (wanted >= a.first && wanted < a.first + a.count * a.span) out.push(this.store.element(a, wanted));
    }
    return out;
  }

  steVectors(sid: number): SteVector[] {
    return this.elements('ste', sid).flatMap((e) => this.#stes(e, sid));
  }

  /** Made once for the cached words of an element, as long as E2H stays: an element of a stream table serves one stream. */
  #stes(e: Element, sid: number): readonly SteVector[] {
    const all = vectors(e);
    const known = this.#known.get(all);
    if (known !== undefined) return known;
    const f = this.#features;
    const made = all.map((v): SteVector => ({
      facts: v.facts, words: v.words, sid, action: steVerdict(v.words, 0, f), world: streamWorld(v.words, 0, f, this.#e2h), vmid: f.stage2 ? getField(v.words, STE.S2VMID) : 0,
    }));
    this.#known.set(all, made);
    for (const v of made) if (v.action === 'nested') this.#nested.add(v.vmid);
    return made;
  }

  cdVectors(sid: number, index: number): CdVector[] {
    return this.elements('cd', sid, index).flatMap((e) => vectors(e).map((v): CdVector => ({ ...v, index: e.index })));
  }

  /** Everything that the cached words of a stream make reachable and support. Only adds. */
  reviewStream(sid: number): void {
    if (!this.#tables.enabled) return;
    const stes = this.steVectors(sid);
    if (stes.every((ste) => ste.action !== 'stage1' && ste.action !== 'stage2' && ste.action !== 'nested')) return;
    for (const ste of stes) {
      if (ste.action === 'stage1' || ste.action === 'nested') this.#openCds(ste);
      if (ste.action === 'stage2' || ste.action === 'nested') this.#supportStage2(ste);
    }
    const elements = this.elements('cd', sid);
    for (const ste of stes) {
      if (ste.action !== 'stage1' && ste.action !== 'nested') continue;
      for (const e of elements) for (const cd of vectors(e)) this.#supportStage1(ste, { ...cd, index: e.index });
    }
  }

  /** A stage-2 leaf became cacheable: CD tables may be reachable through it. */
  stage2Born(leaf: LeafFact): void {
    if (!this.#nested.has(leaf.vmid)) return;
    for (const a of this.store.arrays.slice()) {
      if (a.kind !== 'ste') continue;
      for (const e of [...a.elements.values()]) {
        if (this.steVectors(e.index).some((v) => v.action === 'nested' && v.vmid === leaf.vmid)) this.reviewStream(e.index);
      }
    }
  }

  /** The CD table of an STE: linear, or by way of level-1 descriptors (§5.3). Nested: each part through each stage-2 leaf. */
  #openCds(ste: SteVector): void {
    const f = this.#features;
    const log2 = steCdMax(ste.words, 0, f);
    const format = log2 === 0 ? 0 : steCdFormat(ste.words, 0, f);
    const count = POW2[log2] as number;
    const address = steCdTable(ste.words, 0, f);
    const premise = ste.facts[0] as StructureFact;
    if (format === 0) {
      this.#openPart({ kind: 'cd', sid: ste.sid, first: 0, span: 1, count, address, premises: [premise] }, ste);
      return;
    }
    const span = format === 1 ? 64 : 1024;
    this.#openPart({ kind: 'l1cd', sid: ste.sid, first: 0, span, count: Math.max(1, count / span), address, premises: [premise] }, ste);
    for (const e of this.elements('l1cd', ste.sid)) {
      for (const l1 of e.words[0] as StructureFact[]) {
        if (!l1cdValid(l1.lo)) continue;
        this.#openPart({ kind: 'cd', sid: ste.sid, first: e.index, span: 1, count: Math.min(span, count - e.index), address: l1cdPointer(l1.lo, l1.hi, format), premises: [l1] }, ste);
      }
    }
  }

  /** An array at a PA, or at an IPA: then the parts of it that cached stage-2 leaves map readable. */
  #openPart(shape: ArrayShape, ste: SteVector): void {
    if (shape.count < 1) return;
    if (ste.action !== 'nested') {
      this.#openOnce(shape);
      return;
    }
    const stride = shape.kind === 'cd' ? 64 : 8;
    const end = shape.address + shape.count * stride;
    for (const leaf of this.#tables.stage2Leaves(ste.vmid)) {
      if (!readable(leaf)) continue;
      const from = Math.max(shape.address, leaf.va * 4096);
      const to = Math.min(end, (leaf.va + leaf.frames) * 4096);
      if (from >= to) continue;
      const skipped = (from - shape.address) / stride;
      this.#openOnce({
        ...shape, first: shape.first + skipped * shape.span, count: (to - from) / stride, address: from - leaf.va * 4096 + leaf.target * 4096, premises: [...shape.premises, leaf],
      });
    }
  }

  #supportStage2(ste: SteVector): void {
    const context = stage2Context(ste.words, 0, this.#features, newTableContext());
    const facts = [ste.facts[0], ste.facts[2], ste.facts[3]] as StructureFact[];
    this.#support({ world: WORLD_EL1, vmid: ste.vmid, asid: -1, stage: 2, nested: false, half: 0 }, context, facts);
  }

  #supportStage1(ste: SteVector, cd: CdVector): void {
    if (!cdVerdict(cd.words, 0, ste.words, 0, this.#features, this.#e2h)) return;
    refuseUnmodelled(cd.words);
    for (const half of [0, 1] as const) {
      if (half === 1 && ste.world === WORLD_EL2) continue;
      const context = stage1Context(cd.words, 0, half, this.#features, newTableContext());
      if (context.disabled) continue;
      const facts = [ste.facts[0], ste.facts[1], ste.facts[2], cd.facts[0], cd.facts[half + 1]] as StructureFact[];
      this.#support(stage1Tag(ste, cd, half), context, facts);
    }
  }

  #support(tag: Pick<Regime, 'world' | 'vmid' | 'asid' | 'stage' | 'nested' | 'half'>, context: TableContext, facts: readonly StructureFact[]): void {
    const key = regimeKey(tag, context);
    const support = `${key} ${facts.map((f) => f.id).join(',')}`;
    if (this.#supports.has(support)) return;
    this.#supports.add(support);
    const known = this.#tables.regimes.find((r) => r.key === key);
    const regime: Regime = known ?? { kind: 'regime', key, ...tag, context, supports: [], past: [], roots: [] };
    const was = regime.supports.length;
    regime.supports.push({ key: support, facts });
    if (was === 0) this.#tables.opened(regime);
  }

  /** These words are about to go, and with them what they support and lead to: should they come back, it is new. */
  forgetDying(dead: readonly StructureFact[]): void {
    const gone = new Set(dead);
    if (gone.size === 0) return;
    for (const r of this.#tables.regimes) for (const s of r.supports) if (s.facts.some((f) => gone.has(f))) this.#supports.delete(s.key);
  }

  /** The open arrays that an STE or CD of this stream and index would be fetched from. */
  arraysFor(kind: Structures['kind'], sid: number, index: number): Structures[] {
    return this.store.arrays.filter((a) => a.open && a.kind === kind && (a.sid < 0 || a.sid === sid) && index >= a.first && index < a.first + a.count * a.span);
  }
}

export function stage1Tag(ste: SteVector, cd: CdVector, half: 0 | 1): Pick<Regime, 'world' | 'vmid' | 'asid' | 'stage' | 'nested' | 'half'> {
  return {
    world: ste.world, vmid: ste.world === WORLD_EL1 ? ste.vmid : 0, asid: ste.world === WORLD_EL2 ? -1 : getField(cd.words, CD.ASID), stage: 1, nested: ste.action === 'nested', half,
  };
}

export function regimeKey(tag: Pick<Regime, 'world' | 'vmid' | 'asid' | 'stage' | 'nested' | 'half'>, c: TableContext): string {
  return `${tag.world} ${tag.vmid} ${tag.asid} ${tag.stage} ${tag.nested ? 'n' : ''}${tag.half} ${c.tg} ${c.inputBits} ${c.startLevel} ${c.outputBits} ${c.rootFrame} ${c.rootIndex} ${
    [c.ds, c.wide, c.ha, c.hd, c.affd, c.had].map((b) => (b ? 1 : 0)).join('')}`;
}

/** Every combination of one cached value for each word. */
export function vectors(e: Element): readonly Vector[] {
  e.vectors ??= combine(e);
  return e.vectors;
}

function combine(e: Element): Vector[] {
  let out: StructureFact[][] = [[]];
  for (const word of e.words) {
    const next: StructureFact[][] = [];
    for (const chosen of out) for (const f of word) next.push([...chosen, f]);
    out = next;
    if (out.length > TORN_LIMIT) throw new Unmodelled(`more than ${TORN_LIMIT} combinations of the words of one ${e.table.kind}`);
  }
  return out.map((facts) => {
    const words = new Uint32Array(16);
    facts.forEach((f, i) => { words[2 * i] = f.lo; words[2 * i + 1] = f.hi; });
    return { facts, words };
  });
}

/** Settings of a CD that change permissions in ways that are not modelled. */
function refuseUnmodelled(words: Uint32Array): void {
  for (const name of ['WXN', 'UWXN', 'PAN', 'E0PD0', 'E0PD1'] as const) {
    if (getField(words, CD[name]) !== 0) throw new Unmodelled(`CD.${name} = 1`);
  }
}

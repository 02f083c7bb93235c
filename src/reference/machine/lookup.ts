/**
 * Lookup: what the caches and fresh walks may give for one address (IHI 0070 §3.3.2, §7.3.22). A TLB hit needs equal tags only (§3.3.3); a walk
 * may start at the base or at any cached table descriptor of the tag. As every descriptor that memory holds is a fact, the faults of a walk
 * are the faults of the next descriptor below the base and below each table fact.
 */
import { BIT_AF, descriptorKind, INVALID, LEAF, leafAddress, TABLE, tableAddress } from '../../spec/descriptor.js';
import { POW2 } from '../../spec/bits.js';
import { CLASS_IN, CLASS_TT, EVENT } from '../../spec/event.js';
import { levelFrames, stride } from '../../spec/granule.js';
import { newTableContext, stage2Context, type TableContext } from '../../spec/tables.js';
import type { Features } from '../../spec/features.js';
import type { Memory } from '../../memory/memory.js';
import { WORLD_EL1 } from '../../stack/transaction.js';
import { regimeKey, type SteVector } from './contexts.js';
import type { LeafFact, Page, Regime, TableFact } from './facts.js';
import { outputEnd, readable, rootVa, type Tables } from './tables.js';

/** A translation-related fault of a walk; `ipa`: frame, stage 2 only. */
export interface Fault {
  readonly event: number;
  readonly stage2: number;
  readonly class: number;
  readonly ipa: number;
  /** The cached descriptor below which the walk went on, or the leaf that denies. */
  readonly from?: TableFact | LeafFact | null;
}

/** Leaves that together translate an address; a stage that is off or bypassed is null. */
export interface Pair {
  readonly first: LeafFact | null;
  readonly second: LeafFact | null;
  /** The combined entry, when it is one that hit. */
  readonly via?: LeafFact;
  /** Frame between the stages, and output frame. */
  readonly ipa: number;
  readonly frame: number;
}

/** The tag under which a lookup asks. */
export interface Asked {
  readonly world: number;
  readonly vmid: number;
  readonly asid: number;
  readonly nested: boolean;
}

export class Lookup {
  readonly #memory: Memory;
  readonly #features: Features;
  readonly #tables: Tables;

  constructor(memory: Memory, features: Features, tables: Tables) {
    this.#memory = memory;
    this.#features = features;
    this.#tables = tables;
  }

  /** Cached results of stage 1, or of both stages, for a frame. */
  stage1Pairs(tag: Asked, frame: number): Pair[] {
    const out: Pair[] = [];
    for (const f of this.#tables.translations) {
      if (f.kind !== 'leaf' || f.stage === 2 || !hits(f, tag) || frame < f.va || frame >= f.va + f.frames) continue;
      const result = f.target + frame - f.va;
      if (f.stage === 3) {
        const first = f.first as LeafFact;
        out.push({ first, second: f.second, ipa: first.target + frame - first.va, frame: result, via: f });
      } else if (!f.regime.nested) out.push({ first: f, second: null, ipa: result, frame: result });
      else if (tag.nested) for (const p of this.stage2Pairs(tag.vmid, result)) out.push({ ...p, first: f });
    }
    return out;
  }

  /** Cached nested stage-1 leaves for a frame: what they give is an IPA. */
  stage1Leaves(tag: Asked, frame: number): LeafFact[] {
    return this.#tables.translations.filter((f): f is LeafFact => f.kind === 'leaf' && f.stage === 1 && f.regime.nested && hits(f, tag) && frame >= f.va && frame < f.va + f.frames);
  }

  stage2Pairs(vmid: number, ipa: number): Pair[] {
    return this.#tables.stage2Leaves(vmid).filter((s) => ipa >= s.va && ipa < s.va + s.frames)
      .map((second) => ({ first: null, second, ipa, frame: second.target + ipa - second.va }));
  }

  /** Faults that stage 2 may give for an IPA; `purpose`: CLASS of the record. */
  stage2Faults(ste: SteVector, ipa: number, purpose: number): Fault[] {
    const context = stage2Context(ste.words, 0, this.#features, newTableContext());
    const fault = (event: number, from: TableFact | null = null): Fault => ({ event, stage2: 1, class: purpose, ipa, from });
    if (ipa >= (POW2[context.inputBits - 12] as number)) return [fault(EVENT.F_TRANSLATION)];
    const key = regimeKey({ world: WORLD_EL1, vmid: ste.vmid, asid: -1, stage: 2, nested: false, half: 0 }, context);
    const out: Fault[] = [];
    for (const page of this.#pages(key, (f) => f.stage === 2 && f.vmid === ste.vmid, ipa)) {
      const event = this.#entryFault(page, ipa);
      if (event !== 0) out.push(fault(event, page.from));
    }
    return out;
  }

  /** Faults of a stage-1 walk for a frame in range; nested: stage-2 faults of its descriptors (class TT) included. */
  stage1Faults(ste: SteVector, tag: Asked, own: { readonly key: string; readonly context: TableContext }, frame: number): Fault[] {
    const out: Fault[] = [];
    const { key, context } = own;
    for (const page of this.#pages(key, (f) => f.stage !== 2 && f.regime.nested === tag.nested && hits(f, tag), frame)) {
      const event = this.#entryFault(page, frame);
      if (event === EVENT.F_PERMISSION) out.push({ event, stage2: 1, class: CLASS_TT, ipa: this.#ipaOfEntry(page, frame), from: page.from });
      else if (event !== 0) out.push({ event, stage2: 0, class: event === EVENT.F_WALK_EABT ? CLASS_TT : CLASS_IN, ipa: 0, from: page.from });
    }
    if (!tag.nested) return out;
    const va = context.inputBits === 64 ? 0 : frame;
    const regime = this.#tables.regimes.find((r) => r.key === key);
    const start = regime === undefined ? 0 : rootVa(regime);
    const index = Math.floor((va - start) / levelFrames(context.tg, context.startLevel));
    out.push(...this.#descriptorFaults(ste, context.rootFrame + Math.floor((context.rootIndex + index) / 512)));
    for (const f of this.#tables.translations) {
      if (f.kind !== 'table' || f.stage !== 1 || !f.regime.nested || !hits(f, tag) || frame < f.va || frame >= f.va + f.frames) continue;
      const entry = Math.floor((frame - f.va) / (f.frames / (POW2[stride(f.regime.context.tg)] as number)));
      out.push(...this.#descriptorFaults(ste, f.target + Math.floor(entry / 512)));
    }
    return out;
  }

  /** Stage-2 faults of reading a stage-1 descriptor in an IPA frame. */
  #descriptorFaults(ste: SteVector, ipa: number): Fault[] {
    const out = this.stage2Faults(ste, ipa, CLASS_TT);
    for (const p of this.stage2Pairs(ste.vmid, ipa)) {
      if (!readable(p.second as LeafFact)) out.push({ event: EVENT.F_PERMISSION, stage2: 1, class: CLASS_TT, ipa, from: p.second });
    }
    return out;
  }

  /** Where a walk may read its next descriptor: below the base of regime `key`, and below each cached table descriptor that fits. */
  #pages(key: string, fits: (f: TableFact) => boolean, frame: number): Page[] {
    const out: Page[] = [];
    const own = this.#tables.regimes.find((r) => r.key === key);
    if (own !== undefined) out.push(...own.roots);
    for (const f of this.#tables.translations) {
      if (f.kind === 'table' && f.page !== null && fits(f) && frame >= f.va && frame < f.va + f.frames) out.push(f.page);
    }
    return out;
  }

  /** The fault that the descriptor for `frame` in this page gives by itself: 0 for a usable leaf or table. */
  #entryFault(page: Page, frame: number): number {
    const c = page.regime.context;
    const entry = Math.floor((frame - page.va) / levelFrames(c.tg, page.level));
    if (entry < page.firstIndex || entry >= page.firstIndex + page.entries) return 0;
    const ref = this.#tables.refOf(page, entry);
    if (ref < 0) return EVENT.F_WALK_EABT;
    const lo = this.#memory.lo[ref] as number;
    const hi = this.#memory.hi[ref] as number;
    const kind = descriptorKind(lo, page.level, c.tg, c.ds, c.wide);
    if (kind === INVALID) return EVENT.F_TRANSLATION;
    const end = outputEnd(page.regime);
    if (kind === TABLE) return tableAddress(lo, hi, c) >= end ? EVENT.F_ADDR_SIZE : 0;
    if (kind === LEAF && leafAddress(lo, hi, page.level, c) >= end) return EVENT.F_ADDR_SIZE;
    if ((lo & BIT_AF) !== 0 || c.affd) return 0;
    if (!c.ha) return EVENT.F_ACCESS;
    return page.writable ? 0 : EVENT.F_PERMISSION; // the access flag cannot be set: stage 2 forbids the write (§3.13)
  }

  /** IPA frame of the descriptor for `frame` in a nested page. */
  #ipaOfEntry(page: Page, frame: number): number {
    const s2 = page.from?.premises[1];
    if (s2 === undefined || s2.kind !== 'leaf') return 0;
    const entry = Math.floor((frame - page.va) / levelFrames(page.regime.context.tg, page.level));
    return s2.va + page.frame + Math.floor((page.offset + entry - page.firstIndex) / 512) - s2.target;
  }

  /** IPA frame that a nested stage-1 leaf was read at, or -1 when stage 2 lets the SMMU write there. */
  readOnlyDescriptor(leaf: LeafFact): number {
    const from = leaf.premises[0];
    if (from === undefined || from.kind !== 'table' || from.page === null || from.page.writable) return -1;
    return this.#ipaOfEntry(from.page, leaf.va);
  }

  regimeOf(key: string): Regime | undefined {
    return this.#tables.regimes.find((r) => r.key === key);
  }
}

/** Equal tags: StreamWorld, VMID, and ASID unless global (§3.3.3, §3.17.1). */
function hits(f: LeafFact | TableFact, tag: Asked): boolean {
  return f.world === tag.world && f.vmid === tag.vmid && (f.asid < 0 || f.asid === tag.asid);
}

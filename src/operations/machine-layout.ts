/**
 * Layout: the structures of a random machine sequence: a stream table with a few STEs, their CDs, stage-1 and stage-2
 * tables with a handful of entries, nested ones over an identity map of RAM. What was written is remembered. Mostly what
 * a sensible driver would write; the share of garbage comes later.
 */
import { POW2, setField, type Field } from '../spec/bits.js';
import { CD } from '../spec/cd.js';
import { BIT_AF, BIT_NG, BIT_READ_ONLY, BIT_S2AP_READ, BIT_S2AP_WRITE, BIT_UNPRIVILEGED, HI_CONTIGUOUS, HI_DBM, HI_PXN, HI_UXN } from '../spec/descriptor.js';
import type { Features } from '../spec/features.js';
import { cdTg0, cdTg1, contiguousEntries, stage1StartLevel, stage2Sl0, startEntries, type Tg } from '../spec/granule.js';
import { l1cdLow, l1High, l1stdLow } from '../spec/level1.js';
import { CONFIG_BYPASS, CONFIG_NESTED, CONFIG_S1, CONFIG_S2, OUTPUT_BITS, STE } from '../spec/ste.js';
import { newTableContext, stage1Context, stage2Context } from '../spec/tables.js';
import type { Chooser } from '../stack/chooser.js';
import type { Boot } from '../stack/machine-world.js';
import { Pool, Tree, type Emit } from './machine-trees.js';
import { drawGranule, drawInputBits, drawStage2Shape, oneIn, pick, PLACE, RAM } from './machine-worlds.js';

/** An STE or CD as it stands in memory. */
export interface Structure {
  readonly at: number;
  readonly kind: 'ste' | 'cd';
  readonly words: Uint32Array;
}

export interface Stream {
  readonly sid: number;
  readonly ste: Structure;
  /** SubstreamIDs that have a CD; empty without substreams. */
  readonly ssids: readonly number[];
  readonly trees: readonly Tree[];
  readonly ats: boolean;
}

/** A level-1 descriptor as it stands in memory, and what its low half is when it is invalid. */
export interface Level1 {
  readonly at: number;
  readonly kind: 'l1std' | 'l1cd';
  readonly valid: number;
  readonly hi: number;
  lo: number;
}

/** First frames of the pages that stage 1 maps to, and where stage 2 sends them. */
const IPA_DATA = 0x10;
const PA_DATA = 0x90000;

export class Layout {
  readonly features: Features;
  readonly boot: Boot;
  readonly pool = new Pool();
  readonly streams: Stream[] = [];
  readonly structures: Structure[] = [];
  readonly level1: Level1[] = [];
  readonly trees: Tree[] = [];
  readonly asids: readonly number[];
  readonly vmids: readonly number[];
  readonly #c: Chooser;
  readonly #emit: Emit;
  #nextCd = 0;

  constructor(chooser: Chooser, features: Features, boot: Boot, emit: Emit) {
    this.#c = chooser;
    this.features = features;
    this.boot = boot;
    this.#emit = emit;
    this.asids = [1 + chooser.index(3), pick(chooser, [5, 0xff])];
    this.vmids = features.stage2 ? [chooser.index(2), pick(chooser, [4, 5])] : [0];
    const sids = [...new Set([1, chooser.index(8), pick(chooser, [2, 5, boot.split === 0 ? 3 : 64 + chooser.index(4)])])].filter((sid) => sid < (POW2[boot.streamsLog2] as number));
    if (boot.split > 0) this.#level1(sids);
    const second = features.stage2 ? this.#stage2() : null;
    for (const sid of sids) this.#stream(sid, second);
  }

  /** L1STDs for the spans that the streams need. */
  #level1(sids: readonly number[]): void {
    for (const first of new Set(sids.map((sid) => Math.floor(sid / 64)))) {
      const at = RAM + (PLACE.streams2 + (first % 2)) * 4096;
      const span = first === 0 && oneIn(this.#c, 8) ? 3 : 7;
      this.#level1Entry('l1std', this.boot.streams + first * 8, l1stdLow(at, span), l1High(at));
    }
  }

  #level1Entry(kind: Level1['kind'], at: number, lo: number, hi: number): void {
    if (!this.level1.some((e) => e.at === at)) this.level1.push({ kind, at, valid: lo, lo, hi });
    this.#emit(at, lo, hi);
  }

  #steAt(sid: number): number {
    if (this.boot.split === 0) return this.boot.streams + sid * 64;
    return RAM + (PLACE.streams2 + (Math.floor(sid / 64) % 2)) * 4096 + (sid % 64) * 64;
  }

  /** A start-level table of its own: its frame. */
  #root(tg: Tg, inputBits: number, startLevel: number): number {
    return this.pool.take(Math.max(1, startEntries(tg, inputBits, startLevel) / 512));
  }

  #fill(words: Uint32Array, fields: Readonly<Record<string, number>>, table: Readonly<Record<string, Field>>): Uint32Array {
    for (const [name, value] of Object.entries(fields)) setField(words, table[name] as Field, value);
    return words;
  }

  /** Fields of an STE for stage 2, and its tree. */
  #stage2(): { readonly fields: Readonly<Record<string, number>>; readonly tree: Tree } {
    const c = this.#c;
    const f = this.features;
    const tg = drawGranule(c, f);
    const { inputBits, startLevel } = drawStage2Shape(c, tg, f);
    const root = this.#root(tg, inputBits, startLevel);
    const sl0 = stage2Sl0(tg, startLevel);
    const fields = {
      S2T0SZ: 64 - inputBits, S2SL0: sl0 % 4, S2SL0_2: Math.floor(sl0 / 4), S2TG: cdTg0(tg), S2PS: OUTPUT_BITS.indexOf(f.oas), S2AA64: 1, S2R: oneIn(c, 6) ? 0 : 1, S2TTB: root * 256,
      S2HA: f.httu > 0 ? c.index(2) : 0, S2HD: 0, S2AFFD: oneIn(c, 8) ? 1 : 0, S2PTW: oneIn(c, 8) ? 1 : 0,
    };
    if (f.httu > 1 && fields.S2HA === 1) fields.S2HD = c.index(2);
    const words = this.#fill(new Uint32Array(16), { V: 1, Config: CONFIG_S2, ...fields }, STE);
    const tree = new Tree(2, stage2Context(words, 0, f, newTableContext()), this.pool);
    this.trees.push(tree);
    const all = { lo: BIT_AF | BIT_S2AP_READ | BIT_S2AP_WRITE, hi: 0 };
    // RAM is mapped to itself: tables and CDs of nested streams are in it.
    tree.map(RAM / 4096, Math.max(startLevel, tg === 12 && oneIn(c, 2) ? 1 : 2), RAM / 4096, all, this.#emit);
    this.#pages(tree, IPA_DATA, PA_DATA, 3);
    return { fields, tree };
  }

  #stream(sid: number, second: { readonly fields: Readonly<Record<string, number>>; readonly tree: Tree } | null): void {
    const c = this.#c;
    const f = this.features;
    const config = pick(c, second === null ? [CONFIG_S1, CONFIG_S1, CONFIG_S1, CONFIG_BYPASS] : [CONFIG_S1, CONFIG_S1, CONFIG_S2, CONFIG_NESTED, CONFIG_NESTED, oneIn(c, 2) ? CONFIG_BYPASS : 0]);
    const ats = f.ats && config > CONFIG_BYPASS && !oneIn(c, 3);
    const eats = !ats ? 0 : config === CONFIG_NESTED && f.splitAts && oneIn(c, 2) ? 2 : 1;
    const el2 = config === CONFIG_S1 && f.hyp && oneIn(c, 3);
    const trees: Tree[] = config >= CONFIG_S2 && second !== null ? [second.tree] : [];
    const ssids: number[] = [];
    const fields: Record<string, number> = {
      V: 1, Config: config, EATS: eats, STRW: el2 ? 2 : 0, S2VMID: config === CONFIG_BYPASS ? 0 : pick(c, this.vmids), PRIVCFG: oneIn(c, 6) ? 2 + c.index(2) : 0, INSTCFG: oneIn(c, 8) ? 2 + c.index(2) : 0,
      ...(config >= CONFIG_S2 && second !== null ? second.fields : {}),
    };
    if ((config & 5) === 5) Object.assign(fields, this.#cds(config === CONFIG_NESTED, el2, ssids, trees));
    const ste: Structure = { at: this.#steAt(sid), kind: 'ste', words: this.#fill(new Uint32Array(16), fields, STE) };
    this.#store(ste);
    this.streams.push({ sid, ste, ssids, trees, ats });
  }

  /** One CD, or a table of them; returns the fields of the STE. */
  #cds(nested: boolean, el2: boolean, ssids: number[], trees: Tree[]): Record<string, number> {
    const c = this.#c;
    const f = this.features;
    if (f.ssidBits === 0 || !oneIn(c, 3)) {
      const at = RAM + PLACE.cds * 4096 + 2048 + this.#nextCd * 64;
      this.#nextCd += 1;
      this.#cd(at, nested, el2, trees);
      return { S1ContextPtr: at / 64 };
    }
    const two = f.twoLevelCds && oneIn(c, 2);
    ssids.push(0, 1 + c.index(3));
    const table = RAM + (two ? PLACE.cds2 : PLACE.cds) * 4096;
    for (const ssid of ssids) this.#cd(table + ssid * 64, nested, el2, trees);
    const max = two ? Math.min(f.ssidBits, 7) : 2;
    if (two) this.#level1Entry('l1cd', RAM + PLACE.cdTable * 4096, l1cdLow(table), l1High(table));
    return { S1ContextPtr: (two ? RAM + PLACE.cdTable * 4096 : table) / 64, S1CDMax: max, S1Fmt: two ? 1 : 0, S1DSS: c.index(4) };
  }

  #cd(at: number, nested: boolean, el2: boolean, trees: Tree[]): void {
    const c = this.#c;
    const f = this.features;
    if (this.structures.some((s) => s.at === at)) return;
    const tg = drawGranule(c, f);
    const inputBits = drawInputBits(c, tg, f);
    const upper = !el2 && oneIn(c, 3);
    const ha = f.httu > 0 && !oneIn(c, 3) ? 1 : 0;
    const fields: Record<string, number> = {
      T0SZ: 64 - inputBits, TG0: cdTg0(tg), EPD0: oneIn(c, 16) ? 1 : 0, EPD1: upper ? 0 : 1, IPS: OUTPUT_BITS.indexOf(oneIn(c, 8) ? 36 : f.oas), AFFD: oneIn(c, 8) ? 1 : 0,
      TBI0: oneIn(c, 4) ? 1 : 0, AA64: 1, HA: ha, HD: ha === 1 && f.httu > 1 ? c.index(2) : 0, R: oneIn(c, 6) ? 0 : 1, A: 1, ASET: 1, ASID: pick(c, this.asids), V: 1,
      HAD0: oneIn(c, 8) ? 1 : 0, DS: inputBits > 48 || (f.ds && oneIn(c, 2)) ? 1 : 0, TTB0: this.#root(tg, inputBits, stage1StartLevel(tg, inputBits)) * 256,
    };
    if (upper) Object.assign(fields, { T1SZ: 64 - inputBits, TG1: cdTg1(tg), TTB1: this.#root(tg, inputBits, stage1StartLevel(tg, inputBits)) * 256 });
    const words = this.#fill(new Uint32Array(16), fields, CD);
    for (const half of upper ? [0, 1] as const : [0] as const) {
      const tree = new Tree(1, stage1Context(words, 0, half, f, newTableContext()), this.pool, half === 0 ? 0 : (POW2[52] as number) - (POW2[inputBits - 12] as number));
      if (tree.context.disabled) continue;
      this.trees.push(tree);
      trees.push(tree);
      this.#pages(tree, half === 0 ? 0 : 4, nested ? IPA_DATA : pick(c, [PA_DATA, 0xa0000]), 2 + c.index(3));
    }
    this.#store({ at, kind: 'cd', words });
  }

  /** A few pages from `frame` on, and sometimes a block above them. */
  #pages(tree: Tree, frame: number, target: number, count: number): void {
    const c = this.#c;
    const unit = tree.span(3);
    const first = frame - (frame % unit);
    const run = contiguousEntries(tree.tg, 3);
    const contiguous = tree.tg === 12 && oneIn(c, 8);
    const n = contiguous ? run : Math.min(count, Math.max(1, Math.floor(tree.frames / unit)));
    const bits = this.leafBits(tree.stage);
    for (let i = 0; i < n; i += 1) {
      const own = contiguous ? { lo: bits.lo, hi: (bits.hi | HI_CONTIGUOUS) >>> 0 } : this.leafBits(tree.stage);
      tree.map(first + i * unit, 3, target + i * unit, own, this.#emit);
    }
    const level = 2;
    if (tree.context.startLevel > level || tree.frames <= 2 * tree.span(level) || oneIn(c, 3)) return;
    tree.map(tree.span(level), level, tree.stage === 1 && target === IPA_DATA ? tree.span(level) : 0x100000 + 16 * tree.span(level), this.leafBits(tree.stage), this.#emit);
  }

  /** Attribute bits of a leaf: mostly open to everybody. */
  leafBits(stage: 1 | 2): { readonly lo: number; readonly hi: number } {
    const c = this.#c;
    const af = oneIn(c, 6) ? 0 : BIT_AF;
    const dbm = this.features.httu > 1 && oneIn(c, 3) ? HI_DBM : 0;
    if (stage === 2) return { lo: af | (oneIn(c, 12) ? 0 : BIT_S2AP_READ) | (oneIn(c, 4) ? 0 : BIT_S2AP_WRITE), hi: dbm | (oneIn(c, 8) ? HI_UXN : 0) };
    return { lo: af | (oneIn(c, 4) ? 0 : BIT_NG) | (oneIn(c, 4) ? BIT_READ_ONLY : 0) | (oneIn(c, 6) ? 0 : BIT_UNPRIVILEGED), hi: dbm | (oneIn(c, 6) ? HI_UXN : 0) | (oneIn(c, 8) ? HI_PXN : 0) };
  }

  /** Every word that is not zero, the first one last. */
  #store(s: Structure): void {
    this.structures.push(s);
    for (const w of [1, 2, 3, 4, 5, 6, 7, 0]) {
      const lo = s.words[2 * w] as number;
      const hi = s.words[2 * w + 1] as number;
      if (lo !== 0 || hi !== 0) this.#emit(s.at + 8 * w, lo, hi);
    }
  }
}

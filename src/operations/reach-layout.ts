/**
 * Reach layout: the structures of a short sequence within a reach: two to four streams that share one or two CDs, tables of a few entries
 * with a second root to swap to, stage 2 over them where there is one. IPAs and PAs are the same few frames, so that whatever
 * combination of old and new structures is read, a translation ends in memory that is nobody's.
 */
import { getField, POW2, setField, type Field } from '../spec/bits.js';
import { CD } from '../spec/cd.js';
import { BIT_AF, BIT_NG, BIT_READ_ONLY, BIT_S2AP_READ, BIT_S2AP_WRITE, BIT_UNPRIVILEGED } from '../spec/descriptor.js';
import type { Features } from '../spec/features.js';
import { concatenatedTables, cdTg0, cdTg1, granuleSupported, leafAllowed, stage1StartLevel, stage2Sl0, startEntries, type Tg } from '../spec/granule.js';
import { l1High, l1stdLow } from '../spec/level1.js';
import { CONFIG_ABORT, CONFIG_BYPASS, CONFIG_NESTED, CONFIG_S1, CONFIG_S2, OUTPUT_BITS, STE } from '../spec/ste.js';
import { newTableContext, stage1Context, stage2Context } from '../spec/tables.js';
import type { Chooser } from '../stack/chooser.js';
import type { Boot } from '../stack/machine-world.js';
import type { Level1, Structure } from './machine-layout.js';
import { Pool, Tree, type Emit } from './machine-trees.js';
import { drawStage2Shape, oneIn, pick, PLACE, RAM } from './machine-worlds.js';
import { allStreams, BEHIND_RAM, directions, mayAim, type Reach } from './reach.js';

/** A CD, and the trees that its TTB0 may name; its TTB1 names `upper`. */
export interface ReachCd extends Structure {
  readonly trees: readonly Tree[];
  readonly upper: Tree | null;
  /** 64 - T0SZ as it was built: the root is as large as that. */
  readonly inputBits: number;
}

export interface ReachStream {
  readonly sid: number;
  readonly reads: boolean;
  readonly writes: boolean;
  readonly ste: Structure;
}

/** First frames of the pages that both stages map from and to. */
export const PAGES: readonly number[] = [0x90000, 0xa0000];
/** First input frames of stage 1: the second where traffic may pass untranslated. */
const INPUT = 0x10;
const OPEN_INPUT = 0x50000;

const INPUT_BITS: Readonly<Record<Tg, readonly number[]>> = { 12: [25, 30, 31, 39, 39, 48], 14: [25, 36, 47], 16: [29, 42, 48] };
const OPEN_INPUT_BITS: Readonly<Record<Tg, readonly number[]>> = { 12: [31, 34, 39, 39, 48], 14: [32, 36, 47], 16: [32, 42, 48] };

export class ReachLayout {
  readonly reach: Reach;
  readonly boot: Boot;
  /** May streams pass untranslated (bypass)? Then everything is aimed at memory. */
  readonly open: boolean;
  /** Are there pages without the access flag or without unprivileged access, and stage-2 start tables side by side? In few runs: some SMMUs know none of these, and such a run shows little else. */
  readonly odd: boolean;
  readonly pool = new Pool();
  readonly streams: ReachStream[] = [];
  readonly cds: ReachCd[] = [];
  readonly level1: Level1[] = [];
  readonly stage2: Tree[] = [];
  readonly asids: readonly number[];
  readonly vmids: readonly number[];
  readonly #c: Chooser;
  readonly #f: Features;
  readonly #emit: Emit;

  constructor(chooser: Chooser, reach: Reach, emit: Emit) {
    const c = chooser;
    this.#c = c;
    this.#f = reach.features;
    this.reach = reach;
    this.#emit = emit;
    this.open = oneIn(c, 3);
    this.odd = oneIn(c, 16);
    this.asids = [1 + c.index(3), pick(c, [5, 0xff])];
    this.vmids = this.#f.stage2 ? [c.index(2), pick(c, [4, 5])] : [0];
    const sids = this.#sids();
    this.boot = this.#boot(sids);
    if (this.boot.split > 0) this.#level1(sids);
    const second = this.#f.stage2 ? this.#second() : {};
    const cds = 1 + c.index(2);
    for (let i = 0; i < cds; i += 1) this.#cd(RAM + PLACE.cds * 4096 + 2048 + i * 64);
    for (const sid of sids) this.#stream(sid, second);
  }

  /** Two to four, one that reads among them if there is any; the others mostly write, which takes a third of the time. */
  #sids(): readonly number[] {
    const c = this.#c;
    const all = allStreams(this.reach);
    const some = [...this.reach.readers, ...this.reach.both];
    const { writers } = this.reach;
    const found = new Set([pick(c, some.length > 0 ? some : all)]);
    for (let n = 1 + c.index(3); n > 0; n -= 1) found.add(pick(c, writers.length > 0 && !oneIn(c, 3) ? writers : all));
    while (found.size < 2) found.add(all[c.index(all.length)] as number);
    return [...found];
  }

  #boot(sids: readonly number[]): Boot {
    const c = this.#c;
    const split = this.#f.twoLevelStreams && oneIn(c, 3) ? 6 : 0;
    return {
      streams: RAM + PLACE.streams * 4096, streamsLog2: split > 0 ? 8 : sids.every((sid) => sid < 32) ? 5 : 7, split, commands: RAM + PLACE.commands * 4096, commandsLog2: 4 + c.index(3), events: RAM + PLACE.events * 4096, eventsLog2: 7,
      extra: 0, e2h: false, recordUnknown: !oneIn(c, 32), recordAts: false, atsChk: false, vmw: 0, skip: [],
    };
  }

  #level1(sids: readonly number[]): void {
    for (const span of new Set(sids.map((sid) => Math.floor(sid / 64)))) {
      const table = RAM + (PLACE.streams2 + span) * 4096;
      const at = this.boot.streams + span * 8;
      const lo = l1stdLow(table, this.#spanOf(span));
      this.level1.push({ kind: 'l1std', at, valid: lo, lo, hi: l1High(table) });
      this.#emit(at, lo, l1High(table));
    }
  }

  /** Span of a level-1 descriptor: the smallest that serves every stream of the reach there, so that the others are C_BAD_STREAMID. */
  #spanOf(index: number): number {
    const most = Math.max(...allStreams(this.reach).filter((sid) => Math.floor(sid / 64) === index).map((sid) => sid % 64));
    return [1, 2, 3, 4, 5, 6, 7].find((span) => most < (POW2[span - 1] as number)) ?? 7;
  }

  #steAt(sid: number): number {
    return this.boot.split === 0 ? this.boot.streams + sid * 64 : RAM + (PLACE.streams2 + Math.floor(sid / 64)) * 4096 + (sid % 64) * 64;
  }

  #granule(): Tg {
    const all = ([12, 12, 12, 14, 16] as const).filter((tg) => granuleSupported(tg, this.#f));
    return all.length === 0 ? 12 : pick(this.#c, all);
  }

  #root(tg: Tg, inputBits: number, startLevel: number): number {
    return this.pool.take(Math.max(1, startEntries(tg, inputBits, startLevel) / 512));
  }

  /** Start tables side by side only in odd runs. */
  #shape(tg: Tg): { readonly inputBits: number; readonly startLevel: number } {
    let shape = drawStage2Shape(this.#c, tg, this.#f);
    for (let i = 0; i < 16 && !this.odd && concatenatedTables(tg, shape.inputBits, shape.startLevel) > 1; i += 1) shape = drawStage2Shape(this.#c, tg, this.#f);
    return shape;
  }

  /** Fields of every STE for stage 2, over one tree or two; the tables and CDs of nested streams are mapped to themselves. */
  #second(): Readonly<Record<string, number>> {
    const c = this.#c;
    const f = this.#f;
    const tg = this.#granule();
    const { inputBits, startLevel } = this.#shape(tg);
    const sl0 = stage2Sl0(tg, startLevel);
    const fields = {
      S2T0SZ: 64 - inputBits, S2SL0: sl0 % 4, S2SL0_2: Math.floor(sl0 / 4), S2TG: cdTg0(tg), S2PS: OUTPUT_BITS.indexOf(f.oas), S2AA64: 1, S2R: oneIn(c, 8) ? 0 : 1, S2AFFD: oneIn(c, 8) ? 1 : 0, S2PTW: oneIn(c, 12) ? 1 : 0,
    };
    const roots = Array.from({ length: oneIn(c, 4) ? 2 : 1 }, () => this.#root(tg, inputBits, startLevel) * 256);
    const all = { lo: BIT_AF | BIT_S2AP_READ | BIT_S2AP_WRITE, hi: 0 };
    for (const [i, S2TTB] of roots.entries()) {
      const words = fill(new Uint32Array(16), { V: 1, Config: CONFIG_S2, ...fields, S2TTB }, STE);
      const tree = new Tree(2, stage2Context(words, 0, f, newTableContext()), this.pool);
      const level = Math.max(startLevel, leafAllowed(tg, 1) && oneIn(c, 2) ? 1 : 2);
      tree.map(RAM / 4096, level, RAM / 4096, all, this.#emit);
      this.#own.add(tree.entries.at(-1)?.at ?? 0);
      for (const [k, first] of PAGES.entries()) this.#pages(tree, first, PAGES[(k + i + 1) % 2] as number, 2);
      if (oneIn(c, 2)) this.#block(tree, BEHIND_RAM);
      this.stage2.push(tree);
    }
    return { ...fields, S2TTB: roots[0] as number };
  }

  /** Addresses of entries that map the tables themselves: no transaction is led there, and nothing changes them. */
  readonly #own = new Set<number>();

  keeps(at: number): boolean {
    return this.#own.has(at);
  }

  #cd(at: number): void {
    const c = this.#c;
    const f = this.#f;
    const before = this.cds[0];
    const shared = before !== undefined && oneIn(c, 3);
    const tg = shared ? (before.trees[0] as Tree).tg : this.#granule();
    const inputBits = shared ? before.inputBits : pick(c, (this.open ? OPEN_INPUT_BITS : INPUT_BITS)[tg]);
    const start = stage1StartLevel(tg, inputBits);
    const upper = !this.open && this.reach.inputFrames === POW2[52] && oneIn(c, 4);
    const fields: Record<string, number> = {
      T0SZ: 64 - inputBits, TG0: cdTg0(tg), EPD1: upper ? 0 : 1, IPS: OUTPUT_BITS.indexOf(oneIn(c, 12) ? 36 : f.oas), AFFD: oneIn(c, 12) ? 1 : 0, TBI0: oneIn(c, 8) ? 1 : 0, AA64: 1, R: oneIn(c, 12) ? 0 : 1,
      A: 1, ASET: oneIn(c, 4) ? 0 : 1, ASID: pick(c, this.asids), V: 1, HAD0: oneIn(c, 12) ? 1 : 0,
    };
    if (upper) Object.assign(fields, { T1SZ: 64 - inputBits, TG1: cdTg1(tg), TTB1: this.#root(tg, inputBits, start) * 256 });
    const words = fill(new Uint32Array(16), fields, CD);
    const trees = shared ? before.trees : Array.from({ length: oneIn(c, 2) ? 2 : 1 }, (_, i) => {
      setField(words, CD.TTB0, this.#root(tg, inputBits, start) * 256);
      return this.#tree(words, 0, i);
    });
    setField(words, CD.TTB0, (trees[shared && oneIn(c, 2) ? trees.length - 1 : 0] as Tree).context.rootFrame * 256);
    const cd: ReachCd = { at, kind: 'cd', words, trees, upper: upper ? this.#tree(words, 1, 1) : null, inputBits };
    this.cds.push(cd);
    this.#store(cd);
  }

  /** The tree of a half: a few pages, sometimes a block. `turn`: where its pages lead to. */
  #tree(words: Uint32Array, half: 0 | 1, turn: number): Tree {
    const c = this.#c;
    const context = stage1Context(words, 0, half, this.#f, newTableContext());
    const tree = new Tree(1, context, this.pool, half === 0 ? 0 : (POW2[52] as number) - (POW2[context.inputBits - 12] as number));
    const first = this.open ? OPEN_INPUT : INPUT;
    this.#pages(tree, first, PAGES[turn % 2] as number, 1 + c.index(2) + c.index(2));
    if (!oneIn(c, 3)) this.#block(tree, first);
    return tree;
  }

  #pages(tree: Tree, frame: number, target: number, count: number): void {
    const unit = tree.span(3);
    const first = frame - (frame % unit);
    for (let i = 0; i < count && first + (i + 1) * unit <= tree.frames; i += 1) tree.map(first + i * unit, 3, target + i * unit, this.#leafBits(tree.stage), this.#emit);
  }

  /** A block behind `frame`. */
  #block(tree: Tree, frame: number): void {
    const c = this.#c;
    const level = leafAllowed(tree.tg, 1) && tree.context.startLevel <= 1 && oneIn(c, 4) ? 1 : 2;
    const span = tree.span(level);
    const at = tree.stage === 2 ? frame : (Math.floor(frame / span) + 1) * span;
    if (tree.context.startLevel > level || at + span > tree.frames || at % span !== 0 || !mayAim(this.reach, at, this.open) || !mayAim(this.reach, at + span - 1, this.open)) return;
    const targets = this.targets(tree, level);
    if (targets.length > 0) tree.map(at, level, pick(c, targets), this.#leafBits(tree.stage), this.#emit);
  }

  /** Where a leaf at `level` may lead to: few frames that are recognised. */
  targets(tree: Tree, level: number): readonly number[] {
    const span = tree.span(level);
    if (level === 3) return PAGES.flatMap((first) => [first, first + span, first + 2 * span]);
    return [0, 1, 2, 3].map((k) => BEHIND_RAM + k * span).filter((at) => at % span === 0 && at + span <= this.reach.endFrame);
  }

  #stream(sid: number, second: Readonly<Record<string, number>>): void {
    const c = this.#c;
    const cd = pick(c, this.cds);
    const fields = { V: 1, Config: pick(c, this.configs()), S1ContextPtr: cd.at / 64, S2VMID: pick(c, this.vmids), ...second };
    const ste: Structure = { at: this.#steAt(sid), kind: 'ste', words: fill(new Uint32Array(16), fields, STE) };
    this.#store(ste);
    this.streams.push({ sid, ...directions(this.reach, sid), ste });
  }

  /** Configurations of an STE, by how often they stand there. */
  configs(): readonly number[] {
    const stage2 = this.#f.stage2 ? [CONFIG_S2, CONFIG_NESTED, CONFIG_NESTED, CONFIG_NESTED] : [CONFIG_S1, CONFIG_S1, CONFIG_S1, CONFIG_S1];
    return [CONFIG_S1, CONFIG_S1, CONFIG_S1, CONFIG_S1, ...stage2, ...(this.open ? [CONFIG_BYPASS, CONFIG_BYPASS] : []), oneIn(this.#c, 3) ? CONFIG_ABORT : CONFIG_S1];
  }

  /** The CD that an STE points to. */
  cdOf(s: ReachStream): ReachCd {
    const at = getField(s.ste.words, STE.S1ContextPtr) * 64;
    return this.cds.find((cd) => cd.at === at) ?? (this.cds[0] as ReachCd);
  }

  /** Trees that translate for a stream as its STE and CD stand now, the one that its TTB0 names first. */
  treesOf(s: ReachStream): readonly Tree[] {
    const config = getField(s.ste.words, STE.Config);
    if (config === CONFIG_S2) return this.stage2;
    const cd = this.cdOf(s);
    const root = getField(cd.words, CD.TTB0) / 256;
    const first = cd.trees.filter((tree) => tree.context.rootFrame === root);
    return [...first, ...(cd.upper === null ? [] : [cd.upper]), ...cd.trees.filter((tree) => !first.includes(tree))];
  }

  /** Attribute bits of a leaf: mostly open. */
  #leafBits(stage: 1 | 2): { readonly lo: number; readonly hi: number } {
    const c = this.#c;
    const af = this.odd && oneIn(c, 4) ? 0 : BIT_AF;
    if (stage === 2) return { lo: af | (oneIn(c, 16) ? 0 : BIT_S2AP_READ) | (oneIn(c, 8) ? 0 : BIT_S2AP_WRITE), hi: 0 };
    return { lo: af | (oneIn(c, 4) ? 0 : BIT_NG) | (oneIn(c, 6) ? BIT_READ_ONLY : 0) | (this.odd && oneIn(c, 4) ? 0 : BIT_UNPRIVILEGED), hi: 0 };
  }

  /** Every word that is not zero, the first one last. */
  #store(s: Structure): void {
    for (const w of [1, 2, 3, 4, 5, 6, 7, 0]) {
      const lo = s.words[2 * w] as number;
      const hi = s.words[2 * w + 1] as number;
      if (lo !== 0 || hi !== 0) this.#emit(s.at + 8 * w, lo, hi);
    }
  }
}

function fill(words: Uint32Array, fields: Readonly<Record<string, number>>, table: Readonly<Record<string, Field>>): Uint32Array {
  for (const [name, value] of Object.entries(fields)) setField(words, table[name] as Field, value);
  return words;
}

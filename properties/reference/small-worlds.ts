/**
 * Small worlds: random stores, structure rewrites, commands, publications and late observations on a handful of table
 * pages, two streams, three CDs and two tags, told to the incremental and to the literal machine alike. Commands are
 * aimed at facts that memory no longer says more often than not; else nearly all would remove nothing.
 */
import { LiteralMachine, type LiteralFact } from '../../test/reference/stage1/literal.js';
import {
  cdRef, cdWords, cmd, leaf, MB2, nhAsid, page, QUEUE_LOG2, QUEUE_SLOT, Rig, steRef, steWords, STREAM_SLOT, STREAMS_LOG2, SYNC, table, TABLES, ZERO,
  type SteKind, type Word,
} from '../../test/reference/stage1/rig.js';
import { stateText } from '../../test/reference/stage1/listing.js';
import { RAM_BASE } from '../../src/memory/memory.js';
import { commandError, OP, type Command } from '../../src/spec/command.js';
import { BIT_AF } from '../../src/spec/descriptor.js';
import { queueUsed } from '../../src/spec/register.js';
import type { Chooser } from '../../src/stack/chooser.js';
import { commandFeatures } from '../../src/stack/machine.js';

/** Two root pages, two level-2 pages, three level-3 pages; each may also be linked where it does not belong. */
const PAGES: readonly { readonly slot: number; readonly level: number }[] = [1, 1, 2, 2, 3, 3, 3].map((level, i) => ({ slot: TABLES + i, level }));
const NARROW_PAGES = PAGES.filter((p, i) => p.level < 3 && i !== 1);
const INDICES = [0, 1, 3];
const ROOTS = [TABLES, TABLES + 1];
const CDS = 3;
const BUSY_STREAMS = 2;
const TRANSLATING: readonly SteKind[] = [{ cd: 0 }, { cd: 1 }, { cd: 2 }];

/** What a world mostly does, in parts of 100; what is left is excursions. The narrow worlds come twice: what they look for is rare. `narrow`: one root entry, one CD, one busy stream. */
interface Mood {
  readonly anywhere: number;
  readonly atFact: number;
  readonly ste: number;
  readonly cd: number;
  readonly command: number;
  /** Many commands at once: more than eight TLBIs in one SYNC. */
  readonly burst: number;
  readonly publish: number;
  readonly observe: number;
  readonly retire: number;
  readonly narrow: boolean;
}

const MOODS: readonly Mood[] = [
  { anywhere: 14, atFact: 20, ste: 5, cd: 5, command: 22, burst: 2, publish: 15, observe: 13, retire: 2, narrow: false },
  { anywhere: 14, atFact: 24, ste: 0, cd: 0, command: 20, burst: 6, publish: 17, observe: 16, retire: 0, narrow: false },
  { anywhere: 8, atFact: 16, ste: 16, cd: 6, command: 21, burst: 1, publish: 15, observe: 12, retire: 4, narrow: false },
  { anywhere: 4, atFact: 10, ste: 22, cd: 18, command: 17, burst: 1, publish: 13, observe: 10, retire: 2, narrow: false },
  { anywhere: 34, atFact: 4, ste: 22, cd: 0, command: 8, burst: 0, publish: 9, observe: 4, retire: 17, narrow: true },
  { anywhere: 36, atFact: 4, ste: 22, cd: 0, command: 5, burst: 0, publish: 9, observe: 4, retire: 18, narrow: true },
];

/** Every frame at which an entry of a used index can begin. */
export const GRID: readonly number[] = INDICES.flatMap((i) => INDICES.flatMap((j) => INDICES.map((k) => i * 512 * MB2 + j * MB2 + k)));

export class SmallWorld {
  readonly rig = new Rig();
  readonly literal: LiteralMachine;
  /** Things taken back by the journal and found as they were. */
  excursions = 0;
  readonly #c: Chooser;
  readonly #mood: Mood;
  /** Commands published and seen consumed since the beginning, without wrap. */
  #published = 0;
  #consumed = 0;
  /** False on an excursion: the literal machine does not hear of it. */
  #mirrored = true;

  constructor(chooser: Chooser, recording: boolean) {
    this.#c = chooser;
    this.#mood = MOODS[chooser.index(MOODS.length)] as Mood;
    this.literal = new LiteralMachine(this.rig.memory, this.rig.machine.config, QUEUE_SLOT, QUEUE_LOG2);
    this.rig.changed = (ref) => { if (this.#mirrored) this.literal.stored(ref); };
    for (let n = 0; n < CDS; n += 1) this.#writeCd(n, this.#anyCd());
    for (let sid = 0; sid < (this.#mood.narrow ? 1 : BUSY_STREAMS); sid += 1) this.#writeSte(sid, this.#chance(80) ? this.#translating() : 'abort');
    for (let i = 0; i < 14; i += 1) this.#storeAnywhere();
    this.rig.memory.journal.recording = recording;
    this.rig.enable();
    this.literal.enable(STREAM_SLOT, STREAMS_LOG2);
  }

  /** One random step; true when facts may have gone (a SYNC completed). */
  step(): boolean {
    const before = this.literal.syncs;
    const m = this.#mood;
    let d = this.#c.index(100);
    const falls = (weight: number): boolean => (d -= weight) < 0;
    if (falls(m.anywhere)) this.#storeAnywhere();
    else if (falls(m.atFact)) this.#storeAtFact();
    else if (falls(m.ste)) this.#rewriteSte();
    else if (falls(m.cd)) this.#rewriteCd();
    else if (falls(m.command)) this.#append(this.#command());
    else if (falls(m.burst)) this.#burst();
    else if (falls(m.publish)) this.#publish();
    else if (falls(m.observe)) this.#observe();
    else if (falls(m.retire)) this.#retire();
    else if (this.rig.memory.journal.recording && this.#mirrored) this.#excursion();
    return this.literal.syncs !== before;
  }

  /** What the journal took back, when it did not come back as it was. */
  lost: string | null = null;

  /** A few steps that are taken back: the incremental machine must stand as before and go on as before. */
  #excursion(): void {
    const { machine, memory } = this.rig;
    const before = stateText(machine, BUSY_STREAMS);
    const saved = { published: this.#published, consumed: this.#consumed, prod: this.rig.prod, rigPublished: this.rig.published, cons: this.rig.cons };
    const mark = memory.journal.mark();
    this.#mirrored = false;
    const steps = 1 + this.#c.index(8);
    for (let i = 0; i < steps; i += 1) this.step();
    if (this.#chance(50)) this.#publish(100);
    if (this.#chance(50)) this.#observeUpTo(this.#published);
    memory.journal.undo(mark);
    this.#mirrored = true;
    this.#published = saved.published;
    this.#consumed = saved.consumed;
    this.rig.prod = saved.prod;
    this.rig.published = saved.rigPublished;
    this.rig.cons = saved.cons;
    const after = stateText(machine, BUSY_STREAMS);
    if (after !== before) this.lost ??= `before:\n${before}\nafter:\n${after}`;
    this.excursions += 1;
  }

  #storeAnywhere(): void {
    const { slot, level } = this.#pick(this.#mood.narrow ? NARROW_PAGES : PAGES);
    this.rig.put(slot, this.#index(), this.#word(level));
  }

  /** Stores to a word that some fact was read from: clears it, changes it, or puts back what the fact says. */
  #storeAtFact(): void {
    const fact = this.#someFact();
    const word = fact?.own[0];
    if (fact === undefined || word === undefined) return this.#storeAnywhere();
    const what = this.#standing(fact) ? this.#pick(['clear', 'clear', 'change'] as const) : this.#pick(['restore', 'restore', 'clear', 'change'] as const);
    const next = what === 'clear' ? ZERO : what === 'restore' ? word : this.#word(fact.level);
    this.rig.store(word.ref, next.lo, next.hi);
  }

  #standing(fact: LiteralFact): boolean {
    return fact.own.every((w) => this.rig.memory.lo[w.ref] === w.lo && this.rig.memory.hi[w.ref] === w.hi);
  }

  /** A word as it may stand in a page of `level`; now and then one of another level. */
  #word(usual: number): Word {
    if (this.#mood.narrow) return this.#pick(usual === 1 ? [ZERO, ...NARROW_PAGES.filter((p) => p.level === 2).map((p) => table(p.slot))] : [ZERO, leaf(MB2, 2), leaf(2 * MB2, 2)]);
    const level = this.#chance(94) ? usual : 1 + this.#c.index(3);
    const d = this.#c.index(100);
    if (d < 18) return ZERO;
    if (level < 3 && d < 72) {
      const below = PAGES.filter((p) => p.level === level + 1);
      return table(this.#chance(90) ? this.#pick(below).slot : this.#pick(PAGES).slot);
    }
    const output = this.#pick([0x10, 0x11, 0x200000]) * 512 ** (3 - level) % 2 ** 32;
    const word = leaf(output, level);
    if (d < 92) return word;
    if (d < 94) return { lo: (word.lo & ~BIT_AF) >>> 0, hi: word.hi };
    if (d < 96) return { lo: (word.lo & ~1) >>> 0, hi: word.hi };
    return d < 98 ? page(RAM_BASE + this.#pick(PAGES).slot) : table(1000);
  }

  /** Puts back what a cached STE or CD says and memory no longer says. */
  #restoreEntry(kind: 'ste' | 'cd'): boolean {
    const stale = [...this.literal.facts.values()].filter((f) => f.kind === kind && !this.#standing(f));
    if (stale.length === 0) return false;
    for (const w of this.#pick(stale).own) this.rig.store(w.ref, w.lo, w.hi);
    return true;
  }

  #anyCd(): Uint32Array {
    const narrow = this.#mood.narrow;
    return cdWords(narrow ? 1 : 1 + this.#c.index(2), narrow ? TABLES : this.#pick(ROOTS), { v: this.#chance(90) ? 1 : 0, ips: this.#chance(85) ? 4 : 0 });
  }

  #rewriteCd(): void {
    if (this.#chance(40) && this.#restoreEntry('cd')) return;
    const n = this.#mood.narrow ? 0 : this.#c.index(CDS);
    const words = this.#anyCd();
    if (this.#chance(70)) return this.#writeCd(n, words);
    const i = this.#c.index(2); // half an update: the table base without the tag, or the tag without the base
    this.rig.store(cdRef(n) + i, words[i * 2] as number, words[i * 2 + 1] as number);
  }

  #writeCd(n: number, words: Uint32Array): void {
    this.rig.structure(cdRef(n), words);
  }

  /** A stream leaves: STE, CFGI and a SYNC seen to complete. Its regime may lose its last support. */
  #retire(): void {
    const sid = this.#mood.narrow ? 0 : this.#c.index(BUSY_STREAMS);
    this.#writeSte(sid, this.#pick<SteKind>(['invalid', 'abort', 'bypass']));
    this.#append(cmd({ op: OP.CFGI_STE, sid, leaf: 1 }));
    this.#publish(100);
    this.#observeUpTo(this.#published);
  }

  #rewriteSte(): void {
    if (this.#chance(40) && this.#restoreEntry('ste')) return;
    const sid = this.#mood.narrow ? 0 : this.#c.index(BUSY_STREAMS);
    if (this.#chance(15)) return this.rig.store(steRef(sid) + 1, 0, this.#c.index(2) * 2 ** 19); // MEV: means nothing here
    this.#writeSte(sid, this.#chance(60) ? this.#translating() : this.#pick<SteKind>(['invalid', 'abort', 'bypass']));
  }

  #translating(): SteKind {
    return this.#mood.narrow ? { cd: 0 } : this.#pick(TRANSLATING);
  }

  #index(): number {
    return this.#mood.narrow ? 0 : this.#pick(INDICES);
  }

  #writeSte(sid: number, kind: SteKind): void {
    const words = steWords(kind);
    this.rig.store(steRef(sid), words[0] as number, words[1] as number);
  }

  #append(command: Command): void {
    if (this.rig.room < 3) {
      this.#publish(100);
      this.#observeUpTo(this.#published);
    }
    this.rig.append(command);
  }

  #burst(): void {
    const count = 8 + this.#c.index(8);
    for (let i = 0; i < count; i += 1) this.#append(this.#chance(85) ? this.#byAddress(OP.TLBI_NH_VA, 1 + this.#c.index(2), this.#someFact()) : this.#command());
  }

  /** Publishes what was appended, after a SYNC more often than not. */
  #publish(syncPercent = 70): void {
    if (this.rig.room > 0 && this.#chance(syncPercent)) this.rig.append(SYNC);
    const fresh = queueUsed(this.rig.prod, this.rig.published, QUEUE_LOG2);
    if (fresh === 0) return;
    this.rig.publish();
    this.#published += fresh;
    if (this.#mirrored) this.literal.publish(fresh);
  }

  #observe(): void {
    this.#observeUpTo(this.#chance(50) ? this.#published : this.#consumed + this.#c.index(this.#published - this.#consumed + 1));
  }

  #observeUpTo(position: number): void {
    this.#consumed = position;
    this.rig.observe(position % 2 ** (QUEUE_LOG2 + 1));
    if (this.#mirrored) this.literal.observe(position);
  }

  /** A leaf or table fact; one that memory no longer says more often than not. */
  #someFact(): LiteralFact | undefined {
    const all = [...this.literal.facts.values()].filter((f) => f.kind === 'leaf' || f.kind === 'table');
    const stale = all.filter((f) => !this.#standing(f));
    const from = stale.length > 0 && this.#chance(60) ? stale : all;
    return from.length === 0 ? undefined : this.#pick(from);
  }

  #command(): Command {
    const d = this.#c.index(100);
    const fact = this.#someFact();
    const asid = fact !== undefined && this.#chance(90) ? (fact.regime?.asid ?? 1) : 1 + this.#c.index(3);
    const sid = this.#mood.narrow ? 0 : this.#c.index(BUSY_STREAMS + 1);
    const leafOnly = this.#c.index(2);
    if (d < 32) return this.#byAddress(OP.TLBI_NH_VA, asid, fact);
    if (d < 40) return this.#byAddress(OP.TLBI_NH_VAA, 0, fact);
    if (d < 52) return nhAsid(asid);
    if (d < 57) return cmd({ op: OP.TLBI_NH_ALL });
    if (d < 61) return cmd({ op: OP.TLBI_NSNH_ALL });
    if (d < 73) return cmd({ op: OP.CFGI_STE, sid, leaf: leafOnly });
    if (d < 85) return cmd({ op: OP.CFGI_CD, sid, leaf: leafOnly, ssid: this.#chance(90) ? 0 : 1 });
    if (d < 90) return cmd({ op: OP.CFGI_CD_ALL, sid });
    if (d < 95) return cmd({ op: OP.CFGI_STE_RANGE, sid, range: this.#pick([0, 1, 31]) });
    if (d < 99) return SYNC;
    return cmd({ op: OP.PREFETCH_CONFIG, sid });
  }

  /** One address or a range, with and without level hint, around a fact. */
  #byAddress(op: number, asid: number, fact: LiteralFact | undefined): Command {
    const features = commandFeatures(this.rig.machine.config);
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const frames = fact?.frames ?? 1;
      const inside = this.#pick([0, 0, frames - 1, this.#c.index(frames)]);
      const at = fact === undefined || this.#chance(8) ? this.#pick(GRID) : fact.va + inside;
      const leafOnly = this.#c.index(2);
      if (this.#chance(50)) return cmd({ op, asid, frame: at, leaf: leafOnly });
      const tg = this.#chance(93) ? 1 : 2;
      const scale = this.#pick([0, 0, 1, 2, 9, 18]);
      const frame = Math.max(0, this.#chance(70) ? at : at - this.#c.index(3) * 2 ** scale);
      const command = cmd({ op, asid, frame, leaf: leafOnly, tg, ttl: this.#c.index(4), num: this.#c.index(4), scale });
      if (commandError(command, features) === undefined) return command;
    }
    return nhAsid(asid);
  }

  #chance(percent: number): boolean {
    return this.#c.index(100) < percent;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#c.index(from.length)] as T;
  }
}

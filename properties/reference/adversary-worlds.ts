/**
 * Adversary worlds: small random worlds of the whole machine, in which one reference and several adversaries hear the same stores, commands and observations. Two busy streams,
 * two table pages for each level and stage, two CD pages, few tags. Commands are aimed at what the reference lists, most of all at what memory no longer says.
 */
import { Journal } from '../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../src/memory/memory.js';
import { ReferenceMachine } from '../../src/reference/machine/machine.js';
import { stands, type LeafFact, type TableFact } from '../../src/reference/machine/facts.js';
import { setField, type Field } from '../../src/spec/bits.js';
import { CD } from '../../src/spec/cd.js';
import { commandVerdict, encodeCommand, newCommand, OP, type Command } from '../../src/spec/command.js';
import { cdTg0, levelFrames, stage1StartLevel, stage2Sl0 } from '../../src/spec/granule.js';
import { l1cdLow, l1stdLow } from '../../src/spec/level1.js';
import { CR0_CMDQEN, CR0_SMMUEN, CR2_E2H, cr0Vmw, queueBase, queueNext, REG, strtabLinear, strtabTwoLevel } from '../../src/spec/register.js';
import { STE } from '../../src/spec/ste.js';
import type { Chooser } from '../../src/stack/chooser.js';
import { Adversary, type Setup, type Temper } from './adversary.js';
import { FEATURES, leafLow, low, type Shape } from './adversary-shape.js';

const QUEUE_LOG2 = 5;
const AT = { queue: 0, level1: 1, stes: [2, 3], cds: [4, 5], level1cds: 6, tables: 16 } as const;
const MOST_FACTS = 250;

interface Page {
  readonly frame: number;
  readonly stage: 1 | 2;
  readonly level: number;
}

export class AdversaryWorld {
  readonly memory: Memory;
  readonly reference: ReferenceMachine;
  readonly setup: Setup;
  readonly adversaries: Adversary[];
  readonly shape: Shape;
  /** Frame to indices of words ever stored. */
  readonly used = new Map<number, number[]>();
  /** Commands published since the last SYNC that must do something; and those that the last completed SYNCs covered. */
  covered: Command[] = [];
  syncs = 0;
  readonly log: string[] = [];
  readonly #pages: Page[] = [];
  readonly #c: Chooser;
  readonly #unit: number;
  #staged: Command[] = [];
  #batches: Command[][] = [[]];
  #prod = 0;
  /** Positions (PROD) behind published SYNCs that software has not seen complete. */
  #syncEnds: number[] = [];

  constructor(chooser: Chooser, shape: Shape, minds: readonly (readonly [Chooser, Temper])[]) {
    this.#c = chooser;
    this.shape = shape;
    this.#unit = 2 ** (shape.tg - 12);
    const start = stage1StartLevel(shape.tg, shape.bits);
    let frame = RAM_BASE + Math.max(AT.tables, this.#unit * 2);
    for (const stage of [1, 2] as const) {
      for (let level = start; level <= 3; level += 1) for (let i = 0; i < 2; i += 1, frame += this.#unit) this.#pages.push({ frame, stage, level });
    }
    this.memory = new Memory(new Journal(), 256);
    this.reference = new ReferenceMachine(this.memory, { features: FEATURES, tlbEntries: 64, mergeRuns: true, strictReserved: true });
    const log2 = shape.split === 0 ? 2 : 7;
    this.setup = {
      features: FEATURES, settings: { vmw: shape.vmw, e2h: shape.e2h, ds: false }, streams: (RAM_BASE + (shape.split === 0 ? AT.stes[0] : AT.level1)) * 4096, streamsLog2: log2, split: shape.split,
    };
    this.adversaries = minds.map((m) => new Adversary(this.memory, this.setup, this.used, m));
    if (shape.bare !== true) {
      this.#fillStage2();
      this.#fillStage1();
    }
    this.#enable(log2);
    if (shape.ats) this.endpoint(0, true);
  }

  #enable(log2: number): void {
    const r = this.reference;
    r.writeRegister(REG.CR2, this.shape.e2h ? CR2_E2H : 0);
    r.writeRegister(REG.STRTAB_BASE, this.setup.streams);
    r.writeRegister(REG.STRTAB_BASE_CFG, this.shape.split === 0 ? strtabLinear(log2) : strtabTwoLevel(log2, this.shape.split));
    r.writeRegister(REG.CMDQ_BASE, queueBase((RAM_BASE + AT.queue) * 4096, QUEUE_LOG2));
    if (this.shape.bare !== true) for (const i of [0, 1, 2, 3]) if (i < 2 || !this.shape.twoLevelCds) this.#structure(RAM_BASE + AT.cds[0], 8 * i, this.cdOf());
    if (this.shape.bare !== true) {
      if (this.shape.split > 0) this.rewriteLevel1();
      if (this.shape.twoLevelCds) this.rewriteLevel1Cd();
      for (const sid of [0, 1]) this.rewriteSte(sid);
    }
    r.writeRegister(REG.CR0, CR0_CMDQEN + CR0_SMMUEN + cr0Vmw(this.shape.vmw));
  }

  store(frame: number, index: number, lo: number, hi: number): void {
    const slot = this.memory.slotOf(frame);
    const known = this.used.get(frame);
    if (known === undefined) this.used.set(frame, [index]);
    else if (!known.includes(index)) known.push(index);
    this.memory.commit(slot * 512 + index, lo >>> 0, hi >>> 0);
    this.log.push(`store slot ${slot} [${index}] ${hi.toString(16)}:${(lo >>> 0).toString(16)}`);
  }

  /** One random step. True when SYNCs were seen complete. */
  step(): boolean {
    const before = this.syncs;
    const crowded = this.reference.tables.translations.length > MOST_FACTS;
    const d = this.#c.index(100);
    if (crowded || d < 1) this.flush();
    else if (d < 22) this.storeWord();
    else if (d < 40) this.storeAtFact();
    else if (d < 46) this.rewriteSte(this.#c.index(2));
    else if (d < 52) this.rewriteCd();
    else if (d < 55) this.storeTorn();
    else if (d < 58) this.#rewriteOther();
    else if (d < 80) this.stage(this.command());
    else if (d < 90) this.publish(this.#chance(75));
    else this.observe(this.#chance(60) ? this.#syncEnds.length : this.#c.index(this.#syncEnds.length + 1));
    return this.syncs !== before;
  }

  /** Frames of RAM up to the end of the stage-1 tables. */
  get #stage1End(): number { return Math.max(...this.#pages.filter((p) => p.stage === 1).map((p) => p.frame)) - RAM_BASE + this.#unit; }

  #rewriteOther(): void {
    const d = this.#c.index(3);
    if (d === 0 && this.shape.split > 0) this.rewriteLevel1();
    else if (d === 1 && this.shape.twoLevelCds) this.rewriteLevel1Cd();
    else if (this.shape.ats) this.endpoint(this.#c.index(2), this.#chance(80));
    else this.storeWord();
  }

  /** Software starts afresh now and then, so that worlds stay small. */
  flush(): void {
    const all = [{ op: OP.TLBI_NSNH_ALL }, { op: OP.TLBI_EL2_ALL }, { op: OP.CFGI_STE_RANGE, range: 31 }, { op: OP.TLBI_NSNH_ALL }, { op: OP.TLBI_EL2_ALL }];
    for (let i = 0; i < 2; i += 1) {
      for (const c of all) this.stage({ ...newCommand(), ...c });
      if (this.shape.ats) for (const sid of [0, 1]) this.stage({ ...newCommand(), op: OP.ATC_INV, sid, size: 52 });
      this.publish(true);
      this.observe(this.#syncEnds.length);
    }
  }

  stage(c: Command): void { this.#staged.push(c); }

  /** Writes the staged commands to the queue and moves PROD; with a SYNC behind them. */
  publish(sync: boolean): void {
    const fresh = sync ? [...this.#staged, { ...newCommand(), op: OP.SYNC }] : this.#staged;
    if (this.#syncEnds.length > 2 || fresh.length + (this.#batches.at(-1) as Command[]).length > 20) this.observe(this.#syncEnds.length);
    this.#staged = [];
    const raw = new Uint32Array(4);
    const effective: Command[] = [];
    for (const c of fresh) {
      encodeCommand(c, raw);
      const verdict = commandVerdict(c, raw, 0, FEATURES).verdict;
      if (verdict === 'illegal' || verdict === 'reserved') continue;
      const slot = AT.queue;
      const at = slot * 512 + (this.#prod % 2 ** QUEUE_LOG2) * 2;
      this.memory.commit(at, raw[0] as number, raw[1] as number);
      this.memory.commit(at + 1, raw[2] as number, raw[3] as number);
      this.#prod = queueNext(this.#prod, QUEUE_LOG2);
      if (c.op === OP.SYNC) {
        this.#syncEnds.push(this.#prod);
        this.#batches.push([]);
      } else if (verdict === 'legal') (this.#batches.at(-1) as Command[]).push(c);
      if (c.op === OP.SYNC || verdict === 'legal') effective.push(c);
    }
    this.reference.writeRegister(REG.CMDQ_PROD, this.#prod);
    for (const a of this.adversaries) a.publish(effective);
    this.log.push(`publish ${effective.map((c) => JSON.stringify(Object.fromEntries(Object.entries(c).filter(([, v]) => v !== 0)))).join(' ')}`);
  }

  /** Software sees the first `count` of the SYNCs that are under way complete. */
  observe(count: number): void {
    if (count === 0) return;
    const end = this.#syncEnds[count - 1] as number;
    this.#syncEnds.splice(0, count);
    this.covered = this.#batches.splice(0, count).flat();
    this.syncs += count;
    for (const a of this.adversaries) a.observe(this.syncs);
    this.reference.observe(0, end);
    this.log.push(`observe ${this.syncs}`);
  }

  endpoint(sid: number, on: boolean): void {
    this.reference.setEndpoint(sid, on, true);
    for (const a of this.adversaries) if (on) a.ats.add(sid); else a.ats.delete(sid);
    this.log.push(`endpoint ${sid} ${on}`);
  }

  moment(): void {
    for (const a of this.adversaries) a.moment();
  }

  /** Stage 2 maps RAM to itself, by one block or page by page with some pages elsewhere. */
  #fillStage2(): void {
    const { tg, bits } = this.shape;
    const chain = this.#pages.filter((p, i) => p.stage === 2 && i % 2 === 0);
    const asPages = this.#chance(50);
    for (const [n, p] of chain.entries()) {
      const index = Math.floor(RAM_BASE / levelFrames(tg, p.level)) % (p.level === stage1StartLevel(tg, bits) ? 2 ** 52 : 2 ** (tg - 3));
      const next = chain[n + 1];
      const block = p.level === 2 && !asPages;
      if (p.level < 3) this.store(p.frame + Math.floor(index / 512), index % 512, block ? leafLow(RAM_BASE, 2, 2) : low((next as Page).frame) + 3, 0x1);
      else if (asPages) for (let s = 0; s < Math.max(this.#stage1End, 16); s += this.#unit) this.store(p.frame + Math.floor(s / this.#unit / 512), s / this.#unit, leafLow(RAM_BASE + s, 3, 2), 0x1);
    }
  }

  /** One way down, two pages or a block at its end, and a few words anywhere. */
  #fillStage1(): void {
    const chain = this.#pages.filter((p, i) => p.stage === 1 && i % 2 === 0);
    const end = this.#chance(25) ? chain.length - 2 : chain.length - 1;
    for (const [n, p] of chain.entries()) {
      if (n < end) this.store(p.frame, 0, low((chain[n + 1] as Page).frame) + 3, 0x1);
      else if (n === end) for (const i of [0, 1]) this.store(p.frame, i, leafLow(RAM_BASE + i * (p.level === 3 ? this.#unit : 0), p.level, 1), 0x1);
    }
    const extra = this.#c.index(6);
    for (let i = 0; i < extra; i += 1) this.storeWord();
  }

  storeWord(): void {
    const p = this.#pick(this.#pages.filter((q) => q.stage === 1 ? this.shape.kinds.some((k) => k !== 'stage2') : this.shape.kinds.some((k) => k === 'stage2' || k === 'nested')));
    const [lo, hi] = this.#word(p);
    const index = this.#index(p);
    this.store(p.frame + Math.floor(index / 512), index % 512, lo, hi);
  }

  #index(p: Page): number {
    const { tg, bits } = this.shape;
    const wide = p.level === stage1StartLevel(tg, bits);
    if (p.stage === 1) return this.#pick(wide ? [0, 0, 1] : [0, 0, 1, 3, 16]);
    if (p.level < 3) return Math.floor(RAM_BASE / levelFrames(tg, p.level)) % (wide ? 2 ** 52 : 2 ** (tg - 3)) + (this.#chance(10) ? 1 : 0);
    return this.#chance(60) ? (this.#pick(this.#pages.filter((q) => q.stage === 1)).frame - RAM_BASE) / this.#unit : this.#c.index(8);
  }

  /** A descriptor as it may stand in the page: the RAM window is at 4 GiB, so the high half says 1. */
  #word(p: Page): [number, number] {
    const d = this.#c.index(100);
    if (d < 22) return [0, 0];
    const below = this.#pages.filter((q) => q.stage === p.stage && q.level === p.level + 1);
    if (p.level < 3 && d < 80) return [low(this.#pick(below).frame) + 3, 0x1];
    const span = levelFrames(this.shape.tg, p.level);
    const target = p.level === 3 ? RAM_BASE + this.#unit * this.#c.index(p.stage === 2 ? 60 / this.#unit : 8) : RAM_BASE + span * this.#c.index(2);
    const contiguous = this.#chance(15) ? 1 << 20 : 0;
    let lo = leafLow(target, p.level, p.stage);
    if (this.#chance(12)) lo ^= 1 << 11; // stage 1: global
    if (this.#chance(10)) lo ^= 128;
    if (this.#chance(5)) lo &= ~(1 << 10);
    return [lo >>> 0, Math.floor(target / 2 ** 20) + contiguous];
  }

  /** Clears, changes or puts back the word that some fact was read from. */
  storeAtFact(): void {
    const f = this.someFact();
    if (f === null || f.ref < 0) { this.storeWord(); return; }
    const frame = RAM_BASE + Math.floor(f.ref / 512);
    const page = this.#pages.find((p) => frame >= p.frame && frame < p.frame + this.#unit);
    const back = !stands(f) && this.#chance(50);
    const [lo, hi] = back ? [f.lo, f.hi] : this.#chance(60) || page === undefined ? [0, 0] : this.#word(page);
    this.store(frame, f.ref % 512, lo, hi);
  }

  /** A translation fact of the reference: one that memory no longer says more often than not. */
  someFact(): TableFact | LeafFact | null {
    const all = this.reference.tables.translations;
    const stale = all.filter((f) => f.ref >= 0 && !stands(f));
    const from = stale.length > 0 && this.#chance(60) ? stale : all;
    return from.length === 0 ? null : this.#pick(from);
  }

  /** Frame of a table page. */
  page(stage: 1 | 2, level: number, which = 0): number {
    return (this.#pages.filter((p) => p.stage === stage && p.level === level)[which] as Page).frame;
  }

  #words(change: readonly (readonly [Field, number])[]): Uint32Array {
    const words = new Uint32Array(16);
    for (const [f, value] of change) setField(words, f, value);
    return words;
  }

  #structure(frame: number, index: number, words: Uint32Array): void {
    const order = this.#chance(50) ? [3, 2, 1, 0] : [0, 1, 2, 3];
    for (const i of order) this.store(frame, index + i, words[2 * i] as number, words[2 * i + 1] as number);
  }

  steOf(): Uint32Array {
    const { tg, bits } = this.shape;
    if (this.#chance(15)) return this.#words(this.#chance(50) ? [] : [[STE.V, 1], [STE.Config, this.#chance(50) ? 0 : 4]]);
    const kind = this.#pick(this.shape.kinds);
    const stage2 = kind === 'stage2' || kind === 'nested';
    const max = this.shape.twoLevelCds ? 7 : this.#pick([0, 0, 1]);
    const cdPage = this.shape.twoLevelCds ? AT.level1cds : AT.cds[0];
    const roots = this.#pages.filter((p) => p.stage === 2 && p.level === stage1StartLevel(tg, bits));
    return this.#words([
      [STE.V, 1], [STE.Config, kind === 'stage2' ? 6 : kind === 'nested' ? 7 : 5], [STE.S2VMID, this.#pick(this.shape.vmids)],
      [STE.S1Fmt, this.shape.twoLevelCds ? 1 : 0], [STE.S1CDMax, kind === 'stage2' ? 0 : max], [STE.S1ContextPtr, (RAM_BASE + cdPage) * 64 + (this.shape.twoLevelCds ? 0 : 2 * this.#c.index(2))],
      [STE.S1DSS, this.#pick(kind === 'nested' ? [0, 1, 2] : [0, 2])], [STE.STRW, kind === 'el2' ? 2 : 0], [STE.EATS, this.shape.ats ? this.#pick(kind === 'nested' ? [0, 1, 2] : [0, 1]) : 0],
      ...(stage2 ? [[STE.S2T0SZ, 64 - bits], [STE.S2SL0, stage2Sl0(tg, stage1StartLevel(tg, bits))], [STE.S2TG, cdTg0(tg)], [STE.S2PS, 5], [STE.S2AA64, 1], [STE.S2TTB, this.#rarely(roots).frame * 256]] as const : []),
    ]);
  }

  /** An STE of one kind, with CD 0 of the first CD page and the first stage-2 root. */
  ste(sid: number, kind: Shape['kinds'][number] | 'abort', vmid = 1, page: number = AT.stes[0]): void {
    const { tg, bits } = this.shape;
    const stage2 = kind === 'stage2' || kind === 'nested';
    const start = stage1StartLevel(tg, bits);
    const words = kind === 'abort' ? this.#words([[STE.V, 1]]) : this.#words([
      [STE.V, 1], [STE.Config, kind === 'stage2' ? 6 : kind === 'nested' ? 7 : 5], [STE.S2VMID, vmid], [STE.S1ContextPtr, (RAM_BASE + AT.cds[0]) * 64], [STE.EATS, this.shape.ats ? 1 : 0],
      ...(stage2 ? [[STE.S2T0SZ, 64 - bits], [STE.S2SL0, stage2Sl0(tg, start)], [STE.S2TG, cdTg0(tg)], [STE.S2PS, 5], [STE.S2AA64, 1], [STE.S2TTB, this.page(2, start) * 256]] as const : []),
    ]);
    for (const i of [3, 2, 1, 0]) this.store(RAM_BASE + page, sid * 8 + i, words[2 * i] as number, words[2 * i + 1] as number);
  }

  cd(asid: number, root: number): void {
    const { tg, bits } = this.shape;
    const words = this.#words([[CD.V, 1], [CD.AA64, 1], [CD.A, 1], [CD.R, 1], [CD.T0SZ, 64 - bits], [CD.TG0, cdTg0(tg)], [CD.EPD1, 1], [CD.IPS, 5], [CD.ASID, asid], [CD.TTB0, root * 256]]);
    for (const i of [2, 1, 0]) this.store(RAM_BASE + AT.cds[0], i, words[2 * i] as number, words[2 * i + 1] as number);
  }

  /** A table descriptor to `next`, or a leaf to `output`; moments pass. */
  link(frame: number, index: number, next: number): void { this.store(frame, index, low(next) + 3, Math.floor(next / 2 ** 20)); }
  map(frame: number, index: number, output: number, [level, stage, run]: readonly [number, 1 | 2, boolean] = [3, 1, false]): void {
    this.store(frame, index, leafLow(output, level, stage), Math.floor(output / 2 ** 20) + (run ? 1 << 20 : 0));
  }

  rewriteSte(sid: number): void {
    const page = this.shape.split === 0 ? AT.stes[0] : this.#pick(AT.stes);
    this.#structure(RAM_BASE + page, sid * 8, this.steOf());
  }

  cdOf(): Uint32Array {
    const { tg, bits } = this.shape;
    const roots = this.#pages.filter((p) => p.stage === 1 && p.level === stage1StartLevel(tg, bits));
    return this.#words([
      [CD.V, this.#chance(90) ? 1 : 0], [CD.AA64, 1], [CD.A, 1], [CD.R, 1], [CD.T0SZ, 64 - bits], [CD.TG0, cdTg0(tg)], [CD.EPD1, 1], [CD.IPS, 5], [CD.ASID, 1 + this.#c.index(2)], [CD.TTB0, this.#pick(roots).frame * 256],
    ]);
  }

  rewriteCd(): void {
    this.#structure(RAM_BASE + this.#cdPage(), 8 * this.#c.index(this.shape.twoLevelCds ? 2 : 4), this.cdOf());
  }

  #cdPage(): number { return this.shape.twoLevelCds ? this.#pick(AT.cds) : AT.cds[0]; }

  /** One word of an STE or CD: half an update. */
  storeTorn(): void {
    if (this.#chance(50)) {
      const words = this.steOf();
      const word = this.#c.index(4);
      this.store(RAM_BASE + AT.stes[0], this.#c.index(2) * 8 + word, words[2 * word] as number, words[2 * word + 1] as number);
      return;
    }
    const words = this.cdOf();
    const word = this.#c.index(2);
    this.store(RAM_BASE + this.#cdPage(), 8 * this.#c.index(2) + word, words[2 * word] as number, words[2 * word + 1] as number);
  }

  rewriteLevel1(): void {
    const address = (RAM_BASE + this.#pick(AT.stes)) * 4096;
    this.store(RAM_BASE + AT.level1, 0, this.#chance(85) ? l1stdLow(address, this.#pick([2, 3])) : 0, 1);
  }

  rewriteLevel1Cd(): void {
    this.store(RAM_BASE + AT.level1cds, 0, this.#chance(85) ? l1cdLow((RAM_BASE + this.#pick(AT.cds)) * 4096) : 0, 1);
  }

  command(): Command {
    const d = this.#c.index(100);
    const f = this.someFact();
    const sid = this.#c.index(2);
    const make = (change: Partial<Command>): Command => ({ ...newCommand(), ...change });
    const vmid = f === null || this.#chance(10) ? this.#pick(this.shape.vmids) : f.vmid;
    const asid = f === null || this.#chance(10) ? 1 : Math.max(1, f.asid);
    if (f !== null && d < 45) return this.#byAddress(f, vmid, asid);
    if (d < 50) return make({ op: OP.TLBI_NH_ALL, vmid });
    if (d < 56) return f?.world === 2 ? make({ op: OP.TLBI_EL2_ASID, asid }) : make({ op: OP.TLBI_NH_ASID, vmid, asid });
    if (d < 60) return make({ op: OP.TLBI_S12_VMALL, vmid });
    if (d < 63) return make({ op: this.shape.kinds.includes('el2') && this.#chance(50) ? OP.TLBI_EL2_ALL : OP.TLBI_NSNH_ALL });
    if (d < 75) return make({ op: OP.CFGI_STE, sid, leaf: this.#c.index(2) });
    if (d < 85) return make({ op: OP.CFGI_CD, sid, ssid: this.#c.index(2), leaf: this.#c.index(2) });
    if (d < 88) return make({ op: OP.CFGI_CD_ALL, sid });
    if (d < 92 || !this.shape.ats) return make({ op: OP.CFGI_STE_RANGE, sid, range: this.#pick([0, 1, 31]) });
    const ssv = this.#c.index(2);
    return make({ op: OP.ATC_INV, sid, ssv, ssid: ssv * this.#c.index(2), global: ssv * this.#c.index(2), size: this.#pick([52, 52, 0, 4, 9]), frame: f?.va ?? 0 });
  }

  #byAddress(f: TableFact | LeafFact, vmid: number, asid: number): Command {
    const base: Partial<Command> = { leaf: this.#c.index(2), frame: f.va + this.#pick([0, 0, f.frames - 1, this.#c.index(f.frames)]) };
    const op = f.stage === 2 ? OP.TLBI_S2_IPA : f.world === 0 ? this.#pick([OP.TLBI_NH_VA, OP.TLBI_NH_VA, OP.TLBI_NH_VAA]) : this.#pick([OP.TLBI_EL2_VA, OP.TLBI_EL2_VAA]);
    const tags = { op, vmid: f.world === 0 ? vmid : 0, asid: op === OP.TLBI_NH_VA || op === OP.TLBI_EL2_VA ? asid : 0 };
    if (this.#chance(55)) return { ...newCommand(), ...base, ...tags };
    const ttl = this.#c.index(4);
    const align = levelFrames(this.shape.tg, ttl === 0 ? 3 : ttl);
    const frame = Math.floor((base.frame as number) / align) * align;
    return { ...newCommand(), ...base, ...tags, frame, tg: this.#chance(95) ? (this.shape.tg - 10) / 2 : 1, ttl, num: this.#c.index(3), scale: this.#pick([0, 0, 1, 4, 9]) };
  }

  #rarely<T>(from: readonly T[]): T { return from[this.#chance(85) ? 0 : this.#c.index(from.length)] as T; }
  #chance(percent: number): boolean { return this.#c.index(100) < percent; }
  #pick<T>(from: readonly T[]): T { return from[this.#c.index(from.length)] as T; }
}

/**
 * Reach generator: short raw sequences within a reach. Staleness shows only if somebody looks before and after, so most of a
 * sequence is groups: an access, a change, an access, the command that belongs to the change (or a wrong one, or none), a CMD_SYNC, and
 * the access again by whoever shares the structure.
 */
import { getField, POW2 } from '../spec/bits.js';
import { CD } from '../spec/cd.js';
import { decodeCommand, newCommand, OP, type Command } from '../spec/command.js';
import { BIT_VALID } from '../spec/descriptor.js';
import { CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, GBPA_ABORT, GBPA_UPDATE, REG } from '../spec/register.js';
import { CONFIG_NESTED, STE } from '../spec/ste.js';
import type { Chooser } from '../stack/chooser.js';
import type { MachineOperation } from '../stack/machine-world.js';
import { plain, randomCommand, remedyFor } from './machine-commands.js';
import type { MachineRun } from './machine-generate.js';
import type { Structure } from './machine-layout.js';
import type { Entry, Tree } from './machine-trees.js';
import { machineWorld, oneIn, pick, PLACE, RAM } from './machine-worlds.js';
import { beside, changeCd, changedWords, changeLeaf, changeSte, changeTable, damage } from './reach-changes.js';
import { ReachLayout, type ReachCd, type ReachStream } from './reach-layout.js';
import { allStreams, directions, mayAim, type Reach } from './reach.js';

/** Operations of a run within a reach at most, the layout's stores included. */
export const REACH_OPERATIONS = 72;
/** Words of STEs and CDs that may change before a CFGI of everything and its CMD_SYNC. */
const TORN_WORDS = 4;

/** Draws a whole run within a reach: the layout, boot, and seven to thirteen operations. */
export function generateReachRun(chooser: Chooser, reach: Reach, most = REACH_OPERATIONS): MachineRun {
  return new ReachGenerator(chooser, reach).run(most);
}

class ReachGenerator {
  readonly #c: Chooser;
  readonly #reach: Reach;
  readonly #operations: MachineOperation[] = [];
  readonly #layout: ReachLayout;
  /** How table entries were built, by their address. */
  readonly #links = new Map<number, { readonly lo: number; readonly hi: number }>();
  /** Where somebody looked last. */
  #hot: number;
  #torn = 0;
  #off = false;

  constructor(chooser: Chooser, reach: Reach) {
    this.#c = chooser;
    this.#reach = reach;
    this.#layout = new ReachLayout(chooser, reach, (at, lo, hi) => { this.#store(at, lo, hi); });
    this.#hot = -1;
  }

  run(most: number): MachineRun {
    const { boot, pool } = this.#layout;
    this.#add({ op: 'boot', smmu: 0, boot });
    const end = Math.min(most, this.#operations.length + 7 + this.#c.index(7));
    while (this.#operations.length < end) this.#group();
    const config = { features: this.#reach.features, tlbEntries: 64, mergeRuns: false, strictReserved: false };
    return { world: machineWorld([config], Math.max(16, pool.end)), operations: this.#operations.slice(0, most) };
  }

  #add(op: MachineOperation): void {
    this.#operations.push(op);
  }

  #store(at: number, lo: number, hi: number, held = false): void {
    this.#add({ op: 'store', at, lo: lo >>> 0, hi: hi >>> 0, held });
  }

  #command(fields: Partial<Command>): void {
    this.#add({ op: 'command', smmu: 0, queue: 0, command: plain(fields) });
  }

  #sync(): void {
    this.#add({ op: 'sync', smmu: 0, queue: 0, msi: 0 });
  }

  #group(): void {
    const roll = this.#c.index(64);
    if (roll < 5) this.#look(this.#stream());
    else if (roll < 32) this.#leaf();
    else if (roll < 37) this.#table();
    else if (roll < 46) this.#cd();
    else if (roll < 54) this.#ste();
    else if (roll < 56) this.#level1();
    else if (roll < 61) this.#any();
    else if (roll < 62) this.#control();
    else this.#garbage();
  }

  #stream(): ReachStream {
    return pick(this.#c, this.#layout.streams);
  }

  /** One access, mostly where the stream's trees lead somewhere. `frame`: exactly there. */
  #look(s: ReachStream, frame = this.#aim(s)): void {
    const c = this.#c;
    const { sid, reads, writes } = oneIn(c, 48) ? this.#stranger() : s;
    const at = mayAim(this.#reach, frame, this.#layout.open || this.#off) ? frame : this.#shelter();
    this.#hot = at;
    this.#add({ op: 'access', smmu: 0, sid, ssid: -1, iova: at * 4096, write: writes && (!reads || oneIn(c, 2)), privileged: false, instruction: false });
  }

  #stranger(): { readonly sid: number; readonly reads: boolean; readonly writes: boolean } {
    const sid = pick(this.#c, allStreams(this.#reach));
    return { sid, ...directions(this.#reach, sid) };
  }

  /** An input frame that is memory as well. */
  #shelter(): number {
    return pick(this.#c, [0x50000, 0x50001, 0x90000, 0xa0000].map((f) => (mayAim(this.#reach, f, true) ? f : this.#reach.firstFrame)));
  }

  #aim(s: ReachStream): number {
    const c = this.#c;
    if (this.#hot >= 0 && oneIn(c, 4)) return this.#hot;
    const trees = this.#layout.treesOf(s);
    const tree = trees.length === 0 || oneIn(c, 8) ? pick(c, [...trees, ...this.#layout.stage2]) : trees[0];
    return tree === undefined ? this.#shelter() : this.#within(tree);
  }

  /** An input frame that some entry of the tree serves, or served; rarely one beside. */
  #within(tree: Tree): number {
    const c = this.#c;
    const leaves = tree.entries.filter((e) => !e.table && !this.#layout.keeps(e.at));
    if (leaves.length === 0) return tree.base;
    return this.#inside(pick(c, leaves), oneIn(c, 12));
  }

  #inside(e: Entry, outside = false): number {
    const c = this.#c;
    const span = e.tree.span(e.level);
    const frame = e.tree.base + e.frame + (outside ? span : span > 1 && oneIn(c, 2) ? c.index(span) : 0);
    const tagged = e.tree.context.tbi && this.#reach.inputFrames === POW2[52] && oneIn(c, 6);
    return (frame + (tagged ? 0x12 * (POW2[44] as number) : 0)) % (POW2[52] as number);
  }

  /** Streams that walk a tree now. */
  #users(tree: Tree): readonly ReachStream[] {
    const users = this.#layout.streams.filter((s) => this.#layout.treesOf(s).includes(tree) || this.#nested(s) && this.#layout.stage2.includes(tree));
    return users.length === 0 ? this.#layout.streams : users;
  }

  #nested(s: ReachStream): boolean {
    return getField(s.ste.words, STE.Config) === CONFIG_NESTED;
  }

  /** Looks at `frame`, changes something, looks again, does what belongs to it, and looks again. */
  #around(users: readonly ReachStream[], frame: number, change: () => void, remedy: () => void): void {
    const c = this.#c;
    if (!oneIn(c, 5)) this.#look(pick(c, users), frame);
    change();
    if (oneIn(c, 2)) this.#look(pick(c, users), frame);
    const roll = c.index(16);
    if (roll < 14) remedy();
    if (roll < 12) this.#sync();
    if (roll > 0) this.#look(pick(c, users), frame);
  }

  #entry(table: boolean): Entry | undefined {
    const { cds, stage2 } = this.#layout;
    const s = this.#stream();
    const trees = this.#layout.treesOf(s);
    const tree = this.#nested(s) && oneIn(this.#c, 2) ? pick(this.#c, stage2) : oneIn(this.#c, 6) ? pick(this.#c, cds.flatMap((cd) => cd.trees)) : trees[0];
    const entries = tree?.entries.filter((e) => e.table === table && (!this.#layout.keeps(e.at) || oneIn(this.#c, 8))) ?? [];
    return entries.length === 0 ? undefined : pick(this.#c, entries);
  }

  #leaf(): void {
    const e = this.#entry(false);
    if (e === undefined) return;
    const change = (): void => {
      changeLeaf(this.#c, this.#layout, e);
      this.#changed(e);
    };
    this.#around(this.#users(e.tree), this.#frameOf(e), change, () => { this.#invalidate(e); });
  }

  #table(): void {
    const e = this.#entry(true);
    if (e === undefined) return;
    const link = this.#links.get(e.at) ?? { lo: e.lo, hi: e.hi };
    this.#links.set(e.at, link);
    const below = e.tree.entries.filter((x) => !x.table && !this.#layout.keeps(x.at) && x.frame >= e.frame && x.frame < e.frame + e.tree.span(e.level));
    const frame = this.#frameOf(below.length === 0 ? e : pick(this.#c, below));
    const change = (): void => {
      changeTable(this.#c, this.#layout, e, link);
      this.#changed(e);
    };
    this.#around(this.#users(e.tree), frame, change, () => { this.#invalidate(e); });
  }

  /** Where to look for the effect of an entry: of stage 2, often an input of stage 1 that leads there. */
  #frameOf(e: Entry): number {
    if (e.tree.stage === 1 || oneIn(this.#c, 4)) return this.#inside(e);
    const trees = this.#layout.streams.filter((s) => this.#nested(s)).flatMap((s) => this.#layout.treesOf(s).slice(0, 1));
    return trees.length === 0 ? this.#inside(e) : this.#within(pick(this.#c, trees));
  }

  #changed(e: Entry): void {
    const held = oneIn(this.#c, 32);
    this.#store(e.at, e.lo, e.hi, held);
    if (held) this.#add({ op: 'barrier' });
  }

  /** The command that belongs to an entry, with the tags of somebody who uses it; sometimes of nobody, or beside it. */
  #invalidate(e: Entry): void {
    const c = this.#c;
    const { asids, vmids, cds } = this.#layout;
    const owner = cds.find((cd) => cd.trees.includes(e.tree) || cd.upper === e.tree);
    const s = pick(c, this.#users(e.tree));
    const tag = { asid: oneIn(c, 8) ? pick(c, asids) : getField((owner ?? this.#layout.cdOf(s)).words, CD.ASID), vmid: oneIn(c, 12) ? pick(c, vmids) : this.#vmid(s) };
    const command = remedyFor(c, e, this.#reach.features, tag);
    if (oneIn(c, 8)) command.frame = beside(command.frame, e.tree.span(e.level));
    this.#add({ op: 'command', smmu: 0, queue: 0, command });
    if (e.tree.stage === 2 && !oneIn(c, 3)) this.#command({ op: OP.TLBI_NH_ALL, vmid: tag.vmid });
  }

  #vmid(s: ReachStream): number {
    return this.#reach.features.stage2 ? getField(s.ste.words, STE.S2VMID) : 0;
  }

  /** A CD changes; mostly the CFGI of one of its streams follows, and the TLBI of its ASID. */
  #cd(): void {
    const c = this.#c;
    const cd = this.#layout.cdOf(this.#stream());
    const users = this.#layout.streams.filter((s) => this.#layout.cdOf(s) === cd);
    const asid = getField(cd.words, CD.ASID);
    let tags = false;
    const change = (): void => {
      const before = cd.words.slice();
      tags = changeCd(c, this.#layout, cd);
      this.#rewrite(cd, before);
    };
    const remedy = (): void => {
      const s = pick(c, users);
      for (const x of oneIn(c, 3) ? [s] : users) this.#command({ op: pick(c, [OP.CFGI_CD, OP.CFGI_CD, OP.CFGI_CD_ALL, OP.CFGI_STE]), sid: x.sid, leaf: oneIn(c, 4) ? 0 : 1 });
      if (!tags || oneIn(c, 2)) return;
      if (oneIn(c, 2)) this.#sync();
      this.#command({ op: OP.TLBI_NH_ASID, asid: oneIn(c, 6) ? pick(c, this.#layout.asids) : asid, vmid: this.#vmid(s) });
    };
    this.#around(users, this.#cdFrame(cd), change, remedy);
  }

  #cdFrame(cd: ReachCd): number {
    return this.#within(pick(this.#c, cd.trees));
  }

  #ste(): void {
    const c = this.#c;
    const s = this.#stream();
    const change = (): void => {
      const before = s.ste.words.slice();
      changeSte(c, this.#layout, s);
      this.#rewrite(s.ste, before);
    };
    const remedy = (): void => {
      const wrong = oneIn(c, 8);
      const sid = wrong ? this.#stream().sid : s.sid;
      if (oneIn(c, 6)) this.#command({ op: OP.CFGI_STE_RANGE, sid: sid - (sid % 4), range: pick(c, [0, 1, 2, 5, 31]) });
      else this.#command({ op: wrong && oneIn(c, 2) ? OP.CFGI_CD : OP.CFGI_STE, sid, leaf: oneIn(c, 2) ? 1 : 0 });
    };
    this.#around([s], this.#aim(s), change, remedy);
  }

  /** The words of a structure that changed, in any order. */
  #rewrite(s: Structure, before: Uint32Array): void {
    const c = this.#c;
    const words = changedWords(s.words, before);
    if (oneIn(c, 2)) words.reverse();
    if (this.#torn + words.length > TORN_WORDS) this.#quieten();
    for (const w of words) this.#store(s.at + 8 * w, s.words[2 * w] as number, s.words[2 * w + 1] as number);
    this.#torn += words.length;
  }

  /** Nothing older of the configuration may be read afterwards. */
  #quieten(): void {
    this.#command({ op: OP.CFGI_STE_RANGE, range: 31 });
    this.#sync();
    this.#torn = 0;
  }

  #level1(): void {
    const c = this.#c;
    if (this.#layout.level1.length === 0) return;
    const e = pick(c, this.#layout.level1);
    const span = (e.at - this.#layout.boot.streams) / 8;
    const users = this.#layout.streams.filter((s) => Math.floor(s.sid / 64) === span);
    const s = pick(c, users);
    if (this.#torn + 1 > TORN_WORDS) this.#quieten();
    this.#torn += 1;
    const change = (): void => {
      e.lo = e.lo === e.valid ? 0 : e.valid;
      this.#store(e.at, e.lo, e.hi);
    };
    this.#around(users, this.#aim(s), change, () => { this.#command({ op: OP.CFGI_STE, sid: s.sid, leaf: oneIn(c, 4) ? 1 : 0 }); });
  }

  /** A command of any kind; an illegal one is mostly acknowledged. */
  #any(): void {
    const c = this.#c;
    const { asids, vmids, streams } = this.#layout;
    const entry = this.#entry(oneIn(c, 4)) ?? null;
    const drawn = randomCommand(c, this.#reach.features, { asids, vmids, sids: streams.map((s) => s.sid), ssids: [], entry });
    if ('raw' in drawn) {
      const { op, cs } = decodeCommand(Uint32Array.from(drawn.raw), 0, newCommand());
      if (op === OP.SYNC && cs === 1) return; // no messages
      this.#add({ op: 'raw', smmu: 0, queue: 0, words: drawn.raw });
      if (!oneIn(c, 8)) this.#add({ op: 'acknowledge', smmu: 0, queue: 0, fix: true });
      return;
    }
    this.#add({ op: 'command', smmu: 0, queue: 0, command: drawn.command });
    if (!oneIn(c, 4)) this.#sync();
    if (entry !== null && oneIn(c, 2)) this.#look(pick(c, this.#users(entry.tree)), this.#frameOf(entry));
  }

  /** SMMUEN or the event queue off and on, GBPA. Nothing is guarded by SMMUEN before SMMUv3.2, so STRTAB_BASE is left alone. */
  #control(): void {
    const c = this.#c;
    const on = CR0_SMMUEN | CR0_CMDQEN | CR0_EVENTQEN;
    const set = (offset: number, value: number): void => { this.#add({ op: 'register', smmu: 0, offset, value }); };
    switch (c.index(3)) {
      case 0: set(REG.GBPA, GBPA_UPDATE + (oneIn(c, 2) ? GBPA_ABORT : 0)); break;
      case 1: set(REG.CR0, on - CR0_EVENTQEN); break;
      default:
        this.#off = true;
        set(REG.CR0, on - CR0_SMMUEN);
        break;
    }
    this.#look(this.#stream());
    set(REG.CR0, on);
    this.#off = false;
    this.#look(this.#stream());
  }

  /** One bit of a descriptor flips, or a word of a table is overwritten with something that is not valid. */
  #garbage(): void {
    const c = this.#c;
    const e = this.#entry(oneIn(c, 4));
    if (e === undefined) return;
    if (oneIn(c, 6)) {
      const free = RAM + (PLACE.pool + c.index(Math.max(1, this.#layout.pool.end - PLACE.pool))) * 4096 + 8 * c.index(512);
      const lo = c.index(POW2[32] as number);
      this.#store(free, lo - (lo % 2) * BIT_VALID, c.index(POW2[32] as number));
      return;
    }
    if (e.table) this.#links.set(e.at, this.#links.get(e.at) ?? { lo: e.lo, hi: e.hi });
    damage(c, e);
    this.#changed(e);
    this.#look(pick(c, this.#users(e.tree)), this.#frameOf(e));
  }
}

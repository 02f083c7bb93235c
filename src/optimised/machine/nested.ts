/**
 * NestedWalker: stage-1 walks whose every descriptor is fetched through stage 2, and whose output goes through stage 2 (IHI 0070 §3.3.2,
 * §7.3.22). What is cached is combined: leaves lead from the VA to the PA with the span of the smaller stage, table entries hold the PA of
 * the next table (§16.2). A table that one stage-2 entry does not cover whole is not cached as combined.
 *
 * Order of faults: those of the stage-1 walk, each fetch with its stage-2 faults (CLASS TT); F_ACCESS; updates of the descriptor, which are
 * writes through stage 2 (§3.13.4); F_PERMISSION of stage 1; stage 2 of the output (CLASS IN). The dirty state of stage 1 is stored last, when
 * nothing can fail any more.
 *
 * Why it equals its slow twin: as walk.ts. An update goes to the word that was read; if stage 2 leads elsewhere by now (a stale entry
 * was used on the way), the walk starts again from the root, and every such start has lost a stale entry.
 */
import { BIT_AF, BIT_NG, BIT_READ_ONLY, INVALID, TABLE, descriptorKind } from '../../spec/descriptor.js';
import { levelShift } from '../../spec/granule.js';
import { CLASS_IN, CLASS_TT, EVENT } from '../../spec/event.js';
import { WORDS_PER_FRAME, type Memory } from '../../memory/memory.js';
import type { Context } from './context.js';
import { FAULTED, type Fault } from './fault.js';
import { Leaf, tableTarget } from './leaf.js';
import { CLEAN, isWrite, KIND_READ, KIND_WRITE, restrictions, stage1Permissions } from './permissions.js';
import { infoOf } from './span-cache.js';
import type { Stage2, WalkParts } from './stage2.js';
import { leafClass, LEAF_SHIFTS, type Tlb } from './tlb.js';
import { tableClass, type WalkCache } from './walk-cache.js';

/** The walk must start again from the root. */
const AGAIN = -2;

export class NestedWalker {
  readonly #memory: Memory;
  readonly #tlb: Tlb;
  readonly #tables: WalkCache;
  readonly #fault: Fault;
  readonly #leaf: Leaf;
  readonly #stage2: Stage2;
  /** The walk under way: IPA frame of the descriptor at hand, its level, what the tables above it restrict. */
  #ipa = 0;
  #level = 0;
  #restricted = 0;
  /** The table descriptor that led to this level and is not cached yet. */
  #pending = false;
  #lo = 0;
  #hi = 0;

  constructor(parts: WalkParts, stage2: Stage2) {
    this.#memory = parts.memory;
    this.#tlb = parts.tlb;
    this.#tables = parts.tables;
    this.#fault = parts.fault;
    this.#leaf = new Leaf(parts.memory, parts.mergeRuns);
    this.#stage2 = stage2;
  }

  /** Translates canonical `frame`: the TLB entry it now has if that grants the access, or FAULTED. */
  walk(c: Context, frame: number, kind: number): number {
    let entry = this.#descend(c, frame, kind, this.#tables.deepest(c, frame));
    while (entry === AGAIN) entry = this.#descend(c, frame, kind, -1);
    return entry;
  }

  /** `known`: walk cache entry to begin at, or -1 for the root. */
  #descend(c: Context, frame: number, kind: number, known: number): number {
    const cached = known >= 0;
    this.#level = cached ? this.#tables.levelOf(known) + 1 : c.startLevel;
    this.#restricted = cached ? this.#tables.restrictedOf(known) : 0;
    this.#pending = false;
    /** Of the table: IPA, and PA where it is known. */
    let table = cached ? this.#tables.ipa[known] as number : c.rootFrame;
    let place = cached ? this.#tables.target[known] as number : -1;
    let word = cached ? this.#indexOf(c, frame) : c.rootIndex + Math.floor((frame - c.first) * (c.per[this.#level + 1] as number));
    for (;;) {
      const into = word >>> 9;
      this.#ipa = table + into;
      const at = place >= 0 ? place + into : this.#through(c, frame, into);
      if (at < 0) return FAULTED;
      const slot = this.#memory.slotOf(at);
      if (slot < 0) return this.#fault.stage1Abort(at * 4096 + (word & 511) * 8);
      const ref = slot * WORDS_PER_FRAME + (word & 511);
      this.#lo = this.#memory.lo[ref] as number;
      this.#hi = this.#memory.hi[ref] as number;
      const what = descriptorKind(this.#lo, this.#level, c.tg, c.ds, c.wide);
      if (what === INVALID) return this.#fault.stage1(EVENT.F_TRANSLATION);
      if (what !== TABLE) {
        this.#leaf.read(ref, this.#level, c);
        return this.#end(c, frame, kind);
      }
      table = tableTarget(this.#lo, this.#hi, c);
      if (table >= c.outputFrames) return this.#fault.stage1(EVENT.F_ADDR_SIZE);
      if (!c.had) this.#restricted |= restrictions(this.#hi);
      this.#pending = true;
      this.#level += 1;
      place = -1;
      word = this.#indexOf(c, frame);
    }
  }

  #indexOf(c: Context, frame: number): number {
    return Math.floor(frame * (c.per[this.#level + 1] as number)) & c.mask;
  }

  /** PA frame of the descriptor at hand, or FAULTED. Caches the table descriptor that led to it. */
  #through(c: Context, frame: number, into: number): number {
    const entry = this.#stage2.translate(c.second as Context, this.#ipa, KIND_READ, CLASS_TT);
    if (entry < 0) return FAULTED;
    const at = this.#tlb.translate(entry, this.#ipa);
    if (!this.#pending || this.#tlb.framesOf(entry) < (c.mask + 1) / WORDS_PER_FRAME) return at;
    const level = this.#level - 1;
    const known = this.#tables.claim(c.tables, tableClass(c.tg, level), frame);
    this.#tables.describe(known, infoOf(level, c.tg, false), this.#lo, this.#hi);
    this.#tables.fill(known, at - into, this.#ipa - into, this.#restricted | c.form);
    return at;
  }

  /** Judges the leaf, has its updates stored, translates its output and caches the whole. */
  #end(c: Context, frame: number, kind: number): number {
    const leaf = this.#leaf;
    const second = c.second as Context;
    if (leaf.target >= c.outputFrames) return this.#fault.stage1(EVENT.F_ADDR_SIZE);
    if (!leaf.accessed && !c.affd) {
      if (!c.ha) return this.#fault.stage1(EVENT.F_ACCESS);
      const may = this.#mayUpdate(second);
      if (may < 0) return may;
      leaf.update(leaf.lo | BIT_AF);
    }
    let permissions = stage1Permissions(leaf.lo, leaf.hi, this.#restricted, c.rules);
    const denied = ((permissions >> kind) & 1) === 0;
    if (denied) {
      if (!isWrite(kind) || (permissions & CLEAN) === 0) return this.#fault.stage1(EVENT.F_PERMISSION);
      permissions = stage1Permissions(leaf.lo & ~BIT_READ_ONLY, leaf.hi, this.#restricted, c.rules);
      if (((permissions >> kind) & 1) === 0) return this.#fault.stage1(EVENT.F_PERMISSION);
      const may = this.#mayUpdate(second);
      if (may < 0) return may;
    }
    const delta = leaf.deltaFrom(frame, c);
    const entry = this.#stage2.translate(second, frame + delta, kind, CLASS_IN);
    if (entry < 0) return FAULTED;
    if (denied) leaf.update(leaf.lo & ~BIT_READ_ONLY);
    return this.#combine(c, frame, permissions, entry);
  }

  /** Stage 2 must let the descriptor at hand be written, and lead to the word that was read: 0, FAULTED or AGAIN. */
  #mayUpdate(second: Context): number {
    const entry = this.#stage2.translate(second, this.#ipa, KIND_WRITE, CLASS_TT);
    if (entry < 0) return FAULTED;
    const slot = this.#memory.slotOf(this.#tlb.translate(entry, this.#ipa));
    return slot === Math.floor(this.#leaf.ref / WORDS_PER_FRAME) ? 0 : AGAIN;
  }

  /** Caches VA to PA. `entry`: the stage-2 entry of the output. */
  #combine(c: Context, frame: number, permissions: number, entry: number): number {
    const leaf = this.#leaf;
    const tlb = this.#tlb;
    const delta = leaf.deltaFrom(frame, c);
    const onward = tlb.delta[entry] as number;
    const granted = tlb.permissions[entry] as number;
    leaf.measure(c);
    const own = leaf.merged ? levelFramesLog2(c, leaf.level) : leaf.shift;
    const shift = Math.min(leaf.shift, LEAF_SHIFTS[tlb.classOf(entry)] as number);
    const at = tlb.claim((leaf.lo & BIT_NG) === 0 ? c.globals : c.leaves, leafClass(shift), frame);
    tlb.describe(at, infoOf(leaf.level, c.tg, shift > own), leaf.lo, leaf.hi);
    tlb.fillBoth(at, permissions, granted);
    tlb.delta[at] = delta + onward;
    tlb.ipaDelta[at] = delta;
    return at;
  }
}

/** log2 of the frames that one descriptor spans. */
function levelFramesLog2(c: Context, level: number): number {
  return levelShift(c.tg, level) - 12;
}

/**
 * Stage2: IPA to PA, for the input of a stream without stage 1, for the output of stage 1, and for the descriptors and CDs that stage 1
 * fetches (IHI 0070 §3.3.2, §7.3.22): TLB, else a walk, all granules, concatenated roots, hardware updates. Fault order as at stage 1: range,
 * then per level F_WALK_EABT, F_TRANSLATION, F_ADDR_SIZE, then F_ACCESS, then F_PERMISSION. What faults before F_PERMISSION is not cached.
 *
 * Why it equals its slow twin: see walk.ts and span-cache.ts; a write that a cached clean leaf does not grant is walked
 * again, and the descriptor in memory decides.
 */
import { BIT_AF, BIT_S2AP_WRITE, INVALID, TABLE, descriptorKind } from '../../spec/descriptor.js';
import { CLASS_TT, EVENT } from '../../spec/event.js';
import { WORDS_PER_FRAME, type Memory } from '../../memory/memory.js';
import type { Context } from './context.js';
import { FAULTED, type Fault } from './fault.js';
import { Leaf, tableTarget } from './leaf.js';
import { CLEAN, isWrite, stage2Permissions } from './permissions.js';
import { infoOf } from './span-cache.js';
import { leafClass, type Tlb } from './tlb.js';
import { tableClass, type WalkCache } from './walk-cache.js';

/** What every walk uses. */
export interface WalkParts {
  readonly memory: Memory;
  readonly tlb: Tlb;
  readonly tables: WalkCache;
  readonly fault: Fault;
  readonly mergeRuns: boolean;
}

export class Stage2 {
  readonly #memory: Memory;
  readonly #tlb: Tlb;
  readonly #tables: WalkCache;
  readonly #fault: Fault;
  readonly #leaf: Leaf;
  /** What the translation under way is for. */
  #class = 0;

  constructor(parts: WalkParts) {
    this.#memory = parts.memory;
    this.#tlb = parts.tlb;
    this.#tables = parts.tables;
    this.#fault = parts.fault;
    this.#leaf = new Leaf(parts.memory, parts.mergeRuns);
  }

  /** Entry that translates frame `ipa` and grants the access, or FAULTED. `cls`: what it is for, a CLASS of §7.3. */
  translate(c: Context, ipa: number, kind: number, cls: number): number {
    this.#class = cls;
    if (ipa >= c.limit) return this.#refuse(EVENT.F_TRANSLATION, ipa, kind);
    const entry = this.#tlb.smallest(c.leaves, ipa);
    if (entry < 0) return this.#walk(c, ipa, kind);
    const permissions = this.#tlb.permissions[entry] as number;
    if (((permissions >> kind) & 1) !== 0) return entry;
    if (!isWrite(kind) || (permissions & CLEAN) === 0) return this.#refuse(EVENT.F_PERMISSION, ipa, kind);
    this.#tlb.evict(entry);
    return this.#walk(c, ipa, kind);
  }

  #refuse(event: number, ipa: number, kind: number): number {
    this.#fault.second(event, this.#class, ipa);
    if (this.#class === CLASS_TT) this.#fault.tableRead = isWrite(kind) ? 0 : 1;
    return FAULTED;
  }

  #walk(c: Context, ipa: number, kind: number): number {
    let level = c.startLevel;
    let table = c.rootFrame;
    let word = c.rootIndex + Math.floor(ipa * (c.per[level + 1] as number));
    const known = this.#tables.deepest(c, ipa);
    if (known >= 0) {
      level = this.#tables.levelOf(known) + 1;
      table = this.#tables.target[known] as number;
      word = Math.floor(ipa * (c.per[level + 1] as number)) & c.mask;
    }
    for (;;) {
      const slot = this.#memory.slotOf(table + (word >>> 9));
      if (slot < 0) return this.#fault.secondAbort(this.#class, table * 4096 + word * 8);
      const ref = slot * WORDS_PER_FRAME + (word & 511);
      const lo = this.#memory.lo[ref] as number;
      const hi = this.#memory.hi[ref] as number;
      const what = descriptorKind(lo, level, c.tg, c.ds, c.wide);
      if (what === INVALID) return this.#refuse(EVENT.F_TRANSLATION, ipa, kind);
      if (what !== TABLE) return this.#end(c, ref, level, ipa, kind);
      table = tableTarget(lo, hi, c);
      if (table >= c.outputFrames) return this.#refuse(EVENT.F_ADDR_SIZE, ipa, kind);
      const entry = this.#tables.claim(c.tables, tableClass(c.tg, level), ipa);
      this.#tables.describe(entry, infoOf(level, c.tg, false), lo, hi);
      this.#tables.fill(entry, table, table, c.form);
      level += 1;
      word = Math.floor(ipa * (c.per[level + 1] as number)) & c.mask;
    }
  }

  #end(c: Context, ref: number, level: number, ipa: number, kind: number): number {
    const leaf = this.#leaf;
    leaf.read(ref, level, c);
    if (leaf.target >= c.outputFrames) return this.#refuse(EVENT.F_ADDR_SIZE, ipa, kind);
    if (!leaf.accessed) {
      if (c.ha) leaf.update(leaf.lo | BIT_AF);
      else if (!c.affd) return this.#refuse(EVENT.F_ACCESS, ipa, kind);
    }
    let permissions = stage2Permissions(leaf.lo, leaf.hi, c.hd);
    if (isWrite(kind) && (permissions & CLEAN) !== 0) {
      leaf.update(leaf.lo | BIT_S2AP_WRITE);
      permissions = stage2Permissions(leaf.lo, leaf.hi, c.hd);
    }
    leaf.measure(c);
    const tlb = this.#tlb;
    const entry = tlb.claim(c.leaves, leafClass(leaf.shift), ipa);
    tlb.describe(entry, infoOf(level, c.tg, leaf.merged), leaf.lo, leaf.hi);
    tlb.fill(entry, permissions, leaf.deltaFrom(ipa, c));
    return ((permissions >> kind) & 1) !== 0 ? entry : this.#refuse(EVENT.F_PERMISSION, ipa, kind);
  }
}

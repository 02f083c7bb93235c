/**
 * Walker: stage-1 table walks over raw memory where stage 1 stands alone (IHI 0070 §3.3.2); nested.ts has the walks through stage 2.
 * Fills the walk cache with each table descriptor it follows and the TLB with the leaf it ends at.
 *
 * Fault order (§7.3.22), per level: F_WALK_EABT for a descriptor that is not there, F_TRANSLATION for an invalid one, F_ADDR_SIZE for an
 * address beyond the output size, then F_ACCESS for a leaf with AF = 0, then F_PERMISSION. What faults before
 * F_PERMISSION is not cached.
 *
 * Why it equals its slow twin (every level from memory, every field by its name): a walk begins below the root only at a table
 * that an earlier one followed with the same tag, and what the tables above restrict was kept with it; at the start level
 * the index is all of the address above it, so that roots of any size, concatenated or not, are one case.
 */
import { BIT_AF, BIT_NG, BIT_READ_ONLY, INVALID, TABLE, descriptorKind } from '../../spec/descriptor.js';
import { EVENT } from '../../spec/event.js';
import { WORDS_PER_FRAME, type Memory } from '../../memory/memory.js';
import type { InsertListener } from '../../stack/machine.js';
import type { Context } from './context.js';
import type { Fault } from './fault.js';
import { Leaf, tableTarget } from './leaf.js';
import { CLEAN, isWrite, restrictions, stage1Permissions } from './permissions.js';
import { infoOf } from './span-cache.js';
import type { WalkParts } from './stage2.js';
import { leafClass, type Tlb } from './tlb.js';
import { tableClass, type WalkCache } from './walk-cache.js';

/** Whoever hears of insertions now. */
export interface Heard {
  listener: InsertListener | null;
}

export class Walker {
  readonly #memory: Memory;
  readonly #tlb: Tlb;
  readonly #tables: WalkCache;
  readonly #fault: Fault;
  readonly #heard: Heard;
  readonly #leaf: Leaf;

  constructor(parts: WalkParts, heard: Heard) {
    this.#memory = parts.memory;
    this.#tlb = parts.tlb;
    this.#tables = parts.tables;
    this.#fault = parts.fault;
    this.#leaf = new Leaf(parts.memory, parts.mergeRuns);
    this.#heard = heard;
  }

  /** Translates canonical `frame`: the TLB entry it now has if that grants the access, or FAULTED. */
  walk(c: Context, frame: number, kind: number): number {
    let level = c.startLevel;
    let table = c.rootFrame;
    let word = c.rootIndex + Math.floor((frame - c.first) * (c.per[level + 1] as number));
    let restricted = 0;
    const known = this.#tables.deepest(c, frame);
    if (known >= 0) {
      level = this.#tables.levelOf(known) + 1;
      table = this.#tables.target[known] as number;
      word = Math.floor(frame * (c.per[level + 1] as number)) & c.mask;
      restricted = this.#tables.restrictedOf(known);
    }
    for (;;) {
      const slot = this.#memory.slotOf(table + (word >>> 9));
      if (slot < 0) return this.#fault.stage1Abort(table * 4096 + word * 8);
      const ref = slot * WORDS_PER_FRAME + (word & 511);
      const lo = this.#memory.lo[ref] as number;
      const hi = this.#memory.hi[ref] as number;
      const what = descriptorKind(lo, level, c.tg, c.ds, c.wide);
      if (what === INVALID) return this.#fault.stage1(EVENT.F_TRANSLATION);
      if (what !== TABLE) {
        this.#leaf.read(ref, level, c);
        return this.#end(c, frame, kind, restricted);
      }
      table = tableTarget(lo, hi, c);
      if (table >= c.outputFrames) return this.#fault.stage1(EVENT.F_ADDR_SIZE);
      if (!c.had) restricted |= restrictions(hi);
      const entry = this.#tables.claim(c.tables, tableClass(c.tg, level), frame);
      this.#tables.describe(entry, infoOf(level, c.tg, false), lo, hi);
      this.#tables.fill(entry, table, table, restricted | c.form);
      if (this.#heard.listener !== null) this.#tableHeard(entry);
      level += 1;
      word = Math.floor(frame * (c.per[level + 1] as number)) & c.mask;
    }
  }

  /** Judges the leaf and caches it. */
  #end(c: Context, frame: number, kind: number, restricted: number): number {
    const leaf = this.#leaf;
    if (leaf.target >= c.outputFrames) return this.#fault.stage1(EVENT.F_ADDR_SIZE);
    if (!leaf.accessed) {
      if (c.ha) leaf.update(leaf.lo | BIT_AF);
      else if (!c.affd) return this.#fault.stage1(EVENT.F_ACCESS);
    }
    let permissions = stage1Permissions(leaf.lo, leaf.hi, restricted, c.rules);
    if (((permissions >> kind) & 1) === 0 && isWrite(kind) && (permissions & CLEAN) !== 0) {
      const dirty = stage1Permissions(leaf.lo & ~BIT_READ_ONLY, leaf.hi, restricted, c.rules);
      if (((dirty >> kind) & 1) !== 0) {
        leaf.update(leaf.lo & ~BIT_READ_ONLY);
        permissions = dirty;
      }
    }
    leaf.measure(c);
    const global = c.el2 || (leaf.lo & BIT_NG) === 0;
    const entry = this.#tlb.claim(global ? c.globals : c.leaves, leafClass(leaf.shift), frame);
    this.#tlb.describe(entry, infoOf(leaf.level, c.tg, leaf.merged), leaf.lo, leaf.hi);
    this.#tlb.fill(entry, permissions, leaf.deltaFrom(frame, c));
    if (this.#heard.listener !== null) this.#leafHeard(entry);
    return ((permissions >> kind) & 1) !== 0 ? entry : this.#fault.stage1(EVENT.F_PERMISSION);
  }

  #leafHeard(entry: number): void {
    const t = this.#tlb;
    this.#heard.listener?.leafInserted(t.vmidOf(entry), t.asidOf(entry), t.startOf(entry), t.levelOf(entry), t.lo[entry] as number, t.hi[entry] as number);
  }

  #tableHeard(entry: number): void {
    const t = this.#tables;
    this.#heard.listener?.tableInserted(t.vmidOf(entry), t.asidOf(entry), t.startOf(entry), t.levelOf(entry), t.lo[entry] as number, t.hi[entry] as number);
  }
}

/**
 * Walker: stage-1 table walks over raw memory, 4 KB granule, VMSAv8-64 (IHI 0070 §3.3.2).
 * Fills the walk cache with each table descriptor it follows and the TLB with the leaf it ends at.
 *
 * Fault order (§7.3.22), per level: F_TRANSLATION for an invalid descriptor, F_ADDR_SIZE for an address beyond
 * min(IPS, OAS), then F_ACCESS for a leaf with AF = 0 (HTTU = 0). What faults so is not cached.
 *
 * Why it equals its slow twin: the address fields are the ones of spec/descriptor.ts with DS = 0 (bits [47:12]), the
 * block mask done on the low half, because no block spans more than 30 address bits.
 */
import { BIT_AF, BIT_NG, HI_CONTIGUOUS, INVALID, TABLE, descriptorKind } from '../../spec/descriptor.js';
import { EVENT } from '../../spec/event.js';
import { WORDS_PER_FRAME, type Memory } from '../../memory/memory.js';
import { Unmodelled } from '../../stack/violation.js';
import type { ConfigCache, Heard } from './config-cache.js';
import { spanNumber } from './span-cache.js';
import type { Tlb } from './tlb.js';
import type { WalkCache } from './walk-cache.js';

/** Low-half bits of a leaf's address field that count, by level (1 GB, 2 MB, 4 KB). */
const BLOCK_MASK: readonly number[] = [0, 0xc0000000, 0xffe00000, 0xfffff000];
const HIGH_FRAMES = 2 ** 20;
/** APTable [62:61]: permissions of a table for everything below it. */
const HI_AP_TABLE = 3 << 29;

export class Walker {
  readonly #memory: Memory;
  readonly #tlb: Tlb;
  readonly #tables: WalkCache;
  readonly #heard: Heard;

  constructor(memory: Memory, caches: { readonly tlb: Tlb; readonly tables: WalkCache }, heard: Heard) {
    this.#memory = memory;
    this.#tlb = caches.tlb;
    this.#tables = caches.tables;
    this.#heard = heard;
  }

  /** Translates `frame` in the context of the CD at index `cd`: the TLB entry it now has, or minus the event type. */
  walk(config: ConfigCache, cd: number, frame: number): number {
    const asid = config.asid[cd] as number;
    const outputFrames = config.outputFrames[cd] as number;
    let level = config.startLevel[cd] as number;
    let table = config.rootFrame[cd] as number;
    let offset = config.rootIndex[cd] as number;
    const known = this.#tables.deepest(asid, level, frame);
    if (known >= 0) {
      level = this.#tables.levelOf(known) + 1;
      table = this.#tables.target[known] as number;
      offset = 0;
    }
    for (;;) {
      const slot = this.#memory.slotOf(table);
      if (slot < 0) return -EVENT.F_TRANSLATION; // nothing is there: reads as zero
      const ref = slot * WORDS_PER_FRAME + offset + (spanNumber(frame, level) & 511);
      const lo = this.#memory.lo[ref] as number;
      const hi = this.#memory.hi[ref] as number;
      const kind = descriptorKind(lo, level, 12);
      if (kind === INVALID) return -EVENT.F_TRANSLATION;
      const target = targetFrame(lo, hi, kind === TABLE ? 3 : level);
      if (target >= outputFrames) return -EVENT.F_ADDR_SIZE;
      if (kind !== TABLE) {
        if ((lo & BIT_AF) === 0) return -EVENT.F_ACCESS;
        refuseLeaf(lo, hi);
        return this.#insertLeaf(this.#tlb.claim(asid, level, frame), ref, asid);
      }
      if ((hi & HI_AP_TABLE) !== 0) throw new Unmodelled('permissions in a table descriptor (APTable)');
      this.#insertTable(this.#tables.claim(asid, level, frame), ref, asid);
      table = target;
      level += 1;
      offset = 0;
    }
  }

  #insertLeaf(entry: number, ref: number, asid: number): number {
    const lo = this.#memory.lo[ref] as number;
    const hi = this.#memory.hi[ref] as number;
    const level = this.#tlb.levelOf(entry);
    this.#tlb.fill(entry, lo, hi, targetFrame(lo, hi, level));
    this.#heard.listener?.leafInserted(0, asid, this.#tlb.startOf(entry), level, lo, hi);
    return entry;
  }

  #insertTable(entry: number, ref: number, asid: number): void {
    const lo = this.#memory.lo[ref] as number;
    const hi = this.#memory.hi[ref] as number;
    this.#tables.fill(entry, lo, hi, targetFrame(lo, hi, 3));
    this.#heard.listener?.tableInserted(0, asid, this.#tables.startOf(entry), this.#tables.levelOf(entry), lo, hi);
  }
}

function refuseLeaf(lo: number, hi: number): void {
  if ((hi & HI_CONTIGUOUS) !== 0) throw new Unmodelled('the contiguous bit');
  if ((lo & BIT_NG) === 0) throw new Unmodelled('a global leaf (nG = 0)');
}

/** Address bits [47:12] of a descriptor as a frame, those below a block's size as zero; level 3 for tables. */
function targetFrame(lo: number, hi: number, level: number): number {
  return (hi & 0xffff) * HIGH_FRAMES + ((lo & (BLOCK_MASK[level] as number)) >>> 12);
}

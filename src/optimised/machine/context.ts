/**
 * Context: one translation table as walks and look-ups need it: the table itself (spec/tables.ts), the tag of what is
 * cached of it, and constants that depend on the granule only. Filled in place when a CD or STE is decoded.
 *
 * A half of the address space is given by its first frame and the frame behind its last (IHI 0070 §3.4): TTB0 serves
 * [0, 2^inputBits), TTB1 the same length up to the top. A half whose walks are off (EPDx) is as long as it can be.
 */
import { POW2 } from '../../spec/bits.js';
import { levelShift, stride, TGS, type Tg } from '../../spec/granule.js';
import type { TableContext } from '../../spec/tables.js';
import { rulesOf } from './permissions.js';
import { Tag } from './span-cache.js';

/** Frames of the whole address space, of the part below VA[55], and of that below VA[56]. */
export const SPACE_FRAMES = 2 ** 52;
export const HALF_FRAMES = 2 ** 43;
export const UNTAGGED_FRAMES = 2 ** 44;

/** By granule and level + 1: reciprocal of the frames that an entry spans. */
const PER_FRAME: readonly (readonly number[])[] = TGS.map((tg) => [-1, 0, 1, 2, 3].map((level) => 1 / (POW2[levelShift(tg, level) - 12] as number)));

export class Context implements TableContext {
  tg: Tg = 12;
  inputBits = 48;
  startLevel = 0;
  outputBits = 48;
  ds = false;
  wide = false;
  rootFrame = 0;
  rootIndex = 0;
  rootEntries = 0;
  disabled = false;
  tbi = false;
  ha = false;
  hd = false;
  affd = false;
  had = false;
  /** First frame, and the frame behind the last. */
  first = 0;
  limit = 0;
  /** Output frames below this are in range. */
  outputFrames = 0;
  /** 4K granule, addresses of 48 bits: descriptors can be taken apart with masks. */
  plain = true;
  /** Index mask of a table, and `PER_FRAME` of the granule. */
  mask = 511;
  per: readonly number[] = PER_FRAME[0] as readonly number[];
  /** Tags of cached leaves, those of one ASID and the global ones, and of cached tables. */
  readonly leaves = new Tag();
  readonly globals = new Tag();
  readonly tables = new Tag();
  /** StreamWorld EL2: no ASID, no unprivileged accesses. */
  el2 = false;
  /** What permissions depend on besides the descriptors (permissions.ts). */
  rules = 0;
  /**
   * How descriptors are read, packed above bit 4: contexts of one tag that differ here must not share cached tables, or a walk would be
   * half the one and half the other (§5.4.1 leaves that UNPREDICTABLE; this machine never does it).
   */
  form = 0;
  /** Stage 2 below this stage 1. */
  second: Context | null = null;

  /** What follows from the table fields and `el2`. `upper`: TTB1. */
  derive(upper: boolean): void {
    const frames = this.disabled ? HALF_FRAMES : POW2[this.inputBits - 12] as number;
    this.first = upper ? SPACE_FRAMES - frames : 0;
    this.limit = upper ? SPACE_FRAMES : frames;
    this.outputFrames = POW2[this.outputBits - 12] as number;
    this.rules = rulesOf(this.el2, this.hd);
    this.form = (this.outputBits << 4) | (flags(this.ds, this.wide, this.ha, this.hd) << 10) | (flags(this.affd, this.had, this.el2, false) << 14);
    this.plain = this.tg === 12 && !this.ds;
    this.mask = (POW2[stride(this.tg)] as number) - 1;
    this.per = PER_FRAME[(this.tg - 12) / 2] as readonly number[];
  }
}

function flags(a: boolean, b: boolean, c: boolean, d: boolean): number {
  return (a ? 1 : 0) | (b ? 2 : 0) | (c ? 4 : 0) | (d ? 8 : 0);
}

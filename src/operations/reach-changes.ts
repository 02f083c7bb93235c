/**
 * Reach changes: what happens to one entry of the tables, one STE or one CD of a short sequence: mostly what a driver may do, a share of it
 * damaged, and never anything that leads a transaction out of the memory that is nobody's.
 */
import { getField, POW2, setField, type Field } from '../spec/bits.js';
import { CD } from '../spec/cd.js';
import { addressHigh, addressLow, BIT_AF, BIT_NG, BIT_READ_ONLY, BIT_S2AP_READ, BIT_S2AP_WRITE, BIT_TABLE, BIT_UNPRIVILEGED, BIT_VALID, HI_CONTIGUOUS } from '../spec/descriptor.js';
import { leafAllowed, levelShift, stage1StartLevel } from '../spec/granule.js';
import { STE } from '../spec/ste.js';
import { RAM_BASE } from '../memory/memory.js';
import type { Chooser } from '../stack/chooser.js';
import type { Entry } from './machine-trees.js';
import { oneIn, pick } from './machine-worlds.js';
import type { ReachCd, ReachLayout, ReachStream } from './reach-layout.js';

/** Type and attribute bits of the low half that no address form uses. */
const LOW_ATTRIBUTES = 0xfff;
/** Bits [63:48] of the high half. */
const HIGH_ATTRIBUTES = 0xffff0000;

/** A leaf changes: valid, where it leads to, its attributes. */
export function changeLeaf(c: Chooser, layout: ReachLayout, e: Entry): void {
  const keeps = layout.keeps(e.at);
  const stage1 = e.tree.stage === 1;
  if ((e.lo & BIT_VALID) === 0) {
    if (!keeps && oneIn(c, 2)) lead(c, layout, e);
    e.lo = (e.lo | BIT_VALID) >>> 0;
    return;
  }
  const roll = c.index(24);
  if (roll < 8 || keeps && roll < 16) flip(e, BIT_VALID);
  else if (roll < 14) lead(c, layout, e);
  else if (roll < 19) flip(e, stage1 ? BIT_READ_ONLY : BIT_S2AP_WRITE);
  else if (roll < 21) flip(e, stage1 ? BIT_NG : BIT_S2AP_READ);
  else if (roll < 22) flip(e, layout.odd ? BIT_AF : BIT_VALID);
  else if (roll < 23) e.hi = (e.hi ^ HI_CONTIGUOUS) >>> 0;
  else flip(e, layout.odd && stage1 ? BIT_UNPRIVILEGED : BIT_VALID);
}

/** Another of the few frames, the attributes as they are. */
function lead(c: Chooser, layout: ReachLayout, e: Entry): void {
  const targets = layout.targets(e.tree, e.level);
  if (targets.length > 0) put(e, pick(c, targets), e.lo & LOW_ATTRIBUTES);
}

function put(e: Entry, frame: number, attributes: number): void {
  e.lo = (addressLow(frame, e.tree.context) | attributes) >>> 0;
  e.hi = ((e.hi & HIGH_ATTRIBUTES) | addressHigh(frame, e.tree.context)) >>> 0;
}

function flip(e: Entry, bits: number): void {
  e.lo = (e.lo ^ bits) >>> 0;
}

/** A table is unlinked or linked again, or a block stands in its place; rarely hierarchical attributes. `link`: what it was built as. */
export function changeTable(c: Chooser, layout: ReachLayout, e: Entry, link: { readonly lo: number; readonly hi: number }): void {
  const linked = (e.lo & (BIT_VALID | BIT_TABLE)) === (BIT_VALID | BIT_TABLE);
  if (!linked && !oneIn(c, 4)) {
    e.lo = link.lo;
    e.hi = link.hi;
    return;
  }
  if (linked && e.tree.stage === 1 && oneIn(c, 12)) {
    e.hi = (e.hi ^ (1 << (27 + c.index(4)))) >>> 0;
    return;
  }
  const targets = leafAllowed(e.tree.tg, e.level) && !coversTables(e) ? layout.targets(e.tree, e.level) : [];
  if (targets.length > 0 && oneIn(c, 2)) put(e, pick(c, targets), BIT_VALID | BIT_AF | (e.tree.stage === 1 ? BIT_NG | BIT_UNPRIVILEGED | (1 << 2) : BIT_S2AP_READ | BIT_S2AP_WRITE | 0x3c));
  else e.lo = (e.lo & ~BIT_VALID) >>> 0;
}

/** Stage 2 leads to the tables and CDs through this entry. */
function coversTables(e: Entry): boolean {
  return e.tree.stage === 2 && e.frame <= RAM_BASE && e.frame + e.tree.span(e.level) > RAM_BASE;
}

/** One bit flips that leads nowhere else: attributes, ignored and reserved bits, valid; of a page also its type. */
export function damage(c: Chooser, e: Entry): void {
  const page = !e.table && e.level === 3;
  const roll = c.index(8);
  if (roll < 2) flip(e, BIT_VALID);
  else if (roll < 3 && page) flip(e, BIT_TABLE);
  else if (roll < 5) flip(e, 1 << pick(c, [2, 3, 4, 5, 7, 8, 9, 10, 11]));
  else if (roll < 7 || page || e.table) e.hi = (e.hi ^ (1 << pick(c, [16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 31]))) >>> 0;
  else {
    const first = e.tree.context.wide ? 16 : 12;
    flip(e, 1 << (first + c.index(Math.min(31, levelShift(e.tree.tg, e.level)) - first))); // below the address of a block
  }
}

const flipField = (words: Uint32Array, f: Field): void => { setField(words, f, 1 - (getField(words, f) % 2)); };

/** One field of a CD. True: what TLBs hold under its ASID belongs to something else now. */
export function changeCd(c: Chooser, layout: ReachLayout, cd: ReachCd): boolean {
  const { words } = cd;
  const roll = c.index(16);
  if (roll < 5 && cd.trees.length > 1) {
    const now = getField(words, CD.TTB0);
    setField(words, CD.TTB0, pick(c, cd.trees.map((tree) => tree.context.rootFrame * 256).filter((root) => root !== now)));
    return true;
  }
  if (roll < 10) {
    const now = getField(words, CD.ASID);
    setField(words, CD.ASID, pick(c, layout.asids.filter((asid) => asid !== now)));
    return true;
  }
  if (roll < 12) flipField(words, CD.V);
  else if (roll < 14) setField(words, CD.T0SZ, 64 - pick(c, smallerInputs(cd)));
  else if (roll < 15) flipField(words, pick(c, [CD.R, CD.AFFD, CD.HAD0, CD.TBI0, CD.EPD0]));
  else flipField(words, oneIn(c, 2) ? CD.AFFD : pick(c, [CD.S, CD.ENDI, CD.HA, CD.AA64]));
  return roll < 14;
}

/** Input sizes that start at the same level and need no more of the root than there is. */
function smallerInputs(cd: ReachCd): readonly number[] {
  const tg = (cd.trees[0] as ReachCd['trees'][number]).tg;
  const start = stage1StartLevel(tg, cd.inputBits);
  return [cd.inputBits, ...[1, 2, 3, 5].map((less) => cd.inputBits - less).filter((bits) => bits >= 25 && stage1StartLevel(tg, bits) === start)];
}

/** One field of an STE. */
export function changeSte(c: Chooser, layout: ReachLayout, s: ReachStream): void {
  const { words } = s.ste;
  const roll = c.index(16);
  if (roll < 2 && layout.stage2.length > 0) setField(words, STE.S2VMID, pick(c, layout.vmids));
  else if (roll < 4 && layout.stage2.length > 1) setField(words, STE.S2TTB, pick(c, layout.stage2).context.rootFrame * 256);
  else if (roll < 8 && layout.cds.length > 1) setField(words, STE.S1ContextPtr, pick(c, layout.cds).at / 64);
  else if (roll < 10) flipField(words, STE.V);
  else if (roll < 15) setField(words, STE.Config, pick(c, layout.configs()));
  else if (layout.stage2.length > 0) flipField(words, pick(c, [STE.S2R, STE.S2AFFD, STE.S2PTW]));
  else flipField(words, pick(c, [STE.S1STALLD, STE.MTCFG, STE.DCP, STE.PPAR]));
}

/** Words of a structure that differ from `before`. */
export function changedWords(words: Uint32Array, before: Uint32Array): number[] {
  return [0, 1, 2, 3, 4, 5, 6, 7].filter((w) => words[2 * w] !== before[2 * w] || words[2 * w + 1] !== before[2 * w + 1]);
}

/** An input frame on the other side of a power of two: what a range that is too short leaves. */
export function beside(frame: number, by: number): number {
  return frame >= by ? frame - by : (frame + by) % (POW2[52] as number);
}

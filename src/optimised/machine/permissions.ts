/**
 * Permissions of leaves, decoded once into bits, one for each kind of access (VMSAv8-64, to which IHI 0070 §3.3.2 defers; StreamWorlds
 * of EL2 treat AP[1] as 1, §3.3.4). Dirty state is part of them: a leaf that hardware may make writable (§3.13) says CLEAN.
 */
import { BIT_S2AP_READ, BIT_S2AP_WRITE, HI_DBM, HI_PXN, HI_UXN } from '../../spec/descriptor.js';

/** Kinds of access; one more when it is privileged. The bit of a kind is 1 << kind. */
export const KIND_READ = 0;
export const KIND_WRITE = 2;
export const KIND_FETCH = 4;
const WRITES = 3 << KIND_WRITE;
/** A write is denied now, and granted once hardware has marked the page dirty. */
export const CLEAN = 64;

/** Hierarchical attributes of a table descriptor as four bits: PXNTable, UXNTable, APTable[0], APTable[1]. */
export function restrictions(hi: number): number {
  return (hi >>> 27) & 15;
}

const NO_PRIVILEGED_FETCH = 1;
const NO_FETCH = 2;
const NO_UNPRIVILEGED = 4;
const NO_WRITE = 8;

export function isWrite(kind: number): boolean {
  return (kind & 6) === KIND_WRITE;
}

export function kindOf(write: boolean, privileged: boolean, instruction: boolean): number {
  return (write ? KIND_WRITE : instruction ? KIND_FETCH : KIND_READ) + (privileged ? 1 : 0);
}

/** What stage-1 permissions depend on besides the descriptors: StreamWorld EL2, and hardware that may mark a leaf dirty. */
export function rulesOf(el2: boolean, hd: boolean): number {
  return (el2 ? 512 : 0) | (hd ? 1024 : 0);
}

/** Permissions of a stage-1 leaf by AP [1:0], DBM [2], XN [4:3], restrictions [8:5] and rules [10:9]. */
const STAGE1 = Uint8Array.from({ length: 2048 }, (_, i) => decode(i));

function decode(i: number): number {
  const restricted = i >> 5;
  const el2 = (i & 512) !== 0;
  const user = el2 || ((i & 1) !== 0 && (restricted & NO_UNPRIVILEGED) === 0);
  const users = user ? 3 : 2;
  const uxn = (i & 16) !== 0 || (restricted & NO_FETCH) !== 0;
  const pxn = el2 ? uxn : (i & 8) !== 0 || (restricted & NO_PRIVILEGED_FETCH) !== 0;
  const permissions = users | (((pxn ? 0 : 2) | (uxn || !user ? 0 : 1)) << KIND_FETCH);
  if ((restricted & NO_WRITE) !== 0) return permissions;
  if ((i & 2) === 0) return permissions | (users << KIND_WRITE);
  return (i & 1024) !== 0 && (i & 4) !== 0 ? permissions | CLEAN : permissions;
}

/** Of a stage-1 leaf. `restricted`: the restrictions of all tables above it. `rules`: `rulesOf` of its context. */
export function stage1Permissions(lo: number, hi: number, restricted: number, rules: number): number {
  return STAGE1[((lo >>> 6) & 3) | ((hi >>> 17) & 4) | ((hi >>> 18) & 24) | (restricted << 5) | rules] as number;
}

/** Of a stage-2 leaf: S2AP, and XN[54:53] both zero for instructions. */
export function stage2Permissions(lo: number, hi: number, hd: boolean): number {
  const read = (lo & BIT_S2AP_READ) !== 0;
  const permissions = (read ? 3 : 0) | (read && (hi & (HI_UXN | HI_PXN)) === 0 ? 3 << KIND_FETCH : 0);
  if ((lo & BIT_S2AP_WRITE) !== 0) return permissions | WRITES;
  return hd && (hi & HI_DBM) !== 0 ? permissions | CLEAN : permissions;
}

/** Of both stages together. */
export function bothPermissions(first: number, second: number): number {
  return (first & second & 63) | ((first | second) & CLEAN);
}

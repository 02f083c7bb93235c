/**
 * Permissions: what a leaf allows (VMSAv8-64; IHI 0070 §3.3.4, §3.13, §5.2 S2*). Stage 1: AP[2:1], UXN, PXN, and what the table
 * descriptors above it took away; stage 2: S2AP and XN[54:53]. A write through DBM is allowed where hardware dirty state is on: it must then
 * mark the descriptor, which only works while memory still holds it (§3.13.2).
 */
import {
  BIT_READ_ONLY, BIT_S2AP_READ, BIT_S2AP_WRITE, BIT_UNPRIVILEGED, HI_APTABLE_PRIVILEGED, HI_APTABLE_READ_ONLY, HI_DBM, HI_PXN, HI_PXNTABLE, HI_UXN, HI_UXNTABLE,
} from '../../spec/descriptor.js';
import { WORLD_EL2, type Transaction } from '../../stack/transaction.js';

/** What table descriptors impose on everything below them. */
export const LIMIT_WRITE = 1;
export const LIMIT_UNPRIVILEGED = 2;
export const LIMIT_UXN = 4;
export const LIMIT_PXN = 8;

/** Hierarchical attributes of a stage-1 table descriptor; `had`: CD.HADx switches them off. Stage 2 has none. */
export function tableLimits(hi: number, had: boolean): number {
  if (had) return 0;
  return ((hi & HI_APTABLE_READ_ONLY) !== 0 ? LIMIT_WRITE : 0) | ((hi & HI_APTABLE_PRIVILEGED) !== 0 ? LIMIT_UNPRIVILEGED : 0)
    | ((hi & HI_UXNTABLE) !== 0 ? LIMIT_UXN : 0) | ((hi & HI_PXNTABLE) !== 0 ? LIMIT_PXN : 0);
}

/** The parts of a leaf that decide. */
export interface Guarded {
  readonly lo: number;
  readonly hi: number;
  readonly limits: number;
  readonly world: number;
}

export type Kind = Pick<Transaction, 'write' | 'privileged' | 'instruction'>;

/** Must a write mark this stage-1 leaf dirty first? `hd`: hardware dirty state is on. */
export function stage1Clean(f: Guarded, hd: boolean): boolean {
  return hd && (f.lo & BIT_READ_ONLY) !== 0 && (f.hi & HI_DBM) !== 0 && (f.limits & LIMIT_WRITE) === 0;
}

export function stage1Allows(f: Guarded, hd: boolean, k: Kind): boolean {
  const unprivileged = f.world === WORLD_EL2 || ((f.lo & BIT_UNPRIVILEGED) !== 0 && (f.limits & LIMIT_UNPRIVILEGED) === 0);
  if (!k.privileged && !unprivileged) return false;
  if (k.write) return (f.limits & LIMIT_WRITE) === 0 && ((f.lo & BIT_READ_ONLY) === 0 || stage1Clean(f, hd));
  return !k.instruction || stage1Executable(f, k.privileged);
}

/** EL2 has one XN bit [54]; the other worlds have UXN for unprivileged and PXN for privileged fetches. */
function stage1Executable(f: Guarded, privileged: boolean): boolean {
  if (f.world === WORLD_EL2 || !privileged) return (f.hi & HI_UXN) === 0 && (f.limits & LIMIT_UXN) === 0;
  return (f.hi & HI_PXN) === 0 && (f.limits & LIMIT_PXN) === 0;
}

export function stage2Clean(f: Guarded, hd: boolean): boolean {
  return hd && (f.lo & BIT_S2AP_WRITE) === 0 && (f.hi & HI_DBM) !== 0;
}

export function stage2Allows(f: Guarded, hd: boolean, k: Kind): boolean {
  if (k.write) return (f.lo & BIT_S2AP_WRITE) !== 0 || stage2Clean(f, hd);
  if ((f.lo & BIT_S2AP_READ) === 0) return false;
  return !k.instruction || (f.hi & (HI_PXN | HI_UXN)) === 0;
}

/**
 * Stage-1 translation table descriptors, 64-bit form (VMSAv8-64, to which IHI 0070 §3.3.2 defers). Hot code passes a
 * descriptor as its two halves; nothing here allocates. Addresses are 4 KiB frame numbers.
 */
import { POW2 } from './bits.js';
import { leafAllowed, levelShift, type Tg } from './granule.js';

export const INVALID = 0;
export const TABLE = 1;
export const LEAF = 2;
/** What a descriptor is: INVALID, TABLE or LEAF (block or page). */
export type DescriptorKind = 0 | 1 | 2;

/** Bits of the low half: valid, table-or-page, AttrIndx, AP[1] (unprivileged), AP[2] (read-only), SH, AF, nG. */
export const BIT_VALID = 1;
export const BIT_TABLE = 2;
export const ATTR_NORMAL_CACHED = 1 << 2;
export const BIT_UNPRIVILEGED = 1 << 6;
export const BIT_READ_ONLY = 1 << 7;
export const SH_INNER = 3 << 8;
export const BIT_AF = 1 << 10;
export const BIT_NG = 1 << 11;
/** Bits of the high half: DBM [51], Contiguous [52]. */
export const HI_DBM = 1 << 19;
export const HI_CONTIGUOUS = 1 << 20;

/** Attributes that the Linux driver gives a stage-1 leaf for ordinary memory: AF, nG, inner shareable, AP[1]. */
export const LEAF_ATTRIBUTES = BIT_AF | BIT_NG | SH_INNER | BIT_UNPRIVILEGED | ATTR_NORMAL_CACHED;

/** bits[1:0]: x0 invalid; 01 block, only where allowed; 11 table above level 3, page at level 3. */
export function descriptorKind(lo: number, level: number, tg: Tg, ds = false, oas52 = false): DescriptorKind {
  if ((lo & BIT_VALID) === 0) return INVALID;
  if (level === 3) return (lo & BIT_TABLE) !== 0 ? LEAF : INVALID;
  if ((lo & BIT_TABLE) !== 0) return TABLE;
  return leafAllowed(tg, level, ds, oas52) ? LEAF : INVALID;
}

/** Next-level table of a table descriptor, bits [47:12] as a frame number (granule-aligned, DS = 0, 48-bit OA). */
export function tableFrame(lo: number, hi: number, tg: Tg = 12): number {
  const frame = (hi & 0xffff) * (POW2[20] as number) + (lo >>> 12);
  const unit = POW2[tg - 12] as number;
  return frame - (frame % unit);
}

/** Output frame of a leaf at `level`, bits below the block size treated as zero (DS = 0, 48-bit OA). */
export function leafFrame(lo: number, hi: number, level: number, tg: Tg = 12): number {
  const frame = (hi & 0xffff) * (POW2[20] as number) + (lo >>> 12);
  const unit = POW2[levelShift(tg, level) - 12] as number;
  return frame - (frame % unit);
}

/** May the leaf be written through? AP[2] = 0. (Reads are always allowed at stage 1.) */
export function leafWritable(lo: number): boolean {
  return (lo & BIT_READ_ONLY) === 0;
}

/** High half of a descriptor that names `frame`. */
export function descriptorHigh(frame: number): number {
  return Math.floor(frame / (POW2[20] as number));
}

/** Low half of a table descriptor for the table at `frame`. */
export function tableLow(frame: number): number {
  return (((frame % (POW2[20] as number)) * 4096) | BIT_VALID | BIT_TABLE) >>> 0;
}

/** Low half of a leaf at `level` that maps to `frame`, with the driver's attributes. */
export function leafLow(frame: number, level: number, writable: boolean): number {
  const type = level === 3 ? BIT_VALID | BIT_TABLE : BIT_VALID;
  const attributes = LEAF_ATTRIBUTES | (writable ? 0 : BIT_READ_ONLY) | type;
  return (((frame % (POW2[20] as number)) * 4096) | attributes) >>> 0;
}

/**
 * Translation table descriptors of both stages, 64-bit form (VMSAv8-64, to which IHI 0070 §3.3.2 defers). Hot code passes a
 * descriptor as its two halves; nothing here allocates. Addresses are 4 KiB frame numbers. `tableAddress` and `leafAddress` know
 * the 52-bit forms; `tableFrame` and `leafFrame` are for 48-bit addresses.
 */
import { POW2 } from './bits.js';
import { leafAllowed, levelShift, type Tg } from './granule.js';
import type { TableContext } from './tables.js';

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
/** nT of a block descriptor (BBML 1): the entry is not cached as a whole while it is replaced (§3.21.1). */
export const BIT_NT = 1 << 16;
/** Stage 2: S2AP. Bit 11 is not nG there. */
export const BIT_S2AP_READ = 1 << 6;
export const BIT_S2AP_WRITE = 1 << 7;
/** Bits of the high half: DBM [51], Contiguous [52], PXN [53], UXN [54] (EL2: XN at [54]; stage 2: XN [54:53]). */
export const HI_DBM = 1 << 19;
export const HI_CONTIGUOUS = 1 << 20;
export const HI_PXN = 1 << 21;
export const HI_UXN = 1 << 22;
/** High half of a stage-1 table descriptor: PXNTable [59], UXNTable [60], APTable [62:61] (no unprivileged access, no writes). */
export const HI_PXNTABLE = 1 << 27;
export const HI_UXNTABLE = 1 << 28;
export const HI_APTABLE_PRIVILEGED = 1 << 29;
export const HI_APTABLE_READ_ONLY = 1 << 30;

/** Attributes that the Linux driver gives a stage-1 leaf for ordinary memory: AF, nG, inner shareable, AP[1]. */
export const LEAF_ATTRIBUTES = BIT_AF | BIT_NG | SH_INNER | BIT_UNPRIVILEGED | ATTR_NORMAL_CACHED;

/**
 * bits[1:0]: x0 invalid; 01 block, only where allowed; 11 table above level 3, page at level 3. `ds` and `oas52` are a table context's `ds` and `wide`.
 */
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

/** MemAttr of stage 2: normal, write-back inner and outer; and with S2FWB, where [4:2] says write-back whatever stage 1 says. */
const MEMATTR_WRITE_BACK = 15 << 2;
const MEMATTR_FORCED_WRITE_BACK = 6 << 2;

/** The same at stage 2. `forced`: the STE has S2FWB. */
export function stage2LeafLow(frame: number, level: number, writable: boolean, forced: boolean): number {
  const type = level === 3 ? BIT_VALID | BIT_TABLE : BIT_VALID;
  const attributes = BIT_AF | SH_INNER | BIT_S2AP_READ | (writable ? BIT_S2AP_WRITE : 0) | (forced ? MEMATTR_FORCED_WRITE_BACK : MEMATTR_WRITE_BACK) | type;
  return (((frame % (POW2[20] as number)) * 4096) | attributes) >>> 0;
}

/** What the form of a descriptor's address depends on. */
export type AddressForm = Pick<TableContext, 'tg' | 'ds' | 'wide'>;

/**
 * Address bits of a descriptor in the form of context `c`, as a frame number: [47:12]; with `ds` [49:12] and OA[51:50] in [9:8]; with `wide`
 * [47:16] and OA[51:48] in [15:12]. Bits below `unit` frames are RES0 and treated as zero.
 */
function frameOf(lo: number, hi: number, unit: number, c: AddressForm): number {
  let frame: number;
  if (c.ds) frame = (((lo >>> 8) & 3) * (POW2[18] as number) + (hi & 0x3ffff)) * (POW2[20] as number) + (lo >>> 12);
  else if (c.wide) frame = (((lo >>> 12) & 15) * (POW2[16] as number) + (hi & 0xffff)) * (POW2[20] as number) + (lo >>> 16) * 16;
  else frame = (hi & 0xffff) * (POW2[20] as number) + (lo >>> 12);
  return frame - (frame % unit);
}

/** Frame of the next-level table, aligned to the granule. Not checked against the output size. */
export function tableAddress(lo: number, hi: number, c: AddressForm): number {
  return frameOf(lo, hi, POW2[c.tg - 12] as number, c);
}

/** Output frame of a leaf at `level`, aligned to what it spans. Not checked against the output size. */
export function leafAddress(lo: number, hi: number, level: number, c: AddressForm): number {
  return frameOf(lo, hi, POW2[levelShift(c.tg, level) - 12] as number, c);
}

/** Low half of a descriptor's address bits for `frame` in the form of context `c`; attributes and type are not in it. */
export function addressLow(frame: number, c: AddressForm): number {
  const low = (frame % (POW2[20] as number)) * 4096;
  if (c.ds) return low + Math.floor(frame / (POW2[38] as number)) * 256;
  if (c.wide) return low + Math.floor(frame / (POW2[36] as number)) * 4096;
  return low;
}

/** High half of the same. */
export function addressHigh(frame: number, c: AddressForm): number {
  return Math.floor(frame / (POW2[20] as number)) % (POW2[c.ds ? 18 : 16] as number);
}

/**
 * Translation granules and levels (VMSAv8-64 as used by the SMMU; IHI 0070 §3.3.2 defers to the Armv8-A
 * ARM). `tg` is log2 of the granule in bytes: 12, 14 or 16. Levels are the architecture's: 3 is the
 * leaf-most; -1 exists only with 4 KB granules and DS. All sizes are in 4 KiB frames unless a name says bytes.
 */
import { POW2 } from './bits.js';

export type Tg = 12 | 14 | 16;
export const TGS: readonly Tg[] = [12, 14, 16];

/** Address bits resolved by one level: the table holds 2^stride entries of 8 bytes. */
export function stride(tg: Tg): number {
  return tg - 3;
}

/** log2 of the bytes that one entry at `level` spans. */
export function levelShift(tg: Tg, level: number): number {
  return tg + stride(tg) * (3 - level);
}

/** Frames (4 KiB) that one entry at `level` spans. */
export function levelFrames(tg: Tg, level: number): number {
  return POW2[levelShift(tg, level) - 12] as number;
}

/** Index of `frame` within a table whose entries are at `level`. */
export function levelIndex(tg: Tg, level: number, frame: number): number {
  return Math.floor(frame / levelFrames(tg, level)) % (POW2[stride(tg)] as number);
}

/** Start level of a stage-1 walk over an input of `iasize` bits: 4 - ceil((iasize - tg) / stride). */
export function stage1StartLevel(tg: Tg, iasize: number): number {
  return 4 - Math.ceil((iasize - tg) / stride(tg));
}

/**
 * May a block or page descriptor stand at `level`? Elsewhere it is a reserved encoding and reads as invalid.
 * `ds`: 52-bit addresses with 4K/16K granules (LPA2); `oas52`: 52-bit output with 64K granules.
 */
export function leafAllowed(tg: Tg, level: number, ds = false, oas52 = false): boolean {
  if (level === 3 || level === 2) return true;
  if (tg === 12) return level === 1 || (ds && level === 0);
  if (tg === 14) return ds && level === 1;
  return oas52 && level === 1;
}

/** The TG field of a TLBI command (§4.4.1.1): 1, 2, 3 for 4K, 16K, 64K. Not the encoding of CD.TG0. */
export function commandTg(tg: Tg): number {
  return (tg - 10) / 2;
}

/** The granule named by a TLBI command's TG field; 0 names none. */
export function tgOfCommand(field: number): Tg | 0 {
  return field === 1 ? 12 : field === 2 ? 14 : field === 3 ? 16 : 0;
}

/** CD.TG0 (§5.4): 0 = 4K, 1 = 64K, 2 = 16K, 3 reserved. */
export function cdTg0(tg: Tg): number {
  return tg === 12 ? 0 : tg === 16 ? 1 : 2;
}

export function tgOfCdTg0(field: number): Tg | 0 {
  return field === 0 ? 12 : field === 1 ? 16 : field === 2 ? 14 : 0;
}

/** CD.TG1 (§5.4): 1 = 16K, 2 = 4K, 3 = 64K, 0 reserved. */
export function cdTg1(tg: Tg): number {
  return tg === 12 ? 2 : tg === 16 ? 3 : 1;
}

export function tgOfCdTg1(field: number): Tg | 0 {
  return field === 2 ? 12 : field === 3 ? 16 : field === 1 ? 14 : 0;
}

/** Members of a contiguous run at `level`; 1 where the hint does not exist. */
export function contiguousEntries(tg: Tg, level: number, ds = false): number {
  if (tg === 12) return level >= 1 || (ds && level === 0) ? 16 : 1;
  if (tg === 14) return level === 3 ? 128 : level === 2 ? 32 : 1;
  return level >= 1 ? 32 : 1;
}

/** Fewest and most input bits beyond one entry: a start-level table has 2 entries or more, and at most 16 tables are put together. */
const CONCATENATION_BITS = 4;

/**
 * Entries of the start-level table for an input of `inputBits` bits; at stage 2 the tables put together count as one.
 * Never below 1.
 */
export function startEntries(tg: Tg, inputBits: number, startLevel: number): number {
  return POW2[Math.max(0, inputBits - levelShift(tg, startLevel))] as number;
}

/** Tables of one granule that stand side by side at the start level: 1, or up to 16 at stage 2. */
export function concatenatedTables(tg: Tg, inputBits: number, startLevel: number): number {
  return POW2[Math.max(0, inputBits - levelShift(tg, startLevel) - stride(tg))] as number;
}

/** What the start level of stage 2 depends on, besides the fields of the STE: IDR3.STT and the output address size in bits. */
export interface Stage2Limits {
  readonly smallTables: boolean;
  readonly oas: number;
}

/**
 * Start level that STE.S2SL0 (with S2SL0_2, which counts only for 4K with S2DS) names for a granule (§5.2 S2SL0, as VTCR_EL2.SL0);
 * `undefined` for an encoding that is reserved on this SMMU.
 */
export function stage2StartLevel(tg: Tg, sl0: number, sl02: number, ds: boolean): number | undefined {
  if (tg !== 12) return sl0 < 3 ? 3 - sl0 : tg === 14 && ds ? 0 : undefined;
  if (ds && sl02 !== 0) return sl0 === 0 ? -1 : undefined;
  return sl0 === 3 ? 3 : 2 - sl0;
}

/** S2SL0 and S2SL0_2 as one number, SL0_2 * 4 + SL0, of a start level. */
export function stage2Sl0(tg: Tg, startLevel: number): number {
  if (tg !== 12) return 3 - startLevel;
  return startLevel === 3 ? 3 : startLevel === -1 ? 4 : 2 - startLevel;
}

/**
 * Is a stage-2 walk of `inputBits` bits from `startLevel` consistent (§5.2.1, §5.2.2)? The start table has at least two entries
 * and at most 16 tables are put together; and a start level must be within reach of the output size, as the Armv8-A
 * architecture defines for VTCR_EL2.SL0: level 0 of 4K from 44 bits on (with the start level -1: 52), level 1 of 16K from
 * 42 and of 64K from 44 bits on, level 3 of 4K with small translation tables only.
 */
export function stage2Consistent(tg: Tg, inputBits: number, startLevel: number, limits: Stage2Limits): boolean {
  const bits = inputBits - levelShift(tg, startLevel);
  if (bits < 1 || bits > stride(tg) + CONCATENATION_BITS) return false;
  if (tg === 12) {
    if (startLevel === 3) return limits.smallTables;
    return startLevel > 0 || limits.oas >= (startLevel === 0 ? 44 : 52);
  }
  if (tg === 14) return startLevel > 1 || limits.oas >= (startLevel === 1 ? 42 : 52);
  return startLevel > 1 || limits.oas >= 44;
}

/**
 * log2 of the alignment in bytes of a start-level table: its own size, and 64 bytes at least where addresses have 52 bits
 * (§5.2 S2TTB, §5.4 TTB0). Address bits below are treated as zero.
 */
export function rootAlignment(entriesLog2: number, wideOutput: boolean): number {
  return Math.max(entriesLog2 + 3, wideOutput ? 6 : 4);
}

/** Does this SMMU have the granule (IDR5.GRAN4K, GRAN16K, GRAN64K)? */
export function granuleSupported(tg: Tg, f: { readonly gran4k: boolean; readonly gran16k: boolean; readonly gran64k: boolean }): boolean {
  return tg === 12 ? f.gran4k : tg === 14 ? f.gran16k : f.gran64k;
}

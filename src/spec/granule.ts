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

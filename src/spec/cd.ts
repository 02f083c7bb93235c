/**
 * Context descriptors (IHI 0070 §5.4), 64 bytes: fields of a stage-1 context and which descriptors are
 * ILLEGAL (§5.4.2) in the scope of AArch64 tables and 48-bit input. Walks go through TTB0 only, but an
 * ILLEGAL TTB1 half makes the whole descriptor ILLEGAL.
 */
import { field, getField, POW2 } from './bits.js';
import { stage1StartLevel, tgOfCdTg0, tgOfCdTg1, type Tg } from './granule.js';

export const CD_BYTES = 64;
export const CD_WORDS = 8;

export const CD = {
  T0SZ: field(5, 0),
  TG0: field(7, 6),
  IR0: field(9, 8),
  OR0: field(11, 10),
  SH0: field(13, 12),
  EPD0: field(14, 14),
  ENDI: field(15, 15),
  T1SZ: field(21, 16),
  TG1: field(23, 22),
  IR1: field(25, 24),
  OR1: field(27, 26),
  SH1: field(29, 28),
  EPD1: field(30, 30),
  V: field(31, 31),
  IPS: field(34, 32),
  AFFD: field(35, 35),
  AA64: field(41, 41),
  HD: field(42, 42),
  HA: field(43, 43),
  S: field(44, 44),
  R: field(45, 45),
  A: field(46, 46),
  ASET: field(47, 47),
  ASID: field(63, 48),
  /** Address bits [51:4]: units of 16 bytes. */
  TTB0: field(115, 68),
  TTB1: field(179, 132),
  MAIR0: field(223, 192),
  MAIR1: field(255, 224),
} as const;

/** Output size in bits named by CD.IPS (and STE.S2PS): 0..7. */
export const IPS_BITS: readonly number[] = [32, 36, 40, 42, 44, 48, 52, 56];

export interface CdFeatures {
  readonly asidBits: number;
  readonly oas: number;
}

/** Is this CD legal (CdIllegal(), §5.4.2)? V = 0 counts as illegal: both record C_BAD_CD. */
export function cdLegal(words: Uint32Array, base: number, f: CdFeatures): boolean {
  if (getField(words, CD.V, base) === 0) return false;
  if (getField(words, CD.AA64, base) === 0) return false; // VMSAv8-32 LPAE is not modelled: TTF says AArch64 only
  if (getField(words, CD.ASID, base) >= (POW2[f.asidBits] as number)) return false;
  const epd0 = getField(words, CD.EPD0, base) !== 0;
  const epd1 = getField(words, CD.EPD1, base) !== 0;
  if (getField(words, CD.ENDI, base) !== 0 && !(epd0 && epd1)) return false; // TTENDIAN: little-endian only
  if (getField(words, CD.HA, base) !== 0 || getField(words, CD.HD, base) !== 0) return false; // HTTU = 0
  if (getField(words, CD.S, base) !== 0) return false; // STALL_MODEL = 1: no stall
  if (getField(words, CD.A, base) === 0) return false; // TERM_MODEL = 1: abort is the only model
  // A half with EPDx = 1 is not checked.
  const size = cdOutputBits(words, base, f.oas);
  return (epd0 || halfLegal(cdGranule(words, base), getField(words, CD.T0SZ, base), getField(words, CD.TTB0, base), size))
    && (epd1 || halfLegal(tgOfCdTg1(getField(words, CD.TG1, base)), getField(words, CD.T1SZ, base), getField(words, CD.TTB1, base), size));
}

/** TxSZ in range, granule not reserved, TTBx within the effective IPS and, below 64K granules (DS = 0), within 48 bits. */
function halfLegal(tg: Tg | 0, txsz: number, ttb: number, outputBits: number): boolean {
  if (tg === 0 || txsz < 16 || txsz > 39) return false;
  return ttb * 16 < (POW2[tg === 16 ? outputBits : Math.min(outputBits, 48)] as number);
}

/** Granule of TTB0, or 0 when the encoding is reserved. */
export function cdGranule(words: Uint32Array, base: number): Tg | 0 {
  return tgOfCdTg0(getField(words, CD.TG0, base));
}

/** Input size in bits and start level of the TTB0 half. */
export function cdInputBits(words: Uint32Array, base: number): number {
  return 64 - getField(words, CD.T0SZ, base);
}

export function cdStartLevel(words: Uint32Array, base: number): number {
  const tg = cdGranule(words, base);
  return tg === 0 ? 3 : stage1StartLevel(tg, cdInputBits(words, base));
}

/** Frame of the start-level table; bits below the table's size are treated as zero by the caller's geometry. */
export function cdTableFrame(words: Uint32Array, base: number): number {
  return Math.floor(getField(words, CD.TTB0, base) / 256);
}

/** Effective output size in bits: min(IPS, OAS). */
export function cdOutputBits(words: Uint32Array, base: number, oas: number): number {
  return Math.min(IPS_BITS[getField(words, CD.IPS, base)] as number, oas);
}

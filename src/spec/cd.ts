/**
 * Context descriptors (IHI 0070 §5.4), 64 bytes: their fields, and which descriptors are ILLEGAL (§5.4.2): `cdVerdict` for the whole
 * SMMU, `cdLegal` and the functions after it for 48-bit addresses and walks through TTB0 only. In both an ILLEGAL TTB1 half makes
 * the whole descriptor ILLEGAL.
 */
import { field, getField, POW2 } from './bits.js';
import type { Features } from './features.js';
import { granuleSupported, stage1StartLevel, tgOfCdTg0, tgOfCdTg1, type Tg } from './granule.js';
import { OUTPUT_BITS, sizeMost, streamWorld } from './ste.js';

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
  WXN: field(36, 36),
  UWXN: field(37, 37),
  TBI0: field(38, 38),
  TBI1: field(39, 39),
  PAN: field(40, 40),
  AA64: field(41, 41),
  HD: field(42, 42),
  HA: field(43, 43),
  S: field(44, 44),
  R: field(45, 45),
  A: field(46, 46),
  ASET: field(47, 47),
  ASID: field(63, 48),
  NSCFG0: field(64, 64),
  HAD0: field(65, 65),
  E0PD0: field(66, 66),
  HAFT: field(67, 67),
  /** Address bits [51:4]: units of 16 bytes. */
  TTB0: field(115, 68),
  PnCH: field(122, 122),
  EPAN: field(123, 123),
  HWU0: field(127, 124),
  NSCFG1: field(128, 128),
  HAD1: field(129, 129),
  E0PD1: field(130, 130),
  AIE: field(131, 131),
  TTB1: field(179, 132),
  DS: field(186, 186),
  PIE: field(187, 187),
  HWU1: field(191, 188),
  MAIR0: field(223, 192),
  MAIR1: field(255, 224),
  AMAIR0: field(287, 256),
  AMAIR1: field(319, 288),
  PARTID: field(367, 352),
  PMG: field(375, 368),
} as const;

/** Output size in bits named by CD.IPS (and STE.S2PS): 0..7. */
export const IPS_BITS: readonly number[] = OUTPUT_BITS;

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

/** The fields of one half, TTB0's or TTB1's. */
export const CD_HALF = [
  { TxSZ: CD.T0SZ, TG: CD.TG0, EPD: CD.EPD0, TTB: CD.TTB0, TBI: CD.TBI0, HAD: CD.HAD0 },
  { TxSZ: CD.T1SZ, TG: CD.TG1, EPD: CD.EPD1, TTB: CD.TTB1, TBI: CD.TBI1, HAD: CD.HAD1 },
] as const;

/** Granule of a half, 0 when the encoding is reserved. */
export function cdHalfGranule(words: Uint32Array, base: number, half: 0 | 1): Tg | 0 {
  const tg = getField(words, CD_HALF[half].TG, base);
  return half === 0 ? tgOfCdTg0(tg) : tgOfCdTg1(tg);
}

/** Are the addresses of a granule of the 52-bit form of 4K and 16K? DS is RES0 (ignored here) without IDR5.DS and means nothing with 64K. */
export function cdDs(words: Uint32Array, base: number, tg: Tg, f: Features): boolean {
  return f.ds && tg !== 16 && getField(words, CD.DS, base) !== 0;
}

/** Output size in bits of a granule: min(IPS, OAS), at most 48 for 4K and 16K granules without DS (§5.4 IPS). */
export function cdHalfOutputBits(words: Uint32Array, base: number, tg: Tg, f: Features): number {
  const bits = Math.min(OUTPUT_BITS[getField(words, CD.IPS, base)] as number, f.oas);
  return tg === 16 || cdDs(words, base, tg, f) ? bits : Math.min(bits, 48);
}

/**
 * Is this CD legal when reached through this STE (CdIllegal(), §5.4.2)? True = legal; V = 0 counts as illegal. The STE matters: its StreamWorld
 * (`e2h`: CR2.E2H) says whether there is an ASID and a TTB1 half. `steWords`: a legal STE with stage 1, 16 uint32 from `steBase`.
 */
export function cdVerdict(cdWords: Uint32Array, cdBase: number, steWords: Uint32Array, steBase: number, f: Features, e2h: boolean): boolean {
  if (getField(cdWords, CD.V, cdBase) === 0) return false;
  if (getField(cdWords, CD.AA64, cdBase) === 0) return false; // TTF: AArch64 tables only
  if (getField(cdWords, CD.A, cdBase) === 0) return false; // TERM_MODEL = 1
  if (getField(cdWords, CD.S, cdBase) !== 0) return false; // STALL_MODEL = 1, and S1STALLD
  if (getField(cdWords, CD.HA, cdBase) !== 0 && f.httu < 1) return false;
  if (getField(cdWords, CD.HD, cdBase) !== 0 && f.httu < 2) return false;
  const el2 = streamWorld(steWords, steBase, f, e2h) === 1;
  if (!el2 && getField(cdWords, CD.ASID, cdBase) >= (POW2[f.asidBits] as number)) return false;
  const walk0 = getField(cdWords, CD.EPD0, cdBase) === 0;
  const walk1 = !el2 && getField(cdWords, CD.EPD1, cdBase) === 0; // EL2 without E2H has no TTB1
  if (getField(cdWords, CD.ENDI, cdBase) !== 0 && (walk0 || walk1)) return false; // TTENDIAN: little-endian only
  return (!walk0 || cdHalfLegal(cdWords, cdBase, 0, f)) && (!walk1 || cdHalfLegal(cdWords, cdBase, 1, f));
}

/** A half whose walks are enabled: granule there, TxSZ in range, TTBx within the output size. */
function cdHalfLegal(words: Uint32Array, base: number, half: 0 | 1, f: Features): boolean {
  const tg = cdHalfGranule(words, base, half);
  if (tg === 0 || !granuleSupported(tg, f)) return false;
  const txsz = getField(words, CD_HALF[half].TxSZ, base);
  const least = f.wideInput && (tg === 16 || cdDs(words, base, tg, f)) ? 12 : 16;
  if (txsz < least || txsz > sizeMost(tg, f)) return false;
  return getField(words, CD_HALF[half].TTB, base) * 16 < (POW2[cdHalfOutputBits(words, base, tg, f)] as number);
}

/**
 * Stream table entries (IHI 0070 §5.2), 64 bytes: their fields, and which entries are ILLEGAL (§5.2.2): `steVerdict` for the whole
 * SMMU, `steAction` for one of bypass, abort and stage 1 only. Not modelled, and absent from the ID registers: stall, VMSAv8-32,
 * 128-bit descriptors, permission indirection, MPAM, device permission tables, Secure and Realm state.
 */
import { field, getField, POW2 } from './bits.js';
import type { Features } from './features.js';
import { granuleSupported, stage2Consistent, stage2StartLevel, tgOfCdTg0, type Tg } from './granule.js';

export const STE_BYTES = 64;
export const STE_WORDS = 8;

export const STE = {
  V: field(0, 0),
  Config: field(3, 1),
  S1Fmt: field(5, 4),
  /** Context descriptor (table), address bits [55:6]: units of 64 bytes. */
  S1ContextPtr: field(55, 6),
  S1CDMax: field(63, 59),
  S1DSS: field(65, 64),
  S1CIR: field(67, 66),
  S1COR: field(69, 68),
  S1CSH: field(71, 70),
  S2HWU: field(75, 72),
  DRE: field(76, 76),
  CONT: field(80, 77),
  DCP: field(81, 81),
  PPAR: field(82, 82),
  MEV: field(83, 83),
  S1PIE: field(88, 88),
  S2FWB: field(89, 89),
  S1MPAM: field(90, 90),
  S1STALLD: field(91, 91),
  EATS: field(93, 92),
  STRW: field(95, 94),
  MemAttr: field(99, 96),
  MTCFG: field(100, 100),
  ALLOCCFG: field(104, 101),
  SHCFG: field(109, 108),
  NSCFG: field(111, 110),
  PRIVCFG: field(113, 112),
  INSTCFG: field(115, 114),
  S2VMID: field(143, 128),
  S2T0SZ: field(165, 160),
  S2SL0: field(167, 166),
  S2IR0: field(169, 168),
  S2OR0: field(171, 170),
  S2SH0: field(173, 172),
  S2TG: field(175, 174),
  S2PS: field(178, 176),
  S2AA64: field(179, 179),
  S2ENDI: field(180, 180),
  S2AFFD: field(181, 181),
  S2PTW: field(182, 182),
  S2HD: field(183, 183),
  S2HA: field(184, 184),
  S2S: field(185, 185),
  S2R: field(186, 186),
  S2SL0_2: field(194, 194),
  S2DS: field(195, 195),
  /** Stage-2 start table, address bits [55:4]: units of 16 bytes. */
  S2TTB: field(247, 196),
} as const;

export const CONFIG_ABORT = 0;
export const CONFIG_BYPASS = 4;
export const CONFIG_S1 = 5;
export const CONFIG_S2 = 6;
export const CONFIG_NESTED = 7;

/** S1DSS: what traffic without a substream gets when substreams are on (3 behaves as 0). */
export const S1DSS_TERMINATE = 0;
export const S1DSS_BYPASS = 1;
export const S1DSS_SSID0 = 2;
/** S1Fmt: a linear CD table, or two levels with level-2 tables of 4 KB or 64 KB (3 behaves as 0). */
export const S1FMT_LINEAR = 0;
export const S1FMT_4K = 1;
export const S1FMT_64K = 2;
/** EATS: ATS off, full, split stage (3 needs device permission tables and is off without them). */
export const EATS_OFF = 0;
export const EATS_FULL = 1;
export const EATS_SPLIT = 2;
/** PRIVCFG and INSTCFG: 0 and 1 use the incoming attribute. */
export const PRIVCFG_UNPRIVILEGED = 2;
export const PRIVCFG_PRIVILEGED = 3;
export const INSTCFG_DATA = 2;
export const INSTCFG_INSTRUCTION = 3;
export const SHCFG_INCOMING = 1;

/** What an STE asks for. `illegal` records C_BAD_STE and aborts; `abort` is silent. */
export type SteAction = 'illegal' | 'abort' | 'bypass' | 'stage1' | 'stage2' | 'nested';

/** The parts of the SMMU's features on which an STE's legality depends. */
export interface SteFeatures {
  readonly stage1: boolean;
  readonly stage2: boolean;
  readonly ssidBits: number;
  readonly vmidBits: number;
  readonly oas: number;
}

/** What this STE asks for (§5.2, SteIllegal() §5.2.2). `words`: 16 uint32 from `base`. */
export function steAction(words: Uint32Array, base: number, f: SteFeatures): SteAction {
  if (getField(words, STE.V, base) === 0) return 'illegal'; // §5.2.2 item 1
  const config = getField(words, STE.Config, base);
  if (config < 4) return 'abort'; // 0b0xx: nothing else matters (§5.2)
  const s1 = (config & 1) !== 0;
  const s2 = (config & 2) !== 0;
  if (s1 && !f.stage1) return 'illegal'; // item 2
  if (s2 && !f.stage2) return 'illegal';
  const strw = getField(words, STE.STRW, base);
  if (config === CONFIG_S1 && (strw & 1) !== 0) return 'illegal'; // item 4: x1
  const vmid = getField(words, STE.S2VMID, base);
  if (f.stage2 && config !== CONFIG_BYPASS && vmid >= (POW2[f.vmidBits] as number)) return 'illegal'; // item 7
  if (s1 && getField(words, STE.S1STALLD, base) !== 0) return 'illegal'; // item 5: STALL_MODEL = 1, as in cdLegal
  if (s1 && getField(words, STE.S1CDMax, base) > f.ssidBits && f.ssidBits !== 0) return 'illegal'; // item 5
  if (config === CONFIG_S1 && getField(words, STE.S1ContextPtr, base) * 64 >= (POW2[f.oas] as number)) return 'illegal';
  switch (config) {
    case CONFIG_BYPASS: return 'bypass';
    case CONFIG_S1: return 'stage1';
    case CONFIG_S2: return 'stage2';
    default: return 'nested';
  }
}

/** StreamWorlds (§3.3.3): Non-secure EL1, EL2 and EL2 with E2H. */
export type StreamWorld = 0 | 1 | 2;

/**
 * StreamWorld of a legal STE (§5.2 STRW): EL2 only for stage 1 alone with STRW = 2; `e2h` is CR2.E2H. STRW is ignored with stage 2
 * and for bypass, and RES0 (ignored here) without IDR0.Hyp.
 */
export function streamWorld(words: Uint32Array, base: number, f: Features, e2h: boolean): StreamWorld {
  if (!f.hyp || getField(words, STE.Config, base) !== CONFIG_S1 || getField(words, STE.STRW, base) !== 2) return 0;
  return e2h ? 2 : 1;
}

/** log2 of the number of CDs, 0 when there is one CD and no substreams: S1CDMax, ignored when IDR1.SSIDSIZE is 0 (§5.2). */
export function steCdMax(words: Uint32Array, base: number, f: Features): number {
  return f.ssidBits === 0 ? 0 : getField(words, STE.S1CDMax, base);
}

/** Format of the CD table: linear unless substreams are on and S1Fmt says 1 or 2 (§5.2 S1Fmt). */
export function steCdFormat(words: Uint32Array, base: number, f: Features): 0 | 1 | 2 {
  const format = getField(words, STE.S1Fmt, base);
  return steCdMax(words, base, f) === 0 || format === 3 ? S1FMT_LINEAR : format as 0 | 1 | 2;
}

/**
 * Address in bytes of the CD or of the (level-1) CD table. Bits below the table's size are treated as zero: linear 64 bytes for each
 * CD; a table of level-1 CDs 8 bytes for each and at least 64 (§5.2 S1ContextPtr, §5.3).
 */
export function steCdTable(words: Uint32Array, base: number, f: Features): number {
  const max = steCdMax(words, base, f);
  const format = steCdFormat(words, base, f);
  const size = format === S1FMT_LINEAR ? max + 6 : Math.max(6, max - (format === S1FMT_4K ? 6 : 10) + 3);
  const address = getField(words, STE.S1ContextPtr, base) * 64;
  return address - (address % (POW2[size] as number));
}

/** Output size in bits named by STE.S2PS and CD.IPS, 0..7. */
export const OUTPUT_BITS: readonly number[] = [32, 36, 40, 42, 44, 48, 52, 56];

/** Granule of the stage-2 tables, 0 when the encoding is reserved. S2TG is encoded as CD.TG0. */
export function steGranule(words: Uint32Array, base: number): Tg | 0 {
  return tgOfCdTg0(getField(words, STE.S2TG, base));
}

/** Are stage-2 addresses of the 52-bit form of 4K and 16K granules? S2DS is RES0 (ignored here) without IDR5.DS and means nothing with 64K. */
export function steDs(words: Uint32Array, base: number, f: Features): boolean {
  return f.ds && steGranule(words, base) !== 16 && getField(words, STE.S2DS, base) !== 0;
}

/** Stage-2 output size in bits: min(S2PS, OAS), at most 48 for 4K and 16K granules without S2DS. */
export function steOutputBits(words: Uint32Array, base: number, f: Features): number {
  const bits = Math.min(OUTPUT_BITS[getField(words, STE.S2PS, base)] as number, f.oas);
  return steGranule(words, base) === 16 || steDs(words, base, f) ? bits : Math.min(bits, 48);
}

/**
 * What this STE asks for (SteIllegal(), §5.2.2). `words`: 16 uint32 from `base`. V = 0 counts as illegal: both record C_BAD_STE.
 * Fields that the configuration ignores never make an STE illegal.
 */
export function steVerdict(words: Uint32Array, base: number, f: Features): SteAction {
  if (getField(words, STE.V, base) === 0) return 'illegal';
  const config = getField(words, STE.Config, base);
  if (config < CONFIG_BYPASS) return 'abort';
  if (config === CONFIG_BYPASS) return 'bypass';
  if (atsIllegal(words, base, f) || vmidIllegal(words, base, f)) return 'illegal';
  if ((config & 1) !== 0 && stage1Illegal(words, base, f)) return 'illegal';
  if ((config & 2) !== 0 && stage2Illegal(words, base, f)) return 'illegal';
  return config === CONFIG_S1 ? 'stage1' : config === CONFIG_S2 ? 'stage2' : 'nested';
}

/** EATS (§5.2.2): split stage needs both stages and IDR0.NS1ATS = 0; no form of ATS goes with stage-2 stalls, which are illegal anyway. */
function atsIllegal(words: Uint32Array, base: number, f: Features): boolean {
  if (!f.ats || getField(words, STE.EATS, base) !== EATS_SPLIT) return false;
  return getField(words, STE.Config, base) !== CONFIG_NESTED || !f.splitAts;
}

/** S2VMID[15:8] must be 0 with 8-bit VMIDs, wherever the VMID tags entries: EL1, on an SMMU with stage 2. */
function vmidIllegal(words: Uint32Array, base: number, f: Features): boolean {
  return f.stage2 && streamWorld(words, base, f, false) === 0 && getField(words, STE.S2VMID, base) >= (POW2[f.vmidBits] as number);
}

function stage1Illegal(words: Uint32Array, base: number, f: Features): boolean {
  if (!f.stage1) return true;
  if (f.hyp && getField(words, STE.Config, base) === CONFIG_S1 && (getField(words, STE.STRW, base) & 1) !== 0) return true; // 0bx1
  if (getField(words, STE.S1STALLD, base) !== 0) return true; // STALL_MODEL = 1
  if (steCdMax(words, base, f) > f.ssidBits) return true;
  if (steCdFormat(words, base, f) !== S1FMT_LINEAR && !f.twoLevelCds) return true;
  // Beyond OAS for stage 1 alone; beyond IAS, which is OAS for AArch64 tables, when nested.
  return getField(words, STE.S1ContextPtr, base) * 64 >= (POW2[f.oas] as number);
}

function stage2Illegal(words: Uint32Array, base: number, f: Features): boolean {
  if (!f.stage2) return true;
  if (getField(words, STE.S2S, base) !== 0) return true; // STALL_MODEL = 1
  if (getField(words, STE.S2AA64, base) === 0) return true; // TTF: AArch64 tables only
  if (getField(words, STE.S2ENDI, base) !== 0) return true; // TTENDIAN: little-endian only
  if (getField(words, STE.S2HA, base) !== 0 && f.httu < 1) return true;
  if (getField(words, STE.S2HD, base) !== 0 && f.httu < 2) return true;
  const tg = steGranule(words, base);
  if (tg === 0 || !granuleSupported(tg, f)) return true;
  if (getField(words, STE.S2TTB, base) * 16 >= (POW2[steOutputBits(words, base, f)] as number)) return true;
  const ds = steDs(words, base, f);
  const t0sz = getField(words, STE.S2T0SZ, base);
  if (t0sz > sizeMost(tg, f) || t0sz < Math.max(tg === 16 || ds ? 12 : 16, 64 - f.oas)) return true;
  const start = stage2StartLevel(tg, getField(words, STE.S2SL0, base), getField(words, STE.S2SL0_2, base), ds);
  return start === undefined || !stage2Consistent(tg, 64 - t0sz, start, f);
}

/** Largest TxSZ: 39, or with small translation tables 48 (64K granule: 47) (§5.2 S2T0SZ, §5.4 T0SZ). */
export function sizeMost(tg: Tg, f: Features): number {
  return f.smallTables ? (tg === 16 ? 47 : 48) : 39;
}

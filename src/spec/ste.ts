/**
 * Stream table entries (IHI 0070 §5.2), 64 bytes: every field the driver uses or the SMMU judges for bypass,
 * abort and stage 1; and which entries are ILLEGAL (§5.2.2) in that scope.
 */
import { field, getField, POW2 } from './bits.js';

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
  CONT: field(80, 77),
  MEV: field(83, 83),
  S2FWB: field(89, 89),
  S1STALLD: field(91, 91),
  EATS: field(93, 92),
  STRW: field(95, 94),
  SHCFG: field(109, 108),
  S2VMID: field(143, 128),
} as const;

export const CONFIG_ABORT = 0;
export const CONFIG_BYPASS = 4;
export const CONFIG_S1 = 5;
export const CONFIG_S2 = 6;
export const CONFIG_NESTED = 7;

/** S1DSS: what traffic without a substream gets when substreams are on. */
export const S1DSS_SSID0 = 2;
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

/**
 * Meaning: what an SMMU with every feature makes of an STE or CD (IHI 0070 §5.2, §5.4), field by field, as one key: two entries with one key
 * are the same to every device. It knows nothing of how the driver writes entries. ATS is a key of its own: whether an endpoint
 * may ask is decided by PCI ATS as well, which the driver turns on last and off first, so it may change beside the rest. MEV
 * (events may be merged) changes no answer. Stalls exist here (STALL_MODEL = 0), so that what goes with them can be told apart.
 */
import { getField } from './bits.js';
import { CD } from './cd.js';
import { CONFIG_BYPASS, CONFIG_NESTED, CONFIG_S1, EATS_FULL, EATS_SPLIT, S1DSS_BYPASS, STE } from './ste.js';

export type EntryKind = 'ste' | 'cd';

/** V = 0; and an entry that the architecture calls ILLEGAL. */
export const GONE = 'V=0';
export const ILLEGAL = 'illegal';

/** What a device gets, ATS apart. */
export function translationOf(kind: EntryKind, w: Uint32Array): string {
  return kind === 'ste' ? ste(w) : cd(w);
}

/** What becomes of translation requests: off, full or split; a CD says nothing of them. */
export function atsOf(kind: EntryKind, w: Uint32Array): number {
  if (kind === 'cd' || getField(w, STE.V) === 0 || getField(w, STE.Config) <= CONFIG_BYPASS) return 0;
  return getField(w, STE.EATS);
}

function ste(w: Uint32Array): string {
  if (getField(w, STE.V) === 0) return GONE;
  const config = getField(w, STE.Config);
  if (config < CONFIG_BYPASS) return 'abort';
  if (config === CONFIG_BYPASS) return `bypass ${getField(w, STE.SHCFG)}`;
  if (steIllegal(w, config)) return ILLEGAL;
  const first = (config & 1) === 0 ? '' : stage1(w, config);
  const second = (config & 2) === 0 ? '' : stage2(w);
  return `${config} vmid ${getField(w, STE.S2VMID)} ${first} ${second}`;
}

function steIllegal(w: Uint32Array, config: number): boolean {
  const eats = getField(w, STE.EATS);
  const stalls = (config & 2) !== 0 && getField(w, STE.S2S) !== 0;
  if (eats === EATS_SPLIT && (config !== CONFIG_NESTED || stalls)) return true;
  if (eats === EATS_FULL && stalls) return true;
  return config === CONFIG_S1 && (getField(w, STE.STRW) & 1) !== 0;
}

/** CD table; what traffic without a substream gets, and with which attributes when it bypasses; StreamWorld only for stage 1 alone. */
function stage1(w: Uint32Array, config: number): string {
  const max = getField(w, STE.S1CDMax);
  const dss = max === 0 ? -1 : getField(w, STE.S1DSS);
  const bypass = dss === S1DSS_BYPASS ? getField(w, STE.SHCFG) : 0;
  const format = max === 0 ? 0 : getField(w, STE.S1Fmt);
  const fetch = [STE.S1CIR, STE.S1COR, STE.S1CSH].map((f) => getField(w, f)).join();
  return `cds ${getField(w, STE.S1ContextPtr)} ${max} ${format} ${fetch} dss ${dss} ${bypass} stall ${getField(w, STE.S1STALLD)} world ${config === CONFIG_S1 ? getField(w, STE.STRW) : 0}`;
}

const STAGE2 = [
  STE.S2T0SZ, STE.S2SL0, STE.S2IR0, STE.S2OR0, STE.S2SH0, STE.S2TG, STE.S2PS, STE.S2AA64, STE.S2ENDI, STE.S2AFFD, STE.S2PTW, STE.S2HD, STE.S2HA,
  STE.S2S, STE.S2R, STE.S2SL0_2, STE.S2DS, STE.S2TTB, STE.S2FWB, STE.SHCFG,
] as const;

function stage2(w: Uint32Array): string {
  let key = 's2';
  for (const f of STAGE2) key += ` ${getField(w, f)}`;
  return key;
}

const HALF0 = [CD.T0SZ, CD.TG0, CD.IR0, CD.OR0, CD.SH0, CD.TTB0, CD.HAD0, CD.TBI0] as const;
const HALF1 = [CD.T1SZ, CD.TG1, CD.IR1, CD.OR1, CD.SH1, CD.TTB1, CD.HAD1, CD.TBI1] as const;
const WHOLE = [
  CD.ENDI, CD.IPS, CD.AFFD, CD.WXN, CD.UWXN, CD.PAN, CD.AA64, CD.HD, CD.HA, CD.S, CD.R, CD.A, CD.ASET, CD.ASID, CD.MAIR0, CD.MAIR1, CD.AMAIR0, CD.AMAIR1,
  CD.DS, CD.PIE, CD.HAFT,
] as const;

/** A half with EPD = 1 does no walks: its other fields mean nothing (§5.4.1.1). */
function cd(w: Uint32Array): string {
  if (getField(w, CD.V) === 0) return GONE;
  let key = 'cd';
  for (const f of WHOLE) key += ` ${getField(w, f)}`;
  for (const [epd, fields] of [[CD.EPD0, HALF0], [CD.EPD1, HALF1]] as const) {
    const off = getField(w, epd) !== 0;
    key += off ? ' off' : ' on';
    if (!off) for (const f of fields) key += ` ${getField(w, f)}`;
  }
  return key;
}

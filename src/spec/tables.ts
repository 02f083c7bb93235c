/**
 * Table contexts: what a walk has to know of one translation table, taken once from a CD half (IHI 0070 §5.4) or from the stage-2
 * fields of an STE (§5.2). Both stages and all granules have the same form afterwards. The structures must be legal (§5.2.2, §5.4.2).
 */
import { getField, POW2 } from './bits.js';
import { CD, CD_HALF, cdDs, cdHalfGranule, cdHalfOutputBits } from './cd.js';
import type { Features } from './features.js';
import { levelShift, rootAlignment, stage1StartLevel, stage2StartLevel, type Tg } from './granule.js';
import { STE, steDs, steGranule, steOutputBits } from './ste.js';

export interface TableContext {
  /** log2 of the granule in bytes. */
  tg: Tg;
  /** 64 - TxSZ. */
  inputBits: number;
  startLevel: number;
  /** Effective output size in bits: addresses in descriptors at or above 2^outputBits are address size faults. */
  outputBits: number;
  /** Descriptors have the 52-bit form of 4K and 16K granules: OA[51:50] in [9:8], and shareability comes from elsewhere. */
  ds: boolean;
  /** Descriptors have the 52-bit form of the 64K granule: OA[51:48] in [15:12]; blocks stand at level 1 as well. */
  wide: boolean;
  /** 4 KiB frame and word index in it of entry 0 of the start table; several frames follow when the table is larger. */
  rootFrame: number;
  rootIndex: number;
  /** Entries of the start table, all concatenated tables together. */
  rootEntries: number;
  /** EPDx: no walks. Then only `inputBits` and `tbi` mean anything. */
  disabled: boolean;
  /** Top-byte ignore. */
  tbi: boolean;
  /** Hardware updates of the access flag, and of the dirty state (only with `ha`). */
  ha: boolean;
  hd: boolean;
  /** Access flag faults are off; never together with `ha`. */
  affd: boolean;
  /** Table descriptors have no hierarchical attributes (CD.HADx; always at stage 2). */
  had: boolean;
}

export function newTableContext(): TableContext {
  return {
    tg: 12, inputBits: 48, startLevel: 0, outputBits: 48, ds: false, wide: false, rootFrame: 0, rootIndex: 0, rootEntries: 0,
    disabled: false, tbi: false, ha: false, hd: false, affd: false, had: false,
  };
}

/**
 * The table of a half of a legal CD (16 uint32 from `base`). A half with EPDx = 1 may hold anything (§5.4.1.1): it has a
 * root of no entries.
 */
export function stage1Context(words: Uint32Array, base: number, half: 0 | 1, f: Features, out: TableContext): TableContext {
  const fields = CD_HALF[half];
  const granule = cdHalfGranule(words, base, half);
  const tg = granule === 0 ? 12 : granule;
  out.tg = tg;
  out.inputBits = 64 - getField(words, fields.TxSZ, base);
  out.disabled = getField(words, fields.EPD, base) !== 0;
  out.outputBits = cdHalfOutputBits(words, base, tg, f);
  out.ds = cdDs(words, base, tg, f);
  out.wide = tg === 16 && f.oas >= 52;
  out.tbi = getField(words, fields.TBI, base) !== 0;
  out.ha = f.httu >= 1 && getField(words, CD.HA, base) !== 0;
  out.hd = out.ha && f.httu >= 2 && getField(words, CD.HD, base) !== 0;
  out.affd = !out.ha && getField(words, CD.AFFD, base) !== 0;
  out.had = getField(words, fields.HAD, base) !== 0;
  if (out.disabled) {
    out.startLevel = 3;
    setRoot(out, 0, 0);
    out.rootEntries = 0;
    return out;
  }
  out.startLevel = stage1StartLevel(tg, out.inputBits);
  setRoot(out, getField(words, fields.TTB, base) * 16, out.inputBits - levelShift(tg, out.startLevel));
  return out;
}

/** The stage-2 table of a legal STE (16 uint32 from `base`). */
export function stage2Context(words: Uint32Array, base: number, f: Features, out: TableContext): TableContext {
  const granule = steGranule(words, base);
  const tg = granule === 0 ? 12 : granule;
  out.tg = tg;
  out.inputBits = 64 - getField(words, STE.S2T0SZ, base);
  out.outputBits = steOutputBits(words, base, f);
  out.ds = steDs(words, base, f);
  out.wide = tg === 16 && f.oas >= 52;
  out.disabled = false;
  out.tbi = false;
  out.ha = f.httu >= 1 && getField(words, STE.S2HA, base) !== 0;
  out.hd = out.ha && f.httu >= 2 && getField(words, STE.S2HD, base) !== 0;
  out.affd = !out.ha && getField(words, STE.S2AFFD, base) !== 0;
  out.had = true;
  out.startLevel = stage2StartLevel(tg, getField(words, STE.S2SL0, base), getField(words, STE.S2SL0_2, base), out.ds) ?? 3;
  setRoot(out, getField(words, STE.S2TTB, base) * 16, out.inputBits - levelShift(tg, out.startLevel));
  return out;
}

/** Root of 2^entriesLog2 entries at `address` (bytes); address bits below its alignment are treated as zero (§5.2 S2TTB, §5.4 TTB0). */
function setRoot(out: TableContext, address: number, entriesLog2: number): void {
  const wideOutput = out.outputBits > 48 && (out.ds || out.tg === 16);
  const aligned = address - (address % (POW2[rootAlignment(entriesLog2, wideOutput)] as number));
  out.rootFrame = Math.floor(aligned / 4096);
  out.rootIndex = (aligned % 4096) / 8;
  out.rootEntries = POW2[Math.max(0, entriesLog2)] as number;
}

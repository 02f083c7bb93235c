/**
 * Structures: the STEs and CDs this driver installs, as the kernel builds them (make_abort_ste, make_bypass_ste, make_cdtable_ste, make_s2_domain_ste,
 * make_s1_cd, and the CD of an address space that has ended). 16 uint32 each.
 */
import { CD } from '../../spec/cd.js';
import { cdTg0, stage2Sl0 } from '../../spec/granule.js';
import { setField } from '../../spec/bits.js';
import {
  CONFIG_ABORT, CONFIG_BYPASS, CONFIG_S1, CONFIG_S2, EATS_FULL, OUTPUT_BITS, S1DSS_BYPASS, S1DSS_SSID0, S1FMT_4K, SHCFG_INCOMING, STE,
} from '../../spec/ste.js';

const OUTPUT_44 = 44;
/** MAIR of the Linux driver: device, normal cached and others; index 1 is normal write-back. */
const MAIR0 = 0xf404ff44;
const MAIR1 = 0xffffffff;

export function abortSte(): Uint32Array {
  const w = new Uint32Array(16);
  setField(w, STE.V, 1);
  setField(w, STE.Config, CONFIG_ABORT);
  return w;
}

export function bypassSte(): Uint32Array {
  const w = new Uint32Array(16);
  setField(w, STE.V, 1);
  setField(w, STE.Config, CONFIG_BYPASS);
  setField(w, STE.SHCFG, SHCFG_INCOMING);
  return w;
}

/** A table of CDs, and what traffic without a substream gets. */
export interface CdTableSte {
  /** Frame of the table: linear, or its level-1 table. */
  readonly cdFrame: number;
  /** log2 of its CDs; 0: one, and no substreams. */
  readonly ssidBits: number;
  readonly twoLevel: boolean;
  readonly dss: number;
  readonly ats: boolean;
}

export function cdTableSte(t: CdTableSte): Uint32Array {
  const w = new Uint32Array(16);
  setField(w, STE.V, 1);
  setField(w, STE.Config, CONFIG_S1);
  setField(w, STE.S1Fmt, t.twoLevel ? S1FMT_4K : 0);
  setField(w, STE.S1CDMax, t.ssidBits);
  setField(w, STE.S1ContextPtr, t.cdFrame * 64);
  setField(w, STE.S1DSS, t.dss);
  setField(w, STE.S1CIR, 1);
  setField(w, STE.S1COR, 1);
  setField(w, STE.S1CSH, 3);
  if (t.ats) setField(w, STE.EATS, EATS_FULL);
  if (t.dss === S1DSS_BYPASS) setField(w, STE.SHCFG, SHCFG_INCOMING);
  return w;
}

/** Stage 1 through the CD at frame `cdFrame` (one CD, no substreams). */
export function stage1Ste(cdFrame: number): Uint32Array {
  return cdTableSte({ cdFrame, ssidBits: 0, twoLevel: false, dss: S1DSS_SSID0, ats: false });
}

/** Stage 2 over the tables at `rootFrame` (4 KB granule). */
export interface Stage2Ste {
  readonly rootFrame: number;
  readonly inputBits: number;
  readonly startLevel: number;
  readonly outputBits: number;
  readonly vmid: number;
  readonly forceWriteBack: boolean;
  readonly ats: boolean;
}

export function stage2Ste(t: Stage2Ste): Uint32Array {
  const w = new Uint32Array(16);
  setField(w, STE.V, 1);
  setField(w, STE.Config, CONFIG_S2);
  setField(w, STE.S2FWB, t.forceWriteBack ? 1 : 0);
  if (t.ats) setField(w, STE.EATS, EATS_FULL);
  setField(w, STE.SHCFG, SHCFG_INCOMING);
  setField(w, STE.S2VMID, t.vmid);
  setField(w, STE.S2T0SZ, 64 - t.inputBits);
  setField(w, STE.S2SL0, stage2Sl0(12, t.startLevel));
  setField(w, STE.S2IR0, 1);
  setField(w, STE.S2OR0, 1);
  setField(w, STE.S2SH0, 3);
  setField(w, STE.S2TG, cdTg0(12));
  setField(w, STE.S2PS, OUTPUT_BITS.indexOf(t.outputBits));
  setField(w, STE.S2AA64, 1);
  setField(w, STE.S2PTW, 1);
  setField(w, STE.S2R, 1);
  setField(w, STE.S2TTB, t.rootFrame * 256);
  return w;
}

/** A context over the tables at `rootFrame` with this tag. */
export function stage1Cd(rootFrame: number, inputBits: number, asid: number, outputBits = OUTPUT_44): Uint32Array {
  const w = new Uint32Array(16);
  setField(w, CD.T0SZ, 64 - inputBits);
  setField(w, CD.TG0, cdTg0(12));
  setField(w, CD.IR0, 1);
  setField(w, CD.OR0, 1);
  setField(w, CD.SH0, 3);
  setField(w, CD.EPD1, 1);
  setField(w, CD.V, 1);
  setField(w, CD.IPS, OUTPUT_BITS.indexOf(outputBits));
  setField(w, CD.AA64, 1);
  setField(w, CD.R, 1);
  setField(w, CD.A, 1);
  setField(w, CD.ASET, 1);
  setField(w, CD.ASID, asid);
  setField(w, CD.TTB0, rootFrame * 256);
  setField(w, CD.MAIR0, MAIR0);
  setField(w, CD.MAIR1, MAIR1);
  return w;
}

/**
 * The same context when its address space has ended: no walks any more, and no events about it. V and ASID stay, so that this can be written under
 * the device's feet: what walks looked at does not matter any more.
 */
export function endedCd(asid: number, outputBits = OUTPUT_44): Uint32Array {
  const w = new Uint32Array(16);
  setField(w, CD.EPD0, 1);
  setField(w, CD.EPD1, 1);
  setField(w, CD.V, 1);
  setField(w, CD.IPS, OUTPUT_BITS.indexOf(outputBits));
  setField(w, CD.AA64, 1);
  setField(w, CD.A, 1);
  setField(w, CD.ASET, 1);
  setField(w, CD.ASID, asid);
  setField(w, CD.MAIR0, MAIR0);
  setField(w, CD.MAIR1, MAIR1);
  return w;
}

export function emptyEntry(): Uint32Array {
  return new Uint32Array(16);
}

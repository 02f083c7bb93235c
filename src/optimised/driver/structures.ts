/**
 * Structures: the STEs and CDs this driver installs, as the kernel builds them for DMA domains (make_abort_ste,
 * make_bypass_ste, make_cdtable_ste with one CD, make_s1_cd). 16 uint32 each.
 */
import { CD } from '../../spec/cd.js';
import { cdTg0 } from '../../spec/granule.js';
import { setField } from '../../spec/bits.js';
import { CONFIG_ABORT, CONFIG_BYPASS, CONFIG_S1, S1DSS_SSID0, SHCFG_INCOMING, STE } from '../../spec/ste.js';

/** IPS 4: 44 bits. */
const IPS_44 = 4;
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

/** Stage 1 through the CD at frame `cdFrame` (one CD, no substreams). */
export function stage1Ste(cdFrame: number): Uint32Array {
  const w = new Uint32Array(16);
  setField(w, STE.V, 1);
  setField(w, STE.Config, CONFIG_S1);
  setField(w, STE.S1ContextPtr, cdFrame * 64);
  setField(w, STE.S1DSS, S1DSS_SSID0);
  setField(w, STE.S1CIR, 1);
  setField(w, STE.S1COR, 1);
  setField(w, STE.S1CSH, 3);
  return w;
}

/** A context over the tables at `rootFrame` with this tag. */
export function stage1Cd(rootFrame: number, inputBits: number, asid: number): Uint32Array {
  const w = new Uint32Array(16);
  setField(w, CD.T0SZ, 64 - inputBits);
  setField(w, CD.TG0, cdTg0(12));
  setField(w, CD.IR0, 1);
  setField(w, CD.OR0, 1);
  setField(w, CD.SH0, 3);
  setField(w, CD.EPD1, 1);
  setField(w, CD.V, 1);
  setField(w, CD.IPS, IPS_44);
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

export function emptyEntry(): Uint32Array {
  return new Uint32Array(16);
}

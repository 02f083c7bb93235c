/**
 * Sharing: may this domain be attached behind this SMMU, for this use (seed 1, "Share domain across SMMU/vSMMU instances": the compatibility test)? A
 * page table is made for one SMMU; another one may walk it when it understands every descriptor in it. Where the series leaves a question
 * open the answer is the sound one: of page sizes only the granule matters, because blocks are architectural; the input size and the way dirty state
 * is kept are compared as well.
 */
import type { Features } from '../../spec/features.js';
import { granuleSupported, stage2Consistent, type Tg } from '../../spec/granule.js';

/** A domain, as far as its tables go. */
export interface DomainTraits {
  readonly stage: 1 | 2;
  readonly tg: Tg;
  readonly inputBits: number;
  readonly outputBits: number;
  readonly startLevel: number;
  /** False: every store to its tables is cleaned, and any SMMU can walk them. */
  readonly coherent: boolean;
  /** Stage 2: its leaves are of the form that only means something with S2FWB. */
  readonly forceWriteBack: boolean;
  /** vSMMUs may stand on it. */
  readonly parent: boolean;
  /** Hardware marks its written pages. */
  readonly dirty: boolean;
}

/** The whole device; one of its substreams; or the device in a guest, whose own stage 1 stands over the domain. */
export type Use = 'device' | 'substream' | 'guest';

export interface DeviceTraits {
  readonly use: Use;
  /** The device's path to memory is coherent whatever attributes it is given (CANWBS): a guest cannot defeat coherency then. */
  readonly canWriteBack: boolean;
}

export type ShareRefusal = 'stage' | 'nesting' | 'substream' | 'page-size' | 'input-size' | 'output-size' | 'coherency' | 'force-write-back' | 'dirty';

/** Widest address of stage 1, per TTB. */
const INPUT_BITS = 48;
const WIDE_INPUT_BITS = 52;

/** Why the domain cannot be attached there, or null. */
export function mayAttach(d: DomainTraits, s: Features, dev: DeviceTraits): ShareRefusal | null {
  if (d.stage === 1 ? !s.stage1 : !s.stage2) return 'stage';
  const use = forUse(d, s, dev);
  if (use !== null) return use;
  if (!granuleSupported(d.tg, s)) return 'page-size';
  if (d.outputBits > s.oas) return 'output-size';
  if (!inputFits(d, s)) return 'input-size';
  if (d.coherent && !s.coherent) return 'coherency';
  if (d.forceWriteBack && !s.forceWriteBack) return 'force-write-back';
  return d.dirty && (s.httu < 2 || !s.coherent) ? 'dirty' : null;
}

function forUse(d: DomainTraits, s: Features, dev: DeviceTraits): ShareRefusal | null {
  if (dev.use === 'substream') return d.stage === 1 ? null : 'substream';
  if (dev.use === 'device') return null;
  if (!d.parent || !s.stage1 || s.forceSync) return 'nesting'; // with the FORCE_SYNC erratum the guest's batches would have to be split
  return s.forceWriteBack || dev.canWriteBack ? null : 'force-write-back';
}

function inputFits(d: DomainTraits, s: Features): boolean {
  if (d.stage === 1) return d.inputBits <= (s.wideInput ? WIDE_INPUT_BITS : INPUT_BITS);
  return d.inputBits <= s.oas && stage2Consistent(d.tg, d.inputBits, d.startLevel, s);
}

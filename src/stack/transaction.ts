/**
 * Transactions: what a device sends (IHI 0070 §3.3.2 step 0) and what the whole machine answers; and what a concrete
 * machine has cached, described so that both sides understand it without sharing a representation. Hot code reuses
 * the objects.
 */
import type { RegisterPort } from './machine.js';
import { OUTCOME_ABORT, type Outcome } from './outcome.js';

/** One transaction of 4 bytes. */
export interface Transaction {
  sid: number;
  /** SubstreamID, or -1 when there is none (SSV = 0). */
  ssid: number;
  /** 4 KiB frame of the input address, bits [63:12]. */
  frame: number;
  write: boolean;
  privileged: boolean;
  instruction: boolean;
}

/** `none`: nothing was sent, because the endpoint's ATC has no entry for the address (translated traffic only). */
export const ANSWER_NONE = 3;
/** ATS: Unsupported Request, Completer Abort (§3.9.1.2). A Success is OUTCOME_OK with `read` and `written` permissions. */
export const ANSWER_UR = 4;
export const ANSWER_CA = 5;

export type AnswerKind = Outcome['kind'] | typeof ANSWER_NONE | typeof ANSWER_UR | typeof ANSWER_CA;

/** An outcome with everything that an event record or an ATS completion says. */
export interface Answer {
  kind: AnswerKind;
  /** Event type when one was recorded (OUTCOME_FAULT; ATS requests that end in UR or CA may record one, too), else 0. An abort without record: OUTCOME_ABORT. */
  event: number;
  /** Output frame when kind is OUTCOME_OK. ATS completions: where `frame` of the request goes; 0 without permissions. */
  frame: number;
  /** Translation faults: 1 when the fault is of stage 2 (S2), and CLASS. 0 and CLASS_IN otherwise. */
  stage2: number;
  class: number;
  /** Stage-2 faults: frame of the faulting IPA, else 0. */
  ipa: number;
  /** ATS Success only: permissions granted. */
  canRead: boolean;
  canWrite: boolean;
}

export function newTransaction(): Transaction {
  return { sid: 0, ssid: -1, frame: 0, write: false, privileged: false, instruction: false };
}

export function newAnswer(): Answer {
  return { kind: OUTCOME_ABORT, event: 0, frame: 0, stage2: 0, class: 2, ipa: 0, canRead: false, canWrite: false };
}

export function sameAnswer(a: Answer, b: Answer): boolean {
  return a.kind === b.kind && a.event === b.event && a.frame === b.frame && a.stage2 === b.stage2 && a.class === b.class
    && a.ipa === b.ipa && a.canRead === b.canRead && a.canWrite === b.canWrite;
}

/** An output frame that whoever watches the machine cannot tell. */
export const FRAME_UNSEEN = -2;

/** StreamWorlds (§3.3.3). */
export const WORLD_EL1 = 0;
export const WORLD_EL2 = 1;
export const WORLD_EL2_E2H = 2;

export type CachedKind = 'l1std' | 'ste' | 'l1cd' | 'cd' | 'table' | 'leaf' | 'atc';

/** One entry of a concrete machine's caches. Fields that the kind does not have are 0 (ssid: -1). */
export interface CachedEntry {
  kind: CachedKind;
  /** l1std: any StreamID it serves; ste, l1cd, cd, atc: the StreamID. */
  sid: number;
  /** l1cd: any index it serves; cd: the index in the CD table (0 for a single CD); atc: the PASID or -1. */
  ssid: number;
  /** Structures: their words (uint32 halves) from `base`: 2 for level-1 descriptors, 16 for STE and CD. */
  words: Uint32Array;
  base: number;
  /** table, leaf: StreamWorld. */
  world: number;
  /** table, leaf: 1 = input VA, output of stage 1 (a PA, or an IPA that is still to be translated); 2 = IPA to PA; 3 = VA to PA through both. */
  stage: number;
  vmid: number;
  /** -1: global, or a stage-2 entry. */
  asid: number;
  /** log2 of the granule of the (stage-1, else stage-2) descriptor, and its level. */
  tg: number;
  level: number;
  /** First frame of the input span and its length in frames. */
  frame: number;
  frames: number;
  /** Leaf, ATC: output frame of the span's first frame. Table: frame of the next table (for stage 3 its PA). */
  target: number;
  /** Leaf, ATC: may be read (unprivileged data), may be written without marking a descriptor dirty first. */
  canRead: boolean;
  canWrite: boolean;
}

const NO_WORDS = new Uint32Array(0);

export function newCachedEntry(): CachedEntry {
  return {
    kind: 'leaf', sid: 0, ssid: -1, words: NO_WORDS, base: 0, world: 0, stage: 1, vmid: 0, asid: -1, tg: 12, level: 3,
    frame: 0, frames: 1, target: 0, canRead: false, canWrite: false,
  };
}

/** Every field that the kind does not use becomes 0 (no PASID: -1): one object serves for many entries. */
export function resetCachedEntry(out: CachedEntry, kind: CachedKind): void {
  out.kind = kind;
  out.sid = 0;
  out.ssid = -1;
  out.words = NO_WORDS;
  out.base = 0;
  out.world = 0;
  out.stage = 0;
  out.vmid = 0;
  out.asid = 0;
  out.tg = 0;
  out.level = 0;
  out.frame = 0;
  out.frames = 0;
  out.target = 0;
  out.canRead = false;
  out.canWrite = false;
}

/** A transaction and what came of it. */
export interface Answered {
  readonly t: Transaction;
  readonly answer: Answer;
}

/** A concrete whole machine. */
export interface WholeMachine extends RegisterPort {
  /** Untranslated transaction. A fault leaves an event record. */
  transact(t: Transaction, out: Answer): void;
  /** ATS Translation Request; a Success with permissions fills the endpoint's ATC. `write`: write permission is asked for (NW = 0). */
  atsRequest(t: Transaction, out: Answer): void;
  /** The endpoint uses its ATC: ANSWER_NONE if it has no entry that permits it, else the Translated transaction's answer. */
  translated(t: Transaction, out: Answer): void;
  /** The endpoint of a stream: is ATS enabled there, and does it answer invalidation requests (else ATC_INV times out)? */
  setEndpoint(sid: number, ats: boolean, responds: boolean): void;
  /** Every cache of the SMMU loses everything, as it may at any time (the endpoints' ATCs stay). */
  flushCaches(): void;
  /** Visits every cached entry with one reused object; `visit` must not keep it. */
  forEachCached(visit: (entry: CachedEntry) => void): void;
  /**
   * A machine that is watched from outside is told before each transaction what may be answered. Returns why the transaction cannot be
   * sent, or null.
   */
  expect?(t: Transaction, answers: readonly Answer[]): string | null;
  /** What the device did besides the last transaction: one that writes may read first. */
  besides?(): Answered | null;
  /** What another machine, which is told all that this one is told, answers to the last transaction. */
  beside?(): Answer;
}

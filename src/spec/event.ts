/**
 * Event records (IHI 0070 §7.3), 32 bytes: four 64-bit words, here eight uint32. Encoding and decoding of the records that faults can
 * leave, and their names: `encodeEvent` and `decodeEvent` for the translation faults and configuration errors of a stage-1 path,
 * `encodeFault` and `decodeFault` with the whole payload.
 */
import { field, getField, hex, setField } from './bits.js';

export const EVENT_WORDS = 4;
export const EVENT_BYTES = 32;

export const EVENT = {
  F_UUT: 0x01, C_BAD_STREAMID: 0x02, F_STE_FETCH: 0x03, C_BAD_STE: 0x04, F_BAD_ATS_TREQ: 0x05, F_STREAM_DISABLED: 0x06,
  F_TRANSL_FORBIDDEN: 0x07, C_BAD_SUBSTREAMID: 0x08, F_CD_FETCH: 0x09, C_BAD_CD: 0x0a, F_WALK_EABT: 0x0b,
  F_TRANSLATION: 0x10, F_ADDR_SIZE: 0x11, F_ACCESS: 0x12, F_PERMISSION: 0x13, F_TLB_CONFLICT: 0x20, F_CFG_CONFLICT: 0x21,
} as const;
export type EventName = keyof typeof EVENT;

const NAMES = new Map<number, EventName>((Object.keys(EVENT) as EventName[]).map((name) => [EVENT[name], name]));

export function eventName(type: number): EventName | undefined {
  return NAMES.get(type);
}

/** CLASS: what was being fetched when a translation-type fault happened. */
export const CLASS_CD = 0;
export const CLASS_TT = 1;
export const CLASS_IN = 2;

export const EVENT_FIELD = {
  type: field(7, 0),
  SSV: field(11, 11),
  SubstreamID: field(31, 12),
  StreamID: field(63, 32),
  STAG: field(79, 64),
  Stall: field(95, 95),
  PnU: field(97, 97),
  InD: field(98, 98),
  /** 1 = read. */
  RnW: field(99, 99),
  NSIPA: field(100, 100),
  S2: field(103, 103),
  CLASS: field(105, 104),
  TTRnW: field(108, 108),
  /** InputAddr in two parts, so that 64-bit addresses stay exact: the 4 KiB frame and the offset in it. */
  InputOffset: field(139, 128),
  InputFrame: field(191, 140),
  IPA: field(247, 204),
} as const;

/** Fields that stand where other records have something else. */
export const PAYLOAD_FIELD = {
  /** External aborts and conflicts: IMPLEMENTATION DEFINED, where stall records have STAG. */
  Reason: field(79, 64),
  /** F_BAD_ATS_TREQ: log2 of the pages asked for, and the permissions asked for. */
  Span: field(67, 64),
  TreqP: field(92, 92),
  TreqX: field(93, 93),
  TreqW: field(94, 94),
  TreqR: field(95, 95),
  /** FetchAddr[55:3] of external aborts in two parts: the 4 KiB frame and the 8-byte word in it. */
  FetchFrame: field(247, 204),
  FetchWord: field(203, 195),
} as const;

/** A decoded record, as far as this path fills it. Addresses: 4 KiB frame and byte offset. */
export interface EventRecord {
  type: number;
  sid: number;
  ssv: number;
  ssid: number;
  read: number;
  privileged: number;
  stage2: number;
  class: number;
  inputFrame: number;
  inputOffset: number;
}

/** Do records of this type carry the address and direction of the access (§7.3.10–7.3.16)? */
export function isTranslationFault(type: number): boolean {
  return type >= EVENT.F_TRANSLATION && type <= EVENT.F_PERMISSION;
}

export function encodeEvent(e: EventRecord, out: Uint32Array, at = 0): void {
  out.fill(0, at, at + EVENT_WORDS * 2);
  setField(out, EVENT_FIELD.type, e.type, at);
  setField(out, EVENT_FIELD.SSV, e.ssv, at);
  setField(out, EVENT_FIELD.SubstreamID, e.ssid, at);
  setField(out, EVENT_FIELD.StreamID, e.sid, at);
  if (!isTranslationFault(e.type)) return;
  setField(out, EVENT_FIELD.PnU, e.privileged, at);
  setField(out, EVENT_FIELD.RnW, e.read, at);
  setField(out, EVENT_FIELD.S2, e.stage2, at);
  setField(out, EVENT_FIELD.CLASS, e.class, at);
  setField(out, EVENT_FIELD.InputFrame, e.inputFrame, at);
  setField(out, EVENT_FIELD.InputOffset, e.inputOffset, at);
}

export function decodeEvent(words: Uint32Array, at = 0): EventRecord {
  return {
    type: getField(words, EVENT_FIELD.type, at), sid: getField(words, EVENT_FIELD.StreamID, at),
    ssv: getField(words, EVENT_FIELD.SSV, at), ssid: getField(words, EVENT_FIELD.SubstreamID, at),
    read: getField(words, EVENT_FIELD.RnW, at), privileged: getField(words, EVENT_FIELD.PnU, at),
    stage2: getField(words, EVENT_FIELD.S2, at), class: getField(words, EVENT_FIELD.CLASS, at),
    inputFrame: getField(words, EVENT_FIELD.InputFrame, at), inputOffset: getField(words, EVENT_FIELD.InputOffset, at),
  };
}

export function describeEvent(e: EventRecord): string {
  const name = eventName(e.type) ?? `event ${hex(e.type)}`;
  return isTranslationFault(e.type)
    ? `${name} sid ${e.sid} ${e.read !== 0 ? 'read' : 'write'} ${hex(e.inputFrame)}${e.inputOffset.toString(16).padStart(3, '0')}`
    : `${name} sid ${e.sid}`;
}

/** A record with its whole payload (§7.3.2–7.3.21). Fields that its type does not have are 0. */
export interface FaultRecord extends EventRecord {
  instruction: number;
  /** 4 KiB frame of the IPA of a stage-2 fault. */
  ipa: number;
  /** F_PERMISSION with CLASS_TT: 1 when the access of the walk was a read, 0 when an update of the descriptor. */
  ttRead: number;
  reason: number;
  /** External aborts: what was being fetched, a 4 KiB frame and an 8-byte word in it. */
  fetchFrame: number;
  fetchWord: number;
  /** F_BAD_ATS_TREQ: log2 of the pages asked for, and write (not NW) and execute. `privileged` and `read` are P and R. */
  span: number;
  treqWrite: number;
  treqExecute: number;
}

export function newFault(): FaultRecord {
  return {
    type: 0, sid: 0, ssv: 0, ssid: 0, read: 0, privileged: 0, stage2: 0, class: 0, inputFrame: 0, inputOffset: 0, instruction: 0, ipa: 0,
    ttRead: 0, reason: 0, fetchFrame: 0, fetchWord: 0, span: 0, treqWrite: 0, treqExecute: 0,
  };
}

/** Parts of a record besides type, StreamID and substream, by type (§7.3). */
const HAS_ACCESS = 1;
const HAS_ADDRESS = 2;
const HAS_STAGE = 4;
const HAS_IPA = 8;
const HAS_FETCH = 16;
const HAS_REASON = 32;
const HAS_TREQ = 64;
const HAS_READ = 128;

function partsOf(type: number): number {
  switch (type) {
    case EVENT.F_UUT: return HAS_REASON | HAS_ACCESS | HAS_ADDRESS;
    case EVENT.F_STE_FETCH: case EVENT.F_CD_FETCH: return HAS_REASON | HAS_FETCH;
    case EVENT.F_BAD_ATS_TREQ: return HAS_TREQ;
    case EVENT.F_TRANSL_FORBIDDEN: return HAS_READ | HAS_ADDRESS;
    case EVENT.F_WALK_EABT: return HAS_REASON | HAS_ACCESS | HAS_ADDRESS | HAS_STAGE | HAS_FETCH;
    case EVENT.F_TRANSLATION: case EVENT.F_ADDR_SIZE: case EVENT.F_ACCESS: case EVENT.F_PERMISSION:
      return HAS_ACCESS | HAS_ADDRESS | HAS_STAGE | HAS_IPA;
    case EVENT.F_TLB_CONFLICT: return HAS_REASON | HAS_ADDRESS | HAS_STAGE | HAS_IPA;
    case EVENT.F_CFG_CONFLICT: return HAS_REASON;
    default: return 0;
  }
}

/** Does a permission fault of the walk say which way the walk went (§7.3.16 TTRnW)? */
function hasWalkDirection(type: number, kind: number): boolean {
  return type === EVENT.F_PERMISSION && kind === CLASS_TT;
}

/**
 * Writes the parts that the type of the record has; everything else is 0. InD is 0 for writes; IPA is 0 without S2; C_BAD_SUBSTREAMID always
 * has a SubstreamID and no SSV (§7.3.9).
 */
export function encodeFault(e: FaultRecord, out: Uint32Array, at = 0): void {
  out.fill(0, at, at + EVENT_WORDS * 2);
  const parts = partsOf(e.type);
  setField(out, EVENT_FIELD.type, e.type, at);
  setField(out, EVENT_FIELD.StreamID, e.sid, at);
  if (e.type !== EVENT.C_BAD_SUBSTREAMID) setField(out, EVENT_FIELD.SSV, e.ssv, at);
  if (e.ssv !== 0 || e.type === EVENT.C_BAD_SUBSTREAMID) setField(out, EVENT_FIELD.SubstreamID, e.ssid, at);
  if ((parts & HAS_REASON) !== 0) setField(out, PAYLOAD_FIELD.Reason, e.reason, at);
  if ((parts & (HAS_ACCESS | HAS_READ)) !== 0) setField(out, EVENT_FIELD.RnW, e.read, at);
  if ((parts & HAS_ACCESS) !== 0) {
    setField(out, EVENT_FIELD.PnU, e.privileged, at);
    if (e.read !== 0) setField(out, EVENT_FIELD.InD, e.instruction, at);
  }
  if ((parts & (HAS_ADDRESS | HAS_TREQ)) !== 0) setField(out, EVENT_FIELD.InputFrame, e.inputFrame, at);
  if ((parts & HAS_ADDRESS) !== 0) setField(out, EVENT_FIELD.InputOffset, e.inputOffset, at);
  if ((parts & HAS_STAGE) !== 0) {
    setField(out, EVENT_FIELD.S2, e.stage2, at);
    if (e.type !== EVENT.F_TLB_CONFLICT) setField(out, EVENT_FIELD.CLASS, e.class, at);
  }
  if ((parts & HAS_IPA) !== 0 && e.stage2 !== 0) setField(out, EVENT_FIELD.IPA, e.ipa, at);
  if (hasWalkDirection(e.type, e.class)) setField(out, EVENT_FIELD.TTRnW, e.ttRead, at);
  if ((parts & HAS_FETCH) !== 0) {
    setField(out, PAYLOAD_FIELD.FetchFrame, e.fetchFrame, at);
    setField(out, PAYLOAD_FIELD.FetchWord, e.fetchWord, at);
  }
  if ((parts & HAS_TREQ) !== 0) encodeRequest(e, out, at);
}

function encodeRequest(e: FaultRecord, out: Uint32Array, at: number): void {
  setField(out, PAYLOAD_FIELD.Span, e.span, at);
  setField(out, PAYLOAD_FIELD.TreqP, e.privileged, at);
  setField(out, PAYLOAD_FIELD.TreqX, e.treqExecute, at);
  setField(out, PAYLOAD_FIELD.TreqW, e.treqWrite, at);
  setField(out, PAYLOAD_FIELD.TreqR, e.read, at);
}

/** Reads a record into `out`: the parts of its type, 0 elsewhere. */
export function decodeFault(words: Uint32Array, at: number, out: FaultRecord): FaultRecord {
  const type = getField(words, EVENT_FIELD.type, at);
  const parts = partsOf(type);
  const access = (parts & HAS_ACCESS) !== 0;
  const treq = (parts & HAS_TREQ) !== 0;
  const fetch = (parts & HAS_FETCH) !== 0;
  out.type = type;
  out.sid = getField(words, EVENT_FIELD.StreamID, at);
  out.ssv = getField(words, EVENT_FIELD.SSV, at);
  out.ssid = getField(words, EVENT_FIELD.SubstreamID, at);
  out.reason = (parts & HAS_REASON) !== 0 ? getField(words, PAYLOAD_FIELD.Reason, at) : 0;
  out.read = treq ? getField(words, PAYLOAD_FIELD.TreqR, at) : (parts & (HAS_ACCESS | HAS_READ)) !== 0 ? getField(words, EVENT_FIELD.RnW, at) : 0;
  out.privileged = treq ? getField(words, PAYLOAD_FIELD.TreqP, at) : access ? getField(words, EVENT_FIELD.PnU, at) : 0;
  out.instruction = access ? getField(words, EVENT_FIELD.InD, at) : 0;
  out.inputFrame = (parts & (HAS_ADDRESS | HAS_TREQ)) !== 0 ? getField(words, EVENT_FIELD.InputFrame, at) : 0;
  out.inputOffset = (parts & HAS_ADDRESS) !== 0 ? getField(words, EVENT_FIELD.InputOffset, at) : 0;
  out.stage2 = (parts & HAS_STAGE) !== 0 ? getField(words, EVENT_FIELD.S2, at) : 0;
  out.class = (parts & HAS_STAGE) !== 0 && type !== EVENT.F_TLB_CONFLICT ? getField(words, EVENT_FIELD.CLASS, at) : 0;
  out.ipa = (parts & HAS_IPA) !== 0 && out.stage2 !== 0 ? getField(words, EVENT_FIELD.IPA, at) : 0;
  out.ttRead = hasWalkDirection(type, out.class) ? getField(words, EVENT_FIELD.TTRnW, at) : 0;
  out.fetchFrame = fetch ? getField(words, PAYLOAD_FIELD.FetchFrame, at) : 0;
  out.fetchWord = fetch ? getField(words, PAYLOAD_FIELD.FetchWord, at) : 0;
  out.span = treq ? getField(words, PAYLOAD_FIELD.Span, at) : 0;
  out.treqWrite = treq ? getField(words, PAYLOAD_FIELD.TreqW, at) : 0;
  out.treqExecute = treq ? getField(words, PAYLOAD_FIELD.TreqX, at) : 0;
  return out;
}

const CLASS_TEXT: readonly string[] = ['while it fetched a CD', 'while it walked stage 1', 'of the input', 'of a reserved class'];

/** One record in words, with the stage and the IPA. */
export function describeFault(e: FaultRecord): string {
  const parts = [eventName(e.type) ?? `event ${hex(e.type)}`, `sid ${e.sid}`];
  const has = partsOf(e.type);
  if (e.ssv !== 0 || e.type === EVENT.C_BAD_SUBSTREAMID) parts.push(`ssid ${e.ssid}`);
  if ((has & (HAS_ACCESS | HAS_READ)) !== 0) parts.push(e.instruction !== 0 ? 'fetch' : e.read !== 0 ? 'read' : 'write');
  if ((has & (HAS_ADDRESS | HAS_TREQ)) !== 0) parts.push(hex(e.inputFrame) + e.inputOffset.toString(16).padStart(3, '0'));
  if ((has & HAS_STAGE) !== 0 && e.stage2 !== 0) parts.push('stage 2', CLASS_TEXT[e.class] as string);
  if ((has & HAS_IPA) !== 0 && e.stage2 !== 0) parts.push(`ipa ${hex(e.ipa)}000`);
  if ((has & HAS_FETCH) !== 0) parts.push(`fetching ${hex(e.fetchFrame * 4096 + e.fetchWord * 8)}`);
  return parts.join(' ');
}

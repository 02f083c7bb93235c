/**
 * Event records (IHI 0070 §7.3), 32 bytes: four 64-bit words, here eight uint32. Encoding and decoding of the
 * records that faults on this path can leave, and their names.
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

/**
 * Pins src/spec/event.ts: numbers of the event records, every field position, which records carry the access, and their
 * text.
 */
import test from 'ava';
import { getField, setField } from '../../src/spec/bits.js';
import {
  CLASS_CD, CLASS_IN, CLASS_TT, decodeEvent, decodeFault, describeEvent, describeFault, encodeEvent, encodeFault, EVENT, EVENT_BYTES, EVENT_FIELD,
  EVENT_WORDS, eventName, isTranslationFault, newFault, PAYLOAD_FIELD, type EventRecord, type FaultRecord,
} from '../../src/spec/event.js';
import { allOnes, rawWords, shownWords } from './words.js';

const NUMBERS = {
  F_UUT: 0x01, C_BAD_STREAMID: 0x02, F_STE_FETCH: 0x03, C_BAD_STE: 0x04, F_BAD_ATS_TREQ: 0x05, F_STREAM_DISABLED: 0x06,
  F_TRANSL_FORBIDDEN: 0x07, C_BAD_SUBSTREAMID: 0x08, F_CD_FETCH: 0x09, C_BAD_CD: 0x0a, F_WALK_EABT: 0x0b,
  F_TRANSLATION: 0x10, F_ADDR_SIZE: 0x11, F_ACCESS: 0x12, F_PERMISSION: 0x13, F_TLB_CONFLICT: 0x20, F_CFG_CONFLICT: 0x21,
};

test('event records have the numbers of §7.3', (t) => {
  t.deepEqual(EVENT, NUMBERS);
});

test('every event number has its name back', (t) => {
  t.deepEqual(Object.values(NUMBERS).map((type) => eventName(type)), Object.keys(NUMBERS));
  t.is(eventName(0), undefined);
  t.is(eventName(0x14), undefined);
});

test('an event record is four 64-bit words', (t) => {
  t.is(EVENT_WORDS, 4);
  t.is(EVENT_BYTES, 32);
});

test('CLASS counts CD, TT and IN from 0', (t) => {
  t.deepEqual([CLASS_CD, CLASS_TT, CLASS_IN], [0, 1, 2]);
});

/** A record in which nothing but the field is set, and all of the field. */
const FIELDS: Readonly<Record<keyof typeof EVENT_FIELD, string>> = {
  type: 'w0 0xff',
  SSV: 'w0 0x800',
  SubstreamID: 'w0 0xfffff000',
  StreamID: 'w0 0xffffffff00000000',
  STAG: 'w1 0xffff',
  Stall: 'w1 0x80000000',
  PnU: 'w1 0x200000000',
  InD: 'w1 0x400000000',
  RnW: 'w1 0x800000000',
  NSIPA: 'w1 0x1000000000',
  S2: 'w1 0x8000000000',
  CLASS: 'w1 0x30000000000',
  TTRnW: 'w1 0x100000000000',
  InputOffset: 'w2 0xfff',
  InputFrame: 'w2 0xfffffffffffff000',
  IPA: 'w3 0xfffffffffff000',
};

for (const name of Object.keys(EVENT_FIELD) as (keyof typeof EVENT_FIELD)[]) {
  test(`event field ${name} is at ${FIELDS[name]}`, (t) => {
    const words = new Uint32Array(8);
    setField(words, EVENT_FIELD[name], allOnes(EVENT_FIELD[name].width));
    t.is(shownWords(words), FIELDS[name]);
    t.is(getField(words, EVENT_FIELD[name]), allOnes(EVENT_FIELD[name].width));
  });
}

const PAYLOAD: Readonly<Record<keyof typeof PAYLOAD_FIELD, string>> = {
  Reason: 'w1 0xffff',
  Span: 'w1 0xf',
  TreqP: 'w1 0x10000000',
  TreqX: 'w1 0x20000000',
  TreqW: 'w1 0x40000000',
  TreqR: 'w1 0x80000000',
  FetchFrame: 'w3 0xfffffffffff000',
  FetchWord: 'w3 0xff8',
};

for (const name of Object.keys(PAYLOAD_FIELD) as (keyof typeof PAYLOAD_FIELD)[]) {
  test(`payload field ${name} is at ${PAYLOAD[name]}`, (t) => {
    const words = new Uint32Array(8);
    setField(words, PAYLOAD_FIELD[name], allOnes(PAYLOAD_FIELD[name].width));
    t.is(shownWords(words), PAYLOAD[name]);
    t.is(getField(words, PAYLOAD_FIELD[name]), allOnes(PAYLOAD_FIELD[name].width));
  });
}

test('only the four translation faults carry the access', (t) => {
  t.deepEqual(Object.values(NUMBERS).filter((type) => isTranslationFault(type)), [0x10, 0x11, 0x12, 0x13]);
  t.false(isTranslationFault(0x0f));
  t.false(isTranslationFault(0x14));
});

function event(change: Partial<EventRecord>): EventRecord {
  return {
    type: EVENT.F_TRANSLATION, sid: 0, ssv: 0, ssid: 0, read: 0, privileged: 0, stage2: 0, class: 0,
    inputFrame: 0, inputOffset: 0, ...change,
  };
}

const RECORDS: readonly { why: string; record: EventRecord; words: string }[] = [
  { why: 'its number', record: event({}), words: 'w0 0x10' },
  { why: 'the stream', record: event({ sid: 0xffffffff }), words: 'w0 0xffffffff00000010' },
  { why: 'the substream', record: event({ ssv: 1, ssid: 0xfffff }), words: 'w0 0xfffff810' },
  { why: 'a read', record: event({ read: 1 }), words: 'w0 0x10, w1 0x800000000' },
  { why: 'a privileged access', record: event({ privileged: 1 }), words: 'w0 0x10, w1 0x200000000' },
  { why: 'stage 2', record: event({ stage2: 1 }), words: 'w0 0x10, w1 0x8000000000' },
  { why: 'the class IN', record: event({ class: CLASS_IN }), words: 'w0 0x10, w1 0x20000000000' },
  { why: 'the input frame', record: event({ inputFrame: 0xfffffffffffff }), words: 'w0 0x10, w2 0xfffffffffffff000' },
  { why: 'the offset in the page', record: event({ inputOffset: 0xffc }), words: 'w0 0x10, w2 0xffc' },
];

for (const { why, record, words } of RECORDS) {
  test(`a translation fault records ${why}`, (t) => {
    const out = new Uint32Array(8);
    encodeEvent(record, out);
    t.is(shownWords(out), words);
    t.deepEqual(decodeEvent(out), record);
  });
}

test('a configuration fault records only the stream and substream', (t) => {
  const out = new Uint32Array(8);
  encodeEvent(event({
    type: EVENT.C_BAD_CD, sid: 3, ssv: 1, ssid: 5, read: 1, privileged: 1, stage2: 1, class: 2, inputFrame: 9, inputOffset: 8,
  }), out);
  t.is(shownWords(out), 'w0 0x30000580a');
});

test('a record overwrites what was in its slot and nothing beside', (t) => {
  const out = new Uint32Array(24).fill(0xffffffff);
  encodeEvent(event({ type: EVENT.C_BAD_STE, sid: 1 }), out, 8);
  t.is(shownWords(out.subarray(8, 16)), 'w0 0x100000004');
  t.deepEqual([...out.subarray(0, 8), ...out.subarray(16)], Array.from({ length: 16 }, () => 0xffffffff));
  t.deepEqual(decodeEvent(out, 8), event({ type: EVENT.C_BAD_STE, sid: 1 }));
});

test('a record whose value does not fit its field is refused', (t) => {
  t.throws(() => encodeEvent(event({ ssid: 0x100000 }), new Uint32Array(8)), { instanceOf: RangeError });
});

test('a raw record is decoded whatever its other words hold', (t) => {
  t.deepEqual(
    decodeEvent(rawWords('0x712345813', '0xffffff5affffffff', '0xfedcba9876543210', '0xffffffffffffffff')),
    event({
      type: EVENT.F_PERMISSION, sid: 7, ssv: 1, ssid: 0x12345, read: 1, privileged: 1, stage2: 0, class: 3,
      inputFrame: 0xfedcba9876543, inputOffset: 0x210,
    }),
  );
});

const TEXTS: readonly { record: EventRecord; text: string }[] = [
  { record: event({ sid: 5, read: 1, inputFrame: 0x446f2, inputOffset: 0x10 }), text: 'F_TRANSLATION sid 5 read 0x446f2010' },
  { record: event({ type: EVENT.F_PERMISSION, sid: 5, inputFrame: 0xfffff, inputOffset: 0xffc }),
    text: 'F_PERMISSION sid 5 write 0xfffffffc' },
  { record: event({ type: EVENT.C_BAD_STE, sid: 9, inputFrame: 1 }), text: 'C_BAD_STE sid 9' },
  { record: event({ type: 0xe0, sid: 1 }), text: 'event 0xe0 sid 1' },
];

for (const { record, text } of TEXTS) {
  test(`an event reads ${text}`, (t) => {
    t.is(describeEvent(record), text);
  });
}

/** A record of which every part is there, each with its own value. */
const ALL: FaultRecord = {
  type: 0, sid: 0x76543210, ssv: 1, ssid: 0xabcde, read: 1, privileged: 1, stage2: 1, class: CLASS_TT, inputFrame: 0x123456789abcd, inputOffset: 0xef0,
  instruction: 1, ipa: 0x123456789ab, ttRead: 1, reason: 0x5a5a, fetchFrame: 0xcba98765432, fetchWord: 0x155, span: 9, treqWrite: 1, treqExecute: 1,
};
const COMMON = 'w0 0x76543210abcde8';
const INPUT = 'w2 0x123456789abcdef0';
const IPA = 'w3 0x123456789ab000';
const FETCH = 'w3 0xcba98765432aa8';

/** What each record has of ALL. */
const WHOLE: readonly { type: keyof typeof EVENT; words: string }[] = [
  { type: 'F_UUT', words: `${COMMON}01, w1 0xe00005a5a, ${INPUT}` },
  { type: 'C_BAD_STREAMID', words: `${COMMON}02` },
  { type: 'F_STE_FETCH', words: `${COMMON}03, w1 0x5a5a, ${FETCH}` },
  { type: 'C_BAD_STE', words: `${COMMON}04` },
  { type: 'F_BAD_ATS_TREQ', words: `${COMMON}05, w1 0xf0000009, w2 0x123456789abcd000` },
  { type: 'F_STREAM_DISABLED', words: `${COMMON}06` },
  { type: 'F_TRANSL_FORBIDDEN', words: `${COMMON}07, w1 0x800000000, ${INPUT}` },
  { type: 'C_BAD_SUBSTREAMID', words: 'w0 0x76543210abcde008' },
  { type: 'F_CD_FETCH', words: `${COMMON}09, w1 0x5a5a, ${FETCH}` },
  { type: 'C_BAD_CD', words: `${COMMON}0a` },
  { type: 'F_WALK_EABT', words: `${COMMON}0b, w1 0x18e00005a5a, ${INPUT}, ${FETCH}` },
  { type: 'F_TRANSLATION', words: `${COMMON}10, w1 0x18e00000000, ${INPUT}, ${IPA}` },
  { type: 'F_ADDR_SIZE', words: `${COMMON}11, w1 0x18e00000000, ${INPUT}, ${IPA}` },
  { type: 'F_ACCESS', words: `${COMMON}12, w1 0x18e00000000, ${INPUT}, ${IPA}` },
  { type: 'F_PERMISSION', words: `${COMMON}13, w1 0x118e00000000, ${INPUT}, ${IPA}` },
  { type: 'F_TLB_CONFLICT', words: `${COMMON}20, w1 0x8000005a5a, ${INPUT}, ${IPA}` },
  { type: 'F_CFG_CONFLICT', words: `${COMMON}21, w1 0x5a5a` },
];

for (const { type, words } of WHOLE) {
  test(`${type} has its payload and nothing else`, (t) => {
    const out = new Uint32Array(8).fill(0xffffffff);
    encodeFault({ ...ALL, type: EVENT[type] }, out);
    t.is(shownWords(out), words);
    const back = decodeFault(out, 0, { ...ALL });
    const again = new Uint32Array(8);
    encodeFault(back, again);
    t.deepEqual(again, out);
  });
}

test('every record has a whole form', (t) => {
  t.deepEqual(WHOLE.map((w) => w.type), Object.keys(EVENT) as (keyof typeof EVENT)[]);
});

const PARTS: readonly { why: string; change: Partial<FaultRecord>; words: string }[] = [
  { why: 'a write has no InD', change: { type: EVENT.F_TRANSLATION, instruction: 1 }, words: 'w0 0x10' },
  { why: 'a fetch', change: { type: EVENT.F_TRANSLATION, instruction: 1, read: 1 }, words: 'w0 0x10, w1 0xc00000000' },
  { why: 'stage 1 has no IPA', change: { type: EVENT.F_TRANSLATION, ipa: 5 }, words: 'w0 0x10' },
  { why: 'stage 2 has an IPA', change: { type: EVENT.F_TRANSLATION, ipa: 5, stage2: 1 }, words: 'w0 0x10, w1 0x8000000000, w3 0x5000' },
  { why: 'a permission fault of the input has no TTRnW', change: { type: EVENT.F_PERMISSION, class: CLASS_IN, ttRead: 1 }, words: 'w0 0x13, w1 0x20000000000' },
  { why: 'a permission fault of the walk has TTRnW', change: { type: EVENT.F_PERMISSION, class: CLASS_TT, ttRead: 1 }, words: 'w0 0x13, w1 0x110000000000' },
  { why: 'an access fault of the walk has no TTRnW', change: { type: EVENT.F_ACCESS, class: CLASS_TT, ttRead: 1 }, words: 'w0 0x12, w1 0x10000000000' },
  { why: 'no SubstreamID without SSV', change: { type: EVENT.F_ACCESS, ssid: 7 }, words: 'w0 0x12' },
  { why: 'an external abort of a fetch in the first word of a frame', change: { type: EVENT.F_CD_FETCH, fetchFrame: 1 }, words: 'w0 0x9, w3 0x1000' },
];

for (const { why, change, words } of PARTS) {
  test(`in a record ${why}`, (t) => {
    const out = new Uint32Array(8);
    encodeFault({ ...newFault(), ...change }, out);
    t.is(shownWords(out), words);
  });
}

test('a new fault has no bit set', (t) => {
  t.deepEqual(Object.values(newFault()).filter((value) => value !== 0), []);
});

/** Fields besides type, StreamID and substream that are read from a record with all bits set. */
const ADDRESS: readonly string[] = ['inputFrame', 'inputOffset'];
const ACCESS: readonly string[] = ['instruction', 'privileged', 'read'];
const READ_PARTS: Readonly<Partial<Record<keyof typeof EVENT, readonly string[]>>> = {
  F_UUT: ['reason', ...ACCESS, ...ADDRESS],
  F_STE_FETCH: ['reason', 'fetchFrame', 'fetchWord'],
  F_BAD_ATS_TREQ: ['inputFrame', 'privileged', 'read', 'span', 'treqExecute', 'treqWrite'],
  F_TRANSL_FORBIDDEN: ['read', ...ADDRESS],
  F_CD_FETCH: ['reason', 'fetchFrame', 'fetchWord'],
  F_WALK_EABT: ['reason', ...ACCESS, ...ADDRESS, 'stage2', 'class', 'fetchFrame', 'fetchWord'],
  F_TRANSLATION: [...ACCESS, ...ADDRESS, 'stage2', 'class', 'ipa'],
  F_ADDR_SIZE: [...ACCESS, ...ADDRESS, 'stage2', 'class', 'ipa'],
  F_ACCESS: [...ACCESS, ...ADDRESS, 'stage2', 'class', 'ipa'],
  F_PERMISSION: [...ACCESS, ...ADDRESS, 'stage2', 'class', 'ipa'],
  F_TLB_CONFLICT: ['reason', ...ADDRESS, 'stage2', 'ipa'],
  F_CFG_CONFLICT: ['reason'],
};

for (const name of Object.keys(EVENT) as (keyof typeof EVENT)[]) {
  test(`of a full ${name} only its own fields are read`, (t) => {
    const words = new Uint32Array(8).fill(0xffffffff);
    setField(words, EVENT_FIELD.type, EVENT[name]);
    const fault = decodeFault(words, 0, newFault());
    const found = (Object.keys(fault) as (keyof FaultRecord)[]).filter((key) => !['type', 'sid', 'ssv', 'ssid'].includes(key) && fault[key] !== 0);
    t.deepEqual(found.sort(), [...(READ_PARTS[name] ?? [])].sort());
  });
}

test('an IPA is read of stage 2 only', (t) => {
  t.is(decodeFault(rawWords('0x10', '0x0', '0x0', '0x5000'), 0, newFault()).ipa, 0);
  t.is(decodeFault(rawWords('0x10', '0x8000000000', '0x0', '0x5000'), 0, newFault()).ipa, 5);
});

test('decoding leaves nothing of the record before', (t) => {
  t.deepEqual(decodeFault(new Uint32Array(8), 0, { ...ALL, type: EVENT.F_PERMISSION }), newFault());
});

test('a record is read and written where it stands', (t) => {
  const out = new Uint32Array(24).fill(0xffffffff);
  encodeFault({ ...newFault(), type: EVENT.C_BAD_CD, sid: 3 }, out, 8);
  t.is(shownWords(out.subarray(8, 16)), 'w0 0x30000000a');
  t.deepEqual([...out.subarray(0, 8), ...out.subarray(16)], Array.from({ length: 16 }, () => 0xffffffff));
  t.deepEqual(decodeFault(out, 8, newFault()), { ...newFault(), type: EVENT.C_BAD_CD, sid: 3 });
});

const FAULT_TEXTS: readonly { record: Partial<FaultRecord>; text: string }[] = [
  { record: { type: EVENT.F_TRANSLATION, sid: 5, read: 1, class: CLASS_IN, inputFrame: 0x446f2, inputOffset: 0x10 }, text: 'F_TRANSLATION sid 5 read 0x446f2010' },
  { record: { type: EVENT.F_PERMISSION, sid: 5, ssv: 1, ssid: 3, class: CLASS_TT, stage2: 1, ipa: 0x80010 },
    text: 'F_PERMISSION sid 5 ssid 3 write 0x0000 stage 2 while it walked stage 1 ipa 0x80010000' },
  { record: { type: EVENT.F_ACCESS, sid: 5, read: 1, instruction: 1, class: CLASS_CD, stage2: 1, ipa: 1, inputFrame: 2 },
    text: 'F_ACCESS sid 5 fetch 0x2000 stage 2 while it fetched a CD ipa 0x1000' },
  { record: { type: EVENT.F_ADDR_SIZE, sid: 5, class: CLASS_IN, stage2: 1, ipa: 1, inputFrame: 2 }, text: 'F_ADDR_SIZE sid 5 write 0x2000 stage 2 of the input ipa 0x1000' },
  { record: { type: EVENT.F_STE_FETCH, sid: 9, fetchFrame: 0x80, fetchWord: 8 }, text: 'F_STE_FETCH sid 9 fetching 0x80040' },
  { record: { type: EVENT.C_BAD_SUBSTREAMID, sid: 9, ssid: 0 }, text: 'C_BAD_SUBSTREAMID sid 9 ssid 0' },
  { record: { type: 0xe0, sid: 1 }, text: 'event 0xe0 sid 1' },
  { record: { ...ALL, type: EVENT.C_BAD_CD, sid: 1, ssv: 0, instruction: 0 }, text: 'C_BAD_CD sid 1' },
  { record: { ...ALL, type: EVENT.F_TRANSL_FORBIDDEN, sid: 1, ssv: 0, instruction: 0 }, text: 'F_TRANSL_FORBIDDEN sid 1 read 0x123456789abcdef0' },
];

for (const { record, text } of FAULT_TEXTS) {
  test(`a fault reads ${text}`, (t) => {
    t.is(describeFault({ ...newFault(), ...record }), text);
  });
}

/**
 * Pins src/spec/level1.ts: Span and pointers of level-1 stream table and CD table descriptors, and the indexes of both CD
 * table formats.
 */
import test from 'ava';
import { cdIndex1, cdIndex2, L1_BYTES, l1cdLow, l1cdPointer, l1cdValid, l1High, l1stdLow, l1stdPointer, l1stdStreams } from '../../src/spec/level1.js';

test('a level-1 descriptor is one 64-bit word', (t) => {
  t.is(L1_BYTES, 8);
});

/** STEs that each Span 0..31 gives for splits 6, 8 and 10. */
const STREAMS: readonly { span: number; streams: readonly [number, number, number] }[] = [
  { span: 0, streams: [0, 0, 0] },
  { span: 1, streams: [1, 1, 1] },
  { span: 2, streams: [2, 2, 2] },
  { span: 6, streams: [32, 32, 32] },
  { span: 7, streams: [64, 64, 64] },
  { span: 8, streams: [0, 128, 128] },
  { span: 9, streams: [0, 256, 256] },
  { span: 10, streams: [0, 0, 512] },
  { span: 11, streams: [0, 0, 1024] },
  { span: 12, streams: [0, 0, 0] },
  { span: 31, streams: [0, 0, 0] },
];

for (const { span, streams } of STREAMS) {
  test(`Span ${span} gives ${streams.join(', ')} STEs with split 6, 8, 10`, (t) => {
    t.deepEqual([6, 8, 10].map((split) => l1stdStreams(0xffffffc0 + span, split)), [...streams]);
  });
}

test('a reserved Span gives no STEs even where the split would allow it', (t) => {
  t.is(l1stdStreams(12, 11), 0);
});

const POINTERS: readonly { span: number; lo: number; hi: number; address: number }[] = [
  { span: 1, lo: 0xffffffc0, hi: 0xffffffff, address: 0xffffffffffffc0 },
  { span: 2, lo: 0xffffffc0, hi: 0, address: 0xffffff80 },
  { span: 7, lo: 0xffffffc0, hi: 0, address: 0xfffff000 },
  { span: 9, lo: 0x80004000, hi: 0xff000001, address: 0x180004000 },
  { span: 9, lo: 0x80007fc0, hi: 1, address: 0x180004000 },
  { span: 11, lo: 0xffffffc0, hi: 0, address: 0xffff0000 },
  { span: 0, lo: 0x1fe0, hi: 0, address: 0x1fc0 },
];

for (const { span, lo, hi, address } of POINTERS) {
  test(`L2Ptr 0x${hi.toString(16)}:0x${lo.toString(16)} of Span ${span} is 0x${address.toString(16)}`, (t) => {
    t.is(l1stdPointer(lo + span, hi), address);
  });
}

test('an L1STD is put together from pointer and Span', (t) => {
  t.is(l1stdLow(0x180004000, 9), 0x80004009);
  t.is(l1High(0x180004000), 1);
});

test('V of an L1CD is bit 0', (t) => {
  t.true(l1cdValid(1));
  t.false(l1cdValid(0xfffffffe));
});

test('L2Ptr of an L1CD is bits [55:12], with 64 KB tables aligned to them', (t) => {
  t.is(l1cdPointer(0xffffffff, 0xffffffff, 1), 0xfffffffffff000);
  t.is(l1cdPointer(0xffffffff, 0xffffffff, 2), 0xffffffffff0000);
  t.is(l1cdPointer(0x80013001, 2, 1), 0x280013000);
  t.is(l1cdPointer(0x80013001, 2, 2), 0x280010000);
});

test('an L1CD is put together from its pointer', (t) => {
  t.is(l1cdLow(0x380013000), 0x80013001);
  t.is(l1High(0x380013000), 3);
});

const INDEXES: readonly { ssid: number; fmt: 1 | 2; first: number; second: number }[] = [
  { ssid: 0, fmt: 1, first: 0, second: 0 },
  { ssid: 63, fmt: 1, first: 0, second: 63 },
  { ssid: 64, fmt: 1, first: 1, second: 0 },
  { ssid: 0xfffff, fmt: 1, first: 16383, second: 63 },
  { ssid: 1023, fmt: 2, first: 0, second: 1023 },
  { ssid: 1024, fmt: 2, first: 1, second: 0 },
  { ssid: 0xfffff, fmt: 2, first: 1023, second: 1023 },
];

for (const { ssid, fmt, first, second } of INDEXES) {
  test(`substream ${ssid} of format ${fmt} is CD ${second} of level-1 entry ${first}`, (t) => {
    t.is(cdIndex1(ssid, fmt), first);
    t.is(cdIndex2(ssid, fmt), second);
  });
}

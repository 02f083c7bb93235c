/**
 * Pins src/spec/bits.ts: where a field given by architectural bit positions lands in the uint32 pairs of a structure,
 * that reading one field never depends on the bits beside it, that a value which does not fit is refused, and hex text.
 */
import test from 'ava';
import { extract, field, getField, hex, hex64, POW2, setField, TWO32 } from '../../src/spec/bits.js';
import { rawWords, shownWords } from './words.js';

test('powers of two are exact from 2^0 to 2^63', (t) => {
  t.is(POW2.length, 64);
  t.deepEqual(POW2.map((value) => BigInt(value)), Array.from({ length: 64 }, (_, n) => 1n << BigInt(n)));
  t.is(BigInt(TWO32), 1n << 32n);
});

const POSITIONS = [
  { high: 0, low: 0, word: 0, shift: 0, width: 1 },
  { high: 63, low: 59, word: 0, shift: 59, width: 5 },
  { high: 64, low: 64, word: 1, shift: 0, width: 1 },
  { high: 115, low: 68, word: 1, shift: 4, width: 48 },
  { high: 255, low: 224, word: 3, shift: 32, width: 32 },
  { high: 511, low: 448, word: 7, shift: 0, width: 64 },
];

for (const { high, low, ...expected } of POSITIONS) {
  test(`bits [${high}:${low}] are a field of word ${expected.word}`, (t) => {
    t.deepEqual(field(high, low), expected);
  });
}

const EXTRACTED = [
  { why: 'the low bit', lo: 0xfffffffe, hi: 0xffffffff, shift: 0, width: 1, value: 0 },
  { why: 'a low byte below a full high half', lo: 0x12345678, hi: 0xffffffff, shift: 0, width: 8, value: 0x78 },
  { why: 'six low bits below an ASID of 1997', lo: 0xc0003510, hi: 0x07cde204, shift: 0, width: 6, value: 16 },
  { why: 'a whole low half', lo: 0x89abcdef, hi: 0xffffffff, shift: 0, width: 32, value: 0x89abcdef },
  { why: 'the top bit of the low half', lo: 0x80000000, hi: 0, shift: 31, width: 1, value: 1 },
  { why: 'bits of both halves', lo: 0xf0000000, hi: 0x5, shift: 28, width: 8, value: 0x5f },
  { why: 'a pointer below filled upper bits', lo: 0x44b5d00b, hi: 0xff000000, shift: 6, width: 50, value: 0x112d740 },
  { why: 'the lowest bit of the high half', lo: 0xffffffff, hi: 0xfffffffe, shift: 32, width: 1, value: 0 },
  { why: 'the whole high half', lo: 0xffffffff, hi: 0x89abcdef, shift: 32, width: 32, value: 0x89abcdef },
  { why: 'the top five bits', lo: 0xffffffff, hi: 0xa8000000, shift: 59, width: 5, value: 0x15 },
  { why: 'fifty-two bits', lo: 0xfffff000, hi: 0xffffffff, shift: 12, width: 52, value: 0xfffffffffffff },
];

for (const { why, lo, hi, shift, width, value } of EXTRACTED) {
  test(`extract reads ${why}`, (t) => {
    t.is(extract(lo, hi, shift, width), value);
  });
}

test('extract takes halves that are negative int32 as unsigned', (t) => {
  t.is(extract(-1, 0, 0, 32), 0xffffffff);
  t.is(extract(0, -1, 32, 32), 0xffffffff);
  t.is(extract(-1, -1, 28, 8), 0xff);
});

const STORED = [
  { why: 'inside the low half', high: 13, low: 12, value: 2, before: '0xffffffffffffffff', after: '0xffffffffffffefff' },
  { why: 'inside the high half', high: 47, low: 44, value: 5, before: '0xffffffffffffffff', after: '0xffff5fffffffffff' },
  { why: 'across the halves', high: 35, low: 28, value: 0x5a, before: '0xffffffffffffffff', after: '0xfffffff5afffffff' },
  { why: 'into the lowest bit of the high half', high: 32, low: 28, value: 0x11, before: '0xefffffffff', after: '0xef1fffffff' },
  { why: 'up to the top bit', high: 63, low: 59, value: 1, before: '0xffffffffffffffff', after: '0x0fffffffffffffff' },
  { why: 'over nothing', high: 55, low: 6, value: 0x112d740, before: '0x0', after: '0x44b5d000' },
  { why: 'back to zero', high: 55, low: 6, value: 0, before: '0xffffffffffffffff', after: '0xff0000000000003f' },
];

for (const { why, high, low, value, before, after } of STORED) {
  test(`setField stores ${why} and keeps the bits beside`, (t) => {
    const words = rawWords(before);
    setField(words, field(high, low), value);
    t.is(shownWords(words), shownWords(rawWords(after)));
    t.is(getField(words, field(high, low)), value);
  });
}

test('getField and setField count from the base of the structure', (t) => {
  const words = new Uint32Array(12);
  setField(words, field(64, 64), 1, 4);
  t.is(shownWords(words), 'w3 0x1');
  t.is(getField(words, field(64, 64), 4), 1);
  t.is(getField(words, field(64, 64)), 0);
  setField(words, field(127, 124), 9, 4);
  t.is(shownWords(words), 'w3 0x9000000000000001');
  t.is(getField(words, field(127, 124), 4), 9);
});

const MISFITS = [
  { why: 'one too large', value: 8 },
  { why: 'negative', value: -1 },
  { why: 'not an integer', value: 1.5 },
  { why: 'not a number', value: Number.NaN },
  { why: 'infinite', value: Number.POSITIVE_INFINITY },
];

for (const { why, value } of MISFITS) {
  test(`setField refuses a value that is ${why}`, (t) => {
    const words = rawWords('0x123456789abcdef');
    t.throws(() => setField(words, field(34, 32), value), {
      instanceOf: RangeError, message: `value ${value} does not fit a field of 3 bits`,
    });
    t.is(shownWords(words), 'w0 0x123456789abcdef');
  });
}

test('setField takes the largest value that fits', (t) => {
  const words = rawWords('0x0');
  setField(words, field(34, 32), 7);
  t.is(shownWords(words), 'w0 0x700000000');
});

const HEX64 = [
  { lo: 0, hi: 0, text: '0x0' },
  { lo: 0xfc02046, hi: 0, text: '0xfc02046' },
  { lo: 0xc0003510, hi: 0x1e204, text: '0x1e204c0003510' },
  { lo: 1, hi: 1, text: '0x100000001' },
  { lo: -1, hi: -1, text: '0xffffffffffffffff' },
];

for (const { lo, hi, text } of HEX64) {
  test(`hex64 writes ${text}`, (t) => {
    t.is(hex64(lo, hi), text);
  });
}

test('hex writes a number below 2^53', (t) => {
  t.is(hex(0), '0x0');
  t.is(hex(0x446f2f47), '0x446f2f47');
  t.is(hex(0x1fffffffffffff), '0x1fffffffffffff');
});

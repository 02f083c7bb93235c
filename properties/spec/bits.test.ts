/**
 * Pins the field arithmetic of src/spec/bits.ts against 64-bit BigInt arithmetic, and that every field of the STE, the CD and
 * the event record can be set and read without touching another.
 */
import test from 'ava';
import fc from 'fast-check';
import { extract, getField, hex64, setField, type Field } from '../../src/spec/bits.js';
import { CD } from '../../src/spec/cd.js';
import { EVENT_FIELD } from '../../src/spec/event.js';
import { STE } from '../../src/spec/ste.js';

const RUNS = { seed: 1, numRuns: 2000 };

/** Random halves: uniform ones and the corners at which rounding shows. */
const uint32 = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff));

const span = fc.integer({ min: 0, max: 63 }).chain((shift) =>
  fc.record({ shift: fc.constant(shift), width: fc.integer({ min: 1, max: Math.min(53, 64 - shift) }) }));

test('extract agrees with 64-bit shifting and masking', (t) => {
  fc.assert(fc.property(uint32, uint32, span, (lo, hi, { shift, width }) => {
    const word = (BigInt(hi) << 32n) | BigInt(lo);
    t.is(BigInt(extract(lo, hi, shift, width)), (word >> BigInt(shift)) & ((1n << BigInt(width)) - 1n));
  }), RUNS);
  t.pass();
});

test('extract reads int32 halves as it reads uint32 ones', (t) => {
  fc.assert(fc.property(uint32, uint32, span, (lo, hi, { shift, width }) => {
    t.is(extract(lo | 0, hi | 0, shift, width), extract(lo, hi, shift, width));
  }), RUNS);
  t.pass();
});

test('setField agrees with 64-bit masking and shifting', (t) => {
  const withValue = span.chain((s) => fc.record({ span: fc.constant(s), value: fc.integer({ min: 0, max: 2 ** s.width - 1 }) }));
  fc.assert(fc.property(uint32, uint32, withValue, (lo, hi, { span: { shift, width }, value }) => {
    const words = Uint32Array.of(lo, hi);
    setField(words, { word: 0, shift, width }, value);
    const mask = ((1n << BigInt(width)) - 1n) << BigInt(shift);
    const expected = (((BigInt(hi) << 32n) | BigInt(lo)) & ~mask) | (BigInt(value) << BigInt(shift));
    t.deepEqual([...words], [Number(expected & 0xffffffffn), Number(expected >> 32n)]);
  }), RUNS);
  t.pass();
});

test('hex64 writes what BigInt writes', (t) => {
  fc.assert(fc.property(uint32, uint32, (lo, hi) => {
    t.is(hex64(lo, hi), `0x${((BigInt(hi) << 32n) | BigInt(lo)).toString(16)}`);
  }), RUNS);
  t.pass();
});

const STRUCTURES: readonly { name: string; fields: Readonly<Record<string, Field>>; uint32s: number }[] = [
  { name: 'STE', fields: STE, uint32s: 16 },
  { name: 'CD', fields: CD, uint32s: 16 },
  { name: 'event record', fields: EVENT_FIELD, uint32s: 8 },
];

for (const { name, fields, uint32s } of STRUCTURES) {
  const anyField = fc.constantFrom(...Object.entries(fields));
  const withValue = anyField.chain(([key, f]) =>
    fc.record({ key: fc.constant(key), f: fc.constant(f), value: fc.integer({ min: 0, max: 2 ** f.width - 1 }) }));
  const content = fc.uint32Array({ minLength: uint32s * 2, maxLength: uint32s * 2 });

  test(`a field of the ${name} reads back as it was set, at any base`, (t) => {
    fc.assert(fc.property(content, withValue, fc.constantFrom(0, uint32s), (words, { f, value }, base) => {
      setField(words, f, value, base);
      t.is(getField(words, f, base), value);
    }), RUNS);
    t.pass();
  });

  test(`setting a field of the ${name} changes no other field and no other bit`, (t) => {
    fc.assert(fc.property(content, withValue, fc.constantFrom(0, uint32s), (words, { key, f, value }, base) => {
      const before = words.slice();
      setField(words, f, value, base);
      for (const [other, g] of Object.entries(fields)) {
        if (other !== key) t.is(getField(words, g, base), getField(before, g, base), other);
      }
      setField(words, f, getField(before, f, base), base);
      t.deepEqual(words, before);
    }), RUNS);
    t.pass();
  });

  test(`a value that does not fit a field of the ${name} is refused and changes nothing`, (t) => {
    const misfit = fc.oneof(
      fc.integer({ min: 0, max: 1000 }).map((over) => (width: number) => 2 ** width + over),
      fc.integer({ min: -1000, max: -1 }).map((below) => () => below),
      fc.integer({ min: 0, max: 1 }).map((part) => () => part + 0.5),
    );
    fc.assert(fc.property(content, anyField, misfit, (words, [, f], value) => {
      const before = words.slice();
      t.throws(() => setField(words, f, value(f.width)), { instanceOf: RangeError });
      t.deepEqual(words, before);
    }), { ...RUNS, numRuns: 500 });
    t.pass();
  });
}

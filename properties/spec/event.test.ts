/**
 * Pins the encoding of event records in src/spec/event.ts over the full range of every field.
 */
import test from 'ava';
import fc from 'fast-check';
import { decodeEvent, encodeEvent, EVENT, isTranslationFault, type EventRecord } from '../../src/spec/event.js';

const RUNS = { seed: 1, numRuns: 2000 };
const bit = fc.integer({ min: 0, max: 1 });

const anyRecord: fc.Arbitrary<EventRecord> = fc.record({
  type: fc.constantFrom(...Object.values(EVENT)),
  sid: fc.integer({ min: 0, max: 0xffffffff }),
  ssv: bit,
  ssid: fc.integer({ min: 0, max: 0xfffff }),
  read: bit,
  privileged: bit,
  stage2: bit,
  class: fc.integer({ min: 0, max: 3 }),
  inputFrame: fc.integer({ min: 0, max: 2 ** 52 - 1 }),
  inputOffset: fc.integer({ min: 0, max: 0xfff }),
});

test('a record decodes to what was encoded, without the access where it carries none', (t) => {
  const none = { read: 0, privileged: 0, stage2: 0, class: 0, inputFrame: 0, inputOffset: 0 };
  fc.assert(fc.property(anyRecord, fc.constantFrom(0, 8), (record, at) => {
    const words = new Uint32Array(16);
    encodeEvent(record, words, at);
    t.deepEqual(decodeEvent(words, at), isTranslationFault(record.type) ? record : { ...record, ...none });
  }), RUNS);
  t.pass();
});

test('what a slot of the queue held before leaves no trace', (t) => {
  fc.assert(fc.property(anyRecord, fc.uint32Array({ minLength: 8, maxLength: 8 }), (record, used) => {
    const fresh = new Uint32Array(8);
    encodeEvent(record, fresh);
    encodeEvent(record, used);
    t.deepEqual(used, fresh);
  }), RUNS);
  t.pass();
});

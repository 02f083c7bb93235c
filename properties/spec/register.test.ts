/**
 * Pins the queue arithmetic of src/spec/register.ts against a queue that simply counts what was put in and taken out.
 */
import test from 'ava';
import fc from 'fast-check';
import { queueIndex, queueNext, queueUsed } from '../../src/spec/register.js';

const RUNS = { seed: 1, numRuns: 500 };
const anyLog2 = fc.integer({ min: 0, max: 19 });

test('used entries and indexes follow any sequence of puts and takes', (t) => {
  const steps = fc.array(fc.record({ put: fc.boolean(), by: fc.integer({ min: 1, max: 5 }) }), { maxLength: 60 });
  fc.assert(fc.property(fc.integer({ min: 0, max: 4 }), steps, (log2, sequence) => {
    const size = 2 ** log2;
    let prod = 0;
    let cons = 0;
    let put = 0;
    let taken = 0;
    for (const step of sequence) {
      if (step.put) {
        const by = Math.min(step.by, size - (put - taken));
        put += by;
        prod = queueNext(prod, log2, by);
      } else {
        const by = Math.min(step.by, put - taken);
        taken += by;
        cons = queueNext(cons, log2, by);
      }
      t.is(queueUsed(prod, cons, log2), put - taken);
      t.is(queueIndex(prod, log2), put % size);
      t.is(queueIndex(cons, log2), taken % size);
    }
  }), RUNS);
  t.pass();
});

test('moving by many entries is moving one entry many times', (t) => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 5 }), fc.nat(63), fc.nat(70), (log2, start, by) => {
    const pointer = start % 2 ** (log2 + 1);
    let single = pointer;
    for (let i = 0; i < by; i += 1) single = queueNext(single, log2);
    t.is(queueNext(pointer, log2, by), single);
  }), RUNS);
  t.pass();
});

test('a queue of any size is full after its size in entries and never sooner', (t) => {
  fc.assert(fc.property(anyLog2, fc.nat(0xfffff), fc.nat(0x7ffff), (log2, start, some) => {
    const size = 2 ** log2;
    const cons = start % (2 * size);
    t.is(queueUsed(queueNext(cons, log2, size), cons, log2), size);
    t.is(queueUsed(queueNext(cons, log2, some % size), cons, log2), some % size);
  }), RUNS);
  t.pass();
});

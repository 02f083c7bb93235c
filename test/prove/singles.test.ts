/** Singles: what is a run and what is none, and that a run is counted as its commands would be one by one. */
import fc from 'fast-check';
import test from 'ava';
import { multiples, Singles } from '../../src/prove/singles.js';
import { SHAPES, tallyShape, tallySingles } from '../../src/prove/shapes.js';
import { TGS } from '../../src/spec/granule.js';

function payloads(frames: readonly number[], leaf = 0): Uint32Array {
  return Uint32Array.from(frames.flatMap((f) => [0, 0, (f % 2 ** 20) * 4096 + leaf, Math.floor(f / 2 ** 20)]));
}

const steps = (first: number, step: number, n: number): number[] => Array.from({ length: n }, (_, i) => first + i * step);

test('equal steps to the end are a run, from the first or from the second command on', (t) => {
  const s = new Singles(4);
  t.is(s.begin(payloads(steps(5, 1, 9)), 9), 0);
  t.is(s.step, 1);
  t.is(s.begin(payloads([3, ...steps(512, 512, 8)]), 9), 1);
  t.is(s.step, 512);
  t.is(s.begin(payloads(steps(2 ** 20 - 3, 1, 9), 1), 9), 0, 'across 2^20 frames');
  t.is(s.begin(payloads(steps(2 ** 52 - 9, 1, 9)), 9), 0, 'up to the top');
  t.is(s.begin(payloads(steps(5, 1, 3)), 3), 3, 'too short');
  t.is(s.begin(payloads([1, 3, ...steps(512, 512, 7)]), 9), 9, 'two are off');
  t.is(s.begin(payloads([...steps(5, 1, 8), 14]), 9), 9, 'the last is off');
  t.is(s.begin(payloads(steps(50, -1, 9)), 9), 9, 'downwards');
});

test('one bit in any word of any command, and it is no run', (t) => {
  const s = new Singles(4);
  const n = 40;
  const words = payloads(steps(2 ** 20 - 8, 1, n), 1);
  t.is(s.begin(words, n), 0);
  for (let at = 0; at < n * 4; at += 1) {
    for (let bit = 0; bit < 32; bit += 1) {
      const was = words[at] as number;
      words[at] = was ^ (1 << bit);
      if (s.begin(words, n) < (at < 4 ? 1 : n)) t.fail(`word ${at} bit ${bit}`);
      words[at] = was;
    }
  }
  t.is(s.begin(words, n), 0);
});

test('runs come in any order, of any step, and longer than what was written before', (t) => {
  const s = new Singles(2);
  fc.assert(fc.property(fc.nat(2 ** 21), fc.constantFrom(1, 4, 16, 512, 2 ** 18, 3, 2 ** 27), fc.integer({ min: 2, max: 300 }), fc.integer({ min: 0, max: 1 }), (first, step, n, leaf) => {
    t.is(s.begin(payloads(steps(first, step, n), leaf), n), 0);
  }), { numRuns: 500, seed: 3 });
});

test('a run is counted as its commands are', (t) => {
  const first = fc.oneof(fc.nat(2 ** 13), fc.nat(2 ** 30), fc.nat(40).map((k) => k * 2 ** 18), fc.constant(2 ** 51));
  fc.assert(fc.property(fc.constantFrom(...TGS), first, fc.constantFrom(1, 4, 16, 512, 2048, 2 ** 18, 2 ** 25, 3, 48, 1536), fc.integer({ min: 1, max: 600 }), fc.integer({ min: 0, max: 1 }), (tg, from, step, n, leaf) => {
    const words = payloads(steps(from, step, n), leaf);
    const [fast, slow] = [new Float64Array(SHAPES), new Float64Array(SHAPES)];
    tallySingles(fast, { ds: leaf === 0, tg, leaf }, { first: from, step, n });
    for (let i = 0; i < n; i += 1) tallyShape(slow, leaf === 0, tg, words, i * 4);
    if (fast.some((v, i) => v !== slow[i])) t.fail(`${tg} ${from} ${step} ${n}`);
  }), { numRuns: 400, seed: 4 });
  t.is(multiples(3, 1, 600, 512), 1);
});

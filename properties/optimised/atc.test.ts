/** Claim: the range of an ATC_INV is aligned, has both ends, and no smaller aligned power of two has both. */
import test from 'ava';
import fc from 'fast-check';
import { atcRange } from '../../src/optimised/driver/planners/atc.js';

const frame = fc.oneof(fc.nat(100), fc.maxSafeNat().map((n) => n % 2 ** 52), fc.tuple(fc.nat(19), fc.integer({ min: -3, max: 3 })).map(([k, off]) => Math.max(0, 2 ** (32 + k) + off)));
const ends = fc.tuple(frame, fc.oneof(frame, fc.nat(5000))).map(([first, n]) => (n < 5000 ? [first, Math.min(first + n, 2 ** 52 - 1)] : [Math.min(first, n), Math.max(first, n)]) as [number, number]);

test('smallest, aligned, and over both ends', (t) => {
  t.notThrows(() => {
    fc.assert(fc.property(ends, ([first, last]) => {
      const r = atcRange(first, last);
      const block = (n: number, size: number): bigint => BigInt(n) >> BigInt(size);
      const has = (size: number): boolean => block(first, size) === block(last, size);
      return has(r.size) && BigInt(r.frame) === block(first, r.size) << BigInt(r.size) && (r.size === 0 || !has(r.size - 1));
    }), { numRuns: 20_000, seed: 71 });
  });
});

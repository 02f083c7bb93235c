/**
 * Claim: the indices that the posted walk computes in granules are those of unsigned 64-bit words, for every granule, start level and root,
 * any address and any size, those that have wrapped as well.
 */
import test from 'ava';
import fc from 'fast-check';
import { postedCount, postedEnd, postedFirst, wordSpan, type IndexShape } from '../../../src/optimised/tables/cleaners/posted-index.js';
import { TGS } from '../../../src/spec/granule.js';

const U64 = (x: bigint): bigint => BigInt.asUintN(64, x);

/** The three figures as a machine with 64-bit words has them. */
function wide(s: IndexShape, level: number, iova: bigint, size: bigint): { first: bigint; end: bigint; count: bigint } {
  const stride = s.tg - 3;
  const shiftOf = (l: number): bigint => BigInt((4 - l) * stride + 3);
  const extra = (l: number): bigint => (l === s.startLevel ? BigInt(s.rootBits - stride) : 0n);
  const offset = iova & U64((1n << (shiftOf(level - 1) + extra(level - 1))) - 1n);
  const first = (iova >> shiftOf(level)) & ((1n << (BigInt(stride) + extra(level))) - 1n);
  const end = U64(offset + size + (1n << shiftOf(level)) - (1n << BigInt(s.tg))) >> shiftOf(level);
  const page = 1n << BigInt(stride);
  const left = page - (first & (page - 1n));
  const wanted = U64(end - first);
  return { first, end, count: wanted < left ? wanted : left };
}

interface Asked {
  readonly shape: IndexShape;
  readonly level: number;
  readonly iova: bigint;
  readonly size: bigint;
}

const WORD = fc.oneof(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), fc.bigInt({ min: 0n, max: 1n << 40n }), fc.bigInt({ min: -(1n << 40n), max: -1n }).map((x) => U64(x)));

const ASKED: fc.Arbitrary<Asked> = fc.constantFrom(...TGS).chain((tg) => {
  const least = tg === 12 ? -1 : tg === 14 ? 0 : 1;
  return fc.integer({ min: least, max: 3 }).chain((startLevel) => fc.record({
    shape: fc.integer({ min: 1, max: startLevel > least ? tg - 3 + 4 : tg - 3 }).map((rootBits): IndexShape => ({ tg, startLevel, rootBits })),
    level: fc.integer({ min: startLevel, max: 3 }), iova: WORD, size: WORD,
  }));
});

test('indices in granules are indices in 64-bit words', (t) => {
  fc.assert(fc.property(ASKED, ({ shape, level, iova, size }) => {
    const unit = BigInt(shape.tg);
    const at = (iova >> unit) << unit;
    const length = (size >> unit) << unit;
    const wanted = wide(shape, level, at, length);
    const first = postedFirst(shape, level, Number(at >> unit));
    const end = postedEnd(shape, level, Number(at >> unit), Number(length >> unit));
    return BigInt(first) === wanted.first && BigInt(end) === wanted.end && BigInt(postedCount(shape, first, end)) === wanted.count;
  }), { numRuns: 20_000 });
  t.pass();
});

test('a word of granules wraps where 64 bits wrap', (t) => {
  for (const tg of TGS) t.is(BigInt(wordSpan(tg)) << BigInt(tg), 1n << 64n);
});

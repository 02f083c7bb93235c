/** SpanCache against its slow twin: a list of entries, searched from end to end. */
import test from 'ava';
import { mix } from '../../../src/memory/memory.js';
import { levelFrames } from '../../../src/spec/granule.js';
import { SpanCache, spanNumber, type SpanScope } from '../../../src/optimised/machine/span-cache.js';

type Key = readonly [asid: number, level: number, first: number];

/** A fixed sequence of numbers below `bound`. */
function sequence(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x9e3779b9) | 0;
    return (mix(state) >>> 0) % bound;
  };
}

function contents(cache: SpanCache): string[] {
  const keys: string[] = [];
  cache.forEach((asid, frame, level) => keys.push(`${asid}/${level}/${frame}`));
  return keys.sort();
}

function named(scope: SpanScope, [asid, level, first]: Key): boolean {
  return (scope.asid < 0 || scope.asid === asid) && level >= scope.fromLevel && level <= scope.toLevel
    && first <= scope.last && first + levelFrames(12, level) - 1 >= scope.first;
}

function randomScope(next: (bound: number) => number): SpanScope {
  const first = next(3) * 2 ** 27 + next(1200);
  const fromLevel = next(4);
  return { asid: next(4) - 1, first, last: first + next(2) * next(2 ** 19) + next(4), fromLevel, toLevel: fromLevel + next(4 - fromLevel) };
}

test('dropSpans removes what the match rule names, and nothing else', (t) => {
  const next = sequence(1);
  for (let round = 0; round < 2000; round += 1) {
    const cache = new SpanCache(64);
    for (let i = 0; i < 24; i += 1) cache.claim(next(3), next(4), next(3) * 2 ** 27 + next(1200));
    const scope = randomScope(next);
    const kept: string[] = [];
    cache.forEach((asid, frame, level) => { if (!named(scope, [asid, level, frame])) kept.push(`${asid}/${level}/${frame}`); });
    cache.dropSpans(scope);
    t.deepEqual(contents(cache), kept.sort());
  }
});

test('find answers exactly the entries that are there', (t) => {
  const next = sequence(2);
  const cache = new SpanCache(16);
  for (let round = 0; round < 3000; round += 1) {
    const [asid, level, frame] = [next(2), next(4), next(2) * 2 ** 35 + next(4096)] as const;
    const expected = contents(cache).includes(`${asid}/${level}/${spanNumber(frame, level) * levelFrames(12, level)}`);
    t.is(cache.find(asid, level, frame) >= 0, expected);
    cache.claim(asid, level, frame);
  }
});

test('a key is held once', (t) => {
  const cache = new SpanCache(8);
  cache.claim(1, 2, 0x200);
  cache.claim(1, 2, 0x3ff);
  t.deepEqual(contents(cache), ['1/2/512']);
});

test('dropAsid removes that ASID only', (t) => {
  const cache = new SpanCache(8);
  cache.claim(1, 3, 5);
  cache.claim(2, 3, 5);
  cache.dropAsid(1);
  t.deepEqual(contents(cache), ['2/3/5']);
});

test('one entry is a cache, too', (t) => {
  const cache = new SpanCache(1);
  cache.claim(1, 3, 5);
  cache.claim(1, 3, 6);
  t.deepEqual(contents(cache), ['1/3/6']);
});

test('a number of entries that is no power of two is refused', (t) => {
  t.throws(() => new SpanCache(12), { instanceOf: RangeError });
});

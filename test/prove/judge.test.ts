/**
 * Judge: equal to the literal check, which asks the reference's own matching rule about every entry: ranges in windows of 64 entries with all
 * damaged levels, granules and features, for planners right and wrong; and commands that no planner gives.
 */
import fc from 'fast-check';
import test from 'ava';
import { BAD, legalPayload } from '../../src/prove/judge.js';
import { sentOf, stays } from '../../src/prove/literal.js';
import { allStrata, FEATURES, leafLevels, tableLevels } from '../../src/prove/strata.js';
import { levelFrames, TGS } from '../../src/spec/granule.js';
import { levelBit, type Description } from '../../src/stack/description.js';
import { WHOLE_TAG } from '../../src/stack/planner.js';
import { both, everyWindow, judge, prepare, window, WINDOW } from './windows.js';

/** One range of so many; every one: test/campaigns/judge.test.ts. */
const STEP = 7;

for (const features of FEATURES) {
  for (const tg of TGS) {
    test(`equal to the literal check: ${2 ** (tg - 10)}K, ${features.range ? `ranges${features.ds ? ' with DS' : ''}` : 'no ranges'}`, (t) => { everyWindow(t, tg, features, STEP); });
  }
}

test('equal to the literal check around boundaries, at the top, and for ranges that begin anywhere', (t) => {
  const seen = new Map<number, number>();
  for (const s of allStrata(undefined)) {
    if ((!s.features.range && s.place !== 'any') || s.place === 'low' || s.place === 'sizes' || (s.leaves * 3 + s.tables) % 4 !== 0) continue;
    const shift = s.place === 'top' ? s.count - Math.min(WINDOW, s.count) : Math.max(0, s.count / 2 - WINDOW / 2);
    window(t, { ...s, base: s.base + shift * s.unit, count: Math.min(WINDOW, s.count) }, STEP, seen);
  }
  t.true(seen.size > 4);
});

const anyWord = fc.integer({ min: 0, max: 63 });
const payload = fc.record({
  tg: fc.integer({ min: 0, max: 3 }), ttl: fc.integer({ min: 0, max: 3 }), leaf: fc.integer({ min: 0, max: 1 }), num: fc.integer({ min: 0, max: 31 }),
  scale: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 5 }) }, anyWord), at: fc.integer({ min: -4, max: 40 }), level: fc.integer({ min: 1, max: 3 }),
  stray: fc.oneof({ weight: 20, arbitrary: fc.constant([0, 0, 0]) }, fc.tuple(fc.constantFrom(0, 1, 0x800, 0x8000, 2 ** 31), fc.constantFrom(0, 1, 2 ** 16), fc.constantFrom(0, 2, 0x80))),
  far: fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, fc.constantFrom(2 ** 43, 2 ** 44, 2 ** 52 - 2 ** 43)),
});
const situation = fc.record({
  tg: fc.constantFrom(...TGS), features: fc.constantFrom(...FEATURES), first: fc.integer({ min: 0, max: 40 }), units: fc.integer({ min: 1, max: 40 }),
  leaves: fc.integer({ min: 0, max: 31 }), tables: fc.integer({ min: 0, max: 31 }), payloads: fc.array(payload, { maxLength: 5 }), upper: fc.boolean(), any: fc.boolean(),
});

test('equal to the literal check for commands that no planner gives', (t) => {
  let refuted = 0;
  fc.assert(fc.property(situation, (s) => {
    const leaves = leafLevels(s.tg, s.features.ds).reduce((bits, level) => bits | (s.leaves & levelBit(level)), 0);
    const tables = tableLevels(s.tg, s.features.ds).reduce((bits, level) => bits | (s.tables & levelBit(level)), 0);
    if (leaves === 0 && tables === 0) return;
    const damage = leaves | tables;
    const unit = s.any ? levelFrames(s.tg, 3) : levelFrames(s.tg, 3 - (31 - Math.clz32(damage & -damage)));
    const base = s.upper ? 2 ** 52 - 128 * unit : 0;
    const d: Description = { tg: s.tg, first: base + s.first * unit, last: base + (s.first + s.units) * unit - 1, leaves, tables, all: false };
    if (d.last - d.first > 2 ** 24) return; // too many entries to name
    const words = Uint32Array.from(s.payloads.flatMap((p) => {
      const frame = Math.max(0, Math.min(2 ** 52 - 1, (p.far !== 0 ? p.far : base) + p.at * Math.min(unit, levelFrames(s.tg, p.level))));
      const [a, b, c] = p.stray as readonly [number, number, number];
      return [((p.num << 12) | (p.scale << 20) | a) >>> 0, b, (((frame % 2 ** 20) * 4096) | p.leaf | (p.ttl << 8) | (p.tg << 10) | c) >>> 0, Math.floor(frame / 2 ** 20)];
    }));
    prepare(s.features, s.tg, d, { range: 9, single: 9, over: () => 16 });
    const { bad, slow } = both(d, s, words, s.payloads.length, s.features.range ? 16 : 0);
    t.is(bad, slow, JSON.stringify([d, s.features, [...words]]));
    for (let i = 0; i < s.payloads.length; i += 1) t.is(legalPayload(words, i * 4, s.features), sentOf(words, i, { ...s.features, wholeRunOnly: false }).error === undefined);
    if ((bad & BAD.coverage) !== 0) {
      refuted += 1;
      const hole = judge.firstHole(d.first, d.last, words, s.payloads.length);
      t.true(hole !== null && stays(d, { ...s.features, wholeRunOnly: false }, hole, words, s.payloads.length));
    }
  }), { numRuns: 3000, seed: 5 });
  t.true(refuted > 200);
});

/** Range commands of 4K with TTL 3 and Leaf 1: first granule, NUM, SCALE. */
function ranges(...list: readonly (readonly [number, number, number])[]): Uint32Array {
  return Uint32Array.from(list.flatMap(([frame, num, scale]) => [(num << 12) | (scale << 20), 0, ((frame % 2 ** 20) * 4096) | 0x701, Math.floor(frame / 2 ** 20)]).map((w) => w >>> 0));
}

const PAGES = { leaves: 1, tables: 0 };
const GENEROUS = { range: 9, single: 9, over: () => Infinity };

test('commands need not be in order', (t) => {
  prepare({ range: true, ds: false }, 12, PAGES, GENEROUS);
  t.is(judge.check(0, 63, ranges([0, 31, 0], [32, 31, 0]), 2), 0);
  t.is(judge.check(0, 63, ranges([32, 31, 0], [0, 31, 0]), 2), 0);
  t.is(judge.check(0, 63, ranges([40, 23, 0], [0, 31, 0], [8, 31, 0]), 3), BAD.contiguous, 'the run of 32 is in no one of them');
});

test('a range that begins in the lower half does not reach into the upper', (t) => {
  const features = { range: true, ds: true };
  prepare(features, 12, PAGES, GENEROUS);
  const first = 2 ** 52 - 64;
  const below = ranges([2 ** 52 - 2 ** 44, 31, 39]);
  const d: Description = { tg: 12, first, last: 2 ** 52 - 1, ...PAGES, all: false };
  t.deepEqual(both(d, { features }, below, 1, Infinity), { bad: BAD.coverage | BAD.contiguous, slow: BAD.coverage | BAD.contiguous });
  const inside = ranges([2 ** 52 - 2 ** 43, 31, 38]);
  t.deepEqual(both(d, { features }, inside, 1, Infinity), { bad: 0, slow: 0 });
});

test('the whole tag is always complete; a count that is none never', (t) => {
  prepare({ range: true, ds: false }, 12, { leaves: 1, tables: 0 }, { range: 1, single: 1, over: () => 0 });
  t.is(judge.check(0, 9, new Uint32Array(4), WHOLE_TAG), 0);
  for (const count of [-2, 2, Number.NaN]) t.not(judge.check(0, 9, new Uint32Array(4), count) & BAD.coverage, 0);
  t.not(judge.check(0, 9, new Uint32Array(4), 0) & BAD.coverage, 0);
});

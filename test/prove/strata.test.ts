/** Strata: which damage can occur and where: levels that exist, whole entries of the deepest one, within one half of the address space. */
import test from 'ava';
import { PLANNERS, findPlanner } from '../../src/parts/planners.js';
import { allStrata, bitsIn, deepestLevel, EXPANDED_WINDOW, expands, leafLevels, sizeSpans, spansOf, tableLevels, WINDOW } from '../../src/prove/strata.js';
import { leafAllowed, levelFrames, TGS } from '../../src/spec/granule.js';
import { levelBit } from '../../src/stack/description.js';

const PROMISE = findPlanner('single-range')?.promise;
const STRATA = allStrata(PROMISE);

test('leaves stand where the architecture lets them', (t) => {
  for (const tg of TGS) {
    for (const ds of [false, true]) {
      for (let level = -1; level <= 3; level += 1) t.is(leafLevels(tg, ds).includes(level), leafAllowed(tg, level, ds, true), `${tg} ${level} ${ds}`);
      t.false(tableLevels(tg, ds).includes(3));
    }
  }
});

test('every set of damaged levels of every granule and SMMU is there once in each place', (t) => {
  const seen = new Set<string>();
  for (const s of STRATA) {
    const key = [s.tg, s.features.range, s.features.ds, s.leaves, s.tables, s.place].join();
    t.false(seen.has(key), key);
    seen.add(key);
    t.not(s.leaves | s.tables, 0);
    t.is(s.tables & levelBit(3), 0);
  }
  const low = (tg: number, range: boolean, ds: boolean): number => STRATA.filter((s) => s.place === 'low' && s.tg === tg && s.features.range === range && s.features.ds === ds).length;
  t.deepEqual([12, 14, 16].map((tg) => [low(tg, false, false), low(tg, true, false), low(tg, true, true)]), [[63, 63, 255], [31, 31, 63], [31, 31, 31]]);
});

test('windows are 4096 entries of the deepest damaged level, or as many as 52 bits hold; aligned, and in one half', (t) => {
  for (const s of STRATA) {
    const entry = levelFrames(s.tg, deepestLevel(s));
    if (s.place === 'sizes') {
      for (const span of sizeSpans(s).slice(0, 200)) t.true(span.first % entry === 0 && span.frames % entry === 0 && span.frames > 0);
      continue;
    }
    t.is(s.unit, s.place === 'any' ? levelFrames(s.tg, 3) : entry);
    t.is(s.base % s.unit, 0);
    t.is(s.count, s.place === 'any' ? WINDOW : Math.min(WINDOW, 2 ** 40 / entry));
    t.is(Math.floor(s.base / 2 ** 43), Math.floor((s.base + s.count * s.unit - 1) / 2 ** 43));
    if (s.place === 'top') t.is(s.base + s.count * s.unit, 2 ** 52);
    if (s.place === 'middle') t.true(s.base < levelFrames(s.tg, deepestLevel(s) - 2) && s.base + s.count * s.unit > levelFrames(s.tg, deepestLevel(s) - 2));
    t.is(spansOf(s), (s.count * (s.count + 1)) / 2);
  }
});

test('sizes reach both ends and lie in one half', (t) => {
  const s = STRATA.find((x) => x.place === 'sizes' && x.unit === 1);
  if (s === undefined) return t.fail();
  const spans = sizeSpans(s);
  t.true(spans.some((x) => x.first + x.frames === 2 ** 52) && spans.some((x) => x.first + x.frames === 2 ** 43) && spans.some((x) => x.first === 0 && x.frames === 1));
  for (const x of spans) t.is(Math.floor(x.first / 2 ** 43), Math.floor((x.first + x.frames - 1) / 2 ** 43));
  t.is(new Set(spans.map((x) => `${x.first} ${x.frames}`)).size, spans.length);
  return undefined;
});

test('planners that expand ranges get windows of 256 entries where each is very many commands, and of 4096 else', (t) => {
  t.deepEqual(PLANNERS.filter((p) => expands(p.promise, { range: false, ds: false })).map((p) => p.name), ['per-granule', 'exact-ranges']);
  t.deepEqual(PLANNERS.filter((p) => expands(p.promise, { range: true, ds: false })).map((p) => p.name), ['per-granule']);
  const full = new Map(STRATA.map((s) => [[s.tg, s.features.range, s.features.ds, s.leaves, s.tables, s.place].join(), s]));
  let small = 0;
  for (const s of allStrata(findPlanner('per-granule')?.promise)) {
    const same = full.get([s.tg, s.features.range, s.features.ds, s.leaves, s.tables, s.place].join());
    if (s.place === 'sizes' || s.place === 'any' || s.tables === 0 || deepestLevel(s) !== 2) {
      t.deepEqual(s, same);
      continue;
    }
    small += 1;
    t.is(s.count, EXPANDED_WINDOW);
  }
  t.is(small, 600);
  t.is(bitsIn(0b1011), 3);
});

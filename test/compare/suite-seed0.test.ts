/** Suite seed-0: the committed table is what is measured now, and says what seed 0 claims. */
import test from 'ava';
import { readFileSync } from 'node:fs';
import { alignedPower, LENGTHS, suiteSeed0, SUITE_PLANNERS, type SceneRow, type SuiteSeed0 } from '../../src/compare/suite-seed0.js';
import { suiteMarkdown } from '../../src/report/suite.js';

let made: SuiteSeed0 | undefined;

/** Measured once, and inside of a test. */
function suite(): SuiteSeed0 {
  made ??= suiteSeed0();
  return made;
}

/** Commands by planner, 'all' for the whole tag. */
function commands(what: string, range: boolean): Record<string, number | 'all'> {
  const row = suite().scenes.find((r) => r.what === what) as SceneRow;
  return Object.fromEntries((range ? row.withRange : row.withoutRange).map((s) => [s.planner, s.whole ? 'all' as const : s.count]));
}

test('the committed table is what is measured now', (t) => {
  t.is(readFileSync(new URL('../../../corpus/tables/seed-0.md', import.meta.url), 'utf8'), suiteMarkdown(suite()));
});

test('every plan of the table is right', (t) => {
  for (const r of suite().scenes) for (const s of [...r.withRange, ...r.withoutRange]) t.is(s.wrong, null, `${r.what}: ${s.planner}`);
});

test('a table of 2 MB or 1 GB: one command, where there was one a page', (t) => {
  for (const range of [true, false]) {
    t.like(commands('an emptied table of 2 MB is removed', range), { 'per-granule': 512, 'single-range': 1, 'double-range': 1 });
    t.like(commands('an emptied table of 1 GB is removed', range), { 'per-granule': 262144, 'single-range': 1, 'double-range': 1 });
  }
});

test('a range of odd length: one command, where the exact loop needs several', (t) => {
  t.deepEqual(commands('33 pages are unmapped', true), { 'per-granule': 33, 'exact-ranges': 2, 'single-range': 1, 'double-range': 2 });
  t.deepEqual(commands('74,565 pages at an odd address are unmapped', true), { 'per-granule': 74565, 'exact-ranges': 3, 'single-range': 1, 'double-range': 2 });
});

test('SVA: one command that names level 3, where the old calculation gave no level', (t) => {
  const row = suite().scenes.find((r) => r.what.includes('37 pages')) as SceneRow;
  const ttls = (planner: string): number[] => row.withRange[SUITE_PLANNERS.indexOf(planner)]?.commands.map((c) => c.ttl) ?? [];
  t.deepEqual(ttls('exact-ranges'), [0, 0]);
  t.deepEqual(ttls('single-range'), [3]);
});

test('one range reaches less than a sixteenth too far, one aligned power of two has no such bound', (t) => {
  for (const e of suite().excess) t.true(e.single.worst < 1 / 16, e.what);
  t.is(suite().excess[0]?.ranges, LENGTHS);
  t.true((suite().excess[1]?.single.worst ?? 0) > 0.0624999);
  t.true((suite().excess[0]?.power.worst ?? 0) > 0.99);
  t.true((suite().excess[2]?.power.worst ?? 0) > 1000);
});

test('the smallest aligned power of two', (t) => {
  t.deepEqual([[0, 0], [0, 1], [1, 2], [4, 7], [4, 8], [2 ** 40, 2 ** 40 + 1], [2 ** 40 - 1, 2 ** 40]].map(([a, b]) => alignedPower(a as number, b as number)), [1, 2, 4, 4, 16, 2, 2 ** 41]);
  t.is(alignedPower(0, 2 ** 31 - 1), 2 ** 31);
});

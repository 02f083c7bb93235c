/** Two ranges, exact on both ends, and the form that cuts no contiguous run. Figures worked out from the algorithm's description. */
import test from 'ava';
import { DOUBLE_RANGE_CONT } from '../../../../src/optimised/driver/planners/double-range-cont.js';
import { DOUBLE_RANGE } from '../../../../src/optimised/driver/planners/double-range.js';
import { SINGLE_RANGE } from '../../../../src/optimised/driver/planners/single-range.js';
import type { Tg } from '../../../../src/spec/granule.js';
import { countOf, damage, fields, illegal, pages, RANGE, RANGE_DS, SINGLES, type Fields } from './fields.js';

const KB4 = 4096;
const MB2 = 2 ** 21;
const GB1 = 2 ** 30;

/** What, start, last, leaf bitmap, table bitmap, granule, single, double (missing: the same). */
const ROWS: readonly [what: string, start: number, last: number, leaves: number, tables: number, tg: Tg, single: Fields, double?: readonly Fields[]][] = [
  ['leaves of two levels in one page', 0x1000, 0x1fff, 3, 0, 12, [0x1000, 0, 0, 0, 0, 1]],
  ['33 pages', 0, 0x20fff, 1, 0, 12, [0, 1, 16, 1, 3, 1], [[0, 1, 15, 1, 3, 1], [0x20000, 1, 0, 0, 3, 1]]],
  ['pages and their table', 0, 0x1fffff, 1, 2, 12, [0, 1, 31, 4, 3, 0]],
  ['a 2 MB block', 0, 0x1fffff, 2, 0, 12, [0, 1, 31, 4, 2, 1]],
  ['a table of 1 GB alone', 0, GB1 - 1, 0, 4, 12, [0, 1, 31, 13, 2, 0]],
  ['pages and tables of two levels', 0, GB1 - 1, 1, 6, 12, [0, 1, 31, 13, 3, 0]],
  ['2 MB blocks and the table above them', 0, GB1 - 1, 2, 4, 12, [0, 1, 31, 13, 2, 0]],
  ['1025 pages from an odd start', 0x1000, 0x401fff, 1, 0, 12, [0x1000, 1, 16, 6, 3, 1], [[0x1000, 1, 15, 6, 3, 1], [0x401000, 1, 0, 0, 3, 1]]],
  ['a 64 GB table of 16K', 0, 64 * GB1 - 1, 0, 4, 14, [0, 2, 31, 17, 2, 0]],
  ['a 512 MB table of 64K', 0, 2 ** 29 - 1, 0, 2, 16, [0, 3, 31, 8, 3, 0]],
];

for (const [what, start, last, leaves, tables, tg, single, double = [single]] of ROWS) {
  test(`${what}: one range, or ${double.length}`, (t) => {
    const d = damage(start, last + 1 - start, leaves, tables, tg);
    t.deepEqual(fields(SINGLE_RANGE, d, RANGE), [single]);
    t.deepEqual(fields(DOUBLE_RANGE, d, RANGE), double);
    t.deepEqual(fields(DOUBLE_RANGE_CONT, d, RANGE), double, 'no run is cut');
    for (const planner of [SINGLE_RANGE, DOUBLE_RANGE, DOUBLE_RANGE_CONT]) t.is(illegal(planner, d, RANGE), undefined);
  });
}

test('the whole 64-bit space is the whole tag', (t) => {
  for (const planner of [SINGLE_RANGE, DOUBLE_RANGE, DOUBLE_RANGE_CONT]) {
    for (const f of [RANGE, RANGE_DS]) t.is(fields(planner, pages(0, 2 ** 52), f), 'all');
  }
});

/** n → NUM and SCALE of the first; start, NUM, SCALE of the second. */
const SPLITS: readonly [n: number, num: number, scale: number, start: number, num2: number, scale2: number][] = [
  [33, 15, 1, 32, 0, 0], [66, 15, 2, 64, 1, 0], [127, 30, 2, 124, 2, 0], [1023, 30, 5, 992, 30, 0], [1057, 15, 6, 1023, 16, 1],
  [16896, 15, 10, 16384, 31, 4], [262143, 30, 13, 253951, 31, 8],
];

for (const [n, num, scale, start, num2, scale2] of SPLITS) {
  test(`${n} granules are NUM ${num}, SCALE ${scale} and from ${start} on NUM ${num2}, SCALE ${scale2}`, (t) => {
    t.deepEqual(fields(DOUBLE_RANGE, pages(0, n), RANGE), [[0, 1, num, scale, 3, 1], [start * KB4, 1, num2, scale2, 3, 1]]);
  });
}

for (const n of [1, 31, 32, 34, 64, 128, 136, 1024, 1088, 2176, 262144, 278528]) {
  test(`${n} granules are one range exactly: no second`, (t) => {
    t.is(countOf(DOUBLE_RANGE, pages(0, n), RANGE), 1);
    t.is(countOf(DOUBLE_RANGE_CONT, pages(0, n), RANGE), 1);
  });
}

test('2^36 granules are the most without DS, 2^44 with it', (t) => {
  for (const planner of [DOUBLE_RANGE, DOUBLE_RANGE_CONT]) {
    t.deepEqual(fields(planner, pages(0, 2 ** 36), RANGE), [[0, 1, 31, 31, 3, 1]]);
    t.is(fields(planner, pages(0, 2 ** 36 + 1), RANGE), 'all');
    t.deepEqual(fields(planner, pages(0, 2 ** 36 + 1), RANGE_DS), [[0, 1, 15, 32, 3, 1], [2 ** 48, 1, 0, 0, 3, 1]]);
    t.deepEqual(fields(planner, pages(0, 2 ** 44), RANGE_DS), [[0, 1, 31, 39, 3, 1]]);
    t.is(fields(planner, pages(0, 2 ** 44 + 1), RANGE_DS), 'all');
  }
});

test('a second range that is not aligned to the level has no hint, and one granule of it no TG', (t) => {
  const d = damage(0, 33 * MB2, 2);
  t.deepEqual(fields(DOUBLE_RANGE, d, RANGE), [[0, 1, 15, 10, 2, 1], [32 * MB2, 1, 31, 4, 2, 1]]);
  const odd = damage(0, 33 * KB4, 2);
  t.deepEqual(fields(DOUBLE_RANGE, odd, RANGE), [[0, 1, 15, 1, 2, 1], [32 * KB4, 0, 0, 0, 0, 1]]);
  t.deepEqual(fields(DOUBLE_RANGE, damage(0, 35 * KB4, 2), RANGE), [[0, 1, 16, 1, 2, 1], [34 * KB4, 0, 0, 0, 0, 1]]);
  t.deepEqual(fields(DOUBLE_RANGE, damage(0, 66 * KB4, 2), RANGE), [[0, 1, 15, 2, 2, 1], [64 * KB4, 1, 1, 0, 0, 1]]);
  for (const n of [33, 35, 66]) t.is(illegal(DOUBLE_RANGE, damage(0, n * KB4, 2), RANGE), undefined);
});

/** Granule, first granule, n → plain, and with the run in one piece (address, NUM, SCALE). */
type Piece = readonly [address: number, num: number, scale: number];
const CUTS: readonly [tg: Tg, first: number, n: number, run: string, plain: readonly Piece[], whole: readonly Piece[]][] = [
  [12, 1, 47, '64K at granules 32 to 47', [[0x1000, 22, 1], [0x2f000, 0, 0]], [[0x1000, 22, 1], [0x20000, 15, 0]]],
  [14, 1, 255, '2M at granules 128 to 255', [[0x4000, 30, 3], [0x3e4000, 6, 0]], [[0x4000, 30, 3], [0x200000, 31, 2]]],
  [16, 1, 63, '2M at granules 32 to 63', [[0x10000, 30, 1], [0x3f0000, 0, 0]], [[0x10000, 30, 1], [0x200000, 31, 0]]],
];

for (const [tg, first, n, run, plain, whole] of CUTS) {
  test(`granule 2^${tg}: the seam cuts the run of ${run}; the fixed form has it in one range`, (t) => {
    const pieces = (planner: typeof DOUBLE_RANGE): unknown => {
      const list = fields(planner, pages(first, n, tg), RANGE);
      return list === 'all' ? list : list.map(([address, , num, scale]) => [address, num, scale]);
    };
    t.deepEqual(pieces(DOUBLE_RANGE), plain);
    t.deepEqual(pieces(DOUBLE_RANGE_CONT), whole);
    t.is(countOf(SINGLE_RANGE, pages(first, n, tg), RANGE), 1);
  });
}

test('a run that sticks out of the damage is left alone: nothing of it was mapped', (t) => {
  t.deepEqual(fields(DOUBLE_RANGE_CONT, pages(1, 46), RANGE), fields(DOUBLE_RANGE, pages(1, 46), RANGE));
  t.deepEqual(fields(DOUBLE_RANGE_CONT, pages(33, 33), RANGE), fields(DOUBLE_RANGE, pages(33, 33), RANGE));
});

test('tables alone have no runs', (t) => {
  const d = damage(KB4, 47 * KB4, 0, 2);
  t.deepEqual(fields(DOUBLE_RANGE_CONT, d, RANGE), fields(DOUBLE_RANGE, d, RANGE));
});

test('the largest run across the seam goes into one range, with all smaller ones in it', (t) => {
  // 47 blocks of 2 MB from block 1 on: the seam at block 47 cuts the run of blocks 32 to 47, but no run of pages.
  const d = damage(MB2, 47 * MB2, 3);
  t.deepEqual(fields(DOUBLE_RANGE, d, RANGE), [[MB2, 1, 22, 10, 0, 1], [47 * MB2, 1, 31, 4, 0, 1]]);
  t.deepEqual(fields(DOUBLE_RANGE_CONT, d, RANGE), [[MB2, 1, 22, 10, 0, 1], [32 * MB2, 1, 31, 8, 0, 1]]);
  t.deepEqual(fields(DOUBLE_RANGE_CONT, { ...d, leaves: 1 }, RANGE), fields(DOUBLE_RANGE, { ...d, leaves: 1 }, RANGE)?.slice(0, 2));
});

test('where a longer second range would begin before the damage, a third has exactly the run', (t) => {
  const d = pages(122, 135, 14); // the run of granules 128 to 255; from 128 on a range of 129 granules is one of 136, from 121 on
  const at = (granule: number): number => granule * 2 ** 14;
  t.deepEqual(fields(DOUBLE_RANGE, d, RANGE), [[at(122), 2, 15, 3, 3, 1], [at(250), 2, 6, 0, 3, 1]]);
  t.deepEqual(fields(DOUBLE_RANGE_CONT, d, RANGE), [[at(122), 2, 15, 3, 3, 1], [at(250), 2, 6, 0, 3, 1], [at(128), 2, 0, 7, 3, 1]]);
  t.is(illegal(DOUBLE_RANGE_CONT, d, RANGE), undefined);
});

test('without range support both are as one range: singles, or the whole tag', (t) => {
  for (const planner of [DOUBLE_RANGE, DOUBLE_RANGE_CONT]) {
    t.is(countOf(planner, pages(0, 512), SINGLES), 512);
    t.is(countOf(planner, pages(0, 513), SINGLES), 'all');
  }
});

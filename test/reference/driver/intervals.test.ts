/** Intervals: runs of neighbouring entries, cut and joined at their ends. Frames, ends exclusive. */
import test from 'ava';
import { Intervals, runGives, type Run } from '../../../src/reference/driver/intervals.js';

const A: Run = { first: 10, end: 20, pa: 110, unit: 1, writable: true };
const BLOCK: Run = { first: 512, end: 1536, pa: 4096, unit: 512, writable: false };

function runs(...list: readonly Run[]): Intervals {
  const i = new Intervals();
  for (const r of list) i.add(r);
  return i;
}

test('runs are sorted, however they were added', (t) => {
  t.deepEqual(runs(BLOCK, A).runs, [A, BLOCK]);
});

test('a page is found in its run', (t) => {
  const i = runs(A, BLOCK);
  t.is(i.at(9), undefined);
  t.is(i.at(10), A);
  t.is(i.at(19), A);
  t.is(i.at(20), undefined);
  t.is(i.at(1535), BLOCK);
});

test('any: some page of the range is mapped', (t) => {
  const i = runs(A);
  t.deepEqual([i.any(0, 10), i.any(0, 11), i.any(19, 30), i.any(20, 30), i.any(0, 100)], [false, true, true, false, true]);
});

test('covers: every page is, across neighbours', (t) => {
  const i = runs(A, { ...A, first: 20, end: 25, pa: 500 });
  t.deepEqual([i.covers(10, 25), i.covers(10, 26), i.covers(9, 12), i.covers(15, 22)], [true, false, false, true]);
});

test('cuts: pages are never cut, blocks at their own multiples only', (t) => {
  const i = runs(A, BLOCK);
  t.deepEqual([i.cuts(11, 15), i.cuts(512, 1024), i.cuts(1024, 1536), i.cuts(512, 513), i.cuts(600, 1024), i.cuts(10, 600)], [false, false, false, true, true, true]);
});

test('remove takes the middle out of a run and keeps both ends, outputs in step', (t) => {
  const i = runs(A);
  t.deepEqual(i.remove(13, 15), [{ ...A, first: 13, end: 15, pa: 113 }]);
  t.deepEqual(i.runs, [{ ...A, end: 13 }, { ...A, first: 15, pa: 115 }]);
});

test('remove takes several runs at once', (t) => {
  const i = runs(A, { ...A, first: 20, end: 25, pa: 500 }, BLOCK);
  t.deepEqual(i.remove(18, 1024).map((r) => [r.first, r.end, r.pa]), [[18, 20, 118], [20, 25, 500], [512, 1024, 4096]]);
  t.deepEqual(i.runs.map((r) => [r.first, r.end, r.pa]), [[10, 18, 110], [1024, 1536, 4608]]);
});

test('remove of nothing is nothing', (t) => {
  const i = runs(A);
  t.deepEqual(i.remove(30, 40), []);
  t.deepEqual(i.runs, [A]);
});

test('restore brings a snapshot back, which later changes do not touch', (t) => {
  const i = runs(A);
  const snapshot = i.snapshot();
  i.remove(0, 100);
  i.restore(snapshot);
  i.add(BLOCK);
  t.deepEqual(snapshot, [A]);
  t.deepEqual(i.runs, [A, BLOCK]);
});

test('a run gives what lies inside of it, in step, with no more than its right', (t) => {
  t.true(runGives(A, 12, 3, 112, true));
  t.true(runGives(A, 12, 3, 112, false));
  t.false(runGives(A, 12, 3, 113, false));
  t.false(runGives(A, 19, 2, 119, false));
  t.false(runGives(A, 9, 1, 109, false));
  t.false(runGives({ ...A, writable: false }, 12, 3, 112, true));
});

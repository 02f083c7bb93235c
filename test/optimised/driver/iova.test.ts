/** The IOVA ranges in front of a managed domain: what is handed out and what waits. Frames, ends exclusive. */
import test from 'ava';
import { Ranges } from '../../../src/optimised/driver/iova.js';

function taken(...ranges: readonly (readonly [number, number])[]): Ranges {
  const r = new Ranges();
  for (const [first, end] of ranges) r.take(first, end);
  return r;
}

test('nothing is busy at first', (t) => {
  t.false(new Ranges().busy(0, 2 ** 36));
});

test('a handed-out range is busy from its first to its last frame', (t) => {
  const r = taken([10, 20]);
  t.true(r.busy(10, 11));
  t.true(r.busy(19, 30));
  t.true(r.busy(0, 100));
  t.false(r.busy(0, 10));
  t.false(r.busy(20, 21));
});

test('ranges are found in whatever order they were taken', (t) => {
  const r = taken([50, 60], [10, 20], [30, 40]);
  t.true(r.is(10, 20));
  t.true(r.is(30, 40));
  t.true(r.is(50, 60));
  t.false(r.busy(20, 30));
});

test('neighbouring ranges cover together what none covers alone', (t) => {
  const r = taken([10, 20], [20, 30]);
  t.true(r.covers(12, 28));
  t.false(r.is(10, 30));
});

test('a gap or an end beyond the last range is not covered', (t) => {
  const r = taken([10, 20], [21, 30]);
  t.false(r.covers(12, 28));
  t.false(r.covers(25, 31));
  t.false(r.covers(9, 12));
});

test('only the exact range is the range', (t) => {
  const r = taken([10, 20]);
  t.false(r.is(10, 19));
  t.false(r.is(11, 20));
  t.true(r.is(10, 20));
});

test('a released range is free at once, its neighbours stay', (t) => {
  const r = taken([10, 20], [20, 30], [30, 40]);
  r.release(20);
  t.false(r.busy(20, 30));
  t.true(r.is(10, 20));
  t.true(r.is(30, 40));
});

test('a queued range stays busy until the flush, and covers nothing', (t) => {
  const r = taken([10, 20]);
  t.is(r.queue(10, 20), 1);
  t.true(r.busy(15, 16));
  t.false(r.covers(10, 20));
  r.flushed();
  t.false(r.busy(15, 16));
});

test('queueing says how many ranges wait', (t) => {
  const r = taken([10, 20], [30, 40], [50, 60]);
  t.is(r.queue(30, 40), 1);
  t.is(r.queue(10, 20), 2);
  r.flushed();
  t.is(r.queue(50, 60), 1);
});

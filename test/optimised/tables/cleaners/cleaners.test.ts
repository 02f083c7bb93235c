/** The four cleaners on tables that are written literally: what they clean, what they count. */
import test from 'ava';
import { makeCleaner } from '../../../../src/optimised/tables/cleaners/cleaners.js';
import { CLEANER_NAMES, type CleanerName, type TableGeometry } from '../../../../src/stack/page-table.js';
import { Double, GEOMETRY } from './double.js';

const PAGE = 4096;
const BLOCK = 512 * PAGE;

/** A table in which pages were mapped one by one, and the range synced. */
function pages(name: CleanerName, count: number, iova = 0, geometry: TableGeometry = GEOMETRY): Double {
  const d = new Double(geometry, makeCleaner(name));
  for (let i = 0; i < count; i += 1) d.map(iova + i * PAGE, 3);
  d.sync(iova, count * PAGE);
  return d;
}

test('eight pages of one line, mapped one by one: eager cleans it eight times, a deferred cleaner once', (t) => {
  const lines = Object.fromEntries(CLEANER_NAMES.map((name) => [name, pages(name, 8).cleaner.cost.lines]));
  t.deepEqual(lines, { 'eager': 8, 'posted-walk': 1, 'range-visitor': 1, 'map-sg': 8 });
});

test('every cleaner leaves every page visible in a table without anything special', (t) => {
  for (const name of CLEANER_NAMES) t.is(pages(name, 600, 5 * PAGE).stale(5 * PAGE, 600 * PAGE).frames, 0, name);
});

test('deferred cleaners clean nothing before the range is synced', (t) => {
  for (const name of ['posted-walk', 'range-visitor'] as const) {
    const d = new Double(GEOMETRY, makeCleaner(name));
    d.map(0, 3, 16);
    t.deepEqual([d.cleaner.cost.lines, d.stale(0, 16 * PAGE).frames], [0, 16], name);
    d.sync(0, 16 * PAGE);
    t.deepEqual([d.cleaner.cost.lines, d.stale(0, 16 * PAGE).frames], [2, 0], name);
  }
});

test('leaves of every level are cleaned', (t) => {
  for (const name of CLEANER_NAMES) {
    const d = new Double(GEOMETRY, makeCleaner(name));
    d.map(512 * BLOCK - BLOCK - PAGE, 3);
    d.map(512 * BLOCK - BLOCK, 2);
    d.map(512 * BLOCK, 1, 2);
    const [from, size] = [512 * BLOCK - BLOCK - PAGE, PAGE + BLOCK + 2 * 512 * BLOCK];
    d.sync(from, size);
    t.is(d.stale(from, size).frames, 0, name);
  }
});

test('the visitor passes over holes and cleans no line twice', (t) => {
  const d = new Double(GEOMETRY, makeCleaner('range-visitor'));
  for (const page of [0, 2, 5, 8, 40, 41, 1030]) d.map(page * PAGE, 3);
  d.sync(0, 2048 * PAGE);
  t.is(d.stale(0, 2048 * PAGE).frames, 0);
  t.deepEqual({ ...d.cleaner.cost, descriptors: 0 }, { lines: 4, calls: 3, descriptors: 0, walks: 1, warnings: 0 });
});

test('the posted walk warns of holes above level 3, of empty ranges, and of every address of the upper half', (t) => {
  const warnings = (name: CleanerName, geometry: TableGeometry, size: number): number => {
    const d = new Double(geometry, makeCleaner(name));
    d.map(0, 3);
    d.sync(0, size);
    return d.cleaner.cost.warnings;
  };
  t.is(warnings('posted-walk', GEOMETRY, BLOCK), 0);
  t.is(warnings('posted-walk', GEOMETRY, 3 * BLOCK), 2);
  t.is(warnings('posted-walk', GEOMETRY, 0), 1);
  t.is(warnings('posted-walk', { ...GEOMETRY, half: 'upper' }, PAGE), 1);
  t.is(warnings('range-visitor', GEOMETRY, 3 * BLOCK), 0);
  t.is(warnings('range-visitor', { ...GEOMETRY, half: 'upper' }, PAGE), 0);
});

test('concatenated root: the posted walk stops at the end of a table of the root', (t) => {
  const geometry: TableGeometry = { ...GEOMETRY, stage: 2, inputBits: 40 };
  const half = 512 * 512 * BLOCK;
  for (const name of CLEANER_NAMES) {
    const d = new Double(geometry, makeCleaner(name));
    d.map(half - PAGE, 3);
    d.map(half, 3);
    d.sync(half - PAGE, 2 * PAGE);
    t.is(d.stale(half - PAGE, 2 * PAGE).frames, name === 'posted-walk' ? 1 : 0, name);
  }
});

test('short root: the posted walk loses the index bits that the root does not have one level below it', (t) => {
  // 36 bits: 6 index bits at level 1, so that level 2 keeps 6 of its 9.
  const geometry: TableGeometry = { ...GEOMETRY, inputBits: 36 };
  for (const name of CLEANER_NAMES) {
    const d = new Double(geometry, makeCleaner(name));
    d.map(64 * BLOCK, 2, 64);
    d.sync(64 * BLOCK, 64 * BLOCK);
    t.is(d.stale(64 * BLOCK, 64 * BLOCK).frames, name === 'posted-walk' ? 64 * 512 : 0, name);
  }
});

test('short root of the upper half: the posted walk reads beyond the root', (t) => {
  const d = new Double({ ...GEOMETRY, inputBits: 36, half: 'upper' }, makeCleaner('posted-walk'));
  d.map(0, 3);
  d.sync(0, PAGE);
  const cost = d.cleaner.cost as { beyond?: number };
  t.true((cost.beyond ?? 0) > 0);
});

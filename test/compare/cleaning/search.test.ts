/** What the search finds of each cleaner, geometry by geometry, and the numbers that explain it. */
import test from 'ava';
import { explain, type StepCause } from '../../../src/compare/cleaning/explain.js';
import { allGeometries, rootKind, walkGeometries } from '../../../src/compare/cleaning/geometries.js';
import { LiteralGround, rangeShape } from '../../../src/compare/cleaning/ground.js';
import { leavesOf, rangesOf, type GranuleRange } from '../../../src/compare/cleaning/ranges.js';
import { DEFECTS, search, type Defect, type Searched } from '../../../src/compare/cleaning/search.js';
import { shrinkRange } from '../../../src/compare/cleaning/shrink.js';
import { shapeOf } from '../../../src/optimised/tables/geometry.js';
import type { CleanerName, TableGeometry } from '../../../src/stack/page-table.js';

const HOST: TableGeometry = { tg: 12, stage: 1, inputBits: 48, outputBits: 48, half: 'lower', ds: false, contiguous: false, dirty: false };

function asked(geometry: TableGeometry, name: CleanerName, leavesMax = 8): Searched {
  return search(new LiteralGround(geometry, name), rangesOf(rangeShape(shapeOf(geometry)), { leavesMax, squareMax: 600, thorough: false }));
}

function kinds(s: Searched): Defect[] {
  return DEFECTS.filter((d) => s.findings[d].ranges > 0);
}

/** One of each granule, start level, half and kind of root: its smallest, and those in between now and then. */
const SEEN = new Set<string>();
const SAMPLE = walkGeometries().filter((w, i) => {
  const key = `${w.geometry.tg} ${w.shape.startLevel} ${w.geometry.half} ${w.root}`;
  const fresh = !SEEN.has(key);
  SEEN.add(key);
  return fresh || i % 19 === 0;
});

test('in every kind of geometry the visitor, map-sg and eager leave nothing stale', (t) => {
  t.is(new Set(SAMPLE.map((w) => `${w.geometry.tg} ${w.root}`)).size, 9);
  for (const { geometry, shape } of SAMPLE) for (const name of ['range-visitor', 'map-sg', 'eager'] as const) {
    const s = search(new LiteralGround(geometry, name), rangesOf(shape, { leavesMax: 2, squareMax: 2, thorough: false }));
    t.is(s.findings.stale.ranges, 0, `${name} ${JSON.stringify(geometry)}`);
  }
});

test('the visitor touches nothing outside of its range, cleans no line too many, and never warns', (t) => {
  for (const geometry of [HOST, { ...HOST, inputBits: 36 }, { ...HOST, stage: 2 as const, inputBits: 40 }, { ...HOST, inputBits: 36, half: 'upper' as const }]) t.deepEqual(kinds(asked(geometry, 'range-visitor')), []);
});

test('the posted walk is right where the root is full', (t) => {
  for (const inputBits of [30, 39, 48]) t.deepEqual(kinds(asked({ ...HOST, inputBits }, 'posted-walk')), [], String(inputBits));
});

test('the posted walk, short root: stale pages, lines too many, warnings, foreign tables', (t) => {
  t.deepEqual(kinds(asked({ ...HOST, inputBits: 36 }, 'posted-walk')), ['stale', 'over', 'warnings', 'foreign']);
  t.deepEqual(kinds(asked({ ...HOST, tg: 14, inputBits: 48 }, 'posted-walk')), ['stale', 'over', 'warnings', 'foreign']);
});

test('the posted walk, concatenated root: what lies behind the first table is not cleaned', (t) => {
  const s = asked({ ...HOST, stage: 2, inputBits: 40 }, 'posted-walk');
  t.deepEqual(kinds(s), ['stale', 'over', 'warnings', 'foreign']);
  t.deepEqual(s.examples.find((e) => e.defect === 'stale')?.range, { first: 2 ** 27 - 1, count: 2, leaves: 2 });
});

test('the posted walk, upper half: it warns of every address, and leaves a short root', (t) => {
  t.deepEqual(kinds(asked({ ...HOST, half: 'upper' }, 'posted-walk', 2)), ['warnings']);
  t.true(kinds(asked({ ...HOST, inputBits: 36, half: 'upper' }, 'posted-walk', 2)).includes('beyond'));
});

test('geometries: full, short and concatenated roots of every granule, each stood for by one that walks alike', (t) => {
  const all = walkGeometries();
  t.is(all.reduce((n, w) => n + w.standsFor, 0), allGeometries().length);
  t.deepEqual(new Set(all.map((w) => `${w.shape.tg} ${w.root}`)).size, 9);
  t.is(rootKind({ tg: 12, startLevel: 1, rootBits: 10, leafLevels: 7 }), 'concatenated');
});

test('ranges: the smallest first, none twice, all inside of the table', (t) => {
  const shape = rangeShape(shapeOf({ ...HOST, stage: 2, inputBits: 40 }));
  const ranges = rangesOf(shape, { leavesMax: 100, squareMax: 100, thorough: true });
  t.true(ranges.length > 500);
  t.is(new Set(ranges.map((r) => `${r.first}+${r.count}`)).size, ranges.length);
  for (const [i, r] of ranges.entries()) t.true(r.first >= 0 && r.first + r.count <= 2 ** 28 && r.leaves <= 100 && (i === 0 || r.leaves >= (ranges[i - 1] as GranuleRange).leaves));
  t.true(rangesOf(shape, { leavesMax: 100, squareMax: 100, thorough: false }).length < ranges.length);
});

test('leaves of a range: the largest that fit', (t) => {
  const shape = rangeShape(shapeOf(HOST));
  t.deepEqual([[0, 1], [0, 512], [1, 512], [511, 514], [0, 2 ** 18 + 512]].map(([a, n]) => leavesOf(shape, a as number, n as number)), [1, 1, 512, 3, 2]);
});

test('shrinking: fewer leaves, then shorter, then lower', (t) => {
  const shape = rangeShape(shapeOf(HOST));
  const shown = shrinkRange(shape, { first: 5000, count: 900, leaves: leavesOf(shape, 5000, 900) }, (r) => r.first <= 5120 && r.first + r.count > 5121);
  t.deepEqual(shown, { first: 5120, count: 2, leaves: 2 });
});

/** Cause, level, kept bits, first, end, taken, needed of the last step. */
function last(g: TableGeometry, first: number, count: number, page = first): [StepCause, ...number[]] {
  const e = explain(g, rangeShape(shapeOf(g)), { first, count, page });
  const s = e.steps.at(-1);
  return [e.cause, s?.level ?? 0, s?.kept ?? 0, s?.whole ?? 0, s?.first ?? 0, s?.end ?? 0, s?.count ?? 0, s?.needed ?? 0];
}

test('explained: the numbers of the patch', (t) => {
  // 22 bits: the root at level 2 has one bit, so that level 3 keeps 13 of 21 bits: entry 2 loses its index.
  t.deepEqual(last({ ...HOST, inputBits: 22 }, 2, 2), ['mask-short', 3, 13, 21, 2, 2, 0, 2]);
  t.deepEqual(last({ ...HOST, inputBits: 22 }, 2, 1), ['mask-long', 3, 13, 21, 2, 1, 510, 1]);
  // 40 bits of stage 2: two tables at level 1; entry 512 is the first one of the second.
  t.deepEqual(last({ ...HOST, stage: 2, inputBits: 40 }, 2 ** 27 - 1, 2, 2 ** 27), ['clipped', 1, 39, 40, 511, 513, 1, 2]);
  // 31 bits of stage 2: level 3 keeps a bit of the root's index.
  t.deepEqual(last({ ...HOST, stage: 2, inputBits: 31 }, 512, 1), ['mask-long', 3, 22, 21, 0, 513, 512, 1]);
  t.is(last(HOST, 2 ** 27 - 1, 2)[0], 'right');
});

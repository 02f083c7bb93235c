/**
 * Claims: whatever is mapped as a scatter list, into whichever table, eager, the visitor and map-sg leave nothing stale; the visitor and map-sg clean exactly the
 * lines that hold its leaves, each once; and map-sg walks no more often than any other.
 */
import test from 'ava';
import fc from 'fast-check';
import { allGeometries } from '../../../src/compare/cleaning/geometries.js';
import { listRow, type ListCost, type ScatterList } from '../../../src/compare/cleaning/lists.js';
import { shapeOf } from '../../../src/optimised/tables/geometry.js';
import type { CleanerName, TableGeometry } from '../../../src/stack/page-table.js';

const SOUND: readonly CleanerName[] = ['eager', 'range-visitor', 'map-sg'];
const GEOMETRIES = allGeometries().filter((g) => g.inputBits >= g.tg + 3);

/** Sizes of pieces in granules: single ones mostly, and up to a block of level 2. */
function sizesOf(g: TableGeometry): fc.Arbitrary<number[]> {
  const block = 2 ** (g.tg - 3);
  const size = fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 20 }), fc.constantFrom(block - 1, block, block + 1));
  return fc.array(size, { minLength: 1, maxLength: 30 });
}

/** A list that fits, near a boundary of some level or anywhere. */
const LIST: fc.Arbitrary<ScatterList> = fc.constantFrom(...GEOMETRIES).chain((geometry) => sizesOf(geometry).chain((sizes) => {
  const { granule, span, startLevel, inputEnd } = shapeOf(geometry);
  const room = inputEnd / granule;
  const kept = sizes.filter((_, i) => sizes.slice(0, i + 1).reduce((a, b) => a + b, 0) <= room);
  const fitting = kept.length === 0 ? [1] : kept;
  const total = fitting.reduce((a, b) => a + b, 0);
  const boundary = fc.tuple(fc.integer({ min: startLevel, max: 3 }), fc.integer({ min: 0, max: 40 }), fc.integer({ min: -40, max: 40 }))
    .map(([level, n, off]) => ((span[level + 1] ?? granule) / granule) * n + off);
  return fc.oneof(boundary, fc.nat({ max: 1000 })).map((first) => ({
    what: 'drawn', geometry, iova: Math.max(0, Math.min(first, room - total)) * granule, sizes: fitting.map((n) => n * granule),
  }));
}));

test('nothing is stale, and each line that holds a leaf is cleaned once', (t) => {
  fc.assert(fc.property(LIST, (list) => {
    const row = listRow(list, SOUND);
    const [eager, visitor, sg] = row.costs as [ListCost, ListCost, ListCost];
    return row.costs.every((c) => c.stale === 0 && c.warnings === 0) && visitor.lines === row.touched && sg.lines === row.touched && eager.lines >= row.touched && sg.walks <= eager.walks;
  }), { numRuns: 120 });
  t.pass();
});

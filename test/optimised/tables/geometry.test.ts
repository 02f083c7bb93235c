/** Geometry: start levels, concatenation, sizes and alignment, against the tables of the architecture. */
import test from 'ava';
import { geometryFault, shapeOf, startLevelOf } from '../../../src/optimised/tables/geometry.js';
import { tableFault } from '../../../src/optimised/tables/page-table.js';
import { tableGeometries } from '../../../src/operations/table-geometries.js';
import { stage1StartLevel, stage2Consistent } from '../../../src/spec/granule.js';
import type { TableGeometry } from '../../../src/stack/page-table.js';

const PLAIN: TableGeometry = { tg: 12, stage: 1, inputBits: 48, outputBits: 48, half: 'lower', ds: false, contiguous: false, dirty: false };

const KB = 1024;
const MB = KB * 1024;
const GB = MB * 1024;
const TB = GB * 1024;

test('every geometry of the list exists, and there are 1322 of them', (t) => {
  const all = tableGeometries();
  t.is(all.length, 1322);
  t.deepEqual(all.filter((g) => geometryFault(g) !== undefined), []);
  t.is(new Set(all.map((g) => JSON.stringify(g))).size, all.length);
  t.deepEqual([...new Set(all.map((g) => startLevelOf(g)))].sort((a, b) => a - b), [-1, 0, 1, 2, 3]);
});

test('stage 1 begins where the architecture says, stage 2 where it is legal with the least output size', (t) => {
  for (const g of tableGeometries()) {
    const start = startLevelOf(g);
    if (g.stage === 1) t.is(start, stage1StartLevel(g.tg, g.inputBits));
    else t.true(stage2Consistent(g.tg, g.inputBits, start, { smallTables: g.inputBits < 25, oas: g.outputBits }), JSON.stringify(g));
  }
});

test('concatenation, where it is mandatory and elsewhere', (t) => {
  const root = (tg: 12 | 14 | 16, inputBits: number, ds = false): readonly number[] => {
    const s = shapeOf({ ...PLAIN, tg, stage: 2, inputBits, outputBits: ds || tg === 16 ? 52 : 48, ds });
    return [s.startLevel, s.concatenated, s.rootEntries, s.rootFrames];
  };
  t.deepEqual(root(12, 40), [1, 2, 1024, 2]);
  t.deepEqual(root(12, 42), [1, 8, 4096, 8]);
  t.deepEqual(root(12, 43), [1, 16, 8192, 16]);
  t.deepEqual(root(12, 44), [0, 1, 32, 1]);
  t.deepEqual(root(12, 34), [2, 16, 8192, 16]);
  t.deepEqual(root(12, 35), [1, 1, 32, 1]);
  t.deepEqual(root(14, 40), [2, 16, 32768, 64]);
  t.deepEqual(root(14, 48), [1, 2, 4096, 8]);
  t.deepEqual(root(14, 52, true), [0, 1, 32, 1]);
  t.deepEqual(root(16, 46), [2, 16, 131072, 256]);
  t.deepEqual(root(16, 52), [1, 1, 1024, 2]);
  t.deepEqual(root(12, 52, true), [0, 16, 8192, 16]);
  // 25 bits can be had without small tables: no walk of 4K at level 3 then.
  t.deepEqual(root(12, 25), [2, 1, 16, 1]);
  t.deepEqual(root(12, 24), [3, 8, 4096, 8]);
});

test('page sizes: leaves at every legal level that the table has', (t) => {
  const sizes = (g: Partial<TableGeometry>): number[] => shapeOf({ ...PLAIN, ...g }).sizes.map((s) => s.bytes);
  t.deepEqual(sizes({}), [GB, 2 * MB, 4 * KB]);
  t.deepEqual(sizes({ inputBits: 30 }), [2 * MB, 4 * KB]);
  t.deepEqual(sizes({ ds: true, outputBits: 52 }), [512 * GB, GB, 2 * MB, 4 * KB]);
  t.deepEqual(sizes({ tg: 14 }), [32 * MB, 16 * KB]);
  t.deepEqual(sizes({ tg: 14, ds: true, outputBits: 52 }), [64 * GB, 32 * MB, 16 * KB]);
  t.deepEqual(sizes({ tg: 16 }), [512 * MB, 64 * KB]);
  t.deepEqual(sizes({ tg: 16, outputBits: 52 }), [4 * TB, 512 * MB, 64 * KB]);
  t.deepEqual(sizes({ contiguous: true }), [16 * GB, GB, 32 * MB, 2 * MB, 64 * KB, 4 * KB]);
  t.deepEqual(sizes({ tg: 14, contiguous: true }), [GB, 32 * MB, 2 * MB, 16 * KB]);
  t.deepEqual(sizes({ tg: 16, contiguous: true }), [16 * GB, 512 * MB, 2 * MB, 64 * KB]);
  // A root of 8 entries holds no run of 16.
  t.deepEqual(sizes({ inputBits: 33, contiguous: true }), [GB, 32 * MB, 2 * MB, 64 * KB, 4 * KB]);
});

test('the root is aligned to its size, to 64 bytes at least with 52-bit output', (t) => {
  t.is(shapeOf(PLAIN).rootAlign, 12);
  t.is(shapeOf({ ...PLAIN, inputBits: 40 }).rootAlign, 4);
  t.is(shapeOf({ ...PLAIN, inputBits: 40, ds: true, outputBits: 52 }).rootAlign, 6);
  t.is(shapeOf({ ...PLAIN, stage: 2, inputBits: 43 }).rootAlign, 16);
});

test('what does not exist is said in a sentence', (t) => {
  t.regex(geometryFault({ ...PLAIN, inputBits: 49 }) ?? '', /input bits/);
  t.regex(geometryFault({ ...PLAIN, inputBits: 15 }) ?? '', /input bits/);
  t.regex(geometryFault({ ...PLAIN, tg: 16, inputBits: 16 }) ?? '', /input bits/);
  t.regex(geometryFault({ ...PLAIN, outputBits: 52 }) ?? '', /output bits/);
  t.regex(geometryFault({ ...PLAIN, tg: 16, ds: true }) ?? '', /ds/);
  t.regex(geometryFault({ ...PLAIN, stage: 2, half: 'upper' }) ?? '', /lower/);
  t.regex(tableFault({ ...PLAIN, dirty: true }, false) ?? '', /coherent/);
  t.is(tableFault({ ...PLAIN, dirty: true }, true), undefined);
});

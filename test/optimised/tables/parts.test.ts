/** Each replaceable part of the page tables, broken in the way of a known bug: the twins must notice. */
import test from 'ava';
import { ownTableParts } from '../../../src/optimised/tables/page-table.js';
import type { TableParts, TableRoom } from '../../../src/optimised/tables/room.js';
import { tableGeometries } from '../../../src/operations/table-geometries.js';
import { stage1StartLevel } from '../../../src/spec/granule.js';
import type { TableGeometry, TableVariant } from '../../../src/stack/page-table.js';
import { runTwins } from './twins.js';

const OWN = ownTableParts('plain');
const NOTHING = (): never => undefined as never;

/** What was found in the first tables of the kind, each asked 80 operations. */
function found(parts: Partial<TableParts>, variant: TableVariant, change: Partial<TableGeometry>, where: (g: TableGeometry) => boolean = () => true): string {
  const geometries = tableGeometries().filter((g) => where(g));
  for (let i = 0; i < 60; i += 1) {
    const geometry = { ...(geometries[(i * 37) % geometries.length] as TableGeometry), ...change };
    try {
      const wrong = runTwins({ geometry, variant, coherent: true, cleaner: 'eager', parts: { ...OWN, ...parts } }, i, 80);
      if (wrong !== '') return wrong;
    } catch (error) {
      return error instanceof Error ? error.message : 'threw';
    }
  }
  return '';
}

const small = (g: TableGeometry): boolean => g.tg === 12;
const concatenated = (g: TableGeometry): boolean => g.stage === 2 && g.inputBits >= 40 && g.inputBits <= 43;

test('G9: entries counted from the start of a concatenated root', (t) => {
  t.not(found({ entriesLeft: (shape, index) => shape.entries - index }, 'io-pgtable', {}, concatenated), '');
});

test('G10: no concatenation where it is mandatory', (t) => {
  t.regex(found({ startLevel: (g) => stage1StartLevel(g.tg, g.inputBits) }, 'io-pgtable', { outputBits: 40 }, (g) => concatenated(g) && g.outputBits === 40), /cannot begin/);
});

test('G6: a block is written over a table that nobody flushes or frees', (t) => {
  t.not(found({ takeTable: NOTHING }, 'io-pgtable', {}, small), '');
  const silent: TableParts['retire'] = (room, gather, why) => {
    if (why !== 'replaced') return OWN.retire(room, gather, why);
    gather.pending = false;
    gather.freed.length = 0;
    return undefined as never;
  };
  t.not(found({ retire: silent }, 'iommupt', {}, small), '');
});

test('G11: tables are freed before their flush', (t) => {
  const early: TableParts['retire'] = (room: TableRoom, gather, why) => {
    for (const slot of gather.freed) room.pages.releaseTable(slot, room.shape.frames);
    gather.freed.length = 0;
    return OWN.retire(room, gather, why);
  };
  for (const variant of ['io-pgtable', 'iommupt'] as const) t.regex(found({ retire: early }, variant, {}, small), /before its flush/);
});

test('G5: a gather that begins at 0 counts as empty', (t) => {
  const widen: TableParts['widen'] = (gather, first, end) => {
    if (gather.first === 0) gather.pending = false;
    OWN.widen(gather, first, end);
  };
  for (const variant of ['io-pgtable', 'iommupt'] as const) t.regex(found({ widen }, variant, {}, small), /no flush covered/);
});

test('G8: a leaf is followed as if it were a table', (t) => {
  for (const variant of ['io-pgtable', 'iommupt'] as const) t.not(found({ isTable: (_lo, level) => level < 3 }, variant, {}, small), '');
});

test('G19: a part of a contiguous run is taken away', (t) => {
  t.not(found({ cutsRun: () => false }, 'io-pgtable', { contiguous: true }, small), '');
  t.not(found({ cutsRun: () => false }, 'iommupt', { contiguous: true }, small), '');
});

test('G21: a look-up outside of the table finds something', (t) => {
  t.not(found({ outside: () => false }, 'io-pgtable', {}, small), '');
});

test('a table with pages in it counts as empty', (t) => {
  t.not(found({ isEmpty: () => true }, 'iommupt', {}, small), '');
});

test('written pages: marks lost, members not looked at, never clean again', (t) => {
  const dirty = { dirty: true, contiguous: true };
  t.not(found({ leafHigh: (g, prot, run) => OWN.leafHigh({ ...g, dirty: false }, prot, run) }, 'iommupt', dirty, small), '');
  t.not(found({ anyDirty: (room, f) => room.parts.isDirty(room.geometry.stage, room.cpu.loadLo(f.ref), room.cpu.loadHi(f.ref)) }, 'iommupt', dirty, small), '');
  t.not(found({ markClean: NOTHING }, 'io-pgtable', dirty, small), '');
  t.not(found({ isDirty: (_stage, lo, hi) => OWN.isDirty(1, lo, hi) }, 'iommupt', dirty, (g) => g.stage === 2), '');
  const unflushed: TableParts['retire'] = (room, gather, why) => why === 'dirty' ? undefined as never : OWN.retire(room, gather, why);
  t.regex(found({ retire: unflushed }, 'io-pgtable', dirty, small), /no flush covered/);
});

test('the parts as they are: nothing is found in the same tables', (t) => {
  for (const variant of ['io-pgtable', 'iommupt'] as const) t.is(found({}, variant, { contiguous: true, dirty: true }, small), '');
  t.is(found({}, 'io-pgtable', {}, concatenated), '');
});

/** io-pgtable: what each call returns and leaves behind. */
import test from 'ava';
import { rig } from './rig.js';

const KB4 = 4096;
const MB2 = 2 ** 21;
const GB = 2 ** 30;
const PAGE = { pageSize: KB4, count: 1, prot: 'rw' } as const;

test('a page is mapped through tables made on the way, and found', (t) => {
  const { table, pages, cpu, memory } = rig();
  t.deepEqual(table.map({ iova: 0x1000, pa: 0x5000, ...PAGE }), { code: 'ok', bytes: KB4 });
  t.is(pages.pagesInUse, 4);
  t.is(table.lookup(0x1abc), 0x5abc);
  t.is(cpu.pending, 0);
  const root = table.room.root * 512;
  t.is((memory.lo[root] as number) & 3, 3);
});

test('one call ends with its table page; the operation goes on', (t) => {
  const { table } = rig();
  const call = { iova: MB2 - KB4, pa: 0, pageSize: KB4, count: 3, prot: 'rw' } as const;
  t.deepEqual(table.map(call), { code: 'ok', bytes: KB4 });
  t.deepEqual(table.unmap(call), { code: 'ok', bytes: KB4 });
  t.deepEqual(table.perform({ op: 'map', ...call }), { code: 'ok', bytes: 3 * KB4 });
  t.deepEqual(table.perform({ op: 'unmap', ...call }), { code: 'ok', bytes: 3 * KB4 });
});

test('one call never crosses a table of a concatenated root', (t) => {
  const { table } = rig({ geometry: { stage: 2, inputBits: 40, outputBits: 40 } });
  t.is(table.room.shape.concatenated, 2);
  const call = { iova: 2 ** 39 - GB, pa: 0, pageSize: GB, count: 2, prot: 'rw' } as const;
  t.deepEqual(table.map(call), { code: 'ok', bytes: GB });
  t.is(table.lookup(2 ** 39), -1);
  t.deepEqual(table.perform({ op: 'map', ...call, iova: 2 ** 39, count: 1 }), { code: 'ok', bytes: GB });
  t.deepEqual(table.unmap(call), { code: 'ok', bytes: GB });
  t.is(table.lookup(2 ** 39), 0);
});

test('what exists is refused, and nothing of the call is written', (t) => {
  const { table } = rig();
  table.map({ iova: 0x2000, pa: 0x9000, ...PAGE });
  t.deepEqual(table.map({ iova: 0, pa: 0, pageSize: KB4, count: 4, prot: 'rw' }), { code: 'exists', bytes: 0 });
  t.is(table.lookup(0), -1);
  table.map({ iova: GB, pa: 0, pageSize: GB, count: 1, prot: 'rw' });
  t.deepEqual(table.map({ iova: GB + MB2, pa: 0, ...PAGE }), { code: 'exists', bytes: 0 });
});

test('sizes that the table does not have, uneven addresses, and ends beyond it', (t) => {
  const { table } = rig({ geometry: { inputBits: 39, outputBits: 40 } });
  const map = (iova: number, pa: number, pageSize: number, count: number): string => table.map({ iova, pa, pageSize, count, prot: 'rw' }).code;
  t.is(map(0, 0, 8192, 1), 'invalid');
  t.is(map(0, 0, 2 ** 39, 1), 'invalid');
  t.is(map(0x800, 0, KB4, 1), 'invalid');
  t.is(map(0, 0x800, KB4, 1), 'invalid');
  t.is(map(KB4, 0, MB2, 1), 'invalid');
  t.is(map(0, 0, KB4, 0), 'invalid');
  t.is(map(-KB4, 0, KB4, 1), 'invalid');
  t.is(map(2 ** 39, 0, KB4, 1), 'out-of-range');
  t.is(map(2 ** 39 - KB4, 0, KB4, 2), 'out-of-range');
  t.is(map(0, 2 ** 40, KB4, 1), 'out-of-range');
  t.is(table.unmap({ iova: 2 ** 39, pageSize: KB4, count: 1 }).code, 'out-of-range');
  t.is(table.unmap({ iova: 0, pageSize: 8192, count: 1 }).code, 'invalid');
});

test('no permission: a success that maps nothing', (t) => {
  const { table, pages } = rig();
  t.deepEqual(table.perform({ op: 'map', iova: 0, pa: 0, pageSize: KB4, count: 2, prot: 'none' }), { code: 'ok', bytes: 0 });
  t.is(pages.pagesInUse, 1);
});

test('a block over an emptied table: taken out, flushed, freed, and only then written', (t) => {
  const { table, pages, asked } = rig();
  table.map({ iova: MB2, pa: 0, ...PAGE });
  table.unmap({ iova: MB2, pageSize: KB4, count: 1 });
  t.is(pages.pagesInUse, 4);
  t.deepEqual(table.map({ iova: MB2, pa: 0, pageSize: MB2, count: 1, prot: 'rw' }), { code: 'ok', bytes: MB2 });
  t.deepEqual(asked, [{ why: 'walk', first: 512, end: 1024, leaves: 0, tables: 2, freed: 1, inUse: 4 }]);
  t.is(pages.pagesInUse, 3);
});

test('a block over a populated table takes its pages with it: their level is flushed as well', (t) => {
  const { table, asked } = rig();
  table.map({ iova: 0, pa: 0x7000, ...PAGE });
  table.map({ iova: 0, pa: GB, pageSize: GB, count: 1, prot: 'rw' });
  t.is(table.lookup(0), GB);
  t.deepEqual(asked.map((a) => [a.leaves, a.tables, a.freed, a.end]), [[1, 6, 2, 2 ** 18]]);
});

test('unmap stops in front of a hole', (t) => {
  const { table } = rig();
  table.perform({ op: 'map', iova: 0, pa: 0, pageSize: KB4, count: 3, prot: 'rw' });
  t.deepEqual(table.unmap({ iova: 0, pageSize: KB4, count: 5 }), { code: 'not-mapped', bytes: 3 * KB4 });
  t.deepEqual(table.unmap({ iova: 0, pageSize: KB4, count: 1 }), { code: 'not-mapped', bytes: 0 });
});

test('a part of a block is not taken away', (t) => {
  const { table, asked } = rig();
  table.map({ iova: 0, pa: 0, pageSize: MB2, count: 1, prot: 'rw' });
  t.deepEqual(table.unmap({ iova: 0, pageSize: KB4, count: 512 }), { code: 'partial-block', bytes: 0 });
  t.is(table.lookup(5), 5);
  t.deepEqual(asked, []);
});

test('a part of a contiguous run is not taken away; whole runs are, also page by page', (t) => {
  const { table } = rig({ geometry: { contiguous: true } });
  table.map({ iova: 0, pa: 0, pageSize: 16 * KB4, count: 2, prot: 'rw' });
  t.deepEqual(table.unmap({ iova: 0, pageSize: KB4, count: 1 }), { code: 'partial-block', bytes: 0 });
  t.deepEqual(table.unmap({ iova: 5 * KB4, pageSize: KB4, count: 11 }), { code: 'partial-block', bytes: 0 });
  t.deepEqual(table.unmap({ iova: 0, pageSize: KB4, count: 20 }), { code: 'partial-block', bytes: 16 * KB4 });
  t.deepEqual(table.unmap({ iova: 16 * KB4, pageSize: KB4, count: 16 }), { code: 'ok', bytes: 16 * KB4 });
});

test('unmap by a block takes a table out with a flush of its own', (t) => {
  const { table, pages, asked } = rig();
  table.perform({ op: 'map', iova: 0, pa: 0, pageSize: KB4, count: 2, prot: 'rw' });
  t.deepEqual(table.unmap({ iova: 0, pageSize: MB2, count: 1 }), { code: 'ok', bytes: MB2 });
  t.deepEqual(asked, [{ why: 'walk', first: 0, end: 512, leaves: 1, tables: 2, freed: 1, inUse: 4 }]);
  t.is(pages.pagesInUse, 3);
});

test('the gather takes leaves of one level that touch; others flush it first', (t) => {
  const { table, asked } = rig();
  const map = (iova: number, pageSize: number): unknown => table.map({ iova, pa: 0, pageSize, count: 1, prot: 'rw' });
  const unmap = (iova: number, pageSize: number): unknown => table.unmap({ iova, pageSize, count: 1 });
  for (const iova of [0, KB4, 4 * KB4]) map(iova, KB4);
  map(MB2, MB2);
  unmap(KB4, KB4);
  unmap(0, KB4);
  t.deepEqual(asked, []);
  unmap(4 * KB4, KB4);
  t.deepEqual(asked.map((a) => [a.first, a.end, a.leaves]), [[0, 2, 1]]);
  unmap(MB2, MB2);
  t.deepEqual(asked.slice(1).map((a) => [a.first, a.end, a.leaves]), [[4, 5, 1]]);
  table.perform({ op: 'sync' });
  t.deepEqual(asked.slice(2).map((a) => [a.why, a.first, a.end, a.leaves]), [['gather', 512, 1024, 2]]);
  table.perform({ op: 'sync' });
  t.is(asked.length, 3);
});

test('lazy: nothing enters the gather, but tables are flushed all the same', (t) => {
  const { table, asked } = rig({ lazy: true });
  table.map({ iova: 0, pa: 0, ...PAGE });
  table.unmap({ iova: 0, pageSize: KB4, count: 1 });
  table.perform({ op: 'sync' });
  t.deepEqual(asked, []);
  table.unmap({ iova: 0, pageSize: MB2, count: 1 });
  t.is(asked.length, 1);
});

test('without memory a call says so, and what was done before is told', (t) => {
  const { table, pages } = rig();
  table.map({ iova: 0, pa: 0, ...PAGE });
  table.unmap({ iova: 0, pageSize: KB4, count: 1 });
  pages.failNext();
  t.deepEqual(table.perform({ op: 'map', iova: MB2 - KB4, pa: 0, pageSize: KB4, count: 2, prot: 'rw' }), { code: 'no-memory', bytes: KB4 });
});

test('leaves whose outputs cross the field of high address bits', (t) => {
  const ds = rig({ geometry: { ds: true, inputBits: 52, outputBits: 52 } }).table;
  t.is(ds.room.shape.startLevel, -1);
  ds.perform({ op: 'map', iova: 0, pa: 2 ** 50 - 2 * KB4, pageSize: KB4, count: 4, prot: 'rw' });
  t.deepEqual([0, 1, 2, 3].map((i) => ds.lookup(i * KB4) - 2 ** 50), [-2 * KB4, -KB4, 0, KB4]);
  const wide = rig({ geometry: { tg: 16, inputBits: 52, outputBits: 52 } }).table;
  wide.perform({ op: 'map', iova: 0, pa: 2 ** 48 - 65536, pageSize: 65536, count: 3, prot: 'rw' });
  t.deepEqual([0, 1, 2].map((i) => wide.lookup(i * 65536) - 2 ** 48), [-65536, 0, 65536]);
});

test('a look-up outside of the table finds nothing', (t) => {
  const { table } = rig({ geometry: { inputBits: 39 } });
  t.deepEqual([2 ** 39, 2 ** 52, -1, Number.NaN].map((a) => table.lookup(a)), [-1, -1, -1, -1]);
});

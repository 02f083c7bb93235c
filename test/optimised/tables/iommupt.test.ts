/** iommupt: what each call returns and leaves behind. */
import test from 'ava';
import { HI_CONTIGUOUS } from '../../../src/spec/descriptor.js';
import { rig, type Rig } from './rig.js';

const KB4 = 4096;
const MB2 = 2 ** 21;
const GB = 2 ** 30;

function setup(contiguous = false, coherent = true): Rig {
  return rig({ variant: 'iommupt', geometry: { contiguous }, coherent });
}

/** Page table entries of the run at `iova` that are marked contiguous. */
function marked({ table, memory }: Rig, iova: number): boolean {
  let slot = table.room.root;
  for (const shift of [39, 30, 21]) slot = (memory.lo[slot * 512 + (Math.floor(iova / 2 ** shift) % 512)] as number) >>> 12; // the RAM window begins at 4 GiB
  return ((memory.hi[slot * 512 + (Math.floor(iova / KB4) % 512)] as number) & HI_CONTIGUOUS) !== 0;
}

test('a range is mapped with the largest sizes that fit', (t) => {
  const { table, pages } = setup();
  t.deepEqual(table.map({ iova: MB2 - KB4, pa: GB - KB4, pageSize: KB4, count: 514, prot: 'rw' }), { code: 'ok', bytes: 514 * KB4 });
  t.is(table.lookup(MB2 - 1), GB - 1);
  t.is(table.lookup(2 * MB2 + 7), GB + MB2 + 7);
  t.is(pages.pagesInUse, 5);
});

test('contiguous runs are sizes like others, and only where both addresses are aligned', (t) => {
  const r = setup(true);
  r.table.map({ iova: 0, pa: 0, pageSize: KB4, count: 40, prot: 'rw' });
  t.deepEqual([0, 15, 31, 32, 39].map((i) => marked(r, i * KB4)), [true, true, true, false, false]);
  r.table.map({ iova: 64 * KB4, pa: KB4, pageSize: KB4, count: 16, prot: 'rw' });
  t.false(marked(r, 64 * KB4));
});

test('what is there stops a call; what was mapped before it stays and is told', (t) => {
  const { table } = setup();
  table.map({ iova: 3 * KB4, pa: 0, pageSize: KB4, count: 1, prot: 'rw' });
  t.deepEqual(table.map({ iova: 0, pa: 0, pageSize: KB4, count: 8, prot: 'rw' }), { code: 'exists', bytes: 3 * KB4 });
  t.deepEqual(table.map({ iova: 0, pa: 0, pageSize: MB2, count: 1, prot: 'rw' }), { code: 'exists', bytes: 0 });
});

test('a range is checked before anything', (t) => {
  const { table, pages } = setup();
  const map = (iova: number, pa: number, size: number, prot: 'rw' | 'none' = 'rw'): string => table.map({ iova, pa, pageSize: size, count: 1, prot }).code;
  t.is(map(0, 0, 6000), 'invalid');
  t.is(map(100, 0, KB4), 'invalid');
  t.is(map(0, 100, KB4), 'invalid');
  t.is(map(0, 0, KB4, 'none'), 'invalid');
  t.is(map(0, 2 ** 48 - KB4, MB2), 'out-of-range');
  t.is(map(2 ** 48 - KB4, 0, MB2), 'out-of-range');
  t.is(pages.pagesInUse, 1);
});

test('a block over an empty table: written over it, one gather of tables only, freed after it', (t) => {
  const { table, pages, asked } = setup();
  table.map({ iova: KB4, pa: 0, pageSize: KB4, count: 1, prot: 'rw' });
  table.unmap({ iova: KB4, pageSize: KB4, count: 1 });
  table.perform({ op: 'sync' });
  asked.length = 0;
  t.is(pages.pagesInUse, 4);
  t.deepEqual(table.map({ iova: 0, pa: 0, pageSize: GB, count: 1, prot: 'rw' }), { code: 'ok', bytes: GB });
  t.deepEqual(asked, [{ why: 'replaced', first: 0, end: 2 ** 18, leaves: 0, tables: 6, freed: 2, inUse: 4 }]);
  t.is(pages.pagesInUse, 2);
});

test('not coherent: a deferred cleaner does not leave the old pointer to the walker', (t) => {
  const { table, view, memory } = setup(false, false);
  table.map({ iova: KB4, pa: 0, pageSize: KB4, count: 1, prot: 'rw' });
  table.unmap({ iova: KB4, pageSize: KB4, count: 1 });
  const room = { ...table.room, cleaner: { ...table.room.cleaner, deferred: true, leavesWritten: () => undefined } };
  const deferred = new (table.constructor as new (room: typeof table.room) => typeof table)(room);
  deferred.map({ iova: 0, pa: 0, pageSize: MB2, count: 1, prot: 'rw' });
  const l1 = (memory.lo[room.root * 512] as number) >>> 12;
  const l2 = ((memory.lo[l1 * 512] as number) >>> 12) * 512;
  t.is((view?.memory.lo[l2] as number) & 3, 1);
});

test('unmap goes beyond the range when its end lies inside of an entry', (t) => {
  const { table } = setup(true);
  table.map({ iova: 0, pa: 0, pageSize: KB4, count: 512 + 16, prot: 'rw' });
  t.deepEqual(table.unmap({ iova: MB2, pageSize: KB4, count: 3 }), { code: 'ok', bytes: 16 * KB4 });
  t.deepEqual(table.unmap({ iova: 0, pageSize: KB4, count: 1 }), { code: 'ok', bytes: MB2 });
});

test('unmap stops where it begins inside of an entry, and in front of a hole', (t) => {
  const { table } = setup(true);
  table.map({ iova: 0, pa: 0, pageSize: KB4, count: 512 + 17, prot: 'rw' });
  t.deepEqual(table.unmap({ iova: KB4, pageSize: KB4, count: 2000 }), { code: 'partial-block', bytes: 0 });
  t.deepEqual(table.unmap({ iova: MB2 + KB4, pageSize: KB4, count: 2 }), { code: 'partial-block', bytes: 0 });
  t.deepEqual(table.unmap({ iova: 0, pageSize: KB4, count: 2000 }), { code: 'not-mapped', bytes: MB2 + 17 * KB4 });
  t.deepEqual(table.unmap({ iova: 0, pageSize: KB4, count: 1 }), { code: 'not-mapped', bytes: 0 });
});

test('tables whose complete span was taken away are freed with the gather', (t) => {
  const { table, pages, asked } = setup();
  table.map({ iova: KB4, pa: 0, pageSize: KB4, count: 3 * 512, prot: 'rw' });
  t.is(pages.pagesInUse, 7);
  t.deepEqual(table.unmap({ iova: KB4, pageSize: KB4, count: 3 * 512 }), { code: 'ok', bytes: 3 * MB2 });
  t.is(pages.pagesInUse, 7);
  table.perform({ op: 'sync' });
  t.deepEqual(asked.map((a) => [a.why, a.first, a.end, a.leaves, a.tables, a.freed]), [['gather', 1, 1 + 3 * 512, 1, 2, 2]]);
  t.is(pages.pagesInUse, 5);
});

test('a range that does not touch the gather flushes it first', (t) => {
  const { table, asked } = setup();
  for (const iova of [0, KB4, 3 * KB4]) table.map({ iova, pa: 0, pageSize: KB4, count: 1, prot: 'rw' });
  for (const iova of [0, KB4]) table.unmap({ iova, pageSize: KB4, count: 1 });
  t.is(asked.length, 0);
  table.unmap({ iova: 3 * KB4, pageSize: KB4, count: 1 });
  t.deepEqual(asked.map((a) => [a.first, a.end]), [[0, 2]]);
});

test('lazy: tables wait in the queue, and are given back in the end', (t) => {
  const { table, pages, asked } = rig({ variant: 'iommupt', lazy: true });
  table.map({ iova: 0, pa: KB4, pageSize: MB2, count: 1, prot: 'rw' });
  table.unmap({ iova: 0, pageSize: MB2, count: 1 });
  t.is(table.room.queued.length, 1);
  t.is(asked.length, 0);
  table.destroy();
  t.is(pages.pagesInUse, 0);
});

/** Written pages: found, reported once, flushed, and nothing lost. */
import test from 'ava';
import { RAM_BASE } from '../../../src/memory/memory.js';
import type { TableGeometry, TableResult } from '../../../src/stack/page-table.js';
import { rig, type Rig } from './rig.js';
import { hardwareWrite } from './twins.js';

const KB4 = 4096;

function setup(geometry: Partial<TableGeometry> = {}, variant: 'io-pgtable' | 'iommupt' = 'io-pgtable'): Rig & { write: (iova: number) => void; read: (iova: number, size: number, clear?: boolean) => TableResult } {
  const r = rig({ geometry: { dirty: true, ...geometry }, variant });
  const root = { geometry: r.table.room.geometry, startLevel: r.table.room.shape.startLevel, frame: RAM_BASE + r.table.room.root };
  return {
    ...r, write: (iova) => { hardwareWrite(r.memory, root, iova); },
    read: (iova, size, clear = true) => r.table.perform({ op: 'read-dirty', iova, size, clear }),
  };
}

for (const stage of [1, 2] as const) {
  test(`stage ${stage}: a written page is reported once, with its neighbours, and flushed before the call returns`, (t) => {
    const { table, write, read, asked } = setup({ stage });
    table.map({ iova: 0, pa: 0, pageSize: KB4, count: 8, prot: 'rw' });
    t.deepEqual(read(0, 8 * KB4), { code: 'ok', bytes: 0, dirty: [] });
    for (const i of [2, 3, 6]) write(i * KB4);
    t.deepEqual(read(0, 8 * KB4, false).dirty, [{ iova: 2 * KB4, size: 2 * KB4 }, { iova: 6 * KB4, size: KB4 }]);
    t.is(asked.length, 0);
    t.is(read(0, 8 * KB4).dirty?.length, 2);
    t.deepEqual(asked.map((a) => [a.why, a.first, a.end, a.leaves, a.freed]), [['dirty', 2, 7, 1, 0]]);
    t.deepEqual(read(0, 8 * KB4).dirty, []);
    write(3 * KB4);
    t.deepEqual(read(0, 8 * KB4).dirty, [{ iova: 3 * KB4, size: KB4 }]);
  });
}

test('a page that may only be read is never marked', (t) => {
  const { table, write, read } = setup();
  table.map({ iova: 0, pa: 0, pageSize: KB4, count: 1, prot: 'r' });
  write(0);
  t.deepEqual(read(0, KB4).dirty, []);
});

test('any member marks its run, and the run is clean as a whole', (t) => {
  const { table, write, read } = setup({ contiguous: true }, 'iommupt');
  table.map({ iova: 0, pa: 0, pageSize: KB4, count: 16, prot: 'rw' });
  write(15 * KB4);
  t.deepEqual(read(0, KB4).dirty, [{ iova: 0, size: 16 * KB4 }]);
  t.deepEqual(read(0, 16 * KB4).dirty, []);
});

test('what is marked clean in part of a block is reported as a whole, or it would be lost', (t) => {
  const { table, write, read } = setup();
  table.map({ iova: 0, pa: 0, pageSize: 2 ** 21, count: 1, prot: 'rw' });
  write(0);
  t.deepEqual(read(5 * KB4, KB4).dirty, [{ iova: 0, size: 2 ** 21 }]);
});

test('holes: io-pgtable stops and tells what was found; iommupt passes over', (t) => {
  for (const [variant, want] of [['io-pgtable', { code: 'not-mapped', n: 1 }], ['iommupt', { code: 'ok', n: 2 }]] as const) {
    const { table, write, read, asked } = setup({}, variant);
    for (const iova of [0, 2 ** 31]) table.map({ iova, pa: 0, pageSize: KB4, count: 1, prot: 'rw' });
    write(0);
    write(2 ** 31);
    const r = read(0, 2 ** 32);
    t.deepEqual([r.code, r.dirty?.length], [want.code, want.n]);
    t.is(asked.length, 1);
  }
});

test('ranges that are no ranges', (t) => {
  const { read } = setup({ inputBits: 39 });
  t.is(read(0, 0).code, 'invalid');
  t.is(read(100, KB4).code, 'invalid');
  t.is(read(2 ** 39 - KB4, 2 * KB4).code, 'out-of-range');
});

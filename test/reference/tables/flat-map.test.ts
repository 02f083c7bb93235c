/** The flat map by itself: the cases in which it must know more than a list of leaves. */
import test from 'ava';
import { FlatMap } from '../../../src/reference/tables/flat-map.js';
import { firstDifference, leafInfo, Leaves } from '../../../src/reference/tables/leaves.js';
import type { TableGeometry } from '../../../src/stack/page-table.js';

const PLAIN: TableGeometry = { tg: 12, stage: 1, inputBits: 39, outputBits: 48, half: 'lower', ds: false, contiguous: false, dirty: false };
const KB4 = 4096;
const MB2 = 2 ** 21;

const map = (m: FlatMap, iova: number, pageSize = KB4, count = 1): unknown => m.mapOnce({ iova, pa: 0, pageSize, count, prot: 'rw' });
const unmap = (m: FlatMap, iova: number, pageSize = KB4, count = 1): unknown => m.unmapOnce({ iova, pageSize, count });

test('io-pgtable: an emptied table is not a hole for a block, a place without one is', (t) => {
  const m = new FlatMap(PLAIN, 'io-pgtable', 1);
  t.deepEqual(unmap(m, 0, MB2), { code: 'not-mapped', bytes: 0 });
  map(m, 0);
  unmap(m, 0);
  t.is(m.tables, 2);
  t.deepEqual(unmap(m, 0, MB2), { code: 'ok', bytes: MB2 });
  t.is(m.tables, 1);
  t.deepEqual(unmap(m, 0, MB2), { code: 'not-mapped', bytes: 0 });
});

test('iommupt: tables go with their span', (t) => {
  const m = new FlatMap(PLAIN, 'iommupt', 1);
  m.mapOnce({ iova: 0, pa: KB4, pageSize: KB4, count: 600, prot: 'rw' });
  t.is(m.tables, 3);
  t.deepEqual(unmap(m, 0, KB4, 512), { code: 'ok', bytes: MB2 });
  t.is(m.tables, 2);
  unmap(m, MB2, KB4, 88);
  t.is(m.tables, 2);
});

test('the next table that is needed is refused, not the next call', (t) => {
  const m = new FlatMap(PLAIN, 'io-pgtable', 1);
  map(m, 0);
  m.failNext = true;
  t.deepEqual(map(m, KB4), { code: 'ok', bytes: KB4 });
  t.deepEqual(map(m, MB2), { code: 'no-memory', bytes: 0 });
  t.deepEqual(map(m, MB2), { code: 'ok', bytes: KB4 });
});

test('stage 1 knows no leaf that is written and not read', (t) => {
  const m = new FlatMap(PLAIN, 'iommupt', 1);
  m.mapOnce({ iova: 0, pa: 0, pageSize: KB4, count: 1, prot: 'w' });
  t.is(m.leaves.at(0).prot, 'rw');
  const s2 = new FlatMap({ ...PLAIN, stage: 2 }, 'iommupt', 1);
  s2.mapOnce({ iova: 0, pa: 0, pageSize: KB4, count: 1, prot: 'w' });
  t.is(s2.leaves.at(0).prot, 'w');
});

test('leaves keep their order, grow, and differ where they differ', (t) => {
  const a = new Leaves(12);
  a.insert(0x5000, 0, leafInfo(3, 'rw', false, false), 200);
  a.insert(0x1000, 0x9000, leafInfo(3, 'r', true, true), 2);
  t.deepEqual([a.length, a.find(0x1fff), a.find(0x3000), a.find(0x5000), a.find(0), a.at(0).contiguous && a.at(0).dirty], [202, 0, -1, 2, -1, true]);
  const b = new Leaves(12);
  for (let i = 0; i < a.length; i += 1) b.push(a.iova[i] as number, a.pa[i] as number, a.info[i] as number);
  t.is(firstDifference(a, b), -1);
  b.remove(0x5000, 0x7000);
  t.is(firstDifference(a, b), 2);
  t.is(b.length, 200);
  b.remove(0x8000, 0x8000);
  t.is(b.length, 200);
  b.clear();
  t.is(firstDifference(b, new Leaves(12)), -1);
});

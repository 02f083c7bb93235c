/** Scatter lists: what each cleaner spends on them. */
import test from 'ava';
import { listRow, LISTS, type ListCost, type ListRow, type ScatterList } from '../../../src/compare/cleaning/lists.js';
import type { CleanerName } from '../../../src/stack/page-table.js';

function rowOf(what: string): ListRow {
  return listRow(LISTS.find((l) => l.what === what) as ScatterList);
}

function of(row: ListRow, name: CleanerName): ListCost {
  return row.costs.find((c) => c.cleaner === name) as ListCost;
}

test('512 pages: eager cleans each line eight times, every other way once', (t) => {
  const row = rowOf('512 pages of 4K');
  t.deepEqual(row.costs.map((c) => [c.cleaner, c.lines, c.calls]), [['eager', 512, 512], ['posted-walk', 64, 1], ['range-visitor', 64, 1], ['map-sg', 64, 1]]);
  t.is(row.touched, 64);
});

test('walks add up with the pieces, except for map-sg, which walks once for each table', (t) => {
  const row = rowOf('4096 pages of 4K');
  t.deepEqual(row.costs.map((c) => c.walks), [4096, 4097, 4097, 8]);
  t.is(of(row, 'map-sg').descriptors, 0);
});

test('blocks and pages in turn: the visitor and map-sg clean what is touched, line by line', (t) => {
  const row = rowOf('4K, 64K and 2M in turn: 144 pieces');
  t.deepEqual([of(row, 'range-visitor').lines, of(row, 'map-sg').lines], [row.touched, row.touched]);
});

test('every list is visible afterwards, but for the posted walk and the second half of a concatenated root', (t) => {
  for (const list of LISTS) for (const c of listRow(list).costs) t.is(c.stale, c.cleaner === 'posted-walk' && list.geometry.stage === 2 ? 32 : 0, `${list.what}: ${c.cleaner}`);
});

test('the posted walk and the visitor give the same lines in as many calls where the walk is right', (t) => {
  for (const what of ['4096 pages of 4K around a boundary of 1G', '64 blocks of 2M around a boundary of 1G', '512 pages, granule of 64K']) {
    const row = rowOf(what);
    const [posted, visitor] = [of(row, 'posted-walk'), of(row, 'range-visitor')];
    t.deepEqual([posted.lines, posted.calls], [visitor.lines, visitor.calls], what);
  }
});

/**
 * The invalidation array: merge, unref and purge step by step (the kernel's own test data). Entries
 * here are (SMMU, ASID), so each id of the data is an ASID of one SMMU, and lists are merged one tag at a time.
 */
import test from 'ava';
import { arrayKinds, arrayLength, arrayTrash, entryId, entrySmmu, entryUsers, findTag, merge, purge, unref } from '../../../src/optimised/driver/invs.js';
import type { Context, Tag } from '../../../src/optimised/driver/types.js';
import { smallWorld } from '../../../src/stack/world.js';
import { DriverRig as Rig, smmu } from './rig.js';

/** SMMUs of all kinds: ranges, none, ranges with DS, ranges. */
const WORLD = smallWorld({ smmus: [smmu(), smmu({ range: false }), smmu({ ds: true }), smmu()], devices: [] });
class DriverRig extends Rig {
  constructor() {
    super(WORLD);
  }
}

const LIST1 = [1, 2, 3];
const LIST2 = [1, 4, 5];
const LIST3 = [1, 5, 6];

function tag(asid: number, smmu = 0): Tag {
  return { smmu, asid, fresh: false };
}

/** [smmu, id, users] of every entry, trash among them. */
function entries(ctx: Context, array: number): [number, number, number][] {
  return Array.from({ length: arrayLength(ctx, array) }, (_, i) => [entrySmmu(ctx, array, i), entryId(ctx, array, i), entryUsers(ctx, array, i)]);
}

function ids(ctx: Context, array: number): { ids: number[]; users: number[]; trash: number } {
  const all = entries(ctx, array);
  return { ids: all.map((e) => e[1]), users: all.map((e) => e[2]), trash: arrayTrash(ctx, array) };
}

function mergeAll(ctx: Context, array: number, list: readonly number[]): number {
  return list.reduce((a, id) => merge(ctx, a, tag(id)), array);
}

function unrefAll(ctx: Context, array: number, list: readonly number[]): void {
  for (const id of list) unref(ctx, array, tag(id));
}

test('the kernel\'s seven steps', (t) => {
  const { ctx } = new DriverRig();
  let a = mergeAll(ctx, 0, LIST1);
  t.deepEqual(ids(ctx, a), { ids: [1, 2, 3], users: [1, 1, 1], trash: 0 });
  let b = mergeAll(ctx, a, LIST2);
  t.deepEqual(ids(ctx, b), { ids: [1, 2, 3, 4, 5], users: [2, 1, 1, 1, 1], trash: 0 });
  unrefAll(ctx, b, LIST2);
  t.deepEqual(ids(ctx, b), { ids: [1, 2, 3], users: [1, 1, 1], trash: 0 });
  a = mergeAll(ctx, b, LIST3);
  t.deepEqual(ids(ctx, a), { ids: [1, 2, 3, 5, 6], users: [2, 1, 1, 1, 1], trash: 0 });
  unrefAll(ctx, a, LIST1);
  t.deepEqual(ids(ctx, a), { ids: [1, 2, 3, 5, 6], users: [1, 0, 0, 1, 1], trash: 2 });
  b = purge(ctx, a);
  t.deepEqual(ids(ctx, b), { ids: [1, 5, 6], users: [1, 1, 1], trash: 0 });
  unrefAll(ctx, b, LIST3);
  t.deepEqual(ids(ctx, b), { ids: [], users: [], trash: 0 });
});

test('merge leaves the array that readers may hold as it is', (t) => {
  const { ctx } = new DriverRig();
  const a = mergeAll(ctx, 0, [4]);
  merge(ctx, a, tag(4));
  merge(ctx, a, tag(2));
  t.deepEqual(entries(ctx, a), [[0, 4, 1]]);
});

test('entries are sorted by SMMU first, then by id', (t) => {
  const { ctx } = new DriverRig();
  let a = merge(ctx, 0, tag(1, 2));
  for (const other of [tag(9, 0), tag(5, 1), tag(2, 0), tag(7, 3)]) a = merge(ctx, a, other);
  t.deepEqual(entries(ctx, a), [[0, 2, 1], [0, 9, 1], [1, 5, 1], [2, 1, 1], [3, 7, 1]]);
});

test('the same id on another SMMU is another entry', (t) => {
  const { ctx } = new DriverRig();
  const a = merge(ctx, merge(ctx, 0, tag(3, 0)), tag(3, 1));
  t.deepEqual(entries(ctx, a), [[0, 3, 1], [1, 3, 1]]);
  t.is(unref(ctx, a, tag(3, 0)), 0);
  t.deepEqual(entries(ctx, a), [[0, 3, 0], [1, 3, 1]]);
});

test('merge drops trash', (t) => {
  const { ctx } = new DriverRig();
  const a = mergeAll(ctx, 0, [1, 2, 3]);
  unrefAll(ctx, a, [2]);
  t.deepEqual(ids(ctx, merge(ctx, a, tag(3))), { ids: [1, 3], users: [1, 2], trash: 0 });
});

test('a tag whose old entry is trash gets a new entry with one user', (t) => {
  const { ctx } = new DriverRig();
  const a = mergeAll(ctx, 0, [1, 2, 3]);
  unrefAll(ctx, a, [2]);
  t.deepEqual(ids(ctx, merge(ctx, a, tag(2))), { ids: [1, 2, 3], users: [1, 1, 1], trash: 0 });
});

test('unref says how many users are left, and -1 for a tag that is not there', (t) => {
  const { ctx } = new DriverRig();
  const a = mergeAll(ctx, 0, [1, 1, 2]);
  t.is(unref(ctx, a, tag(1)), 1);
  t.is(unref(ctx, a, tag(9)), -1);
  t.is(unref(ctx, a, tag(1)), 0);
  t.is(unref(ctx, a, tag(1)), -1);
});

test('trash behind the last live entry is cut off, together with older trash there', (t) => {
  const { ctx } = new DriverRig();
  const a = mergeAll(ctx, 0, [1, 2, 3]);
  unrefAll(ctx, a, [2]);
  t.is(arrayTrash(ctx, a), 1);
  unrefAll(ctx, a, [3]);
  t.deepEqual(ids(ctx, a), { ids: [1], users: [1], trash: 0 });
});

test('trash in front of a live entry stays', (t) => {
  const { ctx } = new DriverRig();
  const a = mergeAll(ctx, 0, [1, 2]);
  unrefAll(ctx, a, [1]);
  t.deepEqual(ids(ctx, a), { ids: [1, 2], users: [0, 1], trash: 1 });
});

test('purge has nothing to do for an empty array, or one without trash', (t) => {
  const { ctx } = new DriverRig();
  const a = mergeAll(ctx, 0, [1]);
  t.is(purge(ctx, a), -1);
  unrefAll(ctx, a, [1]);
  t.is(purge(ctx, a), -1);
  t.is(purge(ctx, 0), -1);
});

test('what purge returns needs no purging', (t) => {
  const { ctx } = new DriverRig();
  const a = mergeAll(ctx, 0, [1, 2]);
  unrefAll(ctx, a, [1]);
  t.is(purge(ctx, purge(ctx, a)), -1);
});

test('without memory merge and purge say so and leave the array alone', (t) => {
  const { ctx, pages } = new DriverRig();
  const a = mergeAll(ctx, 0, [1, 2]);
  unrefAll(ctx, a, [1]);
  pages.failNext();
  t.is(merge(ctx, a, tag(5)), -1);
  pages.failNext();
  t.is(purge(ctx, a), -1);
  t.deepEqual(ids(ctx, a), { ids: [1, 2], users: [0, 1], trash: 1 });
});

test('the tag of an SMMU is its live entry', (t) => {
  const { ctx } = new DriverRig();
  const a = merge(ctx, merge(ctx, merge(ctx, 0, tag(4, 0)), tag(6, 0)), tag(8, 1));
  t.is(findTag(ctx, a, 0), 4);
  unref(ctx, a, tag(4, 0));
  t.is(findTag(ctx, a, 0), 6);
  t.is(findTag(ctx, a, 1), 8);
  t.is(findTag(ctx, a, 2), -1);
  t.is(findTag(ctx, 0, 0), -1);
});

const SINGLE_KIND = 1;
const RANGE_KIND = 2;
const DS_KIND = 4;

test('the array knows which kinds of SMMUs it has: those with ranges, with DS as well, and without', (t) => {
  const { ctx } = new DriverRig();
  t.is(arrayKinds(ctx, 0), 0);
  let a = merge(ctx, 0, tag(1, 0));
  t.is(arrayKinds(ctx, a), RANGE_KIND);
  a = merge(ctx, a, tag(1, 3));
  t.is(arrayKinds(ctx, a), RANGE_KIND);
  a = merge(ctx, a, tag(1, 1));
  t.is(arrayKinds(ctx, a), RANGE_KIND + SINGLE_KIND);
  t.is(arrayKinds(ctx, merge(ctx, a, tag(1, 2))), RANGE_KIND + SINGLE_KIND + DS_KIND);
});

test('unref leaves the kinds, for readers who still see the users; purge and merge find them anew', (t) => {
  const { ctx } = new DriverRig();
  const a = merge(ctx, merge(ctx, 0, tag(1, 1)), tag(1, 3));
  unref(ctx, a, tag(1, 1));
  t.is(arrayKinds(ctx, a), RANGE_KIND + SINGLE_KIND);
  t.is(arrayKinds(ctx, purge(ctx, a)), RANGE_KIND);
  t.is(arrayKinds(ctx, merge(ctx, a, tag(1, 2))), RANGE_KIND + DS_KIND);
});

/**
 * The invalidation array: merge, unref and purge step by step (the kernel's own test data, with all types of entries, and once more with
 * tags alone, merged one at a time).
 */
import test from 'ava';
import { arrayHasAts, arrayKinds, arrayLength, arrayTrash, entryId, entryKey, entrySmmu, entryUsers, findTag, merge, purge, unref } from '../../../src/optimised/driver/invs.js';
import type { Context } from '../../../src/optimised/driver/types.js';
import type { InvKey, InvType } from '../../../src/stack/invalidation-array.js';
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

function tag(asid: number, smmu = 0): readonly InvKey[] {
  return [{ smmu, type: 's1-tag', id: asid, ssid: 0 }];
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

const own = (type: InvType, id: number, ssid = 0): InvKey => ({ smmu: 0, type, id, ssid });
/** What masters behind a nesting parent contribute, and two with substreams. */
const NESTED1 = [own('s2-tag', 1), own('s1-clear', 1), own('ats', 3)];
const NESTED2 = [own('s2-tag', 1), own('ats', 4), own('ats', 5)];
const NESTED3 = [own('s2-tag', 1), own('ats', 5), own('ats', 6)];
const SUBSTREAMS1 = [own('ats', 10, 1), own('ats', 10, 3), own('ats', 12, 1)];
const SUBSTREAMS2 = [own('ats', 10, 2), own('ats', 10, 3), own('ats', 12, 2)];

test('the kernel\'s seven steps with tags, stage-1 clears and ATCs', (t) => {
  const { ctx } = new DriverRig();
  let a = merge(ctx, 0, NESTED1);
  t.deepEqual(ids(ctx, a), { ids: [1, 1, 3], users: [1, 1, 1], trash: 0 });
  let b = merge(ctx, a, NESTED2);
  t.deepEqual(ids(ctx, b), { ids: [1, 1, 3, 4, 5], users: [2, 1, 1, 1, 1], trash: 0 });
  t.is(unref(ctx, b, NESTED2), 1);
  t.deepEqual(ids(ctx, b), { ids: [1, 1, 3], users: [1, 1, 1], trash: 0 });
  a = merge(ctx, b, NESTED3);
  t.deepEqual(ids(ctx, a), { ids: [1, 1, 3, 5, 6], users: [2, 1, 1, 1, 1], trash: 0 });
  t.is(unref(ctx, a, NESTED1), 1);
  t.deepEqual(ids(ctx, a), { ids: [1, 1, 3, 5, 6], users: [1, 0, 0, 1, 1], trash: 2 });
  b = purge(ctx, a);
  t.deepEqual(ids(ctx, b), { ids: [1, 5, 6], users: [1, 1, 1], trash: 0 });
  t.is(unref(ctx, b, NESTED3), 0);
  t.deepEqual(ids(ctx, b), { ids: [], users: [], trash: 0 });
});

test('entries of ATS types are told apart by their substream', (t) => {
  const { ctx } = new DriverRig();
  const a = merge(ctx, merge(ctx, 0, SUBSTREAMS1), SUBSTREAMS2);
  t.deepEqual(Array.from({ length: 5 }, (_, i) => entryKey(ctx, a, i)).map((k) => [k.id, k.ssid]), [[10, 1], [10, 2], [10, 3], [12, 1], [12, 2]]);
  t.deepEqual(ids(ctx, a).users, [1, 1, 2, 1, 1]);
});

test('a tag is found by its type: an ASID is no VMID', (t) => {
  const { ctx } = new DriverRig();
  const a = merge(ctx, 0, [own('s1-tag', 7), own('s2-tag', 9), own('vsmmu-tag', 11)]);
  t.deepEqual((['s1-tag', 's2-tag', 'vsmmu-tag'] as const).map((type) => findTag(ctx, a, 0, type)), [7, 9, 11]);
  t.is(findTag(ctx, a, 0, 'ats'), -1);
});

test('the array knows whether ATCs are to be told, from its publication on', (t) => {
  const { ctx } = new DriverRig();
  t.false(arrayHasAts(ctx, 0));
  const a = merge(ctx, 0, NESTED1);
  t.true(arrayHasAts(ctx, a));
  unref(ctx, a, [own('ats', 3)]);
  t.true(arrayHasAts(ctx, a), 'a reader may still have seen its user');
  t.false(arrayHasAts(ctx, merge(ctx, a, [own('s2-tag', 2)])));
  unref(ctx, a, [own('s2-tag', 1)]);
  t.false(arrayHasAts(ctx, purge(ctx, a)));
});

test('a device with one StreamID twice counts twice', (t) => {
  const { ctx } = new DriverRig();
  const twice = [own('s1-tag', 1), own('ats', 3), own('ats', 3)];
  let a = merge(ctx, 0, twice);
  t.deepEqual(ids(ctx, a), { ids: [1, 3, 3], users: [1, 1, 1], trash: 0 });
  a = merge(ctx, a, twice);
  t.is(ids(ctx, a).users.reduce((sum, n) => sum + n, 0), 6);
  unref(ctx, a, twice);
  unref(ctx, a, twice);
  t.deepEqual(ids(ctx, a), { ids: [], users: [], trash: 0 });
});

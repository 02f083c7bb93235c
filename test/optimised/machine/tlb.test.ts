/** What each TLBI command removes from the TLB, and what it must leave (IHI 0070 §4.4; this machine is exact). */
import test from 'ava';
import { OP } from '../../../src/spec/command.js';
import { Rig } from './rig.js';

const GONE = 'F_TRANSLATION';

/** Stream 1, ASID 7: `frames` mapped to 0x900 + i, cached, then cleared in memory. */
function staleRig(frames: readonly number[], level: 2 | 3 = 3): Rig {
  const rig = new Rig();
  const root = rig.stream(1, 7);
  const refs = frames.map((frame, i) => rig.map(root, frame, level === 3 ? 0x900 + i : 0x800 + 512 * i, { level }));
  for (const frame of frames) rig.read(1, frame);
  for (const ref of refs) rig.clear(ref);
  return rig;
}

test('a cached leaf answers after its descriptor was cleared', (t) => {
  t.is(staleRig([0x10]).read(1, 0x10), '0x900000');
});

test('a cached block of 1 GB answers after its descriptor was cleared', (t) => {
  const rig = new Rig();
  const ref = rig.map(rig.stream(1, 7), 0, 2 ** 18, { level: 1 });
  rig.read(1, 0);
  rig.clear(ref);
  t.is(rig.read(1, 0x3ffff), '0x7ffff000');
});

test('a hit adds the offset within a block to its output', (t) => {
  t.is(staleRig([0x400], 2).read(1, 0x523), '0x923000');
});

test('of a cached page and a cached block over it, the page answers', (t) => {
  const rig = new Rig();
  const root = rig.stream(1, 7);
  rig.map(root, 0x403, 0x900);
  rig.read(1, 0x403);
  rig.map(root, 0x400, 0x800, { level: 2 });
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x400, tg: 1, ttl: 2, num: 0, scale: 0 }); // the table on the way
  rig.read(1, 0x404);
  t.is(rig.read(1, 0x403), '0x900000');
});

test('NH_ALL drops every leaf', (t) => {
  const rig = staleRig([0x10]);
  rig.command({ op: OP.TLBI_NH_ALL });
  t.is(rig.read(1, 0x10), GONE);
});

test('NSNH_ALL drops every leaf', (t) => {
  const rig = staleRig([0x10]);
  rig.command({ op: OP.TLBI_NSNH_ALL });
  t.is(rig.read(1, 0x10), GONE);
});

test('NH_ASID drops the leaves of its ASID', (t) => {
  const rig = staleRig([0x10]);
  rig.command({ op: OP.TLBI_NH_ASID, asid: 7 });
  t.is(rig.read(1, 0x10), GONE);
});

test('NH_ASID leaves another ASID alone', (t) => {
  const rig = staleRig([0x10]);
  rig.command({ op: OP.TLBI_NH_ASID, asid: 8 });
  t.is(rig.read(1, 0x10), '0x900000');
});

test('NH_VA drops the leaf of its address', (t) => {
  const rig = staleRig([0x10]);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x10, leaf: 1 });
  t.is(rig.read(1, 0x10), GONE);
});

test('NH_VA leaves another ASID alone', (t) => {
  const rig = staleRig([0x10]);
  rig.command({ op: OP.TLBI_NH_VA, asid: 8, frame: 0x10, leaf: 1 });
  t.is(rig.read(1, 0x10), '0x900000');
});

test('NH_VA leaves the neighbouring page alone', (t) => {
  const rig = staleRig([0x10, 0x11]);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x10, leaf: 1 });
  t.is(rig.read(1, 0x11), '0x901000');
});

test('NH_VAA drops the leaf of its address under any ASID', (t) => {
  const rig = staleRig([0x10]);
  rig.command({ op: OP.TLBI_NH_VAA, frame: 0x10, leaf: 1 });
  t.is(rig.read(1, 0x10), GONE);
});

test('NH_VAA leaves other addresses alone', (t) => {
  const rig = staleRig([0x10, 0x11]);
  rig.command({ op: OP.TLBI_NH_VAA, frame: 0x10, leaf: 1 });
  t.is(rig.read(1, 0x11), '0x901000');
});

test('any address inside a block drops the block', (t) => {
  const rig = staleRig([0x400], 2);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x5ff, leaf: 1 });
  t.is(rig.read(1, 0x400), GONE);
});

test('a range drops its last page', (t) => {
  const rig = staleRig([0x10, 0x17]);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x10, tg: 1, num: 3, scale: 1, leaf: 1 }); // 8 pages
  t.is(rig.read(1, 0x17), GONE);
});

test('a range leaves the page after it', (t) => {
  const rig = staleRig([0x10, 0x18]);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x10, tg: 1, num: 3, scale: 1, leaf: 1 });
  t.is(rig.read(1, 0x18), '0x901000');
});

test('a range larger than the TLB leaves the page before it', (t) => {
  const rig = staleRig([0x0f, 0x400]);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x10, tg: 1, num: 3, scale: 12, leaf: 1 });
  t.is(rig.read(1, 0x0f), '0x900000');
});

test('a range larger than the TLB drops what it covers', (t) => {
  const rig = staleRig([0x0f, 0x400]);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x10, tg: 1, num: 3, scale: 12, leaf: 1 });
  t.is(rig.read(1, 0x400), GONE);
});

test('a range larger than the TLB leaves another ASID alone', (t) => {
  const rig = staleRig([0x400]);
  rig.command({ op: OP.TLBI_NH_VA, asid: 8, frame: 0x10, tg: 1, num: 3, scale: 12, leaf: 1 });
  t.is(rig.read(1, 0x400), '0x900000');
});

test('a range that ends inside a block drops the block', (t) => {
  const rig = staleRig([0x400], 2);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x3ff, tg: 1, num: 1, scale: 0, leaf: 1 });
  t.is(rig.read(1, 0x5ff), GONE);
});

test('TTL = 3 leaves a block in its range', (t) => {
  const rig = staleRig([0x400], 2);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x400, tg: 1, ttl: 3, num: 0, scale: 9, leaf: 1 });
  t.is(rig.read(1, 0x400), '0x800000');
});

test('TTL = 2 drops a block of level 2', (t) => {
  const rig = staleRig([0x400], 2);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x400, tg: 1, ttl: 2, leaf: 1 });
  t.is(rig.read(1, 0x400), GONE);
});

test('TTL = 2 leaves a page in its range', (t) => {
  const rig = staleRig([0x400]);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x400, tg: 1, ttl: 2, leaf: 1 });
  t.is(rig.read(1, 0x400), '0x900000');
});

test('a range of 16 KB granules leaves 4 KB leaves', (t) => {
  const rig = staleRig([0x10]);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0x10, tg: 2, num: 3, scale: 1, leaf: 1 });
  t.is(rig.read(1, 0x10), '0x900000');
});

test('replacement takes the oldest leaf of a full set', (t) => {
  const rig = new Rig({ config: { tlbEntries: 4 } });
  const root = rig.stream(1, 7);
  const refs = [0, 1, 2, 3, 4].map((i) => rig.map(root, 0x10 + i, 0x900 + i));
  for (let i = 0; i < 5; i += 1) rig.read(1, 0x10 + i);
  for (const ref of refs) rig.clear(ref);
  t.deepEqual([0, 1, 2, 3, 4].map((i) => rig.read(1, 0x10 + i)), [GONE, '0x901000', '0x902000', '0x903000', '0x904000']);
});

test('leaves are shown with ASID, first frame, level and words', (t) => {
  const rig = new Rig();
  const ref = rig.map(rig.stream(1, 7), 0x400, 0x800, { level: 2 });
  rig.read(1, 0x4ff);
  const seen: number[][] = [];
  rig.machine.forEachLeaf((...leaf) => seen.push(leaf));
  t.deepEqual(seen, [[7, 0x400, 2, rig.memory.lo[ref], rig.memory.hi[ref]]]);
});

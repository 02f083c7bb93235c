/** Page tables: what is mapped is found, what is unmapped is not; tables come and go; blocks replace emptied tables. */
import test from 'ava';
import { BIT_VALID, leafWritable } from '../../../src/spec/descriptor.js';
import { smallWorld } from '../../../src/stack/world.js';
import { DriverRig, GB1, KB4, MB2 } from './rig.js';

/** Leaves in the tables by level, counted in memory. */
function leaves(rig: DriverRig): number[] {
  rig.ctx.cpu.drainAll();
  const found = [0, 0, 0, 0];
  const visit = (slot: number, level: number): void => {
    for (let i = 0; i < 512; i += 1) {
      const lo = rig.memory.lo[slot * 512 + i] as number;
      if ((lo & BIT_VALID) === 0) continue;
      if (level === 3 || (lo & 2) === 0) found[level] = (found[level] as number) + 1;
      else visit(rig.memory.slotOf(Math.floor(lo / 4096) + (rig.memory.hi[slot * 512 + i] as number) * 2 ** 20), level + 1);
    }
  };
  visit(rig.driver.state.domains[0]?.rootSlot ?? 0, rig.driver.state.startLevel);
  return found;
}

test('a mapped page is found with its offset, its neighbours are not', (t) => {
  const rig = new DriverRig();
  t.is(rig.map(0x5000, 0x70000, KB4), 'ok');
  t.is(rig.lookup(0x5000), 0x70000);
  t.is(rig.lookup(0x4000), -1);
  t.is(rig.lookup(0x6000), -1);
});

test('pages of a range map one after the other', (t) => {
  const rig = new DriverRig();
  rig.map(0x1ff000, 0x70000, 3 * KB4);
  t.deepEqual([0x1ff000, 0x200000, 0x201000].map((a) => rig.lookup(a)), [0x70000, 0x71000, 0x72000]);
});

/** iova, pa, size → leaves at level 1, 2, 3. */
const SHAPES: readonly [what: string, iova: number, pa: number, size: number, levels: readonly [number, number, number]][] = [
  ['one page', 0, 0x70000, KB4, [0, 0, 1]],
  ['an aligned 2 MB', MB2, 4 * MB2, MB2, [0, 1, 0]],
  ['2 MB of unaligned output', MB2, 4 * MB2 + KB4, MB2, [0, 0, 512]],
  ['2 MB at an unaligned address', MB2 + KB4, 4 * MB2 + KB4, MB2, [0, 0, 512]],
  ['pages up to a block, the block, pages after it', MB2 - KB4, 5 * MB2 - KB4, MB2 + 3 * KB4, [0, 1, 3]],
  ['an aligned 1 GB', GB1, 3 * GB1, GB1, [1, 0, 0]],
  ['blocks up to 1 GB, the 1 GB, a block after it', GB1 - MB2, 3 * GB1 - MB2, GB1 + 2 * MB2, [1, 2, 0]],
  ['1 GB with output aligned to 2 MB only', GB1, 3 * GB1 + MB2, GB1, [0, 512, 0]],
  ['pages, blocks, 1 GB, blocks, pages', GB1 - MB2 - KB4, 4 * GB1 - MB2 - KB4, GB1 + 2 * MB2 + 2 * KB4, [1, 2, 2]],
];

for (const [what, iova, pa, size, levels] of SHAPES) {
  test(`${what}: the largest entries that fit`, (t) => {
    const rig = new DriverRig();
    t.is(rig.map(iova, pa, size), 'ok');
    t.deepEqual(leaves(rig).slice(1), [...levels]);
    for (const offset of [0, size - KB4, Math.floor(size / 2 / KB4) * KB4]) t.is(rig.lookup(iova + offset), pa + offset);
    t.is(rig.lookup(iova + size), -1);
  });

  test(`${what}: unmapping leaves nothing`, (t) => {
    const rig = new DriverRig();
    rig.map(iova, pa, size);
    t.is(rig.unmap(iova, size), 'ok');
    t.deepEqual(leaves(rig), [0, 0, 0, 0]);
    t.is(rig.lookup(iova), -1);
    t.is(rig.lookup(iova + size - KB4), -1);
  });
}

test('the last page of the input space can be mapped, with 39 and 48 bits', (t) => {
  for (const inputBits of [39, 48] as const) {
    const rig = new DriverRig(smallWorld({ inputBits }));
    const top = 2 ** inputBits - KB4;
    t.is(rig.map(top, 0x70000, KB4), 'ok');
    t.is(rig.lookup(top), 0x70000);
    t.is(rig.unmap(top, KB4), 'ok');
    t.is(rig.lookup(top), -1);
  }
});

test('39 input bits start at level 1, 48 at level 0', (t) => {
  const tablesFor = (inputBits: 39 | 48): number => {
    const rig = new DriverRig(smallWorld({ inputBits }));
    rig.map(0, 0x70000, KB4);
    return rig.tables();
  };
  t.is(tablesFor(39), 3);
  t.is(tablesFor(48), 4);
});

test('a read-only mapping is read-only in memory', (t) => {
  const rig = new DriverRig();
  const lowWords = (): number[] => [...rig.memory.lo].filter((lo) => (lo & 0x7ffff000) === 0x70000 && (lo & 3) === 3);
  rig.map(0, 0x70000, KB4, 'r');
  t.deepEqual(lowWords().map(leafWritable), [false]);
  rig.unmap(0, KB4);
  rig.map(0, 0x70000, KB4, 'rw');
  t.deepEqual(lowWords().map(leafWritable), [true]);
});

test('each domain has tables of its own', (t) => {
  const rig = new DriverRig(smallWorld({ domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }] }));
  rig.map(0x5000, 0x70000, KB4, 'rw', 0);
  rig.map(0x5000, 0x90000, KB4, 'rw', 1);
  t.is(rig.lookup(0x5000, 0), 0x70000);
  t.is(rig.lookup(0x5000, 1), 0x90000);
  rig.unmap(0x5000, KB4, 0);
  t.is(rig.lookup(0x5000, 1), 0x90000);
});

test('a page of a range can be unmapped alone', (t) => {
  const rig = new DriverRig();
  rig.map(0x5000, 0x70000, 3 * KB4);
  t.is(rig.unmap(0x6000, KB4), 'ok');
  t.deepEqual([0x5000, 0x6000, 0x7000].map((a) => rig.lookup(a)), [0x70000, -1, 0x72000]);
});

test('one call may unmap what several mapped, of several sizes', (t) => {
  const rig = new DriverRig();
  rig.map(MB2 - KB4, 0x70000, KB4);
  rig.map(MB2, 8 * MB2, MB2);
  rig.map(2 * MB2, 0x90000, KB4);
  t.is(rig.unmap(MB2 - KB4, MB2 + 2 * KB4), 'ok');
  t.deepEqual(leaves(rig), [0, 0, 0, 0]);
});

test('a table whose whole span is unmapped is freed at the sync, not before', (t) => {
  const rig = new DriverRig();
  rig.map(0, 4 * MB2 + KB4, MB2);
  t.is(rig.tables(), 4);
  rig.unmap(0, MB2);
  t.is(rig.tables(), 4);
  rig.sync();
  t.is(rig.tables(), 3);
});

test('a table whose span is unmapped in parts stays', (t) => {
  const rig = new DriverRig();
  rig.map(0, 4 * MB2 + KB4, MB2);
  rig.unmap(0, MB2 / 2);
  rig.unmap(MB2 / 2, MB2 / 2);
  rig.sync();
  t.is(rig.tables(), 4);
});

test('unmapping a whole 1 GB of tables frees all of them', (t) => {
  const rig = new DriverRig();
  rig.map(0, 3 * GB1 + MB2, GB1 - MB2);
  rig.map(GB1 - MB2, 0x70000, MB2);
  t.is(rig.tables(), 4);
  rig.unmap(0, GB1);
  rig.sync();
  t.is(rig.tables(), 2);
});

test('a block over an emptied table replaces and frees it, invalidated first', (t) => {
  const rig = new DriverRig();
  rig.attach();
  rig.map(MB2, 0x70000, KB4);
  rig.unmap(MB2, KB4);
  rig.sync();
  rig.forget();
  t.is(rig.map(MB2, 8 * MB2, MB2), 'ok');
  t.is(rig.tables(), 3);
  t.deepEqual(leaves(rig), [0, 0, 1, 0]);
  t.deepEqual(rig.said(), ['TLBI_NH_VA vmid 0 asid 1 va 0x200000 tg 4K num 31 scale 4 ttl 3 (512 granules)', 'SYNC']);
});

test('a 1 GB block over emptied tables of two levels frees both', (t) => {
  const rig = new DriverRig();
  rig.map(GB1, 0x70000, KB4);
  rig.map(GB1 + MB2, 0x90000, KB4);
  rig.unmap(GB1, KB4);
  rig.unmap(GB1 + MB2, KB4);
  t.is(rig.tables(), 5);
  t.is(rig.map(GB1, 4 * GB1, GB1), 'ok');
  t.is(rig.tables(), 2);
  t.is(rig.lookup(GB1 + 5 * MB2), 4 * GB1 + 5 * MB2);
});

test('a mapping over an address that waits for its sync is synced first', (t) => {
  const rig = new DriverRig();
  rig.attach();
  rig.map(0x5000, 0x70000, KB4);
  rig.unmap(0x5000, KB4);
  rig.forget();
  rig.map(0x5000, 0x90000, KB4);
  t.is(rig.said().length, 2);
  t.is(rig.lookup(0x5000), 0x90000);
});

test('a mapping beside what waits for its sync needs no commands', (t) => {
  const rig = new DriverRig();
  rig.attach();
  rig.map(0x5000, 0x70000, KB4);
  rig.unmap(0x5000, KB4);
  rig.forget();
  rig.map(0x6000, 0x90000, KB4);
  t.deepEqual(rig.said(), []);
});

test('mapping is visible when the call returns', (t) => {
  const rig = new DriverRig();
  rig.map(0x5000, 0x70000, 3 * KB4);
  t.is(rig.ctx.cpu.pending, 0);
});

test('lazy: unmapped tables wait for the flush of everything', (t) => {
  const rig = new DriverRig(smallWorld({ domains: [{ mode: 'lazy', managed: true }] }));
  rig.run({ op: 'iova-alloc', domain: 0, iova: 0, size: MB2 });
  rig.map(0, 4 * MB2 + KB4, MB2);
  rig.unmap(0, MB2);
  rig.sync();
  t.is(rig.tables(), 4);
  rig.run({ op: 'flush-all', domain: 0 });
  t.is(rig.tables(), 3);
});

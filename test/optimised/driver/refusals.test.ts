/** Refused calls: each error, with every word of memory as before; and the allocator failing at each allocation. */
import test from 'ava';
import type { Operation, Result } from '../../../src/stack/operation.js';
import { smallWorld, type World } from '../../../src/stack/world.js';
import { DriverRig, GB1, KB4, MB2, smmu } from './rig.js';

/** Domain 0: one page at 0x5000 and a 2 MB block at 4 MB. Domain 1: managed, [0x10000, 0x14000) handed out, its first page mapped. */
const WORLD: World = smallWorld({
  smmus: [smmu({ asidMax: 1 }), smmu({ coherent: false })],
  devices: [{ smmu: 0, streams: [1] }, { smmu: 0, streams: [2] }, { smmu: 1, streams: [1] }],
  domains: [{ mode: 'strict', managed: false }, { mode: 'lazy', managed: true }],
});

const BEFORE: readonly Operation[] = [
  { op: 'attach', device: 0, to: 0 },
  { op: 'map', domain: 0, iova: 0x5000, pa: 0x70000, size: KB4, prot: 'rw' },
  { op: 'map', domain: 0, iova: 2 * MB2, pa: 8 * MB2, size: MB2, prot: 'rw' },
  { op: 'iova-alloc', domain: 1, iova: 0x10000, size: 0x4000 },
  { op: 'map', domain: 1, iova: 0x10000, pa: 0x90000, size: KB4, prot: 'rw' },
];

function ready(world = WORLD): DriverRig {
  const rig = new DriverRig(world);
  for (const op of BEFORE) if (rig.run(op) !== 'ok') throw new Error(`set-up: ${op.op}`);
  rig.ctx.cpu.drainAll();
  rig.forget();
  return rig;
}

const map = (iova: number, pa: number, size: number, domain = 0): Operation => ({ op: 'map', domain, iova, pa, size, prot: 'rw' });
const unmap = (iova: number, size: number, domain = 0): Operation => ({ op: 'unmap', domain, iova, size });
const TOP = 2 ** 48;

const REFUSED: readonly [Result, string, Operation][] = [
  ['unknown-domain', 'map', map(0, 0, KB4, 2)],
  ['unknown-domain', 'unmap', unmap(0, KB4, 2)],
  ['unknown-domain', 'sync', { op: 'sync', domain: 2 }],
  ['unknown-domain', 'attach', { op: 'attach', device: 0, to: 2 }],
  ['unknown-domain', 'iova-alloc', { op: 'iova-alloc', domain: 2, iova: 0, size: KB4 }],
  ['unknown-domain', 'iova-free', { op: 'iova-free', domain: 2, iova: 0, size: KB4 }],
  ['unknown-domain', 'flush-all', { op: 'flush-all', domain: 2 }],
  ['unknown-device', 'attach', { op: 'attach', device: 3, to: 0 }],
  ['unknown-device', 'attach to an unknown domain', { op: 'attach', device: 3, to: 7 }],
  ['unknown-device', 'detach', { op: 'detach', device: 3 }],
  ['unaligned', 'map at an unaligned address', map(0x800, 0, KB4)],
  ['unaligned', 'map to an unaligned address', map(0, 0x800, KB4)],
  ['unaligned', 'map of half a page', map(0, 0, 2048)],
  ['unaligned', 'map of nothing', map(0, 0, 0)],
  ['unaligned', 'unmap of nothing', unmap(0x5000, 0)],
  ['unaligned', 'unmap of a page and a half', unmap(0x5000, 6144)],
  ['unaligned', 'iova-alloc', { op: 'iova-alloc', domain: 1, iova: 1, size: KB4 }],
  ['unaligned', 'iova-free', { op: 'iova-free', domain: 1, iova: 0x10000, size: 0 }],
  ['out-of-range', 'map beyond the input size', map(TOP - KB4, 0, 2 * KB4)],
  ['out-of-range', 'map beyond the output size', map(0, 2 ** 44 - KB4, 2 * KB4)],
  ['out-of-range', 'unmap beyond the input size', unmap(TOP, KB4)],
  ['out-of-range', 'iova-alloc', { op: 'iova-alloc', domain: 1, iova: TOP, size: KB4 }],
  ['too-large', 'one page more than 1 GB of pages', map(4 * GB1, 8 * GB1 + KB4, GB1 + KB4)],
  ['too-large', 'many blocks and too many pages', map(4 * GB1 - KB4, 8 * GB1, 3 * GB1)],
  ['already-mapped', 'map of a mapped page', map(0x5000, 0x70000, KB4)],
  ['already-mapped', 'map whose last page is mapped', map(0x4000, 0x90000, 2 * KB4)],
  ['already-mapped', 'map inside of a block', map(2 * MB2 + 7 * KB4, 0x90000, KB4)],
  ['already-mapped', 'a 1 GB block over it all', map(0, 4 * GB1, GB1)],
  ['not-mapped', 'unmap of nothing there', unmap(0x6000, KB4)],
  ['not-mapped', 'unmap with a hole at its end', unmap(0x5000, 2 * KB4)],
  ['not-mapped', 'unmap of a cut block and a hole', unmap(2 * MB2 + KB4, MB2)],
  ['partial-block', 'unmap of the start of a block', unmap(2 * MB2, KB4)],
  ['partial-block', 'unmap of the end of a block', unmap(3 * MB2 - KB4, KB4)],
  ['already-attached', 'attach', { op: 'attach', device: 0, to: 0 }],
  ['not-attached', 'detach', { op: 'detach', device: 1 }],
  ['no-tags', 'attach', { op: 'attach', device: 1, to: 1 }],
  ['incompatible', 'attach behind an SMMU that needs cleaned tables', { op: 'attach', device: 2, to: 0 }],
  ['iova-busy', 'iova-alloc of what is handed out', { op: 'iova-alloc', domain: 1, iova: 0x13000, size: 2 * KB4 }],
  ['iova-not-allocated', 'map outside of what is handed out', map(0x13000, 0x70000, 2 * KB4, 1)],
  ['iova-not-allocated', 'iova-free of a part', { op: 'iova-free', domain: 1, iova: 0x10000, size: KB4 }],
  ['iova-in-use', 'iova-free while a page is mapped', { op: 'iova-free', domain: 1, iova: 0x10000, size: 0x4000 }],
  ['not-managed', 'iova-alloc', { op: 'iova-alloc', domain: 0, iova: 0, size: KB4 }],
  ['not-managed', 'iova-free', { op: 'iova-free', domain: 0, iova: 0, size: KB4 }],
  ['not-lazy', 'flush-all', { op: 'flush-all', domain: 0 }],
];

for (const [error, what, op] of REFUSED) {
  test(`${error}: ${what}; memory and queues as before`, (t) => {
    const rig = ready();
    const before = rig.snapshot();
    t.is(rig.run(op), error);
    t.is(rig.ctx.cpu.pending, 0);
    t.deepEqual(rig.changedSince(before), []);
    t.deepEqual(rig.said(), []);
  });
}

test('1 GB of pages is not too large, nor is anything in blocks', (t) => {
  const rig = ready();
  t.is(rig.run(map(4 * GB1, 8 * GB1 + KB4, GB1)), 'ok');
  t.is(rig.run(map(8 * GB1, 16 * GB1, 100 * GB1)), 'ok');
  t.is(rig.lookup(5 * GB1 - KB4), 9 * GB1);
});

test('a waiting range is busy until the flush', (t) => {
  const rig = ready();
  rig.run(unmap(0x10000, KB4, 1));
  t.is(rig.run({ op: 'iova-free', domain: 1, iova: 0x10000, size: 0x4000 }), 'ok');
  t.is(rig.run({ op: 'iova-alloc', domain: 1, iova: 0x10000, size: KB4 }), 'iova-busy');
  rig.run({ op: 'flush-all', domain: 1 });
  t.is(rig.run({ op: 'iova-alloc', domain: 1, iova: 0x10000, size: KB4 }), 'ok');
});

test('the flush queue flushes by itself when it is full', (t) => {
  const rig = new DriverRig(smallWorld({ domains: [{ mode: 'lazy', managed: true }], flushQueue: 2 }));
  rig.attach();
  for (const iova of [0, KB4]) rig.run({ op: 'iova-alloc', domain: 0, iova, size: KB4 });
  rig.forget();
  rig.run({ op: 'iova-free', domain: 0, iova: 0, size: KB4 });
  t.deepEqual(rig.said(), []);
  rig.run({ op: 'iova-free', domain: 0, iova: KB4, size: KB4 });
  t.deepEqual(rig.said(), ['TLBI_NH_ASID vmid 0 asid 1', 'SYNC']);
});

test('strict: a freed range can be handed out again at once', (t) => {
  const rig = new DriverRig(smallWorld({ domains: [{ mode: 'strict', managed: true }] }));
  rig.run({ op: 'iova-alloc', domain: 0, iova: 0, size: KB4 });
  t.is(rig.run({ op: 'iova-free', domain: 0, iova: 0, size: KB4 }), 'ok');
  t.is(rig.run({ op: 'iova-alloc', domain: 0, iova: 0, size: KB4 }), 'ok');
});

test('no-memory: a map that needs a table leaves every word as it was, and can be repeated', (t) => {
  const rig = ready();
  const before = rig.snapshot();
  rig.run({ op: 'fail-next-allocation' });
  t.is(rig.run(map(GB1, 0x70000, KB4)), 'no-memory');
  t.deepEqual(rig.changedSince(before), []);
  t.is(rig.run(map(GB1, 0x70000, KB4)), 'ok');
});

test('no-memory: an attach leaves every word as it was, and can be repeated', (t) => {
  const rig = ready({ ...WORLD, smmus: [smmu()], devices: WORLD.devices.slice(0, 2) });
  const before = rig.snapshot();
  const objects = rig.pages.objectsInUse;
  rig.run({ op: 'fail-next-allocation' });
  t.is(rig.run({ op: 'attach', device: 1, to: 1 }), 'no-memory');
  rig.ctx.cpu.drainAll();
  t.deepEqual(rig.changedSince(before), []);
  t.is(rig.pages.objectsInUse, objects);
  t.is(rig.driver.tagsInUse(0), 1);
  t.is(rig.run({ op: 'attach', device: 1, to: 1 }), 'ok');
});

test('no-memory: a second device of a domain keeps its tag', (t) => {
  const rig = ready();
  rig.run({ op: 'fail-next-allocation' });
  t.is(rig.run({ op: 'attach', device: 1, to: 0 }), 'no-memory');
  t.is(rig.driver.tagsInUse(0), 1);
  t.is(rig.driver.arrayUsers(0), 1);
});

test('no-memory: detach does without its purge', (t) => {
  const world = smallWorld({ smmus: [smmu(), smmu()], devices: [{ smmu: 0, streams: [1] }, { smmu: 1, streams: [1] }] });
  const rig = new DriverRig(world);
  rig.attach(0, 0);
  rig.attach(0, 1);
  rig.run({ op: 'fail-next-allocation' });
  t.is(rig.detach(0), 'ok');
  t.is(rig.driver.arrayUsers(0), 1);
  rig.map(0x5000, 0x70000, KB4);
  rig.unmap(0x5000, KB4);
  rig.forget();
  rig.sync();
  t.deepEqual(rig.said(0), []);
  t.is(rig.said(1).length, 2);
});

for (const k of [1, 2, 3]) {
  test(`a map that fails at its allocation ${k} maps nothing and leaves what it had made for the next one`, (t) => {
    const rig = new DriverRig(smallWorld(), { form: 'steps' });
    const steps = rig.driver.steps(rig.ctx, map(0x5000, 0x70000, 3 * KB4));
    if (k === 1) rig.pages.failNext();
    let installed = 0;
    let step = steps.next();
    while (step.done !== true) {
      if (step.value === 'install a table' && (installed += 1) === k - 1) rig.pages.failNext();
      step = steps.next();
    }
    t.is(step.value, 'no-memory');
    rig.ctx.cpu.drainAll();
    t.is(rig.tables(), k);
    t.deepEqual([0x5000, 0x6000, 0x7000].map((a) => rig.lookup(a)), [-1, -1, -1]);
    t.is(rig.map(0x5000, 0x70000, 3 * KB4), 'ok');
    t.is(rig.tables(), 4);
    t.is(rig.lookup(0x7000), 0x72000);
  });
}

test('a map of several tables that fails between them writes no leaf', (t) => {
  const rig = new DriverRig(smallWorld(), { form: 'steps' });
  rig.map(0, 0x70000, KB4);
  const before = rig.snapshot();
  const steps = rig.driver.steps(rig.ctx, map(MB2 - KB4, 0x90000, MB2 + 2 * KB4));
  let step = steps.next();
  while (step.done !== true) {
    if (step.value === 'install a table') rig.pages.failNext();
    step = steps.next();
  }
  t.is(step.value, 'no-memory');
  rig.ctx.cpu.drainAll();
  t.is(rig.changedSince(before).length, 1); // the one new and empty table
  t.is(rig.lookup(MB2 - KB4), -1);
});

/** Invalidation: whom it tells and in which order, what a gather collects, and when tables are freed. */
import test from 'ava';
import { DOUBLE_RANGE } from '../../../src/optimised/driver/planners/double-range.js';
import { smallWorld, type World } from '../../../src/stack/world.js';
import { DriverRig, GB1, KB4, MB2, smmu } from './rig.js';

const TWO: World = smallWorld({
  smmus: [smmu(), smmu({ range: false }), smmu()],
  devices: [{ smmu: 0, streams: [1] }, { smmu: 1, streams: [1] }, { smmu: 2, streams: [1] }],
});

function page(asid: number, iova: number): string {
  return `TLBI_NH_VA vmid 0 asid ${asid} va 0x${iova.toString(16)} tg 4K num 0 scale 0 ttl 3 (1 granules) leaf`;
}

/** Maps, unmaps and syncs one page; returns what each SMMU was told. */
function onePage(rig: DriverRig): string[][] {
  rig.map(0x5000, 0x70000, KB4);
  rig.unmap(0x5000, KB4);
  rig.forget();
  rig.sync();
  return rig.smmus.map((_, i) => rig.said(i));
}

test('every SMMU of the array is told, each with a SYNC of its own, in its own way', (t) => {
  const rig = new DriverRig(TWO);
  rig.attach(0, 0);
  rig.attach(0, 1);
  t.deepEqual(onePage(rig), [[page(1, 0x5000), 'SYNC'], ['TLBI_NH_VA vmid 0 asid 1 va 0x5000 leaf', 'SYNC'], []]);
});

test('SMMUs are told in order, whoever attached first', (t) => {
  const rig = new DriverRig(TWO);
  const order: number[] = [];
  rig.smmus.forEach((s, i) => { s.seen = () => { if (order.at(-1) !== i) order.push(i); }; });
  for (const device of [2, 0, 1]) rig.attach(0, device);
  order.length = 0;
  onePage(rig);
  t.deepEqual(order, [0, 1, 2]);
});

test('an empty array: no commands, no SYNC', (t) => {
  t.deepEqual(onePage(new DriverRig(TWO)), [[], [], []]);
});

test('trash in front, trash behind: only the live entry is told', (t) => {
  for (const left of [0, 1, 2]) {
    const rig = new DriverRig(TWO);
    for (const device of [0, 1, 2]) rig.attach(0, device);
    rig.map(0x5000, 0x70000, KB4);
    for (const device of [0, 1, 2]) {
      if (device === left) continue;
      rig.run({ op: 'fail-next-allocation' }); // no purge: the trash stays
      rig.detach(device);
    }
    rig.unmap(0x5000, KB4);
    rig.forget();
    rig.sync();
    t.deepEqual(rig.smmus.map((_, i) => rig.said(i).length), [0, 1, 2].map((i) => (i === left ? 2 : 0)), `device ${left} stays`);
  }
});

test('two devices of one SMMU are one entry: told once', (t) => {
  const rig = new DriverRig(smallWorld({ devices: [{ smmu: 0, streams: [1] }, { smmu: 0, streams: [2] }] }));
  rig.attach(0, 0);
  rig.attach(0, 1);
  t.deepEqual(onePage(rig), [[page(1, 0x5000), 'SYNC']]);
});

test('an empty gather costs nothing', (t) => {
  const rig = new DriverRig();
  rig.attach();
  rig.forget();
  t.is(rig.sync(), 'ok');
  t.deepEqual(rig.said(), []);
});

test('neighbouring unmaps are one range, from both sides', (t) => {
  const rig = new DriverRig();
  rig.attach();
  rig.map(0x4000, 0x70000, 4 * KB4);
  rig.unmap(0x5000, KB4);
  rig.unmap(0x6000, KB4);
  rig.unmap(0x4000, KB4);
  rig.forget();
  rig.sync();
  t.deepEqual(rig.said(), ['TLBI_NH_VA vmid 0 asid 1 va 0x4000 tg 4K num 2 scale 0 ttl 3 (3 granules) leaf', 'SYNC']);
});

test('a disjoint unmap flushes what was gathered first', (t) => {
  const rig = new DriverRig();
  rig.attach();
  rig.map(0x4000, 0x70000, 4 * KB4);
  rig.unmap(0x4000, KB4);
  rig.forget();
  rig.unmap(0x6000, KB4);
  t.deepEqual(rig.said(), [page(1, 0x4000), 'SYNC']);
  rig.forget();
  rig.sync();
  t.deepEqual(rig.said(), [page(1, 0x6000), 'SYNC']);
});

test('a disjoint unmap below flushes as well', (t) => {
  const rig = new DriverRig();
  rig.attach();
  rig.map(0x4000, 0x70000, 4 * KB4);
  rig.unmap(0x7000, KB4);
  rig.forget();
  rig.unmap(0x5000, KB4);
  t.deepEqual(rig.said(), [page(1, 0x7000), 'SYNC']);
});

test('leaves of two sizes lose the level hint', (t) => {
  const rig = new DriverRig();
  rig.attach();
  rig.map(MB2, 8 * MB2, MB2);
  rig.map(2 * MB2, 0x70000, KB4);
  rig.unmap(MB2, MB2 + KB4);
  rig.forget();
  rig.sync();
  t.deepEqual(rig.said(), ['TLBI_NH_VA vmid 0 asid 1 va 0x200000 tg 4K num 16 scale 5 ttl 0 (544 granules) leaf', 'SYNC']);
});

test('a removed table makes the command ask for tables too', (t) => {
  const rig = new DriverRig();
  rig.attach();
  rig.map(MB2, 8 * MB2 + KB4, MB2);
  rig.unmap(MB2, MB2);
  rig.forget();
  rig.sync();
  t.deepEqual(rig.said(), ['TLBI_NH_VA vmid 0 asid 1 va 0x200000 tg 4K num 31 scale 4 ttl 3 (512 granules)', 'SYNC']);
});

test('tables are freed after the SYNC that covers them', (t) => {
  const rig = new DriverRig();
  rig.attach();
  rig.map(MB2, 8 * MB2 + KB4, MB2);
  rig.unmap(MB2, MB2);
  const freed: boolean[] = [];
  rig.pages.listeners.push({ freed: () => { freed.push(rig.said().at(-1) === 'SYNC'); } });
  rig.forget();
  rig.sync();
  t.deepEqual(freed, [true]);
});

test('lazy: sync says nothing, the flush of everything names the whole tag', (t) => {
  const rig = new DriverRig(smallWorld({ domains: [{ mode: 'lazy', managed: true }] }));
  rig.attach();
  rig.run({ op: 'iova-alloc', domain: 0, iova: 0, size: GB1 });
  rig.map(0, 0x70000, KB4);
  rig.unmap(0, KB4);
  rig.forget();
  rig.sync();
  t.deepEqual(rig.said(), []);
  rig.run({ op: 'flush-all', domain: 0 });
  t.deepEqual(rig.said(), ['TLBI_NH_ASID vmid 0 asid 1', 'SYNC']);
});

test('cleared descriptors are visible before the commands about them', (t) => {
  const rig = new DriverRig();
  rig.attach();
  rig.map(0x5000, 0x70000, KB4);
  rig.unmap(0x5000, KB4);
  let pending = -1;
  (rig.smmus[0] as { seen: (() => void) | null }).seen = () => { pending = rig.ctx.cpu.pending; };
  rig.sync();
  t.is(pending, 0);
});

test('the full barrier comes before the array is read', (t) => {
  const rig = new DriverRig(smallWorld(), { form: 'steps' });
  rig.map(0x5000, 0x70000, KB4);
  rig.unmap(0x5000, KB4);
  t.true(rig.ctx.cpu.pending > 0);
  const steps = rig.driver.steps(rig.ctx, { op: 'sync', domain: 0 });
  while (steps.next().value !== 'read the array pointer') { /* up to there */ }
  t.is(rig.ctx.cpu.pending, 0);
});

test('a sync starts from nothing: the last one\'s levels and tables are forgotten', (t) => {
  const rig = new DriverRig();
  rig.attach();
  rig.map(MB2, 8 * MB2, MB2);
  rig.map(0x5000, 0x70000, KB4);
  rig.unmap(MB2, MB2);
  rig.sync();
  rig.unmap(0x5000, KB4);
  rig.forget();
  rig.sync();
  t.deepEqual(rig.said(), [page(1, 0x5000), 'SYNC']);
});

test('lazy, without range support: the flush of everything names the whole tag', (t) => {
  const rig = new DriverRig(smallWorld({ smmus: [smmu({ range: false })], domains: [{ mode: 'lazy', managed: true }] }));
  rig.attach();
  rig.forget();
  rig.run({ op: 'flush-all', domain: 0 });
  t.deepEqual(rig.said(), ['TLBI_NH_ASID vmid 0 asid 1', 'SYNC']);
});

test('a plan is made once for all SMMUs of one kind', (t) => {
  let plans = 0;
  const rig = new DriverRig(TWO, {
    parts: (own) => ({ ...own, planner: { ...own.planner, name: 'counting', plan: (d, f, out) => { plans += 1; return own.planner.plan(d, f, out); } } }),
  });
  for (const device of [0, 1, 2]) rig.attach(0, device);
  onePage(rig);
  t.is(plans, 2);
});

/** Three SMMUs with ranges and two without, one device each. */
const FIVE: World = smallWorld({
  smmus: [smmu(), smmu({ range: false }), smmu(), smmu({ range: false }), smmu({ ds: true })],
  devices: [0, 1, 2, 3, 4].map((i) => ({ smmu: i, streams: [1] })),
});

test('all SMMUs of one kind get the same payload words; only the tag differs', (t) => {
  const plans: { range: boolean; ds: boolean }[] = [];
  const rig = new DriverRig(FIVE, {
    parts: (own) => ({ ...own, planner: { ...own.planner, plan: (d, f, out) => { plans.push({ range: f.range, ds: f.ds }); return own.planner.plan(d, f, out); } } }),
  });
  rig.run({ op: 'fail-next-allocation' });
  rig.attach(0, 0); // refused: SMMU 0 has the tag 1 still free
  for (const device of [0, 1, 2, 3, 4]) rig.attach(0, device);
  rig.map(0x5000, 0x70000, 33 * KB4);
  rig.unmap(0x5000, 33 * KB4);
  rig.forget();
  rig.sync();
  t.deepEqual(plans, [{ range: false, ds: false }, { range: true, ds: false }, { range: true, ds: true }]);
  const payload = (i: number): unknown => rig.smmus[i]?.commands.map((c) => ({ ...c, asid: 0 }));
  t.deepEqual(payload(0), payload(2));
  t.deepEqual(payload(0), payload(4));
  t.deepEqual(payload(1), payload(3));
  t.deepEqual([0, 1, 2, 3, 4].map((i) => rig.said(i).length), [2, 34, 2, 34, 2]);
});

test('nothing is planned for a kind that the array does not have', (t) => {
  const plans: boolean[] = [];
  const rig = new DriverRig(FIVE, { parts: (own) => ({ ...own, planner: { ...own.planner, plan: (d, f, out) => { plans.push(f.range); return own.planner.plan(d, f, out); } } }) });
  rig.attach(0, 0);
  rig.attach(0, 2);
  onePage(rig);
  t.deepEqual(plans, [true]);
});

test('the planner that the world names is used, with the features of the SMMU', (t) => {
  const rig = new DriverRig(FIVE, { parts: (own) => ({ ...own, planner: DOUBLE_RANGE }) });
  rig.attach(0, 0);
  rig.attach(0, 1);
  rig.map(0x5000, 0x70000, 33 * KB4);
  rig.unmap(0x5000, 33 * KB4);
  rig.forget();
  rig.sync();
  t.deepEqual([rig.said(0).length, rig.said(1).length], [3, 34]);
});

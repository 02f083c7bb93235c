/** The command queue as the driver fills it: lists and their SYNC, wrap-around, space, and waiting. */
import test from 'ava';
import { submit } from '../../../src/optimised/driver/queue.steps.js';
import type { Batch } from '../../../src/optimised/driver/types.js';
import { encodeCommand, newCommand, OP } from '../../../src/spec/command.js';
import { CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, REG } from '../../../src/spec/register.js';
import { runSteps } from '../../../src/stack/steps.js';
import { Stuck } from '../../../src/stack/violation.js';
import { smallWorld } from '../../../src/stack/world.js';
import { DriverRig, smmu, type FakeSmmu } from './rig.js';

function rig(queueLog2: number): { rig: DriverRig; port: FakeSmmu } {
  const r = new DriverRig(smallWorld({ smmus: [smmu({ queueLog2 })] }), { form: 'steps' });
  return { rig: r, port: r.smmus[0] as FakeSmmu };
}

/** `n` invalidations of neighbouring pages. */
function batch(r: DriverRig, n: number, sync = true): Batch {
  const b = r.ctx.batch;
  for (let i = 0; i < n; i += 1) encodeCommand({ ...newCommand(), op: OP.TLBI_NH_VA, asid: 1, frame: i, leaf: 1 }, b.words, i * 4);
  b.count = n;
  b.sync = sync;
  b.smmu = 0;
  b.purpose = 'invalidate';
  return b;
}

function send(r: DriverRig, n: number, sync = true): void {
  runSteps(submit(r.ctx, batch(r, n, sync)));
}

const wanted = (n: number): string[] => Array.from({ length: n }, (_, i) => `TLBI_NH_VA vmid 0 asid 1 va 0x${(i * 4096).toString(16)} leaf`);

test('a list that fits goes out at once, its SYNC last', (t) => {
  const { rig: r, port } = rig(8);
  send(r, 3);
  t.deepEqual(port.lists, [[...wanted(3), 'SYNC']]);
});

test('a batch without SYNC goes out without one', (t) => {
  const { rig: r, port } = rig(8);
  send(r, 2, false);
  t.deepEqual(port.lists, [wanted(2)]);
});

test('nothing without SYNC is nothing, nothing with SYNC is a SYNC', (t) => {
  const { rig: r, port } = rig(8);
  send(r, 0, false);
  t.deepEqual(port.lists, []);
  send(r, 0);
  t.deepEqual(port.lists, [['SYNC']]);
});

test('a list holds 64 commands at the most, and only the last has the SYNC', (t) => {
  const { rig: r, port } = rig(8);
  send(r, 130);
  t.deepEqual(port.lists.map((l) => [l.length, l.includes('SYNC')]), [[64, false], [64, false], [3, true]]);
  t.deepEqual(port.lists.flat(), [...wanted(130), 'SYNC']);
});

test('on a part that loses longer lists every list holds 63 commands at the most and has a SYNC: the erratum is read from IIDR', (t) => {
  const r = new DriverRig(smallWorld({ smmus: [smmu({ queueLog2: 8, forceSync: true })] }), { form: 'steps' });
  send(r, 130);
  t.deepEqual((r.smmus[0] as FakeSmmu).lists.map((l) => [l.length, l.at(-1)]), [[64, 'SYNC'], [64, 'SYNC'], [5, 'SYNC']]);
});

test('64 commands and their SYNC are one list', (t) => {
  const { rig: r, port } = rig(8);
  send(r, 64);
  t.deepEqual(port.lists.map((l) => l.length), [65]);
});

test('the smallest queue takes lists of 7', (t) => {
  const { rig: r, port } = rig(3);
  send(r, 20);
  t.deepEqual(port.lists.map((l) => l.length), [7, 7, 7]);
  t.deepEqual(port.lists.flat(), [...wanted(20), 'SYNC']);
});

test('the smallest queue may be full, and never more than full', (t) => {
  const { rig: r, port } = rig(3);
  send(r, 7);
  t.is(port.fullest, 8);
});

for (const speed of [1, 2, 3, Infinity]) {
  test(`nothing is lost around the wrap of the smallest queue, CONS moving by ${speed}`, (t) => {
    const { rig: r, port } = rig(3);
    port.speed = speed;
    for (let i = 0; i < 25; i += 1) {
      r.forget();
      send(r, i);
      t.deepEqual(port.lists.flat(), [...wanted(i), 'SYNC'], `batch of ${i}`);
      t.true(port.fullest <= 8);
    }
  });
}

test('the call returns when CONS has passed its SYNC', (t) => {
  const { rig: r, port } = rig(4);
  port.speed = 1;
  send(r, 5);
  t.is(port.readRaw(REG.CMDQ_CONS), port.readRaw(REG.CMDQ_PROD));
});

test('without SYNC the call does not wait', (t) => {
  const { rig: r, port } = rig(4);
  port.speed = 0;
  const cons = port.readRaw(REG.CMDQ_CONS);
  send(r, 5, false);
  t.is(port.readRaw(REG.CMDQ_CONS), cons);
});

test('an SMMU that consumes nothing makes the call stuck, not silent', (t) => {
  const { rig: r, port } = rig(4);
  port.speed = 0;
  r.ctx.cpu.begin(1000);
  t.throws(() => { send(r, 1); }, { instanceOf: Stuck });
});

test('no space for ever makes the call stuck as well', (t) => {
  const { rig: r, port } = rig(3);
  port.speed = 0;
  r.ctx.cpu.begin(1000);
  t.throws(() => { send(r, 20, false); }, { instanceOf: Stuck });
});

test('commands are in memory before PROD says so', (t) => {
  const { rig: r, port } = rig(8);
  let pending = -1;
  port.seen = () => { pending = r.ctx.cpu.pending; };
  send(r, 3);
  t.is(pending, 0);
});

test('a list is one step, waiting another', (t) => {
  const { rig: r } = rig(3);
  t.deepEqual([...submit(r.ctx, batch(r, 8))], ['insert commands', 'insert commands', 'wait for CMD_SYNC']);
  t.deepEqual([...submit(r.ctx, batch(r, 2, false))], ['insert commands']);
});

test('reset: queue, CFGI_ALL, NSNH_ALL, event queue, SMMUEN, in that order', (t) => {
  const r = new DriverRig(smallWorld(), { boot: false });
  const port = r.smmus[0] as FakeSmmu;
  r.driver.boot();
  t.deepEqual(port.lists, [['CFGI_STE_RANGE all', 'SYNC'], ['TLBI_NSNH_ALL', 'SYNC']]);
  const cr0 = port.writes.flatMap(([offset, value], at) => (offset === REG.CR0 ? [{ value, at }] : []));
  t.deepEqual(cr0.map((w) => w.value), [0, CR0_CMDQEN, CR0_CMDQEN + CR0_EVENTQEN, CR0_CMDQEN + CR0_EVENTQEN + CR0_SMMUEN]);
  t.is(cr0[3]?.at, port.writes.length - 1);
  const at = (offset: number): number => port.writes.findIndex((w) => w[0] === offset);
  t.true(at(REG.STRTAB_BASE) < at(REG.CMDQ_BASE) && at(REG.CMDQ_BASE) < (cr0[1]?.at ?? 0) && at(REG.EVENTQ_BASE) < (cr0[2]?.at ?? 0));
});

test('reset: every stream aborts before the SMMU translates', (t) => {
  const r = new DriverRig(smallWorld());
  const first = (r.driver.state.smmus[0]?.streamSlot ?? 0) * 512;
  for (let sid = 0; sid < 64; sid += 1) t.is(r.memory.lo[first + sid * 8], 1);
});

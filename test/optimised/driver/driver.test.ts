/** The driver put together: both forms run whole calls, several CPUs have state of their own, events are drained. */
import test from 'ava';
import { EVENT, encodeEvent, type EventRecord } from '../../../src/spec/event.js';
import { OVERFLOW_FLAG, REG } from '../../../src/spec/register.js';
import { smallWorld } from '../../../src/stack/world.js';
import { DriverRig, KB4, smmu, type FakeSmmu } from './rig.js';

for (const form of ['plain', 'steps'] as const) {
  test(`${form}: a driver of these parts boots and runs calls to their end`, (t) => {
    const rig = new DriverRig(smallWorld(), { form, boot: false });
    rig.driver.boot();
    t.deepEqual(rig.said(), ['CFGI_STE_RANGE all', 'SYNC', 'TLBI_NSNH_ALL', 'SYNC']);
    t.is(rig.driver.run({ op: 'attach', device: 0, to: 0 }), 'ok');
    t.is(rig.driver.run({ op: 'map', domain: 0, iova: 0x5000, pa: 0x70000, size: KB4, prot: 'rw' }), 'ok');
    t.is(rig.driver.run({ op: 'unmap', domain: 0, iova: 0x5000, size: KB4 }), 'ok');
    rig.forget();
    t.is(rig.driver.run({ op: 'sync', domain: 0 }), 'ok');
    t.is(rig.said().length, 2);
  });
}

test('each call has a step budget of its own', (t) => {
  const rig = new DriverRig();
  rig.attach();
  const once = rig.ctx.cpu.steps;
  rig.detach();
  rig.attach();
  t.true(rig.ctx.cpu.steps < 2 * once);
});

test('CPUs share the driver and have stores, batches and descriptions of their own', (t) => {
  const rig = new DriverRig();
  const other = rig.driver.newContext();
  t.is(other.state, rig.ctx.state);
  t.not(other.cpu, rig.ctx.cpu);
  t.not(other.batch.words, rig.ctx.batch.words);
  t.not(other.description, rig.ctx.description);
  other.payloads.forEach((p, kind) => { t.not(p.words, rig.ctx.payloads[kind]?.words); });
});

test('a CPU drains its stores in the world\'s order', (t) => {
  const order = (storeOrder: 'fifo' | 'reverse'): number[] => {
    const rig = new DriverRig(smallWorld({ storeOrder }));
    const seen: number[] = [];
    const commit = rig.memory.commit.bind(rig.memory);
    rig.ctx.cpu.drainAll();
    rig.memory.commit = (ref, lo, hi) => { seen.push(ref); commit(ref, lo, hi); };
    const { cpu } = rig.driver.newContext();
    cpu.store(40000, 1, 0);
    cpu.store(40001, 1, 0);
    cpu.drainAll();
    return seen;
  };
  t.deepEqual(order('fifo'), [40000, 40001]);
  t.deepEqual(order('reverse'), [40001, 40000]);
});

test('an unknown domain maps nothing and has no users', (t) => {
  const rig = new DriverRig();
  t.is(rig.driver.lookup(3, 5), -1);
  t.is(rig.driver.arrayUsers(3), 0);
});

function event(sid: number): EventRecord {
  return { type: EVENT.F_TRANSLATION, sid, ssv: 0, ssid: 0, read: 1, privileged: 0, stage2: 0, class: 2, inputFrame: 5, inputOffset: 0 };
}

/** Puts records at the producer's place, as the SMMU does. */
function produce(rig: DriverRig, from: number, sids: readonly number[], log2: number): void {
  const slot = rig.driver.state.smmus[0]?.eventSlot ?? 0;
  sids.forEach((sid, i) => {
    const words = new Uint32Array(8);
    encodeEvent(event(sid), words);
    const ref = slot * 512 + ((from + i) % 2 ** log2) * 4;
    for (let w = 0; w < 4; w += 1) rig.memory.commit(ref + w, words[w * 2] as number, words[w * 2 + 1] as number);
  });
  (rig.smmus[0] as FakeSmmu).registers.set(REG.EVENTQ_PROD, (from + sids.length) % 2 ** (log2 + 1));
}

function drained(rig: DriverRig): number[] {
  const into: EventRecord[] = [];
  rig.driver.drainEvents(0, into);
  return into.map((e) => e.sid);
}

test('events are read in order, around the end of the queue, each once', (t) => {
  const rig = new DriverRig(smallWorld({ smmus: [smmu({ eventLog2: 2 })] }));
  t.deepEqual(drained(rig), []);
  produce(rig, 0, [1, 2, 3], 2);
  t.deepEqual(drained(rig), [1, 2, 3]);
  produce(rig, 3, [4, 5, 6, 7], 2);
  t.deepEqual(drained(rig), [4, 5, 6, 7]);
  t.deepEqual(drained(rig), []);
  t.is((rig.smmus[0] as FakeSmmu).readRaw(REG.EVENTQ_CONS), 7);
  produce(rig, 7, [8, 9], 2);
  t.deepEqual(drained(rig), [8, 9]);
  t.is((rig.smmus[0] as FakeSmmu).readRaw(REG.EVENTQ_CONS), 1);
});

test('an overflow is acknowledged with the slots', (t) => {
  const rig = new DriverRig(smallWorld({ smmus: [smmu({ eventLog2: 2 })] }));
  const port = rig.smmus[0] as FakeSmmu;
  produce(rig, 0, [1, 2, 3, 4], 2);
  port.registers.set(REG.EVENTQ_PROD, 4 + OVERFLOW_FLAG);
  t.deepEqual(drained(rig), [1, 2, 3, 4]);
  t.is(port.readRaw(REG.EVENTQ_CONS), 4 + OVERFLOW_FLAG);
});

test('events of an unknown SMMU are none', (t) => {
  const into: EventRecord[] = [];
  new DriverRig().driver.drainEvents(9, into);
  t.deepEqual(into, []);
});

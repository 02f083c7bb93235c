/** The event queue behind the register file: overflow, external aborts, and when records become visible (IHI 0070 §4.7.3, §7.2, §7.4). */
import test from 'ava';
import { OP } from '../../../src/spec/command.js';
import { CLASS_CD, decodeFault, EVENT, newFault } from '../../../src/spec/event.js';
import { CERROR_ATC_INV_SYNC, CR0_CMDQEN, CR0_SMMUEN, GERROR_CMDQ, GERROR_EVENTQ_ABT, OVERFLOW_FLAG, queueBase, REG } from '../../../src/spec/register.js';
import { ControlRig, EVENT_SLOT, NOWHERE, ON, ram } from './control-rig.js';

const SYNC = { op: OP.SYNC };

test('a record is written whole: stage, class, IPA, substream, instruction', (t) => {
  const rig = new ControlRig();
  const fault = {
    ...newFault(), type: EVENT.F_PERMISSION, sid: 5, ssv: 1, ssid: 77, read: 1, privileged: 1, instruction: 1, stage2: 1, class: CLASS_CD, ipa: 0x123456789,
    inputFrame: 0xfffff00000001, inputOffset: 0x10,
  };
  rig.control.record(fault);
  const raw = new Uint32Array(8);
  for (let i = 0; i < 4; i += 1) raw.set([rig.memory.lo[EVENT_SLOT * 512 + i] as number, rig.memory.hi[EVENT_SLOT * 512 + i] as number], 2 * i);
  t.deepEqual(decodeFault(raw, 0, newFault()), fault);
});

test('QS = 0: one record fits', (t) => {
  const rig = new ControlRig({ eventLog2: 0 });
  rig.record(1);
  rig.record(2);
  t.deepEqual([rig.read(REG.EVENTQ_PROD), rig.sids(1)], [OVERFLOW_FLAG + 1, [1]]);
});

test('a base larger than the SMMU\'s event queue is capped', (t) => {
  const rig = new ControlRig({ features: { eventLog2: 1 }, eventLog2: 5 });
  for (let i = 0; i < 3; i += 1) rig.record(i);
  t.is(rig.read(REG.EVENTQ_PROD), OVERFLOW_FLAG + 2);
});

test('overflow: acknowledged with OVACKFLG, the next one toggles OVFLG back', (t) => {
  const rig = new ControlRig({ eventLog2: 0 });
  rig.record(1);
  rig.record(2);
  rig.write(REG.EVENTQ_CONS, OVERFLOW_FLAG + 1);
  rig.record(3);
  const between = rig.read(REG.EVENTQ_PROD);
  rig.record(4);
  t.deepEqual([between, rig.read(REG.EVENTQ_PROD), rig.sids(1)], [OVERFLOW_FLAG, 0, [3]]);
});

test('an event queue outside of memory: EVENTQ_ABT_ERR, PROD stays', (t) => {
  const rig = new ControlRig({ events: NOWHERE });
  rig.record(1);
  t.deepEqual([rig.active(GERROR_EVENTQ_ABT), rig.active(GERROR_CMDQ), rig.read(REG.EVENTQ_PROD)], [true, false, 0]);
});

test('with EVENTQ_ABT_ERR active nothing is written, after the acknowledgement it is', (t) => {
  const rig = new ControlRig({ events: NOWHERE });
  rig.record(1);
  rig.write(REG.CR0, 0);
  rig.write(REG.EVENTQ_BASE, queueBase(ram(EVENT_SLOT), 2));
  rig.write(REG.CR0, ON);
  rig.record(2);
  const before = rig.read(REG.EVENTQ_PROD);
  rig.acknowledge();
  rig.record(3);
  t.deepEqual([before, rig.read(REG.EVENTQ_PROD), rig.sids(1)], [0, 1, [3]]);
});

test('EVENTQ_ABT_ERR does not count as overflow', (t) => {
  const rig = new ControlRig({ events: NOWHERE, eventLog2: 0 });
  for (let i = 0; i < 3; i += 1) rig.record(i);
  t.is(rig.read(REG.EVENTQ_PROD), 0);
});

test('prompt: a record is visible at once', (t) => {
  const rig = new ControlRig();
  rig.record(4);
  t.deepEqual([rig.read(REG.EVENTQ_PROD), rig.sids(1)], [1, [4]]);
});

test('late: nothing before the next SYNC, all in order with it', (t) => {
  const rig = new ControlRig({ timing: 'late' });
  rig.record(4);
  rig.record(5);
  rig.command({ op: OP.TLBI_NSNH_ALL });
  const before = rig.read(REG.EVENTQ_PROD);
  rig.command(SYNC);
  t.deepEqual([before, rig.read(REG.EVENTQ_PROD), rig.sids(2)], [0, 2, [4, 5]]);
});

test('late: the SYNC of any queue will do', (t) => {
  const rig = new ControlRig({ timing: 'late' });
  rig.record(4);
  rig.command(SYNC, 2);
  t.is(rig.read(REG.EVENTQ_PROD), 1);
});

test('late: records are there when CONS has passed the SYNC', (t) => {
  const rig = new ControlRig({ timing: 'late' });
  const seen: number[] = [];
  rig.memory.watch(EVENT_SLOT);
  rig.memory.watchers.push({ stored: () => seen.push(rig.cons().rd) });
  rig.record(4);
  rig.command(SYNC);
  t.deepEqual([...new Set(seen)], [0]);
});

test('late: a SYNC that fails brings nothing', (t) => {
  const rig = new ControlRig({ timing: 'late' });
  rig.silent.add(3);
  rig.record(4);
  rig.place({ op: OP.ATC_INV, sid: 3, size: 52 });
  rig.command(SYNC);
  const before = [rig.cons().reason, rig.read(REG.EVENTQ_PROD)];
  rig.acknowledge();
  t.deepEqual([before, rig.read(REG.EVENTQ_PROD)], [[CERROR_ATC_INV_SYNC, 0], 1]);
});

test('late: a record is written once', (t) => {
  const rig = new ControlRig({ timing: 'late' });
  rig.record(4);
  rig.command(SYNC);
  rig.command(SYNC);
  t.is(rig.read(REG.EVENTQ_PROD), 1);
});

test('late: commitAll makes everything visible', (t) => {
  const rig = new ControlRig({ timing: 'late' });
  rig.record(4);
  rig.record(5);
  rig.control.commitAll();
  t.deepEqual(rig.sids(2), [4, 5]);
});

test('late: what waits when the queue is disabled is discarded', (t) => {
  const rig = new ControlRig({ timing: 'late' });
  rig.record(4);
  rig.write(REG.CR0, CR0_SMMUEN | CR0_CMDQEN);
  rig.write(REG.CR0, ON);
  rig.record(6);
  rig.command(SYNC);
  t.deepEqual([rig.read(REG.EVENTQ_PROD), rig.sids(1)], [1, [6]]);
});

test('late: a disabled queue keeps nothing waiting', (t) => {
  const rig = new ControlRig({ timing: 'late', cr0: CR0_SMMUEN | CR0_CMDQEN });
  rig.record(4);
  rig.write(REG.CR0, ON);
  rig.command(SYNC);
  t.is(rig.read(REG.EVENTQ_PROD), 0);
});

test('late: overflow is met when records become visible', (t) => {
  const rig = new ControlRig({ timing: 'late', eventLog2: 0 });
  rig.record(4);
  rig.record(5);
  const before = rig.read(REG.EVENTQ_PROD);
  rig.command(SYNC);
  t.deepEqual([before, rig.read(REG.EVENTQ_PROD)], [0, OVERFLOW_FLAG + 1]);
});

test('late: when too many wait, all become visible', (t) => {
  const rig = new ControlRig({ timing: 'late', features: { eventLog2: 8 }, eventLog2: 6 });
  for (let i = 0; i < 257; i += 1) rig.record(i);
  const before = rig.read(REG.EVENTQ_PROD);
  rig.command(SYNC);
  t.deepEqual([before, rig.sids(64)], [OVERFLOW_FLAG + 64, Array.from({ length: 64 }, (_, i) => i)]);
});

test('too late: records come with the SYNC after the next', (t) => {
  const rig = new ControlRig({ timing: 'too-late' });
  const seen: number[] = [];
  rig.record(4);
  for (let i = 0; i < 3; i += 1) {
    rig.command(SYNC);
    rig.record(5 + i);
    seen.push(rig.read(REG.EVENTQ_PROD));
  }
  t.deepEqual([seen, rig.sids(2)], [[0, 1, 2], [4, 5]]);
});

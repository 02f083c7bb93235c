/** The register file: guards, acknowledge registers, Updates, fields that are not implemented (IHI 0070 §6.3, v3.2 on). */
import test from 'ava';
import { OP } from '../../../src/spec/command.js';
import { FULL_FEATURES, registersOf } from '../../../src/spec/features.js';
import {
  CR0_ATSCHK, CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, cr0Vmw, CR2_E2H, CR2_RECINVSID, GBPA_ABORT, GBPA_UPDATE, IRQ_EVENTQ, IRQ_GERROR,
  OVERFLOW_FLAG, queueBase, REG, strtabLinear,
} from '../../../src/spec/register.js';
import { Unmodelled } from '../../../src/stack/violation.js';
import { ControlRig, FREE_SLOT, ON, ram } from './control-rig.js';

test('the identification registers are those of the features', (t) => {
  const features = { ...FULL_FEATURES, extraQueues: 2 };
  const rig = new ControlRig({ features });
  const r = registersOf(features);
  t.deepEqual([REG.IDR0, REG.IDR1, REG.IDR3, REG.IDR5, REG.IIDR, REG.IDR6].map((at) => rig.read(at)), [r.idr0, r.idr1, r.idr3, r.idr5, r.iidr, r.idr6]);
});

test('read-only registers keep their values', (t) => {
  const rig = new ControlRig();
  const all = [REG.IDR0, REG.IDR1, REG.IDR2, REG.IDR3, REG.IDR5, REG.IDR6, REG.IIDR, REG.CR0ACK, REG.IRQ_CTRLACK, REG.GERROR];
  const before = all.map((at) => rig.read(at));
  for (const at of all) rig.write(at, 0xffffffff);
  t.deepEqual(all.map((at) => rig.read(at)), before);
});

test('CR0 is in force at once: CR0ACK shows it', (t) => {
  const rig = new ControlRig({ cr0: 0 });
  rig.write(REG.CR0, CR0_EVENTQEN | CR0_ATSCHK | cr0Vmw(3));
  t.is(rig.read(REG.CR0ACK), CR0_EVENTQEN | CR0_ATSCHK | cr0Vmw(3));
});

test('CR0: what is not implemented is RES0', (t) => {
  const rig = new ControlRig({ features: { ats: false, vmidWildcard: false } });
  rig.write(REG.CR0, 0xffffffff);
  t.is(rig.read(REG.CR0), ON);
});

test('`enabled` is SMMUEN', (t) => {
  const rig = new ControlRig({ cr0: CR0_CMDQEN });
  const before = rig.control.enabled;
  rig.write(REG.CR0, CR0_SMMUEN);
  t.deepEqual([before, rig.control.enabled], [false, true]);
});

/** [register, value that it would take]: writable only while SMMUEN is 0. */
const BY_SMMUEN: readonly (readonly [string, number, number])[] = [
  ['STRTAB_BASE', REG.STRTAB_BASE, 0x123456c0],
  ['STRTAB_BASE_CFG', REG.STRTAB_BASE_CFG, strtabLinear(5)],
  ['CR2', REG.CR2, CR2_E2H],
  ['CR1.TABLE_*', REG.CR1, 0xd40],
];

for (const [name, at, value] of BY_SMMUEN) {
  test(`${name} is guarded by SMMUEN`, (t) => {
    const rig = new ControlRig({ cr0: 0 });
    rig.write(at, 0);
    rig.write(REG.CR0, CR0_SMMUEN);
    rig.write(at, value);
    t.is(rig.read(at), 0);
  });

  test(`${name} is writable while SMMUEN is 0`, (t) => {
    const rig = new ControlRig({ cr0: 0 });
    rig.write(at, 0);
    rig.write(at, value);
    t.is(rig.read(at), value);
  });
}

/** [name, register, value, enable that guards it]. */
const BY_QUEUE: readonly (readonly [string, number, number, number])[] = [
  ['CMDQ_BASE', REG.CMDQ_BASE, queueBase(ram(FREE_SLOT), 3), CR0_CMDQEN],
  ['CMDQ_CONS', REG.CMDQ_CONS, 5, CR0_CMDQEN],
  ['CR1.QUEUE_* by CMDQEN', REG.CR1, 0x35, CR0_CMDQEN],
  ['EVENTQ_BASE', REG.EVENTQ_BASE, queueBase(ram(FREE_SLOT), 1), CR0_EVENTQEN],
  ['EVENTQ_PROD', REG.EVENTQ_PROD, OVERFLOW_FLAG + 2, CR0_EVENTQEN],
  ['CR1.QUEUE_* by EVENTQEN', REG.CR1, 0x35, CR0_EVENTQEN],
];

for (const [name, at, value, enable] of BY_QUEUE) {
  test(`${name}: guarded while its queue is enabled`, (t) => {
    const rig = new ControlRig({ cr0: 0 });
    const before = rig.read(at);
    rig.write(REG.CR0, enable);
    rig.write(at, value);
    t.is(rig.read(at), before);
  });

  test(`${name}: writable while its queue is disabled`, (t) => {
    const rig = new ControlRig({ cr0: 0 });
    rig.write(REG.CR0, ON & ~(enable | (at === REG.CR1 ? CR0_CMDQEN | CR0_EVENTQEN : 0)));
    if (at === REG.CMDQ_CONS) rig.write(REG.CMDQ_PROD, 5);
    rig.write(at, value);
    t.is(rig.read(at), value);
  });
}

test('CR1: each half has its own guard', (t) => {
  const rig = new ControlRig({ cr0: CR0_SMMUEN });
  rig.write(REG.CR1, 0xfff);
  t.is(rig.read(REG.CR1), 0x3f);
});

test('CR2: E2H is RES0 without EL2', (t) => {
  const rig = new ControlRig({ features: { hyp: false }, cr0: 0 });
  rig.write(REG.CR2, CR2_E2H | CR2_RECINVSID);
  t.is(rig.read(REG.CR2), CR2_RECINVSID);
});

test('GBPA: a write without Update changes nothing', (t) => {
  const rig = new ControlRig();
  rig.write(REG.GBPA, GBPA_ABORT);
  t.is(rig.read(REG.GBPA), 0);
});

test('GBPA: an Update is complete at once', (t) => {
  const rig = new ControlRig();
  rig.write(REG.GBPA, GBPA_UPDATE + GBPA_ABORT + 0x12);
  t.is(rig.read(REG.GBPA), GBPA_ABORT + 0x12);
});

test('GBPA: the unit hears of ABORT', (t) => {
  const rig = new ControlRig({ cr0: 0 });
  rig.write(REG.GBPA, GBPA_UPDATE + GBPA_ABORT);
  rig.write(REG.GBPA, GBPA_UPDATE);
  t.deepEqual(rig.log, ['configured 0 0 0 2 abort', 'configured 0 0 0 2 bypass']);
});

test('IRQ_CTRL is in force at once; PRIQ is RES0', (t) => {
  const rig = new ControlRig();
  rig.write(REG.IRQ_CTRL, 7);
  t.is(rig.read(REG.IRQ_CTRLACK), IRQ_GERROR | IRQ_EVENTQ);
});

test('the unit hears of the stream table, CR2 and CR0', (t) => {
  const rig = new ControlRig({ cr0: 0 });
  rig.write(REG.STRTAB_BASE, 0x1000);
  rig.write(REG.STRTAB_BASE_CFG, 5);
  rig.write(REG.CR2, CR2_E2H);
  rig.write(REG.CR0, ON);
  t.deepEqual(rig.log, ['configured 1000 0 0 2 bypass', 'configured 1000 5 0 2 bypass', 'configured 1000 5 0 1 bypass', `configured 1000 5 ${ON.toString(16)} 1 bypass`]);
});

test('the unit hears of CR0 before the queue goes on', (t) => {
  const rig = new ControlRig({ cr0: 0 });
  rig.command({ op: OP.TLBI_NSNH_ALL });
  rig.write(REG.CR0, ON);
  t.deepEqual(rig.took(), ['configured', 'TLBI_NSNH_ALL']);
});

test('queue indices stay when SMMUEN and the queues go off and on', (t) => {
  const rig = new ControlRig();
  rig.command({ op: OP.SYNC });
  rig.record(1);
  rig.write(REG.CR0, 0);
  rig.write(REG.CR0, ON);
  t.deepEqual([REG.CMDQ_PROD, REG.CMDQ_CONS, REG.EVENTQ_PROD].map((at) => rig.read(at)), [1, 1, 1]);
});

test('a base larger than the SMMU\'s queues is capped', (t) => {
  const rig = new ControlRig({ features: { commandLog2: 2 }, commandLog2: 5 });
  rig.write(REG.CMDQ_PROD, 0x1f);
  t.is(rig.read(REG.CMDQ_PROD), 7);
});

test('an unknown register is not modelled', (t) => {
  const rig = new ControlRig({ features: { extraQueues: 0 } });
  t.throws(() => rig.read(0x20000), { instanceOf: Unmodelled });
  t.throws(() => rig.write(0xc0, 0), { instanceOf: Unmodelled });
});

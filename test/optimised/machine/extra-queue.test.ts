/** Further command queues: registers, errors of their own, and CMD_SYNCs that cover their own queue (IHI 0070 §3.5.6). */
import test from 'ava';
import { OP } from '../../../src/spec/command.js';
import { CERROR_ATC_INV_SYNC, CERROR_ILL, CR0_CMDQEN, EXTRA_ENABLE, EXTRA_ERROR, extraReason, GERROR_CMDQ, GERROR_CMDQP, queueBase, REG } from '../../../src/spec/register.js';
import { ControlRig, extra, FREE_SLOT, NOWHERE, ram, words } from './control-rig.js';

const ILLEGAL = { op: 0 };
const SYNC = { op: OP.SYNC };
const TLBI = { op: OP.TLBI_NSNH_ALL };
const ATC = { op: OP.ATC_INV, sid: 3, size: 52 };

/** CONS of further queue `n` in parts. */
function cons(rig: ControlRig, n: number): { rd: number; error: boolean; reason: number; enabled: boolean } {
  const value = rig.read(extra(n).cons);
  return { rd: value % 2 ** 20, error: Math.floor(value / EXTRA_ERROR) % 2 === 1, reason: extraReason(value), enabled: value >= EXTRA_ENABLE };
}

const GOOD = { error: false, reason: 0, enabled: true };

test('commands of a further queue are consumed there', (t) => {
  const rig = new ControlRig();
  rig.command(TLBI, 1);
  t.deepEqual([rig.took(), cons(rig, 1), cons(rig, 2), rig.cons().rd], [['TLBI_NSNH_ALL'], { rd: 1, ...GOOD }, { rd: 0, ...GOOD }, 0]);
});

test('each queue reads its own memory', (t) => {
  const rig = new ControlRig();
  rig.command(TLBI, 0);
  rig.command({ op: OP.TLBI_EL2_ALL }, 1);
  rig.command({ op: OP.TLBI_NH_ALL }, 2);
  t.deepEqual(rig.took(), ['TLBI_NSNH_ALL', 'TLBI_EL2_ALL', 'TLBI_NH_ALL']);
});

test('a queue wraps by itself', (t) => {
  const rig = new ControlRig({ commandLog2: 1 });
  for (let i = 0; i < 3; i += 1) rig.command(TLBI, 2);
  t.deepEqual(cons(rig, 2), { rd: 3, ...GOOD });
});

test('without EN the queue waits', (t) => {
  const rig = new ControlRig();
  rig.write(extra(1).prod, 0);
  rig.place(TLBI, 1);
  rig.write(extra(1).prod, 1);
  const before = rig.took();
  const off = cons(rig, 1).enabled;
  rig.write(extra(1).prod, EXTRA_ENABLE + 1);
  t.deepEqual([before, off, rig.took(), cons(rig, 1)], [[], false, ['TLBI_NSNH_ALL'], { rd: 1, ...GOOD }]);
});

test('CR0.CMDQEN does not govern further queues', (t) => {
  const rig = new ControlRig();
  rig.write(REG.CR0, 0);
  rig.took();
  rig.command(TLBI, 1);
  t.deepEqual(rig.took(), ['TLBI_NSNH_ALL']);
});

test('BASE and CONS are guarded by EN', (t) => {
  const rig = new ControlRig();
  const base = rig.read(extra(1).base);
  rig.write(extra(1).base, queueBase(ram(FREE_SLOT), 2));
  rig.write(extra(1).cons, 2);
  t.deepEqual([rig.read(extra(1).base), cons(rig, 1).rd], [base, 0]);
});

test('BASE and CONS are writable while EN is 0', (t) => {
  const rig = new ControlRig();
  rig.write(extra(1).prod, 2);
  rig.write(extra(1).base, queueBase(ram(FREE_SLOT), 2));
  rig.write(extra(1).cons, 2);
  t.deepEqual([rig.read(extra(1).base), cons(rig, 1).rd], [queueBase(ram(FREE_SLOT), 2), 2]);
});

test('an error stops its own queue only', (t) => {
  const rig = new ControlRig();
  rig.command(ILLEGAL, 1);
  rig.command(TLBI, 1);
  rig.command(TLBI, 2);
  rig.command(TLBI, 0);
  t.deepEqual([cons(rig, 1), cons(rig, 2), rig.cons().rd], [{ rd: 0, error: true, reason: CERROR_ILL, enabled: true }, { rd: 1, ...GOOD }, 1]);
});

test('an error of a further queue shows in GERROR.CMDQP_ERR, not in CMDQ_ERR', (t) => {
  const rig = new ControlRig();
  rig.command(ILLEGAL, 1);
  t.deepEqual([rig.active(GERROR_CMDQP), rig.active(GERROR_CMDQ)], [true, false]);
});

test('an error of the main queue stops no further queue', (t) => {
  const rig = new ControlRig();
  rig.command(ILLEGAL, 0);
  rig.command(TLBI, 1);
  t.deepEqual([rig.cons().reason, cons(rig, 1).rd, rig.active(GERROR_CMDQP)], [CERROR_ILL, 1, false]);
});

test('ERRACK = ERR goes on at the entry', (t) => {
  const rig = new ControlRig();
  const entry = rig.place(ILLEGAL, 1);
  rig.place(TLBI, 1);
  rig.ring(1);
  rig.rewrite(entry, words(SYNC));
  const before = rig.took().length;
  rig.write(extra(1).prod, EXTRA_ENABLE + EXTRA_ERROR + 2);
  t.deepEqual([before, rig.took(), cons(rig, 1)], [0, ['SYNC', 'TLBI_NSNH_ALL'], { rd: 2, error: true, reason: 0, enabled: true }]);
});

test('GERRORN does not acknowledge a further queue', (t) => {
  const rig = new ControlRig();
  const entry = rig.place(ILLEGAL, 1);
  rig.ring(1);
  rig.rewrite(entry, words(SYNC));
  rig.acknowledge();
  t.deepEqual([cons(rig, 1).rd, rig.active(GERROR_CMDQP)], [0, false]);
});

test('the second error toggles ERR back', (t) => {
  const rig = new ControlRig();
  const entry = rig.place(ILLEGAL, 1);
  rig.ring(1);
  rig.rewrite(entry, words(TLBI));
  rig.write(extra(1).prod, EXTRA_ENABLE + EXTRA_ERROR + 1);
  rig.command(ILLEGAL, 1);
  t.deepEqual(cons(rig, 1), { rd: 1, error: false, reason: CERROR_ILL, enabled: true });
});

test('an error outlives EN going off and on', (t) => {
  const rig = new ControlRig();
  rig.command(ILLEGAL, 1);
  rig.write(extra(1).prod, 1);
  rig.write(extra(1).prod, EXTRA_ENABLE + 1);
  t.deepEqual(cons(rig, 1), { rd: 0, error: true, reason: CERROR_ILL, enabled: true });
});

test('a SYNC does not answer for a timeout of another queue', (t) => {
  const rig = new ControlRig();
  rig.silent.add(3);
  rig.command(ATC, 1);
  rig.command(SYNC, 0);
  rig.command(SYNC, 2);
  rig.command(SYNC, 1);
  t.deepEqual([rig.cons(), cons(rig, 2), cons(rig, 1)], [{ rd: 1, reason: 0 }, { rd: 1, ...GOOD }, { rd: 1, error: true, reason: CERROR_ATC_INV_SYNC, enabled: true }]);
});

test('the SYNC that failed completes after ERRACK', (t) => {
  const rig = new ControlRig();
  rig.silent.add(3);
  rig.place(ATC, 1);
  rig.command(SYNC, 1);
  rig.write(extra(1).prod, EXTRA_ENABLE + EXTRA_ERROR + 2);
  t.deepEqual(cons(rig, 1), { rd: 2, error: true, reason: 0, enabled: true });
});

test('ATC_INV is ignored on a further queue, too, while SMMUEN is 0', (t) => {
  const rig = new ControlRig({ cr0: CR0_CMDQEN });
  rig.command(ATC, 1);
  t.deepEqual([rig.took(), cons(rig, 1).rd], [[], 1]);
});

test('the MSI of a further queue', (t) => {
  const rig = new ControlRig();
  rig.command({ ...SYNC, cs: 1, msiAddress: ram(FREE_SLOT) / 4, msiData: 5 }, 2);
  t.is(rig.memory.lo[FREE_SLOT * 512], 5);
});

test('a further queue outside of memory', (t) => {
  const rig = new ControlRig();
  rig.write(extra(1).prod, 0);
  rig.write(extra(1).base, queueBase(NOWHERE, 2));
  rig.write(extra(1).prod, EXTRA_ENABLE + 1);
  t.deepEqual(cons(rig, 1), { rd: 0, error: true, reason: 2, enabled: true });
});

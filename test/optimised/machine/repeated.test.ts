/** The defect `repeatedList`: of two equal command lists of a queue in a row, the second has no effect. */
import test from 'ava';
import { OP } from '../../../src/spec/command.js';
import { CERROR_ATC_INV_SYNC, CERROR_ILL, CR0_CMDQEN, REG } from '../../../src/spec/register.js';
import { ControlRig, ON, words } from './control-rig.js';

const SYNC = { op: OP.SYNC };
const ALL = { op: OP.TLBI_NSNH_ALL };
const ASID = { op: OP.TLBI_NH_ASID, asid: 7 };
const ATC = { op: OP.ATC_INV, sid: 3, size: 52 };

const faulty = (change: object = {}): ControlRig => new ControlRig({ features: { repeatedList: true, ...change } });

function list(rig: ControlRig, commands: readonly object[], queue = 0): string[] {
  for (const command of [...commands, SYNC]) rig.command(command, queue);
  return rig.took();
}

test('a list takes effect by its SYNC', (t) => {
  t.deepEqual(list(faulty(), [ALL, ASID]), ['TLBI_NSNH_ALL', 'TLBI_NH_ASID', 'SYNC']);
});

test('commands are consumed before they take effect', (t) => {
  const rig = faulty();
  rig.command(ALL);
  t.deepEqual([rig.cons().rd, rig.took()], [1, []]);
});

test('the same list again has no effect, nor has it a third time', (t) => {
  const rig = faulty();
  list(rig, [ALL, ASID]);
  t.deepEqual([list(rig, [ALL, ASID]), list(rig, [ALL, ASID])], [['SYNC'], ['SYNC']]);
});

test('without the defect it has', (t) => {
  const rig = new ControlRig();
  list(rig, [ALL, ASID]);
  t.deepEqual(list(rig, [ALL, ASID]), ['TLBI_NSNH_ALL', 'TLBI_NH_ASID', 'SYNC']);
});

for (const [name, second, count] of [
  ['another operand', [ALL, { ...ASID, asid: 8 }], 3],
  ['another order', [ASID, ALL], 3],
  ['one command less', [ALL], 2],
  ['one command more', [ALL, ASID, ASID], 4],
] as const) {
  test(`${name}: it has an effect`, (t) => {
    const rig = faulty();
    list(rig, [ALL, ASID]);
    t.is(list(rig, second).length, count);
  });
}

test('a SYNC between makes the lists differ', (t) => {
  const rig = faulty();
  list(rig, [ALL]);
  list(rig, []);
  t.deepEqual(list(rig, [ALL]), ['TLBI_NSNH_ALL', 'SYNC']);
});

test('lists are compared within their queue', (t) => {
  const rig = faulty();
  list(rig, [ALL], 0);
  t.deepEqual([list(rig, [ALL], 1), list(rig, [ALL], 0)], [['TLBI_NSNH_ALL', 'SYNC'], ['SYNC']]);
});

test('raw words are compared: an ignored bit makes lists differ', (t) => {
  const rig = faulty();
  list(rig, [ALL]);
  const stray = words(ALL);
  stray[3] = 1;
  rig.placeWords(stray);
  t.deepEqual(list(rig, []), ['TLBI_NSNH_ALL', 'SYNC']);
});

test('commands without effect count for the comparison, and stay without', (t) => {
  const rig = faulty({ asidBits: 8 });
  t.deepEqual(list(rig, [ALL, { ...ASID, asid: 300 }]), ['TLBI_NSNH_ALL', 'SYNC']);
  t.deepEqual(list(rig, [ALL]), ['TLBI_NSNH_ALL', 'SYNC']);
});

test('ATC_INV that was consumed with SMMUEN = 0 is ignored, though SMMUEN is 1 at the SYNC', (t) => {
  const rig = faulty();
  rig.write(REG.CR0, CR0_CMDQEN);
  rig.command(ATC);
  rig.write(REG.CR0, ON);
  rig.took();
  t.deepEqual(list(rig, []), ['SYNC']);
});

test('an illegal command stops the queue before the list has an effect', (t) => {
  const rig = faulty();
  rig.place(ALL);
  rig.command({ op: 0 });
  t.deepEqual([rig.took(), rig.cons()], [[], { rd: 1, reason: CERROR_ILL }]);
});

test('a SYNC that runs again after a timeout keeps the list it ended', (t) => {
  const rig = faulty();
  rig.silent.add(3);
  list(rig, [ATC, ALL]);
  const reason = rig.cons().reason;
  rig.silent.delete(3);
  rig.acknowledge();
  t.deepEqual([reason, rig.took(), list(rig, [ATC, ALL]), rig.cons().reason], [CERROR_ATC_INV_SYNC, ['SYNC'], ['ATC_INV', 'SYNC'], 0]);
});

test('the endpoint of an ATC_INV is asked when it is consumed', (t) => {
  const rig = faulty();
  rig.command(ATC);
  t.deepEqual(rig.took(), ['ATC_INV']);
});

test('a list of more than 512 commands equals no other', (t) => {
  const rig = faulty();
  const many = Array.from({ length: 513 }, () => ALL);
  t.deepEqual([list(rig, many).length, list(rig, many).length, list(rig, [ALL]).length], [514, 514, 2]);
});

test('a list of 512 commands is compared', (t) => {
  const rig = faulty();
  const many = Array.from({ length: 512 }, () => ALL);
  t.deepEqual([list(rig, many).length, list(rig, many).length], [513, 1]);
});

/** Command errors: each reason with its protocol of stop, acknowledge and resume; CMD_SYNC and its signals (IHI 0070 §4.7.3, §7.1). */
import test from 'ava';
import { OP } from '../../../src/spec/command.js';
import { CERROR_ABT, CERROR_ATC_INV_SYNC, CERROR_ILL, CR0_SMMUEN, GERROR_CMDQ, GERROR_MSI_CMDQ_ABT, REG } from '../../../src/spec/register.js';
import { ControlRig, FREE_SLOT, NOWHERE, ON, ram, words } from './control-rig.js';

const ILLEGAL = { op: 0 };
const SYNC = { op: OP.SYNC };
const TLBI = { op: OP.TLBI_NSNH_ALL };
const ATC = { op: OP.ATC_INV, sid: 3, size: 52 };

/** Commands [TLBI, illegal, TLBI, SYNC] published: the queue stands at entry 1. */
function stopped(): { rig: ControlRig; entry: number } {
  const rig = new ControlRig();
  rig.place(TLBI);
  const entry = rig.place(ILLEGAL);
  rig.place(TLBI);
  rig.place(SYNC);
  rig.ring();
  return { rig, entry };
}

test('CERROR_ILL: RD stays at the command, older ones are consumed', (t) => {
  const { rig } = stopped();
  t.deepEqual([rig.cons(), rig.took(), rig.active(GERROR_CMDQ)], [{ rd: 1, reason: CERROR_ILL }, ['TLBI_NSNH_ALL'], true]);
});

test('CERROR_ILL: a new PROD alone does not go on', (t) => {
  const { rig } = stopped();
  rig.command(TLBI);
  t.is(rig.cons().rd, 1);
});

test('CERROR_ILL: the entry is fetched anew after the acknowledgement, and everything behind it', (t) => {
  const { rig, entry } = stopped();
  rig.rewrite(entry, words(SYNC));
  const before = rig.took().length;
  rig.acknowledge();
  t.deepEqual([before, rig.took(), rig.cons(), rig.active(GERROR_CMDQ)], [1, ['SYNC', 'TLBI_NSNH_ALL', 'SYNC'], { rd: 4, reason: 0 }, false]);
});

test('CERROR_ILL: acknowledged as it is, the entry fails again', (t) => {
  const { rig } = stopped();
  rig.acknowledge();
  t.deepEqual([rig.cons(), rig.active(GERROR_CMDQ), rig.read(REG.GERROR)], [{ rd: 1, reason: CERROR_ILL }, true, 0]);
});

test('CERROR_ILL: PROD may be taken back to CONS while the error is active', (t) => {
  const { rig } = stopped();
  rig.write(REG.CMDQ_PROD, 1);
  rig.took();
  rig.acknowledge();
  t.deepEqual([rig.took(), rig.cons()], [[], { rd: 1, reason: 0 }]);
});

test('a command error outlives CMDQEN going off and on', (t) => {
  const { rig } = stopped();
  rig.write(REG.CR0, CR0_SMMUEN);
  rig.write(REG.CR0, ON);
  t.deepEqual([rig.cons(), rig.active(GERROR_CMDQ)], [{ rd: 1, reason: CERROR_ILL }, true]);
});

test('an acknowledgement while CMDQEN is 0 waits for CMDQEN', (t) => {
  const { rig, entry } = stopped();
  rig.write(REG.CR0, CR0_SMMUEN);
  rig.rewrite(entry, words(SYNC));
  rig.acknowledge();
  const before = rig.cons().rd;
  rig.write(REG.CR0, ON);
  t.deepEqual([before, rig.cons().rd], [1, 4]);
});

test('toggling GERRORN without an error activates it', (t) => {
  const rig = new ControlRig();
  rig.write(REG.GERRORN, GERROR_CMDQ);
  rig.command(TLBI);
  t.deepEqual([rig.active(GERROR_CMDQ), rig.cons().rd], [true, 0]);
});

test('CERROR_ABT: CONS does not advance, whatever is acknowledged', (t) => {
  const rig = new ControlRig({ commands: NOWHERE });
  rig.ring();
  rig.write(REG.CMDQ_PROD, 2);
  const before = rig.cons();
  rig.acknowledge();
  t.deepEqual([before, rig.cons(), rig.active(GERROR_CMDQ)], [{ rd: 0, reason: CERROR_ABT }, { rd: 0, reason: CERROR_ABT }, true]);
});

test('CERROR_ABT: a queue with a new base goes on after the acknowledgement', (t) => {
  const rig = new ControlRig({ commands: NOWHERE });
  rig.write(REG.CMDQ_PROD, 1);
  rig.write(REG.CR0, 0);
  rig.write(REG.CMDQ_BASE, ram(FREE_SLOT) + 4);
  rig.rewrite(FREE_SLOT * 512, words(TLBI));
  rig.write(REG.CR0, ON);
  rig.took();
  rig.acknowledge();
  t.deepEqual([rig.took(), rig.cons()], [['TLBI_NSNH_ALL'], { rd: 1, reason: 0 }]);
});

/** [ATC_INV that times out, TLBI, SYNC] published. */
function timedOut(): ControlRig {
  const rig = new ControlRig();
  rig.silent.add(3);
  for (const command of [ATC, TLBI, SYNC]) rig.place(command);
  rig.ring();
  return rig;
}

test('CERROR_ATC_INV_SYNC: the SYNC is not consumed', (t) => {
  const rig = timedOut();
  t.deepEqual([rig.took(), rig.cons(), rig.active(GERROR_CMDQ)], [['ATC_INV', 'TLBI_NSNH_ALL'], { rd: 2, reason: CERROR_ATC_INV_SYNC }, true]);
});

test('CERROR_ATC_INV_SYNC: acknowledged, the same SYNC completes', (t) => {
  const rig = timedOut();
  rig.took();
  rig.acknowledge();
  t.deepEqual([rig.took(), rig.cons(), rig.active(GERROR_CMDQ)], [['SYNC'], { rd: 3, reason: 0 }, false]);
});

test('CERROR_ATC_INV_SYNC: the next SYNC is free of it', (t) => {
  const rig = timedOut();
  rig.acknowledge();
  rig.command(SYNC);
  t.deepEqual(rig.cons(), { rd: 4, reason: 0 });
});

test('CERROR_ATC_INV_SYNC: no signal before it completes', (t) => {
  const rig = new ControlRig();
  rig.silent.add(3);
  rig.place(ATC);
  rig.command({ ...SYNC, cs: 1, msiAddress: ram(FREE_SLOT) / 4, msiData: 9 });
  const before = rig.memory.lo[FREE_SLOT * 512];
  rig.acknowledge();
  t.deepEqual([before, rig.memory.lo[FREE_SLOT * 512]], [0, 9]);
});

test('an ATC_INV that was ignored does not time out', (t) => {
  const rig = new ControlRig({ cr0: ON & ~CR0_SMMUEN });
  rig.silent.add(3);
  rig.place(ATC);
  rig.command(SYNC);
  t.deepEqual(rig.cons(), { rd: 2, reason: 0 });
});

for (const [half, offset] of [['low', 0], ['high', 4]] as const) {
  test(`MSI: 32 bits in the ${half} half of a word, nothing beside them`, (t) => {
    const rig = new ControlRig();
    const ref = FREE_SLOT * 512 + 5;
    rig.memory.commit(ref, 0x11111111, 0x22222222);
    rig.command({ ...SYNC, cs: 1, msiAddress: (ram(FREE_SLOT) + 40 + offset) / 4, msiData: 0xfedcba98 });
    t.deepEqual([rig.memory.lo[ref], rig.memory.hi[ref]], half === 'low' ? [0xfedcba98, 0x22222222] : [0x11111111, 0xfedcba98]);
  });
}

test('MSI: CONS has moved when it is seen', (t) => {
  const rig = new ControlRig();
  let seen = -1;
  rig.memory.watch(FREE_SLOT);
  rig.memory.watchers.push({ stored: () => { seen = rig.cons().rd; } });
  rig.command({ ...SYNC, cs: 1, msiAddress: ram(FREE_SLOT) / 4, msiData: 1 });
  t.is(seen, 1);
});

for (const [name, change, features] of [
  ['address 0', { cs: 1, msiAddress: 0 }, {}],
  ['CS = NONE', { cs: 0 }, {}],
  ['CS = SEV', { cs: 2 }, { sev: true }],
  ['IDR0.MSI = 0', { cs: 1 }, { msi: false }],
] as const) {
  test(`MSI: none with ${name}, the SYNC completes`, (t) => {
    const rig = new ControlRig({ features });
    rig.command({ ...SYNC, msiAddress: ram(FREE_SLOT) / 4, msiData: 7, ...change });
    t.deepEqual([rig.memory.lo[FREE_SLOT * 512], rig.cons(), rig.read(REG.GERROR)], [0, { rd: 1, reason: 0 }, 0]);
  });
}

test('MSI: outside of memory it is lost, GERROR says so, the SYNC completes', (t) => {
  const rig = new ControlRig();
  rig.command({ ...SYNC, cs: 1, msiAddress: NOWHERE / 4, msiData: 7 });
  t.deepEqual([rig.active(GERROR_MSI_CMDQ_ABT), rig.active(GERROR_CMDQ), rig.cons()], [true, false, { rd: 1, reason: 0 }]);
});

test('MSI: a second loss leaves the active error as it is', (t) => {
  const rig = new ControlRig();
  for (let i = 0; i < 2; i += 1) rig.command({ ...SYNC, cs: 1, msiAddress: NOWHERE / 4, msiData: 7 });
  const before = rig.active(GERROR_MSI_CMDQ_ABT);
  rig.acknowledge();
  t.deepEqual([before, rig.active(GERROR_MSI_CMDQ_ABT)], [true, false]);
});

test('CS = 3 is illegal', (t) => {
  const rig = new ControlRig();
  rig.command({ ...SYNC, cs: 3 });
  t.deepEqual(rig.cons(), { rd: 0, reason: CERROR_ILL });
});

/** A machine at which looking costs much: single commands and stores are not looked at, and nothing is missed by that. */
import test from 'ava';
import { newCommand, OP } from '../../src/spec/command.js';
import { REG } from '../../src/spec/register.js';
import type { MachineOperation } from '../../src/stack/machine-world.js';
import type { Likeness } from '../../src/lockstep/twins.js';
import { BOOT, FakeConcrete, FakeWeakest, RAM, rig, script, WHERE, type Rig } from './fake-twins.js';

const boot: MachineOperation = { op: 'boot', smmu: 0, boot: BOOT };
const access: MachineOperation = { op: 'access', ...WHERE };
const sync: MachineOperation = { op: 'sync', smmu: 0, queue: 0, msi: 0 };
const command = (op: number): MachineOperation => ({ op: 'command', smmu: 0, queue: 0, command: { ...newCommand(), op } });
const illegal = command(0x99);
const legal = command(OP.TLBI_NSNH_ALL);

const NAMED: Likeness = { name: 'QEMU', answer: (a, b) => a.kind === b.kind, record: () => true };

/** Believes what software has seen, as the reference does: afterwards nothing can be found out any more. */
class Believing extends FakeWeakest {
  override observe(): void {
    super.observe();
    this.error = 0;
    this.registers.set(REG.CMDQ_CONS, this.get(REG.CMDQ_PROD));
  }
}

class Counting extends FakeConcrete {
  looks = 0;
  override readRegister(offset: number): number {
    this.looks += 1;
    return super.readRegister(offset);
  }
}

/** Illegal commands, which a machine that is blind takes. */
function watched(blind: boolean, seldom = true): Rig {
  return rig(script({ fails: (c) => (c.op === 0x99 ? 1 : 0), blind }), { judged: false },
    { seldom, likeness: NAMED, concrete: (memory, s) => new Counting(memory, s), weakest: (memory, s) => new Believing(memory, s) });
}

test('an illegal command that is accepted is found at the next CMD_SYNC, before software believes what it sees', (t) => {
  const r = watched(true);
  t.is(r.breaks(boot, illegal), null);
  const v = r.breaks(sync);
  t.is(v?.rule, 'machine-refinement');
  t.regex(v?.cause ?? '', /^QEMU accepts command 0x99 where CERROR_ILL is due/);
});

test('it is found at once where looking costs nothing', (t) => {
  const v = watched(true, false).breaks(boot, illegal);
  t.regex(v?.cause ?? '', /^QEMU accepts command 0x99 where CERROR_ILL is due/);
});

for (const [what, op] of [['an access', access], ['a register write', { op: 'register', smmu: 0, offset: REG.CR2, value: 2 }], ['a barrier', { op: 'barrier' }]] as const) {
  test(`it is found at ${what} as well`, (t) => {
    t.regex(watched(true).breaks(boot, illegal, op)?.cause ?? '', /^QEMU accepts command 0x99/);
  });
}

test('it is found when the queue is full and software looks for room', (t) => {
  const r = watched(true);
  t.is(r.breaks(boot, sync, illegal, legal, legal, legal), null);
  t.regex(r.breaks(legal)?.cause ?? '', /^QEMU accepts command 0x99/);
});

test('one that is refused breaks nothing', (t) => {
  const r = watched(false);
  t.is(r.breaks(boot, illegal, legal, access), null);
  t.is(r.run.step({ op: 'acknowledge', smmu: 0, queue: 0, fix: true }).note, null);
  t.is(r.breaks(sync, access), null);
});

test('a command and a store are not looked at', (t) => {
  const r = watched(false);
  t.is(r.breaks(boot, sync), null);
  const machine = r.concrete as Counting;
  machine.looks = 0;
  t.is(r.breaks(legal, { op: 'store', at: RAM + 0x4000, lo: 1, hi: 0, held: false }), null);
  t.is(machine.looks, 0);
  t.is(r.breaks(access), null);
  t.true(machine.looks > 0);
});

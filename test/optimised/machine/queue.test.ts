/** The command queue: order, wrap, frames, errors and their acknowledgement (IHI 0070 §3.5.1, §4.1, §7.1). */
import test from 'ava';
import { OP } from '../../../src/spec/command.js';
import { CERROR_ABT, CR0_CMDQEN, CR0_SMMUEN, GERROR_CMDQ, queueBase, REG } from '../../../src/spec/register.js';
import { COMMAND_SLOT, raw, Rig } from './rig.js';

const SYNC = { op: OP.SYNC };
const ILLEGAL = { op: OP.TLBI_NH_VA, tg: 1, frame: 0x10 }; // NUM, SCALE and TTL all zero

test('commands are consumed when PROD is written', (t) => {
  const rig = new Rig();
  rig.place(raw(SYNC));
  rig.command(SYNC);
  t.is(rig.machine.readRegister(REG.CMDQ_CONS), 2);
});

test('the queue wraps: CONS carries the wrap bit', (t) => {
  const rig = new Rig({ commandLog2: 3 });
  for (let i = 0; i < 11; i += 1) rig.command(SYNC);
  t.is(rig.machine.readRegister(REG.CMDQ_CONS), 11);
});

test('the queue wraps twice: CONS starts over', (t) => {
  const rig = new Rig({ commandLog2: 3 });
  for (let i = 0; i < 19; i += 1) rig.command(SYNC);
  t.is(rig.machine.readRegister(REG.CMDQ_CONS), 3);
});

test('after the wrap the first entry is read again', (t) => {
  const rig = new Rig({ commandLog2: 3 });
  const ref = rig.map(rig.stream(1, 7), 0x10, 0x900);
  rig.read(1, 0x10);
  rig.clear(ref);
  for (let i = 0; i < 8; i += 1) rig.command(SYNC);
  rig.command({ op: OP.TLBI_NH_ASID, asid: 7 });
  t.is(rig.read(1, 0x10), 'F_TRANSLATION');
});

test('a full queue is consumed whole', (t) => {
  const rig = new Rig({ commandLog2: 3 });
  for (let i = 0; i < 8; i += 1) rig.place(raw(SYNC));
  rig.ring();
  t.is(rig.machine.stats.commands, 8);
});

test('pointers that name more entries than there are stop the queue', (t) => {
  const rig = new Rig({ commandLog2: 3 });
  for (let i = 0; i < 8; i += 1) rig.place(raw(SYNC));
  rig.machine.writeRegister(REG.CMDQ_PROD, 9);
  t.is(rig.machine.stats.commands, 0);
});

test('a queue may span several frames', (t) => {
  const rig = new Rig({ commandLog2: 9 });
  for (let i = 0; i < 300; i += 1) rig.command(SYNC);
  const ref = rig.map(rig.stream(1, 7), 0x10, 0x900);
  rig.read(1, 0x10);
  rig.clear(ref);
  rig.command({ op: OP.TLBI_NH_ASID, asid: 7 });
  t.is(rig.read(1, 0x10), 'F_TRANSLATION');
});

test('a disabled queue waits, and goes on when enabled', (t) => {
  const rig = new Rig();
  rig.machine.writeRegister(REG.CR0, CR0_SMMUEN);
  rig.command(SYNC);
  const before = rig.machine.readRegister(REG.CMDQ_CONS);
  rig.machine.writeRegister(REG.CR0, CR0_SMMUEN | CR0_CMDQEN);
  t.deepEqual([before, rig.machine.readRegister(REG.CMDQ_CONS)], [0, 1]);
});

test('an illegal command stops the queue at its entry', (t) => {
  const rig = new Rig();
  for (const command of [SYNC, ILLEGAL, SYNC]) rig.place(raw(command));
  rig.ring();
  t.is(rig.machine.readRegister(REG.CMDQ_CONS), 2 ** 24 + 1);
});

test('an illegal command toggles GERROR.CMDQ_ERR', (t) => {
  const rig = new Rig();
  rig.command(ILLEGAL);
  t.is(rig.machine.readRegister(REG.GERROR), GERROR_CMDQ);
});

test('a reserved bit makes a command illegal', (t) => {
  const rig = new Rig();
  const words = raw(SYNC);
  words[3] = 2 ** 31;
  rig.place(words);
  rig.ring();
  t.is(rig.machine.readRegister(REG.GERROR), GERROR_CMDQ);
});

test('a range command is illegal without IDR3.RIL', (t) => {
  const rig = new Rig({ config: { range: false } });
  rig.command({ op: OP.TLBI_NH_VA, tg: 1, num: 3, scale: 1, frame: 0x10 });
  t.is(rig.machine.readRegister(REG.GERROR), GERROR_CMDQ);
});

test('a stopped queue does not listen to PROD', (t) => {
  const rig = new Rig();
  rig.command(ILLEGAL);
  rig.command(SYNC);
  t.deepEqual([rig.machine.stats.commands, rig.machine.readRegister(REG.GERROR)], [0, GERROR_CMDQ]);
});

test('acknowledging fetches the entry again: unrepaired, it fails again', (t) => {
  const rig = new Rig();
  rig.command(ILLEGAL);
  rig.machine.writeRegister(REG.GERRORN, GERROR_CMDQ);
  t.is(rig.machine.readRegister(REG.GERROR), 0);
});

test('acknowledging after the entry was replaced resumes without PROD', (t) => {
  const rig = new Rig({ commandLog2: 3 });
  for (const command of [ILLEGAL, SYNC]) rig.place(raw(command));
  rig.ring();
  rig.memory.commit(COMMAND_SLOT * 512, OP.SYNC, 0);
  rig.memory.commit(COMMAND_SLOT * 512 + 1, 0, 0);
  rig.machine.writeRegister(REG.GERRORN, GERROR_CMDQ);
  t.is(rig.machine.readRegister(REG.CMDQ_CONS), 2);
});

test('CMDQ_BASE cannot be moved while the queue is enabled', (t) => {
  const rig = new Rig();
  const base = rig.machine.readRegister(REG.CMDQ_BASE);
  rig.machine.writeRegister(REG.CMDQ_BASE, queueBase(0x200000000, 4));
  t.is(rig.machine.readRegister(REG.CMDQ_BASE), base);
});

test('a queue outside of memory stops with CERROR_ABT', (t) => {
  const rig = new Rig();
  rig.machine.writeRegister(REG.CR0, 0);
  rig.machine.writeRegister(REG.CMDQ_BASE, queueBase(0x200000000, 4));
  rig.machine.writeRegister(REG.CR0, CR0_CMDQEN);
  rig.machine.writeRegister(REG.CMDQ_PROD, 1);
  t.is(rig.machine.readRegister(REG.CMDQ_CONS), CERROR_ABT * 2 ** 24);
});

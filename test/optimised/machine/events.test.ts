/** Event records: every fault of this path, decoded back from memory; wrap and overflow (IHI 0070 §7.3, §7.4). */
import test from 'ava';
import { setField } from '../../../src/spec/bits.js';
import { CD } from '../../../src/spec/cd.js';
import { BIT_AF } from '../../../src/spec/descriptor.js';
import { CR0_SMMUEN, OVERFLOW_FLAG, REG } from '../../../src/spec/register.js';
import { CONFIG_ABORT, CONFIG_BYPASS, STE } from '../../../src/spec/ste.js';
import { ON, Rig } from './rig.js';

test('C_BAD_STREAMID: a stream beyond the table', (t) => {
  const rig = new Rig({ streamLog2: 3 });
  rig.read(8, 0x10);
  t.deepEqual(rig.events(), ['C_BAD_STREAMID sid 8']);
});

test('C_BAD_STREAMID is not recorded when CR2.RECINVSID is 0', (t) => {
  const rig = new Rig({ streamLog2: 3 });
  rig.machine.writeRegister(REG.CR0, 0);
  rig.machine.writeRegister(REG.CR2, 0);
  rig.machine.writeRegister(REG.CR0, ON);
  t.is(rig.read(8, 0x10), 'abort');
});

test('C_BAD_STE: an invalid STE', (t) => {
  const rig = new Rig();
  rig.read(3, 0x10);
  t.deepEqual(rig.events(), ['C_BAD_STE sid 3']);
});

test('an aborting STE leaves no record', (t) => {
  const rig = new Rig();
  rig.ste(3, 0, (words) => setField(words, STE.Config, CONFIG_ABORT));
  t.deepEqual([rig.read(3, 0x10), rig.events().length], ['abort', 0]);
});

test('C_BAD_CD: an invalid CD', (t) => {
  const rig = new Rig();
  rig.ste(3, rig.page());
  rig.read(3, 0x10);
  t.deepEqual(rig.events(), ['C_BAD_CD sid 3']);
});

test('F_TRANSLATION: an invalid descriptor; the record names a read', (t) => {
  const rig = new Rig();
  rig.stream(3, 7);
  rig.read(3, 0x123456);
  t.deepEqual(rig.events(), ['F_TRANSLATION sid 3 read 0x123456000']);
});

test('F_TRANSLATION: an invalid descriptor; the record names a write', (t) => {
  const rig = new Rig();
  rig.stream(3, 7);
  rig.write(3, 0x123456);
  t.deepEqual(rig.events(), ['F_TRANSLATION sid 3 write 0x123456000']);
});

test('F_TRANSLATION: an address beyond T0SZ', (t) => {
  const rig = new Rig();
  rig.map(rig.stream(3, 7), 0, 0x900);
  rig.read(3, 2 ** 36);
  t.deepEqual(rig.events(), ['F_TRANSLATION sid 3 read 0x1000000000000']);
});

test('F_ADDR_SIZE: a leaf beyond the output size', (t) => {
  const rig = new Rig();
  rig.map(rig.stream(3, 7), 0x10, 2 ** 32);
  rig.read(3, 0x10);
  t.deepEqual(rig.events(), ['F_ADDR_SIZE sid 3 read 0x10000']);
});

test('F_ADDR_SIZE: a table beyond the output size', (t) => {
  const rig = new Rig();
  const root = rig.stream(3, 7);
  rig.memory.commit(root * 512, 3, 0x1000);
  rig.read(3, 0x10);
  t.deepEqual(rig.events(), ['F_ADDR_SIZE sid 3 read 0x10000']);
});

test('F_ADDR_SIZE: a bypassing stream beyond the output size', (t) => {
  const rig = new Rig();
  rig.ste(3, 0, (words) => setField(words, STE.Config, CONFIG_BYPASS));
  rig.read(3, 2 ** 32);
  t.deepEqual(rig.events(), ['F_ADDR_SIZE sid 3 read 0x100000000000']);
});

test('F_ACCESS: a leaf with AF = 0', (t) => {
  const rig = new Rig();
  const ref = rig.map(rig.stream(3, 7), 0x10, 0x900);
  rig.memory.commit(ref, (rig.memory.lo[ref] as number) - BIT_AF, 0);
  rig.read(3, 0x10);
  t.deepEqual(rig.events(), ['F_ACCESS sid 3 read 0x10000']);
});

test('F_PERMISSION: a write through a read-only leaf', (t) => {
  const rig = new Rig();
  rig.map(rig.stream(3, 7), 0x10, 0x900, { writable: false });
  rig.write(3, 0x10);
  t.deepEqual(rig.events(), ['F_PERMISSION sid 3 write 0x10000']);
});

test('with CD.R = 0 a translation fault leaves no record', (t) => {
  const rig = new Rig();
  const cdSlot = rig.page();
  rig.ste(3, cdSlot);
  rig.cd(cdSlot, 7, rig.page(), (words) => setField(words, CD.R, 0));
  t.deepEqual([rig.read(3, 0x10), rig.events().length], ['abort', 0]);
});

test('records wrap around the queue', (t) => {
  const rig = new Rig({ eventLog2: 1 });
  const seen: string[] = [];
  for (let sid = 0; sid < 5; sid += 1) {
    rig.read(sid, 0x10);
    seen.push(...rig.events());
  }
  t.deepEqual(seen, [0, 1, 2, 3, 4].map((sid) => `C_BAD_STE sid ${sid}`));
});

test('records continue in the second frame of the queue', (t) => {
  const rig = new Rig({ eventLog2: 8 });
  for (let i = 0; i < 129; i += 1) rig.read(i % 64, 0x10);
  t.is(rig.events()[128], 'C_BAD_STE sid 0');
});

test('a record without space toggles OVFLG', (t) => {
  const rig = new Rig({ eventLog2: 1 });
  for (let sid = 0; sid < 3; sid += 1) rig.read(sid, 0x10);
  t.is(rig.machine.readRegister(REG.EVENTQ_PROD), OVERFLOW_FLAG + 2);
});

test('a second lost record leaves OVFLG until it is acknowledged', (t) => {
  const rig = new Rig({ eventLog2: 1 });
  for (let sid = 0; sid < 4; sid += 1) rig.read(sid, 0x10);
  t.is(rig.machine.readRegister(REG.EVENTQ_PROD), OVERFLOW_FLAG + 2);
});

test('an overflow after the acknowledged one toggles OVFLG back', (t) => {
  const rig = new Rig({ eventLog2: 1 });
  for (let sid = 0; sid < 3; sid += 1) rig.read(sid, 0x10);
  rig.events();
  for (let sid = 0; sid < 3; sid += 1) rig.read(sid, 0x10);
  t.is(rig.machine.readRegister(REG.EVENTQ_PROD), 0);
});

test('with an unacknowledged overflow, records that find space are written', (t) => {
  const rig = new Rig({ eventLog2: 1 });
  for (let sid = 0; sid < 3; sid += 1) rig.read(sid, 0x10);
  rig.machine.writeRegister(REG.EVENTQ_CONS, 1);
  rig.read(9, 0x10);
  t.is(rig.machine.readRegister(REG.EVENTQ_PROD), OVERFLOW_FLAG + 3);
});

test('a disabled event queue takes no record', (t) => {
  const rig = new Rig();
  rig.machine.writeRegister(REG.CR0, CR0_SMMUEN);
  rig.read(3, 0x10);
  t.is(rig.machine.readRegister(REG.EVENTQ_PROD), 0);
});

test('EVENTQ_PROD cannot be written while the queue is enabled', (t) => {
  const rig = new Rig();
  rig.machine.writeRegister(REG.EVENTQ_PROD, 3);
  t.is(rig.machine.readRegister(REG.EVENTQ_PROD), 0);
});

/** The main command queue: indices, what is ignored, and what a command comes to that is not plainly legal (IHI 0070 §3.5.1, §4.1). */
import test from 'ava';
import { OP, type Command } from '../../../src/spec/command.js';
import type { Features } from '../../../src/spec/features.js';
import { CERROR_ILL, CR0_CMDQEN, CR0_SMMUEN, REG } from '../../../src/spec/register.js';
import { ControlRig, ON, words } from './control-rig.js';

const SYNC = { op: OP.SYNC };

/** A queue of 4 entries: PROD, CONS and how many entries are published (index [1:0], wrap bit 2). */
const SPACE: readonly (readonly [number, number, number])[] = [
  [0b101, 0b001, 4], // full
  [0b100, 0b001, 3], // one free
  [0b001, 0b001, 0], // empty
  [0b011, 0b011, 0],
  [0b100, 0b011, 1], // wrap
  [0b000, 0b111, 1],
  [0b010, 0b101, 0], // five: no queue of this size, waits
  [0b001, 0b010, 0], // behind CONS: waits
];

for (const [prod, cons, used] of SPACE) {
  test(`PROD ${prod.toString(2)}, CONS ${cons.toString(2)}: ${used} entries`, (t) => {
    const rig = new ControlRig({ commandLog2: 2, cr0: 0 });
    for (let i = 0; i < 4; i += 1) rig.place(SYNC);
    rig.write(REG.CMDQ_CONS, cons);
    rig.write(REG.CMDQ_PROD, prod);
    rig.write(REG.CR0, CR0_CMDQEN);
    t.deepEqual([rig.took().length - 1, rig.cons().rd], [used, used === 0 ? cons : prod]);
  });
}

test('inconsistent indices are waited out: a consistent PROD goes on', (t) => {
  const rig = new ControlRig({ commandLog2: 2 });
  for (let i = 0; i < 4; i += 1) rig.place(SYNC);
  rig.write(REG.CMDQ_PROD, 5);
  const before = rig.took().length;
  rig.write(REG.CMDQ_PROD, 2);
  t.deepEqual([before, rig.took().length], [0, 2]);
});

test('QS = 0: one entry, its wrap bit is bit 0', (t) => {
  const rig = new ControlRig({ commandLog2: 0 });
  const seen: number[] = [];
  for (const op of [OP.TLBI_NSNH_ALL, OP.SYNC, OP.TLBI_EL2_ALL]) {
    rig.command({ op });
    seen.push(rig.cons().rd);
  }
  t.deepEqual([rig.took(), seen], [['TLBI_NSNH_ALL', 'SYNC', 'TLBI_EL2_ALL'], [1, 0, 1]]);
});

test('bits of PROD above the wrap bit are RES0', (t) => {
  const rig = new ControlRig({ commandLog2: 2 });
  rig.place(SYNC);
  rig.write(REG.CMDQ_PROD, 0x80000009);
  t.deepEqual([rig.read(REG.CMDQ_PROD), rig.took()], [1, ['SYNC']]);
});

test('a pointer that was written before its base keeps the bits that the base gives it', (t) => {
  const rig = new ControlRig({ commandLog2: 1, cr0: 0 });
  const base = rig.read(REG.CMDQ_BASE);
  rig.write(REG.CMDQ_PROD, 6);
  rig.write(REG.CMDQ_BASE, base + 3);
  t.is(rig.read(REG.CMDQ_PROD), 6);
});

test('commands are consumed in order', (t) => {
  const rig = new ControlRig();
  for (const op of [OP.TLBI_EL2_ALL, OP.TLBI_NSNH_ALL, OP.SYNC]) rig.place({ op });
  rig.ring();
  t.deepEqual(rig.took(), ['TLBI_EL2_ALL', 'TLBI_NSNH_ALL', 'SYNC']);
});

test('what was consumed before CMDQEN went off is not done again', (t) => {
  const rig = new ControlRig();
  rig.command({ op: OP.TLBI_NSNH_ALL });
  rig.write(REG.CR0, CR0_SMMUEN);
  rig.command({ op: OP.TLBI_EL2_ALL });
  rig.write(REG.CR0, ON);
  t.deepEqual(rig.took(), ['TLBI_NSNH_ALL', 'configured', 'configured', 'TLBI_EL2_ALL']);
});

const ATC = { op: OP.ATC_INV, sid: 3, size: 52 };

test('ATC_INV is ignored while SMMUEN is 0', (t) => {
  const rig = new ControlRig({ cr0: CR0_CMDQEN });
  rig.command(ATC);
  t.deepEqual([rig.took(), rig.cons()], [[], { rd: 1, reason: 0 }]);
});

test('ATC_INV reaches the unit while SMMUEN is 1', (t) => {
  const rig = new ControlRig();
  rig.command(ATC);
  t.deepEqual(rig.took(), ['ATC_INV']);
});

test('CERROR_ILL goes before IGNORED: ATC_INV without ATS, SMMUEN = 0', (t) => {
  const rig = new ControlRig({ cr0: CR0_CMDQEN, features: { ats: false } });
  rig.command(ATC);
  t.deepEqual(rig.cons(), { rd: 0, reason: CERROR_ILL });
});

interface Dubious {
  readonly name: string;
  readonly command: Partial<Command>;
  readonly features?: Partial<Features>;
  /** What an SMMU executes that ignores reserved fields; nothing: no effect. */
  readonly lenient: readonly string[];
  /** Does one that does not ignore them raise CERROR_ILL? */
  readonly strict: boolean;
}

const VA = { op: OP.TLBI_NH_VA, asid: 7, frame: 0x10 };

const DUBIOUS: readonly Dubious[] = [
  { name: 'a range without RIL is one address', command: { ...VA, tg: 1, num: 3, scale: 1, ttl: 3 }, features: { range: false }, lenient: ['TLBI_NH_VA vmid 0 asid 7 va 0x10000'], strict: true },
  { name: 'a misaligned range without RIL is one address', command: { ...VA, tg: 3, ttl: 1 }, features: { range: false }, lenient: ['TLBI_NH_VA vmid 0 asid 7 va 0x10000'], strict: true },
  { name: 'TTL, NUM, SCALE without TG', command: { ...VA, num: 3, scale: 1, ttl: 3 }, lenient: ['TLBI_NH_VA vmid 0 asid 7 va 0x10000'], strict: true },
  { name: 'a reserved range and an ASID too large', command: { ...VA, asid: 256, tg: 1, ttl: 3 }, features: { range: false, asidBits: 8 }, lenient: [], strict: true },
  { name: 'a misaligned range', command: { ...VA, tg: 1, ttl: 2 }, lenient: [], strict: false },
  { name: 'SCALE beyond 31', command: { ...VA, tg: 1, scale: 32 }, lenient: [], strict: false },
  { name: 'ATC_INV beyond Size 52', command: { ...ATC, size: 53 }, lenient: [], strict: false },
  { name: 'an ASID too large', command: { op: OP.TLBI_NH_ASID, asid: 256 }, features: { asidBits: 8 }, lenient: [], strict: false },
  { name: 'a StreamID too large', command: { op: OP.CFGI_STE, sid: 64 }, features: { sidBits: 6 }, lenient: [], strict: false },
  { name: 'TTL = 1 of a 16K range without DS means TTL = 0', command: { ...VA, tg: 2, ttl: 1, num: 1 }, lenient: ['TLBI_NH_VA vmid 0 asid 7 va 0x10000 tg 16K num 1 scale 0 ttl 0 (2 granules)'], strict: false },
];

for (const { name, command, features, lenient, strict } of DUBIOUS) {
  test(`${name}, leniently`, (t) => {
    const rig = new ControlRig(features === undefined ? {} : { features });
    rig.command(command);
    t.deepEqual([rig.log, rig.cons()], [lenient, { rd: 1, reason: 0 }]);
  });

  test(`${name}, strictly`, (t) => {
    const rig = new ControlRig({ strictReserved: true, ...(features === undefined ? {} : { features }) });
    rig.command(command);
    t.deepEqual([rig.log, rig.cons()], strict ? [[], { rd: 0, reason: CERROR_ILL }] : [lenient, { rd: 1, reason: 0 }]);
  });
}

test('a stray reserved bit: ignored, or CERROR_ILL', (t) => {
  const stray = words({ op: OP.TLBI_NSNH_ALL });
  stray[3] = 1;
  const [lenient, strict] = [new ControlRig(), new ControlRig({ strictReserved: true })];
  for (const rig of [lenient, strict]) {
    rig.placeWords(stray);
    rig.ring();
  }
  t.deepEqual([lenient.took(), strict.took(), strict.cons().reason], [['TLBI_NSNH_ALL'], [], CERROR_ILL]);
});

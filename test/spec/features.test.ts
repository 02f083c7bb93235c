/**
 * Pins src/spec/features.ts: every bit of IDR0, IDR1, IDR3, IDR5, IDR6 and IIDR that says something, both ways.
 */
import test from 'ava';
import { featuresOf, FULL_FEATURES, registersOf, type FeatureRegisters, type Features } from '../../src/spec/features.js';

/** An SMMU of which every register has only the constant bits. */
const NOTHING: Features = {
  stage1: false, stage2: false, hyp: false, coherent: false, httu: 0, ats: false, splitAts: true, asidBits: 8, vmidBits: 8, msi: false,
  sev: false, vmidWildcard: false, twoLevelStreams: false, twoLevelCds: false, sidBits: 0, ssidBits: 0, commandLog2: 0, eventLog2: 0,
  extraQueues: 0, range: false, bbml: 0, forceWriteBack: false, smallTables: false, oas: 32, gran4k: false, gran16k: false, gran64k: false,
  ds: false, wideInput: false, forceSync: false, wholeRunOnly: false, repeatedList: false,
};

/** TTF 2, TTENDIAN 2, STALL_MODEL 1, TERM_MODEL 1; HAD. */
const CONSTANT: FeatureRegisters = { idr0: 0x05400008, idr1: 0, idr3: 0x4, idr5: 0, iidr: 0, idr6: 0 };

test('an SMMU with nothing has only the constant bits', (t) => {
  t.deepEqual(registersOf(NOTHING), CONSTANT);
});

interface Bit {
  readonly change: Partial<Features>;
  readonly register: keyof FeatureRegisters;
  readonly bits: number;
}

const BITS: readonly Bit[] = [
  { change: { stage2: true }, register: 'idr0', bits: 0x1 },
  { change: { stage1: true }, register: 'idr0', bits: 0x2 },
  { change: { coherent: true }, register: 'idr0', bits: 0x10 },
  { change: { httu: 1 }, register: 'idr0', bits: 0x40 },
  { change: { httu: 2 }, register: 'idr0', bits: 0x80 },
  { change: { hyp: true }, register: 'idr0', bits: 0x200 },
  { change: { ats: true }, register: 'idr0', bits: 0x400 },
  { change: { splitAts: false }, register: 'idr0', bits: 0x800 },
  { change: { asidBits: 16 }, register: 'idr0', bits: 0x1000 },
  { change: { msi: true }, register: 'idr0', bits: 0x2000 },
  { change: { sev: true }, register: 'idr0', bits: 0x4000 },
  { change: { vmidWildcard: true }, register: 'idr0', bits: 0x20000 },
  { change: { vmidBits: 16 }, register: 'idr0', bits: 0x40000 },
  { change: { twoLevelCds: true }, register: 'idr0', bits: 0x80000 },
  { change: { twoLevelStreams: true }, register: 'idr0', bits: 0x8000000 },
  { change: { sidBits: 32 }, register: 'idr1', bits: 0x20 },
  { change: { sidBits: 31 }, register: 'idr1', bits: 0x1f },
  { change: { ssidBits: 20 }, register: 'idr1', bits: 0x500 },
  { change: { eventLog2: 19 }, register: 'idr1', bits: 0x130000 },
  { change: { commandLog2: 19 }, register: 'idr1', bits: 0x2600000 },
  { change: { extraQueues: 1 }, register: 'idr1', bits: 0x80000000 },
  { change: { forceWriteBack: true }, register: 'idr3', bits: 0x100 },
  { change: { smallTables: true }, register: 'idr3', bits: 0x200 },
  { change: { range: true }, register: 'idr3', bits: 0x400 },
  { change: { bbml: 1 }, register: 'idr3', bits: 0x800 },
  { change: { bbml: 2 }, register: 'idr3', bits: 0x1000 },
  { change: { oas: 36 }, register: 'idr5', bits: 1 },
  { change: { oas: 40 }, register: 'idr5', bits: 2 },
  { change: { oas: 42 }, register: 'idr5', bits: 3 },
  { change: { oas: 44 }, register: 'idr5', bits: 4 },
  { change: { oas: 48 }, register: 'idr5', bits: 5 },
  { change: { oas: 52 }, register: 'idr5', bits: 6 },
  { change: { gran4k: true }, register: 'idr5', bits: 0x10 },
  { change: { gran16k: true }, register: 'idr5', bits: 0x20 },
  { change: { gran64k: true }, register: 'idr5', bits: 0x40 },
  { change: { ds: true }, register: 'idr5', bits: 0x80 },
  { change: { wideInput: true }, register: 'idr5', bits: 0x400 },
  { change: { forceSync: true }, register: 'iidr', bits: 0x4870043b },
  { change: { wholeRunOnly: true }, register: 'iidr', bits: 0x00200000 },
  { change: { wholeRunOnly: true, forceSync: true }, register: 'iidr', bits: 0x00300000 },
  { change: { repeatedList: true }, register: 'iidr', bits: 0x00400000 },
  { change: { repeatedList: true, forceSync: true }, register: 'iidr', bits: 0x00500000 },
  { change: { repeatedList: true, wholeRunOnly: true }, register: 'iidr', bits: 0x00600000 },
  { change: { repeatedList: true, wholeRunOnly: true, forceSync: true }, register: 'iidr', bits: 0x00700000 },
];

function read(r: FeatureRegisters): Features {
  return featuresOf(r.idr0, r.idr1, r.idr3, r.idr5, r.iidr, r.idr6);
}

for (const { change, register, bits } of BITS) {
  const name = Object.entries(change).map(([key, value]) => `${key} = ${String(value)}`).join(' and ');
  test(`${name} is 0x${bits.toString(16)} of ${register}`, (t) => {
    const registers = { ...CONSTANT, [register]: CONSTANT[register] + bits };
    t.deepEqual(registersOf({ ...NOTHING, ...change }), registers);
    t.deepEqual(read(registers), { ...NOTHING, ...change });
  });
}

test('the full SMMU reads back as it is', (t) => {
  t.deepEqual(registersOf(FULL_FEATURES), {
    idr0: 0x054e0008 + 0x8000000 + 0x80 + 0x3 + 0x10 + 0x200 + 0x400 + 0x1000 + 0x2000, idr1: 0x80000000 + (8 << 21) + (7 << 16) + (10 << 6) + 16,
    idr3: 0x1704, idr5: 0x75, iidr: 0, idr6: 0,
  });
  t.deepEqual(read(registersOf(FULL_FEATURES)), FULL_FEATURES);
});

test('IDR6 counts further queues in powers of two', (t) => {
  t.is(registersOf({ ...NOTHING, extraQueues: 8 }).idr6, 0x30000);
  t.is(featuresOf(0, 0x80000000, 0, 0, 0, 0x30000).extraQueues, 8);
  t.is(featuresOf(0, 0x80000000, 0, 0, 0, 0x2010000).extraQueues, 8); // 4 pages of 2
  t.is(featuresOf(0, 0x80000000, 0, 0, 0).extraQueues, 1);
  t.is(featuresOf(0, 0, 0, 0, 0, 0x30000).extraQueues, 0);
  t.throws(() => registersOf({ ...NOTHING, extraQueues: 3 }), { instanceOf: RangeError });
  t.throws(() => registersOf({ ...NOTHING, extraQueues: 512 }), { instanceOf: RangeError });
});

test('an output size without encoding is refused', (t) => {
  t.throws(() => registersOf({ ...NOTHING, oas: 41 }), { instanceOf: RangeError });
});

test('what is not modelled reads as the nearest that is', (t) => {
  t.is(featuresOf(0xc0, 0, 0, 0, 0).httu, 2);
  t.is(featuresOf(0, 0, 0x1800, 0, 0).bbml, 2);
  t.is(featuresOf(0, 0, 0, 7, 0).oas, 52);
  t.true(featuresOf(0, 0, 0, 0x800, 0).wideInput);
  t.is(featuresOf(0, 0x3f, 0, 0, 0).sidBits, 32);
  t.is(featuresOf(0, 0x7c0, 0, 0, 0).ssidBits, 20);
  t.is(featuresOf(0, 0x3ff0000, 0, 0, 0).commandLog2, 19);
  t.is(featuresOf(0, 0x3ff0000, 0, 0, 0).eventLog2, 19);
  t.false(featuresOf(0x10000000, 0, 0, 0, 0).twoLevelStreams);
});

test('bits beside a field are not part of it', (t) => {
  const beside0 = featuresOf(0xffffff3f, 0, 0, 0, 0);
  t.is(beside0.httu, 0);
  t.is(featuresOf(0, 0, 0xffffe7ff, 0, 0).bbml, 0);
  t.true(featuresOf(0xe8000000, 0, 0, 0, 0).twoLevelStreams);
  const beside1 = featuresOf(0, 0x7fe0ffff - 0x7e00000, 0, 0, 0);
  t.deepEqual([beside1.eventLog2, beside1.sidBits, beside1.extraQueues], [0, 32, 0]);
  t.deepEqual([featuresOf(0, 0xffffffc0, 0, 0, 0).sidBits, featuresOf(0, 0xfffff83f, 0, 0, 0).ssidBits], [0, 0]);
  t.deepEqual([featuresOf(0, 0xfc1fffff, 0, 0, 0).commandLog2, featuresOf(0, 0xffe0ffff, 0, 0, 0).eventLog2], [0, 0]);
  t.is(featuresOf(0, 0x80000000, 0, 0, 0, 0xf0f0ffff).extraQueues, 1);
  t.is(featuresOf(0, 0, 0, 0xfffffff8, 0).oas, 32);
  t.false(featuresOf(0, 0, 0, 0xfffff3ff, 0).wideInput);
});

test('256 further queues are the most', (t) => {
  t.is(registersOf({ ...NOTHING, extraQueues: 256 }).idr6, 0x80000);
});

test('the erratum about CMD_SYNC belongs to every revision of MMU-700 and to no MMU-600', (t) => {
  for (const revision of [0, 0x1000, 0x10000, 0xff000]) {
    t.true(featuresOf(0, 0, 0, 0, 0x4870043b + revision).forceSync);
    t.false(featuresOf(0, 0, 0, 0, 0x4830043b + revision).forceSync);
  }
  t.false(featuresOf(0, 0, 0, 0, 0x48700426).forceSync); // another implementer's product
});

test('an IDR0 with all bits but NS1ATS has every feature of it', (t) => {
  const f = featuresOf(0xf7ffffff - 0x800, 0, 0, 0, 0);
  t.true(f.stage1 && f.stage2 && f.hyp && f.coherent && f.ats && f.splitAts && f.msi && f.sev && f.vmidWildcard && f.twoLevelCds);
});

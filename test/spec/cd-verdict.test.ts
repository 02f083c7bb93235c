/**
 * Pins cdVerdict of src/spec/cd.ts: every condition of CdIllegal() (§5.4.2) once kept and once broken by one change, and that the
 * answer depends on the STE through which the CD is reached.
 */
import test from 'ava';
import { CD, CD_HALF, cdDs, cdHalfGranule, cdHalfOutputBits, cdVerdict } from '../../src/spec/cd.js';
import { FULL_FEATURES, type Features } from '../../src/spec/features.js';
import { cd, CONTEXT, NESTED, STAGE1, ste, UPPER, type CdFields, type SteFields } from './structures.js';

const WIDE: Partial<Features> = { ds: true, wideInput: true, oas: 52 };
const EL2: SteFields = { ...STAGE1, STRW: 2 };

interface Rule {
  readonly why: string;
  readonly fields: CdFields;
  readonly legal: boolean;
  readonly without?: Partial<Features>;
}

const WHOLE: readonly Rule[] = [
  { why: 'the plain one', fields: {}, legal: true },
  { why: 'V = 0', fields: { V: 0 }, legal: false },
  { why: 'AA64 = 0', fields: { AA64: 0 }, legal: false },
  { why: 'A = 0', fields: { A: 0 }, legal: false },
  { why: 'R = 0', fields: { R: 0 }, legal: true },
  { why: 'S', fields: { S: 1 }, legal: false },
  { why: 'big-endian tables', fields: { ENDI: 1 }, legal: false },
  { why: 'big-endian tables above only', fields: { ENDI: 1, EPD0: 1, ...UPPER }, legal: false },
  { why: 'ENDI without any table', fields: { ENDI: 1, EPD0: 1 }, legal: true },
  { why: 'access flag and dirty updates', fields: { HA: 1, HD: 1 }, legal: true },
  { why: 'HD alone', fields: { HD: 1 }, legal: true },
  { why: 'access flag updates with HTTU = 1', fields: { HA: 1 }, legal: true, without: { httu: 1 } },
  { why: 'dirty updates with HTTU = 1', fields: { HA: 1, HD: 1 }, legal: false, without: { httu: 1 } },
  { why: 'access flag updates without HTTU', fields: { HA: 1 }, legal: false, without: { httu: 0 } },
  { why: 'HD alone without HTTU', fields: { HD: 1 }, legal: false, without: { httu: 0 } },
  { why: 'an ASID of sixteen bits', fields: { ASID: 0xffff }, legal: true },
  { why: 'the largest ASID of eight bits', fields: { ASID: 255 }, legal: true, without: { asidBits: 8 } },
  { why: 'an ASID of nine bits', fields: { ASID: 256 }, legal: false, without: { asidBits: 8 } },
  { why: 'EPD0 over a bad lower half', fields: { EPD0: 1, T0SZ: 0, TG0: 3, TTB0: 2 ** 47 }, legal: true },
  { why: 'EPD1 over a bad upper half', fields: { T1SZ: 0, TG1: 0, TTB1: 2 ** 47 }, legal: true },
  { why: 'a good upper half', fields: UPPER, legal: true },
];

/** Rules of a half, for TTB0; the same follow for TTB1 with its encodings. */
const HALF: readonly (Rule & { readonly tg?: 0 | 1 | 2 | 3 })[] = [
  { why: 'TxSZ 16', fields: { T0SZ: 16 }, legal: true },
  { why: 'TxSZ 15', fields: { T0SZ: 15 }, legal: false },
  { why: 'TxSZ 15 with DS', fields: { T0SZ: 15, DS: 1 }, legal: true, without: WIDE },
  { why: 'TxSZ 12 with DS', fields: { T0SZ: 12, DS: 1 }, legal: true, without: WIDE },
  { why: 'TxSZ 11 with DS', fields: { T0SZ: 11, DS: 1 }, legal: false, without: WIDE },
  { why: 'TxSZ 15 without DS', fields: { T0SZ: 15 }, legal: false, without: WIDE },
  { why: 'TxSZ 15 with DS but without IDR5.DS', fields: { T0SZ: 15, DS: 1 }, legal: false, without: { ...WIDE, ds: false } },
  { why: 'TxSZ 15 with DS but without wide inputs', fields: { T0SZ: 15, DS: 1 }, legal: false, without: { ...WIDE, wideInput: false } },
  { why: 'TxSZ 12 of 64K tables with wide inputs', fields: { T0SZ: 12 }, legal: true, without: WIDE, tg: 1 },
  { why: 'TxSZ 15 of 64K tables without wide inputs', fields: { T0SZ: 15 }, legal: false, tg: 1 },
  { why: 'TxSZ 39 without small tables', fields: { T0SZ: 39 }, legal: true, without: { smallTables: false } },
  { why: 'TxSZ 40 without small tables', fields: { T0SZ: 40 }, legal: false, without: { smallTables: false } },
  { why: 'TxSZ 48', fields: { T0SZ: 48 }, legal: true },
  { why: 'TxSZ 49', fields: { T0SZ: 49 }, legal: false },
  { why: 'TxSZ 48 of 16K tables', fields: { T0SZ: 48 }, legal: true, tg: 2 },
  { why: 'TxSZ 47 of 64K tables', fields: { T0SZ: 47 }, legal: true, tg: 1 },
  { why: 'TxSZ 48 of 64K tables', fields: { T0SZ: 48 }, legal: false, tg: 1 },
  { why: 'a reserved granule', fields: {}, legal: false, tg: 3 },
  { why: '4K tables without them', fields: {}, legal: false, without: { gran4k: false } },
  { why: '16K tables without them', fields: {}, legal: false, without: { gran16k: false }, tg: 2 },
  { why: '16K tables without other granules', fields: {}, legal: true, without: { gran4k: false, gran64k: false }, tg: 2 },
  { why: '64K tables without them', fields: {}, legal: false, without: { gran64k: false }, tg: 1 },
  { why: 'the last table within IPS', fields: { IPS: 1, TTB0: 2 ** 32 - 1 }, legal: true },
  { why: 'a table beyond IPS', fields: { IPS: 1, TTB0: 2 ** 32 }, legal: false },
  { why: 'the last table within OAS', fields: { TTB0: 2 ** 40 - 1 }, legal: true, without: { oas: 44 } },
  { why: 'a table beyond OAS', fields: { TTB0: 2 ** 40 }, legal: false, without: { oas: 44 } },
  { why: 'a 4K table beyond 48 bits', fields: { IPS: 6, TTB0: 2 ** 44 }, legal: false, without: WIDE },
  { why: 'a 4K table beyond 48 bits with DS', fields: { IPS: 6, DS: 1, TTB0: 2 ** 44 }, legal: true, without: WIDE },
  { why: 'a 16K table beyond 48 bits', fields: { IPS: 6, TTB0: 2 ** 44 }, legal: false, without: WIDE, tg: 2 },
  { why: 'a 16K table beyond 48 bits with DS', fields: { IPS: 6, DS: 1, TTB0: 2 ** 44 }, legal: true, without: WIDE, tg: 2 },
  { why: 'a 64K table beyond 48 bits', fields: { IPS: 6, TTB0: 2 ** 44 }, legal: true, without: WIDE, tg: 1 },
];

/** TG1 of the granule that TG0 encodes so: 4K, 64K, 16K, reserved. */
const TG1 = [2, 3, 1, 0];

function lower(rule: (typeof HALF)[number]): CdFields {
  return { TG0: rule.tg ?? 0, ...rule.fields };
}

/** The same of the upper half, below a good lower one of 64K tables. */
function upper(rule: (typeof HALF)[number]): CdFields {
  const { T0SZ = 16, TTB0 = 0x80040000 / 16, ...rest } = rule.fields;
  return { EPD0: 1, EPD1: 0, T1SZ: T0SZ, TG1: TG1[rule.tg ?? 0] ?? 0, TTB1: TTB0, ...rest };
}

for (const { why, fields, legal, without } of WHOLE) {
  test(`a CD is ${legal ? 'legal' : 'illegal'}: ${why} ${JSON.stringify(without ?? {})}`, (t) => {
    for (const entry of [STAGE1, NESTED]) t.is(cdVerdict(cd({ ...CONTEXT, ...fields }), 0, ste(entry), 0, { ...FULL_FEATURES, ...without }, false), legal);
  });
}

for (const rule of HALF) {
  for (const [half, fields] of [['lower', lower(rule)], ['upper', upper(rule)]] as const) {
    test(`a ${half} half is ${rule.legal ? 'legal' : 'illegal'}: ${rule.why} ${JSON.stringify(rule.without ?? {})}`, (t) => {
      t.is(cdVerdict(cd({ ...CONTEXT, ...fields }), 0, ste(STAGE1), 0, { ...FULL_FEATURES, ...rule.without }, false), rule.legal);
    });
  }
}

test('one bad half makes the whole CD illegal', (t) => {
  t.false(cdVerdict(cd({ ...CONTEXT, ...UPPER, TG0: 3 }), 0, ste(STAGE1), 0, FULL_FEATURES, false));
  t.false(cdVerdict(cd({ ...CONTEXT, ...UPPER, TG1: 0 }), 0, ste(STAGE1), 0, FULL_FEATURES, false));
});

/** What EL1, EL2 and EL2 with E2H say of the same CD. */
const WORLDS: readonly { why: string; fields: CdFields; legal: readonly [boolean, boolean, boolean] }[] = [
  { why: 'an ASID of nine bits', fields: { ASID: 256 }, legal: [false, true, false] },
  { why: 'a bad upper half', fields: { ...UPPER, TG1: 0 }, legal: [false, true, false] },
  { why: 'a bad lower half', fields: { TG0: 3 }, legal: [false, false, false] },
  { why: 'a good upper half', fields: UPPER, legal: [true, true, true] },
  { why: 'ENDI with an upper half only', fields: { ...UPPER, EPD0: 1, ENDI: 1 }, legal: [false, true, false] },
];

for (const { why, fields, legal } of WORLDS) {
  test(`EL1, EL2 and EL2-E2H find a CD with ${why} ${legal.map((l) => (l ? 'legal' : 'illegal')).join(', ')}`, (t) => {
    const f: Features = { ...FULL_FEATURES, asidBits: 8 };
    const words = cd({ ...CONTEXT, ...fields });
    t.deepEqual([cdVerdict(words, 0, ste(STAGE1), 0, f, true), cdVerdict(words, 0, ste(EL2), 0, f, false), cdVerdict(words, 0, ste(EL2), 0, f, true)], [...legal]);
  });
}

test('both structures are read where they stand', (t) => {
  const words = new Uint32Array(64);
  words.set(cd({ ...CONTEXT, ASID: 256 }), 16);
  words.set(ste(EL2), 48);
  t.true(cdVerdict(words, 16, words, 48, { ...FULL_FEATURES, asidBits: 8 }, false));
  t.false(cdVerdict(words, 16, words, 0, { ...FULL_FEATURES, asidBits: 8 }, false));
  t.false(cdVerdict(words, 0, words, 48, FULL_FEATURES, false));
});

test('the halves have their own fields', (t) => {
  t.deepEqual(CD_HALF[0], { TxSZ: CD.T0SZ, TG: CD.TG0, EPD: CD.EPD0, TTB: CD.TTB0, TBI: CD.TBI0, HAD: CD.HAD0 });
  t.deepEqual(CD_HALF[1], { TxSZ: CD.T1SZ, TG: CD.TG1, EPD: CD.EPD1, TTB: CD.TTB1, TBI: CD.TBI1, HAD: CD.HAD1 });
});

test('the granule of a half is decoded by its own code', (t) => {
  t.deepEqual([0, 1, 2, 3].map((tg) => cdHalfGranule(cd({ TG0: tg, TG1: 3 - tg }), 0, 0)), [12, 16, 14, 0]);
  t.deepEqual([0, 1, 2, 3].map((tg) => cdHalfGranule(cd({ TG1: tg, TG0: 3 - tg }), 0, 1)), [0, 14, 12, 16]);
});

test('DS counts for 4K and 16K on an SMMU that has it', (t) => {
  const words = cd({ DS: 1 });
  t.deepEqual(([12, 14, 16] as const).map((tg) => cdDs(words, 0, tg, { ...FULL_FEATURES, ...WIDE })), [true, true, false]);
  t.false(cdDs(words, 0, 12, FULL_FEATURES));
  t.false(cdDs(cd({}), 0, 12, { ...FULL_FEATURES, ...WIDE }));
});

test('the output size of a half is the smallest of IPS, OAS and what the granule can say', (t) => {
  const bits = (tg: 12 | 14 | 16, DS: number, oas: number): number[] => [4, 5, 6, 7].map((IPS) => cdHalfOutputBits(cd({ IPS, DS }), 0, tg, { ...FULL_FEATURES, ...WIDE, oas }));
  t.deepEqual(bits(12, 0, 52), [44, 48, 48, 48]);
  t.deepEqual(bits(12, 1, 52), [44, 48, 52, 52]);
  t.deepEqual(bits(14, 0, 52), [44, 48, 48, 48]);
  t.deepEqual(bits(16, 0, 52), [44, 48, 52, 52]);
  t.deepEqual(bits(16, 0, 44), [44, 44, 44, 44]);
});

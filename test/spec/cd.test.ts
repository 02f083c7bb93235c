/**
 * Pins src/spec/cd.ts: every field position of a context descriptor, a
 * recorded descriptor, each rule of legality kept and broken, and what a walk reads from it.
 */
import test from 'ava';
import { getField, setField } from '../../src/spec/bits.js';
import {
  CD, CD_BYTES, CD_WORDS, cdGranule, cdInputBits, cdLegal, cdOutputBits, cdStartLevel, cdTableFrame, IPS_BITS, type CdFeatures,
} from '../../src/spec/cd.js';
import type { Tg } from '../../src/spec/granule.js';
import { allOnes, rawWords, shownWords } from './words.js';

type CdFieldName = keyof typeof CD;
type CdFields = Readonly<Partial<Record<CdFieldName, number>>>;

test('a CD is eight 64-bit words', (t) => {
  t.is(CD_WORDS, 8);
  t.is(CD_BYTES, 64);
});

/** A CD in which nothing but the field is set, and all of the field. */
const FIELDS: Readonly<Record<CdFieldName, string>> = {
  T0SZ: 'w0 0x3f',
  TG0: 'w0 0xc0',
  IR0: 'w0 0x300',
  OR0: 'w0 0xc00',
  SH0: 'w0 0x3000',
  EPD0: 'w0 0x4000',
  ENDI: 'w0 0x8000',
  T1SZ: 'w0 0x3f0000',
  TG1: 'w0 0xc00000',
  IR1: 'w0 0x3000000',
  OR1: 'w0 0xc000000',
  SH1: 'w0 0x30000000',
  EPD1: 'w0 0x40000000',
  V: 'w0 0x80000000',
  IPS: 'w0 0x700000000',
  AFFD: 'w0 0x800000000',
  AA64: 'w0 0x20000000000',
  HD: 'w0 0x40000000000',
  HA: 'w0 0x80000000000',
  S: 'w0 0x100000000000',
  R: 'w0 0x200000000000',
  A: 'w0 0x400000000000',
  ASET: 'w0 0x800000000000',
  ASID: 'w0 0xffff000000000000',
  TTB0: 'w1 0xffffffffffff0',
  TTB1: 'w2 0xffffffffffff0',
  MAIR0: 'w3 0xffffffff',
  MAIR1: 'w3 0xffffffff00000000',
  WXN: 'w0 0x1000000000',
  UWXN: 'w0 0x2000000000',
  TBI0: 'w0 0x4000000000',
  TBI1: 'w0 0x8000000000',
  PAN: 'w0 0x10000000000',
  NSCFG0: 'w1 0x1',
  HAD0: 'w1 0x2',
  E0PD0: 'w1 0x4',
  HAFT: 'w1 0x8',
  PnCH: 'w1 0x400000000000000',
  EPAN: 'w1 0x800000000000000',
  HWU0: 'w1 0xf000000000000000',
  NSCFG1: 'w2 0x1',
  HAD1: 'w2 0x2',
  E0PD1: 'w2 0x4',
  AIE: 'w2 0x8',
  DS: 'w2 0x400000000000000',
  PIE: 'w2 0x800000000000000',
  HWU1: 'w2 0xf000000000000000',
  AMAIR0: 'w4 0xffffffff',
  AMAIR1: 'w4 0xffffffff00000000',
  PARTID: 'w5 0xffff00000000',
  PMG: 'w5 0xff000000000000',
};

for (const name of Object.keys(CD) as CdFieldName[]) {
  test(`CD.${name} is at ${FIELDS[name]}`, (t) => {
    const words = new Uint32Array(16);
    setField(words, CD[name], allOnes(CD[name].width));
    t.is(shownWords(words), FIELDS[name]);
    t.is(getField(words, CD[name]), allOnes(CD[name].width));
  });
}

const RECORDED = rawWords('0x1e204c0003510', '0x44b5c000', '0x0', '0xfffffffff404ff44', '0x0', '0x0', '0x0', '0x0');
const RECORDED_FIELDS: CdFields = {
  T0SZ: 16, IR0: 1, OR0: 1, SH0: 3, EPD1: 1, V: 1, IPS: 4, AA64: 1, R: 1, A: 1, ASET: 1, ASID: 1,
  TTB0: 0x44b5c000 / 16, MAIR0: 0xf404ff44, MAIR1: 0xffffffff,
};

test('the recorded CD reads as a 48-bit 4K context with ASID 1', (t) => {
  for (const name of Object.keys(CD) as CdFieldName[]) t.is(getField(RECORDED, CD[name]), RECORDED_FIELDS[name] ?? 0, name);
});

const FEATURES: CdFeatures = { asidBits: 8, oas: 44 };

test('the recorded CD is legal', (t) => {
  t.true(cdLegal(RECORDED, 0, FEATURES));
});

test('the recorded CD starts a walk of 48 bits at level 0 of the table at 0x44b5c000', (t) => {
  t.is(cdGranule(RECORDED, 0), 12);
  t.is(cdInputBits(RECORDED, 0), 48);
  t.is(cdStartLevel(RECORDED, 0), 0);
  t.is(cdTableFrame(RECORDED, 0), 0x44b5c);
  t.is(cdOutputBits(RECORDED, 0, 44), 44);
});

/** The recorded CD with some fields changed, as the second of two structures. */
function changed(change: CdFields): Uint32Array {
  const words = new Uint32Array(32);
  words.set(RECORDED, 16);
  for (const name of Object.keys(change) as CdFieldName[]) setField(words, CD[name], change[name] ?? 0, 16);
  return words;
}

interface Rule {
  readonly why: string;
  readonly change: CdFields;
  readonly legal: boolean;
  readonly features?: CdFeatures;
}

const SIXTEEN_BIT_ASIDS: CdFeatures = { asidBits: 16, oas: 44 };
const OAS48: CdFeatures = { asidBits: 8, oas: 48 };
const OAS52: CdFeatures = { asidBits: 8, oas: 52 };
/** A TTB1 half that is legal by itself: 4K, 48 bits. */
const UPPER = { EPD1: 0, TG1: 2, T1SZ: 16, TTB1: 0x44b5d000 / 16 };

const RULES: readonly Rule[] = [
  { why: 'V = 0', change: { V: 0 }, legal: false },
  { why: 'AA64 = 0', change: { AA64: 0 }, legal: false },
  { why: 'the largest 8-bit ASID', change: { ASID: 255 }, legal: true },
  { why: 'an ASID of nine bits', change: { ASID: 256 }, legal: false },
  { why: 'an ASID of nine bits on ASID16', change: { ASID: 256 }, legal: true, features: SIXTEEN_BIT_ASIDS },
  { why: 'ASID 1997 on ASID16, with T0SZ below it', change: { ASID: 1997 }, legal: true, features: SIXTEEN_BIT_ASIDS },
  { why: 'big-endian tables', change: { ENDI: 1 }, legal: false },
  { why: 'big-endian tables with only EPD0', change: { ENDI: 1, EPD0: 1, ...UPPER }, legal: false },
  { why: 'ENDI without any table', change: { ENDI: 1, EPD0: 1 }, legal: true },
  { why: 'HA without hardware updates', change: { HA: 1 }, legal: false },
  { why: 'HD without hardware updates', change: { HD: 1 }, legal: false },
  { why: 'stalling on an SMMU that cannot', change: { S: 1 }, legal: false },
  { why: 'A = 0 on an SMMU that must abort', change: { A: 0 }, legal: false },
  { why: 'R = 0, nothing recorded', change: { R: 0 }, legal: true },
  { why: 'AFFD', change: { AFFD: 1 }, legal: true },
  { why: 'ASET = 0', change: { ASET: 0 }, legal: true },
  { why: 'T0SZ below the minimum', change: { T0SZ: 15 }, legal: false },
  { why: 'T0SZ 0', change: { T0SZ: 0 }, legal: false },
  { why: 'T0SZ at the maximum', change: { T0SZ: 39 }, legal: true },
  { why: 'T0SZ above the maximum', change: { T0SZ: 40 }, legal: false },
  { why: '64K tables', change: { TG0: 1 }, legal: true },
  { why: '16K tables', change: { TG0: 2 }, legal: true },
  { why: 'a reserved TG0', change: { TG0: 3 }, legal: false },
  { why: 'a table at the last address of the output size', change: { TTB0: 2 ** 40 - 1 }, legal: true },
  { why: 'a table beyond OAS', change: { TTB0: 2 ** 40 }, legal: false },
  { why: 'a table beyond IPS but within OAS', change: { IPS: 1, TTB0: 2 ** 32 }, legal: false },
  { why: 'a table at the last address of IPS', change: { IPS: 1, TTB0: 2 ** 32 - 1 }, legal: true },
  { why: 'a table beyond OAS but within IPS', change: { IPS: 7, TTB0: 2 ** 40 }, legal: false },
  { why: 'a table at 2^47 on a 48-bit SMMU', change: { IPS: 5, TTB0: 2 ** 43 }, legal: true, features: OAS48 },
  { why: 'a 4K table beyond 48 bits on a 52-bit SMMU', change: { IPS: 6, TTB0: 2 ** 44 }, legal: false, features: OAS52 },
  { why: 'a 16K table beyond 48 bits on a 52-bit SMMU', change: { TG0: 2, IPS: 6, TTB0: 2 ** 44 }, legal: false, features: OAS52 },
  { why: 'a 64K table beyond 48 bits on a 52-bit SMMU', change: { TG0: 1, IPS: 6, TTB0: 2 ** 44 }, legal: true, features: OAS52 },
  { why: 'a 64K table beyond IPS on a 52-bit SMMU', change: { TG0: 1, IPS: 5, TTB0: 2 ** 44 }, legal: false, features: OAS52 },
  { why: 'EPD0 over a bad lower half, which is not checked', change: { EPD0: 1, T0SZ: 0, TG0: 3, TTB0: 2 ** 47 }, legal: true },
  { why: 'EPD0 does not excuse V = 0', change: { EPD0: 1, V: 0 }, legal: false },
  { why: 'EPD0 does not excuse an ASID of nine bits', change: { EPD0: 1, ASID: 256 }, legal: false },
  { why: 'EPD1 over a bad upper half, which is not checked', change: { T1SZ: 0, TG1: 0, TTB1: 2 ** 47 }, legal: true },
  { why: 'a good upper half', change: UPPER, legal: true },
  { why: 'a good upper half of 16K tables', change: { ...UPPER, TG1: 1 }, legal: true },
  { why: 'a good upper half of 64K tables', change: { ...UPPER, TG1: 3 }, legal: true },
  { why: 'a good upper half alone', change: { ...UPPER, EPD0: 1, TG0: 3 }, legal: true },
  { why: 'an upper half with a reserved TG1', change: { ...UPPER, TG1: 0 }, legal: false },
  { why: 'an upper half with T1SZ below the minimum', change: { ...UPPER, T1SZ: 15 }, legal: false },
  { why: 'an upper half with T1SZ above the maximum', change: { ...UPPER, T1SZ: 40 }, legal: false },
  { why: 'an upper half beyond OAS', change: { ...UPPER, TTB1: 2 ** 40 }, legal: false },
  { why: 'a bad upper half although EPD0 leaves the lower one out', change: { ...UPPER, EPD0: 1, TG1: 0 }, legal: false },
];

for (const { why, change, legal, features = FEATURES } of RULES) {
  test(`a CD is ${legal ? 'legal' : 'illegal'}: ${why}`, (t) => {
    t.is(cdLegal(changed(change), 16, features), legal);
  });
}

test('a CD of zeros is illegal', (t) => {
  t.false(cdLegal(new Uint32Array(16), 0, FEATURES));
});

test('IPS names 32, 36, 40, 42, 44, 48, 52 and 56 bits', (t) => {
  t.deepEqual(IPS_BITS, [32, 36, 40, 42, 44, 48, 52, 56]);
});

test('the output size is the smaller of IPS and OAS', (t) => {
  const sizes = [0, 1, 2, 3, 4, 5, 6, 7].map((ips) => cdOutputBits(changed({ IPS: ips }), 16, 44));
  t.deepEqual(sizes, [32, 36, 40, 42, 44, 44, 44, 44]);
});

const WALKS: readonly { why: string; change: CdFields; granule: Tg | 0; bits: number; level: number }[] = [
  { why: '4K, T0SZ 25', change: { T0SZ: 25 }, granule: 12, bits: 39, level: 1 },
  { why: '4K, T0SZ 39', change: { T0SZ: 39 }, granule: 12, bits: 25, level: 2 },
  { why: '16K, T0SZ 16', change: { TG0: 2 }, granule: 14, bits: 48, level: 0 },
  { why: '16K, T0SZ 17', change: { TG0: 2, T0SZ: 17 }, granule: 14, bits: 47, level: 1 },
  { why: '64K, T0SZ 16', change: { TG0: 1 }, granule: 16, bits: 48, level: 1 },
  { why: '64K, T0SZ 22', change: { TG0: 1, T0SZ: 22 }, granule: 16, bits: 42, level: 2 },
  { why: 'a reserved granule', change: { TG0: 3 }, granule: 0, bits: 48, level: 3 },
];

for (const { why, change, granule, bits, level } of WALKS) {
  test(`a CD names its walk: ${why}`, (t) => {
    const words = changed(change);
    t.is(cdGranule(words, 16), granule);
    t.is(cdInputBits(words, 16), bits);
    t.is(cdStartLevel(words, 16), level);
  });
}

test('the table frame drops TTB0 bits below 4 KiB', (t) => {
  t.is(cdTableFrame(changed({ TTB0: 2 ** 48 - 1 }), 16), 2 ** 40 - 1);
  t.is(cdTableFrame(changed({ TTB0: 255 }), 16), 0);
  t.is(cdTableFrame(changed({ TTB0: 256 }), 16), 1);
});

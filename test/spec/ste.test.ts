/**
 * Pins src/spec/ste.ts: every field position of a stream table entry, a
 * recorded entry, and each rule of what an entry asks for, kept and broken.
 */
import test from 'ava';
import { getField, setField } from '../../src/spec/bits.js';
import {
  CONFIG_ABORT, CONFIG_BYPASS, CONFIG_NESTED, CONFIG_S1, CONFIG_S2, S1DSS_SSID0, SHCFG_INCOMING, STE, STE_BYTES, STE_WORDS,
  steAction, type SteAction, type SteFeatures,
} from '../../src/spec/ste.js';
import { allOnes, rawWords, shownWords } from './words.js';

type SteFieldName = keyof typeof STE;

test('an STE is eight 64-bit words', (t) => {
  t.is(STE_WORDS, 8);
  t.is(STE_BYTES, 64);
});

test('the encodings of Config, S1DSS and SHCFG are those of §5.2', (t) => {
  t.deepEqual([CONFIG_ABORT, CONFIG_BYPASS, CONFIG_S1, CONFIG_S2, CONFIG_NESTED], [0, 4, 5, 6, 7]);
  t.is(S1DSS_SSID0, 2);
  t.is(SHCFG_INCOMING, 1);
});

/** An STE in which nothing but the field is set, and all of the field. */
const FIELDS: Readonly<Record<SteFieldName, string>> = {
  V: 'w0 0x1',
  Config: 'w0 0xe',
  S1Fmt: 'w0 0x30',
  S1ContextPtr: 'w0 0xffffffffffffc0',
  S1CDMax: 'w0 0xf800000000000000',
  S1DSS: 'w1 0x3',
  S1CIR: 'w1 0xc',
  S1COR: 'w1 0x30',
  S1CSH: 'w1 0xc0',
  CONT: 'w1 0x1e000',
  MEV: 'w1 0x80000',
  S2FWB: 'w1 0x2000000',
  S1STALLD: 'w1 0x8000000',
  EATS: 'w1 0x30000000',
  STRW: 'w1 0xc0000000',
  SHCFG: 'w1 0x300000000000',
  S2VMID: 'w2 0xffff',
  S2HWU: 'w1 0xf00',
  DRE: 'w1 0x1000',
  DCP: 'w1 0x20000',
  PPAR: 'w1 0x40000',
  S1PIE: 'w1 0x1000000',
  S1MPAM: 'w1 0x4000000',
  MemAttr: 'w1 0xf00000000',
  MTCFG: 'w1 0x1000000000',
  ALLOCCFG: 'w1 0x1e000000000',
  NSCFG: 'w1 0xc00000000000',
  PRIVCFG: 'w1 0x3000000000000',
  INSTCFG: 'w1 0xc000000000000',
  S2T0SZ: 'w2 0x3f00000000',
  S2SL0: 'w2 0xc000000000',
  S2IR0: 'w2 0x30000000000',
  S2OR0: 'w2 0xc0000000000',
  S2SH0: 'w2 0x300000000000',
  S2TG: 'w2 0xc00000000000',
  S2PS: 'w2 0x7000000000000',
  S2AA64: 'w2 0x8000000000000',
  S2ENDI: 'w2 0x10000000000000',
  S2AFFD: 'w2 0x20000000000000',
  S2PTW: 'w2 0x40000000000000',
  S2HD: 'w2 0x80000000000000',
  S2HA: 'w2 0x100000000000000',
  S2S: 'w2 0x200000000000000',
  S2R: 'w2 0x400000000000000',
  S2SL0_2: 'w3 0x4',
  S2DS: 'w3 0x8',
  S2TTB: 'w3 0xfffffffffffff0',
};

for (const name of Object.keys(STE) as SteFieldName[]) {
  test(`STE.${name} is at ${FIELDS[name]}`, (t) => {
    const words = new Uint32Array(16);
    setField(words, STE[name], allOnes(STE[name].width));
    t.is(shownWords(words), FIELDS[name]);
    t.is(getField(words, STE[name]), allOnes(STE[name].width));
  });
}

const RECORDED = rawWords('0x44b5d00b', '0xd6', '0x0', '0x0', '0x0', '0x0', '0x0', '0x0');
const RECORDED_FIELDS: Readonly<Partial<Record<SteFieldName, number>>> = {
  V: 1, Config: 5, S1ContextPtr: 0x44b5d000 / 64, S1DSS: 2, S1CIR: 1, S1COR: 1, S1CSH: 3,
};

test('the recorded STE reads as stage 1 through the CD at 0x44b5d000', (t) => {
  for (const name of Object.keys(STE) as SteFieldName[]) t.is(getField(RECORDED, STE[name]), RECORDED_FIELDS[name] ?? 0, name);
});

const STAGE1_ONLY: SteFeatures = { stage1: true, stage2: false, ssidBits: 0, vmidBits: 8, oas: 44 };
const BOTH_STAGES: SteFeatures = { stage1: true, stage2: true, ssidBits: 10, vmidBits: 8, oas: 44 };
const STAGE2_ONLY: SteFeatures = { stage1: false, stage2: true, ssidBits: 0, vmidBits: 8, oas: 44 };

test('the recorded STE asks for stage 1', (t) => {
  t.is(steAction(RECORDED, 0, STAGE1_ONLY), 'stage1');
});

interface Rule {
  readonly why: string;
  readonly fields: Readonly<Partial<Record<SteFieldName, number>>>;
  readonly features: SteFeatures;
  readonly action: SteAction;
}

const V1 = { V: 1 };
const S1 = { V: 1, Config: CONFIG_S1 };
const S2 = { V: 1, Config: CONFIG_S2 };
const NESTED = { V: 1, Config: CONFIG_NESTED };
const BYPASS = { V: 1, Config: CONFIG_BYPASS };
const EVERYTHING = Object.fromEntries((Object.keys(STE) as SteFieldName[]).map((name) => [name, allOnes(STE[name].width)]));

const RULES: readonly Rule[] = [
  { why: 'all zero', fields: {}, features: BOTH_STAGES, action: 'illegal' },
  { why: 'V = 0 with everything else set', fields: { ...EVERYTHING, V: 0 }, features: BOTH_STAGES, action: 'illegal' },
  { why: 'V = 0 with Config = 0', fields: { ...EVERYTHING, V: 0, Config: 0 }, features: BOTH_STAGES, action: 'illegal' },
  { why: 'V alone', fields: V1, features: BOTH_STAGES, action: 'abort' },
  { why: 'Config = 0 with everything else set', fields: { ...EVERYTHING, Config: 0 }, features: STAGE1_ONLY, action: 'abort' },
  { why: 'Config = 1', fields: { ...V1, Config: 1 }, features: BOTH_STAGES, action: 'abort' },
  { why: 'Config = 2', fields: { ...V1, Config: 2 }, features: BOTH_STAGES, action: 'abort' },
  { why: 'Config = 3 with everything else set', fields: { ...EVERYTHING, Config: 3 }, features: STAGE1_ONLY, action: 'abort' },
  { why: 'bypass', fields: BYPASS, features: STAGE1_ONLY, action: 'bypass' },
  { why: 'bypass with everything else set', fields: { ...EVERYTHING, Config: CONFIG_BYPASS }, features: BOTH_STAGES, action: 'bypass' },
  { why: 'stage 1', fields: S1, features: STAGE1_ONLY, action: 'stage1' },
  { why: 'stage 1 on an SMMU without it', fields: S1, features: STAGE2_ONLY, action: 'illegal' },
  { why: 'stage 2', fields: S2, features: STAGE2_ONLY, action: 'stage2' },
  { why: 'stage 2 on an SMMU without it', fields: S2, features: STAGE1_ONLY, action: 'illegal' },
  { why: 'both stages', fields: NESTED, features: BOTH_STAGES, action: 'nested' },
  { why: 'both stages on an SMMU without stage 1', fields: NESTED, features: STAGE2_ONLY, action: 'illegal' },
  { why: 'both stages on an SMMU without stage 2', fields: NESTED, features: STAGE1_ONLY, action: 'illegal' },
  { why: 'STRW = 1 with stage 1', fields: { ...S1, STRW: 1 }, features: BOTH_STAGES, action: 'illegal' },
  { why: 'STRW = 3 with stage 1', fields: { ...S1, STRW: 3 }, features: BOTH_STAGES, action: 'illegal' },
  { why: 'STRW = 2 with stage 1', fields: { ...S1, STRW: 2 }, features: BOTH_STAGES, action: 'stage1' },
  { why: 'STRW = 1 with both stages, which ignore it', fields: { ...NESTED, STRW: 1 }, features: BOTH_STAGES, action: 'nested' },
  { why: 'STRW = 1 with stage 2, which ignores it', fields: { ...S2, STRW: 1 }, features: BOTH_STAGES, action: 'stage2' },
  { why: 'S1STALLD with stage 1 on an SMMU that cannot stall', fields: { ...S1, S1STALLD: 1 }, features: STAGE1_ONLY, action: 'illegal' },
  { why: 'S1STALLD with both stages on an SMMU that cannot stall', fields: { ...NESTED, S1STALLD: 1 },
    features: BOTH_STAGES, action: 'illegal' },
  { why: 'S1STALLD with stage 2, which ignores it', fields: { ...S2, S1STALLD: 1 }, features: BOTH_STAGES, action: 'stage2' },
  { why: 'S1CDMax equal to SSIDSIZE', fields: { ...S1, S1CDMax: 10 }, features: BOTH_STAGES, action: 'stage1' },
  { why: 'S1CDMax above SSIDSIZE', fields: { ...S1, S1CDMax: 11 }, features: BOTH_STAGES, action: 'illegal' },
  { why: 'S1CDMax above SSIDSIZE with both stages', fields: { ...NESTED, S1CDMax: 11 }, features: BOTH_STAGES, action: 'illegal' },
  { why: 'S1CDMax above SSIDSIZE with stage 2, which ignores it', fields: { ...S2, S1CDMax: 31 }, features: BOTH_STAGES, action: 'stage2' },
  { why: 'S1CDMax without substreams, which ignore it', fields: { ...S1, S1CDMax: 31 }, features: STAGE1_ONLY, action: 'stage1' },
  { why: 'a CD at the last address of the output size', fields: { ...S1, S1ContextPtr: 2 ** 38 - 1 },
    features: STAGE1_ONLY, action: 'stage1' },
  { why: 'a CD beyond the output size', fields: { ...S1, S1ContextPtr: 2 ** 38 }, features: STAGE1_ONLY, action: 'illegal' },
  { why: 'a nested CD beyond the output size, an IPA', fields: { ...NESTED, S1ContextPtr: 2 ** 38 },
    features: BOTH_STAGES, action: 'nested' },
  { why: 'a stage-2 entry with a filled S1ContextPtr', fields: { ...S2, S1ContextPtr: 2 ** 49 }, features: BOTH_STAGES, action: 'stage2' },
  { why: 'stage 1 with the largest 8-bit VMID', fields: { ...S1, S2VMID: 255 }, features: BOTH_STAGES, action: 'stage1' },
  { why: 'stage 1 with a VMID of nine bits', fields: { ...S1, S2VMID: 256 }, features: BOTH_STAGES, action: 'illegal' },
  { why: 'stage 2 with a VMID of nine bits', fields: { ...S2, S2VMID: 256 }, features: BOTH_STAGES, action: 'illegal' },
  { why: 'both stages with a VMID of nine bits', fields: { ...NESTED, S2VMID: 256 }, features: BOTH_STAGES, action: 'illegal' },
  { why: 'stage 1 with a VMID of sixteen bits on VMID16', fields: { ...S1, S2VMID: 0xffff },
    features: { ...BOTH_STAGES, vmidBits: 16 }, action: 'stage1' },
  { why: 'a VMID of nine bits without stage 2, which ignores it', fields: { ...S1, S2VMID: 256 }, features: STAGE1_ONLY, action: 'stage1' },
];

for (const { why, fields, features, action } of RULES) {
  test(`an STE is ${action}: ${why}`, (t) => {
    const words = new Uint32Array(32);
    for (const name of Object.keys(fields) as SteFieldName[]) setField(words, STE[name], fields[name] ?? 0, 16);
    t.is(steAction(words, 16, features), action);
  });
}

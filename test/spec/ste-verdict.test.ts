/**
 * Pins steVerdict of src/spec/ste.ts and what else is read from an STE: every condition of SteIllegal() (§5.2.2) once kept and
 * once broken by one change, for each configuration that it concerns.
 */
import test from 'ava';
import { FULL_FEATURES, type Features } from '../../src/spec/features.js';
import {
  EATS_FULL, EATS_OFF, EATS_SPLIT, INSTCFG_DATA, INSTCFG_INSTRUCTION, OUTPUT_BITS, PRIVCFG_PRIVILEGED, PRIVCFG_UNPRIVILEGED, S1DSS_BYPASS,
  S1DSS_TERMINATE, S1FMT_4K, S1FMT_64K, S1FMT_LINEAR, STE, steCdFormat, steCdMax, steCdTable, steOutputBits, steVerdict, streamWorld, type SteAction,
} from '../../src/spec/ste.js';
import { NESTED, STAGE1, STAGE2, ste, type SteFields } from './structures.js';
import { allOnes } from './words.js';

const WIDE: Partial<Features> = { ds: true, wideInput: true, oas: 52 };

interface Rule {
  readonly why: string;
  readonly fields: SteFields;
  readonly action: SteAction;
  readonly without?: Partial<Features>;
}

const EVERYTHING: SteFields = Object.fromEntries(Object.entries(STE).map(([name, f]) => [name, allOnes(f.width)]));

const COMMON: readonly Rule[] = [
  { why: 'stage 1', fields: STAGE1, action: 'stage1' },
  { why: 'stage 2', fields: STAGE2, action: 'stage2' },
  { why: 'both stages', fields: NESTED, action: 'nested' },
  { why: 'stage 1 with V = 0', fields: { ...STAGE1, V: 0 }, action: 'illegal' },
  { why: 'V = 0 and Config = 0', fields: { V: 0, Config: 0 }, action: 'illegal' },
  { why: 'Config = 0 with everything else set', fields: { ...EVERYTHING, Config: 0 }, action: 'abort' },
  { why: 'Config = 3 with everything else set', fields: { ...EVERYTHING, Config: 3 }, action: 'abort' },
  { why: 'bypass with everything else set', fields: { ...EVERYTHING, Config: 4 }, action: 'bypass' },
  { why: 'stage 1 with every field of stage 2 but the VMID set', fields: { ...EVERYTHING, ...STAGE1, S1STALLD: 0, STRW: 0 }, action: 'stage1' },
  { why: 'stage 2 with every field of stage 1 set', fields: { ...EVERYTHING, ...STAGE2, S2HD: 0, S2HA: 0, S2S: 0, S2ENDI: 0, S2DS: 0, S2SL0_2: 0, EATS: 0 }, action: 'stage2' },
  { why: 'stage 1 without it', fields: STAGE1, action: 'illegal', without: { stage1: false } },
  { why: 'both stages without stage 1', fields: NESTED, action: 'illegal', without: { stage1: false } },
  { why: 'stage 2 without stage 1', fields: STAGE2, action: 'stage2', without: { stage1: false } },
  { why: 'stage 2 without it', fields: STAGE2, action: 'illegal', without: { stage2: false } },
  { why: 'both stages without stage 2', fields: NESTED, action: 'illegal', without: { stage2: false } },
  { why: 'stage 1 without stage 2', fields: STAGE1, action: 'stage1', without: { stage2: false } },
];

const ATS: readonly Rule[] = [
  { why: 'full ATS with stage 2', fields: { ...STAGE2, EATS: 1 }, action: 'stage2' },
  { why: 'split ATS with both stages', fields: { ...NESTED, EATS: 2 }, action: 'nested' },
  { why: 'split ATS with stage 1 only', fields: { ...STAGE1, EATS: 2 }, action: 'illegal' },
  { why: 'split ATS with stage 2 only', fields: { ...STAGE2, EATS: 2 }, action: 'illegal' },
  { why: 'split ATS on an SMMU without it', fields: { ...NESTED, EATS: 2 }, action: 'illegal', without: { splitAts: false } },
  { why: 'split ATS on an SMMU without ATS, which ignores it', fields: { ...STAGE1, EATS: 2 }, action: 'stage1', without: { ats: false } },
  { why: 'EATS = 3, which is off without permission tables', fields: { ...STAGE1, EATS: 3 }, action: 'stage1' },
  { why: 'split ATS with stalls', fields: { ...NESTED, EATS: 2, S2S: 1 }, action: 'illegal' },
];

const VMIDS: readonly Rule[] = [
  { why: 'a VMID of sixteen bits', fields: { ...STAGE1, S2VMID: 0xffff }, action: 'stage1' },
  { why: 'the largest VMID of eight bits', fields: { ...NESTED, S2VMID: 255 }, action: 'nested', without: { vmidBits: 8 } },
  { why: 'stage 1 with a VMID of nine bits', fields: { ...STAGE1, S2VMID: 256 }, action: 'illegal', without: { vmidBits: 8 } },
  { why: 'stage 2 with a VMID of nine bits', fields: { ...STAGE2, S2VMID: 256 }, action: 'illegal', without: { vmidBits: 8 } },
  { why: 'both stages with a VMID of nine bits', fields: { ...NESTED, S2VMID: 256 }, action: 'illegal', without: { vmidBits: 8 } },
  { why: 'EL2 with a VMID of nine bits, which it ignores', fields: { ...STAGE1, STRW: 2, S2VMID: 256 }, action: 'stage1', without: { vmidBits: 8 } },
  { why: 'no stage 2 and a VMID of nine bits', fields: { ...STAGE1, S2VMID: 256 }, action: 'stage1', without: { vmidBits: 8, stage2: false } },
];

const STAGE_ONE: readonly Rule[] = [
  { why: 'STRW = 2', fields: { ...STAGE1, STRW: 2 }, action: 'stage1' },
  { why: 'STRW = 1', fields: { ...STAGE1, STRW: 1 }, action: 'illegal' },
  { why: 'STRW = 3', fields: { ...STAGE1, STRW: 3 }, action: 'illegal' },
  { why: 'STRW = 3 with both stages, which ignore it', fields: { ...NESTED, STRW: 3 }, action: 'nested' },
  { why: 'STRW = 1 on an SMMU without EL2, which ignores it', fields: { ...STAGE1, STRW: 1 }, action: 'stage1', without: { hyp: false } },
  { why: 'S1STALLD', fields: { ...STAGE1, S1STALLD: 1 }, action: 'illegal' },
  { why: 'S1STALLD with both stages', fields: { ...NESTED, S1STALLD: 1 }, action: 'illegal' },
  { why: 'S1CDMax beyond the substreams', fields: { ...STAGE1, S1CDMax: 11 }, action: 'illegal' },
  { why: 'S1CDMax beyond the substreams with both stages', fields: { ...NESTED, S1CDMax: 11 }, action: 'illegal' },
  { why: 'S1CDMax without substreams, which ignore it', fields: { ...STAGE1, S1CDMax: 31 }, action: 'stage1', without: { ssidBits: 0 } },
  { why: 'two levels of 4K without them', fields: { ...STAGE1, S1Fmt: 1 }, action: 'illegal', without: { twoLevelCds: false } },
  { why: 'two levels of 64K without them', fields: STAGE1, action: 'illegal', without: { twoLevelCds: false } },
  { why: 'a linear CD table without two levels', fields: { ...STAGE1, S1Fmt: 0 }, action: 'stage1', without: { twoLevelCds: false } },
  { why: 'a reserved S1Fmt, which is linear', fields: { ...STAGE1, S1Fmt: 3 }, action: 'stage1', without: { twoLevelCds: false } },
  { why: 'S1Fmt of one CD, which ignores it', fields: { ...STAGE1, S1CDMax: 0 }, action: 'stage1', without: { twoLevelCds: false } },
  { why: 'the last CD below OAS', fields: { ...STAGE1, S1ContextPtr: 2 ** 42 - 1 }, action: 'stage1' },
  { why: 'a CD beyond OAS', fields: { ...STAGE1, S1ContextPtr: 2 ** 42 }, action: 'illegal' },
  { why: 'a nested CD beyond IAS', fields: { ...NESTED, S1ContextPtr: 2 ** 42 }, action: 'illegal' },
];

const STAGE_TWO: readonly Rule[] = [
  { why: 'S2S', fields: { ...STAGE2, S2S: 1 }, action: 'illegal' },
  { why: 'S2AA64 = 0', fields: { ...STAGE2, S2AA64: 0 }, action: 'illegal' },
  { why: 'big-endian tables', fields: { ...STAGE2, S2ENDI: 1 }, action: 'illegal' },
  { why: 'S2R = 0', fields: { ...STAGE2, S2R: 0 }, action: 'stage2' },
  { why: 'access flag and dirty updates', fields: { ...STAGE2, S2HA: 1, S2HD: 1 }, action: 'stage2' },
  { why: 'S2HD alone', fields: { ...STAGE2, S2HD: 1 }, action: 'stage2' },
  { why: 'access flag updates with HTTU = 1', fields: { ...STAGE2, S2HA: 1 }, action: 'stage2', without: { httu: 1 } },
  { why: 'dirty updates with HTTU = 1', fields: { ...STAGE2, S2HA: 1, S2HD: 1 }, action: 'illegal', without: { httu: 1 } },
  { why: 'access flag updates without HTTU', fields: { ...STAGE2, S2HA: 1 }, action: 'illegal', without: { httu: 0 } },
  { why: 'S2HD alone without HTTU', fields: { ...STAGE2, S2HD: 1 }, action: 'illegal', without: { httu: 0 } },
  { why: 'a reserved granule', fields: { ...STAGE2, S2TG: 3 }, action: 'illegal' },
  { why: '4K tables without them', fields: STAGE2, action: 'illegal', without: { gran4k: false } },
  { why: '16K tables', fields: { ...STAGE2, S2TG: 2 }, action: 'stage2' },
  { why: '16K tables without them', fields: { ...STAGE2, S2TG: 2 }, action: 'illegal', without: { gran16k: false } },
  { why: '64K tables', fields: { ...STAGE2, S2TG: 1 }, action: 'stage2' },
  { why: '64K tables without them', fields: { ...STAGE2, S2TG: 1 }, action: 'illegal', without: { gran64k: false } },
  { why: 'the last table within S2PS', fields: { ...STAGE2, S2TTB: 2 ** 36 - 1 }, action: 'stage2' },
  { why: 'a table beyond S2PS', fields: { ...STAGE2, S2TTB: 2 ** 36 }, action: 'illegal' },
  { why: 'a nested table beyond S2PS', fields: { ...NESTED, S2TTB: 2 ** 36 }, action: 'illegal' },
  { why: 'a table beyond OAS', fields: { ...STAGE2, S2PS: 5, S2TTB: 2 ** 40 }, action: 'illegal', without: { oas: 44 } },
  { why: 'a table within OAS', fields: { ...STAGE2, S2PS: 5, S2TTB: 2 ** 40 - 1 }, action: 'stage2', without: { oas: 44 } },
  { why: 'a 4K table beyond 48 bits', fields: { ...STAGE2, S2PS: 6, S2TTB: 2 ** 44 }, action: 'illegal', without: WIDE },
  { why: 'a 4K table beyond 48 bits with S2DS', fields: { ...STAGE2, S2PS: 6, S2DS: 1, S2TTB: 2 ** 44 }, action: 'stage2', without: WIDE },
  { why: 'S2DS on an SMMU without it', fields: { ...STAGE2, S2PS: 6, S2DS: 1, S2TTB: 2 ** 44 }, action: 'illegal', without: { ...WIDE, ds: false } },
  { why: 'a 64K table beyond 48 bits', fields: { ...STAGE2, S2TG: 1, S2PS: 6, S2TTB: 2 ** 44 }, action: 'stage2', without: WIDE },
  { why: 'a table beyond every address', fields: { ...STAGE2, S2PS: 7, S2DS: 1, S2TTB: 2 ** 48 }, action: 'illegal', without: WIDE },
];

const SIZES: readonly Rule[] = [
  { why: 'T0SZ 16', fields: { ...STAGE2, S2T0SZ: 16, S2SL0: 2 }, action: 'stage2' },
  { why: 'T0SZ 15', fields: { ...STAGE2, S2T0SZ: 15, S2SL0: 2 }, action: 'illegal', without: { oas: 52 } },
  { why: 'T0SZ 15 with S2DS', fields: { ...STAGE2, S2T0SZ: 15, S2SL0: 2, S2DS: 1 }, action: 'stage2', without: WIDE },
  { why: 'T0SZ 12 with S2DS', fields: { ...STAGE2, S2T0SZ: 12, S2SL0: 0, S2SL0_2: 1, S2DS: 1 }, action: 'stage2', without: WIDE },
  { why: 'T0SZ 11 with S2DS', fields: { ...STAGE2, S2T0SZ: 11, S2SL0: 0, S2SL0_2: 1, S2DS: 1 }, action: 'illegal', without: WIDE },
  { why: 'T0SZ 12 of 64K tables', fields: { ...STAGE2, S2TG: 1, S2T0SZ: 12, S2SL0: 2 }, action: 'stage2', without: WIDE },
  { why: 'T0SZ 15 of 64K tables beyond the input size', fields: { ...STAGE2, S2TG: 1, S2T0SZ: 15, S2SL0: 2 }, action: 'illegal' },
  { why: 'the whole input of 40 bits', fields: STAGE2, action: 'stage2', without: { oas: 40 } },
  { why: 'more than the input of 40 bits', fields: { ...STAGE2, S2T0SZ: 23 }, action: 'illegal', without: { oas: 40 } },
  { why: 'T0SZ 39 without small tables', fields: { ...STAGE2, S2T0SZ: 39, S2SL0: 0 }, action: 'stage2', without: { smallTables: false } },
  { why: 'T0SZ 40 without small tables', fields: { ...STAGE2, S2T0SZ: 40, S2SL0: 0 }, action: 'illegal', without: { smallTables: false } },
  { why: 'T0SZ 40 with small tables', fields: { ...STAGE2, S2T0SZ: 40, S2SL0: 0 }, action: 'stage2' },
  { why: 'T0SZ 48 of 4K tables', fields: { ...STAGE2, S2T0SZ: 48, S2SL0: 3 }, action: 'stage2' },
  { why: 'T0SZ 49 of 4K tables', fields: { ...STAGE2, S2T0SZ: 49, S2SL0: 3 }, action: 'illegal' },
  { why: 'T0SZ 47 of 64K tables', fields: { ...STAGE2, S2TG: 1, S2T0SZ: 47, S2SL0: 0 }, action: 'stage2' },
  { why: 'T0SZ 48 of 64K tables', fields: { ...STAGE2, S2TG: 1, S2T0SZ: 48, S2SL0: 0 }, action: 'illegal' },
  { why: 'level 3 of 4K tables without small tables', fields: { ...STAGE2, S2T0SZ: 39, S2SL0: 3 }, action: 'illegal', without: { smallTables: false } },
  { why: 'SL0 = 3 of 16K tables without S2DS', fields: { ...STAGE2, S2TG: 2, S2T0SZ: 16, S2SL0: 3 }, action: 'illegal', without: WIDE },
  { why: 'SL0 = 3 of 16K tables with S2DS', fields: { ...STAGE2, S2TG: 2, S2T0SZ: 16, S2SL0: 3, S2DS: 1 }, action: 'stage2', without: WIDE },
  { why: 'SL0 = 3 of 64K tables', fields: { ...STAGE2, S2TG: 1, S2SL0: 3 }, action: 'illegal', without: WIDE },
  { why: 'SL0_2 without S2DS, which ignores it', fields: { ...STAGE2, S2SL0_2: 1 }, action: 'stage2', without: WIDE },
  { why: 'SL0_2 with SL0 = 1', fields: { ...STAGE2, S2DS: 1, S2SL0_2: 1 }, action: 'illegal', without: WIDE },
  { why: 'sixteen tables side by side', fields: { ...STAGE2, S2T0SZ: 21 }, action: 'stage2' },
  { why: 'thirty-two tables side by side', fields: { ...STAGE2, S2T0SZ: 20 }, action: 'illegal' },
  { why: 'level 1 for 31 bits', fields: { ...STAGE2, S2T0SZ: 33 }, action: 'stage2' },
  { why: 'level 1 for 30 bits, one entry', fields: { ...STAGE2, S2T0SZ: 34 }, action: 'illegal' },
  { why: 'level 0 of 4K tables with 44 output bits', fields: { ...STAGE2, S2T0SZ: 24, S2SL0: 2 }, action: 'stage2', without: { oas: 44 } },
  { why: 'level 0 of 4K tables with 42 output bits', fields: { ...STAGE2, S2T0SZ: 24, S2SL0: 2 }, action: 'illegal', without: { oas: 42 } },
  { why: 'level 1 of 16K tables with 42 output bits', fields: { ...STAGE2, S2TG: 2, S2T0SZ: 27, S2SL0: 2 }, action: 'stage2', without: { oas: 42 } },
  { why: 'level 1 of 16K tables with 40 output bits', fields: { ...STAGE2, S2TG: 2, S2T0SZ: 27, S2SL0: 2 }, action: 'illegal', without: { oas: 40 } },
  { why: 'level 1 of 64K tables with 44 output bits', fields: { ...STAGE2, S2TG: 1, S2T0SZ: 21, S2SL0: 2 }, action: 'stage2', without: { oas: 44 } },
];

for (const { why, fields, action, without } of [...COMMON, ...ATS, ...VMIDS, ...STAGE_ONE, ...STAGE_TWO, ...SIZES]) {
  test(`an STE is ${action}: ${why} ${JSON.stringify(without ?? {})}`, (t) => {
    t.is(steVerdict(ste(fields), 0, { ...FULL_FEATURES, ...without }), action);
  });
}

test('an STE is read where it stands', (t) => {
  const words = new Uint32Array(48);
  words.set(ste(NESTED), 16);
  t.is(steVerdict(words, 16, FULL_FEATURES), 'nested');
  t.is(steVerdict(words, 0, FULL_FEATURES), 'illegal');
});

test('the StreamWorld is EL2 only for stage 1 with STRW = 2', (t) => {
  const world = (fields: SteFields, e2h: boolean, without: Partial<Features> = {}): number => streamWorld(ste(fields), 0, { ...FULL_FEATURES, ...without }, e2h);
  t.is(world(STAGE1, true), 0);
  t.is(world({ ...STAGE1, STRW: 2 }, false), 1);
  t.is(world({ ...STAGE1, STRW: 2 }, true), 2);
  t.is(world({ ...NESTED, STRW: 2 }, true), 0);
  t.is(world({ ...STAGE2, STRW: 2 }, true), 0);
  t.is(world({ ...STAGE1, STRW: 2 }, true, { hyp: false }), 0);
});

test('the CD table has its format and size only with substreams', (t) => {
  const seen = (fields: SteFields, ssidBits = 10): number[] => {
    const words = ste(fields);
    const f = { ...FULL_FEATURES, ssidBits };
    return [steCdMax(words, 0, f), steCdFormat(words, 0, f)];
  };
  t.deepEqual(seen(STAGE1), [10, 2]);
  t.deepEqual(seen({ ...STAGE1, S1Fmt: 1 }), [10, 1]);
  t.deepEqual(seen({ ...STAGE1, S1Fmt: 3 }), [10, 0]);
  t.deepEqual(seen({ ...STAGE1, S1CDMax: 0 }), [0, 0]);
  t.deepEqual(seen(STAGE1, 0), [0, 0]);
});

const TABLES: readonly { why: string; fields: SteFields; address: number }[] = [
  { why: 'one CD', fields: { S1CDMax: 0 }, address: 0x8001ffc0 },
  { why: 'a linear table of 1024 CDs', fields: { S1Fmt: 0 }, address: 0x80010000 },
  { why: 'a linear table of 2 CDs', fields: { S1Fmt: 0, S1CDMax: 1 }, address: 0x8001ff80 },
  { why: 'sixteen level-1 entries of 4K', fields: { S1Fmt: 1 }, address: 0x8001ff80 },
  { why: 'one level-1 entry of 4K', fields: { S1Fmt: 1, S1CDMax: 6 }, address: 0x8001ffc0 },
  { why: 'one level-1 entry of 64K', fields: {}, address: 0x8001ffc0 },
  { why: 'sixteen level-1 entries of 64K', fields: { S1CDMax: 14 }, address: 0x8001ff80 },
  { why: 'all level-1 entries of 64K', fields: { S1CDMax: 20 }, address: 0x8001e000 },
];

for (const { why, fields, address } of TABLES) {
  test(`S1ContextPtr 0x8001ffc0 of ${why} is 0x${address.toString(16)}`, (t) => {
    t.is(steCdTable(ste({ ...STAGE1, S1ContextPtr: 0x8001ffc0 / 64, ...fields }), 0, { ...FULL_FEATURES, ssidBits: 20 }), address);
  });
}

test('the stage-2 output size is the smallest of S2PS, OAS and what the granule can say', (t) => {
  const bits = (fields: SteFields, oas: number): number[] => [0, 1, 2, 3, 4, 5, 6, 7].map((S2PS) => steOutputBits(ste({ ...STAGE2, ...fields, S2PS }), 0, { ...FULL_FEATURES, ...WIDE, oas }));
  t.deepEqual(bits({}, 44), [32, 36, 40, 42, 44, 44, 44, 44]);
  t.deepEqual(bits({}, 52), [32, 36, 40, 42, 44, 48, 48, 48]);
  t.deepEqual(bits({ S2DS: 1 }, 52), [32, 36, 40, 42, 44, 48, 52, 52]);
  t.deepEqual(bits({ S2TG: 1 }, 52), [32, 36, 40, 42, 44, 48, 52, 52]);
  t.deepEqual(bits({ S2TG: 2 }, 52), [32, 36, 40, 42, 44, 48, 48, 48]);
});

test('the encodings are those of §5.2', (t) => {
  t.deepEqual([EATS_OFF, EATS_FULL, EATS_SPLIT], [0, 1, 2]);
  t.deepEqual([S1DSS_TERMINATE, S1DSS_BYPASS], [0, 1]);
  t.deepEqual([S1FMT_LINEAR, S1FMT_4K, S1FMT_64K], [0, 1, 2]);
  t.deepEqual([PRIVCFG_UNPRIVILEGED, PRIVCFG_PRIVILEGED, INSTCFG_DATA, INSTCFG_INSTRUCTION], [2, 3, 2, 3]);
  t.deepEqual(OUTPUT_BITS, [32, 36, 40, 42, 44, 48, 52, 56]);
});

/**
 * Pins src/spec/tables.ts: what a walk reads from each half of a CD and from the stage-2 fields of an STE, for every granule: start level, root,
 * concatenated tables, alignment, 52-bit forms.
 */
import test from 'ava';
import { FULL_FEATURES, type Features } from '../../src/spec/features.js';
import type { Tg } from '../../src/spec/granule.js';
import { newTableContext, stage1Context, stage2Context, type TableContext } from '../../src/spec/tables.js';
import { cd, CONTEXT, STAGE2, ste, UPPER, type CdFields, type SteFields } from './structures.js';

const WIDE: Features = { ...FULL_FEATURES, ds: true, wideInput: true, oas: 52 };

function stage1(fields: CdFields, half: 0 | 1 = 0, f = FULL_FEATURES): TableContext {
  return stage1Context(cd({ ...CONTEXT, ...fields }), 0, half, f, newTableContext());
}

function stage2(fields: SteFields, f = FULL_FEATURES): TableContext {
  return stage2Context(ste({ ...STAGE2, ...fields }), 0, f, newTableContext());
}

test('a new context is 48 bits of 4K without a root', (t) => {
  t.deepEqual(newTableContext(), {
    tg: 12, inputBits: 48, startLevel: 0, outputBits: 48, ds: false, wide: false, rootFrame: 0, rootIndex: 0, rootEntries: 0,
    disabled: false, tbi: false, ha: false, hd: false, affd: false, had: false,
  });
});

test('the lower half of a plain CD', (t) => {
  t.deepEqual(stage1({}), {
    tg: 12, inputBits: 48, startLevel: 0, outputBits: 48, ds: false, wide: false, rootFrame: 0x80030, rootIndex: 0, rootEntries: 512,
    disabled: false, tbi: false, ha: false, hd: false, affd: false, had: false,
  });
});

test('the upper half has the fields of the upper half', (t) => {
  t.deepEqual(stage1({ ...UPPER, T1SZ: 25, TBI1: 1, HAD1: 1 }, 1), {
    tg: 12, inputBits: 39, startLevel: 1, outputBits: 48, ds: false, wide: false, rootFrame: 0x80040, rootIndex: 0, rootEntries: 512,
    disabled: false, tbi: true, ha: false, hd: false, affd: false, had: true,
  });
  t.is(stage1({ ...UPPER, TG1: 1 }, 1).tg, 14);
  t.is(stage1({ ...UPPER, TG1: 3 }, 1).tg, 16);
});

test('the flags of one half are not those of the other', (t) => {
  t.false(stage1({ TBI1: 1 }).tbi);
  t.false(stage1({ HAD1: 1 }).had);
  t.true(stage1({ TBI0: 1 }).tbi);
  t.true(stage1({ HAD0: 1 }).had);
  t.false(stage1({ ...UPPER, TBI0: 1, HAD0: 1 }, 1).tbi);
  t.false(stage1({ ...UPPER, TBI0: 1, HAD0: 1 }, 1).had);
});

test('the context of a plain STE: two tables side by side at level 1', (t) => {
  t.deepEqual(stage2({}), {
    tg: 12, inputBits: 40, startLevel: 1, outputBits: 40, ds: false, wide: false, rootFrame: 0x80020, rootIndex: 0, rootEntries: 1024,
    disabled: false, tbi: false, ha: false, hd: false, affd: false, had: true,
  });
});

/** Start level and entries of the root, stage 1. TG0: 0 4K, 1 64K, 2 16K. */
const ROOTS: readonly { TG0: number; T0SZ: number; level: number; entries: number; DS?: number }[] = [
  { TG0: 0, T0SZ: 12, level: -1, entries: 16, DS: 1 },
  { TG0: 0, T0SZ: 15, level: -1, entries: 2, DS: 1 },
  { TG0: 0, T0SZ: 16, level: 0, entries: 512 },
  { TG0: 0, T0SZ: 24, level: 0, entries: 2 },
  { TG0: 0, T0SZ: 25, level: 1, entries: 512 },
  { TG0: 0, T0SZ: 33, level: 1, entries: 2 },
  { TG0: 0, T0SZ: 34, level: 2, entries: 512 },
  { TG0: 0, T0SZ: 42, level: 2, entries: 2 },
  { TG0: 0, T0SZ: 43, level: 3, entries: 512 },
  { TG0: 0, T0SZ: 48, level: 3, entries: 16 },
  { TG0: 2, T0SZ: 12, level: 0, entries: 32, DS: 1 },
  { TG0: 2, T0SZ: 16, level: 0, entries: 2 },
  { TG0: 2, T0SZ: 17, level: 1, entries: 2048 },
  { TG0: 2, T0SZ: 28, level: 2, entries: 2048 },
  { TG0: 2, T0SZ: 39, level: 3, entries: 2048 },
  { TG0: 2, T0SZ: 48, level: 3, entries: 4 },
  { TG0: 1, T0SZ: 12, level: 1, entries: 1024 },
  { TG0: 1, T0SZ: 16, level: 1, entries: 64 },
  { TG0: 1, T0SZ: 21, level: 1, entries: 2 },
  { TG0: 1, T0SZ: 22, level: 2, entries: 8192 },
  { TG0: 1, T0SZ: 35, level: 3, entries: 8192 },
  { TG0: 1, T0SZ: 47, level: 3, entries: 2 },
];

for (const { TG0, T0SZ, level, entries, DS = 0 } of ROOTS) {
  test(`a stage-1 table with TG0 ${TG0}, T0SZ ${T0SZ}${DS !== 0 ? ', DS' : ''} starts at level ${level} with ${entries} entries`, (t) => {
    const c = stage1({ TG0, T0SZ, DS }, 0, WIDE);
    t.deepEqual([c.startLevel, c.rootEntries, c.inputBits], [level, entries, 64 - T0SZ]);
  });
}

/** The same of stage 2. S2TG: 0 4K, 1 64K, 2 16K. */
const STAGE2_ROOTS: readonly { fields: SteFields; level: number; entries: number }[] = [
  { fields: { S2T0SZ: 16, S2SL0: 2 }, level: 0, entries: 512 },
  { fields: { S2T0SZ: 21, S2SL0: 1 }, level: 1, entries: 16 * 512 },
  { fields: { S2T0SZ: 33, S2SL0: 1 }, level: 1, entries: 2 },
  { fields: { S2T0SZ: 30, S2SL0: 0 }, level: 2, entries: 16 * 512 },
  { fields: { S2T0SZ: 42, S2SL0: 0 }, level: 2, entries: 2 },
  { fields: { S2T0SZ: 39, S2SL0: 3 }, level: 3, entries: 16 * 512 },
  { fields: { S2T0SZ: 12, S2SL0: 0, S2SL0_2: 1, S2DS: 1 }, level: -1, entries: 16 },
  { fields: { S2T0SZ: 12, S2SL0: 2, S2DS: 1 }, level: 0, entries: 16 * 512 },
  { fields: { S2TG: 2, S2T0SZ: 24, S2SL0: 1 }, level: 2, entries: 16 * 2048 },
  { fields: { S2TG: 2, S2T0SZ: 17, S2SL0: 2 }, level: 1, entries: 2048 },
  { fields: { S2TG: 2, S2T0SZ: 35, S2SL0: 0 }, level: 3, entries: 16 * 2048 },
  { fields: { S2TG: 2, S2T0SZ: 12, S2SL0: 3, S2DS: 1 }, level: 0, entries: 32 },
  { fields: { S2TG: 1, S2T0SZ: 18, S2SL0: 1 }, level: 2, entries: 16 * 8192 },
  { fields: { S2TG: 1, S2T0SZ: 12, S2SL0: 2 }, level: 1, entries: 1024 },
  { fields: { S2TG: 1, S2T0SZ: 31, S2SL0: 0 }, level: 3, entries: 16 * 8192 },
];

for (const { fields, level, entries } of STAGE2_ROOTS) {
  test(`a stage-2 table ${JSON.stringify(fields)} starts at level ${level} with ${entries} entries`, (t) => {
    const c = stage2(fields, WIDE);
    t.deepEqual([c.startLevel, c.rootEntries], [level, entries]);
  });
}

/** Where a root at 0xffff_fff0 stands once bits below its size are dropped. */
const ALIGNED: readonly { why: string; c: TableContext; frame: number; index: number }[] = [
  { why: 'a page of 512 entries', c: stage1({ TTB0: 0xfffffff }), frame: 0xfffff, index: 0 },
  { why: 'two entries', c: stage1({ TTB0: 0xfffffff, T0SZ: 24 }), frame: 0xfffff, index: 510 },
  { why: 'two entries of a 52-bit CD', c: stage1({ TTB0: 0xfffffff, T0SZ: 24, DS: 1, IPS: 6 }, 0, WIDE), frame: 0xfffff, index: 504 },
  { why: 'two entries of a 48-bit CD with DS', c: stage1({ TTB0: 0xfffffff, T0SZ: 24, DS: 1, IPS: 5 }, 0, WIDE), frame: 0xfffff, index: 510 },
  { why: 'two entries of a 52-bit CD with 64K tables', c: stage1({ TTB0: 0xfffffff, TG0: 1, T0SZ: 21, IPS: 6 }, 0, WIDE), frame: 0xfffff, index: 504 },
  { why: 'two entries of a 4K CD with IPS 52', c: stage1({ TTB0: 0xfffffff, T0SZ: 24, IPS: 6 }, 0, WIDE), frame: 0xfffff, index: 510 },
  { why: 'eight entries', c: stage1({ TTB0: 0xfffffff, T0SZ: 22 }), frame: 0xfffff, index: 504 },
  { why: 'sixty-four entries', c: stage1({ TTB0: 0xfffffff, TG0: 1, T0SZ: 16 }), frame: 0xfffff, index: 448 },
  { why: 'a 16K table', c: stage1({ TTB0: 0xfffffff, TG0: 2, T0SZ: 17 }), frame: 0xffffc, index: 0 },
  { why: 'two pages side by side', c: stage2({ S2TTB: 0xfffffff }), frame: 0xffffe, index: 0 },
  { why: 'sixteen 64K tables side by side', c: stage2({ S2TTB: 0xfffffff, S2TG: 1, S2T0SZ: 18 }), frame: 0xfff00, index: 0 },
  { why: 'two entries of stage 2', c: stage2({ S2TTB: 0xfffffff, S2T0SZ: 33 }), frame: 0xfffff, index: 510 },
];

for (const { why, c, frame, index } of ALIGNED) {
  test(`a root of ${why} stands at frame 0x${frame.toString(16)}, entry ${index}`, (t) => {
    t.deepEqual([c.rootFrame, c.rootIndex], [frame, index]);
  });
}

test('a root above 2^48 keeps its address', (t) => {
  t.is(stage1({ TTB0: 0xfedcba9876 * 256, DS: 1, IPS: 6 }, 0, WIDE).rootFrame, 0xfedcba9876);
  t.is(stage2({ S2TTB: 0xfedcba9870 * 256, S2DS: 1, S2PS: 6 }, WIDE).rootFrame, 0xfedcba9870);
});

test('descriptors have the form that the granule and the SMMU give', (t) => {
  const forms = (tg: Tg, f: Features): boolean[] => {
    const c1 = stage1({ TG0: tg === 12 ? 0 : tg === 14 ? 2 : 1, DS: 1 }, 0, f);
    const c2 = stage2({ S2TG: tg === 12 ? 0 : tg === 14 ? 2 : 1, S2DS: 1 }, f);
    return [c1.ds, c1.wide, c2.ds, c2.wide];
  };
  t.deepEqual(forms(12, WIDE), [true, false, true, false]);
  t.deepEqual(forms(14, WIDE), [true, false, true, false]);
  t.deepEqual(forms(16, WIDE), [false, true, false, true]);
  for (const tg of [12, 14, 16] as const) t.deepEqual(forms(tg, FULL_FEATURES), [false, false, false, false]);
  t.false(stage1({}, 0, WIDE).ds);
  t.false(stage2({}, WIDE).ds);
});

/** HA, HD, AFFD as set and as in force, by HTTU. */
const UPDATES: readonly { httu: 0 | 1 | 2; set: readonly [number, number, number]; ha: boolean; hd: boolean; affd: boolean }[] = [
  { httu: 2, set: [1, 1, 0], ha: true, hd: true, affd: false },
  { httu: 2, set: [1, 0, 1], ha: true, hd: false, affd: false },
  { httu: 2, set: [0, 1, 1], ha: false, hd: false, affd: true },
  { httu: 2, set: [0, 0, 0], ha: false, hd: false, affd: false },
  { httu: 1, set: [1, 1, 0], ha: true, hd: false, affd: false },
  { httu: 0, set: [1, 1, 1], ha: false, hd: false, affd: true },
];

for (const { httu, set: [ha, hd, affd], ...expected } of UPDATES) {
  test(`HA ${ha}, HD ${hd}, AFFD ${affd} with HTTU ${httu}`, (t) => {
    const f: Features = { ...FULL_FEATURES, httu };
    for (const c of [stage1({ HA: ha, HD: hd, AFFD: affd }, 0, f), stage2({ S2HA: ha, S2HD: hd, S2AFFD: affd }, f)]) {
      t.deepEqual({ ha: c.ha, hd: c.hd, affd: c.affd }, expected);
    }
  });
}

test('a disabled half has no root, whatever it holds', (t) => {
  const c = stage1({ EPD0: 1, TG0: 3, T0SZ: 63, TTB0: 2 ** 48 - 1, TBI0: 1 });
  t.true(c.disabled);
  t.deepEqual([c.tg, c.startLevel, c.rootFrame, c.rootIndex, c.rootEntries, c.inputBits, c.tbi], [12, 3, 0, 0, 0, 1, true]);
  t.true(stage1({}, 1).disabled);
});

test('a context leaves nothing of the one before', (t) => {
  const c = stage1({ EPD0: 1, TBI0: 1, HAD0: 1, HA: 1, HD: 1 });
  t.deepEqual(stage2Context(ste(STAGE2), 0, FULL_FEATURES, c), stage2({}));
  const d = stage2({ S2TG: 1, S2HA: 1, S2HD: 1 }, WIDE);
  t.deepEqual(stage1Context(cd(CONTEXT), 0, 0, FULL_FEATURES, d), stage1({}));
  const e = stage2({ S2AFFD: 1, S2DS: 1 }, WIDE);
  t.deepEqual(stage1Context(cd(CONTEXT), 0, 0, FULL_FEATURES, e), stage1({}));
});

test('structures are read where they stand', (t) => {
  const words = new Uint32Array(64);
  words.set(cd(CONTEXT), 16);
  words.set(ste(STAGE2), 32);
  t.deepEqual(stage1Context(words, 16, 0, FULL_FEATURES, newTableContext()), stage1({}));
  t.deepEqual(stage2Context(words, 32, FULL_FEATURES, newTableContext()), stage2({}));
});

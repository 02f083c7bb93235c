/**
 * Pins src/spec/granule.ts: sizes and index bits of every level, start levels for every TxSZ, where a leaf may stand, the
 * three encodings of a granule, the contiguous runs, and the start of a stage-2 walk.
 */
import test from 'ava';
import {
  cdTg0, cdTg1, commandTg, concatenatedTables, contiguousEntries, granuleSupported, leafAllowed, levelFrames, levelIndex, levelShift, rootAlignment,
  stage1StartLevel, stage2Consistent, stage2Sl0, stage2StartLevel, startEntries, stride, tgOfCdTg0, tgOfCdTg1, tgOfCommand, TGS, type Tg,
} from '../../src/spec/granule.js';

/** Index bits [high:low] of the input address and log2 of the bytes that one entry spans. */
const LEVELS: readonly { tg: Tg; level: number; high: number; low: number; frames: number }[] = [
  { tg: 12, level: 0, high: 47, low: 39, frames: 134217728 }, // 512 GB
  { tg: 12, level: 1, high: 38, low: 30, frames: 262144 }, // 1 GB
  { tg: 12, level: 2, high: 29, low: 21, frames: 512 }, // 2 MB
  { tg: 12, level: 3, high: 20, low: 12, frames: 1 },
  { tg: 14, level: 0, high: 51, low: 47, frames: 34359738368 }, // 128 TB
  { tg: 14, level: 1, high: 46, low: 36, frames: 16777216 }, // 64 GB
  { tg: 14, level: 2, high: 35, low: 25, frames: 8192 }, // 32 MB
  { tg: 14, level: 3, high: 24, low: 14, frames: 4 },
  { tg: 16, level: 1, high: 51, low: 42, frames: 1073741824 }, // 4 TB
  { tg: 16, level: 2, high: 41, low: 29, frames: 131072 }, // 512 MB
  { tg: 16, level: 3, high: 28, low: 16, frames: 16 },
];

test('the granules are 4K, 16K and 64K', (t) => {
  t.deepEqual(TGS, [12, 14, 16]);
});

test('one level resolves 9, 11 or 13 address bits', (t) => {
  t.deepEqual([stride(12), stride(14), stride(16)], [9, 11, 13]);
});

for (const { tg, level, high, low, frames } of LEVELS) {
  const name = `${2 ** (tg - 10)}K level ${level}`;

  test(`${name} spans ${frames} frames an entry`, (t) => {
    t.is(levelShift(tg, level), low);
    t.is(levelFrames(tg, level), frames);
  });

  test(`${name} is indexed by address bits [${high}:${low}]`, (t) => {
    const frame = (2 ** (high + 1) - 2 ** low) / 4096;
    for (const other of LEVELS.filter((l) => l.tg === tg)) {
      t.is(levelIndex(tg, other.level, frame), other.level === level ? 2 ** (high - low + 1) - 1 : 0);
    }
  });
}

test('level -1 of 52-bit 4K tables is indexed by address bits [51:48]', (t) => {
  t.is(levelShift(12, -1), 48);
  t.is(levelIndex(12, -1, 0xf000000000), 15);
  t.is(levelIndex(12, 0, 0xf000000000), 0);
});

test('an index wraps at the size of its table', (t) => {
  t.is(levelIndex(12, 3, 512), 0);
  t.is(levelIndex(12, 3, 511), 511);
  t.is(levelIndex(14, 3, 4 * 2048), 0);
  t.is(levelIndex(16, 3, 16 * 8191), 8191);
});

/** Start level of each TxSZ (VMSAv8-64). */
const START_LEVELS: readonly { tg: Tg; from: number; to: number; level: number }[] = [
  { tg: 12, from: 12, to: 15, level: -1 },
  { tg: 12, from: 16, to: 24, level: 0 },
  { tg: 12, from: 25, to: 33, level: 1 },
  { tg: 12, from: 34, to: 42, level: 2 },
  { tg: 12, from: 43, to: 48, level: 3 },
  { tg: 14, from: 12, to: 16, level: 0 },
  { tg: 14, from: 17, to: 27, level: 1 },
  { tg: 14, from: 28, to: 38, level: 2 },
  { tg: 14, from: 39, to: 48, level: 3 },
  { tg: 16, from: 12, to: 21, level: 1 },
  { tg: 16, from: 22, to: 34, level: 2 },
  { tg: 16, from: 35, to: 47, level: 3 },
];

for (const { tg, from, to, level } of START_LEVELS) {
  test(`a ${2 ** (tg - 10)}K walk with TxSZ ${from} to ${to} starts at level ${level}`, (t) => {
    for (let txsz = from; txsz <= to; txsz += 1) t.is(stage1StartLevel(tg, 64 - txsz), level, `TxSZ ${txsz}`);
  });
}

/** Levels at which a leaf may stand: always, with DS, with 52-bit output. */
const LEAVES: readonly { tg: Tg; always: number[]; withDs: number[]; with52: number[] }[] = [
  { tg: 12, always: [1, 2, 3], withDs: [0, 1, 2, 3], with52: [1, 2, 3] },
  { tg: 14, always: [2, 3], withDs: [1, 2, 3], with52: [2, 3] },
  { tg: 16, always: [2, 3], withDs: [2, 3], with52: [1, 2, 3] },
];

for (const { tg, always, withDs, with52 } of LEAVES) {
  const levels = [-1, 0, 1, 2, 3];
  test(`${2 ** (tg - 10)}K leaves stand at levels ${always.join(', ')}`, (t) => {
    t.deepEqual(levels.filter((level) => leafAllowed(tg, level)), always);
  });
  test(`${2 ** (tg - 10)}K leaves with DS stand at levels ${withDs.join(', ')}`, (t) => {
    t.deepEqual(levels.filter((level) => leafAllowed(tg, level, true)), withDs);
  });
  test(`${2 ** (tg - 10)}K leaves with 52-bit output stand at levels ${with52.join(', ')}`, (t) => {
    t.deepEqual(levels.filter((level) => leafAllowed(tg, level, false, true)), with52);
  });
}

const ENCODINGS = [
  { name: 'the TG of a command', encode: commandTg, decode: tgOfCommand, codes: { 12: 1, 14: 2, 16: 3 }, granules: [0, 12, 14, 16] },
  { name: 'CD.TG0', encode: cdTg0, decode: tgOfCdTg0, codes: { 12: 0, 14: 2, 16: 1 }, granules: [12, 16, 14, 0] },
  { name: 'CD.TG1', encode: cdTg1, decode: tgOfCdTg1, codes: { 12: 2, 14: 1, 16: 3 }, granules: [0, 14, 12, 16] },
] as const;

for (const { name, encode, decode, codes, granules } of ENCODINGS) {
  test(`${name} encodes every granule`, (t) => {
    for (const tg of TGS) t.is(encode(tg), codes[tg]);
  });
  test(`${name} decodes every value`, (t) => {
    t.deepEqual([0, 1, 2, 3].map((value) => decode(value)), [...granules]);
  });
}

/** Entries of a run and log2 of its bytes; 1 where there is no hint. */
const RUNS: readonly { tg: Tg; level: number; ds: boolean; entries: number; log2Bytes: number }[] = [
  { tg: 12, level: 3, ds: false, entries: 16, log2Bytes: 16 },
  { tg: 12, level: 2, ds: false, entries: 16, log2Bytes: 25 },
  { tg: 12, level: 1, ds: false, entries: 16, log2Bytes: 34 },
  { tg: 12, level: 0, ds: true, entries: 16, log2Bytes: 43 },
  { tg: 12, level: 0, ds: false, entries: 1, log2Bytes: 39 },
  { tg: 12, level: -1, ds: true, entries: 1, log2Bytes: 48 },
  { tg: 14, level: 3, ds: false, entries: 128, log2Bytes: 21 },
  { tg: 14, level: 2, ds: false, entries: 32, log2Bytes: 30 },
  { tg: 14, level: 1, ds: true, entries: 1, log2Bytes: 36 },
  { tg: 14, level: 0, ds: true, entries: 1, log2Bytes: 47 },
  { tg: 16, level: 3, ds: false, entries: 32, log2Bytes: 21 },
  { tg: 16, level: 2, ds: false, entries: 32, log2Bytes: 34 },
  { tg: 16, level: 1, ds: false, entries: 32, log2Bytes: 47 },
  { tg: 16, level: 0, ds: false, entries: 1, log2Bytes: 55 },
];

for (const { tg, level, ds, entries, log2Bytes } of RUNS) {
  test(`a contiguous run at ${2 ** (tg - 10)}K level ${level}${ds ? ' with DS' : ''} has ${entries} entries`, (t) => {
    t.is(contiguousEntries(tg, level, ds), entries);
    t.is(contiguousEntries(tg, level, ds) * levelFrames(tg, level) * 4096, 2 ** log2Bytes);
  });
}

/** Start level for S2SL0_2 * 4 + S2SL0 = 0..7; - where reserved. */
const STAGE2_LEVELS: readonly { tg: Tg; ds: boolean; levels: readonly (number | undefined)[] }[] = [
  { tg: 12, ds: false, levels: [2, 1, 0, 3, 2, 1, 0, 3] },
  { tg: 12, ds: true, levels: [2, 1, 0, 3, -1, undefined, undefined, undefined] },
  { tg: 14, ds: false, levels: [3, 2, 1, undefined, 3, 2, 1, undefined] },
  { tg: 14, ds: true, levels: [3, 2, 1, 0, 3, 2, 1, 0] },
  { tg: 16, ds: false, levels: [3, 2, 1, undefined, 3, 2, 1, undefined] },
];

for (const { tg, ds, levels } of STAGE2_LEVELS) {
  test(`S2SL0 of ${2 ** (tg - 10)}K${ds ? ' with DS' : ''} names levels ${levels.join(', ')}`, (t) => {
    t.deepEqual([0, 1, 2, 3, 4, 5, 6, 7].map((sl) => stage2StartLevel(tg, sl % 4, sl >> 2, ds)), [...levels]);
    for (const level of levels) {
      if (level === undefined) continue;
      const sl = stage2Sl0(tg, level);
      t.is(stage2StartLevel(tg, sl % 4, sl >> 2, ds), level);
    }
  });
}

/** The T0SZ with which a start level of stage 2 is consistent, within the limits 12..51: at most 16 tables, at least two entries. */
const CONSISTENT: readonly { tg: Tg; level: number; from: number; to: number }[] = [
  { tg: 12, level: -1, from: 12, to: 15 },
  { tg: 12, level: 0, from: 12, to: 24 },
  { tg: 12, level: 1, from: 21, to: 33 },
  { tg: 12, level: 2, from: 30, to: 42 },
  { tg: 12, level: 3, from: 39, to: 51 },
  { tg: 14, level: 0, from: 12, to: 16 },
  { tg: 14, level: 1, from: 13, to: 27 },
  { tg: 14, level: 2, from: 24, to: 38 },
  { tg: 14, level: 3, from: 35, to: 49 },
  { tg: 16, level: 1, from: 12, to: 21 },
  { tg: 16, level: 2, from: 18, to: 34 },
  { tg: 16, level: 3, from: 31, to: 47 },
];

for (const { tg, level, from, to } of CONSISTENT) {
  test(`a stage-2 walk of ${2 ** (tg - 10)}K from level ${level} has T0SZ ${from} to ${to}`, (t) => {
    for (let t0sz = 12; t0sz <= 51; t0sz += 1) {
      t.is(stage2Consistent(tg, 64 - t0sz, level, { smallTables: true, oas: 52 }), t0sz >= from && t0sz <= to, `T0SZ ${t0sz}`);
    }
  });
}

/** The smallest output size with which a start level exists, and a T0SZ that fits it. */
const REACH: readonly { tg: Tg; level: number; oas: number; t0sz: number }[] = [
  { tg: 12, level: -1, oas: 52, t0sz: 12 },
  { tg: 12, level: 0, oas: 44, t0sz: 24 },
  { tg: 12, level: 1, oas: 32, t0sz: 33 },
  { tg: 14, level: 0, oas: 52, t0sz: 16 },
  { tg: 14, level: 1, oas: 42, t0sz: 27 },
  { tg: 14, level: 2, oas: 32, t0sz: 38 },
  { tg: 16, level: 1, oas: 44, t0sz: 21 },
  { tg: 16, level: 2, oas: 32, t0sz: 34 },
];

for (const { tg, level, oas, t0sz } of REACH) {
  test(`stage 2 of ${2 ** (tg - 10)}K starts at level ${level} from ${oas} output bits on`, (t) => {
    for (const size of [32, 36, 40, 42, 44, 48, 52]) t.is(stage2Consistent(tg, 64 - t0sz, level, { smallTables: false, oas: size }), size >= oas, `OAS ${size}`);
  });
}

test('stage 2 of 4K starts at level 3 with small tables only, of other granules without them too', (t) => {
  t.false(stage2Consistent(12, 25, 3, { smallTables: false, oas: 48 }));
  t.true(stage2Consistent(14, 25, 3, { smallTables: false, oas: 48 }));
  t.true(stage2Consistent(16, 25, 3, { smallTables: false, oas: 48 }));
});

/** Tables side by side and entries in all of them. */
const SIDE_BY_SIDE: readonly { tg: Tg; bits: number; level: number; tables: number; entries: number }[] = [
  { tg: 12, bits: 40, level: 1, tables: 2, entries: 1024 },
  { tg: 12, bits: 39, level: 1, tables: 1, entries: 512 },
  { tg: 12, bits: 43, level: 1, tables: 16, entries: 8192 },
  { tg: 12, bits: 31, level: 1, tables: 1, entries: 2 },
  { tg: 12, bits: 30, level: 1, tables: 1, entries: 1 },
  { tg: 12, bits: 25, level: 1, tables: 1, entries: 1 },
  { tg: 14, bits: 40, level: 2, tables: 16, entries: 32768 },
  { tg: 16, bits: 42, level: 2, tables: 1, entries: 8192 },
  { tg: 16, bits: 44, level: 2, tables: 4, entries: 32768 },
];

for (const { tg, bits, level, tables, entries } of SIDE_BY_SIDE) {
  test(`${bits} bits of ${2 ** (tg - 10)}K from level ${level}: ${tables} tables, ${entries} entries`, (t) => {
    t.is(concatenatedTables(tg, bits, level), tables);
    t.is(startEntries(tg, bits, level), entries);
  });
}

test('a root is aligned to its size, and to 64 bytes with 52-bit addresses', (t) => {
  t.deepEqual([1, 2, 3, 4, 9, 13].map((log2) => rootAlignment(log2, false)), [4, 5, 6, 7, 12, 16]);
  t.deepEqual([1, 2, 3, 4, 9, 13].map((log2) => rootAlignment(log2, true)), [6, 6, 6, 7, 12, 16]);
});

test('each granule has its own bit', (t) => {
  const of = (gran4k: boolean, gran16k: boolean, gran64k: boolean): Tg[] => TGS.filter((tg) => granuleSupported(tg, { gran4k, gran16k, gran64k }));
  t.deepEqual([of(true, false, false), of(false, true, false), of(false, false, true)], [[12], [14], [16]]);
});

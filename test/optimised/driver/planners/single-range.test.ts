/** The default planner: fields of each command, sizes, and when it gives up for the whole tag. */
import test from 'ava';
import { ttlFor } from '../../../../src/optimised/driver/planners/payload.js';
import { SINGLE_RANGE } from '../../../../src/optimised/driver/planners/single-range.js';
import { commandError, decodeCommand, newCommand, OP, type Command } from '../../../../src/spec/command.js';
import { newDescription, type Description } from '../../../../src/stack/description.js';
import { commandFeatures } from '../../../../src/stack/machine.js';
import { PLAN_MAX, WHOLE_TAG } from '../../../../src/stack/planner.js';
import { DEFAULT_SMMU } from '../../../../src/stack/world.js';

/** Address (bytes), TG, NUM, SCALE, TTL, Leaf. */
type Fields = readonly [address: number, tg: number, num: number, scale: number, ttl: number, leaf: number];

const out = new Uint32Array(PLAN_MAX * 4);

function describe(start: number, last: number, leaves: number, tables: number): Description {
  return { ...newDescription(), first: Math.floor(start / 4096), last: Math.floor(last / 4096), leaves, tables };
}

function command(i: number): Command {
  out[i * 4] = (out[i * 4] as number) | OP.TLBI_NH_VA;
  return decodeCommand(out, i * 4, newCommand());
}

/** The planned commands, or 'all' for the whole tag. */
function plan(d: Description, range: boolean, ds = false): Fields[] | 'all' {
  out.fill(0xffffffff);
  const n = SINGLE_RANGE.plan(d, { range, ds }, out);
  if (n === WHOLE_TAG) return 'all';
  return Array.from({ length: n }, (_, i) => {
    const c = command(i);
    return [c.frame * 4096, c.tg, c.num, c.scale, c.ttl, c.leaf] as const;
  });
}

function frames(n: number, ds = false): Fields[] | 'all' {
  return plan({ ...newDescription(), first: 0, last: n - 1, leaves: 1 }, true, ds);
}

const GB1 = 2 ** 30;

/** Start, last, leaf bitmap, table bitmap → the one command. */
const ROWS: readonly [what: string, start: number, last: number, leaves: number, tables: number, expected: Fields][] = [
  ['leaves of two levels in one page', 0x1000, 0x1fff, 3, 0, [0x1000, 0, 0, 0, 0, 1]],
  ['33 pages', 0, 0x20fff, 1, 0, [0, 1, 16, 1, 3, 1]],
  ['pages and their table', 0, 0x1fffff, 1, 2, [0, 1, 31, 4, 3, 0]],
  ['a 2 MB block', 0, 0x1fffff, 2, 0, [0, 1, 31, 4, 2, 1]],
  ['a table of 1 GB alone', 0, GB1 - 1, 0, 4, [0, 1, 31, 13, 2, 0]],
  ['pages and tables of two levels', 0, GB1 - 1, 1, 6, [0, 1, 31, 13, 3, 0]],
  ['2 MB blocks and the table above them', 0, GB1 - 1, 2, 4, [0, 1, 31, 13, 2, 0]],
  ['1026 pages from an odd start', 0x1000, 0x401fff, 1, 0, [0x1000, 1, 16, 6, 3, 1]],
  ['one page', 0x5000, 0x5fff, 1, 0, [0x5000, 1, 0, 0, 3, 1]],
  ['a 1 GB block', GB1, 2 * GB1 - 1, 4, 0, [GB1, 1, 31, 13, 1, 1]],
  ['an emptied table of 2 MB', 0, 0x1fffff, 0, 2, [0, 1, 31, 4, 3, 0]],
];

for (const [what, start, last, leaves, tables, expected] of ROWS) {
  test(`one range command for ${what}`, (t) => {
    t.deepEqual(plan(describe(start, last, leaves, tables), true), [expected]);
  });
}

/** n → SCALE, NUM, granules covered. */
const SIZES: readonly [n: number, scale: number, num: number, covered: number][] = [
  [31, 0, 30, 31], [32, 0, 31, 32], [33, 1, 16, 34], [34, 1, 16, 34], [63, 1, 31, 64], [64, 1, 31, 64], [65, 2, 16, 68],
  [127, 2, 31, 128], [129, 3, 16, 136], [1023, 5, 31, 1024], [1025, 6, 16, 1088], [1057, 6, 16, 1088], [2049, 7, 16, 2176],
  [262143, 13, 31, 262144], [262145, 14, 16, 278528], [1, 0, 0, 1],
];

for (const [n, scale, num, covered] of SIZES) {
  test(`${n} granules are said as NUM ${num}, SCALE ${scale}`, (t) => {
    t.deepEqual(frames(n), [[0, 1, num, scale, 3, 1]]);
    t.is((num + 1) * 2 ** scale, covered);
  });
}

test('2^36 granules are the most that one command says', (t) => {
  t.deepEqual(frames(2 ** 36), [[0, 1, 31, 31, 3, 1]]);
  t.is(frames(2 ** 36 + 1), 'all');
});

test('with DS 2^44 granules are the most', (t) => {
  t.deepEqual(frames(2 ** 36 + 1, true), [[0, 1, 16, 32, 3, 1]]);
  t.deepEqual(frames(2 ** 44, true), [[0, 1, 31, 39, 3, 1]]);
  t.is(frames(2 ** 44 + 1, true), 'all');
});

test('the whole 64-bit space is the whole tag', (t) => {
  t.is(frames(2 ** 52), 'all');
  t.is(frames(2 ** 52, true), 'all');
});

test('everything is the whole tag, with and without range support', (t) => {
  const d = { ...newDescription(), first: 3, last: 3, leaves: 1, all: true };
  t.is(plan(d, true), 'all');
  t.is(plan(d, false), 'all');
});

test('the level hint goes when the address is not aligned to it', (t) => {
  t.deepEqual(plan(describe(0x1000, 0x200fff, 2, 0), true), [[0x1000, 1, 31, 4, 0, 1]]);
  t.deepEqual(plan(describe(0x200000, 0x3fffff, 2, 0), true), [[0x200000, 1, 31, 4, 2, 1]]);
});

test('with no hint, NUM and SCALE left the granule goes as well', (t) => {
  t.deepEqual(plan(describe(0x1000, 0x1fff, 2, 0), true), [[0x1000, 0, 0, 0, 0, 1]]);
});

/** Leaf bitmap, table bitmap → TTL. */
const HINTS: readonly [leaves: number, tables: number, ttl: number][] = [
  [1, 0, 3], [2, 0, 2], [4, 0, 1], [3, 0, 0], [5, 0, 0], [1, 2, 3], [2, 2, 0], [2, 4, 2], [4, 4, 0], [4, 8, 1], [1, 6, 3],
  [0, 2, 3], [0, 4, 2], [0, 8, 1], [0, 6, 3], [0, 12, 2], [8, 0, 0],
];

for (const [leaves, tables, ttl] of HINTS) {
  test(`leaves ${leaves.toString(2)} and tables ${tables.toString(2)} give the hint ${ttl}`, (t) => {
    t.is(ttlFor({ ...newDescription(), leaves, tables }, false), ttl);
  });
}

test('without range support each page has a command of its own', (t) => {
  t.deepEqual(plan(describe(0x3000, 0x5fff, 1, 0), false), [[0x3000, 0, 0, 0, 0, 1], [0x4000, 0, 0, 0, 0, 1], [0x5000, 0, 0, 0, 0, 1]]);
});

test('without range support 512 pages are 512 commands, one more is the whole tag', (t) => {
  t.is(plan(describe(0, 511 * 4096, 1, 0), false).length, 512);
  t.is(plan(describe(0, 512 * 4096, 1, 0), false), 'all');
});

test('without range support blocks are stepped over by their own size', (t) => {
  t.deepEqual(plan(describe(0x400000, 0x7fffff, 2, 0), false), [[0x400000, 0, 0, 0, 0, 1], [0x600000, 0, 0, 0, 0, 1]]);
  t.is(plan(describe(0, 512 * GB1 - 1, 4, 0), false).length, 512);
  t.is(plan(describe(0, 513 * GB1 - 1, 4, 0), false), 'all');
});

test('without range support a removed table is one command for its span', (t) => {
  t.deepEqual(plan(describe(0x200000, 0x3fffff, 0, 2), false), [[0x200000, 0, 0, 0, 0, 0]]);
  t.deepEqual(plan(describe(0, GB1 - 1, 0, 4), false), [[0, 0, 0, 0, 0, 0]]);
});

test('without range support leaves under a removed table keep their own stride', (t) => {
  const found = plan(describe(0, 0x1fffff, 1, 2), false);
  t.is(found.length, 512);
  t.deepEqual(found[511], [0x1ff000, 0, 0, 0, 0, 0]);
});

test('without range support the deeper of leaves and tables gives the stride', (t) => {
  t.is(plan(describe(0, GB1 - 1, 4, 2), false).length, 512);
});

test('a start inside an entry is named itself, then the entries after it', (t) => {
  t.deepEqual(plan(describe(0x3ff000, 0x400fff, 2, 0), false), [[0x3ff000, 0, 0, 0, 0, 1], [0x400000, 0, 0, 0, 0, 1]]);
});

test('a range at the top of the 48-bit space keeps its high address bits', (t) => {
  const top = 2 ** 48 - 4096;
  t.deepEqual(plan(describe(top, top, 1, 0), true), [[top, 1, 0, 0, 3, 1]]);
  t.deepEqual(plan(describe(top, top, 1, 0), false), [[top, 0, 0, 0, 0, 1]]);
});

test('every command of the rows is legal', (t) => {
  for (const [what, start, last, leaves, tables] of ROWS) {
    for (const range of [true, false]) {
      const planned = plan(describe(start, last, leaves, tables), range);
      const n = planned === 'all' ? 0 : planned.length;
      for (let i = 0; i < n; i += 1) t.is(commandError(command(i), commandFeatures({ ...DEFAULT_SMMU, range })), undefined, what);
    }
  }
});

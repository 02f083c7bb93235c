/** The classic loop: its commands, its level hints, and when it gives up for the whole tag. Figures worked out from the algorithm's description. */
import test from 'ava';
import { EXACT_RANGES } from '../../../../src/optimised/driver/planners/exact-ranges.js';
import { PER_GRANULE } from '../../../../src/optimised/driver/planners/per-granule.js';
import type { Tg } from '../../../../src/spec/granule.js';
import { countOf, damage, fields, illegal, RANGE, RANGE_DS, SINGLES, type Fields } from './fields.js';

const KB4 = 4096;
const KB16 = 4 * KB4;
const KB64 = 16 * KB4;
const MB2 = 2 ** 21;
const GB1 = 2 ** 30;

/** What, start, bytes, granule, leaf bitmap, table bitmap → commands. */
const ROWS: readonly [what: string, start: number, size: number, tg: Tg, leaves: number, tables: number, expected: readonly Fields[]][] = [
  ['one page', 0x1000, KB4, 12, 1, 0, [[0x1000, 1, 0, 0, 3, 1]]],
  ['two pages', 0, 2 * KB4, 12, 1, 0, [[0, 1, 0, 1, 3, 1]]],
  ['33 pages that are not leaves', 0, 33 * KB4, 12, 0, 2, [[0, 1, 16, 1, 0, 0]]],
  ['32 pages', 0, 32 * KB4, 12, 1, 0, [[0, 1, 0, 5, 3, 1]]],
  ['a 2 MB block', 0, MB2, 12, 2, 0, [[0, 1, 0, 9, 2, 1]]],
  ['2 MB of pages', 0, MB2, 12, 1, 0, [[0, 1, 0, 9, 3, 1]]],
  ['1025 pages', 0, 1025 * KB4, 12, 1, 0, [[0, 1, 0, 0, 3, 1], [0x1000, 1, 0, 10, 3, 1]]],
  ['a contiguous run of 64K', 0, KB64, 12, 1, 0, [[0, 1, 0, 4, 3, 1]]],
  ['a 32 MB block of 16K', 0, 32 * 2 ** 20, 14, 2, 0, [[0, 2, 0, 11, 2, 1]]],
  ['a 512 MB block of 64K', 0, 512 * 2 ** 20, 16, 2, 0, [[0, 3, 0, 13, 2, 1]]],
  ['0x12345 pages', 0x7f0000001000, 0x12345000, 12, 1, 0, [[0x7f0000001000, 1, 4, 0, 3, 1], [0x7f0000006000, 1, 12, 6, 3, 1], [0x7f0000346000, 1, 8, 13, 3, 1]]],
];

for (const [what, start, size, tg, leaves, tables, expected] of ROWS) {
  test(`with range support, ${what}: ${expected.length} command${expected.length === 1 ? '' : 's'}`, (t) => {
    t.deepEqual(fields(EXACT_RANGES, damage(start, size, leaves, tables, tg), RANGE), expected);
    t.is(illegal(EXACT_RANGES, damage(start, size, leaves, tables, tg), RANGE), undefined);
  });
}

/** Granule, bytes of a leaf, its level bit, DS → TTL. */
const HINTS: readonly [tg: Tg, leaf: number, bit: number, ds: boolean, ttl: number][] = [
  [12, KB4, 1, false, 3], [12, KB64, 1, false, 3], [12, MB2, 2, false, 2], [12, 16 * MB2, 2, false, 2], [12, GB1, 4, false, 1],
  [14, KB16, 1, false, 3], [14, 16 * MB2, 2, false, 2], [14, 64 * GB1, 4, true, 1], [14, 64 * GB1, 4, false, 0],
  [16, KB64, 1, false, 3], [16, 512 * 2 ** 20, 2, false, 2], [16, 2 ** 42, 4, false, 1],
];

for (const [tg, leaf, bit, ds, ttl] of HINTS) {
  test(`leaves of ${leaf} bytes with a granule of 2^${tg} have TTL ${ttl}${ds ? ' with DS' : ''}`, (t) => {
    const found = fields(EXACT_RANGES, damage(leaf, leaf, bit, 0, tg), ds ? RANGE_DS : RANGE);
    t.deepEqual(found === 'all' ? 'all' : found.map((f) => f[4]), [ttl]);
  });
}

test('a length of 2^32 granules and more takes the same loop', (t) => {
  t.deepEqual(fields(EXACT_RANGES, damage(0, 2 ** 44, 1), RANGE_DS), [[0, 1, 0, 32, 3, 1]]);
  t.deepEqual(fields(EXACT_RANGES, damage(0, 2 ** 44 + KB4, 1), RANGE_DS), [[0, 1, 0, 0, 3, 1], [KB4, 1, 0, 32, 3, 1]]);
  t.deepEqual(fields(EXACT_RANGES, damage(0, 2 ** 44 - KB4, 1), RANGE)?.length, 7);
});

test('a SCALE that does not exist: the whole tag', (t) => {
  t.is(fields(EXACT_RANGES, damage(0, 2 ** 44, 1), RANGE), 'all');
  t.is(fields(EXACT_RANGES, damage(0, 2 ** 52, 1), RANGE_DS), 'all');
  t.not(fields(EXACT_RANGES, damage(0, 2 ** 51, 1), RANGE_DS), 'all');
});

test('the address is rounded to its granule by nobody: rounding up the length goes past the end', (t) => {
  t.deepEqual(fields(EXACT_RANGES, damage(0x1000, KB4, 0, 2), RANGE), [[0x1000, 1, 0, 1, 0, 0]]);
});

test('the hint stays where the address is not aligned to it: the loop relies on gathers of whole pages of its size', (t) => {
  const d = damage(0x1000, MB2, 2);
  t.deepEqual(fields(EXACT_RANGES, d, RANGE), [[0x1000, 1, 0, 9, 2, 1]]);
  t.regex(illegal(EXACT_RANGES, d, RANGE) ?? '', /not aligned to 2\^21/);
});

/** Granule, bytes of a page, its bit → bytes from which on the whole tag goes. */
const TOO_BIG: readonly [tg: Tg, page: number, bit: number, bytes: number][] = [
  [12, KB4, 1, MB2], [14, KB16, 1, 2048 * KB16], [16, KB64, 1, 8192 * KB64], [12, MB2, 2, 512 * GB1],
];

for (const [tg, page, bit, bytes] of TOO_BIG) {
  test(`without range support pages of ${page} bytes have commands below ${bytes} bytes`, (t) => {
    t.is(countOf(EXACT_RANGES, damage(0, bytes, bit, 0, tg), SINGLES), 'all');
    t.is(countOf(EXACT_RANGES, damage(0, bytes - page, bit, 0, tg), SINGLES), bytes / page - 1);
  });
}

test('without range support a removed table of 2 MB is the whole tag, and was 512 commands in the old expansion', (t) => {
  t.is(countOf(EXACT_RANGES, damage(0, MB2, 0, 2), SINGLES), 'all');
  t.is(countOf(PER_GRANULE, damage(0, MB2, 0, 2), SINGLES), 512);
  t.is(countOf(PER_GRANULE, damage(0, GB1, 0, 4), SINGLES), 262_144);
  t.is(countOf(PER_GRANULE, damage(0, GB1 + KB4, 0, 4), SINGLES), 'all');
});

test('the old expansion asks for tables with Leaf = 0, and one command for each page of a gather', (t) => {
  t.deepEqual(fields(PER_GRANULE, damage(0x1000, 2 * KB4, 1), RANGE), [[0x1000, 0, 0, 0, 0, 1], [0x2000, 0, 0, 0, 0, 1]]);
  t.deepEqual(fields(PER_GRANULE, damage(MB2, 2 * MB2, 2), RANGE), [[MB2, 0, 0, 0, 0, 1], [2 * MB2, 0, 0, 0, 0, 1]]);
  t.deepEqual(fields(PER_GRANULE, damage(MB2, 2 * KB4, 0, 2), SINGLES), [[MB2, 0, 0, 0, 0, 0], [MB2 + KB4, 0, 0, 0, 0, 0]]);
});

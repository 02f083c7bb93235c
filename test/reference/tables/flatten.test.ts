/** The literal walk: what it finds in words written by hand, and what it calls a fault. */
import test from 'ava';
import { Journal } from '../../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../../src/memory/memory.js';
import { flatten, newFlattened, type Flattened } from '../../../src/reference/tables/flatten.js';
import type { TableGeometry } from '../../../src/stack/page-table.js';

const PLAIN: TableGeometry = { tg: 12, stage: 1, inputBits: 30, outputBits: 48, half: 'lower', ds: false, contiguous: false, dirty: false };
const CONT = 1 << 20;
const DBM = 1 << 19;
/** AF, inner shareable, nG, AP[1], normal memory. */
const PAGE = 0xf47;

/** Root in slot 4 (level 2), a table in slot 5. */
function walk(words: readonly (readonly [slot: number, index: number, lo: number, hi?: number])[], change: Partial<TableGeometry> = {}, startLevel = 2): Flattened {
  const memory = new Memory(new Journal(), 64);
  for (const [slot, index, lo, hi] of words) memory.commit(slot * 512 + index, lo, hi ?? 0);
  return flatten(memory, { geometry: { ...PLAIN, ...change }, startLevel, frame: RAM_BASE + 4 }, newFlattened({ ...PLAIN, ...change }), true);
}

const TO_5 = [4, 1, 0x5003, 1] as const;

test('pages and blocks, ascending, with their tables', (t) => {
  const f = walk([[4, 3, 0x40000f45], TO_5, [5, 2, 0x7000 + PAGE + 0x80], [5, 511, 0x9000 + PAGE, 1]]);
  t.deepEqual(f.faults, []);
  t.deepEqual(Array.from({ length: f.leaves.length }, (_, i) => f.leaves.at(i)), [
    { iova: 0x202000, size: 4096, pa: 0x7000, prot: 'r', level: 3, dirty: false, contiguous: false },
    { iova: 0x3ff000, size: 4096, pa: 0x1_0000_9000, prot: 'rw', level: 3, dirty: false, contiguous: false },
    { iova: 0x600000, size: 0x200000, pa: 0x40000000, prot: 'rw', level: 2, dirty: false, contiguous: false },
  ]);
  t.deepEqual(f.tables, [{ level: 3, iova: 0x200000, frame: RAM_BASE + 5 }]);
});

test('writable-clean and written, both stages', (t) => {
  const marks = (lo: number, hi: number, stage: 1 | 2): unknown[] => {
    const leaf = walk([[4, 0, lo, hi]], { stage }).leaves.at(0);
    return [leaf.prot, leaf.dirty];
  };
  t.deepEqual(marks(0xfc5, DBM, 1), ['rw', false]);
  t.deepEqual(marks(0xf45, DBM, 1), ['rw', true]);
  t.deepEqual(marks(0xf45, 0, 1), ['rw', false]);
  t.deepEqual(marks(0x47d, DBM, 2), ['rw', false]);
  t.deepEqual(marks(0x4fd, DBM, 2), ['rw', true]);
  t.deepEqual(marks(0x4bd, 0, 2), ['w', false]);
  t.deepEqual(marks(0x43d, DBM, 2), ['w', false]);
  t.deepEqual(marks(0x43d, 0, 2), ['none', false]);
});

test('what must not be is told', (t) => {
  const first = (f: Flattened): string => f.faults[0] ?? '';
  t.regex(first(walk([TO_5, [5, 0, 0x1001]])), /reserved/);
  t.regex(first(walk([[4, 0, 0x8000_0003, 1]])), /outside of memory/);
  t.regex(first(walk([[4, 0, 0xf45, 0x100]], { outputBits: 40 })), /beyond the output/);
  t.regex(first(walk([], {}, 1)), /cannot begin/);
  t.regex(first(walk([], { stage: 2, inputBits: 42, outputBits: 42 }, 0)), /cannot begin/);
  t.regex(first(walk([], { stage: 2, inputBits: 43 }, 1)), /not aligned/);
});

test('contiguous runs are whole, aligned and even', (t) => {
  const run = (change: (i: number) => readonly [number, number] | null): string => {
    const members = Array.from({ length: 16 }, (_, i) => change(i)).flatMap((w, i) => w === null ? [] : [[5, i, ...w] as const]);
    return walk([TO_5, ...members]).faults[0] ?? '';
  };
  const lo = (i: number): number => 0x10000 + i * 4096 + PAGE;
  t.is(run((i) => [lo(i), CONT]), '');
  t.is(run((i) => [lo(i) + (i === 3 ? 0 : 0x80), CONT + DBM]), '');
  t.regex(run((i) => i === 7 ? null : [lo(i), CONT]), /missing/);
  t.regex(run((i) => [lo(i), i === 15 ? 0 : CONT]), /missing/);
  t.regex(run((i) => [lo(i) + (i === 9 ? 4096 : 0), CONT]), /does not go on/);
  t.regex(run((i) => [lo(i) + (i === 9 ? 0x80 : 0), CONT]), /does not go on/);
  t.regex(run((i) => [lo(i) + 4096, CONT]), /not aligned/);
  t.regex(walk([[4, 0, 0xf45, CONT]], { tg: 14, inputBits: 47, ds: true, outputBits: 52 }, 1).faults[0] ?? '', /no runs/);
});

test('52-bit addresses of both forms', (t) => {
  t.is(walk([[4, 0, 0x345 + 0x400, 0x3_0000]], { ds: true, outputBits: 52 }).leaves.at(0).pa, 2 ** 51 + 2 ** 50 + 2 ** 49 + 2 ** 48);
  t.is(walk([[4, 0, 0x9000 + 0xf45 + 0x2000_0000, 0]], { tg: 16, inputBits: 42, outputBits: 52 }).leaves.at(0).pa, 9 * 2 ** 48 + 2 ** 29);
});

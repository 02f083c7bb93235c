/** Deferred cleaning in the library: what stays eager, who calls for the rest, and what a coherent table has of it. */
import test from 'ava';
import { staleness, type StaleEntry } from '../../../src/compare/cleaning/paths.js';
import { Cpu } from '../../../src/memory/cpu.js';
import { Journal } from '../../../src/memory/journal.js';
import { Memory } from '../../../src/memory/memory.js';
import { Pages } from '../../../src/memory/pages.js';
import { WalkerView } from '../../../src/memory/walker-view.js';
import { makeCleaner } from '../../../src/optimised/tables/cleaners/cleaners.js';
import { openTable, ownTableParts, type PageTable } from '../../../src/optimised/tables/page-table.js';
import { flatten, newFlattened } from '../../../src/reference/tables/flatten.js';
import { newTableContext } from '../../../src/spec/tables.js';
import { CLEANER_NAMES, type CleanerName, type Piece } from '../../../src/stack/page-table.js';
import { PLAIN } from './rig.js';

const PAGE = 4096;
const BLOCK = 512 * PAGE;

interface Bench {
  readonly memory: Memory;
  readonly pages: Pages;
  readonly cpu: Cpu;
  readonly view: WalkerView;
  readonly table: PageTable;
}

function bench(cleaner: CleanerName, coherent = false): Bench {
  const memory = new Memory(new Journal());
  const pages = new Pages(memory);
  const view = new WalkerView(memory, (slot) => (pages.ownerOf(slot) ?? 'table') === 'table');
  pages.observer = view;
  const around = { memory, pages, cpu: new Cpu(memory), view };
  return { ...around, table: opened(around, cleaner, coherent) };
}

function opened({ pages, cpu }: Omit<Bench, 'table'>, cleaner: CleanerName, coherent: boolean): PageTable {
  const table = openTable({
    geometry: PLAIN, variant: 'io-pgtable', coherent, cpu, pages, cleaner: makeCleaner(cleaner),
    hooks: { flush: () => { cpu.barrier('before-invs'); return undefined as never; } }, parts: ownTableParts('plain'),
  });
  if (table === undefined) throw new Error('no memory');
  return table;
}

/** Another table in the same memory. */
function reopened(b: Bench, cleaner: CleanerName): Bench {
  return { ...b, table: opened(b, cleaner, false) };
}

/** Pages that the walker does not see as they are, and the first descriptor. */
function stale(b: Bench, iova: number, size: number): { readonly frames: number; readonly first: StaleEntry | null } {
  const { shape, root } = b.table.room;
  const context = { ...newTableContext(), tg: shape.tg, startLevel: shape.startLevel, rootEntries: shape.rootEntries, inputBits: 48, outputBits: 48, rootFrame: b.memory.frameOf(root) };
  return staleness({ cpu: b.memory, walker: b.view.memory }, context, { first: iova / PAGE, count: size / PAGE });
}

function map(b: Bench, iova: number, count = 1): void {
  b.table.perform({ op: 'map', iova, pa: 0x40000000 + iova, pageSize: PAGE, count, prot: 'rw' });
}

/** Pages apart from each other. */
function pieces(count: number): Piece[] {
  return Array.from({ length: count }, (_, i) => ({ pa: 0x40000000 + 2 * i * PAGE, size: PAGE }));
}

test('each name makes the cleaner of that name, deferred or not', (t) => {
  t.deepEqual(CLEANER_NAMES.map((name) => makeCleaner(name)).map((c) => [c.name, c.deferred]), [['eager', false], ['posted-walk', true], ['range-visitor', true], ['map-sg', false]]);
});

test('new tables and pointers to them are visible before anything is synced', (t) => {
  for (const name of ['posted-walk', 'range-visitor'] as const) {
    const b = bench(name);
    map(b, 0x5000);
    t.deepEqual(stale(b, 0x5000, PAGE).first, { level: 3, index: 5, frame: 5, kind: 'leaf' });
    t.is(b.table.room.upkeep.lines, 64 + 3 * 65);
    t.is(b.table.room.cleaner.cost.lines, 0);
  }
});

test('what unmap clears is gone for the walker when it returns, whoever cleans leaves', (t) => {
  for (const name of CLEANER_NAMES) {
    const b = bench(name);
    map(b, 0x5000, 20);
    b.table.perform({ op: 'sync-map', iova: 0x5000, size: 20 * PAGE });
    t.is(stale(b, 0x5000, 20 * PAGE).frames, 0, name);
    b.table.perform({ op: 'unmap', iova: 0x5000, pageSize: PAGE, count: 20 });
    b.cpu.drainAll();
    t.is(stale(b, 0x5000, 20 * PAGE).frames, 0, name);
  }
});

test('a list syncs all that was mapped of it, at its end', (t) => {
  for (const name of CLEANER_NAMES) {
    const b = bench(name);
    const result = b.table.perform({ op: 'map-sg', iova: BLOCK - 8 * PAGE, pieces: pieces(17), prot: 'rw' }); // the last page is alone in its line
    t.deepEqual([result.code, result.bytes], ['ok', 17 * PAGE]);
    t.is(stale(b, BLOCK - 8 * PAGE, 17 * PAGE).frames, 0, name);
  }
});

test('a list that fails half-way leaves visible what it mapped, and after its unmap nothing that is valid', (t) => {
  for (const name of CLEANER_NAMES) {
    const b = bench(name);
    map(b, 0);
    b.pages.failNext();
    const result = b.table.perform({ op: 'map-sg', iova: BLOCK - 8 * PAGE, pieces: pieces(16), prot: 'rw' });
    t.deepEqual([result.code, result.bytes], ['no-memory', 8 * PAGE], name);
    t.is(stale(b, BLOCK - 8 * PAGE, 8 * PAGE).frames, 0, name);
    b.table.perform({ op: 'unmap', iova: BLOCK - 8 * PAGE, pageSize: PAGE, count: 8 });
    const valid = Array.from({ length: 512 * b.memory.slots }, (_, ref) => ref).filter((ref) => ((b.view.memory.lo[ref] as number) & 1) !== 0);
    t.is(valid.length, 3 + Number(stale(b, 0, PAGE).frames === 0), name); // three pointers, and the page at 0 if somebody cleaned it
  }
});

test('a coherent table has no sync, and its cleaner is never called', (t) => {
  const b = bench('range-visitor', true);
  t.is(b.table.syncMap, null);
  t.not(bench('range-visitor').table.syncMap, null);
  let calls = 0;
  const counting = { ...b.table.room.cleaner, leavesWritten: () => { calls += 1; }, callDone: () => { calls += 1; }, syncMap: () => { calls += 1; } };
  Object.assign(b.table.room, { cleaner: counting });
  b.table.perform({ op: 'map', iova: 0, pa: 0, pageSize: PAGE, count: 600, prot: 'rw' });
  b.table.perform({ op: 'map-sg', iova: BLOCK * 8, pieces: pieces(16), prot: 'rw' });
  t.deepEqual([calls, b.cpu.cleanCalls], [0, 0]);
});

test('sync-map of a coherent table succeeds and does nothing; what is wrong with a range is told', (t) => {
  const codes = (b: Bench): string[] => [[0, PAGE], [0, 0], [0, 100], [2 ** 48 - PAGE, 2 * PAGE]].map(([iova, size]) => b.table.perform({ op: 'sync-map', iova: iova ?? 0, size: size ?? 0 }).code);
  t.deepEqual(codes(bench('range-visitor', true)), ['ok', 'invalid', 'invalid', 'out-of-range']);
  t.deepEqual(codes(bench('range-visitor')), ['ok', 'invalid', 'invalid', 'out-of-range']);
});

test('before its sync a page is seen right or not at all, also where a table lies in a page that was one before', (t) => {
  const old = bench('eager');
  map(old, 0, 8);
  old.table.destroy();
  const b = reopened(old, 'range-visitor');
  const seen = (): number[] => {
    const { leaves } = flatten(b.view.memory, { geometry: PLAIN, startLevel: 0, frame: b.memory.frameOf(b.table.room.root) }, newFlattened(PLAIN));
    return Array.from({ length: leaves.length }, (_, i) => leaves.iova[i] as number);
  };
  map(b, 256 * PAGE, 2);
  t.deepEqual(seen(), []);
  b.table.perform({ op: 'sync-map', iova: 256 * PAGE, size: 2 * PAGE });
  t.deepEqual(seen(), [256 * PAGE, 257 * PAGE]);
});

test('two maps that share a line: each leaves its own page visible when it is synced, and a stale neighbour cleans nothing away', (t) => {
  for (const name of CLEANER_NAMES) {
    const b = bench(name);
    map(b, 0);
    map(b, PAGE);
    b.table.perform({ op: 'sync-map', iova: 0, size: PAGE });
    t.is(stale(b, 0, PAGE).frames, 0, name);
    b.table.perform({ op: 'unmap', iova: 0, pageSize: PAGE, count: 1 });
    b.table.perform({ op: 'sync-map', iova: PAGE, size: PAGE });
    t.is(stale(b, 0, 2 * PAGE).frames, 0, name);
  }
});

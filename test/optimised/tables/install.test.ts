/** Two CPUs make the same tables: every order of their steps, and what the pointers say about their cleans. */
import test from 'ava';
import { Cpu } from '../../../src/memory/cpu.js';
import { Journal } from '../../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../../src/memory/memory.js';
import { Pages } from '../../../src/memory/pages.js';
import { WalkerView } from '../../../src/memory/walker-view.js';
import { HI_SW_SYNC } from '../../../src/optimised/tables/format.js';
import { makeCleaner } from '../../../src/optimised/tables/cleaners/cleaners.js';
import { openTable, ownTableParts, roomOf, tableSteps } from '../../../src/optimised/tables/page-table.js';
import type { TableHooks, TableParts } from '../../../src/optimised/tables/room.js';
import { flatten, newFlattened } from '../../../src/reference/tables/flatten.js';
import type { TableOperation, TableVariant } from '../../../src/stack/page-table.js';
import { PLAIN, rig } from './rig.js';

const HOOKS: TableHooks = { *flush(room) { room.cpu.barrier('before-invs'); } };

interface Outcome {
  readonly steps: number;
  readonly wrong: string;
}

/** Runs both calls; the n-th bit of `order` says who makes the n-th step, as long as both have steps left. */
function together(variant: TableVariant, calls: readonly TableOperation[], order: number, parts: TableParts): Outcome {
  const memory = new Memory(new Journal(), 48);
  const pages = new Pages(memory);
  const view = new WalkerView(memory, (slot) => pages.ownerOf(slot) === 'table' || pages.ownerOf(slot) === null);
  pages.observer = view;
  const geometry = { ...PLAIN, inputBits: 30 };
  const table = openTable({ geometry, variant, coherent: false, cpu: new Cpu(memory), pages, cleaner: makeCleaner('eager'), hooks: HOOKS, parts });
  if (table === undefined) throw new Error('no memory');
  const running = calls.map((op) => tableSteps.perform(roomOf(table.room, new Cpu(memory)), op));
  let steps = 0;
  while (running.length > 0) {
    const who = running.length === 2 ? (order >> steps) & 1 : 0;
    steps += running.length === 2 ? 1 : 0;
    const done = running[who]?.next();
    if (done?.done === true) {
      if (done.value.code !== 'ok') return { steps, wrong: done.value.code };
      running.splice(who, 1);
    }
  }
  const found = flatten(view.memory, { geometry, startLevel: 2, frame: RAM_BASE + table.room.root }, newFlattened(geometry));
  const wrong = found.faults[0] ?? (found.leaves.length === 2 ? '' : `the walker finds ${found.leaves.length} leaves`);
  return { steps, wrong: wrong !== '' ? wrong : pages.pagesInUse === 2 && pages.fault === null ? '' : `${pages.pagesInUse} frames in use` };
}

const page = (iova: number): TableOperation => ({ op: 'map', iova, pa: iova, pageSize: 4096, count: 1, prot: 'rw' });
const CALLS = [page(0), page(0x1000)];
/** Orders of so many first steps: by then both have made their tables. */
const BITS = 9;

for (const variant of ['io-pgtable', 'iommupt'] as const) {
  test(`${variant}: both pages are there, the walker sees them, and no table is lost, in every order`, (t) => {
    const parts = ownTableParts('steps');
    let most = 0;
    for (let order = 0; order < 1 << BITS; order += 1) {
      const { steps, wrong } = together(variant, CALLS, order, parts);
      if (wrong !== '') t.fail(`order ${order.toString(2)}: ${wrong}`);
      most = Math.max(most, steps);
    }
    t.true(most >= BITS);
  });
}

test('a loser that keeps its own table, and one that does not give it back, are noticed', (t) => {
  const own = ownTableParts('steps');
  const stubborn: TableParts = { ...own, *install(room, ref, fresh) {
    yield* own.install(room, ref, fresh);
    return fresh;
  } };
  const greedy: TableParts = { ...own, *install(room, ref, fresh) {
    const slot = yield* own.install({ ...room, pages: { allocateTable: (n) => room.pages.allocateTable(n), releaseTable: () => undefined } }, ref, fresh);
    return slot;
  } };
  for (const parts of [stubborn, greedy]) {
    t.true(Array.from({ length: 1 << 9 }, (_, order) => together('io-pgtable', CALLS, order, parts).wrong).some((w) => w !== ''));
  }
});

test('a pointer says that it is clean, and the walker sees it and an empty table', (t) => {
  const { table, memory, view } = rig({ coherent: false });
  table.map({ iova: 0, pa: 0x5000, pageSize: 4096, count: 1, prot: 'rw' });
  const ref = table.room.root * 512;
  t.is((memory.hi[ref] as number) & HI_SW_SYNC, HI_SW_SYNC);
  t.is(view?.memory.lo[ref], memory.lo[ref]);
  // Three tables of 64 lines and their pointers; the root's 64 lines.
  t.deepEqual([table.room.upkeep.lines, table.room.upkeep.calls], [64 + 3 * 65, 7]);
  t.deepEqual([table.room.cleaner.cost.lines, table.room.cleaner.cost.calls], [1, 1]);
});

test('who meets a pointer that is not marked cleans it', (t) => {
  const { table, memory, cpu } = rig({ coherent: false });
  table.map({ iova: 0, pa: 0, pageSize: 4096, count: 1, prot: 'rw' });
  const ref = table.room.root * 512;
  memory.commit(ref, memory.lo[ref] as number, (memory.hi[ref] as number) & ~HI_SW_SYNC);
  const before = table.room.upkeep.calls;
  table.map({ iova: 4096, pa: 0, pageSize: 4096, count: 1, prot: 'rw' });
  t.is(table.room.upkeep.calls, before + 1);
  t.is(cpu.pending, 0);
});

test('a coherent table pays for no clean at all', (t) => {
  const { table, cpu } = rig();
  table.perform({ op: 'map', iova: 0, pa: 0, pageSize: 4096, count: 600, prot: 'rw' });
  table.perform({ op: 'unmap', iova: 0, pageSize: 4096, count: 600 });
  t.is(cpu.cleanCalls, 0);
  t.is(table.syncMap, null);
  t.is((table.room.cpu.loadHi(table.room.root * 512) as number) & HI_SW_SYNC, 0);
});

/** The walkers' view: what reaches it and when, ghosts of what stood in a page before, and undo. */
import test from 'ava';
import { Cpu } from '../../src/memory/cpu.js';
import { Journal } from '../../src/memory/journal.js';
import { Memory } from '../../src/memory/memory.js';
import { Pages, type PageOwner } from '../../src/memory/pages.js';
import { NO_EVICTION, WalkerView } from '../../src/memory/walker-view.js';

interface Rig {
  readonly memory: Memory;
  readonly view: WalkerView;
  readonly pages: Pages;
  readonly cpu: Cpu;
}

function rig(eviction = NO_EVICTION): Rig {
  const memory = new Memory(new Journal());
  const pages = new Pages(memory);
  const view = new WalkerView(memory, (slot) => { const o = pages.ownerOf(slot); return o === 'table' || o === null; }, eviction);
  pages.observer = view;
  return { memory, view, pages, cpu: new Cpu(memory) };
}

function page(r: Rig, owner: PageOwner = 'table'): number {
  const slot = r.pages.allocate(owner);
  if (owner === 'table') r.cpu.clean(slot * 512, 512, 'new-table');
  return slot * 512;
}

test('a store to a table reaches the walker when its line is cleaned, and not before', (t) => {
  const r = rig();
  const ref = page(r);
  r.cpu.store(ref + 3, 7, 9);
  r.cpu.drainAll();
  t.deepEqual([r.memory.lo[ref + 3], r.view.memory.lo[ref + 3], r.view.dirtyLines], [7, 0, 1]);
  t.is(r.cpu.clean(ref + 3, 1, 'leaves'), 1);
  t.deepEqual([r.view.memory.lo[ref + 3], r.view.memory.hi[ref + 3], r.view.dirtyLines], [7, 9, 0]);
});

test('a clean takes whole lines, all that the words touch, and counts them dirty or not', (t) => {
  const r = rig();
  const ref = page(r);
  for (let i = 0; i < 32; i += 1) r.memory.commit(ref + i, i + 1, 0);
  const before = [r.view.cleans, r.view.calls];
  t.is(r.cpu.clean(ref + 15, 2, 'leaves'), 2);
  t.deepEqual(Array.from({ length: 32 }, (_, i) => r.view.memory.lo[ref + i] !== 0 ? 1 : 0).join(''), '00000000111111111111111100000000');
  t.is(r.cpu.clean(ref + 15, 2, 'leaves'), 2);
  t.deepEqual([r.view.cleans, r.view.calls], [(before[0] as number) + 4, (before[1] as number) + 2]);
  t.deepEqual([r.view.clean(ref + 24, 1), r.view.clean(ref + 24, 8), r.view.clean(ref + 31, 2), r.view.memory.lo[ref + 24]], [1, 1, 2, 25]);
});

test('queues, CDs and objects are the same in both views, whoever writes', (t) => {
  const r = rig();
  const cd = page(r, 'cd');
  const object = r.pages.allocateObject(2);
  r.memory.commit(cd + 1, 5, 6);
  r.memory.commit(object, 8, 0);
  r.view.memory.commit(cd + 2, 7, 0);
  t.deepEqual([r.view.memory.lo[cd + 1], r.view.memory.hi[cd + 1], r.view.memory.lo[object], r.memory.lo[cd + 2]], [5, 6, 8, 7]);
  t.is(r.view.dirtyLines, 0);
});

test('a clean makes this CPU\'s stores to its lines visible first, and leaves others where they are', (t) => {
  const r = rig();
  const ref = page(r);
  r.cpu.store(ref, 1, 0);
  r.cpu.store(ref + 8, 2, 0);
  r.cpu.clean(ref + 4, 1, 'leaves');
  t.deepEqual([r.view.memory.lo[ref], r.memory.lo[ref + 8], r.cpu.pending], [1, 0, 1]);
});

test('a new table shows the walker what stood in its page before', (t) => {
  const r = rig();
  const ref = page(r);
  r.memory.commit(ref + 9, 0x703, 0);
  r.cpu.clean(ref + 9, 1, 'leaves');
  r.pages.release(ref / 512);
  t.is(r.view.dirtyLines, 0);
  t.is(r.pages.allocate('table'), ref / 512);
  t.deepEqual([r.memory.lo[ref + 9], r.view.memory.lo[ref + 9], r.view.isGhost(ref + 9), r.view.ghostIn(ref / 512), r.view.dirtyIn(ref / 512)], [0, 0x703, true, ref, 64]);
  r.cpu.clean(ref, 9, 'new-table');
  t.is(r.view.ghostIn(ref / 512), ref + 16);
  t.deepEqual([r.view.memory.lo[ref + 9], r.view.isGhost(ref + 9)], [0, false]);
});

test('a page that comes back as something uncached is the same in both views', (t) => {
  const r = rig();
  const ref = page(r);
  r.memory.commit(ref + 9, 0x703, 0);
  r.cpu.clean(ref + 9, 1, 'leaves');
  r.pages.release(ref / 512);
  t.is(r.pages.allocate('cd'), ref / 512);
  t.deepEqual([r.view.memory.lo[ref + 9], r.view.dirtyLines], [0, 0]);
});

test('evict writes back the n-th dirty line by address, modulo their number', (t) => {
  const r = rig();
  const ref = page(r);
  const other = page(r);
  for (const at of [other + 8, ref + 500, ref + 1]) r.memory.commit(at, 1, 0);
  t.deepEqual([0, 1, 2, 3].map((n) => r.view.dirtyLine(n) * 8), [ref, ref + 496, other + 8, ref]);
  t.true(r.view.evict(4));
  t.deepEqual([r.view.memory.lo[ref + 500], r.view.memory.lo[ref + 1], r.view.dirtyLines, r.view.cleans], [1, 0, 2, 128]);
  t.true(r.view.evict(0) && r.view.evict(0));
  t.false(r.view.evict(0));
});

test('lines are written back by themselves after every oneIn-th store, the same ones for the same seed', (t) => {
  const run = (seed: number): string => {
    const r = rig({ oneIn: 3, seed });
    const ref = page(r);
    const seen: number[] = [];
    for (let i = 0; i < 30; i += 1) {
      r.memory.commit(ref + i * 8, 1, 0);
      seen.push(r.view.dirtyLines);
    }
    t.is(r.view.dirtyLines, 20);
    return Array.from({ length: 30 }, (_, i) => r.view.memory.lo[ref + i * 8]).join('');
  };
  t.is(run(1), run(1));
  t.not(run(1), run(2));
});

test('with no view a clean does nothing, and is counted', (t) => {
  const cpu = new Cpu(new Memory(new Journal()));
  t.is(cpu.clean(0, 512, 'new-table'), 0);
  t.is(cpu.cleanCalls, 1);
});

test('memory that grows has room in both views', (t) => {
  const r = rig();
  let last = 0;
  for (let i = 0; i < 300; i += 1) last = page(r);
  r.memory.commit(last + 3, 4, 0);
  t.true(r.view.isDirty(last + 3));
  const queue = r.pages.allocateRun('queue', 1) * 512;
  r.memory.commit(queue, 4, 0);
  t.is(r.view.memory.lo[queue], 4);
});

test('everything is taken back: words, lines, ghosts, counters and what is drawn next', (t) => {
  const r = rig({ oneIn: 2, seed: 5 });
  const ref = page(r);
  r.memory.journal.recording = true;
  const state = (): unknown[] => [r.view.key(), r.view.dirtyLines, r.view.cleans, r.view.calls, r.cpu.cleanCalls, r.view.memory.lo.join(), r.memory.lo.join(), r.cpu.pendingKey(), r.view.ghostIn(ref / 512)];
  r.cpu.store(ref + 1, 3, 0);
  const before = state();
  const mark = r.memory.journal.mark();
  r.cpu.store(ref + 9, 3, 0);
  r.cpu.clean(ref, 1, 'leaves');
  r.cpu.drainAll();
  for (let i = 0; i < 9; i += 1) r.memory.commit(ref + i * 16, i, 1);
  const again = r.pages.allocate('table');
  r.cpu.clean(again * 512, 512, 'new-table');
  r.pages.release(ref / 512);
  r.view.evict(3);
  t.notDeepEqual(state(), before);
  r.memory.journal.undo(mark);
  t.deepEqual(state(), before);
});

/** Page owners and the heap: what is handed out, refused, given back, and misused. */
import test from 'ava';
import { Journal } from '../../src/memory/journal.js';
import { Memory } from '../../src/memory/memory.js';
import { HEAP_FRAMES, Pages, type PageOwner } from '../../src/memory/pages.js';

function pages(recording = false): Pages {
  const p = new Pages(new Memory(new Journal(), 4));
  p.memory.journal.recording = recording;
  return p;
}

test('an allocated page has its owner, room and zeros', (t) => {
  const p = pages();
  const a = p.allocate('table');
  const b = p.allocate('cd');
  t.not(a, b);
  t.is(p.ownerOf(a), 'table');
  t.is(p.ownerOf(b), 'cd');
  t.is(p.ownerOf(b + 1), null);
  t.is(p.pagesInUse, 2);
  t.true(p.memory.slots > b);
  t.is(p.memory.lo[a * 512], 0);
});

test('pages are never handed out of the heap', (t) => {
  const p = pages();
  t.is(p.ownerOf(0), 'heap');
  t.is(p.ownerOf(HEAP_FRAMES - 1), 'heap');
  t.true(p.allocate('table') >= HEAP_FRAMES);
});

test('a run is of neighbouring pages of one owner', (t) => {
  const p = pages();
  const first = p.allocateRun('queue', 3);
  t.deepEqual([0, 1, 2, 3].map((i) => p.ownerOf(first + i)), ['queue', 'queue', 'queue', null]);
  t.is(p.pagesInUse, 3);
  t.is(p.allocate('table'), first + 3);
  t.true(p.memory.slots >= first + 4);
});

test('a released page has no owner, is zeroed, and is handed out again', (t) => {
  const p = pages();
  const a = p.allocate('table');
  p.memory.commit(a * 512 + 7, 1, 2);
  p.release(a);
  t.is(p.ownerOf(a), null);
  t.is(p.pagesInUse, 0);
  t.deepEqual([p.memory.lo[a * 512 + 7], p.memory.hi[a * 512 + 7]], [0, 0]);
  t.is(p.allocate('cd'), a);
  t.is(p.ownerOf(a), 'cd');
});

test('listeners hear of a release while owner and contents still stand', (t) => {
  const p = pages();
  const heard: [number, PageOwner, number, PageOwner | null][] = [];
  p.listeners.push({ freed: (slot, owner) => { heard.push([slot, owner, p.memory.lo[slot * 512] as number, p.ownerOf(slot)]); } });
  const a = p.allocate('table');
  p.memory.commit(a * 512, 5, 0);
  p.release(a);
  t.deepEqual(heard, [[a, 'table', 5, 'table']]);
});

test('the zeros of a released page are stores that watchers see', (t) => {
  const p = pages();
  const a = p.allocate('table');
  p.memory.commit(a * 512 + 7, 1, 2);
  const seen: number[] = [];
  p.memory.watchers.push({ stored: (slot, index) => { seen.push(slot * 512 + index); } });
  p.memory.watch(a);
  p.release(a);
  t.deepEqual(seen, [a * 512 + 7]);
});

test('failNext refuses exactly one allocation, of a page or of an object', (t) => {
  const p = pages();
  p.failNext();
  t.is(p.allocate('table'), -1);
  t.is(p.refused, 1);
  t.true(p.allocate('table') >= 0);
  p.failNext();
  t.is(p.allocateObject(2), -1);
  t.is(p.refused, 2);
  t.true(p.allocateObject(2) >= 0);
  t.is(p.pagesInUse, 1);
  t.is(p.objectsInUse, 1);
});

test('releasing a page twice is a double free, and the first misuse is the one kept', (t) => {
  const p = pages();
  const a = p.allocate('table');
  p.release(a);
  t.is(p.fault, null);
  p.release(a);
  t.is(p.fault?.kind, 'double-free');
  const { fault } = p;
  p.releaseObject(9);
  t.is(p.fault, fault);
  t.is(p.pagesInUse, 0);
});

test('releasing a heap page or one that never was is a double free', (t) => {
  for (const slot of [0, 5000]) {
    const p = pages();
    p.release(slot);
    t.is(p.fault?.kind, 'double-free');
  }
});

test('objects are zeroed, apart from each other, and counted', (t) => {
  const p = pages();
  const a = p.allocateObject(3);
  const b = p.allocateObject(2);
  t.true(Math.abs(a - b) >= 2 && a !== b);
  t.true(b >= a + 3 || a >= b + 2);
  t.is(p.objectsInUse, 2);
  p.memory.commit(a, 9, 9);
  p.releaseObject(a);
  t.is(p.objectsInUse, 1);
  const again = p.allocateObject(3);
  t.is(again, a);
  t.deepEqual([p.memory.lo[a], p.memory.hi[a]], [0, 0]);
});

test('a freed object is reused only for its own size', (t) => {
  const p = pages();
  const a = p.allocateObject(3);
  p.releaseObject(a);
  t.not(p.allocateObject(2), a);
  t.is(p.allocateObject(3), a);
});

test('the heap has an end', (t) => {
  const p = pages();
  t.true(p.allocateObject(HEAP_FRAMES * 512) >= 0);
  t.is(p.allocateObject(1), -1);
  t.is(p.fault, null);
});

test('touching a live object is fine; after its release it is a use after free', (t) => {
  const p = pages();
  const a = p.allocateObject(3);
  p.touch(a + 2, 'the array');
  t.is(p.fault, null);
  p.releaseObject(a);
  p.touch(a + 2, 'the array');
  t.deepEqual(p.fault, { kind: 'use-after-free', what: 'the array' });
});

test('releasing an object twice is a double free', (t) => {
  const p = pages();
  const a = p.allocateObject(3);
  p.releaseObject(a);
  p.releaseObject(a);
  t.is(p.fault?.kind, 'double-free');
  t.is(p.objectsInUse, 0);
});

test('mark and undo bring owners, counters, objects, refusals and faults back', (t) => {
  const p = pages(true);
  const page = p.allocate('table');
  const spare = p.allocate('cd');
  const object = p.allocateObject(3);
  const old = p.allocateObject(2);
  p.memory.commit(page * 512 + 4, 1, 2);
  p.release(spare);
  p.releaseObject(old);
  const state = (): unknown[] => [
    p.pagesInUse, p.objectsInUse, p.refused, p.fault, p.ownerOf(page), p.ownerOf(spare), p.ownerOf(spare + 1),
    p.memory.lo[page * 512 + 4], p.memory.printA, p.memory.printB,
  ];
  const acts: Readonly<Record<string, () => void>> = {
    allocate: () => { p.allocate('table'); },
    'allocate two': () => { p.allocate('table'); p.allocate('queue'); },
    release: () => { p.release(page); },
    'release and reuse': () => { p.release(page); p.allocate('cd'); },
    'double free': () => { p.release(spare); },
    object: () => { p.memory.commit(p.allocateObject(2), 3, 3); },
    'fresh object': () => { p.memory.commit(p.allocateObject(5), 3, 3); },
    'release object': () => { p.releaseObject(object); },
    'double free of an object': () => { p.releaseObject(old); },
    touch: () => { p.touch(old, 'an old object'); },
    refuse: () => { p.failNext(); p.allocate('table'); },
  };
  for (const [name, act] of Object.entries(acts)) {
    const before = state();
    const mark = p.memory.journal.mark();
    act();
    t.notDeepEqual(state(), before, name);
    p.memory.journal.undo(mark);
    t.deepEqual(state(), before, name);
  }
  // What is handed out next is what would have been handed out at first.
  t.deepEqual([p.allocate('table'), p.allocate('table'), p.allocateObject(2), p.allocateObject(5)], [spare, spare + 1, old, old + 3]);
  p.touch(object, 'a live object');
  t.is(p.fault, null);
});

test('undo takes a refusal that was asked for back', (t) => {
  const p = pages(true);
  const mark = p.memory.journal.mark();
  p.failNext();
  p.memory.journal.undo(mark);
  t.true(p.allocate('table') >= 0);
});

test('a store that reaches a page after it was freed is a fault when the page is handed out again', (t) => {
  const memory = new Memory(new Journal());
  const pages = new Pages(memory);
  const slot = pages.allocate('table');
  pages.release(slot);
  memory.commit(slot * 512 + 7, 1, 0);
  t.is(pages.fault, null);
  t.is(pages.allocate('table'), slot);
  t.is(pages.fault?.kind, 'use-after-free');
  t.is(memory.lo[slot * 512 + 7], 0, 'the page is handed out as zeros all the same');
});

test('a freed page that nobody touches is handed out again without a fault', (t) => {
  const pages = new Pages(new Memory(new Journal()));
  const slot = pages.allocate('table');
  pages.release(slot);
  t.is(pages.allocate('table'), slot);
  t.is(pages.fault, null);
});

test('the word behind an object belongs to nobody: reading one entry too many is a fault', (t) => {
  const p = pages();
  const a = p.allocateObject(3);
  p.allocateObject(3);
  p.touch(a + 2, 'the last word');
  t.is(p.fault, null);
  p.touch(a + 3, 'one word too far');
  t.is(p.fault?.kind, 'use-after-free');
});

test('a table of several frames is aligned to its size; the gap in front is not lost', (t) => {
  const p = pages();
  const slot = p.allocateTable(16);
  t.is(p.memory.frameOf(slot) % 16, 0);
  t.deepEqual([slot - 1, slot, slot + 15, slot + 16].map((i) => p.ownerOf(i)), [null, 'table', 'table', null]);
  t.is(p.pagesInUse, 16);
  t.true(p.allocate('cd') < slot);
  t.true(p.allocateTable(16) >= slot + 16);
});

test('a table that was given back is handed out again to one of its size', (t) => {
  const p = pages();
  const heard: number[] = [];
  p.listeners.push({ freed: (slot, owner) => { t.is(owner, 'table'); t.is(p.memory.lo[slot * 512], 5); heard.push(slot); } });
  const slot = p.allocateTable(4);
  for (let i = 0; i < 4; i += 1) p.memory.commit((slot + i) * 512, 5, 0);
  p.releaseTable(slot, 4);
  t.deepEqual(heard, [slot, slot + 1, slot + 2, slot + 3]);
  t.is(p.pagesInUse, 0);
  t.not(p.allocateTable(8), slot);
  t.is(p.allocateTable(4), slot);
  t.is(p.memory.lo[(slot + 3) * 512], 0);
  t.is(p.fault, null);
});

test('a store to a freed table and a second release of one are noticed', (t) => {
  const p = pages();
  const slot = p.allocateTable(4);
  p.releaseTable(slot, 4);
  p.memory.commit((slot + 3) * 512 + 7, 1, 0);
  t.is(p.allocateTable(4), slot);
  t.is(p.fault?.kind, 'use-after-free');
  const q = pages();
  const other = q.allocateTable(4);
  q.releaseTable(other, 4);
  q.releaseTable(other, 4);
  t.is(q.fault?.kind, 'double-free');
});

test('tables are refused as pages are, and taken back with the journal', (t) => {
  const p = pages(true);
  const mark = p.memory.journal.mark();
  const first = p.allocateTable(16);
  const single = p.allocate('table');
  p.releaseTable(first, 16);
  t.is(p.allocateTable(16), first);
  p.memory.journal.undo(mark);
  t.is(p.pagesInUse, 0);
  t.is(p.allocateTable(16), first);
  t.is(p.allocate('table'), single);
  p.failNext();
  t.is(p.allocateTable(2), -1);
});

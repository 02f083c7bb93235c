/** Physical memory: what a committed store changes, who hears of it, and growth. */
import test from 'ava';
import { Journal } from '../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../src/memory/memory.js';

function watchedMemory(slots = 4): { readonly m: Memory; readonly heard: string[] } {
  const m = new Memory(new Journal(), slots);
  const heard: string[] = [];
  m.watchers.push({
    stored: (slot, index, oldLo, oldHi) => {
      const ref = slot * 512 + index;
      heard.push(`${slot}:${index} ${oldHi}:${oldLo} -> ${m.hi[ref]}:${m.lo[ref]}`);
    },
  });
  return { m, heard };
}

test('frames of the RAM window have slots; others have none', (t) => {
  const m = new Memory(new Journal(), 4);
  t.is(m.slotOf(RAM_BASE), 0);
  t.is(m.slotOf(RAM_BASE + 3), 3);
  t.is(m.slotOf(RAM_BASE + 4), -1);
  t.is(m.slotOf(RAM_BASE - 1), -1);
  t.is(m.frameOf(3), RAM_BASE + 3);
});

test('a commit changes the word, the page\'s version and the clock', (t) => {
  const m = new Memory(new Journal(), 4);
  m.commit(512 + 3, 7, 9);
  t.deepEqual([m.lo[515], m.hi[515], m.version[1], m.version[0], m.journal.clock.now], [7, 9, 1, 0, 1]);
});

test('a commit of what stands there changes nothing and is not heard', (t) => {
  const { m, heard } = watchedMemory();
  m.watch(1);
  m.commit(515, 7, 9);
  m.commit(515, 7, 9);
  t.is(heard.length, 1);
  t.is(m.version[1], 1);
  t.is(m.journal.clock.now, 1);
});

test('watchers hear of watched pages, with old value and new, and of no others', (t) => {
  const { m, heard } = watchedMemory();
  m.watch(1);
  m.commit(515, 7, 9);
  m.commit(515, 8, 9);
  m.commit(3, 1, 1);
  t.deepEqual(heard, ['1:3 0:0 -> 9:7', '1:3 9:7 -> 9:8']);
});

test('a page is watched until every watch was taken back', (t) => {
  const { m, heard } = watchedMemory();
  m.watch(1);
  m.watch(1);
  m.unwatch(1);
  m.commit(515, 1, 0);
  t.is(heard.length, 1);
  m.unwatch(1);
  m.commit(515, 2, 0);
  t.is(heard.length, 1);
});

test('growing keeps words, versions and watches, and makes room for at least what was asked', (t) => {
  const { m, heard } = watchedMemory(2);
  m.watch(1);
  m.commit(515, 7, 9);
  m.grow(9);
  t.true(m.slots >= 9);
  t.deepEqual([m.lo[515], m.hi[515], m.version[1], m.watched[1]], [7, 9, 1, 1]);
  t.is(m.slotOf(RAM_BASE + 8), 8);
  m.commit(8 * 512, 1, 2);
  t.is(m.hi[8 * 512], 2);
  m.commit(515, 0, 0);
  t.is(heard.length, 2);
});

test('growing to less than there is does nothing', (t) => {
  const m = new Memory(new Journal(), 8);
  const { lo } = m;
  m.grow(3);
  t.is(m.slots, 8);
  t.is(m.lo, lo);
});

test('zeroPage zeroes one page, watched or not, and moves its version and the clock', (t) => {
  for (const watched of [false, true]) {
    const { m, heard } = watchedMemory();
    for (const ref of [511, 512, 515, 1023, 1024]) m.commit(ref, 7, 9);
    if (watched) m.watch(1);
    const before = [m.version[1] as number, m.journal.clock.now];
    m.zeroPage(1);
    t.deepEqual([511, 512, 515, 1023, 1024].map((ref) => [m.lo[ref], m.hi[ref]]), [[7, 9], [0, 0], [0, 0], [0, 0], [7, 9]]);
    t.true((m.version[1] as number) > (before[0] as number) && m.journal.clock.now > (before[1] as number));
    t.deepEqual(heard, watched ? ['1:0 9:7 -> 0:0', '1:3 9:7 -> 0:0', '1:511 9:7 -> 0:0'] : []);
  }
});

test('zeroPage is taken back by the journal', (t) => {
  const { m } = watchedMemory();
  m.journal.recording = true;
  m.commit(515, 7, 9);
  const print = [m.printA, m.printB];
  const mark = m.journal.mark();
  m.zeroPage(1);
  m.journal.undo(mark);
  t.deepEqual([m.lo[515], m.hi[515], m.printA, m.printB], [7, 9, ...print]);
});

/** The journal: mark and undo, nesting, and the fingerprint of memory that returns with the words. */
import test from 'ava';
import { Journal } from '../../src/memory/journal.js';
import { Memory } from '../../src/memory/memory.js';
import { RandomChooser } from '../../src/stack/chooser.js';

function recorded(): Memory {
  const m = new Memory(new Journal(), 4);
  m.journal.recording = true;
  return m;
}

function state(m: Memory): unknown[] {
  return [m.printA, m.printB, m.journal.clock.now, m.lo.join(), m.hi.join(), m.version.join(), m.watched.join()];
}

test('undo takes back what was pushed since the mark, newest first, and the clock', (t) => {
  const journal = new Journal();
  const undone: number[] = [];
  journal.push(() => { undone.push(0); });
  journal.clock.now = 5;
  const mark = journal.mark();
  journal.push(() => { undone.push(1); });
  journal.push(() => { undone.push(2); });
  journal.clock.now = 9;
  journal.undo(mark);
  t.deepEqual(undone, [2, 1]);
  t.is(journal.clock.now, 5);
  journal.undo({ length: 0, now: 0 });
  t.deepEqual(undone, [2, 1, 0]);
});

test('undo restores words, versions, watches and the fingerprint', (t) => {
  const m = recorded();
  m.commit(3, 1, 2);
  m.watch(0);
  const before = state(m);
  const mark = m.journal.mark();
  m.commit(3, 5, 6);
  m.commit(600, 5, 6);
  m.watch(1);
  m.unwatch(0);
  t.notDeepEqual(state(m), before);
  m.journal.undo(mark);
  t.deepEqual(state(m), before);
});

test('marks nest', (t) => {
  const m = recorded();
  const outer = m.journal.mark();
  const atOuter = state(m);
  m.commit(3, 1, 2);
  const inner = m.journal.mark();
  const atInner = state(m);
  m.commit(3, 0, 0);
  m.commit(4, 7, 7);
  m.journal.undo(inner);
  t.deepEqual(state(m), atInner);
  m.journal.undo(outer);
  t.deepEqual(state(m), atOuter);
});

test('the fingerprint depends on the words, not on the way they came about', (t) => {
  const one = recorded();
  const two = recorded();
  one.commit(3, 1, 2);
  one.commit(4, 5, 6);
  two.commit(4, 9, 9);
  two.commit(4, 5, 6);
  two.commit(5, 1, 1);
  two.commit(3, 1, 2);
  two.commit(5, 0, 0);
  t.deepEqual([one.printA, one.printB], [two.printA, two.printB]);
});

test('the fingerprint tells apart word, value, and exchanged halves', (t) => {
  const prints = new Set<string>();
  for (const [ref, lo, hi] of [[3, 1, 2], [4, 1, 2], [3, 2, 1], [3, 1, 3], [3, 1, 0], [3, 0, 1], [3, 0, 0]] as const) {
    const m = recorded();
    m.commit(ref, lo, hi);
    prints.add(`${m.printA}:${m.printB}`);
  }
  t.is(prints.size, 7);
});

test('without recording nothing is kept', (t) => {
  const m = new Memory(new Journal(), 4);
  m.commit(3, 1, 2);
  m.watch(0);
  t.deepEqual(m.journal.mark(), { length: 0, now: 1 });
  t.deepEqual([m.printA, m.printB], [0, 0]);
});

test('random commits are taken back exactly, mark by mark', (t) => {
  const c = new RandomChooser('journal');
  for (let round = 0; round < 50; round += 1) {
    const m = recorded();
    const marks: { mark: ReturnType<Journal['mark']>; state: unknown[] }[] = [];
    for (let i = 0; i < 30; i += 1) {
      if (c.index(3) === 0) marks.push({ mark: m.journal.mark(), state: state(m) });
      m.commit(c.index(4) * 512 + c.index(3), c.index(3), c.index(2));
    }
    for (const saved of marks.reverse()) {
      m.journal.undo(saved.mark);
      t.deepEqual(state(m), saved.state);
    }
  }
});

/** A CPU's store buffer: who sees a store when, in which order stores become visible, and the step budget. */
import test from 'ava';
import { Cpu } from '../../src/memory/cpu.js';
import { Journal } from '../../src/memory/journal.js';
import { Memory, type MemoryWatcher } from '../../src/memory/memory.js';
import { Stuck } from '../../src/stack/violation.js';

const CAPACITY = 64;

function memory(): Memory {
  return new Memory(new Journal(), 4);
}

/** Words in the order in which they become visible. */
function order(m: Memory): number[] {
  const seen: number[] = [];
  const watcher: MemoryWatcher = { stored: (slot, index) => { seen.push(slot * 512 + index); } };
  m.watchers.push(watcher);
  for (let slot = 0; slot < m.slots; slot += 1) m.watch(slot);
  return seen;
}

test('a CPU sees its own store at once, both halves', (t) => {
  const cpu = new Cpu(memory());
  cpu.store(5, 7, 9);
  t.is(cpu.loadLo(5), 7);
  t.is(cpu.loadHi(5), 9);
});

test('nobody else sees a store before a barrier', (t) => {
  const m = memory();
  const cpu = new Cpu(m);
  const other = new Cpu(m);
  cpu.store(5, 7, 9);
  t.is(other.loadLo(5), 0);
  t.is(other.loadHi(5), 0);
  t.is(m.lo[5], 0);
  cpu.barrier('map-done');
  t.is(other.loadLo(5), 7);
  t.is(other.loadHi(5), 9);
  t.is(cpu.pending, 0);
});

test('a load of a word that only shares its hash with a pending one reads memory', (t) => {
  const m = memory();
  m.commit(5 + 32, 3, 4);
  const cpu = new Cpu(m);
  cpu.store(5, 7, 9);
  t.is(cpu.loadLo(5 + 32), 3);
  t.is(cpu.loadHi(5 + 32), 4);
});

test('the newest of several pending stores to a word is what its CPU sees', (t) => {
  for (const storeOrder of ['fifo', 'reverse'] as const) {
    const cpu = new Cpu(memory(), storeOrder);
    cpu.store(5, 1, 10);
    cpu.store(6, 9, 90);
    cpu.store(5, 2, 20);
    t.is(cpu.loadLo(5), 2);
    t.is(cpu.loadHi(5), 20);
  }
});

test('fifo: stores become visible oldest first', (t) => {
  const m = memory();
  const seen = order(m);
  const cpu = new Cpu(m);
  for (const ref of [8, 3, 600]) cpu.store(ref, 1, 0);
  cpu.barrier('map-done');
  t.deepEqual(seen, [8, 3, 600]);
});

test('reverse: stores become visible newest first', (t) => {
  const m = memory();
  const seen = order(m);
  const cpu = new Cpu(m, 'reverse');
  for (const ref of [8, 3, 600]) cpu.store(ref, 1, 0);
  cpu.barrier('map-done');
  t.deepEqual(seen, [600, 3, 8]);
});

test('whatever the order, the last store to a word is the one that stays', (t) => {
  for (const storeOrder of ['fifo', 'reverse'] as const) {
    const m = memory();
    const cpu = new Cpu(m, storeOrder);
    cpu.store(5, 1, 10);
    cpu.store(6, 3, 30);
    cpu.store(5, 2, 20);
    cpu.barrier('map-done');
    t.is(m.lo[5], 2);
    t.is(m.hi[5], 20);
  }
});

test('a full buffer lets its oldest store out, and only that', (t) => {
  const m = memory();
  const cpu = new Cpu(m);
  for (let ref = 0; ref < CAPACITY; ref += 1) cpu.store(ref, 1, 0);
  t.is(m.lo[0], 0);
  cpu.store(CAPACITY, 1, 0);
  t.is(m.lo[0], 1);
  t.is(m.lo[1], 0);
  t.is(cpu.pending, CAPACITY);
});

test('the environment may let the oldest store out at any time', (t) => {
  const m = memory();
  const cpu = new Cpu(m);
  cpu.store(5, 1, 0);
  cpu.store(6, 2, 0);
  cpu.drainOldest();
  t.is(m.lo[5], 1);
  t.is(m.lo[6], 0);
  t.is(cpu.loadLo(6), 2);
  cpu.drainOldest();
  cpu.drainOldest();
  t.is(m.lo[6], 2);
});

test('a barrier that the filter leaves out drains nothing; others do', (t) => {
  const m = memory();
  const cpu = new Cpu(m);
  cpu.barrierFilter = (site) => site !== 'before-invs';
  cpu.store(5, 1, 0);
  cpu.barrier('before-invs');
  t.is(m.lo[5], 0);
  cpu.barrier('map-done');
  t.is(m.lo[5], 1);
});

test('a run of stores advances the address field, across the halves too', (t) => {
  const m = memory();
  const cpu = new Cpu(m);
  cpu.storeRun(10, 3, 0xffffe003, 5, 1);
  cpu.storeRun(20, 2, 0x1003, 5, 0);
  cpu.drainAll();
  t.deepEqual([10, 11, 12].map((ref) => [m.lo[ref], m.hi[ref]]), [[0xffffe003, 5], [0xfffff003, 5], [0x3, 6]]);
  t.deepEqual([20, 21].map((ref) => [m.lo[ref], m.hi[ref]]), [[0x1003, 5], [0x1003, 5]]);
});

test('a run longer than the buffer leaves what single stores leave', (t) => {
  const runs = ([fast, older]: readonly [boolean, number]): unknown[] => {
    const m = memory();
    const seen = order(m);
    const cpu = new Cpu(m);
    for (let i = 0; i < older; i += 1) cpu.store(900 + i, 1, 1);
    cpu.begin();
    if (fast) cpu.storeRun(100, CAPACITY + 6, 0x1003, 7, 1);
    else for (let i = 0; i < CAPACITY + 6; i += 1) cpu.store(100 + i, 0x1003 + i * 4096, 7);
    return [seen.join(), cpu.pendingKey(), cpu.pending, cpu.steps, m.lo.join(), m.hi.join(), cpu.loadLo(100), cpu.loadLo(100 + CAPACITY)];
  };
  for (const older of [0, 3, CAPACITY]) t.deepEqual(runs([true, older]), runs([false, older]), `${older} older stores`);
});

test('the ring goes round: order and loads are right wherever the oldest store stands', (t) => {
  const m = memory();
  const seen = order(m);
  const cpu = new Cpu(m);
  for (let i = 0; i < CAPACITY; i += 1) cpu.store(i, 1, 0);
  for (let i = 0; i < 10; i += 1) cpu.drainOldest();
  for (let i = 0; i < 10; i += 1) cpu.store(600 + i, 2, i);
  t.is(cpu.loadHi(609), 9);
  t.is(cpu.loadLo(CAPACITY - 1), 1);
  cpu.drainAll();
  t.deepEqual(seen, [...Array.from({ length: CAPACITY }, (_, i) => i), ...Array.from({ length: 10 }, (_, i) => 600 + i)]);
});

test('drainOnly lets out the stores to the chosen pages, in their order, and keeps the others', (t) => {
  const m = memory();
  const seen = order(m);
  const cpu = new Cpu(m);
  for (const ref of [5, 600, 6, 601]) cpu.store(ref, ref, 0);
  cpu.store(600, 1, 1);
  cpu.drainOnly((slot) => slot === 1);
  t.deepEqual(seen, [600, 601, 600]);
  t.deepEqual([m.lo[600], m.hi[600], m.lo[5]], [1, 1, 0]);
  t.is(cpu.pending, 2);
  t.is(cpu.loadLo(6), 6);
  cpu.drainAll();
  t.deepEqual(seen, [600, 601, 600, 5, 6]);
});

test('loads, stores and polls count as steps; more than the budget is Stuck', (t) => {
  const cpu = new Cpu(memory());
  cpu.begin(3);
  cpu.store(5, 1, 0);
  cpu.loadLo(5);
  cpu.step('poll');
  t.is(cpu.steps, 3);
  t.throws(() => cpu.loadLo(5), { instanceOf: Stuck });
  cpu.begin(1);
  cpu.store(5, 1, 0);
  t.throws(() => cpu.store(6, 1, 0), { instanceOf: Stuck });
  cpu.begin(0);
  t.throws(() => cpu.step('waiting'), { instanceOf: Stuck, message: /waiting/ });
});

test('mark and undo bring pending stores and memory back', (t) => {
  const acts: readonly ((cpu: Cpu) => void)[] = [
    (cpu) => cpu.store(7, 3, 3), (cpu) => cpu.store(5, 8, 8), (cpu) => cpu.drainOldest(), (cpu) => cpu.drainAll(), (cpu) => cpu.barrier('map-done'),
    (cpu) => cpu.drainOnly(() => true), (cpu) => cpu.storeRun(200, CAPACITY + 9, 3, 0, 1),
    (cpu) => { for (let i = 0; i < CAPACITY + 2; i += 1) cpu.store(100 + i, i, 0); },
  ];
  for (const storeOrder of ['fifo', 'reverse'] as const) {
    acts.forEach((act, i) => {
      const m = memory();
      m.journal.recording = true;
      const cpu = new Cpu(m, storeOrder);
      cpu.store(5, 1, 10);
      cpu.store(6, 2, 20);
      const before = [cpu.pendingKey(), cpu.pending, m.printA, m.printB, m.lo.join(), m.hi.join()];
      const mark = m.journal.mark();
      act(cpu);
      t.notDeepEqual([cpu.pendingKey(), cpu.pending, m.printA, m.printB, m.lo.join(), m.hi.join()], before, `act ${i}`);
      m.journal.undo(mark);
      t.deepEqual([cpu.pendingKey(), cpu.pending, m.printA, m.printB, m.lo.join(), m.hi.join()], before, `act ${i}`);
      t.deepEqual([cpu.loadLo(5), cpu.loadHi(5), cpu.loadLo(6)], [1, 10, 2], `act ${i}`);
    });
  }
});

test('a compare-exchange is seen at once, and only where the old value stands', (t) => {
  const m = memory();
  const cpu = new Cpu(m);
  t.true(cpu.compareExchange(5, 0, 0, 7, 9));
  t.deepEqual([m.lo[5], m.hi[5]], [7, 9]);
  t.false(cpu.compareExchange(5, 0, 0, 1, 1));
  t.false(cpu.compareExchange(5, 7, 0, 1, 1));
  t.deepEqual([m.lo[5], m.hi[5]], [7, 9]);
});

test('an atomic comes after the same word\'s own stores, and leaves other stores behind', (t) => {
  for (const kind of ['fifo', 'reverse'] as const) {
    const m = memory();
    const cpu = new Cpu(m, kind);
    cpu.store(4, 1, 1);
    cpu.store(5, 2, 2);
    cpu.store(6, 3, 3);
    t.true(cpu.compareExchange(5, 2, 2, 7, 9));
    t.deepEqual([m.lo[4], m.lo[5], m.lo[6]], [0, 7, 0]);
    t.is(cpu.pending, 2);
    t.is(cpu.loadLo(4), 1);
    cpu.drainAll();
    t.deepEqual([m.lo[4], m.lo[5], m.lo[6]], [1, 7, 3]);
  }
});

test('bits are set and cleared at once, bit 31 as well', (t) => {
  const m = memory();
  const cpu = new Cpu(m);
  cpu.store(5, 0x80, 1);
  cpu.setBits(5, 0x8000_0000, 2);
  t.deepEqual([m.lo[5], m.hi[5]], [0x8000_0080, 3]);
  cpu.clearBits(5, 0x80, 1);
  t.deepEqual([m.lo[5], m.hi[5]], [0x8000_0000, 2]);
});

test('atomics count as work', (t) => {
  const cpu = new Cpu(memory());
  cpu.begin(2);
  cpu.compareExchange(1, 0, 0, 1, 0);
  cpu.setBits(1, 2, 0);
  t.throws(() => { cpu.clearBits(1, 2, 0); }, { instanceOf: Stuck });
});

/** Commands that were published and not heard of yet: which entries they are, and whether one of them is another now. */
import test from 'ava';
import { Journal } from '../../src/memory/journal.js';
import { Memory } from '../../src/memory/memory.js';
import { Published } from '../../src/qemu/published.js';

const RAM = 0x100000000;
const QUEUE = RAM + 0x3000;
/** Reference of the first word of an entry of the queue. */
const entry = (index: number): number => (QUEUE - RAM) / 8 + 2 * index;

function published(from: number, to: number, log2 = 4, log2Max = 19): { readonly memory: Memory; readonly commands: Published } {
  const memory = new Memory(new Journal(), 16);
  const commands = new Published();
  commands.publish(memory, { base: QUEUE + log2, log2Max }, from, to);
  return { memory, commands };
}

/** Entries that are watched, of those of a queue of 16. */
function watchedEntries(from: number, to: number, log2 = 4, log2Max = 19): number[] {
  return Array.from({ length: 16 }, (_, i) => i).filter((i) => {
    const { memory, commands } = published(from, to, log2, log2Max);
    memory.commit(entry(i), 1, 0);
    return commands.altered(memory);
  });
}

test('the entries from one PROD up to another', (t) => {
  t.deepEqual(watchedEntries(2, 5), [2, 3, 4]);
  t.deepEqual(watchedEntries(5, 5), []);
});

test('over the end of the queue, whatever the wrap bit', (t) => {
  t.deepEqual(watchedEntries(14, 18), [0, 1, 14, 15]);
  t.deepEqual(watchedEntries(30, 1), [0, 14, 15]);
  t.is(watchedEntries(3, 19).length, 16, 'a full queue');
});

test('bits of PROD that are no pointer of this queue are left out', (t) => {
  t.deepEqual(watchedEntries(0x80000002, 0x02000064), [2, 3]);
  t.deepEqual(watchedEntries(0x80000002, 2), []);
});

test('a queue is no larger than the SMMU has', (t) => {
  t.deepEqual(watchedEntries(3, 5, 4, 2), [0, 3]);
});

test('each of the four words counts, and what is put back is as it was', (t) => {
  for (const [ref, lo, hi] of [[entry(2), 9, 0], [entry(2), 0, 9], [entry(2) + 1, 9, 0], [entry(2) + 1, 0, 9]] as const) {
    const { memory, commands } = published(2, 3);
    t.false(commands.altered(memory));
    memory.commit(ref, lo, hi);
    t.true(commands.altered(memory), `${ref} ${lo} ${hi}`);
    memory.commit(ref, 0, 0);
    t.false(commands.altered(memory));
  }
});

test('what stood there when PROD was written counts, not what stood there before', (t) => {
  const memory = new Memory(new Journal(), 16);
  const commands = new Published();
  memory.commit(entry(0), 4, 0);
  commands.publish(memory, { base: QUEUE + 4, log2Max: 19 }, 0, 1);
  memory.commit(entry(0), 0, 0);
  t.true(commands.altered(memory));
});

test('several doorbells add up, until they are heard', (t) => {
  const { memory, commands } = published(0, 1);
  commands.publish(memory, { base: QUEUE + 4, log2Max: 19 }, 1, 2);
  memory.commit(entry(0), 1, 0);
  t.true(commands.altered(memory));
  commands.clear();
  t.false(commands.altered(memory));
});

test('base is the address of the queue, aligned to its size', (t) => {
  t.is(published(0, 1).commands.base, QUEUE);
  t.is(published(0, 1, 9).commands.base, RAM + 0x2000);
});

test('entries outside of memory do not matter', (t) => {
  const memory = new Memory(new Journal(), 4);
  const commands = new Published();
  commands.publish(memory, { base: RAM + 0x10000 + 4, log2Max: 19 }, 0, 3);
  memory.commit(entry(0), 1, 0);
  t.false(commands.altered(memory));
});

/** The guest's memory as a file: what of the modelled memory stands in it and when, and how pages that devices reach are recognised. */
import test, { type ExecutionContext } from 'ava';
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Journal } from '../../src/memory/journal.js';
import { Memory, RAM_BASE, WORDS_PER_FRAME } from '../../src/memory/memory.js';
import { GUEST_BYTES, GUEST_END, GUEST_FIRST, GuestRam, READ_OFFSET, WRITE_OFFSET } from '../../src/qemu/ram.js';
import { leafAllowed, levelFrames, TGS } from '../../src/spec/granule.js';
import { folder } from '../cli/program.js';

/** Frames of guest RAM that are nobody's structure. */
const DATA = 0x90000;
const OTHER = 0xa0000;

interface Rig {
  readonly ram: GuestRam;
  readonly memory: Memory;
  /** Bytes of the file at a byte address of the guest. */
  at(address: number, length: number): string;
  put(address: number, hex: string): void;
}

function started(t: ExecutionContext, slots = 32): Rig {
  const fd = openSync(join(folder(), 'ram'), 'w+');
  t.teardown(() => { closeSync(fd); });
  ftruncateSync(fd, GUEST_BYTES);
  const ram = new GuestRam(fd);
  const memory = new Memory(new Journal(), slots);
  ram.begin(memory);
  return {
    ram, memory,
    at: (address, length) => {
      const bytes = Buffer.alloc(length);
      readSync(fd, bytes, 0, length, address - GUEST_FIRST * 4096);
      return bytes.toString('hex');
    },
    put: (address, hex) => { writeSync(fd, Buffer.from(hex, 'hex'), 0, hex.length / 2, address - GUEST_FIRST * 4096); },
  };
}

/** Byte address of a word of a page of the modelled memory. */
function word(slot: number, index: number): number {
  return (RAM_BASE + slot) * 4096 + index * 8;
}

/** A device has written to a frame. */
function mark(r: Rig, frame: number): void {
  r.put(frame * 4096 + WRITE_OFFSET, 'ffffffff00000000');
}

test('every word stands where the guest looks for it', (t) => {
  const r = started(t);
  r.memory.commit(3 * WORDS_PER_FRAME + 5, 0x11223344, 0x55667788);
  r.memory.commit(31 * WORDS_PER_FRAME + 511, 0x80000001, 0xfffffffe);
  t.is(r.at(word(3, 5), 8), '0000000000000000', 'not before it is mirrored');
  r.ram.mirror();
  t.is(r.at(word(3, 4), 24), '000000000000000044332211887766550000000000000000');
  t.is(r.at(word(31, 511), 8), '01000080feffffff');
});

test('read: words at a byte address of the guest', (t) => {
  const r = started(t);
  r.put(word(2, 4), '01000000020000000300000004000000');
  const words = new Uint32Array(4);
  r.ram.read(word(2, 4), words);
  t.deepEqual([...words], [1, 2, 3, 4]);
});

test('only pages that have changed are written', (t) => {
  const r = started(t);
  r.memory.commit(2 * WORDS_PER_FRAME, 1, 0);
  r.memory.commit(4 * WORDS_PER_FRAME, 1, 0);
  r.ram.mirror();
  r.put(word(2, 9), 'aa');
  r.put(word(4, 9), 'bb');
  r.memory.commit(4 * WORDS_PER_FRAME, 2, 0);
  r.ram.mirror();
  t.is(r.at(word(2, 9), 1), 'aa', 'a page that is as it was');
  t.is(r.at(word(4, 9), 1), '00');
});

test('memory that has grown is mirrored, and what was written before is not written again', (t) => {
  const r = started(t, 16);
  r.memory.commit(2 * WORDS_PER_FRAME, 1, 0);
  r.ram.mirror();
  r.put(word(2, 9), 'aa');
  r.memory.grow(40);
  r.memory.commit(39 * WORDS_PER_FRAME, 7, 0);
  r.ram.mirror();
  t.is(r.at(word(39, 0), 8), '0700000000000000');
  t.is(r.at(word(2, 9), 1), 'aa');
});

test('changed: another page than the one at an address waits to be written', (t) => {
  const { ram, memory } = started(t);
  t.false(ram.changed(word(3, 0)));
  memory.commit(3 * WORDS_PER_FRAME + 20, 1, 0);
  t.false(ram.changed(word(3, 500)));
  t.true(ram.changed(word(4, 0)));
  ram.mirror();
  t.false(ram.changed(word(4, 0)));
});

for (const [what, slots] of [['few pages', [0, 5, 63]], ['many pages', [2, 64, 100]]] as const) {
  test(`begin: nothing is left of before, ${what}`, (t) => {
    const r = started(t, 128);
    for (const slot of slots) r.memory.commit(slot * WORDS_PER_FRAME + 511, 1, 1);
    r.ram.mirror();
    r.ram.begin(new Memory(new Journal(), 128));
    r.ram.mirror();
    for (const slot of slots) t.is(r.at(word(slot, 511), 8), '0000000000000000', `page ${slot}`);
  });
}

test('begin: named frames are forgotten, tags stay', (t) => {
  const { ram, memory } = started(t);
  memory.commit(0, (DATA % 0x100000) * 4096 + 3, 0);
  ram.mirror();
  ram.tag(DATA);
  ram.tag(OTHER);
  ram.begin(new Memory(new Journal(), 32));
  t.deepEqual([...ram.conceivable(7)], [7]);
  t.deepEqual([DATA, OTHER].map((f) => ram.tagOf(f)), [1, 2]);
  t.deepEqual([1, 2, 3].map((tag) => ram.frameOf(tag)), [DATA, OTHER, -1]);
});

test('begin: a tagged page that the modelled memory reaches now is empty', (t) => {
  const r = started(t);
  r.ram.tag(RAM_BASE + 40);
  r.ram.tag(RAM_BASE + 80);
  r.ram.begin(new Memory(new Journal(), 64));
  t.is(r.at((RAM_BASE + 40) * 4096, 4096), '00'.repeat(4096));
  t.is(r.ram.frameOf(1), -1);
  t.is(r.ram.tagOf(RAM_BASE + 80), 2, 'behind it nothing changes');
  r.ram.begin(new Memory(new Journal(), 32));
  r.ram.tag(RAM_BASE + 40);
  t.is(r.ram.tagOf(RAM_BASE + 40), 3, 'no tag is given twice');
});

test('begin: a memory that already holds something is mirrored', (t) => {
  const r = started(t);
  const memory = new Memory(new Journal(), 32);
  memory.commit(6 * WORDS_PER_FRAME, 5, 0);
  r.ram.begin(memory);
  r.ram.mirror();
  t.is(r.at(word(6, 0), 8), '0500000000000000');
});

test('begin: pages are compared with what stands in the file now, not with how often they had changed before', (t) => {
  const r = started(t);
  r.memory.commit(2 * WORDS_PER_FRAME, 1, 0);
  r.ram.mirror();
  const memory = new Memory(new Journal(), 32);
  r.ram.begin(memory);
  memory.commit(2 * WORDS_PER_FRAME, 9, 0);
  r.ram.mirror();
  t.is(r.at(word(2, 0), 8), '0900000000000000');
});

test('what is RAM: 16 GB from 1 GB on', (t) => {
  const { ram } = started(t);
  t.deepEqual([GUEST_FIRST - 1, GUEST_FIRST, GUEST_END - 1, GUEST_END].map((f) => ram.isRam(f)), [false, true, true, false]);
  t.deepEqual([GUEST_FIRST * 4096, GUEST_END * 4096], [2 ** 30, 17 * 2 ** 30]);
});

test('a tag: each frame has its own number, in the two bytes that come back', (t) => {
  const r = started(t);
  r.ram.tag(DATA);
  r.ram.tag(OTHER);
  r.ram.tag(DATA);
  t.deepEqual([DATA, OTHER, DATA + 1].map((f) => r.ram.tagOf(f)), [1, 2, 0]);
  t.deepEqual([0, 1, 2, 3].map((tag) => r.ram.frameOf(tag)), [-1, DATA, OTHER, -1]);
  t.is(r.at(DATA * 4096 + READ_OFFSET, 8), '0000000001000000');
  t.is(r.at(OTHER * 4096 + READ_OFFSET, 8), '0000000002000000');
});

test('tags are never used up: others lose theirs, and none is that of another', (t) => {
  const r = started(t);
  const many = Array.from({ length: 40_000 }, (_, i) => DATA + i);
  r.ram.tagAll(many, many.length);
  t.is(r.ram.tagOf(DATA + 39_999), 40_000);
  const more = many.map((frame) => frame + 50_000);
  r.ram.tagAll(more, more.length);
  t.is(r.ram.tagOf(DATA + 50_000), 1);
  t.is(r.ram.tagOf(DATA), 0);
  t.is(r.at(DATA * 4096 + READ_OFFSET + 4, 2), '0000', 'and it is gone from the page');
  const all = Array.from({ length: 70_000 }, (_, i) => DATA + i);
  r.ram.tagAll(all, all.length);
  t.is(r.ram.tagOf(DATA + 65_534), 65_535);
  t.is(r.ram.tagOf(DATA + 65_535), 0, 'there are no more');
});

test('begin: a file that holds many pages is emptied', (t) => {
  const r = started(t);
  r.memory.commit(3 * WORDS_PER_FRAME, 1, 2);
  r.ram.mirror();
  for (let i = 0; i < 2100; i += 1) r.ram.tag(DATA + i);
  const memory = new Memory(new Journal(), 32);
  r.ram.begin(memory);
  t.is(r.ram.tagOf(DATA), 0);
  t.is(r.at(DATA * 4096 + READ_OFFSET + 4, 2), '0000');
  t.is(r.at(word(3, 0), 8), '0000000000000000');
  t.is(r.at((GUEST_END - 1) * 4096, 2), '0000', 'as large as it was');
  r.ram.tag(OTHER);
  t.is(r.ram.tagOf(OTHER), 1);
});

test('no tag outside of RAM, and none in the modelled memory', (t) => {
  const r = started(t);
  for (const frame of [GUEST_FIRST - 1, GUEST_END, RAM_BASE + 3]) r.ram.tag(frame);
  t.is(r.ram.frameOf(1), -1);
  t.is(r.at((RAM_BASE + 3) * 4096 + READ_OFFSET, 8), '0000000000000000');
  r.ram.tag(RAM_BASE + 32);
  t.is(r.ram.tagOf(RAM_BASE + 32), 1, 'behind it there is');
});

test('in the modelled memory a device reads what stands there', (t) => {
  const { ram, memory } = started(t);
  memory.commit(3 * WORDS_PER_FRAME + READ_OFFSET / 8, 0x11112222, 0x33334444);
  t.is(ram.tagOf(RAM_BASE + 3), 0x4444);
  t.is(ram.tagOf(RAM_BASE + 4), 0);
});

test('conceivable: where a page or block of any granule may lead that a valid descriptor has named', (t) => {
  const { ram, memory } = started(t);
  const input = 0x7fffe;
  t.deepEqual([...ram.conceivable(input)], [input], 'untranslated');
  const named = 0x12345678;
  memory.commit(9, (named % 0x100000) * 4096 + 1, Math.floor(named / 0x100000) + 0x7fff0000);
  memory.commit(10, 0x6789a000, 0); // not valid
  ram.mirror();
  const spans = TGS.flatMap((tg) => [1, 2, 3].filter((level) => leafAllowed(tg, level)).map((level) => levelFrames(tg, level)));
  t.is(spans.length, 7);
  t.deepEqual([...ram.conceivable(input)].sort((a, b) => a - b), [input, ...spans.map((span) => named - (named % span) + (input % span))].sort((a, b) => a - b));
});

test('conceivable: what was named stays named when the descriptor goes', (t) => {
  const { ram, memory } = started(t);
  memory.commit(9, DATA * 4096 + 3, 0);
  ram.mirror();
  memory.commit(9, 0, 0);
  ram.mirror();
  t.true(ram.conceivable(0).has(DATA));
});

test('a mark: a write is seen once', (t) => {
  const r = started(t);
  t.false(r.ram.takeMark(DATA));
  mark(r, DATA);
  t.false(r.ram.takeMark(OTHER));
  t.true(r.ram.takeMark(DATA));
  t.false(r.ram.takeMark(DATA));
  t.is(r.at(DATA * 4096 + WRITE_OFFSET, 8), '0000000000000000');
});

test('what each device writes is a mark, and nothing else is', (t) => {
  const r = started(t);
  for (const [hex, marked] of [['ffffffff', true], ['78563412', true], ['00000000', false], ['12345678', false], ['ffffff7f', false]] as const) {
    r.put(DATA * 4096 + WRITE_OFFSET, hex);
    t.is(r.ram.takeMark(DATA), marked, hex);
  }
});

test('no mark outside of RAM', (t) => {
  const { ram } = started(t);
  t.false(ram.takeMark(GUEST_END));
  t.false(ram.takeMark(GUEST_FIRST - 1));
});

test('a mark in the modelled memory is undone with the next mirror', (t) => {
  const r = started(t);
  r.memory.commit(3 * WORDS_PER_FRAME + WRITE_OFFSET / 8, 0x01020304, 0);
  r.ram.mirror();
  mark(r, RAM_BASE + 3);
  t.true(r.ram.takeMark(RAM_BASE + 3));
  r.ram.mirror();
  t.is(r.at((RAM_BASE + 3) * 4096 + WRITE_OFFSET, 4), '04030201');
  t.false(r.ram.takeMark(RAM_BASE + 3));
});

test('begin: a mark is gone as well where the modelled memory had nothing', (t) => {
  const r = started(t);
  mark(r, RAM_BASE + 3);
  t.true(r.ram.takeMark(RAM_BASE + 3));
  r.ram.begin(new Memory(new Journal(), 32));
  t.false(r.ram.takeMark(RAM_BASE + 3));
});

test('neighbouring pages arrive in order, however many there are', (t) => {
  const r = started(t, 64);
  for (let slot = 3; slot < 40; slot += 1) r.memory.commit(slot * WORDS_PER_FRAME + 7, slot, 0);
  r.ram.mirror();
  for (let slot = 0; slot < 64; slot += 1) t.is(r.at(word(slot, 7), 1), slot >= 3 && slot < 40 ? slot.toString(16).padStart(2, '0') : '00', `page ${slot}`);
});

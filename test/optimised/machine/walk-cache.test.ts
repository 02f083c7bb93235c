/** Stale table pointers: who removes them (Leaf, TTL, ASID) and what they lead to (IHI 0070 §4.4.1.1). */
import test from 'ava';
import { OP, type Command } from '../../../src/spec/command.js';
import { Rig } from './rig.js';

/**
 * Frame 0x10 of ASID 7 was walked through the old level-3 table; then the level-2 descriptor was pointed to an empty one
 * and frame 0x11 mapped in the old. After `command`: does 0x11 answer through the stale pointer?
 */
function throughStalePointer(t: { is(a: unknown, b: unknown): unknown }, command: Partial<Command>): string {
  const rig = new Rig();
  const root = rig.stream(1, 7);
  rig.map(root, 0x10, 0x900);
  t.is(rig.read(1, 0x10), '0x900000');
  rig.map(root, 0x11, 0x901);
  rig.setTable(rig.descriptor(root, 0x10, 2), rig.page());
  rig.command(command);
  return rig.read(1, 0x11);
}

const REACHED = '0x901000';
const GONE = 'F_TRANSLATION';

test('Leaf = 1 keeps the table pointer: a new leaf in the old table is reached', (t) => {
  t.is(throughStalePointer(t, { op: OP.TLBI_NH_VA, asid: 7, frame: 0x10, leaf: 1 }), REACHED);
});

test('Leaf = 0 drops the table pointer', (t) => {
  t.is(throughStalePointer(t, { op: OP.TLBI_NH_VA, asid: 7, frame: 0x10 }), GONE);
});

test('Leaf = 0 of another ASID keeps the table pointer', (t) => {
  t.is(throughStalePointer(t, { op: OP.TLBI_NH_VA, asid: 8, frame: 0x10 }), REACHED);
});

test('Leaf = 0 outside the span of a table keeps its pointer', (t) => {
  t.is(throughStalePointer(t, { op: OP.TLBI_NH_VA, asid: 7, frame: 0x200 }), REACHED);
});

test('Leaf = 0 anywhere in the span of a table drops its pointer', (t) => {
  t.is(throughStalePointer(t, { op: OP.TLBI_NH_VA, asid: 7, frame: 0x1ff }), GONE);
});

test('NH_VAA with Leaf = 0 drops the table pointer', (t) => {
  t.is(throughStalePointer(t, { op: OP.TLBI_NH_VAA, frame: 0x10 }), GONE);
});

test('TTL = 3 with Leaf = 0 drops a level-2 table pointer', (t) => {
  t.is(throughStalePointer(t, { op: OP.TLBI_NH_VA, asid: 7, frame: 0x10, tg: 1, ttl: 3 }), GONE);
});

test('TTL = 2 with Leaf = 0 keeps a level-2 table pointer', (t) => {
  t.is(throughStalePointer(t, { op: OP.TLBI_NH_VA, asid: 7, frame: 0, tg: 1, ttl: 2 }), REACHED);
});

test('TTL = 2 with Leaf = 0 drops the pointers above level 2', (t) => {
  const rig = new Rig();
  const root = rig.stream(1, 7);
  rig.map(root, 0x10, 0x900);
  rig.read(1, 0x10);
  rig.command({ op: OP.TLBI_NH_VA, asid: 7, frame: 0, tg: 1, ttl: 2 });
  const levels: number[] = [];
  rig.machine.forEachTable((_asid, _frame, level) => levels.push(level));
  t.deepEqual(levels, [2]);
});

test('NH_ASID drops the table pointers of its ASID', (t) => {
  t.is(throughStalePointer(t, { op: OP.TLBI_NH_ASID, asid: 7 }), GONE);
});

test('NH_ASID keeps the table pointers of another ASID', (t) => {
  t.is(throughStalePointer(t, { op: OP.TLBI_NH_ASID, asid: 8 }), REACHED);
});

test('NH_ALL drops the table pointers', (t) => {
  t.is(throughStalePointer(t, { op: OP.TLBI_NH_ALL }), GONE);
});

test('CFGI_ALL keeps the table pointers', (t) => {
  t.is(throughStalePointer(t, { op: OP.CFGI_STE_RANGE, range: 31 }), REACHED);
});

test('a walk caches the tables on its way, each with the start of its span', (t) => {
  const rig = new Rig();
  const root = rig.stream(1, 7);
  const frame = 2 ** 27 * 3 + 2 ** 18 * 2 + 2 ** 9 * 5 + 6;
  rig.map(root, frame, 0x900);
  rig.read(1, frame);
  const seen: number[][] = [];
  rig.machine.forEachTable((asid, first, level) => seen.push([level, asid, first]));
  seen.sort((a, b) => (a[0] as number) - (b[0] as number));
  t.deepEqual(seen, [[0, 7, 2 ** 27 * 3], [1, 7, frame - 6 - 2 ** 9 * 5], [2, 7, frame - 6]]);
});

test('a walk that starts at level 1 passes over cached level-0 pointers of its ASID', (t) => {
  const rig = new Rig();
  const root = rig.stream(1, 7);
  rig.map(root, 0x10, 0x900);
  rig.read(1, 0x10);
  const cdSlot = rig.page();
  const short = rig.page();
  const level2 = rig.page();
  const level3 = rig.page();
  rig.ste(2, cdSlot);
  rig.cd(cdSlot, 7, short, (words) => { words[0] = (words[0] as number) - 16 + 25; });
  const frame = 2 ** 18; // another level-1 entry than the one the first walk cached
  rig.setTable(short * 512 + 1, level2);
  rig.setTable(level2 * 512, level3);
  rig.memory.commit(level3 * 512, 0xa00f43, 0);
  t.is(rig.read(2, frame), '0xa00000');
});

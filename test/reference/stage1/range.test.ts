/** Range TLBIs and level hints (IHI 0070 §4.4.1.1): which stale leaf or table one command must remove. */
import test, { type ExecutionContext } from 'ava';
import type { Command } from '../../../src/spec/command.js';
import { ASID, connected, L2, L3, leaf, MB2, nhVa, page, SPARE, table, type Rig } from './rig.js';

/** A machine with a stale page at frame 8, a stale 2 MB block at 1 × 2 MB and a stale table at 3 × 2 MB. */
function stale(): Rig {
  const rig = connected();
  rig.put(L3, 8, page(0x18));
  rig.put(L2, 1, leaf(0x400, 2));
  rig.put(L2, 3, table(SPARE));
  rig.clear(L3, 8);
  rig.clear(L2, 1);
  rig.clear(L2, 3);
  return rig;
}

function remaining(command: Command): string {
  const rig = stale();
  rig.batch(command);
  const left: string[] = [];
  if (rig.holdsPage(ASID, 8, 0x18)) left.push('page');
  if (rig.holdsBlock(ASID, MB2, 0x400, 2)) left.push('block');
  if (rig.holdsTable(ASID, 3 * MB2, 2, SPARE)) left.push('table');
  return left.join(' ');
}

/** Each row: fields of one NH_VA, first frame, and what must be left after it. */
function expect(t: ExecutionContext, rows: readonly (readonly [Partial<Command>, number, string])[]): void {
  for (const [fields, frame, left] of rows) t.is(remaining(nhVa(ASID, frame, fields)), left, JSON.stringify({ frame, ...fields }));
}

test('without TG one address removes what covers it', (t) => {
  expect(t, [
    [{ leaf: 1 }, 8, 'block table'],
    [{ leaf: 1 }, 7, 'page block table'],
    [{ leaf: 1 }, MB2 + 77, 'page table'],
    [{ leaf: 0 }, 3 * MB2 + 77, 'page block'],
    [{ leaf: 1 }, 3 * MB2, 'page block table'],
  ]);
});

test('(NUM + 1) × 2^SCALE granules are covered, and no more', (t) => {
  expect(t, [
    [{ tg: 1, leaf: 1, num: 1, scale: 0 }, 7, 'block table'],
    [{ tg: 1, leaf: 1, num: 0, scale: 3 }, 0, 'page block table'],
    [{ tg: 1, leaf: 1, num: 8, scale: 0 }, 0, 'block table'],
    [{ tg: 1, leaf: 1, num: 1, scale: 3 }, 0, 'block table'],
    [{ tg: 1, leaf: 1, num: 1, scale: 0 }, 9, 'page block table'],
  ]);
});

test('a range that overlaps part of a block removes the block', (t) => {
  expect(t, [
    [{ tg: 1, leaf: 1, num: 1, scale: 0 }, MB2 - 1, 'page table'],
    [{ tg: 1, leaf: 1, num: 1, scale: 0 }, 2 * MB2 - 1, 'page table'],
    [{ tg: 1, leaf: 1, num: 1, scale: 0 }, 2 * MB2, 'page block table'],
  ]);
});

test('TG of another granule removes nothing', (t) => {
  expect(t, [
    [{ tg: 2, leaf: 0, num: 0, scale: 12 }, 0, 'page block table'],
    [{ tg: 3, leaf: 0, num: 0, scale: 12 }, 0, 'page block table'],
  ]);
});

test('TTL asks for leaves of that level only', (t) => {
  const all = { tg: 1, num: 0, scale: 12, leaf: 1 };
  expect(t, [
    [{ ...all, ttl: 0 }, 0, 'table'],
    [{ ...all, ttl: 3 }, 0, 'block table'],
    [{ ...all, ttl: 2 }, 0, 'page table'],
    [{ ...all, ttl: 1 }, 0, 'page block table'],
  ]);
});

test('with Leaf=0 TTL asks for tables above that level only', (t) => {
  const all = { tg: 1, num: 0, scale: 12, leaf: 0 };
  expect(t, [
    [{ ...all, ttl: 0 }, 0, ''],
    [{ ...all, ttl: 3 }, 0, 'block'],
    [{ ...all, ttl: 2 }, 0, 'page table'],
  ]);
});

test('a range does not wrap around the address space', (t) => {
  expect(t, [[{ tg: 1, leaf: 0, num: 31, scale: 12 }, 2 ** 52 - 4096, 'page block table']]);
});

test('another ASID removes nothing', (t) => {
  t.is(remaining(nhVa(ASID + 1, 0, { tg: 1, num: 0, scale: 12 })), 'page block table');
});

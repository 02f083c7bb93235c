/**
 * Pins src/spec/descriptor.ts: every bit of stage-1 table and leaf descriptors that the models read or write, and what
 * bits[1:0] mean at each level, with descriptors recorded from a running Linux driver.
 */
import test from 'ava';
import {
  addressHigh, addressLow, ATTR_NORMAL_CACHED, BIT_AF, BIT_NG, BIT_NT, BIT_READ_ONLY, BIT_S2AP_READ, BIT_S2AP_WRITE, BIT_TABLE, BIT_UNPRIVILEGED,
  BIT_VALID, descriptorHigh, descriptorKind, HI_APTABLE_PRIVILEGED, HI_APTABLE_READ_ONLY, HI_CONTIGUOUS, HI_DBM, HI_PXN, HI_PXNTABLE, HI_UXN,
  HI_UXNTABLE, INVALID, leafAddress, tableAddress, LEAF, LEAF_ATTRIBUTES, leafFrame, leafLow, leafWritable, SH_INNER, TABLE, tableFrame,
  tableLow, type DescriptorKind,
} from '../../src/spec/descriptor.js';
import type { Tg } from '../../src/spec/granule.js';
import { newTableContext, type TableContext } from '../../src/spec/tables.js';

const LOW_BITS = [
  { name: 'valid, bit 0', bits: BIT_VALID, expected: 0x1 },
  { name: 'table or page, bit 1', bits: BIT_TABLE, expected: 0x2 },
  { name: 'AttrIndx 1, bits [4:2]', bits: ATTR_NORMAL_CACHED, expected: 0x4 },
  { name: 'AP[1], bit 6', bits: BIT_UNPRIVILEGED, expected: 0x40 },
  { name: 'AP[2], bit 7', bits: BIT_READ_ONLY, expected: 0x80 },
  { name: 'inner shareable, bits [9:8]', bits: SH_INNER, expected: 0x300 },
  { name: 'AF, bit 10', bits: BIT_AF, expected: 0x400 },
  { name: 'nG, bit 11', bits: BIT_NG, expected: 0x800 },
  { name: 'the attributes of the Linux driver together', bits: LEAF_ATTRIBUTES, expected: 0xf44 },
  { name: 'DBM, bit 51, of the high half', bits: HI_DBM, expected: 0x80000 },
  { name: 'Contiguous, bit 52, of the high half', bits: HI_CONTIGUOUS, expected: 0x100000 },
  { name: 'nT, bit 16', bits: BIT_NT, expected: 0x10000 },
  { name: 'S2AP read, bit 6', bits: BIT_S2AP_READ, expected: 0x40 },
  { name: 'S2AP write, bit 7', bits: BIT_S2AP_WRITE, expected: 0x80 },
  { name: 'PXN, bit 53, of the high half', bits: HI_PXN, expected: 0x200000 },
  { name: 'UXN, bit 54, of the high half', bits: HI_UXN, expected: 0x400000 },
  { name: 'PXNTable, bit 59, of the high half', bits: HI_PXNTABLE, expected: 0x8000000 },
  { name: 'UXNTable, bit 60, of the high half', bits: HI_UXNTABLE, expected: 0x10000000 },
  { name: 'APTable[0], bit 61, of the high half', bits: HI_APTABLE_PRIVILEGED, expected: 0x20000000 },
  { name: 'APTable[1], bit 62, of the high half', bits: HI_APTABLE_READ_ONLY, expected: 0x40000000 },
];

for (const { name, bits, expected } of LOW_BITS) {
  test(`a descriptor has ${name}`, (t) => {
    t.is(bits, expected);
  });
}

test('invalid, table and leaf are told apart', (t) => {
  t.deepEqual([INVALID, TABLE, LEAF], [0, 1, 2]);
});

const KINDS: readonly { why: string; tg: Tg; level: number; kinds: DescriptorKind[]; ds?: boolean; oas52?: boolean }[] = [
  { why: '4K level -1', tg: 12, level: -1, kinds: [INVALID, INVALID, INVALID, TABLE] },
  { why: '4K level 0', tg: 12, level: 0, kinds: [INVALID, INVALID, INVALID, TABLE] },
  { why: '4K level 0 with DS', tg: 12, level: 0, kinds: [INVALID, LEAF, INVALID, TABLE], ds: true },
  { why: '4K level 1', tg: 12, level: 1, kinds: [INVALID, LEAF, INVALID, TABLE] },
  { why: '4K level 2', tg: 12, level: 2, kinds: [INVALID, LEAF, INVALID, TABLE] },
  { why: '4K level 3', tg: 12, level: 3, kinds: [INVALID, INVALID, INVALID, LEAF] },
  { why: '16K level 1', tg: 14, level: 1, kinds: [INVALID, INVALID, INVALID, TABLE] },
  { why: '16K level 1 with DS', tg: 14, level: 1, kinds: [INVALID, LEAF, INVALID, TABLE], ds: true },
  { why: '16K level 2', tg: 14, level: 2, kinds: [INVALID, LEAF, INVALID, TABLE] },
  { why: '16K level 3', tg: 14, level: 3, kinds: [INVALID, INVALID, INVALID, LEAF] },
  { why: '64K level 1', tg: 16, level: 1, kinds: [INVALID, INVALID, INVALID, TABLE] },
  { why: '64K level 1 with 52-bit output', tg: 16, level: 1, kinds: [INVALID, LEAF, INVALID, TABLE], oas52: true },
  { why: '64K level 2', tg: 16, level: 2, kinds: [INVALID, LEAF, INVALID, TABLE] },
  { why: '64K level 3', tg: 16, level: 3, kinds: [INVALID, INVALID, INVALID, LEAF] },
];

for (const { why, tg, level, kinds, ds, oas52 } of KINDS) {
  test(`bits [1:0] of a descriptor at ${why} name its kind`, (t) => {
    t.deepEqual([0, 1, 2, 3].map((low) => descriptorKind(low, level, tg, ds, oas52)), kinds);
  });
}

test('the other bits of a descriptor do not change its kind', (t) => {
  t.is(descriptorKind(0xfffffffc, 3, 12), INVALID);
  t.is(descriptorKind(0xfffffffe, 1, 12), INVALID);
  t.is(descriptorKind(0xfffffffd, 2, 12), LEAF);
  t.is(descriptorKind(0xffffffff, 2, 12), TABLE);
});

test('the recorded table descriptor 0x446c2003 points to the table at 0x446c2000', (t) => {
  for (const level of [0, 1, 2]) t.is(descriptorKind(0x446c2003, level, 12), TABLE);
  t.is(tableFrame(0x446c2003, 0), 0x446c2);
  t.is(tableLow(0x446c2), 0x446c2003);
});

test('the recorded leaf 0x446f2f47 is a writable page at 0x446f2000', (t) => {
  t.is(descriptorKind(0x446f2f47, 3, 12), LEAF);
  t.is(leafFrame(0x446f2f47, 0, 3), 0x446f2);
  t.true(leafWritable(0x446f2f47));
  t.is(leafLow(0x446f2, 3, true), 0x446f2f47);
});

const TABLES: readonly { tg: Tg; lo: number; hi: number; frame: number }[] = [
  { tg: 12, lo: 0xffffffff, hi: 0xffffffff, frame: 0xfffffffff },
  { tg: 14, lo: 0xffffffff, hi: 0xffffffff, frame: 0xffffffffc },
  { tg: 16, lo: 0xffffffff, hi: 0xffffffff, frame: 0xffffffff0 },
  { tg: 12, lo: 0x00000fff, hi: 0xffff0000, frame: 0 },
  { tg: 12, lo: 0x00001003, hi: 0, frame: 1 },
  { tg: 12, lo: 0x00000003, hi: 0x8000, frame: 0x800000000 },
];

for (const { tg, lo, hi, frame } of TABLES) {
  test(`a ${2 ** (tg - 10)}K table descriptor 0x${hi.toString(16)}:${lo.toString(16)} points to frame 0x${frame.toString(16)}`, (t) => {
    t.is(tableFrame(lo, hi, tg), frame);
  });
}

test('tables and leaves are of 4K when not told', (t) => {
  t.is(tableFrame(0x7003, 0), 7);
  t.is(leafFrame(0x7003, 0, 3), 7);
});

/** Output address [47:n]: a leaf with every bit set. */
const LEAF_FRAMES: readonly { tg: Tg; level: number; frame: number }[] = [
  { tg: 12, level: 3, frame: 0xfffffffff },
  { tg: 12, level: 2, frame: 0xffffffe00 },
  { tg: 12, level: 1, frame: 0xffffc0000 },
  { tg: 14, level: 3, frame: 0xffffffffc },
  { tg: 14, level: 2, frame: 0xfffffe000 },
  { tg: 16, level: 3, frame: 0xffffffff0 },
  { tg: 16, level: 2, frame: 0xffffe0000 },
];

for (const { tg, level, frame } of LEAF_FRAMES) {
  test(`a ${2 ** (tg - 10)}K leaf at level ${level} drops the output bits below its size`, (t) => {
    t.is(leafFrame(0xffffffff, 0xffffffff, level, tg), frame);
  });
}

const LEAF_LOWS = [
  { why: 'a writable page', frame: 0x446f2, level: 3, writable: true, low: 0x446f2f47 },
  { why: 'a read-only page', frame: 0x446f2, level: 3, writable: false, low: 0x446f2fc7 },
  { why: 'a writable block', frame: 0x44600, level: 2, writable: true, low: 0x44600f45 },
  { why: 'a read-only block', frame: 0x80000, level: 1, writable: false, low: 0x80000fc5 },
  { why: 'a page whose address passes 32 bits', frame: 0x8fffff, level: 3, writable: true, low: 0xffffff47 },
];

for (const { why, frame, level, writable, low } of LEAF_LOWS) {
  test(`leafLow writes ${why}`, (t) => {
    t.is(leafLow(frame, level, writable), low);
    t.is(leafWritable(low), writable);
  });
}

test('the high half of a descriptor holds address bits [47:32]', (t) => {
  t.is(descriptorHigh(0xfffff), 0);
  t.is(descriptorHigh(0x100000), 1);
  t.is(descriptorHigh(0xfffffffff), 0xffff);
});

test('only AP[2] decides whether a leaf is writable', (t) => {
  t.false(leafWritable(0x80));
  t.true(leafWritable(0xffffff7f));
});

function form(tg: Tg, change: Partial<TableContext> = {}): TableContext {
  return { ...newTableContext(), tg, ...change };
}

const PLAIN = form(12);
const DS = form(12, { ds: true });
const DS16 = form(14, { ds: true });
const WIDE = form(16, { wide: true });

/** Frames of a word with all bits set, and of single bits: next tables and leaves in each form. */
const ADDRESSES: readonly { why: string; c: TableContext; lo: number; hi: number; table: number; leaves: Readonly<Record<number, number>> }[] = [
  { why: '4K, all bits', c: PLAIN, lo: 0xffffffff, hi: 0xffffffff, table: 0xfffffffff, leaves: { 3: 0xfffffffff, 2: 0xffffffe00, 1: 0xffffc0000 } },
  { why: '16K, all bits', c: form(14), lo: 0xffffffff, hi: 0xffffffff, table: 0xffffffffc, leaves: { 3: 0xffffffffc, 2: 0xfffffe000 } },
  { why: '64K, all bits', c: form(16), lo: 0xffffffff, hi: 0xffffffff, table: 0xffffffff0, leaves: { 3: 0xffffffff0, 2: 0xffffe0000 } },
  { why: '4K with DS, all bits', c: DS, lo: 0xffffffff, hi: 0xffffffff, table: 0xffffffffff, leaves: { 3: 0xffffffffff, 2: 0xfffffffe00, 1: 0xfffffc0000, 0: 0xfff8000000 } },
  { why: '16K with DS, all bits', c: DS16, lo: 0xffffffff, hi: 0xffffffff, table: 0xfffffffffc, leaves: { 3: 0xfffffffffc, 2: 0xffffffe000, 1: 0xffff000000 } },
  { why: 'wide 64K, all bits', c: WIDE, lo: 0xffffffff, hi: 0xffffffff, table: 0xfffffffff0, leaves: { 3: 0xfffffffff0, 2: 0xfffffe0000, 1: 0xffc0000000 } },
  { why: '4K with DS, bit 8', c: DS, lo: 0x103, hi: 0, table: 2 ** 38, leaves: { 3: 2 ** 38 } },
  { why: '4K with DS, bit 9', c: DS, lo: 0x203, hi: 0, table: 2 ** 39, leaves: { 3: 2 ** 39 } },
  { why: '4K with DS, bit 49', c: DS, lo: 3, hi: 0x20000, table: 2 ** 37, leaves: { 3: 2 ** 37 } },
  { why: '4K with DS, bit 50', c: DS, lo: 3, hi: 0x40000, table: 0, leaves: { 3: 0 } },
  { why: '4K, bit 48', c: PLAIN, lo: 3, hi: 0x10000, table: 0, leaves: { 3: 0 } },
  { why: '4K, bits [9:8]', c: PLAIN, lo: 0x303, hi: 0, table: 0, leaves: { 3: 0 } },
  { why: 'wide 64K, bit 12', c: WIDE, lo: 0x1003, hi: 0, table: 2 ** 36, leaves: { 3: 2 ** 36 } },
  { why: 'wide 64K, bit 15', c: WIDE, lo: 0x8003, hi: 0, table: 2 ** 39, leaves: { 3: 2 ** 39 } },
  { why: 'wide 64K, bit 48', c: WIDE, lo: 3, hi: 0x10000, table: 0, leaves: { 3: 0 } },
  { why: '64K, bits [15:12]', c: form(16), lo: 0xf003, hi: 0, table: 0, leaves: { 3: 0 } },
];

for (const { why, c, lo, hi, table, leaves } of ADDRESSES) {
  test(`address of a descriptor, ${why}`, (t) => {
    t.is(tableAddress(lo, hi, c), table);
    for (const level of Object.keys(leaves).map(Number)) t.is(leafAddress(lo, hi, level, c), leaves[level], `level ${level}`);
  });
}

test('an address is written in its form', (t) => {
  t.deepEqual([addressLow(0xd123556789, DS), addressHigh(0xd123556789, DS)], [0x56789300, 0x11235]);
  t.deepEqual([addressLow(0x9123556780, WIDE), addressHigh(0x9123556780, WIDE)], [0x56789000, 0x1235]);
  t.deepEqual([addressLow(0x123556789, PLAIN), addressHigh(0x123556789, PLAIN)], [0x56789000, 0x1235]);
});

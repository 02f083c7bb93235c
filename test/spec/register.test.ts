/**
 * Pins src/spec/register.ts: offsets and bits of the Non-secure registers and the queue
 * arithmetic of §3.5 with typed-in vectors: empty, full, one lap apart.
 */
import test from 'ava';
import {
  CERROR_ABT, CERROR_ATC_INV_SYNC, CERROR_ILL, CERROR_NONE, commandCons, consError, CONTROL_PAGE, CR0_ATSCHK, CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN,
  cr0Vmw, CR2_E2H, CR2_PTM, CR2_REC_CFG_ATS, CR2_RECINVSID, EXTRA_CONS, EXTRA_ENABLE, EXTRA_ERROR, EXTRA_PROD, extraQueue, extraReason, GBPA_ABORT,
  GBPA_UPDATE, GERROR_CMDQ, GERROR_CMDQP, GERROR_EVENTQ_ABT, GERROR_MSI_CMDQ_ABT, GERROR_MSI_EVENTQ_ABT, GERROR_MSI_GERROR_ABT, GERROR_SFM,
  IRQ_EVENTQ, IRQ_GERROR, OVERFLOW_FLAG, queueAddress, queueBase, queueIndex, queueLog2, queueNext, queuePointer, queueUsed, REG, streamIndex1,
  streamIndex2, strtabAddress, strtabLinear, strtabLog2, strtabSplit, strtabTwoLevel, vmwOf,
} from '../../src/spec/register.js';

test('registers are at the offsets of §6.2', (t) => {
  t.deepEqual(REG, {
    IDR0: 0x00, IDR1: 0x04, IDR2: 0x08, IDR3: 0x0c, IDR4: 0x10, IDR5: 0x14, IIDR: 0x18, AIDR: 0x1c,
    CR0: 0x20, CR0ACK: 0x24, CR1: 0x28, CR2: 0x2c, STATUSR: 0x40, GBPA: 0x44, IRQ_CTRL: 0x50, IRQ_CTRLACK: 0x54,
    GERROR: 0x60, GERRORN: 0x64, GERROR_IRQ_CFG0: 0x68, GERROR_IRQ_CFG1: 0x70, GERROR_IRQ_CFG2: 0x74,
    STRTAB_BASE: 0x80, STRTAB_BASE_CFG: 0x88,
    CMDQ_BASE: 0x90, CMDQ_PROD: 0x98, CMDQ_CONS: 0x9c,
    EVENTQ_BASE: 0xa0, EVENTQ_IRQ_CFG0: 0xb0, EVENTQ_IRQ_CFG1: 0xb8, EVENTQ_IRQ_CFG2: 0xbc,
    IDR6: 0x190, CMDQ_CONTROL_PAGE_BASE0: 0x4000, CMDQ_CONTROL_PAGE_CFG0: 0x4008, CMDQ_CONTROL_PAGE_STATUS0: 0x400c,
    EVENTQ_PROD: 0x100a8, EVENTQ_CONS: 0x100ac,
  });
});

const BITS = [
  { name: 'CR0.SMMUEN', value: CR0_SMMUEN, expected: 0x1 },
  { name: 'CR0.EVENTQEN', value: CR0_EVENTQEN, expected: 0x4 },
  { name: 'CR0.CMDQEN', value: CR0_CMDQEN, expected: 0x8 },
  { name: 'GERROR.CMDQ_ERR', value: GERROR_CMDQ, expected: 0x1 },
  { name: 'CERROR_ILL', value: CERROR_ILL, expected: 1 },
  { name: 'the overflow flag, bit 31', value: OVERFLOW_FLAG, expected: 0x80000000 },
  { name: 'CR0.ATSCHK', value: CR0_ATSCHK, expected: 0x10 },
  { name: 'CR2.E2H', value: CR2_E2H, expected: 0x1 },
  { name: 'CR2.RECINVSID', value: CR2_RECINVSID, expected: 0x2 },
  { name: 'CR2.PTM', value: CR2_PTM, expected: 0x4 },
  { name: 'CR2.REC_CFG_ATS', value: CR2_REC_CFG_ATS, expected: 0x8 },
  { name: 'GBPA.ABORT', value: GBPA_ABORT, expected: 0x100000 },
  { name: 'GBPA.Update', value: GBPA_UPDATE, expected: 0x80000000 },
  { name: 'IRQ_CTRL.GERROR', value: IRQ_GERROR, expected: 0x1 },
  { name: 'IRQ_CTRL.EVENTQ', value: IRQ_EVENTQ, expected: 0x4 },
  { name: 'GERROR.EVENTQ_ABT_ERR', value: GERROR_EVENTQ_ABT, expected: 0x4 },
  { name: 'GERROR.MSI_CMDQ_ABT', value: GERROR_MSI_CMDQ_ABT, expected: 0x10 },
  { name: 'GERROR.MSI_EVENTQ_ABT', value: GERROR_MSI_EVENTQ_ABT, expected: 0x20 },
  { name: 'GERROR.MSI_GERROR_ABT', value: GERROR_MSI_GERROR_ABT, expected: 0x80 },
  { name: 'GERROR.SFM_ERR', value: GERROR_SFM, expected: 0x100 },
  { name: 'GERROR.CMDQP_ERR', value: GERROR_CMDQP, expected: 0x200 },
  { name: 'no CERROR', value: CERROR_NONE, expected: 0 },
  { name: 'CERROR_ABT', value: CERROR_ABT, expected: 2 },
  { name: 'CERROR_ATC_INV_SYNC', value: CERROR_ATC_INV_SYNC, expected: 3 },
  { name: 'EN of an extra queue', value: EXTRA_ENABLE, expected: 0x80000000 },
  { name: 'ERR of an extra queue', value: EXTRA_ERROR, expected: 0x800000 },
];

for (const { name, value, expected } of BITS) {
  test(`${name} is 0x${expected.toString(16)}`, (t) => {
    t.is(value, expected);
  });
}

test('a linear stream table has FMT 0 and its size in LOG2SIZE', (t) => {
  t.is(strtabLinear(0), 0);
  t.is(strtabLinear(8), 8);
  t.is(strtabLinear(32), 0x20);
});

test('a queue base holds the address and the log2 of the entries', (t) => {
  t.is(queueBase(0x7bd00000, 0x10), 0x7bd00010); // recorded CMDQ_BASE without its RA hint
  t.is(queueBase(0x7be00000, 0xf), 0x7be0000f); // recorded EVENTQ_BASE
  t.is(queueBase(0xffffffffffe0, 19), 0xfffffffffff3);
});

const USED = [
  { why: 'empty at the start', log2: 2, prod: 0b000, cons: 0b000, used: 0 },
  { why: 'empty elsewhere', log2: 2, prod: 0b101, cons: 0b101, used: 0 },
  { why: 'full: equal indexes, other wrap bit', log2: 2, prod: 0b101, cons: 0b001, used: 4 },
  { why: 'full after the wrap bit went back to 0', log2: 2, prod: 0b001, cons: 0b101, used: 4 },
  { why: 'one place short of full', log2: 2, prod: 0b100, cons: 0b001, used: 3 },
  { why: 'one entry across the end of the second lap', log2: 2, prod: 0b000, cons: 0b111, used: 1 },
  { why: 'a queue of one entry, empty', log2: 0, prod: 1, cons: 1, used: 0 },
  { why: 'a queue of one entry, full', log2: 0, prod: 1, cons: 0, used: 1 },
  { why: 'the largest queue, full', log2: 19, prod: 0x80000, cons: 0, used: 0x80000 },
];

for (const { why, log2, prod, cons, used } of USED) {
  test(`queueUsed counts ${used} entries when the queue is ${why}`, (t) => {
    t.is(queueUsed(prod, cons, log2), used);
  });
}

const INDEXES = [
  { log2: 2, pointer: 0b011, index: 3 },
  { log2: 2, pointer: 0b100, index: 0 },
  { log2: 2, pointer: 0b111, index: 3 },
  { log2: 0, pointer: 1, index: 0 },
  { log2: 19, pointer: 0xfffff, index: 0x7ffff },
];

for (const { log2, pointer, index } of INDEXES) {
  test(`pointer 0x${pointer.toString(16)} of a queue of 2^${log2} entries is at index ${index}`, (t) => {
    t.is(queueIndex(pointer, log2), index);
  });
}

const NEXT = [
  { why: 'the next index', log2: 2, pointer: 0b001, by: 1, next: 0b010 },
  { why: 'the other lap after the last index', log2: 2, pointer: 0b011, by: 1, next: 0b100 },
  { why: 'the start after the last index of the second lap', log2: 2, pointer: 0b111, by: 1, next: 0 },
  { why: 'several entries further', log2: 2, pointer: 0b110, by: 3, next: 0b001 },
  { why: 'the other wrap bit of a queue of one entry', log2: 0, pointer: 0, by: 1, next: 1 },
];

for (const { why, log2, pointer, by, next } of NEXT) {
  test(`queueNext moves to ${why}`, (t) => {
    t.is(queueNext(pointer, log2, by), next);
  });
}

test('queueNext moves by one entry when not told', (t) => {
  t.is(queueNext(0b011, 2), 0b100);
});

test('CR0.VMW is bits [8:6], at most 4', (t) => {
  t.deepEqual([0, 1, 4].map((bits) => cr0Vmw(bits)), [0, 0x40, 0x100]);
  t.deepEqual([0, 1, 4, 5, 7].map((bits) => vmwOf(0xfffffe3f + cr0Vmw(bits))), [0, 1, 4, 4, 4]);
});

test('CMDQ_CONS holds the error in bits [30:24] over the index', (t) => {
  t.is(commandCons(0xabcde, CERROR_ATC_INV_SYNC), 0x30abcde);
  t.is(consError(0x830abcde), 3);
  t.is(consError(0xffffffff), 0x7f);
  t.is(queuePointer(0x830abcde), 0xabcde);
});

test('extra queues share the control page evenly', (t) => {
  t.is(CONTROL_PAGE, 0x20000);
  t.is(extraQueue(0, 1), 0x20000);
  t.deepEqual([0, 1, 2, 3].map((queue) => extraQueue(queue, 4)), [0x20000, 0x24000, 0x28000, 0x2c000]);
  t.is(extraQueue(255, 256), 0x2ff00);
  t.deepEqual([EXTRA_PROD, EXTRA_CONS], [8, 12]);
  t.is(extraReason(0x83812345), 3);
});

/** STRTAB_BASE_CFG: split, effective LOG2SIZE with 16-bit StreamIDs. */
const CONFIGURATIONS = [
  { cfg: strtabLinear(8), split: 0, log2: 8 },
  { cfg: strtabLinear(20), split: 0, log2: 16 },
  { cfg: 0x20208, split: 0, log2: 8 },
  { cfg: 0x30208, split: 0, log2: 8 },
  { cfg: 0x10188, split: 6, log2: 8 },
  { cfg: 0x10210, split: 8, log2: 16 },
  { cfg: 0x10290, split: 10, log2: 16 },
  { cfg: 0x10250, split: 6, log2: 16 },
  { cfg: 0x103ff, split: 6, log2: 16 },
];

for (const { cfg, split, log2 } of CONFIGURATIONS) {
  test(`STRTAB_BASE_CFG 0x${cfg.toString(16)} has split ${split} and 2^${log2} streams`, (t) => {
    t.is(strtabSplit(cfg), split);
    t.is(strtabLog2(cfg, 16), log2);
  });
}

test('bits beside a field are not part of it', (t) => {
  t.is(extraReason(0xf8ffffff), 0);
  t.is(queuePointer(0xfff00000), 0);
  t.is(strtabSplit(0x50210), 8);
  t.is(strtabSplit(0x10a10), 8);
  t.is(strtabLog2(0xffffffc0, 32), 0);
});

test('a two-level stream table has FMT 1, its split and its size', (t) => {
  t.deepEqual([strtabTwoLevel(8, 6), strtabTwoLevel(16, 8), strtabTwoLevel(32, 10)], [0x10188, 0x10210, 0x102a0]);
});

const ADDRESSES = [
  { why: 'one STE', cfg: strtabLinear(0), address: 0xffffffffc0 },
  { why: '256 STEs', cfg: strtabLinear(8), address: 0xffffffc000 },
  { why: '2^20 STEs, capped at 2^16', cfg: strtabLinear(20), address: 0xffffc00000 },
  { why: '256 level-1 descriptors', cfg: strtabTwoLevel(16, 8), address: 0xfffffff800 },
  { why: 'one level-1 descriptor', cfg: strtabTwoLevel(6, 6), address: 0xffffffffc0 },
  { why: 'fewer streams than the split', cfg: strtabTwoLevel(4, 10), address: 0xffffffffc0 },
];

for (const { why, cfg, address } of ADDRESSES) {
  test(`a stream table of ${why} is aligned to its size`, (t) => {
    t.is(strtabAddress(0xffffffffff, cfg, 16), address);
  });
}

test('a StreamID is split into two indexes', (t) => {
  t.deepEqual([streamIndex1(0xffffffff, 8), streamIndex2(0xffffffff, 8)], [0xffffff, 0xff]);
  t.deepEqual([streamIndex1(0x1234, 10), streamIndex2(0x1234, 10)], [4, 0x234]);
});

test('a queue base gives size and address', (t) => {
  t.is(queueLog2(0x7bd00010, 19), 16);
  t.is(queueLog2(0x7bd00010, 8), 8);
  t.is(queueAddress(0x7bdfffe8, 8, 16), 0x7bdff000);
  t.is(queueAddress(0x7bdfffe8, 8, 32), 0x7bdfe000);
  t.is(queueAddress(0x7bdfffe0, 0, 16), 0x7bdfffe0);
});

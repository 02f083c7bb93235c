/**
 * Pins src/spec/register.ts: offsets and bits of the Non-secure registers and the queue
 * arithmetic of §3.5 with typed-in vectors: empty, full, one lap apart.
 */
import test from 'ava';
import {
  CERROR_ILL, CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, GERROR_CMDQ, OVERFLOW_FLAG, queueBase, queueIndex, queueNext, queueUsed,
  REG, strtabLinear,
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

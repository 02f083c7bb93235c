/** Operations, worlds and the table of both sides in words. */
import test from 'ava';
import type { Row } from '../../src/lockstep/replay.js';
import { describeOperation, describeWorld, operationTable } from '../../src/report/operations.js';
import { OPERATION_KINDS, type Operation } from '../../src/stack/operation.js';
import { smallWorld } from '../../src/stack/world.js';

const ALL: readonly [Operation, string][] = [
  [{ op: 'map', domain: 1, iova: 0x4000, pa: 0x8000, size: 0x2000, prot: 'r' }, 'map  domain 1  0x4000 -> 0x8000 +8K r'],
  [{ op: 'unmap', domain: 0, iova: 0, size: 2 ** 21 }, 'unmap  domain 0  0x0 +2M'],
  [{ op: 'sync', domain: 2 }, 'sync  domain 2'],
  [{ op: 'attach', device: 0, to: 3 }, 'attach  device 0 to domain 3'],
  [{ op: 'attach', device: 0, to: 'identity' }, 'attach  device 0 to identity'],
  [{ op: 'detach', device: 4 }, 'detach  device 4'],
  [{ op: 'access', device: 0, stream: 0, iova: 0x4010, write: true }, 'access  device 0  0x4010 write'],
  [{ op: 'access', device: 0, stream: 1, iova: 0x4000, write: false }, 'access  device 0 stream 1  0x4000 read'],
  [{ op: 'iova-alloc', domain: 0, iova: 0x1000, size: 4096 }, 'iova-alloc  domain 0  0x1000 +4K'],
  [{ op: 'iova-free', domain: 0, iova: 0x1000, size: 4096 }, 'iova-free  domain 0  0x1000 +4K'],
  [{ op: 'flush-all', domain: 0 }, 'flush-all  domain 0'],
  [{ op: 'fail-next-allocation' }, 'fail-next-allocation'],
  [{ op: 'evict', line: 7 }, 'evict  dirty line 7'],
];

test('every kind of operation in words', (t) => {
  for (const [op, text] of ALL) t.is(describeOperation(op), text);
  t.deepEqual([...new Set(ALL.map(([op]) => op.op))].sort(), [...OPERATION_KINDS].sort());
});

test('a world in words', (t) => {
  const world = smallWorld({ devices: [{ smmu: 0, streams: [1, 2] }], domains: [{ mode: 'strict', managed: true }, { mode: 'lazy', managed: true }, { mode: 'strict', managed: false, gather: 'sva' }] });
  t.deepEqual(describeWorld(world), [
    'SMMU 0: range, 16-bit asids 1..65535, queue of 256, event queue of 16, TLB of 64',
    'device 0 -> SMMU 0 streams 1, 2',
    'domain 0 strict managed, domain 1 lazy, domain 2 strict gather sva; 48-bit input, flush queue of 8, stores drain fifo',
  ]);
});

test('a system with walkers that are not coherent in words', (t) => {
  const world = smallWorld({ domains: [{ mode: 'strict', managed: false, coherent: false }], cleaner: 'eager', eviction: { oneIn: 3, seed: 5 } });
  const lines = describeWorld({ ...world, smmus: world.smmus.map((s) => ({ ...s, coherent: false as const })) });
  t.is(lines[0], 'SMMU 0: range, 16-bit asids 1..65535, queue of 256, event queue of 16, TLB of 64, not coherent');
  t.is(lines[2], 'domain 0 strict cleaned; 48-bit input, flush queue of 8, stores drain fifo, cleaner eager, a dirty line written back every 3 stores (seed 5)');
});

function row(operation: Operation, reference = 'ok', optimised = 'ok', differs = false): Row {
  return { operation, reference, optimised, differs };
}

const SYNC: Operation = { op: 'sync', domain: 0 };
const READ: Operation = { op: 'access', device: 0, stream: 0, iova: 0x4000, write: false };

test('both sides in columns, the differing row marked once', (t) => {
  t.deepEqual(operationTable([row(SYNC), row(READ, 'F_TRANSLATION', '0x8000', true)], { outside: null }), [
    '  #  op                             ref            opt',
    '  1  sync    domain 0               ok             ok',
    '  2  access  device 0  0x4000 read  F_TRANSLATION  0x8000  <-- differs',
  ]);
});

test('what broke outside of the operations has a row of its own; long cells refer to the lines above', (t) => {
  const lines = operationTable([row(SYNC, 'x'.repeat(40), 'y'.repeat(26), true)], { outside: null });
  t.regex(lines[1] ?? '', /\(expected\) {2}y{26} {2}<-- differs$/);
  const end = operationTable([row(SYNC)], { outside: 'end of the run' });
  t.is(end.at(-1), '     (end of the run)  (expected)  (actual)  <-- differs');
});

test('the last rows only, with the number of those left out and their own numbers', (t) => {
  const lines = operationTable([row(SYNC), row(SYNC), row(READ)], { outside: null, last: 1, marks: new Map([[2, 'seen']]) });
  t.is(lines.length, 3);
  t.is(lines[1], '  … 2 operations before these');
  t.regex(lines[2] ?? '', /^ {2}3 {2}access .* seen$/);
});

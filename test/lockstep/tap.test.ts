/** Whoever taps a run of the driver hears of every store and register write from the first one on, and changes nothing. */
import test from 'ava';
import { Lockstep, type Tap } from '../../src/lockstep/lockstep.js';
import type { Memory } from '../../src/memory/memory.js';
import type { Pages } from '../../src/memory/pages.js';
import { REG } from '../../src/spec/register.js';
import type { Operation } from '../../src/stack/operation.js';
import type { World } from '../../src/stack/world.js';

const SMMU = { range: true, asidBits: 16, asidMax: 4, queueLog2: 4, eventLog2: 4, tlbEntries: 64 } as const;
const WORLD: World = {
  smmus: [SMMU, SMMU], devices: [{ smmu: 0, streams: [1] }, { smmu: 1, streams: [2] }], domains: [{ mode: 'strict', managed: false }], inputBits: 39, flushQueue: 4, storeOrder: 'fifo',
};
const OPERATIONS: readonly Operation[] = [
  { op: 'attach', device: 0, to: 0 }, { op: 'attach', device: 1, to: 0 }, { op: 'map', domain: 0, iova: 0x10000, pa: 0x200000000, size: 4096, prot: 'rw' },
  { op: 'access', device: 0, stream: 0, iova: 0x10000, write: false }, { op: 'access', device: 1, stream: 0, iova: 0x20000, write: true },
  { op: 'unmap', domain: 0, iova: 0x10000, size: 4096 }, { op: 'sync', domain: 0 }, { op: 'access', device: 0, stream: 0, iova: 0x10000, write: false },
];

class Listening implements Tap {
  readonly heard: (readonly [smmu: number, offset: number, value: number])[] = [];
  begun = 0;
  memory: Memory | null = null;
  pages: Pages | null = null;
  /** Called before each register write. */
  before: (smmu: number, offset: number, value: number) => void = () => undefined;
  /** Register writes before the first store. */
  stores = 0;

  begin(memory: Memory, pages: Pages): void {
    this.begun += 1;
    this.memory = memory;
    this.pages = pages;
    for (let slot = 0; slot < memory.slots; slot += 1) memory.watch(slot);
    memory.watchers.push({ stored: () => { this.stores += 1; } });
  }

  registerWritten(smmu: number, offset: number, value: number): void {
    this.before(smmu, offset, value);
    this.heard.push([smmu, offset, value]);
  }
}

test('it begins once, with the memory and the pages of the run, before anything is stored', (t) => {
  const tap = new Listening();
  const stack = new Lockstep(WORLD, { tap });
  t.is(tap.begun, 1);
  t.is(tap.memory, stack.memory);
  t.is(tap.pages, stack.pages);
  const words = (memory: Memory): number => memory.lo.reduce((n, lo, i) => n + (lo !== 0 || memory.hi[i] !== 0 ? 1 : 0), 0);
  t.true(words(stack.memory) > 0 && tap.stores >= words(stack.memory));
});

test('every register write of every SMMU: what was heard last is what stands there', (t) => {
  const tap = new Listening();
  const stack = new Lockstep(WORLD, { tap });
  for (const op of OPERATIONS) stack.step(op);
  for (const smmu of [0, 1]) {
    for (const offset of [REG.CR0, REG.STRTAB_BASE, REG.STRTAB_BASE_CFG, REG.CMDQ_BASE, REG.CMDQ_PROD, REG.EVENTQ_BASE, REG.EVENTQ_CONS]) {
      const last = tap.heard.filter(([s, o]) => s === smmu && o === offset).at(-1)?.[2];
      t.is(last, stack.references[smmu]?.readRegister(offset), `SMMU ${smmu} 0x${offset.toString(16)}`);
    }
  }
  stack.close();
});

test('it hears of a write before the machines do', (t) => {
  const tap = new Listening();
  const stack = new Lockstep(WORLD, { tap });
  const found: boolean[] = [];
  tap.before = (smmu, offset, value) => {
    if (offset === REG.CMDQ_PROD) found.push(stack.references[smmu]?.readRegister(offset) !== value && stack.machines[smmu]?.readRegister(offset) !== value);
  };
  for (const op of OPERATIONS) stack.step(op);
  t.true(found.length > 3 && found.every((f) => f));
});

test('a run that is tapped ends in the same answers', (t) => {
  const outcomes = (tap?: Tap): unknown[] => {
    const stack = new Lockstep(WORLD, tap === undefined ? {} : { tap });
    const seen = OPERATIONS.map((op) => {
      const { result, outcome } = stack.step(op);
      return [result, outcome === null ? null : { ...outcome }];
    });
    stack.close();
    return seen;
  };
  t.deepEqual(outcomes(new Listening()), outcomes());
});

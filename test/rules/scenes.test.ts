/**
 * Rules by hand-made scenes: the stack is brought to a state by ordinary operations, then one thing is done behind the
 * driver's back that the rule is about.
 */
import test from 'ava';
import type { DeviceState } from '../../src/optimised/driver/types.js';
import { cdFeatures } from '../../src/stack/machine.js';
import { cdLegal } from '../../src/spec/cd.js';
import { descriptorHigh, leafLow } from '../../src/spec/descriptor.js';
import { CR0_CMDQEN, queueNext, REG } from '../../src/spec/register.js';
import type { Lockstep } from '../../src/lockstep/lockstep.js';
import { checkInserts, checkCachesAfterSync } from '../../src/lockstep/refinement.js';
import type { OptimisedMachine } from '../../src/optimised/machine/machine.js';
import type { SmmuState } from '../../src/optimised/driver/types.js';
import type { Stage1Reference } from '../../src/reference/stage1/machine.js';
import { newCommand, OP } from '../../src/spec/command.js';
import { DEFAULT_SMMU, smallWorld } from '../../src/stack/world.js';
import { access, after, attach, broken, counts, leafRef, map, smmu, sync, unmap } from './rig.js';

const ready = [attach(), map(0x5000, 0x70000)];

function device(stack: Lockstep, i = 0): DeviceState {
  return stack.driver.state.devices[i] as DeviceState;
}

function smmuState(stack: Lockstep): SmmuState {
  return stack.driver.state.smmus[0] as SmmuState;
}

function storeLeaf(stack: Lockstep, iova: number, frame: number, writable = true): void {
  stack.memory.commit(leafRef(stack, iova), leafLow(frame, 3, writable), descriptorHigh(frame));
}

test('isolation: a leaf that the domain does not map', (t) => {
  const stack = after(ready);
  t.is(broken(() => { storeLeaf(stack, 0x6000, 0x99); })?.cause, 'a leaf that the domain does not map');
});

test('isolation: a leaf with more rights than were given', (t) => {
  const stack = after([attach(), map(0x5000, 0x70000, 4096, 'r')]);
  t.is(broken(() => { storeLeaf(stack, 0x5000, 0x70, true); })?.rule, 'isolation');
});

test('isolation: fewer rights are no harm', (t) => {
  const stack = after(ready);
  t.is(broken(() => { storeLeaf(stack, 0x5000, 0x70, false); }), null);
});

test('isolation: tables that no device sees are nobody\'s business', (t) => {
  const stack = after([map(0x5000, 0x70000)]);
  t.is(broken(() => { storeLeaf(stack, 0x6000, 0x99); }), null);
});

test('isolation: two live domains share a tag', (t) => {
  const world = smallWorld({ devices: [{ smmu: 0, streams: [1] }, { smmu: 0, streams: [2] }], domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }] });
  const stack = after([attach(0, 0)], world);
  const { asidCell } = smmuState(stack);
  stack.driver.context.cpu.store(asidCell, 0, 0); // the allocator forgets the tag of domain 0
  const v = broken(() => { stack.step(attach(1, 1)); });
  t.deepEqual([v?.rule, v?.cause], ['isolation', 'two live domains share a tag']);
});

test('isolation: tags of different domains differ, of one domain are one', (t) => {
  const world = smallWorld({ devices: [{ smmu: 0, streams: [1] }, { smmu: 0, streams: [2] }, { smmu: 0, streams: [3] }], domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }] });
  const stack = after([attach(0, 0), attach(1, 1), attach(0, 2)], world);
  t.is(counts(stack, 'isolation').violated, 0);
  t.is(stack.driver.tagsInUse(0), 2);
});

test('use-after-free: a table that memory still points to', (t) => {
  const stack = after(ready);
  const v = broken(() => { stack.pages.release(Math.floor(leafRef(stack, 0x5000) / 512)); });
  t.deepEqual([v?.rule, v?.cause], ['use-after-free', 'a table that memory still points to']);
  t.is(v?.fact?.kind, 'table');
});

test('use-after-free: a CD that an STE still points to', (t) => {
  const stack = after(ready);
  t.is(broken(() => { stack.pages.release(device(stack).cdSlot); })?.cause, 'a CD that an STE still points to');
});

test('use-after-free: a CD that nothing points to may go', (t) => {
  const stack = after([]);
  t.is(broken(() => { stack.pages.release(device(stack).cdSlot); }), null);
  t.is(counts(stack, 'use-after-free').decided, 1);
});

test('use-after-free: a freed driver object is read', (t) => {
  const stack = after([...ready, unmap(0x5000)]);
  const array = stack.memory.lo[stack.driver.state.domains[0]?.invsCell ?? 0] as number;
  stack.pages.releaseObject(array);
  t.is(broken(() => { stack.step(sync()); })?.rule, 'use-after-free');
});

test('stale-walk and use-after-free ask nothing about queues and objects', (t) => {
  const stack = after([]);
  stack.pages.releaseObject(stack.pages.allocateObject(3));
  stack.pages.release(stack.pages.allocate('stream'));
  t.is(counts(stack, 'use-after-free').decided, 0);
});

test('stale-configuration: an STE that says another thing than its target', (t) => {
  const stack = after([attach('identity')]);
  const ste = smmuState(stack).streamSlot * 512 + 8;
  const commit = stack.memory.commit.bind(stack.memory);
  stack.memory.commit = (ref, lo, hi) => { if (ref !== ste) commit(ref, lo, hi); }; // stores to its word 0 get lost
  t.is(broken(() => { stack.step(attach('blocked')); })?.cause, 'an STE that says bypass where abort is due');
});

test('stale-configuration: a CD that is not legal', (t) => {
  const stack = after([]);
  const illegal = new Uint32Array(16);
  t.false(cdLegal(illegal, 0, cdFeatures(DEFAULT_SMMU)));
  const cd = device(stack).cdSlot * 512;
  const commit = stack.memory.commit.bind(stack.memory);
  stack.memory.commit = (ref, lo, hi) => { commit(ref, ref === cd ? lo & 0x7fffffff : lo, hi); };
  t.is(broken(() => { stack.step(attach()); })?.cause, 'an invalid CD can still be used');
});

test('queue-integrity: PROD passes CONS by more than the queue holds', (t) => {
  const stack = after([], smallWorld({ smmus: [smmu({ queueLog2: 3 })] }));
  const s = smmuState(stack);
  const prod = s.port.readRegister(REG.CMDQ_PROD);
  t.is(broken(() => { s.port.writeRegister(REG.CMDQ_PROD, queueNext(prod, 3, 9)); })?.rule, 'queue-integrity');
});

test('queue-integrity: a published command is overwritten before it is consumed', (t) => {
  const stack = after([]);
  const s = smmuState(stack);
  const reference = stack.references[0] as Stage1Reference;
  const prod = s.port.readRegister(REG.CMDQ_PROD);
  const ref = s.queueSlot * 512 + prod * 2;
  stack.memory.commit(ref, OP.SYNC, 0);
  reference.writeRegister(REG.CMDQ_PROD, prod + 1);
  t.is(broken(() => { stack.memory.commit(ref, OP.TLBI_NSNH_ALL, 0); })?.cause, 'published-entry-changed');
});

test('queue-integrity: entries that were seen consumed may be overwritten', (t) => {
  const stack = after([]);
  const s = smmuState(stack);
  const prod = s.port.readRegister(REG.CMDQ_PROD);
  t.is(broken(() => { for (let i = 0; i < 256; i += 1) stack.memory.commit(s.queueSlot * 512 + i * 2, prod + i, 7); }), null);
});

test('illegal-command: a reserved opcode', (t) => {
  const stack = after([]);
  const s = smmuState(stack);
  const prod = s.port.readRegister(REG.CMDQ_PROD);
  stack.memory.commit(s.queueSlot * 512 + prod * 2, 0x77, 0);
  t.is(broken(() => { s.port.writeRegister(REG.CMDQ_PROD, prod + 1); })?.rule, 'illegal-command');
});

test('translation-equivalence: a mapped page that faults', (t) => {
  const stack = after(ready);
  stack.memory.commit(leafRef(stack, 0x5000), 0, 0);
  t.is(broken(() => { stack.step(access(0x5000)); })?.cause, 'an access may end in F_TRANSLATION');
});

test('translation-equivalence: the tables at the end are not what was mapped', (t) => {
  const lost = after([map(0x5000, 0x70000)]);
  lost.memory.commit(leafRef(lost, 0x5000), 0, 0);
  t.is(broken(() => { lost.close(); })?.cause, 'the tables differ from the flat map');
  const added = after([map(0x5000, 0x70000)]);
  storeLeaf(added, 0x9000, 0x44);
  t.is(broken(() => { added.close(); })?.cause, 'the tables differ from the flat map');
});

test('api-result: one side refuses what the other accepts', (t) => {
  const stack = after([]);
  device(stack).target = 0;
  const v = broken(() => { stack.step(attach()); });
  t.deepEqual([v?.rule, v?.cause], ['api-result', 'attach returns already-attached for ok']);
});

test('api-result: out of memory without a refused allocation', (t) => {
  const stack = after([]);
  stack.pages.allocate = () => -1;
  const v = broken(() => { stack.step(map(0x5000, 0x70000)); });
  t.deepEqual([v?.rule, v?.actual], ['api-result', 'no-memory']);
});

for (const beside of [0x5000, 0x7000]) {
  test(`api-result: iova-to-phys differs beside the mapped range, at 0x${beside.toString(16)}`, (t) => {
    const stack = after([map(0x9000, 0x70000)]);
    storeLeaf(stack, beside, 0x33);
    t.is(broken(() => { stack.step(map(0x6000, 0x90000)); })?.cause, 'iova-to-phys differs');
  });
}

test('progress: a call that never ends', (t) => {
  const stack = after([...ready, unmap(0x5000)]);
  const { cpu } = stack.driver.context;
  const begin = cpu.begin.bind(cpu);
  cpu.begin = () => { begin(5000); };
  (stack.machines[0] as OptimisedMachine).writeRegister(REG.CR0, 0); // it consumes nothing any more
  const v = broken(() => { stack.step(sync()); });
  t.deepEqual([v?.rule, v?.cause], ['progress', 'a call does not end']);
});

test('progress: the same call within its budget', (t) => {
  const stack = after([...ready, unmap(0x5000)]);
  (stack.machines[0] as OptimisedMachine).writeRegister(REG.CR0, CR0_CMDQEN);
  t.is(broken(() => { stack.step(sync()); }), null);
});

test('accounting: something is freed twice', (t) => {
  const stack = after([]);
  const page = stack.pages.allocate('cd');
  stack.pages.release(page);
  stack.pages.release(page);
  const v = broken(() => { stack.step(sync()); });
  t.deepEqual([v?.rule, v?.cause], ['accounting', 'double-free']);
});

test('accounting: a page, an object, a tag or an array user is left over', (t) => {
  const leaks: readonly [string, (stack: Lockstep) => void][] = [
    ['pages left over', (s) => { s.pages.allocate('table'); }],
    ['driver objects left over', (s) => { s.pages.allocateObject(2); }],
    ['ASIDs in use at the end', (s) => { s.driver.context.cpu.store(smmuState(s).asidCell, 4, 0); }],
  ];
  for (const [cause, leak] of leaks) {
    const stack = after(ready);
    leak(stack);
    t.is(broken(() => { stack.close(); })?.cause, cause);
  }
  t.is(broken(() => { after(ready).close(); }), null);
});

test('machine-refinement: an insert that is no fact', (t) => {
  const stack = after(ready);
  const listener = checkInserts(stack.ledger, stack.references[0] as Stage1Reference, 0);
  const asid = 1;
  const lo = leafLow(0x70, 3, true);
  t.is(broken(() => { listener.leafInserted(0, asid, 5, 3, lo, 0); }), null);
  t.is(broken(() => { listener.leafInserted(0, asid, 6, 3, lo, 0); })?.cause, 'on insert: a level # leaf at # of asid #');
  t.is(broken(() => { listener.leafInserted(0, asid + 1, 5, 3, lo, 0); })?.rule, 'machine-refinement');
  t.is(broken(() => { listener.leafInserted(0, asid, 5, 3, leafLow(0x71, 3, true), 0); })?.rule, 'machine-refinement');
  t.is(broken(() => { listener.tableInserted(0, asid, 0, 2, 3, 0); })?.cause, 'on insert: a level # table descriptor at # of asid #');
  t.is(broken(() => { listener.steInserted(1, new Uint32Array(16), 0); })?.cause, 'on insert: an STE of stream #');
  t.is(broken(() => { listener.cdInserted(1, new Uint32Array(16), 0); })?.cause, 'on insert: a CD of stream #');
});

test('machine-refinement: an entry that outlives a SYNC for its command', (t) => {
  const stack = after([...ready, access(0x5000)]);
  const reference = stack.references[0] as Stage1Reference;
  const machine = stack.machines[0] as OptimisedMachine;
  const covered = [{ command: { ...newCommand(), op: OP.TLBI_NH_ASID, asid: 1 }, visible: 0 }];
  t.is(broken(() => { checkCachesAfterSync(stack.ledger, reference, machine, covered, 0); }), null);
  const holds = reference.holdsLeaf.bind(reference);
  reference.holdsLeaf = (...args) => args[1] !== 5 && holds(...args);
  t.is(broken(() => { checkCachesAfterSync(stack.ledger, reference, machine, covered, 0); })?.cause, 'after a SYNC: a level # leaf at # of asid #');
  const other = [{ command: { ...newCommand(), op: OP.TLBI_NH_ASID, asid: 9 }, visible: 0 }];
  t.is(broken(() => { checkCachesAfterSync(stack.ledger, reference, machine, other, 0); }), null);
});

test('machine-refinement: an STE or CD that outlives a SYNC for its CFGI', (t) => {
  const stack = after([...ready, access(0x5000)]);
  const reference = stack.references[0] as Stage1Reference;
  const machine = stack.machines[0] as OptimisedMachine;
  const covered = [{ command: { ...newCommand(), op: OP.CFGI_STE, sid: 1, leaf: 1 }, visible: 0 }];
  t.is(broken(() => { checkCachesAfterSync(stack.ledger, reference, machine, covered, 0); }), null);
  reference.holdsCd = () => false;
  t.is(broken(() => { checkCachesAfterSync(stack.ledger, reference, machine, covered, 0); })?.cause, 'after a SYNC: a CD of stream #');
  reference.holdsSte = () => false;
  t.is(broken(() => { checkCachesAfterSync(stack.ledger, reference, machine, covered, 0); })?.cause, 'after a SYNC: an STE of stream #');
});

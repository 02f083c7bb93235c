/** Running both sides: options, counts, teardown, and replaying a sequence with its rows. */
import test from 'ava';
import { Lockstep } from '../../src/lockstep/lockstep.js';
import { Log } from '../../src/lockstep/log.js';
import { bothPort, referencePort } from '../../src/lockstep/ports.js';
import { replay } from '../../src/lockstep/replay.js';
import { Journal } from '../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../src/memory/memory.js';
import { Stage1Reference } from '../../src/reference/stage1/machine.js';
import { OP } from '../../src/spec/command.js';
import { CR0_CMDQEN, queueBase, REG } from '../../src/spec/register.js';
import type { Operation } from '../../src/stack/operation.js';
import { DEFAULT_SMMU, smallWorld } from '../../src/stack/world.js';
import { access, after, attach, broken, detach, GB1, KB4, map, MB2, smmu, sync, unmap, verdict } from '../rules/rig.js';

test('a fresh world has booted: commands were seen, nothing is armed against it', (t) => {
  const stack = new Lockstep(smallWorld());
  t.is(stack.commands[OP.CFGI_STE_RANGE], 1);
  t.is(stack.commands[OP.TLBI_NSNH_ALL], 1);
  t.is(stack.commands[OP.SYNC], 2);
  t.is(stack.index, -1);
});

test('operations are counted, refused ones too', (t) => {
  t.is(after([sync(), sync(7), access(0)]).index, 2);
});

test('an unknown mutant is an error of the caller', (t) => {
  t.throws(() => new Lockstep(smallWorld(), { mutant: 'no such mutant' }), { instanceOf: RangeError, message: /no such mutant/ });
});

const BUSY: readonly Operation[] = [
  attach(), map(0x5000, 0x70000), map(MB2, 8 * MB2, MB2), map(GB1, 3 * GB1, GB1), map(4 * GB1, 0x70000, 600 * KB4), access(0x5000), unmap(0x5000), access(MB2),
];

test('teardown gives everything back, from any state', (t) => {
  for (let n = 0; n <= BUSY.length; n += 1) {
    const stack = after(BUSY.slice(0, n));
    stack.close();
    t.is(stack.pages.objectsInUse, 0, `after ${n} operations`);
    t.is(stack.pages.pagesInUse, 3, `after ${n} operations`);
    t.is(stack.driver.tagsInUse(0), 0, `after ${n} operations`);
  }
});

test('teardown of several SMMUs, devices and domains', (t) => {
  const world = smallWorld({
    smmus: [smmu(), smmu()], devices: [{ smmu: 0, streams: [1, 2] }, { smmu: 1, streams: [0] }, { smmu: 1, streams: [5] }],
    domains: [{ mode: 'strict', managed: false }, { mode: 'lazy', managed: true }, { mode: 'strict', managed: true }],
  });
  const stack = after([attach(0, 0), attach(1, 1), attach(0, 2), attach('identity', 0)], world);
  stack.close();
  t.is(stack.pages.pagesInUse, 6);
  t.is(stack.pages.objectsInUse, 0);
});

test('teardown judges too: what only its detach shows is found there', (t) => {
  const before: readonly Operation[] = [attach(), attach('identity')];
  t.is(broken(() => { after(before, smallWorld(), { mutant: 'cfgi-missing-after-ste' }); })?.rule, 'stale-configuration');
  const found = replay(smallWorld(), [attach('blocked'), map(0x5000, 0x70000), unmap(0x5000)], { mutant: 'missing-tlbi' });
  t.is(found.violation, null); // nothing was ever visible
});

test('replay: where and in which call a rule broke', (t) => {
  const operations = [attach(), map(0x5000, 0x70000), unmap(0x5000), sync(), access(0x5000)];
  const found = replay(smallWorld(), operations, { mutant: 'missing-tlbi' }, true);
  t.is(found.violation?.rule, 'stale-translation');
  t.is(found.failedAt, 3);
  t.is(found.failedStep, 3);
  t.deepEqual(found.rows.map((r) => r.differs), [false, false, false, true]);
});

test('replay: at reset it is -1, at the end the number of operations', (t) => {
  t.is(replay(smallWorld(), [sync()], { mutant: 'reset-without-cfgi-all' }).failedAt, -1);
  const world = smallWorld({ domains: [{ mode: 'lazy', managed: true }] });
  const found = replay(world, [attach('identity')], { mutant: 'flush-all-by-range' });
  t.is(found.violation, null);
  const attached = replay(world, [attach()], { mutant: 'cfgi-missing-after-ste' });
  t.is(attached.failedAt, 0);
});

test('replay: a failure of the teardown counts its calls on', (t) => {
  const operations = [attach(), map(0x5000, 0x70000), unmap(0x5000), map(0x9000, 0x90000)];
  const found = replay(smallWorld(), operations, { mutant: 'cfgi-missing-after-cd' });
  t.is(found.violation, null);
  const late = replay(smallWorld(), [attach(), map(0, 4 * MB2 + KB4, MB2), unmap(0, MB2)], { mutant: 'table-freed-before-sync' });
  t.is(late.violation, null); // detached before the sync of the teardown: nothing can see the table
  const tagged = replay(smallWorld({ devices: [{ smmu: 0, streams: [1] }, { smmu: 0, streams: [2] }] }), [attach(0, 0)], { mutant: 'cfgi-missing-after-ste' });
  t.is(tagged.failedStep, 0);
});

test('replay: a clean run has a row for each operation, both sides in words', (t) => {
  const found = replay(smallWorld(), [attach(), map(0x5000, 0x70000), access(0x5000), access(0x6000), map(0x5000, 0), detach()], {}, true);
  t.deepEqual(found.rows.map((r) => [r.reference, r.optimised]), [['ok', 'ok'], ['ok', 'ok'], ['0x70000', '0x70000'], ['F_TRANSLATION', 'F_TRANSLATION'], ['already-mapped', 'already-mapped'], ['ok', 'ok']]);
  t.is(found.failedAt, -1);
});

test('replay: rows cost nothing when nobody asks', (t) => {
  t.deepEqual(replay(smallWorld(), [attach()]).rows, []);
});

test('an injected command goes out with its operation, and only then', (t) => {
  const words = [OP.TLBI_NSNH_ALL, 0, 0, 0];
  const operations = [attach(), map(0x5000, 0x70000), unmap(0x5000), sync()];
  for (const where of ['batch', 'after'] as const) {
    const injected = replay(smallWorld(), operations, { mutant: 'missing-tlbi', injection: { operation: 3, smmu: 0, words, where } });
    t.is(injected.violation, null, where);
    t.is(replay(smallWorld(), operations, { mutant: 'missing-tlbi', injection: { operation: 1, smmu: 0, words, where } }).violation?.rule, 'stale-translation', where);
  }
  t.is(verdict(operations, smallWorld(), 'missing-tlbi')?.rule, 'stale-translation');
});

test('a log tells operations, commands, SYNCs, stale leaves and changed entries, each with its operation', (t) => {
  const log = new Log();
  replay(smallWorld(), [attach(), map(0x5000, 0x70000), unmap(0x5000), sync()], { log });
  const kinds = new Set(log.entries.map((e) => e.kind));
  t.deepEqual([...kinds].sort(), ['closed', 'command', 'entry', 'hidden', 'operation', 'synced']);
  const hidden = log.entries.find((e) => e.kind === 'hidden');
  t.like(hidden, { op: 3, smmu: 0, asid: 1, va: 5, frames: 1, level: 3, pa: 0x70 });
});

test('software that reads CONS through both machines completes the SYNCs of the weakest', (t) => {
  const memory = new Memory(new Journal());
  const reference = new Stage1Reference(memory, DEFAULT_SMMU);
  let cons = 0;
  const port = bothPort(reference, { writeRegister: () => undefined, readRegister: () => cons });
  port.writeRegister(REG.CMDQ_BASE, queueBase(RAM_BASE * 4096, 3));
  port.writeRegister(REG.CR0, CR0_CMDQEN);
  memory.commit(0, OP.SYNC, 0);
  port.writeRegister(REG.CMDQ_PROD, 1);
  port.readRegister(REG.CMDQ_CONS);
  t.is(reference.queue.waiting, 1);
  cons = 1;
  t.is(port.readRegister(REG.CMDQ_CONS), 1);
  t.is(reference.queue.waiting, 0);
});

test('the weakest machine alone completes everything that is published', (t) => {
  const memory = new Memory(new Journal());
  const reference = new Stage1Reference(memory, DEFAULT_SMMU);
  const port = referencePort(reference);
  port.writeRegister(REG.CMDQ_BASE, queueBase(RAM_BASE * 4096, 3));
  port.writeRegister(REG.CR0, CR0_CMDQEN);
  memory.commit(0, OP.SYNC, 0);
  port.writeRegister(REG.CMDQ_PROD, 1);
  t.is(port.readRegister(REG.CMDQ_CONS), 1);
  t.is(reference.queue.waiting, 0);
});

/** A driver sequence as a raw one: it does the same to an SMMU, and only what software does. */
import test from 'ava';
import { recordDriver, TooLarge, type Recorded } from '../../src/conform/recording.js';
import { Lockstep } from '../../src/lockstep/lockstep.js';
import { MachineLockstep } from '../../src/lockstep/machine-lockstep.js';
import { Generator } from '../../src/operations/generate.js';
import { drawReachDriver } from '../../src/operations/reach-driver.js';
import { QEMU_STAGE1_REACH as REACH } from '../../src/operations/reach.js';
import { OP } from '../../src/spec/command.js';
import { REG } from '../../src/spec/register.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import type { Operation } from '../../src/stack/operation.js';
import { OUTCOME_FAULT, OUTCOME_OK } from '../../src/stack/outcome.js';
import type { World } from '../../src/stack/world.js';

const WORLD: World = {
  smmus: [{ range: true, asidBits: 16, asidMax: 4, queueLog2: 4, eventLog2: 7, tlbEntries: 64 }],
  devices: [{ smmu: 0, streams: [8] }, { smmu: 0, streams: [9, 17] }], domains: [{ mode: 'strict', managed: false }], inputBits: 39, flushQueue: 4, storeOrder: 'fifo',
};
const access = (iova: number, write = false, device = 0, stream = 0): Operation => ({ op: 'access', device, stream, iova, write });
const map = (iova: number, pa: number, size = 4096): Operation => ({ op: 'map', domain: 0, iova, pa, size, prot: 'rw' });
const SEQUENCE: readonly Operation[] = [
  access(0x10000), { op: 'attach', device: 0, to: 0 }, { op: 'attach', device: 1, to: 0 }, map(0x10000, 0x200000000, 8192), access(0x10000), access(0x11000, true, 1, 1), access(0x12000),
  { op: 'unmap', domain: 0, iova: 0x10000, size: 4096 }, { op: 'sync', domain: 0 }, access(0x10000), access(0x11000), { op: 'detach', device: 0 }, access(0x11000), access(0x1000, false, 7),
];

function recorded(operations: readonly Operation[], world = WORLD): Recorded {
  const left = [...operations];
  return recordDriver(world, REACH.features, () => left.shift() ?? null);
}

/** An answer as one word. */
function word(a: { readonly kind: number; readonly event: number; readonly frame: number } | null): string {
  return a === null ? '' : a.kind === OUTCOME_OK ? `page ${a.frame}` : a.kind === OUTCOME_FAULT ? `event ${a.event}` : 'abort';
}

/** What the driver's accesses come to. */
function driven(world: World, operations: readonly Operation[]): string[] {
  const stack = new Lockstep(world);
  const seen = operations.flatMap((op) => {
    const { outcome } = stack.step(op);
    return outcome === null ? [] : [word({ ...outcome, frame: outcome.kind === OUTCOME_OK ? outcome.frame : 0, event: outcome.kind === OUTCOME_FAULT ? outcome.event : 0 })];
  });
  stack.close();
  return seen;
}

/** What the accesses of the recorded sequence come to on our own twins: no rule may break. */
function replayed(r: Recorded): string[] {
  const both = new MachineLockstep(r.world);
  const seen = r.operations.flatMap((op) => {
    const { answer } = both.step(op);
    return answer === null ? [] : [word(answer)];
  });
  both.close();
  return seen;
}

test('the recorded sequence is clean on our own twins and ends in the same answers', (t) => {
  const seen = driven(WORLD, SEQUENCE);
  t.deepEqual(replayed(recorded(SEQUENCE)), seen);
  t.deepEqual(seen, ['abort', `page ${0x200000}`, `page ${0x200001}`, 'event 16', 'event 16', `page ${0x200001}`, 'abort']);
});

test('so is whatever the driver is made to do at random', (t) => {
  let accesses = 0;
  const found = new Set<string>();
  for (let k = 0; k < 40; k += 1) {
    const chooser = new RandomChooser(`recording/${k}`);
    const { world, mix, operations, window } = drawReachDriver(chooser, REACH);
    const generator = new Generator(world, mix, chooser, window);
    const done: Operation[] = [];
    try {
      const r = recordDriver(world, REACH.features, (stack) => {
        if (done.length === operations) return null;
        const op = generator.next(stack.intent);
        done.push(op);
        return op;
      });
      t.is(r.from, operations);
      const seen = replayed(r);
      t.deepEqual(seen, driven(world, done), `${k}`);
      accesses += seen.length;
      for (const s of seen) found.add(s.split(' ')[0] ?? '');
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error;
    }
  }
  t.true(accesses > 100);
  t.deepEqual([...found].sort(), ['abort', 'event', 'page']);
});

test('it is one SMMU with the features that were asked for, unjudged, over as much memory as was stored to', (t) => {
  const { world, from } = recorded(SEQUENCE);
  t.deepEqual(world.smmus, [{ features: REACH.features, tlbEntries: 64, mergeRuns: false, strictReserved: false }]);
  t.false(world.judged);
  t.true(world.frames >= 16 && world.frames < 64, `${world.frames}`);
  t.is(from, SEQUENCE.length);
});

test('accesses that the driver refuses are left out, the others are in their place', (t) => {
  const { operations } = recorded(SEQUENCE);
  const accesses = operations.filter((o) => o.op === 'access');
  t.deepEqual(accesses.map((a) => [a.sid, a.iova, a.write]), [[8, 0x10000, false], [8, 0x10000, false], [17, 0x11000, true], [8, 0x12000, false], [8, 0x10000, false], [8, 0x11000, false], [8, 0x11000, false]]);
  for (const a of accesses) t.deepEqual([a.smmu, a.ssid, a.privileged, a.instruction], [0, -1, false, false]);
});

test('commands are operations of their own, and each CMD_SYNC is one that looks at CONS', (t) => {
  const { operations } = recorded(SEQUENCE);
  const commands = operations.filter((o) => o.op === 'command').map((o) => o.command.op);
  for (const op of [OP.CFGI_STE_RANGE, OP.CFGI_STE, OP.TLBI_NSNH_ALL, OP.TLBI_NH_VA]) t.true(commands.includes(op), `0x${op.toString(16)}`);
  t.false(commands.includes(OP.SYNC));
  t.true(operations.filter((o) => o.op === 'sync').length >= 3);
  const at = operations.findIndex((o) => o.op === 'command' && o.command.op === OP.TLBI_NH_VA);
  t.is(operations[at + 1]?.op, 'sync');
});

test('what whoever runs the sequence does is not recorded: PROD once commands are on, CONS of the event queue once events are, stores to queues', (t) => {
  const { operations } = recorded(SEQUENCE);
  const offsets = operations.flatMap((o) => (o.op === 'register' ? [o.offset] : []));
  t.is(offsets.filter((o) => o === REG.CMDQ_PROD).length, 1);
  t.is(offsets.filter((o) => o === REG.EVENTQ_CONS).length, 1);
  t.true(offsets.includes(REG.STRTAB_BASE) && offsets.includes(REG.CR0));
  const bases = operations.flatMap((o) => (o.op === 'register' && (o.offset === REG.CMDQ_BASE || o.offset === REG.EVENTQ_BASE) ? [o.value - (o.value % 4096)] : []));
  t.is(bases.length, 2);
  for (const o of operations) if (o.op === 'store') t.false(bases.includes(o.at - (o.at % 4096)), `0x${o.at.toString(16)}`);
});

test('the tables are taken down at the end', (t) => {
  const short = recorded(SEQUENCE.slice(0, 4)).operations;
  t.true(short.length > 0);
  const last = short.at(-1);
  t.true(last?.op === 'sync' || last?.op === 'register' || last?.op === 'store');
  t.true(short.some((o) => o.op === 'store' && (o.lo & 1) === 1) && short.some((o) => o.op === 'store' && o.lo === 0));
});

test('too large: more stores than a recorded sequence may have', (t) => {
  t.throws(() => recorded([{ op: 'attach', device: 0, to: 0 }, map(0x10000, 0x200001000, 4096 * 400)]), { instanceOf: TooLarge });
  t.notThrows(() => recorded([{ op: 'attach', device: 0, to: 0 }, map(0x10000, 0x200001000, 4096 * 40)]));
});

test('what lockstep throws comes through', (t) => {
  t.throws(() => recordDriver(WORLD, REACH.features, () => { throw new RangeError('so'); }), { instanceOf: RangeError });
});

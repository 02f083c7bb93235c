/** Device accesses: what a stream gets under each target and mapping, and the event records that faults leave. */
import test from 'ava';
import { checkAccess, checkEvents } from '../../src/lockstep/access.js';
import type { Lockstep } from '../../src/lockstep/lockstep.js';
import { EVENT, type EventRecord } from '../../src/spec/event.js';
import { describeOutcome, newOutcome, setFault, setOk, type Outcome } from '../../src/stack/outcome.js';
import type { Operation } from '../../src/stack/operation.js';
import { Ledger } from '../../src/rules/ledger.js';
import { smallWorld, type World } from '../../src/stack/world.js';
import { access, after, attach, broken, counts, detach, GB1, KB4, map, MB2, smmu, sync, unmap } from '../rules/rig.js';

function answer(stack: Lockstep, op: Operation): string {
  const { outcome } = stack.step(op);
  return outcome === null ? 'refused' : describeOutcome(outcome);
}

/** What each access gets after these operations. */
const EXPECTED: readonly [what: string, before: readonly Operation[], access: Operation, answer: string][] = [
  ['attached to nothing: silent abort', [], access(0x5000), 'abort'],
  ['blocked: silent abort', [attach('blocked')], access(0x5000, true), 'abort'],
  ['identity: the address itself', [attach('identity')], access(0x5000), '0x5000'],
  ['identity: up to the output size', [attach('identity')], access(2 ** 44 - KB4, true), `0x${(2 ** 44 - KB4).toString(16)}`],
  ['identity: not beyond the output size', [attach('identity')], access(2 ** 44), 'F_ADDR_SIZE'],
  ['a mapped page', [attach(), map(0x5000, 0x70000)], access(0x5000), '0x70000'],
  ['a mapped page, within the page', [attach(), map(0x5000, 0x70000)], access(0x5abc), '0x70000'],
  ['a mapped page, written', [attach(), map(0x5000, 0x70000)], access(0x5000, true), '0x70000'],
  ['mapped before the attach', [map(0x5000, 0x70000), attach()], access(0x5000), '0x70000'],
  ['a page beside it', [attach(), map(0x5000, 0x70000)], access(0x6000), 'F_TRANSLATION'],
  ['beyond the input size', [attach(), map(0x5000, 0x70000)], access(2 ** 48), 'F_TRANSLATION'],
  ['a read-only page, read', [attach(), map(0x5000, 0x70000, KB4, 'r')], access(0x5000), '0x70000'],
  ['a read-only page, written', [attach(), map(0x5000, 0x70000, KB4, 'r')], access(0x5000, true), 'F_PERMISSION'],
  ['the middle of a 2 MB block', [attach(), map(MB2, 8 * MB2, MB2)], access(MB2 + 0x7000), `0x${(8 * MB2 + 0x7000).toString(16)}`],
  ['the end of a 1 GB block', [attach(), map(GB1, 3 * GB1, GB1)], access(2 * GB1 - KB4), `0x${(4 * GB1 - KB4).toString(16)}`],
  ['unmapped and synced', [attach(), map(0x5000, 0x70000), unmap(0x5000), sync()], access(0x5000), 'F_TRANSLATION'],
  ['unmapped, cached, synced', [attach(), map(0x5000, 0x70000), access(0x5000), unmap(0x5000), sync()], access(0x5000), 'F_TRANSLATION'],
  ['mapped anew to another page', [attach(), map(0x5000, 0x70000), access(0x5000), unmap(0x5000), sync(), map(0x5000, 0x90000)], access(0x5000), '0x90000'],
  ['a block over pages that were there', [attach(), map(MB2, 0x70000, KB4), access(MB2), unmap(MB2), sync(), map(MB2, 8 * MB2, MB2)], access(MB2), `0x${(8 * MB2).toString(16)}`],
  ['detached', [attach(), map(0x5000, 0x70000), access(0x5000), detach()], access(0x5000), 'abort'],
  ['from a domain to identity', [attach(), map(0x5000, 0x70000), access(0x5000), attach('identity')], access(0x5000), '0x5000'],
  ['from identity to a domain', [attach('identity'), access(0x5000), attach()], access(0x5000), 'F_TRANSLATION'],
];

for (const [what, before, op, expected] of EXPECTED) {
  test(`${what}: ${expected}`, (t) => {
    const stack = after(before);
    t.is(answer(stack, op), expected);
    t.is(answer(stack, op), expected); // and from the caches
    stack.close();
  });
}

test('both streams of a device see its domain, streams of other devices do not', (t) => {
  const world = smallWorld({ devices: [{ smmu: 0, streams: [1, 2] }, { smmu: 0, streams: [3] }] });
  const stack = after([attach(0, 0), map(0x5000, 0x70000)], world);
  t.deepEqual([access(0x5000), access(0x5000, false, 0, 1), access(0x5000, false, 1)].map((op) => answer(stack, op)), ['0x70000', '0x70000', 'abort']);
});

test('between unmap and sync either answer is allowed', (t) => {
  const cached = after([attach(), map(0x5000, 0x70000), access(0x5000), unmap(0x5000)]);
  t.is(answer(cached, access(0x5000)), '0x70000');
  cached.driver.context.cpu.drainAll();
  (cached.machines[0] as { flushCaches(): void }).flushCaches();
  t.is(answer(cached, access(0x5000)), 'F_TRANSLATION');
  t.is(counts(cached, 'translation-equivalence').violated, 0);
});

const SMMUS: World = smallWorld({
  smmus: [smmu(), smmu({ range: false }), smmu({ queueLog2: 3 })],
  devices: [{ smmu: 0, streams: [1] }, { smmu: 1, streams: [1] }, { smmu: 2, streams: [7] }],
  domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }],
});

test('several SMMUs: one domain behind all of them is one map', (t) => {
  const stack = after([attach(0, 0), attach(0, 1), attach(0, 2), map(0x5000, 0x70000)], SMMUS);
  const all = (): string[] => [0, 1, 2].map((device) => answer(stack, access(0x5000, false, device)));
  t.deepEqual(all(), ['0x70000', '0x70000', '0x70000']);
  stack.step(unmap(0x5000));
  stack.step(sync());
  t.deepEqual(all(), ['F_TRANSLATION', 'F_TRANSLATION', 'F_TRANSLATION']);
  stack.close();
});

test('several SMMUs: equal StreamIDs and ASIDs of different SMMUs are different things', (t) => {
  const stack = after([attach(0, 0), attach(1, 1), map(0x5000, 0x70000, KB4, 'rw', 0), map(0x5000, 0x90000, KB4, 'rw', 1)], SMMUS);
  t.deepEqual([0, 1].map((smmuIndex) => stack.driver.tagsInUse(smmuIndex)), [1, 1]);
  t.deepEqual([0, 1].map((device) => answer(stack, access(0x5000, false, device))), ['0x70000', '0x90000']);
  stack.step(unmap(0x5000, KB4, 0));
  stack.step(sync(0));
  t.deepEqual([0, 1].map((device) => answer(stack, access(0x5000, false, device))), ['F_TRANSLATION', '0x90000']);
});

test('several SMMUs: one that leaves is told nothing more, and sees nothing', (t) => {
  const stack = after([attach(0, 0), attach(0, 1), map(0x5000, 0x70000), access(0x5000, false, 1), detach(1), unmap(0x5000), sync()], SMMUS);
  t.deepEqual([0, 1].map((device) => answer(stack, access(0x5000, false, device))), ['F_TRANSLATION', 'abort']);
  stack.close();
});

function record(change: Partial<EventRecord> = {}): EventRecord {
  return { type: EVENT.F_TRANSLATION, sid: 1, ssv: 0, ssid: 0, read: 1, privileged: 0, stage2: 0, class: 2, inputFrame: 5, inputOffset: 0, ...change };
}

function outcome(fill: (o: Outcome) => void): Outcome {
  const o = newOutcome();
  fill(o);
  return o;
}

const FAULT = outcome((o) => { setFault(o, EVENT.F_TRANSLATION); });
const OK = outcome((o) => { setOk(o, 9); });
const WRONG = 'the event record is missing or wrong';
const STRAY = 'an event without a fault';

/** Outcome, records, cause; '' for nothing wrong. */
const EVENTS: readonly [string, Outcome, readonly EventRecord[], string][] = [
  ['a fault and its record', FAULT, [record()], ''],
  ['a fault without one', FAULT, [], WRONG],
  ['a fault with two', FAULT, [record(), record()], WRONG],
  ['a record of another stream', FAULT, [record({ sid: 2 })], WRONG],
  ['a record of another type', FAULT, [record({ type: EVENT.F_PERMISSION })], WRONG],
  ['a record of another address', FAULT, [record({ inputFrame: 6 })], WRONG],
  ['a record of a write for a read', FAULT, [record({ read: 0 })], WRONG],
  ['a configuration fault has no address', outcome((o) => { setFault(o, EVENT.C_BAD_CD); }), [record({ type: EVENT.C_BAD_CD, inputFrame: 0, read: 0 })], ''],
  ['a translation and no record', OK, [], ''],
  ['a translation and a record', OK, [record()], STRAY],
  ['a silent abort', newOutcome(), [], ''],
  ['an abort that is not silent', newOutcome(), [record()], STRAY],
];

for (const [what, o, events, cause] of EVENTS) {
  test(`events: ${what}`, (t) => {
    t.is(broken(() => { checkEvents(new Ledger(), 1, 5, false, o, events); })?.cause ?? '', cause);
  });
}

test('faults in a row each leave their record, however small the event queue is', (t) => {
  const stack = after([attach()], smallWorld({ smmus: [smmu({ eventLog2: 1 })] }));
  for (let i = 0; i < 9; i += 1) t.is(answer(stack, access(i * KB4, i % 2 === 0)), 'F_TRANSLATION');
});

test('an answer that no legal SMMU may give is a refinement failure', (t) => {
  const stack = after([attach(), map(0x5000, 0x70000)]);
  t.is(broken(() => { checkAccess(stack.scene, 0, 1, 5, false, outcome((o) => { setOk(o, 0x70); })); }), null);
  const v = broken(() => { checkAccess(stack.scene, 0, 1, 5, false, outcome((o) => { setOk(o, 0x71); })); });
  t.deepEqual([v?.rule, v?.cause], ['machine-refinement', 'an answer that the weakest machine does not allow: a frame']);
  t.is(broken(() => { checkAccess(stack.scene, 0, 1, 5, false, FAULT); })?.cause, 'an answer that the weakest machine does not allow: F_TRANSLATION');
});

/** Each error of the interface: returned on both sides, with the world of both sides as it was. */
import test from 'ava';
import type { Lockstep } from '../../src/lockstep/lockstep.js';
import { ERRORS, type ErrorCode, type Operation } from '../../src/stack/operation.js';
import { smallWorld, type World } from '../../src/stack/world.js';
import { access, after, alloc, attach, detach, fail, flush, free, GB1, KB4, map, MB2, smmu, sync, unmap } from '../rules/rig.js';

/** Strict domain 0 with a page and a block; strict and managed domain 1; lazy domain 2; one ASID; device 1 is free. Device 2 is behind an SMMU that looks into no cache. */
const WORLD: World = smallWorld({
  smmus: [smmu({ asidMax: 1 }), smmu({ coherent: false })],
  devices: [{ smmu: 0, streams: [1, 2] }, { smmu: 0, streams: [3] }, { smmu: 1, streams: [1] }],
  domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: true }, { mode: 'lazy', managed: true }],
});
const BEFORE: readonly Operation[] = [
  attach(0, 0), map(0x5000, 0x70000), map(2 * MB2, 8 * MB2, MB2), alloc(0x10000, 4 * KB4, 1), map(0x10000, 0x90000, KB4, 'r', 1),
  alloc(0x20000, KB4, 2), free(0x20000, KB4, 2),
];

const CASES: readonly [ErrorCode, Operation][] = [
  ['unknown-domain', map(0, 0, KB4, 'rw', 3)], ['unknown-domain', unmap(0, KB4, 3)], ['unknown-domain', sync(3)], ['unknown-domain', attach(3)],
  ['unknown-domain', alloc(0, KB4, 3)], ['unknown-domain', free(0, KB4, 3)], ['unknown-domain', flush(3)],
  ['unknown-device', attach(0, 3)], ['unknown-device', detach(3)], ['unknown-device', access(0, false, 3)], ['unknown-device', attach(9, 9)],
  ['unknown-stream', access(0x5000, false, 0, 2)], ['unknown-stream', access(0x5000, false, 1, 1)],
  ['unaligned', map(0x5800, 0)], ['unaligned', map(0, 0x800)], ['unaligned', map(0, 0, 100)], ['unaligned', unmap(0x5000, 0)], ['unaligned', alloc(0, 100, 1)], ['unaligned', free(5, KB4, 1)],
  ['out-of-range', map(2 ** 48 - KB4, 0, 2 * KB4)], ['out-of-range', map(0, 2 ** 44)], ['out-of-range', unmap(2 ** 48)], ['out-of-range', alloc(2 ** 48, KB4, 1)], ['out-of-range', free(2 ** 50, KB4, 1)],
  ['too-large', map(4 * GB1, 8 * GB1 + KB4, GB1 + KB4)], ['too-large', map(0, KB4, 2 * GB1)],
  ['already-mapped', map(0x5000, 0x70000)], ['already-mapped', map(0, 4 * GB1, GB1)], ['already-mapped', map(3 * MB2 - KB4, 0)],
  ['not-mapped', unmap(0x6000)], ['not-mapped', unmap(0x5000, 2 * KB4)],
  ['partial-block', unmap(2 * MB2, KB4)], ['partial-block', unmap(3 * MB2 - KB4, KB4)],
  ['already-attached', attach(0, 0)], ['not-attached', detach(1)], ['no-tags', attach(1, 1)], ['incompatible', attach(0, 2)],
  ['iova-busy', alloc(0x13000, 2 * KB4, 1)], ['iova-busy', alloc(0x20000, KB4, 2)],
  ['iova-not-allocated', map(0x30000, 0, KB4, 'rw', 1)], ['iova-not-allocated', free(0x10000, KB4, 1)], ['iova-not-allocated', map(0x20000, 0, KB4, 'rw', 2)],
  ['iova-in-use', free(0x10000, 4 * KB4, 1)],
  ['not-managed', alloc(0)], ['not-managed', free(0)],
  ['not-lazy', flush(0)], ['not-lazy', flush(1)],
];

/** All that both sides know, as text; memory as a sum of its words by place. */
function state(stack: Lockstep): string {
  stack.driver.context.cpu.drainAll();
  const { lo, hi } = stack.memory;
  const words: string[] = [];
  for (let i = 0; i < lo.length; i += 1) if (lo[i] !== 0 || hi[i] !== 0) words.push(`${i}=${hi[i]}:${lo[i]}`);
  const intent = stack.intent.domains.map((d) => [d.mapped.runs, d.limbo, d.handedOut, d.waiting]);
  const devices = stack.intent.devices.map((d) => [d.target, d.before ?? null]);
  const facts = stack.references.map((r) => r.regimes.map((g) => [g.asid, g.domain, g.leafRecs.length, g.wayRecs.length]));
  return JSON.stringify([words, intent, devices, facts, stack.pages.pagesInUse, stack.pages.objectsInUse, stack.driver.tagsInUse(0), stack.driver.state.devices.map((d) => d.target)]);
}

CASES.forEach(([error, op], i) => {
  test(`${error}: ${op.op} (${i})`, (t) => {
    const stack = after(BEFORE, WORLD);
    const before = state(stack);
    const step = stack.step(op);
    t.is(step.expected, error);
    t.is(step.result, error);
    t.is(step.outcome, null);
    t.is(state(stack), before);
    stack.close();
  });
});

const REFUSED_ALLOCATIONS: readonly [string, Operation][] = [['map', map(GB1, 0x70000)], ['attach', attach(0, 1)]];

for (const [what, op] of REFUSED_ALLOCATIONS) {
  test(`no-memory: ${what}; the reference takes its change back`, (t) => {
    const stack = after([...BEFORE, fail], WORLD);
    const before = state(stack);
    const step = stack.step(op);
    t.is(step.expected, 'ok');
    t.is(step.result, 'no-memory');
    t.is(state(stack), before);
    t.is(stack.step(op).result, 'ok');
    stack.close();
  });
}

test('the failing allocation waits for a call that allocates', (t) => {
  const stack = after([...BEFORE, fail, sync(), access(0x5000), unmap(0x5000)], WORLD);
  t.is(stack.step(map(0x5000, 0x70000)).result, 'ok');
  t.is(stack.step(map(GB1, 0x70000)).result, 'no-memory');
});

test('a detach without memory still succeeds on both sides', (t) => {
  const shared = smallWorld({ smmus: [smmu(), smmu()], devices: [{ smmu: 0, streams: [1] }, { smmu: 1, streams: [1] }] });
  const stack = after([attach(0, 0), attach(0, 1), fail], shared);
  t.is(stack.step(detach(0)).result, 'ok');
  stack.close();
});

test('every error is met here', (t) => {
  const met = new Set<string>(CASES.map(([error]) => error));
  met.add('no-memory');
  t.deepEqual([...met].sort(), Object.keys(ERRORS).sort());
});

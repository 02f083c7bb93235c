/** Intent: what each device is entitled to see, call by call; obligations and when they end. */
import test from 'ava';
import { Intent } from '../../../src/reference/driver/intent.js';
import { EVENT } from '../../../src/spec/event.js';
import { newOutcome, type Outcome } from '../../../src/stack/outcome.js';
import type { Operation, Result } from '../../../src/stack/operation.js';
import { smallWorld, type World } from '../../../src/stack/world.js';
import { alloc, attach, detach, fault, flush, free, GB1, KB4, map, MB2, ok, sync, unmap } from '../../rules/rig.js';

const LAZY = smallWorld({ domains: [{ mode: 'lazy', managed: true }], flushQueue: 2 });

const ABORT = newOutcome();
const MISS = fault(EVENT.F_TRANSLATION);
const DENIED = fault(EVENT.F_PERMISSION);

function run(intent: Intent, ...operations: readonly Operation[]): Result[] {
  return operations.map((op) => {
    const result = intent.begin(op);
    if (result === 'ok') intent.finish(op, 'ok');
    return result;
  });
}

function after(operations: readonly Operation[], world: World = smallWorld()): Intent {
  const intent = new Intent(world);
  run(intent, ...operations);
  return intent;
}

/** Which of these outcomes device 0 may get at a frame. */
function allowed(intent: Intent, frame: number, write: boolean, ...outcomes: readonly Outcome[]): boolean[] {
  return outcomes.map((o) => intent.allows(0, frame, write, o));
}

test('attached to nothing or blocked: a silent abort and nothing else', (t) => {
  for (const before of [[], [attach('blocked')], [attach(), detach()]]) {
    t.deepEqual(allowed(after(before), 5, false, ABORT, ok(5), MISS), [true, false, false]);
  }
});

test('identity: the frame itself below the output size, F_ADDR_SIZE beyond', (t) => {
  const intent = after([attach('identity')]);
  t.deepEqual(allowed(intent, 5, true, ok(5), ok(6), ABORT), [true, false, false]);
  t.deepEqual(allowed(intent, 2 ** 32 - 1, false, ok(2 ** 32 - 1)), [true]);
  t.deepEqual(allowed(intent, 2 ** 32, false, fault(EVENT.F_ADDR_SIZE), ok(2 ** 32)), [true, false]);
});

test('a domain: the mapped frame where it is mapped, F_TRANSLATION where not', (t) => {
  const intent = after([attach(), map(0x5000, 0x70000, 2 * KB4)]);
  t.deepEqual(allowed(intent, 6, false, ok(0x71), ok(0x70), MISS, ABORT), [true, false, false, false]);
  t.deepEqual(allowed(intent, 7, false, ok(0x72), MISS), [false, true]);
});

test('a read-only page: read yes, written F_PERMISSION', (t) => {
  const intent = after([attach(), map(0x5000, 0x70000, KB4, 'r')]);
  t.deepEqual(allowed(intent, 5, false, ok(0x70), DENIED), [true, false]);
  t.deepEqual(allowed(intent, 5, true, ok(0x70), DENIED), [false, true]);
});

test('strict: either until sync', (t) => {
  const intent = after([attach(), map(0x5000, 0x70000), unmap(0x5000)]);
  t.deepEqual(allowed(intent, 5, false, ok(0x70), MISS, ok(0x71)), [true, true, false]);
  run(intent, sync());
  t.deepEqual(allowed(intent, 5, false, ok(0x70), MISS), [false, true]);
});

test('sva: what an mm unmaps may be seen until the unmap returns, not until a sync', (t) => {
  const intent = new Intent(smallWorld({ domains: [{ mode: 'strict', managed: false, gather: 'sva' }] }));
  run(intent, attach(), map(0x5000, 0x70000, 2 * KB4));
  t.is(intent.begin(unmap(0x5000)), 'ok');
  t.deepEqual(allowed(intent, 5, false, ok(0x70), MISS), [true, true]);
  intent.finish(unmap(0x5000), 'ok');
  t.deepEqual(allowed(intent, 5, false, ok(0x70), MISS), [false, true]);
  t.deepEqual(allowed(intent, 6, false, ok(0x71), MISS), [true, false]);
  t.deepEqual(run(intent, sync()), ['ok']);
});

test('io-pgtable: either until sync, as with iommupt', (t) => {
  const intent = after([attach(), map(0x5000, 0x70000), unmap(0x5000)], smallWorld({ domains: [{ mode: 'strict', managed: false, gather: 'io-pgtable' }] }));
  t.deepEqual(allowed(intent, 5, false, ok(0x70), MISS), [true, true]);
  run(intent, sync());
  t.deepEqual(allowed(intent, 5, false, ok(0x70), MISS), [false, true]);
});

test('sync of another domain promises nothing', (t) => {
  const world = smallWorld({ domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }] });
  const intent = after([attach(), map(0x5000, 0x70000), unmap(0x5000), sync(1)], world);
  t.deepEqual(allowed(intent, 5, false, ok(0x70)), [true]);
});

test('strict: a new mapping makes what stood there due, page by page', (t) => {
  const intent = after([attach(), map(0x5000, 0x70000, 3 * KB4), unmap(0x5000, 3 * KB4), map(0x6000, 0x90000)]);
  t.deepEqual([5, 6, 7].map((f) => intent.allows(0, f, false, ok(0x70 + f - 5))), [true, false, true]);
  t.deepEqual(allowed(intent, 6, false, ok(0x90), MISS), [true, false]);
});

test('lazy: sync promises nothing, flush-all does', (t) => {
  const intent = after([attach(), alloc(0x5000), map(0x5000, 0x70000), unmap(0x5000), sync()], LAZY);
  t.deepEqual(allowed(intent, 5, false, ok(0x70), MISS), [true, true]);
  run(intent, flush());
  t.deepEqual(allowed(intent, 5, false, ok(0x70), MISS), [false, true]);
});

test('lazy: the flush queue flushes when it is full', (t) => {
  const intent = after([attach(), alloc(0x5000), map(0x5000, 0x70000), unmap(0x5000), free(0x5000)], LAZY);
  t.deepEqual(allowed(intent, 5, false, ok(0x70)), [true]);
  t.deepEqual(run(intent, alloc(0x5000), alloc(0x9000), free(0x9000)), ['iova-busy', 'ok', 'ok']);
  t.deepEqual(allowed(intent, 5, false, ok(0x70)), [false]);
  t.deepEqual(run(intent, alloc(0x5000)), ['ok']);
});

test('attach: while it runs either target, afterwards only the new one', (t) => {
  const intent = after([attach('identity')]);
  t.is(intent.begin(attach()), 'ok');
  t.deepEqual(allowed(intent, 5, false, ok(5), MISS, ABORT), [true, true, false]);
  intent.finish(attach(), 'ok');
  t.deepEqual(allowed(intent, 5, false, ok(5), MISS), [false, true]);
});

test('an attach without memory is taken back', (t) => {
  const intent = after([attach('identity')]);
  intent.begin(attach());
  intent.finish(attach(), 'no-memory');
  t.deepEqual(allowed(intent, 5, false, ok(5), MISS), [true, false]);
  t.is(intent.devices[0]?.target, 'identity');
});

test('a map without memory is taken back', (t) => {
  const intent = after([attach(), map(0x5000, 0x70000)]);
  intent.begin(map(0x6000, 0x90000, 3 * KB4));
  intent.finish(map(0x6000, 0x90000, 3 * KB4), 'no-memory');
  t.is(intent.lookup(0, 6), -1);
  t.is(intent.lookup(0, 5), 0x70);
});

/** What is mapped is split as the core splits it: unmapping part of a block is refused, its whole pieces are not. */
const SPLITS: readonly [string, Operation, Operation, Result][] = [
  ['a block as a whole', map(MB2, 8 * MB2, MB2), unmap(MB2, MB2), 'ok'],
  ['half of a block', map(MB2, 8 * MB2, MB2), unmap(MB2, MB2 / 2), 'partial-block'],
  ['half of 2 MB in pages', map(MB2, 8 * MB2 + KB4, MB2), unmap(MB2, MB2 / 2), 'ok'],
  ['the page in front of a block', map(MB2 - KB4, 8 * MB2 - KB4, MB2 + KB4), unmap(MB2 - KB4, KB4), 'ok'],
  ['one block of two', map(MB2, 8 * MB2, 2 * MB2), unmap(2 * MB2, MB2), 'ok'],
  ['2 MB of 1 GB', map(GB1, 3 * GB1, GB1), unmap(GB1, MB2), 'partial-block'],
  ['2 MB of 1 GB in blocks', map(GB1, 3 * GB1 + MB2, GB1), unmap(GB1, MB2), 'ok'],
  ['1 GB after a block', map(GB1 - MB2, 3 * GB1 - MB2, GB1 + MB2), unmap(GB1, GB1), 'ok'],
  ['a hole outranks a cut', map(MB2, 8 * MB2, MB2), unmap(MB2 + KB4, MB2), 'not-mapped'],
];

for (const [what, first, second, result] of SPLITS) {
  test(`unmap ${what}: ${result}`, (t) => {
    t.deepEqual(run(new Intent(smallWorld()), first, second), ['ok', result]);
  });
}

test('no-tags: domains in use on an SMMU are counted, not devices', (t) => {
  const world = smallWorld({
    smmus: [{ ...smallWorld().smmus[0] as World['smmus'][0], asidMax: 1 }], devices: [{ smmu: 0, streams: [1] }, { smmu: 0, streams: [2] }],
    domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }],
  });
  t.deepEqual(run(new Intent(world), attach(0, 0), attach(0, 1), attach(1, 1), detach(0), attach(1, 1), detach(1), attach(1, 1)), ['ok', 'ok', 'no-tags', 'ok', 'no-tags', 'ok', 'ok']);
});

test('incompatible: a domain that is not cleaned, behind an SMMU that is not coherent; everything else may be attached anywhere', (t) => {
  const plain = smallWorld();
  const world = smallWorld({
    smmus: [...plain.smmus, { ...plain.smmus[0] as World['smmus'][0], coherent: false }], devices: [{ smmu: 0, streams: [1] }, { smmu: 1, streams: [1] }],
    domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false, coherent: false }],
  });
  t.deepEqual(run(new Intent(world), attach(0, 0), attach(0, 1), attach(1, 0), attach(1, 1), attach(0, 1), attach('identity', 1), attach('blocked', 1)), ['ok', 'incompatible', 'ok', 'ok', 'incompatible', 'ok', 'ok']);
});

test('permitted leaves: what the domain maps, whole and with no more rights, or what is not due yet', (t) => {
  const intent = after([map(MB2, 8 * MB2, MB2), map(0x5000, 0x70000, KB4, 'r'), unmap(MB2, MB2)]);
  t.true(intent.permitsLeaf(0, 512, 512, 4096, true));
  t.true(intent.permitsLeaf(0, 5, 1, 0x70, false));
  t.false(intent.permitsLeaf(0, 5, 1, 0x70, true));
  t.false(intent.permitsLeaf(0, 0, 512, 0x6b, false));
  run(intent, sync());
  t.false(intent.permitsLeaf(0, 512, 512, 4096, true));
  t.false(intent.permitsLeaf(7, 5, 1, 0x70, false));
});

test('what is allowed is said in words', (t) => {
  const intent = after([attach(), map(0x5000, 0x70000, KB4, 'r'), map(0x6000, 0x90000), unmap(0x6000)]);
  t.is(intent.describeAllowed(0, 5, false), 'any of { 0x70000 }');
  t.is(intent.describeAllowed(0, 5, true), 'any of { F_PERMISSION }');
  t.is(intent.describeAllowed(0, 6, false), 'any of { F_TRANSLATION, 0x90000 (not due yet) }');
  intent.begin(attach('identity'));
  t.is(intent.describeAllowed(0, 7, false), 'any of { 0x7000, F_TRANSLATION }');
});

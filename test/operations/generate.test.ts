/** The generator: which operations it makes in which state, and that it keeps to weights and sizes. */
import test from 'ava';
import { Generator } from '../../src/operations/generate.js';
import { PLAIN_MIX, type Mix } from '../../src/operations/profiles.js';
import { Intent } from '../../src/reference/driver/intent.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import { OPERATION_KINDS, type Operation, type OperationKind, type Result } from '../../src/stack/operation.js';
import { smallWorld, type World } from '../../src/stack/world.js';
import { attach, map } from '../rules/rig.js';

const WORLD = smallWorld({
  devices: [{ smmu: 0, streams: [1, 2] }, { smmu: 0, streams: [3] }],
  domains: [{ mode: 'strict', managed: false }, { mode: 'lazy', managed: true }],
});

function only(kind: OperationKind, extra: Partial<Mix> = {}): Mix {
  const weights = Object.fromEntries(OPERATION_KINDS.map((k) => [k, k === kind ? 1 : 0])) as Record<OperationKind, number>;
  return { ...PLAIN_MIX, weights, invalid: 0, ...extra };
}

function intentAfter(operations: readonly Operation[], world = WORLD): Intent {
  const intent = new Intent(world);
  for (const op of operations) if (intent.begin(op) === 'ok') intent.finish(op, 'ok');
  return intent;
}

/** `n` operations in a state that does not change. */
function made(mix: Mix, intent: Intent, n = 300, world: World = WORLD): Operation[] {
  const generator = new Generator(world, mix, new RandomChooser('generate'));
  return Array.from({ length: n }, () => generator.next(intent));
}

/** `n` operations, each taking effect. */
function grown(mix: Mix, n: number, world: World = WORLD): { op: Operation; result: Result }[] {
  const intent = new Intent(world);
  const generator = new Generator(world, mix, new RandomChooser('grown'));
  return Array.from({ length: n }, () => {
    const op = generator.next(intent);
    const result = intent.begin(op);
    if (result === 'ok') intent.finish(op, 'ok');
    return { op, result };
  });
}

test('every kind of operation is made', (t) => {
  const kinds = new Set(grown({ ...PLAIN_MIX, weights: { ...PLAIN_MIX.weights, evict: 1 }, invalid: 0 }, 3000).map(({ op }) => op.op));
  t.deepEqual([...kinds].sort(), [...OPERATION_KINDS].sort());
});

test('a kind of weight 0 is not made while others can be', (t) => {
  const mix = { ...PLAIN_MIX, invalid: 0, weights: { ...PLAIN_MIX.weights, 'fail-next-allocation': 0, detach: 0, unmap: 0 } };
  const kinds = new Set(grown(mix, 2000).map(({ op }) => op.op));
  for (const kind of ['fail-next-allocation', 'detach', 'unmap'] as const) t.false(kinds.has(kind), kind);
});

test('only what is mapped is unmapped, along whole entries', (t) => {
  const intent = intentAfter([map(0x5000, 0x70000, 0x9000), map(2 ** 21, 2 ** 24, 2 ** 22)]);
  for (const op of made(only('unmap'), intent)) {
    if (op.op !== 'unmap') continue;
    const probe = intentAfter([map(0x5000, 0x70000, 0x9000), map(2 ** 21, 2 ** 24, 2 ** 22)]);
    t.is(probe.begin(op), 'ok');
  }
});

test('with nothing mapped there is nothing to unmap: something else is made', (t) => {
  t.true(made(only('unmap'), new Intent(WORLD)).every((op) => op.op !== 'unmap'));
});

test('a map never meets what is mapped', (t) => {
  const intent = intentAfter([map(0, 0x400000, 0x100000)]);
  const maps = made(only('map', { spread: 8 }), intent).filter((op) => op.op === 'map');
  t.true(maps.length > 50);
  for (const op of maps) if (op.op === 'map') t.is(intentAfter([map(0, 0x400000, 0x100000)]).begin(op), 'ok');
});

test('in a managed domain maps stay inside of what was handed out', (t) => {
  const world = smallWorld({ domains: [{ mode: 'lazy', managed: true }] });
  const before: readonly Operation[] = [{ op: 'iova-alloc', domain: 0, iova: 0x40000, size: 0x4000 }];
  const maps = made(only('map'), intentAfter(before, world), 200, world).filter((op) => op.op === 'map');
  t.true(maps.length > 100);
  for (const op of maps) if (op.op === 'map') t.true(op.iova >= 0x40000 && op.iova + op.size <= 0x44000);
});

test('a device is detached only from something, and attached only to something else', (t) => {
  const intent = intentAfter([attach(0, 0)]);
  t.true(made(only('detach'), intent).every((op) => op.op !== 'detach' || op.device === 0));
  t.true(made(only('attach'), intent).every((op) => op.op !== 'attach' || op.device !== 0 || op.to !== 0));
  const targets = new Set(made(only('attach'), intent, 500).flatMap((op) => (op.op === 'attach' ? [op.to] : [])));
  t.deepEqual([...targets].map(String).sort(), ['0', '1', 'blocked', 'identity']);
});

test('accesses go mostly where something is or was mapped', (t) => {
  const intent = intentAfter([attach(0, 0), attach(0, 1), map(0x5000, 0x70000, 0x4000)]);
  const accesses = made(only('access'), intent, 400).filter((op) => op.op === 'access');
  t.is(accesses.length, 400);
  const hits = accesses.filter((op) => op.op === 'access' && op.iova >= 0x5000 && op.iova < 0x9000);
  t.true(hits.length > 330);
  t.true(accesses.some((op) => op.op === 'access' && op.stream === 1) && accesses.some((op) => op.op === 'access' && op.write));
});

test('what was taken away and is not due yet is accessed as well', (t) => {
  const intent = intentAfter([attach(0, 0), attach(0, 1), map(0x5000, 0x70000), { op: 'unmap', domain: 0, iova: 0x5000, size: 4096 }, map(0x9000, 0x90000)]);
  const at = made(only('access'), intent, 300).filter((op) => op.op === 'access' && op.iova === 0x5000);
  t.true(at.length > 50);
});

test('only lazy domains are flushed', (t) => {
  const flushed = made(only('flush-all'), new Intent(WORLD)).flatMap((op) => (op.op === 'flush-all' ? [op.domain] : []));
  t.true(flushed.length > 50 && flushed.every((d) => d === 1));
});

test('a range that waits for its flush is often asked for again', (t) => {
  const intent = intentAfter([{ op: 'iova-alloc', domain: 1, iova: 0x123000, size: 0x2000 }, { op: 'iova-free', domain: 1, iova: 0x123000, size: 0x2000 }]);
  const again = made(only('iova-alloc'), intent).filter((op) => op.op === 'iova-alloc' && op.iova === 0x123000 && op.size === 0x2000);
  t.true(again.length > 50);
});

test('only whole and empty ranges are given back', (t) => {
  const before: readonly Operation[] = [
    { op: 'iova-alloc', domain: 1, iova: 0x10000, size: 0x2000 }, { op: 'iova-alloc', domain: 1, iova: 0x20000, size: 0x2000 }, map(0x10000, 0x70000, 4096, 'rw', 1),
  ];
  const freed = made(only('iova-free'), intentAfter(before)).filter((op) => op.op === 'iova-free');
  t.true(freed.length > 20);
  for (const op of freed) t.deepEqual(op, { op: 'iova-free', domain: 1, iova: 0x20000, size: 0x2000 });
});

/** Index of the size class, and what its maps look like. */
const CLASSES: readonly [number, (frames: number) => boolean][] = [
  [0, (n) => n === 1], [1, (n) => n >= 2 && n <= 16], [2, (n) => n >= 17 && n <= 600], [3, (n) => n >= 601 && n <= 4096],
  [4, (n) => n % 512 === 0 && n <= 1536], [5, (n) => n === 512], [6, (n) => n === 262144],
];

for (const [cls, fits] of CLASSES) {
  test(`size class ${cls} is kept to`, (t) => {
    const sizes = PLAIN_MIX.sizes.map((_, i) => (i === cls ? 1 : 0));
    const maps = made(only('map', { sizes }), new Intent(smallWorld()), 100, smallWorld()).flatMap((op) => (op.op === 'map' ? [op] : []));
    t.true(maps.length > 20);
    for (const op of maps) t.true(fits(op.size / 4096), `${op.size / 4096} pages`);
  });
}

test('2 MB in pages has an output that no block fits', (t) => {
  const sizes = [0, 0, 0, 0, 0, 1, 0];
  for (const op of made(only('map', { sizes }), new Intent(smallWorld()), 60, smallWorld())) {
    if (op.op === 'map') t.true(op.iova % 2 ** 21 === 0);
  }
});

test('invalid calls are as frequent as asked, and meet many errors', (t) => {
  const world = smallWorld({ ...WORLD, smmus: [{ ...smallWorld().smmus[0] as World['smmus'][0], asidMax: 1 }] });
  const found = grown({ ...PLAIN_MIX, invalid: 300 }, 4000, world);
  const refused = found.filter(({ result }) => result !== 'ok');
  t.true(refused.length > 600 && refused.length < 2400, `${refused.length} of 4000`);
  const errors = new Set(refused.map(({ result }) => result));
  for (const e of ['unknown-domain', 'unknown-device', 'unknown-stream', 'unaligned', 'out-of-range', 'already-mapped', 'not-mapped', 'already-attached', 'not-attached', 'no-tags', 'not-lazy'] as const) {
    t.true(errors.has(e), e);
  }
});

test('invalid calls cut blocks where there are blocks', (t) => {
  const found = grown({ ...PLAIN_MIX, sizes: [0, 0, 0, 0, 1, 0, 0, 0], invalid: 300 }, 1000);
  t.true(found.some(({ result }) => result === 'partial-block'));
});

test('none are invalid when none are asked for', (t) => {
  const found = grown({ ...PLAIN_MIX, invalid: 0 }, 2000);
  t.deepEqual([...new Set(found.map(({ result }) => result).filter((r) => r !== 'ok' && r !== 'iova-busy'))], []);
});

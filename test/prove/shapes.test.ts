/** Shapes: each command is counted as what it is; holes are what can be reached and was not. */
import test from 'ava';
import { reachable, SHAPES, shapeCounts, shapeOf, tallyShape } from '../../src/prove/shapes.js';
import { levelFrames } from '../../src/spec/granule.js';

function payload(o: { readonly tg: number; readonly scale?: number; readonly num?: number; readonly ttl?: number; readonly leaf?: number; readonly frame: number }): Uint32Array {
  return Uint32Array.of(((o.num ?? 0) << 12) | ((o.scale ?? 0) << 20), 0, (((o.frame % 2 ** 20) * 4096) | (o.leaf ?? 0) | ((o.ttl ?? 0) << 8) | (o.tg << 10)) >>> 0, Math.floor(o.frame / 2 ** 20));
}

function only(words: Uint32Array, ds: boolean, tg: 12 | 14 | 16): ReturnType<typeof shapeOf> {
  const shapes = new Float64Array(SHAPES);
  tallyShape(shapes, ds, tg, words, 0);
  return shapeOf(shapes.indexOf(1));
}

test('a command is counted by its fields and by where its address stands', (t) => {
  t.deepEqual(only(payload({ tg: 1, scale: 9, num: 31, ttl: 2, leaf: 1, frame: 512 }), false, 12), { ds: false, tg: 12, scale: 9, num: 2, ttl: 2, leaf: 1, aligned: 2 });
  t.deepEqual(only(payload({ tg: 2, scale: 39, num: 30, ttl: 1, frame: levelFrames(14, 1) * 3 }), true, 14), { ds: true, tg: 14, scale: 39, num: 1, ttl: 1, leaf: 0, aligned: 1 });
  t.deepEqual(only(payload({ tg: 3, frame: levelFrames(16, 1) + 16 }), true, 16), { ds: true, tg: 16, scale: 0, num: 0, ttl: 0, leaf: 0, aligned: 3 });
  t.is(only(payload({ tg: 0, frame: levelFrames(16, 2) }), false, 16).aligned, 2);
  t.is(only(payload({ tg: 0, frame: levelFrames(16, 2) }), false, 12).aligned, 2);
  t.is(only(payload({ tg: 0, frame: 512 }), false, 14).aligned, 3);
});

test('every number is a shape of its own', (t) => {
  t.is(new Set(Array.from({ length: SHAPES }, (_, i) => JSON.stringify(shapeOf(i)))).size, SHAPES);
});

test('reserved, misaligned and too small commands cannot be reached', (t) => {
  const base = { ds: false, tg: 12, scale: 4, num: 2, ttl: 2, leaf: 1, aligned: 2 } as const;
  t.true(reachable(base));
  t.false(reachable({ ...base, aligned: 3 }), 'misaligned');
  t.false(reachable({ ...base, scale: 3 }), 'smaller than one entry of its level');
  t.false(reachable({ ...base, scale: 32 }), 'needs DS');
  t.true(reachable({ ...base, scale: 32, ds: true }));
  t.false(reachable({ ...base, scale: 36, ds: true }), 'beyond 52 bits');
  t.false(reachable({ ...base, tg: 14, scale: 30, ttl: 1, aligned: 1 }), '16K has TTL 1 with DS only');
  t.true(reachable({ ...base, ds: true, tg: 14, scale: 30, ttl: 1, aligned: 1 }));
  t.false(reachable({ ...base, scale: 0, num: 0, ttl: 0 }), 'NUM, SCALE and TTL all zero');
  t.false(reachable({ ...base, tg: 0 }), 'a single address has no range');
  t.true(reachable({ ...base, tg: 0, scale: 0, num: 0, ttl: 0 }));
});

test('what was not seen is named, SCALEs together', (t) => {
  const shapes = new Float64Array(SHAPES).fill(1);
  const all = shapeCounts(shapes);
  t.is(all.exercised, all.reachable);
  t.deepEqual(all.holes, []);
  for (let i = 0; i < SHAPES; i += 1) {
    const s = shapeOf(i);
    if (s.tg === 14 && s.ds && s.ttl === 3 && s.leaf === 1 && s.num === 1 && s.aligned === 3 && [4, 5, 6, 9].includes(s.scale)) shapes[i] = 0;
  }
  const some = shapeCounts(shapes);
  t.is(some.reachable - some.exercised, 4);
  t.deepEqual(some.holes, ['16K with DS  TTL 3  Leaf 1  NUM 1..30  aligned to level 3  SCALE 4..6, 9']);
});

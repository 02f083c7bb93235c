/**
 * Pins the level arithmetic of src/spec/granule.ts and the address fields of src/spec/descriptor.ts: a frame taken apart
 * comes together again, for every granule.
 */
import test from 'ava';
import fc from 'fast-check';
import {
  descriptorHigh, descriptorKind, LEAF, leafFrame, leafLow, leafWritable, TABLE, tableFrame, tableLow,
} from '../../src/spec/descriptor.js';
import { contiguousEntries, leafAllowed, levelFrames, levelIndex, stage1StartLevel, stride, TGS } from '../../src/spec/granule.js';

const RUNS = { seed: 1, numRuns: 2000 };
const anyTg = fc.constantFrom(...TGS);
/** A frame of a 48-bit address. */
const anyFrame = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 36 - 1 }),
  fc.record({ shift: fc.integer({ min: 0, max: 35 }), off: fc.integer({ min: -1, max: 1 }) }).map((f) => Math.max(0, 2 ** f.shift + f.off)),
);

test('the indexes of all levels rebuild the frame', (t) => {
  fc.assert(fc.property(anyTg, anyFrame, (tg, frame) => {
    let rebuilt = frame % levelFrames(tg, 3);
    for (let level = stage1StartLevel(tg, 48); level <= 3; level += 1) rebuilt += levelIndex(tg, level, frame) * levelFrames(tg, level);
    t.is(rebuilt, frame);
  }), RUNS);
  t.pass();
});

test('an index is below the entries of its table', (t) => {
  fc.assert(fc.property(anyTg, fc.integer({ min: -1, max: 3 }), anyFrame, (tg, level, frame) => {
    const index = levelIndex(tg, level, frame);
    t.true(Number.isInteger(index) && index >= 0 && index < 2 ** stride(tg));
  }), RUNS);
  t.pass();
});

test('an entry spans one whole table of the next level', (t) => {
  fc.assert(fc.property(anyTg, fc.integer({ min: 0, max: 2 }), (tg, level) => {
    t.is(levelFrames(tg, level), levelFrames(tg, level + 1) * 2 ** stride(tg));
  }), { seed: 1, numRuns: 100 });
  t.pass();
});

test('the start level is the last one whose table covers the input', (t) => {
  fc.assert(fc.property(anyTg, fc.integer({ min: 25, max: 48 }), (tg, bits) => {
    const level = stage1StartLevel(tg, bits);
    const frames = 2 ** (bits - 12);
    t.true(levelFrames(tg, level) * 2 ** stride(tg) >= frames);
    t.true(level === 3 || levelFrames(tg, level) < frames);
  }), { seed: 1, numRuns: 500 });
  t.pass();
});

test('a contiguous run fits in one table', (t) => {
  fc.assert(fc.property(anyTg, fc.integer({ min: -1, max: 3 }), fc.boolean(), (tg, level, ds) => {
    const entries = contiguousEntries(tg, level, ds);
    t.is(2 ** stride(tg) % entries, 0);
  }), { seed: 1, numRuns: 200 });
  t.pass();
});

test('a table descriptor keeps the frame of its table', (t) => {
  fc.assert(fc.property(anyTg, anyFrame, fc.integer({ min: 0, max: 2 }), (tg, frame, level) => {
    const table = frame - (frame % levelFrames(tg, 3));
    const lo = tableLow(table);
    t.is(tableFrame(lo, descriptorHigh(table), tg), table);
    t.is(descriptorKind(lo, level, tg), TABLE);
  }), RUNS);
  t.pass();
});

const anyLeaf = anyTg.chain((tg) => fc.record({
  tg: fc.constant(tg),
  level: fc.constantFrom(...[1, 2, 3].filter((level) => leafAllowed(tg, level))),
  frame: anyFrame,
  writable: fc.boolean(),
}));

test('a leaf keeps its frame, its kind and its permission', (t) => {
  fc.assert(fc.property(anyLeaf, ({ tg, level, frame, writable }) => {
    const start = frame - (frame % levelFrames(tg, level));
    const lo = leafLow(start, level, writable);
    t.is(leafFrame(lo, descriptorHigh(start), level, tg), start);
    t.is(descriptorKind(lo, level, tg), LEAF);
    t.is(leafWritable(lo), writable);
  }), RUNS);
  t.pass();
});

test('bits of a leaf outside its address do not move it', (t) => {
  fc.assert(fc.property(anyLeaf, fc.nat(0xfff), fc.nat(0xffff), ({ tg, level, frame }, low, high) => {
    const start = frame - (frame % levelFrames(tg, level));
    const lo = (leafLow(start, level, true) & ~0xfff) | low;
    const hi = descriptorHigh(start) + high * 0x10000;
    t.is(leafFrame(lo, hi, level, tg), start);
    t.is(tableFrame(lo, hi, tg), start);
  }), RUNS);
  t.pass();
});

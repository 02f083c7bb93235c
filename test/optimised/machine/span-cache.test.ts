/** SpanCache against its slow twin: a list of entries, searched from end to end. */
import test from 'ava';
import { mix } from '../../../src/memory/memory.js';
import { levelFrames, type Tg } from '../../../src/spec/granule.js';
import { GROUP_BOTH, GROUPS_ALL, GROUPS_VA_TAGGED, infoOf, newScope, SpanCache, Tag, type SpanScope } from '../../../src/optimised/machine/span-cache.js';
import { leafClass, LEAF_SHIFTS } from '../../../src/optimised/machine/tlb.js';

interface Key {
  readonly world: number;
  readonly group: number;
  readonly vmid: number;
  readonly asid: number;
  readonly tg: Tg;
  readonly level: number;
  /** log2 of the frames of the entry, and its first frame. */
  readonly shift: number;
  readonly first: number;
  readonly merged: boolean;
}

/** A fixed sequence of numbers below `bound`. */
function sequence(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x9e3779b9) | 0;
    return (mix(state) >>> 0) % bound;
  };
}

function text(k: Key): string {
  return [k.world, k.group, k.vmid, k.asid, k.tg, k.level, k.shift, k.first].join('/');
}

/** What a scope must name, from the rule's own words. */
function named(s: SpanScope, k: Key): boolean {
  if (((s.worlds >> k.world) & 1) === 0 || ((s.groups >> k.group) & 1) === 0) return false;
  if (((k.vmid ^ s.vmid) & s.vmidMask) !== 0) return false;
  if (s.asid >= 0 && k.asid !== s.asid && k.asid !== -1) return false;
  if (k.level < s.fromLevel || k.level > s.toLevel || (s.tg !== 0 && s.tg !== k.tg)) return false;
  const frames = Math.max(2 ** k.shift, levelFrames(k.tg, k.level));
  const first = Math.floor(k.first / frames) * frames;
  if (first > s.last || first + frames - 1 < s.first) return false;
  return !s.wholeRuns || !k.merged || (s.first <= first && first + frames - 1 <= s.last);
}

function tagOf(world: number, group: number, vmid: number, asid: number): Tag {
  const tag = new Tag();
  tag.set(world, group, vmid, asid);
  return tag;
}

const ONE = tagOf(0, 0, 0, 1);
const TWO = tagOf(0, 0, 0, 2);

function add(cache: SpanCache, k: Key): number {
  const entry = cache.claim(tagOf(k.world, k.group, k.vmid, Math.max(0, k.asid)), leafClass(k.shift), k.first);
  cache.describe(entry, infoOf(k.level, k.tg, k.merged), 0, 0);
  return entry;
}

function contents(cache: SpanCache): string[] {
  const keys: string[] = [];
  cache.forEachEntry((e) => keys.push([cache.worldOf(e), cache.groupOf(e), cache.vmidOf(e), cache.asidOf(e), cache.tgOf(e), cache.levelOf(e), Math.log2(cache.framesOf(e)), cache.startOf(e)].join('/')));
  return keys.sort();
}

const SHAPES: readonly (readonly [Tg, number, number])[] = [[12, 3, 0], [12, 3, 4], [12, 2, 9], [12, 1, 18], [12, 2, 13], [14, 3, 2], [14, 2, 13], [16, 3, 4], [16, 2, 17]];

/** Entries of both stages are sometimes smaller than their stage-1 descriptor. */
function randomKey(next: (bound: number) => number): Key {
  const [tg, level, whole] = SHAPES[next(SHAPES.length)] as readonly [Tg, number, number];
  const group = next(5);
  const shift = group === GROUP_BOTH && next(2) === 0 ? LEAF_SHIFTS[next(LEAF_SHIFTS.indexOf(whole) + 1)] as number : whole;
  const frame = next(3) * 2 ** 40 + next(3) * 2 ** 18 + next(1200);
  return {
    world: next(3), group, vmid: next(3) * 8, asid: group === 0 || group === 2 ? next(3) : -1, tg, level, shift, first: frame - (frame % 2 ** shift), merged: 2 ** shift > levelFrames(tg, level),
  };
}

function randomScope(next: (bound: number) => number): SpanScope {
  const first = next(3) * 2 ** 40 + next(3) * 2 ** 18 + next(1200);
  const fromLevel = next(2) === 0 ? -1 : next(4);
  return {
    ...newScope(), worlds: next(2) === 0 ? 1 << next(3) : 1 + next(7), groups: next(2) === 0 ? GROUPS_ALL : 1 + next(31), vmid: next(3) * 8, vmidMask: [0xffff, 0, 0xfff0][next(3)] as number,
    asid: next(4) - 1, first, last: next(4) === 0 ? Infinity : first + next(2) * next(2 ** 19) + next(4), tg: [0, 0, 0, 12, 14, 16][next(6)] as number,
    fromLevel, toLevel: next(2) === 0 ? 3 : fromLevel + next(4 - fromLevel), wholeRuns: next(3) === 0,
  };
}

test('dropSpans removes what the match rule names, and nothing else', (t) => {
  const next = sequence(1);
  let dropped = 0;
  for (let round = 0; round < 4000; round += 1) {
    const cache = new SpanCache(64, LEAF_SHIFTS);
    const keys = new Map<number, Key>();
    const tight = next(2) === 0;
    for (let i = 0; i < 24; i += 1) {
      const key = randomKey(next);
      const plain = tight && key.group === GROUP_BOTH ? { ...key, group: 0, shift: Math.max(key.shift, Math.log2(levelFrames(key.tg, key.level))) } : key;
      const k = { ...plain, first: plain.first - (plain.first % 2 ** plain.shift) };
      keys.set(add(cache, k), k);
    }
    const scope = randomScope(next);
    const kept: string[] = [];
    keys.forEach((k) => { if (named(scope, k)) dropped += 1; else kept.push(text(k)); });
    cache.dropSpans(scope);
    t.deepEqual(contents(cache), kept.sort());
  }
  t.true(dropped > 1000);
});

test('find answers exactly the entries that are there', (t) => {
  const next = sequence(2);
  const cache = new SpanCache(16, LEAF_SHIFTS);
  for (let round = 0; round < 3000; round += 1) {
    const k = { ...randomKey(next), first: next(2) * 2 ** 40 + next(4096) };
    const whole = { ...k, first: Math.floor(k.first / 2 ** k.shift) * 2 ** k.shift };
    const here = text(whole).split('/');
    const expected = contents(cache).some((c) => { const p = c.split('/'); return [0, 1, 2, 3, 6, 7].every((i) => p[i] === here[i]); });
    t.is(cache.find(tagOf(k.world, k.group, k.vmid, Math.max(0, k.asid)), leafClass(k.shift), k.first) >= 0, expected);
    add(cache, whole);
  }
});

test('smallest answers with the smallest span', (t) => {
  const cache = new SpanCache(16, LEAF_SHIFTS);
  const block = cache.claim(ONE, leafClass(9), 0x400);
  t.is(cache.smallest(ONE, 0x403), block);
  const page = cache.claim(ONE, leafClass(0), 0x403);
  t.is(cache.smallest(ONE, 0x403), page);
  t.is(cache.smallest(ONE, 0x404), block);
});

test('a key is held once', (t) => {
  const cache = new SpanCache(8, LEAF_SHIFTS);
  t.is(cache.claim(ONE, leafClass(9), 0x200), cache.claim(ONE, leafClass(9), 0x3ff));
});

test('a scope of one ASID spares the others', (t) => {
  const cache = new SpanCache(8, LEAF_SHIFTS);
  const scope = { ...newScope(), worlds: 1, groups: GROUPS_VA_TAGGED, vmidMask: 0xffff, asid: 1 };
  cache.claim(ONE, 0, 5);
  const kept = cache.claim(TWO, 0, 5);
  cache.dropSpans(scope);
  t.deepEqual([cache.find(ONE, 0, 5), cache.find(TWO, 0, 5)], [-1, kept]);
});

test('one entry is a cache, too', (t) => {
  const cache = new SpanCache(1, LEAF_SHIFTS);
  cache.claim(ONE, 0, 5);
  cache.claim(ONE, 0, 6);
  t.deepEqual([cache.find(ONE, 0, 5), cache.find(ONE, 0, 6)], [-1, 0]);
});

test('a number of entries that is no power of two is refused', (t) => {
  t.throws(() => new SpanCache(12, LEAF_SHIFTS), { instanceOf: RangeError });
});

/**
 * Ranges: class C of the bug zoo, mistakes that drivers made when they turned a range and its levels into commands, and the bridge of
 * seed 0 as it was posted. What this driver has no worlds for is listed with where it is decided instead.
 */
import type { Gather } from '../optimised/driver/types.js';
import { levelFrames, levelShift } from '../spec/granule.js';
import type { Description } from '../stack/description.js';
import { PAYLOAD_WORDS, WHOLE_TAG } from '../stack/planner.js';
import { onGatherPlan, onPlan, type Mutant } from './mutant.js';

const TTL = 0x300;
const TG = 0xc00;
/** Word 0 without NUM and SCALE: a range of one granule. */
const SIZES = 0x3fff000;

/** Payloads that a mutant without bound may write. */
const ROOM = 2 ** 13;

/** Changes word 2 (Leaf, TTL, TG, low address) of the commands of a plan that have TG. */
function eachRange(n: number, out: Uint32Array, change: (word: number, at: number) => number): number {
  for (let i = 0; i < n; i += 1) {
    const at = i * PAYLOAD_WORDS;
    const word = out[at + 2] as number;
    if ((word & TG) !== 0) out[at + 2] = change(word, at);
  }
  return n;
}

/** `n` single-address commands, a step apart. */
function singles(d: Description, step: number, n: number, out: Uint32Array): number {
  const start = d.first - (d.first % step);
  for (let i = 0; i < n; i += 1) {
    const at = i * PAYLOAD_WORDS;
    const frame = i === 0 ? d.first : start + i * step;
    out[at] = 0;
    out[at + 1] = 0;
    out[at + 2] = ((frame % 2 ** 20) * 4096) | (d.tables === 0 ? 1 : 0);
    out[at + 3] = Math.floor(frame / 2 ** 20);
  }
  return n;
}

/** Level of the highest bit: the largest entries. */
function shallowest(bitmap: number): number {
  return 3 - (31 - Math.clz32(bitmap));
}

function ofMm(gather: Gather | null): boolean {
  return gather?.style === 'sva';
}

export const RANGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'first-iova-of-table', found: 'fuzz', zoo: ['C1'], about: 'without range support a freed table is invalidated at the first address of the range, and nowhere else',
    parts: onGatherPlan('first address', (planner, gather) => (d, features, out) => {
      const n = planner.plan(d, features, out);
      return n < 1 || features.range || (gather()?.freed.length ?? 0) === 0 ? n : singles(d, 1, 1, out);
    }),
  },
  {
    name: 'leaf-ttl-on-walk', found: 'fuzz', profile: 'gathers', zoo: ['C2'], about: 'where tables are removed the TTL is that of 4K pages: blocks that went with them stay',
    parts: onPlan('TTL of pages', (planner) => (d, features, out) => {
      const n = planner.plan(d, features, out);
      return d.tables === 0 ? n : eachRange(n, out, (word) => word | TTL);
    }),
  },
  {
    name: 'walk-without-ttl', found: 'fuzz', profile: 'gathers', zoo: ['C3'], about: 'where tables are removed there is no TTL: with one page NUM, SCALE and TTL are then 0 with TG set, which is reserved',
    parts: onPlan('no TTL', (planner) => (d, features, out) => {
      const n = planner.plan(d, features, out);
      return d.tables === 0 ? n : eachRange(n, out, (word) => word & ~TTL);
    }),
  },
  {
    name: 'mm-page-size-zero', found: 'fuzz', profile: 'gathers', zoo: ['C4'], about: 'the domain of an mm has no page size: what the TG field keeps of the logarithm of 0 is 64K',
    parts: onGatherPlan('page size 0', (planner, gather) => (d, features, out) => {
      const n = planner.plan(d, features, out);
      return ofMm(gather()) ? eachRange(n, out, (word) => word | TG) : n;
    }),
  },
  {
    name: 'too-big-from-granule', found: 'fuzz', profile: 'gathers', zoo: ['C6'], about: 'without range support the number of commands from which the whole tag goes grows with the page size: 2^18 for pages of 2 MB',
    parts: onGatherPlan('bound from page size', (planner) => (d, features, out) => {
      const n = planner.plan(d, features, out);
      if (n !== WHOLE_TAG || features.range || d.leaves === 0) return n;
      const level = 3 - (31 - Math.clz32(d.leaves & -d.leaves));
      const step = levelFrames(d.tg, level);
      const count = Math.floor((d.last - (d.first - (d.first % step))) / step) + 1;
      return count >= 2 ** (levelShift(d.tg, level) - 3) || count > ROOM ? WHOLE_TAG : singles(d, step, count, out);
    }, ROOM),
  },
  {
    name: 'mm-page-by-page', found: 'fuzz', profile: 'gathers', zoo: ['C7'], about: 'without range support an mm\'s range is invalidated page by page, however long it is',
    parts: onGatherPlan('no bound', (planner, gather) => (d, features, out) => {
      const n = planner.plan(d, features, out);
      const count = d.last - d.first + 1;
      return n !== WHOLE_TAG || features.range || !ofMm(gather()) || count > ROOM ? n : singles(d, 1, count, out);
    }, ROOM),
  },
  {
    name: 'mm-end-too-early', found: 'fuzz', profile: 'gathers', zoo: ['C8'], about: 'the exclusive end of an mm\'s range is taken for its last page, and one page too many is subtracted',
    parts: (own) => ({
      ...own,
      notified: (ctx, first, end, gather) => { own.notified(ctx, first, end - first > 1 ? end - 1 : end, gather); },
    }),
  },
  {
    name: 'mm-end-too-late', found: 'fuzz', profile: 'gathers', zoo: ['C8'], about: 'the exclusive end of an mm\'s range is taken for its last page: the page behind the range is invalidated as well',
    parts: (own) => ({ ...own, notified: (ctx, first, end, gather) => { own.notified(ctx, first, end + 1, gather); } }),
  },
  {
    name: 'size-below-granule', found: 'fuzz', zoo: ['C11'], about: 'pages are counted in granules of 64K: a shorter range has none, and its SCALE is the number of trailing zeros of 0',
    parts: onPlan('granule of 64K', (planner) => (d, features, out) => {
      const n = planner.plan(d, features, out);
      return d.all || d.last - d.first + 1 >= 16 ? n : eachRange(n, out, (word, at) => {
        out[at] = ((out[at] as number) & ~SIZES) | (32 << 20);
        return word;
      });
    }),
  },
  {
    name: 'ttl-of-largest-leaf', found: 'fuzz', profile: 'gathers', zoo: ['C16'], about: 'the TTL is that of the largest leaf, although a table below its level was removed as well',
    parts: onPlan('TTL of the leaf', (planner) => (d, features, out) => {
      const n = planner.plan(d, features, out);
      if (d.all || d.tables === 0 || d.leaves === 0) return n;
      const level = shallowest(d.leaves);
      const aligned = d.first % levelFrames(d.tg, level) === 0;
      return aligned ? eachRange(n, out, (word) => (word & ~TTL) | (level << 8)) : n;
    }),
  },
  {
    name: 'io-pgtable-one-bit', found: 'fuzz', profile: 'gathers', about: 'a walk flush names one table bit, from the size of the removed span, as the bridge of seed 0 was posted: what hangs below a populated table stays',
    parts: (own) => ({
      ...own,
      describe: (gather, d) => {
        own.describe(gather, d);
        if (gather.style !== 'io-pgtable' || d.tables === 0) return;
        d.tables = 1 << (31 - Math.clz32(d.tables));
        d.leaves = 0;
      },
    }),
  },
];

/** A row of class C that no mutant of the driver stands for. */
export interface ZooElsewhere {
  readonly id: string;
  readonly what: string;
  readonly where: string;
}

export const ZOO_ELSEWHERE: readonly ZooElsewhere[] = [
  { id: 'C12', what: 'a contiguous run cut by a double range survives on SMMUs with the erratum', where: 'a claim about plans (`prove`): the driver sets no contiguous hint' },
  { id: 'C15', what: 'TTL = 1 with 16K granules and without DS is reserved', where: 'a claim about plans (`prove`): the driver has 4K granules only' },
  { id: 'C20', what: 'an entry that is being used escapes the first TLBI: lists are to be repeated after a SYNC', where: 'the machines have the erratum (`repeatedList`; raw sequences and properties ask it); a driver that repeats its lists is not built' },
  { id: 'C21', what: 'repeating lists must leave out ATC_INV', where: 'as C20; the driver has no ATS yet' },
  { id: 'C22', what: 'clearing the dirty log without an invalidation keeps the page writable', where: 'rule `dirty-tracking` asks it of raw sequences; the driver has no dirty log yet' },
];

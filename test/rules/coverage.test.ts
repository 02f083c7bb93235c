/** Rule `range-coverage`: which planned commands reach what a description names. */
import test from 'ava';
import { coverageHole, judgeCoverage } from '../../src/rules/coverage.js';
import { Ledger } from '../../src/rules/ledger.js';
import type { Tg } from '../../src/spec/granule.js';
import { newDescription, type Description } from '../../src/stack/description.js';
import { WHOLE_TAG } from '../../src/stack/planner.js';
import { broken } from './rig.js';

/** One payload: frame, Leaf, TG, TTL, NUM, SCALE. */
type Payload = readonly [frame: number, leaf: number, tg?: number, ttl?: number, num?: number, scale?: number];

function words(...payloads: readonly Payload[]): Uint32Array {
  return Uint32Array.from(payloads.flatMap(([frame, leaf, tg = 0, ttl = 0, num = 0, scale = 0]) =>
    [(num << 12) | (scale << 20), 0, (frame * 4096 + leaf) | (ttl << 8) | (tg << 10), 0]));
}

function d(first: number, last: number, leaves: number, tables = 0, tg: Tg = 12): Description {
  return { ...newDescription(), tg, first, last, leaves, tables };
}

function hole(what: Description, ...payloads: readonly Payload[]): string {
  const found = coverageHole(what, words(...payloads), payloads.length);
  return found === undefined ? 'none' : `${found.kind} ${found.level} at ${found.frame}`;
}

const ROWS: readonly [what: string, d: Description, payloads: readonly Payload[], expected: string][] = [
  ['no command at all', d(5, 5, 1), [], 'leaf 3 at 5'],
  ['one page, one command', d(5, 5, 1), [[5, 1]], 'none'],
  ['the second of two pages', d(5, 6, 1), [[5, 1]], 'leaf 3 at 6'],
  ['the first of two pages', d(5, 6, 1), [[6, 1]], 'leaf 3 at 5'],
  ['the middle of three pages', d(5, 7, 1), [[5, 1], [7, 1]], 'leaf 3 at 6'],
  ['any page of a block', d(512, 1023, 2), [[700, 1]], 'none'],
  ['the second of two blocks', d(512, 1535, 2), [[700, 1]], 'leaf 2 at 1024'],
  ['a range over all of it', d(5, 36, 1), [[5, 1, 1, 3, 31, 0]], 'none'],
  ['a range that is one page short', d(5, 36, 1), [[5, 1, 1, 3, 30, 0]], 'leaf 3 at 36'],
  ['two ranges that meet', d(0, 63, 1), [[0, 1, 1, 3, 31, 0], [32, 1, 1, 3, 31, 0]], 'none'],
  ['a hint for another level', d(512, 1023, 2), [[512, 1, 1, 3, 31, 4]], 'leaf 2 at 512'],
  ['no hint', d(512, 1023, 3), [[512, 1, 1, 0, 31, 4]], 'none'],
  ['a table needs Leaf = 0', d(512, 1023, 0, 2), [[512, 1]], 'table 2 at 512'],
  ['any address below a table', d(512, 1023, 0, 2), [[1000, 0]], 'none'],
  ['a hint says above which level tables go', d(512, 1023, 0, 2), [[512, 0, 1, 3, 31, 4]], 'none'],
  ['a hint at the table\'s own level leaves it', d(512, 1023, 0, 2), [[512, 0, 1, 2, 31, 4]], 'table 2 at 512'],
  ['leaves under a removed table are named one by one', d(512, 1023, 1, 2), [[512, 0]], 'leaf 3 at 513'],
  ['commands in any order', d(0, 63, 1), [[32, 1, 1, 3, 31, 0], [0, 1, 1, 3, 31, 0]], 'none'],
  ['commands in any order, with a hole', d(0, 63, 1), [[33, 1, 1, 3, 30, 0], [0, 1, 1, 3, 31, 0]], 'leaf 3 at 32'],
  ['16K pages: each has four frames', d(0, 7, 1, 0, 14), [[0, 1], [4, 1]], 'none'],
  ['the second 16K page', d(0, 7, 1, 0, 14), [[3, 1]], 'leaf 3 at 4'],
  ['64K pages, a range of two', d(16, 47, 1, 0, 16), [[16, 1, 3, 3, 1, 0]], 'none'],
  ['a range of another granule than the tables', d(16, 47, 1, 0, 16), [[16, 1, 1, 3, 31, 0]], 'leaf 3 at 16'],
  ['a 16K block of 32M, and the next', d(0, 2 * 8192 - 1, 2, 0, 14), [[0, 1, 2, 2, 31, 6]], 'leaf 2 at 8192'],
  ['a 64 GB block of 16K: TTL = 1 is no hint without DS', d(0, 2 ** 24 - 1, 4, 0, 14), [[0, 1, 2, 1, 31, 17]], 'none'],
  ['a 32 MB block of 16K under TTL = 1: no hint without DS', d(0, 8191, 2, 0, 14), [[0, 1, 2, 1, 31, 6]], 'none'],
  ['a 512 GB block (level 0)', d(0, 2 ** 27 - 1, 8), [[5, 1]], 'none'],
  ['a hint for level 1 leaves a leaf of level 0', d(0, 2 ** 27 - 1, 8), [[0, 1, 1, 1, 31, 22]], 'leaf 0 at 0'],
  ['a table descriptor of level -1', d(0, 2 ** 36 - 1, 0, 16), [[9, 0]], 'none'],
  ['a table descriptor of level -1, Leaf = 1', d(0, 2 ** 36 - 1, 0, 16), [[9, 1]], 'table -1 at 0'],
  ['the hint 1 reaches a table descriptor of level -1 and 0', d(0, 2 ** 36 - 1, 0, 24), [[0, 0, 1, 1, 31, 31]], 'none'],
];

for (const [what, description, payloads, expected] of ROWS) {
  test(`${what}: ${expected}`, (t) => {
    t.is(hole(description, ...payloads), expected);
  });
}

test('the whole tag covers everything', (t) => {
  const ledger = new Ledger();
  t.is(broken(() => { judgeCoverage(ledger, { smmu: 0, d: { ...d(0, 9, 7, 6), all: true }, words: words(), count: WHOLE_TAG }); }), null);
  t.is(broken(() => { judgeCoverage(ledger, { smmu: 0, d: d(0, 9, 7, 6), words: words(), count: WHOLE_TAG }); }), null);
  t.is(ledger.counts()['range-coverage'].decided, 2);
});

test('everything needs the whole tag, however large the range is', (t) => {
  const v = broken(() => { judgeCoverage(new Ledger(), { smmu: 0, d: { ...d(0, 9, 1), all: true }, words: words([0, 0, 1, 0, 31, 31]), count: 1 }); });
  t.is(v?.cause, 'everything was asked, a range was planned');
});

test('a description of nothing is not judged', (t) => {
  const ledger = new Ledger();
  judgeCoverage(ledger, { smmu: 0, d: newDescription(), words: words(), count: 0 });
  t.is(ledger.counts()['range-coverage'].decided, 0);
});

test('the verdict names the SMMU, the level and the address', (t) => {
  const v = broken(() => { judgeCoverage(new Ledger(), { smmu: 3, d: d(5, 6, 1), words: words([5, 1]), count: 1 }); });
  t.is(v?.cause, 'a level 3 leaf is not reached');
  t.regex(v?.actual ?? '', /SMMU 3.*0x6000/);
});

const ERRATUM = { ds: false, wholeRunOnly: true };

function runHole(what: Description, ...payloads: readonly Payload[]): string {
  const found = coverageHole(what, words(...payloads), payloads.length, ERRATUM);
  return found === undefined ? 'none' : `${found.kind} ${found.level} at ${found.frame}`;
}

test('a run that is cached as one entry goes with any of its pages: no look of its own', (t) => {
  t.is(hole(d(1, 47, 1), [1, 1, 1, 3, 22, 1], [47, 1, 1, 3, 0, 0]), 'none');
});

test('with the erratum one range must have all of a run, in whatever order they come', (t) => {
  t.is(runHole(d(1, 47, 1), [1, 1, 1, 3, 22, 1], [47, 1, 1, 3, 0, 0]), 'run 3 at 32');
  t.is(runHole(d(1, 47, 1), [1, 1, 1, 3, 22, 1], [32, 1, 1, 3, 15, 0]), 'none');
  t.is(runHole(d(1, 47, 1), [32, 1, 1, 3, 15, 0], [1, 1, 1, 3, 22, 1]), 'none');
  t.is(runHole(d(1, 47, 1), [1, 1, 1, 3, 30, 0], [32, 1, 1, 3, 7, 0], [40, 1, 1, 3, 7, 0]), 'run 3 at 32');
  t.is(runHole(d(1, 47, 1), [0, 1, 1, 3, 23, 1]), 'none');
});

test('with the erratum a single address removes its run, and runs that stick out were not there', (t) => {
  t.is(runHole(d(16, 47, 1), ...Array.from({ length: 32 }, (_, i) => [16 + i, 1] as const)), 'none');
  t.is(runHole(d(17, 46, 1), [17, 1, 1, 3, 14, 0], [32, 1, 1, 3, 14, 0]), 'none');
});

test('with the erratum runs of blocks count as those of pages, with the hint for their level', (t) => {
  const blocks = d(0, 32 * 512 - 1, 2);
  t.is(runHole(blocks, [0, 1, 1, 2, 23, 9], [24 * 512, 1, 1, 2, 31, 7]), 'run 2 at 8192');
  t.is(runHole(blocks, [0, 1, 1, 2, 31, 9]), 'none');
  t.is(runHole({ ...blocks, tg: 14 }, [0, 1, 2, 0, 31, 7]), 'none');
});

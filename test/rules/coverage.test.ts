/** Rule `range-coverage`: which planned commands reach what a description names. */
import test from 'ava';
import { coverageHole, judgeCoverage } from '../../src/rules/coverage.js';
import { Ledger } from '../../src/rules/ledger.js';
import { newDescription, type Description } from '../../src/stack/description.js';
import { WHOLE_TAG } from '../../src/stack/planner.js';
import { broken } from './rig.js';

/** One payload: frame, Leaf, TG, TTL, NUM, SCALE. */
type Payload = readonly [frame: number, leaf: number, tg?: number, ttl?: number, num?: number, scale?: number];

function words(...payloads: readonly Payload[]): Uint32Array {
  return Uint32Array.from(payloads.flatMap(([frame, leaf, tg = 0, ttl = 0, num = 0, scale = 0]) =>
    [(num << 12) | (scale << 20), 0, (frame * 4096 + leaf) | (ttl << 8) | (tg << 10), 0]));
}

function d(first: number, last: number, leaves: number, tables = 0): Description {
  return { ...newDescription(), first, last, leaves, tables };
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

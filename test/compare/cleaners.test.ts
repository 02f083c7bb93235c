/** Two cleaners compared: cost on the lists, what is stale, and what is stored and printed of it. */
import test from 'ava';
import { compareCleaners, type CleanersCompared } from '../../src/compare/cleaners.js';
import { walkGeometries } from '../../src/compare/cleaning/geometries.js';
import { encodeStored, decodeStored, storedId } from '../../src/operations/stored.js';
import { cleanersBlock, cleanersJson } from '../../src/report/cleaners.js';

/** A full, a short and a concatenated root. */
const FEW = walkGeometries().filter(({ geometry: g, shape }) => g.tg === 12 && !g.ds && g.half === 'lower' && ((g.inputBits === 22 && g.stage === 1 && shape.startLevel === 2) || (g.inputBits === 40 && shape.startLevel === 1) || g.inputBits === 30));

let made: CleanersCompared | undefined;

function posted(): CleanersCompared {
  made ??= compareCleaners('eager', 'posted-walk', FEW);
  return made;
}

test('the posted walk against eager: an eighth of the lines, and stale pages for two reasons', (t) => {
  const c = posted();
  t.is(FEW.length, 3);
  t.true(c.cost.lines.candidate * 7 < c.cost.lines.baseline);
  t.true(c.cost.walks.candidate > c.cost.walks.baseline);
  t.deepEqual(c.wrong.map((w) => [w.violation.rule, w.example.geometry.inputBits, w.example.explained.cause, w.example.range]), [
    ['table-coherency', 22, 'mask-short', { first: 2, count: 2, leaves: 2 }],
    ['table-coherency', 40, 'clipped', { first: 2 ** 27 - 1, count: 2, leaves: 2 }],
    ['table-coherency', 40, 'mask-short', { first: 2 ** 27, count: 2 ** 27, leaves: 512 }],
  ]);
});

test('what is stored of it is read back the same', (t) => {
  for (const { stored } of posted().wrong) {
    t.deepEqual(decodeStored(encodeStored(stored), 'case'), stored);
    t.regex(storedId(stored), /^[0-9a-f]{16}$/);
  }
});

test('as text: verdict, both costs, and each wrong range with the numbers of the walk', (t) => {
  const text = cleanersBlock(posted(), { files: ['a.json', 'b.json', 'c.json'], elapsedMs: 1000 });
  t.regex(text, /^\[violation\] posted-walk leaves pages stale {2}baseline eager/);
  t.regex(text, /line cleans +10,174 +1,435 +0\.14/);
  t.regex(text, /wrong 2 +4K granule, stage 2, 40 bits, start level 1, concatenated root: map 0x7ffffff000 \+8K: 1 page of 4K cannot be seen/);
  t.regex(text, /level 1: size is 8K; first entry 511, end \(0x7ffffff000 \+ size \+ 1G - 4K\) >> 30 = 513, because 39 address bits are kept where the table has 40; 513 - 511 = 2, 1 are left in this table: 1 taken, 2 needed/);
  t.regex(text, /saved +b\.json/);
});

test('as JSON: cost by metric, failures with their steps', (t) => {
  const json = cleanersJson(posted(), { files: ['a.json'], elapsedMs: 1 }) as { verdict: string; part: string; cost: { lines: { ratio: number } }; failures: { file: string | null; iova: number; size: number }[] };
  t.deepEqual([json.verdict, json.part, json.failures.length], ['violation', 'cleaner', 3]);
  t.true(json.cost.lines.ratio < 0.15);
  t.like(json.failures[0], { file: 'a.json', iova: 0x2000, size: 0x2000 });
});

test('map-sg against the visitor: right, the same lines, and a thousandth of the walks', (t) => {
  const c = compareCleaners('range-visitor', 'map-sg', FEW);
  t.deepEqual(c.wrong, []);
  t.is(c.cost.lines.candidate, c.cost.lines.baseline);
  t.true(c.cost.walks.candidate * 200 < c.cost.walks.baseline);
  t.regex(cleanersBlock(c, { files: [], elapsedMs: 1 }), /^\[ok\] map-sg leaves nothing stale {2}baseline range-visitor/);
});

/**
 * Corner cases as data: every number once, right and wrong forms that differ by little, and stored files that are what the
 * builder gives.
 */
import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DECIDED, CORNER_CASES, isDecided } from '../../src/operations/corner/cases.js';
import { cornerFiles, cornerText, cornerFileName } from '../../src/operations/corner/files.js';
import { machineOperationJson } from '../../src/operations/machine-case.js';
import { decodeMachineCase } from '../../src/operations/machine-codec.js';
import type { MachineOperation } from '../../src/stack/machine-world.js';

const CORPUS = new URL('../../../corpus/corner-cases/', import.meta.url).pathname;

test('every number from 1 to 101 is there exactly once', (t) => {
  t.deepEqual(CORNER_CASES.map((c) => c.number).sort((a, b) => a - b), Array.from({ length: 101 }, (_, i) => i + 1));
});

test('at least 85 are decided, and the others say why not', (t) => {
  t.true(DECIDED.length >= 85);
  for (const c of CORNER_CASES) if (!isDecided(c)) t.true(c.outOfScope.length > 10, `${c.number}`);
});

test('slugs and scenarios are words, and each is said once', (t) => {
  t.is(new Set(DECIDED.map((c) => c.slug)).size, DECIDED.length);
  t.is(new Set(DECIDED.map((c) => c.scenario)).size, DECIDED.length);
  for (const c of DECIDED) {
    t.regex(c.slug, /^[a-z0-9-]+$/);
    t.regex(c.clause, /^§\d/);
  }
});

/** Insertions, deletions and replacements that make one sequence the other. */
function distance(a: readonly string[], b: readonly string[]): number {
  let row = b.map((_, j) => j + 1);
  let first = 0;
  a.forEach((x, i) => {
    let diagonal = first;
    let left = i + 1;
    first = i + 1;
    row = row.map((up, j) => {
      left = Math.min(left + 1, up + 1, diagonal + (x === b[j] ? 0 : 1));
      diagonal = up;
      return left;
    });
  });
  return row.at(-1) ?? a.length;
}

const texts = (operations: readonly MachineOperation[]): string[] => operations.map((o) => JSON.stringify(machineOperationJson(o)));

test('the distance of two sequences counts what is inserted, deleted and replaced', (t) => {
  t.is(distance(['a', 'b', 'c'], ['a', 'b', 'c']), 0);
  t.is(distance(['a', 'b', 'c'], ['a', 'c']), 1);
  t.is(distance(['a', 'b'], ['b', 'a']), 2);
  t.is(distance(['a', 'b', 'c'], ['x', 'y', 'z', 'c']), 3);
  t.is(distance(['a', 'b'], []), 2);
});

test('right and wrong form differ, by at most 4 operations', (t) => {
  for (const c of DECIDED) {
    const d = distance(texts(c.right), texts(c.wrong));
    t.true(d >= 1 && d <= 4, `${c.number}: ${d}`);
  }
});

test('each case is small', (t) => {
  for (const c of DECIDED) t.true(c.right.length <= 70 && c.wrong.length <= 70 && c.world.frames <= 32, `${c.number}: ${c.right.length} operations`);
});

test('the stored files are what the builder gives, and no others', (t) => {
  const files = cornerFiles();
  t.deepEqual(readdirSync(CORPUS).filter((name) => name.endsWith('.json')).sort(), files.map((f) => f.name).sort());
  for (const f of files) t.is(readFileSync(join(CORPUS, f.name), 'utf8'), cornerText(f), f.name);
});

test('a stored file is read back as the case it was written from', (t) => {
  for (const f of cornerFiles()) t.deepEqual(decodeMachineCase(cornerText(f), f.name), f.stored, f.name);
});

test('names tell number, slug and form', (t) => {
  const c = DECIDED.find((d) => d.number === 7);
  t.is(c === undefined ? '' : cornerFileName(c, 'wrong'), '007-range-without-the-feature-wrong.json');
});

/** fuzz --tables-only, and table cases in replay, shrink and show. */
import concurrent from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeTableCase } from '../../src/operations/table-codec.js';
import { tableCaseId, USUAL_TABLE_WORLD, type TableCase } from '../../src/operations/table-case.js';
import type { TableOperation } from '../../src/stack/page-table.js';
import { contents, document, folder, run } from './program.js';

/** One after the other: each starts processes of its own. */
const test = concurrent.serial;

const GEOMETRY = { tg: 12, stage: 2, inputBits: 40, outputBits: 44, half: 'lower', ds: false, contiguous: false, dirty: false } as const;
const OPERATIONS: readonly TableOperation[] = [
  { op: 'map', iova: 0x7ffffff000, pa: 0x200000000, pageSize: 0x1000, count: 2, prot: 'rw' }, { op: 'access', iova: 0x8000000000, write: true },
  { op: 'unmap', iova: 0x7ffffff000, pageSize: 0x1000, count: 2 }, { op: 'sync' }, { op: 'access', iova: 0x8000000000, write: false },
];

function tableCase(change: Partial<TableCase> = {}): TableCase {
  return { schema: 1, kind: 'tables', world: { ...USUAL_TABLE_WORLD, geometry: GEOMETRY }, subject: { parts: {} }, operations: OPERATIONS, expect: { verdict: 'ok' }, provenance: {}, ...change };
}

function stored(at: string, name: string, c: TableCase): string {
  const path = join(at, name);
  writeFileSync(path, encodeTableCase(c));
  return path;
}

const BREAKS = tableCase({ subject: { parts: {}, mutant: 'gather-never-flushed' } });

test('fuzz --tables-only: one document with the common fields, the same twice', async (t) => {
  const args = ['fuzz', '--tables-only', '--seed', '7', '--runs', '4', '--json', '--corpus'];
  const [a, b] = [await run([...args, folder()]), await run([...args, folder()])];
  t.is(a.code, 0, a.stderr);
  const doc = document(a);
  t.deepEqual(doc, document(b));
  t.like(doc, { schema: 1, verb: 'fuzz', verdict: 'ok', profile: 'any', seed: '7', runs: 4, failures: [] });
  const kinds = Object.values(doc['operationKinds'] as Record<string, number>);
  t.is(kinds.reduce((x, y) => x + y, 0), doc['operations'] as number);
  t.true('ok' in (doc['answers'] as object));
  t.like(doc['determinism'], { checked: 2, identical: 2 });
  t.regex(a.stderr, /^seed 7 {2}page tables {2}profile any/);
});

test('fuzz --tables-only: a mutant is found, stored, shrunk and told; the run is drawn again', async (t) => {
  const at = folder();
  const e = await run(['fuzz', '--tables-only', '--seed', '8', '--mutant', 'found-pointer-unclean', '--corpus', at]);
  t.is(e.code, 1, e.stderr);
  t.regex(e.stdout, /profile together {2}mutant found-pointer-unclean/);
  t.regex(e.stdout, /\[violation\] table-coherency/);
  t.regex(e.stdout, /entry \d+ of the level-\d (root|table) at 0x[0-9a-f]+, on the way to 0x/);
  t.regex(e.stdout, /was not cleaned since/);
  t.regex(e.stdout, /the page-table library with mutant found-pointer-unclean/);
  t.regex(e.stdout, /again +.*fuzz --tables-only --seed 8 --profile together --mutant found-pointer-unclean --run \d+/);
  const files = contents(at);
  t.true(Object.keys(files).some((name) => name.endsWith('.full.json')));
});

test('fuzz --tables-only: names that do not exist, options that do not go with it', async (t) => {
  for (const [more, message] of [
    [['--profile', 'swarm'], /there is no profile "swarm" of --tables-only: use one of any,/], [['--mutant', 'missing-tlbi'], /there is no mutant "missing-tlbi" of the page-table library/],
    [['--planner', 'single-range'], /--tables-only and --planner exclude each other/], [['--machine-only'], /exclude each other/],
  ] as const) {
    const wrong = await run(['fuzz', '--tables-only', ...more]);
    t.is(wrong.code, 64);
    t.regex(wrong.stderr, message);
  }
});

test('replay, show and shrink of a table case', async (t) => {
  const at = folder();
  const good = await run(['replay', stored(at, 'good.json', tableCase()), '--diff']);
  t.is(good.code, 0, good.stderr);
  t.regex(good.stdout, /the page-table library as it is/);
  t.regex(good.stdout, /access +0x8000000000 write +0x200001000 +0x200001000/);
  const bad = await run(['replay', stored(at, `${tableCaseId(BREAKS)}.json`, BREAKS)]);
  t.is(bad.code, 1);
  t.regex(bad.stdout, /\[violation\] stale-translation/);
  t.regex(bad.stdout, /now entry 0, which is entry 0 of concatenated table 0|now entry 511 of the level-3/);
  t.regex(bad.stdout, /2 concatenated tables at level 1/);
  t.is((await run(['replay', join(at, `${tableCaseId(BREAKS)}.json`), '--no-mutant'])).code, 0);
  t.is((await run(['replay', join(at, 'good.json'), '--state'])).code, 64);
  t.is((await run(['replay', at])).code, 0, 'right without the mutant, broken with it');
  const text = await run(['show', join(at, 'good.json')]);
  t.regex(text.stdout, /stage 2, 4K granule, 40 -> 44 bits, 2 concatenated tables at level 1/);
  t.regex((await run(['show', join(at, 'good.json'), '--format', 'test'])).stdout, /replayTables as replay/);
  t.is((await run(['show', join(at, 'good.json'), '--format', 'msc'])).code, 64);
  const smaller = await run(['shrink', join(at, `${tableCaseId(BREAKS)}.json`), '--corpus', folder()]);
  t.is(smaller.code, 1, smaller.stderr);
  t.regex(smaller.stdout, /5 -> [23] operations/);
});

test('a table case that names no mutant of the library', async (t) => {
  const e = await run(['replay', '-'], { input: encodeTableCase(tableCase({ subject: { parts: {}, mutant: 'missing-tlbi' } })) });
  t.is(e.code, 64);
  t.regex(e.stderr, /there is no mutant "missing-tlbi" of the page-table library/);
});

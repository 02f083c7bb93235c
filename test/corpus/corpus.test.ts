/**
 * What is stored under corpus/: every case is named by its id and decodes to itself, the recorded workloads carry their
 * observations, each mutant that random sequences find has a case, and the measured table is one that `bench` writes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import test from 'ava';
import { MUTANTS } from '../../src/mutants/mutants.js';
import { readCaseFile } from '../../src/operations/codec.js';
import { encodeStored, readStoredFile, storedId } from '../../src/operations/stored.js';

const CORPUS = new URL('../../../corpus/', import.meta.url).pathname;

function files(folder: string): string[] {
  return readdirSync(join(CORPUS, folder), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.json')).map((f) => join(CORPUS, folder, f)).sort();
}

test('every stored case is written as it would be written again', (t) => {
  for (const file of [...files('regressions'), ...files('workloads')]) t.is(encodeStored(readStoredFile(file)), readFileSync(file, 'utf8'), file);
});

test('every regression is named by its id and lies under its rule', (t) => {
  const all = files('regressions');
  t.true(all.length > 0);
  for (const file of all) {
    const c = readStoredFile(file);
    t.is(basename(file, '.json'), storedId(c));
    t.true(file.includes(`/${String(c.provenance['rule'] ?? c.expect.rule)}/`), file);
  }
});

test('each mutant that random sequences find has a case of at most 8 operations, of systems 10', (t) => {
  const cases = files('regressions').map(readStoredFile).filter((c) => c.kind === 'driver' || c.kind === 'system');
  for (const mutant of MUTANTS.filter((m) => m.found === 'fuzz')) {
    const own = cases.filter((c) => c.subject.mutant === mutant.name);
    t.true(own.length > 0, mutant.name);
    for (const c of own) t.true(c.operations.length <= (c.kind === 'system' ? 10 : 8), mutant.name);
  }
});

test('the recorded workloads carry the answers that the devices got', (t) => {
  const workloads = files('workloads');
  t.deepEqual(workloads.map((f) => basename(f, '.json')), ['linux-full-6.12', 'linux-lazy-7.2', 'linux-mini-7.2', 'linux-vfio-7.2']);
  t.deepEqual(workloads.map((f) => readCaseFile(f).observed?.length), [3495, 3454, 839, 35]);
});

test('the table of speeds has the rows of bench, as ratios of the first', (t) => {
  const table = JSON.parse(readFileSync(join(CORPUS, 'tables', 'speed.json'), 'utf8')) as { schema: number; rows: { name: string; operationsPerSecond: number; ratio: number }[] };
  t.is(table.schema, 1);
  const first = table.rows[0];
  t.true(first !== undefined && first.ratio === 1 && table.rows.length >= 5);
  for (const row of table.rows) {
    t.true(row.operationsPerSecond > 0);
    t.true(Math.abs(row.ratio - row.operationsPerSecond / (first?.operationsPerSecond ?? 1)) < 0.01 * row.ratio + 0.01, row.name);
  }
});

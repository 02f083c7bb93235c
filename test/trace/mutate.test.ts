/** Damage to honest recordings: each kind convicts, and whatever is not convicted is shown to be harmless. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { mutationsMarkdown } from '../../src/report/trace-variations.js';
import { RandomChooser } from '../../src/stack/chooser.js';
import { campaign, MUTATIONS } from '../../src/trace/mutate.js';
import { ROOT } from '../cli/program.js';

/** Of each kind in the small sections of the table: `smmucheck trace RECORDING --mutate 10 --seed 1 --markdown`. */
const TABLE_EACH = 10;
const HERE = join(ROOT, 'test/trace/recordings');

test('every kind of damage to the two small recordings is convicted or harmless', async (t) => {
  const convicted = new Set<string>();
  for (const name of ['mini', 'vfio']) {
    for (const tally of await campaign(join(HERE, `linux-${name}-7.2.jsonl.gz`), 8, (kind) => new RandomChooser(`test ${kind}`))) {
      t.deepEqual(tally.examples.filter((e) => e.fate === 'not noticed'), [], `${name} ${tally.kind}`);
      t.true(tally.made === 8 || tally.kind === 'leaf-on-table', `${name} ${tally.kind}`);
      if (tally.fates.convicted > 0) convicted.add(tally.kind);
    }
  }
  t.deepEqual([...convicted].sort(), [...MUTATIONS].sort());
});

test('the table in corpus/tables: the small sections are what comes out again, and no section has a hole', async (t) => {
  const table = readFileSync(join(ROOT, 'corpus/tables/trace-mutations.md'), 'utf8');
  for (const name of ['linux-mini-7.2', 'linux-vfio-7.2']) {
    const tallies = await campaign(join(HERE, `${name}.jsonl.gz`), TABLE_EACH, (kind) => new RandomChooser(`1 ${kind}`));
    const section = table.split(/^(?=## )/m).find((s) => s.startsWith(`## ${name}, ${TABLE_EACH} of each kind`));
    t.is(section?.trim(), mutationsMarkdown(name, TABLE_EACH, '1', tallies).trim());
  }
  const rows = table.split('\n').filter((l) => MUTATIONS.some((k) => l.startsWith(`| ${k} |`))).map((l) => l.split('|').slice(2, 9).map(Number));
  t.is(rows.length, 6 * MUTATIONS.length);
  for (const [made, ...fates] of rows) {
    t.is(made, fates.reduce((a, b) => a + b, 0));
    t.is(fates[5], 0);
  }
});

test('what discharged each kind is named: the command and the fact, or why nothing is due', async (t) => {
  const seen = new Set<string>();
  for (const name of ['mini', 'vfio']) {
    for (const tally of await campaign(join(HERE, `linux-${name}-7.2.jsonl.gz`), 20, (kind) => new RandomChooser(`1 ${kind}`))) {
      for (const e of tally.examples) {
        seen.add(`${e.kind}: ${e.fate}`);
        if (e.fate === 'discharged anyway') t.regex(e.by, /^(TLBI|CFGI)_[^]* complete at line \d+: before (the (STE|CD) of stream \d+|\{asid \d+ level \d (leaf|table descriptor) of 0x[0-9a-f]+\}) was due$/);
        if (e.kind === 'reuse-asid') t.regex(e.by, /^TLBI_\w+ [^]*, complete at line \d+, left nothing under asid \d+$/);
      }
    }
  }
  t.true(seen.has('drop-sync: discharged anyway') && seen.has('drop-sync: nothing cached') && seen.has('reuse-asid: nothing cached'));
});

test('the same seed makes the same mutations', async (t) => {
  const path = join(HERE, 'linux-vfio-7.2.jsonl.gz');
  const once = (): Promise<unknown> => campaign(path, 3, (kind) => new RandomChooser(`x ${kind}`));
  t.deepEqual(await once(), await once());
});

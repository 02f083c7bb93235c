/** Damage to honest recordings: each kind convicts, and whatever is not convicted is shown to be harmless. */
import { join } from 'node:path';
import test from 'ava';
import { RandomChooser } from '../../src/stack/chooser.js';
import { campaign, MUTATIONS } from '../../src/trace/mutate.js';
import { ROOT } from '../cli/program.js';

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

test('the same seed makes the same mutations', async (t) => {
  const path = join(HERE, 'linux-vfio-7.2.jsonl.gz');
  const once = (): Promise<unknown> => campaign(path, 3, (kind) => new RandomChooser(`x ${kind}`));
  t.deepEqual(await once(), await once());
});

/** rules --claims: the ledger of the seeds' claims. */
import test from 'ava';
import { document, run } from './program.js';

test('rules --claims: every row, decided, documentation or not built yet', async (t) => {
  const e = await run(['rules', '--claims']);
  t.is(e.code, 0);
  t.regex(e.stdout, /^S0-12 {2}a removed table is no longer one command for every granule of its span\n {2}test {7}test\/\S+: .+\n {2}broken {5}src\/\S+: .+\n {13}→ .+$/m);
  t.regex(e.stdout, /^S0-20 {2}.+\n {2}no test {4}.+$/m);
  t.regex(e.stdout, /^132 claims: \d+ decided by tests that a broken line turns red, \d+ documentation only, \d+ not built yet$/m);
});

test('rules --claims --seed 0 --json: the 35 rows of seed 0', async (t) => {
  const e = await run(['rules', '--claims', '--seed', '0', '--json']);
  const { claims, verdict } = document(e) as { verdict: string; claims: { id: string; decidedBy?: { test: string; title: string; broken: object }[] }[] };
  t.is(verdict, 'ok');
  t.deepEqual(claims.map((c) => c.id), Array.from({ length: 35 }, (_, i) => `S0-${i + 1}`));
  t.like(claims.find((c) => c.id === 'S0-27'), { decidedBy: [{ test: 'test/optimised/driver/planners/single-range.test.ts', title: 'with DS 2^44 granules are the most', broken: { line: 'return ds ? 39 : 31;' } }] });
});

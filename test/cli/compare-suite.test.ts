/** compare --suite: the text is the committed table, and an unknown suite is refused. */
import test from 'ava';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { document, ROOT, run } from './program.js';

test('compare --suite seed-0 prints corpus/tables/seed-0.md', async (t) => {
  const e = await run(['compare', '--suite', 'seed-0']);
  t.is(e.code, 0);
  t.is(e.stdout, readFileSync(join(ROOT, 'corpus/tables/seed-0.md'), 'utf8'));
});

test('as JSON: scenes and excess', async (t) => {
  const e = document(await run(['compare', '--suite', 'seed-0', '--json'])) as { verdict: string; suite: string; scenes: unknown[]; excess: unknown[] };
  t.deepEqual([e.verdict, e.suite, e.scenes.length, e.excess.length], ['ok', 'seed-0', 10, 3]);
});

test('compare --suite seed-2 prints corpus/tables/seed-2.md', async (t) => {
  t.timeout(180_000);
  const e = await run(['compare', '--suite', 'seed-2']);
  t.is(e.code, 0);
  t.is(e.stdout, readFileSync(join(ROOT, 'corpus/tables/seed-2.md'), 'utf8'));
});

test('an unknown suite is a usage error', async (t) => {
  const e = await run(['compare', '--suite', 'seed-9']);
  t.is(e.code, 64);
  t.regex(e.stderr, /there is no suite "seed-9": seed-0, seed-2/);
});

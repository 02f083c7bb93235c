/** `check` from outside: clean and complete, a mutant found with its lanes, a bound that makes it inconclusive, wrong names. */
import test from 'ava';
import { document, run } from './program.js';

test('the scenario is clean and complete: exit 0', async (t) => {
  const e = await run(['check', '--json']);
  t.is(e.code, 0, e.stderr);
  const d = document(e);
  t.is(d['verdict'], 'ok');
  const rows = d['scenarios'] as { id: string; complete: boolean; verdict: string; states: number }[];
  t.deepEqual(rows.map((r) => [r.id, r.complete, r.verdict]), [['attach-unmap', true, 'ok']]);
  t.true((rows[0]?.states ?? 0) > 1000);
});

test('a mutant that only an interleaving shows is found: exit 1, one lane a CPU', async (t) => {
  const e = await run(['check', '--scenario', 'attach-unmap', '--mutant', 'publish-after-ste']);
  t.is(e.code, 1, e.stderr);
  t.regex(e.stdout, /^\[violation\] stale-translation {2}attach-unmap\n {2}subject {4}mutant publish-after-ste\n/);
  t.regex(e.stdout, /\n {3}# {2}CPU0 +CPU1 +SMMU0\n {3}1 {2}start\n/);
  t.regex(e.stdout, /\n +\d+ +read the array pointer\n/);
});

test('with --json a violation carries its path', async (t) => {
  const e = await run(['check', '--mutant', 'no-barrier-before-array', '--json']);
  t.is(e.code, 1, e.stderr);
  const rows = document(e)['scenarios'] as { rule: string; path: string[]; complete: boolean }[];
  t.is(rows[0]?.rule, 'stale-translation');
  t.false(rows[0]?.complete ?? true);
  t.true((rows[0]?.path.length ?? 0) > 10);
});

test('a bound that cuts the search is inconclusive: exit 2', async (t) => {
  const e = await run(['check', '--states', '20']);
  t.is(e.code, 2, e.stderr);
  t.true(e.stdout.startsWith('[inconclusive] the bound was reached'), e.stdout);
});

for (const [args, sentence] of [
  [['check', '--scenario', 'nobody'], 'there is no scenario "nobody": use one of attach-unmap'],
  [['check', '--mutant', 'nobody'], 'there is no mutant "nobody"'],
  [['check', '--states', '0'], 'option --states must be a whole number from 1'],
  [['check', '--memory-model', 'arm'], 'option --memory-model of check is not built yet'],
] as const) {
  test(`${args.join(' ')}: exit 64 and one sentence`, async (t) => {
    const e = await run(args);
    t.is(e.code, 64);
    t.true(e.stderr.includes(sentence), e.stderr);
    t.is(e.stdout, '');
  });
}

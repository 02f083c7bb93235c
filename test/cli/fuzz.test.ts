/** fuzz: limits, verdicts, what it stores, signals. */
import concurrent from 'ava';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { difference, rerun, sameAgain, totals } from '../../src/cli/determinism.js';
import { campaign, newResult } from '../../src/fuzz/campaign.js';
import { decodeCase } from '../../src/operations/codec.js';
import { findProfile, type Profile } from '../../src/operations/profiles.js';
import { PLANNER_NAMES } from '../../src/stack/planner.js';
import { contents, document, folder, GOOD, run, store } from './program.js';

/** One after the other: each starts processes of its own. */
const test = concurrent.serial;

const SWARM = findProfile('swarm') as Profile;

test('a short campaign: ok, the seed first, and what it does not cover', async (t) => {
  const e = await run(['fuzz', '--seed', 'a b', '--runs', '3']);
  t.is(e.code, 0, e.stderr);
  t.regex(e.stdout, /^seed a b {2}profile swarm\ncases are stored in .*\n\[ok\] no violation {2}seed a b .* 3 runs /);
  t.regex(e.stdout, /not covered +stage 2/);
  t.regex(e.stdout, /determinism +2\/2 re-runs identical/);
  t.false(existsSync(/stored in (.*)/.exec(e.stdout)?.[1] ?? '/'), 'an empty scratch directory is taken away');
});

test('JSON: one document, the same twice apart from timing', async (t) => {
  const args = ['fuzz', '--seed', '7', '--ops', '1500', '--json'];
  const [a, b] = await Promise.all([run(args), run(args)]);
  t.is(a?.code, 0);
  const doc = document(a as NonNullable<typeof a>);
  t.deepEqual(doc, document(b as NonNullable<typeof b>));
  t.like(doc, { schema: 1, verb: 'fuzz', verdict: 'ok', seed: '7', profile: 'swarm', operations: 1500, failures: [], unmodelled: [] });
  const kinds = Object.values(doc['operationKinds'] as Record<string, number>);
  t.is(kinds.reduce((x, y) => x + y, 0), 1500);
  t.true('SYNC' in (doc['commandKinds'] as object));
  t.regex(a?.stderr ?? '', /^seed 7 /);
});

test('--planner: in every run, in the title, in JSON, in the world of a failure and in the command that draws it again', async (t) => {
  const seen: string[] = [];
  for (const planner of ['double-range', 'whole-tag']) {
    const doc = document(await run(['fuzz', '--seed', '7', '--ops', '1500', '--planner', planner, '--json']));
    t.like(doc, { verdict: 'ok', planner });
    seen.push(JSON.stringify(doc['commandKinds']));
  }
  t.not(seen[0], seen[1]);
  t.false((seen[1] as string).includes('TLBI_NH_VA'));
  const at = folder();
  const e = await run(['fuzz', '--seed', '1', '--planner', 'double-range', '--mutant', 'missing-tlbi', '--no-shrink', '--corpus', at]);
  t.is(e.code, 1);
  t.regex(e.stdout, /^seed 1 {2}profile swarm {2}planner double-range {2}mutant missing-tlbi/);
  t.regex(e.stdout, /world[^]*, planner double-range/);
  t.regex(e.stdout, /again +\S.* fuzz --seed 1 --profile swarm --planner double-range --mutant missing-tlbi --run \d+/);
  const file = join(at, Object.keys(contents(at))[0] as string);
  t.is((JSON.parse(readFileSync(file, 'utf8')) as { world: { planner: string } }).world.planner, 'double-range');
  t.regex((await run(['show', file])).stdout, /planner double-range/);
});

test('--planner: the help names all, another name is refused', async (t) => {
  const help = (await run(['fuzz', '--help'])).stdout;
  for (const name of PLANNER_NAMES) t.true(help.includes(`  ${name} `), name);
  const e = await run(['fuzz', '--planner', 'triple-range']);
  t.is(e.code, 64);
  t.regex(e.stderr, /option --planner must be one of single-range, .*, not "triple-range"/);
  t.is((await run(['fuzz', '--machine-only', '--planner', 'double-range'])).code, 64);
});

test('a drawn seed is printed, and is another one each time', async (t) => {
  const [a, b] = await Promise.all([run(['fuzz', '--ops', '60']), run(['fuzz', '--ops', '60'])]);
  const seeds = [a, b].map((e) => /^seed (0x[0-9a-f]{16}) /.exec(e?.stdout ?? '')?.[1]);
  t.truthy(seeds[0]);
  t.not(seeds[0], seeds[1]);
});

test('--run draws that run alone', async (t) => {
  const whole = document(await run(['fuzz', '--seed', 'k', '--runs', '3', '--json']));
  const parts = await Promise.all(['0', '1', '2'].map((k) => run(['fuzz', '--seed', 'k', '--run', k, '--json'])));
  const sum = parts.reduce((n, e) => n + (document(e)['operations'] as number), 0);
  t.is(sum, whole['operations'] as number);
});

test('--time ends it', async (t) => {
  const e = await run(['fuzz', '--seed', 't', '--time', '0.3s', '--json']);
  t.is(e.code, 0);
  t.true((document(e)['runs'] as number) > 0);
});

test('a mutant is found: stored, shrunk, explained, exit 1, and the commands it prints show it again', async (t) => {
  const at = folder();
  const e = await run(['fuzz', '--seed', '1', '--mutant', 'missing-tlbi', '--corpus', at]);
  t.is(e.code, 1);
  t.regex(e.stdout, /\[violation\] stale-translation {2}after/);
  t.regex(e.stdout, /verified +inserting TLBI_NH_VA/);
  t.regex(e.stdout, /1-minimal/);
  t.regex(e.stdout, /subject +the optimised stack with mutant missing-tlbi/);
  const files = Object.keys(contents(at));
  t.deepEqual(files.map((f) => f.replace(/[0-9a-f]{16}/, 'ID')).sort(), ['regressions/stale-translation/ID.full.json', 'regressions/stale-translation/ID.json']);
  const again = /again +node \S+ (fuzz .*)$/m.exec(e.stdout)?.[1] ?? '';
  t.is((await run([...again.split(' '), '--no-shrink', '--corpus', folder()])).code, 1);
  const replay = /replay +node \S+ (replay .*)$/m.exec(e.stdout)?.[1] ?? '';
  const shown = await run(replay.split(' '));
  t.is(shown.code, 1);
  t.regex(shown.stdout, /<-- differs/);
});

test('--keep-going: shown and folded failures are all there are; each is stored', async (t) => {
  const at = folder();
  const e = await run(['fuzz', '--seed', '1', '--mutant', 'asid-reused-without-flush', '--keep-going', '4', '--corpus', at, '--json']);
  t.is(e.code, 1);
  const failures = document(e)['failures'] as readonly { readonly rule: string; readonly cause: string; readonly file: string; readonly operations: number; readonly shrunkFrom: number }[];
  t.is(new Set(failures.map((f) => `${f.rule} ${f.cause}`)).size, failures.length);
  for (const f of failures) {
    t.true(existsSync(f.file));
    t.true(f.operations <= f.shrunkFrom);
  }
  t.is(Object.keys(contents(at)).filter((f) => f.endsWith('.full.json')).length, 4);
});

test('--no-shrink stores and prints the sequence as it was found', async (t) => {
  const at = folder();
  const e = await run(['fuzz', '--seed', '1', '--mutant', 'missing-tlbi', '--no-shrink', '--corpus', at]);
  t.is(e.code, 1);
  t.regex(e.stdout, /, not shrunk$/m);
});

test('a case of the named corpus that regressed: exit 4, and a violation outranks it', async (t) => {
  const at = folder();
  store(at, 'a.json', { ...GOOD, expect: { verdict: 'violation', rule: 'isolation' } });
  const e = await run(['fuzz', '--seed', '1', '--ops', '100', '--corpus', at]);
  t.is(e.code, 4);
  t.regex(e.stdout, /replayed +1 corpus case, 1 regressed\n.*a\.json: breaks no rule, but a violation of isolation is expected/);
  t.is((await run(['fuzz', '--seed', '1', '--mutant', 'missing-tlbi', '--corpus', at])).code, 1);
});

for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
  test(`${signal}: partial results, exit ${code}`, async (t) => {
    const e = await run(['fuzz', '--seed', 's'], { watch: (out, kill) => { if (/stored in/.test(out) && !out.includes('[')) setTimeout(() => { kill(signal); }, 300); } });
    t.is(e.code, code);
    t.regex(e.stdout, new RegExp(`\\[inconclusive\\] no violation until ${signal} {2}seed s .* runs? `));
  });
}

test('kill -9 in the middle leaves only whole cases', async (t) => {
  const at = folder();
  const e = await run(['fuzz', '--seed', '1', '--mutant', 'missing-tlbi', '--keep-going', '1000', '--corpus', at], {
    watch: (out, kill) => { if (/\[violation\]/.test(out)) setTimeout(() => { kill('SIGKILL'); }, 50); },
  });
  t.is(e.signal, 'SIGKILL');
  const stored = Object.entries(contents(at)).filter(([name]) => name.endsWith('.json'));
  t.true(stored.length >= 2);
  for (const [name, text] of stored) t.is(decodeCase(text, name).subject.mutant, 'missing-tlbi');
});

test('a stored failure is what a fresh process finds in the file', async (t) => {
  const at = folder();
  const e = await run(['fuzz', '--seed', '3', '--mutant', 'wrong-asid', '--corpus', at, '--json']);
  const [failure] = document(e)['failures'] as readonly { readonly id: string; readonly file: string }[];
  t.is(failure?.file, join(at, 'regressions', (document(e)['failures'] as readonly { readonly rule: string }[])[0]?.rule ?? '', `${failure?.id}.json`));
  t.is(decodeCase(readFileSync(failure?.file ?? '', 'utf8'), 'x').provenance['seed'], '3');
});

test('determinism: a run comes out the same again, and a run that did not is seen', (t) => {
  const options = { seed: 'd', profile: SWARM, runs: 2 };
  const result = newResult();
  let before = totals(result);
  for (const run of campaign(options, result)) {
    const after = totals(result);
    const done = { run, added: difference(after, before) };
    before = after;
    t.true(sameAgain(options, done));
    const other = done.added.slice();
    other[1] = (other[1] as number) + 1;
    t.false(sameAgain(options, { run, added: other }));
  }
  t.not(rerun(options, 0).digest, rerun(options, 1).digest);
  t.not(rerun(options, 0, 20).digest, rerun(options, 0, 21).digest);
});

test('what comes out differently the second time: exit 3', async (t) => {
  const poison = 'data:text/javascript,import{Hash}from"node:crypto";let n=0;Hash.prototype.digest=()=>(n++).toString(16).padStart(32,"0")';
  const how = { nodeArguments: ['--import', poison] };
  const e = await run(['fuzz', '--seed', '1', '--runs', '2'], how);
  t.is(e.code, 3, e.stderr);
  t.regex(e.stdout, /\[error\] not deterministic/);
  t.regex(e.stdout, /determinism +0\/2 re-runs identical/);
  const doctor = await run(['doctor'], how);
  t.is(doctor.code, 3);
  t.regex(doctor.stdout, /BAD +determinism/);
});

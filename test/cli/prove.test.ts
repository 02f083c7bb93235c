/** prove as a user runs it: exit codes, one JSON document, the same result on any number of threads, states on disk, signals, stored counterexamples. */
import test from 'ava';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { contents, document, folder, run } from './program.js';

interface Claim {
  readonly id: string;
  readonly method: string;
  readonly cases: number;
  readonly of?: number;
  readonly expected: string;
  readonly verdict: string;
  readonly why?: string;
  readonly counterexample?: { readonly granules: number; readonly smallest: boolean; readonly description: unknown };
}

function claims(e: Parameters<typeof document>[0]): readonly Claim[] {
  return document(e)['claims'] as readonly Claim[];
}

const SMALL = ['--cases', '20000', '--method', 'exhaustive'];

test('a planner that keeps its promises: exit 0', async (t) => {
  const e = await run(['prove', '--planner', 'single-range', ...SMALL, '--json']);
  t.is(e.code, 0, e.stderr);
  const { verb, verdict, seed, cases } = document(e);
  t.deepEqual([verb, verdict, seed], ['prove', 'ok', '1']);
  t.true((cases as number) >= 20000);
  for (const c of claims(e)) t.like(c, { method: 'sampled', expected: 'proved', verdict: 'proved' }, c.id);
  const ids = claims(e).map((c) => c.id);
  for (const what of ['coverage', 'contiguous', 'legality', 'command-bound', 'over-invalidation', 'any-coverage', 'any-legality']) t.true(ids.includes(`${what}/single-range`));
});

test('what is known not to hold is refuted with its smallest range, exit 0, and stored where the user says', async (t) => {
  const at = folder();
  const e = await run(['prove', '--claim', 'contiguous/double-range', ...SMALL, '--corpus', at, '--json']);
  t.is(e.code, 0, e.stderr);
  const [claim] = claims(e);
  t.like(claim, { expected: 'refuted', verdict: 'refuted' });
  t.deepEqual(claim?.counterexample, {
    rule: 'range-coverage', features: { range: true, ds: false, wholeRunOnly: true }, description: { tg: 12, first: '0xf000', last: '0x2ffff', leaves: '0b1', tables: '0b0' }, granules: 33,
    actual: 'the level 3 contiguous run of 0x20000..0x2ffff stays', smallest: true,
  } as unknown as Claim['counterexample']);
  const [file, text] = Object.entries(contents(at))[0] as [string, string];
  t.regex(file, /^regressions\/range-coverage\/[0-9a-f]{16}\.json$/);
  t.true(text.includes('"kind": "plan"'));
  const again = await run(['replay', join(at, file)]);
  t.is(again.code, 0, again.stderr);
  t.regex(again.stdout, /the level 3 contiguous run of 0x20000\.\.0x2ffff stays/);
  t.regex(again.stdout, /num 15 scale 1 ttl 3 \(32 granules\) leaf: it spans only a part of the contiguous run/);
  t.regex(again.stdout, /\[ok\] the case expects this violation/);
  t.is((await run(['replay', at])).code, 0);
  t.regex((await run(['show', join(at, file)])).stdout, /planner double-range/);
  t.is((await run(['show', join(at, file), '--format', 'json'])).stdout, text);
  t.regex((await run(['corpus', 'list', '--corpus', at])).stdout, /range-coverage/);
  t.is((await run(['corpus', 'verify', '--corpus', at])).code, 0);
  for (const args of [['shrink', join(at, file)], ['show', join(at, file), '--format', 'test'], ['replay', join(at, file), '--until', '1']]) {
    const refused = await run(args);
    t.is(refused.code, 64);
    t.regex(refused.stderr, /a plan has no operations/);
  }
  // A plan that should be right and is not: exit 1 by name, 4 in a directory.
  writeFileSync(join(at, file), text.replace(/"expect": .*,\n/, '"expect": {"verdict":"ok"},\n'));
  t.is((await run(['replay', join(at, file)])).code, 1);
  t.is((await run(['replay', at])).code, 4);
  writeFileSync(join(at, file), text.replace('double-range"}', 'no-such"}'));
  const unknown = await run(['replay', join(at, file)]);
  t.is(unknown.code, 64);
  t.regex(unknown.stderr, /there is no planner "no-such"/);
});

test('the result is the same on any number of threads', async (t) => {
  const [one, three] = await Promise.all(['1', '3'].map((n) => run(['prove', '--planner', 'double-range-cont', ...SMALL, '--workers', n, '--json', '--seed', 'x'])));
  t.is(one?.code, 0);
  t.deepEqual(document(three as NonNullable<typeof three>), document(one as NonNullable<typeof one>));
});

test('text: every claim, what was not judged, and combinations that were not seen', async (t) => {
  const e = await run(['prove', '--planner', 'exact-ranges', ...SMALL]);
  t.is(e.code, 0, e.stderr);
  t.regex(e.stdout, /^seed 1 {2}a sample .*\n\[ok\] every claim came out as expected/);
  t.regex(e.stdout, /legality\/exact-ranges +sampled +[\d,]+ +held/);
  t.regex(e.stdout, /any-legality\/exact-ranges: refuted, as it is known to be/);
  t.regex(e.stdout, /combinations of granule, SCALE, NUM, TTL, Leaf, alignment and DS were seen/);
  t.regex(e.stdout, /descriptions were not judged; prove --all judges every one/);
});

test('all of it: ends when the time is over, undecided, and goes on from its state', async (t) => {
  const state = join(folder(), 'state.json');
  const args = ['prove', '--claim', 'legality/double-range', '--all', '--state', state, '--time', '3s', '--json'];
  const first = await run(args);
  t.is(first.code, 2, first.stderr);
  t.like(claims(first)[0], { method: 'exhaustive', verdict: 'undecided', why: 'the time was over before everything was judged' });
  t.true((claims(first)[0]?.of ?? 0) > 1e9);
  let done = claims(first)[0]?.cases ?? 0;
  for (let more = 0, left = 6, seconds = 3; more < 2 && left > 0; left -= 1, seconds *= more === 0 ? 2 : 1) { // a busy computer may do nothing in three seconds
    const next = await run([...args.slice(0, -2), `${seconds}s`, '--json']);
    t.is(next.code, 2, next.stderr);
    const now = claims(next)[0]?.cases ?? 0;
    t.true(now >= done, 'nothing is lost');
    if (now > done) more += 1;
    if (left === 1) t.fail('it does not go on');
    done = now;
  }
  const other = await run(args.map((a) => a.replace('/double-range', '/single-range')));
  t.is(other.code, 64);
  t.regex(other.stderr, /state\.json: not a state of this version with these planners: name another file, or remove it/);
  writeFileSync(state, readFileSync(state, 'utf8').slice(0, 300));
  const cut = await run(args);
  t.is(cut.code, 64);
  t.regex(cut.stderr, /state\.json: the text ends in the middle/);
});

test('a signal: partial results, exit 130, and the next run goes on from them', async (t) => {
  const state = join(folder(), 'state.json');
  const args = ['prove', '--all', '--planner', 'single-range', '--method', 'exhaustive', '--state', state];
  const e = await run(args, {
    watch: (stdout, kill) => { if (stdout.includes('\n')) setTimeout(() => { kill('SIGINT'); }, 1500); },
  });
  t.is(e.code, 130, e.stderr);
  t.regex(e.stdout, /\[inconclusive\] \d+ claims undecided .*ended early by SIGINT/);
  t.true(existsSync(state));
  const kept = doneIn(state);
  const next = await run([...args, '--time', '1s', '--json']);
  t.is(next.code, 2, next.stderr);
  const cases = claims(next).find((c) => c.id === 'command-bound/single-range')?.cases ?? 0;
  t.true(cases >= kept, `${cases} after ${kept}`);
  t.is(cases, doneIn(state));
});

/** Cases that a state says are judged. */
function doneIn(state: string): number {
  const { parts } = JSON.parse(readFileSync(state, 'utf8')) as { readonly parts: readonly { readonly gathered: { readonly cases: number }; readonly any: { readonly cases: number } }[] };
  return parts.reduce((sum, p) => sum + p.gathered.cases + p.any.cases, 0);
}

const REFUSED: readonly (readonly [readonly string[], RegExp])[] = [
  [['--planner', 'nobody'], /option --planner must be one of single-range/],
  [['--claim', 'nothing'], /there is no claim "nothing": use one of coverage\/per-granule/],
  [['--claim', 'coverage/whole-tag', '--planner', 'single-range'], /no claim is left: coverage\/whole-tag, single-range do not go together/],
  [['--state', 'x'], /option --state needs --all/],
  [['--all', '--cases', '5'], /options --all and --cases exclude each other/],
  [['--workers', '0'], /option --workers must be a whole number from 1/],
];

for (const [args, message] of REFUSED) {
  test(`refused: ${args.join(' ')}`, async (t) => {
    const e = await run(['prove', ...args]);
    t.is(e.code, 64);
    t.regex(e.stderr, message);
  });
}

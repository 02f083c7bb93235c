/** Wrong usage: exit 64, one sentence and a hint on stderr, nothing on disk. And the frame around every verb. */
import concurrent from 'ava';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, UsageError, worst } from '../../src/cli/exit.js';
import { duration, parseOptions, wholeNumber, type VerbSpec } from '../../src/cli/options.js';
import { Output, programName } from '../../src/cli/output.js';
import { nextSparse, ProgressLine } from '../../src/cli/progress.js';
import type { Verb } from '../../src/cli/verb.js';
import { CaseError } from '../../src/operations/case.js';
import { BROKEN, contents, folder, GOOD, MAIN, run, store } from './program.js';

/** One after the other: each starts processes of its own. */
const test = concurrent.serial;

const WRONG: readonly (readonly [string, RegExp])[] = [
  ['', /no verb is given/],
  ['frobnicate', /there is no verb "frobnicate"/],
  ['mutants', /the verb mutants is not built yet/],
  ['constructor', /there is no verb "constructor"/],
  ['fuzz --frob', /fuzz has no option --frob/],
  ['fuzz --driver x', /option --driver of fuzz is not built yet/],
  ['fuzz --planner x', /option --planner must be one of single-range, per-granule, /],
  ['fuzz --interleave', /option --interleave of fuzz is not built yet/],
  ['fuzz --interleave', /option --interleave of fuzz is not built yet/],
  ['fuzz --workers 4', /option --workers of fuzz is not built yet/],
  ['fuzz --runs 0', /--runs must be a whole number from 1/],
  ['fuzz --ops 0', /--ops must be a whole number from 1/],
  ['fuzz --runs 1e3', /--runs must be a whole number from 1/],
  ['fuzz --time 0s', /--time must be a time such as 30s/],
  ['fuzz --time 5', /--time must be a time such as 30s/],
  ['fuzz --seed', /--seed needs a value/],
  ['fuzz --seed --json', /--seed needs a value/],
  ['fuzz --runs 1 --runs 2', /--runs is given twice/],
  ['fuzz --run 1 --runs 2', /--run and --runs exclude each other/],
  ['fuzz --profile x', /there is no profile "x"/],
  ['fuzz --mutant x', /there is no mutant "x"/],
  ['fuzz --corpus /dev/null', /\/dev\/null: not a directory/],
  ['fuzz extra', /fuzz takes no operand/],
  ['replay', /replay needs a case/],
  ['replay /nowhere/at/all', /\/nowhere\/at\/all: there is no such file or directory/],
  ['replay --candidate single-range', /replay needs a case/],
  ['replay --candidate x y z', /--candidate needs exactly one named case/],
  ['replay --candidate x /tmp', /--candidate needs exactly one named case/],
  ['replay --candidate x --state y', /--candidate and --state exclude each other/],
  ['compare', /compare needs a candidate/],
  ['compare x', /compare takes no operand/],
  ['compare --candidate', /--candidate needs a value/],
  ['compare --candidate mine', /mine: a candidate is a \.wasm, \.js or \.mjs file, or the name of a planner/],
  ['compare --candidate mine.c', /compile C first/],
  ['compare --candidate /nowhere/x.wasm', /\/nowhere\/x\.wasm: there is no such file/],
  ['compare --candidate whole-tag --baseline x', /there is no planner "x": use one of per-granule/],
  ['compare --candidate whole-tag --workload x', /there is no workload "x": use one of plans, recorded, linux-full-6\.12/],
  ['compare --candidate whole-tag --timeout 5', /--timeout must be a time such as 30s/],
  ['compare --candidate whole-tag --ops 0', /--ops must be a whole number from 1/],
  ['compare --candidate whole-tag --corpus /dev/null', /\/dev\/null: not a directory/],
  ['compare --header --example', /--header and --example exclude each other/],
  ['compare --header --seed x', /--header and --seed exclude each other/],
  ['compare --suite seed-0 --candidate x', /--suite and --candidate exclude each other/],
  ['compare --candidate eager --baseline single-range', /eager is a cleaner and can be compared with one only: eager, posted-walk, range-visitor, map-sg/],
  ['compare --candidate eager --seed 1', /--seed is for planners/],
  ['compare --candidate whole-tag --baseline eager', /there is no planner "eager"/],
  ['compare --suite x', /there is no suite "x"/],
  ['rules --claims --mutants', /--mutants and --claims exclude each other/],
  ['rules --seed 0', /--seed goes with --claims/],
  ['rules --claims --seed 5', /--seed must be a whole number from 0 to 4/],
  ['rules --corner-cases --mutants', /--mutants and --corner-cases exclude each other/],
  ['rules --corner-cases --run-ops 5', /--corner-cases and --run-ops exclude each other/],
  ['show /dev/null', /not a regular file/],
  ['corpus', /corpus needs one of list, add, import, verify, minimise, merge/],
  ['corpus list x', /corpus list takes no operand/],
  ['corpus add', /corpus add needs a case/],
  ['corpus list --yes', /corpus list has no option --yes/],
  ['corpus list --corpus /nowhere', /\/nowhere: there is no such file/],
  ['decode 1', /a command has two 64-bit or four 32-bit words, not 1/],
  ['decode 0x10000000000000000 0', /not a 64-bit number/],
  ['decode 0x100000000 0 0 0', /not a 32-bit number/],
  ['decode --ste --cd 1', /--ste and --cd exclude each other/],
  ['bench --ops 0', /--ops must be a whole number from 1/],
];

const MODULES: Readonly<Record<string, () => Promise<{ readonly verb: Verb }>>> = {
  fuzz: () => import('../../src/cli/fuzz.js'), replay: () => import('../../src/cli/replay.js'), shrink: () => import('../../src/cli/shrink.js'),
  show: () => import('../../src/cli/show.js'), corpus: () => import('../../src/cli/corpus.js'), rules: () => import('../../src/cli/rules.js'),
  decode: () => import('../../src/cli/decode.js'), bench: () => import('../../src/cli/bench.js'),
};
/** Prints nothing as long as no verb gets as far as a result. */
const OUT = new Output(true);

async function inProcess(args: readonly string[]): Promise<void> {
  const { verb } = await (MODULES[args[0] ?? ''] as (typeof MODULES)[string])();
  await verb.run(parseOptions(verb.spec, args.slice(1)), OUT);
}

const words = (line: string): string[] => line.split(' ').filter((word) => word !== '');

test('wrong options, values and operands are usage errors', async (t) => {
  for (const [line, message] of WRONG) {
    if (!Object.hasOwn(MODULES, words(line)[0] ?? '')) continue;
    const error = await t.throwsAsync(inProcess(words(line)), { message }, line);
    t.true(error instanceof UsageError || error instanceof CaseError, line);
  }
});

for (const [line, message] of WRONG.filter(([text], i) => i % 9 === 0 || !Object.hasOwn(MODULES, words(text)[0] ?? ''))) {
  test(`exit 64: smmucheck ${line}`, async (t) => {
    const e = await run(words(line));
    t.is(e.code, 64);
    t.regex(e.stderr, message);
    t.is(e.stderr.split('\n').length, 3, e.stderr);
    t.regex(e.stderr, /\ntry: smmucheck .*--help\n$/);
    t.is(e.stdout, '');
  });
}

test('with --json a usage error is one document as well', async (t) => {
  const e = await run(['fuzz', '--profile', 'x', '--json']);
  t.is(e.code, 64);
  t.like(JSON.parse(e.stdout), { schema: 1, verb: 'fuzz', verdict: 'error' });
});

const HOSTILE: readonly (readonly [string, string | Buffer])[] = [
  ['empty', ''], ['not JSON', '{{{'], ['cut off', '{"schema":1,"kind":"dri'], ['another schema', '{"schema":2}'],
  ['a prototype', '{"__proto__":{"x":1}}'], ['deep', '['.repeat(100_000)], ['bytes', Buffer.from([0xff, 0xfe, 0, 1])],
  ['an escape', '\u001b[2J'],
];

/** Every way to have a case read; `at` holds it as bad.json. */
function readers(at: string): string[][] {
  const path = join(at, 'bad.json');
  return [
    ['replay', path], ['replay', at], ['show', path], ['shrink', path, '--corpus', join(at, 'new')], ['corpus', 'add', path, '--corpus', at],
    ['corpus', 'list', '--corpus', at], ['fuzz', '--runs', '1', '--corpus', at],
  ];
}

for (const [name, text] of HOSTILE) {
  test(`a hostile file (${name}) is refused by every verb that reads cases, and nothing changes on disk`, async (t) => {
    const at = folder();
    writeFileSync(join(at, 'bad.json'), text);
    const before = contents(at);
    for (const args of readers(at)) await t.throwsAsync(inProcess(args), { instanceOf: CaseError }, args.join(' '));
    t.deepEqual(contents(at), before);
  });
}

test('a hostile file: exit 64, and nothing of it reaches the terminal', async (t) => {
  const at = folder();
  writeFileSync(join(at, 'bad.json'), '{"\u001b[2J":1}');
  for (const e of await Promise.all(readers(at).map((args) => run(args)))) {
    t.is(e.code, 64, e.stderr);
    t.is(e.stdout, '');
    t.false(e.stderr.includes('\u001b'));
    t.is(e.stderr.split('\n').length, 3, e.stderr);
  }
});

test('a case with an unknown mutant or part is refused', async (t) => {
  const at = folder();
  const mutant = await run(['replay', store(at, 'a.json', { ...GOOD, subject: { parts: {}, mutant: 'x' } })]);
  t.is(mutant.code, 64);
  t.regex(mutant.stderr, /there is no mutant "x"/);
  const part = await run(['replay', store(at, 'b.json', { ...GOOD, subject: { parts: { planner: 'x' } } })]);
  t.is(part.code, 64);
  t.regex(part.stderr, /subject.parts names "planner"/);
});

test('help, general and of every verb, and the version', async (t) => {
  const general = await run(['--help']);
  t.is(general.code, 0);
  const verbs = ['fuzz', 'replay', 'shrink', 'show', 'corpus', 'rules', 'conform', 'decode', 'doctor', 'bench'];
  for (const e of await Promise.all(verbs.map(async (verb) => ({ verb, ...await run([verb, '--help']) })))) {
    t.is(e.code, 0);
    t.true(e.stdout.startsWith(`usage: smmucheck ${e.verb}`));
    t.true(e.stdout.includes('--json'));
    t.true(general.stdout.includes(`\n  ${e.verb} `));
  }
  t.regex((await run(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
});

test('an internal error exits 70 with its stack', async (t) => {
  const poison = 'data:text/javascript,Array.prototype.flatMap=()=>{throw new Error("poisoned")}';
  const e = await run(['rules'], { nodeArguments: ['--import', poison] });
  t.is(e.code, 70);
  t.regex(e.stderr, /internal error: Error: poisoned\n +at /);
});

test('a reader that goes away is no crash', (t) => {
  const at = folder();
  const path = store(at, 'a.json', BROKEN);
  const line = `"${process.execPath}" "${MAIN}" show "${path}" --format msc | true; echo "code \${PIPESTATUS[0]}"`;
  const e = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
  t.is(e.stderr, '');
  t.is(e.stdout, 'code 0\n');
});

test('precedence of exit codes', (t) => {
  t.is(worst([]), 0);
  const order = [EXIT.internal, EXIT.usage, EXIT.violation, EXIT.regressed, EXIT.nondeterministic, EXIT.gate, EXIT.inconclusive, EXIT.ok];
  order.forEach((code, i) => { t.is(worst(order.slice(i).reverse()), code); });
  t.is(worst([EXIT.interrupted, EXIT.violation]), 1);
  t.is(worst([EXIT.interrupted, EXIT.inconclusive, EXIT.ok]), 130);
});

const SPEC: VerbSpec = {
  name: 'verb', usage: ['verb'], about: [], operands: 2,
  options: [{ name: 'n', value: 'N', about: '' }, { name: 'flag', about: '' }, { name: 'maybe', value: 'N', otherwise: '20', about: '' }],
};

test('options: values, optional values, operands after --', (t) => {
  t.deepEqual([...parseOptions(SPEC, ['--n', '3', '--flag', 'a']).values], [['n', '3'], ['flag', '']]);
  t.is(parseOptions(SPEC, ['--n=-3']).values.get('n'), '-3');
  t.is(parseOptions(SPEC, ['--maybe']).values.get('maybe'), '20');
  t.is(parseOptions(SPEC, ['--maybe', '7', 'x']).values.get('maybe'), '7');
  t.deepEqual(parseOptions(SPEC, ['--maybe', 'x']).operands, ['x']);
  t.deepEqual(parseOptions(SPEC, ['-', '--', '--flag']).operands, ['-', '--flag']);
  t.throws(() => parseOptions(SPEC, ['a', 'b', 'c']), { message: /at most 2 operands/ });
  t.throws(() => parseOptions(SPEC, ['--flag=1']), { message: /takes no value/ });
  t.throws(() => parseOptions(SPEC, ['--n=']), { message: /must not be empty/ });
});

test('options: numbers and times', (t) => {
  const given = (text: string): ReturnType<typeof parseOptions> => parseOptions(SPEC, ['--n', text]);
  t.is(wholeNumber(given('007'), 'n', 1), 7);
  for (const bad of ['x', '1.5', '99999999999999999', '0x10']) t.throws(() => wholeNumber(given(bad), 'n', 1), { message: /whole number/ });
  t.deepEqual(['30s', '2m', '1h', '1.5s'].map((text) => duration(given(text), 'n')), [30_000, 120_000, 3_600_000, 1500]);
  for (const bad of ['0s', '-1s', '5', 's', '5d']) t.throws(() => duration(given(bad), 'n'), { message: /must be a time/ });
});

test('progress: a log gets lines at 1, 2, 5, 10, 20, 50 seconds and then every minute', (t) => {
  const due: number[] = [];
  for (let at = 0, i = 0; i < 9; i += 1) due.push(at = nextSparse(at));
  t.deepEqual(due.map((ms) => ms / 1000), [1, 2, 5, 10, 20, 50, 60, 120, 180]);
  const written: string[] = [];
  const log = new ProgressLine({ write: (text) => written.push(text) });
  for (const at of [100, 999, 1000, 1500, 2100, 2200]) log.update(at, () => `at ${at}`);
  log.clear();
  t.deepEqual(written, ['at 1000\n', 'at 2100\n']);
});

test('progress: a terminal has one line that is rewritten and taken away', (t) => {
  const written: string[] = [];
  const terminal = new ProgressLine({ isTTY: true, write: (text) => written.push(text) });
  for (const at of [100, 250, 300, 500]) terminal.update(at, () => `at ${at}`);
  terminal.clear();
  t.deepEqual(written, ['\r\u001b[2Kat 250', '\r\u001b[2Kat 500', '\r\u001b[2K']);
});

test('reports name the program as it was called', (t) => {
  t.is(programName('/usr/bin/smmucheck', '/work'), 'smmucheck');
  t.is(programName('/work/dist/src/cli/main.js', '/work'), 'node dist/src/cli/main.js');
});

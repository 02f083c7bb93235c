/** compare: a candidate against a baseline, from the command line; and replay with a candidate. */
import concurrent from 'ava';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMPILE } from '../../src/compare/header.js';
import { bytesOf, MODULES, type ModuleName } from '../compare/modules.js';
import { contents, document, folder, GOOD, run, store, type Ended } from './program.js';

/** One after the other: each starts processes of its own. */
const test = concurrent.serial;

function wasm(at: string, name: ModuleName): string {
  const path = join(at, `${name}.wasm`);
  writeFileSync(path, bytesOf(name));
  return path;
}

function js(at: string, name: string, text: string): string {
  const path = join(at, name);
  writeFileSync(path, text);
  return path;
}

function compare(candidate: string, ...more: readonly string[]): Promise<Ended> {
  return run(['compare', '--candidate', candidate, '--seed', 'cli', ...(more.includes('--ops') ? [] : ['--ops', '300']), ...more]);
}

interface Failure {
  readonly rule: string | null;
  readonly fault?: string;
  readonly cause: string;
  readonly operations: number;
  readonly shrunkFrom: number | null;
  readonly file: string;
}

function failures(e: Ended): readonly Failure[] {
  return document(e)['failures'] as Failure[];
}

test('a right candidate: exit 0, every cost per workload with baseline, candidate and ratio', async (t) => {
  const at = folder();
  const e = await compare(wasm(at, 'right'), '--ops', '1500');
  t.is(e.code, 0, e.stderr);
  t.regex(e.stdout, /\[ok\] the candidate breaks no rule {2}seed cli/);
  t.regex(e.stdout, /\n {2}workload +cost +baseline +candidate +ratio\n {2}plans +TLBI commands +([\d,]+) +\1 +1\.00\n/);
  for (const name of ['linux-mini-7.2', 'linux-vfio-7.2', 'swarm', 'tables', 'teardown', 'sva', 'all']) t.true(e.stdout.includes(`\n  ${name}  `), name);
  t.regex(e.stdout, /nanoseconds per plan/);
  t.regex(e.stdout, /worse +in nothing that is counted, in no run/);
  t.regex(e.stdout, /7\/7 first runs identical/);
  t.regex(e.stdout, /left out +linux-full-6\.12 {2}linux-lazy-7\.2 {2}\(long: /);
});

test('the long recordings run when they are asked for', async (t) => {
  const e = await compare('double-range', '--workload', 'recorded', '--json');
  t.is(e.code, 0, e.stderr);
  const d = document(e);
  t.deepEqual(Object.keys(d['workloads'] as object), ['linux-full-6.12', 'linux-lazy-7.2', 'linux-mini-7.2', 'linux-vfio-7.2']);
  t.deepEqual(d['leftOut'], []);
});

test('--json: one document, the same twice but for the times', async (t) => {
  const at = folder();
  const path = wasm(at, 'right');
  const a = await compare(path, '--json', '--workload', 'teardown');
  t.is(a.code, 0, a.stderr);
  const d = document(a);
  t.like(d, { schema: 1, verb: 'compare', verdict: 'ok', seed: 'cli', baseline: 'single-range', candidate: path, failures: [], worse: [], unmodelled: [], determinism: { checked: 1, identical: 1 } });
  const cost = d['cost'] as Record<string, { baseline: number; candidate: number; ratio: number }>;
  t.deepEqual(Object.keys(cost), ['commands', 'syncs', 'overInvalidatingRanges', 'overInvalidatedGranules', 'wholeTagFlushes', 'entriesLost', 'worstOverInvalidation']);
  t.true((cost['commands']?.baseline ?? 0) > 0);
  t.is(cost['commands']?.ratio, 1);
  const whole = JSON.parse(a.stdout) as { timing: { nanosecondsPerPlan: Record<string, { baseline: number; candidate: number }> } };
  t.true((whole.timing.nanosecondsPerPlan['teardown']?.candidate ?? 0) > 0);
  t.deepEqual(document(await compare(path, '--json', '--workload', 'teardown')), d);
});

test('a candidate that is right and costs more shows the smallest sequence', async (t) => {
  const e = await compare('whole-tag', '--workload', 'tables', '--ops', '1000', '--json');
  t.is(e.code, 0, e.stderr);
  const worse = document(e)['worse'] as { metric: string; baseline: number; candidate: number; operations: { op: string }[] }[];
  const lost = worse.find((w) => w.metric === 'entriesLost');
  t.true(lost !== undefined && lost.candidate > lost.baseline && lost.operations.length <= 6);
  t.regex((await compare('whole-tag', '--workload', 'tables', '--ops', '300')).stdout, /worse +cached entries lost that were still wanted: 0 -> \d+ {2}\(tables run \d+, \d+ -> \d ops, 1-minimal\)\n +# {2}op /);
});

test('a wrong candidate: exit 1, the smallest sequence stored, and replayed with and without it', async (t) => {
  const at = folder();
  const wrong = wasm(at, 'wrong');
  const e = await compare(wrong, '--workload', 'swarm', '--ops', '20000', '--corpus', join(at, 'c'));
  t.is(e.code, 1, e.stderr);
  t.regex(e.stdout, /\[violation\] range-coverage {2}after/);
  t.regex(e.stdout, /subject +the optimised stack with planner wrong\.wasm#[0-9a-f]{16}\n/);
  t.regex(e.stdout, /-> 4 ops \(.*1-minimal\)/);
  const files = Object.keys(contents(join(at, 'c')));
  t.is(files.length, 2);
  const file = join(at, 'c', files.find((f) => !f.includes('.full.')) as string);
  t.true(e.stdout.includes(`--candidate ${wrong}\n`));
  const again = await run(['replay', file, '--candidate', wrong]);
  t.is(again.code, 1);
  t.regex(again.stdout, /\[violation\] range-coverage\n[^]*a level 3 leaf is not reached[^]*<-- differs/);
  const right = await run(['replay', file, '--candidate', wasm(at, 'right'), '--diff']);
  t.is(right.code, 0, right.stdout);
  t.regex(right.stdout, /found with +wrong\.wasm#[^]*unmap[^]*\[ok\] no violation {2}4 ops/);
  const alone = await run(['replay', file]);
  t.is(alone.code, 64);
  t.regex(alone.stderr, /the case is about the candidate wrong\.wasm#[0-9a-f]{16}: give it with --candidate PATH\n/);
  t.is((await run(['replay', join(at, 'c')])).code, 0, 'the driver’s own planner is right');
  t.regex((await run(['shrink', file])).stderr, /compare has shrunk it already/);
  t.regex((await run(['show', file])).stdout, /subject +the optimised stack with planner wrong\.wasm#/);
});

test('a wrong plan: the question is stored, and asked again', async (t) => {
  const at = folder();
  const wrong = wasm(at, 'wrong');
  const e = await compare(wrong, '--corpus', join(at, 'c'), '--json');
  t.is(e.code, 1, e.stderr);
  t.like(failures(e)[0], { rule: 'range-coverage', cause: 'a level 3 leaf is not reached', operations: 1 });
  const file = failures(e)[0]?.file ?? '';
  const again = await run(['replay', file, '--candidate', wrong]);
  t.is(again.code, 1);
  t.regex(again.stdout, /asked +0x0\.\.0x2fff: 3 granules of 4K/);
  const alone = await run(['replay', file]);
  t.is(alone.code, 64);
  t.regex(alone.stderr, /the case is about the candidate wrong\.wasm#[0-9a-f]{16}: give it with --candidate PATH\n/);
  t.is((await run(['replay', join(at, 'c')])).code, 0, 'the default planner is right');
  t.is((await run(['replay', '-', '--candidate', wrong], { input: readFileSync(file, 'utf8') })).code, 1);
  t.regex((await run(['replay', file, '--candidate', wasm(at, 'right')])).stdout, /\[ok\] no violation {2}1 plan/);
});

const FAULTS: readonly (readonly [ModuleName, string, RegExp])[] = [
  ['loops', 'loops', /^it gave no answer within 0\.5 s$/],
  ['traps', 'throws', /unreachable/],
  ['tooMany', 'garbage', /513/],
  ['stray', 'garbage', /has bits beyond/],
  ['beyond', 'throws', /out of bounds/],
  ['before', 'harm', /outside of the commands/],
  ['remembers', 'garbage', /in two ways/],
];

for (const [name, fault, cause] of FAULTS) {
  test(`${name}.wasm: a finding with a case, in time, and nothing else is harmed`, async (t) => {
    const at = folder();
    const e = await compare(wasm(at, name), '--json', '--timeout', '0.5s', '--corpus', join(at, 'c'));
    t.is(e.code, 1, e.stderr);
    const [f] = failures(e);
    t.like(f, { rule: null, fault, operations: 1 });
    t.true((JSON.parse(e.stdout) as { timing: { elapsedMs: number } }).timing.elapsedMs < 20_000);
    t.regex(f?.cause ?? '', cause);
    t.deepEqual(Object.keys(contents(at)).sort(), [`${name}.wasm`, f?.file.slice(at.length + 1)].sort());
    const stored = JSON.parse(readFileSync(f?.file ?? '', 'utf8')) as { kind: string; subject: { parts: { planner: string } }; description: { first: string } };
    t.is(stored.kind, 'plan');
    t.regex(stored.subject.parts.planner, new RegExp(`^${name}\\.wasm#[0-9a-f]{16}$`));
    t.regex(stored.description.first, /^0x[01]/);
  });
}

test('a candidate that never answers is replayed in time as well', async (t) => {
  const at = folder();
  const path = wasm(at, 'loops');
  const e = await run(['replay', store(at, 'a.json', GOOD), '--candidate', path]);
  t.is(e.code, 1);
  t.regex(e.stdout, /\[violation\] the candidate does not answer\n {2}found +it gave no answer within 2 s\n/);
});

test('ES modules: right, looping, ending, printing, throwing later', async (t) => {
  const at = folder();
  const right = await compare(js(at, 'right.js', 'export function plan() { return -1; }\n'), '--workload', 'plans');
  t.is(right.code, 0, right.stderr);
  const loop = await compare(js(at, 'loop.mjs', 'export const plan = () => { for (;;) {} };\n'), '--timeout', '0.5s', '--json');
  t.is(failures(loop)[0]?.fault, 'loops');
  const exits = await compare(js(at, 'exits.mjs', 'export const plan = () => { process.exit(0); };\n'), '--json');
  t.is(exits.code, 1);
  t.is(failures(exits)[0]?.cause, 'it ended its thread');
  const prints = await compare(js(at, 'prints.mjs', 'export const plan = () => { console.log("hello"); return -1; };\n'), '--workload', 'plans', '--json');
  t.is(prints.code, 0);
  t.is(document(prints)['verdict'], 'ok');
  t.regex(prints.stderr, /hello/);
});

const UNLOADABLE: readonly (readonly [string, string, RegExp])[] = [
  ['noplan.mjs', 'export const plans = 1;', /noplan\.mjs: the module exports no function plan\n/],
  ['syntax.mjs', 'export const plan = (', /syntax\.mjs: it cannot be loaded as an ES module: it threw SyntaxError/],
  ['loops.mjs', 'for (;;) {}', /loops\.mjs: it could not be loaded: it gave no answer within 0\.5 s\n/],
  ['never.mjs', 'await new Promise(() => {}); export const plan = () => -1;', /never\.mjs: it could not be loaded: it ended its thread\n/],
  ['text.wasm', 'hello', /text\.wasm: not a valid WebAssembly module/],
  ['empty.wasm', '', /empty\.wasm: not a valid WebAssembly module/],
];

for (const [name, text, sentence] of UNLOADABLE) {
  test(`${name} cannot be loaded: exit 64, one sentence`, async (t) => {
    const e = await compare(js(folder(), name, text), '--timeout', '0.5s');
    t.is(e.code, 64);
    t.regex(e.stderr, sentence);
  });
}

test('too large, a directory, and modules that do not fit: exit 64', async (t) => {
  const at = folder();
  writeFileSync(join(at, 'huge.wasm'), new Uint8Array(2 ** 20 + 1));
  t.regex((await compare(join(at, 'huge.wasm'))).stderr, /huge\.wasm: 1048577 bytes, and 1048576 is the limit for a candidate\n/);
  for (const name of ['imports', 'signature', 'nameless', 'large'] as const) {
    const e = await compare(wasm(at, name));
    t.is(e.code, 64);
    t.regex(e.stderr, new RegExp(`^smmucheck: ${name}\\.wasm: .*\n`, 'm'));
  }
});

test('interrupted: what was done is printed, exit 130', async (t) => {
  let asked = false;
  const e = await run(['compare', '--candidate', 'double-range', '--seed', 'cli', '--time', '1m'], {
    watch: (stdout, kill) => {
      if (asked || !stdout.includes('cases are stored')) return;
      asked = true;
      setTimeout(() => { kill('SIGINT'); }, 1500);
    },
  });
  t.is(e.code, 130, e.stderr);
  t.regex(e.stdout, /\[inconclusive\] no rule broken until SIGINT/);
});

test('the printed header and example compile with the printed command, and compare as right', async (t) => {
  const version = spawnSync('clang', ['--version'], { encoding: 'utf8' });
  if (version.error !== undefined || spawnSync('wasm-ld', ['--version']).error !== undefined) {
    t.log('not tested: clang and lld are not installed');
    t.pass();
    return;
  }
  const at = folder();
  writeFileSync(join(at, 'smmucheck_plan.h'), (await run(['compare', '--header'])).stdout);
  writeFileSync(join(at, 'mine.c'), (await run(['compare', '--example'])).stdout);
  const made = spawnSync('sh', ['-c', COMPILE.replace('clang', 'clang -Wall -Wextra -Werror')], { cwd: at, encoding: 'utf8' });
  t.is(made.status, 0, made.stderr);
  const e = await compare(join(at, 'mine.wasm'), '--workload', 'plans');
  t.is(e.code, 0, e.stderr);
  for (const name of ['wrong', 'wide', 'stray'] as const) {
    writeFileSync(join(at, 'mine.c'), MODULES[name].source);
    t.is(spawnSync('sh', ['-c', COMPILE], { cwd: at, encoding: 'utf8' }).status, 0, name);
    t.is((await compare(join(at, 'mine.wasm'), '--workload', 'plans')).code, name === 'wide' ? 0 : 1, name);
  }
});

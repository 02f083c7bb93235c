/**
 * compare: a candidate planner against a baseline: is it right, and what does it cost?
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMPILE, EXAMPLE, HEADER } from '../compare/header.js';
import type { Recording } from '../compare/workloads.js';
import { PLANS, RANDOM, RECORDED, RECORDED_MAX } from '../compare/workloads.js';
import { findPlanner, PLANNERS } from '../parts/planners.js';
import { nameCandidate } from './candidate-watch.js';
import { readCase } from './cases.js';
import { CompareSession, type CompareSettings } from './compare-session.js';
import { isCleaner, runCleaners } from './compare-cleaners.js';
import { runSuite, SUITES } from './compare-suite.js';
import { CLEANERS } from '../optimised/tables/cleaners/cleaners.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import { duration, wholeNumber, type Parsed, type VerbSpec } from './options.js';
import type { Output } from './output.js';
import type { Verb } from './verb.js';

/** Operations of each random workload, and questions of the plans, unless said otherwise. */
const OPERATIONS = 20_000;
const TIMEOUT_MS = 2000;

const spec: VerbSpec = {
  name: 'compare', operands: 0,
  usage: [
    'compare --candidate FILE|NAME [--baseline NAME] [--seed S] [--ops N] [--runs N] [--time TIME] [--workload NAME] [--timeout TIME] [--corpus DIR]',
    'compare --header | --example | --suite NAME',
  ],
  about: [
    'Gives the same sequences to a baseline and to a candidate planner: is the candidate right, what does it cost, and what is the smallest',
    'sequence in which it costs more? A candidate is a C file compiled to WebAssembly, an ES module, or a planner or cleaner by its name. The first thing',
    'that is wrong is stored, shrunk and printed: exit 1.',
    '',
    `  smmucheck compare --header > smmucheck_plan.h`,
    `  ${COMPILE}`,
    '  smmucheck compare --candidate ./mine.wasm',
    '',
    'An ES module exports plan(description, features, out) as src/stack/planner.ts has it: `first` and `last` are 4 KiB frames, `out` is a Uint32Array',
    'with four words a command; it returns their number, or -1 for the whole tag. It may export `room`, the commands that `out` must hold (512).',
    '',
    'WebAssembly is confined: it is given nothing and its memory cannot grow. A JavaScript module is NOT: it runs with your rights. Both run in a',
    'thread that is ended when no answer comes within --timeout; what throws, traps, loops, answers nonsense or writes beyond its buffer is reported.',
    '', 'Planners:', ...PLANNERS.map((p) => `  ${p.name.padEnd(19)}${p.about}`),
    '', 'Workloads:', `  ${PLANS.padEnd(19)}plans alone, all granules, small and large, with and without ranges and DS`, ...RANDOM.map((w) => `  ${w.name.padEnd(19)}${w.about}`),
    '  and the recordings in corpus/workloads (and those in the workloads folder of --corpus DIR), by their names;',
    `  those of corpus/workloads with more than ${RECORDED_MAX} operations only when they are asked for: by name, or all of them by "${RECORDED}"`,
    '', 'Cleaners (parts that clean leaf descriptors for walkers that do not look into the CPU’s caches; the candidate by its name, the baseline eager by default):',
    ...CLEANERS.map((c) => `  ${c.name.padEnd(19)}${c.about}`),
    '', 'Lost are entries of the TLB and the walk cache that an invalidation removed although the tables still hold the very descriptor that was cached.',
  ],
  options: [
    { name: 'candidate', value: 'FILE|NAME', about: 'a .wasm, .js or .mjs file, or the name of a planner or cleaner' },
    { name: 'baseline', value: 'NAME', about: 'a planner (default single-range), or a cleaner (default eager)' },
    { name: 'seed', value: 'TEXT', about: 'any text; drawn and printed when missing' },
    { name: 'ops', value: 'N', about: `operations of each random workload, and questions of the plans (default ${OPERATIONS})` },
    { name: 'runs', value: 'N', about: 'runs of each random workload at most' },
    { name: 'time', value: 'TIME', about: 'so long: 30s, 2m, 1h; alone it lifts --ops' },
    { name: 'workload', value: 'NAME', about: 'only this one' },
    { name: 'timeout', value: 'TIME', about: 'longest time for one plan (default 2s)' },
    { name: 'corpus', value: 'DIR', about: 'store in DIR (default: a fresh directory, printed)' },
    { name: 'header', about: 'print the C header' },
    { name: 'example', about: 'print a right candidate in C' },
    { name: 'suite', value: 'NAME', about: `a fixed set of figures instead: ${SUITES.join(', ')}` },
  ],
  unbuilt: ['driver', 'workers', 'interleave'],
};

/** The recordings of this package. */
const WORKLOADS = fileURLToPath(new URL('../../../corpus/workloads', import.meta.url));

function recordings(folder: string): Recording[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => name.endsWith('.json')).sort().flatMap((file) => {
    const { case: c } = readCase(join(folder, file));
    return c.kind === 'driver' ? [{ name: file.replace(/\.json$/, ''), world: c.world, operations: c.operations }] : [];
  });
}

function settings(p: Parsed): CompareSettings {
  const path = p.values.get('candidate');
  if (path === undefined) throw new UsageError('compare needs a candidate: --candidate ./mine.wasm, ./mine.js or a planner’s name');
  const baseline = p.values.get('baseline') ?? 'single-range';
  if (findPlanner(baseline) === undefined) throw new UsageError(`there is no planner "${baseline}": use one of ${PLANNERS.map((f) => f.name).join(', ')}`);
  const corpus = p.values.get('corpus');
  const timeMs = duration(p, 'time');
  const operations = wholeNumber(p, 'ops', 1);
  const runs = wholeNumber(p, 'runs', 1);
  const timeoutMs = duration(p, 'timeout') ?? TIMEOUT_MS;
  const ours = recordings(WORKLOADS);
  const recorded = [...ours, ...(corpus === undefined ? [] : recordings(join(corpus, 'workloads')))];
  const workload = p.values.get('workload');
  const long = workload === undefined ? ours.filter((r) => r.operations.length > RECORDED_MAX) : [];
  const known = [PLANS, RECORDED, ...recorded.map((r) => r.name), ...RANDOM.map((w) => w.name)];
  if (workload !== undefined && !known.includes(workload)) throw new UsageError(`there is no workload "${workload}": use one of ${known.join(', ')}`);
  return {
    candidate: nameCandidate(path), baseline, seed: p.values.get('seed') ?? `0x${randomBytes(8).toString('hex')}`,
    operations: operations ?? (timeMs !== undefined && runs === undefined ? Infinity : OPERATIONS), runs: runs ?? Infinity,
    timeMs: timeMs ?? Infinity, timeoutMs, workload: workload ?? null,
    only: workload === undefined ? null : workload === RECORDED ? recorded.map((r) => r.name) : [workload],
    recordings: recorded.filter((r) => !long.includes(r)), leftOut: long.map((r) => r.name), corpus,
  };
}

async function run(p: Parsed, out: Output): Promise<ExitCode> {
  const printed = (['header', 'example', 'suite'] as const).filter((o) => p.values.has(o));
  const suite = p.values.get('suite');
  const candidate = p.values.get('candidate');
  if (printed.length === 0 && isCleaner(candidate)) return runCleaners(p, candidate, out);
  if (printed.length === 0) return new CompareSession(settings(p), out).run();
  const other = [...p.values.keys()].find((o) => o !== printed[0] && !(o === 'json' && suite !== undefined));
  if (other !== undefined) throw new UsageError(`options --${printed[0]} and --${other} exclude each other`);
  if (suite !== undefined) return runSuite(suite, out);
  out.raw(printed[0] === 'header' ? HEADER : EXAMPLE);
  return EXIT.ok;
}

export const verb: Verb = { spec, run };

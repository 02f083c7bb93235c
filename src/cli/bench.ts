/**
 * bench: throughput of the lockstep and of each part of it alone, as ratios measured in one run.
 */
import { writeWhole } from '../fuzz/store.js';
import { findProfile } from '../operations/profiles.js';
import { PLANNERS } from '../parts/planners.js';
import { benchBlock, type BenchRow } from '../report/tables.js';
import { count } from '../report/words.js';
import {
  drawScript, fuzzSide, generationSide, hitBench, lockstepSide, loopBench, machineRuns, optimisedSide, planBench, referenceSide, walkBench, type AccessBench, type Script,
} from './bench-sides.js';
import { footprint, tableSides } from './bench-tables.js';
import { reason } from './cases.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import { wholeNumber, type Parsed, type VerbSpec } from './options.js';
import { now, type Output } from './output.js';
import type { Verb } from './verb.js';

const PROFILE = 's1-4k';
const OPERATIONS = 60_000;
const ROUNDS = 3;
const HITS = 2_000_000;
const WALKS = 200_000;
const PLANS = 1_000_000;
/** Planners whose time is bounded: 50 ns a plan, exact-ranges 100. The others write hundreds of commands, or none. */
const PLANNED = ['single-range', 'double-range', 'double-range-cont', 'exact-ranges'];
const MACHINE_RUNS = 100;
const WARM = 0.1;

const spec: VerbSpec = {
  name: 'bench', operands: 0,
  usage: ['bench [--ops N] [--write FILE]'],
  about: [
    `Operations per second on profile ${PROFILE}, after a warm-up: the whole of fuzz with every rule on, and each part alone on the same`,
    `operations; TLB hits and four-level walks of the optimised machine; one plan of each planner; pages of the page-table library. Each figure is the median of ${ROUNDS} rounds that take turns; ratios are`,
    'to the whole of fuzz in the same process, and how many steps of a plain loop one operation takes. Figures are of this machine; ratios are what to compare.',
  ],
  options: [
    { name: 'ops', value: 'N', about: `operations of each round (${OPERATIONS})` },
    { name: 'write', value: 'FILE', about: 'also write the table to FILE as JSON' },
  ],
};

interface Side {
  readonly name: string;
  readonly run: (s: Script) => void;
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
}

/** Milliseconds of every side in every round, sides taking turns. */
function measure(sides: readonly Side[], scripts: readonly Script[]): number[][] {
  const warm = scripts.slice(0, Math.max(1, Math.ceil(scripts.length * WARM)));
  for (const side of sides) for (const s of warm) side.run(s);
  const times = sides.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    sides.forEach((side, i) => {
      const start = now();
      for (const s of scripts) side.run(s);
      (times[i] as number[]).push(now() - start);
    });
  }
  return times;
}

/** Accesses per second. */
function measureAccesses(name: string, bench: AccessBench, n: number): number {
  for (let i = 0; i < n / 10; i += 1) bench.step(i);
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = now();
    for (let i = 0; i < n; i += 1) bench.step(i);
    rates.push((n / (now() - start)) * 1000);
  }
  if (!bench.check()) throw new Error(`the bench "${name}" did not measure what it says`);
  return median(rates);
}

function rowsOf(operations: number): { rows: BenchRow[]; drawn: number } {
  const profile = findProfile(PROFILE);
  if (profile === undefined) throw new Error(`the profile ${PROFILE} is gone`);
  const scripts: Script[] = [];
  let drawn = 0;
  while (drawn < operations) {
    const script = drawScript(profile, scripts.length);
    scripts.push(script);
    drawn += script.operations.length;
  }
  const sides: Side[] = [
    { name: 'fuzz: both sides, every rule, generation', run: fuzzSide(profile) },
    { name: 'both sides, every rule, operations drawn before', run: lockstepSide },
    { name: 'optimised side alone (driver and machine)', run: optimisedSide },
    { name: 'reference side alone (intent, weakest machine; driven by the optimised driver)', run: referenceSide },
    { name: 'generation and intent alone', run: generationSide(profile) },
  ];
  const rates = measure(sides, scripts).map((times) => (drawn / median(times)) * 1000);
  const all = sides.map((side, i) => ({ name: side.name, operationsPerSecond: rates[i] as number }));
  const start = now();
  const done = machineRuns(MACHINE_RUNS);
  all.push({ name: 'both whole machines, raw sequences', operationsPerSecond: (done / (now() - start)) * 1000 });
  const plain = measureAccesses('plain loop', loopBench(), HITS);
  all.push({ name: 'plain loop: one look-up in a typed array', operationsPerSecond: plain });
  all.push({ name: 'optimised machine: TLB hit', operationsPerSecond: measureAccesses('TLB hit', hitBench(), HITS) });
  all.push({ name: 'optimised machine: four-level walk', operationsPerSecond: measureAccesses('walk', walkBench(), WALKS) });
  for (const planner of PLANNERS.filter((p) => PLANNED.includes(p.name))) {
    all.push({ name: `plan one invalidation, ${planner.name}`, operationsPerSecond: measureAccesses(planner.name, planBench(planner), PLANS) });
  }
  for (const side of tableSides()) all.push({ name: side.name, operationsPerSecond: measureAccesses(side.name, side.bench, side.steps) * side.pages });
  const base = all[0]?.operationsPerSecond ?? 1;
  const hundredths = (x: number): number => Math.round(x * 100) / 100;
  return {
    drawn,
    rows: all.map((r) => ({ name: r.name, operationsPerSecond: Math.round(r.operationsPerSecond), ratio: hundredths(r.operationsPerSecond / base), plainLoops: hundredths(plain / r.operationsPerSecond) })),
  };
}

function run(p: Parsed, out: Output): ExitCode {
  const operations = wholeNumber(p, 'ops', 1) ?? OPERATIONS;
  const file = p.values.get('write');
  const start = now();
  const { rows, drawn } = rowsOf(operations);
  const gigabyte = footprint();
  const peak = process.resourceUsage().maxRSS * 1024;
  if (file !== undefined) {
    try {
      writeWhole(file, `${JSON.stringify({ schema: 1, measuredOn: process.version, rows }, null, 2)}\n`);
    } catch (error) {
      throw new UsageError(`${file}: cannot be written: ${reason(error)}`);
    }
  }
  out.print(benchBlock(rows, [`1 GB of 4K pages: ${count(gigabyte.tables)} tables, ${count(gigabyte.bytes)} bytes, ${gigabyte.more} % above the tables themselves`, `profile ${PROFILE}, ${count(drawn)} operations a round, median of ${ROUNDS} rounds, node ${process.version}`, `peak rss ${Math.round(peak / 2 ** 20)} MB`, ...(file === undefined ? [] : [`written to ${file}`])]));
  out.document({ schema: 1, verb: 'bench', verdict: 'ok', profile: PROFILE, operations: drawn, timing: { elapsedMs: Math.round(now() - start), peakRssBytes: peak, node: process.version, tables: gigabyte, rows } });
  return EXIT.ok;
}

export const verb: Verb = { spec, run };

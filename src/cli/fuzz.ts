/**
 * fuzz: random sequences on both stacks in lockstep, until a limit or a failure.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { DEFAULT_BUDGET } from '../fuzz/campaign.js';
import { findMutant, MUTANTS } from '../mutants/mutants.js';
import { findProfile, PROFILES, type Profile } from '../operations/profiles.js';
import { findSystemProfile, SYSTEM_PROFILES } from '../operations/system-profiles.js';
import { DEFAULT_PLANNER, PLANNERS } from '../parts/planners.js';
import { PLANNER_NAMES } from '../stack/planner.js';
import { UsageError, type ExitCode } from './exit.js';
import { MACHINE_BUDGET } from '../fuzz/machine-campaign.js';
import { TABLE_BUDGET } from '../fuzz/table-campaign.js';
import { findTableMutant, TABLE_MUTANTS } from '../mutants/table-mutants.js';
import { findTableProfile, TABLE_PROFILES } from '../operations/table-worlds.js';
import { SYSTEM_BUDGET } from '../fuzz/system-campaign.js';
import { DriverDrive, type FuzzSettings } from './fuzz-session.js';
import { MachineDrive } from './machine-session.js';
import { duration, oneOf, wholeNumber, type Parsed, type VerbSpec } from './options.js';
import type { Output } from './output.js';
import { Session, type SessionSettings } from './session.js';
import { SystemDrive } from './system-session.js';
import { TablesDrive, type TableSettings } from './tables-session.js';
import type { Verb } from './verb.js';

/** Failures after which `--keep-going` without a number stops. */
const KEEP_GOING = 20;

const spec: VerbSpec = {
  name: 'fuzz', operands: 0,
  usage: ['fuzz [--seed S] [--runs N] [--ops N] [--time 30s] [--run K] [--profile NAME] [--planner NAME] [--mutant NAME] [--corpus DIR] [--keep-going [N]]', 'fuzz --machine-only [--seed S] [--runs N] [--ops N] [--time 30s] [--run K] [--corpus DIR] [--keep-going [N]]',
    'fuzz --tables-only [--seed S] [--runs N] [--ops N] [--time 30s] [--run K] [--profile NAME] [--mutant NAME] [--corpus DIR] [--keep-going [N]]'],
  about: [
    `Runs random sequences on both stacks in lockstep and asks every rule after each operation. Without limits: ${DEFAULT_BUDGET} operations.`,
    'A failing sequence is stored at once, then shrunk, explained and printed. While it is shrunk, Ctrl-C ends the program at once; what is',
    'stored stays whole. Otherwise Ctrl-C ends after the current run and prints what was done; a second one ends at once.',
    `--machine-only: no driver, but random raw stores, commands and transactions on both whole machines. Without limits: ${MACHINE_BUDGET} operations.`,
    `--tables-only: one page table of any geometry, walked by both whole machines. Without limits: ${TABLE_BUDGET} operations.`,
    `Systems (stage 2, ATS, substreams, guests) run on the whole machines, which list every fact: without limits ${SYSTEM_BUDGET} operations.`,
    '', 'Profiles:', ...PROFILES.map((p) => `  ${p.name.padEnd(14)}${p.about}`),
    '', 'Profiles of systems:', ...SYSTEM_PROFILES.map((p) => `  ${p.name.padEnd(14)}${p.about}`),
    '', 'Profiles of --tables-only:', ...TABLE_PROFILES.map((p) => `  ${p.name.padEnd(14)}${p.about}`),
    '', 'Planners:', ...PLANNERS.map((p) => `  ${p.name.padEnd(19)}${p.about}`),
  ],
  options: [
    { name: 'machine-only', about: 'raw sequences on both whole machines, without a driver' },
    { name: 'tables-only', about: 'sequences on one page table and its walker, without a driver' },
    { name: 'seed', value: 'TEXT', about: 'any text; drawn and printed when missing' },
    { name: 'runs', value: 'N', about: 'so many runs' },
    { name: 'ops', value: 'N', about: 'so many operations' },
    { name: 'time', value: 'TIME', about: 'so long: 30s, 2m, 1h' },
    { name: 'run', value: 'K', about: 'only run K of the seed' },
    { name: 'profile', value: 'NAME', about: 'the family of worlds and operations (default swarm; with --tables-only: any)' },
    { name: 'planner', value: 'NAME', about: `what turns damage into commands, in every run (default: drawn, mostly ${DEFAULT_PLANNER})` },
    { name: 'mutant', value: 'NAME', about: 'load a deliberately broken driver (`rules --mutants` lists them)' },
    { name: 'corpus', value: 'DIR', about: 'replay the cases of DIR first, and store in it (default: a fresh directory, printed)' },
    { name: 'keep-going', value: 'N', otherwise: String(KEEP_GOING), about: `go on after a failure, up to N of them (${KEEP_GOING})` },
    { name: 'verbose', about: 'name what each run was given (world, mix, sizes), one line a run, on stderr' },
    { name: 'no-shrink', about: 'store and print failures as they were found' },
  ],
  unbuilt: ['driver', 'interleave', 'workers', 'candidate'],
};

/** The profile that is asked for, or the one that shows the mutant, or swarm. */
function profileName(p: Parsed): string {
  const mutant = p.values.get('mutant');
  const name = p.values.get('profile') ?? (mutant === undefined ? undefined : findMutant(mutant)?.profile) ?? 'swarm';
  const names = [...PROFILES, ...SYSTEM_PROFILES].map((f) => f.name);
  if (!names.includes(name)) throw new UsageError(`there is no profile "${name}": use one of ${names.join(', ')}`);
  if (mutant !== undefined && findMutant(mutant) === undefined && findTableMutant(mutant) !== undefined) throw new UsageError(`the mutant "${mutant}" is one of the page-table library: add --tables-only`);
  if (mutant !== undefined && findMutant(mutant) === undefined) throw new UsageError(`there is no mutant "${mutant}": use one of ${MUTANTS.map((m) => m.name).join(', ')}`);
  return name;
}

/** What every campaign is told. */
function common(p: Parsed): SessionSettings {
  const run = wholeNumber(p, 'run', 0);
  const runs = wholeNumber(p, 'runs', 1);
  if (run !== undefined && runs !== undefined) throw new UsageError('options --run and --runs exclude each other: one names a run, the other a number of runs');
  const corpus = p.values.get('corpus');
  return {
    seed: p.values.get('seed') ?? `0x${randomBytes(8).toString('hex')}`, run, runs, operations: wholeNumber(p, 'ops', 1), timeMs: duration(p, 'time'),
    corpus, corpusExists: corpus !== undefined && existsSync(corpus), failuresMax: wholeNumber(p, 'keep-going', 1) ?? 1, shrink: !p.values.has('no-shrink'),
  };
}

function tableSettings(p: Parsed): TableSettings {
  const mutant = p.values.get('mutant');
  const loaded = mutant === undefined ? undefined : findTableMutant(mutant);
  if (mutant !== undefined && loaded === undefined) throw new UsageError(`there is no mutant "${mutant}" of the page-table library: use one of ${TABLE_MUTANTS.map((m) => m.name).join(', ')}`);
  const name = p.values.get('profile') ?? loaded?.profile ?? 'any';
  const profile = findTableProfile(name);
  if (profile === undefined) throw new UsageError(`there is no profile "${name}" of --tables-only: use one of ${TABLE_PROFILES.map((f) => f.name).join(', ')}`);
  return { ...common(p), profile, mutant: mutant ?? null };
}

/** Options that a campaign without a driver does not have. */
const DRIVER_OPTIONS = { 'machine-only': ['tables-only', 'profile', 'planner', 'mutant', 'verbose'], 'tables-only': ['machine-only', 'planner', 'verbose'] } as const;

function alone(p: Parsed, only: keyof typeof DRIVER_OPTIONS): boolean {
  if (!p.values.has(only)) return false;
  for (const option of DRIVER_OPTIONS[only]) if (p.values.has(option)) throw new UsageError(`options --${only} and --${option} exclude each other`);
  return true;
}

/** The driver's stack: on the fast machines, or on the whole ones where the profile asks for it. */
function ofDriver(p: Parsed, out: Output): Promise<ExitCode> {
  const name = profileName(p);
  const about = { mutant: p.values.get('mutant') ?? null, verbose: p.values.has('verbose') };
  const system = findSystemProfile(name);
  if (system !== undefined) {
    if (p.values.has('planner')) throw new UsageError(`options --planner and --profile ${name} exclude each other: systems run with the planner that they draw`);
    const s = { ...common(p), ...about, profile: system };
    return new Session(s, new SystemDrive(s), out).run();
  }
  const s: FuzzSettings = { ...common(p), ...about, profile: findProfile(name) as Profile, planner: oneOf(p, 'planner', PLANNER_NAMES) ?? null };
  return new Session(s, new DriverDrive(s), out).run();
}

export const verb: Verb = {
  spec,
  run: (p: Parsed, out: Output): Promise<ExitCode> => {
    if (alone(p, 'machine-only')) {
      const s = common(p);
      return new Session(s, new MachineDrive(s), out).run();
    }
    if (alone(p, 'tables-only')) {
      const s = tableSettings(p);
      return new Session(s, new TablesDrive(s), out).run();
    }
    return ofDriver(p, out);
  },
};

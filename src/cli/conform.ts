/**
 * conform: the models against QEMU's SMMUv3: a campaign of random sequences, or stored cases run again. Without a QEMU it says so and ends.
 */
import { randomBytes } from 'node:crypto';
import { findQemu, QemuMissing, type QemuBinary } from '../qemu/find.js';
import { Pool } from '../qemu/pool.js';
import { CaseRunner, machineCases } from './conform-cases.js';
import { runCornerCases, type CornerSettings } from './conform-corner.js';
import { CONFORM_BUDGET, ConformDrive, inWords, type ConformSettings } from './conform-session.js';
import { Inconclusive, UsageError, type ExitCode } from './exit.js';
import { duration, wholeNumber, type Parsed, type VerbSpec } from './options.js';
import type { Output } from './output.js';
import { Session } from './session.js';
import type { Verb } from './verb.js';

/** Failures after which `--keep-going` without a number stops. */
const KEEP_GOING = 20;

const spec: VerbSpec = {
  name: 'conform', operands: 1000,
  usage: ['conform [--qemu PATH] [--seed S] [--runs N] [--time 30s] [--run K] [--corpus DIR] [--keep-going [N]] [--no-waivers]', 'conform <case|directory> … [--qemu PATH] [--no-waivers]', 'conform --corner-cases [--qemu PATH] [--corpus DIR] [--write FILE] [--no-waivers]'],
  about: [
    'Runs random sequences on the SMMUv3 of a QEMU, on the optimised machine beside it and on the weakest legal machine at once: every answer of',
    `QEMU, every event record and every command error must be one that the weakest machine permits. Without limits: ${CONFORM_BUDGET} sequences.`,
    'Fifteen in sixteen are raw (tables, structures, commands legal and illegal, accesses), the others what the optimised driver does. A deviation that is',
    'known of this version of QEMU ends its sequence and is counted (corpus/tables/qemu.md has the table); any other is stored at once, then shrunk,',
    'explained and printed. Named cases are machine sequences, which run again with the features of the QEMU at hand.',
    '--corner-cases: every corner case (`rules --corner-cases`) that a device access can show, and directed probes, one by one: what QEMU does is',
    'permitted or not, and a driver with the bug of the case is caught by testing on this QEMU (shown) or not (hidden); or why QEMU cannot show it.',
    'QEMU: --qemu, else SMMUCHECK_QEMU, else qemu-system-aarch64 in PATH. None, or one that cannot be driven: exit 2.',
  ],
  options: [
    { name: 'qemu', value: 'PATH', about: 'the qemu-system-aarch64 to run' },
    { name: 'seed', value: 'TEXT', about: 'any text; drawn and printed when missing' },
    { name: 'runs', value: 'N', about: 'so many sequences' },
    { name: 'time', value: 'TIME', about: 'so long: 30s, 2m, 1h' },
    { name: 'run', value: 'K', about: 'only sequence K of the seed' },
    { name: 'corpus', value: 'DIR', about: 'store in DIR (default: a fresh directory, printed)' },
    { name: 'keep-going', value: 'N', otherwise: String(KEEP_GOING), about: `go on after a failure, up to N of them (${KEEP_GOING})` },
    { name: 'no-shrink', about: 'store and print failures as they were found' },
    { name: 'no-waivers', about: 'report known deviations as well' },
    { name: 'corner-cases', about: 'the corner cases and directed probes, one by one, as a table' },
    { name: 'write', value: 'FILE', about: 'with --corner-cases: put the rows of this QEMU into the table FILE.json, and FILE.md beside it' },
  ],
};

/** Options that only a campaign has. */
const CAMPAIGN_ONLY: readonly string[] = ['seed', 'runs', 'time', 'run', 'corpus', 'keep-going', 'no-shrink'];

function settings(p: Parsed): ConformSettings {
  const run = wholeNumber(p, 'run', 0);
  const runs = wholeNumber(p, 'runs', 1);
  if (run !== undefined && runs !== undefined) throw new UsageError('options --run and --runs exclude each other: one names a sequence, the other a number of sequences');
  return {
    seed: p.values.get('seed') ?? `0x${randomBytes(8).toString('hex')}`,
    run, runs, operations: undefined, timeMs: duration(p, 'time'), corpus: p.values.get('corpus'), corpusExists: false,
    failuresMax: wholeNumber(p, 'keep-going', 1) ?? 1, shrink: !p.values.has('no-shrink'), waivers: !p.values.has('no-waivers'),
  };
}

function binary(p: Parsed): QemuBinary {
  try {
    return findQemu(p.values.get('qemu'));
  } catch (error) {
    throw error instanceof QemuMissing ? new Inconclusive(error.message) : error;
  }
}

/** Options that --corner-cases has besides --qemu and --no-waivers. */
const CORNER_ONLY: readonly string[] = ['corpus', 'write'];

function cornerSettings(p: Parsed, waivers: boolean): CornerSettings | null {
  if (!p.values.has('corner-cases')) {
    if (p.values.has('write')) throw new UsageError('option --write belongs to --corner-cases');
    return null;
  }
  const misplaced = CAMPAIGN_ONLY.find((o) => p.values.has(o) && !CORNER_ONLY.includes(o));
  if (misplaced !== undefined) throw new UsageError(`option --${misplaced} belongs to a campaign, and corner cases are run one by one`);
  if (p.operands.length > 0) throw new UsageError('--corner-cases takes no case: it has its own');
  const write = p.values.get('write');
  const corpus = p.values.get('corpus');
  return { waivers, ...(write === undefined ? {} : { write }), ...(corpus === undefined ? {} : { corpus }) };
}

async function run(p: Parsed, out: Output): Promise<ExitCode> {
  const s = settings(p);
  const corner = cornerSettings(p, s.waivers);
  const misplaced = p.operands.length === 0 ? undefined : CAMPAIGN_ONLY.find((o) => p.values.has(o));
  if (misplaced !== undefined) throw new UsageError(`option --${misplaced} belongs to a campaign, and cases are named`);
  const cases = machineCases(p.operands);
  const pool = new Pool(binary(p));
  try {
    if (corner !== null) return runCornerCases(pool, out, corner);
    return cases.length > 0 ? new CaseRunner(pool, s.waivers, out).run(cases) : await new Session(s, new ConformDrive(s, pool), out).run();
  } catch (error) {
    throw inWords(error, pool.binary);
  } finally {
    pool.end();
  }
}

export const verb: Verb = { spec, run };

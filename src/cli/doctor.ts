/**
 * doctor: is this copy in order? Versions, whether there is a QEMU, the plain twins of the build, determinism, and golden vectors: a pinned
 * campaign must come out as it does everywhere else.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { endianness, platform, arch } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findQemu, QemuMissing } from '../qemu/find.js';
import { plainTwin } from '../build/plain-twins.js';
import { doctorBlock, type Check } from '../report/tables.js';
import { EXIT, worst, type ExitCode } from './exit.js';
import type { Parsed, VerbSpec } from './options.js';
import { now, type Output } from './output.js';
import type { Verb } from './verb.js';
import { packageVersion } from './version.js';

/**
 * The digest of operations, results and outcomes of the first runs of a fixed seed. It changes when the generator or the
 * driver's answers are changed on purpose: then, and only then, it is pinned again.
 */
export const GOLDEN = 'f35fce85fe5fea0621e221870c48c407';
/** The same of raw machine sequences: operations and answers of both whole machines. */
export const GOLDEN_MACHINES = 'e650c63b6ca052e94dd603898b50be1d';
/** The same of sequences on a page table. */
export const GOLDEN_TABLES = '928314e9399c8e4c3c412d5c4987bb78';
/** The same of the first run of every profile of systems. */
export const GOLDEN_SYSTEMS = '783f9d6b1ecc2eb3ec2b79b2c1fc5fda';
const GOLDEN_SEED = 'golden';
const GOLDEN_RUNS = 20;
const GOLDEN_OPERATIONS = 60;
const GOLDEN_SYSTEM_OPERATIONS = 120;

const spec: VerbSpec = {
  name: 'doctor', operands: 0,
  usage: ['doctor'],
  about: ['Versions, whether there is a QEMU, the plain twins of the build, determinism (the same run twice), and golden vectors (a pinned campaign). Exit 3: not deterministic; 70: the build is broken.'],
  options: [],
};

interface Finding extends Check {
  /** What a failing check means. */
  readonly code: ExitCode;
}

function versions(): Finding[] {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const little = endianness() === 'LE';
  return [
    { name: 'package', ok: true, detail: `smmucheck ${packageVersion()}`, code: EXIT.ok },
    { name: 'node', ok: major > 20 || (major === 20 && minor >= 19), detail: `${process.version}, at least 20.19 is needed`, code: EXIT.internal },
    { name: 'platform', ok: true, detail: `${platform()} ${arch()}, ${little ? 'little' : 'big'}-endian (models use numbers only, so either will do)`, code: EXIT.ok },
  ];
}

/** Only `conform` needs one, so its absence is no failure. */
function qemu(): Finding {
  try {
    const { banner, path } = findQemu();
    return { name: 'qemu', ok: true, detail: `${banner} (${path})`, code: EXIT.ok };
  } catch (error) {
    if (!(error instanceof QemuMissing)) throw error;
    return { name: 'qemu', ok: true, detail: `none for conform: ${error.message}`, code: EXIT.ok };
  }
}

/** Every steps module has its plain twin, and the twin is that of this very text. */
function twins(): Finding {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const problems: string[] = [];
  let n = 0;
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (entry.name.endsWith('.steps.js')) {
        n += 1;
        const twin = path.replace(/\.steps\.js$/, '.plain.js');
        const body = (text: string): string => text.replace(/^\/\/# sourceMappingURL=.*$/m, '');
        if (!existsSync(twin)) problems.push(`${basename(twin)} is missing`);
        else if (body(readFileSync(twin, 'utf8')) !== body(plainTwin(readFileSync(path, 'utf8'), path))) problems.push(`${basename(twin)} is out of date`);
      }
    }
  };
  visit(root);
  const ok = problems.length === 0 && n > 0;
  return { name: 'plain twins', ok, detail: ok ? `${n} present and up to date` : `${problems.join(', ') || 'no steps module found'}: run \`npm run build\``, code: EXIT.internal };
}

/** The digest of the pinned campaign, and whether its first run came out the same twice. */
async function campaignDigest(): Promise<{ digest: string; twice: boolean }> {
  const { rerun } = await import('./determinism.js');
  const { PROFILES } = await import('../operations/profiles.js');
  const profile = PROFILES.find((p) => p.name === 'swarm');
  if (profile === undefined) throw new Error('the profile swarm is gone');
  const hash = createHash('sha256');
  const options = { seed: GOLDEN_SEED, profile };
  let first = '';
  for (let run = 0; run < GOLDEN_RUNS; run += 1) {
    const { digest } = rerun(options, run, GOLDEN_OPERATIONS);
    if (run === 0) first = digest;
    hash.update(digest);
  }
  return { digest: hash.digest('hex').slice(0, 32), twice: rerun(options, 0, GOLDEN_OPERATIONS).digest === first };
}

/** The digest of pinned raw sequences, and whether the first came out the same twice. */
async function machineDigest(): Promise<{ digest: string; twice: boolean }> {
  const { machineRun, newMachineResult } = await import('../fuzz/machine-campaign.js');
  const digestOf = (run: number): string => {
    const hash = createHash('sha256');
    machineRun({ seed: GOLDEN_SEED }, run, GOLDEN_OPERATIONS * 2, newMachineResult(), (text) => { hash.update(`${text}\n`); });
    return hash.digest('hex');
  };
  const all = createHash('sha256');
  for (let run = 0; run < GOLDEN_RUNS; run += 1) all.update(digestOf(run));
  return { digest: all.digest('hex').slice(0, 32), twice: digestOf(0) === digestOf(0) };
}

/** The digest of pinned sequences on page tables, and whether the first came out the same twice. */
async function tablesDigestOf(): Promise<{ digest: string; twice: boolean }> {
  const { tablesDigest } = await import('./tables-session.js');
  const { TABLE_PROFILES } = await import('../operations/table-worlds.js');
  const profile = TABLE_PROFILES.find((p) => p.name === 'any');
  if (profile === undefined) throw new Error('the profile any is gone');
  const digestOf = (run: number): string => tablesDigest({ seed: GOLDEN_SEED, profile }, run);
  const all = createHash('sha256');
  for (let run = 0; run < GOLDEN_RUNS; run += 1) all.update(digestOf(run));
  return { digest: all.digest('hex').slice(0, 32), twice: digestOf(0) === digestOf(0) };
}

/** The digest of pinned runs of every profile of systems, and whether the first came out the same twice. */
async function systemsDigest(): Promise<{ digest: string; twice: boolean }> {
  const { systemDigest } = await import('./system-session.js');
  const { SYSTEM_PROFILES } = await import('../operations/system-profiles.js');
  const all = createHash('sha256');
  const digests = SYSTEM_PROFILES.map((profile) => systemDigest({ seed: GOLDEN_SEED, profile }, 0, GOLDEN_SYSTEM_OPERATIONS));
  for (const d of digests) all.update(d);
  const [first] = SYSTEM_PROFILES;
  return { digest: all.digest('hex').slice(0, 32), twice: first !== undefined && systemDigest({ seed: GOLDEN_SEED, profile: first }, 0, GOLDEN_SYSTEM_OPERATIONS) === digests[0] };
}

function golden(name: string, digest: string, pinned: string): Finding {
  return {
    name, ok: digest === pinned, code: EXIT.nondeterministic,
    detail: digest === pinned ? `${digest} in ${GOLDEN_RUNS} runs` : `${digest}, pinned is ${pinned}: this machine differs, or a generator was changed and the digests in src/cli/doctor.ts must be pinned again`,
  };
}

async function run(_p: Parsed, out: Output): Promise<ExitCode> {
  const start = now();
  const findings: Finding[] = [...versions(), qemu(), twins()];
  if (findings.every((f) => f.ok)) {
    const { CASE_SCHEMA } = await import('../operations/case.js');
    const stack = await campaignDigest();
    const machines = await machineDigest();
    const tables = await tablesDigestOf();
    const systems = await systemsDigest();
    const twice = stack.twice && machines.twice && tables.twice && systems.twice;
    findings.push(
      { name: 'case schema', ok: true, detail: String(CASE_SCHEMA), code: EXIT.ok },
      { name: 'determinism', ok: twice, detail: twice ? 'the same run twice is the same' : 'the same run twice differs', code: EXIT.nondeterministic },
      golden('golden vectors', stack.digest, GOLDEN), golden('golden machines', machines.digest, GOLDEN_MACHINES), golden('golden tables', tables.digest, GOLDEN_TABLES),
      golden('golden systems', systems.digest, GOLDEN_SYSTEMS),
    );
  }
  const checks: Check[] = findings.map(({ name, ok, detail }) => ({ name, ok, detail }));
  out.print(doctorBlock(checks));
  out.document({ schema: 1, verb: 'doctor', verdict: checks.every((c) => c.ok) ? 'ok' : 'error', checks, timing: { elapsedMs: Math.round(now() - start) } });
  return worst(findings.filter((f) => !f.ok).map((f) => f.code));
}

export const verb: Verb = { spec, run };

/**
 * replay: stored cases run again. A case that is named runs as it is stored, with its mutant; the cases of a directory
 * must each show what they expect, and each mutant must still be found.
 */
import { failureRecord } from '../fuzz/failure.js';
import { machineFailureRecord } from '../fuzz/machine-failure.js';
import { systemFailureRecord } from '../fuzz/system-failure.js';
import { tableFailureRecord } from '../fuzz/table-failure.js';
import { failureBlock, MACHINES, subjectText, tablesText, type AnyFailure } from '../report/failure.js';
import { describeMachineOperation } from '../report/machine-operations.js';
import { describeTableOperation } from '../report/table-operations.js';
import type { Verdict } from '../report/fuzz.js';
import { operationTable } from '../report/operations.js';
import { describeSystemOperation } from '../report/system-operations.js';
import { replayBlock, replayJson, stateBlock, type ReplayProblem, type ReplaySummary } from '../report/replay.js';
import { planText } from '../report/plan-case.js';
import { outsideOf } from '../report/show.js';
import { counted, visible } from '../report/words.js';
import { caseFiles, isDirectory, mutantOf, readCase, readStdin, SEQUENCES, type NamedCase } from './cases.js';
import { EXIT, UsageError, worst, type ExitCode } from './exit.js';
import { wholeNumber, type Parsed, type VerbSpec } from './options.js';
import { now, type Output } from './output.js';
import { ProgressLine } from './progress.js';
import { needsCandidate, replayCandidate } from './replay-candidate.js';
import { againstExpectation, judgeStored, planProblems, runCase, runMachineCase, runSystemCase, runTableCase, type CaseRun, type RunOptions } from './run-case.js';
import type { PlanCase } from '../operations/plan-case.js';
import type { SequenceCase } from '../operations/stored.js';
import { judgePlanCase, violationOf } from '../prove/plan.js';
import type { MachineOperation } from '../stack/machine-world.js';
import type { TableOperation } from '../stack/page-table.js';
import type { SystemOperation } from '../stack/system.js';
import type { Violation } from '../stack/violation.js';
import type { Verb } from './verb.js';

const spec: VerbSpec = {
  name: 'replay', operands: 1000,
  usage: ['replay <case|directory|-> … [--diff] [--state] [--until N] [--no-mutant]', 'replay <case|-> --candidate FILE|NAME [--diff]'],
  about: [
    'Runs stored cases again. A file, or - for stdin, runs as it is stored, with its mutant if it has one: a broken rule is printed, exit 1.',
    'Every case below a directory must show what it expects without its mutant, and break a rule with it; recorded answers of real devices',
    'are compared with both sides. A difference is listed, exit 4. The folders tables and scenarios, and the unshrunk forms, are left out.',
  ],
  options: [
    { name: 'diff', about: 'print every operation with both sides (one named case)' },
    { name: 'state', about: 'print the state after the last operation (one named case)' },
    { name: 'until', value: 'N', about: 'stop after N operations (one named case)' },
    { name: 'no-mutant', about: 'run named cases without their mutants' },
    { name: 'candidate', value: 'FILE|NAME', about: 'with this planner instead of the driver’s own (see `compare --help`; one named case)' },
  ],
  unbuilt: ['extend', 'watch', 'html'],
};

/** Differing recorded answers that are printed. */
const DIFFERENCES = 20;

interface Counts {
  cases: number;
  operations: number;
  observed: number;
  readonly failures: ReplayProblem[];
  readonly unmodelled: string[];
  readonly codes: ExitCode[];
}

async function run(p: Parsed, out: Output): Promise<ExitCode> {
  if (p.operands.length === 0) throw new UsageError('replay needs a case, a directory, or - for stdin');
  const start = now();
  const named: NamedCase[] = [];
  const stored: NamedCase[] = [];
  const candidate = p.values.get('candidate');
  for (const option of ['state', 'until', 'no-mutant']) if (p.values.has('candidate') && p.values.has(option)) throw new UsageError(`options --candidate and --${option} exclude each other`);
  if (candidate !== undefined && (p.operands.length !== 1 || (p.operands[0] !== '-' && isDirectory(p.operands[0] as string)))) throw new UsageError('option --candidate needs exactly one named case');
  for (const operand of candidate === undefined ? p.operands : []) {
    if (operand === '-') named.push(await readStdin());
    else if (isDirectory(operand)) stored.push(...readFolder(operand));
    else named.push(readCase(operand));
  }
  const detailed = ['diff', 'state', 'until'].filter((o) => p.values.has(o));
  if (detailed.length > 0 && candidate === undefined && (named.length !== 1 || stored.length > 0)) throw new UsageError(`option --${detailed[0]} needs exactly one named case`);
  const counts: Counts = { cases: 0, operations: 0, observed: 0, failures: [], unmodelled: [], codes: [] };
  if (candidate !== undefined) await withCandidate(p.operands[0] as string, candidate, out, counts, p.values.has('diff'));
  for (const c of named) replayNamed(c, p, out, counts);
  replayStored(stored, counts);
  const summary = summaryOf('replay', counts, now() - start);
  if (stored.length > 0 || named.length > 1) out.print(replayBlock(summary));
  out.document(replayJson(summary));
  return worst(counts.codes);
}

function readFolder(folder: string): NamedCase[] {
  const files = caseFiles(folder);
  if (files.length === 0) throw new UsageError(`${folder}: no case in it`);
  return files.map(readCase);
}

/** Every stored case against what it expects; used by `corpus verify` as well. */
export function verifyFolder(folder: string, verb: string, more: (c: NamedCase) => string | null): { summary: ReplaySummary; code: ExitCode } {
  const start = now();
  const counts: Counts = { cases: 0, operations: 0, observed: 0, failures: [], unmodelled: [], codes: [] };
  const stored = readFolder(folder);
  replayStored(stored, counts);
  for (const c of stored) {
    const problem = more(c);
    if (problem === null) continue;
    counts.failures.push({ id: c.id, file: c.file, rule: null, problems: [problem] });
    counts.codes.push(EXIT.regressed);
  }
  return { summary: summaryOf(verb, counts, now() - start), code: worst(counts.codes) };
}

function replayStored(stored: readonly NamedCase[], counts: Counts): void {
  const start = now();
  const progress = new ProgressLine(process.stderr);
  for (const c of stored) {
    const judged = judgeStored(c.case);
    counts.cases += 1;
    counts.operations += judged.operations;
    counts.observed += judged.observed;
    if (judged.problems.length > 0) {
      counts.failures.push({ id: c.id, file: c.file, rule: judged.rule, problems: judged.problems });
      counts.codes.push(EXIT.regressed);
    }
    if (judged.unmodelled !== null) {
      counts.unmodelled.push(`${c.id}: ${judged.unmodelled}`);
      counts.codes.push(EXIT.inconclusive);
    }
    progress.update(now() - start, () => `replay  cases ${counts.cases}/${stored.length}  differing ${counts.failures.length}`);
  }
  progress.clear();
}

async function withCandidate(path: string, candidate: string, out: Output, counts: Counts, whole: boolean): Promise<void> {
  const done = await replayCandidate(path, candidate, out, whole);
  counts.cases += 1;
  counts.operations += done.operations;
  if (done.problem !== null) {
    counts.failures.push({ id: done.id, file: done.file, rule: done.rule, problems: [done.problem] });
    counts.codes.push(EXIT.violation);
  }
  if (done.unmodelled !== null) {
    counts.unmodelled.push(`${done.id}: ${done.unmodelled}`);
    counts.codes.push(EXIT.inconclusive);
  }
}

/** One case that the user named, as it is stored. */
function replayNamed(c: NamedCase, p: Parsed, out: Output, counts: Counts): void {
  const refused = needsCandidate(c);
  if (refused !== null) throw refused;
  if (c.case.kind === 'plan') {
    replayPlan({ ...c, case: c.case }, p, out, counts);
    return;
  }
  replaySequence({ ...c, case: c.case }, p, out, counts);
}

/** One plan, by both judges. */
function replayPlan(c: NamedCase<PlanCase>, p: Parsed, out: Output, counts: Counts): void {
  for (const option of ['state', 'until', 'no-mutant']) if (p.values.has(option)) throw new UsageError(`${c.file}: a plan has no operations, so option --${option} does not apply to it`);
  const judged = judgePlanCase(c.case);
  const problems = planProblems(c.case, judged);
  counts.cases += 1;
  out.print(`${planText(c.case, judged, p.values.has('diff'))}\n`);
  if (problems.length > 0) {
    counts.failures.push({ id: c.id, file: c.file, rule: violationOf(c.case, judged)?.rule ?? null, problems });
    counts.codes.push(EXIT.violation);
    out.print(problems.map((text) => `  ${visible(text)}`).join('\n'));
  } else if (c.case.expect.verdict === 'violation') out.print('[ok] the case expects this violation');
}

function replaySequence(c: NamedCase<SequenceCase>, p: Parsed, out: Output, counts: Counts): void {
  const mutant = p.values.has('no-mutant') ? null : mutantOf(c.case);
  const until = wholeNumber(p, 'until', 0);
  const some = until === undefined ? {} : { until };
  if (c.case.kind !== 'driver' && p.values.has('state')) throw new UsageError(`${c.file}: option --state is not built yet for ${SEQUENCES[c.case.kind]}`);
  const done = runSequence(c.case, { mutant, rows: true, state: p.values.has('state'), ...some });
  counts.cases += 1;
  counts.operations += done.operations;
  counts.observed += done.observed;
  out.print(`case ${c.id}  ${visible(c.file)}\n  subject    ${subjectOf(c.case, mutant)}${scenarioText(c.case.provenance)}`);
  if (p.values.has('diff') && done.violation === null) out.print(diffTable(done, c.case.kind));
  const problems = problemsOf(c, done, mutant, until !== undefined);
  if (problems.length > 0) {
    counts.failures.push({ id: c.id, file: c.file, rule: done.violation?.rule ?? null, problems });
    counts.codes.push(EXIT.violation);
  }
  if (done.unmodelled !== null) {
    counts.unmodelled.push(`${c.id}: ${done.unmodelled}`);
    counts.codes.push(EXIT.inconclusive);
  }
  printVerdict(c, done, mutant, out, problems, p.values.has('diff'));
  if (done.state !== null) out.print(stateBlock(done.state));
}

type AnyRun = CaseRun | CaseRun<MachineOperation> | CaseRun<TableOperation> | CaseRun<SystemOperation>;

function runSequence(c: SequenceCase, options: RunOptions): AnyRun {
  switch (c.kind) {
    case 'machine': return runMachineCase(c, options);
    case 'tables': return runTableCase(c, options);
    case 'system': return runSystemCase(c, options);
    case 'driver': return runCase(c, options);
  }
}

function subjectOf(c: SequenceCase, mutant: string | null): string {
  if (c.kind === 'machine') return MACHINES;
  return c.kind === 'tables' ? tablesText(mutant) : subjectText(mutant);
}

/** What a corner case is about, where its file says so. */
function scenarioText(provenance: Readonly<Record<string, string | number>>): string {
  const { scenario, clause } = provenance;
  if (typeof scenario !== 'string') return '';
  return `\n  scenario   ${visible(scenario)}${typeof clause === 'string' ? ` (${visible(clause)})` : ''}`;
}

/** With its mutant a broken rule is what fails, whatever a right subject would show. */
function problemsOf(c: NamedCase<SequenceCase>, done: AnyRun, mutant: string | null, cut: boolean): string[] {
  if (mutant === null && !(cut && c.case.expect.verdict === 'violation')) return againstExpectation(c.case, done);
  return done.violation === null ? [] : [`breaks ${done.violation.rule} (${done.violation.cause})`];
}

function printVerdict(c: NamedCase<SequenceCase>, done: AnyRun, mutant: string | null, out: Output, problems: readonly string[], whole: boolean): void {
  const size = `${counted(done.operations, 'op')}  ${counted(done.observed, 'recorded answer')} checked`;
  if (done.violation !== null) {
    const files = { file: c.file === 'stdin' ? null : c.file, fullFile: null };
    out.print(failureBlock(recordOf(c.case, done.violation, mutant, files), { program: out.program, whole }));
    if (problems.length === 0) out.print('\n[ok] the case expects this violation');
    return;
  }
  if (done.unmodelled !== null) out.print(`[inconclusive] not modelled: ${visible(done.unmodelled)}  ${size}`);
  else if (problems.length > 0) out.print([`[violation] not as expected  ${size}`, ...problems.map((t) => `  ${visible(t)}`)].join('\n'));
  else if (done.differences.size > 0) out.print([`[ok] recorded answers differ, as the case expects  ${size}`, ...[...done.differences.values()].slice(0, DIFFERENCES).map((t) => `  ${t}`)].join('\n'));
  else out.print(`[ok] no violation  ${size}`);
}

function recordOf(c: SequenceCase, v: Violation, mutant: string | null, files: { readonly file: string | null; readonly fullFile: null }): AnyFailure {
  switch (c.kind) {
    case 'machine': return machineFailureRecord(c, v, null, { shrunk: null, ...files });
    case 'tables': return tableFailureRecord(c, v, { mutant, origin: null }, { shrunk: null, ...files });
    case 'system': return systemFailureRecord(c, v, { mutant, origin: null }, { shrunk: null, ...files });
    case 'driver': return failureRecord(c.world, c.operations, v, mutant, null, null, files);
  }
}

function diffTable(done: AnyRun, kind: SequenceCase['kind']): string {
  const marks = new Map([...done.differences.keys()].map((at) => [at, '<-- recorded otherwise']));
  const options = { outside: outsideOf<unknown>(done), marks };
  switch (kind) {
    case 'machine': return operationTable((done as CaseRun<MachineOperation>).rows, { ...options, describe: describeMachineOperation }).join('\n');
    case 'tables': return operationTable((done as CaseRun<TableOperation>).rows, { ...options, describe: describeTableOperation }).join('\n');
    case 'system': return operationTable((done as CaseRun<SystemOperation>).rows, { ...options, describe: describeSystemOperation }).join('\n');
    case 'driver': return operationTable((done as CaseRun).rows, options).join('\n');
  }
}

function summaryOf(verb: string, c: Counts, elapsedMs: number): ReplaySummary {
  const verdict: Verdict = c.failures.length > 0 ? 'violation' : c.unmodelled.length > 0 ? 'inconclusive' : 'ok';
  return { verb, verdict, cases: c.cases, operations: c.operations, observed: c.observed, failures: c.failures, unmodelled: c.unmodelled, elapsedMs };
}

export const verb: Verb = { spec, run };

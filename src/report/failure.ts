/**
 * Failure: one failure record as the block that a person reads: the rule and its source, expected and
 * actual, why, what would have helped, both sides of every operation, and the commands that show it again. Pure.
 */
import type { FailureRecord, Origin } from '../fuzz/failure.js';
import type { Elsewhere, MachineFailureRecord } from '../fuzz/machine-failure.js';
import type { TableFailureRecord } from '../fuzz/table-failure.js';
import { isOurs } from '../lockstep/machine-checks.js';
import { RULES } from '../rules/ledger.js';
import type { Violation } from '../stack/violation.js';
import type { SystemFailureRecord } from '../fuzz/system-failure.js';
import { describeMachineOperation, describeMachineWorld } from './machine-operations.js';
import { describeWorld, operationTable, ROWS_SHOWN } from './operations.js';
import { describeTableOperation, describeTableWorld } from './table-operations.js';
import { describeSystemOperation, describeSystemWorld } from './system-operations.js';
import { count, counted, labelled, seconds, shell, visible } from './words.js';

export interface FailureContext {
  /** How this program is called, as `smmucheck`. */
  readonly program: string;
  /** What the campaign had done when it found it. */
  readonly found?: { readonly runs: number; readonly operations: number; readonly elapsedMs: number };
  /** Show every operation, and not only the last ones. */
  readonly whole?: boolean;
}

/** A failure of the driver's stack, of raw machine sequences, of sequences on a page table, or of systems. */
export type AnyFailure = FailureRecord | MachineFailureRecord | TableFailureRecord | SystemFailureRecord;

function isMachine(record: AnyFailure): record is MachineFailureRecord {
  return 'kind' in record && record.kind === 'machine';
}

function isTables(record: AnyFailure): record is TableFailureRecord {
  return 'kind' in record && record.kind === 'tables';
}

function isSystem(record: AnyFailure): record is SystemFailureRecord {
  return 'kind' in record && record.kind === 'system';
}

function isDriver(record: AnyFailure): record is FailureRecord {
  return !('kind' in record);
}

export function failureBlock(record: AnyFailure, context: FailureContext): string {
  const { found } = context;
  const after = found === undefined ? '' : `  after ${counted(found.runs, 'run')}, ${counted(found.operations, 'op')} (${seconds(found.elapsedMs)})`;
  return [
    `[violation] ${record.violation.rule}${after}`,
    ...violationLines(record.violation),
    ...because(record),
    ...alike(record),
    ...(isMachine(record) ? labelled('known', record.elsewhere?.known ?? []) : []),
    ...labelled('subject', [subjectOf(record)]),
    '',
    ...table(record, { outside: outside(record), ...(context.whole === true ? {} : { last: ROWS_SHOWN }) }),
    '',
    ...labelled('world', worldOf(record)),
    ...labelled('size', [shrunkText(record)]),
    ...saved(record),
    ...commands(record, context.program),
  ].join('\n');
}

function subjectOf(record: AnyFailure): string {
  if (isMachine(record)) return machinesText(record);
  if (isTables(record)) return tablesText(record.mutant);
  return subjectText(record.mutant, isDriver(record) ? record.candidate?.part : undefined);
}

function worldOf(record: AnyFailure): string[] {
  if (isMachine(record)) return describeMachineWorld(record.world);
  if (isSystem(record)) return describeSystemWorld(record.world);
  return isTables(record) ? describeTableWorld(record.world) : describeWorld(record.world);
}

/** The subject of a sequence on a page table. */
export function tablesText(mutant: string | null): string {
  return mutant === null ? 'the page-table library as it is' : `the page-table library with mutant ${visible(mutant)}`;
}

/** The subject of a raw machine sequence. */
export const MACHINES = 'both whole machines as they are';

/** Where our own machine answers as the other one does, the reference may be what is wrong. */
function alike(record: AnyFailure): string[] {
  const row = record.rows.at(-1);
  return row?.differs === true && row.beside === row.optimised ? labelled('hint', ['the optimised machine answers the same: look at the reference first']) : [];
}

function machinesText({ elsewhere, violation }: MachineFailureRecord): string {
  if (elsewhere === undefined) return MACHINES;
  const { name, path } = elsewhere;
  return isOurs(violation) ? `the models as they are; ${name} ran beside them and is not to blame` : `${name} as it is (${visible(path)})`;
}

/** `QEMU 7.2.22` as `QEMU`. */
function otherName(e: Elsewhere): string {
  return e.name.split(' ', 1)[0] as string;
}

function table(record: AnyFailure, options: { readonly outside: string | null; readonly last?: number }): string[] {
  if (isSystem(record)) return operationTable(record.rows, { ...options, describe: describeSystemOperation });
  const other = isMachine(record) && record.elsewhere !== undefined ? { other: otherName(record.elsewhere) } : {};
  if (isTables(record)) return operationTable(record.rows, { ...options, describe: describeTableOperation });
  return isMachine(record) ? operationTable(record.rows, { ...options, ...other, describe: describeMachineOperation }) : operationTable(record.rows, options);
}

/** Rule, cause, expected and actual. */
export function violationLines(v: Violation): string[] {
  const rule = RULES.find((r) => r.id === v.rule);
  return [
    ...labelled('rule', rule === undefined ? [v.rule] : [rule.claim, rule.source]),
    ...labelled('cause', [v.cause]),
    ...labelled('expected', [v.expected]),
    ...labelled('actual', [v.actual]),
  ];
}

function because(record: AnyFailure): string[] {
  const { explanation } = record;
  const verified = explanation.verified ?? (explanation.tried === 0 ? null
    : `no single inserted command helps (${explanation.tried} tried): look at the order of stores, commands and SYNCs, or for a missing barrier`);
  return [...labelled('because', explanation.because), ...(verified === null ? [] : labelled('verified', [verified]))];
}

export function subjectText(mutant: string | null, planner?: string): string {
  if (planner !== undefined) return `the optimised stack with planner ${visible(planner)}`;
  return mutant === null ? 'the optimised stack as it is' : `the optimised stack with mutant ${visible(mutant)}`;
}

/** Where it broke, if not in an operation. */
function outside(record: AnyFailure): string | null {
  if (record.rows.some((r) => r.differs)) return null;
  if (record.operations.length === 0) return 'reset or end of the run';
  return record.rows.length === 0 ? 'reset' : 'end of the run';
}

function shrunkText(record: AnyFailure): string {
  const { shrunk } = record;
  if (shrunk === null) return `${counted(record.operations.length, 'op')}, not shrunk`;
  const end = shrunk.minimal ? '1-minimal' : 'shrink budget spent, may be reducible';
  return `shrunk ${count(shrunk.from)} -> ${counted(record.operations.length, 'op')} (${count(shrunk.accepted)} accepted of ${count(shrunk.tried)} tried, ${end})`;
}

function saved(record: AnyFailure): string[] {
  const lines: string[] = [];
  if (record.file !== null) lines.push(`${visible(record.file)}${record.fullFile === null || record.fullFile === record.file ? '' : `  (as it was found: ${visible(record.fullFile)})`}`);
  if (record.origin !== null) lines.push(`seed ${visible(record.origin.seed)}  run ${record.origin.run}  ${'profile' in record.origin ? `profile ${visible(record.origin.profile)}` : 'raw machine sequences'}`);
  return labelled('saved', lines);
}

function commands(record: AnyFailure, program: string): string[] {
  const lines: string[] = [''];
  if (isMachine(record) && record.elsewhere !== undefined) return [...lines, ...commandsElsewhere(record, record.elsewhere, program)];
  if (isDriver(record) && record.candidate !== undefined) {
    const { path, again } = record.candidate;
    return [...lines, ...labelled('replay', record.file === null ? [] : [`${program} replay ${shell(record.file)} --candidate ${shell(path)}`]), ...labelled('again', again === undefined ? [] : [again])];
  }
  if (record.file !== null) {
    lines.push(...labelled('replay', [`${program} replay ${shell(record.file)} --diff`]));
    lines.push(...labelled('as test', [`${program} show ${shell(record.file)} --format test`]));
  }
  if (record.origin !== null) lines.push(...labelled('again', [againOf(record, record.origin, program)]));
  return lines.length === 1 ? [] : lines;
}

function againOf(record: AnyFailure, origin: { readonly seed: string; readonly run: number }, program: string): string {
  if (isMachine(record)) return machineCommand(program, origin.seed, origin.run);
  return (isTables(record) ? tablesCommand : fuzzCommand)(program, origin as Origin, record.mutant);
}

function commandsElsewhere(record: MachineFailureRecord, e: Elsewhere, program: string): string[] {
  const { file, origin } = record;
  const options = `--qemu ${shell(e.path)}${e.waived ? '' : ' --no-waivers'}`;
  return [
    ...(file === null ? [] : labelled('replay', [`${program} conform ${shell(file)} ${options}`])),
    ...(file === null ? [] : labelled('models', [`${program} replay ${shell(file)} --diff   (the same sequence without ${otherName(e)})`])),
    ...(origin === null ? [] : labelled('again', [conformCommand(program, origin.seed, origin.run, options)])),
  ];
}

/** The command that draws one sequence for another machine again. */
export function conformCommand(program: string, seed: string, run: number, options: string): string {
  return `${program} conform ${seedOption(seed)} --run ${run} ${options}`;
}

function seedOption(seed: string): string {
  return seed.startsWith('-') ? `--seed=${shell(seed)}` : `--seed ${shell(seed)}`;
}

/** The command that draws one run of raw machine sequences again. */
export function machineCommand(program: string, seed: string, run: number): string {
  return `${program} fuzz --machine-only ${seedOption(seed)} --run ${run}`;
}

/** The command that draws one run of table sequences again. */
export function tablesCommand(program: string, o: Origin, mutant: string | null): string {
  return `${program} fuzz --tables-only ${seedOption(o.seed)} --profile ${shell(o.profile)}${mutant === null ? '' : ` --mutant ${shell(mutant)}`} --run ${o.run}`;
}

/** The command that draws one run again. */
export function fuzzCommand(program: string, o: Origin, mutant: string | null): string {
  const planner = o.planner === undefined ? '' : ` --planner ${shell(o.planner)}`;
  return `${program} fuzz ${seedOption(o.seed)} --profile ${shell(o.profile)}${planner}${mutant === null ? '' : ` --mutant ${shell(mutant)}`} --run ${o.run}`;
}

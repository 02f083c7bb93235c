/**
 * Tables: the lists that `rules`, `corpus`, `bench` and `doctor` print. Pure.
 */
import type { RuleCount, RuleText } from '../rules/ledger.js';
import type { RuleId } from '../stack/violation.js';
import { columns, count, labelled, short, visible } from './words.js';

/** The ledger of the rules: claim, source, cost and, when a campaign was run, how often armed and decided. */
export function rulesBlock(rules: readonly RuleText[], counts: Readonly<Record<RuleId, RuleCount>> | null): string {
  return rules.flatMap((r) => {
    const c = counts?.[r.id];
    return [
      r.id,
      ...labelled('claim', [r.claim]), ...labelled('source', [r.source]), ...labelled('cost', [r.cost]),
      ...labelled('asked of', [r.where === 'both' ? 'the driver and raw machine sequences' : r.where === 'driver' ? 'the driver' : r.where === 'system' ? 'the driver, in systems' : 'raw machine sequences']),
      ...(c === undefined ? [] : labelled('counts', [`armed ${count(c.armed)}  decided ${count(c.decided)}  violated ${count(c.violated)}`])),
    ];
  }).join('\n');
}

/** `zoo`: rows of the bug zoo, bugs that real drivers had. */
export function mutantsBlock(mutants: readonly { readonly name: string; readonly found: string; readonly about: string; readonly zoo?: readonly string[] | undefined }[]): string {
  return columns([['mutant', 'found by', 'zoo', 'about'], ...mutants.map((m) => [m.name, m.found, m.zoo?.join(' ') ?? '-', m.about])]).join('\n');
}

/** Rows of the bug zoo that no mutant stands for, and what decides them instead. */
export function zooBlock(rows: readonly { readonly id: string; readonly what: string; readonly where: string }[]): string {
  return columns([['zoo', 'what', 'decided by'], ...rows.map((r) => [r.id, r.what, r.where])]).join('\n');
}

/** Corner cases: number, the rule that the wrong form breaks, scenario; `-` and the reason for those that are not decided. */
export function cornerCasesBlock(
  cases: readonly ({ readonly number: number; readonly scenario: string; readonly rule: string } | { readonly number: number; readonly outOfScope: string })[],
): string {
  const rows = cases.map((c) => ('rule' in c ? [String(c.number), c.rule, c.scenario] : [String(c.number), '-', `not decided: ${c.outOfScope}`]));
  return columns([['no', 'rule', 'scenario'], ...rows], [0]).join('\n');
}

/** One stored case as `corpus list` shows it. */
export interface CorpusLine {
  readonly id: string;
  readonly expects: string;
  readonly operations: number;
  readonly mutant: string | null;
  readonly file: string;
}

export function corpusBlock(lines: readonly CorpusLine[]): string {
  return columns([
    ['id', 'expects', 'ops', 'mutant', 'file'],
    ...lines.map((l) => [l.id, l.expects, count(l.operations), visible(l.mutant ?? '-'), visible(l.file)]),
  ], [2]).join('\n');
}

/** Counts by name under a title, the name first. */
export function countsLines(title: string, counts: Readonly<Record<string, number>>): string[] {
  const entries = Object.entries(counts).filter(([, n]) => n > 0);
  if (entries.length === 0) return [];
  return [`  ${title}`, ...columns(entries.map(([name, n]) => [count(n), visible(name)]), [0]).map((l) => `    ${l}`)];
}

/** One measured side; `ratio`: how many times as fast as the first row. */
export interface BenchRow {
  readonly name: string;
  readonly operationsPerSecond: number;
  readonly ratio: number;
  /** Steps of the plain loop that one operation takes. */
  readonly plainLoops: number;
}

export function benchBlock(rows: readonly BenchRow[], notes: readonly string[]): string {
  return [
    ...columns([['side', 'per second', 'ns each', 'ratio', 'plain loops'], ...rows.map((r) => [
      r.name, short(r.operationsPerSecond), r.operationsPerSecond <= 0 ? '-' : (1e9 / r.operationsPerSecond).toFixed(1), r.ratio.toFixed(2), r.plainLoops.toFixed(1),
    ])], [1, 2, 3, 4]),
    ...notes.map((n) => `  ${n}`),
  ].join('\n');
}

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export function doctorBlock(checks: readonly Check[]): string {
  return [
    checks.every((c) => c.ok) ? '[ok] everything is in order' : '[error] something is wrong',
    ...columns(checks.map((c) => [c.ok ? 'ok' : 'BAD', c.name, c.detail])).map((l) => `  ${l}`),
  ].join('\n');
}

/**
 * Trace variations: what became of the damage that was done to an honest recording, and of a recording that another planner planned. Pure.
 */
import type { Row, Stored } from '../trace/what-if.js';
import type { TraceVerdict } from '../trace/types.js';
import { questionJson } from './compare.js';
import { findingDocument } from './trace.js';
import type { Fate, Tally } from '../trace/mutate.js';
import { columns, count, visible } from './words.js';

const FATES: readonly Fate[] = ['convicted', 'nothing cached', 'discharged anyway', 'never due', 'inconclusive', 'not noticed'];

export function mutationsBlock(file: string, seed: string, tallies: readonly Tally[]): string {
  const rows = tallies.map((t) => [t.kind, count(t.made), ...FATES.map((f) => count(t.fates[f])), Object.entries(t.rules).map(([r, n]) => `${r} ${count(n)}`).join(', ')]);
  const missed = tallies.reduce((n, t) => n + t.fates['not noticed'], 0);
  return [
    `[${missed === 0 ? 'ok' : 'gate'}] ${count(tallies.reduce((n, t) => n + t.made, 0))} mutations of ${visible(file)}, ${missed === 0 ? 'each convicted or shown to be harmless' : `${count(missed)} not noticed`}  seed ${visible(seed)}`,
    '', ...columns([['kind', 'made', ...FATES, 'convicted by'], ...rows], [1, 2, 3, 4, 5, 6, 7]).map((l) => `  ${l}`),
    '', ...tallies.flatMap((t) => t.examples.map((e) => `  ${t.kind} at line ${e.line} (${visible(e.what)}): ${e.fate}: ${visible(e.by)}`)),
  ].join('\n');
}

/** The same as a section of corpus/tables/trace-mutations.md. `name`: of the recording. */
export function mutationsMarkdown(name: string, each: number, seed: string, tallies: readonly Tally[]): string {
  const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  const heads = ['kind', 'made', ...FATES, 'convicted by'];
  return [
    `## ${visible(name)}, ${each} of each kind, seed ${visible(seed)}`, '', row(heads), `|${'---|'.repeat(heads.length)}`,
    ...tallies.map((t) => row([t.kind, t.made, ...FATES.map((f) => t.fates[f]), Object.entries(t.rules).sort(([a], [b]) => (a < b ? -1 : 1)).map(([r, n]) => `${r} ${n}`).join(', ')])),
    '', ...tallies.flatMap((t) => t.examples.map((e) => `- ${t.kind} at line ${e.line} (${visible(e.what)}): ${e.fate}: ${visible(e.by)}`)), '',
  ].join('\n');
}

export function mutationsDocument(file: string, seed: string, tallies: readonly Tally[]): unknown {
  const missed = tallies.some((t) => t.fates['not noticed'] > 0);
  return { schema: 1, verb: 'trace', verdict: missed ? 'violation' : 'ok', file: visible(file), seed, mutations: tallies, timing: {} };
}

/** The same recording as it was and as other planners would have done it. */
export function whatIfBlock(file: string, rows: readonly Row[]): string {
  const base = rows[0] as Row;
  const ratio = (n: number, of: number): string => (of === 0 ? '-' : `${(n / of).toFixed(2)}x`);
  const cells = rows.map((r) => [visible(r.planner), r.verdict, count(r.findings), count(r.commands), ratio(r.commands, base.commands), count(r.most), count(r.wholeTag), count(r.pages), ratio(r.pages, base.pages), visible(r.first)]);
  return [
    `${visible(file)}: ${count(base.batches)} invalidations by address, as they were recorded and as other planners would have done them`,
    '', ...columns([['planner', 'verdict', 'findings', 'commands', '', 'most at once', 'whole tag', 'pages named', '', 'first finding'], ...cells], [2, 3, 4, 5, 6, 7, 8]).map((l) => `  ${l}`),
  ].join('\n');
}

/** `told`: what came of candidates. */
export function whatIfDocument(file: string, rows: readonly Row[], told: readonly Stored[]): unknown {
  const candidates = told.map((o) => ({
    planner: o.row.planner, finding: o.explained === null ? null : findingDocument(o.explained.finding, o.explained),
    wrong: o.wrong === null ? null : { line: o.wrong.line, ...o.wrong.violation, question: questionJson(o.wrong.question) },
    fault: o.fault === null ? null : { kind: o.fault.kind, text: o.fault.text, question: o.fault.question === null ? null : questionJson(o.fault.question) },
    file: o.file === null ? null : visible(o.file),
  }));
  return { schema: 1, verb: 'trace', verdict: whatIfVerdict(rows), file: visible(file), planners: rows, ...(candidates.length === 0 ? {} : { candidates }), timing: {} };
}

export function whatIfVerdict(rows: readonly Row[]): TraceVerdict {
  const verdicts = rows.map((r) => r.verdict);
  return verdicts.includes('violation') ? 'violation' : verdicts.includes('inconclusive') ? 'inconclusive' : 'ok';
}

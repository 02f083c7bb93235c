/**
 * Trace: what a recording of a real driver amounts to: the verdict, each kind of finding with the lines behind it, what was not judged, and what the driver
 * paid. Pure.
 */
import type { Around } from '../trace/around.js';
import type { CostProfile } from '../trace/cost.js';
import type { Explained } from '../trace/explain.js';
import type { TraceReport } from '../trace/run.js';
import type { Finding, TraceResult } from '../trace/types.js';
import { describeLine, laneOf, type Lane } from '../trace/words.js';
import { RULES } from '../rules/ledger.js';
import { columns, count, counted, labelled, seconds, visible } from './words.js';

const LISTED = 12;

export interface TraceContext {
  readonly file: string;
  readonly program: string;
  readonly elapsedMs: number;
}

export function traceBlock(r: TraceReport, context: TraceContext): string {
  const { result } = r;
  const head = result.verdict === 'violation' ? `[violation] ${result.findings[0]?.rule ?? ''}  ${visible(context.file)}` : `[${result.verdict}] ${result.verdict === 'ok' ? 'no violation' : 'not decided everywhere'}  ${visible(context.file)}`;
  return [
    `${head}  ${counted(result.lines, 'line')} (${seconds(context.elapsedMs)})`,
    ...r.explained.flatMap((e) => ['', ...explainedLines(e)]),
    ...(result.findings.length === 0 ? [] : ['', ...findingTable(result)]),
    ...(result.doubts.length === 0 ? [] : ['', ...labelled('not decided', result.doubts.map((d) => `line ${d.line}: ${visible(d.why)}`), 14)]),
    '', ...summary(r),
    '', ...costLines(r.cost),
    ...(result.findings[0] === undefined ? [] : ['', `  look     ${context.program} trace ${visible(context.file)} --around ${result.findings[0].line}`]),
  ].join('\n');
}

export function explainedLines(e: Explained): string[] {
  const f = e.finding;
  const rule = RULES.find((x) => x.id === f.rule);
  const lines = e.steps.map((s) => `line ${s.line}  ${visible(s.text)}`);
  const none = `no single inserted command helps (${e.tried} tried): look at the order of stores, commands and SYNCs`;
  return [
    ...labelled('rule', rule === undefined ? [f.rule] : [`${f.rule}: ${rule.claim}`, rule.source]),
    ...labelled('expected', [visible(f.expected)]),
    ...labelled('actual', [visible(f.actual)]),
    ...labelled('due', [`line ${f.line}  ${visible(f.at)}${f.mark === '' ? '' : `   (mark "${visible(f.mark)}")`}`]),
    ...labelled('because', [...(f.from === null || e.steps.some((s) => s.line === f.from?.line) ? [] : [`line ${f.from.line}  ${f.from.text}`]), ...lines, ...e.story.map(visible), ...(e.rest === '' ? [] : [e.rest])]),
    ...labelled('verified', [e.verified === null ? none : `inserting ${e.verified} removes it`]),
    ...(f.assumed ? labelled('assumed', ['it rests on stores that tracing does not show and that were reconstructed']) : []),
  ];
}

function findingTable(result: TraceResult): string[] {
  const rows = result.findings.slice(0, LISTED).map((f) => [String(f.line), f.how === 'proof' ? 'was used' : 'could be used', f.rule, visible(f.how === 'proof' ? f.at : f.actual)]);
  const rest = result.findings.length + result.more - Math.min(LISTED, result.findings.length);
  const used = result.findings.filter((f) => f.how === 'proof').length;
  return [
    `  ${counted(result.findings.length + result.more, 'finding')}: ${counted(used, 'time')} the recorded device did use something stale${used === 0 ? ' (that proves little: another SMMU may)' : ''}`,
    ...columns([['line', 'how', 'rule', 'what'], ...rows], [0]).map((l) => `    ${l}`),
    ...(rest > 0 ? [`    … and ${count(rest)} more`] : []),
  ];
}

function summary(r: TraceReport): string[] {
  const { result } = r;
  const a = result.accesses;
  const decided = Object.entries(result.rules).filter(([, c]) => c.decided > 0);
  const unknown = Object.entries(result.unknown);
  return [
    ...labelled('form', [result.form === 'full' ? 'full recording: stores, commands, calls and translations' : 'tracing alone: no stores and no translations']),
    ...labelled('accesses', [`${count(a.seen)} recorded, ${count(a.permitted)} permitted${a.reordered > 0 ? ` (${count(a.reordered)} in another order of neighbouring lines)` : ''}${a.skipped > 0 ? `, ${count(a.skipped)} not judged` : ''}`]),
    ...labelled('decided', [decided.map(([id, c]) => `${id} ${count(c.decided)}`).join('  ') || 'nothing']),
    ...labelled('order', r.choices === 0 ? [] : [`${counted(r.choices, 'place')} where the order of neighbouring lines could matter: judged in both`]),
    ...labelled('assumed', result.assumed.map(visible)),
    ...labelled('unknown', unknown.length === 0 ? [] : unknown.map(([name, n]) => `${visible(name)} ${count(n)}`)),
    ...labelled('machine', [r.machine === 'stage1' ? 'stage 1 of 4K granules at EL1' : 'the whole SMMU: the recording asks for more than stage 1 of 4K granules at EL1']),
    ...labelled('not judged', ['what such a recording does not show: cache cleaning, a guest\'s own tables, those of a process (SVA), the driver\'s own objects']),
  ];
}

export function costLines(c: CostProfile): string[] {
  const each = (n: number, of: number): string => (of === 0 ? '-' : (n / of).toFixed(2));
  return [
    ...labelled('cost', [
      `${counted(c.invalidations, 'invalidation')} and ${counted(c.syncs, 'SYNC')} in ${counted(c.batches, 'batch', 'batches')} for ${counted(c.unmaps, 'unmap')}: ${each(c.invalidations, c.unmaps)} and ${each(c.syncs, c.unmaps)} each`,
      `${count(c.pagesNamed)} pages named for ${count(c.pagesUnmapped)} unmapped; ${counted(c.wholeTag, 'flush', 'flushes')} of a whole tag or more`,
      Object.entries(c.commands).map(([name, n]) => `${visible(name)} ${count(n)}`).join('  '),
    ]),
  ];
}

export function traceDocument(r: TraceReport, context: TraceContext): unknown {
  const { result } = r;
  return {
    schema: 1, verb: 'trace', verdict: result.verdict, file: visible(context.file), form: result.form, machine: r.machine, lines: result.lines, domains: result.domains,
    findings: result.findings.map((f) => findingDocument(f, r.explained.find((e) => e.finding === f))), moreFindings: result.more,
    inconclusive: result.doubts, unknown: result.unknown, accesses: result.accesses, assumed: result.assumed, orderChoices: r.choices, rules: result.rules, cost: r.cost,
    timing: { elapsedMs: Math.round(context.elapsedMs) },
  };
}

export function findingDocument(f: Finding, e: Explained | undefined): unknown {
  return {
    how: f.how, rule: f.rule, cause: f.cause, expected: f.expected, actual: f.actual, line: f.line, at: f.at, from: f.from, assumed: f.assumed,
    ...(e === undefined ? {} : { because: e.steps, story: e.story, rest: e.rest, verified: e.verified, tried: e.tried }),
  };
}

const LANES: readonly Lane[] = ['cpu', 'queue', 'smmu', 'device'];
const WIDTH = 44;

/** The lanes near a line: who did what. */
export function aroundBlock(a: Around): string {
  const rows = a.lines.map((r) => {
    const lane = LANES.indexOf(laneOf(r));
    const text = visible(describeLine(r));
    const cells = LANES.map((_, i) => (i === lane ? (text.length > WIDTH && i < LANES.length - 1 ? `${text.slice(0, WIDTH - 1)}…` : text) : ''));
    return [r.line === a.wanted ? '>' : '', String(r.line), r.cpu < 0 ? '' : `cpu ${r.cpu}`, ...cells];
  });
  return columns([['', 'line', '', 'driver', 'queue', 'SMMU', 'device'], ...rows], [1]).join('\n');
}

export function aroundDocument(a: Around): unknown {
  return { schema: 1, verb: 'trace', verdict: 'ok', around: a.wanted, lines: a.lines.map((r) => ({ line: r.line, lane: laneOf(r), cpu: r.cpu, text: describeLine(r) })), timing: {} };
}

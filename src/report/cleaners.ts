/**
 * Cleaners: what comparing two ways to clean showed, as text and as JSON, both from one record. Pure.
 */
import { CLEAN_METRICS, costOf, type CleanersCompared, type CleanMetric } from '../compare/cleaners.js';
import { ratio } from '../compare/cost.js';
import { geometryText, outcome, rangeText, reason, stepText } from './cleaning.js';
import { columns, count, labelled, seconds, wrap } from './words.js';

const METRIC_WORDS: Readonly<Record<CleanMetric, string>> = {
  lines: 'line cleans', calls: 'clean calls', descriptors: 'descriptors looked at', walks: 'walks from the root', warnings: 'warnings',
};

/** Where the cases of wrong ranges were stored, in their order. */
export interface CleanersStored {
  readonly files: readonly string[];
  readonly elapsedMs: number;
}

function verdictOf(c: CleanersCompared): 'ok' | 'violation' {
  return c.wrong.length > 0 ? 'violation' : 'ok';
}

function share(baseline: number, candidate: number): string {
  const r = ratio(baseline, candidate);
  return r === null ? '-' : r.toFixed(2);
}

function costTable(c: CleanersCompared): string[] {
  return columns([
    ['', c.baseline, c.candidate, 'ratio'],
    ...CLEAN_METRICS.map((m) => [METRIC_WORDS[m], count(c.cost[m].baseline), count(c.cost[m].candidate), share(c.cost[m].baseline, c.cost[m].candidate)]),
  ], [1, 2, 3]);
}

function listTable(c: CleanersCompared): string[] {
  return columns([
    ['list', 'touched', `lines ${c.baseline}`, c.candidate, `walks ${c.baseline}`, c.candidate],
    ...c.lists.map((row) => {
      const [b, n] = [costOf(row, c.baseline), costOf(row, c.candidate)];
      return [row.list.what, count(row.touched), count(b.lines), count(n.lines), count(b.walks), count(n.walks)];
    }),
  ], [1, 2, 3, 4, 5]);
}

function soundness(c: CleanersCompared): string[] {
  return c.totals.map((t) => `${t.cleaner} is sound in ${count(t.sound)} of ${count(t.geometries)} geometries (${count(t.ranges)} ranges asked); lines too many in ${count(t.findings.over.ranges)}, warnings in ${count(t.findings.warnings.ranges)}, foreign tables in ${count(t.findings.foreign.ranges)}`);
}

/** The first wrong range is shown as a failure before this; each is explained here by the numbers that the walk computes. */
export function cleanersBlock(c: CleanersCompared, stored: CleanersStored): string {
  const wrong = c.wrong.flatMap(({ example: e }, i) => [
    '', `wrong ${i + 1}    ${geometryText(e.geometry)}, start level ${e.startLevel}, ${e.root} root: map ${rangeText(e.geometry.tg, e.range)}: ${outcome(e)}`,
    ...(c.candidate === 'posted-walk' ? [...labelled('why', [reason(e)]), ...labelled('steps', e.explained.steps.map((s) => stepText(e.geometry.tg, s)))] : []),
    ...labelled('saved', [stored.files[i] ?? '']),
  ]);
  return [
    `[${verdictOf(c)}] ${c.wrong.length === 0 ? `${c.candidate} leaves nothing stale` : `${c.candidate} leaves pages stale`}  baseline ${c.baseline}  ${seconds(stored.elapsedMs)}`,
    ...soundness(c).flatMap((text) => wrap(text.split(' '), 118, ' ').map((l) => `  ${l}`)), '',
    'Scatter lists, all together', ...costTable(c).map((l) => `  ${l}`), '', ...listTable(c).map((l) => `  ${l}`), ...wrong,
  ].join('\n');
}

export function cleanersJson(c: CleanersCompared, stored: CleanersStored): Record<string, unknown> {
  return {
    schema: 1, verb: 'compare', verdict: verdictOf(c), part: 'cleaner', baseline: c.baseline, candidate: c.candidate,
    cost: Object.fromEntries(CLEAN_METRICS.map((m) => [m, { ...c.cost[m], ratio: ratio(c.cost[m].baseline, c.cost[m].candidate) }])),
    lists: c.lists.map((row) => ({ what: row.list.what, pieces: row.list.sizes.length, touched: row.touched, baseline: costOf(row, c.baseline), candidate: costOf(row, c.candidate) })),
    geometries: c.totals,
    failures: c.wrong.map((w, i) => ({
      rule: w.violation.rule, cause: w.violation.cause, operations: w.stored.operations.length, shrunkFrom: null, file: stored.files[i] ?? null,
      geometry: w.example.geometry, iova: w.example.range.first * 2 ** w.example.geometry.tg, size: w.example.range.count * 2 ** w.example.geometry.tg, steps: w.example.explained.steps,
    })),
    timing: { elapsedMs: Math.round(stored.elapsedMs) },
  };
}

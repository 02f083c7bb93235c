/**
 * Prove: what came of the claims, as text and as JSON, both from one record. Pure.
 */
import { asExpected, type ClaimResult, type Counterexample } from '../prove/claims.js';
import type { ShapeCounts } from '../prove/shapes.js';
import { describeDescription } from '../stack/description.js';
import { clock, columns, count, counted, labelled, seconds, short, visible } from './words.js';

export interface ProveSummary {
  readonly verdict: 'ok' | 'violation' | 'inconclusive';
  readonly seed: string;
  readonly all: boolean;
  readonly claims: readonly ClaimResult[];
  /** Descriptions that were planned and judged, and how many there are; 0 when only symbolic claims were asked. */
  readonly cases: number;
  readonly of: number;
  readonly shapes: ShapeCounts | null;
  /** Files of counterexamples that were stored, by claim. */
  readonly files: ReadonlyMap<string, string>;
  readonly interrupted: string | null;
  readonly elapsedMs: number;
  readonly workers: number;
  /** Cases a second of one thread, by planner. */
  readonly rates: Readonly<Record<string, number>>;
}

/** Holes that are printed. */
const HOLES = 12;

export function counterexampleJson(c: Counterexample): Record<string, unknown> {
  const d = c.description;
  const hex = (frame: number, low: string): string => (frame === 0 ? `0x${low === '000' ? '0' : low}` : `0x${frame.toString(16)}${low}`);
  return {
    rule: c.rule, features: c.features, description: { tg: d.tg, first: hex(d.first, '000'), last: hex(d.last, 'fff'), leaves: `0b${d.leaves.toString(2)}`, tables: `0b${d.tables.toString(2)}` },
    granules: (d.last - d.first + 1) / 2 ** (d.tg - 12), actual: c.actual, smallest: c.smallest,
  };
}

export function proveJson(s: ProveSummary): Record<string, unknown> {
  return {
    schema: 1, verb: 'prove', verdict: s.verdict, seed: s.seed, all: s.all,
    claims: s.claims.map((c) => ({
      id: c.id, planner: c.planner, sentence: c.sentence, source: c.source, method: c.method, cases: c.cases, ...(c.of === undefined ? {} : { of: c.of }), expected: c.expected, verdict: c.verdict,
      ...(c.counterexample === undefined ? {} : { counterexample: counterexampleJson(c.counterexample) }), ...(c.witness === undefined ? {} : { witness: c.witness }), ...(c.why === undefined ? {} : { why: c.why }), ...(c.figures === undefined ? {} : { figures: c.figures }),
      ...(s.files.has(c.id) ? { file: s.files.get(c.id) } : {}),
    })),
    cases: s.cases, of: s.of, ...(s.shapes === null ? {} : { coverage: s.shapes }), ...(s.interrupted === null ? {} : { interrupted: s.interrupted }),
    timing: { elapsedMs: Math.round(s.elapsedMs), workers: s.workers, casesPerSecond: Math.round((s.cases * 1000) / Math.max(1, s.elapsedMs)), casesPerSecondPerCore: s.rates },
  };
}

export function proveBlock(s: ProveSummary): string {
  return [title(s), ...table(s.claims), ...refuted(s), ...witnesses(s), ...undecided(s), ...noted(s), ...shapesLines(s.shapes), ...rateLines(s), ...not(s)].join('\n');
}

function title(s: ProveSummary): string {
  const wrong = s.claims.filter((c) => c.verdict !== 'undecided' && !asExpected(c)).length;
  const open = s.claims.filter((c) => c.verdict === 'undecided').length;
  const what = wrong > 0 ? `[violation] ${counted(wrong, 'claim')} came out other than expected` : open > 0 ? `[inconclusive] ${counted(open, 'claim')} undecided` : '[ok] every claim came out as expected';
  return `${what}  ${counted(s.claims.length, 'claim')}${s.cases === 0 ? '' : `, ${counted(s.cases, 'case')}`} (${seconds(s.elapsedMs)})${s.interrupted === null ? '' : `, ended early by ${s.interrupted}`}`;
}

function verdictWord(c: ClaimResult): string {
  if (c.verdict === 'undecided') return 'undecided';
  const word = c.verdict === 'proved' && c.method === 'sampled' ? 'held' : c.verdict;
  return asExpected(c) ? word : `${word} <-- expected ${c.expected}`;
}

function table(claims: readonly ClaimResult[]): string[] {
  const rows = claims.map((c) => [`  ${c.id}`, c.method, count(c.cases), verdictWord(c), c.sentence]);
  return columns([['  claim', 'method', 'cases', 'verdict', 'what is claimed'], ...rows], [2]);
}

/** A hardware or feature set in words. */
function hardware(c: Counterexample): string {
  const { range, ds, wholeRunOnly } = c.features;
  return `${range ? `ranges${ds ? ' with DS' : ''}` : 'no ranges'}${wholeRunOnly ? ', contiguous erratum' : ''}`;
}

function refuted(s: ProveSummary): string[] {
  return s.claims.flatMap((c) => {
    const e = c.counterexample;
    if (e === undefined) return [];
    const d = e.description;
    const file = s.files.get(c.id);
    return ['', `${c.id}: ${c.expected === 'refuted' ? 'refuted, as it is known to be' : 'refuted'}`, ...labelled('damage', [
      `${describeDescription(d)}, ${2 ** (d.tg - 10)}K granules: ${counted((d.last - d.first + 1) / 2 ** (d.tg - 12), 'granule')}${e.smallest ? ', the fewest that break it' : ''}`,
    ]), ...labelled('on', [hardware(e)]), ...labelled('actual', [visible(e.actual)]), ...(file === undefined ? [] : labelled('saved', [visible(file)]))];
  });
}

function noted(s: ProveSummary): string[] {
  return s.claims.flatMap((c) => (c.notes === undefined ? [] : ['', ...labelled(c.id, c.notes)]));
}

/** Inputs that decide a claim without breaking a rule. */
function witnesses(s: ProveSummary): string[] {
  const shown = s.claims.flatMap((c) => (c.witness === undefined ? [] : [`${c.id}: ${visible(c.witness)}`]));
  return shown.length === 0 ? [] : ['', ...labelled('shown by', shown)];
}

function undecided(s: ProveSummary): string[] {
  const open = s.claims.filter((c) => c.why !== undefined);
  return open.length === 0 ? [] : ['', ...labelled('undecided', open.slice(0, HOLES).map((c) => `${c.id}: ${visible(c.why ?? '')}`)), ...(open.length > HOLES ? [`  … and ${open.length - HOLES} more`] : [])];
}

function shapesLines(shapes: ShapeCounts | null): string[] {
  if (shapes === null) return [];
  const missing = shapes.reachable - shapes.exercised;
  return ['', ...labelled('commands', [
    `${count(shapes.exercised)} of ${count(shapes.reachable)} combinations of granule, SCALE, NUM, TTL, Leaf, alignment and DS were seen`,
    ...(missing === 0 ? [] : [`${count(missing)} were not:`, ...shapes.holes.slice(0, HOLES)]), ...(shapes.holes.length > HOLES ? [`… and ${shapes.holes.length - HOLES} more kinds (--json lists all)`] : []),
  ])];
}

function rateLines(s: ProveSummary): string[] {
  const rates = Object.entries(s.rates);
  return rates.length === 0 ? [] : labelled('rate', [`${rates.map(([name, r]) => `${name} ${short(r)}/s`).join('  ')}  (per thread; ${counted(s.workers, 'thread')})`]);
}

/** What a success does not say. */
function not(s: ProveSummary): string[] {
  if (s.cases === 0 || s.cases >= s.of) return [];
  return labelled('not', [`${count(s.of - s.cases)} of ${count(s.of)} descriptions were not judged; prove --all judges every one`]);
}

/** One line while it runs. */
export function proveProgress(p: { readonly elapsedMs: number; readonly cases: number; readonly of: number; readonly planner: string; readonly refuted: number; readonly searching: boolean }): string {
  if (p.searching) return `prove ${clock(p.elapsedMs)}  cases ${short(p.cases)}  looking for the smallest counterexamples of ${counted(p.refuted, 'claim')}`;
  const rate = (p.cases * 1000) / Math.max(1, p.elapsedMs);
  const left = p.cases === 0 ? '' : `  eta ~${clock((Math.max(0, p.of - p.cases) / Math.max(1, rate)) * 1000)}`;
  return `prove ${clock(p.elapsedMs)}  cases ${short(p.cases)}/${short(p.of)}  ${short(rate)}/s  planner ${p.planner}  refuted ${p.refuted}${left}`;
}

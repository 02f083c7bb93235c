/**
 * Fuzz: a campaign's summary as text and as JSON, both from one record, and the progress line. A success says what
 * was not covered. Pure.
 */
import { findSystemProfile } from '../operations/system-profiles.js';
import { commandName } from '../spec/command.js';
import { DRIVER_RULES, RAW_RULES, SYSTEM_RULES, TABLE_RULES, type RuleCount } from '../rules/ledger.js';
import type { RuleId } from '../stack/violation.js';
import { clock, count, counted, labelled, percent, seconds, shares, short, visible, wrap } from './words.js';

export type Verdict = 'ok' | 'violation' | 'inconclusive' | 'error';

/** One distinct failure as the summary names it. */
export interface FailureLine {
  readonly id: string;
  readonly rule: RuleId;
  readonly cause: string;
  readonly operations: number;
  readonly shrunkFrom: number | null;
  readonly file: string | null;
}

/** What the summary of every campaign has, whatever it ran. */
export interface CampaignSummary {
  readonly verdict: Verdict;
  readonly seed: string;
  readonly runs: number;
  readonly operations: number;
  readonly failures: readonly FailureLine[];
  /** Failures found, those with a rule and cause that another one has included. */
  readonly found: number;
  readonly unmodelled: readonly string[];
  /** Null: not checked. */
  readonly determinism: { readonly identical: number; readonly checked: number } | null;
  /** Cases of the named corpus that were replayed first; null when none was named. */
  readonly replayed: { readonly cases: number; readonly regressed: readonly string[] } | null;
  readonly interrupted: string | null;
  readonly elapsedMs: number;
  /** Why a campaign without a violation shows nothing at all; missing: it shows something. */
  readonly empty?: string;
}

export interface FuzzSummary extends CampaignSummary {
  readonly profile: string;
  readonly mutant: string | null;
  /** In place of what the profile draws; missing: as drawn. */
  readonly planner?: string;
  /** The mutant shows only when two CPUs interleave. */
  readonly interleavingOnly: boolean;
  readonly refused: number;
  readonly shortest: number;
  readonly longest: number;
  readonly operationKinds: Readonly<Record<string, number>>;
  readonly commandKinds: Readonly<Record<string, number>>;
  readonly rules: Readonly<Record<RuleId, RuleCount>>;
  /** Raw machine sequences: answers to transactions by kind; table sequences: what calls and accesses came to. Missing: the driver's stack. */
  readonly answers?: Readonly<Record<string, number>>;
  /** Sequences on one page table. */
  readonly tables?: true;
}

/** What no run of this tool covers yet; said with every success. */
export const NOT_COVERED = 'stage 2, nesting, ATS and PRI, PASID, 16K and 64K granules, contiguous entries, two CPUs in the driver at once';

/** What raw machine sequences do not cover. */
export const NOT_COVERED_MACHINES = 'stall and PRI, 32-bit and 128-bit descriptors, Secure and Realm state, MPAM, memory attributes, claims of software (stored cases have them)';

/** What table sequences do not cover. */
export const NOT_COVERED_TABLES = 'nesting, several SMMUs on one table, hierarchical attributes, EL2, changing tops (iommupt), SMMUs without range invalidation';

/** What systems do not cover. */
export const NOT_COVERED_SYSTEMS = 'PRI and stall, events passed on to guests, 16K and 64K granules, contiguous entries, non-coherent walkers, endpoints that do not answer, two CPUs in the driver at once';

/** What was run: the driver on the fast machines, systems, raw machine sequences, or sequences on a page table. */
type Kind = 'driver' | 'system' | 'machine' | 'tables';

const UNCOVERED: Readonly<Record<Kind, string>> = { driver: NOT_COVERED, system: NOT_COVERED_SYSTEMS, machine: NOT_COVERED_MACHINES, tables: NOT_COVERED_TABLES };
/** The rules that a campaign is expected to decide. */
const ASKED: Readonly<Record<Kind, readonly RuleId[]>> = { driver: DRIVER_RULES, system: SYSTEM_RULES, machine: RAW_RULES, tables: TABLE_RULES };

function kindOf(s: Pick<FuzzSummary, 'profile' | 'tables'>): Kind {
  if (s.tables === true) return 'tables';
  if (s.profile === 'machine') return 'machine';
  return findSystemProfile(s.profile) === undefined ? 'driver' : 'system';
}

/** Counts by opcode as counts by name. */
export function commandKinds(commands: ArrayLike<number>): Record<string, number> {
  const out: Record<string, number> = {};
  for (let op = 0; op < commands.length; op += 1) {
    const n = commands[op] as number;
    if (n > 0) out[commandName(op) ?? `0x${op.toString(16)}`] = n;
  }
  return out;
}

export function fuzzJson(s: FuzzSummary): Record<string, unknown> {
  return {
    schema: 1, verb: 'fuzz', verdict: s.verdict, seed: s.seed, profile: s.profile, ...(s.planner === undefined ? {} : { planner: s.planner }), ...(s.mutant === null ? {} : { mutant: s.mutant }),
    runs: s.runs, operations: s.operations, operationKinds: s.operationKinds, commandKinds: s.commandKinds, ...(s.answers === undefined ? {} : { answers: s.answers }), rules: s.rules,
    failures: s.failures, unmodelled: s.unmodelled,
    ...(s.determinism === null ? {} : { determinism: s.determinism }),
    ...(s.replayed === null ? {} : { replayed: s.replayed }),
    timing: {
      elapsedMs: Math.round(s.elapsedMs), operationsPerSecond: rate(s), ...(s.interrupted === null ? {} : { interrupted: s.interrupted }),
    },
  };
}

function rate(s: FuzzSummary): number {
  return s.elapsedMs <= 0 ? 0 : Math.round((s.operations / s.elapsedMs) * 1000);
}

function line(label: string, texts: readonly string[]): string[] {
  return labelled(label, texts, 13);
}

/** What a campaign did, under its verdict. */
export function fuzzBlock(s: FuzzSummary): string {
  return [
    `${campaignTitle(s)}  seed ${visible(s.seed)}  ${seconds(s.elapsedMs)}  ${counted(s.runs, 'run')}  ${counted(s.operations, 'op')}  ${short(rate(s))} ops/s`,
    ...line('run length', [`min ${s.shortest}  avg ${s.runs === 0 ? 0 : (s.operations / s.runs).toFixed(1)}  max ${s.longest}  profile ${visible(s.profile)}${s.planner === undefined ? '' : `  planner ${s.planner}`}`]),
    ...line('rules', rulesText(s)),
    ...line('op kinds', wrap([...shares(s.operationKinds).split('  '), `${kindOf(s) === 'machine' ? 'not possible or waiting' : 'refused calls'} ${percent(s.refused, s.operations)}`])),
    ...line('commands', wrap(shares(s.commandKinds).split('  '))),
    ...(s.answers === undefined ? [] : line('answers', wrap(shares(s.answers).split('  ')))),
    ...(kindOf(s) === 'machine' ? [] : line('mutant', [mutantText(s)])),
    ...(s.unmodelled.length === 0 ? [] : line('unmodelled', s.unmodelled.map(visible))),
    ...line('not covered', wrap(UNCOVERED[kindOf(s)].split(', ').map((w, i, all) => (i + 1 < all.length ? `${w},` : w)), 100, ' ')),
    ...(s.replayed === null ? [] : line('replayed', [`${counted(s.replayed.cases, 'corpus case')}, ${s.replayed.regressed.length} regressed`, ...s.replayed.regressed.map(visible)])),
    ...(s.determinism === null ? [] : line('determinism', [`${s.determinism.identical}/${s.determinism.checked} re-runs identical`])),
  ].join('\n');
}

/** The verdict in one line. `ok`: what it says when nothing is wrong. */
export function campaignTitle(s: CampaignSummary, ok = 'no violation'): string {
  if (s.found > 0) return `[violation] ${counted(s.found, 'failure')} found: ${s.failures.length} shown, ${s.found - s.failures.length} folded into them`;
  if (s.determinism !== null && s.determinism.identical < s.determinism.checked) return '[error] not deterministic';
  if ((s.replayed?.regressed.length ?? 0) > 0) return '[violation] a case of the corpus regressed';
  if (s.unmodelled.length > 0) return '[inconclusive] something met is not modelled';
  if (s.empty !== undefined) return `[inconclusive] ${s.empty}`;
  if (s.interrupted !== null) return `[inconclusive] ${ok} until ${s.interrupted}`;
  return `[ok] ${ok}`;
}

function mutantText(s: FuzzSummary): string {
  if (s.mutant === null) return s.tables === true ? 'none loaded (`fuzz --tables-only --mutant NAME`; `rules --mutants` names them)' : 'none loaded (`fuzz --mutant NAME` shows that a seeded bug is found; `rules --mutants` names them)';
  if (s.found > 0) return `${s.mutant} loaded`;
  return s.interleavingOnly ? `${s.mutant} loaded and not found: it shows only when two CPUs interleave (\`check --mutant ${s.mutant}\`)` : `${s.mutant} loaded and NOT found: this campaign could not tell it from the right driver`;
}

function rulesText(s: FuzzSummary): string[] {
  const asked = new Set<string>(ASKED[kindOf(s)]);
  const entries = Object.entries(s.rules).filter(([id]) => asked.has(id));
  const decided = entries.filter(([, c]) => c.decided > 0).length;
  const never = entries.filter(([, c]) => c.armed === 0).map(([id]) => id);
  const undecided = entries.filter(([, c]) => c.armed > 0 && c.decided === 0).map(([id]) => id);
  return [
    `${decided} of ${entries.length} decided; never armed: ${never.length === 0 ? 'none' : never.join(' ')}`
      + `; armed but never decided: ${undecided.length === 0 ? 'none' : undecided.join(' ')}`,
  ];
}

export interface Progress {
  readonly verb: string;
  readonly elapsedMs: number;
  readonly runs: number;
  readonly operations: number;
  readonly rulesDecided: number;
  readonly rulesTotal: number;
  readonly failures: number;
  readonly rssBytes: number;
  readonly seed: string;
}

export function progressLine(p: Progress): string {
  const perSecond = p.elapsedMs <= 0 ? 0 : (p.operations / p.elapsedMs) * 1000;
  return `${p.verb} ${clock(p.elapsedMs)}  runs ${short(p.runs)}  ops ${short(p.operations)}  ${short(perSecond)}/s  `
    + `rules ${p.rulesDecided}/${p.rulesTotal}  fails ${count(p.failures)}  rss ${Math.round(p.rssBytes / 2 ** 20)}M  seed ${visible(p.seed)}`;
}

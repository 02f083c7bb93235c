/**
 * Conform: what a campaign on QEMU showed, and what stored cases on it showed, as text and as JSON. Says which QEMU it was, what it could not be
 * asked, which of its known deviations were met, and what neither can show. Pure.
 */
import type { Features } from '../spec/features.js';
import { hex } from '../spec/bits.js';
import { campaignTitle, type CampaignSummary, type FailureLine, type Verdict } from './fuzz.js';
import { columns, count, counted, labelled, seconds, shares, visible, wrap } from './words.js';

/** One QEMU and what its SMMU's registers say. */
export interface QemuAbout {
  readonly path: string;
  readonly version: string;
  /** The first line of `--version`. */
  readonly banner: string;
  /** Identification registers by name. */
  readonly identification: Readonly<Record<string, number>>;
  readonly features: Features;
}

/** A known deviation, and how many sequences ended in it. */
export interface WaivedLine {
  readonly id: string;
  readonly count: number;
  readonly behaviour: string;
  readonly clause: string;
}

export interface ConformSummary extends CampaignSummary {
  readonly qemu: QemuAbout;
  /** Sequences by kind: raw ones, and those of the driver. */
  readonly kinds: Readonly<Record<string, number>>;
  /** Driver sequences that were not run: too large. */
  readonly tooLarge: number;
  readonly accesses: number;
  readonly notAsked: Readonly<Record<string, number>>;
  readonly answers: Readonly<Record<string, number>>;
  readonly commandKinds: Readonly<Record<string, number>>;
  readonly waived: readonly WaivedLine[];
  /** Known deviations of this version; null: all are reported (--no-waivers). */
  readonly known: number | null;
}

function line(label: string, texts: readonly string[]): string[] {
  return labelled(label, texts, 13);
}

function perSecond(n: number, elapsedMs: number): number {
  return elapsedMs <= 0 ? 0 : Math.round((n / elapsedMs) * 1000);
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((a, b) => a + b, 0);
}

/** Features as an operator asks for them. */
export function describeFeatures(f: Features): string {
  const stages = f.stage1 && f.stage2 ? 'stage 1, stage 2 and nested' : f.stage1 ? 'stage 1 only' : 'stage 2 only';
  const granules = [f.gran4k ? '4K' : '', f.gran16k ? '16K' : '', f.gran64k ? '64K' : ''].filter((g) => g !== '').join(', ');
  return [
    stages, `granules ${granules}`, f.range ? 'range invalidation' : 'no range invalidation', `${f.oas}-bit output`, `${f.asidBits}-bit ASIDs`,
    ...(f.stage2 ? [`${f.vmidBits}-bit VMIDs`] : []), `${f.sidBits}-bit StreamIDs${f.twoLevelStreams ? ' in one or two levels' : ''}`,
  ].join('; ');
}

/** Accesses that the board's devices do not make. */
const DEVICES = 'input addresses above 4 GB, privileged accesses, fetches and substreams: its devices send none';
/** What a machine that does everything at once and in order cannot show. */
const ORDER = 'what needs an SMMU that works behind its queue, caches tables and level-1 descriptors, merges runs or evicts: QEMU runs each command when PROD is written, '
  + 'keeps only STEs, CDs and leaves, and forgets only what it is told to';

/** What no sequence on this QEMU shows, in sentences. */
export function notCovered(f: Features): string[] {
  const lacks = ([
    [f.stage1, 'stage 1'], [f.stage2, 'stage 2 and nesting'], [f.ats, 'ATS'], [f.ssidBits > 0, 'PASIDs'], [f.httu > 0, 'hardware access flag and dirty state'], [f.hyp, 'EL2'],
    [f.msi, 'messages of CMD_SYNC'], [f.vmidWildcard, 'VMID wildcards'], [f.twoLevelCds, 'two-level CD tables'], [f.extraQueues > 0, 'further command queues'],
    [f.range, 'range invalidation'], [f.gran4k, '4K granule'], [f.gran16k, '16K granule'], [f.gran64k, '64K granule'], [f.smallTables, 'small tables'], [f.ds || f.wideInput, '52-bit addresses'],
  ] as const).filter(([has]) => !has).map(([, what]) => what);
  return [...(lacks.length === 0 ? [] : [`not in this SMMU: ${lacks.join(', ')}`]), DEVICES, ORDER];
}

function qemuLines(q: QemuAbout): string[] {
  return [
    `${visible(q.path)}  ${visible(q.banner)}`, describeFeatures(q.features),
    Object.entries(q.identification).map(([name, value]) => `${name.toUpperCase()} ${hex(value)}`).join('  '),
  ];
}

function qemuJson(q: QemuAbout): Record<string, unknown> {
  return {
    path: q.path, version: q.version, banner: q.banner,
    ...Object.fromEntries(Object.entries(q.identification).map(([name, value]) => [name, hex(value)])), features: q.features,
  };
}

function waivedLines(s: Pick<ConformSummary, 'waived' | 'known'>): string[] {
  if (s.known === null) return ['nothing: every deviation is reported (--no-waivers)'];
  if (s.waived.length === 0) return [s.known === 0 ? 'nothing: no deviation of this version is known' : `nothing: none of the ${counted(s.known, 'known deviation')} of this version was met`];
  return columns(s.waived.map((w) => [count(w.count), w.id, `${w.behaviour} (${w.clause})`]), [0]);
}

function notAskedText(notAsked: Readonly<Record<string, number>>): string[] {
  return Object.entries(notAsked).filter(([, n]) => n > 0).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([why, n]) => `${count(n)}  ${why}`);
}

function okText(waived: readonly WaivedLine[]): string {
  return waived.length === 0 ? 'QEMU does only what the reference permits' : `QEMU does only what the reference permits, but for ${counted(waived.length, 'known deviation')}`;
}

/** What a campaign did, under its verdict. */
export function conformBlock(s: ConformSummary): string {
  const missing = notAskedText(s.notAsked);
  return [
    `${campaignTitle(s, okText(s.waived))}  seed ${visible(s.seed)}  ${seconds(s.elapsedMs)}  ${counted(s.runs, 'sequence')}  ${counted(s.operations, 'op')}  ${count(perSecond(s.runs, s.elapsedMs))} sequences/s`,
    ...line('qemu', qemuLines(s.qemu)),
    ...line('sequences', [`${Object.entries(s.kinds).map(([kind, n]) => `${kind} ${count(n)}`).join('  ')}${s.tooLarge === 0 ? '' : `  (${count(s.tooLarge)} of the driver were too large and not run)`}`]),
    ...line('accesses', [`${count(s.accesses)} asked of QEMU and of the optimised machine, ${count(sum(s.notAsked))} not asked`]),
    ...line('not asked', missing),
    ...(s.accesses === 0 ? [] : line('answers', wrap(shares(s.answers).split('  ')))),
    ...line('commands', wrap(shares(s.commandKinds).split('  '))),
    ...line('waived', waivedLines(s)),
    ...(s.unmodelled.length === 0 ? [] : line('unmodelled', s.unmodelled.map(visible))),
    ...line('not covered', notCovered(s.qemu.features).flatMap((text) => wrap(text.split(' '), 110, ' '))),
    ...(s.determinism === null ? [] : line('determinism', [`${s.determinism.identical}/${s.determinism.checked} re-runs identical`])),
  ].join('\n');
}

export function conformJson(s: ConformSummary): Record<string, unknown> {
  return {
    schema: 1, verb: 'conform', verdict: s.verdict, ...(s.empty === undefined || s.verdict !== 'inconclusive' ? {} : { reason: s.empty }), seed: s.seed, qemu: qemuJson(s.qemu),
    runs: s.runs, kinds: s.kinds, tooLarge: s.tooLarge, operations: s.operations, accesses: s.accesses, notAsked: s.notAsked, answers: s.answers, commandKinds: s.commandKinds,
    waivers: s.known !== null, waived: s.waived, failures: s.failures, unmodelled: s.unmodelled, notCovered: notCovered(s.qemu.features),
    ...(s.determinism === null ? {} : { determinism: s.determinism }),
    timing: {
      elapsedMs: Math.round(s.elapsedMs), sequencesPerSecond: perSecond(s.runs, s.elapsedMs), operationsPerSecond: perSecond(s.operations, s.elapsedMs),
      ...(s.interrupted === null ? {} : { interrupted: s.interrupted }),
    },
  };
}

/** Stored cases that were run on QEMU. */
export interface ConformReplaySummary {
  readonly verdict: Verdict;
  readonly qemu: QemuAbout;
  readonly cases: number;
  readonly operations: number;
  readonly accesses: number;
  readonly notAsked: Readonly<Record<string, number>>;
  readonly waived: readonly WaivedLine[];
  readonly failures: readonly FailureLine[];
  /** Cases that this QEMU cannot be asked about, or that met something that is not modelled: one sentence each. */
  readonly undecided: readonly string[];
  readonly elapsedMs: number;
}

export function conformReplayBlock(s: ConformReplaySummary): string {
  const title = s.failures.length > 0 ? `[violation] ${counted(s.failures.length, 'case')} deviate${s.failures.length === 1 ? 's' : ''}`
    : s.undecided.length > 0 ? '[inconclusive] not every case could be decided' : `[ok] ${okText(s.waived)}`;
  return [
    `${title}  ${counted(s.cases, 'case')}  ${counted(s.operations, 'op')}  ${counted(s.accesses, 'access', 'accesses')} asked  ${seconds(s.elapsedMs)}`,
    ...line('qemu', qemuLines(s.qemu)),
    ...line('not asked', notAskedText(s.notAsked)),
    ...(s.waived.length === 0 ? [] : line('waived', waivedLines({ waived: s.waived, known: s.waived.length }))),
    ...line('undecided', s.undecided.map(visible)),
  ].join('\n');
}

export function conformReplayJson(s: ConformReplaySummary): Record<string, unknown> {
  return {
    schema: 1, verb: 'conform', verdict: s.verdict, qemu: qemuJson(s.qemu), cases: s.cases, operations: s.operations, accesses: s.accesses, notAsked: s.notAsked,
    waived: s.waived, failures: s.failures, undecided: s.undecided, timing: { elapsedMs: Math.round(s.elapsedMs) },
  };
}

/**
 * Corner: the corner cases on QEMU, one by one. Of each form: is all that QEMU does permitted? Of the wrong form: does QEMU show what
 * comes of the bug, so that a driver with it is caught by testing on QEMU, or does it stay on the safe side? Where QEMU has not what the
 * case is about, why.
 */
import type { Features } from '../spec/features.js';
import { REG } from '../spec/register.js';
import type { MachineOperation, MachineWorld } from '../stack/machine-world.js';
import type { Violation } from '../stack/violation.js';
import type { Twins } from '../lockstep/twins.js';
import type { CornerCase, Decided } from '../operations/corner/builder.js';
import { CASE_SCHEMA } from '../operations/case.js';
import { CORNER_CASES, isDecided } from '../operations/corner/cases.js';
import type { MachineCase } from '../operations/machine-case.js';
import { FRAMES } from '../operations/corner/layout.js';
import type { Pool } from '../qemu/pool.js';
import type { Carried } from './corner-carry.js';
import { carriedFor, difference, missing, type Difference } from './corner-decide.js';
import { PROBES, type Probe } from './corner-probes.js';
import { runOnQemu, traffics, withTraffic, type CornerRun, type Traffic } from './corner-run.js';

export type CornerVerdict = 'permitted' | 'not permitted' | 'cannot show';
/** shown: QEMU's answer was one that the claim forbids; hidden: it never was, though an SMMU may; -: there is no bug to show. */
export type Danger = 'shown' | 'hidden' | '-';

/** Something that no SMMU may do. */
export interface CornerFinding {
  readonly form: 'right' | 'wrong' | 'probe';
  readonly violation: Violation;
  readonly world: MachineWorld;
  readonly operations: readonly MachineOperation[];
}

/** Which case or probe. */
export interface CornerHead {
  /** Number of the corner case, or the name of a probe. */
  readonly id: string;
  /** `-`: a case that is not decided. */
  readonly slug: string;
  readonly clause: string;
  readonly scenario: string;
}

export interface CornerRow extends CornerHead {
  readonly verdict: CornerVerdict;
  readonly danger: Danger;
  /** What QEMU answered where it mattered; or why it cannot show the case. */
  readonly text: string;
  readonly findings: readonly CornerFinding[];
}

/** What is kept of a finding: a machine sequence that QEMU must not pass. */
export function cornerCaseOf(row: CornerRow, finding: CornerFinding, version: string): MachineCase {
  return {
    schema: CASE_SCHEMA, kind: 'machine', world: finding.world, operations: finding.operations, expect: { verdict: 'violation', rule: finding.violation.rule },
    provenance: { from: 'conform --corner-cases', case: `${row.id} ${row.slug}`, form: finding.form, qemu: version, clause: row.clause },
  };
}

/** Cases that are about no traffic at all. */
const QUIET: ReadonlySet<number> = new Set([47]);
/** Cases that write a register that SMMUv3.2 guards. */
const GUARDED: ReadonlySet<number> = new Set([101]);
/** AIDR of SMMUv3.2: its ArchMinorRev. */
const GUARDS_FROM = 2;

/** Before SMMUv3.2 a guarded write may do anything: then our reference, which ignores it, is no judge. */
function unguarded(pool: Pool): string | null {
  const rig = pool.rig(false);
  const minor = rig.qtest.value(rig.read(REG.AIDR)) % 16;
  return minor >= GUARDS_FROM ? null : `AIDR says SMMUv3.${minor}: the write is CONSTRAINED UNPREDICTABLE before SMMUv3.2, and takes effect here`;
}

interface Tried {
  readonly traffic: Traffic;
  readonly run: CornerRun;
}

function kinds(c: Decided, operations: readonly MachineOperation[]): readonly Traffic[] {
  return QUIET.has(c.number) ? ['as written'] : traffics(operations);
}

interface FormResult {
  readonly finding: CornerFinding | null;
  /** The run in which QEMU showed the danger; else the last. */
  readonly told: Tried;
  readonly shown: boolean;
}

/** Runs a form under every kind of traffic, until one of them shows the danger, or something that may not be. */
function runForm(pool: Pool, c: Decided, on: { readonly carried: Carried; readonly form: 'right' | 'wrong'; readonly weakest?: Twins['weakest'] | undefined }): FormResult {
  const operations = on.carried[on.form];
  let told: Tried | null = null;
  for (const traffic of kinds(c, operations)) {
    const run = runOnQemu(pool, on.carried.world, withTraffic(operations, traffic), on.weakest);
    const tried: Tried = { traffic, run };
    if (run.violation !== null) {
      return { finding: { form: on.form, violation: run.violation, world: on.carried.world, operations: run.operations }, told: tried, shown: false };
    }
    if (run.looks.some((l) => l.breaks)) return { finding: null, told: tried, shown: true };
    told ??= tried;
  }
  return { finding: null, told: told as Tried, shown: false };
}

function trafficText(t: Traffic): string {
  return t === 'as written' ? '' : typeof t === 'string' ? `, with traffic ${t}` : ', with a single access';
}

function cannotShow(c: Decided, features: Features, d: Difference): string {
  if (d.unmodelled !== null) return `not modelled: ${d.unmodelled}`;
  const needed = missing(c, features);
  return needed.length > 0 ? `needs ${needed.join(', ')}` : 'nothing that an access can show differs';
}

function headOf(c: CornerCase): CornerHead {
  return isDecided(c) ? { id: String(c.number), slug: c.slug, clause: c.clause, scenario: c.scenario } : { id: String(c.number), slug: '-', clause: '', scenario: '' };
}

function probeHead(p: Probe, at: number): CornerHead {
  return { id: `P${at + 1}`, slug: p.slug, clause: p.clause, scenario: p.scenario };
}

/** Every case and probe, in the order of the report. */
export function cornerHeads(): CornerHead[] {
  return [...CORNER_CASES.map(headOf), ...PROBES.map(probeHead)];
}

function row(c: CornerCase, rest: Pick<CornerRow, 'verdict' | 'danger' | 'text' | 'findings'>): CornerRow {
  return { ...headOf(c), ...rest };
}

const refused = (c: CornerCase, text: string): CornerRow => row(c, { verdict: 'cannot show', danger: '-', text, findings: [] });

function findingsText(findings: readonly CornerFinding[]): string {
  const texts = findings.map((f) => `${f.violation.actual}; permitted: ${f.violation.expected}`);
  return new Set(texts).size === 1 && texts.length > 1 ? `both forms: ${texts[0] ?? ''}` : findings.map((f, i) => `${f.form} form: ${texts[i] ?? ''}`).join('; ');
}

/** One case on a QEMU. */
export function cornerRow(pool: Pool, c: Decided, weakest?: Twins['weakest']): CornerRow {
  const { features } = pool;
  if (c.world.smmus.length > 1) return refused(c, 'there is one SMMU');
  const d = difference(c, features);
  if (d.rightToo || d.broken.length === 0) return refused(c, cannotShow(c, features, d));
  const carried = carriedFor(c, features) as Carried;
  const forms = (['right', 'wrong'] as const).map((form) => runForm(pool, c, { carried, form, weakest }));
  const findings = forms.flatMap((f) => (f.finding === null ? [] : [f.finding]));
  const wrong = forms[1] as FormResult;
  const looks = wrong.told.run.looks.filter((l) => l.mayBreak);
  const asked = looks.filter((l) => l.answer !== null);
  const loose = findings.length > 0 && GUARDED.has(c.number) ? unguarded(pool) : null;
  if (loose !== null) return refused(c, loose);
  if (findings.length > 0) return row(c, { verdict: 'not permitted', danger: '-', text: findingsText(findings), findings });
  if (wrong.told.run.unmodelled !== null) return refused(c, `not modelled: ${wrong.told.run.unmodelled}`);
  if (asked.length === 0) return refused(c, looks[0]?.notAsked ?? 'nothing that an access can show differs');
  const answers = [...new Set(asked.map((l) => l.answer))].join(', ');
  return row(c, {
    verdict: 'permitted', danger: wrong.shown ? 'shown' : 'hidden', findings,
    text: `${answers}${wrong.shown ? trafficText(wrong.told.traffic) : ''}`,
  });
}

/** One directed probe on a QEMU. */
export function probeRow(pool: Pool, p: Probe, at: number): CornerRow {
  const world: MachineWorld = { smmus: [{ features: pool.features, tlbEntries: 64, mergeRuns: true, strictReserved: true }], frames: FRAMES, judged: false };
  const head = probeHead(p, at);
  const run = runOnQemu(pool, world, p.operations);
  if (run.unmodelled !== null) return { ...head, verdict: 'cannot show', danger: '-', text: `not modelled: ${run.unmodelled}`, findings: [] };
  const loose = run.violation !== null && p.guarded ? unguarded(pool) : null;
  if (loose !== null) return { ...head, verdict: 'cannot show', danger: '-', text: loose, findings: [] };
  if (run.violation !== null) {
    const { actual, expected } = run.violation;
    return { ...head, verdict: 'not permitted', danger: '-', text: `${actual}; permitted: ${expected}`, findings: [{ form: 'probe', violation: run.violation, world, operations: run.operations }] };
  }
  const danger = run.looks.some((l) => l.breaks) ? 'shown' : run.looks.some((l) => l.mayBreak) ? 'hidden' : '-';
  return { ...head, verdict: 'permitted', danger, text: run.looks.map((l) => l.answer ?? l.notAsked ?? '').join(', '), findings: [] };
}

/** Every decided corner case, in the order of their numbers; `each` is told of every row as it comes. */
export function cornerReport(pool: Pool, each?: (row: CornerRow) => void): CornerRow[] {
  const told = (one: CornerRow): CornerRow => {
    each?.(one);
    return one;
  };
  return [
    ...CORNER_CASES.map((c) => told(isDecided(c) ? cornerRow(pool, c) : refused(c, c.outOfScope))),
    ...PROBES.map((p, at) => told(probeRow(pool, p, at))),
  ];
}

/**
 * Conform, corner cases: what QEMU shows of each, as text, as JSON and as the table of all versions that were tried. Pure.
 */
import type { CornerRow, CornerVerdict, Danger } from '../conform/corner.js';
import { columns, counted, visible } from './words.js';

/** One row as it is kept: no sequences. */
export interface CornerLine {
  readonly id: string;
  readonly slug: string;
  readonly clause: string;
  readonly scenario: string;
  readonly verdict: CornerVerdict;
  readonly danger: Danger;
  readonly text: string;
}

/** What each version showed, by its first two numbers. */
export interface CornerTable {
  readonly schema: 1;
  readonly versions: Readonly<Record<string, readonly CornerLine[]>>;
}

export function cornerLine(row: CornerRow): CornerLine {
  const { id, slug, clause, scenario, verdict, danger, text } = row;
  return { id, slug, clause, scenario, verdict, danger, text };
}

/** 7.2.22 as 7.2. */
export function shortVersion(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

export interface CornerCounts {
  readonly shown: number;
  readonly hidden: number;
  /** Permitted, and there was no bug to show. */
  readonly plain: number;
  readonly notPermitted: number;
  readonly cannotShow: number;
}

export function cornerCounts(rows: readonly Pick<CornerLine, 'verdict' | 'danger'>[]): CornerCounts {
  const n = (verdict: CornerVerdict, danger?: Danger): number => rows.filter((r) => r.verdict === verdict && (danger === undefined || r.danger === danger)).length;
  return { shown: n('permitted', 'shown'), hidden: n('permitted', 'hidden'), plain: n('permitted', '-'), notPermitted: n('not permitted'), cannotShow: n('cannot show') };
}

function countsText(c: CornerCounts): string {
  return `permitted: the bug shows ${c.shown}, the bug stays hidden ${c.hidden}, no bug in it ${c.plain}; not permitted ${c.notPermitted}; cannot show ${c.cannotShow}`;
}

/** What one version says to a case, in a few words. */
function word(r: Pick<CornerLine, 'verdict' | 'danger'>): string {
  if (r.verdict !== 'permitted') return r.verdict;
  return r.danger === '-' ? 'permitted' : `permitted, ${r.danger}`;
}

export function cornerBlock(rows: readonly CornerLine[], qemu: string): string {
  const c = cornerCounts(rows);
  const title = c.notPermitted === 0 ? '[ok] QEMU does only what the reference permits' : `[violation] ${counted(c.notPermitted, 'case')} in which QEMU does what no SMMU may`;
  return [
    `${title}  ${visible(qemu)}`, ...columns([['no', 'case', 'verdict', 'QEMU answers; or why it cannot show it'], ...rows.map((r) => [r.id, r.slug, word(r), visible(r.text)])], [0]).map((l) => `  ${l}`),
    `  ${countsText(c)}`,
  ].join('\n');
}

export function cornerJson(rows: readonly CornerLine[], qemu: { readonly path: string; readonly version: string }): Record<string, unknown> {
  const counts = cornerCounts(rows);
  return { schema: 1, verb: 'conform', cornerCases: true, verdict: counts.notPermitted === 0 ? 'ok' : 'violation', qemu, counts, rows };
}

const HEAD = `# Corner cases on QEMU's SMMUv3

\`smmucheck conform --corner-cases\` runs the corner cases (numbers; \`smmucheck rules --corner-cases\` lists them all) and directed probes (P) one
by one. Each corner case has a right form and a wrong one, which is one command, bit or order away; where the case relies on something, a device
looks, under several kinds of traffic.

* **shown**: all that QEMU does is permitted, and in the wrong form it answers what the bug leads to: testing on QEMU catches a driver with this bug.
* **hidden**: all that QEMU does is permitted, but it stays on the safe side: testing on QEMU does not catch the bug, though an SMMU may show it.
* **permitted**: there is no bug in it, and what QEMU does is permitted.
* **NOT PERMITTED**: QEMU does what no SMMU may; what is said of QEMU below.
* **-**: it cannot show the case; why is said in the last column, for the newest version.

This file is generated from qemu-corner-cases.json (\`conform --corner-cases --write corpus/tables/qemu-corner-cases.json\` adds the QEMU at hand).
`;

function cell(text: string): string {
  return visible(text).replaceAll('|', '\\|');
}

function short(r: CornerLine | undefined): string {
  if (r === undefined || r.verdict === 'cannot show') return '-';
  if (r.verdict === 'not permitted') return '**NOT PERMITTED**';
  return r.danger === '-' ? 'permitted' : r.danger;
}

/** The table of all versions as Markdown. */
export function cornerMarkdown(table: CornerTable): string {
  const versions = Object.keys(table.versions).sort((a, b) => Number(a) - Number(b));
  const newest = table.versions[versions.at(-1) ?? ''] ?? [];
  const of = (version: string, id: string): CornerLine | undefined => table.versions[version]?.find((r) => r.id === id);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const about = (id: string): string => {
    const bad = versions.flatMap((v) => { const r = of(v, id); return r?.verdict === 'not permitted' ? [`${v}: ${r.text}`] : []; });
    return bad.length > 0 ? [...new Set(bad.map((t) => t.slice(t.indexOf(': ') + 2)))].join('; ') : newest.find((r) => r.id === id)?.text ?? '';
  };
  return [
    HEAD, '## Counts', '', line(['QEMU', 'shown', 'hidden', 'permitted', 'not permitted', 'cannot show']), line(['---', '---:', '---:', '---:', '---:', '---:']),
    ...versions.map((v) => { const c = cornerCounts(table.versions[v] ?? []); return line([v, c.shown, c.hidden, c.plain, c.notPermitted, c.cannotShow].map(String)); }),
    '', '## Cases', '', line(['no', 'case', 'clause', ...versions, 'QEMU answers; or why it cannot show it']), line(['---:', '---', '---', ...versions.map(() => '---'), '---']),
    ...newest.map((r) => line([r.id, r.scenario === '' ? r.slug : `${r.slug}: ${cell(r.scenario)}`, cell(r.clause), ...versions.map((v) => short(of(v, r.id))), cell(about(r.id))])), '',
  ].join('\n');
}

/** The table with the rows of one version put in. */
export function withVersion(table: CornerTable, version: string, rows: readonly CornerLine[]): CornerTable {
  return { schema: 1, versions: { ...table.versions, [version]: rows } };
}

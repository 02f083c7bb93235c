/**
 * Conform, corner cases: what QEMU shows of each, as text, as JSON and as the table of all versions that were tried. Pure.
 */
import { knownCorner } from '../conform/corner-known.js';
import type { CornerHead, CornerRow, CornerVerdict, Danger } from '../conform/corner.js';
import { columns, counted, visible } from './words.js';

/** What a version says to a case: what is kept of a row. */
export interface CornerSaid {
  readonly id: string;
  readonly verdict: CornerVerdict;
  readonly danger: Danger;
  readonly text: string;
  /** Not permitted: what this version is known to do, and the clause; null: it is news. */
  readonly known: string | null;
}

export interface CornerLine extends CornerSaid, CornerHead {}

/** What each version showed, by its first two numbers. */
export interface CornerTable {
  readonly schema: 1;
  readonly versions: Readonly<Record<string, readonly CornerSaid[]>>;
}

export function cornerLine(row: CornerRow, version: string): CornerLine {
  const { id, slug, clause, scenario, verdict, danger, text } = row;
  const k = verdict === 'not permitted' ? knownCorner(row, version) : null;
  return { id, slug, clause, scenario, verdict, danger, text, known: k === null ? null : `${k.behaviour} (${k.clause})` };
}

export function cornerSaid({ id, verdict, danger, text, known }: CornerLine): CornerSaid {
  return { id, verdict, danger, text, known };
}

/** What no SMMU may do and nobody knew of this version. */
export function cornerNews(rows: readonly CornerLine[]): readonly CornerLine[] {
  return rows.filter((r) => r.verdict === 'not permitted' && r.known === null);
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
  const news = cornerNews(rows).length;
  const known = c.notPermitted - news;
  const title = news > 0 ? `[violation] ${counted(news, 'case')} in which QEMU does what no SMMU may and nobody knew`
    : `[ok] QEMU does only what the reference permits${known === 0 ? '' : `, but for what is known of it (${counted(known, 'case')})`}`;
  return [
    `${title}  ${visible(qemu)}`, ...columns([['no', 'case', 'verdict', 'QEMU answers; or why it cannot show it'], ...rows.map((r) => [r.id, r.slug, word(r), visible(r.known ?? r.text)])], [0]).map((l) => `  ${l}`),
    `  ${countsText(c)}`,
  ].join('\n');
}

export function cornerJson(rows: readonly CornerLine[], qemu: { readonly path: string; readonly version: string }): Record<string, unknown> {
  const counts = cornerCounts(rows);
  return { schema: 1, verb: 'conform', cornerCases: true, verdict: cornerNews(rows).length === 0 ? 'ok' : 'violation', qemu, counts, rows };
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

function short(r: CornerSaid | undefined): string {
  if (r === undefined || r.verdict === 'cannot show') return '-';
  if (r.verdict === 'not permitted') return '**NOT PERMITTED**';
  return r.danger === '-' ? 'permitted' : r.danger;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** What is said of a case in the last column: what is wrong with any version, else what the newest one says. */
function about(said: readonly CornerSaid[]): string {
  const bad = said.filter((r) => r.verdict === 'not permitted').map((r) => r.known ?? r.text);
  return bad.length > 0 ? [...new Set(bad)].join('; ') : said.at(-1)?.text ?? '';
}

/** The table of all versions as Markdown; `heads`: every case and probe. */
export function cornerMarkdown(table: CornerTable, heads: readonly CornerHead[]): string {
  const versions = Object.keys(table.versions).sort((a, b) => Number(a) - Number(b));
  const of = (version: string, id: string): CornerSaid | undefined => table.versions[version]?.find((r) => r.id === id);
  return [
    HEAD, '## Counts', '', row(['QEMU', 'shown', 'hidden', 'permitted', 'not permitted', 'cannot show']), row(['---', '---:', '---:', '---:', '---:', '---:']),
    ...versions.map((v) => { const c = cornerCounts(table.versions[v] ?? []); return row([v, c.shown, c.hidden, c.plain, c.notPermitted, c.cannotShow].map(String)); }),
    '', '## Cases', '', row(['no', 'case', 'clause', ...versions, 'QEMU answers; or why it cannot show it']), row(['---:', '---', '---', ...versions.map(() => '---'), '---']),
    ...heads.map((h) => {
      const said = versions.map((v) => of(v, h.id));
      return row([h.id, h.scenario === '' ? h.slug : `${h.slug}: ${cell(h.scenario)}`, cell(h.clause), ...said.map(short), cell(about(said.filter((r) => r !== undefined)))]);
    }), '',
  ].join('\n');
}

/** The table with the rows of one version put in. */
export function withVersion(table: CornerTable, version: string, lines: readonly CornerLine[]): CornerTable {
  return { schema: 1, versions: { ...table.versions, [version]: lines.map(cornerSaid) } };
}

/** As it is stored: one row on a line. */
export function cornerTableText(table: CornerTable): string {
  const versions = Object.entries(table.versions).map(([v, said]) => `  ${JSON.stringify(v)}: [\n${said.map((r) => `   ${JSON.stringify(r)}`).join(',\n')}\n  ]`);
  return `{\n "schema": 1,\n "versions": {\n${versions.join(',\n')}\n }\n}\n`;
}

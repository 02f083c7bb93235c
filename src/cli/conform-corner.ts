/** conform --corner-cases: the corner cases and directed probes on QEMU one by one, as a table. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cornerCaseOf, cornerHeads, cornerReport, type CornerRow } from '../conform/corner.js';
import { encodeMachineCase } from '../operations/machine-codec.js';
import type { Pool } from '../qemu/pool.js';
import { cornerBlock, cornerJson, cornerLine, cornerMarkdown, cornerNews, cornerTableText, shortVersion, withVersion, type CornerTable } from '../report/conform-corner.js';
import { EXIT, type ExitCode } from './exit.js';
import type { Output } from './output.js';

const NONE: CornerTable = { schema: 1, versions: {} };

export interface CornerSettings {
  /** The JSON table that the rows of this QEMU are put into; the same name with .md gets the text. */
  readonly write?: string;
  /** What no SMMU may do is kept as a case in this directory. */
  readonly corpus?: string;
  /** false: what is known of this version is reported as well. */
  readonly waivers?: boolean;
}

/** Runs them all and prints the table. Exit code 1 when QEMU does what no SMMU may and nobody knew. */
export function runCornerCases(pool: Pool, out: Output, settings: CornerSettings = {}): ExitCode {
  const rows: CornerRow[] = cornerReport(pool);
  const { path, version, banner } = pool.binary;
  const lines = rows.map((r) => cornerLine(r, version)).map((r) => (settings.waivers === false ? { ...r, known: null } : r));
  out.print(cornerBlock(lines, `${banner}  ${path}`));
  out.document(cornerJson(lines, { path, version }));
  if (settings.write !== undefined) writeTable(settings.write, shortVersion(version), lines);
  if (settings.corpus !== undefined) {
    mkdirSync(settings.corpus, { recursive: true });
    for (const { row, finding } of rows.flatMap((r) => r.findings.map((f) => ({ row: r, finding: f })))) {
      writeFileSync(`${settings.corpus}/qemu-${shortVersion(version)}-${row.slug}-${finding.form}.json`, encodeMachineCase(cornerCaseOf(row, finding, version)));
    }
  }
  return cornerNews(lines).length > 0 ? EXIT.violation : EXIT.ok;
}

function writeTable(file: string, version: string, lines: readonly ReturnType<typeof cornerLine>[]): void {
  const before = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) as CornerTable : NONE;
  const table = withVersion(before, version, lines);
  writeFileSync(file, cornerTableText(table));
  writeFileSync(`${file.replace(/\.json$/, '')}.md`, cornerMarkdown(table, cornerHeads()));
}

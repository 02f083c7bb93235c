/** conform --corner-cases: the corner cases and directed probes on QEMU one by one, as a table. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cornerCaseOf, cornerHeads, cornerReport, type CornerRow } from '../conform/corner.js';
import { encodeMachineCase } from '../operations/machine-codec.js';
import type { Pool } from '../qemu/pool.js';
import { cornerBlock, cornerJson, cornerLine, cornerMarkdown, cornerNews, cornerTableText, shortVersion, withVersion, type CornerTable } from '../report/conform-corner.js';
import { reason } from './cases.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import type { Output } from './output.js';
import { Scratch } from './scratch.js';

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
  const table = settings.write === undefined ? null : tableBefore(settings.write);
  const corpus = settings.corpus === undefined ? null : new Scratch(settings.corpus).path;
  const rows: CornerRow[] = cornerReport(pool);
  const { path, version, banner } = pool.binary;
  const lines = rows.map((r) => cornerLine(r, version)).map((r) => (settings.waivers === false ? { ...r, known: null } : r));
  out.print(cornerBlock(lines, `${banner}  ${path}`));
  out.document(cornerJson(lines, { path, version }));
  if (table !== null && settings.write !== undefined) writeTable(settings.write, withVersion(table, shortVersion(version), lines));
  if (corpus !== null) {
    for (const { row, finding } of rows.flatMap((r) => r.findings.map((f) => ({ row: r, finding: f })))) {
      writeFileSync(`${corpus}/qemu-${shortVersion(version)}-${row.slug}-${finding.form}.json`, encodeMachineCase(cornerCaseOf(row, finding, version)));
    }
  }
  return cornerNews(lines).length > 0 ? EXIT.violation : EXIT.ok;
}

/** The table that stands there. Nothing is run for one that cannot be read. */
function tableBefore(file: string): CornerTable {
  if (!existsSync(file)) return NONE;
  try {
    const found: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof found === 'object' && found !== null && 'versions' in found) return found as CornerTable;
  } catch (error) {
    throw new UsageError(`${file}: ${error instanceof SyntaxError ? 'not a table of corner cases' : reason(error)}`);
  }
  throw new UsageError(`${file}: not a table of corner cases`);
}

function writeTable(file: string, table: CornerTable): void {
  try {
    writeFileSync(file, cornerTableText(table));
    writeFileSync(`${file.replace(/\.json$/, '')}.md`, cornerMarkdown(table, cornerHeads()));
  } catch (error) {
    throw new UsageError(`${file}: the table cannot be written: ${reason(error)}`);
  }
}

/**
 * compare of two cleaners: verdict, cost table, and the smallest ranges that the candidate leaves stale, each stored as a case.
 */
import { join } from 'node:path';
import { compareCleaners } from '../compare/cleaners.js';
import { writeWhole } from '../fuzz/store.js';
import { tableFailureRecord } from '../fuzz/table-failure.js';
import { encodeStored, storedId } from '../operations/stored.js';
import { cleanersBlock, cleanersJson } from '../report/cleaners.js';
import { failureBlock } from '../report/failure.js';
import { CLEANER_NAMES, type CleanerName } from '../stack/page-table.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import type { Parsed } from './options.js';
import { now, type Output } from './output.js';
import { Scratch } from './scratch.js';

/** What stands before seed 2. */
const BASELINE: CleanerName = 'eager';
/** Options that a comparison of cleaners has; the others are of planners. */
const OPTIONS: readonly string[] = ['candidate', 'baseline', 'corpus', 'json'];

export function isCleaner(name: string | undefined): name is CleanerName {
  return CLEANER_NAMES.some((known) => known === name);
}

export function runCleaners(p: Parsed, candidate: CleanerName, out: Output): ExitCode {
  const baseline = p.values.get('baseline') ?? BASELINE;
  if (!isCleaner(baseline)) throw new UsageError(`${candidate} is a cleaner and can be compared with one only: ${CLEANER_NAMES.join(', ')}`);
  const other = [...p.values.keys()].find((o) => !OPTIONS.includes(o));
  if (other !== undefined) throw new UsageError(`option --${other} is for planners: the ranges of cleaners are a fixed set`);
  const start = now();
  const scratch = new Scratch(p.values.get('corpus'));
  const compared = compareCleaners(baseline, candidate);
  const files = compared.wrong.map(({ stored, violation }) => {
    const file = join(scratch.path, 'regressions', violation.rule, `${storedId(stored)}.json`);
    writeWhole(file, encodeStored(stored));
    return file;
  });
  scratch.leave();
  const [first] = compared.wrong;
  if (first !== undefined) {
    const record = tableFailureRecord(first.stored, first.violation, { mutant: null, origin: null }, { shrunk: null, file: files[0] ?? null, fullFile: null });
    out.print(`${failureBlock(record, { program: out.program })}\n`);
  }
  const stored = { files, elapsedMs: now() - start };
  out.print(cleanersBlock(compared, stored));
  out.document(cleanersJson(compared, stored));
  return compared.wrong.length > 0 ? EXIT.violation : EXIT.ok;
}

/**
 * Cases: which files the operands of a verb name, and reading them. A directory stands for every case in it, in order
 * of name; the unshrunk forms of failures, tables and scenarios are no cases of their own.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CaseError } from '../operations/case.js';
import { MAX_CASE_TEXT } from '../operations/node.js';
import { decodeStored, readStoredFile, storedId, type SequenceCase, type StoredCase } from '../operations/stored.js';
import { isCandidatePart } from '../stack/planner.js';
import { findMutant } from '../mutants/mutants.js';
import { findTableMutant } from '../mutants/table-mutants.js';
import { findPlanner } from '../parts/planners.js';
import { UsageError } from './exit.js';

export interface NamedCase<C extends StoredCase = StoredCase> {
  readonly file: string;
  readonly id: string;
  readonly case: C;
}

const SKIPPED_FOLDERS: ReadonlySet<string> = new Set(['tables', 'scenarios', 'node_modules']);

export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw new UsageError(`${path}: ${reason(error)}`);
  }
}

export function reason(error: unknown): string {
  if (error instanceof Error && 'code' in error) {
    if (error.code === 'ENOENT') return 'there is no such file or directory';
    if (error.code === 'EACCES') return 'permission denied';
    if (error.code === 'ENOTDIR') return 'a part of the path is not a directory';
  }
  return error instanceof Error ? error.message : String(error);
}

/** Every case file below a directory. */
export function caseFiles(folder: string): string[] {
  const files: string[] = [];
  const visit = (at: string): void => {
    let entries;
    try {
      entries = readdirSync(at, { withFileTypes: true });
    } catch (error) {
      throw new UsageError(`${at}: ${reason(error)}`);
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory()) {
        if (!SKIPPED_FOLDERS.has(entry.name)) visit(join(at, entry.name));
      } else if (entry.name.endsWith('.json') && !entry.name.endsWith('.full.json') && !entry.name.endsWith('.shrinking.json')) files.push(join(at, entry.name));
    }
  };
  visit(folder);
  return files;
}

/** Reads one case and makes sure that what it tests exists. */
export function readCase(path: string): NamedCase {
  return named(readStoredFile(path), path);
}

function named(c: StoredCase, file: string): NamedCase {
  if (c.kind === 'machine') return { file, id: storedId(c), case: c };
  if (c.kind === 'tables') {
    if (c.subject.mutant !== undefined && findTableMutant(c.subject.mutant) === undefined) throw new UsageError(`${file}: there is no mutant "${c.subject.mutant}" of the page-table library`);
    return { file, id: storedId(c), case: c };
  }
  if (c.kind === 'plan') {
    const { planner } = c.subject.parts;
    if (planner !== undefined && candidateOf(c) === null && findPlanner(planner) === undefined) throw new UsageError(`${file}: there is no planner "${planner}"`);
    return { file, id: storedId(c), case: c };
  }
  const part = Object.keys(c.subject.parts).find((name) => candidateOf(c) === null || name !== 'planner');
  if (part !== undefined) throw new UsageError(`${file}: subject.parts names "${part}", but other parts than the driver's own are not built yet`);
  if (c.subject.mutant !== undefined && findMutant(c.subject.mutant) === undefined) throw new UsageError(`${file}: there is no mutant "${c.subject.mutant}"`);
  return { file, id: storedId(c), case: c };
}

/** The candidate that a case is about, as `compare` names it; null: none. */
export function candidateOf(c: StoredCase): string | null {
  const part = c.kind === 'machine' || c.kind === 'tables' ? undefined : c.subject.parts.planner;
  return part !== undefined && isCandidatePart(part) ? part : null;
}

/** What cases are called that are not of the driver's stack. */
export const SEQUENCES = { machine: 'raw machine sequences', tables: 'table sequences', system: 'systems' } as const;

/** The mutant of a case, if it has one. */
export function mutantOf(c: StoredCase): string | null {
  return c.kind === 'driver' || c.kind === 'tables' || c.kind === 'system' ? (c.subject.mutant ?? null) : null;
}

/** Cases of a corpus that a right subject must pass; those of mutants are not asked here. */
export function replayFirst(corpus: string, judge: (c: StoredCase) => { readonly problems: readonly string[] }): { cases: number; regressed: string[] } {
  if (!isDirectory(corpus)) throw new UsageError(`${corpus}: not a directory`);
  const regressed: string[] = [];
  let cases = 0;
  for (const stored of caseFiles(corpus).map(readCase)) {
    if (mutantOf(stored.case) !== null) continue;
    cases += 1;
    const { problems } = judge(stored.case);
    if (problems[0] !== undefined) regressed.push(`${stored.file}: ${problems[0]}`);
  }
  return { cases, regressed };
}

/** Reads the case on stdin. */
export async function readStdin(): Promise<NamedCase> {
  return named(decodeStored(await readStdinText(), 'stdin'), 'stdin');
}

export async function readStdinText(): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    length += bytes.length;
    if (length > MAX_CASE_TEXT) throw new CaseError('stdin: the text is larger than 64 MiB, the limit for a case');
    chunks.push(bytes);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new CaseError('stdin: not a case: the bytes are not UTF-8 text');
  }
}

/** The one case that an operand names: a file or `-`. */
export async function oneCase(operands: readonly string[], verb: string): Promise<NamedCase> {
  const path = operands[0];
  if (path === undefined || operands.length > 1) throw new UsageError(`${verb} needs exactly one case: a file, or - for stdin`);
  if (path === '-') return readStdin();
  if (isDirectory(path)) throw new UsageError(`${path}: a directory, but ${verb} needs one case`);
  return readCase(path);
}

/** The one sequence of operations that an operand names: plans have none. */
export function sequenceOf(c: NamedCase, verb: string): NamedCase<SequenceCase> {
  if (c.case.kind === 'plan') throw new UsageError(`${c.file}: a plan has no operations, so ${verb} does not apply to it`);
  return { ...c, case: c.case };
}

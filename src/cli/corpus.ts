/**
 * corpus: the stored cases: list, add, import a recording, verify, minimise, merge.
 */
import { existsSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { importCapture, type ImportReport } from '../captures/to-case.js';
import { writeWhole } from '../fuzz/store.js';
import { encodeStored, sizeOf, type StoredCase } from '../operations/stored.js';
import { replayBlock, replayJson } from '../report/replay.js';
import { corpusBlock, countsLines, type CorpusLine } from '../report/tables.js';
import { counted, visible } from '../report/words.js';
import { RULE_IDS } from '../stack/violation.js';
import { caseFiles, isDirectory, mutantOf, reason, readCase, type NamedCase } from './cases.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import type { Parsed, VerbSpec } from './options.js';
import { now, type Output } from './output.js';
import { verifyFolder } from './replay.js';
import type { Verb } from './verb.js';

const spec: VerbSpec = {
  name: 'corpus', operands: 2,
  usage: ['corpus list', 'corpus add <case>', 'corpus import <recording> [--out DIR]', 'corpus verify', 'corpus minimise [--yes]', 'corpus merge <directory>'],
  about: [
    'list: every case. add: copies a case to regressions/<rule>/<id>.json. import: a recording of a real driver (smmu-capture/1) as a case.',
    'verify: every case shows what it expects, every mutant is still found, and files of regressions/ have the name of what is in them.',
    'minimise: names the cases whose rule and cause a smaller one has as well; --yes removes them. merge: copies the cases of another',
    'directory that are not there yet.',
  ],
  options: [
    { name: 'corpus', value: 'DIR', about: 'the corpus (default: corpus)' },
    { name: 'out', value: 'DIR', about: 'import: where the case goes (default: workloads in the corpus)' },
    { name: 'yes', about: 'minimise: remove what it names' },
  ],
};

type Action = (p: Parsed, out: Output, corpus: string) => ExitCode | Promise<ExitCode>;
const ACTIONS: Readonly<Record<string, { readonly act: Action; readonly operand: string | null; readonly option?: string }>> = {
  list: { act: list, operand: null },
  add: { act: add, operand: 'a case' },
  import: { act: importRecording, operand: 'a recording', option: 'out' },
  verify: { act: verify, operand: null },
  minimise: { act: minimise, operand: null, option: 'yes' },
  merge: { act: merge, operand: 'a directory' },
};

function run(p: Parsed, out: Output): ExitCode | Promise<ExitCode> {
  const [name, operand] = p.operands;
  const action = name !== undefined && Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined) throw new UsageError(`corpus needs one of ${Object.keys(ACTIONS).join(', ')}${name === undefined ? '' : `, not "${name}"`}`);
  if (action.operand === null && operand !== undefined) throw new UsageError(`corpus ${name} takes no operand, but got "${operand}"`);
  if (action.operand !== null && operand === undefined) throw new UsageError(`corpus ${name} needs ${action.operand}`);
  for (const option of ['out', 'yes']) if (p.values.has(option) && action.option !== option) throw new UsageError(`corpus ${name} has no option --${option}`);
  return action.act(p, out, p.values.get('corpus') ?? 'corpus');
}

function read(corpus: string): NamedCase[] {
  if (!isDirectory(corpus)) throw new UsageError(`${corpus}: not a directory`);
  return caseFiles(corpus).map(readCase);
}

function lineOf(c: NamedCase): CorpusLine {
  const rule = c.case.provenance['rule'];
  const expects = c.case.expect.verdict === 'ok' ? `ok${typeof rule === 'string' ? ` (${rule})` : ''}` : (c.case.expect.rule ?? 'violation');
  return { id: c.id, expects: visible(expects), operations: sizeOf(c.case), mutant: mutantOf(c.case), file: c.file };
}

function list(_p: Parsed, out: Output, corpus: string): ExitCode {
  const lines = read(corpus).map(lineOf);
  out.print(`${corpusBlock(lines)}\n${counted(lines.length, 'case')}`);
  out.document({ schema: 1, verb: 'corpus', verdict: 'ok', cases: lines, timing: {} });
  return EXIT.ok;
}

/** regressions/<rule or ok>/<id>.json of a corpus. */
function placeOf(c: NamedCase, corpus: string): string {
  const said = c.case.provenance['rule'];
  const rule = RULE_IDS.find((id) => id === said) ?? c.case.expect.rule ?? 'ok';
  return join(corpus, 'regressions', rule, `${c.id}.json`);
}

function write(path: string, c: StoredCase): void {
  try {
    writeWhole(path, encodeStored(c));
  } catch (error) {
    throw new UsageError(`${path}: cannot be written: ${reason(error)}`);
  }
}

function add(p: Parsed, out: Output, corpus: string): ExitCode {
  const c = readCase(p.operands[1] as string);
  const path = placeOf(c, corpus);
  const there = existsSync(path);
  if (!there) write(path, c.case);
  out.print(there ? `${path} is there already` : `added ${path}`);
  out.document({ schema: 1, verb: 'corpus', verdict: 'ok', added: there ? [] : [path], timing: {} });
  return EXIT.ok;
}

async function importRecording(p: Parsed, out: Output, corpus: string): Promise<ExitCode> {
  const start = now();
  const recording = p.operands[1] as string;
  const { case: imported, report } = await importCapture(recording);
  const name = basename(recording).replace(/\.gz$/, '').replace(/\.jsonl?$/, '');
  if (!/^[\w.+-]+$/.test(name)) throw new UsageError(`${recording}: the name of the recording cannot be the name of a case`);
  const path = join(p.values.get('out') ?? join(corpus, 'workloads'), `${name}.json`);
  write(path, imported);
  out.print([`imported ${path}: ${counted(imported.operations.length, 'op')} from ${counted(report.events, 'event')}`, ...importLines(report)].join('\n'));
  out.document({ schema: 1, verb: 'corpus', verdict: 'ok', added: [path], report, timing: { elapsedMs: Math.round(now() - start) } });
  return EXIT.ok;
}

function importLines(r: ImportReport): string[] {
  return [
    ...countsLines('operations', r.operations), ...countsLines('recorded answers', r.observed), ...countsLines('events used', r.used),
    ...countsLines('events ignored', r.ignored), ...countsLines('events unknown', r.unknown), ...countsLines('notes', r.notes),
    ...countsLines('operations without an event of their own', r.added),
  ];
}

function verify(_p: Parsed, out: Output, corpus: string): ExitCode {
  if (!isDirectory(corpus)) throw new UsageError(`${corpus}: not a directory`);
  const { summary, code } = verifyFolder(corpus, 'corpus', (c) => {
    const named = c.file.split('/').includes('regressions');
    return named && basename(c.file) !== `${c.id}.json` ? `should be called ${c.id}.json` : null;
  });
  out.print(replayBlock(summary));
  out.document(replayJson(summary));
  return code;
}

/** Cases that a smaller one stands for: same mutant, rule and cause. */
function redundant(cases: readonly NamedCase[]): { readonly goes: NamedCase; readonly stays: NamedCase }[] {
  const best = new Map<string, NamedCase>();
  const key = (c: NamedCase): string | null => {
    const { rule, cause } = c.case.provenance;
    return typeof rule === 'string' && typeof cause === 'string' ? JSON.stringify([mutantOf(c.case), rule, cause]) : null;
  };
  const size = (c: NamedCase): [number, string] => [sizeOf(c.case), `${c.id} ${c.file}`];
  const smaller = (a: NamedCase, b: NamedCase): boolean => size(a)[0] < size(b)[0] || (size(a)[0] === size(b)[0] && size(a)[1] < size(b)[1]);
  for (const c of cases) {
    const k = key(c);
    const old = k === null ? undefined : best.get(k);
    if (k !== null && (old === undefined || smaller(c, old))) best.set(k, c);
  }
  return cases.flatMap((goes) => {
    const stays = best.get(key(goes) ?? '');
    return stays === undefined || stays === goes ? [] : [{ goes, stays }];
  });
}

function minimise(p: Parsed, out: Output, corpus: string): ExitCode {
  const pairs = redundant(read(corpus));
  const yes = p.values.has('yes');
  if (yes) for (const { goes } of pairs) rmSync(goes.file);
  for (const { goes, stays } of pairs) out.print(`${yes ? 'removed' : 'would remove'} ${visible(goes.file)} (${counted(sizeOf(goes.case), 'op')}): ${stays.id} has ${sizeOf(stays.case)} and the same rule and cause`);
  out.print(pairs.length === 0 ? 'nothing to remove' : `${counted(pairs.length, 'case')} ${yes ? 'removed' : 'would go; --yes removes them'}`);
  out.document({ schema: 1, verb: 'corpus', verdict: 'ok', removed: yes, redundant: pairs.map(({ goes, stays }) => ({ file: goes.file, id: goes.id, for: stays.id })), timing: {} });
  return EXIT.ok;
}

function merge(p: Parsed, out: Output, corpus: string): ExitCode {
  const other = read(p.operands[1] as string);
  const have = new Set((existsSync(corpus) ? read(corpus) : []).map((c) => c.id));
  const added: string[] = [];
  for (const c of other) {
    if (have.has(c.id)) continue;
    have.add(c.id);
    const path = placeOf(c, corpus);
    write(path, c.case);
    added.push(path);
    out.print(`added ${path}`);
  }
  out.print(`${counted(added.length, 'case')} added, ${other.length - added.length} there already`);
  out.document({ schema: 1, verb: 'corpus', verdict: 'ok', added, timing: {} });
  return EXIT.ok;
}

export const verb: Verb = { spec, run };

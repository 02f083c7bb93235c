/**
 * show: a stored case as text, JSON, the source of a test, or a sequence diagram.
 */
import { encodeCase } from '../operations/codec.js';
import { Log } from '../lockstep/log.js';
import { replay, type Replayed } from '../lockstep/replay.js';
import { sequenceDiagram } from '../report/diagram.js';
import { caseLines, caseText, testSource } from '../report/show.js';
import { visible } from '../report/words.js';
import { oneCase, type NamedCase } from './cases.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import { oneOf, type Parsed, type VerbSpec } from './options.js';
import type { Output } from './output.js';
import type { Verb } from './verb.js';

const FORMATS = ['text', 'json', 'test', 'msc', 'html'] as const;

const spec: VerbSpec = {
  name: 'show', operands: 1,
  usage: ['show <case|-> [--format text|json|test|msc]'],
  about: [
    'text: the case and both sides of every operation. json: the case as it is stored. test: a test that replays it. msc: a sequence diagram',
    'of what happened inside the operations: commands, SYNCs, what became stale. The exit code says nothing about the verdict.',
  ],
  options: [{ name: 'format', value: 'FORMAT', about: 'text (default), json, test or msc; html is not built yet' }],
};

async function run(p: Parsed, out: Output): Promise<ExitCode> {
  const format = oneOf(p, 'format', FORMATS) ?? 'text';
  if (format === 'html') throw new UsageError('format html of show is not built yet');
  const stored = await oneCase(p.operands, 'show');
  if (out.json) {
    if (p.values.has('format') && format !== 'json') throw new UsageError('options --json and --format exclude each other');
    out.document(caseDocument(stored));
    return EXIT.ok;
  }
  switch (format) {
    case 'json': out.raw(encodeCase(stored.case)); break;
    case 'test': out.raw(testSource(stored.case)); break;
    case 'msc': out.print(diagram(stored)); break;
    case 'text': out.print(caseText(stored.case, again(stored, undefined))); break;
  }
  return EXIT.ok;
}

function caseDocument(stored: NamedCase): unknown {
  const value: unknown = JSON.parse(encodeCase(stored.case));
  return { schema: 1, verb: 'show', verdict: 'ok', id: stored.id, case: value, timing: {} };
}

function again(stored: NamedCase, log: Log | undefined): Replayed {
  const { mutant } = stored.case.subject;
  return replay(stored.case.world, stored.case.operations, { ...(mutant === undefined ? {} : { mutant }), ...(log === undefined ? {} : { log }) }, true);
}

function diagram(stored: NamedCase): string {
  const log = new Log();
  const r = again(stored, log);
  const end = r.violation !== null ? `[violation] ${r.violation.rule}: ${r.violation.actual}` : r.unmodelled !== null ? `[inconclusive] ${visible(r.unmodelled)}` : '[ok] no violation';
  return [...caseLines(stored.case), '', sequenceDiagram(stored.case.world, log.entries, r.rows, null), '', end].join('\n');
}

export const verb: Verb = { spec, run };

/**
 * show: a stored case as text, JSON, the source of a test, or a sequence diagram.
 */
import type { Case } from '../operations/case.js';
import { encodeStored, type StoredCase } from '../operations/stored.js';
import { replayMachine } from '../lockstep/machine-replay.js';
import { replayTables } from '../lockstep/table-replay.js';
import { Log } from '../lockstep/log.js';
import { replay, type Replayed } from '../lockstep/replay.js';
import { replaySystem } from '../lockstep/system-replay.js';
import { judgePlanCase } from '../prove/plan.js';
import { planText } from '../report/plan-case.js';
import { sequenceDiagram } from '../report/diagram.js';
import { caseLines, caseText, machineText, systemText, tableText, testSource } from '../report/show.js';
import { visible } from '../report/words.js';
import { oneCase, SEQUENCES, sequenceOf, type NamedCase } from './cases.js';
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
    case 'json': out.raw(encodeStored(stored.case)); break;
    case 'test': out.raw(testSource(sequenceOf(stored, 'format test of show').case)); break;
    case 'msc': {
      const sequence = sequenceOf(stored, 'format msc of show').case;
      if (sequence.kind !== 'driver') throw new UsageError(`format msc of show is not built yet for ${SEQUENCES[sequence.kind]}`);
      out.print(diagram(sequence));
      break;
    }
    case 'text': out.print(textOf(stored.case)); break;
  }
  return EXIT.ok;
}

function textOf(c: StoredCase): string {
  switch (c.kind) {
    case 'plan': return planText(c, judgePlanCase(c), true);
    case 'machine': return machineText(c, replayMachine(c.world, c.operations, {}, true));
    case 'tables': return tableText(c, replayTables(c.world, c.operations, c.subject.mutant === undefined ? {} : { mutant: c.subject.mutant }, true));
    case 'system': return systemText(c, replaySystem(c.world, c.operations, c.subject.mutant === undefined ? {} : { mutant: c.subject.mutant }, true));
    case 'driver': return caseText(c, again(c, undefined));
  }
}

function caseDocument(stored: NamedCase): unknown {
  const value: unknown = JSON.parse(encodeStored(stored.case));
  return { schema: 1, verb: 'show', verdict: 'ok', id: stored.id, case: value, timing: {} };
}

function again(c: Case, log: Log | undefined): Replayed {
  const { mutant } = c.subject;
  return replay(c.world, c.operations, { ...(mutant === undefined ? {} : { mutant }), ...(log === undefined ? {} : { log }) }, true);
}

function diagram(c: Case): string {
  const log = new Log();
  const r = again(c, log);
  const end = r.violation !== null ? `[violation] ${r.violation.rule}: ${r.violation.actual}` : r.unmodelled !== null ? `[inconclusive] ${visible(r.unmodelled)}` : '[ok] no violation';
  return [...caseLines(c), '', sequenceDiagram(c.world, log.entries, r.rows, null), '', end].join('\n');
}

export const verb: Verb = { spec, run };

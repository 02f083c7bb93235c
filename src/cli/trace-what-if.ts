/**
 * trace --what-if: a recording planned by other planners: those of the house here, candidates in the watched thread, each in one of its own. A wrong plan, or
 * a question that got none, is stored as a plan case.
 */
import { basename, join } from 'node:path';
import { candidatePlanCase } from '../compare/failure.js';
import { writeWhole } from '../fuzz/store.js';
import { encodeStored, storedId } from '../operations/stored.js';
import { findPlanner, PLANNERS } from '../parts/planners.js';
import { wrongBlock } from '../report/compare.js';
import { explainedLines } from '../report/trace.js';
import { whatIfBlock, whatIfDocument, whatIfVerdict } from '../report/trace-variations.js';
import { faultRow, NotReplanned, whatIf, whatIfPlanned, type Row, type Stored, type WhatIf } from '../trace/what-if.js';
import { nameCandidate, watch, type Named } from './candidate-watch.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import type { Output } from './output.js';
import { Scratch } from './scratch.js';

export interface WhatIfSettings {
  readonly file: string;
  /** Names of planners, files of candidates, or `all` for every planner of the house, with commas between. */
  readonly planners: string;
  readonly range: boolean;
  /** For one plan of a candidate. */
  readonly timeoutMs: number;
  /** Where wrong plans go. */
  readonly out: string | undefined;
}

function named(text: string): Named[] {
  const names = text.split(',').flatMap((name) => (name === 'all' ? PLANNERS.map((p) => p.name) : [name]));
  return [...new Set(names)].map(nameCandidate);
}

export async function replanned(s: WhatIfSettings, out: Output): Promise<ExitCode> {
  const candidates = named(s.planners);
  const rows = [await recorded(s)];
  const scratch = new Scratch(s.out);
  const told: Stored[] = [];
  const blocks: string[] = [];
  try {
    for (const c of candidates) {
      const own = findPlanner(c.path);
      const outcome = own === undefined ? await byCandidate(c, s) : { ...await whatIfPlanned(s.file, own, s.range), explained: null, fault: null };
      rows.push(outcome.row);
      if (own !== undefined && outcome.wrong === null) continue;
      const stored = { ...outcome, file: storeWrong(outcome, own === undefined ? c.part : own.name, s.file, scratch) };
      told.push(stored);
      blocks.push(...explained(c, stored, out.program));
    }
  } finally {
    scratch.leave();
  }
  out.print([...blocks.map((b) => `${b}\n`), whatIfBlock(s.file, rows)].join('\n'));
  out.document(whatIfDocument(s.file, rows, told));
  return { ok: EXIT.ok, violation: EXIT.violation, inconclusive: EXIT.inconclusive }[whatIfVerdict(rows)];
}

/** The question and who answered it wrongly, for `replay`. */
function storeWrong(o: WhatIf, part: string, recording: string, scratch: Scratch): string | null {
  const question = o.wrong?.question ?? o.fault?.question ?? null;
  const why = o.wrong?.violation ?? o.fault;
  if (question === null || why === null) return null;
  const made = candidatePlanCase(question, why, part, { recording: basename(recording), line: o.wrong?.line ?? 0 });
  const file = join(scratch.path, 'regressions', o.wrong?.violation.rule ?? 'candidate', `${storedId(made)}.json`);
  writeWhole(file, encodeStored(made));
  return file;
}

async function recorded(s: WhatIfSettings): Promise<Row> {
  try {
    return await whatIf(s.file, null, s.range);
  } catch (error) {
    if (error instanceof NotReplanned) throw new UsageError(error.message);
    throw error;
  }
}

async function byCandidate(c: Named, s: WhatIfSettings): Promise<WhatIf> {
  const ended = await watch({ job: 'what-if', candidate: c.source, recording: s.file, range: s.range }, { timeoutMs: s.timeoutMs });
  if (ended.type === 'fault') return { row: faultRow(c.source.name, ended.fault), explained: null, wrong: null, fault: ended.fault };
  if (ended.type !== 'replanned') throw new Error('the thread did another job');
  return ended.outcome;
}

/** What a candidate got wrong: on the recording, and as an answer. */
function explained(c: Named, o: Stored, program: string): string[] {
  const context = { program, part: c.part, path: c.path, origin: null, file: o.file };
  const blocks: string[] = [];
  if (o.explained !== null) blocks.push([`[violation] ${o.explained.finding.rule}  planned by ${c.part}`, ...explainedLines(o.explained)].join('\n'));
  if (o.wrong !== null) blocks.push(wrongBlock({ ...o.wrong, fault: null }, context));
  if (o.fault !== null) blocks.push(wrongBlock({ question: o.fault.question, violation: null, fault: o.fault }, context));
  return blocks;
}

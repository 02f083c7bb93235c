/**
 * What if: the same recording with its invalidations of ranges planned by another planner. Each batch of the recorded driver that names addresses under
 * one ASID says what it was for: the hull of its ranges, the level of its leaves (TTL), or with Leaf = 0 the table that was removed. Its commands are
 * taken out, the planner's are put in, completed when the recorded call returns, and the whole is judged again.
 */
import { decodeCommand, decodeWords, newCommand, OP, rangeGranules, type Command } from '../spec/command.js';
import { levelFrames, tgOfCommand } from '../spec/granule.js';
import { levelBit, newDescription, type Description } from '../stack/description.js';
import { PAYLOAD_WORDS, WHOLE_TAG, type Planner } from '../stack/planner.js';
import type { ReadLimits } from '../captures/read.js';
import type { Recorded } from '../captures/recorded.js';
import { CandidateFault, type Fault } from '../compare/candidate.js';
import { judgeAnswer } from '../compare/judge-plan.js';
import type { Question } from '../compare/pulse.js';
import type { Violation } from '../stack/violation.js';
import { explain, type Explained } from './explain.js';
import { isRangeTlbi, noCommand } from './damage.js';
import type { Judge } from './judge.js';
import { onePass, type PassOptions } from './run.js';
import type { TraceResult } from './types.js';

/** A plan that does not do what its question asks, whatever the recording shows of it. */
export interface WrongPlan {
  /** Where the batch that it stands for returned. */
  readonly line: number;
  readonly question: Question;
  readonly violation: Violation;
}

/** What a candidate did to a recording. */
export interface WhatIf {
  readonly row: Row;
  /** The first finding, with the lines behind it. */
  readonly explained: Explained | null;
  readonly wrong: WrongPlan | null;
  /** What it did instead of planning. */
  readonly fault: Fault | null;
}

/** With the file that holds the wrong plan, or the question that got none; null: nothing to store. */
export interface Stored extends WhatIf {
  readonly file: string | null;
}

export interface Row {
  readonly planner: string;
  readonly verdict: TraceResult['verdict'];
  readonly findings: number;
  /** First finding, in words. */
  readonly first: string;
  /** Commands with an address, flushes of the whole tag, and 4 KiB pages that the former name. */
  readonly commands: number;
  readonly wholeTag: number;
  readonly pages: number;
  /** Batches that were planned anew, and the most commands of one. */
  readonly batches: number;
  readonly most: number;
}

/** The recording has invalidations that are not planned here. */
export class NotReplanned extends Error {}

interface Batch {
  readonly commands: Command[];
}

class Replanner {
  readonly #planner: Planner | null;
  readonly #range: boolean;
  readonly #out: Uint32Array;
  readonly #open = new Map<number, Batch>();
  readonly #taken = new Set<number>();
  /** What stands in for the batch that returns at this line. */
  readonly planned = new Map<Recorded, Command[]>();
  wrong: WrongPlan | null = null;
  commands = 0;
  wholeTag = 0;
  pages = 0;
  batches = 0;
  most = 0;

  /** `planner` null: counts what was recorded. */
  constructor(planner: Planner | null, range: boolean) {
    this.#planner = planner;
    this.#range = range;
    this.#out = new Uint32Array((planner?.room ?? 0) * PAYLOAD_WORDS);
  }

  change(r: Recorded): readonly Recorded[] {
    const w = r.what;
    if (w.kind === 'issue') this.#open.set(r.cpu, { commands: [] });
    else if (w.kind === 'cmd' && isRangeTlbi(w.raw)) {
      this.#open.get(r.cpu)?.commands.push(decodeCommand(Uint32Array.from(w.raw as readonly number[]), 0, newCommand()));
      if (this.#planner === null) return [r];
      this.#taken.add(w.idx);
      return [noCommand(r)];
    } else if (w.kind === 'take' && this.#taken.delete(w.idx)) return [];
    else if (w.kind === 'issue.ret') this.#returned(r);
    return [r];
  }

  #returned(r: Recorded): void {
    const batch = this.#open.get(r.cpu);
    this.#open.delete(r.cpu);
    if (batch === undefined || batch.commands.length === 0) return;
    this.batches += 1;
    const all: Command[] = [];
    for (const asid of new Set(batch.commands.map((c) => c.asid))) all.push(...this.#plan(r.line, asid, batch.commands.filter((c) => c.asid === asid)));
    this.most = Math.max(this.most, all.length);
    for (const c of all) {
      if (c.op === OP.TLBI_NH_ASID) { this.wholeTag += 1; continue; }
      this.commands += 1;
      const tg = tgOfCommand(c.tg);
      this.pages += tg === 0 ? 1 : rangeGranules(c) * 2 ** (tg - 12);
    }
    if (this.#planner !== null) this.planned.set(r, all);
  }

  #plan(line: number, asid: number, recorded: readonly Command[]): Command[] {
    if (this.#planner === null) return [...recorded];
    const d = described(recorded);
    const question = { description: { ...d }, features: { range: this.#range, ds: false } };
    const count = this.#planner.plan(d, question.features, this.#out);
    const violation = this.wrong === null ? judgeAnswer(question, this.#out, count) : null;
    if (violation !== null) this.wrong = { line, question, violation };
    if (count === WHOLE_TAG) return [{ ...newCommand(), op: OP.TLBI_NH_ASID, asid }];
    return Array.from({ length: count }, (_, i) => {
      const at = i * PAYLOAD_WORDS;
      const word = (k: number): number => this.#out[at + k] as number;
      return { ...decodeWords((word(0) | OP.TLBI_NH_VA) >>> 0, word(1), word(2), word(3), newCommand()), asid };
    });
  }
}

/** What a batch was for. */
export function described(commands: readonly Command[]): Description {
  const d = newDescription();
  const lasts = commands.map((c) => (c.tg === 0 ? c.frame : c.frame + rangeGranules(c) - 1));
  d.first = Math.min(...commands.map((c) => c.frame));
  d.last = Math.max(...lasts);
  for (const c of commands) {
    if (c.leaf !== 0) d.leaves |= c.ttl === 0 ? 0b111 : levelBit(c.ttl);
    else d.tables |= levelBit(d.last - d.first + 1 > levelFrames(12, 2) ? 1 : 2);
  }
  // Without a hint a command names one entry of whatever size: as much as a block of the largest level that may have changed.
  if (commands.some((c) => c.tg === 0 && c.leaf === 0)) d.last = Math.max(d.last, d.first + levelFrames(12, 2) - 1);
  return d;
}

/** The options of a pass in which this stands for the planner of the recording. */
function passOf(replanner: Replanner): Pick<PassOptions, 'change' | 'before'> {
  return {
    change: (r) => replanner.change(r),
    before: (judge: Judge, r) => {
      const commands = replanner.planned.get(r);
      if (commands === undefined) return;
      replanner.planned.delete(r);
      judge.insert(...commands);
    },
  };
}

function firstOf(result: TraceResult, wrong: WrongPlan | null): string {
  const f = result.findings[0];
  if (f !== undefined) return `line ${f.line}: ${f.actual}`;
  return wrong === null ? '' : `line ${wrong.line}: ${wrong.violation.actual}`;
}

function rowOf(name: string, replanner: Replanner, result: TraceResult): Row {
  const { wrong, commands, wholeTag, pages, batches, most } = replanner;
  return {
    planner: name, verdict: wrong === null ? result.verdict : 'violation', findings: result.findings.length + result.more, first: firstOf(result, wrong), commands, wholeTag, pages, batches, most,
  };
}

/** One row for what was recorded (`planner` null) or for a planner. */
export async function whatIf(path: string, planner: Planner | null, range: boolean, limits: Partial<ReadLimits> = {}): Promise<Row> {
  return (await whatIfPlanned(path, planner, range, limits)).row;
}

/** The same, and the first plan that does not do what its question asks. */
export async function whatIfPlanned(path: string, planner: Planner | null, range: boolean, limits: Partial<ReadLimits> = {}): Promise<Pick<WhatIf, 'row' | 'wrong'>> {
  const replanner = new Replanner(planner, range);
  const { result, needsWhole } = await onePass(path, { limits, ...passOf(replanner) });
  if (needsWhole) throw new NotReplanned(`${path}:${result.doubts[0]?.line ?? 0}: what is planned anew are the TLBI_NH_VA of 4K granules, and this recording has more (${result.doubts[0]?.why ?? ''})`);
  return { row: rowOf(planner?.name ?? 'recorded', replanner, result), wrong: replanner.wrong };
}

/** The row of a planner that gave no plan. */
export function faultRow(name: string, fault: Fault): Row {
  return { planner: name, verdict: 'violation', findings: 0, first: fault.text, commands: 0, wholeTag: 0, pages: 0, batches: 0, most: 0 };
}

/** The same for a planner from outside, with an explanation of what it got wrong. `fresh` makes it anew for each pass. */
export async function whatIfCandidate(path: string, fresh: () => Planner, range: boolean): Promise<WhatIf> {
  const first = fresh();
  const replanner = new Replanner(first, range);
  try {
    const { result } = await onePass(path, passOf(replanner));
    const finding = result.findings[0];
    const explained = finding === undefined ? null : await explain(path, finding, () => passOf(new Replanner(fresh(), range)));
    return { row: rowOf(first.name, replanner, result), explained, wrong: replanner.wrong, fault: null };
  } catch (error) {
    if (!(error instanceof CandidateFault)) throw error;
    return { row: faultRow(first.name, error.fault), explained: null, wrong: null, fault: error.fault };
  }
}

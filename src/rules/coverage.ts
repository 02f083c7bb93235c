/**
 * Rule `range-coverage`: the commands planned for one description reach every leaf of the named leaf levels and
 * every table descriptor of the named table levels in [first, last], by interval arithmetic: each command's reach is
 * widened to whole entries of the level in question (a hit anywhere in an entry removes it), and the union of the
 * reaches must have no hole. All granules and levels. A contiguous run that is cached as one entry goes when any of its entries is hit,
 * so it needs no look of its own; only on SMMUs with the erratum `wholeRunOnly` a range must have all of it.
 */
import { decodeCommand, describeCommand, newCommand, OP } from '../spec/command.js';
import { commandTg, contiguousEntries, levelFrames } from '../spec/granule.js';
import { describeDescription, type Description } from '../stack/description.js';
import { WHOLE_TAG } from '../stack/planner.js';
import type { Ledger } from './ledger.js';
import { readPlan, type PlannedCommands } from './planned.js';

/** What the answer depends on, besides the commands. */
export interface CoverageFeatures {
  readonly ds: boolean;
  /** Erratum: a merged contiguous run goes only when one range command spans it. */
  readonly wholeRunOnly: boolean;
}
const PLAIN: CoverageFeatures = { ds: false, wholeRunOnly: false };

export interface Hole {
  readonly level: number;
  readonly kind: 'leaf' | 'table' | 'run';
  readonly frame: number;
}

/** The first entry that is not reached. `words`: `count` payloads of 4 uint32. */
export function coverageHole(d: Description, words: Uint32Array, count: number, f = PLAIN): Hole | undefined {
  const plan = readPlan(words, count);
  for (let bits = d.leaves | d.tables; bits !== 0; bits &= bits - 1) {
    const bit = 31 - Math.clz32(bits & -bits);
    const level = 3 - bit;
    for (const kind of KINDS) {
      if ((((kind === 'table' ? d.tables : d.leaves) >>> bit) & 1) === 0 || (kind === 'run' && !f.wholeRunOnly)) continue;
      const frame = kind === 'run' ? firstCutRun(d, plan, level, f) : firstHole(d, plan, { level, kind }, f);
      if (frame >= 0) return { level, kind, frame };
    }
  }
  return undefined;
}

const KINDS = ['leaf', 'run', 'table'] as const;

/** First frame of the first entry that no command reaches; -1 when all are reached. */
function firstHole(d: Description, plan: PlannedCommands, entry: { level: number; kind: 'leaf' | 'table' }, f: CoverageFeatures): number {
  const span = levelFrames(d.tg, entry.level);
  let next = floorTo(d.first, span);
  for (let i = 0; i < plan.count && next <= d.last; i += 1) {
    if (!reaches(plan.hints[i] as number, d, entry, f)) continue;
    if (floorTo(plan.starts[i] as number, span) > next) return next;
    next = Math.max(next, floorTo(plan.ends[i] as number, span) + span);
  }
  return next > d.last ? -1 : next;
}

/**
 * First frame of the first whole run in the damage that no range has all of and no single address is in; -1 when there is none.
 * Runs at the ends that stick out were not there: their leaves are entries of their own.
 */
function firstCutRun(d: Description, plan: PlannedCommands, level: number, f: CoverageFeatures): number {
  const members = contiguousEntries(d.tg, level, f.ds);
  const span = members * levelFrames(d.tg, level);
  const end = floorTo(d.last + 1, span);
  let next = ceilTo(d.first, span);
  if (members === 1) return -1;
  for (let i = 0; i <= plan.count && next < end; i += 1) {
    const more = i < plan.count;
    const hint = more ? (plan.hints[i] as number) : 0;
    if (more && ((hint & 0xc00) === 0 || !reaches(hint, d, { level, kind: 'leaf' }, f))) continue;
    const from = more ? Math.min(end, ceilTo(plan.starts[i] as number, span)) : end;
    for (; next < from; next += span) if (!singleIn(plan, next, span)) return next;
    if (more) next = Math.max(next, floorTo((plan.ends[i] as number) + 1, span));
  }
  return -1;
}

/** Is a single address in [first, first + frames)? */
function singleIn(plan: PlannedCommands, first: number, frames: number): boolean {
  let low = 0;
  let high = plan.count;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if ((plan.starts[mid] as number) < first) low = mid + 1;
    else high = mid;
  }
  for (let i = low; i < plan.count && (plan.starts[i] as number) < first + frames; i += 1) if (((plan.hints[i] as number) & 0xc00) === 0) return true;
  return false;
}

function floorTo(frame: number, span: number): number {
  return Math.floor(frame / span) * span;
}

function ceilTo(frame: number, span: number): number {
  return Math.ceil(frame / span) * span;
}

/** Does a command with this hint ask for entries of this kind? A TG that is not that of the tables asks for none (§4.4.1.1). */
function reaches(hint: number, d: Description, entry: { readonly level: number; readonly kind: string }, f: CoverageFeatures): boolean {
  const tg = (hint >>> 10) & 3;
  const named = (hint >>> 8) & 3;
  const ttl = tg === 0 || (named === 1 && d.tg === 14 && !f.ds) ? 0 : named;
  if (tg !== 0 && tg !== commandTg(d.tg)) return false;
  if (entry.kind === 'table') return (hint & 1) === 0 && (ttl === 0 || entry.level < ttl);
  return ttl === 0 || ttl === entry.level;
}

const SHOWN = 4;
const scratch = newCommand();
const raw = new Uint32Array(4);

/** The planned commands, and what each reaches, for the reader. */
function story(d: Description, words: Uint32Array, count: number, hole: Hole): string[] {
  const lines = [`the gather says ${describeDescription(d)}`];
  for (let i = 0; i < Math.min(count, SHOWN); i += 1) {
    raw.set(words.subarray(i * 4, i * 4 + 4));
    raw[0] = (words[i * 4] as number) | OP.TLBI_NH_VA;
    const c = decodeCommand(raw, 0, scratch);
    const why = reaches((words[i * 4 + 2] as number) & 0xfff, d, hole, PLAIN) ? (hole.kind === 'run' ? 'it has not all of the run' : 'it reaches only the addresses it covers')
      : c.tg !== 0 && c.tg !== commandTg(d.tg) ? 'its granule is not that of the tables (§4.4.1.1)'
        : c.leaf !== 0 && hole.kind === 'table' ? 'Leaf = 1 asks for no table descriptor (§4.4.1.1)' : `TTL = ${c.ttl} does not ask for level ${hole.level} (§4.4.1.1)`;
    lines.push(`planned ${describeCommand(c)}: ${why}`);
  }
  if (count > SHOWN) lines.push(`… and ${count - SHOWN} more`);
  return lines;
}

/** One plan, for one SMMU. */
export interface Planned {
  readonly smmu: number;
  readonly d: Description;
  readonly words: Uint32Array;
  /** Payloads, or WHOLE_TAG. */
  readonly count: number;
}

export function judgeCoverage(ledger: Ledger, p: Planned, f = PLAIN): void {
  const { d, words, count } = p;
  if (!d.all && d.leaves === 0 && d.tables === 0) return;
  ledger.judge('range-coverage');
  if (count === WHOLE_TAG) return;
  if (d.all) ledger.fail('range-coverage', 'everything was asked, a range was planned', 'a whole-tag command', `${count} commands for SMMU ${p.smmu}`);
  const hole = coverageHole(d, words, count, f);
  if (hole === undefined) return;
  const what = `the level ${hole.level} ${hole.kind === 'run' ? 'contiguous run' : hole.kind} at 0x${(hole.frame * 4096).toString(16)} is not reached${hole.kind === 'run' ? ' by one range' : ''}`;
  ledger.fail('range-coverage', `a level ${hole.level} ${hole.kind} is not reached`, `commands that reach ${describeDescription(d)}`,
    `${count} command${count === 1 ? '' : 's'} for SMMU ${p.smmu}: ${what}`, undefined, story(d, words, count, hole));
}

/**
 * Judge plan: one plan by itself, without an SMMU that carries it out: rules `range-coverage` and `illegal-command` over any granule; and the smallest
 * question that shows the same.
 */
import { judgePlan } from '../prove/plan.js';
import { coverageHole } from '../rules/coverage.js';
import { commandError, decodeWords, describeCommand, newCommand, OP } from '../spec/command.js';
import { POW2 } from '../spec/bits.js';
import { levelFrames } from '../spec/granule.js';
import { describeDescription, type Description } from '../stack/description.js';
import { PAYLOAD_WORDS, WHOLE_TAG, type Planner } from '../stack/planner.js';
import type { Violation } from '../stack/violation.js';
import { CandidateFault, type Fault } from './candidate.js';
import { commandsOf, sheetFeatures } from './plan-sheet.js';
import { countPlan, newCost, type Cost } from './cost.js';
import type { Question } from './pulse.js';

/** What came of one question. */
export interface Answer {
  readonly count: number;
  readonly violation: Violation | null;
  readonly fault: Fault | null;
}

const SHOWN = 4;
/** Commands of a plan that is explained one by one. */
const TOLD_MAX = 512;

/** `words`: room for the planner's answer. */
export function answer(planner: Planner, q: Question, words: Uint32Array): Answer {
  let count: number;
  try {
    count = planner.plan({ ...q.description }, q.features, words);
  } catch (error) {
    if (error instanceof CandidateFault) return { count: 0, violation: null, fault: error.fault };
    throw error;
  }
  return { count, violation: judgeAnswer(q, words, count), fault: null };
}

/** The same, and once more: a planner that answers one question in two ways is none. */
export function answerTwice(planner: Planner, q: Question, words: Uint32Array, again: Uint32Array): Answer {
  const first = answer(planner, q, words);
  if (first.violation !== null || first.fault !== null) return first;
  const second = answer(planner, q, again);
  if (second.fault !== null) return second;
  let same = first.count === second.count;
  for (let i = 0; same && i < first.count * PAYLOAD_WORDS; i += 1) same = words[i] === again[i];
  return same ? first : { ...first, fault: { kind: 'garbage', text: 'it answered the same question in two ways, one after the other', question: q } };
}

export function roomOf(planner: Planner): Uint32Array {
  return new Uint32Array(Math.max(1, planner.room) * PAYLOAD_WORDS);
}

const scratch = newCommand();

/** Why each command leaves what it leaves, in the words of `prove`; of very long plans only what was planned. */
function because(q: Question, words: Uint32Array, count: number): readonly string[] {
  const told = count > TOLD_MAX ? [] : judgePlan(q.description, { ...q.features, wholeRunOnly: false }, { words, count }, undefined).violations;
  return told[0]?.because ?? planned(words, count);
}

function planned(words: Uint32Array, count: number): string[] {
  const first = commandsOf(words, Math.min(count, SHOWN)).map((c) => `planned ${describeCommand(c)}`);
  return count > SHOWN ? [...first, `… and ${count - SHOWN} more`] : first;
}

/** What is wrong with `count` commands as the answer to a question. */
export function judgeAnswer(q: Question, words: Uint32Array, count: number): Violation | null {
  const d = q.description;
  if (count === WHOLE_TAG) return null;
  const features = sheetFeatures(q.features);
  for (let i = 0; i < count; i += 1) {
    const at = i * PAYLOAD_WORDS;
    const c = decodeWords((words[at] as number) | OP.TLBI_NH_VA, 0, words[at + 2] as number, words[at + 3] as number, scratch);
    const error = commandError(c, features);
    if (error !== undefined) return { rule: 'illegal-command', cause: error.replace(/ \(§[^)]*\)/, '').replace(/\d+/g, '#'), expected: 'legal commands', actual: `${describeCommand(c)}: ${error}`, because: because(q, words, count) };
  }
  if (d.all) return { rule: 'range-coverage', cause: 'everything was asked, a range was planned', expected: 'a whole-tag command', actual: `${count} commands`, because: because(q, words, count) };
  const hole = coverageHole(d, words, count, { ds: q.features.ds, wholeRunOnly: false });
  if (hole === undefined) return null;
  return {
    rule: 'range-coverage', cause: `a level ${hole.level} ${hole.kind} is not reached`, expected: `commands that reach ${describeDescription(d)}`,
    actual: `${count} command${count === 1 ? '' : 's'}: the level ${hole.level} ${hole.kind} at 0x${(BigInt(hole.frame) * 4096n).toString(16)} is not reached`, because: because(q, words, count),
  };
}

/** The same thing went wrong. */
export function alike(a: Answer, b: Answer): boolean {
  if (a.fault !== null || b.fault !== null) return a.fault?.kind === b.fault?.kind;
  return a.violation !== null && b.violation !== null && a.violation.rule === b.violation.rule && a.violation.cause === b.violation.cause;
}

/** What both planners spend on one question. */
export function spentOn(q: Question, planner: Planner, words: Uint32Array): Cost | null {
  const a = answer(planner, q, words);
  if (a.violation !== null || a.fault !== null) return null;
  const cost = newCost();
  countAnswer(cost, q, words, a.count);
  return cost;
}

/** A whole-tag flush is one command. */
export function countAnswer(cost: Cost, q: Question, words: Uint32Array, n: number): void {
  countPlan(cost, q.description, words, n);
  cost.commands += n === WHOLE_TAG ? 1 : n;
}

/** Smaller questions of the same kind, the smallest first: fewer levels, nearer to 0, shorter. */
function smaller(q: Question): Question[] {
  const d = q.description;
  const granule = POW2[d.tg - 12] as number;
  const made: Description[] = [];
  for (let bit = 0; bit < 4; bit += 1) {
    if ((d.leaves & (1 << bit)) !== 0) made.push({ ...d, leaves: d.leaves & ~(1 << bit) });
    if ((d.tables & (1 << bit)) !== 0) made.push({ ...d, tables: d.tables & ~(1 << bit) });
  }
  const units = [levelFrames(d.tg, 1), levelFrames(d.tg, 2), granule];
  for (const unit of units) {
    const down = d.first - (d.first % unit === 0 ? d.first : d.first % unit);
    if (down < d.first) made.push({ ...d, first: down, last: d.last - d.first + down });
    for (let n = Math.floor((d.last - d.first + 1) / unit / 2); n >= 1; n = Math.floor(n / 2)) made.push({ ...d, last: d.last - n * unit });
  }
  return made.filter((m) => m.last > m.first && (m.leaves | m.tables) !== 0 && fits(m)).map((description) => ({ ...q, description }));
}

/** Could these entries have been damaged: does the smallest fit the ends, and the largest the length? */
function fits(d: Description): boolean {
  const bits = d.leaves | d.tables;
  const span = (bit: number): number => levelFrames(d.tg, 3 - bit);
  const least = span(31 - Math.clz32(bits & -bits));
  const most = span(31 - Math.clz32(bits));
  return d.first % least === 0 && (d.last + 1) % least === 0 && d.last + 1 - d.first >= most;
}

/** Steps of simplification at most. */
const STEPS_MAX = 200;

/** The smallest question found for which `shows` holds, as it does for `start`. */
export function shrinkQuestion(start: Question, shows: (q: Question) => boolean): Question {
  let best = start;
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const next = smaller(best).find(shows);
    if (next === undefined) return best;
    best = next;
  }
  return best;
}

/**
 * Plan: one plan judged with everything that is worth telling: by the interval judge and by the literal check, which must agree; each command
 * in words, what stays, and why each command leaves it.
 */
import { describeCommand } from '../spec/command.js';
import { DEFAULT_PLANNER, findPlanner } from '../parts/planners.js';
import type { PlanCase, PlanFeatures, PlanRule } from '../operations/plan-case.js';
import { describeDescription, type Description } from '../stack/description.js';
import { isCandidatePart, PAYLOAD_WORDS, WHOLE_TAG, type Planner } from '../stack/planner.js';
import { BAD, Judge, type Hole } from './judge.js';
import { literal, sentOf, stays, whyStays } from './literal.js';

export interface PlanViolation {
  readonly rule: PlanRule;
  /** A short stable key. */
  readonly cause: string;
  readonly expected: string;
  readonly actual: string;
  readonly because: readonly string[];
}

export interface Judged {
  /** The commands in words; null: the whole tag. */
  readonly commands: readonly string[] | null;
  /** What is broken: illegal commands first, because what they should have removed stays as well. */
  readonly violations: readonly PlanViolation[];
}

const ORDER: readonly PlanRule[] = ['illegal-command', 'range-coverage', 'command-bound', 'over-invalidation'];

/** Entries up to which the literal check looks at every one of them. */
const LITERAL_FRAMES = 65536;
const LITERAL_COMMANDS = 1024;
/** Commands that are told one by one. */
const TOLD = 6;

/** What a planner gives for a description, as payloads. */
export function planOf(p: Planner, d: Readonly<Description>, f: PlanFeatures): { readonly words: Uint32Array; readonly count: number } {
  const words = new Uint32Array(Math.max(1, p.room) * PAYLOAD_WORDS);
  return { words, count: p.plan({ ...d }, { range: f.range, ds: f.ds }, words) };
}

/** The payloads of a case that has its own; null: its planner is asked. */
export function payloadsOf(c: Pick<PlanCase, 'subject'>): { readonly words: Uint32Array; readonly count: number } | null {
  if (!('payloads' in c.subject)) return null;
  const { payloads } = c.subject;
  return payloads === 'whole-tag' ? { words: new Uint32Array(0), count: WHOLE_TAG } : { words: Uint32Array.from(payloads.flat()), count: payloads.length };
}

/** Judges a plan. `promise`: of the planner, if it made one. Throws when the two judges disagree. */
export function judgePlan(d: Readonly<Description>, f: PlanFeatures, plan: { readonly words: Uint32Array; readonly count: number }, promise: Planner['promise']): Judged {
  const { words, count } = plan;
  if (d.all) return everything(plan, f);
  const judge = new Judge();
  judge.prepare(f, d.tg, d, promise);
  const bad = judge.check(d.first, d.last, words, count);
  agree(d, f, plan, bad);
  const commands = count === WHOLE_TAG ? null : Array.from({ length: count }, (_, i) => describeCommand(sentOf(words, i, f).command));
  const violations: PlanViolation[] = [];
  const hole = judge.firstHole(d.first, d.last, words, count) ?? (f.wholeRunOnly ? judge.firstRun(d.first, d.last, words, count) : null);
  if ((bad & (f.wholeRunOnly ? BAD.contiguous : BAD.coverage)) !== 0 && hole !== null) violations.push(coverage(d, f, plan, hole));
  if ((bad & BAD.legality) !== 0) violations.push(illegal(f, plan));
  if ((bad & BAD.over) !== 0) violations.push(over(d, f, plan, promise));
  if ((bad & BAD.bound) !== 0) violations.push(bound(f, count, promise));
  return { commands, violations: violations.sort((a, b) => ORDER.indexOf(a.rule) - ORDER.indexOf(b.rule)) };
}

/** A stored plan case judged again; the planner must exist. What was found with a candidate, the default planner must do right. */
export function judgePlanCase(c: PlanCase): Judged {
  const own = payloadsOf(c);
  const name = c.subject.parts.planner;
  const planner = name === undefined ? undefined : findPlanner(isCandidatePart(name) ? DEFAULT_PLANNER : name);
  if (name !== undefined && planner === undefined) throw new Error(`there is no planner "${name}"`);
  if (own !== null) return judgePlan(c.description, c.features, own, planner?.promise);
  if (planner === undefined) throw new Error('a plan case has neither a planner nor payloads');
  return judgePlan(c.description, c.features, planOf(planner, c.description, c.features), planner.promise);
}

/** What is told of the broken rules of a case: the one that it expects, if that is among them. */
export function violationOf(c: Pick<PlanCase, 'expect'>, judged: Judged): PlanViolation | null {
  return judged.violations.find((v) => v.rule === c.expect.rule) ?? judged.violations[0] ?? null;
}

function everything({ words, count }: { readonly words: Uint32Array; readonly count: number }, f: PlanFeatures): Judged {
  if (count === WHOLE_TAG) return { commands: null, violations: [] };
  const commands = Array.from({ length: count }, (_, i) => describeCommand(sentOf(words, i, f).command));
  return { commands, violations: [{ rule: 'range-coverage', cause: 'everything was asked, a range was planned', expected: 'a whole-tag command', actual: `${count} commands`, because: [] }] };
}

/** The literal check as a second opinion, where it is affordable whole; else only of what the judge found. */
function agree(d: Readonly<Description>, f: PlanFeatures, { words, count }: { readonly words: Uint32Array; readonly count: number }, bad: number): void {
  if (count > LITERAL_COMMANDS || d.last - d.first >= LITERAL_FRAMES) return;
  const slow = literal(d, f, words, count);
  const same = (slow.hole !== null) === ((bad & BAD.coverage) !== 0) && (slow.run !== null) === ((bad & BAD.contiguous) !== 0) && slow.illegal >= 0 === ((bad & BAD.legality) !== 0);
  if (!same) throw new Error(`the interval judge and the literal check disagree about ${describeDescription(d)}`);
}

/** `leaf at level 2`, as a reader says it. */
export function holeText(h: Hole): string {
  const what = h.kind === 'leaf' ? 'leaf' : h.kind === 'run' ? 'contiguous run' : 'table descriptor';
  return `the level ${h.level} ${what} of ${address(h.frame, false)}..${address(h.frame + h.frames - 1, true)}`;
}

function address(frame: number, end: boolean): string {
  return frame === 0 && !end ? '0x0' : `0x${frame === 0 ? '' : frame.toString(16)}${end ? 'fff' : '000'}`;
}

function coverage(d: Readonly<Description>, f: PlanFeatures, { words, count }: { readonly words: Uint32Array; readonly count: number }, hole: Hole): PlanViolation {
  if (!stays(d, f, hole, words, count)) throw new Error(`the reference removes ${holeText(hole)}, which the interval judge says stays`);
  const because = [`the description says ${describeDescription(d)}`];
  for (let i = 0; i < Math.min(count, TOLD); i += 1) {
    const sent = sentOf(words, i, f);
    because.push(`${describeCommand(sent.command)}: ${whyStays(d.tg, f, hole, sent)}`);
  }
  if (count > TOLD) because.push(`… and ${count - TOLD} more commands`);
  if (count === 0) because.push('no command at all');
  return {
    rule: 'range-coverage', cause: `a level ${hole.level} ${hole.kind === 'run' ? 'contiguous run' : hole.kind} is not reached`, expected: 'commands that remove every damaged entry', actual: `${holeText(hole)} stays`, because,
  };
}

function illegal(f: PlanFeatures, { words, count }: { readonly words: Uint32Array; readonly count: number }): PlanViolation {
  const all = Array.from({ length: count }, (_, i) => sentOf(words, i, f));
  const at = all.findIndex((s) => s.error !== undefined);
  const sent = all[at];
  if (sent === undefined) throw new Error('the interval judge finds an illegal command where spec/command.ts has none');
  return {
    rule: 'illegal-command', cause: (sent.error as string).replace(/(2\^|SCALE )\d+/g, '$1n'), expected: 'commands that the SMMU must take', actual: `command ${at + 1} of ${count}, ${describeCommand(sent.command)}: ${sent.error as string}`, because: [],
  };
}

function over(d: Readonly<Description>, f: PlanFeatures, { words, count }: { readonly words: Uint32Array; readonly count: number }, promise: Planner['promise']): PlanViolation {
  const granules = (d.last - d.first + 1) / 2 ** (d.tg - 12);
  const most = f.range ? (promise?.over(granules) ?? Infinity) : 0;
  const { beyond } = literal({ ...d, leaves: 0, tables: 0 }, f, words, count);
  return {
    rule: 'over-invalidation', cause: 'the plan reaches too far beyond the damage', expected: `at most ${Math.floor(most)} granules beyond the ${granules} of the damage`, actual: `${beyond} granules beyond`, because: [],
  };
}

function bound(f: PlanFeatures, count: number, promise: Planner['promise']): PlanViolation {
  const most = f.range ? promise?.range : promise?.single;
  return { rule: 'command-bound', cause: 'more commands than promised', expected: `at most ${most ?? 'any number of'} commands`, actual: `${count} commands`, because: [] };
}

/**
 * Explain: why a fact outlived what should have removed it. The failing sequence is run once more with a log; the
 * chain store → commands → SYNC is read off it, with the reason why each command leaves the fact. Then commands that
 * must remove such a fact are inserted, one at a time, and the sequence is run again: what makes the violation go
 * away is *verified* as the missing command.
 */
import { describeCommand, encodeCommand, OP } from '../spec/command.js';
import type { Operation } from '../stack/operation.js';
import type { FactPlace, Violation } from '../stack/violation.js';
import type { World } from '../stack/world.js';
import { Log, type Entry } from './log.js';
import type { LockstepOptions } from './lockstep.js';
import { address, names, remedies, whyNot } from './place.js';
import { replay } from './replay.js';

export { whyNot } from './place.js';

export interface Explanation {
  readonly because: readonly string[];
  /** The inserted command that removes the violation, in words; null when no single one does. */
  readonly verified: string | null;
  /** How many insertions were tried; 0 when the kind of violation has no missing command. */
  readonly tried: number;
}

/** What is tested: a mutant, a planner. */
export type Subject = Pick<LockstepOptions, 'mutant' | 'planner'>;

const SHOWN = 6;

/** `subject`: what was run: the mutant's name, or as it was given to the lockstep. */
export function explain(world: World, operations: readonly Operation[], violation: Violation, tested: string | Subject = {}): Explanation {
  const subject = typeof tested === 'string' ? { mutant: tested } : tested;
  const log = new Log();
  const again = replay(world, operations, { ...subject, log });
  const place = violation.fact;
  if (place === undefined) return { because: violation.because, verified: null, tried: 0 };
  const because = chain(log.entries, place, operations.length);
  if (again.violation === null) return { because: ['the failure did not happen again: not deterministic'], verified: null, tried: 0 };
  const { verified, tried } = verify(world, operations, violation, again.failedStep, place, subject);
  return { because: [...violation.because, ...because], verified, tried };
}

function opName(op: number, end: number): string {
  return op < 0 ? 'reset' : op >= end ? 'the end of the run' : `op ${op + 1}`;
}

/** The story of one fact, oldest first. */
function chain(entries: readonly Entry[], place: FactPlace, end: number): string[] {
  const lines: string[] = [];
  const start = lastIndex(entries, (e) => concerns(e, place));
  const cause = entries[start];
  if (cause === undefined) lines.push('the entry was cacheable from the moment memory showed it');
  else if (cause.kind === 'hidden') lines.push(`${opName(cause.op, end)} made the entry {asid ${cause.asid} ${address(cause.va)} -> ${address(cause.pa)} level ${cause.level}} stale: its descriptor changed`);
  else if (cause.kind === 'unlinked') lines.push(`${opName(cause.op, end)} unlinked the table of ${address(cause.va)}: its level ${cause.level} descriptor {asid ${cause.asid}} may still be cached`);
  else if (cause.kind === 'closed') lines.push(`${opName(cause.op, end)} retired the last CD or STE with asid ${cause.asid} on SMMU ${cause.smmu}: what is cached under it stays until it is invalidated`);
  else if (cause.kind === 'entry') lines.push(`${opName(cause.op, end)} changed the ${cause.entry.toUpperCase()} of stream ${cause.sid}: the older form may still be cached`);
  const since = entries.slice(Math.max(0, start)).filter((e) => (e.kind === 'command' || e.kind === 'synced') && e.smmu === place.smmu);
  const syncs = since.filter((e) => e.kind === 'synced').length;
  let shown = 0;
  let hiddenCommands = 0;
  for (const e of since) {
    if (e.kind !== 'command' || e.command.op === OP.SYNC) continue;
    if (shown >= SHOWN) { hiddenCommands += 1; continue; }
    shown += 1;
    lines.push(`${opName(e.op, end)} ${describeCommand(e.command)}: ${syncs === 0 && names(e.command, place) ? 'names it, but no CMD_SYNC completes it' : whyNot(e.command, place)}`);
  }
  if (hiddenCommands > 0) lines.push(`… and ${hiddenCommands} more commands that leave it`);
  if (shown === 0) lines.push(`no command went to SMMU ${place.smmu} since`);
  lines.push(syncs === 0 ? 'no CMD_SYNC completed since, so nothing is retired' : `${syncs} CMD_SYNC completed since, and none of them retires it`);
  return lines;
}

function lastIndex(entries: readonly Entry[], test: (e: Entry) => boolean): number {
  for (let i = entries.length - 1; i >= 0; i -= 1) if (test(entries[i] as Entry)) return i;
  return -1;
}

function concerns(e: Entry, place: FactPlace): boolean {
  if (e.kind === 'entry') return e.smmu === place.smmu && e.entry === place.kind && e.sid === place.sid;
  if (e.kind === 'closed') return place.asid === e.asid && e.smmu === place.smmu;
  if (e.kind === 'hidden') return place.kind === 'leaf' && e.smmu === place.smmu && e.asid === place.asid && overlap(e, place);
  if (e.kind === 'unlinked') return (place.kind === 'table' || place.kind === 'leaf') && e.smmu === place.smmu && e.asid === place.asid && overlap(e, place);
  return false;
}

function overlap(e: { va: number; frames: number }, place: FactPlace): boolean {
  const frame = place.frame ?? 0;
  return e.va < frame + (place.frames ?? 1) && frame < e.va + e.frames;
}

function verify(world: World, operations: readonly Operation[], violation: Violation, failedAt: number, place: FactPlace,
  subject: Subject): { verified: string | null; tried: number } {
  let tried = 0;
  const words = new Uint32Array(4);
  for (const command of remedies(place)) {
    encodeCommand(command, words);
    for (let op = failedAt; op >= Math.max(-1, failedAt - 4); op -= 1) {
      for (const where of ['batch', 'after'] as const) {
        tried += 1;
        const injection = { operation: op, smmu: place.smmu, words: [...words], where };
        const again = replay(world, operations, { ...subject, injection });
        if (again.unmodelled !== null || again.failedStep >= 0 && again.failedStep < failedAt) continue;
        const later = again.violation !== null && again.failedStep > failedAt;
        if (again.violation !== null && !later && sameFact(again.violation, violation)) continue;
        const rest = again.violation === null ? '' : later ? ' here (the next such call breaks the rule again)' : ' for this entry (others remain)';
        const when = where === 'batch' ? `with the commands of ${opName(op, operations.length)}` : `and CMD_SYNC at the end of ${opName(op, operations.length)}`;
        return { verified: `inserting ${describeCommand(command)} ${when} removes the violation${rest}`, tried };
      }
    }
  }
  return { verified: null, tried };
}

function sameFact(a: Violation, b: Violation): boolean {
  return a.rule === b.rule && JSON.stringify(a.fact) === JSON.stringify(b.fact);
}

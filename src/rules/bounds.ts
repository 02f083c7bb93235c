/**
 * Rules `over-invalidation` and `command-bound`: what a planner promises of every plan (seed 0: one range command for a whole gather,
 * over-invalidating a little; at most 512 single commands, else the whole tag). Over-invalidation is always legal, so a candidate without
 * a promise is not judged; nor is the whole tag, which is no range. And `illegal-command` for what was planned, before it is sent.
 */
import { commandError, decodeCommand, describeCommand, newCommand, OP, type CommandFeatures } from '../spec/command.js';
import { POW2 } from '../spec/bits.js';
import { describeDescription, type Description } from '../stack/description.js';
import { PAYLOAD_WORDS, WHOLE_TAG, type PlannerPromise } from '../stack/planner.js';
import { violate } from '../stack/violation.js';
import type { Planned } from './coverage.js';
import { ruleIndex, type Ledger } from './ledger.js';
import { readPlan } from './planned.js';

const ILLEGAL = ruleIndex('illegal-command');
const OVER = ruleIndex('over-invalidation');
const BOUND = ruleIndex('command-bound');

/** Granules that the commands reach outside of [first, last], each command for itself. */
export function granulesBeyond(d: Description, words: Uint32Array, count: number): number {
  const plan = readPlan(words, count);
  let beyond = 0;
  for (let i = 0; i < plan.count; i += 1) {
    const start = plan.starts[i] as number;
    const end = plan.ends[i] as number;
    const inside = Math.min(end, d.last) - Math.max(start, d.first) + 1;
    beyond += end - start + 1 - Math.max(0, inside);
  }
  return beyond / (POW2[d.tg - 12] as number);
}

export function judgeOverInvalidation(ledger: Ledger, p: Planned, promise: PlannerPromise, range: boolean): void {
  if (p.count === WHOLE_TAG || p.d.all) return;
  ledger.judgeAt(OVER);
  const n = (p.d.last - p.d.first + 1) / (POW2[p.d.tg - 12] as number);
  const most = range ? promise.over(n) : 0;
  const beyond = granulesBeyond(p.d, p.words, p.count);
  if (beyond <= most) return;
  ledger.fail('over-invalidation', `more is reached than promised ${range ? 'with' : 'without'} range support`, most < 1 ? `nothing beyond ${describeDescription(p.d)}` : `at most ${counted(Math.floor(most))} beyond the ${n} of ${describeDescription(p.d)}`,
    `${p.count} command${p.count === 1 ? '' : 's'} for SMMU ${p.smmu}, reaching ${counted(beyond)} beyond`, undefined, planLines(p));
}

function counted(granules: number): string {
  return `${granules} granule${granules === 1 ? '' : 's'}`;
}

export function judgeCommandBound(ledger: Ledger, p: Planned, promise: PlannerPromise, range: boolean): void {
  if (p.count === WHOLE_TAG || p.d.all) return;
  ledger.judgeAt(BOUND);
  const most = range ? promise.range : promise.single;
  if (p.count <= most) return;
  ledger.fail('command-bound', `more commands than promised ${range ? 'with' : 'without'} range support`, `at most ${most} command${most === 1 ? '' : 's'}, else the whole tag`,
    `${p.count} commands for SMMU ${p.smmu}`, undefined, planLines(p));
}

/** Bits of a payload that no field has: opcode, tag and what is reserved. */
const RESERVED = [0xfc0e0fff, 0xffffffff, 0x000000fe, 0];

const scratch = newCommand();
const raw = new Uint32Array(PAYLOAD_WORDS);

/** Why a payload is none, or would be illegal in a command by VA for this SMMU; `undefined` for a legal one. */
export function payloadError(words: Uint32Array, at: number, f: CommandFeatures): string | undefined {
  const w0 = words[at] as number;
  const w2 = words[at + 2] as number;
  if (w0 === 0 && words[at + 1] === 0 && (w2 & 0xffe) === 0) return undefined; // a single address
  for (let i = 0; i < PAYLOAD_WORDS; i += 1) {
    if (((words[at + i] as number) & (RESERVED[i] as number)) !== 0) return 'a payload has bits outside of NUM, SCALE, Leaf, TTL, TG and address';
  }
  return commandError(commandAt(words, at), f);
}

function commandAt(words: Uint32Array, at: number): ReturnType<typeof newCommand> {
  raw[0] = (words[at] as number) | OP.TLBI_NH_VA;
  for (let i = 1; i < PAYLOAD_WORDS; i += 1) raw[i] = words[at + i] as number;
  return decodeCommand(raw, 0, scratch);
}

/** The violation is counted by whoever guards the call, as that of a command in the queue. */
export function judgeLegality(ledger: Ledger, p: Planned, f: CommandFeatures): void {
  for (let i = 0; i < p.count; i += 1) {
    const error = payloadError(p.words, i * PAYLOAD_WORDS, f);
    ledger.judgeAt(ILLEGAL);
    if (error === undefined) continue;
    violate({
      rule: 'illegal-command', cause: `${OP.TLBI_NH_VA}:${error.replace(/0x[0-9a-f]+|\d+/g, '#')}`, expected: 'a legal command',
      actual: `planned for SMMU ${p.smmu}: ${describeCommand(commandAt(p.words, i * PAYLOAD_WORDS))}: ${error}`, because: [`the gather says ${describeDescription(p.d)}`],
    });
  }
}

const SHOWN = 4;

function planLines(p: Planned): string[] {
  const lines = [`the gather says ${describeDescription(p.d)}`];
  for (let i = 0; i < Math.min(p.count, SHOWN); i += 1) lines.push(`planned ${describeCommand(commandAt(p.words, i * PAYLOAD_WORDS))}`);
  if (p.count > SHOWN) lines.push(`… and ${p.count - SHOWN} more`);
  return lines;
}

/**
 * Plan sheet: what one planner makes of one invalidation, decoded and judged: how many commands, what they reach, how far beyond the range
 * that is, whether every named leaf and table is reached, every command legal, and what the planner promises kept, by the arithmetic of the
 * rules. For the verb `plan` and for the tables of `compare`; nothing here is hot.
 */
import { granulesBeyond, payloadError } from '../rules/bounds.js';
import { coverageHole } from '../rules/coverage.js';
import { readPlan } from '../rules/planned.js';
import { POW2 } from '../spec/bits.js';
import { decodeCommand, newCommand, OP, type Command, type CommandFeatures } from '../spec/command.js';
import type { Description } from '../stack/description.js';
import { PAYLOAD_WORDS, WHOLE_TAG, type Planner, type PlannerFeatures } from '../stack/planner.js';

/** Commands of one plan that a sheet holds: a plan of the oldest planner may have 2^18. */
export const LISTED = 512;

export interface Span {
  /** Frames (4 KiB), last inclusive. */
  readonly first: number;
  readonly last: number;
}

export interface PlanSheet {
  readonly planner: string;
  readonly range: boolean;
  readonly ds: boolean;
  /** The planner gave up for the whole tag: no commands. */
  readonly whole: boolean;
  readonly count: number;
  /** The first LISTED of them. */
  readonly commands: readonly Command[];
  /** What range commands reach, or from the first to the last single address; null for the whole tag. */
  readonly reach: Span | null;
  /** Granules that range commands reach outside of the description; a single address reaches only the entries that hold it. -1: everything. */
  readonly beyond: number;
  /** What is not reached, or why a command is illegal, or what the planner promised and does not keep; null: nothing of the kind. */
  readonly wrong: string | null;
}

/** An SMMU that takes every invalidation of stage 1, with or without ranges. */
export function sheetFeatures(f: PlannerFeatures): CommandFeatures {
  return { stage1: true, stage2: true, hyp: true, range: f.range, ds: f.ds, ats: true, pri: true, stall: true, asidBits: 16, vmidBits: 16 };
}

/** The commands that `count` payloads are, as by-address invalidations of stage 1. */
export function commandsOf(words: Uint32Array, count: number): Command[] {
  const raw = new Uint32Array(PAYLOAD_WORDS);
  return Array.from({ length: count }, (_, i) => {
    raw.set(words.subarray(i * PAYLOAD_WORDS, (i + 1) * PAYLOAD_WORDS));
    raw[0] = (raw[0] as number) | OP.TLBI_NH_VA;
    return decodeCommand(raw, 0, newCommand());
  });
}

/** From the first frame that a command covers to the last. */
function reachOf(words: Uint32Array, count: number): Span | null {
  if (count === 0) return null;
  const plan = readPlan(words, count);
  let last = plan.ends[0] as number;
  for (let i = 1; i < count; i += 1) last = Math.max(last, plan.ends[i] as number);
  return { first: plan.starts[0] as number, last };
}

/** Granules of the description. */
export function granulesOf(d: Description): number {
  return (d.last - d.first + 1) / (POW2[d.tg - 12] as number);
}

function legality(words: Uint32Array, count: number, f: PlannerFeatures): string | null {
  const features = sheetFeatures(f);
  for (let i = 0; i < count; i += 1) {
    const error = payloadError(words, i * PAYLOAD_WORDS, features);
    if (error !== undefined) return `command ${i}: ${error}`;
  }
  return null;
}

function promiseBroken(p: Planner, d: Description, f: PlannerFeatures, made: { readonly count: number; readonly beyond: number }): string | null {
  if (p.promise === undefined) return null;
  const most = f.range ? p.promise.range : p.promise.single;
  if (made.count > most) return `${made.count} commands, where ${p.name} promises at most ${most}`;
  const over = f.range ? p.promise.over(granulesOf(d)) : 0;
  return made.beyond > over ? `${made.beyond} granules too far, where ${p.name} promises at most ${over}` : null;
}

/** The plan of `planner` for `d` on an SMMU with these features, judged. `wholeRunOnly`: with the erratum about contiguous runs. */
export function planSheet(planner: Planner, d: Description, features: PlannerFeatures, wholeRunOnly = false): PlanSheet {
  const words = new Uint32Array(planner.room * PAYLOAD_WORDS);
  const made = planner.plan(d, features, words);
  const named = { planner: planner.name, range: features.range, ds: features.ds };
  if (made === WHOLE_TAG) return { ...named, whole: true, count: 0, commands: [], reach: null, beyond: -1, wrong: null };
  const beyond = granulesBeyond(d, words, made);
  const hole = coverageHole(d, words, made, { ds: features.ds, wholeRunOnly });
  const unreached = hole === undefined ? null : `the level ${hole.level} ${hole.kind} at 0x${(BigInt(hole.frame) * 4096n).toString(16)} is not ${hole.kind === 'run' ? 'whole in one range' : 'reached'}`;
  return {
    ...named, whole: false, count: made, commands: commandsOf(words, Math.min(made, LISTED)), reach: reachOf(words, made), beyond,
    wrong: unreached ?? legality(words, made, features) ?? promiseBroken(planner, d, features, { count: made, beyond }),
  };
}

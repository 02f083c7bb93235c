/**
 * Literal: the slow twin of judge.ts. Every entry that was damaged is a fact of the reference machine, every payload a whole command (TLBI_NH_VA
 * of one ASID), and the reference's own matching rule says for each pair whether the command must remove the entry (IHI 0070 §4.4).
 */
import { OP, commandError, decodeCommand, newCommand, rangeGranules, reservedBits, type Command, type CommandFeatures } from '../spec/command.js';
import { contiguousEntries, levelFrames, tgOfCommand, type Tg } from '../spec/granule.js';
import type { TableContext } from '../spec/tables.js';
import type { LeafFact, Regime, TableFact } from '../reference/machine/facts.js';
import { matches, type MatchContext } from '../reference/machine/match.js';
import { whyLeft } from '../reference/machine/why-left.js';
import type { PlanFeatures } from '../operations/plan-case.js';
import { levelBit, type Description } from '../stack/description.js';
import { WHOLE_TAG } from '../stack/planner.js';
import { WORLD_EL1 } from '../stack/transaction.js';
import type { EntryKind, Hole } from './judge.js';

const ASID = 7;
const LEVELS: readonly number[] = [3, 2, 1, 0, -1];
const KINDS: readonly EntryKind[] = ['leaf', 'table', 'run'];
const RUNS: readonly EntryKind[] = ['run'];

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const REGIME: Regime = { kind: 'regime', key: '', world: WORLD_EL1, vmid: 0, asid: ASID, stage: 1, nested: false, half: 0, context: {} as TableContext, supports: [], past: [], roots: [] };
const COMMON = {
  id: 0, premises: [], ref: -1, lo: 0, hi: 0, starts: [0], ends: [Infinity], alive: true, memoFor: null, memo: 0,
  world: WORLD_EL1, vmid: 0, asid: ASID, stage: 1, regime: REGIME, target: 0, limits: 0,
};

function leafFact(tg: Tg, h: Hole): LeafFact {
  return { ...COMMON, kind: 'leaf', tg, level: h.level, va: h.frame, frames: h.frames, run: h.kind === 'run', first: null, second: null };
}

function tableFact(tg: Tg, h: Hole): TableFact {
  return { ...COMMON, kind: 'table', tg, level: h.level, va: h.frame, frames: h.frames, page: null };
}

function factOf(tg: Tg, h: Hole): LeafFact | TableFact {
  return h.kind === 'table' ? tableFact(tg, h) : leafFact(tg, h);
}

function featuresOf(f: PlanFeatures): CommandFeatures {
  return { stage1: true, stage2: false, hyp: false, range: f.range, ds: f.ds, ats: false, pri: false, stall: false, asidBits: 16, vmidBits: 16 };
}

function contextOf(f: PlanFeatures, wholeRunOnly: boolean): MatchContext {
  return { vmw: 0, e2h: false, ds: f.ds, wholeRunOnly, enabled: true, queue: 0 };
}

/** One payload as the driver would send it, and why it may not be sent. */
export interface Sent {
  readonly command: Command;
  readonly error: string | undefined;
}

const raw = new Uint32Array(4);

export function sentOf(words: Uint32Array, index: number, f: PlanFeatures): Sent {
  const at = index * 4;
  raw[0] = (words[at] as number) | OP.TLBI_NH_VA;
  raw[1] = (words[at + 1] as number) | (ASID << 16);
  raw[2] = words[at + 2] as number;
  raw[3] = words[at + 3] as number;
  const command = decodeCommand(raw, 0, newCommand());
  if (((words[at] as number) & 0xff) !== 0 || words[at + 1] !== 0) return { command, error: 'the payload has bits where the driver puts opcode and tag' };
  if (reservedBits(raw, 0)) return { command, error: 'a bit outside of the fields of the command is set (§4.1.5)' };
  return { command, error: commandError(command, featuresOf(f)) };
}

/** Every entry of one kind that was damaged: leaves and tables that overlap the range, runs that lie in it (what sticks out was not there). */
export function damaged(d: Readonly<Description>, kind: EntryKind, ds: boolean): Hole[] {
  const out: Hole[] = [];
  for (const level of LEVELS) {
    if (((kind === 'table' ? d.tables : d.leaves) & levelBit(level)) === 0) continue;
    const members = kind === 'run' ? contiguousEntries(d.tg, level, ds) : 1;
    if (kind === 'run' && members === 1) continue;
    const frames = members * levelFrames(d.tg, level);
    let frame = d.first - (d.first % frames);
    if (kind === 'run' && frame < d.first) frame += frames;
    for (; kind === 'run' ? frame + frames <= d.last + 1 : frame <= d.last; frame += frames) out.push({ kind, level, frame, frames });
  }
  return out;
}

/** Is the entry removed by a legal command? */
export function removed(sent: readonly Sent[], tg: Tg, h: Hole, m: MatchContext): boolean {
  const fact = factOf(tg, h);
  return sent.some((s) => s.error === undefined && matches(s.command, fact, m));
}

export interface Literal {
  /** On ordinary hardware: the first entry, runs included, that stays. */
  readonly hole: Hole | null;
  /** With the contiguous erratum. */
  readonly run: Hole | null;
  /** The first command that may not be sent. */
  readonly illegal: number;
  /** Granules beyond the range, out to the furthest frame that a legal command names. */
  readonly beyond: number;
}

/** The whole check. */
export function literal(d: Readonly<Description>, f: PlanFeatures, words: Uint32Array, count: number): Literal {
  if (count === WHOLE_TAG) return { hole: null, run: null, illegal: -1, beyond: 0 };
  const sent = Array.from({ length: count }, (_, i) => sentOf(words, i, f));
  const hole = firstLeft(d, f, sent, false);
  return {
    hole, run: hole !== null && hole.kind !== 'run' ? hole : firstLeft(d, f, sent, true),
    illegal: sent.findIndex((s) => s.error !== undefined), beyond: beyondOf(d, sent),
  };
}

const LEAF: Writable<LeafFact> = leafFact(12, { kind: 'leaf', level: 3, frame: 0, frames: 1 });
const TABLE: Writable<TableFact> = tableFact(12, { kind: 'table', level: 3, frame: 0, frames: 1 });

/** With the erratum only runs are asked again: nothing else is different there. */
function firstLeft(d: Readonly<Description>, f: PlanFeatures, sent: readonly Sent[], wholeRunOnly: boolean): Hole | null {
  const m = contextOf(f, wholeRunOnly);
  const commands = sent.filter((s) => s.error === undefined).map((s) => s.command);
  for (const kind of wholeRunOnly ? RUNS : KINDS) {
    const fact = kind === 'table' ? TABLE : LEAF;
    fact.tg = d.tg;
    LEAF.run = kind === 'run';
    for (const h of damaged(d, kind, f.ds)) {
      fact.level = h.level;
      fact.va = h.frame;
      fact.frames = h.frames;
      if (!commands.some((c) => matches(c, fact, m))) return h;
    }
  }
  return null;
}

function framesOf(c: Command): number {
  const tg = tgOfCommand(c.tg);
  return tg === 0 ? 1 : rangeGranules(c) * 2 ** (tg - 12);
}

function beyondOf(d: Readonly<Description>, sent: readonly Sent[]): number {
  let low = d.first;
  let end = d.last + 1;
  for (const { command, error } of sent) {
    if (error !== undefined) continue;
    low = Math.min(low, command.frame);
    end = Math.max(end, command.frame + framesOf(command));
  }
  return (d.first - low + end - d.last - 1) / 2 ** (d.tg - 12);
}

/** Does the reference agree that this entry stays? For holes that the interval judge found in ranges too large for `literal`. */
export function stays(d: Readonly<Description>, f: PlanFeatures, h: Hole, words: Uint32Array, count: number): boolean {
  const sent = Array.from({ length: count }, (_, i) => sentOf(words, i, f));
  return !removed(sent, d.tg, h, contextOf(f, f.wholeRunOnly));
}

/** Why a command leaves the entry, in words. */
export function whyStays(tg: Tg, f: PlanFeatures, h: Hole, s: Sent): string {
  return s.error ?? whyLeft(s.command, factOf(tg, h), contextOf(f, f.wholeRunOnly));
}

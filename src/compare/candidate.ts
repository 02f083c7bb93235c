/**
 * Candidate: a planner from outside, wrapped so that nothing it does reaches further than its own answer. What it throws, writes where it
 * must not or returns that is no plan becomes a CandidateFault: a finding about the candidate, with the question that brought it out.
 * A candidate promises nothing: the rules say whether it is right.
 */
import type { Description } from '../stack/description.js';
import { PAYLOAD_WORDS, WHOLE_TAG, type Planner, type PlannerFeatures } from '../stack/planner.js';
import type { Pulse, Question } from './pulse.js';

/** Payloads that a candidate may ask room for: what the oldest expansion of a 1 GB table needs. */
export const ROOM_MAX = 2 ** 18;
/** Room of a candidate that asks for none. */
export const ROOM_DEFAULT = 512;
/** Bytes of a candidate's file. */
export const FILE_MAX = 2 ** 20;

/** It cannot be loaded as a candidate; the message is one sentence. */
export class CandidateRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CandidateRefused';
  }
}

/** loops: no answer in time; throws: an exception or a trap; garbage: an answer that is no plan; harm: a write where it must not. */
export type FaultKind = 'loops' | 'throws' | 'garbage' | 'harm';

/** What a candidate did instead of planning. */
export interface Fault {
  readonly kind: FaultKind;
  readonly text: string;
  /** What it was asked; null: while it was loaded, or between questions. */
  readonly question: Question | null;
}

export class CandidateFault extends Error {
  readonly fault: Fault;
  constructor(fault: Fault) {
    super(fault.text);
    this.name = 'CandidateFault';
    this.fault = fault;
  }
}

/** A candidate in its own language. */
export interface Raw {
  readonly room: number;
  /** Asks it; its answer may be anything. */
  call(d: Description, f: PlannerFeatures): unknown;
  /** What it wrote where it must not, or null. */
  harm(): string | null;
  /** Copies `count` payloads of its answer. */
  read(count: number, out: Uint32Array): void;
}

/** A candidate that is loaded: checked, and bare for the stopwatch. */
export interface Candidate {
  readonly planner: Planner;
  /** Asks it once, without looking at the answer. */
  readonly bare: (d: Description, f: PlannerFeatures) => void;
}

/** NUM [16:12] and SCALE [25:20]; Leaf [0], TTL [9:8], TG [11:10] and the address. */
const WORD0 = 0x03f1f000;
const WORD2 = 0xffffff01;

export function wrap(name: string, raw: Raw, pulse: Pulse): Candidate {
  const fault = (kind: FaultKind, text: string, d: Description, f: PlannerFeatures): CandidateFault =>
    new CandidateFault({ kind, text, question: { description: { ...d }, features: { ...f } } });
  const plan = (d: Description, f: PlannerFeatures, out: Uint32Array): number => {
    let count: unknown;
    pulse.ask(d, f);
    try {
      count = raw.call(d, f);
    } catch (error) {
      throw fault('throws', thrown(error), d, f);
    } finally {
      pulse.end();
    }
    const harm = raw.harm();
    if (harm !== null) throw fault('harm', harm, d, f);
    if (count === WHOLE_TAG) return WHOLE_TAG;
    if (typeof count !== 'number' || !Number.isInteger(count) || count < 0 || count > raw.room) {
      throw fault('garbage', `it returned ${shown(count)}, and not a number of commands from 0 to ${raw.room}, or ${WHOLE_TAG} for the whole tag`, d, f);
    }
    raw.read(count, out);
    const bad = strayBits(out, count);
    if (bad !== null) throw fault('garbage', bad, d, f);
    return count;
  };
  return { planner: { name, about: 'a candidate', room: raw.room, plan }, bare: (d, f) => { raw.call(d, f); } };
}

/** A planner of the house, as a candidate. */
export function ownCandidate(planner: Planner): Candidate {
  const out = new Uint32Array(Math.max(1, planner.room) * PAYLOAD_WORDS);
  return { planner, bare: (d, f) => { planner.plan(d, f, out); } };
}

/** Bits outside of the fields that a plan has: opcode, ASID and VMID are the driver's. */
function strayBits(out: Uint32Array, count: number): string | null {
  for (let i = 0; i < count; i += 1) {
    const at = i * PAYLOAD_WORDS;
    if (((out[at] as number) & ~WORD0) === 0 && out[at + 1] === 0 && ((out[at + 2] as number) & ~WORD2 & 0xfff) === 0) continue;
    const words = Array.from(out.subarray(at, at + PAYLOAD_WORDS), (w) => w.toString(16).padStart(8, '0'));
    return `command ${i} of ${count} (0x${words[1]}${words[0]} 0x${words[3]}${words[2]}) has bits beyond NUM, SCALE, Leaf, TTL, TG and the address`;
  }
  return null;
}

const SHOWN = 200;

function shown(value: unknown): string {
  if (typeof value === 'string') return `the text ${JSON.stringify(value.slice(0, 40))}`;
  if (value instanceof Promise) return 'a promise (plan must answer at once)';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' || typeof value === 'symbol' ? `a ${typeof value}` : String(value);
}

/** What was thrown, in one line. */
export function thrown(error: unknown): string {
  let text: string;
  try {
    text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    text = 'something that cannot be printed';
  }
  return `it threw ${text.slice(0, SHOWN)}`;
}

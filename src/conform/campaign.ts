/**
 * Conform campaign: random sequences on QEMU, on the optimised machine and on the weakest one at once. Run k of seed S is drawn from
 * the text `S/conform/k` alone: fifteen in sixteen are raw machine sequences, the others what the optimised driver does when it is driven at
 * random. No clock: whoever calls decides when to stop. A deviation of QEMU that is waived ends its sequence and is counted.
 */
import { answerName } from '../lockstep/machine-words.js';
import { MachineLockstep } from '../lockstep/machine-lockstep.js';
import { OWN_TWINS, type Twins } from '../lockstep/twins.js';
import type { MachineCandidate } from '../fuzz/machine-shrink.js';
import { Generator } from '../operations/generate.js';
import { drawReachDriver } from '../operations/reach-driver.js';
import { generateReachRun } from '../operations/reach-generate.js';
import type { Reach } from '../operations/reach.js';
import { INPUT_FRAMES, READERS, TESTERS, WIDE_INPUT_FRAMES, WRITERS } from '../qemu/devices.js';
import type { Pool } from '../qemu/pool.js';
import { GUEST_END, GUEST_FIRST } from '../qemu/ram.js';
import { Ledger } from '../rules/ledger.js';
import { RandomChooser } from '../stack/chooser.js';
import type { MachineOperation } from '../stack/machine-world.js';
import { Unmodelled, ViolationError, type Violation } from '../stack/violation.js';
import { recordDriver, TooLarge } from './recording.js';
import { qemuTwins, type QemuTwins } from './twins.js';
import { loosened, waiversOf, type Waiver } from './waivers.js';

/** raw: a random machine sequence; driver: what the optimised driver does. */
export type SequenceKind = 'raw' | 'driver';
export const SEQUENCE_KINDS: readonly SequenceKind[] = ['raw', 'driver'];

export interface Sequence extends MachineCandidate {
  readonly kind: SequenceKind;
}

export interface ConformFailure extends MachineCandidate {
  readonly run: number;
  readonly kind: SequenceKind;
  readonly violation: Violation;
}

export interface ConformOptions {
  readonly seed: string;
  readonly pool: Pool;
  readonly run?: number;
  readonly runs?: number;
  readonly failuresMax?: number;
  /** Known deviations of this QEMU that are not reported. */
  readonly waivers: readonly Waiver[];
  /** Another weakest machine (tests break ours on purpose). */
  readonly weakest?: Twins['weakest'];
}

export interface ConformResult {
  runs: number;
  readonly kinds: Record<SequenceKind, number>;
  operations: number;
  accesses: number;
  /** Accesses that QEMU could not be asked for, by why. */
  readonly notAsked: Record<string, number>;
  /** Answers of QEMU, by kind. */
  readonly answers: Record<string, number>;
  readonly commands: Float64Array;
  readonly ledger: Ledger;
  readonly failures: ConformFailure[];
  /** Sequences that ended in a waived deviation, by waiver. */
  readonly waived: Record<string, number>;
  readonly unmodelled: string[];
  /** Driver sequences that needed more memory than a machine sequence has. */
  tooLarge: number;
}

export function newConformResult(): ConformResult {
  return {
    runs: 0, kinds: { raw: 0, driver: 0 }, operations: 0, accesses: 0, notAsked: {}, answers: {}, commands: new Float64Array(256), ledger: new Ledger(),
    failures: [], waived: {}, unmodelled: [], tooLarge: 0,
  };
}

/** What the devices of a QEMU can do: the cards, and those with 64-bit addresses if it has them. A sequence is for the ones or the others. */
export interface Reaches {
  readonly cards: Reach;
  readonly testers: Reach | null;
}

export function reachOf(pool: Pool): Reaches {
  const cards: Reach = { features: pool.features, readers: READERS, writers: WRITERS, both: [], inputFrames: INPUT_FRAMES, firstFrame: GUEST_FIRST, endFrame: GUEST_END };
  return { cards, testers: pool.testers ? { ...cards, readers: [], writers: TESTERS, inputFrames: WIDE_INPUT_FRAMES } : null };
}

/** Draws run k; null: its driver sequence needs too much memory. Throws what lockstep throws: then the driver itself failed, without QEMU. */
export function drawSequence(seed: string, run: number, reaches: Reaches): Sequence | null {
  const chooser = new RandomChooser(`${seed}/conform/${run}`);
  const { cards: reach, testers } = reaches;
  if (run % 16 !== 15) return { kind: 'raw', ...generateReachRun(chooser, testers !== null && run % 3 === 2 ? testers : reach) };
  const { world, mix, operations, window } = drawReachDriver(chooser, reach);
  const generator = new Generator(world, mix, chooser, window);
  let left = operations;
  try {
    const recorded = recordDriver(world, reach.features, (stack) => {
      left -= 1;
      return left < 0 ? null : generator.next(stack.intent);
    });
    return { kind: 'driver', world: recorded.world, operations: recorded.operations };
  } catch (error) {
    if (error instanceof TooLarge) return null;
    throw error;
  }
}

/** Does a sequence begin with a two-level stream table? */
export function beginsTwoLevel(operations: readonly MachineOperation[]): boolean {
  const boot = operations.find((op) => op.op === 'boot');
  return boot?.op === 'boot' && boot.boot.split > 0;
}

/** How a sequence is judged: which deviations are left out of the comparison, and by which weakest machine. */
export type Judging = Partial<Pick<ConformOptions, 'waivers' | 'weakest'>>;

/** QEMU and the machines beside it, for one sequence and everything that is made of it. */
export function twinsFor(pool: Pool, operations: readonly MachineOperation[], { waivers = [], weakest = OWN_TWINS.weakest }: Judging = {}): QemuTwins {
  const twoLevel = beginsTwoLevel(operations);
  return qemuTwins(() => pool.rig(twoLevel), { weakest, looseness: loosened(waivers) });
}

/** Runs until a limit, a failure, or the caller stops asking; adds to `result`. */
export function* conformCampaign(options: ConformOptions, result: ConformResult): globalThis.Generator<number, void, undefined> {
  const last = options.run !== undefined ? options.run + 1 : (options.runs ?? Infinity);
  const reach = reachOf(options.pool);
  for (let run = options.run ?? 0; run < last; run += 1) {
    conformRun(options, run, reach, result);
    if (result.failures.length >= (options.failuresMax ?? 1)) return;
    yield run;
  }
}

/** One run. `each`: told of every operation that was done, its note and QEMU's answer. */
export function conformRun(options: ConformOptions, run: number, reaches: Reaches, result: ConformResult, each?: (text: string) => void): void {
  result.runs += 1;
  const sequence = drawn(options.seed, run, reaches, result);
  if (sequence === null) return;
  result.kinds[sequence.kind] += 1;
  const twins = twinsFor(options.pool, sequence.operations, options);
  let both: MachineLockstep | undefined;
  let done = 0;
  try {
    both = new MachineLockstep(sequence.world, { ledger: result.ledger, twins });
    for (const op of sequence.operations) {
      done += 1;
      const step = both.step(op);
      if (op.op === 'access') countAccess(result, step);
      each?.(`${op.op} ${step.note ?? ''} ${step.answer === null ? '' : JSON.stringify(step.answer)}`);
    }
    both.close();
  } catch (error) {
    if (error instanceof ViolationError) {
      failed(options, { run, kind: sequence.kind, world: sequence.world, operations: done === 0 ? sequence.operations : sequence.operations.slice(0, done), violation: error.violation }, twins, result);
      each?.(JSON.stringify(error.violation));
    } else if (error instanceof Unmodelled) {
      result.unmodelled.push(error.what);
      each?.(error.what);
    } else throw error;
  }
  result.operations += done;
  if (both !== undefined) for (let i = 0; i < 256; i += 1) result.commands[i] = (result.commands[i] as number) + (both.commands[i] as number);
}

/** The sequence of a run; null: it is too large, or our own driver fails without QEMU, which is `fuzz`'s to report. */
function drawn(seed: string, run: number, reaches: Reaches, result: ConformResult): Sequence | null {
  try {
    const sequence = drawSequence(seed, run, reaches);
    if (sequence === null) result.tooLarge += 1;
    return sequence;
  } catch (error) {
    if (error instanceof ViolationError) result.unmodelled.push(`the optimised driver itself breaks ${error.violation.rule}, whatever QEMU does: see fuzz`);
    else if (error instanceof Unmodelled) result.unmodelled.push(error.what);
    else throw error;
    return null;
  }
}

function countAccess(result: ConformResult, step: ReturnType<MachineLockstep['step']>): void {
  if (step.answer === null) {
    const why = step.note ?? 'unknown';
    result.notAsked[why] = (result.notAsked[why] ?? 0) + 1;
    return;
  }
  result.accesses += 1;
  const name = answerName(step.answer);
  result.answers[name] = (result.answers[name] ?? 0) + 1;
}

function failed(options: ConformOptions, failure: ConformFailure, twins: Twins, result: ConformResult): void {
  const waived = waiversOf(options.waivers, failure, twins);
  if (waived === null) result.failures.push(failure);
  else for (const { id } of waived) result.waived[id] = (result.waived[id] ?? 0) + 1;
}

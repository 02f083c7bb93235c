/**
 * System campaign: many runs of SystemWorlds. Run k of seed S is drawn from the text `S/system/k` alone, so it can be replayed by itself. No clock: whoever calls
 * decides when to stop.
 */
import { SystemLockstep } from '../lockstep/system-lockstep.js';
import { stepText } from '../lockstep/system-replay.js';
import { answerName } from '../lockstep/machine-words.js';
import { ALL_KINDS } from '../operations/system-codec.js';
import { SystemGenerator } from '../operations/system-generate.js';
import type { SystemDrawn, SystemProfile } from '../operations/system-profiles.js';
import { Ledger } from '../rules/ledger.js';
import { RandomChooser } from '../stack/chooser.js';
import type { SystemOperation } from '../stack/system.js';
import { Unmodelled, ViolationError, type Violation } from '../stack/violation.js';
import type { SystemCandidate } from './system-shrink.js';

/** Operations that a campaign of systems runs when nothing else limits it. */
export const SYSTEM_BUDGET = 200_000;

export interface SystemCampaignOptions {
  readonly seed: string;
  readonly profile: SystemProfile;
  readonly mutant?: string;
  readonly operations?: number;
  readonly runs?: number;
  readonly run?: number;
  readonly failuresMax?: number;
}

export interface SystemFailure extends SystemCandidate {
  readonly run: number;
  readonly violation: Violation;
}

export interface SystemCampaignResult {
  runs: number;
  operations: number;
  refused: number;
  shortest: number;
  longest: number;
  readonly operationKinds: Record<string, number>;
  readonly commands: Float64Array;
  /** Answers to transactions, by kind. */
  readonly answers: Record<string, number>;
  readonly ledger: Ledger;
  readonly failures: SystemFailure[];
  readonly unmodelled: string[];
}

export function newSystemResult(): SystemCampaignResult {
  return {
    runs: 0, operations: 0, refused: 0, shortest: 0, longest: 0, operationKinds: Object.fromEntries(ALL_KINDS.map((kind) => [kind, 0])), commands: new Float64Array(256), answers: {},
    ledger: new Ledger(), failures: [], unmodelled: [],
  };
}

/** World, mix and length of one run. */
export function drawSystemRun(options: Pick<SystemCampaignOptions, 'seed' | 'profile'>, run: number): SystemDrawn & { readonly chooser: RandomChooser } {
  const chooser = new RandomChooser(`${options.seed}/system/${run}`);
  return { ...options.profile.draw(chooser), chooser };
}

/** Runs until a limit, a failure, or the caller stops asking; adds to `result`. */
export function* systemCampaign(options: SystemCampaignOptions, result: SystemCampaignResult): Generator<number, void, undefined> {
  const limit = options.operations ?? (options.runs === undefined && options.run === undefined ? SYSTEM_BUDGET : Infinity);
  const last = options.run !== undefined ? options.run + 1 : (options.runs ?? Infinity);
  for (let run = options.run ?? 0; run < last && result.operations < limit; run += 1) {
    systemRun(options, run, limit - result.operations, result);
    if (result.failures.length >= (options.failuresMax ?? 1)) return;
    yield run;
  }
}

/** One run, at most `most` operations of it. `each`: told of every operation that was done and what came of it. */
export function systemRun(options: SystemCampaignOptions, run: number, most: number, result: SystemCampaignResult, each?: (text: string) => void): void {
  const { world, mix, operations, chooser } = drawSystemRun(options, run);
  const done: SystemOperation[] = [];
  let stack: SystemLockstep | undefined;
  try {
    stack = new SystemLockstep(world, { ledger: result.ledger, ...(options.mutant === undefined ? {} : { mutant: options.mutant }) });
    const generator = new SystemGenerator(world, mix, chooser);
    for (let i = 0; i < Math.min(operations, most); i += 1) {
      const op = generator.next(stack.intent);
      done.push(op);
      result.operationKinds[op.op] = (result.operationKinds[op.op] ?? 0) + 1;
      const step = stack.step(op);
      if (step.result.code !== 'ok') result.refused += 1;
      const name = step.answer === null ? null : answerName(step.answer);
      if (name !== null) result.answers[name] = (result.answers[name] ?? 0) + 1;
      each?.(`${JSON.stringify(op)} ${stepText(step)}`);
    }
    stack.close();
  } catch (error) {
    if (error instanceof ViolationError) {
      result.failures.push({ run, world, operations: done, violation: error.violation });
      each?.(JSON.stringify(error.violation));
    } else if (error instanceof Unmodelled) {
      result.unmodelled.push(error.what);
      each?.(error.what);
    } else throw error;
  }
  result.runs += 1;
  result.operations += done.length;
  result.shortest = result.runs === 1 ? done.length : Math.min(result.shortest, done.length);
  result.longest = Math.max(result.longest, done.length);
  if (stack !== undefined) for (let i = 0; i < 256; i += 1) result.commands[i] = (result.commands[i] as number) + (stack.commands[i] as number);
}

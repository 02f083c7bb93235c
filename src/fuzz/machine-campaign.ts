/**
 * Machine campaign: many raw machine sequences on both whole machines. Run k of seed S is drawn from the text
 * `S/machine/k` alone, so it can be replayed by itself. No clock: whoever calls decides when to stop.
 */
import { generateMachineRun, RUN_OPERATIONS, type MachineRun } from '../operations/machine-generate.js';
import { MACHINE_KINDS } from '../operations/machine-fields.js';
import { MachineLockstep } from '../lockstep/machine-lockstep.js';
import { answerName } from '../lockstep/machine-words.js';
import type { Twins } from '../lockstep/twins.js';
import { Ledger } from '../rules/ledger.js';
import { RandomChooser } from '../stack/chooser.js';
import type { MachineOperation } from '../stack/machine-world.js';
import { Unmodelled, ViolationError, type Violation } from '../stack/violation.js';
import type { MachineCandidate } from './machine-shrink.js';

/** Operations that a machine campaign runs when nothing else limits it. */
export const MACHINE_BUDGET = 100_000;

export interface MachineCampaignOptions {
  readonly seed: string;
  readonly operations?: number;
  readonly runs?: number;
  readonly run?: number;
  readonly failuresMax?: number;
  readonly twins?: Twins;
}

export interface MachineFailure extends MachineCandidate {
  readonly run: number;
  readonly violation: Violation;
}

export interface MachineCampaignResult {
  runs: number;
  operations: number;
  /** Operations that software could not do, or that wait for something. */
  refused: number;
  shortest: number;
  longest: number;
  readonly operationKinds: Record<MachineOperation['op'], number>;
  readonly commands: Float64Array;
  /** Answers to transactions, by kind. */
  readonly answers: Record<string, number>;
  readonly ledger: Ledger;
  readonly failures: MachineFailure[];
  readonly unmodelled: string[];
}

export function newMachineResult(): MachineCampaignResult {
  const kinds = Object.fromEntries(MACHINE_KINDS.map((kind) => [kind, 0])) as Record<MachineOperation['op'], number>;
  return {
    runs: 0, operations: 0, refused: 0, shortest: 0, longest: 0, operationKinds: kinds, commands: new Float64Array(256), answers: {}, ledger: new Ledger(), failures: [], unmodelled: [],
  };
}

/** World and operations of one run. */
export function drawMachineRun(seed: string, run: number, most = RUN_OPERATIONS): MachineRun {
  return generateMachineRun(new RandomChooser(`${seed}/machine/${run}`), most);
}

/** Runs until a limit, a failure, or the caller stops asking; adds to `result`. */
export function* machineCampaign(options: MachineCampaignOptions, result: MachineCampaignResult): Generator<number, void, undefined> {
  const limit = options.operations ?? (options.runs === undefined && options.run === undefined ? MACHINE_BUDGET : Infinity);
  const last = options.run !== undefined ? options.run + 1 : (options.runs ?? Infinity);
  for (let run = options.run ?? 0; run < last && result.operations < limit; run += 1) {
    machineRun(options, run, limit - result.operations, result);
    if (result.failures.length >= (options.failuresMax ?? 1)) return;
    yield run;
  }
}

/** One run, at most `most` operations of it. `each`: told of every operation that was done, its note and its answer. */
export function machineRun(options: MachineCampaignOptions, run: number, most: number, result: MachineCampaignResult, each?: (text: string) => void): void {
  const { world, operations } = drawMachineRun(options.seed, run);
  let done = 0;
  let both: MachineLockstep | undefined;
  try {
    both = new MachineLockstep(world, { ledger: result.ledger, ...(options.twins === undefined ? {} : { twins: options.twins }) });
    for (const op of operations.slice(0, most)) {
      done += 1;
      result.operationKinds[op.op] += 1;
      const step = both.step(op);
      if (step.note !== null) result.refused += 1;
      const name = step.answer === null ? null : answerName(step.answer);
      if (name !== null) result.answers[name] = (result.answers[name] ?? 0) + 1;
      each?.(`${op.op} ${step.note ?? ''} ${step.answer === null ? '' : JSON.stringify(step.answer)}`);
    }
    both.close();
  } catch (error) {
    if (error instanceof ViolationError) {
      result.failures.push({ run, world, operations: operations.slice(0, done), violation: error.violation });
      each?.(JSON.stringify(error.violation));
    } else if (error instanceof Unmodelled) {
      result.unmodelled.push(error.what);
      each?.(error.what);
    } else throw error;
  }
  result.runs += 1;
  result.operations += done;
  result.shortest = result.runs === 1 ? done : Math.min(result.shortest, done);
  result.longest = Math.max(result.longest, done);
  if (both !== undefined) for (let i = 0; i < 256; i += 1) result.commands[i] = (result.commands[i] as number) + (both.commands[i] as number);
}

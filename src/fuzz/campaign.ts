/**
 * Campaign: many runs of both stacks in lockstep. Run k of seed S is a world, a mix and a sequence drawn from the
 * text `S/k` alone, so it can be replayed by itself. No clock: whoever calls decides when to stop.
 */
import { Lockstep } from '../lockstep/lockstep.js';
import { Generator } from '../operations/generate.js';
import type { Mix, Profile } from '../operations/profiles.js';
import { Ledger } from '../rules/ledger.js';
import { RandomChooser } from '../stack/chooser.js';
import { OPERATION_KINDS, type Operation, type OperationKind } from '../stack/operation.js';
import { Unmodelled, ViolationError, type Violation } from '../stack/violation.js';
import type { PlannerName } from '../stack/planner.js';
import type { World } from '../stack/world.js';

/** Operations that a campaign runs when nothing else limits it. */
export const DEFAULT_BUDGET = 2_000_000;

export interface CampaignOptions {
  readonly seed: string;
  readonly profile: Profile;
  readonly mutant?: string;
  /** Instead of the planner that the profile draws. */
  readonly planner?: PlannerName;
  /** Limits; what is missing does not limit. */
  readonly operations?: number;
  readonly runs?: number;
  /** Only this run. */
  readonly run?: number;
  /** Go on after a failure, up to so many. */
  readonly failuresMax?: number;
}

export interface FoundFailure {
  readonly run: number;
  readonly world: World;
  readonly operations: readonly Operation[];
  readonly violation: Violation;
}

export interface CampaignResult {
  runs: number;
  operations: number;
  refused: number;
  /** Length of runs. */
  shortest: number;
  longest: number;
  readonly operationKinds: Record<OperationKind, number>;
  readonly commands: Float64Array;
  readonly ledger: Ledger;
  readonly failures: FoundFailure[];
  /** What the models do not cover, if something met it: the verdict is inconclusive. */
  readonly unmodelled: string[];
  stopped: boolean;
}

export function newResult(): CampaignResult {
  const kinds = {} as Record<OperationKind, number>;
  for (const kind of OPERATION_KINDS) kinds[kind] = 0;
  return {
    runs: 0, operations: 0, refused: 0, shortest: 0, longest: 0, operationKinds: kinds, commands: new Float64Array(256), ledger: new Ledger(),
    failures: [], unmodelled: [], stopped: false,
  };
}

/** World, mix and length of one run. */
export function drawRun(options: CampaignOptions, run: number): { world: World; mix: Mix; operations: number; chooser: RandomChooser } {
  const chooser = new RandomChooser(`${options.seed}/${run}`);
  const drawn = options.profile.draw(chooser);
  const world = options.planner === undefined ? drawn.world : { ...drawn.world, planner: options.planner };
  return { ...drawn, world, chooser };
}

/** Runs until a limit, a failure, or `go` says false; adds to `result`. `go` is asked after each run. */
export function* campaign(options: CampaignOptions, result: CampaignResult): Generator_ {
  const limit = options.operations ?? (options.runs === undefined && options.run === undefined ? DEFAULT_BUDGET : Infinity);
  const last = options.run !== undefined ? options.run + 1 : (options.runs ?? Infinity);
  for (let run = options.run ?? 0; run < last && result.operations < limit; run += 1) {
    oneRun(options, run, limit, result);
    if (result.failures.length >= (options.failuresMax ?? 1)) return;
    yield run;
  }
}

type Generator_ = globalThis.Generator<number, void, undefined>;

function oneRun(options: CampaignOptions, run: number, limit: number, result: CampaignResult): void {
  const { world, mix, operations, chooser } = drawRun(options, run);
  const done: Operation[] = [];
  let stack: Lockstep | undefined;
  try {
    stack = new Lockstep(world, { ledger: result.ledger, ...(options.mutant === undefined ? {} : { mutant: options.mutant }) });
    const generator = new Generator(world, mix, chooser);
    const length = Math.min(operations, limit - result.operations);
    for (let i = 0; i < length; i += 1) {
      const op = generator.next(stack.intent);
      done.push(op);
      result.operationKinds[op.op] += 1;
      if (stack.step(op).result !== 'ok') result.refused += 1;
    }
    stack.close();
  } catch (error) {
    if (error instanceof ViolationError) result.failures.push({ run, world, operations: done, violation: error.violation });
    else if (error instanceof Unmodelled) result.unmodelled.push(error.what);
    else throw error;
  }
  result.runs += 1;
  result.operations += done.length;
  result.shortest = result.runs === 1 ? done.length : Math.min(result.shortest, done.length);
  result.longest = Math.max(result.longest, done.length);
  if (stack !== undefined) for (let i = 0; i < 256; i += 1) result.commands[i] = (result.commands[i] as number) + (stack.commands[i] as number);
}

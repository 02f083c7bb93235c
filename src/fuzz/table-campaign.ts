/**
 * Table campaign: many sequences on one page table each, walked by both whole machines. Run k of seed S under a profile is drawn from the text
 * `S/tables/k` alone, so it can be replayed by itself. No clock: whoever calls decides when to stop.
 */
import { TableLockstep } from '../lockstep/table-lockstep.js';
import { TABLE_KINDS } from '../operations/table-codec.js';
import { generateTableRun, TABLE_RUN_OPERATIONS, type TableRun } from '../operations/table-generate.js';
import type { TableProfile } from '../operations/table-worlds.js';
import { Ledger } from '../rules/ledger.js';
import { RandomChooser } from '../stack/chooser.js';
import type { TableOperation } from '../stack/page-table.js';
import { Unmodelled, ViolationError, type Violation } from '../stack/violation.js';
import type { TableCandidate } from './table-shrink.js';

/** Operations that a table campaign runs when nothing else limits it. */
export const TABLE_BUDGET = 200_000;

export interface TableCampaignOptions {
  readonly seed: string;
  readonly profile: TableProfile;
  readonly mutant?: string;
  readonly operations?: number;
  readonly runs?: number;
  readonly run?: number;
  readonly failuresMax?: number;
}

export interface TableFailure extends TableCandidate {
  readonly run: number;
  readonly violation: Violation;
}

export interface TableCampaignResult {
  runs: number;
  operations: number;
  /** Calls that were refused, by the library or because the caller must not make them. */
  refused: number;
  shortest: number;
  longest: number;
  readonly operationKinds: Record<TableOperation['op'], number>;
  readonly commands: Float64Array;
  /** What calls and accesses came to, by code. */
  readonly answers: Record<string, number>;
  readonly ledger: Ledger;
  readonly failures: TableFailure[];
  readonly unmodelled: string[];
}

export function newTableResult(): TableCampaignResult {
  const kinds = Object.fromEntries(TABLE_KINDS.map((kind) => [kind, 0])) as Record<TableOperation['op'], number>;
  return {
    runs: 0, operations: 0, refused: 0, shortest: 0, longest: 0, operationKinds: kinds, commands: new Float64Array(256), answers: {}, ledger: new Ledger(), failures: [], unmodelled: [],
  };
}

/** World and operations of one run. */
export function drawTableRun(options: Pick<TableCampaignOptions, 'seed' | 'profile'>, run: number, most = TABLE_RUN_OPERATIONS): TableRun {
  return generateTableRun(new RandomChooser(`${options.seed}/tables/${run}`), options.profile, most);
}

/** Runs until a limit, a failure, or the caller stops asking; adds to `result`. */
export function* tableCampaign(options: TableCampaignOptions, result: TableCampaignResult): Generator<number, void, undefined> {
  const limit = options.operations ?? (options.runs === undefined && options.run === undefined ? TABLE_BUDGET : Infinity);
  const last = options.run !== undefined ? options.run + 1 : (options.runs ?? Infinity);
  for (let run = options.run ?? 0; run < last && result.operations < limit; run += 1) {
    tableRun(options, run, limit - result.operations, result);
    if (result.failures.length >= (options.failuresMax ?? 1)) return;
    yield run;
  }
}

/** One run, at most `most` operations of it. `each`: told of every operation that was done and what came of it. */
export function tableRun(options: TableCampaignOptions, run: number, most: number, result: TableCampaignResult, each?: (text: string) => void): void {
  const { world, operations } = drawTableRun(options, run);
  let done = 0;
  let both: TableLockstep | undefined;
  try {
    both = new TableLockstep(world, { ledger: result.ledger, ...(options.mutant === undefined ? {} : { mutant: options.mutant }) });
    for (const op of operations.slice(0, most)) {
      done += 1;
      result.operationKinds[op.op] += 1;
      const step = both.step(op);
      if (step.refused) result.refused += 1;
      result.answers[step.code] = (result.answers[step.code] ?? 0) + 1;
      each?.(`${op.op} ${step.text}`);
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

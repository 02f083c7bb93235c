/**
 * Determinism: a run drawn and run again must be the same run: operations, results, outcomes, commands and what the
 * rules counted. A run that the campaign made is held against two re-runs of it.
 */
import { createHash } from 'node:crypto';
import { drawRun, type CampaignOptions, type CampaignResult } from '../fuzz/campaign.js';
import { Lockstep } from '../lockstep/lockstep.js';
import { canonicalJson, operationJson } from '../operations/case.js';
import { Generator } from '../operations/generate.js';
import { Ledger } from '../rules/ledger.js';
import { OPERATION_KINDS } from '../stack/operation.js';
import { describeOutcome } from '../stack/outcome.js';
import { RULE_IDS, Unmodelled, ViolationError } from '../stack/violation.js';

/** One run of a campaign and how much it added to each counter. */
export interface DoneRun {
  readonly run: number;
  readonly added: Float64Array;
}

type Counters = Pick<CampaignResult, 'operations' | 'refused' | 'operationKinds' | 'commands' | 'ledger'>;

const FIXED = 2;

/** Every counter of a campaign that one run adds to, as one list. */
export function totals(r: Counters): Float64Array {
  const rules = r.ledger.counts();
  return Float64Array.from([
    r.operations, r.refused, ...OPERATION_KINDS.map((kind) => r.operationKinds[kind]), ...r.commands,
    ...RULE_IDS.flatMap((id) => [rules[id].armed, rules[id].decided, rules[id].violated]),
  ]);
}

export function difference(after: Float64Array, before: Float64Array): Float64Array {
  return after.map((n, i) => n - (before[i] as number));
}

export interface Rerun {
  /** Of every operation, its result and its outcome. */
  readonly digest: string;
  readonly totals: Float64Array;
}

/** Draws and runs one run again, up to `limit` operations. */
export function rerun(options: CampaignOptions, run: number, limit = Infinity): Rerun {
  const { world, mix, operations, chooser } = drawRun(options, run);
  const hash = createHash('sha256');
  const ledger = new Ledger();
  const kinds = Object.fromEntries(OPERATION_KINDS.map((kind) => [kind, 0])) as Counters['operationKinds'];
  const counters = { operations: 0, refused: 0, operationKinds: kinds, ledger };
  let stack: Lockstep | undefined;
  try {
    stack = new Lockstep(world, { ledger, ...(options.mutant === undefined ? {} : { mutant: options.mutant }) });
    const generator = new Generator(world, mix, chooser);
    const length = Math.min(operations, limit);
    for (let i = 0; i < length; i += 1) {
      const op = generator.next(stack.intent);
      counters.operations += 1;
      kinds[op.op] += 1;
      hash.update(canonicalJson(operationJson(op)));
      const step = stack.step(op);
      if (step.result !== 'ok') counters.refused += 1;
      hash.update(`${step.expected}/${step.result}/${step.outcome === null ? '' : describeOutcome(step.outcome)}\n`);
    }
    stack.close();
  } catch (error) {
    if (error instanceof ViolationError) hash.update(JSON.stringify(error.violation));
    else if (error instanceof Unmodelled) hash.update(error.what);
    else throw error;
  }
  return { digest: hash.digest('hex').slice(0, 32), totals: totals({ ...counters, commands: stack?.commands ?? new Float64Array(256) }) };
}

/** Does a run that was made come out the same when it is made twice more? */
export function sameAgain(options: CampaignOptions, done: DoneRun): boolean {
  const first = rerun(options, done.run, done.added[0] as number);
  const second = rerun(options, done.run, done.added[0] as number);
  return first.digest === second.digest && sameNumbers(first.totals, done.added) && sameNumbers(second.totals, done.added);
}

function sameNumbers(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.length > FIXED && a.every((n, i) => n === b[i]);
}

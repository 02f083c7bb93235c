/**
 * Plan: what is asked of every plan, when it is made: its commands are legal for the SMMU, reach everything that the description names,
 * and stay within what the planner promises, if it does.
 */
import type { CommandFeatures } from '../spec/command.js';
import type { PlannerPromise } from '../stack/planner.js';
import { judgeCommandBound, judgeLegality, judgeOverInvalidation } from './bounds.js';
import { judgeCoverage, type Planned } from './coverage.js';
import type { Ledger } from './ledger.js';

export function judgePlan(ledger: Ledger, p: Planned, f: CommandFeatures, promise: PlannerPromise | undefined): void {
  judgeLegality(ledger, p, f);
  judgeCoverage(ledger, p);
  if (promise === undefined) return;
  judgeCommandBound(ledger, p, promise, f.range);
  judgeOverInvalidation(ledger, p, promise, f.range);
}

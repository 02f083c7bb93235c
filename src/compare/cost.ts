/**
 * Cost: what the plans of one planner cost, counted where they are made and where they are carried out. Sums only, so that shards add up.
 *
 * *Over-invalidation* is what a plan names beyond [first, last] of its description, in granules: single-address commands name nothing beyond,
 * because what stands at their address was damaged. *Lost* is an entry of the optimised machine's TLB or walk cache that an
 * invalidation removed although the driver's tables still hold the very descriptor that was cached.
 */
import { decodeWords, newCommand, OP, rangeGranules } from '../spec/command.js';
import { POW2 } from '../spec/bits.js';
import type { Description } from '../stack/description.js';
import { PAYLOAD_WORDS, WHOLE_TAG } from '../stack/planner.js';

/** What is counted; less of each is better. */
export const METRICS = ['commands', 'syncs', 'overInvalidatingRanges', 'overInvalidatedGranules', 'wholeTagFlushes', 'entriesLost'] as const;
export type Metric = (typeof METRICS)[number];

export const METRIC_WORDS: Readonly<Record<Metric, string>> = {
  commands: 'TLBI commands', syncs: 'CMD_SYNCs', overInvalidatingRanges: 'ranges that over-invalidate', overInvalidatedGranules: 'granules beyond the damage',
  wholeTagFlushes: 'whole-tag flushes', entriesLost: 'cached entries lost that were still wanted',
};

/** What a plan shows that is not carried out. */
export const PLAN_METRICS = ['commands', 'overInvalidatingRanges', 'overInvalidatedGranules', 'wholeTagFlushes'] as const satisfies readonly Metric[];
export type PlanMetric = (typeof PLAN_METRICS)[number];

export type Cost = Record<Metric, number> & {
  plans: number;
  /** Largest over-invalidation of one plan, as a share of what was damaged. */
  worstOver: number;
};

export function newCost(): Cost {
  return { commands: 0, syncs: 0, overInvalidatingRanges: 0, overInvalidatedGranules: 0, wholeTagFlushes: 0, entriesLost: 0, plans: 0, worstOver: 0 };
}

export function addCost(to: Cost, more: Cost): void {
  for (const m of METRICS) to[m] += more[m];
  to.plans += more.plans;
  to.worstOver = Math.max(to.worstOver, more.worstOver);
}

const command = newCommand();

/** One plan of `d` that is not everything: what it reaches beyond, and whether it takes the whole tag. */
export function countPlan(cost: Cost, d: Description, words: Uint32Array, count: number): void {
  cost.plans += 1;
  if (count === WHOLE_TAG) {
    cost.wholeTagFlushes += 1;
    return;
  }
  const granule = POW2[d.tg - 12] as number;
  let over = 0;
  for (let i = 0; i < count; i += 1) {
    const at = i * PAYLOAD_WORDS;
    if (((words[at + 2] as number) & 0xc00) === 0) continue; // TG 0: one address
    decodeWords((words[at] as number) | OP.TLBI_NH_VA, 0, words[at + 2] as number, words[at + 3] as number, command);
    const last = command.frame + rangeGranules(command) * granule - 1;
    const beyond = Math.max(0, d.first - command.frame) + Math.max(0, last - d.last);
    if (beyond === 0) continue;
    cost.overInvalidatingRanges += 1;
    over += beyond / granule;
  }
  cost.overInvalidatedGranules += over;
  cost.worstOver = Math.max(cost.worstOver, over / ((d.last - d.first + 1) / granule));
}

/** How many times as much; null when the baseline has none of it and the candidate has. */
export function ratio(baseline: number, candidate: number): number | null {
  if (baseline === 0) return candidate === 0 ? 1 : null;
  return Math.round((candidate / baseline) * 1000) / 1000;
}

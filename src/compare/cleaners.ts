/**
 * Cleaners compared: a way to clean leaves against another one, both of the house and by name: what each spends on the scatter lists of suite seed-2, and
 * whether the candidate leaves anything stale in any geometry. What it does is shrunk, replayed by the whole lockstep (the library, its twin and
 * both machines), and becomes a case.
 */
import { replayTables } from '../lockstep/table-replay.js';
import type { TableCase } from '../operations/table-case.js';
import type { CleanerName } from '../stack/page-table.js';
import type { Violation } from '../stack/violation.js';
import { walkGeometries, type WalkGeometry } from './cleaning/geometries.js';
import { listRow, LISTS, type ListCost, type ListRow } from './cleaning/lists.js';
import { cleaningCase, mapRange } from './cleaning/stored.js';
import { askCleaner, examplesOf, total, type CleanerTotal, type DefectExample } from './suite-seed2.js';

/** What is counted on the lists; less of each is better. */
export const CLEAN_METRICS = ['lines', 'calls', 'descriptors', 'walks', 'warnings'] as const;
export type CleanMetric = (typeof CLEAN_METRICS)[number];

/** A range that the candidate leaves stale, at its smallest for one reason. */
export interface WrongRange {
  readonly example: DefectExample;
  readonly stored: TableCase;
  readonly violation: Violation;
}

export interface CleanersCompared {
  readonly baseline: CleanerName;
  readonly candidate: CleanerName;
  readonly lists: readonly ListRow[];
  /** Over all lists together. */
  readonly cost: Readonly<Record<CleanMetric, { readonly baseline: number; readonly candidate: number }>>;
  readonly totals: readonly [CleanerTotal, CleanerTotal];
  readonly wrong: readonly WrongRange[];
}

/** What one side spends on a list. */
export function costOf(row: ListRow, name: CleanerName): ListCost {
  const found = row.costs.find((c) => c.cleaner === name);
  if (found === undefined) throw new Error(`${name} was not measured`);
  return found;
}

export function compareCleaners(baseline: CleanerName, candidate: CleanerName, geometries: readonly WalkGeometry[] = walkGeometries()): CleanersCompared {
  const lists = LISTS.map((l) => listRow(l, [baseline, candidate]));
  const sum = (name: CleanerName, metric: CleanMetric): number => lists.reduce((n, row) => n + costOf(row, name)[metric], 0);
  const cost = Object.fromEntries(CLEAN_METRICS.map((m) => [m, { baseline: sum(baseline, m), candidate: sum(candidate, m) }])) as CleanersCompared['cost'];
  const theirs = askCleaner(candidate, geometries);
  const ours = askCleaner(baseline, geometries);
  const stale = examplesOf(theirs, candidate).filter((e) => e.defect === 'stale');
  return { baseline, candidate, lists, cost, totals: [total(baseline, ours), total(candidate, theirs)], wrong: stale.flatMap((e) => wrongRange(e, candidate)) };
}

/** The rule is the lockstep's own judgement; a range that it finds nothing wrong with is none of these. */
function wrongRange(example: DefectExample, candidate: CleanerName): WrongRange[] {
  const stored = cleaningCase(example.geometry, candidate, [mapRange(example.geometry, example.range)], 'table-coherency');
  const { violation } = replayTables(stored.world, stored.operations);
  return violation === null ? [] : [{ example, stored: { ...stored, expect: { verdict: 'violation', rule: violation.rule } }, violation }];
}

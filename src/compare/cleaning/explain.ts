/**
 * Explain: the indices that the posted walk computes on its way to one page, beside those that the range needs. Numbers only; report/cleaning.ts says them.
 */
import { entryBits, keptBits, postedCount, postedEnd, postedFirst, tableEntries, wordSpan, type IndexShape } from '../../optimised/tables/cleaners/posted-index.js';
import { POW2 } from '../../spec/bits.js';
import type { TableGeometry } from '../../stack/page-table.js';

/** What the walk does with one table. Addresses and sizes in granules, as it computes with them. */
export interface TableStep {
  readonly level: number;
  readonly iova: number;
  readonly size: number;
  /** Address bits (of bytes) that it keeps to find the last entry, and those of all addresses below this table. */
  readonly kept: number;
  readonly whole: number;
  /** Bits (of bytes) below one entry. */
  readonly shift: number;
  /** First entry, end as it is computed, entries that are taken at the most, and what is taken. */
  readonly first: number;
  readonly end: number;
  readonly left: number;
  readonly count: number;
  /** Entries of this table that the range needs. */
  readonly needed: number;
  /** Entry of the page that is asked for. */
  readonly entry: number;
}

/** What is wrong at the last step: entries were left out, or taken too many; or nothing is. */
export type StepCause = 'clipped' | 'mask-short' | 'mask-long' | 'right';

export interface Explained {
  readonly steps: readonly TableStep[];
  readonly cause: StepCause;
}

export interface ExplainedRange {
  readonly first: number;
  readonly count: number;
  /** The page in question. */
  readonly page: number;
}

/** From the root down to the first table in which the walk does something else than the range needs, or to the page. */
export function explain(g: TableGeometry, s: IndexShape, range: ExplainedRange): Explained {
  const sign = g.half === 'upper' ? wordSpan(s.tg) - (POW2[g.inputBits - s.tg] as number) : 0;
  const steps: TableStep[] = [];
  let iova = sign + range.first;
  let size = range.count;
  for (let level = s.startLevel; level <= 3; level += 1) {
    const step = stepAt(s, level, { iova, size }, { page: range.page, first: range.first, last: range.first + range.count - 1, inputBits: g.inputBits });
    steps.push(step);
    const cause = causeOf(s, step);
    if (cause !== 'right') return { steps, cause };
    const span = POW2[entryBits(s.tg, level)] as number;
    if (step.entry === step.first) continue;
    const passed = span - (iova % span) + (step.entry - step.first - 1) * span;
    size -= passed;
    iova += passed;
  }
  return { steps, cause: 'right' };
}

function stepAt(s: IndexShape, level: number, at: { readonly iova: number; readonly size: number }, asked: { readonly page: number; readonly first: number; readonly last: number; readonly inputBits: number }): TableStep {
  const bits = entryBits(s.tg, level);
  const span = POW2[bits] as number;
  const entries = level === s.startLevel ? POW2[s.rootBits] as number : tableEntries(s.tg);
  const first = postedFirst(s, level, at.iova);
  const end = postedEnd(s, level, at.iova, at.size);
  const page = tableEntries(s.tg);
  const table = Math.floor(asked.page / span / entries);
  const from = Math.max(asked.first, table * entries * span);
  const to = Math.min(asked.last, (table + 1) * entries * span - 1);
  return {
    level, iova: at.iova, size: at.size, kept: keptBits(s, level) + s.tg, whole: bits + s.tg + (level === s.startLevel ? s.rootBits : s.tg - 3), shift: bits + s.tg,
    first, end, left: page - (first % page), count: postedCount(s, first, end), needed: Math.floor(to / span) - Math.floor(from / span) + 1,
    entry: Math.floor(asked.page / span) % entries,
  };
}

function causeOf(s: IndexShape, step: TableStep): StepCause {
  if (step.count === step.needed) return 'right';
  if (step.count > step.needed) return 'mask-long';
  return step.count === step.left && step.level === s.startLevel ? 'clipped' : 'mask-short';
}

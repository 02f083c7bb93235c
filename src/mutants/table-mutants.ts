/**
 * Table mutants: deliberately broken variants of the page-table library, each one rule of it inverted: a part replaced, a clean or a barrier left
 * out. Only lockstep loads them, only by name.
 */
import type { BarrierSite, CleanSite } from '../memory/cpu.js';
import type { TableForm } from '../optimised/tables/page-table.js';
import type { TableParts } from '../optimised/tables/room.js';

export interface TableMutant {
  readonly name: string;
  readonly about: string;
  /** The family of worlds that shows it soonest, when that is not `any`. */
  readonly profile?: string;
  /** Rows of the bug zoo (bugs that real drivers had) that it stands for. */
  readonly zoo?: readonly string[];
  readonly parts?: (own: TableParts, form: TableForm) => TableParts;
  readonly cleans?: (site: CleanSite, ref: number, words: number) => 'whole' | 'none' | 'early' | 'short';
  readonly barriers?: (site: BarrierSite) => boolean;
}

export const TABLE_MUTANTS: readonly TableMutant[] = [];

export function findTableMutant(name: string): TableMutant | undefined {
  return TABLE_MUTANTS.find((m) => m.name === name);
}

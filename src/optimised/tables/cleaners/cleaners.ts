/**
 * Cleaners: the four ways to clean, by name.
 */
import { CLEANER_NAMES, type CleanerName } from '../../../stack/page-table.js';
import type { LeafCleaner } from './leaf-cleaner.js';
import { eagerCleaner } from './eager.js';
import { mapSg } from './map-sg.js';
import { postedWalk } from './posted-walk.js';
import { rangeVisitor } from './range-visitor.js';

const MADE: Readonly<Record<CleanerName, () => LeafCleaner>> = {
  'eager': eagerCleaner, 'posted-walk': postedWalk, 'range-visitor': rangeVisitor, 'map-sg': mapSg,
};

/** A new one, for one table. */
export function makeCleaner(name: CleanerName): LeafCleaner {
  return MADE[name]();
}

/** Names and what they stand for. */
export const CLEANERS: readonly { readonly name: CleanerName; readonly about: string }[] = CLEANER_NAMES.map((name) => ({ name, about: makeCleaner(name).about }));

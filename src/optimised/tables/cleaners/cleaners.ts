/**
 * Cleaners: the four ways to clean, by name.
 */
import type { CleanerName } from '../../../stack/page-table.js';
import type { Cleaner } from '../room.js';
import { eagerCleaner } from './eager.js';
import { mapSg } from './map-sg.js';
import { postedWalk } from './posted-walk.js';
import { rangeVisitor } from './range-visitor.js';

const MADE: Readonly<Record<CleanerName, () => Cleaner>> = {
  'eager': eagerCleaner, 'posted-walk': postedWalk, 'range-visitor': rangeVisitor, 'map-sg': mapSg,
};

/** A new one, for one table. */
export function makeCleaner(name: CleanerName): Cleaner {
  return MADE[name]();
}

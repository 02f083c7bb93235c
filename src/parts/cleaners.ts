/**
 * The registry of the parts that clean leaf descriptors for walkers that are not coherent. Worlds name them; the optimised driver's own is `range-visitor`.
 */
import { libraryCleaner, OWN_CLEANER, type LeafCleaner } from '../optimised/driver/cleaners.js';
import type { Parts } from '../optimised/driver/types.js';
import { CLEANER_NAMES } from '../stack/page-table.js';
import type { World } from '../stack/world.js';

export const CLEANERS: readonly LeafCleaner[] = CLEANER_NAMES.map((name) => (name === OWN_CLEANER.name ? OWN_CLEANER : libraryCleaner(name)));

/** The parts with the cleaner that the world names. */
export function withCleaner(own: Parts, world: World): Parts {
  const cleaner = world.cleaner === undefined ? undefined : CLEANERS.find((c) => c.name === world.cleaner);
  return cleaner === undefined ? own : { ...own, cleaner };
}

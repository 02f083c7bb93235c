/**
 * Mutants of cleans: what goes wrong between the CPU's caches and walkers that do not look into them (seed 2; class G of the bug zoo). Most leave
 * single cleans out, by the place they stand at.
 */
import type { CleanSite } from '../memory/cpu.js';
import { libraryCleaner, type LeafCleaner } from '../optimised/driver/cleaners.js';
import type { Mutant } from './mutant.js';

const LEAVES: readonly CleanSite[] = ['leaves', 'sync-map'];

function without(...sites: readonly CleanSite[]): NonNullable<Mutant['cleans']> {
  return (site) => (sites.includes(site) ? 'none' : 'whole');
}

function onCleaner(change: (cleaner: LeafCleaner) => Partial<LeafCleaner>): NonNullable<Mutant['parts']> {
  return (own) => ({ ...own, cleaner: { ...own.cleaner, ...change(own.cleaner) } });
}

export const CLEAN_MUTANTS: readonly Mutant[] = [
  {
    name: 'table-pointer-not-cleaned', found: 'fuzz', profile: 'noncoherent', about: 'the descriptor of a new table is stored and not cleaned: the walker does not see it',
    cleans: without('table-pointer'),
  },
  {
    name: 'new-table-not-cleaned', found: 'fuzz', profile: 'noncoherent', zoo: ['G16'], about: 'the pointer to a new table is stored before the table is cleaned: the walker may see what stood in its page before',
    cleans: without('new-table'),
  },
  {
    name: 'root-not-cleaned', found: 'fuzz', profile: 'noncoherent', about: 'a domain is attached although its root table was never cleaned',
    cleans: without('root-table'),
  },
  {
    name: 'clear-not-cleaned', found: 'fuzz', profile: 'noncoherent', about: 'descriptors are cleared and invalidated, but the walker still reads them',
    cleans: without('cleared'),
  },
  {
    name: 'leaf-clean-missing', found: 'fuzz', profile: 'noncoherent', about: 'leaves are stored and never cleaned',
    cleans: without(...LEAVES),
  },
  {
    name: 'leaf-clean-short', found: 'fuzz', profile: 'noncoherent', about: 'the clean of a run of leaves leaves its last line out',
    cleans: (site) => (LEAVES.includes(site) ? 'short' : 'whole'),
  },
  {
    name: 'clean-before-store', found: 'fuzz', profile: 'noncoherent', about: 'lines are cleaned while the store is still in the store buffer: clean and barrier in the wrong order',
    cleans: () => 'early',
  },
  {
    name: 'sync-map-without-last-page', found: 'fuzz', profile: 'noncoherent', about: 'the deferred clean of a mapped range ends one page early (inclusive and exclusive end mixed up)',
    parts: (own) => {
      const cleaner = own.cleaner.name === 'posted-walk' ? own.cleaner : libraryCleaner('range-visitor');
      return { ...own, cleaner: { ...cleaner, syncMap: (ctx, domain, iova, size) => { if (size > 4096) cleaner.syncMap(ctx, domain, iova, size - 4096); } } };
    },
  },
  {
    name: 'whole-table-cleaned', found: 'fuzz', profile: 'noncoherent', about: 'for each run of leaves the whole table page is cleaned',
    parts: onCleaner((cleaner) => ({
      leavesWritten: (ctx, own, ref, count) => {
        cleaner.leavesWritten(ctx, own, ref, count);
        ctx.cpu.clean(ref - (ref % 512), 512, 'leaves');
      },
    })),
  },
  {
    name: 'coherent-domain-shared', found: 'fuzz', profile: 'noncoherent', about: 'a domain whose tables are never cleaned is attached behind an SMMU that does not look into the CPU caches',
    parts: (own) => ({ ...own, canShare: () => true }),
  },
];

/**
 * Lazy: mutants of the flush queue; and the rows of the bug zoo's class G (gathers, page tables) that no mutant stands for, with what decides them instead.
 */
import type { Mutant } from './mutant.js';
import type { ZooElsewhere } from './ranges.js';

export const LAZY_MUTANTS: readonly Mutant[] = [
  {
    name: 'iova-freed-before-flush', found: 'fuzz', profile: 'lazy', zoo: ['G13'], about: 'an address range that is given back is free at once, and does not wait for the flush of everything',
    parts: (own) => ({
      ...own,
      queueIova: (domain, first) => {
        domain.ranges.release(first);
        return 0;
      },
    }),
  },
];

export const TABLE_ZOO_ELSEWHERE: readonly ZooElsewhere[] = [
  { id: 'G7', what: 'two unmaps of parts of one block race in its splitting', where: 'blocks are not split any more: a part of one is refused (`partial-block`)' },
  { id: 'G12', what: 'a page is freed before the sync of its unmap', where: 'the caller\'s promise: what is unmapped is due at the sync, not before, and rule `stale-translation` asks for it there' },
];

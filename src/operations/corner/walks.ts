/**
 * Corner cases 44-50: walks in progress, prefetch, and the order of stores and commands (IHI 0070 §3.21.1).
 */
import {
  barrier, boot, access, claim, domain, free, GONE, held, map, pair, reaches, store, sync, tables, tlbiVa, tlbiWalk, unjudged, unmap, type Decided,
} from './builder.js';
import { DATA, IOVA, leaf, NOTHING, OTHER_DATA, PAGE, slotOf, TABLE_A } from './layout.js';

const A = TABLE_A;

export const WALKS: readonly Decided[] = [
  pair(44, 'table-freed-before-the-sync', {
    scenario: 'a walk that began before the TLBI may still use the table until the CMD_SYNC is complete', clause: '§3.21.1', rule: 'stale-walk',
    before: [domain(), unmap(A, IOVA), store(slotOf(A, IOVA, 2), NOTHING), tlbiWalk(1, IOVA)],
    right: [sync(), free(A.last)], wrong: [free(A.last), sync()],
  }),
  pair(45, 'store-still-in-the-buffer', {
    scenario: 'the cleared descriptor is still in the store buffer when the TLBI is consumed: a walk reads the old one again', clause: '§3.21.1, §3.5.2', rule: 'stale-translation',
    before: [domain(), held(slotOf(A, IOVA), NOTHING)],
    right: [barrier(), tlbiVa(1, IOVA), sync()], wrong: [tlbiVa(1, IOVA), sync(), barrier()],
    after: claim('stale-translation', IOVA, GONE),
  }),
  pair(46, 'table-used-by-another-before-the-sync', {
    scenario: 'a table page that went to another domain before the CMD_SYNC is still walked for the first one', clause: '§3.21.1', rule: 'isolation',
    world: unjudged(), before: [domain(), unmap(A, IOVA), store(slotOf(A, IOVA, 2), NOTHING), tlbiWalk(1, IOVA)],
    right: [sync(), store(slotOf(A, IOVA), leaf(OTHER_DATA))], wrong: store(slotOf(A, IOVA), leaf(OTHER_DATA)),
    after: claim('isolation', IOVA, GONE),
  }),
  pair(47, 'never-used-is-not-never-cached', {
    scenario: 'no device ever touched the page: the SMMU may have walked to it all the same', clause: '§3.21.1 (prefetch)', rule: 'stale-translation',
    before: [tables(), boot(), unmap(A, IOVA)],
    right: [tlbiVa(1, IOVA), sync()], wrong: [],
    after: claim('stale-translation', IOVA, GONE),
  }),
  pair(48, 'mapped-again-before-the-flush', {
    scenario: 'an address range is handed out again before the lazy flush: the new mapping meets the old entry', clause: '§3.21.1', rule: 'stale-translation',
    world: unjudged(), before: [domain(), unmap(A, IOVA)],
    right: [tlbiVa(1, IOVA), sync()], wrong: [],
    after: [map(A, IOVA, OTHER_DATA), claim('stale-translation', IOVA, reaches(OTHER_DATA))],
  }),
  pair(49, 'mapped-but-not-visible', {
    scenario: 'faults are not cached, so a new mapping needs no TLBI: only that its store is visible before the device starts', clause: '§3.21.1, §3.13.1', rule: 'translation-equivalence',
    before: [domain(), access(IOVA + PAGE), held(slotOf(A, IOVA + PAGE), leaf(DATA))],
    right: barrier(), wrong: [],
    after: claim('translation-equivalence', IOVA + PAGE, reaches(DATA)),
  }),
  pair(50, 'more-rights-without-a-flush', {
    scenario: 'a read-only entry may be cached: a write after the page became writable can still fault', clause: '§3.13.3.1, §3.21.1', rule: 'translation-equivalence',
    before: [tables(), map(A, IOVA, DATA, { readOnly: true }), boot(), access(IOVA), map(A, IOVA, DATA)],
    right: [tlbiVa(1, IOVA), sync()], wrong: [],
    after: claim('translation-equivalence', IOVA, reaches(DATA), { write: true }),
  }),
];

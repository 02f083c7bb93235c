/**
 * Corner cases 89-96: changes of live descriptors, contiguous runs, access flag and dirty state (IHI 0070 §3.13, §3.21.1.1-3).
 */
import {
  access, boot, claim, domain, free, GONE, map, mapRun, only, outOfScope, pair, reaches, stage1Stream, store, sync, tables, TG4, tlbiVa, tlbiWalk, unmap, unmapRun, way, world, type CornerCase,
} from './builder.js';
import { DATA, IOVA, leaf, NOTHING, OTHER_DATA, PAGE, slotOf, table, TABLE_A } from './layout.js';

const A = TABLE_A;

export const BREAKING: readonly CornerCase[] = [
  pair(89, 'block-becomes-a-table', {
    scenario: 'with BBML = 0 a block is replaced by a table without going through invalid', clause: '§3.21.1.1', rule: 'break-before-make',
    world: world({ bbml: 0 }),
    before: [
      store(slotOf(A, IOVA, 1), table(A.middle)), store(slotOf(A, IOVA, 2), leaf(DATA, { block: true })), map(A, IOVA, DATA),
      stage1Stream(1, { root: A.root, asid: 1 }), boot(), access(IOVA),
    ],
    right: [store(slotOf(A, IOVA, 2), NOTHING), tlbiVa(1, IOVA), sync()], wrong: [],
    after: [store(slotOf(A, IOVA, 2), table(A.last)), claim('translation-equivalence', IOVA, reaches(DATA))],
  }),
  pair(90, 'another-page-in-place', {
    scenario: 'BBML = 2 is about sizes: another output address still needs break-before-make', clause: '§3.21.1.3', rule: 'break-before-make',
    before: domain(),
    right: [unmap(A, IOVA), tlbiVa(1, IOVA), sync()], wrong: [],
    after: [map(A, IOVA, OTHER_DATA), claim('stale-translation', IOVA, reaches(OTHER_DATA))],
  }),
  pair(91, 'members-of-a-run', {
    scenario: 'the members of a contiguous run may be cached one by one: a TLBI of the first leaves the others', clause: '§4.4, §3.21.1.2', rule: 'stale-translation',
    before: [tables(), mapRun(A, IOVA, DATA), boot(), access(IOVA), unmapRun(A, IOVA)],
    right: tlbiVa(1, IOVA, { tg: TG4, num: 15 }), wrong: tlbiVa(1, IOVA),
    after: [sync(), claim('stale-translation', IOVA + 9 * PAGE, GONE)],
  }),
  outOfScope(92, 'bit 52 as a protection bit (CD.PnCH) is not modelled: it always means Contiguous'),
  pair(93, 'clean-without-a-flush', {
    scenario: 'a page is made read-only to see the next write: a cached writable entry lets it through unseen', clause: '§3.13.4, §3.21.1', rule: 'dirty-tracking',
    before: [domain(), access(IOVA, { write: true }), map(A, IOVA, DATA, { readOnly: true })],
    right: [tlbiVa(1, IOVA), sync()], wrong: [],
    after: claim('dirty-tracking', IOVA, only('F_PERMISSION'), { write: true }),
  }),
  pair(94, 'old-value-written-back', {
    scenario: 'a read-modify-write that is not atomic: the clean descriptor is stored after another CPU cleared it, and the mapping is back', clause: '§3.13', rule: 'stale-translation',
    before: [tables({ ha: true, hd: true }), map(A, IOVA, DATA, { dirtyBit: true }), boot(), access(IOVA)],
    right: [map(A, IOVA, DATA, { dirtyBit: true, readOnly: true }), unmap(A, IOVA)], wrong: [unmap(A, IOVA), map(A, IOVA, DATA, { dirtyBit: true, readOnly: true })],
    after: [tlbiVa(1, IOVA), sync(), claim('stale-translation', IOVA, GONE)],
  }),
  pair(95, 'aged-without-a-flush', {
    scenario: 'the access flag is cleared while the entry is cached: no access fault comes before a TLBI', clause: '§3.13.1', rule: 'stale-translation',
    before: [domain(), map(A, IOVA, DATA, { old: true })],
    right: [tlbiVa(1, IOVA), sync()], wrong: [],
    after: claim('stale-translation', IOVA, only('F_ACCESS')),
  }),
  pair(96, 'access-flag-in-a-freed-page', {
    scenario: 'with hardware access flags a stale pointer is not only read: the SMMU may write into the freed table', clause: '§3.21.1, §3.13', rule: 'stale-walk',
    before: [
      way(A, IOVA), map(A, IOVA, DATA, { old: true }), stage1Stream(1, { root: A.root, asid: 1, ha: true }), boot(), access(IOVA), store(slotOf(A, IOVA, 2), NOTHING),
    ],
    right: tlbiWalk(1, IOVA), wrong: [],
    after: [sync(), free(A.last)],
  }),
];

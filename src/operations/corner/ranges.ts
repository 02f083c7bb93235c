/**
 * Corner cases 1-24: how a range of addresses becomes invalidation commands (IHI 0070 §4.4, §4.4.1.1): reserved combinations,
 * alignment, level hints, granules, ends of ranges, what one command reaches.
 */
import {
  access, boot, claim, command, domain, flat, free, GONE, GONE2, map, mapRun, pair, stage1Stream, store, sync, tables, TG16, TG4, TG64, tlbiAsid, tlbiVa, tlbiWalk, unjudged, unmap,
  unmapRun, way, world, write, streamAt, type Decided,
} from './builder.js';
import {
  BUFFER, DATA, IOVA, LARGE_TABLE, leaf, leaf2, NOTHING, OTHER_DATA, PAGE, slotOf, SPARE, STAGE2, ste, table, TABLE_A, TABLE_B, TOP,
} from './layout.js';
import { OP } from '../../spec/command.js';

const MEGABYTES2 = 0x20_0000;
const A = TABLE_A;

/** IOVA and the page `n` pages behind it are mapped and used; then both descriptors are cleared. */
function twoPagesGone(n: number): ReturnType<typeof flat> {
  const far = IOVA + n * PAGE;
  return flat(domain(), map(A, far, OTHER_DATA), access(far), unmap(A, IOVA), unmap(A, far));
}

/** 64 KB pages through a level-3 table of 512 entries: 25 bits of input, CD.TG0 = 1. */
const WIDE_SLOT = SPARE[0] + 3 * 8;
const WIDE_IOVA = 3 * 0x1_0000;
function widePages(): ReturnType<typeof flat> {
  return flat(store(WIDE_SLOT, leaf(DATA)), stage1Stream(1, { root: SPARE[0], asid: 1, tg0: 1, bits: 25 }), boot(), access(WIDE_IOVA));
}

/** A 16 KB page through one level-3 table of 2048 entries, CD.TG0 = 2. */
const MIDDLE_IOVA = 5 * 0x4000;
function middlePages(): ReturnType<typeof flat> {
  return flat(store(LARGE_TABLE + 5 * 8, leaf(DATA)), stage1Stream(1, { root: LARGE_TABLE, asid: 1, tg0: 2, bits: 25 }), boot(), access(MIDDLE_IOVA));
}

/** A block of 2 MB at IOVA. */
function block(): ReturnType<typeof flat> {
  return flat(way(A, IOVA), store(slotOf(A, IOVA, 2), leaf(DATA, { block: true })), stage1Stream(1, { root: A.root, asid: 1 }), boot(), access(IOVA));
}

export const RANGES: readonly Decided[] = [
  pair(1, 'reserved-range', {
    scenario: 'a naive encoder flushes one page of a table walk with TG set and NUM, SCALE and TTL zero, which is reserved', clause: '§4.4.1.1', rule: 'illegal-command',
    before: [domain(), unmap(A, IOVA)],
    right: tlbiWalk(1, IOVA), wrong: tlbiWalk(1, IOVA, { tg: TG4 }),
    after: [sync(), claim('stale-translation', IOVA, GONE)],
  }),
  pair(2, 'hint-1-of-16k', {
    scenario: 'TTL = 1 with a 16K granule counts as no hint without DS, so the single page is the reserved combination', clause: '§4.4.1.1', rule: 'illegal-command',
    before: [middlePages(), store(LARGE_TABLE + 5 * 8, NOTHING)],
    right: tlbiVa(1, MIDDLE_IOVA, { tg: TG16, ttl: 3 }), wrong: tlbiVa(1, MIDDLE_IOVA, { tg: TG16, ttl: 1 }),
    after: [sync(), claim('stale-translation', MIDDLE_IOVA, GONE)],
  }),
  pair(3, 'hint-with-unaligned-address', {
    scenario: 'a level-2 hint with an address that is not aligned to 2 MB has an unpredictable range, and may remove nothing', clause: '§4.4.1.1', rule: 'stale-translation',
    world: unjudged(), before: [block(), store(slotOf(A, IOVA, 2), NOTHING)],
    right: tlbiVa(1, IOVA, { tg: TG4, ttl: 2 }), wrong: tlbiVa(1, IOVA + PAGE, { tg: TG4, ttl: 2 }),
    after: [sync(), claim('stale-translation', IOVA, GONE)],
  }),
  pair(4, 'small-pages-in-a-64k-granule', {
    scenario: 'a caller that counts in 4 KB gives a 64K command an address with bits [15:12] set: unpredictable', clause: '§4.4.1.1', rule: 'illegal-command',
    before: [widePages(), store(WIDE_SLOT, NOTHING)],
    right: tlbiVa(1, WIDE_IOVA, { tg: TG64, ttl: 3 }), wrong: tlbiVa(1, WIDE_IOVA + PAGE, { tg: TG64, ttl: 3 }),
    after: [sync(), claim('stale-translation', WIDE_IOVA + PAGE, GONE)],
  }),
  pair(5, 'hint-of-the-requested-size', {
    scenario: 'the level hint comes from the 2 MB that were asked for, but the mapping was made of 4 KB pages', clause: '§4.4.1.1 TTL', rule: 'stale-translation',
    before: twoPagesGone(9),
    right: tlbiVa(1, IOVA, { tg: TG4, scale: 9, ttl: 3 }), wrong: tlbiVa(1, IOVA, { tg: TG4, scale: 9, ttl: 2 }),
    after: [sync(), claim('stale-translation', IOVA + 9 * PAGE, GONE)],
  }),
  pair(6, 'granule-as-the-cd-encodes-it', {
    scenario: 'CD.TG0 = 1 says 64K, TG = 1 of a command says 4K: copied over, it leaves the 64K entries', clause: '§4.4.1.1 TG, §5.4 TG0', rule: 'stale-translation',
    before: [widePages(), store(WIDE_SLOT, NOTHING)],
    right: tlbiVa(1, WIDE_IOVA, { tg: TG64, ttl: 3 }), wrong: tlbiVa(1, WIDE_IOVA, { tg: TG4, num: 15 }),
    after: [sync(), claim('stale-translation', WIDE_IOVA, GONE)],
  }),
  pair(7, 'range-without-the-feature', {
    scenario: 'an SMMU without range invalidation may ignore the range fields: one address goes, the second page stays, and no error shows', clause: '§4.4.1.1, §4.1.5', rule: 'stale-translation',
    world: unjudged({ range: false }, false), before: twoPagesGone(1),
    right: [tlbiVa(1, IOVA), tlbiVa(1, IOVA + PAGE)], wrong: tlbiVa(1, IOVA, { tg: TG4, num: 1 }),
    after: [sync(), claim('stale-translation', IOVA + PAGE, GONE)],
  }),
  pair(8, 'scale-beyond-31', {
    scenario: 'SCALE above 31 is reserved without DS; an implementation that drops its top bit invalidates one page', clause: '§4.4.1.1 SCALE', rule: 'illegal-command',
    before: twoPagesGone(40),
    right: tlbiVa(1, 0, { tg: TG4, scale: 31 }), wrong: tlbiVa(1, 0, { tg: TG4, scale: 32 }),
    after: [sync(), claim('stale-translation', IOVA + 40 * PAGE, GONE)],
  }),
  pair(9, 'range-over-the-end', {
    scenario: 'a range that passes 2^64 does not wrap: page 0 needs a command of its own', clause: '§4.4.1.1', rule: 'range-coverage',
    before: [
      tables({ upper: TABLE_B.root }), way(TABLE_B, TOP), map(TABLE_B, TOP, OTHER_DATA), way(A, 0), map(A, 0, DATA), boot(), access(0), access(TOP),
      unmap(TABLE_B, TOP), unmap(A, 0),
    ],
    right: [tlbiVa(1, TOP), tlbiVa(1, 0)], wrong: tlbiVa(1, TOP, { tg: TG4, num: 1 }),
    after: [sync(), claim('range-coverage', TOP, GONE), claim('range-coverage', 0, GONE)],
  }),
  pair(10, 'lower-half-range-into-the-upper', {
    scenario: 'however long, a range that starts in the half of TTB0 need not reach the half of TTB1', clause: '§4.4.1.1', rule: 'range-coverage',
    before: [tables({ upper: TABLE_B.root }), way(TABLE_B, TOP), map(TABLE_B, TOP, OTHER_DATA), boot(), access(TOP), unmap(TABLE_B, TOP)],
    right: tlbiVa(1, TOP, { tg: TG4, ttl: 3 }), wrong: tlbiVa(1, 0, { tg: TG4, num: 31, scale: 31 }),
    after: [sync(), claim('range-coverage', TOP, GONE)],
  }),
  pair(11, 'num-is-one-less', {
    scenario: '32 pages are NUM = 31; 32 in five bits is 0, which is one page', clause: '§4.4.1.1 NUM', rule: 'range-coverage',
    before: twoPagesGone(31),
    right: tlbiVa(1, IOVA, { tg: TG4, ttl: 3, num: 31 }), wrong: tlbiVa(1, IOVA, { tg: TG4, ttl: 3, num: 0 }),
    after: [sync(), claim('range-coverage', IOVA + 31 * PAGE, GONE)],
  }),
  pair(12, 'chunks-do-not-advance', {
    scenario: '33 pages in two chunks: the second must begin where the first ends', clause: '§4.4.1.1', rule: 'range-coverage',
    before: [twoPagesGone(32), tlbiVa(1, IOVA, { tg: TG4, ttl: 3 })],
    right: tlbiVa(1, IOVA + PAGE, { tg: TG4, ttl: 3, scale: 5 }), wrong: tlbiVa(1, IOVA, { tg: TG4, ttl: 3, scale: 5 }),
    after: [sync(), claim('range-coverage', IOVA, GONE), claim('range-coverage', IOVA + 32 * PAGE, GONE)],
  }),
  pair(13, 'inclusive-end', {
    scenario: 'an end that is itself part of the range: size is end - start + 1, or the last page is missing', clause: '§4.4.1.1', rule: 'range-coverage',
    before: twoPagesGone(2),
    right: tlbiVa(1, IOVA, { tg: TG4, ttl: 3, num: 2 }), wrong: tlbiVa(1, IOVA, { tg: TG4, ttl: 3, num: 1 }),
    after: [sync(), claim('range-coverage', IOVA + 2 * PAGE, GONE)],
  }),
  pair(14, 'size-zero-means-everything', {
    scenario: 'size 0 stands for the whole address space and must become a flush by ASID; as a count it gives NUM = 31', clause: '§4.4.1.1, §4.4.2.2', rule: 'range-coverage',
    before: twoPagesGone(64),
    right: tlbiAsid(1), wrong: tlbiVa(1, IOVA, { tg: TG4, num: 31 }),
    after: [sync(), claim('range-coverage', IOVA + 64 * PAGE, GONE)],
  }),
  pair(15, 'part-of-a-block', {
    scenario: 'a range whose last page lies in a block removes the whole block; one that ends before it removes nothing of it', clause: '§4.4 (entries larger than the range)', rule: 'stale-translation',
    before: [block(), store(slotOf(A, IOVA, 2), NOTHING)],
    right: tlbiVa(1, IOVA - PAGE, { tg: TG4, num: 1 }), wrong: tlbiVa(1, IOVA - 2 * PAGE, { tg: TG4, num: 1 }),
    after: [sync(), claim('stale-translation', IOVA + MEGABYTES2 - PAGE, GONE)],
  }),
  pair(16, 'run-cut-in-two', {
    scenario: 'with the erratum of merged runs, two commands that cover a contiguous run together leave its entry', clause: '§4.4.1.1; erratum: whole runs only', rule: 'stale-translation',
    world: world({ wholeRunOnly: true }),
    before: [tables(), mapRun(A, IOVA, DATA), boot(), access(IOVA), unmapRun(A, IOVA)],
    right: tlbiVa(1, IOVA, { tg: TG4, num: 15 }), wrong: [tlbiVa(1, IOVA, { tg: TG4, num: 7 }), tlbiVa(1, IOVA + 8 * PAGE, { tg: TG4, num: 7 })],
    after: [sync(), claim('stale-translation', IOVA, GONE)],
  }),
  pair(17, 'leaf-only-when-a-table-goes', {
    scenario: 'Leaf = 1 leaves the walk cache, which still points to the page table page that is freed', clause: '§4.4.1.1 Leaf, §3.21.1', rule: 'stale-walk',
    before: [domain(), unmap(A, IOVA), store(slotOf(A, IOVA, 2), NOTHING)],
    right: tlbiWalk(1, IOVA), wrong: tlbiVa(1, IOVA),
    after: [sync(), free(A.last)],
  }),
  pair(18, 'hint-of-the-table-itself', {
    scenario: 'Leaf = 0 with a hint of level 2 removes tables above level 2 only: a table descriptor at level 2 needs the hint 3 or none', clause: '§4.4.1.1 TTL', rule: 'stale-walk',
    before: [domain(), unmap(A, IOVA), store(slotOf(A, IOVA, 2), NOTHING)],
    right: tlbiWalk(1, IOVA, { tg: TG4, scale: 9, ttl: 3 }), wrong: tlbiWalk(1, IOVA, { tg: TG4, scale: 9, ttl: 2 }),
    after: [sync(), free(A.last)],
  }),
  pair(19, 'span-of-the-freed-table', {
    scenario: 'a table above two others is freed: a flush of the pages that were mapped first leaves the pointer to the second', clause: '§4.4.1.1, §3.21.1', rule: 'stale-walk',
    before: [
      tables(), store(slotOf(A, IOVA + MEGABYTES2, 2), table(SPARE[0])), store(SPARE[0], leaf(OTHER_DATA)), boot(), access(IOVA), access(IOVA + MEGABYTES2),
      store(slotOf(A, IOVA, 1), NOTHING),
    ],
    right: tlbiWalk(1, IOVA, { tg: TG4, scale: 9, num: 1 }), wrong: tlbiWalk(1, IOVA, { tg: TG4, scale: 9, num: 0 }),
    after: [sync(), free(SPARE[0])],
  }),
  pair(20, 'block-without-a-hint', {
    scenario: 'a 512 GB block of level 0 has no TTL encoding: a level formula packed into two bits says level 3 and leaves it', clause: '§4.4.1.1 TTL with DS', rule: 'stale-translation',
    world: world({ ds: true, oas: 52, wideInput: true }),
    before: [
      store(A.root + 8, leaf(0x100_0000_0000, { block: true, ds: true })), stage1Stream(1, { root: A.root, asid: 1, bits: 48, ips: 6, ds: true }), boot(), access(0x80_0000_0000),
      store(A.root + 8, NOTHING),
    ],
    right: tlbiVa(1, 0x80_0000_0000, { tg: TG4, num: 1, ttl: 0 }), wrong: tlbiVa(1, 0x80_0000_0000, { tg: TG4, num: 1, ttl: 3 }),
    after: [sync(), claim('stale-translation', 0x80_0000_0000, GONE)],
  }),
  pair(21, 'ipa-above-48-bits', {
    scenario: 'an IPA of 2^48 cut to the 48 bits of the first revision names another address', clause: '§4.4.3.1', rule: 'stale-translation',
    world: world({ oas: 52, wideInput: true }),
    before: [
      store(LARGE_TABLE + 64 * 8, leaf2(2 ** 42, { block: true })),
      write(streamAt(1), ste({ config: STAGE2, vmid: 5, stage2: { root: LARGE_TABLE, bits: 52, tg: 1, sl0: 2, ps: 6 } })), boot(), access(2 ** 48),
      store(LARGE_TABLE + 64 * 8, NOTHING),
    ],
    right: command({ op: OP.TLBI_S2_IPA, vmid: 5, frame: 2 ** 36, leaf: 1 }), wrong: command({ op: OP.TLBI_S2_IPA, vmid: 5, frame: 0, leaf: 1 }),
    after: [sync(), claim('stale-translation', 2 ** 48, GONE2)],
  }),
  pair(22, 'tagged-address', {
    scenario: 'the top byte of a device address is ignored by the walk, but need not be by the command', clause: '§4.4.2', rule: 'stale-translation',
    before: [tables({ tbi: true }), boot(), access(IOVA), unmap(A, IOVA)],
    right: tlbiVa(1, IOVA), wrong: tlbiVa(1, 0x5a * 2 ** 56 + IOVA),
    after: [sync(), claim('stale-translation', IOVA, GONE)],
  }),
  pair(23, 'zero-extended-upper-address', {
    scenario: 'an address of the half of TTB1 without its upper ones names the other half', clause: '§4.4.2, §3.4.1', rule: 'stale-translation',
    before: [tables({ upper: TABLE_B.root }), way(TABLE_B, TOP), map(TABLE_B, TOP, BUFFER), boot(), access(TOP), unmap(TABLE_B, TOP)],
    right: tlbiVa(1, TOP), wrong: tlbiVa(1, 2 ** 39 - PAGE),
    after: [sync(), claim('stale-translation', TOP, GONE)],
  }),
  pair(24, 'asid-beyond-8-bits', {
    scenario: 'an SMMU of 8-bit ASIDs need not act on a command whose ASID has more', clause: '§4.4', rule: 'stale-translation',
    world: unjudged({ asidBits: 8 }), before: [domain(), unmap(A, IOVA)],
    right: tlbiAsid(1), wrong: tlbiAsid(0x101),
    after: [sync(), claim('stale-translation', IOVA, GONE)],
  }),
];

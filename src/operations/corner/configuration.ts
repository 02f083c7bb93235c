/**
 * Corner cases 51-64: STEs, CDs and level-1 descriptors in caches (IHI 0070 §3.21.3, §4.3, §5.2.1, §5.4.1).
 */
import { REG } from '../../spec/register.js';
import {
  ABORTED, access, boot, cdAt, cfgiAll, cfgiCd, cfgiRange, cfgiSte, claim, disable, domain, enable, free, GONE, GONE2, hostTables, map, only, pair, reaches, register, stage2Stream,
  store, streamAt, sync, tables, tlbiAsid, tlbiEverything, tlbiVmid, toAbort, unjudged, unmap, VMID, way, write, writeWord, type Decided, type Steps,
} from './builder.js';
import {
  ABORT, cd, CDS, DATA, GUEST_DATA, HOST, IOVA, l1std, leaf2, LEVEL1_STREAMS, LEVEL2_STREAMS, OTHER_DATA, OTHER_STREAMS, slotOf, STAGE1, STAGE2, ste, TABLE_A, TABLE_B,
} from './layout.js';

const A = TABLE_A;
const B = TABLE_B;
const OFF = cd({ root: A.root, asid: 1, valid: false });

/** Two streams of CD 1. */
function sharedCd(): Steps {
  return [tables(), write(streamAt(2), ste({ config: STAGE1, cd: cdAt(1) })), boot(), access(IOVA), access(IOVA, { sid: 2 })];
}

/** Streams of CD 1 from `first` on, `n` of them, with STE.CONT; used once; then all abort. */
function streamsAbort(first: number, n: number, cont: number): Steps {
  const sids = Array.from({ length: n }, (_, i) => first + i);
  return [
    tables(), sids.map((sid) => write(streamAt(sid), ste({ config: STAGE1, cd: cdAt(1), cont }))), boot(), sids.map((sid) => access(IOVA, { sid })),
    sids.map((sid) => writeWord(streamAt(sid), ste({ config: ABORT, cont }), 0)),
  ];
}

const OLD_GUEST = ste({ config: STAGE2, vmid: 1, stage2: { root: HOST.root } });
const NEW_GUEST = ste({ config: STAGE2, vmid: 2, stage2: { root: B.root } });

export const CONFIGURATION: readonly Decided[] = [
  pair(51, 'cd-shared-by-two-streams', {
    scenario: 'a CD reached through two STEs is cached once for each: CMD_CFGI_CD for one stream leaves the other\'s copy', clause: '§4.3.3, §5.4.1', rule: 'stale-configuration',
    before: [sharedCd(), writeWord(cdAt(1), OFF, 0), cfgiCd(1)],
    right: cfgiCd(2), wrong: [],
    after: [sync(), claim('stale-configuration', IOVA, only('C_BAD_CD'), { sid: 2 })],
  }),
  pair(52, 'new-level-1-descriptor', {
    scenario: 'the invalid level-1 descriptor is cached: CMD_CFGI_STE with Leaf = 1 leaves it, and the new stream stays unknown', clause: '§5.1.1, §4.3.1', rule: 'translation-equivalence',
    before: [
      way(A, IOVA), map(A, IOVA, DATA), write(cdAt(1), cd({ root: A.root, asid: 1 })), store(LEVEL1_STREAMS, l1std(LEVEL2_STREAMS[0], 7)),
      boot({ streams: LEVEL1_STREAMS, streamsLog2: 8, split: 6 }), access(IOVA, { sid: 65 }),
      write(LEVEL2_STREAMS[1] + 64, ste({ config: STAGE1, cd: cdAt(1) })), store(LEVEL1_STREAMS + 8, l1std(LEVEL2_STREAMS[1], 7)),
    ],
    right: cfgiSte(65, false), wrong: cfgiSte(65, true),
    after: [sync(), claim('translation-equivalence', IOVA, reaches(DATA), { sid: 65 })],
  }),
  pair(53, 'invalid-entries-are-cached', {
    scenario: 'an STE that becomes valid needs CMD_CFGI_STE: the invalid one may be cached', clause: '§3.21.3', rule: 'translation-equivalence',
    before: [tables(), boot(), access(IOVA, { sid: 2 }), writeWord(streamAt(2), ste({ config: STAGE1, cd: cdAt(1) }), 0)],
    right: [cfgiSte(2), sync()], wrong: [],
    after: claim('translation-equivalence', IOVA, reaches(DATA), { sid: 2 }),
  }),
  pair(54, 'torn-cd', {
    scenario: 'a CD goes through V = 0 to another table, but the copy with the old table is not flushed before V = 1: new ASID, old table', clause: '§3.21.3.1', rule: 'isolation',
    world: unjudged(),
    before: [
      domain(), way(B, IOVA), map(B, IOVA, OTHER_DATA), writeWord(cdAt(1), OFF, 0), cfgiCd(1), sync(), writeWord(cdAt(1), cd({ root: B.root, asid: 2 }), 1),
    ],
    right: [cfgiCd(1), sync()], wrong: [],
    after: [writeWord(cdAt(1), cd({ root: B.root, asid: 2 }), 0), cfgiCd(1), sync(), claim('isolation', IOVA, reaches(OTHER_DATA))],
  }),
  pair(55, 'two-words-of-a-live-ste', {
    scenario: 'VMID and table of a live STE change one after the other: what is cached between has the new VMID and the old table', clause: '§3.21.3.1, §5.2', rule: 'isolation',
    world: unjudged(),
    before: [hostTables(), way(B, GUEST_DATA), store(slotOf(B, GUEST_DATA), leaf2(OTHER_DATA)), write(streamAt(1), OLD_GUEST), boot(), access(GUEST_DATA)],
    right: [
      writeWord(streamAt(1), ste({ config: STAGE2, valid: false }), 0), cfgiSte(1), sync(), writeWord(streamAt(1), NEW_GUEST, 2),
      writeWord(streamAt(1), NEW_GUEST, 3), cfgiSte(1), sync(), writeWord(streamAt(1), NEW_GUEST, 0), cfgiSte(1), sync(),
    ],
    wrong: [
      writeWord(streamAt(1), NEW_GUEST, 2), writeWord(streamAt(1), ste({ config: STAGE2, valid: false }), 0), cfgiSte(1), sync(),
      writeWord(streamAt(1), NEW_GUEST, 3), cfgiSte(1), sync(), writeWord(streamAt(1), NEW_GUEST, 0), cfgiSte(1), sync(),
    ],
    after: claim('isolation', GUEST_DATA, reaches(OTHER_DATA)),
  }),
  pair(56, 'detached-is-not-flushed', {
    scenario: 'CMD_CFGI_STE leaves the TLB: attached again under the same ASID, the stream sees what was unmapped meanwhile', clause: '§4.3.1, §5.2.1', rule: 'tag-lifetime',
    before: [domain(), toAbort(1), cfgiSte(1), sync(), unmap(A, IOVA)],
    right: [tlbiAsid(1), sync()], wrong: [],
    after: [writeWord(streamAt(1), ste({ config: STAGE1, cd: cdAt(1) }), 0), cfgiSte(1), sync(), claim('tag-lifetime', IOVA, GONE)],
  }),
  pair(57, 'table-pointer-in-the-tlb', {
    scenario: 'STE.S2TTB may be cached in TLB entries: changing it needs a TLBI besides CMD_CFGI_STE', clause: '§5.2.1', rule: 'stale-translation',
    before: [
      hostTables(), way(B, GUEST_DATA), stage2Stream(1, VMID), boot(), access(GUEST_DATA),
      writeWord(streamAt(1), ste({ config: STAGE2, vmid: VMID, stage2: { root: B.root } }), 3), cfgiSte(1), sync(),
    ],
    right: [tlbiVmid(VMID), sync()], wrong: [],
    after: claim('stale-translation', GUEST_DATA, GONE2),
  }),
  pair(58, 'disabled-half', {
    scenario: 'EPD0 forbids walks, not hits: what is in the TLB is used until it is invalidated', clause: '§5.4.1.1', rule: 'stale-translation',
    before: [domain(), writeWord(cdAt(1), cd({ root: A.root, asid: 1, epd0: true }), 0), cfgiCd(1), sync()],
    right: [tlbiAsid(1), sync()], wrong: [],
    after: claim('stale-translation', IOVA, GONE),
  }),
  pair(59, 'cd-table-freed-before-the-sync', {
    scenario: 'the STE aborts and CMD_CFGI_STE is issued, but the CD table is freed before its CMD_SYNC', clause: '§3.21.3', rule: 'use-after-free',
    before: [domain(), toAbort(1), cfgiSte(1)],
    right: [sync(), free(CDS)], wrong: [free(CDS), sync()],
  }),
  pair(60, 'contiguous-stes', {
    scenario: 'STE.CONT does not widen CMD_CFGI_STE: every STE of the span must be invalidated', clause: '§5.2 CONT, §4.3.1', rule: 'stale-configuration',
    before: streamsAbort(4, 2, 1),
    right: cfgiRange(4, 0), wrong: cfgiSte(4),
    after: [sync(), claim('stale-configuration', IOVA, ABORTED, { sid: 5 })],
  }),
  pair(61, 'range-of-streams', {
    scenario: 'CMD_CFGI_STE_RANGE ignores the low bits of the StreamID: Range = 0 at 3 is 2 and 3, not 3 and 4', clause: '§4.3.2', rule: 'stale-configuration',
    before: streamsAbort(3, 2, 0),
    right: cfgiRange(3, 2), wrong: cfgiRange(3, 0),
    after: [sync(), claim('stale-configuration', IOVA, ABORTED, { sid: 4 })],
  }),
  pair(62, 'two-devices-of-one-stream', {
    scenario: 'two devices share a StreamID: when the first leaves, the list entry of the domain must stay for the second', clause: '§3.3.3, §4.4.2.2', rule: 'stale-translation',
    before: [domain(), access(IOVA), unmap(A, IOVA)],
    right: tlbiAsid(1), wrong: [],
    after: [sync(), claim('stale-translation', IOVA, GONE)],
  }),
  pair(63, 'another-stream-table', {
    scenario: 'SMMUEN off and on empties no cache: STEs of the old stream table are still used', clause: '§6.3.9.6, §3.11', rule: 'stale-configuration',
    before: [domain(), write(OTHER_STREAMS + 64, ste({ config: ABORT })), disable(), register(REG.STRTAB_BASE, OTHER_STREAMS)],
    right: [cfgiAll(), sync()], wrong: [],
    after: [enable(), claim('stale-configuration', IOVA, ABORTED)],
  }),
  pair(64, 'tlb-before-configuration', {
    scenario: 'TLBI before CMD_CFGI_ALL: the stale STE fills the TLB again between the two', clause: '§4.3.6', rule: 'tag-lifetime',
    before: [domain(), way(B, IOVA), write(cdAt(2), cd({ root: B.root, asid: 1 })), toAbort(1)],
    right: [cfgiAll(), sync(), tlbiEverything(), sync()], wrong: [tlbiEverything(), sync(), cfgiAll(), sync()],
    after: [writeWord(streamAt(2), ste({ config: STAGE1, cd: cdAt(2) }), 0), cfgiSte(2), sync(), claim('tag-lifetime', IOVA, GONE, { sid: 2 })],
  }),
];


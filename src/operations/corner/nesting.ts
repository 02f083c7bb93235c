/**
 * Corner cases 37-43: two stages (IHI 0070 §4.4.3, §16.2.1): combined entries, stage-1 walks through stage 2, guests' commands.
 */
import { OP } from '../../spec/command.js';
import {
  access, boot, cdAt, claim, free, GONE, GONE2, map2, nested, pair, raw, reaches, store, sync, TG4, tlbiAll, tlbiIpa, tlbiVa, unjudged, unmap, VMID, type Decided,
} from './builder.js';
import { BUFFER, DATA, GUEST, guest, GUEST_DATA, HOST, IOVA, leaf, NOTHING, slotOf, TABLE_A } from './layout.js';

const A = TABLE_A;
const unmap2 = (ipa: number): ReturnType<typeof store> => store(slotOf(HOST, ipa), NOTHING);

export const NESTING: readonly Decided[] = [
  pair(37, 'stage-2-command-only', {
    scenario: 'TLBI_S2_IPA need not remove combined entries: a nested stream needs a stage-1 flush of the VMID as well', clause: '§4.4.3.1, §16.2.1', rule: 'stale-translation',
    before: [nested(), boot(), access(IOVA), unmap2(GUEST_DATA), tlbiIpa(GUEST_DATA), sync()],
    right: [tlbiAll(VMID), sync()], wrong: [],
    after: claim('stale-translation', IOVA, GONE2),
  }),
  pair(38, 'both-stages-in-one-batch', {
    scenario: 'TLBI_S2_IPA and TLBI_NH_ALL without a CMD_SYNC between: the second may act first, and the stale stage-2 entry rebuilds the combined one', clause: '§4.7.3, §4.4.3.1', rule: 'stale-translation',
    before: [nested(), boot(), access(IOVA), unmap2(GUEST_DATA), tlbiIpa(GUEST_DATA)],
    right: sync(), wrong: [],
    after: [tlbiAll(VMID), sync(), claim('stale-translation', IOVA, GONE2)],
  }),
  pair(39, 'page-of-a-guest-table', {
    scenario: 'the host takes a page away in which a guest keeps a page table: walk caches hold its physical address until the whole VMID is flushed', clause: '§16.2.1, §3.21.1', rule: 'stale-walk',
    before: [nested(), boot(), access(IOVA), unmap2(guest(A.last)), tlbiIpa(guest(A.last)), sync()],
    right: tlbiAll(VMID), wrong: tlbiVa(1, IOVA, { vmid: VMID }),
    after: [sync(), free(A.last)],
  }),
  pair(40, 'hint-of-the-other-stage', {
    scenario: 'a hint of TLBI_S2_IPA speaks of the stage-2 tables, whatever block the guest maps with', clause: '§4.4.3.1, §4.4.1.1', rule: 'stale-translation',
    before: [
      nested(), store(slotOf(A, IOVA, 2), leaf(GUEST, { block: true })), boot(), access(IOVA + 0x10_0000), unmap2(GUEST_DATA),
    ],
    right: tlbiIpa(GUEST, { tg: TG4, scale: 9, ttl: 3 }), wrong: tlbiIpa(GUEST, { tg: TG4, scale: 9, ttl: 2 }),
    after: [sync(), tlbiAll(VMID), sync(), claim('stale-translation', IOVA + 0x10_0000, GONE2)],
  }),
  pair(41, 'page-that-goes-to-another-guest', {
    scenario: 'a guest\'s page moves: the completion of TLBI_S2_IPA says nothing about combined entries, so the old page is not free yet', clause: '§3.21.1, §4.4.3.1', rule: 'isolation',
    world: unjudged(), before: [nested(BUFFER), boot(), access(IOVA), unmap2(GUEST_DATA), tlbiIpa(GUEST_DATA), sync()],
    right: [tlbiAll(VMID), sync()], wrong: [],
    after: [map2(GUEST_DATA, DATA), claim('isolation', IOVA, reaches(DATA))],
  }),
  pair(42, 'guest-command-passed-on', {
    scenario: 'a guest\'s TLBI_NH_ALL must get the VMID of the guest: with the guest\'s own 0 it misses', clause: '§4.4.2.1, §4.3.7', rule: 'stale-translation',
    before: [nested(), boot(), access(IOVA), unmap(A, IOVA)],
    right: raw({ op: OP.TLBI_NH_ALL, vmid: VMID }), wrong: raw({ op: OP.TLBI_NH_ALL }),
    after: [sync(), claim('stale-translation', IOVA, GONE)],
  }),
  pair(43, 'traffic-around-stage-1', {
    scenario: 'traffic without a substream that bypasses stage 1 uses stage-2 entries, which no TLBI_NH command must remove', clause: '§5.2 S1DSS, §4.4.2.1', rule: 'stale-translation',
    before: [nested(DATA, { cd: guest(cdAt(2)), cdMax: 1, dss: 1 }), boot(), access(GUEST_DATA), unmap2(GUEST_DATA)],
    right: tlbiIpa(GUEST_DATA), wrong: tlbiAll(VMID),
    after: [sync(), claim('stale-translation', GUEST_DATA, GONE2)],
  }),
];

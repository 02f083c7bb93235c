/**
 * Corner cases 25-36: by which tags entries are cached and commands match (IHI 0070 §3.3.3, §3.17, §4.4): global entries, ASIDs,
 * VMIDs, StreamWorlds, and what a queue of another SMMU or another queue says.
 */
import { OP } from '../../spec/command.js';
import {
  access, boot, cdAt, cfgiCd, cfgiSte, claim, command, domain, flat, GONE, hostTables, map, pair, reaches, stage1Stream, stage2Stream, store, streamAt, sync, tables, tlbiAll, tlbiAsid,
  tlbiVa, tlbiVmid, toAbort, unmap, way, world, write, writeWord, GONE2, nested, VMID, type Decided,
} from './builder.js';
import {
  cd, DATA, EXTRA_QUEUE, GUEST_DATA, HOST, IOVA, NOTHING, OTHER_DATA, slotOf, STAGE1, STAGE2, ste, TABLE_A, TABLE_B,
} from './layout.js';

const A = TABLE_A;
const B = TABLE_B;

/** A second stream with ASID `asid` and tables B, in which IOVA goes to OTHER_DATA. */
function second(asid: number): ReturnType<typeof flat> {
  return flat(way(B, IOVA), map(B, IOVA, OTHER_DATA), stage1Stream(2, { root: B.root, asid }));
}

/** An EL2 stream over tables A. */
function hypervisor(): ReturnType<typeof flat> {
  return flat(tables({}, { strw: 2 }));
}

export const TAGS: readonly Decided[] = [
  pair(25, 'global-entries-outlive-the-asid', {
    scenario: 'a flush by ASID leaves global entries, which the next owner of the ASID finds', clause: '§3.17.1, §4.4.2.2', rule: 'tag-lifetime',
    before: [tables(), map(A, IOVA, DATA, { global: true }), way(B, IOVA), write(cdAt(2), cd({ root: B.root, asid: 1 })), boot(), access(IOVA), toAbort(1), cfgiSte(1), sync()],
    right: tlbiAll(), wrong: tlbiAsid(1),
    after: [sync(), writeWord(streamAt(2), ste({ config: STAGE1, cd: cdAt(2) }), 0), cfgiSte(2), sync(), claim('tag-lifetime', IOVA, GONE, { sid: 2 })],
  }),
  pair(26, 'tables-shared-by-two-asids', {
    scenario: 'tables shared by two ASIDs need an invalidation for each', clause: '§4.4.2.4, §3.17', rule: 'stale-translation',
    before: [tables(), stage1Stream(2, { root: A.root, asid: 2 }), boot(), access(IOVA), access(IOVA, { sid: 2 }), unmap(A, IOVA)],
    right: [tlbiVa(1, IOVA), tlbiVa(2, IOVA)], wrong: tlbiVa(1, IOVA),
    after: [sync(), claim('stale-translation', IOVA, GONE, { sid: 2 })],
  }),
  pair(27, 'vmid-of-a-stage-1-stream', {
    scenario: 'entries of a stage-1 stream carry STE.S2VMID although stage 2 is off; the command must name it', clause: '§3.17, §5.2 S2VMID', rule: 'stale-translation',
    before: [tables({}, { vmid: 7 }), boot(), access(IOVA), unmap(A, IOVA)],
    right: tlbiVa(1, IOVA, { vmid: 7 }), wrong: tlbiVa(1, IOVA),
    after: [sync(), claim('stale-translation', IOVA, GONE)],
  }),
  pair(28, 'one-vmid-for-host-and-guest', {
    scenario: 'a stage-1 stream and a nested one with the same VMID and ASID find each other\'s entries', clause: '§3.17 (VMIDs of stage-1 and nested streams)', rule: 'isolation',
    before: [nested(), way(B, IOVA), map(B, IOVA, OTHER_DATA), write(cdAt(2), cd({ root: B.root, asid: 1 }))],
    right: write(streamAt(2), ste({ config: STAGE1, cd: cdAt(2) })), wrong: write(streamAt(2), ste({ config: STAGE1, cd: cdAt(2), vmid: VMID })),
    after: [boot(), access(IOVA, { sid: 2 }), claim('isolation', IOVA, reaches(DATA))],
  }),
  pair(29, 'vmid-used-again', {
    scenario: 'a VMID that goes to the next guest without TLBI_S12_VMALL brings the entries of the last one', clause: '§3.17, §4.4.3.2', rule: 'tag-lifetime',
    before: [hostTables(), stage2Stream(1, VMID), way(B, GUEST_DATA), boot(), access(GUEST_DATA), toAbort(1), cfgiSte(1), sync()],
    right: [tlbiVmid(VMID), sync()], wrong: [],
    after: [
      write(streamAt(2), ste({ config: STAGE2, vmid: VMID, stage2: { root: B.root } })), cfgiSte(2), sync(),
      claim('tag-lifetime', GUEST_DATA, GONE2, { sid: 2 }),
    ],
  }),
  pair(30, 'asid-swapped-in-the-wrong-order', {
    scenario: 'the old ASID is flushed before the CD is: traffic inserts entries under the old ASID again', clause: '§3.17 (changing an ASID)', rule: 'tag-lifetime',
    before: [domain(), way(B, IOVA), write(cdAt(2), cd({ root: B.root, asid: 1 })), writeWord(cdAt(1), cd({ root: A.root, asid: 9 }), 0)],
    right: [cfgiCd(1), sync(), tlbiAsid(1), sync()], wrong: [tlbiAsid(1), sync(), cfgiCd(1), sync()],
    after: [writeWord(streamAt(2), ste({ config: STAGE1, cd: cdAt(2) }), 0), cfgiSte(2), sync(), claim('tag-lifetime', IOVA, GONE, { sid: 2 })],
  }),
  pair(31, 'el2-entries-and-el1-commands', {
    scenario: 'entries of an EL2 stream go by TLBI_EL2_VA; TLBI_NH_VA never reaches them', clause: '§4.4.2.4, §4.4.2.8', rule: 'stale-translation',
    before: [hypervisor(), boot(), access(IOVA, { privileged: true }), unmap(A, IOVA)],
    right: command({ op: OP.TLBI_EL2_VA, frame: IOVA / 4096, leaf: 1 }), wrong: tlbiVa(1, IOVA),
    after: [sync(), claim('stale-translation', IOVA, GONE, { privileged: true })],
  }),
  pair(32, 'reset-without-el2', {
    scenario: 'TLBI_NSNH_ALL at reset leaves EL2 entries of whoever ran before', clause: '§3.11, §4.4.4.1', rule: 'stale-translation',
    before: [hypervisor(), store(slotOf(A, IOVA), NOTHING)],
    right: boot(), wrong: boot({ skip: ['tlbi-el2'] }),
    after: [claim('stale-translation', IOVA, GONE, { privileged: true })],
  }),
  pair(33, 'vmid-wildcards-are-off', {
    scenario: 'one TLBI_S12_VMALL for VMIDs 2 and 3 needs CR0.VMW = 1', clause: '§3.17.6, §6.3.9.1', rule: 'stale-translation',
    before: [hostTables(), stage2Stream(1, 2), stage2Stream(2, 3)],
    right: boot({ vmw: 1 }), wrong: boot(),
    after: [access(GUEST_DATA, { sid: 2 }), store(slotOf(HOST, GUEST_DATA), NOTHING), tlbiVmid(2), sync(), claim('stale-translation', GUEST_DATA, GONE2, { sid: 2 })],
  }),
  pair(34, 'two-tables-under-one-asid', {
    scenario: 'two CDs with one ASID and different tables: each device may get the translations of the other', clause: '§5.4.1, §3.17', rule: 'isolation',
    before: tables(), right: second(2), wrong: second(1),
    after: [boot(), access(IOVA), claim('isolation', IOVA, reaches(OTHER_DATA), { sid: 2 })],
  }),
  pair(35, 'the-other-smmu', {
    scenario: 'a domain behind two SMMUs: a CMD_SYNC of one queue says nothing about the commands of the other', clause: '§4.7.3, §3.5', rule: 'stale-translation',
    world: world({}, { smmus: 2 }),
    before: [
      tables(), boot(), boot({}, 1), access(IOVA), access(IOVA, { smmu: 1 }), unmap(A, IOVA), tlbiVa(1, IOVA),
      command({ op: OP.TLBI_NH_VA, asid: 1, frame: IOVA / 4096, leaf: 1 }, { smmu: 1 }), sync(),
    ],
    right: sync(1), wrong: [],
    after: [claim('stale-translation', IOVA, GONE), claim('stale-translation', IOVA, GONE, { smmu: 1 })],
  }),
  pair(36, 'the-other-queue', {
    scenario: 'a CMD_SYNC covers the commands of its own queue only', clause: '§3.5.6.1', rule: 'stale-translation',
    before: [tables(), boot({ extra: EXTRA_QUEUE }), access(IOVA), unmap(A, IOVA), command({ op: OP.TLBI_NH_ALL }, { queue: 1 })],
    right: sync(0, 1), wrong: sync(0, 0),
    after: [claim('stale-translation', IOVA, GONE)],
  }),
];


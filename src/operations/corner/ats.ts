/**
 * Corner cases 77-88: address translation caches of endpoints (IHI 0070 §3.9, §4.5.1, §13.6).
 */
import {
  atcInv, atsRequest, boot, cdAt, cfgiSte, claimTranslated, EMPTY, endpoint, flat, map, nested, outOfScope, pair, reaches, store, streamAt, sync, tables, tlbiAll,
  tlbiIpa, tlbiVa, toAbort, unmap, VMID, way, write, writeWord, type CornerCase,
} from './builder.js';
import { cd, DATA, GUEST_DATA, HOST, IOVA, NOTHING, PAGE, slotOf, STAGE1, ste, TABLE_A } from './layout.js';
import { atsDomain } from './queues.js';

const A = TABLE_A;

/** The page is unmapped and gone from the SMMU's TLB; what the endpoint holds is another matter. */
function gone(): ReturnType<typeof flat> {
  return flat(unmap(A, IOVA), tlbiVa(1, IOVA), sync());
}

/** Stream 1 with two CDs; traffic without PASID uses CD 0, as S1DSS = 2 says. */
function pasidStream(dss: number): ReturnType<typeof flat> {
  return flat(
    way(A, IOVA), map(A, IOVA, DATA), write(cdAt(2), cd({ root: A.root, asid: 1 })), write(streamAt(1), ste({ config: STAGE1, cd: cdAt(2), cdMax: 1, dss, eats: 1 })),
    boot(), endpoint(1), atsRequest(IOVA),
  );
}

export const ATS: readonly CornerCase[] = [
  pair(77, 'both-caches-in-one-batch', {
    scenario: 'ATC_INV before the TLBI is complete: the endpoint asks again and gets the stale translation', clause: '§3.9.1, §4.5.1', rule: 'stale-atc',
    before: [atsDomain(), unmap(A, IOVA), tlbiVa(1, IOVA)],
    right: sync(), wrong: [],
    after: [atcInv(1, IOVA), sync(), claimTranslated('stale-atc', IOVA, EMPTY)],
  }),
  pair(78, 'address-aligned-to-the-size', {
    scenario: 'pages 7 to 10 need 16 pages from 0: four pages at 7 are pages 4 to 7', clause: '§4.5.1 Size', rule: 'stale-atc',
    before: [
      tables({}, { eats: 1 }), map(A, IOVA + 10 * PAGE, DATA), boot(), endpoint(1), atsRequest(IOVA + 10 * PAGE), unmap(A, IOVA + 10 * PAGE),
      tlbiVa(1, IOVA + 10 * PAGE), sync(),
    ],
    right: atcInv(1, IOVA, 4), wrong: atcInv(1, IOVA + 7 * PAGE, 2),
    after: [sync(), claimTranslated('stale-atc', IOVA + 10 * PAGE, EMPTY)],
  }),
  pair(79, 'size-above-52', {
    scenario: 'Size = 52 is everything; a size of 53 is none', clause: '§4.5.1 Size', rule: 'illegal-command',
    before: [atsDomain(), gone()],
    right: atcInv(1, 0, 52), wrong: atcInv(1, 0, 53),
    after: [sync(), claimTranslated('stale-atc', IOVA, EMPTY)],
  }),
  pair(80, 'pasid-0-is-not-without-pasid', {
    scenario: 'traffic without PASID that uses CD 0 fills entries without PASID: an ATC_INV with PASID 0 leaves them', clause: '§4.5.1 SSV, §5.2 S1DSS', rule: 'stale-atc',
    before: [pasidStream(2), gone()],
    right: atcInv(1, IOVA), wrong: atcInv(1, IOVA, 0, { ssv: 1, ssid: 0 }),
    after: [sync(), claimTranslated('stale-atc', IOVA, EMPTY)],
  }),
  pair(81, 'master-that-came-meanwhile', {
    scenario: 'a second endpoint is attached while the TLBI is under way: the list of ATC_INVs is made too early and misses it', clause: '§3.9.1', rule: 'stale-atc',
    before: [
      atsDomain(), unmap(A, IOVA), tlbiVa(1, IOVA), write(streamAt(2), ste({ config: STAGE1, cd: cdAt(1), eats: 1 })), cfgiSte(2), endpoint(2), sync(), atcInv(1, IOVA),
    ],
    right: atcInv(2, IOVA), wrong: [],
    after: [sync(), claimTranslated('stale-atc', IOVA, EMPTY, { sid: 2 })],
  }),
  pair(82, 'endpoint-switched-off-first', {
    scenario: 'ATS is switched off at the endpoint while its ATC_INV is under way: the command times out and the entries stay', clause: '§3.9.1.4, §3.9.2', rule: 'stale-atc',
    before: [atsDomain(), gone()],
    right: [atcInv(1, IOVA), sync(), endpoint(1, false, false)], wrong: [endpoint(1, false, false), atcInv(1, IOVA), sync()],
    after: [endpoint(1), claimTranslated('stale-atc', IOVA, EMPTY)],
  }),
  pair(83, 'ipa-as-a-physical-address', {
    scenario: 'split-stage ATS without CR0.ATSCHK: the IPA from the ATC goes out as a physical address', clause: '§3.9.2, §6.3.9.2', rule: 'isolation',
    before: nested(DATA, { eats: 2 }),
    right: boot({ atsChk: true }), wrong: boot({ atsChk: false }),
    after: [endpoint(1), atsRequest(IOVA), claimTranslated('isolation', IOVA, reaches(DATA))],
  }),
  pair(84, 'abort-does-not-stop-translated-traffic', {
    scenario: 'without ATSCHK an STE that aborts does not stop what the endpoint has translated already', clause: '§3.9.1.3', rule: 'isolation',
    before: [atsDomain(), toAbort(1), cfgiSte(1), sync()],
    right: [atcInv(1, 0, 52), sync()], wrong: [],
    after: claimTranslated('isolation', IOVA, EMPTY),
  }),
  pair(85, 'stage-2-under-split-stage', {
    scenario: 'a stage-2 change needs ATC_INV under split-stage ATS too: the endpoint goes on with an IPA that is not mapped', clause: '§3.9.1', rule: 'stale-atc',
    before: [
      nested(DATA, { eats: 2 }), boot({ atsChk: true }), endpoint(1), atsRequest(IOVA), store(slotOf(HOST, GUEST_DATA), NOTHING), tlbiIpa(GUEST_DATA), sync(), tlbiAll(VMID), sync(),
    ],
    right: [atcInv(1, IOVA), sync()], wrong: [],
    after: claimTranslated('stale-atc', IOVA, EMPTY),
  }),
  outOfScope(86, 'the smallest translation unit of an endpoint and its Unsupported Request are not modelled'),
  pair(87, 'tagged-aliases', {
    scenario: 'with TBI the ATC may hold the page under 256 addresses: an ATC_INV of one leaves the others', clause: '§3.9.1', rule: 'stale-atc',
    before: [tables({ tbi: true }, { eats: 1 }), boot(), endpoint(1), atsRequest(0x5a * 2 ** 56 + IOVA), gone()],
    right: atcInv(1, 0, 52), wrong: atcInv(1, IOVA),
    after: [sync(), claimTranslated('stale-atc', 0x5a * 2 ** 56 + IOVA, EMPTY)],
  }),
  pair(88, 'identity-entries', {
    scenario: 'traffic that bypasses stage 1 fills the ATC with identity entries: they outlive the switch of S1DSS', clause: '§13.6.4, §3.9.2', rule: 'isolation',
    before: [pasidStream(1), writeWord(streamAt(1), ste({ config: STAGE1, cd: cdAt(2), cdMax: 1, dss: 2, eats: 1 }), 1), cfgiSte(1), sync()],
    right: [atcInv(1, 0, 52), sync()], wrong: [],
    after: claimTranslated('isolation', IOVA, reaches(DATA)),
  }),
];

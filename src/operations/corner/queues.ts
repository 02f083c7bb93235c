/**
 * Corner cases 65-76: the command queue, CMD_SYNC and errors (IHI 0070 §3.5, §4.7.3, §4.8, §7.1).
 */
import { OP } from '../../spec/command.js';
import { REG } from '../../spec/register.js';
import {
  access, acknowledge, atcInv, atsRequest, boot, cdAt, cfgiCd, claim, claimTranslated, command, disable, domain, EMPTY, enable, endpoint, entry, flat, GONE, outOfScope, pair, reaches,
  register, store, sync, tables, TG4, tlbiAsid, tlbiVa, unjudged, unmap, write, writeWord, type CornerCase,
} from './builder.js';
import { cd, DATA, IOVA, PAGE, QUEUES, SPARE, TABLE_A } from './layout.js';

const A = TABLE_A;
/** Commands of boot: CFGI_ALL, CMD_SYNC, EL2_ALL, NSNH_ALL, CMD_SYNC. */
const BOOTED = 5;
const slot = (i: number): number => (QUEUES[0] as number) + i * 16;
/** Writes queue entry `i`. */
function putEntry(i: number, c: Parameters<typeof entry>[0]): ReturnType<typeof flat> {
  const [first, last] = entry(c);
  return flat(store(slot(i), first), store(slot(i) + 8, last));
}
const FLUSH = { op: OP.TLBI_NH_VA, asid: 1, frame: IOVA / PAGE, leaf: 1 } as const;

/** Stream 1 with ATS on; its endpoint holds IOVA. */
export function atsDomain(eats = 1): ReturnType<typeof flat> {
  return flat(tables({}, { eats }), boot(), endpoint(1), atsRequest(IOVA));
}

export const QUEUE_CASES: readonly CornerCase[] = [
  pair(65, 'consumed-is-not-complete', {
    scenario: 'CONS moved past the TLBI: without CMD_SYNC that says nothing about the entries', clause: '§4.1.4, §4.8', rule: 'stale-translation',
    before: [domain(), unmap(A, IOVA), tlbiVa(1, IOVA)],
    right: sync(), wrong: [],
    after: claim('stale-translation', IOVA, GONE),
  }),
  pair(66, 'somebody-elses-sync', {
    scenario: 'the CMD_SYNC that was seen to complete stands before the TLBI in the queue', clause: '§4.7.3', rule: 'stale-translation',
    before: [domain(), unmap(A, IOVA)],
    right: [tlbiVa(1, IOVA), sync()], wrong: [sync(), tlbiVa(1, IOVA)],
    after: claim('stale-translation', IOVA, GONE),
  }),
  pair(67, 'lost-wrap-bit', {
    scenario: 'a queue of 8 entries goes round: PROD without its wrap bit publishes more than the queue holds', clause: '§3.5.1', rule: 'queue-integrity',
    before: [tables(), boot({ commandsLog2: 3 }), unmap(A, IOVA), tlbiAsid(8), tlbiAsid(9), sync(), putEntry(0, FLUSH)],
    right: register(REG.CMDQ_PROD, 9), wrong: register(REG.CMDQ_PROD, 1),
    after: [sync(), claim('stale-translation', IOVA, GONE)],
  }),
  pair(68, 'skipped-command', {
    scenario: 'the driver replaces an illegal command by a CMD_SYNC and goes on: the invalidation is lost', clause: '§7.1', rule: 'stale-translation',
    world: unjudged(), before: [domain(), unmap(A, IOVA), tlbiVa(1, IOVA, { tg: TG4 }), acknowledge(true)],
    right: tlbiVa(1, IOVA), wrong: [],
    after: [sync(), claim('stale-translation', IOVA, GONE)],
  }),
  pair(69, 'invalidation-timed-out', {
    scenario: 'CERROR_ATC_INV_SYNC: after the acknowledgement the CMD_SYNC runs again, but the ATC still holds the page', clause: '§4.7.3, §3.9.1.4', rule: 'stale-atc',
    before: [
      atsDomain(), unmap(A, IOVA), tlbiVa(1, IOVA), sync(), endpoint(1, true, false), atcInv(1, IOVA), sync(), endpoint(1), acknowledge(false),
    ],
    right: atcInv(1, IOVA), wrong: [],
    after: [sync(), claimTranslated('stale-atc', IOVA, EMPTY)],
  }),
  pair(70, 'queue-that-cannot-be-fetched', {
    scenario: 'an external abort stops the queue with CERROR_ABT: the commands never take effect', clause: '§7.1', rule: 'stale-translation',
    before: domain(),
    right: [], wrong: [register(REG.CR0, 5), register(REG.CMDQ_BASE, DATA + 5), register(REG.CR0, 13)],
    after: [
      unmap(A, IOVA), putEntry(BOOTED, FLUSH), putEntry(BOOTED + 1, { op: OP.SYNC }), register(REG.CMDQ_PROD, BOOTED + 2), sync(), claim('stale-translation', IOVA, GONE),
    ],
  }),
  pair(71, 'message-of-an-earlier-sync', {
    scenario: 'the message word still holds what an earlier CMD_SYNC wrote: software does not wait for its own', clause: '§3.18.1, §4.7.3', rule: 'stale-translation',
    before: [domain(), { op: 'sync', smmu: 0, queue: 0, msi: SPARE[0] }, unmap(A, IOVA), tlbiVa(1, IOVA)],
    right: { op: 'sync', smmu: 0, queue: 0, msi: SPARE[0] }, wrong: command({ op: OP.SYNC, cs: 1, msiAddress: SPARE[0] / 4, msiData: 1 }),
    after: claim('stale-translation', IOVA, GONE),
  }),
  pair(72, 'ignored-while-off', {
    scenario: 'while SMMUEN is 0 an ATC_INV is ignored, and the ATC keeps its entries', clause: '§4.5.1, §6.3.9.6', rule: 'stale-atc',
    before: [atsDomain(), unmap(A, IOVA), tlbiVa(1, IOVA), sync()],
    right: [atcInv(1, IOVA), sync(), disable()], wrong: [disable(), atcInv(1, IOVA), sync()],
    after: [enable(), claimTranslated('stale-atc', IOVA, EMPTY)],
  }),
  pair(73, 'prod-behind-cons', {
    scenario: 'after a command error PROD may go back to CONS at most: what lies before it is consumed', clause: '§7.1, §3.5.1', rule: 'queue-integrity',
    before: [atsDomain(), endpoint(1, true, false), atcInv(1, IOVA), sync(), tlbiAsid(9)],
    right: register(REG.CMDQ_PROD, BOOTED + 2), wrong: register(REG.CMDQ_PROD, BOOTED),
    after: [endpoint(1), acknowledge(true), sync()],
  }),
  pair(74, 'published-entry-is-written', {
    scenario: 'software changes its mind about a command that PROD has published: the SMMU may have read what was there before', clause: '§3.21.2, §3.5.1', rule: 'queue-integrity',
    before: [domain(), unmap(A, IOVA), tlbiAsid(9)],
    right: putEntry(BOOTED + 1, FLUSH), wrong: putEntry(BOOTED, FLUSH),
    after: [register(REG.CMDQ_PROD, BOOTED + 2), sync(), claim('stale-translation', IOVA, GONE)],
  }),
  pair(75, 'record-of-the-old-configuration', {
    scenario: 'after CMD_CFGI_CD and CMD_SYNC no event may come of the CD before: without them C_BAD_CD still does', clause: '§4.7.3', rule: 'stale-event',
    before: [
      tables(), write(cdAt(1), cd({ root: A.root, asid: 1, valid: false })), boot(), access(IOVA), writeWord(cdAt(1), cd({ root: A.root, asid: 1 }), 0),
    ],
    right: [cfgiCd(1), sync()], wrong: [],
    after: claim('stale-event', IOVA, reaches(DATA)),
  }),
  outOfScope(76, 'stalled transactions are not modelled (STALL_MODEL = 1: terminate only)'),
];

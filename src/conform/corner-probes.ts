/**
 * Corner probes: what one access shows of QEMU and no pair of a corner case asks: registers written at odd times, queues that overflow or
 * stop, ends and alignments of ranges, structures and descriptors that are just not right. Streams 8 and 16 are read through, 9 is
 * written through. A claim says what software would rely on.
 */
import { CD } from '../spec/cd.js';
import { OP } from '../spec/command.js';
import { BIT_AF, BIT_NG, HI_APTABLE_READ_ONLY, SH_INNER } from '../spec/descriptor.js';
import { setField } from '../spec/bits.js';
import { CR0_CMDQEN, CR0_SMMUEN, REG } from '../spec/register.js';
import {
  ABORTED, access, acknowledge, boot, cdAt, cfgiAll, cfgiCd, cfgiRange, cfgiSte, claim, disable, enable, flat, GONE, map, only, raw, reaches, register, stage1Stream, store, sync, TG16, TG4,
  TG64, tlbiVa, toAbort, unmap, way, write, writeWord, type Steps,
} from '../operations/corner/builder.js';
import {
  ABORT, cd, DATA, IOVA, l1std, leaf, LEVEL1_STREAMS, LEVEL2_STREAMS, NOTHING, PAGE, slotOf, SPARE, STAGE1, ste, table, TABLE_A, TABLE_B, type CdOptions, type Word,
} from '../operations/corner/layout.js';
import type { Boot, MachineOperation } from '../stack/machine-world.js';
import { HOLE_CARRIED, OTHER_CARRIED } from './corner-carry.js';
import { STREAMS_LOG2_CARRIED } from './corner-streams.js';

export interface Probe {
  readonly slug: string;
  /** One sentence: what is looked at. */
  readonly scenario: string;
  readonly clause: string;
  readonly operations: readonly MachineOperation[];
  /** A register is written that SMMUv3.2 guards; before, that is CONSTRAINED UNPREDICTABLE (§6.3). */
  readonly guarded: boolean;
}

const A = TABLE_A;
const B = TABLE_B;
const R = 8;
const W = 9;
const OTHER = 16;
const RULE = 'translation-equivalence';
const BLOCK = 0x20_0000;

function probe(slug: string, p: { readonly scenario: string; readonly clause: string; readonly steps: readonly Steps[]; readonly guarded?: boolean }): Probe {
  return { slug, scenario: p.scenario, clause: p.clause, operations: flat(...p.steps), guarded: p.guarded ?? false };
}

const start = (o: Partial<Boot> = {}): MachineOperation => boot({ streamsLog2: STREAMS_LOG2_CARRIED, ...o });

/** Stream `sid`, ASID 1, IOVA mapped to DATA; not booted. */
function tables(sid = R, c: Partial<CdOptions> = {}): MachineOperation[] {
  return flat(way(A, IOVA), map(A, IOVA, DATA), stage1Stream(sid, { root: A.root, asid: 1, ...c }));
}

const look = (iova: number, allow: Parameters<typeof claim>[2], sid = R, isWrite = false): MachineOperation => claim(RULE, iova, allow, { sid, write: isWrite });
const use = (iova: number, sid = R): MachineOperation => access(iova, { sid, write: sid === W });

/** A field of the CD of a stream, changed before it is used. */
function withCd(sid: number, c: Partial<CdOptions>, field: (typeof CD)[keyof typeof CD], value: number): MachineOperation[] {
  const words = Uint32Array.from(cd({ root: A.root, asid: 1, ...c }).flatMap((w) => [w.lo, w.hi]));
  setField(words, field, value);
  const changed = Array.from({ length: 8 }, (_, i): Word => ({ lo: words[2 * i] as number, hi: words[2 * i + 1] as number }));
  return write(cdAt(sid), changed);
}

/** 64 KB pages `first` to `last`, used; then all unmapped. */
function widePages(first: number, last: number): MachineOperation[] {
  const pages = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const slot = (n: number): number => SPARE[0] + n * 8;
  return flat(
    pages.map((n) => store(slot(n), leaf(DATA + n * 0x1_0000))), stage1Stream(R, { root: SPARE[0], asid: 1, tg0: 1, bits: 25 }), start(),
    pages.map((n) => use(n * 0x1_0000)), pages.map((n) => store(slot(n), NOTHING)),
  );
}

const REGISTERS: readonly Probe[] = [
  probe('event-queue-overflows', {
    scenario: 'more faults than the event queue holds: records are lost, translation goes on, and records come again once software has read', clause: '§7.2, §7.4',
    steps: [tables(), start({ eventsLog2: 0 }), use(IOVA + PAGE), look(IOVA, reaches(DATA)), look(IOVA + PAGE, GONE), look(IOVA, reaches(DATA))],
  }),
  probe('event-queue-off', {
    scenario: 'EVENTQEN = 0: a fault leaves nothing, and translation goes on', clause: '§6.3.9.4, §7.2',
    steps: [tables(), start(), register(REG.CR0, CR0_CMDQEN | CR0_SMMUEN), look(IOVA + PAGE, [...GONE, ...ABORTED]), look(IOVA, reaches(DATA))],
  }),
  probe('command-queue-off', {
    scenario: 'CMDQEN = 0: a published command waits until the queue is on again', clause: '§6.3.9.5',
    steps: [
      tables(), start(), use(IOVA), unmap(A, IOVA), register(REG.CR0, CR0_SMMUEN + 4), tlbiVa(1, IOVA), look(IOVA, GONE), register(REG.CR0, CR0_SMMUEN + 4 + CR0_CMDQEN), sync(),
      look(IOVA, GONE),
    ],
  }),
  probe('linear-after-two-levels', {
    scenario: 'after a two-level stream table the SMMU is set up again with a linear one', clause: '§6.3.25 FMT, §6.3.9.6',
    steps: [
      tables(), write(LEVEL2_STREAMS[0] + R * 64, ste({ config: STAGE1, cd: cdAt(R) })), store(LEVEL1_STREAMS, l1std(LEVEL2_STREAMS[0], 7)),
      boot({ streams: LEVEL1_STREAMS, streamsLog2: 8, split: 6 }), use(IOVA), toAbort(R), start(), look(IOVA, ABORTED),
    ],
  }),
  probe('two-levels-after-linear', {
    scenario: 'after a linear stream table the SMMU is set up again with a two-level one', clause: '§6.3.25 FMT, §6.3.9.6',
    steps: [
      tables(), start(), use(IOVA), store(LEVEL1_STREAMS, l1std(LEVEL2_STREAMS[0], 7)), write(LEVEL2_STREAMS[0] + R * 64, ste({ config: ABORT })),
      boot({ streams: LEVEL1_STREAMS, streamsLog2: 8, split: 6 }), look(IOVA, ABORTED),
    ],
  }),
  probe('size-written-while-on', {
    scenario: 'STRTAB_BASE_CFG is made smaller while SMMUEN is 1: ignored from SMMUv3.2 on', clause: '§6.3.25', guarded: true,
    steps: [tables(), start(), register(REG.STRTAB_BASE_CFG, 3), look(IOVA, reaches(DATA))],
  }),
  probe('stage-of-reset', {
    scenario: 'SMMUEN goes off and on with all caches emptied between: nothing is left', clause: '§3.11, §6.3.9.6',
    steps: [tables(), start(), use(IOVA), disable(), unmap(A, IOVA), cfgiAll(), sync(), tlbiVa(1, IOVA), sync(), enable(), look(IOVA, GONE)],
  }),
];

const QUEUE: readonly Probe[] = [
  probe('unknown-command', {
    scenario: 'an opcode that nobody knows stops the queue; the driver puts a CMD_SYNC in its place, and what stood behind runs', clause: '§4.1.3, §7.1',
    steps: [tables(), start(), use(IOVA), unmap(A, IOVA), raw({ op: 0x7f }), tlbiVa(1, IOVA), look(IOVA, GONE), acknowledge(true), sync(), look(IOVA, GONE)],
  }),
  probe('invalidation-lost-to-an-error', {
    scenario: 'an unknown opcode stands where the TLBI should: the driver puts a CMD_SYNC in its place and goes on', clause: '§4.1.3, §7.1',
    steps: [tables(), start(), use(IOVA), unmap(A, IOVA), raw({ op: 0x7f }), acknowledge(true), sync(), look(IOVA, GONE)],
  }),
  probe('command-without-its-feature', {
    scenario: 'CMD_ATC_INV where IDR0.ATS is 0 is an error', clause: '§4.5.1, §4.1.3',
    steps: [tables(), start(), raw({ op: OP.ATC_INV, sid: R }), look(IOVA, reaches(DATA)), acknowledge(true), sync()],
  }),
  probe('reserved-completion-signal', {
    scenario: 'CMD_SYNC with CS = 3 is reserved', clause: '§4.7.3 CS',
    steps: [tables(), start(), use(IOVA), unmap(A, IOVA), raw({ op: OP.SYNC, cs: 3 }), tlbiVa(1, IOVA), look(IOVA, GONE), acknowledge(true), sync(), look(IOVA, GONE)],
  }),
  probe('secure-command', {
    scenario: 'SSec = 1 in a Non-secure queue is an error', clause: '§4.1.6',
    steps: [tables(), start(), use(IOVA), toAbort(R), raw({ op: OP.CFGI_STE, sid: R, leaf: 1, ssec: 1 }), look(IOVA, ABORTED), acknowledge(true), cfgiSte(R), sync(), look(IOVA, ABORTED)],
  }),
];

const RANGES: readonly Probe[] = [
  probe('address-inside-a-block', {
    scenario: 'TG = 0 and an address inside of a block: the block goes', clause: '§4.4.1, §4.4.2.4',
    steps: [
      way(A, IOVA), store(slotOf(A, IOVA, 2), leaf(DATA, { block: true })), stage1Stream(R, { root: A.root, asid: 1 }), start(), use(IOVA), store(slotOf(A, IOVA, 2), NOTHING),
      tlbiVa(1, IOVA + 5 * PAGE), sync(), look(IOVA, GONE), look(IOVA + BLOCK - PAGE, GONE),
    ],
  }),
  probe('block-of-a-gigabyte', {
    scenario: 'a hint of level 1 and an aligned address: a block of 1 GB goes, used at its other end', clause: '§4.4.1.1 TTL',
    steps: [
      store(slotOf(A, 0x4000_0000, 1), leaf(0x1_8000_0000, { block: true })), stage1Stream(R, { root: A.root, asid: 1 }), start(), use(0x7fff_0000), store(slotOf(A, 0x4000_0000, 1), NOTHING),
      tlbiVa(1, 0x4000_0000, { tg: TG4, ttl: 1 }), sync(), look(0x4000_0000, GONE), look(0x7fff_0000, GONE),
    ],
  }),
  probe('misaligned-64k-range', {
    scenario: 'TG = 64K with bits [15:12] of the address set: which pages go is unpredictable', clause: '§4.4.1.1',
    steps: [widePages(3, 10), tlbiVa(1, 3 * 0x1_0000 + PAGE, { tg: TG64, ttl: 3, num: 7 }), sync(), Array.from({ length: 8 }, (_, i) => look((3 + i) * 0x1_0000, GONE))],
  }),
  probe('half-of-all-addresses', {
    scenario: 'NUM = 31 and SCALE = 31 from 0: 2^48 bytes in one command', clause: '§4.4.1.1',
    steps: [tables(), start(), use(IOVA), unmap(A, IOVA), tlbiVa(1, 0, { tg: TG4, num: 31, scale: 31 }), sync(), look(IOVA, GONE)],
  }),
  probe('longest-64k-range', {
    scenario: 'NUM = 31 and SCALE = 31 of 64K pages from 2^63 on: the end is at 2^63 + 2^52 and the lower half stays', clause: '§4.4.1.1',
    steps: [tables(), start(), use(IOVA), unmap(A, IOVA), tlbiVa(1, 2 ** 63, { tg: TG64, num: 31, scale: 31 }), sync(), look(IOVA, GONE)],
  }),
  probe('range-of-another-granule', {
    scenario: 'a 16K range over 4 KB pages, exactly to their end: entries of another granule need not go', clause: '§4.4.1.1 TG',
    steps: [tables(), map(A, IOVA + 3 * PAGE, DATA), start(), use(IOVA + 3 * PAGE), unmap(A, IOVA + 3 * PAGE), tlbiVa(1, IOVA, { tg: TG16, ttl: 3 }), sync(), look(IOVA + 3 * PAGE, GONE)],
  }),
  probe('range-of-8-streams', {
    scenario: 'CMD_CFGI_STE_RANGE with Range = 2 at 11 is streams 8 to 15: stream 16 keeps its STE', clause: '§4.3.2',
    steps: [
      tables(), stage1Stream(OTHER, { root: A.root, asid: 1 }), start(), use(IOVA), use(IOVA, OTHER), toAbort(R), toAbort(OTHER), cfgiRange(11, 2), sync(), look(IOVA, ABORTED),
      look(IOVA, ABORTED, OTHER),
    ],
  }),
  probe('global-entry-and-another-asid', {
    scenario: 'CMD_TLBI_NH_VA removes a global entry whatever ASID it names', clause: '§4.4.2.3, §3.17.1',
    steps: [tables(), map(A, IOVA, DATA, { global: true }), start(), use(IOVA), unmap(A, IOVA), tlbiVa(2, IOVA), sync(), look(IOVA, GONE)],
  }),
  probe('asid-of-16-bits', {
    scenario: 'ASIDs 1 and 0x101 are two', clause: '§3.17, §6.3.1 ASID16',
    steps: [
      tables(), way(B, IOVA), map(B, IOVA, OTHER_CARRIED), stage1Stream(OTHER, { root: B.root, asid: 0x101 }), start(), use(IOVA), look(IOVA, reaches(OTHER_CARRIED), OTHER), unmap(A, IOVA),
      tlbiVa(0x101, IOVA), sync(), look(IOVA, GONE),
    ],
  }),
];

const STRUCTURES: readonly Probe[] = [
  probe('stream-outside-the-table', {
    scenario: 'a StreamID behind the end of the stream table, with RECINVSID', clause: '§7.3.3, §6.3.12',
    steps: [tables(), start(), look(IOVA, only('C_BAD_STREAMID'), 72)],
  }),
  probe('stream-outside-unrecorded', {
    scenario: 'the same without RECINVSID: no record', clause: '§7.3.3, §6.3.12',
    steps: [tables(), start({ recordUnknown: false }), look(IOVA, ABORTED, 72)],
  }),
  probe('page-behind-memory', {
    scenario: 'the page cannot be reached: an abort without a record', clause: '§3.12',
    steps: [tables(), map(A, IOVA, HOLE_CARRIED), start(), look(IOVA, [...reaches(HOLE_CARRIED), ...ABORTED])],
  }),
  probe('input-too-wide', {
    scenario: 'an input address behind T0SZ', clause: '§3.4, §5.4 T0SZ',
    steps: [tables(R, { bits: 31 }), start(), look(IOVA, reaches(DATA)), look(0x8000_0000 + IOVA, GONE)],
  }),
  probe('output-too-wide', {
    scenario: 'an output address behind CD.IPS', clause: '§3.4, §7.3.14',
    steps: [tables(R, { ips: 1 }), map(A, IOVA, 2 ** 36), map(A, IOVA + PAGE, DATA), start(), look(IOVA, only('F_ADDR_SIZE')), look(IOVA + PAGE, reaches(DATA))],
  }),
  probe('access-flag-by-software', {
    scenario: 'a clear access flag with CD.AFFD = 1 does not fault', clause: '§5.4 AFFD',
    steps: [tables(), withCd(R, {}, CD.AFFD, 1), map(A, IOVA, DATA, { old: true }), start(), look(IOVA, reaches(DATA))],
  }),
  probe('read-only-table', {
    scenario: 'APTable says read-only: a write through a writable page faults', clause: 'VMSAv8-64 APTable',
    steps: [tables(W), store(slotOf(A, IOVA, 2), { ...table(A.last), hi: table(A.last).hi + HI_APTABLE_READ_ONLY }), start(), look(IOVA, only('F_PERMISSION'), W, true)],
  }),
  probe('read-only-table-ignored', {
    scenario: 'the same with CD.HAD0 = 1: the page decides', clause: '§5.4 HAD0',
    steps: [
      tables(W), withCd(W, {}, CD.HAD0, 1), store(slotOf(A, IOVA, 2), { ...table(A.last), hi: table(A.last).hi + HI_APTABLE_READ_ONLY }), start(),
      look(IOVA, reaches(DATA), W, true),
    ],
  }),
  probe('privileged-page', {
    scenario: 'a page for privileged software only, asked for by an unprivileged device', clause: 'VMSAv8-64 AP[1]; §3.3.3',
    steps: [tables(), store(slotOf(A, IOVA), { lo: (DATA % 2 ** 32) + (SH_INNER | BIT_AF | BIT_NG | 3), hi: DATA / 2 ** 32 }), start(), look(IOVA, only('F_PERMISSION'))],
  }),
  probe('walk-after-epd0', {
    scenario: 'EPD0 with empty TLBs: no walk', clause: '§5.4 EPD0',
    steps: [tables(), start(), writeWord(cdAt(R), cd({ root: A.root, asid: 1, epd0: true }), 0), cfgiCd(R), sync(), tlbiVa(1, IOVA), sync(), look(IOVA, GONE)],
  }),
];

export const PROBES: readonly Probe[] = [...REGISTERS, ...QUEUE, ...RANGES, ...STRUCTURES];

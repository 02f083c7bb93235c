/**
 * Builder: the words in which the corner cases are written: worlds, boot, structures, mappings, commands, claims. Each
 * gives machine operations; nothing has a state.
 */
import { encodeCommand, newCommand, OP, type Command } from '../../spec/command.js';
import { FULL_FEATURES, type Features } from '../../spec/features.js';
import { CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, REG } from '../../spec/register.js';
import type { Allowed, Boot, MachineConfig, MachineOperation, MachineWorld, Where } from '../../stack/machine-world.js';
import type { RuleId } from '../../stack/violation.js';
import {
  ABORT, cd, CDS, DATA, EVENTS_AT, FRAMES, guest, GUEST_DATA, HOST, IOVA, leaf, leaf2, NESTED, NOTHING, PAGE, QUEUE_LOG2, QUEUES, slotOf, STAGE1, STAGE2, ste, STREAMS,
  STREAMS_LOG2, table, TABLE_A, type CdOptions, type LeafOptions, type SteOptions, type Tables, type Word,
} from './layout.js';

/** One operation, or several in order. */
export type Steps = MachineOperation | readonly Steps[];

export function flat(...steps: readonly Steps[]): MachineOperation[] {
  return steps.flatMap((s) => ('op' in s ? [s] : flat(...s)));
}

/** Decided: two sequences that differ by little; the right one passes every check, the wrong one breaks `rule`. */
export interface Decided {
  readonly number: number;
  readonly slug: string;
  /** One sentence: what it shows. */
  readonly scenario: string;
  readonly clause: string;
  readonly rule: RuleId;
  readonly world: MachineWorld;
  readonly right: readonly MachineOperation[];
  readonly wrong: readonly MachineOperation[];
}

export interface OutOfScope {
  readonly number: number;
  readonly outOfScope: string;
}

export type CornerCase = Decided | OutOfScope;

interface Pair extends Pick<Decided, 'scenario' | 'clause' | 'rule'> {
  readonly world?: MachineWorld;
  /** What both forms share, before and after the difference. */
  readonly before?: Steps;
  readonly right: Steps;
  readonly wrong: Steps;
  readonly after?: Steps;
}

export function pair(number: number, slug: string, p: Pair): Decided {
  const { scenario, clause, rule } = p;
  const form = (middle: Steps): MachineOperation[] => flat(p.before ?? [], middle, p.after ?? []);
  return { number, slug, scenario, clause, rule, world: p.world ?? world(), right: form(p.right), wrong: form(p.wrong) };
}

export function outOfScope(number: number, why: string): OutOfScope {
  return { number, outOfScope: why };
}

// ---- Worlds and registers.

/** One SMMU with every feature but those named; software is held to its rules. */
export function world(features: Partial<Features> = {}, o: { readonly judged?: boolean; readonly smmus?: number; readonly strict?: boolean } = {}): MachineWorld {
  const config: MachineConfig = { features: { ...FULL_FEATURES, ...features }, tlbEntries: 64, mergeRuns: true, strictReserved: o.strict ?? true };
  return { smmus: Array.from({ length: o.smmus ?? 1 }, () => config), frames: FRAMES, judged: o.judged ?? true };
}

/** Raw sequences: software may break its rules, so that a claim shows what comes of it. */
export function unjudged(features: Partial<Features> = {}, strict = true): MachineWorld {
  return world(features, { judged: false, strict });
}

export function boot(o: Partial<Boot> = {}, smmu = 0): MachineOperation {
  const queues = QUEUES[smmu] as number;
  return {
    op: 'boot', smmu,
    boot: {
      streams: STREAMS, streamsLog2: STREAMS_LOG2, split: 0, commands: queues, commandsLog2: QUEUE_LOG2, events: queues + EVENTS_AT, eventsLog2: QUEUE_LOG2,
      extra: 0, e2h: false, recordUnknown: true, recordAts: false, atsChk: false, vmw: 0, skip: [], ...o,
    },
  };
}

/** Boot without any command but one CMD_SYNC: the first free entry of the command queue is entry 1. */
export const QUIET = ['cfgi-all', 'tlbi-all', 'tlbi-el2'] as const;

export function register(offset: number, value: number, smmu = 0): MachineOperation {
  return { op: 'register', smmu, offset, value };
}

const QUEUES_ON = CR0_CMDQEN | CR0_EVENTQEN;
export const disable = (): MachineOperation => register(REG.CR0, QUEUES_ON);
export const enable = (): MachineOperation => register(REG.CR0, QUEUES_ON | CR0_SMMUEN);

// ---- Memory.

export function store(at: number, word: Word): MachineOperation {
  return { op: 'store', at, lo: word.lo, hi: word.hi, held: false };
}

/** A store that waits in the store buffer. */
export function held(at: number, word: Word): MachineOperation {
  return { op: 'store', at, lo: word.lo, hi: word.hi, held: true };
}

export const barrier = (): MachineOperation => ({ op: 'barrier' });

/** A structure that is not reachable yet: its non-zero words, word 0 last. */
export function write(at: number, words: readonly Word[]): MachineOperation[] {
  return words.flatMap((w, i) => (w.lo === 0 && w.hi === 0 ? [] : [store(at + 8 * i, w)])).reverse();
}

/** One word of a structure. */
export function writeWord(at: number, words: readonly Word[], i: number): MachineOperation {
  return store(at + 8 * i, words[i] as Word);
}

export function streamAt(sid: number): number {
  return STREAMS + sid * 64;
}

export function cdAt(i: number): number {
  return CDS + i * 64;
}

/** Table descriptors down to the last level. */
export function way(t: Tables, va: number): MachineOperation[] {
  return [store(slotOf(t, va, 1), table(t.middle)), store(slotOf(t, va, 2), table(t.last))];
}

export function map(t: Tables, va: number, pa: number, o: LeafOptions = {}): MachineOperation {
  return store(slotOf(t, va), leaf(pa, o));
}

export function unmap(t: Tables, va: number): MachineOperation {
  return store(slotOf(t, va), NOTHING);
}

/** A contiguous run of 16 pages. */
export function mapRun(t: Tables, va: number, pa: number): MachineOperation[] {
  return Array.from({ length: 16 }, (_, i) => map(t, va + i * PAGE, pa + i * PAGE, { contiguous: true }));
}

export function unmapRun(t: Tables, va: number): MachineOperation[] {
  return Array.from({ length: 16 }, (_, i) => unmap(t, va + i * PAGE));
}

export function map2(ipa: number, pa: number, o: LeafOptions = {}): MachineOperation {
  return store(slotOf(HOST, ipa), leaf2(pa, o));
}

export function free(at: number, frames = 1): MachineOperation {
  return { op: 'free', at, frames };
}

// ---- Streams and their tables.

/** A stream of its own CD: the STE points to CD `sid`. */
export function stage1Stream(sid: number, c: CdOptions, s: Partial<SteOptions> = {}): MachineOperation[] {
  return [...write(cdAt(sid), cd(c)), ...write(streamAt(sid), ste({ config: STAGE1, cd: cdAt(sid), ...s }))];
}

/** Stream 1, ASID 1, IOVA mapped to DATA; not booted. */
export function tables(c: Partial<CdOptions> = {}, s: Partial<SteOptions> = {}): MachineOperation[] {
  return [...way(TABLE_A, IOVA), map(TABLE_A, IOVA, DATA), ...stage1Stream(1, { root: TABLE_A.root, asid: 1, ...c }, s)];
}

/** The same, booted, and used once. */
export function domain(b: Partial<Boot> = {}): MachineOperation[] {
  return [...tables(), boot(b), access(IOVA)];
}

/** A stage-2 stream of the host's tables. */
export function stage2Stream(sid: number, vmid: number, root = HOST.root): MachineOperation[] {
  return write(streamAt(sid), ste({ config: STAGE2, vmid, stage2: { root } }));
}

/** Stage 2 from GUEST_DATA to DATA; not booted. */
export function hostTables(pa = DATA): MachineOperation[] {
  return [...way(HOST, GUEST_DATA), map2(GUEST_DATA, pa)];
}

/** VMID of the guest. */
export const VMID = 5;

/** A nested stream: its CD and tables A lie in the guest's memory, IOVA goes to GUEST_DATA and that to `pa`; not booted. */
export function nested(pa = DATA, s: Partial<SteOptions> = {}): MachineOperation[] {
  const g: Tables = { root: guest(TABLE_A.root), middle: guest(TABLE_A.middle), last: guest(TABLE_A.last) };
  return [
    ...hostTables(pa),
    ...[CDS, TABLE_A.root, TABLE_A.middle, TABLE_A.last].map((p) => map2(guest(p), p)),
    store(slotOf(TABLE_A, IOVA, 1), table(g.middle)), store(slotOf(TABLE_A, IOVA, 2), table(g.last)), map(TABLE_A, IOVA, GUEST_DATA),
    ...write(cdAt(1), cd({ root: g.root, asid: 1 })),
    ...write(streamAt(1), ste({ config: NESTED, cd: guest(cdAt(1)), vmid: VMID, stage2: { root: HOST.root }, ...s })),
  ];
}

/** The stream aborts from here on: one store, not yet invalidated. */
export function toAbort(sid: number): MachineOperation {
  return writeWord(streamAt(sid), ste({ config: ABORT }), 0);
}

// ---- Commands.

export function command(c: Partial<Command> & { readonly op: number }, o: { readonly smmu?: number; readonly queue?: number } = {}): MachineOperation {
  return { op: 'command', smmu: o.smmu ?? 0, queue: o.queue ?? 0, command: { ...newCommand(), ...c } };
}

export function raw(c: Partial<Command> & { readonly op: number }): MachineOperation {
  return { op: 'raw', smmu: 0, queue: 0, words: encoded(c) };
}

function encoded(c: Partial<Command>): readonly [number, number, number, number] {
  const words = new Uint32Array(4);
  encodeCommand({ ...newCommand(), ...c }, words);
  return [words[0] as number, words[1] as number, words[2] as number, words[3] as number];
}

/** A command as the two words of a queue entry. */
export function entry(c: Partial<Command> & { readonly op: number }): readonly [Word, Word] {
  const w = encoded(c);
  return [{ lo: w[0], hi: w[1] }, { lo: w[2], hi: w[3] }];
}

export function sync(smmu = 0, queue = 0): MachineOperation {
  return { op: 'sync', smmu, queue, msi: 0 };
}

export function acknowledge(fix: boolean): MachineOperation {
  return { op: 'acknowledge', smmu: 0, queue: 0, fix };
}

type Extra = Partial<Command>;
const frame = (address: number): number => Math.floor(address / PAGE);

/** TLBI_NH_VA of one address, Leaf = 1, unless `extra` says otherwise. */
export function tlbiVa(asid: number, va: number, extra: Extra = {}): MachineOperation {
  return command({ op: OP.TLBI_NH_VA, asid, frame: frame(va), leaf: 1, ...extra });
}

/** TLBI_NH_VA with Leaf = 0: tables as well. */
export function tlbiWalk(asid: number, va: number, extra: Extra = {}): MachineOperation {
  return tlbiVa(asid, va, { leaf: 0, ...extra });
}

export const tlbiAsid = (asid: number, extra: Extra = {}): MachineOperation => command({ op: OP.TLBI_NH_ASID, asid, ...extra });
export const tlbiAll = (vmid = 0): MachineOperation => command({ op: OP.TLBI_NH_ALL, vmid });
export const tlbiVmid = (vmid: number): MachineOperation => command({ op: OP.TLBI_S12_VMALL, vmid });
export const tlbiEverything = (): MachineOperation => command({ op: OP.TLBI_NSNH_ALL });

export function tlbiIpa(ipa: number, extra: Extra = {}): MachineOperation {
  return command({ op: OP.TLBI_S2_IPA, vmid: VMID, frame: frame(ipa), leaf: 1, ...extra });
}

export const cfgiSte = (sid: number, leafOnly = true): MachineOperation => command({ op: OP.CFGI_STE, sid, leaf: leafOnly ? 1 : 0 });
export const cfgiRange = (sid: number, range: number): MachineOperation => command({ op: OP.CFGI_STE_RANGE, sid, range });
export const cfgiAll = (): MachineOperation => cfgiRange(0, 31);
export const cfgiCd = (sid: number, ssid = 0, leafOnly = true): MachineOperation => command({ op: OP.CFGI_CD, sid, ssid, leaf: leafOnly ? 1 : 0 });

/** ATC_INV of 2^size pages for traffic without PASID. */
export function atcInv(sid: number, va: number, size = 0, extra: Extra = {}): MachineOperation {
  return command({ op: OP.ATC_INV, sid, frame: frame(va), size, ...extra });
}

/** TG of a 4K, 16K, 64K command. */
export const TG4 = 1;
export const TG16 = 2;
export const TG64 = 3;

// ---- Devices and claims.

type At = Partial<Where>;
const where = (iova: number, o: At): Where => ({ smmu: 0, sid: 1, ssid: -1, iova, write: false, privileged: false, instruction: false, ...o });

export function access(iova: number, o: At = {}): MachineOperation {
  return { op: 'access', ...where(iova, o) };
}

/** A Translation Request that asks for write permission too. */
export function atsRequest(iova: number, o: At = {}): MachineOperation {
  return { op: 'ats-request', ...where(iova, { write: true, ...o }) };
}

/** An endpoint with ATS that answers invalidation requests. */
export function endpoint(sid: number, ats = true, responds = true): MachineOperation {
  return { op: 'endpoint', smmu: 0, sid, ats, responds };
}

export function claim(rule: RuleId, iova: number, allow: readonly Allowed[], o: At = {}): MachineOperation {
  return { op: 'claim', rule, translated: false, allow, ...where(iova, o) };
}

/** What the endpoint may send through its ATC. */
export function claimTranslated(rule: RuleId, iova: number, allow: readonly Allowed[], o: At = {}): MachineOperation {
  return { op: 'claim', rule, translated: true, allow, ...where(iova, o) };
}

export const GONE: readonly Allowed[] = [{ answer: 'F_TRANSLATION' }];
export const GONE2: readonly Allowed[] = [{ answer: 'F_TRANSLATION', stage2: true }];
export const ABORTED: readonly Allowed[] = [{ answer: 'abort' }];
/** The endpoint has nothing in its ATC that fits. */
export const EMPTY: readonly Allowed[] = [];

export function reaches(pa: number): readonly Allowed[] {
  return [{ answer: 'ok', pa }];
}

export function only(event: string): readonly Allowed[] {
  return [{ answer: event }];
}

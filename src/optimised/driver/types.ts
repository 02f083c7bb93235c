/**
 * Types: what the rooms of the optimised driver share. State that two CPUs may touch lives in memory cells (an
 * invalidation array, its pointer, tag bitmaps, queue indices); the rest belongs to one caller.
 */
import type { Cpu } from '../../memory/cpu.js';
import type { PagesPort } from '../../memory/pages.js';
import type { Description } from '../../stack/description.js';
import type { RegisterPort } from '../../stack/machine.js';
import type { Features } from '../../spec/features.js';
import type { InvKey } from '../../stack/invalidation-array.js';
import type { Operation, Result, Target } from '../../stack/operation.js';
import type { Planner, PlannerFeatures } from '../../stack/planner.js';
import type { Steps } from '../../stack/steps.js';
import type { SystemError } from '../../stack/system.js';
import type { GatherStyle, World } from '../../stack/world.js';
import type { LeafCleaner } from './cleaners.js';
import type { Ranges } from './iova.js';
import type { RcuPort } from './rcu.js';
import type { DomainTraits, Use } from './sharing.js';

/** Why a batch of commands is issued. */
export type Purpose = 'reset' | 'ste' | 'cd' | 'invalidate' | 'tag-flush' | 'cd-table' | 'atc' | 'guest';

/** A list of commands for one SMMU, and whether to wait for their SYNC. */
export interface Batch {
  readonly words: Uint32Array;
  count: number;
  sync: boolean;
  smmu: number;
  purpose: Purpose;
}

/** What was unmapped and not invalidated yet, and the tables to free afterwards. */
export interface Gather {
  /** Of its domain. */
  readonly style: GatherStyle;
  pending: boolean;
  first: number;
  last: number;
  leaves: number;
  tables: number;
  /** Table pages (slots) that the flush releases. */
  readonly freed: number[];
}

/** One SMMU as the driver sees it. Cells are memory references. */
export interface SmmuState {
  readonly port: RegisterPort;
  readonly queueSlot: number;
  readonly queueLog2: number;
  readonly eventSlot: number;
  readonly eventLog2: number;
  readonly streamSlot: number;
  /** Cells: PROD as last written, CONS as last read. */
  readonly prodCell: number;
  readonly consCell: number;
  /** First cells of the bitmaps of ASIDs and VMIDs; 32 ids a cell. */
  readonly asidCell: number;
  readonly asidMax: number;
  readonly vmidCell: number;
  /** 0: no stage 2. */
  readonly vmidMax: number;
  /** What it says of itself. */
  readonly features: Features;
  /** Which payloads it takes: a place in PAYLOAD_KINDS. */
  readonly kind: number;
  /** Commands of one list at the most, and whether each list needs a SYNC of its own. */
  readonly listMax: number;
  readonly forceSync: boolean;
  /** IDR0.COHACC: its walks look into the CPU's caches. */
  readonly coherent: boolean;
}

/** What a device uses as a whole. nested: a guest's stage 1 over a parent. */
export type Attachment = Target | 'none' | 'nested';

export interface DeviceState {
  readonly smmu: number;
  /** Each once. */
  readonly streams: readonly number[];
  /** First slot of its table of CDs: linear, or the level-1 table. */
  readonly cdSlot: number;
  /** log2 of its CDs; 0: one, and no substreams. */
  readonly ssidBits: number;
  readonly twoLevelCds: boolean;
  /** Can it, and its SMMU, do ATS? */
  readonly ats: boolean;
  /** Is ATS on at the endpoint, as the driver believes? */
  atsOn: boolean;
  target: Attachment;
  /** Attached to a guest: through which vSMMU; else -1. */
  vsmmu: number;
  /** Substreams in use, ascending; replaced as a whole, never changed in place. */
  substreams: readonly Substream[];
}

export interface Substream {
  readonly ssid: number;
  readonly domain: number;
}

export interface DomainState extends DomainTraits {
  readonly lazy: boolean;
  readonly managed: boolean;
  /** Frames that a mapping may point to: [0, this). */
  readonly outputFrames: number;
  readonly rootSlot: number;
  /** sva: the process has ended. */
  gone: boolean;
  /** Cell with the reference of the published invalidation array; 0 for none. */
  readonly invsCell: number;
  readonly gather: Gather;
  /** Lazy: tables that wait for the next flush of everything. */
  readonly queuedTables: number[];
  readonly ranges: Ranges;
}

/** A vSMMU of the world: open while it has a VMID. */
export interface VsmmuState {
  readonly smmu: number;
  readonly parent: number;
  /** 0: closed. */
  vmid: number;
}

/** State of the whole driver, shared by all CPUs (what is not in memory cells is written by one caller at a time). */
export interface DriverState {
  readonly world: World;
  readonly startLevel: number;
  readonly pages: PagesPort;
  readonly smmus: readonly SmmuState[];
  readonly devices: readonly DeviceState[];
  readonly domains: readonly DomainState[];
  readonly vsmmus: readonly VsmmuState[];
  /** PCI ATS of a device. */
  readonly setAts: (device: number, on: boolean) => void;
  readonly rcu: RcuPort;
}

/** What rules and reports may hear of the driver's own promises. */
export interface DriverObserver {
  /** A plan was made for one SMMU: `count` payloads of 4 words, or WHOLE_TAG. */
  planned(smmu: number, d: Description, words: Uint32Array, count: number): void;
  /** The entry writer waited for the SYNC that retires the older form of these streams' STE, or CD of one substream (0: none). */
  entrySynced(smmu: number, kind: 'ste' | 'cd', streams: readonly number[], ssid: number): void;
  /** A tag is handed out: nothing may be cached under it. */
  tagTaken?(smmu: number, id: number, type: TagType): void;
  /** A tag is free to be handed out again. */
  tagReleased(smmu: number, id: number, type: TagType): void;
}

/** ASID of a domain; VMID of a stage-2 domain; VMID of a vSMMU. */
export type TagType = 's1-tag' | 's2-tag' | 'vsmmu-tag';

/** A tag on one SMMU. `fresh`: allocated just now and in no array yet. */
export interface Tag {
  readonly smmu: number;
  readonly type: TagType;
  readonly id: number;
  readonly fresh: boolean;
}

/** What a device, or one of its substreams, is bound to: a domain, or a vSMMU over it (-1: none). */
export interface Binding {
  readonly domain: number;
  readonly vsmmu: number;
}

/** What is asked of one attach. */
export interface AttachRequest {
  readonly device: number;
  /** 0: the device as a whole. */
  readonly ssid: number;
  readonly next: Binding | null;
  /** Will substreams be in use? They may need ATS, whatever the device as a whole does. */
  readonly substreams: boolean;
  /** The guest does not want it. */
  readonly withoutAts: boolean;
}

/** One side of an attach (seed 3): the domain, its tag on this SMMU, and what this attachment has in the domain's array. */
export interface AttachSide {
  readonly domain: number;
  readonly tag: Tag;
  readonly keys: readonly InvKey[];
}

/** What one attach is about, from its first phase to its last. */
export interface AttachState {
  readonly device: number;
  readonly dev: DeviceState;
  /** 0: the device as a whole. */
  readonly ssid: number;
  readonly old: AttachSide | null;
  readonly next: AttachSide | null;
  /** The new domain's array with this attachment in it, not published yet; 0: no new domain. */
  readonly array: number;
  /** Page for its CD that is not installed yet; -1: none is needed. */
  readonly cdPage: number;
  readonly ats: boolean;
}

/** The replaceable algorithms. The plain twin of the driver has the same names without steps. */
export interface Parts {
  readonly planner: Planner;
  /** What a gather says about the damage. */
  readonly describe: (gather: Gather, d: Description) => void;
  /** What an mm says of a change to [first, end) (frames; the end is exclusive), as a gather. */
  readonly notified: (ctx: Context, first: number, end: number, gather: Gather) => void;
  /** The last word on a batch before it is submitted: the identity, unless a mutant stands here. */
  readonly emit: (batch: Batch) => void;
  readonly submit: (ctx: Context, batch: Batch) => Steps<void>;
  readonly invalidate: (ctx: Context, domain: number, d: Description) => Steps<void>;
  /** Invalidates what the gather holds; frees its tables then, and only then. */
  readonly flushGather: (ctx: Context, domain: number, gather: Gather) => Steps<void>;
  /** Makes the STE or CD at `ref` read as `target` (16 uint32); `streams` may have it cached. */
  readonly writeEntry: (ctx: Context, kind: 'ste' | 'cd', smmu: number, ref: number, target: Uint32Array, streams: readonly number[], ssid?: number) => Steps<void>;
  readonly attachSequence: (ctx: Context, device: number, target: Target) => Steps<Result | SystemError>;
  readonly releaseTag: (ctx: Context, tag: Tag) => Steps<void>;
  /** Cleans leaves, in domains whose tables are cleaned. */
  readonly cleaner: LeafCleaner;
  /** Can the device's SMMU walk the domain's tables, for this use? */
  readonly canShare: (ctx: Context, dev: DeviceState, domain: number, use?: Use) => boolean;
  /** Lazy domains: [first, end) (frames) waits for the next flush of everything. Returns how many ranges wait. */
  readonly queueIova: (own: DomainState, first: number, end: number) => number;
  /** Systems beyond stage 1 for whole devices. */
  readonly system: SystemParts;
}

/** The replaceable algorithms of systems with stage 2, ATS, substreams and guests. */
export interface SystemParts {
  readonly attachSubstream: (ctx: Context, device: number, ssid: number, domain: number) => Steps<Result | SystemError>;
  readonly detachSubstream: (ctx: Context, device: number, ssid: number) => Steps<void>;
  readonly attachNested: (ctx: Context, device: number, vsmmu: number, ste: Uint32Array) => Steps<Result | SystemError>;
  /** The process of an sva domain has ended. */
  readonly endProcess: (ctx: Context, domain: number) => Steps<void>;
  /** The domain's tag on an SMMU, or undefined; `vsmmu` -1: the domain itself. */
  readonly findTag: (ctx: Context, array: number, smmu: number, binding: Binding) => Tag | undefined;
  /** What an attachment has in the array of its domain, sorted, the tag first. */
  readonly keys: (ctx: Context, dev: DeviceState, tag: Tag, ssid: number, ats: boolean) => readonly InvKey[];
  readonly wantAts: (ctx: Context, r: AttachRequest) => boolean;
  /** ATS of the device before its STE or CD changes, and after. */
  readonly atsBefore: (ctx: Context, a: AttachState) => Steps<void>;
  readonly atsAfter: (ctx: Context, a: AttachState) => Steps<void>;
  /** STEs and CDs that the device as a whole gets. */
  readonly install: (ctx: Context, a: AttachState, ste: Uint32Array) => Steps<void>;
  /** The level-1 descriptor of a CD table was written: whoever has cached it as invalid must hear of it. */
  readonly cdTableInstalled: (ctx: Context, dev: DeviceState, ssid: number) => Steps<void>;
  /** Appends the commands of one array entry to the batch; those of stage 1 and 2 by their payloads. */
  readonly fillEntry: (ctx: Context, entry: InvKey, d: Description) => void;
  /** Must a SYNC stand between the commands of these entries, which follow on each other? */
  readonly splits: (entry: InvKey, next: InvKey) => boolean;
  /** What the STE of a guest becomes (16 uint32): `parent` is the stage-2 STE of the vSMMU, null when the guest's is not accepted. */
  readonly physicalSte: (guest: Uint32Array, parent: Uint32Array, ats: boolean) => Uint32Array | null;
  /** Writes what one guest command (4 uint32 at `at`) becomes to `out`; returns how many commands that is, -1 when it is refused. */
  readonly guestCommand: (ctx: Context, vsmmu: number, words: readonly number[], at: number, out: Uint32Array) => number;
}

/** Kinds of SMMUs as far as planning is concerned; the payloads of one kind do for all of its SMMUs. */
export const PAYLOAD_KINDS: readonly PlannerFeatures[] = [{ range: false, ds: false }, { range: true, ds: false }, { range: true, ds: true }];

/** What was planned for one kind: `count` payloads, or WHOLE_TAG. */
export interface Payloads {
  readonly features: PlannerFeatures;
  readonly words: Uint32Array;
  count: number;
}

/** An entry of an array, read once; reused by the next one. */
export type EntryRead = { -readonly [K in keyof InvKey]: InvKey[K] };

/** One CPU inside the driver. */
export interface Context {
  readonly state: DriverState;
  readonly cpu: Cpu;
  readonly parts: Parts;
  readonly observer: DriverObserver | null;
  /** Scratch of this CPU: one batch, one description, payloads for each kind of SMMU. */
  readonly batch: Batch;
  readonly description: Description;
  readonly payloads: readonly Payloads[];
  readonly entry: EntryRead;
  readonly nextEntry: EntryRead;
}

export type Perform = (ctx: Context, op: Operation) => Steps<Result | SystemError>;

export function newGather(style: GatherStyle): Gather {
  return { style, pending: false, first: 0, last: -1, leaves: 0, tables: 0, freed: [] };
}

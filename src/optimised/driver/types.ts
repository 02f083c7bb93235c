/**
 * Types: what the rooms of the optimised driver share. State that two CPUs may touch lives in memory cells (an
 * invalidation array, its pointer, tag bitmaps, queue indices); the rest belongs to one caller.
 */
import type { Cpu } from '../../memory/cpu.js';
import type { PagesPort } from '../../memory/pages.js';
import type { Description } from '../../stack/description.js';
import type { RegisterPort } from '../../stack/machine.js';
import type { Operation, Result, Target } from '../../stack/operation.js';
import type { Planner, PlannerFeatures } from '../../stack/planner.js';
import type { Steps } from '../../stack/steps.js';
import type { GatherStyle, World } from '../../stack/world.js';
import type { LeafCleaner } from './cleaners.js';
import type { Ranges } from './iova.js';
import type { RcuPort } from './rcu.js';

/** Why a batch of commands is issued. */
export type Purpose = 'reset' | 'ste' | 'cd' | 'invalidate' | 'tag-flush';

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
  /** First cell of the ASID bitmap; 32 ids a cell. */
  readonly asidCell: number;
  readonly asidMax: number;
  /** Which payloads it takes: a place in PAYLOAD_KINDS. */
  readonly kind: number;
  /** Commands of one list at the most, and whether each list needs a SYNC of its own. */
  readonly listMax: number;
  readonly forceSync: boolean;
  /** IDR0.COHACC: its walks look into the CPU's caches. */
  readonly coherent: boolean;
}

export interface DeviceState {
  readonly smmu: number;
  readonly streams: readonly number[];
  readonly cdSlot: number;
  target: Target | 'none';
}

export interface DomainState {
  readonly lazy: boolean;
  readonly managed: boolean;
  /** False: every store to its tables is cleaned, and any SMMU can walk them. */
  readonly coherent: boolean;
  readonly rootSlot: number;
  /** Cell with the reference of the published invalidation array; 0 for none. */
  readonly invsCell: number;
  readonly gather: Gather;
  /** Lazy: tables that wait for the next flush of everything. */
  readonly queuedTables: number[];
  readonly ranges: Ranges;
}

/** State of the whole driver, shared by all CPUs (what is not in memory cells is written by one caller at a time). */
export interface DriverState {
  readonly world: World;
  readonly startLevel: number;
  readonly pages: PagesPort;
  readonly smmus: readonly SmmuState[];
  readonly devices: readonly DeviceState[];
  readonly domains: readonly DomainState[];
  readonly rcu: RcuPort;
}

/** What rules and reports may hear of the driver's own promises. */
export interface DriverObserver {
  /** A plan was made for one SMMU: `count` payloads of 4 words, or WHOLE_TAG. */
  planned(smmu: number, d: Description, words: Uint32Array, count: number): void;
  /** The entry writer waited for the SYNC that retires the older form of these streams' STE or CD. */
  entrySynced(smmu: number, kind: 'ste' | 'cd', streams: readonly number[]): void;
  /** A tag is free to be handed out again. */
  tagReleased(smmu: number, asid: number): void;
}

/** A tag of a domain on one SMMU. `fresh`: allocated just now and in no array yet. */
export interface Tag {
  readonly smmu: number;
  readonly asid: number;
  readonly fresh: boolean;
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
  readonly writeEntry: (ctx: Context, kind: 'ste' | 'cd', smmu: number, ref: number, target: Uint32Array, streams: readonly number[]) => Steps<void>;
  readonly attachSequence: (ctx: Context, device: number, target: Target) => Steps<Result>;
  readonly releaseTag: (ctx: Context, smmu: number, asid: number) => Steps<void>;
  /** Cleans leaves, in domains whose tables are cleaned. */
  readonly cleaner: LeafCleaner;
  /** Can the device's SMMU walk the domain's tables? */
  readonly canShare: (ctx: Context, dev: DeviceState, domain: number) => boolean;
}

/** Kinds of SMMUs as far as planning is concerned; the payloads of one kind do for all of its SMMUs. */
export const PAYLOAD_KINDS: readonly PlannerFeatures[] = [{ range: false, ds: false }, { range: true, ds: false }, { range: true, ds: true }];

/** What was planned for one kind: `count` payloads, or WHOLE_TAG. */
export interface Payloads {
  readonly features: PlannerFeatures;
  readonly words: Uint32Array;
  count: number;
}

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
}

export type Perform = (ctx: Context, op: Operation) => Steps<Result>;

export function newGather(style: GatherStyle): Gather {
  return { style, pending: false, first: 0, last: -1, leaves: 0, tables: 0, freed: [] };
}

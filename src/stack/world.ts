/**
 * World: one configured system. Pure data (it is stored in cases): SMMU instances and their features, devices
 * with their streams, domains, and which implementation of each part the optimised driver uses.
 */
import type { CleanerName } from './page-table.js';
import type { PlannerName } from './planner.js';

/** One SMMU instance. */
export interface SmmuConfig {
  /** IDR3.RIL: range invalidation. */
  readonly range: boolean;
  /** IDR5.DS: SCALE up to 39 in range commands (tables here need no more than 48 bits). Left out: no. */
  readonly ds?: true;
  /** IDR0.ASID16: 8 or 16. */
  readonly asidBits: 8 | 16;
  /** Highest ASID the driver may hand out on this instance (a small number makes reuse frequent); at least 1. */
  readonly asidMax: number;
  /** log2 of the command queue's entries, 3..8. */
  readonly queueLog2: number;
  /** log2 of the event queue's entries, 1..7. */
  readonly eventLog2: number;
  /** Entries of the optimised machine's TLB: a power of two, 4..4096. */
  readonly tlbEntries: number;
  /** Erratum: of more than 63 commands without a CMD_SYNC the SMMU loses all. Left out: no. */
  readonly forceSync?: true;
  /** IDR0.COHACC = 0: table walks do not look into the CPU's caches. Left out: they do. */
  readonly coherent?: false;
}

/** One client device: the SMMU instance it is behind (index) and its StreamIDs (0..63, unique per SMMU). */
export interface DeviceConfig {
  readonly smmu: number;
  readonly streams: readonly number[];
}

/**
 * How what was unmapped reaches the invalidation (seed 0); the first is what a domain has when it names none.
 * iommupt: one gather holds leaves and tables of all levels, with full bitmaps and a free list. io-pgtable: a gather holds leaves of one
 * size; a removed table is flushed and freed at once. sva: an mm changes the tables and notifies: gone when the unmap returns.
 */
export const GATHER_STYLES = ['iommupt', 'io-pgtable', 'sva'] as const;
export type GatherStyle = (typeof GATHER_STYLES)[number];

/** One stage-1 domain, 4 KB granule. */
export interface DomainConfig {
  /** strict: `sync` promises that what was unmapped is gone; lazy: only handing the address range out again does. */
  readonly mode: 'strict' | 'lazy';
  /** Does an IOVA allocator stand in front of it (`iova-alloc`, `iova-free`)? Always so for lazy domains. */
  readonly managed: boolean;
  /** Left out: iommupt. sva is always strict and never managed: its addresses are those of an mm. */
  readonly gather?: GatherStyle;
  /**
   * Decided when the domain is made: its descriptors are cleaned from the CPU's caches, so that any SMMU can walk them. Left out: they are
   * not, and only coherent SMMUs can have it.
   */
  readonly coherent?: false;
}

export interface World {
  readonly smmus: readonly SmmuConfig[];
  readonly devices: readonly DeviceConfig[];
  readonly domains: readonly DomainConfig[];
  /** Input address size in bits: 39 (start level 1) or 48 (start level 0). */
  readonly inputBits: 39 | 48;
  /** Lazy domains: freed ranges that wait before the driver flushes by itself. */
  readonly flushQueue: number;
  /** In which order a CPU's pending stores become visible at a barrier. */
  readonly storeOrder: 'fifo' | 'reverse';
  /** The part that plans range invalidations; left out: the first of PLANNER_NAMES. */
  readonly planner?: PlannerName;
  /** Systems with walkers that are not coherent: the part that cleans leaf descriptors. Left out: the driver's own. */
  readonly cleaner?: CleanerName;
  /** The same: after every `oneIn`-th store to a table a dirty line, drawn from `seed`, is written back by itself. Left out: never. */
  readonly eviction?: { readonly oneIn: number; readonly seed: number };
}

/** Does some SMMU have a view of memory of its own? */
export function hasWalkerView(world: World): boolean {
  return world.smmus.some((s) => s.coherent === false);
}

export const LIMITS = {
  smmus: 8, devices: 64, streamsPerDevice: 4, domains: 32, streamLog2: 6, operations: 200_000, flushQueue: 4096,
  /** Commands between two SYNCs that an SMMU with the FORCE_SYNC erratum can take. */
  forcedList: 63,
  /** Entries (leaves) that one map call may need: 1 GB of pages. */
  mapEntries: 262_144,
  /** Stores between two lines that are written back by themselves; seeds of their choice. */
  evictionOneIn: 65_536, evictionSeed: 2 ** 31 - 1,
} as const;

/** Output address size of every SMMU here, in bits; the top frame is excluded. */
export const OAS = 44;
/** Frames of physical memory a mapping may point to: [0, 2^32). */
export const PHYSICAL_FRAMES = 2 ** (OAS - 12);

/** The smallest interesting world; what options leave open is taken from here. */
export const DEFAULT_SMMU: SmmuConfig = { range: true, asidBits: 16, asidMax: 65535, queueLog2: 8, eventLog2: 4, tlbEntries: 64 };

export function smallWorld(change: Partial<World> = {}): World {
  return {
    smmus: [DEFAULT_SMMU],
    devices: [{ smmu: 0, streams: [1] }],
    domains: [{ mode: 'strict', managed: false }],
    inputBits: 48,
    flushQueue: 8,
    storeOrder: 'fifo',
    ...change,
  };
}

/**
 * Table worlds: which page tables, walkers and caches a random table sequence is drawn on. Every profile draws every geometry that it is about:
 * granule, stage, input bits, form of addresses. All choices are whole numbers from a Chooser.
 */
import { TGS } from '../spec/granule.js';
import type { Chooser } from '../stack/chooser.js';
import { TABLE_VARIANTS, type CleanerName, type TableGeometry, type TableOperation, type TableWorld } from '../stack/page-table.js';
import { leastInputBits, mostInputBits, TABLE_OUTPUT_BITS } from './table-shape.js';

export function pick<T>(c: Chooser, list: readonly T[]): T {
  return list[c.index(list.length)] as T;
}

export function oneIn(c: Chooser, n: number): boolean {
  return c.index(n) === 0;
}

/** How often each kind of operation is drawn; weights, not shares. */
export type TableMix = Readonly<Record<TableOperation['op'], number>>;

export interface TableProfile {
  readonly name: string;
  readonly about: string;
  readonly mix: TableMix;
  world(c: Chooser): TableWorld;
}

const MIX: TableMix = {
  map: 24, 'map-sg': 5, 'sync-map': 4, unmap: 18, sync: 12, 'read-dirty': 2, access: 22, evict: 3, 'fail-next-allocation': 1, together: 2,
};
/** Cleaners that keep what they promise; the posted walk has a profile of its own. */
const SOUND: readonly CleanerName[] = ['eager', 'range-visitor', 'map-sg'];

function drawGeometry(c: Chooser, change: Partial<TableGeometry> = {}): TableGeometry {
  const tg = change.tg ?? pick(c, TGS);
  const stage = change.stage ?? pick(c, [1, 2] as const);
  const ds = change.ds ?? (tg !== 16 && oneIn(c, 4));
  const least = leastInputBits(tg);
  const inputBits = change.inputBits ?? least + c.index(mostInputBits(tg, ds) - least + 1);
  const outputs = TABLE_OUTPUT_BITS.filter((bits) => bits <= 48 || tg === 16 || ds);
  return {
    tg, stage, inputBits, outputBits: pick(c, outputs), half: stage === 1 && oneIn(c, 3) ? 'upper' : 'lower', ds, contiguous: oneIn(c, 2), dirty: oneIn(c, 3), ...change,
  };
}

function drawWorld(c: Chooser, change: Partial<TableWorld>, geometry: Partial<TableGeometry> = {}): TableWorld {
  const drawn = drawGeometry(c, geometry);
  const coherent = change.coherent ?? (drawn.dirty && geometry.dirty === true ? true : oneIn(c, 2));
  return {
    geometry: coherent ? drawn : { ...drawn, dirty: false },
    variant: pick(c, TABLE_VARIANTS), coherent, cleaner: coherent ? 'eager' : pick(c, SOUND),
    eviction: coherent || oneIn(c, 2) ? { oneIn: 0, seed: 0 } : { oneIn: 1 + c.index(6), seed: c.index(2 ** 16) },
    bbml: pick(c, [0, 1, 2] as const), mergeRuns: oneIn(c, 2), storeOrder: oneIn(c, 3) ? 'reverse' : 'fifo', ...change,
  };
}

export const TABLE_PROFILES: readonly TableProfile[] = [
  { name: 'any', about: 'every geometry, both stages, both variants, walkers of both kinds', mix: MIX, world: (c) => drawWorld(c, {}) },
  { name: 'coherent', about: 'walkers that see the CPU’s cache', mix: { ...MIX, evict: 0, 'sync-map': 1 }, world: (c) => drawWorld(c, { coherent: true }) },
  {
    name: 'noncoherent', about: 'walkers that do not see the CPU’s cache: cleaning, eviction, deferred leaves', mix: { ...MIX, evict: 6, 'sync-map': 8 },
    world: (c) => drawWorld(c, { coherent: false }),
  },
  {
    name: 'scatter', about: 'long scatter lists of small and of mixed pieces, on walkers that do not see the CPU’s cache', mix: { ...MIX, 'map-sg': 20, map: 6 },
    world: (c) => drawWorld(c, { coherent: false }),
  },
  {
    name: 'dirty', about: 'hardware marks pages dirty; they are read and cleared in rounds', mix: { ...MIX, 'read-dirty': 4, access: 40, together: 4 },
    world: (c) => drawWorld(c, { coherent: true }, { dirty: true, contiguous: !oneIn(c, 3) }),
  },
  {
    name: 'together', about: 'two calls on two CPUs at once: tables are installed, used and cleaned side by side', mix: { ...MIX, together: 24 },
    world: (c) => drawWorld(c, {}),
  },
  {
    name: 'runs', about: 'contiguous runs, mapped and unmapped in parts, cached as one entry or not', mix: MIX,
    world: (c) => drawWorld(c, { mergeRuns: !oneIn(c, 3) }, { contiguous: true }),
  },
  {
    name: 'live', about: 'blocks and runs that are asked for written pages: what a driver that changes sizes in place does to them', mix: { ...MIX, 'read-dirty': 12 },
    world: (c) => drawWorld(c, {}, { contiguous: oneIn(c, 2) }),
  },
  {
    name: 'posted-walk', about: 'the iotlb_sync_map walk as it was posted (seed 2): it leaves stale descriptors in some geometries', mix: { ...MIX, 'sync-map': 16 },
    world: (c) => drawWorld(c, { coherent: false, cleaner: 'posted-walk', eviction: { oneIn: 0, seed: 0 } }),
  },
];

export function findTableProfile(name: string): TableProfile | undefined {
  return TABLE_PROFILES.find((p) => p.name === name);
}

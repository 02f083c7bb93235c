/**
 * Profiles: named families of worlds and operation weights, and the swarm that draws a fresh one for each run. All
 * choices are whole numbers from a Chooser; nothing depends on anything else.
 */
import type { Chooser } from '../stack/chooser.js';
import type { CleanerName } from '../stack/page-table.js';
import type { PlannerName } from '../stack/planner.js';
import type { OperationKind } from '../stack/operation.js';
import { GATHER_STYLES, type DeviceConfig, type DomainConfig, type GatherStyle, type SmmuConfig, type World } from '../stack/world.js';

/** How often each kind of operation and of size is drawn; weights, not shares. */
export interface Mix {
  readonly weights: Readonly<Record<OperationKind, number>>;
  /** 1 page, 2–16 pages, 17–600 pages, 601–4096 pages, 2 MB blocks, whole tables of pages (2 MB in 4K), 1 GB, a little more than 1 GB in blocks. */
  readonly sizes: readonly number[];
  /** Invalid calls, of a thousand. */
  readonly invalid: number;
  /** Pages that the addresses of one domain spread over at each of its anchors. */
  readonly spread: number;
}

export interface Profile {
  readonly name: string;
  readonly about: string;
  draw(chooser: Chooser): { readonly world: World; readonly mix: Mix; readonly operations: number };
}

const WEIGHTS: Readonly<Record<OperationKind, number>> = {
  map: 22, unmap: 18, sync: 14, attach: 4, detach: 2, access: 26, 'iova-alloc': 6, 'iova-free': 5, 'flush-all': 2, 'fail-next-allocation': 1, evict: 0,
};

export const SIZE_CLASSES = ['1 page', '2-16 pages', '17-600 pages', '601-4096 pages', '2 MB blocks', '2 MB in pages', '1 GB', 'over 1 GB in blocks'] as const;

export const PLAIN_MIX: Mix = { weights: WEIGHTS, sizes: [80, 68, 8, 1, 16, 6, 2, 1], invalid: 20, spread: 256 };

function pick<T>(chooser: Chooser, list: readonly T[]): T {
  return list[chooser.index(list.length)] as T;
}

function drawSmmu(chooser: Chooser): SmmuConfig {
  const asidMax = pick(chooser, [2, 3, 4, 255, 255]);
  return {
    range: chooser.index(3) > 0,
    asidBits: pick(chooser, [8, 16] as const),
    asidMax,
    queueLog2: pick(chooser, [3, 4, 6, 8]),
    eventLog2: pick(chooser, [2, 4, 7]),
    tlbEntries: pick(chooser, [4, 16, 64, 256]),
  };
}

/** Another gather than the usual one: an mm's for domains that are strict and have no allocator in front of them. */
function withGather(chooser: Chooser, d: DomainConfig): DomainConfig {
  const gather = pick<GatherStyle>(chooser, GATHER_STYLES);
  return gather === 'iommupt' || (gather === 'sva' && (d.mode === 'lazy' || d.managed)) ? d : { ...d, gather };
}

function drawWorld(chooser: Chooser, smmus: number): World {
  const devices: DeviceConfig[] = [];
  const next = Array.from({ length: smmus }, () => chooser.index(4));
  const count = smmus + chooser.index(4);
  for (let i = 0; i < count; i += 1) {
    const smmu = i < smmus ? i : chooser.index(smmus);
    const first = next[smmu] as number;
    const streams = chooser.index(6) === 0 ? [first, first + 1] : [first];
    next[smmu] = first + streams.length + chooser.index(3);
    devices.push({ smmu, streams });
  }
  const domains: DomainConfig[] = Array.from({ length: 1 + chooser.index(3) }, () => {
    const lazy = chooser.index(4) === 0;
    const d: DomainConfig = { mode: lazy ? 'lazy' : 'strict', managed: lazy || chooser.index(4) === 0 };
    return chooser.index(4) === 0 ? withGather(chooser, d) : d;
  });
  return {
    smmus: Array.from({ length: smmus }, () => drawSmmu(chooser)),
    devices, domains,
    inputBits: pick(chooser, [39, 48] as const),
    flushQueue: pick(chooser, [2, 4, 16]),
    storeOrder: pick(chooser, ['fifo', 'reverse'] as const),
  };
}

/** Mostly none: then it is the default. */
const OTHER_PLANNERS: readonly PlannerName[] = ['exact-ranges', 'double-range', 'double-range-cont', 'per-granule', 'whole-tag'];

/**
 * How invalidations are planned: the planner, and which SMMUs have DS. One command per page costs time: 1 GB and more (262,144 of them)
 * do not come along with it.
 */
function drawPlanning(chooser: Chooser, world: World, mix: Mix): { readonly world: World; readonly mix: Mix } {
  const smmus = world.smmus.map((s) => (s.range && chooser.index(6) === 0 ? { ...s, ds: true as const } : s));
  if (chooser.index(8) > 2) return { world: { ...world, smmus }, mix };
  const planner = pick(chooser, OTHER_PLANNERS);
  return { world: { ...world, smmus, planner }, mix: planner === 'per-granule' ? { ...mix, sizes: [Math.max(1, mix.sizes[0] as number), ...mix.sizes.slice(1, -2), 0, 0] } : mix };
}

/**
 * SMMUs that do not look into the CPU's caches, some or all; domains whose tables are cleaned, and (where some SMMU is coherent) others; lines that are
 * written back by themselves, after every store or seldom.
 */
function withoutCoherency(chooser: Chooser, world: World): World {
  const mixed = world.smmus.length > 1 && chooser.index(2) === 0;
  const smmus = world.smmus.map((s, i) => (!mixed || (i > 0 && chooser.index(2) === 0) || i === 0 ? { ...s, coherent: false as const } : s));
  const domains = world.domains.map((d, i) => (i === 0 || chooser.index(4) > 0 ? { ...d, coherent: false as const } : d));
  const oneIn = pick(chooser, [0, 1, 3, 16, 100]);
  const cleaner = pick<CleanerName | null>(chooser, [null, null, 'eager']);
  return {
    ...world, smmus, domains, ...(cleaner === null ? {} : { cleaner }), ...(oneIn === 0 ? {} : { eviction: { oneIn, seed: chooser.index(2 ** 16) } }),
  };
}

/** Some kinds get much more, some nothing: rare mixes find what an even one does not. */
export function drawMix(chooser: Chooser, plain = PLAIN_MIX): Mix {
  const weights = { ...plain.weights };
  for (const kind of Object.keys(weights) as OperationKind[]) {
    if (kind === 'evict') continue; // a world decides whether there is anything to write back
    const roll = chooser.index(8);
    if (roll === 0 && kind !== 'map') weights[kind] = 0;
    if (roll === 7) weights[kind] *= 4;
  }
  if (weights.attach === 0) weights.detach = 0;
  const sizes: number[] = plain.sizes.map((s, i) => (chooser.index(4) === 0 ? 0 : s * (i < 2 ? 1 : 1 + chooser.index(3))));
  if (sizes.every((s) => s === 0)) return { weights, sizes: [1, ...sizes.slice(1)], invalid: 0, spread: 64 };
  return { weights, sizes, invalid: pick(chooser, [0, 20, 60]), spread: pick(chooser, [8, 64, 1024]) };
}

/** The environment writes dirty lines back between calls as well. */
function withEvictions(mix: Mix): Mix {
  return { ...mix, weights: { ...mix.weights, evict: 3 } };
}

export const PROFILES: readonly Profile[] = [
  {
    name: 'swarm', about: 'a fresh mix of operations, features, devices and SMMU instances for every run (the default)',
    draw: (chooser) => {
      const drawn = drawPlanning(chooser, drawWorld(chooser, pick(chooser, [1, 1, 2, 2, 3])), drawMix(chooser));
      const operations = pick(chooser, [60, 150, 300, 500]);
      if (chooser.index(8) > 0) return { ...drawn, operations };
      return { world: withoutCoherency(chooser, drawn.world), mix: withEvictions(drawn.mix), operations };
    },
  },
  {
    name: 's1-4k', about: 'one SMMU with range invalidation, strict domains, 90 % of 1-16 pages and 10 % of blocks (what bench measures)',
    draw: () => ({
      world: {
        smmus: [{ range: true, asidBits: 16, asidMax: 65535, queueLog2: 8, eventLog2: 7, tlbEntries: 256 }],
        devices: [{ smmu: 0, streams: [1] }, { smmu: 0, streams: [2] }],
        domains: [{ mode: 'strict', managed: false }, { mode: 'strict', managed: false }],
        inputBits: 48, flushQueue: 16, storeOrder: 'fifo',
      },
      mix: { ...PLAIN_MIX, weights: { ...WEIGHTS, 'iova-alloc': 0, 'iova-free': 0, 'flush-all': 0, 'fail-next-allocation': 0, attach: 1, detach: 0 }, sizes: [45, 45, 0, 0, 10, 0, 0, 0], invalid: 10 },
      operations: 1000,
    }),
  },
  {
    name: 'shared', about: 'one domain behind two to four SMMUs, devices coming and going, few ASIDs',
    draw: (chooser) => {
      const smmus = 2 + chooser.index(3);
      const world = drawWorld(chooser, smmus);
      return {
        world: { ...world, smmus: world.smmus.map((s) => ({ ...s, asidMax: 2 + chooser.index(2) })) },
        mix: { ...PLAIN_MIX, weights: { ...WEIGHTS, attach: 14, detach: 8 } }, operations: 200,
      };
    },
  },
  {
    name: 'lazy', about: 'lazy domains behind an IOVA allocator, flush queues',
    draw: (chooser) => {
      const world = drawWorld(chooser, 1 + chooser.index(2));
      return { world: { ...world, domains: world.domains.map((d) => ({ mode: 'lazy' as const, managed: true, ...(d.gather === 'io-pgtable' ? { gather: d.gather } : {}) })) }, mix: PLAIN_MIX, operations: 300 };
    },
  },
  {
    name: 'tables', about: 'tables freed and replaced by blocks, with and without range invalidation',
    draw: (chooser) => ({
      ...drawPlanning(chooser, drawWorld(chooser, 1), { ...PLAIN_MIX, sizes: [20, 20, 4, 1, 30, 24, 2, 1], spread: 8 }), operations: 300,
    }),
  },
  {
    name: 'gathers', about: 'every style of gather side by side: of iommupt, of io-pgtable, and of an mm (SVA); tables and blocks, more of them than 512',
    draw: (chooser) => {
      const world = drawWorld(chooser, 1 + chooser.index(2));
      return {
        world: { ...world, domains: world.domains.map((d) => withGather(chooser, { mode: d.mode, managed: d.managed })) },
        mix: { ...PLAIN_MIX, sizes: [40, 30, 6, 3, 30, 20, 2, 4], spread: 16 }, operations: 200,
      };
    },
  },
  {
    name: 'noncoherent', about: 'SMMUs that do not look into the CPU caches, alone and beside coherent ones; every clean of a table line counts',
    draw: (chooser) => {
      const drawn = drawPlanning(chooser, drawWorld(chooser, pick(chooser, [1, 1, 2, 3])), { ...PLAIN_MIX, sizes: [60, 40, 8, 1, 20, 12, 1, 1], spread: pick(chooser, [8, 64, 256]) });
      return { world: withoutCoherency(chooser, drawn.world), mix: withEvictions(drawn.mix), operations: pick(chooser, [60, 150, 300]) };
    },
  },
  {
    name: 'errata', about: 'SMMUs without range invalidation that lose lists of more than 63 commands between SYNCs',
    draw: (chooser) => {
      const world = drawWorld(chooser, 1);
      return {
        world: { ...world, smmus: world.smmus.map((s) => ({ ...s, range: false, queueLog2: pick(chooser, [7, 8]), forceSync: true as const })) },
        mix: { ...PLAIN_MIX, sizes: [20, 30, 30, 1, 8, 6, 2, 1], spread: 8 }, operations: 200,
      };
    },
  },
];

export function findProfile(name: string): Profile | undefined {
  return PROFILES.find((p) => p.name === name);
}

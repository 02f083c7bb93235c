/** Arbitrary operations, without any preconditions, over a small corner of a small world: most pairs of them meet. */
import fc from 'fast-check';
import type { Operation } from '../../src/stack/operation.js';
import { DEFAULT_SMMU, smallWorld, type DomainConfig, type World } from '../../src/stack/world.js';

const KB4 = 4096;
const domain = fc.oneof({ weight: 20, arbitrary: fc.nat(1) }, { weight: 1, arbitrary: fc.constant(2) });
const device = fc.oneof({ weight: 20, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.constant(3) });
/** Few places, so that calls meet: neighbouring pages, tables, a block over them, 1 GB over all; frames. */
const PLACES: readonly (readonly [first: number, n: number])[] = [
  [512, 1], [513, 1], [512, 2], [511, 2], [510, 4], [512, 512], [512, 511], [1023, 1], [512, 1024], [1024, 512], [0, 262144], [0, 1536],
];
/** Edges of the input space, and what lies beyond. */
const EDGES: readonly (readonly [first: number, n: number])[] = [
  [2 ** 27 - 1, 1], [2 ** 27 - 1, 2], [2 ** 36 - 1, 1], [2 ** 36 - 1, 2], [2 ** 36, 1], [2 ** 40, 1], [512, 0], [512, 2 ** 33], [0, 262145], [512.125, 1], [512, 1.5],
];
const range = fc.oneof({ weight: 30, arbitrary: fc.constantFrom(...PLACES) }, { weight: 1, arbitrary: fc.constantFrom(...EDGES) })
  .map(([first, n]) => ({ iova: first * KB4, size: n * KB4 }));
const output = fc.oneof({ weight: 16, arbitrary: fc.constantFrom(0x400000, 0x400200, 0x400007) }, { weight: 1, arbitrary: fc.constantFrom(2 ** 32 - 4, 4194304.5) }).map((f) => f * KB4);
const page = fc.oneof({ weight: 20, arbitrary: fc.constantFrom(0, 510, 511, 512, 513, 600, 1023, 1024, 1535, 1536) }, { weight: 1, arbitrary: fc.constantFrom(2 ** 27, 2 ** 32, 2 ** 36 - 1, 2 ** 40) }).map((f) => f * KB4);
const prot = fc.constantFrom('r' as const, 'rw' as const);
const target = fc.oneof({ weight: 6, arbitrary: domain as fc.Arbitrary<number | 'identity' | 'blocked'> }, { weight: 1, arbitrary: fc.constantFrom('identity' as const, 'blocked' as const) });

export const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 7, arbitrary: fc.tuple(domain, range, output, prot).map(([d, r, pa, p]): Operation => ({ op: 'map', domain: d, iova: r.iova, pa, size: r.size, prot: p })) },
  { weight: 7, arbitrary: fc.tuple(domain, range).map(([d, r]): Operation => ({ op: 'unmap', domain: d, ...r })) },
  { weight: 2, arbitrary: domain.map((d): Operation => ({ op: 'sync', domain: d })) },
  { weight: 3, arbitrary: fc.tuple(device, target).map(([d, to]): Operation => ({ op: 'attach', device: d, to })) },
  { weight: 1, arbitrary: device.map((d): Operation => ({ op: 'detach', device: d })) },
  { weight: 6, arbitrary: fc.tuple(device, fc.nat(1), page, fc.boolean()).map(([d, stream, iova, write]): Operation => ({ op: 'access', device: d, stream, iova, write })) },
  { weight: 3, arbitrary: fc.tuple(domain, range).map(([d, r]): Operation => ({ op: 'iova-alloc', domain: d, ...r })) },
  { weight: 2, arbitrary: fc.tuple(domain, range).map(([d, r]): Operation => ({ op: 'iova-free', domain: d, ...r })) },
  { weight: 1, arbitrary: domain.map((d): Operation => ({ op: 'flush-all', domain: d })) },
  { weight: 1, arbitrary: fc.constant<Operation>({ op: 'fail-next-allocation' }) },
  { weight: 1, arbitrary: fc.nat(200).map((line): Operation => ({ op: 'evict', line })) },
);

/** Sequences that are long enough for calls to meet. */
export function operations(most = 60): fc.Arbitrary<Operation[]> {
  return fc.array(operation, { minLength: Math.floor(most / 2), maxLength: most });
}

const gather = fc.constantFrom(undefined, undefined, 'io-pgtable' as const, 'sva' as const);

/** A style is left out where it does not go with the rest. */
function withGather(d: DomainConfig, style: DomainConfig['gather']): DomainConfig {
  return style === undefined || (style === 'sva' && (d.mode === 'lazy' || d.managed)) ? d : { ...d, gather: style };
}

/** Two SMMUs, three devices (one with two streams), a strict and a (perhaps lazy and managed) domain. */
export const world: fc.Arbitrary<World> = fc.record({
  ranges: fc.tuple(fc.boolean(), fc.boolean()), asidMax: fc.constantFrom(1, 2, 255), lazy: fc.boolean(), managed: fc.boolean(),
  inputBits: fc.constantFrom(39 as const, 48 as const), storeOrder: fc.constantFrom('fifo' as const, 'reverse' as const), queueLog2: fc.constantFrom(3, 8),
  gathers: fc.tuple(gather, gather), seen: fc.constantFrom('coherent' as const, 'coherent' as const, 'not' as const, 'mixed' as const),
  oneIn: fc.constantFrom(0, 1, 5), cleaner: fc.constantFrom('eager' as const, undefined),
}).map((w) => ({ ...smallWorld({
  smmus: w.ranges.map((range, i) => ({ ...DEFAULT_SMMU, range, ...(w.seen === 'not' || (w.seen === 'mixed' && i === 1) ? { coherent: false as const } : {}), asidMax: w.asidMax, queueLog2: w.queueLog2, tlbEntries: 4, eventLog2: 1 })),
  devices: [{ smmu: 0, streams: [1, 2] }, { smmu: 0, streams: [3] }, { smmu: 1, streams: [1] }],
  domains: [
    { ...withGather({ mode: 'strict', managed: false }, w.gathers[0]), ...(w.seen === 'coherent' ? {} : { coherent: false as const }) },
    { ...withGather({ mode: w.lazy ? 'lazy' : 'strict', managed: w.lazy || w.managed }, w.gathers[1]), ...(w.seen === 'not' ? { coherent: false as const } : {}) },
  ],
  inputBits: w.inputBits, storeOrder: w.storeOrder, flushQueue: 2,
}), ...(w.cleaner === undefined ? {} : { cleaner: w.cleaner }), ...(w.oneIn === 0 ? {} : { eviction: { oneIn: w.oneIn, seed: w.oneIn } }) }));

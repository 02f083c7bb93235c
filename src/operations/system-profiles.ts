/**
 * System profiles: families of SystemWorlds and how often each kind of operation is drawn. They run on the whole machines, which list every fact: maps are small.
 */
import type { Chooser } from '../stack/chooser.js';
import type { SystemDevice, SystemDomain, SystemOperation, SystemSmmu, SystemWorld } from '../stack/system.js';
import type { DeviceConfig, DomainConfig, SmmuConfig } from '../stack/world.js';

export type SystemKind = SystemOperation['op'];

export interface SystemMix {
  /** How often each kind is drawn. */
  readonly weights: Readonly<Partial<Record<SystemKind, number>>>;
  /** Invalid calls, of a thousand. */
  readonly invalid: number;
  /** Do guests write what they like? Else what a well-behaved guest writes. */
  readonly hostile: boolean;
}

export interface SystemDrawn {
  readonly world: SystemWorld;
  readonly mix: SystemMix;
  readonly operations: number;
}

export interface SystemProfile {
  readonly name: string;
  readonly about: string;
  draw(chooser: Chooser): SystemDrawn;
}

function pick<T>(c: Chooser, list: readonly T[]): T {
  return list[c.index(list.length)] as T;
}

function drawSmmu(c: Chooser): SmmuConfig {
  return { range: c.index(3) > 0, asidBits: pick(c, [8, 16] as const), asidMax: pick(c, [2, 3, 4, 255]), queueLog2: pick(c, [4, 6, 8]), eventLog2: pick(c, [2, 4]), tlbEntries: pick(c, [4, 16]) };
}

interface Shape {
  readonly smmus: number;
  readonly devices: number;
  readonly beyond: (c: Chooser, smmu: number) => SystemSmmu;
  readonly device: (c: Chooser) => SystemDevice;
  readonly domains: readonly (DomainConfig & SystemDomain)[];
  readonly vsmmus?: (c: Chooser, smmus: number) => SystemWorld['vsmmus'];
  readonly guestFrames?: number;
}

function drawWorld(c: Chooser, shape: Shape): SystemWorld {
  const next = Array.from({ length: shape.smmus }, () => c.index(4));
  const devices: DeviceConfig[] = Array.from({ length: shape.devices }, (_, i) => {
    const smmu = i < shape.smmus ? i : c.index(shape.smmus);
    const first = next[smmu] as number;
    const roll = c.index(8);
    // Some devices have two StreamIDs, in any order; some name one twice.
    const streams = roll === 0 ? [first + 1, first] : roll === 1 ? [first, first] : [first];
    next[smmu] = first + 2 + c.index(3);
    return { smmu, streams };
  });
  return {
    base: {
      smmus: Array.from({ length: shape.smmus }, () => drawSmmu(c)), devices, domains: shape.domains.map(({ stage: _stage, parent: _parent, ...d }) => d),
      inputBits: pick(c, [39, 48] as const), flushQueue: 2, storeOrder: pick(c, ['fifo', 'reverse'] as const),
    },
    smmus: Array.from({ length: shape.smmus }, (_, i) => shape.beyond(c, i)),
    devices: devices.map(() => shape.device(c)),
    domains: shape.domains.map((d) => ({ ...(d.stage === undefined ? {} : { stage: d.stage }), ...(d.parent === undefined ? {} : { parent: d.parent }) })),
    vsmmus: shape.vsmmus?.(c, shape.smmus) ?? [],
    guestFrames: shape.guestFrames ?? 0,
  };
}

const STRICT: DomainConfig = { mode: 'strict', managed: false };
const SVA: DomainConfig = { mode: 'strict', managed: false, gather: 'sva' };
const LAZY: DomainConfig = { mode: 'lazy', managed: true };
const S2 = { ...STRICT, stage: 2 } as const;
const PARENT = { ...STRICT, stage: 2, parent: true } as const;
const LAZY_PARENT = { ...LAZY, stage: 2, parent: true } as const;

const MAPS = { map: 20, unmap: 16, sync: 14, 'fail-next-allocation': 1 } as const;

function stage2(c: Chooser): NonNullable<SystemSmmu['stage2']> {
  return { vmidBits: pick(c, [8, 16] as const), vmidMax: pick(c, [1, 2, 3, 255]) };
}

/** Now and then an SMMU that cannot take part. */
function oddOne(c: Chooser, smmu: number): Pick<SystemSmmu, 'oas'> {
  return smmu > 0 && c.index(12) === 0 ? { oas: pick(c, [40, 42] as const) } : c.index(8) === 0 ? { oas: 48 } : {};
}

export const SYSTEM_PROFILES: readonly SystemProfile[] = [
  {
    name: 'sharing', about: 'stage-1 and stage-2 domains behind two to four whole SMMUs, devices coming and going, few ASIDs and VMIDs',
    draw: (c) => ({
      world: drawWorld(c, {
        smmus: 2 + c.index(3), devices: 3 + c.index(4), domains: [STRICT, S2, pick(c, [STRICT, LAZY, S2])].slice(0, 2 + c.index(2)),
        beyond: (d, i) => ({ ...(d.index(8) > 0 ? { stage2: stage2(d) } : {}), ...oddOne(d, i) }), device: () => ({}),
      }),
      mix: { weights: { ...MAPS, attach: 16, detach: 8, access: 16, 'iova-alloc': 3, 'iova-free': 3, 'flush-all': 2 }, invalid: 30, hostile: false }, operations: pick(c, [60, 120, 200]),
    }),
  },
  {
    name: 'ats', about: 'devices with PCI ATS: requests, translated traffic, ATS coming and going with what they are attached to',
    draw: (c) => ({
      world: drawWorld(c, {
        smmus: 1 + c.index(2), devices: 2 + c.index(2), domains: [STRICT, pick(c, [STRICT, S2, LAZY]), pick(c, [STRICT, S2])].slice(0, 2 + c.index(2)),
        beyond: (d, i) => ({ ats: true, ...(d.index(3) > 0 ? { stage2: stage2(d) } : {}), ...oddOne(d, i) }), device: (d) => (d.index(4) > 0 ? { ats: true } : {}),
      }),
      mix: { weights: { ...MAPS, attach: 10, detach: 4, access: 6, transact: 24, 'iova-alloc': 2, 'iova-free': 2, 'flush-all': 2 }, invalid: 20, hostile: false }, operations: pick(c, [60, 120, 200]),
    }),
  },
  {
    name: 'pasid', about: 'substreams (PASIDs), processes\' address spaces (SVA) and their end, identity and blocked beside them, with and without ATS',
    draw: (c) => ({
      world: drawWorld(c, {
        smmus: 1 + c.index(2), devices: 2 + c.index(2), domains: [STRICT, SVA, pick(c, [SVA, STRICT, S2])],
        beyond: (d) => ({ ssidBits: pick(d, [2, 3, 7]), ...(d.index(3) === 0 ? { linearCds: true as const } : {}), ...(d.index(2) === 0 ? { ats: true as const } : {}), ...(d.index(3) === 0 ? { stage2: stage2(d) } : {}) }),
        device: (d) => ({ ssidBits: pick(d, [2, 3, 7]), ...(d.index(3) > 0 ? { ats: true as const } : {}) }),
      }),
      mix: { weights: { ...MAPS, attach: 8, detach: 3, 'attach-pasid': 14, 'detach-pasid': 8, 'mm-exit': 1, access: 6, transact: 16 }, invalid: 30, hostile: false }, operations: pick(c, [60, 120, 200]),
    }),
  },
  {
    name: 'nested', about: 'guests with a stage 1 of their own over a parent that several vSMMUs share, who keep to the rules',
    draw: (c) => guests(c, false),
  },
  {
    name: 'hostile-guest', about: 'guests who store, command and ask for STEs at random: nobody may reach what is not theirs',
    draw: (c) => guests(c, true),
  },
];

function guests(c: Chooser, hostile: boolean): SystemDrawn {
  const smmus = 1 + c.index(2);
  return {
    world: drawWorld(c, {
      smmus, devices: 2 + c.index(3), domains: [PARENT, pick(c, [STRICT, PARENT, LAZY_PARENT, S2])], guestFrames: 8,
      beyond: (d) => ({ stage2: { vmidBits: 8, vmidMax: pick(d, [2, 3, 255]) }, ...(d.index(2) === 0 ? { ats: true as const } : {}), ...(d.index(8) > 0 ? { forceWriteBack: true as const } : {}), ...(d.index(4) === 0 ? { ssidBits: 2 } : {}) }),
      device: (d) => (d.index(2) === 0 ? { ats: true } : {}),
      vsmmus: (d, n) => [{ smmu: 0, parent: 0 }, { smmu: d.index(n), parent: 0 }, { smmu: d.index(n), parent: d.index(8) === 0 ? 1 : d.index(2) === 0 ? 1 : 0 }],
    }),
    mix: {
      weights: { map: 12, unmap: 9, sync: 9, 'fail-next-allocation': 1, attach: 4, detach: 3, access: 6, transact: 14, 'vsmmu-open': 6, 'vsmmu-close': 2, 'attach-nested': 12, 'guest-store': 24, 'guest-commands': 12, 'iova-alloc': 1, 'iova-free': 1, 'flush-all': 3 },
      invalid: 20, hostile,
    },
    operations: pick(c, [60, 120, 160]),
  };
}

export function findSystemProfile(name: string): SystemProfile | undefined {
  return SYSTEM_PROFILES.find((p) => p.name === name);
}

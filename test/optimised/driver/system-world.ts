/** A system world for tests of the driver alone: two SMMUs with everything, domains of every kind, two vSMMUs over one parent. */
import type { SystemOperation, SystemWorld } from '../../../src/stack/system.js';
import { smallWorld } from '../../../src/stack/world.js';
import { DriverRig, smmu, type RigOptions } from './rig.js';

export const S1_A = 0;
export const S1_B = 1;
export const S2 = 2;
export const PARENT = 3;
export const MM = 4;

const STRICT = { mode: 'strict', managed: false } as const;

/**
 * Behind SMMU 0: device 0 with ATS and 16 substreams; device 1 with two streams, one of them named twice; device 2 with 256 substreams.
 * Behind SMMU 1, which has no range commands: device 3 with ATS.
 */
export const SYSTEM: SystemWorld = {
  base: smallWorld({
    smmus: [smmu(), smmu({ range: false })],
    devices: [{ smmu: 0, streams: [5] }, { smmu: 0, streams: [9, 7, 9] }, { smmu: 0, streams: [11] }, { smmu: 1, streams: [5] }],
    domains: [STRICT, STRICT, STRICT, STRICT, { ...STRICT, gather: 'sva' }],
  }),
  smmus: [
    { stage2: { vmidBits: 16, vmidMax: 7 }, ats: true, ssidBits: 8, forceWriteBack: true },
    { stage2: { vmidBits: 8, vmidMax: 2 }, ats: true, ssidBits: 4, forceWriteBack: true },
  ],
  devices: [{ ats: true, ssidBits: 4 }, {}, { ssidBits: 8 }, { ats: true }],
  domains: [{}, {}, { stage: 2 }, { stage: 2, parent: true }, {}],
  vsmmus: [{ smmu: 0, parent: PARENT }, { smmu: 0, parent: PARENT }],
  guestFrames: 4,
};

/** The driver of that world, or a changed one, after these operations. */
export function systemRig(before: readonly SystemOperation[] = [], change: Partial<SystemWorld> = {}, options: Omit<RigOptions, 'system'> = {}): DriverRig {
  const system = { ...SYSTEM, ...change };
  const r = new DriverRig(system.base, { ...options, system });
  for (const op of before) r.says(op);
  return r;
}

export const attach = (to: number | 'identity' | 'blocked', device = 0): SystemOperation => ({ op: 'attach', device, to });
export const detach = (device = 0): SystemOperation => ({ op: 'detach', device });
export const substream = (ssid: number, to: number, device = 0): SystemOperation => ({ op: 'attach-pasid', device, ssid, to });
export const off = (ssid: number, device = 0): SystemOperation => ({ op: 'detach-pasid', device, ssid });
export const open = (vsmmu = 0): SystemOperation => ({ op: 'vsmmu-open', vsmmu });
export const close = (vsmmu = 0): SystemOperation => ({ op: 'vsmmu-close', vsmmu });
/** Guest STE: stage 1 with its CD at `frame`, ATS as asked. */
export const guest = (frame: number, ats = 0, device = 0, vsmmu = 0): SystemOperation => ({ op: 'attach-nested', device, vsmmu, ste: [(1 | (5 << 1) | ((frame & 0xfffff) << 12)) >>> 0, 0, ats * 2 ** 28, 0] });
export const guestBypass = (device = 0, vsmmu = 0): SystemOperation => ({ op: 'attach-nested', device, vsmmu, ste: [1 | (4 << 1), 0, 0, 0] });
export const map = (domain: number, iova: number, size = 4096): SystemOperation => ({ op: 'map', domain, iova, pa: 0x40000000 + iova, size, prot: 'rw' });
export const unmap = (domain: number, iova: number, size = 4096): SystemOperation => ({ op: 'unmap', domain, iova, size });
export const sync = (domain: number): SystemOperation => ({ op: 'sync', domain });

/** 16 uint32 of the entry at `ref`. */
export function entryWords(r: DriverRig, ref: number): Uint32Array {
  r.ctx.cpu.drainAll();
  return Uint32Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? r.memory.lo : r.memory.hi)[ref + Math.floor(i / 2)] as number);
}

export function steOf(r: DriverRig, sid: number, on = 0): Uint32Array {
  return entryWords(r, (r.driver.state.smmus[on]?.streamSlot ?? 0) * 512 + sid * 8);
}

/** Neighbours that are equal, once: the entry writer may need several syncs. */
export function each(said: readonly string[]): string[] {
  return said.filter((x, i) => x !== said[i - 1]);
}

/**
 * System generate: the next operation of a SystemWorld, drawn from a Chooser so that it makes sense now, with a share that is refused. Maps are small: a page or
 * a few, now and then a block or a whole table of pages.
 */
import { GUEST_FRAME } from '../memory/pages.js';
import type { Chooser } from '../stack/chooser.js';
import type { SystemOperation, SystemWorld } from '../stack/system.js';
import { GUEST_IPA, GuestHand } from './system-guest.js';
import type { SystemKind, SystemMix } from './system-profiles.js';

interface RunView {
  readonly first: number;
  readonly end: number;
  readonly unit: number;
}

/** What the generator may know of the state. */
export interface SystemView {
  readonly domains: readonly {
    readonly config: { readonly mode: 'strict' | 'lazy'; readonly managed: boolean; readonly gather?: string };
    readonly mapped: { readonly runs: readonly RunView[]; any(first: number, end: number): boolean };
    readonly limbo: readonly RunView[];
    readonly handedOut: readonly { readonly first: number; readonly end: number }[];
    readonly waiting: readonly { readonly first: number; readonly end: number }[];
  }[];
  readonly devices: readonly { readonly smmu: number; readonly streams: readonly number[]; readonly seat: unknown; readonly substreams: ReadonlyMap<number, number> }[];
  readonly gone: ReadonlySet<number>;
  readonly open: readonly boolean[];
  ssidBits(device: number): number;
  guestDevices(vsmmu: number): readonly number[];
}

const FRAMES_2M = 512;
/** Physical frames that mappings are drawn from: above the RAM window. */
const PA_BASE = 0x400000;
const ANCHORS: readonly number[] = [0, 0, FRAMES_2M * 3, 262144 - 2];
const SPREAD = 12;

export class SystemGenerator {
  readonly #chooser: Chooser;
  readonly #world: SystemWorld;
  readonly #mix: SystemMix;
  readonly #kinds: readonly SystemKind[];
  readonly #total: number;
  readonly #guest: GuestHand;

  constructor(world: SystemWorld, mix: SystemMix, chooser: Chooser) {
    this.#world = world;
    this.#mix = mix;
    this.#chooser = chooser;
    this.#kinds = Object.keys(mix.weights) as SystemKind[];
    this.#total = this.#kinds.reduce((sum, kind) => sum + (mix.weights[kind] ?? 0), 0);
    this.#guest = new GuestHand(chooser, mix.hostile, world.guestFrames);
  }

  next(view: SystemView): SystemOperation {
    const c = this.#chooser;
    if (this.#mix.invalid > 0 && c.index(1000) < this.#mix.invalid) return this.#invalid(view);
    const pending = this.#guest.pending();
    if (pending !== undefined) return pending;
    const first = this.#begin(view);
    if (first !== undefined) return first;
    for (let tries = 0; tries < 8; tries += 1) {
      const op = this.#make(this.#kind(), view);
      if (op !== undefined) return op;
    }
    return { op: 'sync', domain: 0 };
  }

  /** Parents map the memory of their guests soon, and vSMMUs are opened: else guests have nothing to do. */
  #begin(view: SystemView): SystemOperation | undefined {
    const c = this.#chooser;
    const vsmmu = this.#world.vsmmus.findIndex((v, i) => view.open[i] !== true && this.#world.domains[v.parent]?.parent === true && view.domains[v.parent]?.mapped.runs.length === 0);
    const parent = this.#world.vsmmus[vsmmu]?.parent;
    if (parent === undefined || c.index(2) === 0) return undefined;
    const d = view.domains[parent];
    if (d?.config.managed === true && d.handedOut.length === 0) return { op: 'iova-alloc', domain: parent, iova: 0, size: (GUEST_IPA + this.#world.guestFrames) * 4096 };
    return { op: 'map', domain: parent, iova: GUEST_IPA * 4096, pa: GUEST_FRAME * 4096, size: this.#world.guestFrames * 4096, prot: 'rw' };
  }

  #kind(): SystemKind {
    let roll = this.#chooser.index(this.#total);
    for (const kind of this.#kinds) {
      roll -= this.#mix.weights[kind] ?? 0;
      if (roll < 0) return kind;
    }
    return 'sync';
  }

  #make(kind: SystemKind, view: SystemView): SystemOperation | undefined {
    const c = this.#chooser;
    const domain = c.index(view.domains.length);
    const device = c.index(view.devices.length);
    switch (kind) {
      case 'map': return this.#map(view, domain);
      case 'unmap': return this.#unmap(view, domain);
      case 'sync': return (view.domains[domain]?.limbo.length ?? 0) > 0 || c.index(16) === 0 ? { op: 'sync', domain } : undefined;
      case 'attach': return this.#attach(view, device);
      case 'detach': return view.devices[device]?.seat === 'none' ? undefined : { op: 'detach', device };
      case 'access': return this.#access(view, device, -1, 'no');
      case 'transact': return this.#access(view, device, this.#ssid(view, device), this.#ats(device));
      case 'attach-pasid': return view.ssidBits(device) === 0 ? undefined : { op: 'attach-pasid', device, ssid: view.ssidBits(device) > 6 && c.index(3) === 0 ? 65 : 1 + c.index(3), to: domain };
      case 'detach-pasid': {
        const used = [...(view.devices[device]?.substreams.keys() ?? [])];
        return used.length === 0 ? undefined : { op: 'detach-pasid', device, ssid: used[c.index(used.length)] as number };
      }
      case 'mm-exit': return view.domains[domain]?.config.gather === 'sva' && !view.gone.has(domain) ? { op: 'mm-exit', domain } : undefined;
      case 'vsmmu-open': case 'vsmmu-close': {
        const vsmmu = c.index(Math.max(1, this.#world.vsmmus.length));
        return (view.open[vsmmu] === true) === (kind === 'vsmmu-close') ? { op: kind, vsmmu } : undefined;
      }
      case 'attach-nested': case 'guest-store': case 'guest-commands': return this.#guestOp(kind, view, device);
      case 'iova-alloc': case 'iova-free': case 'flush-all': return this.#managed(kind, view, domain);
      case 'fail-next-allocation': return { op: kind };
      case 'evict': return undefined;
    }
  }

  #guestOp(kind: 'attach-nested' | 'guest-store' | 'guest-commands', view: SystemView, device: number): SystemOperation | undefined {
    const c = this.#chooser;
    const open = view.open.flatMap((o, i) => (o ? [i] : []));
    if (open.length === 0) return undefined;
    const vsmmu = open[c.index(open.length)] as number;
    if (kind !== 'attach-nested') {
      const streams = view.guestDevices(vsmmu);
      return kind === 'guest-store' ? this.#guest.store(vsmmu, streams) : this.#guest.command(vsmmu, streams);
    }
    const smmu = this.#world.vsmmus[vsmmu]?.smmu;
    if (view.devices[device]?.smmu !== smmu || (view.devices[device]?.substreams.size ?? 0) > 0) return undefined;
    return { op: 'attach-nested', device, vsmmu, ste: this.#guest.ste((this.#world.smmus[smmu ?? 0]?.ssidBits ?? 0) > 0) };
  }

  #attach(view: SystemView, device: number): SystemOperation | undefined {
    const c = this.#chooser;
    const roll = c.index(view.domains.length * 3 + 2);
    const to = roll < view.domains.length * 3 ? roll % view.domains.length : roll % 2 === 0 ? 'identity' : 'blocked';
    return view.devices[device]?.seat === to ? undefined : { op: 'attach', device, to };
  }

  #ssid(view: SystemView, device: number): number {
    const c = this.#chooser;
    const used = [...(view.devices[device]?.substreams.keys() ?? [])];
    if (used.length > 0 && c.index(4) > 0) return used[c.index(used.length)] as number;
    return c.index(4) === 0 ? c.index(4) : -1;
  }

  #ats(device: number): 'no' | 'request' | 'translated' {
    const c = this.#chooser;
    if (this.#world.devices[device]?.ats !== true) return 'no';
    const roll = c.index(4);
    return roll === 0 ? 'no' : roll < 3 ? 'request' : 'translated';
  }

  /** Where somebody has something mapped, or had until lately. */
  #frame(view: SystemView): number {
    const c = this.#chooser;
    const d = view.domains[c.index(view.domains.length)];
    const list = d === undefined ? [] : d.limbo.length > 0 && c.index(2) === 0 ? d.limbo : d.mapped.runs;
    const run = list[c.index(Math.max(1, list.length))];
    return run === undefined || c.index(12) === 0 ? this.#place() : run.first + c.index(Math.min(16, run.end - run.first));
  }

  #access(view: SystemView, device: number, ssid: number, ats: 'no' | 'request' | 'translated'): SystemOperation | undefined {
    const c = this.#chooser;
    const dev = view.devices[device];
    if (dev === undefined) return undefined;
    const stream = c.index(dev.streams.length);
    const guest = typeof dev.seat === 'object';
    const iova = (guest && c.index(4) > 0 ? c.index(4) + (c.index(2) === 0 ? 0 : FRAMES_2M * c.index(4)) : this.#frame(view)) * 4096;
    const write = c.index(2) === 0;
    return ssid < 0 && ats === 'no' ? { op: 'access', device, stream, iova, write } : { op: 'transact', device, stream, ssid, iova, write, ats };
  }

  #place(): number {
    const c = this.#chooser;
    return (ANCHORS[c.index(ANCHORS.length)] as number) + c.index(SPREAD);
  }

  /** Frames, alignment of the address, and (blocks) of the output. */
  #size(): { readonly frames: number; readonly align: number; readonly block: boolean } {
    const c = this.#chooser;
    const roll = c.index(64);
    if (roll < 36) return { frames: 1, align: 1, block: false };
    if (roll < 54) return { frames: 2 + c.index(5), align: 1, block: false };
    if (roll < 62) return { frames: FRAMES_2M * (1 + c.index(2)), align: FRAMES_2M, block: true };
    return { frames: FRAMES_2M, align: FRAMES_2M, block: roll < 63 };
  }

  #map(view: SystemView, domain: number): SystemOperation | undefined {
    const c = this.#chooser;
    const d = view.domains[domain];
    if (d === undefined || view.gone.has(domain)) return undefined;
    const size = this.#size();
    let { frames } = size;
    let first: number;
    if (d.config.managed) {
      const range = d.handedOut[c.index(Math.max(1, d.handedOut.length))];
      if (range === undefined) return undefined;
      frames = Math.min(frames, range.end - range.first);
      first = range.first + c.index(Math.min(SPREAD, range.end - range.first - frames + 1));
    } else {
      const place = this.#place();
      first = place - (place % size.align) + (size.align > 1 ? size.align * c.index(3) : 0);
    }
    if (d.mapped.any(first, first + frames)) return undefined;
    return { op: 'map', domain, iova: first * 4096, pa: this.#output(domain, size.block && frames % FRAMES_2M === 0) * 4096, size: frames * 4096, prot: c.index(4) === 0 ? 'r' : 'rw' };
  }

  #output(domain: number, block: boolean): number {
    const c = this.#chooser;
    if (block) return PA_BASE + c.index(64) * FRAMES_2M;
    // Now and then a parent maps guest memory somewhere else as well.
    if (this.#world.domains[domain]?.parent === true && c.index(6) === 0) return GUEST_FRAME + c.index(Math.max(1, this.#world.guestFrames - 7));
    return PA_BASE + c.index(0x1000) * 37;
  }

  #unmap(view: SystemView, domain: number): SystemOperation | undefined {
    const c = this.#chooser;
    const d = view.domains[domain];
    if (d === undefined || d.mapped.runs.length === 0) return undefined;
    const run = d.mapped.runs[c.index(d.mapped.runs.length)] as RunView;
    const units = (run.end - run.first) / run.unit;
    const from = c.index(2) === 0 ? 0 : c.index(units);
    const count = c.index(2) === 0 ? units - from : 1 + c.index(Math.min(4, units - from));
    return { op: 'unmap', domain, iova: (run.first + from * run.unit) * 4096, size: count * run.unit * 4096 };
  }

  #managed(kind: 'iova-alloc' | 'iova-free' | 'flush-all', view: SystemView, domain: number): SystemOperation | undefined {
    const c = this.#chooser;
    const d = view.domains[domain];
    if (d === undefined || !d.config.managed) return undefined;
    if (kind === 'flush-all') return d.config.mode === 'lazy' ? { op: kind, domain } : undefined;
    if (kind === 'iova-alloc') {
      const old = d.waiting[c.index(Math.max(1, d.waiting.length))];
      const first = old !== undefined && c.index(2) === 0 ? old.first : this.#place();
      return { op: kind, domain, iova: first * 4096, size: (old !== undefined && first === old.first ? old.end - old.first : 1 + c.index(4)) * 4096 };
    }
    const range = d.handedOut[c.index(Math.max(1, d.handedOut.length))];
    if (range === undefined || d.mapped.any(range.first, range.end)) return undefined;
    return { op: kind, domain, iova: range.first * 4096, size: (range.end - range.first) * 4096 };
  }

  /** A call that is refused, or may be. */
  #invalid(view: SystemView): SystemOperation {
    const c = this.#chooser;
    const domain = c.index(view.domains.length + 1);
    const device = c.index(view.devices.length + 1);
    const vsmmu = c.index(this.#world.vsmmus.length + 1);
    const ssid = [0, 1, 2, 200][c.index(4)] as number;
    switch (c.index(14)) {
      case 0: return { op: 'map', domain, iova: 0x1800, pa: 0x400000000, size: 4096, prot: 'rw' };
      case 1: return { op: 'map', domain, iova: 2 ** this.#world.base.inputBits - 4096, pa: 0x400000000, size: 8192, prot: 'r' };
      case 2: return { op: 'map', domain, iova: 0x40000000, pa: 2 ** 44 - 4096, size: 8192, prot: 'rw' };
      case 3: return { op: 'unmap', domain, iova: c.index(64) * 4096, size: 4096 * (1 + c.index(8)) };
      case 4: return { op: 'attach', device, to: c.index(view.domains.length + 2) };
      case 5: return { op: 'detach', device };
      case 6: return { op: 'attach-pasid', device, ssid, to: domain };
      case 7: return { op: 'detach-pasid', device, ssid };
      case 8: return { op: 'mm-exit', domain };
      case 9: return { op: 'vsmmu-open', vsmmu };
      case 10: return { op: 'vsmmu-close', vsmmu };
      case 11: return { op: 'attach-nested', device, vsmmu, ste: this.#guest.ste(false) };
      case 12: return { op: 'guest-commands', vsmmu, words: [] };
      default: return { op: 'transact', device, stream: c.index(3), ssid, iova: 0x1000, write: false, ats: 'no' };
    }
  }
}

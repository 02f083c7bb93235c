/**
 * System intent: the intent of `intent.ts` for systems with stage-2 domains, ATS, substreams, processes and guests (seeds 1 and 3). Per device: what its
 * streams use without a substream (a *seat*), and which domain each substream uses. What a call takes away is permitted until it returns; what an unmap
 * takes, as ever, until the sync or flush that promises it gone. A refused call changes nothing.
 */
import type { Features } from '../../spec/features.js';
import { POW2 } from '../../spec/bits.js';
import type { InvKey } from '../../stack/invalidation-array.js';
import type { Operation, Result, Target } from '../../stack/operation.js';
import { systemMachineConfig } from '../../stack/machine.js';
import { domainSizes, type SystemError, type SystemOperation, type SystemResult, type SystemWorld } from '../../stack/system.js';
import { OAS, type SmmuConfig } from '../../stack/world.js';
import type { Entitled, FlatMap } from './entitlement.js';
import { acceptedCommands, acceptSte, type GuestConfig } from './guest.js';
import { Intent, type IntentDomain } from './intent.js';

/** A device behind a vSMMU, as its guest's STE has it. */
export interface GuestSeat {
  readonly vsmmu: number;
  readonly config: GuestConfig;
  readonly ats: boolean;
}

export type Seat = Target | 'none' | GuestSeat;

export interface SystemIntentDevice {
  readonly smmu: number;
  readonly streams: readonly number[];
  seat: Seat;
  /** Domains by substream. */
  readonly substreams: Map<number, number>;
}

export class SystemIntent {
  readonly world: SystemWorld;
  readonly devices: readonly SystemIntentDevice[];
  /** Domains of processes that have ended. */
  readonly gone = new Set<number>();
  readonly open: boolean[];
  readonly #maps: Intent;
  readonly #features: readonly Features[];
  #undo: (() => void) | null = null;

  constructor(world: SystemWorld) {
    this.world = world;
    this.#maps = new Intent(world.base, (domain) => domainSizes(world, domain));
    this.devices = world.base.devices.map((d) => ({ smmu: d.smmu, streams: d.streams, seat: 'none' as Seat, substreams: new Map<number, number>() }));
    this.open = world.vsmmus.map(() => false);
    this.#features = world.base.smmus.map((s, i) => systemMachineConfig(s, world.smmus[i] ?? {}).features);
  }

  get domains(): readonly IntentDomain[] { return this.#maps.domains; }

  mapOf(domain: number): FlatMap | null {
    const d = this.domains[domain];
    return d === undefined ? null : { runs: d.mapped.runs, at: (frame) => d.mapped.at(frame), limbo: d.limbo };
  }

  stage2(domain: number): boolean { return this.world.domains[domain]?.stage === 2; }

  lookup(domain: number, frame: number): number { return this.#maps.lookup(domain, frame); }

  /** What the call must return. When it is 'ok', it has begun. */
  begin(op: SystemOperation): SystemResult {
    this.#undo = null;
    switch (op.op) {
      case 'attach': return code(this.#attach(op.device, op.to));
      case 'detach': return code(this.#detach(op.device));
      case 'attach-pasid': return code(this.#attachPasid(op.device, op.ssid, op.to));
      case 'detach-pasid': return code(this.#detachPasid(op.device, op.ssid));
      case 'mm-exit': return code(this.#mmExit(op.domain));
      case 'vsmmu-open': return code(this.#open(op.vsmmu));
      case 'vsmmu-close': return code(this.#close(op.vsmmu));
      case 'attach-nested': return code(this.#attachNested(op.device, op.vsmmu, op.ste));
      case 'guest-commands': return this.#guestCommands(op.vsmmu, op.words);
      case 'guest-store': return code(this.#usable(op.vsmmu) ?? (op.ipa % 8 === 0 ? 'ok' : 'unaligned'));
      case 'transact': case 'access': return code(this.#stream(op.device, op.stream));
      case 'map': case 'unmap':
        if (this.gone.has(op.domain)) return code('mm-gone');
        return code(this.#maps.begin(op));
      default: return code(this.#maps.begin(op));
    }
  }

  /** The call returned: what it promised is due. A refusal (out of memory) takes the change back. */
  finish(op: SystemOperation, result: Result | SystemError): void {
    if (result !== 'ok') this.#undo?.();
    if (isMapOperation(op) && result !== 'mm-gone') this.#maps.finish(op, result as Result);
  }

  #stream(device: number, stream: number): Result {
    const dev = this.devices[device];
    if (dev === undefined) return 'unknown-device';
    return dev.streams[stream] === undefined ? 'unknown-stream' : 'ok';
  }

  #seated(dev: SystemIntentDevice, seat: Seat): 'ok' {
    const before = dev.seat;
    dev.seat = seat;
    this.#undo = () => { dev.seat = before; };
    return 'ok';
  }

  #attach(device: number, to: Target): Result | SystemError {
    const dev = this.devices[device];
    if (dev === undefined) return 'unknown-device';
    if (typeof to === 'number') {
      if (this.domains[to] === undefined) return 'unknown-domain';
      if (dev.seat === to) return 'already-attached';
      if (this.gone.has(to)) return 'mm-gone';
      if (!this.mayShare(to, dev.smmu)) return 'incompatible';
      if (this.stage2(to) && dev.substreams.size > 0) return 'busy';
      if (!this.#tagLeft(dev.smmu, to)) return 'no-tags';
    } else if (dev.seat === to) return 'already-attached';
    return this.#seated(dev, to);
  }

  #detach(device: number): Result {
    const dev = this.devices[device];
    if (dev === undefined) return 'unknown-device';
    return dev.seat === 'none' ? 'not-attached' : this.#seated(dev, 'none');
  }

  /** log2 of the substreams of a device: what it and its SMMU have. */
  ssidBits(device: number): number {
    const smmu = this.devices[device]?.smmu ?? 0;
    return Math.min(this.world.devices[device]?.ssidBits ?? 0, this.world.smmus[smmu]?.ssidBits ?? 0);
  }

  #substream(device: number, ssid: number): Result | SystemError {
    if (this.devices[device] === undefined) return 'unknown-device';
    const bits = this.ssidBits(device);
    if (bits === 0) return 'no-substreams';
    return ssid >= 1 && ssid < (POW2[bits] as number) ? 'ok' : 'substream-out-of-range';
  }

  #attachPasid(device: number, ssid: number, to: number): Result | SystemError {
    const dev = this.devices[device];
    if (dev === undefined) return 'unknown-device';
    if (this.domains[to] === undefined) return 'unknown-domain';
    const bad = this.#substream(device, ssid);
    if (bad !== 'ok') return bad;
    if (dev.substreams.get(ssid) === to) return 'already-attached';
    if (this.gone.has(to)) return 'mm-gone';
    if (this.stage2(to) || !this.mayShare(to, dev.smmu) || isGuest(dev.seat) || (typeof dev.seat === 'number' && this.stage2(dev.seat))) return 'incompatible';
    if (!this.#tagLeft(dev.smmu, to)) return 'no-tags';
    const before = dev.substreams.get(ssid);
    dev.substreams.set(ssid, to);
    this.#undo = () => {
      if (before === undefined) dev.substreams.delete(ssid);
      else dev.substreams.set(ssid, before);
    };
    return 'ok';
  }

  #detachPasid(device: number, ssid: number): Result | SystemError {
    const bad = this.#substream(device, ssid);
    if (bad !== 'ok') return bad;
    const { substreams } = this.devices[device] as SystemIntentDevice;
    const before = substreams.get(ssid);
    if (before === undefined) return 'not-attached';
    substreams.delete(ssid);
    this.#undo = () => { substreams.set(ssid, before); };
    return 'ok';
  }

  #mmExit(domain: number): Result | SystemError {
    const d = this.domains[domain];
    if (d === undefined) return 'unknown-domain';
    if (d.config.gather !== 'sva') return 'no-mm';
    if (this.gone.has(domain)) return 'mm-gone';
    const runs = d.mapped.snapshot();
    d.mapped.restore([]);
    this.gone.add(domain);
    this.#undo = () => {
      d.mapped.restore(runs);
      this.gone.delete(domain);
    };
    return 'ok';
  }

  #open(vsmmu: number): Result | SystemError {
    const v = this.world.vsmmus[vsmmu];
    if (v === undefined) return 'unknown-vsmmu';
    if (this.open[vsmmu] === true) return 'vsmmu-open';
    if (this.world.domains[v.parent]?.parent !== true) return 'not-a-parent';
    if (!this.mayNest(v.smmu, v.parent)) return 'incompatible';
    if (this.#vmids(v.smmu, -1) >= this.#vmidMax(v.smmu)) return 'no-tags';
    this.open[vsmmu] = true;
    this.#undo = () => { this.open[vsmmu] = false; };
    return 'ok';
  }

  #close(vsmmu: number): Result | SystemError {
    const bad = this.#usable(vsmmu);
    if (bad !== null) return bad;
    if (this.devices.some((d) => isGuest(d.seat) && d.seat.vsmmu === vsmmu)) return 'vsmmu-in-use';
    this.open[vsmmu] = false;
    this.#undo = () => { this.open[vsmmu] = true; };
    return 'ok';
  }

  #usable(vsmmu: number): SystemError | null {
    if (this.world.vsmmus[vsmmu] === undefined) return 'unknown-vsmmu';
    return this.open[vsmmu] === true ? null : 'vsmmu-closed';
  }

  #attachNested(device: number, vsmmu: number, ste: readonly number[]): Result | SystemError {
    const dev = this.devices[device];
    if (dev === undefined) return 'unknown-device';
    const bad = this.#usable(vsmmu);
    if (bad !== null) return bad;
    if (this.world.vsmmus[vsmmu]?.smmu !== dev.smmu) return 'incompatible';
    const accepted = acceptSte(ste);
    if (accepted === null) return 'ste-rejected';
    if (dev.substreams.size > 0) return 'busy';
    return this.#seated(dev, { vsmmu, ...accepted });
  }

  #guestCommands(vsmmu: number, words: readonly number[]): SystemResult {
    const bad = this.#usable(vsmmu);
    if (bad !== null) return { code: bad, consumed: 0 };
    const smmu = this.world.vsmmus[vsmmu]?.smmu ?? 0;
    const consumed = acceptedCommands(words, this.#features[smmu] as Features, (sid) => this.guestDevices(vsmmu).includes(sid));
    return { code: consumed * 4 === words.length ? 'ok' : 'command-rejected', consumed };
  }

  /** The devices that a guest has, by number: the StreamIDs that it knows them by. */
  guestDevices(vsmmu: number): readonly number[] {
    return this.devices.flatMap((d, device) => (isGuest(d.seat) && d.seat.vsmmu === vsmmu ? [device] : []));
  }

  /** And their StreamIDs as the SMMU has them. */
  guestStreams(vsmmu: number): readonly number[] {
    return this.guestDevices(vsmmu).flatMap((device) => this.devices[device]?.streams ?? []);
  }

  /** The sharing test: may this SMMU use the domain? */
  mayShare(domain: number, smmu: number): boolean {
    const has = this.world.smmus[smmu] ?? {};
    if (this.stage2(domain) && has.stage2 === undefined) return false;
    const sizes = domainSizes(this.world, domain);
    if ((has.oas ?? OAS) < sizes.outputBits || (this.stage2(domain) && (has.oas ?? OAS) < sizes.inputBits)) return false;
    // A parent is made for the first SMMU: leaves for S2FWB mean something else to an SMMU without it.
    if (this.world.domains[domain]?.parent === true && this.world.smmus[0]?.forceWriteBack === true && has.forceWriteBack !== true) return false;
    return this.world.base.smmus[smmu]?.coherent !== false || this.domains[domain]?.config.coherent === false;
  }

  /** A vSMMU needs both stages, memory attributes that a guest cannot defeat, and an SMMU that takes long lists. */
  mayNest(smmu: number, parent: number): boolean {
    const has = this.world.smmus[smmu] ?? {};
    return this.mayShare(parent, smmu) && has.forceWriteBack === true && this.world.base.smmus[smmu]?.forceSync !== true;
  }

  /** Domains of one stage that have a tag on an SMMU. */
  tagged(smmu: number, stage2: boolean): ReadonlySet<number> {
    const out = new Set<number>();
    for (const d of this.devices) {
      if (d.smmu !== smmu) continue;
      for (const domain of [d.seat, ...d.substreams.values()]) if (typeof domain === 'number' && this.stage2(domain) === stage2) out.add(domain);
    }
    return out;
  }

  #vmidMax(smmu: number): number {
    const s = this.world.smmus[smmu]?.stage2;
    return s === undefined ? 0 : Math.min(s.vmidMax, (POW2[s.vmidBits] as number) - 1);
  }

  /** VMIDs in use on an SMMU, that of a domain not counted. */
  #vmids(smmu: number, but: number): number {
    const domains = [...this.tagged(smmu, true)].filter((d) => d !== but).length;
    return domains + this.world.vsmmus.filter((v, i) => v.smmu === smmu && this.open[i] === true).length;
  }

  #tagLeft(smmu: number, domain: number): boolean {
    if (this.stage2(domain)) return this.tagged(smmu, true).has(domain) || this.#vmids(smmu, domain) < this.#vmidMax(smmu);
    const config = this.world.base.smmus[smmu] as SmmuConfig;
    const used = this.tagged(smmu, false);
    return used.has(domain) || used.size < Math.min(config.asidMax, (POW2[config.asidBits] as number) - 1);
  }

  /** Should PCI ATS be on at the device's endpoint? */
  atsOn(device: number): boolean {
    const dev = this.devices[device];
    if (dev === undefined || this.world.devices[device]?.ats !== true || this.world.smmus[dev.smmu]?.ats !== true) return false;
    return dev.substreams.size > 0 || typeof dev.seat === 'number' || (isGuest(dev.seat) && dev.seat.ats);
  }

  /** What a stream of the device may see; `ssid` -1: without a substream. */
  entitled(device: number, ssid: number): Entitled {
    const dev = this.devices[device] as SystemIntentDevice;
    const { seat } = dev;
    if (isGuest(seat)) return this.#guestSees(seat, ssid);
    if (ssid < 0) {
      if (seat === 'identity') return { kind: 'identity' };
      return typeof seat === 'number' ? this.#inDomain(seat) : { kind: 'blocked', tables: dev.substreams.size > 0 };
    }
    const domain = dev.substreams.get(ssid);
    return domain === undefined ? { kind: 'nothing' } : this.#inDomain(domain);
  }

  #guestSees(seat: GuestSeat, ssid: number): Entitled {
    const parent = this.world.vsmmus[seat.vsmmu]?.parent ?? 0;
    if (seat.config === 'stage1') return { kind: 'guest', parent };
    if (ssid >= 0) return { kind: 'nothing' };
    return seat.config === 'bypass' ? { kind: 'domain', domain: parent } : { kind: 'blocked', tables: false };
  }

  #inDomain(domain: number): Entitled {
    return this.gone.has(domain) ? { kind: 'gone' } : { kind: 'domain', domain };
  }

  /** The map behind what somebody is entitled to. */
  behind(e: Entitled): FlatMap | null {
    return e.kind === 'domain' ? this.mapOf(e.domain) : e.kind === 'guest' ? this.mapOf(e.parent) : null;
  }

  /** What one device adds to the arrays of domains: the domain, and keys whose ids are ids of tags where the type is one (then 0 stands for it). */
  contributions(device: number): readonly { readonly domain: number; readonly key: InvKey; readonly vsmmu: number }[] {
    const dev = this.devices[device] as SystemIntentDevice;
    const out: { domain: number; key: InvKey; vsmmu: number }[] = [];
    const ats = this.atsOn(device);
    const put = (domain: number, type: InvKey['type'], id: number, ssid = 0, vsmmu = -1): void => { out.push({ domain, key: { smmu: dev.smmu, type, id, ssid }, vsmmu }); };
    const use = (domain: number, ssid: number): void => {
      put(domain, this.stage2(domain) ? 's2-tag' : 's1-tag', 0);
      if (ats) for (const sid of new Set(dev.streams)) put(domain, 'ats', sid, ssid);
    };
    if (typeof dev.seat === 'number') use(dev.seat, 0);
    if (isGuest(dev.seat)) {
      const { vsmmu } = dev.seat;
      const parent = this.world.vsmmus[vsmmu]?.parent ?? 0;
      put(parent, 'vsmmu-tag', 0, 0, vsmmu);
      put(parent, 's1-clear', 0, 0, vsmmu);
      if (ats) for (const sid of new Set(dev.streams)) put(parent, 'ats-full', sid);
    }
    for (const [ssid, domain] of dev.substreams) use(domain, ssid);
    return out;
  }
}

export function isGuest(seat: Seat): seat is GuestSeat {
  return typeof seat === 'object';
}

function code(result: Result | SystemError): SystemResult {
  return { code: result };
}

function isMapOperation(op: SystemOperation): op is Exclude<Operation, { op: 'attach' | 'detach' | 'access' }> {
  switch (op.op) {
    case 'map': case 'unmap': case 'sync': case 'iova-alloc': case 'iova-free': case 'flush-all': case 'fail-next-allocation': case 'evict': return true;
    default: return false;
  }
}

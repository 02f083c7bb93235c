/**
 * From recorded events to steps: what the kernel did to its domains, in recorded order, without the internals
 * (page-table stores, commands). Pointers (`dom`, `pt`, `iovad`) are reused, so a domain is a *lifetime*: from its
 * first use until `arm_smmu_domain_free_paging`. What a stream uses is read from the STE and CD stores (tables.ts).
 *
 * Where in the order: a map or unmap where it was called (a failed one is taken back), a sync or flush where it
 * returned, an attach where its call returned or, if a device was served before that, where it took effect.
 */
import { EVENT } from '../spec/event.js';
import { stage1StartLevel, levelShift } from '../spec/granule.js';
import type { Prot, Target } from '../stack/operation.js';
import { LIMITS } from '../stack/world.js';
import type { CaptureEvent } from './read.js';
import { Tables } from './tables.js';

/** What a recorded device got. */
export type Seen = { readonly pa: number } | { readonly fault: string } | { readonly bypass: true };

/** `life`: number of the domain's lifetime, from 0. Bytes. */
export type Step =
  | { readonly kind: 'map'; readonly life: number; readonly iova: number; readonly pa: number; readonly size: number; readonly prot: Prot }
  | { readonly kind: 'unmap' | 'alloc' | 'free'; readonly life: number; readonly iova: number; readonly size: number }
  | { readonly kind: 'sync' | 'flush'; readonly life: number }
  | { readonly kind: 'attach'; readonly device: number; readonly to: Target }
  | { readonly kind: 'access'; readonly device: number; readonly iova: number; readonly write: boolean; readonly seen: Seen };

type Verdict = 'used' | 'ignored' | 'unknown';

const IGNORED_KINDS: ReadonlySet<string> = new Set([
  'meta', 'mark', 'clean', 'pt.alloc', 'pt.free', 'invs', 'issue', 'issue.ret', 'cmd', 'prod', 'take', 'cons', 'selfcheck',
  'dev.inval', 'dev.iotlb_inv_all', 'dev.iotlb_inv_asid_vmid', 'dev.cfginv', 'dev.cfgmiss', 'dev.ste', 'dev.cd',
]);
const IGNORED_CALLS: ReadonlySet<string> = new Set([
  'arm_smmu_probe_device', 'arm_smmu_domain_finalise_s1', 'arm_smmu_attach_prepare_invs', 'arm_smmu_write_cd_entry',
  'arm_smmu_install_ste_for_dev', 'arm_smmu_install_old_domain_invs', 'arm_smmu_tlb_inv_context', 'fq_flush_iotlb',
  '__iommu_dma_unmap',
]);
const IOMMU_WRITE = 2;
/** Names that are counted apart; a recording that invents more gains nothing. */
const MAX_NAMES = 500;
const MAX_STEPS = 4 * LIMITS.operations;

/** What is under way on one CPU. */
interface Cpu {
  readonly open: Map<string, number>;
  unmapLife: number | undefined;
  map: number | undefined;
  unmap: number | undefined;
  inv: number | undefined;
}

export class Recorder {
  readonly tables = new Tables();
  readonly counts: Readonly<Record<Verdict, Map<string, number>>> = { used: new Map(), ignored: new Map(), unknown: new Map() };
  /** What was lost or had to be assumed, with how often. */
  readonly notes = new Map<string, number>();
  lives = 0;
  private readonly list: (Step | undefined)[] = [];
  private readonly devices = new Map<number, number>();
  private readonly current = new Map<number, Target>();
  private readonly byPointer = new Map<string, number>();
  private readonly byTable = new Map<string, number>();
  private readonly byAllocator = new Map<string, number>();
  private readonly byRoot = new Map<number, number>();
  private readonly cpus = new Map<number, Cpu>();
  private attaching: string | undefined;
  private last: CaptureEvent | undefined;

  add(e: CaptureEvent): void {
    this.last = e;
    const named = (e.kind === 'call' || e.kind === 'ret') && typeof e.value('f') === 'string';
    const name = named ? `${e.kind} ${e.text('f').slice(0, 64)}` : e.kind;
    const counts = this.counts[this.take(e)];
    bump(counts, counts.has(name) || counts.size < MAX_NAMES ? name : 'other names');
  }

  /** The steps, once every event was added. */
  finish(): Step[] {
    this.settle(this.last);
    return this.list.filter((step) => step !== undefined);
  }

  /** StreamIDs by device number. */
  streams(): readonly number[] {
    return [...this.devices.keys()];
  }

  private take(e: CaptureEvent): Verdict {
    switch (e.kind) {
      case 'reg': case 'reg.r': this.tables.register(e); return 'used';
      case 'wr': if (e.value('to') === 'pt') return 'ignored'; this.tables.store(e); return 'used';
      case 'fill': if (e.value('to') === 'pt') return 'ignored'; this.tables.fill(e); return 'used';
      case 'ste.init': this.tables.init(e); return 'used';
      case 'map': this.map(e); return 'used';
      case 'map.ret': this.mapReturned(e); return 'used';
      case 'unmap': this.unmap(e); return 'used';
      case 'unmap.ret': this.unmapReturned(e); return 'used';
      case 'iova.alloc': case 'iova.free': this.allocator(e); return 'used';
      case 'call': return this.call(e);
      case 'ret': return this.returned(e);
      case 'inv': return this.invalidation(e);
      case 'xlat': case 'xlat.bypass': case 'fault': this.access(e); return 'used';
      default: return IGNORED_KINDS.has(e.kind) ? 'ignored' : 'unknown';
    }
  }

  private cpu(e: CaptureEvent): Cpu {
    const n = e.numberOr('cpu', 0);
    let cpu = this.cpus.get(n);
    if (cpu === undefined) {
      cpu = { open: new Map(), unmapLife: undefined, map: undefined, unmap: undefined, inv: undefined };
      this.cpus.set(n, cpu);
    }
    return cpu;
  }

  /** The lifetime that a pointer to a domain means now. */
  private life(pointer: string): number {
    let life = this.byPointer.get(pointer);
    if (life === undefined) {
      life = this.lives++;
      this.byPointer.set(pointer, life);
    }
    return life;
  }

  private push(e: CaptureEvent, step: Step): number {
    this.settle(e);
    return this.append(e, step);
  }

  private append(e: CaptureEvent | undefined, step: Step): number {
    if (this.list.length >= MAX_STEPS) e?.fail(`the recording holds more than ${MAX_STEPS} steps, the limit`);
    return this.list.push(step) - 1;
  }

  // ---- Mapping

  private map(e: CaptureEvent): void {
    // Tracing alone does not record `dom`: then the page table stands for its domain.
    const life = this.life(e.has('dom') ? e.text('dom') : `pt ${e.text('pt')}`);
    this.byTable.set(e.text('pt'), life);
    const size = e.number('pgsize') * e.number('count');
    if (!e.has('prot')) bump(this.notes, 'map without recorded permissions, taken as rw');
    const prot = (e.numberOr('prot', IOMMU_WRITE) & IOMMU_WRITE) !== 0 ? 'rw' : 'r';
    this.cpu(e).map = this.push(e, { kind: 'map', life, iova: e.number('iova'), pa: e.number('pa'), size, prot });
  }

  private mapReturned(e: CaptureEvent): void {
    const cpu = this.cpu(e);
    if (cpu.map !== undefined && e.value('ret') !== 0) {
      this.list[cpu.map] = undefined;
      bump(this.notes, 'map that failed');
    }
    cpu.map = undefined;
  }

  private unmap(e: CaptureEvent): void {
    const cpu = this.cpu(e);
    const life = cpu.unmapLife ?? this.byTable.get(e.text('pt'));
    if (life === undefined) return bump(this.notes, 'unmap of an unknown page table');
    cpu.unmap = this.push(e, { kind: 'unmap', life, iova: e.number('iova'), size: e.number('pgsize') * e.number('count') });
  }

  private unmapReturned(e: CaptureEvent): void {
    const cpu = this.cpu(e);
    const step = cpu.unmap === undefined ? undefined : this.list[cpu.unmap];
    if (cpu.unmap !== undefined && step?.kind === 'unmap') {
      const size = e.number('size');
      if (size !== step.size) bump(this.notes, size === 0 ? 'unmap that found nothing' : 'part of an unmap that ended early');
      this.list[cpu.unmap] = size === 0 ? undefined : { ...step, size };
    }
    cpu.unmap = undefined;
  }

  private allocator(e: CaptureEvent): void {
    const iovad = e.text('iovad');
    if (e.has('dom')) this.byAllocator.set(iovad, this.life(e.text('dom')));
    const life = this.byAllocator.get(iovad);
    if (life === undefined) return bump(this.notes, `${e.kind} of an unknown allocator`);
    this.push(e, { kind: e.kind === 'iova.alloc' ? 'alloc' : 'free', life, iova: e.number('iova'), size: e.number('size') });
  }

  // ---- Calls

  private call(e: CaptureEvent): Verdict {
    const f = e.text('f');
    const cpu = this.cpu(e);
    switch (f) {
      case 'iommu_unmap': case 'iommu_unmap_fast':
        cpu.unmapLife = this.byPointer.get(e.text('dom'));
        return 'used';
      case 'arm_smmu_iotlb_sync': case 'arm_smmu_flush_iotlb_all':
        cpu.open.set(f, this.push(e, { kind: f === 'arm_smmu_iotlb_sync' ? 'sync' : 'flush', life: this.life(e.text('a0')) }));
        return 'used';
      case 'arm_smmu_tlb_inv_walk': case 'arm_smmu_release_device':
        cpu.open.set(f, 0);
        return 'used';
      case 'arm_smmu_domain_free_paging':
        this.freeDomain(e);
        return 'used';
      default:
        if (!f.startsWith('arm_smmu_attach_dev')) return IGNORED_CALLS.has(f) ? 'ignored' : 'unknown';
        this.settle(e);
        cpu.open.set(f, 0);
        this.attaching = f === 'arm_smmu_attach_dev' ? e.text('a0') : undefined;
        return 'used';
    }
  }

  private returned(e: CaptureEvent): Verdict {
    const f = e.text('f');
    const cpu = this.cpu(e);
    const opened = cpu.open.get(f);
    cpu.open.delete(f);
    if (f === 'iommu_unmap' || f === 'iommu_unmap_fast') {
      cpu.unmapLife = undefined;
    } else if (f === 'arm_smmu_iotlb_sync' || f === 'arm_smmu_flush_iotlb_all') {
      if (opened !== undefined) this.moveToEnd(e, opened);
    } else if (f === 'arm_smmu_domain_inv_range') {
      if (cpu.inv === undefined) return 'ignored';
      this.push(e, { kind: 'sync', life: cpu.inv });
      cpu.inv = undefined;
    } else if (f.startsWith('arm_smmu_attach_dev') || f === 'arm_smmu_release_device') {
      this.settle(e);
      this.attaching = undefined;
    } else if (f !== 'arm_smmu_tlb_inv_walk') {
      return IGNORED_CALLS.has(f) ? 'ignored' : 'unknown';
    }
    return 'used';
  }

  /** What a call promises is due when it returns; a recording without returns leaves it at the call. */
  private moveToEnd(e: CaptureEvent, index: number): void {
    const step = this.list[index];
    if (step === undefined || index === this.list.length - 1) return;
    this.list[index] = undefined;
    this.push(e, step);
  }

  /** An invalidation of a range that no recorded call explains is a sync of its own. */
  private invalidation(e: CaptureEvent): Verdict {
    const cpu = this.cpu(e);
    const explained = cpu.open.size > 0 || cpu.map !== undefined || cpu.unmap !== undefined || cpu.unmapLife !== undefined;
    if (explained || e.number('size') === 0) return 'ignored';
    const life = this.byTable.get(e.text('pt'));
    if (life === undefined) {
      bump(this.notes, 'invalidation of an unknown page table');
      return 'used';
    }
    cpu.inv = life;
    return 'used';
  }

  private freeDomain(e: CaptureEvent): void {
    this.settle(e);
    const life = this.byPointer.get(e.text('a0'));
    for (const known of [this.byPointer, this.byTable, this.byAllocator]) {
      for (const [pointer, l] of known) if (l === life) known.delete(pointer);
    }
    for (const [root, l] of this.byRoot) if (l === life) this.byRoot.delete(root);
  }

  // ---- Devices

  private device(e: CaptureEvent | undefined, sid: number): number {
    let device = this.devices.get(sid);
    if (device === undefined) {
      device = this.devices.size;
      if (device >= LIMITS.devices) e?.fail(`StreamID ${sid} is one too many: a world has at most ${LIMITS.devices} devices`);
      this.devices.set(sid, device);
    }
    return device;
  }

  /** Turn what was stored in STEs and CDs since the last time into attach steps. */
  private settle(e: CaptureEvent | undefined): void {
    if (!this.tables.changed) return;
    this.tables.changed = false;
    for (const sid of this.tables.streams()) {
      const to = this.target(e, sid);
      if (to === (this.current.get(sid) ?? 'blocked')) continue;
      this.current.set(sid, to);
      this.append(e, { kind: 'attach', device: this.device(e, sid), to });
    }
  }

  private target(e: CaptureEvent | undefined, sid: number): Target {
    const installed = this.tables.installed(sid);
    if (installed.use === 'unsupported') {
      e?.fail(`the STE of StreamID ${sid} asks for stage 2, which a case cannot express`);
      return 'blocked';
    }
    if (installed.use !== 'stage1') return installed.use;
    let life = this.byRoot.get(installed.root);
    if (life === undefined) {
      if (this.attaching === undefined) bump(this.notes, 'attach to a domain that no call names');
      life = this.life(this.attaching ?? `table ${installed.root}`);
      this.byRoot.set(installed.root, life);
    }
    return life;
  }

  private access(e: CaptureEvent): void {
    if (this.tables.enabled === false) return bump(this.notes, 'access while the SMMU was off');
    const sid = e.number('sid');
    this.settle(e);
    const write = e.has('is_write') && e.number('is_write') !== 0;
    const seen = seenBy(e);
    const iova = e.has('iova') || e.kind !== 'fault' ? e.numberOr('iova', 0) : this.faultAddress(e, sid);
    if (iova === undefined) {
      bump(this.notes, 'fault without a walk to tell its address');
      return;
    }
    this.push(e, { kind: 'access', device: this.device(e, sid), iova, write, seen });
  }

  /** A fault is recorded with its walk only: the lowest address that takes this walk. */
  private faultAddress(e: CaptureEvent, sid: number): number | undefined {
    const walk = e.value('walk');
    const installed = this.tables.installed(sid);
    if (!Array.isArray(walk) || walk.length === 0 || installed.use !== 'stage1') return undefined;
    let level = stage1StartLevel(12, installed.bits);
    let iova = 0;
    for (const pair of walk as readonly unknown[]) {
      const at = Array.isArray(pair) ? Number((pair as readonly unknown[])[0]) : NaN;
      if (!Number.isSafeInteger(at) || at < 0 || level > 3) e.fail('"walk" must be pairs of hexadecimal strings, one for a level');
      iova += (Math.floor(at / 8) % 512) * 2 ** levelShift(12, level++);
    }
    return iova;
  }
}

function seenBy(e: CaptureEvent): Seen {
  if (e.kind === 'xlat') return { pa: e.number('pa') };
  if (e.kind === 'xlat.bypass') return { bypass: true };
  const fault = e.text('type');
  if (!Object.hasOwn(EVENT, fault)) e.fail('"type" must be the name of an SMMU event such as F_TRANSLATION');
  return { fault };
}

export function bump(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

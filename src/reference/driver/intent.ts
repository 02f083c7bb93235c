/**
 * Intent: what each device is entitled to see, said as simply as possible. One flat map a domain, no tables, no
 * tags, no commands. `begin` judges a call and opens what it may change to *either* answer; `finish` closes it.
 *
 * Obligations: what an unmap takes away stays permitted until the call that promises it is gone returns
 * (strict: `sync`; lazy: the flush that lets the range be handed out again; sva: the unmap itself, because the mm reuses the pages next);
 * what an attach replaces, until it returns.
 */
import { POW2 } from '../../spec/bits.js';
import { EVENT } from '../../spec/event.js';
import { PAGE_SIZES, pageSizeFor, type Operation, type Result, type Target } from '../../stack/operation.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK, type Outcome } from '../../stack/outcome.js';
import type { DomainSizes } from '../../stack/system.js';
import { LIMITS, OAS, type DomainConfig, type World } from '../../stack/world.js';
import { Intervals, runGives, type Run } from './intervals.js';

const LARGEST = PAGE_SIZES[0] ?? 0;

export interface IntentDomain {
  readonly config: DomainConfig;
  readonly mapped: Intervals;
  /** Taken away, but not due yet. */
  limbo: Run[];
  /** Managed: ranges handed out [first, end), and (lazy) given back but waiting for a flush. */
  handedOut: { readonly first: number; readonly end: number }[];
  waiting: { readonly first: number; readonly end: number }[];
}

export interface IntentDevice {
  readonly smmu: number;
  readonly streams: readonly number[];
  target: Target | 'none';
  /** While an attach runs: what the device used before; undefined otherwise. */
  before: Target | 'none' | undefined;
}

export class Intent {
  readonly world: World;
  readonly domains: readonly IntentDomain[];
  readonly devices: readonly IntentDevice[];
  readonly #sizes: (domain: number) => DomainSizes;
  #undo: (() => void) | null = null;

  /** `sizes`: input and output size of each domain, where they differ. */
  constructor(world: World, sizes: (domain: number) => DomainSizes = () => ({ inputBits: world.inputBits, outputBits: OAS })) {
    this.world = world;
    this.#sizes = sizes;
    this.domains = world.domains.map((config) => ({ config, mapped: new Intervals(), limbo: [], handedOut: [], waiting: [] }));
    this.devices = world.devices.map((d) => ({ smmu: d.smmu, streams: d.streams, target: 'none' as const, before: undefined }));
  }

  /** What the call must return. When it is 'ok', what it changes may be seen either way from now on. */
  begin(op: Operation): Result {
    this.#undo = null;
    switch (op.op) {
      case 'map': return this.#map(op.domain, op.iova, op.pa, op.size, op.prot === 'rw');
      case 'unmap': return this.#unmap(op.domain, op.iova, op.size);
      case 'sync': return this.domains[op.domain] === undefined ? 'unknown-domain' : 'ok';
      case 'attach': return this.#attach(op.device, op.to);
      case 'detach': return this.#detach(op.device);
      case 'access': return this.#access(op.device, op.stream);
      case 'iova-alloc': return this.#alloc(op.domain, op.iova, op.size);
      case 'iova-free': return this.#free(op.domain, op.iova, op.size);
      case 'flush-all': {
        const d = this.domains[op.domain];
        return d === undefined ? 'unknown-domain' : d.config.mode === 'lazy' ? 'ok' : 'not-lazy';
      }
      case 'fail-next-allocation': case 'evict': return 'ok';
    }
  }

  /** The call returned: what it promised is due. A refusal (out of memory) takes the change back. */
  finish(op: Operation, result: Result): void {
    if (result !== 'ok') {
      this.#undo?.();
      return;
    }
    switch (op.op) {
      case 'unmap': {
        const d = this.domains[op.domain] as IntentDomain;
        if (d.config.gather === 'sva') d.limbo = [];
        break;
      }
      case 'sync': {
        const d = this.domains[op.domain] as IntentDomain;
        if (d.config.mode === 'strict') d.limbo = [];
        break;
      }
      case 'map': {
        // Strict: a new mapping may not be shadowed by what stood there, so that falls due with it.
        const d = this.domains[op.domain] as IntentDomain;
        if (d.config.mode === 'strict' && d.limbo.length > 0) d.limbo = d.limbo.flatMap((r) => without(r, op.iova / 4096, (op.iova + op.size) / 4096));
        break;
      }
      case 'flush-all': this.#flushed(this.domains[op.domain] as IntentDomain); break;
      case 'iova-free': {
        const d = this.domains[op.domain] as IntentDomain;
        if (d.config.mode === 'lazy' && d.waiting.length >= this.world.flushQueue) this.#flushed(d);
        break;
      }
      case 'attach': case 'detach': (this.devices[op.device] as IntentDevice).before = undefined; break;
      default: break;
    }
  }

  #flushed(d: IntentDomain): void {
    d.limbo = [];
    d.waiting = [];
  }

  #range(domain: number, iova: number, size: number): Result {
    if (iova % 4096 !== 0 || size % 4096 !== 0 || size === 0) return 'unaligned';
    return iova + size > (POW2[this.#sizes(domain).inputBits] as number) ? 'out-of-range' : 'ok';
  }

  #map(domain: number, iova: number, pa: number, size: number, writable: boolean): Result {
    const d = this.domains[domain];
    if (d === undefined) return 'unknown-domain';
    const bad = this.#range(domain, iova, size);
    if (bad !== 'ok') return bad;
    if (pa % 4096 !== 0) return 'unaligned';
    if (pa + size > (POW2[this.#sizes(domain).outputBits] as number)) return 'out-of-range';
    const first = iova / 4096;
    const end = (iova + size) / 4096;
    if (d.config.managed && !covered(d.handedOut, first, end)) return 'iova-not-allocated';
    if (entriesNeeded(iova, pa, size) > LIMITS.mapEntries) return 'too-large';
    if (d.mapped.any(first, end)) return 'already-mapped';
    const snapshot = d.mapped.snapshot();
    for (let done = 0; done < size;) {
      const unit = pageSizeFor(iova + done, pa + done, size - done);
      const run = runOfUnit(iova + done, pa + done, size - done, unit);
      d.mapped.add({ first: (iova + done) / 4096, end: (iova + done + run) / 4096, pa: (pa + done) / 4096, unit: unit / 4096, writable });
      done += run;
    }
    this.#undo = () => { d.mapped.restore(snapshot); };
    return 'ok';
  }

  #unmap(domain: number, iova: number, size: number): Result {
    const d = this.domains[domain];
    if (d === undefined) return 'unknown-domain';
    const bad = this.#range(domain, iova, size);
    if (bad !== 'ok') return bad;
    const first = iova / 4096;
    const end = (iova + size) / 4096;
    if (!d.mapped.covers(first, end)) return 'not-mapped';
    if (d.mapped.cuts(first, end)) return 'partial-block';
    d.limbo = [...d.limbo, ...d.mapped.remove(first, end)];
    return 'ok';
  }

  #attach(device: number, to: Target): Result {
    const dev = this.devices[device];
    if (dev === undefined) return 'unknown-device';
    if (typeof to === 'number' && this.domains[to] === undefined) return 'unknown-domain';
    if (dev.target === to) return 'already-attached';
    if (typeof to === 'number') {
      // A domain whose tables are cleaned serves every SMMU; one whose tables are not, only those that look into the caches.
      if (this.world.smmus[dev.smmu]?.coherent === false && this.domains[to]?.config.coherent !== false) return 'incompatible';
      const inUse = new Set(this.devices.filter((d) => d.smmu === dev.smmu && typeof d.target === 'number').map((d) => d.target));
      const max = this.world.smmus[dev.smmu]?.asidMax ?? 0;
      if (!inUse.has(to) && inUse.size >= max) return 'no-tags';
    }
    this.#move(dev, to);
    return 'ok';
  }

  #detach(device: number): Result {
    const dev = this.devices[device];
    if (dev === undefined) return 'unknown-device';
    if (dev.target === 'none') return 'not-attached';
    this.#move(dev, 'none');
    return 'ok';
  }

  #move(dev: IntentDevice, to: Target | 'none'): void {
    const old = dev.target;
    dev.before = old;
    dev.target = to;
    this.#undo = () => {
      dev.target = old;
      dev.before = undefined;
    };
  }

  #access(device: number, stream: number): Result {
    const dev = this.devices[device];
    if (dev === undefined) return 'unknown-device';
    return dev.streams[stream] === undefined ? 'unknown-stream' : 'ok';
  }

  #alloc(domain: number, iova: number, size: number): Result {
    const d = this.domains[domain];
    if (d === undefined) return 'unknown-domain';
    if (!d.config.managed) return 'not-managed';
    const bad = this.#range(domain, iova, size);
    if (bad !== 'ok') return bad;
    const first = iova / 4096;
    const end = (iova + size) / 4096;
    if ([...d.handedOut, ...d.waiting].some((r) => r.first < end && first < r.end)) return 'iova-busy';
    d.handedOut.push({ first, end });
    return 'ok';
  }

  #free(domain: number, iova: number, size: number): Result {
    const d = this.domains[domain];
    if (d === undefined) return 'unknown-domain';
    if (!d.config.managed) return 'not-managed';
    const bad = this.#range(domain, iova, size);
    if (bad !== 'ok') return bad;
    const first = iova / 4096;
    const end = (iova + size) / 4096;
    const range = d.handedOut.find((r) => r.first === first && r.end === end);
    if (range === undefined) return 'iova-not-allocated';
    if (d.mapped.any(first, end)) return 'iova-in-use';
    d.handedOut = d.handedOut.filter((r) => r !== range);
    if (d.config.mode === 'lazy') d.waiting.push(range);
    return 'ok';
  }

  /** May a device of this domain be given [frame, frame + frames) -> pa with this right, now? */
  permitsLeaf(domain: number, frame: number, frames: number, pa: number, writable: boolean): boolean {
    const d = this.domains[domain];
    if (d === undefined) return false;
    const run = d.mapped.at(frame);
    if (run !== undefined && runGives(run, frame, frames, pa, writable)) return true;
    return d.limbo.some((r) => runGives(r, frame, frames, pa, writable));
  }

  /** Output frame, or -1: iova-to-phys. */
  lookup(domain: number, frame: number): number {
    const run = this.domains[domain]?.mapped.at(frame);
    return run === undefined ? -1 : run.pa + (frame - run.first);
  }

  /** Is this outcome one that the device's owner allows? */
  allows(device: number, frame: number, write: boolean, outcome: Outcome): boolean {
    const dev = this.devices[device] as IntentDevice;
    if (this.#targetAllows(dev.target, frame, write, outcome)) return true;
    return dev.before !== undefined && this.#targetAllows(dev.before, frame, write, outcome);
  }

  #targetAllows(target: Target | 'none', frame: number, write: boolean, o: Outcome): boolean {
    if (target === 'none' || target === 'blocked') return o.kind === OUTCOME_ABORT;
    if (target === 'identity') {
      return frame < (POW2[OAS - 12] as number) ? o.kind === OUTCOME_OK && o.frame === frame : o.kind === OUTCOME_FAULT && o.event === EVENT.F_ADDR_SIZE;
    }
    const d = this.domains[target] as IntentDomain;
    const run = d.mapped.at(frame);
    if (run === undefined ? isFault(o, EVENT.F_TRANSLATION) : runAllows(run, frame, write, o)) return true;
    return d.limbo.some((r) => r.first <= frame && frame < r.end && (runAllows(r, frame, write, o) || isFault(o, EVENT.F_TRANSLATION)));
  }

  /** The allowed outcomes in words, for the reader of a failure. */
  describeAllowed(device: number, frame: number, write: boolean): string {
    const dev = this.devices[device];
    if (dev === undefined) return 'nothing';
    const words = [this.#describeTarget(dev.target, frame, write)];
    if (dev.before !== undefined) words.push(this.#describeTarget(dev.before, frame, write));
    return `any of { ${words.join(', ')} }`;
  }

  #describeTarget(target: Target | 'none', frame: number, write: boolean): string {
    if (target === 'none' || target === 'blocked') return 'abort';
    if (target === 'identity') return `0x${(frame * 4096).toString(16)}`;
    return this.describeFrame(target, frame, write);
  }

  /** What a domain gives at one frame, in words. */
  describeFrame(domain: number, frame: number, write = false): string {
    const d = this.domains[domain];
    if (d === undefined) return 'nothing';
    const words: string[] = [];
    const run = d.mapped.at(frame);
    if (run === undefined) words.push('F_TRANSLATION');
    else if (write && !run.writable) words.push('F_PERMISSION');
    else words.push(`0x${((run.pa + frame - run.first) * 4096).toString(16)}`);
    for (const r of d.limbo) if (r.first <= frame && frame < r.end) words.push(`0x${((r.pa + frame - r.first) * 4096).toString(16)} (not due yet)`);
    return words.join(', ');
  }
}

function isFault(o: Outcome, event: number): boolean {
  return o.kind === OUTCOME_FAULT && o.event === event;
}

function runAllows(run: Run, frame: number, write: boolean, o: Outcome): boolean {
  if (write && !run.writable) return isFault(o, EVENT.F_PERMISSION);
  return o.kind === OUTCOME_OK && o.frame === run.pa + (frame - run.first);
}

/** The parts of a run outside of [first, end). */
function without(run: Run, first: number, end: number): Run[] {
  const parts: Run[] = [];
  if (run.first < first) parts.push({ ...run, end: Math.min(run.end, first) });
  if (run.end > end) {
    const from = Math.max(run.first, end);
    parts.push({ ...run, first: from, pa: run.pa + (from - run.first) });
  }
  return parts;
}

/** Is [first, end) covered by the ranges, each of which may be neighbours of another? */
function covered(ranges: readonly { readonly first: number; readonly end: number }[], first: number, end: number): boolean {
  let next = first;
  for (let moved = true; moved && next < end;) {
    moved = false;
    for (const r of ranges) {
      if (r.first <= next && r.end > next) {
        next = r.end;
        moved = true;
      }
    }
  }
  return next >= end;
}

/** Bytes from here on that are mapped in entries of one unit: up to where a larger entry fits, or as many as there are. */
function runOfUnit(iova: number, pa: number, left: number, unit: number): number {
  const whole = left - (left % unit);
  const larger = unit * 512;
  if (unit >= LARGEST || (iova - pa) % larger !== 0) return whole;
  const toLarger = larger - (iova % larger);
  return toLarger + larger <= left ? toLarger : whole;
}

/** Entries of all sizes that a mapping needs. */
function entriesNeeded(iova: number, pa: number, size: number): number {
  let entries = 0;
  for (let done = 0; done < size;) {
    const unit = pageSizeFor(iova + done, pa + done, size - done);
    const run = runOfUnit(iova + done, pa + done, size - done, unit);
    entries += run / unit;
    done += run;
  }
  return entries;
}

/**
 * From steps to operations. Domains of a world are strict or lazy for good and hand out IOVAs explicitly, so:
 *
 * - A domain that the kernel switched from strict to lazy in place becomes two domains: at its first lazy unmap
 *   everything it holds moves to a fresh lazy one (mapped there, devices attached to it, taken down here).
 * - A lazily freed range is recorded as free when its flush is done; here it is freed where its last unmap
 *   returned (it waits in the flush queue from then on), and the recorded flush releases it.
 * - What was mapped without a recorded allocation in a domain that has an allocator gets one just before.
 *
 * Everything that was added or left out is counted by reason.
 */
import type { Operation, Prot, Target } from '../stack/operation.js';
import type { DomainConfig } from '../stack/world.js';
import type { Observation } from '../operations/case.js';
import { bump, type Step } from './events.js';
import { Ranges } from './ranges.js';

export interface Emitted {
  readonly operations: readonly Operation[];
  readonly observed: readonly Observation[];
  readonly domains: readonly DomainConfig[];
  /** Operations that no event stands behind, by reason. */
  readonly added: ReadonlyMap<string, number>;
  /** Steps that became no operation, by reason. */
  readonly dropped: ReadonlyMap<string, number>;
}

/** What the whole recording says about one lifetime. */
export interface LifePlan {
  managed: boolean;
  /** Index of the first unmap that only a flush completes; -1: none. */
  lazyFrom: number;
  /** There were strict unmaps before: two domains are needed. */
  split: boolean;
}

export interface Plan {
  readonly lives: readonly LifePlan[];
  /** Step index of an unmap → the free steps that take effect right after it. */
  readonly freesAfter: ReadonlyMap<number, readonly number[]>;
  /** Frees that `freesAfter` has moved. */
  readonly moved: ReadonlySet<number>;
}

interface Domain {
  readonly index: number;
  readonly lazy: boolean;
  readonly managed: boolean;
  readonly allocated: Ranges<'recorded' | 'added'>;
  readonly mapped: Ranges<{ readonly pa: number; readonly prot: Prot }>;
  /** Unmaps since the last sync. */
  pending: number;
}

export function emitOperations(steps: readonly Step[], lives: number): Emitted {
  const emitter = new Emitter(steps, planLives(steps, lives));
  steps.forEach((step, i) => emitter.step(step, i));
  return emitter.result();
}

/** First pass: managed or not, strict or lazy, and where lazy ranges are really given back. */
export function planLives(steps: readonly Step[], count: number): Plan {
  const lives = Array.from({ length: count }, (): LifePlan => ({ managed: false, lazyFrom: -1, split: false }));
  const open = Array.from({ length: count }, (): number[] => []);
  for (const step of steps) {
    if (step.kind === 'alloc') (lives[step.life] as LifePlan).managed = true;
  }
  steps.forEach((step, i) => {
    if (step.kind === 'attach' || step.kind === 'access') return;
    const life = lives[step.life] as LifePlan;
    const unmaps = open[step.life] as number[];
    if (step.kind === 'unmap') unmaps.push(i);
    if (step.kind === 'flush' && life.managed && life.lazyFrom < 0) life.lazyFrom = unmaps[0] ?? -1;
    if (step.kind === 'sync' && life.lazyFrom < 0 && unmaps.length > 0) life.split = true;
    if (step.kind === 'sync' || step.kind === 'flush') unmaps.length = 0;
  });
  for (const life of lives) if (life.lazyFrom < 0) life.split = false;
  return { lives, ...moveFrees(steps, lives) };
}

function moveFrees(steps: readonly Step[], lives: readonly LifePlan[]): Omit<Plan, 'lives'> {
  const unmappedBy = lives.map(() => new Ranges<number>());
  const freesAfter = new Map<number, number[]>();
  const moved = new Set<number>();
  steps.forEach((step, i) => {
    if (step.kind !== 'unmap' && step.kind !== 'alloc' && step.kind !== 'free') return;
    const ranges = unmappedBy[step.life] as Ranges<number>;
    const lazyFrom = (lives[step.life] as LifePlan).lazyFrom;
    if (step.kind === 'free') {
      const last = ranges.overlapping(step.iova, step.size).reduce((latest, r) => Math.max(latest, r.value), -1);
      if (lazyFrom >= 0 && last >= lazyFrom) {
        freesAfter.set(last, [...(freesAfter.get(last) ?? []), i]);
        moved.add(i);
      }
    }
    ranges.cut(step.iova, step.size, (value) => value);
    if (step.kind === 'unmap') ranges.add(step.iova, step.size, i);
  });
  return { freesAfter, moved };
}

class Emitter {
  private readonly operations: Operation[] = [];
  private readonly observed: Observation[] = [];
  private readonly domains: Domain[] = [];
  private readonly ofLife = new Map<number, Domain>();
  private readonly uses = new Map<number, Target>();
  private readonly added = new Map<string, number>();
  private readonly dropped = new Map<string, number>();
  private readonly steps: readonly Step[];
  private readonly plan: Plan;

  constructor(steps: readonly Step[], plan: Plan) {
    this.steps = steps;
    this.plan = plan;
  }

  result(): Emitted {
    return {
      operations: this.operations, observed: this.observed, added: this.added, dropped: this.dropped,
      domains: this.domains.map((d) => ({ mode: d.lazy ? 'lazy' : 'strict', managed: d.managed })),
    };
  }

  step(step: Step, index: number): void {
    switch (step.kind) {
      case 'map': return this.map(this.domain(step.life), step);
      case 'unmap': return this.unmap(step, index);
      case 'alloc': return this.alloc(this.domain(step.life), step.iova, step.size);
      case 'free': if (!this.plan.moved.has(index)) this.free(this.domain(step.life), step.iova, step.size, true); return;
      case 'sync': return this.sync(this.domain(step.life));
      case 'flush': return this.flush(step.life);
      case 'attach': {
        const to = typeof step.to === 'number' ? this.domain(step.to).index : step.to;
        this.uses.set(step.device, to);
        this.push({ op: 'attach', device: step.device, to });
        return;
      }
      case 'access':
        this.observed.push({ at: this.operations.length, ...step.seen });
        this.push({ op: 'access', device: step.device, stream: 0, iova: step.iova, write: step.write });
        return;
    }
  }

  private push(operation: Operation, reason?: string): void {
    this.operations.push(operation);
    if (reason !== undefined) bump(this.added, `${operation.op}: ${reason}`);
  }

  private domain(life: number): Domain {
    const plan = this.plan.lives[life] as LifePlan;
    return this.ofLife.get(life) ?? this.newDomain(life, plan.lazyFrom >= 0 && !plan.split, plan.managed);
  }

  private newDomain(life: number, lazy: boolean, managed: boolean): Domain {
    const domain: Domain = { index: this.domains.length, lazy, managed, allocated: new Ranges(), mapped: new Ranges(), pending: 0 };
    this.domains.push(domain);
    this.ofLife.set(life, domain);
    return domain;
  }

  private map(d: Domain, step: Extract<Step, { kind: 'map' }>): void {
    if (d.managed) {
      for (const gap of d.allocated.gaps(step.iova, step.size)) {
        d.allocated.add(gap.start, gap.size, 'added');
        this.push({ op: 'iova-alloc', domain: d.index, iova: gap.start, size: gap.size }, 'mapped without an allocation');
      }
    }
    d.mapped.cut(step.iova, step.size, (v, skipped) => ({ ...v, pa: v.pa + skipped }));
    d.mapped.add(step.iova, step.size, { pa: step.pa, prot: step.prot });
    this.push({ op: 'map', domain: d.index, iova: step.iova, pa: step.pa, size: step.size, prot: step.prot });
  }

  private unmap(step: Extract<Step, { kind: 'unmap' | 'alloc' | 'free' }>, index: number): void {
    const plan = this.plan.lives[step.life] as LifePlan;
    if (plan.split && plan.lazyFrom === index) this.becomeLazy(step.life);
    const d = this.domain(step.life);
    d.mapped.cut(step.iova, step.size, (v, skipped) => ({ ...v, pa: v.pa + skipped }));
    d.pending++;
    this.push({ op: 'unmap', domain: d.index, iova: step.iova, size: step.size });
    for (const i of this.plan.freesAfter.get(index) ?? []) {
      const free = this.steps[i];
      if (free?.kind === 'free') this.free(d, free.iova, free.size, false);
    }
  }

  /** An allocation takes the place of one that was added here and is no longer used. */
  private alloc(d: Domain, iova: number, size: number): void {
    for (const r of d.allocated.overlapping(iova, size)) {
      if (r.value !== 'added' || d.mapped.overlapping(r.start, r.size).length > 0) continue;
      this.push({ op: 'iova-free', domain: d.index, iova: r.start, size: r.size }, 'gives back an added allocation');
      if (d.lazy) this.push({ op: 'flush-all', domain: d.index }, 'releases an added allocation');
    }
    d.allocated.cut(iova, size, (value) => value);
    d.allocated.add(iova, size, 'recorded');
    this.push({ op: 'iova-alloc', domain: d.index, iova, size });
  }

  /** `atOnce`: recorded as free from here on, so a lazy domain must flush now. */
  private free(d: Domain, iova: number, size: number, atOnce: boolean): void {
    d.allocated.cut(iova, size, (value) => value);
    this.push({ op: 'iova-free', domain: d.index, iova, size });
    if (d.lazy && atOnce) this.push({ op: 'flush-all', domain: d.index }, 'a lazy range was freed without waiting');
  }

  private sync(d: Domain): void {
    d.pending = 0;
    this.push({ op: 'sync', domain: d.index });
  }

  private flush(life: number): void {
    const d = this.ofLife.get(life);
    if (d?.lazy === true) {
      d.pending = 0;
      this.push({ op: 'flush-all', domain: d.index });
    } else if (d !== undefined && d.pending > 0) {
      this.sync(d);
    } else {
      bump(this.dropped, 'flush of a strict domain with nothing unmapped');
    }
  }

  private becomeLazy(life: number): void {
    const why = 'the domain became lazy';
    const old = this.domain(life);
    const fresh = this.newDomain(life, true, true);
    for (const r of old.allocated.all()) {
      fresh.allocated.add(r.start, r.size, r.value);
      this.push({ op: 'iova-alloc', domain: fresh.index, iova: r.start, size: r.size }, why);
    }
    const pieces = old.mapped.all();
    for (const r of pieces) {
      fresh.mapped.add(r.start, r.size, r.value);
      this.push({ op: 'map', domain: fresh.index, iova: r.start, pa: r.value.pa, size: r.size, prot: r.value.prot }, why);
    }
    for (const [device, to] of this.uses) {
      if (to !== old.index) continue;
      this.uses.set(device, fresh.index);
      this.push({ op: 'attach', device, to: fresh.index }, why);
    }
    for (const r of pieces) this.push({ op: 'unmap', domain: old.index, iova: r.start, size: r.size }, why);
    this.push({ op: 'sync', domain: old.index }, why);
    for (const r of old.allocated.all()) this.push({ op: 'iova-free', domain: old.index, iova: r.start, size: r.size }, why);
  }
}

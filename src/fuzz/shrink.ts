/**
 * Shrink: the smallest sequence that breaks the same rule with the same cause. First delta debugging over the
 * operations, then the world (devices, domains, SMMUs, features), then the arguments, which fast-check simplifies
 * (values that belong together move together), and the operations again. 1-minimal is claimed only when the last
 * deletion pass finished within the budget.
 */
import fc from 'fast-check';
import { replay } from '../lockstep/replay.js';
import type { Operation } from '../stack/operation.js';
import type { Violation } from '../stack/violation.js';
import { smallWorld, type World } from '../stack/world.js';
import { deleteItems } from './delta.js';

export interface Candidate {
  readonly world: World;
  readonly operations: readonly Operation[];
}

export interface ShrinkResult extends Candidate {
  readonly violation: Violation;
  readonly from: number;
  readonly tried: number;
  readonly accepted: number;
  readonly minimal: boolean;
}

/** Evaluations that one shrink may cost, those for arguments, and those kept back for the last deletion pass. */
export const SHRINK_BUDGET = 4000;
const ARGUMENTS_BUDGET = 500;
const FINAL_PASS = 400;
/** Operations of which all pairs are tried. */
const PAIRS_MAX = 16;
/** Output frames are simplified towards 2 GB, so that they do not look like input addresses. */
const PLAIN_OUTPUT = 0x80000;

export interface ShrinkOptions {
  readonly mutant?: string;
  /** What a candidate shows, where that is not what a replay with the mutant shows. */
  readonly shows?: (c: Candidate) => Violation | null;
  readonly budget?: number;
  /** Called after each improvement. */
  readonly improved?: (c: Candidate, violation: Violation) => void;
}

export function shrink(start: Candidate, violation: Violation, options: ShrinkOptions = {}): ShrinkResult {
  return new Shrinker(start, violation, options).run();
}

class Shrinker {
  #best: Candidate;
  #violation: Violation;
  readonly #options: ShrinkOptions;
  readonly #from: number;
  #left: number;
  #tried = 0;
  #accepted = 0;

  constructor(start: Candidate, violation: Violation, options: ShrinkOptions) {
    this.#best = start;
    this.#violation = violation;
    this.#options = options;
    this.#from = start.operations.length;
    this.#left = options.budget ?? SHRINK_BUDGET;
  }

  run(): ShrinkResult {
    this.#deleteOperations();
    this.#simplifyWorld();
    this.#deleteOperations();
    if (this.#mergeMaps()) this.#deleteOperations();
    if (this.#deletePairs()) this.#deleteOperations();
    this.#simplifyCalls();
    this.#rebase();
    this.#halveSizes();
    this.#simplifyArguments();
    this.#rebase();
    this.#simplifyWorld();
    this.#left = Math.max(this.#left, FINAL_PASS);
    const minimal = this.#deleteOperations();
    return { ...this.#best, violation: this.#violation, from: this.#from, tried: this.#tried, accepted: this.#accepted, minimal };
  }

  /** The violation that the candidate shows, if it is the same one. */
  #fails(c: Candidate): Violation | null {
    if (this.#left <= 0) return null;
    this.#left -= 1;
    this.#tried += 1;
    const { mutant, shows } = this.#options;
    const v = shows === undefined ? replay(c.world, c.operations, mutant === undefined ? {} : { mutant }).violation : shows(c);
    return v !== null && v.rule === this.#violation.rule && v.cause === this.#violation.cause ? v : null;
  }

  #try(c: Candidate): boolean {
    const v = this.#fails(c);
    if (v === null) return false;
    this.#best = c;
    this.#violation = v;
    this.#accepted += 1;
    this.#options.improved?.(c, v);
    return true;
  }

  /** Delta debugging; true when a whole pass of single deletions found nothing more. */
  #deleteOperations(): boolean {
    return deleteItems(() => this.#best.operations, (operations) => this.#try({ world: this.#best.world, operations }), () => this.#left <= 0);
  }

  /** Fewer devices, domains and SMMUs; the ordinary value for each feature. */
  #simplifyWorld(): void {
    const w = (): World => this.#best.world;
    for (let d = w().devices.length - 1; d >= 0; d -= 1) this.#tryWorld(dropDevice(this.#best, d));
    for (let d = w().domains.length - 1; d >= 0; d -= 1) this.#tryWorld(dropDomain(this.#best, d));
    for (let s = w().smmus.length - 1; s >= 0; s -= 1) this.#tryWorld(dropSmmu(this.#best, s));
    const plain = smallWorld();
    this.#tryWorld({ ...this.#best, world: { ...w(), inputBits: plain.inputBits } });
    this.#tryWorld({ ...this.#best, world: { ...w(), storeOrder: plain.storeOrder } });
    this.#tryWorld({ ...this.#best, world: { ...w(), flushQueue: plain.flushQueue } });
    const { planner, ...unplanned } = w();
    if (planner !== undefined) this.#tryWorld({ ...this.#best, world: unplanned });
    this.#simplifyCoherency();
    w().smmus.forEach((_, i) => {
      for (const key of ['range', 'asidBits', 'asidMax', 'queueLog2', 'eventLog2', 'tlbEntries'] as const) {
        const smmus = w().smmus.map((s, k) => (k === i ? { ...s, [key]: plain.smmus[0]?.[key] } : s)) as World['smmus'];
        this.#tryWorld({ ...this.#best, world: { ...w(), smmus } });
      }
      for (const key of ['forceSync', 'ds'] as const) {
        const { [key]: had, ...rest } = w().smmus[i] as World['smmus'][number];
        if (had === true) this.#tryWorld({ ...this.#best, world: { ...w(), smmus: w().smmus.map((s, k) => (k === i ? rest : s)) } });
      }
    });
    w().domains.forEach((_, i) => {
      this.#tryWorld({ ...this.#best, world: { ...w(), domains: w().domains.map((d, k) => (k === i ? { mode: 'strict' as const, managed: false, ...(d.coherent === false ? { coherent: false as const } : {}) } : d)) } });
    });
    w().domains.forEach((domain, i) => {
      const { gather, ...rest } = domain;
      if (gather !== undefined) this.#tryWorld({ ...this.#best, world: { ...w(), domains: w().domains.map((d, k) => (k === i ? rest : d)) } });
    });
    w().devices.forEach((device, i) => {
      if (device.streams.length > 1) this.#tryWorld({ ...this.#best, world: { ...w(), devices: w().devices.map((d, k) => (k === i ? { ...d, streams: d.streams.slice(0, 1) } : d)) } });
    });
  }

  /** No lines that are written back by themselves, the driver's own cleaner, coherent SMMUs, domains that are not cleaned. */
  #simplifyCoherency(): void {
    const w = (): World => this.#best.world;
    for (const key of ['eviction', 'cleaner'] as const) {
      const { [key]: had, ...rest } = w();
      if (had !== undefined) this.#tryWorld({ ...this.#best, world: rest });
    }
    for (const list of ['smmus', 'domains'] as const) {
      w()[list].forEach((_, i) => {
        const world = { ...w(), [list]: w()[list].map((item, k) => (k === i ? coherent(item) : item)) } as World;
        this.#tryWorld({ ...this.#best, world });
      });
    }
  }

  #tryWorld(c: Candidate | null): void {
    if (c !== null && JSON.stringify(c) !== JSON.stringify(this.#best)) this.#try(c);
  }

  /** Two operations that need each other, such as a failing allocation and the call that it fails; only when few are left. */
  #deletePairs(): boolean {
    let deleted = false;
    for (let i = 0; i < this.#best.operations.length; i += 1) {
      for (let k = i + 1; k < this.#best.operations.length && this.#best.operations.length <= PAIRS_MAX; k += 1) {
        if (!this.#try({ world: this.#best.world, operations: this.#best.operations.filter((_, at) => at !== i && at !== k) })) continue;
        deleted = true;
        k = i;
      }
    }
    return deleted;
  }

  /** Two mappings of a domain as one: the later one in the earlier one's place, without what was mapped and unmapped between them. */
  #mergeMaps(): boolean {
    let merged = false;
    for (let i = 0; i < this.#best.operations.length; i += 1) {
      for (let k = i + 1; k < this.#best.operations.length; k += 1) {
        const first = this.#best.operations[i] as Operation;
        const later = this.#best.operations[k] as Operation;
        if (first.op !== 'map' || later.op !== 'map' || first.domain !== later.domain) continue;
        const between = (op: Operation, at: number): boolean => at > i && at <= k && (op.op === 'map' || op.op === 'unmap') && op.domain === later.domain;
        const operations = this.#best.operations.map((op, at) => (at === i ? later : op)).filter((op, at) => !between(op, at));
        if (!this.#try({ world: this.#best.world, operations })) continue;
        merged = true;
        k = i;
      }
    }
    return merged;
  }

  /** A plain `sync` says more than a call that only syncs on its way. */
  #simplifyCalls(): void {
    this.#best.operations.forEach((op, i) => {
      if ((op.op === 'unmap' || op.op === 'map') && i > 0) {
        this.#try({ world: this.#best.world, operations: this.#best.operations.map((o, k) => (k === i ? { op: 'sync' as const, domain: op.domain } : o)) });
      }
    });
  }

  /** All addresses together towards 0, in steps that keep every alignment. */
  #rebase(): void {
    for (const unit of [2 ** 30, 2 ** 21, 4096]) {
      const iovas = distinct(this.#best.operations, ['iova']);
      const least = Math.min(...iovas);
      const by = Math.floor(least / unit) * unit;
      if (iovas.length === 0 || by === 0) continue;
      this.#try({ world: this.#best.world, operations: this.#best.operations.map((op) => ('iova' in op ? { ...op, iova: op.iova - by } : op)) });
    }
  }

  /** Large sizes first: each halving makes every later evaluation cheaper. */
  #halveSizes(): void {
    for (const size of distinct(this.#best.operations, ['size'])) {
      for (let to = Math.floor(size / 8192) * 4096; to >= 4096; to = Math.floor(to / 8192) * 4096) {
        const from = size;
        const operations = this.#best.operations.map((op) => ('size' in op && op.size === from ? { ...op, size: to } : op));
        if (this.#try({ world: this.#best.world, operations })) break;
      }
    }
  }

  /** Distinct addresses and sizes are variables; fast-check simplifies their values, which it gets as an example. */
  #simplifyArguments(): void {
    const iovas = distinct(this.#best.operations, ['iova']);
    const frames = [...iovas, ...distinct(this.#best.operations, ['pa']).filter((pa) => !iovas.includes(pa))];
    const sizes = distinct(this.#best.operations, ['size']);
    if (frames.length + sizes.length === 0) return;
    const start = this.#best;
    const build = (values: readonly number[]): Candidate => ({
      world: start.world,
      operations: start.operations.map((op) => renamed(op, frames, sizes, values)),
    });
    const least = frames.map((bytes, i) => (i < iovas.length ? 0 : Math.min(PLAIN_OUTPUT, bytes / 4096)));
    const arbitrary = fc.tuple(...least.map((min) => fc.integer({ min, max: 2 ** 40 })), ...sizes.map(() => fc.integer({ min: 1, max: 2 ** 40 })));
    const example = [...frames, ...sizes].map((bytes) => bytes / 4096) as [number];
    if (!example.every((n) => Number.isInteger(n))) return;
    let left = ARGUMENTS_BUDGET;
    const fails = (values: number[]): boolean => {
      left -= 1;
      return left >= 0 && this.#fails(build(values)) !== null;
    };
    const outcome = fc.check(fc.property(arbitrary, (values) => !fails(values as number[])), { examples: [[example]], numRuns: 1, seed: 1 });
    const found = outcome.counterexample?.[0] as number[] | undefined;
    if (found !== undefined) this.#try(build(found));
  }
}

/** The same without `coherent: false`. */
function coherent<T extends { readonly coherent?: false }>(item: T): T {
  const rest = { ...item };
  delete (rest as { coherent?: false }).coherent;
  return rest;
}

type Addressed = { iova?: number; pa?: number; size?: number };

function distinct(operations: readonly Operation[], keys: readonly (keyof Addressed)[]): number[] {
  const seen = new Set<number>();
  for (const op of operations) for (const key of keys) {
    const value = (op as Addressed)[key];
    if (value !== undefined) seen.add(value);
  }
  return [...seen];
}

function renamed(op: Operation, frames: readonly number[], sizes: readonly number[], values: readonly number[]): Operation {
  const out: Addressed & { op: string } = { ...(op as Addressed & { op: string }) };
  if (out.iova !== undefined) out.iova = (values[frames.indexOf(out.iova)] as number) * 4096;
  if (out.pa !== undefined) out.pa = (values[frames.indexOf(out.pa)] as number) * 4096;
  if (out.size !== undefined) out.size = (values[frames.length + sizes.indexOf(out.size)] as number) * 4096;
  return out as Operation;
}

function dropDevice(c: Candidate, device: number): Candidate | null {
  if (c.world.devices.length < 2) return null;
  const operations: Operation[] = [];
  for (const op of c.operations) {
    if (!('device' in op)) operations.push(op);
    else if (op.device !== device) operations.push(op.device > device ? { ...op, device: op.device - 1 } : op);
  }
  return { world: { ...c.world, devices: c.world.devices.filter((_, i) => i !== device) }, operations };
}

function dropDomain(c: Candidate, domain: number): Candidate | null {
  if (c.world.domains.length < 2) return null;
  const shift = (d: number): number => (d > domain ? d - 1 : d);
  const operations: Operation[] = [];
  for (const op of c.operations) {
    if ('domain' in op) {
      if (op.domain !== domain) operations.push({ ...op, domain: shift(op.domain) });
    } else if (op.op === 'attach' && typeof op.to === 'number') {
      if (op.to !== domain) operations.push({ ...op, to: shift(op.to) });
    } else operations.push(op);
  }
  return { world: { ...c.world, domains: c.world.domains.filter((_, i) => i !== domain) }, operations };
}

/** An SMMU without devices. */
function dropSmmu(c: Candidate, smmu: number): Candidate | null {
  if (c.world.smmus.length < 2 || c.world.devices.some((d) => d.smmu === smmu)) return null;
  const devices = c.world.devices.map((d) => (d.smmu > smmu ? { ...d, smmu: d.smmu - 1 } : d));
  return { world: { ...c.world, smmus: c.world.smmus.filter((_, i) => i !== smmu), devices }, operations: c.operations };
}

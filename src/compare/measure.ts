/**
 * Measure: one sequence through both stacks in lockstep with one planner: every rule is asked, and what the plans cost is counted. The planner
 * stands in the driver's place of it, behind a meter.
 */
import { entryId, entrySmmu, entryUsers, arrayLength } from '../optimised/driver/invs.js';
import { isTable, slotOfTable, SPAN } from '../optimised/driver/table-reads.js';
import { Lockstep } from '../lockstep/lockstep.js';
import { OP } from '../spec/command.js';
import type { Description } from '../stack/description.js';
import type { Operation } from '../stack/operation.js';
import type { Planner, PlannerFeatures } from '../stack/planner.js';
import { Unmodelled, ViolationError, type Violation } from '../stack/violation.js';
import type { World } from '../stack/world.js';
import type { StateView } from '../operations/generate.js';
import { CandidateFault, type Fault } from './candidate.js';
import { countPlan, newCost, type Cost } from './cost.js';
import type { Question } from './pulse.js';

/** Questions that are kept for the stopwatch. */
export const SAMPLES_MAX = 1024;

/** A planner that counts what it is asked and what it answers. */
class Meter {
  readonly cost: Cost = newCost();
  /** Plans for less than everything, in the operation at hand. */
  asked = 0;
  readonly planner: Planner;

  constructor(inner: Planner, asked: ((d: Description, f: PlannerFeatures) => void) | null) {
    this.planner = {
      ...inner,
      plan: (d, f, out) => {
        asked?.(d, f);
        const count = inner.plan(d, f, out);
        if (!d.all) {
          this.asked += 1;
          countPlan(this.cost, d, out, count);
        }
        return count;
      },
    };
  }
}

export interface Measured {
  readonly operations: readonly Operation[];
  readonly cost: Cost;
  readonly violation: Violation | null;
  readonly fault: Fault | null;
  readonly unmodelled: string | null;
}

/** The next operation, or undefined at the end. */
export type Source = (view: StateView, at: number) => Operation | undefined;

export interface MeasureOptions {
  /** Hears every question. */
  readonly asked?: (d: Description, f: PlannerFeatures) => void;
}

export function fixed(operations: readonly Operation[]): Source {
  return (_view, at) => operations[at];
}

export function measure(world: World, source: Source, planner: Planner, options: MeasureOptions = {}): Measured {
  const meter = new Meter(planner, options.asked ?? null);
  const done: Operation[] = [];
  const result = (end: Partial<Measured>): Measured => ({ operations: done, cost: meter.cost, violation: null, fault: null, unmodelled: null, ...end });
  try {
    const stack = new Lockstep(world, { planner: meter.planner });
    for (let at = 0; ; at += 1) {
      const op = source(stack.intent, at);
      if (op === undefined) break;
      done.push(op);
      carryOut(stack, op, meter);
    }
    stack.close();
  } catch (error) {
    if (error instanceof ViolationError) return result({ violation: error.violation });
    if (error instanceof CandidateFault) return result({ fault: error.fault });
    if (error instanceof Unmodelled) return result({ unmodelled: error.what });
    throw error;
  }
  return result({});
}

/** Operations in which a planner can be asked for less than everything. */
function plans(op: Operation): boolean {
  return op.op === 'sync' || op.op === 'unmap' || op.op === 'map';
}

function carryOut(stack: Lockstep, op: Operation, meter: Meter): void {
  if (!plans(op)) {
    stack.step(op);
    return;
  }
  meter.asked = 0;
  const held = heldBy(stack);
  const c = stack.commands;
  const commands = (c[OP.TLBI_NH_VA] as number) + (c[OP.TLBI_NH_ASID] as number);
  const syncs = c[OP.SYNC] as number;
  stack.step(op);
  if (meter.asked === 0) return;
  meter.cost.commands += (c[OP.TLBI_NH_VA] as number) + (c[OP.TLBI_NH_ASID] as number) - commands;
  meter.cost.syncs += (c[OP.SYNC] as number) - syncs;
  meter.cost.entriesLost += lost(stack, held);
}

/** What the caches of one SMMU hold: five numbers an entry (ASID, frame, level, lo, hi), in the caches' own order. */
interface Held {
  readonly leaves: number[];
  readonly tables: number[];
}

const FIELDS = 5;

function heldBy(stack: Lockstep): Held[] {
  return stack.machines.map((machine) => {
    const leaves: number[] = [];
    const tables: number[] = [];
    machine.forEachLeaf((asid, frame, level, lo, hi) => { leaves.push(asid, frame, level, lo, hi); });
    machine.forEachTable((asid, frame, level, lo, hi) => { tables.push(asid, frame, level, lo, hi); });
    return { leaves, tables };
  });
}

/** Entries that went in one driver call, in which nothing is cached anew, and that the tables still justify. */
function lost(stack: Lockstep, before: readonly Held[]): number {
  let n = 0;
  heldBy(stack).forEach((after, smmu) => {
    const held = before[smmu] as Held;
    for (const kind of ['leaves', 'tables'] as const) n += lostOf(stack, smmu, held[kind], after[kind]);
  });
  return n;
}

/** `after` is `before` with gaps: both go through the same places in the same order. */
function lostOf(stack: Lockstep, smmu: number, before: readonly number[], after: readonly number[]): number {
  let n = 0;
  let at = 0;
  for (let i = 0; i < before.length; i += FIELDS) {
    let same = at < after.length;
    for (let k = 0; same && k < FIELDS; k += 1) same = before[i + k] === after[at + k];
    if (same) at += FIELDS;
    else if (wanted(stack, smmu, before.slice(i, i + FIELDS))) n += 1;
  }
  return n;
}

/** Does the domain of that tag still hold the descriptor that was cached? */
function wanted(stack: Lockstep, smmu: number, [asid, frame, level, lo, hi]: readonly number[]): boolean {
  const ctx = stack.driver.context;
  return ctx.state.domains.some((own) => {
    const array = ctx.cpu.loadLo(own.invsCell);
    for (let i = 0; i < arrayLength(ctx, array); i += 1) {
      if (entrySmmu(ctx, array, i) !== smmu || entryId(ctx, array, i) !== asid || entryUsers(ctx, array, i) === 0) continue;
      return holds(stack, own.rootSlot, { frame: frame as number, level: level as number, lo: lo as number, hi: hi as number });
    }
    return false;
  });
}

function holds(stack: Lockstep, root: number, e: { readonly frame: number; readonly level: number; readonly lo: number; readonly hi: number }): boolean {
  const { cpu, state } = stack.driver.context;
  let slot = root;
  for (let level = state.startLevel; ; level += 1) {
    const ref = slot * 512 + (Math.floor(e.frame / (SPAN[level] as number)) % 512);
    const lo = cpu.loadLo(ref);
    const hi = cpu.loadHi(ref);
    if (level === e.level) return lo === e.lo && hi === e.hi;
    if (!isTable(lo, level)) return false;
    slot = slotOfTable(lo, hi);
  }
}

/** One question, as what hears it may keep it. */
export function question(d: Description, f: PlannerFeatures): Question {
  return { description: { ...d }, features: { range: f.range, ds: f.ds } };
}

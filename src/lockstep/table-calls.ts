/**
 * TableCalls: the library under test and what its owner does for it: memory, one or two CPUs, the invalidation that a gather asks for. A call runs
 * in its plain form; two calls at once run in steps, each on a CPU of its own.
 */
import { POW2 } from '../spec/bits.js';
import type { TableContext } from '../spec/tables.js';
import { newTableContext } from '../spec/tables.js';
import { Cpu } from '../memory/cpu.js';
import { Journal } from '../memory/journal.js';
import { Memory } from '../memory/memory.js';
import { Pages } from '../memory/pages.js';
import { WalkerView } from '../memory/walker-view.js';
import { findTableMutant, type TableMutant } from '../mutants/table-mutants.js';
import { makeCleaner } from '../optimised/tables/cleaners/cleaners.js';
import { openTable, ownTableParts, roomOf, tableSteps, type PageTable, type TableForm } from '../optimised/tables/page-table.js';
import { newTableGather, type FlushReason, type TableGather, type TableHooks, type TableParts, type TableRoom } from '../optimised/tables/room.js';
import { DEFAULT_PLANNER, findPlanner } from '../parts/planners.js';
import type { Description } from '../stack/description.js';
import { newDescription } from '../stack/description.js';
import type { TableOperation, TableResult, TableWorld } from '../stack/page-table.js';
import { WHOLE_TAG, type Planner } from '../stack/planner.js';
import type { Steps } from '../stack/steps.js';
import { invalidationOf, type TableScene } from './table-scene.js';

/** 4 KiB frames that memory has room for at first: the root alone may be 256 of them. */
const FRAMES = 128;
/** Steps that two calls at once may take. */
const STEPS_MAX = 200_000;

/** Told before the commands of an invalidation go out. */
export type BeforeFlush = (gather: TableGather, why: FlushReason) => void;

export class TableCalls {
  readonly memory: Memory;
  readonly pages: Pages;
  readonly view: WalkerView | null;
  readonly cpus: readonly [Cpu, Cpu];
  readonly table: PageTable;
  /** Pages of the root and of tables that are in use when nothing is mapped. */
  readonly context: TableContext;
  readonly #world: TableWorld;
  readonly #rooms: readonly [TableRoom, TableRoom];
  readonly #planner: Planner;
  readonly #words: Uint32Array;
  readonly #description: Description = newDescription();
  readonly #before: BeforeFlush;
  readonly #broken: TableMutant | undefined;
  scene: TableScene | null = null;

  constructor(world: TableWorld, mutant: string | undefined, before: BeforeFlush, opened: (view: WalkerView, memory: Memory) => void) {
    this.#world = world;
    this.#before = before;
    this.memory = new Memory(new Journal(), FRAMES);
    this.pages = new Pages(this.memory);
    this.view = world.coherent ? null : new WalkerView(this.memory, (slot) => (this.pages.ownerOf(slot) ?? 'table') === 'table', world.eviction);
    this.pages.observer = this.view;
    if (this.view !== null) opened(this.view, this.memory);
    this.cpus = [new Cpu(this.memory, world.storeOrder), new Cpu(this.memory, world.storeOrder)];
    this.#broken = mutant === undefined ? undefined : findTableMutant(mutant);
    const broken = this.#broken;
    this.#planner = findPlanner(DEFAULT_PLANNER) as Planner;
    this.#words = new Uint32Array(this.#planner.room * 4);
    const parts = (form: TableForm): TableParts => ({ ...ownTableParts(form), ...broken?.parts?.(ownTableParts(form), form) });
    for (const cpu of this.cpus) {
      cpu.cleanFilter = broken?.cleans?.() ?? null;
      cpu.barrierFilter = broken?.barriers ?? null;
    }
    const plain = { flush: (room: TableRoom, gather: TableGather, why: FlushReason) => { this.#flush(room, gather, why); } } as unknown as TableHooks; // the plain form of the hook returns nothing
    const cleaner = makeCleaner(world.cleaner);
    this.table = openTable({ geometry: world.geometry, variant: world.variant, coherent: world.coherent, cpu: this.cpus[0], pages: this.pages, cleaner, hooks: plain, parts: parts('plain') }) as PageTable;
    const { room } = this.table;
    const steps = { hooks: { flush: (r: TableRoom, gather: TableGather, why: FlushReason) => this.#flushSteps(r, gather, why) }, parts: parts('steps') };
    this.#rooms = [{ ...roomOf(room, this.cpus[0]), ...steps }, { ...roomOf(room, this.cpus[1]), ...steps, gather: newTableGather() }];
    this.cpus[0].barrier('table-contents');
    const g = world.geometry;
    this.context = Object.assign(newTableContext(), {
      tg: g.tg, inputBits: g.inputBits, startLevel: room.shape.startLevel, outputBits: g.outputBits, ds: g.ds, wide: room.shape.wide, rootFrame: this.memory.frameOf(room.root), rootEntries: room.shape.rootEntries,
    });
  }

  get walker(): Memory {
    return this.view === null ? this.memory : this.view.memory;
  }

  /** What a mutant does in front of a call. */
  before(op: TableOperation): void {
    this.#broken?.before?.(this.table.room, op);
  }

  /** One call, alone. */
  perform(op: TableOperation): TableResult {
    for (const cpu of this.cpus) cpu.begin();
    const result = this.table.perform(op);
    if (op.op === 'sync' && this.#rooms[1].gather.pending) this.#alone(this.#rooms[1], op);
    return result;
  }

  /** Stores that no observer sees yet. */
  get pending(): number {
    return this.cpus[0].pending + this.cpus[1].pending;
  }

  #alone(room: TableRoom, op: TableOperation): void {
    const call = tableSteps.perform(room, op);
    while (call.next().done !== true);
  }

  /** Two calls; `act` does what is no call of the library, `returned` hears when a call is over. */
  together(calls: readonly [TableOperation, TableOperation], order: readonly (0 | 1)[], act: (op: TableOperation) => TableResult, returned: (op: TableOperation, result: TableResult) => void): readonly [TableResult, TableResult] {
    for (const cpu of this.cpus) {
      cpu.drainAll(); // whoever calls has been told of what was called before
      cpu.begin();
    }
    const results: [TableResult, TableResult] = [{ code: 'ok', bytes: 0 }, { code: 'ok', bytes: 0 }];
    const running = calls.map((op, i) => (isCall(op) ? tableSteps.perform(this.#rooms[i as 0 | 1], op) : acting(op, act)));
    const over = [false, false];
    const step = (i: 0 | 1): void => {
      if (over[i] === true) return;
      const next = (running[i] as Steps<TableResult>).next();
      if (next.done !== true) return;
      over[i] = true;
      results[i] = next.value;
      if (isCall(calls[i])) returned(calls[i], next.value);
    };
    for (const i of order) step(i);
    for (const i of [0, 1] as const) for (let n = 0; n < STEPS_MAX && over[i] === false; n += 1) step(i);
    for (const cpu of this.cpus) cpu.drainAll(); // whoever goes on is told that both are done
    return results;
  }

  /** What the gather says becomes commands; then a CMD_SYNC. */
  #flush(room: TableRoom, gather: TableGather, why: FlushReason): void {
    room.cpu.barrier('before-invs');
    this.#before(gather, why);
    this.#submit(gather);
  }

  * #flushSteps(room: TableRoom, gather: TableGather, why: FlushReason): Steps<void> {
    yield 'barrier before the invalidation';
    room.cpu.barrier('before-invs');
    this.#before(gather, why);
    yield 'submit the invalidation';
    this.#submit(gather);
  }

  #submit(gather: TableGather): void {
    const scene = this.scene;
    if (scene === null) return;
    const g = this.#world.geometry;
    const d = this.#description;
    const granule = POW2[g.tg - 12] as number;
    d.tg = g.tg;
    d.first = scene.base + gather.first - (gather.first % granule);
    d.last = scene.base + gather.last - (gather.last % granule) + granule - 1;
    d.leaves = gather.leaves;
    d.tables = gather.tables;
    d.all = false;
    const { range, all, tag } = invalidationOf(g.stage);
    const words = this.#words;
    let count = this.#planner.plan(d, { range: true, ds: g.ds }, words);
    if (count === WHOLE_TAG) {
      words.fill(0, 0, 4);
      words[0] = all;
      words[1] = tag;
      count = 1;
    } else {
      for (let at = 0; at < count * 4; at += 4) {
        words[at] = (words[at] as number) | range;
        words[at + 1] = tag;
      }
    }
    scene.submit(words, count, true);
  }
}

function isCall(op: TableOperation): boolean {
  return op.op === 'map' || op.op === 'map-sg' || op.op === 'unmap' || op.op === 'sync' || op.op === 'sync-map' || op.op === 'read-dirty';
}

function* acting(op: TableOperation, act: (op: TableOperation) => TableResult): Steps<TableResult> {
  yield 'an act of the environment';
  return act(op);
}

/**
 * Page table: one translation table put together: its root in memory, its cleaner and the form it runs in (plain, or in steps for exploring orders;
 * the build derives one from the other). Allocates nothing per page: what a mapping costs is its tables.
 */
import { BIT_VALID } from '../../spec/descriptor.js';
import { runSteps, type Plain } from '../../stack/steps.js';
import type { TableGeometry, TableOperation, TableResult, TableVariant } from '../../stack/page-table.js';
import { slotOfTable } from './format.js';
import { geometryFault, shapeOf } from './geometry.js';
import * as ownSteps from './parts.steps.js';
import { newCleanCost, newTableGather, type Cleaner, type MapCall, type TableCpu, type TableHooks, type TablePages, type TableParts, type TableRoom, type UnmapCall } from './room.js';
import { lookup } from './visitor.js';
import { emptyGather, NO_PLACE } from './walk.steps.js';

const ownPlain = (await import(new URL('./parts.plain.js', import.meta.url).href)) as Plain<typeof ownSteps>;

export type TableForm = 'plain' | 'steps';

/** The library's own parts in one form: what mutants start from. */
export function ownTableParts(form: TableForm): TableParts {
  return form === 'plain' ? ownPlain.OWN_TABLE_PARTS : ownSteps.OWN_TABLE_PARTS;
}

/** Parts in steps only begin when they are called: what is around them must be of their form. */
function formOf(parts: TableParts): TableForm {
  return Object.prototype.toString.call(parts.retire) === '[object GeneratorFunction]' ? 'steps' : 'plain';
}

export interface TableSetup {
  readonly geometry: TableGeometry;
  readonly variant: TableVariant;
  readonly coherent: boolean;
  readonly lazy?: boolean;
  readonly cpu: TableCpu;
  readonly pages: TablePages;
  readonly cleaner: Cleaner;
  /** Of the form of `parts`. */
  readonly hooks: TableHooks;
  readonly parts: TableParts;
}

/** Why there is no such table, or undefined. */
export function tableFault(geometry: TableGeometry, coherent: boolean): string | undefined {
  const fault = geometryFault(geometry);
  if (fault !== undefined) return fault;
  return geometry.dirty && !coherent ? 'hardware marks pages written only where the walker is coherent: dirty needs coherent' : undefined;
}

/** Another CPU in the same table. */
export function roomOf(room: TableRoom, cpu: TableCpu): TableRoom {
  return {
    ...room, cpu, stop: 'ok',
    run: { slot: 0, index: 0, level: 3, count: 0, entries: 1, iova: 0, pa: 0, prot: 'rw' },
    place: { slot: -1, level: NO_PLACE, page: 0 },
    replaced: newTableGather(),
  };
}

/** A new, empty table; `undefined` when there is no memory for its root. Throws for a geometry that does not exist. */
export function openTable(setup: TableSetup): PageTable | undefined {
  const fault = tableFault(setup.geometry, setup.coherent);
  if (fault !== undefined) throw new RangeError(fault);
  const shape = shapeOf(setup.geometry, setup.parts.startLevel(setup.geometry));
  const root = setup.pages.allocateTable(shape.rootFrames);
  if (root < 0) return undefined;
  const room = roomOf({
    geometry: setup.geometry, variant: setup.variant, shape, root, coherent: setup.coherent, lazy: setup.lazy ?? false, queued: [], cpu: setup.cpu, pages: setup.pages,
    cleaner: setup.cleaner, gather: newTableGather(), replaced: newTableGather(), hooks: setup.hooks, parts: setup.parts, upkeep: newCleanCost(), stop: 'ok',
    run: { slot: 0, index: 0, level: 3, count: 0, entries: 1, iova: 0, pa: 0, prot: 'rw' }, place: { slot: -1, level: NO_PLACE, page: 0 },
  }, setup.cpu);
  if (!setup.coherent) {
    room.upkeep.calls += 1;
    room.upkeep.lines += setup.cpu.clean(root * 512, shape.rootEntries, 'new-table');
  }
  return new PageTable(room);
}

export class PageTable {
  readonly room: TableRoom;
  readonly #form: TableForm;

  constructor(room: TableRoom) {
    this.room = room;
    this.#form = formOf(room.parts);
  }

  /** One operation of the interface, run to its end, as the core calls it (see `performTable`). */
  perform(op: TableOperation): TableResult {
    return this.#form === 'plain' ? ownPlain.performTable(this.room, op) : runSteps(ownSteps.performTable(this.room, op));
  }

  /** One call of `map_pages`: may do less than it was asked for. */
  map(call: MapCall): TableResult {
    const { room } = this;
    const bytes = this.#form === 'plain' ? ownPlain.mapOnce(room, call) : runSteps(ownSteps.mapOnce(room, call));
    if (!room.coherent) room.cleaner.callDone(room);
    return { code: room.stop, bytes };
  }

  /** One call of `unmap_pages`. */
  unmap(call: UnmapCall): TableResult {
    const { room } = this;
    const bytes = this.#form === 'plain' ? ownPlain.unmapOnce(room, call) : runSteps(ownSteps.unmapOnce(room, call));
    return { code: room.stop, bytes };
  }

  /** Output address, or -1. */
  lookup(iova: number): number {
    return lookup(this.room, iova);
  }

  /** Absent where the walker is coherent: nobody pays for it there. */
  get syncMap(): ((iova: number, size: number) => TableResult) | null {
    if (this.room.coherent) return null;
    return (iova, size) => this.perform({ op: 'sync-map', iova, size });
  }

  /** Gives all tables back. The owner has invalidated everything of the table's tag before. */
  destroy(): void {
    const { room } = this;
    for (const gather of [room.gather, room.replaced]) {
      for (const slot of gather.freed) room.pages.releaseTable(slot, room.shape.frames);
      emptyGather(gather);
    }
    for (const slot of room.queued) room.pages.releaseTable(slot, room.shape.frames);
    room.queued.length = 0;
    releaseBelow(room, room.root, room.shape.startLevel, room.shape.rootEntries);
    room.pages.releaseTable(room.root, room.shape.rootFrames);
  }
}

function releaseBelow(room: TableRoom, slot: number, level: number, entries: number): void {
  if (level === 3) return;
  for (let i = 0; i < entries; i += 1) {
    const lo = room.cpu.loadLo(slot * 512 + i);
    if ((lo & BIT_VALID) === 0 || !room.parts.isTable(lo, level)) continue;
    const child = slotOfTable(lo, room.cpu.loadHi(slot * 512 + i));
    releaseBelow(room, child, level + 1, room.shape.entries);
    room.pages.releaseTable(child, room.shape.frames);
  }
}

/** The same operations in steps. */
export const tableSteps = { perform: ownSteps.performTable, mapOnce: ownSteps.mapOnce, unmapOnce: ownSteps.unmapOnce };

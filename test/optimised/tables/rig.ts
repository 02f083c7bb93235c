/** A table alone in memory, and what its hooks were asked. */
import { Cpu } from '../../../src/memory/cpu.js';
import { Journal } from '../../../src/memory/journal.js';
import { Memory } from '../../../src/memory/memory.js';
import { Pages } from '../../../src/memory/pages.js';
import { WalkerView } from '../../../src/memory/walker-view.js';
import { makeCleaner } from '../../../src/optimised/tables/cleaners/cleaners.js';
import { openTable, ownTableParts, type PageTable } from '../../../src/optimised/tables/page-table.js';
import type { FlushReason, TableParts } from '../../../src/optimised/tables/room.js';
import type { TableGeometry, TableVariant } from '../../../src/stack/page-table.js';

export const PLAIN: TableGeometry = { tg: 12, stage: 1, inputBits: 48, outputBits: 48, half: 'lower', ds: false, contiguous: false, dirty: false };

export interface Asked {
  readonly why: FlushReason;
  readonly first: number;
  readonly end: number;
  readonly leaves: number;
  readonly tables: number;
  readonly freed: number;
  /** Frames in use when it was asked. */
  readonly inUse: number;
}

export interface Rig {
  readonly memory: Memory;
  readonly pages: Pages;
  readonly cpu: Cpu;
  readonly table: PageTable;
  readonly view: WalkerView | null;
  readonly asked: Asked[];
}

export interface RigSetup {
  readonly geometry?: Partial<TableGeometry>;
  readonly variant?: TableVariant;
  readonly coherent?: boolean;
  readonly lazy?: boolean;
  readonly parts?: Partial<TableParts>;
}

export function rig(setup: RigSetup = {}): Rig {
  const memory = new Memory(new Journal(), 128);
  const pages = new Pages(memory);
  const coherent = setup.coherent ?? true;
  const view = coherent ? null : new WalkerView(memory, (slot) => pages.ownerOf(slot) === 'table' || pages.ownerOf(slot) === null);
  if (view !== null) pages.observer = view;
  const cpu = new Cpu(memory);
  const asked: Asked[] = [];
  const table = openTable({
    geometry: { ...PLAIN, ...setup.geometry }, variant: setup.variant ?? 'io-pgtable', coherent, lazy: setup.lazy ?? false, cpu, pages, cleaner: makeCleaner('eager'),
    hooks: { flush: (_room, g, why) => {
      cpu.barrier('before-invs');
      asked.push({ why, first: g.first, end: g.last + 1, leaves: g.leaves, tables: g.tables, freed: g.freed.length, inUse: pages.pagesInUse });
      return undefined as never;
    } },
    parts: { ...ownTableParts('plain'), ...setup.parts },
  });
  if (table === undefined) throw new Error('no memory');
  return { memory, pages, cpu, table, view, asked };
}

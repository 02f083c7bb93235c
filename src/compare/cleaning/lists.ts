/**
 * Lists: what each cleaner spends on scatter lists, mapped by the page-table library in one call of map-sg: piece after piece, and then the range is synced. Every
 * piece lies elsewhere in memory, so that none continues the last one. Afterwards the walker's view says whether all of it is visible.
 */
import { Cpu } from '../../memory/cpu.js';
import { Journal } from '../../memory/journal.js';
import { Memory } from '../../memory/memory.js';
import { Pages } from '../../memory/pages.js';
import { WalkerView } from '../../memory/walker-view.js';
import { makeCleaner } from '../../optimised/tables/cleaners/cleaners.js';
import { openTable, ownTableParts } from '../../optimised/tables/page-table.js';
import type { CleanCost, TableHooks } from '../../optimised/tables/room.js';
import { newTableContext } from '../../spec/tables.js';
import { CLEANER_NAMES, type CleanerName, type Piece, type TableGeometry } from '../../stack/page-table.js';
import { staleness } from './paths.js';

export interface ScatterList {
  readonly what: string;
  readonly geometry: TableGeometry;
  readonly iova: number;
  /** Sizes of the pieces in bytes. */
  readonly sizes: readonly number[];
}

export interface ListCost extends CleanCost {
  readonly cleaner: CleanerName;
  /** 4 KiB frames that the walker does not see as they are. */
  readonly stale: number;
}

export interface ListRow {
  readonly list: ScatterList;
  /** Lines that hold its leaves; leaves. */
  readonly touched: number;
  readonly leaves: number;
  /** Lines of new tables and pointers: the same for every cleaner. */
  readonly upkeep: number;
  readonly costs: readonly ListCost[];
}

const KB4 = 4096;
const KB64 = 16 * KB4;
const MB2 = 512 * KB4;
const GB1 = 512 * MB2;

function geometry(tg: 12 | 14 | 16, stage: 1 | 2, inputBits: number): TableGeometry {
  return { tg, stage, inputBits, outputBits: 48, half: 'lower', ds: false, contiguous: false, dirty: false };
}

const HOST = geometry(12, 1, 48);

function pages(count: number, iova: number, where: string): ScatterList {
  return { what: `${count} ${count === 1 ? 'page' : 'pages'} of 4K${where}`, geometry: HOST, iova, sizes: Array.from({ length: count }, () => KB4) };
}

/** 4K until the next 64K, 64K until the next 2M, and 2M. */
function mixed(): number[] {
  const sizes: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    for (let i = 0; i < 16; i += 1) sizes.push(KB4);
    for (let i = 1; i < 32; i += 1) sizes.push(KB64);
    sizes.push(MB2);
  }
  return sizes;
}

export const LISTS: readonly ScatterList[] = [
  pages(1, 0, ''), pages(8, 0, ''), pages(8, 5 * KB4, ', not at the start of a line'), pages(64, 0, ''), pages(512, 0, ''), pages(4096, 0, ''),
  pages(4096, GB1 - 2048 * KB4, ' around a boundary of 1G'),
  { what: '4K, 64K and 2M in turn: 144 pieces', geometry: HOST, iova: 0, sizes: mixed() },
  { what: '64 blocks of 2M around a boundary of 1G', geometry: HOST, iova: GB1 - 32 * MB2, sizes: Array.from({ length: 64 }, () => MB2) },
  { what: '512 pages, granule of 16K', geometry: geometry(14, 1, 47), iova: 0, sizes: Array.from({ length: 512 }, () => 4 * KB4) },
  { what: '512 pages, granule of 64K', geometry: geometry(16, 1, 42), iova: 0, sizes: Array.from({ length: 512 }, () => KB64) },
  { what: '64 pages of 4K around the middle of a 40-bit stage 2', geometry: geometry(12, 2, 40), iova: 512 * GB1 - 32 * KB4, sizes: Array.from({ length: 64 }, () => KB4) },
];

/** Pieces that lie apart: every other unit of their size, from where nothing else is. */
function piecesOf(list: ScatterList): Piece[] {
  return list.sizes.map((size, i) => ({ pa: 64 * GB1 + i * 2 * MB2 * (list.geometry.tg === 12 ? 1 : 16), size }));
}

const HOOKS: TableHooks = { flush: function flush() { return undefined as never; } };

/** Maps the list with one cleaner and looks at what it left. */
function spend(list: ScatterList, name: CleanerName): { readonly cost: ListCost; readonly touched: number; readonly leaves: number; readonly upkeep: number } {
  const memory = new Memory(new Journal());
  const pagesPort = new Pages(memory);
  const view = new WalkerView(memory, (slot) => (pagesPort.ownerOf(slot) ?? 'table') === 'table');
  pagesPort.observer = view;
  const cpu = new Cpu(memory);
  const cleaner = makeCleaner(name);
  const table = openTable({ geometry: list.geometry, variant: 'io-pgtable', coherent: false, cpu, pages: pagesPort, cleaner, hooks: HOOKS, parts: ownTableParts('plain') });
  if (table === undefined) throw new Error('no memory for a root');
  const result = table.perform({ op: 'map-sg', iova: list.iova, pieces: piecesOf(list), prot: 'rw' });
  const size = list.sizes.reduce((sum, s) => sum + s, 0);
  if (result.bytes !== size) throw new Error(`${list.what}: only ${result.bytes} of ${size} bytes were mapped: ${result.code}`);
  const { shape, root } = table.room;
  const { tg, startLevel, ds, wide, rootEntries } = shape;
  const context = { ...newTableContext(), tg, startLevel, ds, wide, rootEntries, inputBits: list.geometry.inputBits, outputBits: list.geometry.outputBits, rootFrame: memory.frameOf(root) };
  const found = staleness({ cpu: memory, walker: view.memory }, context, { first: list.iova / KB4, count: size / KB4 });
  const { lines, calls, descriptors, walks, warnings } = cleaner.cost;
  return { cost: { cleaner: name, lines, calls, descriptors, walks, warnings, stale: found.frames }, touched: found.lines, leaves: found.leaves, upkeep: table.room.upkeep.lines };
}

export function listRow(list: ScatterList, names: readonly CleanerName[] = CLEANER_NAMES): ListRow {
  const spent = names.map((name) => spend(list, name));
  const { touched, leaves, upkeep } = spent[0] as (typeof spent)[number];
  return { list, touched, leaves, upkeep, costs: spent.map((s) => s.cost) };
}

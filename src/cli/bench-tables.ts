/**
 * Sides of bench for the page-table library alone, without any walker: single pages, 2 MB of pages, and what a gigabyte of pages takes in memory.
 */
import { Cpu } from '../memory/cpu.js';
import { Journal } from '../memory/journal.js';
import { Memory } from '../memory/memory.js';
import { HEAP_FRAMES, Pages } from '../memory/pages.js';
import { makeCleaner } from '../optimised/tables/cleaners/cleaners.js';
import { openTable, ownTableParts, type PageTable } from '../optimised/tables/page-table.js';
import { TABLE_VARIANTS, type TableVariant } from '../stack/page-table.js';
import type { AccessBench } from './bench-sides.js';

const PAGE = 4096;
const BLOCK = 2 ** 21;
/** Pages of a block. */
const PAGES = BLOCK / PAGE;
const GIGABYTE = 2 ** 30;

interface Bench {
  readonly table: PageTable;
  readonly memory: Memory;
  readonly pages: Pages;
  readonly cpu: Cpu;
}

/** A coherent stage-1 table of 4K pages and 48 bits, in memory with room for `slots` pages. */
function open(variant: TableVariant, slots: number): Bench {
  const memory = new Memory(new Journal(), slots);
  const pages = new Pages(memory);
  const cpu = new Cpu(memory);
  const geometry = { tg: 12, stage: 1, inputBits: 48, outputBits: 48, half: 'lower', ds: false, contiguous: false, dirty: false } as const;
  const flush = (): never => {
    cpu.barrier('before-invs');
    return undefined as never;
  };
  const table = openTable({ geometry, variant, coherent: true, cpu, pages, cleaner: makeCleaner('eager'), hooks: { flush }, parts: ownTableParts('plain') });
  if (table === undefined) throw new Error('no memory for the root of a table');
  return { table, memory, pages, cpu };
}

/** A page in each step. What the other direction takes is done 512 pages at a time, in between. */
function pageBench(variant: TableVariant, mapping: boolean): AccessBench {
  const { table, cpu } = open(variant, 128);
  const all = { iova: BLOCK, pa: PAGE, pageSize: PAGE, count: PAGES, prot: 'rw' } as const;
  let wrong = 0;
  let at = PAGES;
  if (mapping) table.map(all);
  return {
    step: () => {
      if (at === PAGES) {
        at = 0;
        cpu.begin();
        const other = mapping ? table.unmap(all) : table.map(all);
        if (other.bytes !== BLOCK) wrong += 1;
      }
      const one = { iova: BLOCK + at * PAGE, pa: PAGE + at * PAGE, pageSize: PAGE, count: 1, prot: 'rw' } as const;
      const result = mapping ? table.map(one) : table.unmap(one);
      if (result.bytes !== PAGE) wrong += 1;
      at += 1;
    },
    check: () => wrong === 0,
  };
}

/** 2 MB of pages in one call, and away again in one call: 1024 pages changed in each step. */
function blockBench(variant: TableVariant): AccessBench {
  const { table, cpu } = open(variant, 128);
  const call = { iova: BLOCK, pa: PAGE, pageSize: PAGE, count: PAGES, prot: 'rw' } as const;
  let wrong = 0;
  return {
    step: () => {
      cpu.begin();
      if (table.map(call).bytes !== BLOCK || table.unmap(call).bytes !== BLOCK) wrong += 1;
      table.perform({ op: 'sync' });
    },
    check: () => wrong === 0,
  };
}

export interface TableSide {
  readonly name: string;
  readonly bench: AccessBench;
  /** Steps of one round, and pages of each step. */
  readonly steps: number;
  readonly pages: number;
}

export function tableSides(): TableSide[] {
  return TABLE_VARIANTS.flatMap((variant) => [
    { name: `page table, ${variant}: map one 4K page`, bench: pageBench(variant, true), steps: 100_000, pages: 1 },
    { name: `page table, ${variant}: unmap one 4K page`, bench: pageBench(variant, false), steps: 100_000, pages: 1 },
    { name: `page table, ${variant}: a page of 2 MB of 4K pages, mapped or taken away`, bench: blockBench(variant), steps: 1000, pages: 2 * PAGES },
  ]);
}

export interface Footprint {
  /** Frames of the tables that a gigabyte of 4K pages needs. */
  readonly tables: number;
  /** Bytes of the arrays that hold them, counted per frame that is in use. */
  readonly bytes: number;
  /** Percent above the tables themselves. */
  readonly more: number;
}

export function footprint(): Footprint {
  const tables = 1 + 1 + 1 + GIGABYTE / BLOCK;
  const { table, memory, pages } = open('io-pgtable', HEAP_FRAMES + tables);
  const before = process.memoryUsage();
  const done = table.perform({ op: 'map', iova: 0, pa: PAGE, pageSize: PAGE, count: GIGABYTE / PAGE, prot: 'rw' });
  const after = process.memoryUsage();
  if (done.bytes !== GIGABYTE || pages.pagesInUse !== tables) throw new Error('a gigabyte of pages was not mapped');
  const perSlot = [memory.lo, memory.hi, memory.version, memory.odd, memory.watched].reduce((n, a) => n + a.byteLength, 0) / memory.slots;
  const bytes = Math.round(perSlot * tables) + Math.max(0, after.arrayBuffers - before.arrayBuffers);
  return { tables, bytes, more: Math.round((bytes / (tables * PAGE) - 1) * 1000) / 10 };
}

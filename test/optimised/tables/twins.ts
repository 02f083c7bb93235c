/**
 * Twins: a page table and its flat map, asked the same random operations. After each of them the results must be equal, what a literal walk of memory finds
 * must be what the flat map holds, tables must stand where it says, and look-ups must agree; where the walker is not coherent, what it sees as well. At the end nothing is left.
 */
import { Cpu } from '../../../src/memory/cpu.js';
import { Journal } from '../../../src/memory/journal.js';
import { Memory, RAM_BASE, WORDS_PER_FRAME } from '../../../src/memory/memory.js';
import { Pages } from '../../../src/memory/pages.js';
import { WalkerView } from '../../../src/memory/walker-view.js';
import { makeCleaner } from '../../../src/optimised/tables/cleaners/cleaners.js';
import { openTable, ownTableParts, type PageTable } from '../../../src/optimised/tables/page-table.js';
import type { TableGather, TableHooks, TableParts } from '../../../src/optimised/tables/room.js';
import { FlatMap } from '../../../src/reference/tables/flat-map.js';
import { flatten, newFlattened, type Flattened, type FlatRoot } from '../../../src/reference/tables/flatten.js';
import { firstDifference } from '../../../src/reference/tables/leaves.js';
import { BIT_READ_ONLY, BIT_S2AP_WRITE, BIT_TABLE, HI_DBM, tableAddress } from '../../../src/spec/descriptor.js';
import { levelShift } from '../../../src/spec/granule.js';
import { Draw } from './draw.js';
import { anchors, drawOperation } from './twin-operations.js';
import { levelBit } from '../../../src/stack/description.js';
import type { CleanerName, TableGeometry, TableOperation, TableResult, TableVariant } from '../../../src/stack/page-table.js';

interface Flush {
  readonly first: number;
  readonly end: number;
  readonly leaves: number;
  readonly dirty?: boolean;
}

export interface TwinWorld {
  readonly geometry: TableGeometry;
  readonly variant: TableVariant;
  readonly coherent: boolean;
  readonly cleaner: CleanerName;
  readonly parts?: TableParts;
}

export class Twins {
  readonly pages: Pages;
  readonly memory: Memory;
  readonly cpu: Cpu;
  readonly table: PageTable;
  readonly flat: FlatMap;
  readonly root: FlatRoot;
  readonly view: WalkerView | null;
  readonly #found: Flattened;
  readonly #seen: Flattened;
  readonly #promised = new Set<number>();
  /** Leaves that were taken away or marked clean, and that no flush has covered yet; flushes of the running operation. */
  #due: (Flush & { readonly level: number })[] = [];
  readonly #flushes: Flush[] = [];
  #fault = '';
  /** What the last operation returned. */
  last: TableResult = { code: 'ok', bytes: 0 };

  constructor(world: TwinWorld, storeOrder: 'fifo' | 'reverse' = 'fifo') {
    this.memory = new Memory(new Journal(), 128);
    this.pages = new Pages(this.memory);
    this.view = world.coherent ? null : new WalkerView(this.memory, (slot) => this.pages.ownerOf(slot) === 'table' || this.pages.ownerOf(slot) === null);
    if (this.view !== null) this.pages.observer = this.view;
    this.cpu = new Cpu(this.memory, storeOrder);
    const parts = world.parts ?? ownTableParts('plain');
    const inSteps = Object.prototype.toString.call(parts.retire) === '[object GeneratorFunction]';
    const flush = (gather: TableGather): void => { this.#flush(gather); };
    const hooks: TableHooks = inSteps ? { *flush(_room, gather) { flush(gather); } } : { flush: (_room, gather) => flush(gather) as never };
    const table = openTable({ ...world, cpu: this.cpu, pages: this.pages, cleaner: makeCleaner(world.cleaner), hooks, parts });
    if (table === undefined) throw new Error('no memory for the root');
    this.table = table;
    const { startLevel } = table.room.shape;
    this.flat = new FlatMap(world.geometry, world.variant, startLevel);
    this.root = { geometry: world.geometry, startLevel, frame: RAM_BASE + table.room.root };
    this.#found = newFlattened(world.geometry);
    this.#seen = newFlattened(world.geometry);
    this.pages.listeners.push({ freed: (slot) => {
      if (!this.#promised.delete(slot)) this.#fault ||= `the table in slot ${slot} was released before its flush`;
    } });
  }

  /** What an invalidation asks for: everything visible, and no way to the tables that are to be freed. */
  #flush(gather: TableGather): void {
    this.cpu.barrier('before-invs');
    this.#flushes.push({ first: gather.first * 4096, end: (gather.last + 1) * 4096, leaves: gather.leaves });
    if (gather.freed.length === 0) return;
    const reach = flatten(this.view?.memory ?? this.memory, this.root, newFlattened(this.flat.geometry), true);
    for (const slot of gather.freed) {
      for (let i = 0; i < this.table.room.shape.frames; i += 1) this.#promised.add(slot + i);
      if (reach.tables.some((t) => t.frame === RAM_BASE + slot)) this.#fault ||= `the walker still finds the table in slot ${slot} when it is flushed`;
    }
  }

  /** Does one operation on both, or with `once` a single call of map_pages or unmap_pages; says what is wrong, or nothing. */
  step(op: TableOperation, once = false): string {
    if (op.op === 'fail-next-allocation') {
      this.pages.failNext();
      this.flat.failNext = true;
      return '';
    }
    if (op.op === 'access') {
      if (op.write) hardwareWrite(this.memory, this.root, op.iova);
      if (op.write) this.flat.written(op.iova);
      return this.compare(op.op);
    }
    this.cpu.begin();
    const got = this.last = once ? this.#once(op) : this.table.perform(op);
    this.cpu.drainAll();
    const before = this.#damage(op, got);
    const want = once && op.op === 'map' ? this.flat.mapOnce(op) : once && op.op === 'unmap' ? this.flat.unmapOnce(op) : this.flat.perform(op);
    const different = compareResults(got, want);
    if (different !== '') return `${op.op}: ${different}`;
    for (const leaf of before) if (op.op === 'read-dirty' || this.flat.lookup(leaf.first) < 0 || this.flat.leaves.level(this.flat.leaves.find(leaf.first)) !== leaf.level) this.#due.push(leaf);
    this.#due = this.#due.filter((d) => !this.#flushes.some((f) => f.first <= d.first && f.end >= d.end && (f.leaves & d.leaves) !== 0));
    this.#flushes.length = 0;
    const left = op.op === 'sync' || op.op === 'read-dirty' ? this.#due.find((d) => op.op === 'sync' || d.dirty === true) : undefined;
    if (left !== undefined) return `${op.op}: no flush covered the leaf of level ${left.level} at 0x${left.first.toString(16)}`;
    return this.compare(op.op);
  }

  #once(op: TableOperation): TableResult {
    return op.op === 'map' ? this.table.map(op) : op.op === 'unmap' ? this.table.unmap(op) : this.table.perform(op);
  }

  /** Leaves that the operation may take away, or marks clean. */
  #damage(op: TableOperation, got: TableResult): (Flush & { readonly level: number })[] {
    if (op.op !== 'unmap' && op.op !== 'map' && op.op !== 'map-sg' && (op.op !== 'read-dirty' || !op.clear)) return [];
    const found: (Flush & { readonly level: number })[] = [];
    for (const range of op.op === 'read-dirty' ? got.dirty ?? [] : [{ iova: op.iova, size: got.bytes }]) {
      const { leaves } = this.flat;
      for (let i = leaves.firstAfter(range.iova); i < leaves.length && (leaves.iova[i] as number) < range.iova + range.size; i += 1) {
        const leaf = leaves.at(i);
        if (op.op === 'read-dirty' && !leaf.dirty) continue;
        found.push({ first: leaf.iova, end: leaf.iova + leaf.size, leaves: levelBit(leaf.level), level: leaf.level, dirty: op.op === 'read-dirty' });
      }
    }
    return found;
  }

  compare(what: string): string {
    if (this.#fault !== '') return `${what}: ${this.#fault}`;
    const found = flatten(this.memory, this.root, this.#found);
    if (found.faults[0] !== undefined) return `${what}: ${found.faults[0]}`;
    const at = firstDifference(found.leaves, this.flat.leaves);
    if (at >= 0) return `${what}: leaf ${at} is ${at < found.leaves.length ? JSON.stringify(found.leaves.at(at)) : 'missing'}, expected ${at < this.flat.leaves.length ? JSON.stringify(this.flat.leaves.at(at)) : 'none'}`;
    if (found.tableCount !== this.flat.tables) return `${what}: ${found.tableCount} tables stand, expected ${this.flat.tables}`;
    const { shape, gather } = this.table.room;
    const expected = shape.rootFrames + (found.tableCount + gather.freed.length) * shape.frames;
    if (this.pages.pagesInUse !== expected) return `${what}: ${this.pages.pagesInUse} frames are in use, expected ${expected}`;
    if (this.pages.fault !== null) return `${what}: ${this.pages.fault.what}`;
    return this.view === null ? '' : this.#compareView(what);
  }

  /** The walker sees the same: only for cleaners that leave nothing for later. */
  #compareView(what: string): string {
    if (this.table.room.cleaner.deferred) return '';
    const seen = flatten((this.view as WalkerView).memory, this.root, this.#seen);
    const at = firstDifference(seen.leaves, this.flat.leaves);
    if (at >= 0) return `${what}: the walker sees ${at < seen.leaves.length ? JSON.stringify(seen.leaves.at(at)) : 'nothing'} for leaf ${at}`;
    return seen.tableCount === this.flat.tables ? '' : `${what}: the walker sees ${seen.tableCount} tables`;
  }

  lookups(addresses: readonly number[]): string {
    for (const iova of addresses) {
      const got = this.table.lookup(iova);
      const want = iova >= 0 && iova < this.table.room.shape.inputEnd ? this.flat.lookup(iova) : -1;
      if (got !== want) return `look-up of 0x${iova.toString(16)}: 0x${got.toString(16)}, expected 0x${want.toString(16)}`;
    }
    return '';
  }

  /** Syncs, gives everything back; says what is left. */
  end(): string {
    const left = this.step({ op: 'sync' });
    if (left !== '') return left;
    this.pages.listeners.length = 0;
    this.table.destroy();
    return this.pages.pagesInUse === 0 && this.pages.fault === null ? '' : `${this.pages.pagesInUse} frames are left at the end`;
  }
}

/** Random operations on one table; says what was wrong first, or nothing. */
export function runTwins(world: TwinWorld, seed: number, operations: number): string {
  const draw = new Draw(seed);
  const twins = new Twins(world, draw.chance(2) ? 'fifo' : 'reverse');
  const { shape } = twins.table.room;
  const places = anchors(shape, draw);
  for (let i = 0; i < operations; i += 1) {
    const op = drawOperation(shape, places, draw);
    const at = 'iova' in op ? op.iova : 0;
    const wrong = twins.step(op, draw.chance(3)) || twins.lookups([at, at - 1, at + draw.below(1 << 16), shape.inputEnd, draw.one(places)]);
    if (wrong !== '') return `seed ${seed}, operation ${i}: ${wrong}`;
  }
  return twins.end();
}

/** The world of one geometry of the list: contiguous, dirty, coherent and cleaner are drawn. */
export function drawWorld(geometry: TableGeometry, seed: number): TwinWorld {
  const draw = new Draw(seed ^ 0x7ab1e5);
  const dirty = draw.chance(3);
  return {
    geometry: { ...geometry, contiguous: draw.chance(2), dirty }, variant: draw.one(['io-pgtable', 'iommupt']), coherent: dirty || draw.chance(2),
    cleaner: draw.one(['eager', 'range-visitor', 'map-sg']),
  };
}

export function compareResults(got: TableResult, want: TableResult): string {
  const same = got.code === want.code && got.bytes === want.bytes && JSON.stringify(got.dirty) === JSON.stringify(want.dirty);
  return same ? '' : `returned ${JSON.stringify(got)}, expected ${JSON.stringify(want)}`;
}

/** What hardware does with a write: the descriptor that maps the page is marked, if it is a writable-clean one. */
export function hardwareWrite(memory: Memory, root: FlatRoot, iova: number): void {
  const g = root.geometry;
  const form = { tg: g.tg, ds: g.ds, wide: g.tg === 16 && g.outputBits > 48 };
  let frame = root.frame;
  let entries = 2 ** (g.inputBits - levelShift(g.tg, root.startLevel));
  for (let level = root.startLevel; ; level += 1) {
    const index = Math.floor(iova / 2 ** levelShift(g.tg, level)) % entries;
    const ref = memory.slotOf(frame) * WORDS_PER_FRAME + index;
    const lo = memory.lo[ref] as number;
    const hi = memory.hi[ref] as number;
    if ((lo & 1) === 0) return;
    if (level < 3 && (lo & BIT_TABLE) !== 0) {
      frame = tableAddress(lo, hi, form);
      entries = 2 ** (g.tg - 3);
      continue;
    }
    if ((hi & HI_DBM) !== 0) memory.commit(ref, (g.stage === 1 ? lo & ~BIT_READ_ONLY : lo | BIT_S2AP_WRITE) >>> 0, hi);
    return;
  }
}

/**
 * Ground: one table of one geometry, written word by word and not by the page-table library, so that what a cleaner leaves behind is its own doing. As
 * the library does, it makes new tables and pointers visible at once and tells the cleaner of each run of leaves in one table. After each question
 * the words that it wrote are empty again in both views.
 */
import { Cpu, type CleanSite } from '../../memory/cpu.js';
import { Journal } from '../../memory/journal.js';
import { Memory } from '../../memory/memory.js';
import { WalkerView } from '../../memory/walker-view.js';
import { makeCleaner } from '../../optimised/tables/cleaners/cleaners.js';
import type { CleanRoom, LeafCleaner } from '../../optimised/tables/cleaners/leaf-cleaner.js';
import { isTable } from '../../optimised/tables/format.js';
import { shapeOf, type TableShape } from '../../optimised/tables/geometry.js';
import { addressHigh, addressLow } from '../../spec/descriptor.js';
import { newTableContext, type TableContext } from '../../spec/tables.js';
import type { CleanerName, TableGeometry } from '../../stack/page-table.js';
import { staleness, type Staleness } from './paths.js';
import type { GranuleRange, RangeShape } from './ranges.js';
import type { Ground, Seen } from './search.js';

/** A CPU that notes which pages are read and cleaned. */
class NotingCpu extends Cpu {
  readonly slots = new Set<number>();
  /** The one that was noted last. */
  #slot = -1;

  override loadLo(ref: number): number {
    const slot = Math.floor(ref / 512);
    if (slot !== this.#slot) this.slots.add(slot);
    this.#slot = slot;
    return super.loadLo(ref);
  }

  forget(): void {
    this.slots.clear();
    this.#slot = -1;
  }

  override clean(ref: number, words: number, site: CleanSite): number {
    for (let slot = Math.floor(ref / 512); slot <= Math.floor((ref + words - 1) / 512); slot += 1) this.slots.add(slot);
    return super.clean(ref, words, site);
  }
}

/** What the ranges of a shape depend on. */
export function rangeShape(shape: TableShape): RangeShape {
  let leafLevels = 0;
  for (let level = shape.startLevel; level <= 3; level += 1) if (shape.leafAt[level + 1] === true) leafLevels |= 1 << (3 - level);
  return { tg: shape.tg, startLevel: shape.startLevel, rootBits: Math.round(Math.log2(shape.rootEntries)), leafLevels };
}

/** Output frames of leaves: below the RAM window. */
const OUTPUT_UNITS = 64;

export class LiteralGround implements Ground {
  readonly shape: TableShape;
  readonly #memory: Memory;
  readonly #view: WalkerView;
  readonly #cpu: NotingCpu;
  readonly #context: TableContext;
  readonly #room: CleanRoom;
  readonly #name: CleanerName;
  #cleaner: LeafCleaner;
  /** First slot behind the tables. */
  #next: number;
  /** Table below an entry, by the entry's reference. */
  readonly #tables = new Map<number, number>();
  /** Words that were written. */
  readonly #written: number[] = [];

  constructor(geometry: TableGeometry, name: CleanerName) {
    this.shape = shapeOf(geometry);
    this.#name = name;
    this.#memory = new Memory(new Journal());
    this.#memory.grow(this.shape.rootFrames);
    this.#view = new WalkerView(this.#memory, () => true);
    this.#cpu = new NotingCpu(this.#memory);
    this.#next = this.shape.rootFrames;
    const { tg, startLevel, ds, wide, rootEntries } = this.shape;
    this.#context = { ...newTableContext(), tg, inputBits: geometry.inputBits, startLevel, outputBits: geometry.outputBits, ds, wide, rootFrame: this.#memory.frameOf(0), rootEntries };
    this.#room = { geometry, shape: this.shape, root: 0, cpu: this.#cpu, parts: { isTable } };
    this.#cleaner = makeCleaner(name);
  }

  get cost(): LeafCleaner['cost'] {
    return this.#cleaner.cost;
  }

  ask(range: GranuleRange, neighbours: boolean): Seen {
    const { granule } = this.shape;
    const iova = range.first * granule;
    const size = range.count * granule;
    this.clear();
    if (neighbours) this.#surround(iova, iova + size);
    this.mapAll(iova, size);
    const tables = new Set<number>();
    this.#cpu.forget();
    this.sync(iova, size);
    const found = this.stale(iova, size, tables);
    const { cost } = this;
    return {
      staleFrames: found.frames, stale: found.first, touched: found.lines, lines: cost.lines, calls: cost.calls, warnings: cost.warnings,
      foreign: this.#foreign(tables), beyond: 'beyond' in cost ? cost.beyond as number : 0,
    };
  }

  /** Everything is empty, and the cleaner new. */
  clear(): void {
    for (const ref of this.#written) this.#memory.commit(ref, 0, 0);
    let line = -1;
    for (const ref of this.#written) {
      if (Math.floor(ref / 8) !== line) this.#view.clean(ref, 1);
      line = Math.floor(ref / 8);
    }
    this.#written.length = 0;
    this.#tables.clear();
    this.#cpu.begin();
    this.#next = this.shape.rootFrames;
    this.#cleaner = makeCleaner(this.#name);
  }

  /** With the largest leaves that fit, from the start on: one call of the cleaner for each run in one table. */
  mapAll(iova: number, size: number): void {
    const { shape } = this;
    const end = iova + size;
    let at = iova;
    while (at < end) {
      let level = shape.startLevel;
      while (shape.leafAt[level + 1] !== true || at % this.#span(level) !== 0 || at + this.#span(level) > end) level += 1;
      const larger = level > shape.startLevel && shape.leafAt[level] === true ? this.#span(level - 1) : Infinity;
      const stop = larger === Infinity ? end : Math.min(end, Math.floor(at / larger) * larger + larger);
      const count = Math.floor((stop - at) / this.#span(level));
      this.map(at, level, count);
      at += count * this.#span(level);
    }
  }

  /** One call of map: leaves at one level. */
  map(iova: number, level: number, count = 1): void {
    this.write(iova, level, count);
    this.done();
  }

  /** What one call writes. */
  write(iova: number, level: number, count = 1): void {
    let left = count;
    let at = iova;
    while (left > 0) {
      const ref = this.#entry(at, level);
      const n = Math.min(left, this.shape.entries - (ref % this.shape.entries));
      for (let i = 0; i < n; i += 1) this.#leaf(ref + i, level, i);
      this.#cleaner.leavesWritten(this.#room, ref, n);
      left -= n;
      at += n * this.#span(level);
    }
  }

  /** The call ends. */
  done(): void {
    this.#cleaner.callDone(this.#room);
  }

  sync(iova: number, size: number): void {
    this.#cleaner.syncMap(this.#room, iova, size);
  }

  stale(iova: number, size: number, tables: Set<number> | null = null): Staleness {
    return staleness({ cpu: this.#memory, walker: this.#view.memory }, this.#context, { first: iova / 4096, count: size / 4096 }, tables);
  }

  #span(level: number): number {
    return this.shape.span[level + 1] as number;
  }

  #leaf(ref: number, level: number, unit: number): void {
    this.#put(ref, (unit % OUTPUT_UNITS) * (this.shape.spanFrames[level + 1] as number), level === 3 ? 3 : 1);
  }

  #put(ref: number, frame: number, type: number): void {
    this.#written.push(ref);
    this.#memory.commit(ref, addressLow(frame, this.#context) + type, addressHigh(frame, this.#context));
  }

  /** Reference of the entry for `iova` at `level`; tables that are missing are made, and visible. */
  #entry(iova: number, level: number): number {
    const { shape } = this;
    let table = 0;
    for (let at = shape.startLevel; ; at += 1) {
      const index = Math.floor(iova / this.#span(at)) % (at === shape.startLevel ? shape.rootEntries : shape.entries);
      if (at === level) return table + index;
      table = this.#below(table + index);
    }
  }

  #below(ref: number): number {
    const known = this.#tables.get(ref);
    if (known !== undefined) return known;
    const { frames } = this.shape;
    const slot = Math.ceil(this.#next / frames) * frames;
    this.#next = slot + frames;
    this.#memory.grow(this.#next);
    this.#put(ref, this.#memory.frameOf(slot), 3);
    this.#view.clean(ref, 1);
    this.#tables.set(ref, slot * 512);
    return slot * 512;
  }

  /** A page, long visible, on both sides of the range in the next entry of each level above 3. */
  #surround(from: number, end: number): void {
    for (let level = this.shape.startLevel; level < 3; level += 1) {
      const span = this.#span(level);
      for (const page of [Math.floor(from / span) * span - this.shape.granule, Math.ceil(end / span) * span]) {
        if (page < 0 || page >= this.shape.inputEnd) continue;
        const ref = this.#entry(page, 3);
        this.#leaf(ref, 3, 0);
        this.#view.clean(ref, 1);
      }
    }
  }

  /** Tables that were read or cleaned and are not on the way to the range. */
  #foreign(tables: ReadonlySet<number>): number {
    const { rootFrames, frames } = this.shape;
    const found = new Set<number>();
    for (const slot of this.#cpu.slots) {
      const first = slot < rootFrames ? 0 : slot - (slot % frames);
      if (!tables.has(first)) found.add(first);
    }
    return found.size;
  }
}

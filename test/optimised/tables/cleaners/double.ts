/**
 * A small stand-in for the page-table library: writes leaves and tables of a range literally, tells the cleaner, and keeps both views of memory.
 */
import { Cpu } from '../../../../src/memory/cpu.js';
import { Journal } from '../../../../src/memory/journal.js';
import { Memory } from '../../../../src/memory/memory.js';
import { WalkerView } from '../../../../src/memory/walker-view.js';
import { shapeOf, type TableShape } from '../../../../src/optimised/tables/geometry.js';
import type { Cleaner, TableRoom } from '../../../../src/optimised/tables/room.js';
import { addressHigh, addressLow } from '../../../../src/spec/descriptor.js';
import { newTableContext, type TableContext } from '../../../../src/spec/tables.js';
import type { TableGeometry } from '../../../../src/stack/page-table.js';
import { staleness, type Staleness } from '../../../../src/compare/cleaning/paths.js';

export const GEOMETRY: TableGeometry = { tg: 12, stage: 1, inputBits: 48, outputBits: 48, half: 'lower', ds: false, contiguous: false, dirty: false };

export class Double {
  readonly memory = new Memory(new Journal(), 1024);
  readonly view: WalkerView;
  readonly cpu: Cpu;
  readonly shape: TableShape;
  readonly context: TableContext;
  readonly room: TableRoom;
  #next = 0;

  constructor(readonly geometry: TableGeometry, readonly cleaner: Cleaner) {
    this.view = new WalkerView(this.memory, () => true);
    this.cpu = new Cpu(this.memory);
    this.shape = shapeOf(geometry);
    const root = this.#take(this.shape.rootFrames);
    const { tg, startLevel, ds, wide, rootEntries } = this.shape;
    this.context = { ...newTableContext(), tg, inputBits: geometry.inputBits, startLevel, outputBits: geometry.outputBits, ds, wide, rootFrame: this.memory.frameOf(root), rootEntries };
    this.room = { geometry, shape: this.shape, root, cpu: this.cpu, cleaner } as unknown as TableRoom;
  }

  #take(frames: number): number {
    const slot = Math.ceil(this.#next / frames) * frames;
    this.#next = slot + frames;
    this.memory.grow(this.#next);
    for (let i = 0; i < frames; i += 1) {
      this.memory.zeroPage(slot + i);
      this.view.clean((slot + i) * 512, 512);
    }
    return slot;
  }

  /** Reference of the entry for `iova` at `level`; tables that are missing are made. */
  entry(iova: number, level: number): number {
    let at = this.shape.startLevel;
    let table = this.room.root * 512;
    for (;;) {
      const index = Math.floor(iova / (this.shape.span[at + 1] as number)) % (at === this.shape.startLevel ? this.shape.rootEntries : this.shape.entries);
      if (at === level) return table + index;
      table = this.#below(table + index);
      at += 1;
    }
  }

  #tables = new Map<number, number>();

  #below(ref: number): number {
    const known = this.#tables.get(ref);
    if (known !== undefined) return known;
    const slot = this.#take(this.shape.frames);
    this.#put(ref, this.memory.frameOf(slot), 3);
    this.view.clean(ref, 1);
    this.#tables.set(ref, slot * 512);
    return slot * 512;
  }

  #put(ref: number, frame: number, type: number): void {
    this.memory.commit(ref, (addressLow(frame, this.context) + type) >>> 0, addressHigh(frame, this.context));
  }

  /** One call of map: `count` leaves at `level`. */
  map(iova: number, level: number, count = 1): void {
    const span = this.shape.span[level + 1] as number;
    let left = count;
    let at = iova;
    while (left > 0) {
      const ref = this.entry(at, level);
      const n = Math.min(left, this.shape.entries - (ref % this.shape.entries));
      for (let i = 0; i < n; i += 1) this.#put(ref + i, (at / span + i) % 4096 * (this.shape.spanFrames[level + 1] as number), level === 3 ? 3 : 1);
      this.cleaner.leavesWritten(this.room, ref, n);
      left -= n;
      at += n * span;
    }
    this.cleaner.callDone(this.room);
  }

  sync(iova: number, size: number): void {
    this.cleaner.syncMap(this.room, iova, size);
  }

  stale(iova: number, size: number): Staleness {
    return staleness({ cpu: this.memory, walker: this.view.memory }, this.context, { first: iova / 4096, count: size / 4096 });
  }
}

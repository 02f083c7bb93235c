/**
 * Generate, for page tables: a world and the calls on it, from one Chooser. Addresses crowd around a few places where something ends: a table, a
 * sub-table of a concatenated root, a block, a run, the input range; so what one call leaves behind is what the next one meets. A share of the
 * calls is wrong on purpose. What is mapped is only guessed here: a call that a right library refuses is a call like any other.
 */
import type { Chooser } from '../stack/chooser.js';
import type { Piece, TableOperation, TableProt, TableWorld } from '../stack/page-table.js';
import { boundarySteps, inputEnd, leafSizes, outputEnd, runOf } from './table-shape.js';
import { oneIn, pick, type TableMix, type TableProfile } from './table-worlds.js';

export interface TableRun {
  readonly world: TableWorld;
  readonly operations: readonly TableOperation[];
}

/** Operations of one run at most. */
export const TABLE_RUN_OPERATIONS = 160;
/** First byte of the pages that are mapped, behind RAM. */
const DATA = 2 ** 33;
const PIECES = [1, 2, 3, 4, 8, 20];
/** Largest block in a scatter list. */
const SCATTERED_BLOCK = 2 ** 25;

interface Live {
  readonly iova: number;
  readonly pageSize: number;
  readonly count: number;
}

type Single = Exclude<TableOperation, { op: 'together' }>;

export function generateTableRun(c: Chooser, profile: TableProfile, most = TABLE_RUN_OPERATIONS): TableRun {
  const world = profile.world(c);
  const generator = new TableGenerator(world, profile.mix, c);
  const length = 8 + c.index(TABLE_RUN_OPERATIONS - 7);
  const operations: TableOperation[] = [];
  while (operations.length < length) operations.push(...generator.next());
  return { world, operations: operations.slice(0, Math.min(length, most)) };
}

class TableGenerator {
  readonly #c: Chooser;
  readonly #world: TableWorld;
  readonly #kinds: readonly (readonly [TableOperation['op'], number])[];
  readonly #total: number;
  readonly #end: number;
  readonly #sizes: readonly number[];
  /** The same and whole contiguous runs. */
  readonly #pageSizes: readonly number[];
  /** Where calls meet. */
  readonly #places: readonly number[];
  #live: Live[] = [];
  #gone: Live[] = [];
  #frames = 0;

  constructor(world: TableWorld, mix: TableMix, c: Chooser) {
    const g = world.geometry;
    this.#c = c;
    this.#world = world;
    // Where hardware marks pages, rounds of reading and clearing are what there is to see.
    const often = g.dirty ? { ...mix, 'read-dirty': mix['read-dirty'] * 4 } : mix;
    this.#kinds = Object.entries(often) as [TableOperation['op'], number][];
    this.#total = this.#kinds.reduce((sum, [, weight]) => sum + weight, 0);
    this.#end = inputEnd(g);
    this.#sizes = leafSizes(g);
    this.#pageSizes = g.contiguous ? this.#sizes.flatMap((size) => [size, size * runOf(g, size)]).filter((size) => size <= this.#end && size <= outputEnd(g)) : this.#sizes;
    this.#places = Array.from({ length: 1 + c.index(3) }, () => this.#place());
  }

  #place(): number {
    const c = this.#c;
    const steps = boundarySteps(this.#world.geometry);
    if (steps.length === 0 || oneIn(c, 6)) return oneIn(c, 2) ? 0 : this.#end;
    const step = pick(c, steps);
    const count = Math.floor(this.#end / step);
    return step * Math.min(count, oneIn(c, 3) ? 1 + c.index(Math.min(count, 2 ** 20)) : 1 + c.index(4));
  }

  /** The next operation, and those that go with it. */
  next(): TableOperation[] {
    for (;;) {
      const made = this.#make(this.#kind());
      if (made.length > 0) return made;
    }
  }

  #kind(): TableOperation['op'] {
    let roll = this.#c.index(this.#total);
    for (const [kind, weight] of this.#kinds) {
      roll -= weight;
      if (roll < 0) return kind;
    }
    return 'access';
  }

  #make(kind: TableOperation['op']): TableOperation[] {
    const c = this.#c;
    switch (kind) {
      case 'map': return this.#map();
      case 'map-sg': return [this.#scatter()];
      case 'sync-map': return [this.#syncMap()];
      case 'unmap': return this.#unmap();
      case 'sync': this.#gone = []; return [{ op: 'sync' }];
      case 'read-dirty': return [this.#readDirty()];
      case 'access': return [this.#access()];
      case 'evict': return this.#world.coherent ? [] : [{ op: 'evict', line: c.index(64) }];
      case 'fail-next-allocation': return [{ op: 'fail-next-allocation' }, ...this.#map()];
      case 'together': return this.#together();
    }
  }

  /** `count` pages of a size that ends or begins near a place. */
  #near(pageSize: number, count: number): number {
    const c = this.#c;
    const g = this.#world.geometry;
    const run = this.#sizes.includes(pageSize) ? runOf(g, pageSize) : 1;
    const unit = run > 1 && g.contiguous && oneIn(c, 2) ? pageSize * run : pageSize;
    const place = Math.floor(pick(c, this.#places) / unit) * unit;
    const back = pick(c, [0, 0, 0, 1, count, 1 + c.index(4), 1 + c.index(Math.max(1, count))]);
    const iova = place - back * (oneIn(c, 4) ? unit : pageSize) + (oneIn(c, 4) ? c.index(4) * unit : 0);
    return Math.max(0, Math.min(iova, Math.floor((this.#end - count * pageSize) / unit) * unit));
  }

  #count(pageSize: number): number {
    const c = this.#c;
    const run = this.#sizes.includes(pageSize) ? runOf(this.#world.geometry, pageSize) : 1;
    const n = pick(c, [1, 1, 1, 2, 2 + c.index(4), 4 + c.index(14), run, this.#world.geometry.contiguous ? run * 2 : 3, oneIn(c, 16) ? 20 + c.index(80) : 2]);
    return Math.max(1, Math.min(n, Math.floor(this.#end / pageSize), Math.floor(outputEnd(this.#world.geometry) / pageSize)));
  }

  #size(): number {
    const c = this.#c;
    return oneIn(c, 3) ? pick(c, this.#pageSizes) : this.#sizes[0] as number;
  }

  /** Where the pages go: aligned as they ask, often as whole runs and larger blocks would. */
  #target(bytes: number, align: number, iova: number): number {
    const c = this.#c;
    const end = outputEnd(this.#world.geometry);
    this.#frames += 1;
    const larger = this.#sizes.filter((s) => s >= align);
    const unit = oneIn(c, 3) ? align : Math.min(pick(c, larger.length > 0 ? larger : [align]), end / 2);
    const inside = iova % unit; // congruent with the input: larger sizes and runs fit
    const top = Math.floor((end - bytes) / align) * align;
    if (oneIn(c, 12)) return Math.max(0, top);
    const at = Math.ceil((DATA + this.#frames * 2 ** 20) / unit) * unit + inside;
    const aligned = Math.floor(at / align) * align;
    return aligned + bytes <= end ? aligned : Math.max(0, Math.floor((top - (this.#frames % 8) * align) / align) * align);
  }

  #prot(): TableProt {
    const c = this.#c;
    return oneIn(c, 40) ? 'none' : oneIn(c, 10) ? 'w' : oneIn(c, 3) ? 'r' : 'rw';
  }

  #map(): TableOperation[] {
    const c = this.#c;
    if (oneIn(c, 30)) return [this.#wrongMap()];
    const pageSize = this.#size();
    const count = this.#count(pageSize);
    const again = oneIn(c, 4) ? this.#gone.pop() : undefined;
    const iova = again?.iova ?? this.#near(pageSize, count);
    const call = { op: 'map', iova: Math.floor(iova / pageSize) * pageSize, pa: this.#target(pageSize * count, pageSize, iova), pageSize, count, prot: this.#prot() } as const;
    this.#live.push(call);
    if (this.#world.coherent || oneIn(c, 5)) return [call];
    return [call, { op: 'sync-map', iova: call.iova, size: pageSize * count }];
  }

  #wrongMap(): TableOperation {
    const c = this.#c;
    const size = this.#sizes[0] as number;
    const good = { op: 'map', iova: this.#near(size, 1), pa: DATA, pageSize: size, count: 1, prot: 'rw' } as const;
    const bits = this.#world.geometry.inputBits;
    return pick(c, [
      { ...good, iova: good.iova + 2 ** Math.min(52, bits) }, { ...good, iova: this.#end - size, count: 2 }, { ...good, pa: outputEnd(this.#world.geometry) },
      { ...good, iova: good.iova + 8 }, { ...good, pa: DATA + 512 }, { ...good, pageSize: size * 2 }, { ...good, pageSize: 1024 }, { ...good, pageSize: 0 }, { ...good, count: 0 },
    ]);
  }

  #scatter(): TableOperation {
    const c = this.#c;
    const granule = this.#sizes[0] as number;
    const most = Math.max(1, Math.floor(this.#end / granule));
    const n = Math.min(oneIn(c, 24) ? 1 + c.index(120) : pick(c, PIECES), most);
    const mixed = oneIn(c, 3);
    const pieces: Piece[] = [];
    const block = this.#sizes[1] ?? granule;
    const blocks = mixed && block <= SCATTERED_BLOCK ? 1 + c.index(2) : 0;
    let total = 0;
    for (let i = 0; i < n; i += 1) {
      const size = i < blocks ? block : granule * (oneIn(c, 3) ? 1 + c.index(4) : 1);
      if (total + size > this.#end) break;
      pieces.push({ pa: this.#target(size, size % block === 0 ? block : granule, 0), size });
      total += size;
    }
    if (pieces.length === 0) pieces.push({ pa: this.#target(granule, granule, 0), size: granule });
    const pages = Math.max(granule, total) / granule;
    // A block that is not aligned to its place costs a table of pages: rarely.
    const unit = blocks > 0 && !oneIn(c, 16) ? block : granule;
    const near = this.#near(granule, pages);
    const iova = Math.floor(near / unit) * unit;
    this.#live.push({ iova, pageSize: granule, count: pages });
    return { op: 'map-sg', iova, pieces, prot: this.#prot() };
  }

  #syncMap(): TableOperation {
    const c = this.#c;
    const last = this.#live.at(-1 - c.index(Math.min(3, Math.max(1, this.#live.length))));
    if (last === undefined || oneIn(c, 8)) return { op: 'sync-map', iova: this.#near(this.#sizes[0] as number, 4), size: (this.#sizes[0] as number) * (1 + c.index(40)) };
    return { op: 'sync-map', iova: last.iova, size: last.pageSize * last.count };
  }

  #unmap(): TableOperation[] {
    const c = this.#c;
    const at = c.index(Math.max(1, this.#live.length));
    const live = this.#live[at];
    if (live === undefined || oneIn(c, 24)) {
      const pageSize = this.#size();
      const count = this.#count(pageSize);
      return [{ op: 'unmap', iova: this.#near(pageSize, count), pageSize, count }];
    }
    const call = this.#unmapOf(live, at);
    return oneIn(c, 2) ? [call, { op: 'sync' }] : [call];
  }

  #unmapOf(live: Live, at: number): TableOperation {
    const c = this.#c;
    const roll = c.index(10);
    if (roll < 2 && live.count > 1) { // a part; the rest stays
      const first = c.index(live.count);
      const count = 1 + c.index(live.count - first);
      return { op: 'unmap', iova: live.iova + first * live.pageSize, pageSize: live.pageSize, count };
    }
    const [gone] = this.#live.splice(at, 1);
    if (gone !== undefined) this.#gone.push(gone);
    const larger = this.#sizes.find((s) => s > live.pageSize);
    if (roll < 4 && larger !== undefined) { // everything under one larger entry, whatever is there
      return { op: 'unmap', iova: Math.floor(live.iova / larger) * larger, pageSize: larger, count: 1 };
    }
    return { op: 'unmap', iova: live.iova, pageSize: live.pageSize, count: live.count };
  }

  #readDirty(): TableOperation {
    const c = this.#c;
    const granule = this.#sizes[0] as number;
    const live = this.#live.length === 0 ? undefined : pick(c, this.#live);
    if (live === undefined || oneIn(c, 8)) return { op: 'read-dirty', iova: this.#near(granule, 8), size: granule * (1 + c.index(16)), clear: oneIn(c, 2) };
    const first = oneIn(c, 3) ? c.index(live.count) : 0;
    const count = oneIn(c, 3) ? 1 + c.index(live.count - first) : live.count - first;
    return { op: 'read-dirty', iova: live.iova + first * live.pageSize, size: count * live.pageSize, clear: !oneIn(c, 4) };
  }

  #access(): TableOperation {
    const c = this.#c;
    const granule = this.#sizes[0] as number;
    const from = oneIn(c, 4) && this.#gone.length > 0 ? this.#gone : this.#live;
    const write = oneIn(c, 2);
    if (from.length === 0 || oneIn(c, 12)) return { op: 'access', iova: this.#near(granule, 1) + c.index(granule / 4096) * 4096, write };
    const { iova, pageSize, count } = pick(c, from);
    const page = pick(c, [0, count - 1, count, c.index(count)]);
    const inside = pageSize === granule ? 0 : oneIn(c, 3) ? pageSize - granule : c.index(4) * granule;
    return { op: 'access', iova: Math.max(0, iova + page * pageSize + inside - (oneIn(c, 8) ? granule : 0)), write };
  }

  #together(): TableOperation[] {
    const first = this.#call(null);
    const second = first === null ? null : this.#call(first);
    if (first === null || second === null) return [];
    return [{ op: 'together', calls: [first, second], order: this.#order() }];
  }

  /** One of two calls; the second is about other addresses than the first, mostly right beside it. */
  #call(beside: Single | null): Single | null {
    const c = this.#c;
    const pageSize = this.#sizes[0] as number;
    if (beside === null) {
      const roll = c.index(4);
      const live = this.#live[0];
      if (roll === 0 && live !== undefined) return this.#take(0);
      if (roll === 1 && live !== undefined && this.#world.geometry.dirty) return { op: 'read-dirty', iova: live.iova, size: live.pageSize * live.count, clear: true };
      return this.#mapAt(oneIn(c, 2) ? this.#near(pageSize, 2) : this.#fresh(), pageSize, 1 + c.index(3));
    }
    if (beside.op === 'read-dirty') return { op: 'access', iova: beside.iova + c.index(4) * pageSize, write: true };
    if (beside.op !== 'map' && beside.op !== 'unmap') return null;
    const end = beside.iova + beside.pageSize * beside.count;
    const other = this.#live.findIndex((l) => l.iova >= end || l.iova + l.pageSize * l.count <= beside.iova);
    if (oneIn(c, 4) && other >= 0) return this.#take(other);
    if (oneIn(c, 6)) return { op: 'access', iova: beside.iova, write: oneIn(c, 2) };
    const before = oneIn(c, 2) && beside.iova >= pageSize * 2;
    const iova = before ? Math.floor(beside.iova / pageSize) * pageSize - pageSize * 2 : end;
    return iova + pageSize * 2 > this.#end ? null : this.#mapAt(iova, pageSize, 1 + c.index(2));
  }

  /** Somewhere where no table may stand yet. */
  #fresh(): number {
    const c = this.#c;
    const step = pick(c, boundarySteps(this.#world.geometry).concat(this.#end));
    const room = Math.floor(this.#end / step);
    return Math.min(step * c.index(Math.min(room, 2 ** 30)), this.#end - 8 * (this.#sizes[0] as number) < 0 ? 0 : this.#end - 8 * (this.#sizes[0] as number));
  }

  #take(at: number): Single {
    const [live] = this.#live.splice(at, 1) as [Live];
    this.#gone.push(live);
    return { op: 'unmap', iova: live.iova, pageSize: live.pageSize, count: live.count };
  }

  #mapAt(iova: number, pageSize: number, count: number): Single {
    const call = { op: 'map', iova, pa: this.#target(pageSize * count, pageSize, iova), pageSize, count, prot: 'rw' } as const;
    this.#live.push(call);
    return call;
  }

  /** Stretches of steps: how far one CPU gets before the other goes on. */
  #order(): (0 | 1)[] {
    const c = this.#c;
    const order: (0 | 1)[] = [];
    let cpu: 0 | 1 = oneIn(c, 2) ? 0 : 1;
    for (let turns = 1 + c.index(4); turns > 0; turns -= 1) {
      for (let steps = c.index(14); steps > 0; steps -= 1) order.push(cpu);
      cpu = cpu === 0 ? 1 : 0;
    }
    return order;
  }
}

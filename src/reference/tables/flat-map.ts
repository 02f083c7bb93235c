/**
 * Flat map: what a table must do, said without tables. It holds which descriptors map what, and answers every call of both variants (see
 * stack/page-table.ts; the algorithms are described in the headers of optimised/tables).
 *
 * One thing a list of leaves cannot tell: where an emptied table was left behind. io-pgtable's unmap by a block's size takes it away and counts its span as unmapped,
 * where without it there is a hole; and whether a call needs memory depends on it. So the map also remembers at which places tables stand: from the first call that
 * had to go below a place until one that must take it away. With that every call has exactly one allowed result, as long as calls do not overlap in time.
 * Allocation: `failNext` refuses the next table that is needed.
 */
import { levelShift, contiguousEntries, leafAllowed, stride } from '../../spec/granule.js';
import { POW2 } from '../../spec/bits.js';
import type { Piece, TableError, TableGeometry, TableOperation, TableProt, TableResult, TableVariant } from '../../stack/page-table.js';
import { DIRTY, leafInfo, Leaves } from './leaves.js';

interface Size {
  readonly bytes: number;
  readonly level: number;
  /** Members of the run; 1 for a single leaf. */
  readonly members: number;
}

export interface MapRequest {
  readonly iova: number;
  readonly pa: number;
  readonly pageSize: number;
  readonly count: number;
  readonly prot: TableProt;
}

export interface UnmapRequest {
  readonly iova: number;
  readonly pageSize: number;
  readonly count: number;
}

type Code = 'ok' | TableError;

export class FlatMap {
  readonly geometry: TableGeometry;
  readonly variant: TableVariant;
  readonly startLevel: number;
  readonly leaves: Leaves;
  /** By level + 1: tables whose entries are at that level, by their place. The root is not among them. */
  readonly standing: readonly Set<number>[] = [-1, 0, 1, 2, 3].map(() => new Set<number>());
  failNext = false;
  /** Sizes of leaves and runs, largest first. */
  readonly sizes: readonly Size[];
  readonly #granule: number;
  #code: Code = 'ok';

  constructor(geometry: TableGeometry, variant: TableVariant, startLevel: number) {
    this.geometry = geometry;
    this.variant = variant;
    this.startLevel = startLevel;
    this.leaves = new Leaves(geometry.tg);
    this.#granule = this.span(3);
    this.sizes = [-1, 0, 1, 2, 3].filter((level) => level >= startLevel).flatMap((level) => this.#sizesAt(level));
  }

  #sizesAt(level: number): Size[] {
    const g = this.geometry;
    if (!leafAllowed(g.tg, level, g.ds, g.tg === 16 && g.outputBits > 48)) return [];
    const one = { bytes: this.span(level), level, members: 1 };
    const members = contiguousEntries(g.tg, level, g.ds);
    if (!g.contiguous || members === 1 || one.bytes * members > this.#end) return [one];
    return [{ bytes: one.bytes * members, level, members }, one];
  }

  /** Bytes of one entry at `level`. */
  span(level: number): number {
    return POW2[levelShift(this.geometry.tg, level)] as number;
  }

  get #end(): number {
    return POW2[this.geometry.inputBits] as number;
  }

  /** Tables below the root. */
  get tables(): number {
    return this.standing.reduce((n, set) => n + set.size, 0);
  }

  // ---- what is there

  lookup(iova: number): number {
    const i = this.leaves.find(iova);
    return i < 0 ? -1 : (this.leaves.pa[i] as number) + iova - (this.leaves.iova[i] as number);
  }

  /** A write through the table reached this page: hardware marks the descriptor, if it is there to be marked. */
  written(iova: number): void {
    const i = this.leaves.find(iova);
    if (i >= 0 && this.geometry.dirty && this.leaves.at(i).prot.includes('w')) this.leaves.info[i] = (this.leaves.info[i] as number) | DIRTY;
  }

  /** The leaf that maps `iova` with its run: from where, how far; undefined: a hole. */
  #unit(iova: number): { first: number; end: number; level: number; dirty: boolean } | undefined {
    const i = this.leaves.find(iova);
    if (i < 0) return undefined;
    const leaf = this.leaves.at(i);
    const size = leaf.contiguous ? leaf.size * contiguousEntries(this.geometry.tg, leaf.level, this.geometry.ds) : leaf.size;
    const first = iova - (iova % size);
    let dirty = false;
    for (let k = this.leaves.firstAfter(first); k < this.leaves.length && (this.leaves.iova[k] as number) < first + size; k += 1) dirty ||= this.leaves.at(k).dirty;
    return { first, end: first + size, level: leaf.level, dirty };
  }

  #holdsLeaf(first: number, end: number): boolean {
    const i = this.leaves.firstAfter(first);
    return i < this.leaves.length && (this.leaves.iova[i] as number) < end;
  }

  #add(size: Size, iova: number, pa: number, prot: TableProt): void {
    // Stage 1 has no leaves that can be written and not read; with hardware dirty marking a new leaf is clean.
    const kept = this.geometry.stage === 1 && prot === 'w' ? 'rw' : prot;
    this.leaves.insert(iova, pa, leafInfo(size.level, kept, size.members > 1, false), size.members);
  }

  // ---- where tables stand

  #stands(level: number, iova: number): boolean {
    return (this.standing[level + 1] as Set<number>).has(Math.floor(iova / this.span(level - 1)));
  }

  /** Tables down to `level` for `iova`; false: a leaf or the lack of memory is in the way. */
  #ensure(level: number, iova: number): boolean {
    for (let at = this.startLevel + 1; at <= level; at += 1) {
      if (this.#stands(at, iova)) continue;
      if (this.leaves.find(iova) >= 0) return this.#refuse('exists');
      if (this.failNext) {
        this.failNext = false;
        return this.#refuse('no-memory');
      }
      (this.standing[at + 1] as Set<number>).add(Math.floor(iova / this.span(at - 1)));
    }
    return true;
  }

  /** Tables below `level` whose whole span is in [first, end) are gone. */
  #fell(level: number, first: number, end: number): void {
    for (let at = level + 1; at <= 3; at += 1) {
      const set = this.standing[at + 1] as Set<number>;
      const span = this.span(at - 1);
      for (const place of set) if (place * span >= first && (place + 1) * span <= end) set.delete(place);
    }
  }

  #refuse(code: TableError): false {
    this.#code = code;
    return false;
  }

  // ---- io-pgtable

  /** Is the call one that can be begun? */
  #sized(call: UnmapRequest): Size | undefined {
    const size = this.sizes.find((s) => s.bytes === call.pageSize);
    this.#code = 'invalid';
    if (size === undefined || !Number.isInteger(call.count) || call.count <= 0 || call.iova < 0 || call.iova % size.bytes !== 0) return undefined;
    this.#code = call.iova + call.pageSize * call.count > this.#end ? 'out-of-range' : 'ok';
    return this.#code === 'ok' ? size : undefined;
  }

  /** Where one call that begins at `iova` must end: with the table page, even where a root is made of several. */
  #pageEnd(level: number, iova: number): number {
    const page = this.span(level) * (POW2[stride(this.geometry.tg)] as number);
    return iova - (iova % page) + page;
  }

  #mapSized(call: MapRequest): number {
    const size = this.#sized(call);
    if (size === undefined) return 0;
    if (call.pa < 0 || call.pa % size.bytes !== 0) this.#code = 'invalid';
    else if (call.pa + call.pageSize * call.count > (POW2[this.geometry.outputBits] as number)) this.#code = 'out-of-range';
    if (this.#code !== 'ok' || call.prot === 'none' || !this.#ensure(size.level, call.iova)) return 0;
    const end = Math.min(call.iova + call.pageSize * call.count, this.#pageEnd(size.level, call.iova));
    for (let i = this.leaves.firstAfter(call.iova); i < this.leaves.length && (this.leaves.iova[i] as number) < end; i += 1) {
      if (this.leaves.level(i) <= size.level && !this.#refuse('exists')) return 0;
    }
    this.#fell(size.level, call.iova, end);
    this.leaves.remove(call.iova, end);
    for (let at = call.iova; at < end; at += size.bytes) this.#add(size, at, call.pa + at - call.iova, call.prot);
    return end - call.iova;
  }

  #unmapSized(call: UnmapRequest): number {
    const size = this.#sized(call);
    if (size === undefined) return 0;
    const above = this.leaves.find(call.iova);
    if (above >= 0 && this.leaves.level(above) < size.level) this.#refuse('partial-block');
    const end = Math.min(call.iova + call.pageSize * call.count, this.#pageEnd(size.level, call.iova));
    let at = call.iova;
    while (at < end && this.#code === 'ok') {
      const unit = this.#unit(at);
      if (unit?.level === size.level) {
        if (unit.first < at || unit.end > end) this.#refuse('partial-block');
        else at = unit.end;
      } else if (size.level < 3 && this.#stands(size.level + 1, at)) at += this.span(size.level);
      else this.#refuse('not-mapped');
    }
    this.leaves.remove(call.iova, at);
    this.#fell(size.level, call.iova, at);
    return at - call.iova;
  }

  // ---- iommupt

  #ranged(call: UnmapRequest): boolean {
    const size = call.pageSize * call.count;
    this.#code = 'invalid';
    if (!Number.isInteger(call.count) || size <= 0 || size % this.#granule !== 0 || call.iova < 0 || call.iova % this.#granule !== 0) return false;
    this.#code = call.iova + size > this.#end ? 'out-of-range' : 'ok';
    return this.#code === 'ok';
  }

  #best(iova: number, pa: number, left: number): Size {
    return this.sizes.find((s) => s.bytes <= left && iova % s.bytes === 0 && pa % s.bytes === 0) as Size;
  }

  #mapRange(call: MapRequest): number {
    if (!this.#ranged(call)) return 0;
    const total = call.pageSize * call.count;
    if (call.pa < 0 || call.pa % this.#granule !== 0 || call.prot === 'none') this.#code = 'invalid';
    else if (call.pa + total > (POW2[this.geometry.outputBits] as number)) this.#code = 'out-of-range';
    let done = this.#code === 'ok' ? 0 : total;
    if (done === total) return 0;
    while (done < total) {
      const at = call.iova + done;
      const size = this.#best(at, call.pa + done, total - done);
      if (!this.#ensure(size.level, at)) break;
      if (this.#holdsLeaf(at, at + size.bytes)) {
        this.#refuse('exists');
        break;
      }
      this.#fell(size.level, at, at + size.bytes);
      this.#add(size, at, call.pa + done, call.prot);
      done += size.bytes;
    }
    return done;
  }

  #unmapRange(call: UnmapRequest): number {
    if (!this.#ranged(call)) return 0;
    const end = call.iova + call.pageSize * call.count;
    let at = call.iova;
    while (at < end) {
      const unit = this.#unit(at);
      if (unit === undefined || unit.first < at) {
        this.#refuse(unit === undefined ? 'not-mapped' : 'partial-block');
        break;
      }
      at = unit.end;
    }
    this.leaves.remove(call.iova, at);
    this.#fell(this.startLevel, call.iova, Math.min(at, end)); // what the last entry has beyond the range frees no table
    return at - call.iova;
  }

  // ---- the interface

  /** One call of map_pages. */
  mapOnce(call: MapRequest): TableResult {
    const bytes = this.variant === 'io-pgtable' ? this.#mapSized(call) : this.#mapRange(call);
    return { code: this.#code, bytes };
  }

  /** One call of unmap_pages. */
  unmapOnce(call: UnmapRequest): TableResult {
    const bytes = this.variant === 'io-pgtable' ? this.#unmapSized(call) : this.#unmapRange(call);
    return { code: this.#code, bytes };
  }

  /** One operation, as the core makes it of calls: again and again until all is done, something stops it, or nothing happens. */
  perform(op: TableOperation): TableResult {
    switch (op.op) {
      case 'map': return this.#repeated(op, (call) => this.mapOnce({ ...op, ...call, pa: op.pa + call.iova - op.iova }));
      case 'unmap': return this.#repeated(op, (call) => this.unmapOnce(call));
      case 'map-sg': return this.#mapList(op.iova, op.pieces, op.prot);
      case 'sync-map': {
        this.#ranged({ iova: op.iova, pageSize: op.size, count: 1 });
        return { code: this.#code, bytes: 0 };
      }
      case 'sync': return { code: 'ok', bytes: 0 };
      case 'read-dirty': return this.#readDirty(op.iova, op.size, op.clear);
      default: throw new Error(`a table is not asked ${op.op}`);
    }
  }

  #repeated(op: UnmapRequest, once: (call: UnmapRequest) => TableResult): TableResult {
    const total = op.pageSize * op.count;
    let done = 0;
    for (;;) {
      const r = once({ iova: op.iova + done, pageSize: op.pageSize, count: (total - done) / op.pageSize });
      done += r.bytes;
      if (r.code !== 'ok' || r.bytes === 0 || done >= total) return { code: r.code, bytes: done };
    }
  }

  /** Pieces that continue each other are one stretch. Everything is checked before anything is mapped. */
  #mapList(iova: number, pieces: readonly Piece[], prot: TableProt): TableResult {
    const bad = pieces.length === 0 || iova < 0 || iova % this.#granule !== 0 || pieces.some((p) => p.size <= 0 || p.pa < 0 || p.size % this.#granule !== 0 || p.pa % this.#granule !== 0);
    if (bad || (prot === 'none' && this.variant === 'iommupt')) return { code: 'invalid', bytes: 0 };
    const size = pieces.reduce((n, p) => n + p.size, 0);
    if (iova + size > this.#end || pieces.some((p) => p.pa + p.size > (POW2[this.geometry.outputBits] as number))) return { code: 'out-of-range', bytes: 0 };
    const stretches: Piece[] = [];
    for (const p of pieces) {
      const last = stretches.at(-1);
      if (last !== undefined && last.pa + last.size === p.pa) stretches[stretches.length - 1] = { pa: last.pa, size: last.size + p.size };
      else stretches.push(p);
    }
    let done = 0;
    for (const s of stretches) {
      const r = this.variant === 'io-pgtable' ? this.#mapStretch(iova + done, s, prot) : this.mapOnce({ iova: iova + done, pa: s.pa, pageSize: s.size, count: 1, prot });
      done += r.bytes;
      if (r.bytes < s.size) return { code: r.code, bytes: done };
    }
    return { code: 'ok', bytes: done };
  }

  /** The core chooses sizes for io-pgtable: entries of the largest size that fits, up to where a larger one begins to fit. */
  #mapStretch(iova: number, stretch: Piece, prot: TableProt): TableResult {
    let done = 0;
    while (done < stretch.size) {
      const at = iova + done;
      const pa = stretch.pa + done;
      const size = this.#best(at, pa, stretch.size - done);
      const larger = this.sizes.filter((s) => s.bytes > size.bytes && (at - pa) % s.bytes === 0).at(-1);
      const most = larger === undefined ? stretch.size - done : Math.min(stretch.size - done, larger.bytes - (at % larger.bytes));
      const r = this.mapOnce({ iova: at, pa, pageSize: size.bytes, count: Math.floor(most / size.bytes), prot });
      done += r.bytes;
      if (r.code !== 'ok' || r.bytes === 0) return { code: r.code, bytes: done };
    }
    return { code: 'ok', bytes: done };
  }

  #readDirty(iova: number, size: number, clear: boolean): TableResult {
    const dirty: { iova: number; size: number }[] = [];
    if (this.#ranged({ iova, pageSize: size, count: 1 })) {
      for (let at = iova; at < iova + size;) {
        const unit = this.#unit(at);
        if (unit === undefined && this.variant === 'io-pgtable') {
          this.#refuse('not-mapped');
          break;
        }
        if (unit === undefined) {
          const next = this.leaves.firstAfter(at);
          at = next < this.leaves.length ? (this.leaves.iova[next] as number) : this.#end;
          continue;
        }
        if (unit.dirty) {
          const last = dirty.at(-1);
          if (last !== undefined && last.iova + last.size === unit.first) last.size += unit.end - unit.first;
          else dirty.push({ iova: unit.first, size: unit.end - unit.first });
          if (clear) this.#clean(unit.first, unit.end);
        }
        at = unit.end;
      }
    }
    return { code: this.#code, bytes: 0, dirty };
  }

  #clean(first: number, end: number): void {
    for (let i = this.leaves.firstAfter(first); i < this.leaves.length && (this.leaves.iova[i] as number) < end; i += 1) {
      this.leaves.info[i] = (this.leaves.info[i] as number) & ~DIRTY;
    }
  }
}

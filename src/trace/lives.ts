/**
 * Lives: which domain a recorded pointer means. `dom`, `pt` and `iovad` are pointers and get reused, so each is looked up in the lifetime that is
 * current; a life ends when its domain is freed. And what is under way on each CPU.
 */
import type { RecordedWhat } from '../captures/recorded.js';
import type { Origin } from './types.js';
import { Life } from './intent.js';

/** Domains of one recording, one after the other, at the most. */
const LIVES_MAX = 100_000;

/** More domains than can be followed. */
export class TooMany extends Error {
  constructor() {
    super(`the recording names more than ${LIVES_MAX} domains`);
  }
}

type MapLine = Extract<RecordedWhat, { readonly kind: 'map' | 'map.ret' | 'unmap' | 'unmap.ret' }>;

/** A range that was unmapped on this CPU and that the next sync there must complete. */
export interface Gathered {
  readonly life: Life;
  readonly iova: number;
  readonly size: number;
}

export interface Attaching {
  readonly f: string;
  /** The domain that a stage-1 attach names. */
  readonly life: Life | null;
  readonly line: number;
  /** STEs and CDs that were stored since, by `sid ssid`. */
  readonly touched: Map<string, Touched>;
}

/** An STE (ssid -1) or the CD of an index of a stream. */
export interface Touched {
  readonly sid: number;
  readonly ssid: number;
}

/** An STE (by stream), CD (by address) or level-1 descriptor that was stored and not synced yet. */
export interface Dirty {
  readonly kind: 'ste' | 'cd' | 'l1';
  readonly at: number;
  readonly line: number;
}

export class Cpu {
  readonly gathered: Gathered[] = [];
  /** Domains of which something was unmapped on this CPU since their last sync here. */
  readonly unmapped = new Set<Life>();
  readonly dirty = new Map<string, Dirty>();
  /** Calls that have not returned, by function: the domain they name and the line. */
  readonly open = new Map<string, { readonly life: Life | null; readonly line: number }>();
  attaching: Attaching | null = null;
  mapping: { readonly life: Life; readonly iova: number; readonly size: number } | null = null;
  unmapping: { readonly life: Life; readonly iova: number; readonly size: number } | null = null;
  /** Addresses of the descriptors that the map under way stored, where the walker sees only what is cleaned. */
  readonly stored: number[] = [];
  /** Of the call that issues commands: where its last one went, and whether it waits for its SYNC. */
  lastIdx = -1;
  waits = false;
  /** Tracing: the domain whose range is being invalidated. */
  invalidating: Life | null = null;
}

export class Lives {
  readonly #byPointer = new Map<string, Life>();
  readonly #byTable = new Map<string, Life>();
  readonly #byAllocator = new Map<string, Life>();
  readonly #cpus = new Map<number, Cpu>();
  readonly #byNumber = new Map<number, Life>();
  /** Table pages by frame: as many as memory has at the most. */
  readonly #tables = new Map<number, Life>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  cpu(n: number): Cpu {
    let cpu = this.#cpus.get(n);
    if (cpu === undefined) {
      cpu = new Cpu();
      this.#cpus.set(n, cpu);
    }
    return cpu;
  }

  /** Is an attach under way? */
  get attaching(): boolean {
    for (const cpu of this.#cpus.values()) if (cpu.attaching !== null) return true;
    return false;
  }

  cpus(): Iterable<Cpu> {
    return this.#cpus.values();
  }

  of(pointer: string): Life {
    let life = this.#byPointer.get(pointer);
    if (life === undefined) {
      if (this.#byNumber.size >= LIVES_MAX) throw new TooMany();
      life = new Life(this.#count, pointer);
      this.#count += 1;
      this.#byPointer.set(pointer, life);
      this.#byNumber.set(life.number, life);
    }
    return life;
  }

  /** The life of a page table; tracing knows domains by nothing else. */
  ofTable(pt: string, dom: string | null): Life {
    if (dom !== null) {
      const life = this.of(dom);
      this.#byTable.set(pt, life);
      return life;
    }
    const known = this.#byTable.get(pt);
    if (known !== undefined && known.alive) return known;
    const life = this.of(`pt ${pt}`);
    this.#byTable.set(pt, life);
    return life;
  }

  /** A line of a map or unmap on a CPU. Gives what cannot be judged, or null. */
  mapping(cpu: Cpu, w: MapLine, line: number): string | null {
    switch (w.kind) {
      case 'map': {
        const life = this.ofTable(w.pt, w.dom);
        const size = w.pgsize * w.count;
        cpu.mapping = { life, iova: w.iova, size };
        life.map(w.iova, size, { pa: w.pa, write: w.write });
        return null;
      }
      case 'map.ret':
        if (!w.ok && cpu.mapping !== null) cpu.mapping.life.unmap(cpu.mapping.iova, cpu.mapping.size, line);
        if (!w.ok) cpu.stored.length = 0;
        cpu.mapping = null;
        return null;
      case 'unmap': {
        const life = this.tableLife(w.pt);
        cpu.unmapping = null;
        if (life === undefined) return 'an unmap of a page table that no map names: it is not judged';
        cpu.unmapping = { life, iova: w.iova, size: w.pgsize * w.count };
        life.unmap(w.iova, cpu.unmapping.size, line);
        return null;
      }
      case 'unmap.ret': {
        if (cpu.unmapping === null) return null;
        const { life, iova, size } = cpu.unmapping;
        cpu.unmapping = null;
        if (w.size < size) life.restore(iova + w.size, size - w.size);
        if (w.size > 0) cpu.gathered.push({ life, iova, size: Math.min(size, w.size) });
        cpu.unmapped.add(life);
        return null;
      }
    }
  }

  tableLife(pt: string): Life | undefined {
    return this.#byTable.get(pt);
  }

  ofAllocator(iovad: string, dom: string | null): Life | undefined {
    if (dom !== null) this.#byAllocator.set(iovad, this.of(dom));
    return this.#byAllocator.get(iovad);
  }

  numbered(n: number): Life | undefined {
    return this.#byNumber.get(n);
  }

  /** A map or unmap of the life stores to this page: it is one of its tables. */
  stores(frame: number, life: Life): void {
    this.#tables.set(frame, life);
  }

  storedTo(frame: number): Life | undefined {
    return this.#tables.get(frame);
  }

  /** The page is given back. */
  freedTable(frame: number): void {
    this.#tables.delete(frame);
  }

  /** The domain is freed: its pointers mean something else from now on. */
  end(life: Life): void {
    life.alive = false;
    for (const known of [this.#byPointer, this.#byTable, this.#byAllocator]) {
      for (const [pointer, l] of known) if (l === life) known.delete(pointer);
    }
  }

  /** Where [iova] was taken away, in words. */
  origin(life: Life, iova: number): Origin | null {
    const r = life.leaving.overlapping(iova, 1)[0];
    return r === undefined ? null : { line: r.value.line, text: `unmap of 0x${r.start.toString(16)} +0x${r.size.toString(16)}` };
  }
}

/** Neighbouring ranges of one life as one. */
export function joined(ranges: readonly Gathered[]): { life: Life; iova: number; size: number }[] {
  const out: { life: Life; iova: number; size: number }[] = [];
  for (const g of ranges) {
    const last = out[out.length - 1];
    if (last !== undefined && last.life === g.life && last.iova + last.size === g.iova) last.size += g.size;
    else out.push({ ...g });
  }
  return out;
}

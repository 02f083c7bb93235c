/**
 * Watched write: the driver's entry writer at work on one entry in memory, and what the SMMU may read meanwhile. A fetch reads eight 64-bit
 * words, each at a moment of its own, so between two SYNCs it may find any mixture of the values that each word had (torn reads). A CFGI
 * with its SYNC ends that: what was fetched before is neither used nor finished afterwards (IHI 0070 §3.21.3, §4.7.3).
 */
import { Journal } from '../../memory/journal.js';
import { Memory, WORDS_PER_FRAME, type MemoryWatcher } from '../../memory/memory.js';
import { Pages } from '../../memory/pages.js';
import { OptimisedDriver, ownParts } from '../../optimised/driver/driver.js';
import type { Batch, Context, Parts } from '../../optimised/driver/types.js';
import { registersOf } from '../../spec/features.js';
import { REG } from '../../spec/register.js';
import { machineConfig, type RegisterPort } from '../../stack/machine.js';
import { DEFAULT_SMMU, smallWorld } from '../../stack/world.js';
import type { EntryKind } from '../../spec/meaning.js';

export type Writer = Parts['writeEntry'];

const WORDS = 8;
const STREAM = 1;

/** Stores between two SYNCs: values that each word has had, the first being what stood there at the beginning. */
export interface Group {
  readonly values: readonly (readonly (readonly [lo: number, hi: number])[])[];
  /** Did a SYNC end it? The last stores must not be left without one. */
  readonly synced: boolean;
}

/** An SMMU that has only its identification registers. */
function idPort(): RegisterPort {
  const ids = registersOf(machineConfig(DEFAULT_SMMU).features);
  const values = new Map<number, number>([[REG.IDR0, ids.idr0], [REG.IDR1, ids.idr1], [REG.IDR3, ids.idr3], [REG.IDR5, ids.idr5], [REG.IIDR, ids.iidr]]);
  return { readRegister: (offset) => values.get(offset) ?? 0, writeRegister: () => undefined };
}

export class WatchedWrite implements MemoryWatcher {
  readonly #memory: Memory;
  readonly #context: Context;
  readonly #write: Writer;
  readonly #slot: number;
  #values: (readonly [number, number])[][] = [];
  #groups: Group[] = [];
  #watching = false;
  #stores = 0;

  constructor(writer: Writer = ownParts('plain').writeEntry) {
    const journal = new Journal();
    this.#memory = new Memory(journal);
    const pages = new Pages(this.#memory);
    const parts: Parts = { ...ownParts('plain'), submit: (ctx: Context, batch: Batch) => { this.#submitted(ctx, batch); return undefined as never; } };
    const driver = new OptimisedDriver({ world: smallWorld(), pages, journal, ports: [idPort()], parts, observer: null });
    this.#context = driver.context;
    this.#write = writer;
    this.#slot = pages.allocate('stream');
    this.#memory.watch(this.#slot);
    this.#memory.watchers.push(this);
  }

  stored(slot: number, index: number): void {
    if (!this.#watching || slot !== this.#slot) return;
    const ref = slot * WORDS_PER_FRAME + index;
    this.#stores += 1;
    this.#values[index]?.push([this.#memory.lo[ref] as number, this.#memory.hi[ref] as number]);
  }

  #submitted(ctx: Context, batch: Batch): void {
    ctx.cpu.drainAll();
    if (batch.sync) this.#close(true);
  }

  #close(synced: boolean): void {
    this.#groups.push({ values: this.#values, synced });
    this.#values = this.#now();
    this.#stores = 0;
  }

  #now(): (readonly [number, number])[][] {
    const first = this.#slot * WORDS_PER_FRAME;
    return Array.from({ length: WORDS }, (_, i) => [[this.#memory.lo[first + i] as number, this.#memory.hi[first + i] as number]]);
  }

  /** What stands in memory now, as 16 uint32. */
  entry(): Uint32Array {
    return Uint32Array.from(this.#now().flatMap((v) => v[0] as readonly [number, number]));
  }

  /** Writes `to` over `from`; the groups of stores in their order. */
  run(kind: EntryKind, from: Uint32Array, to: Uint32Array): readonly Group[] {
    const first = this.#slot * WORDS_PER_FRAME;
    this.#watching = false;
    for (let i = 0; i < WORDS; i += 1) this.#memory.commit(first + i, from[i * 2] as number, from[i * 2 + 1] as number);
    this.#groups = [];
    this.#values = this.#now();
    this.#stores = 0;
    this.#watching = true;
    this.#context.cpu.begin();
    this.#write(this.#context, kind, 0, first, to, [STREAM]);
    this.#context.cpu.drainAll();
    if (this.#stores > 0) this.#close(false);
    return this.#groups;
  }
}

/** The group of stores that turns one entry into another. */
export function groupOf(from: Uint32Array, to: Uint32Array): Group {
  const word = (w: Uint32Array, q: number): readonly [number, number] => [w[q * 2] as number, w[q * 2 + 1] as number];
  const values = Array.from({ length: WORDS }, (_, q) => (word(from, q).join() === word(to, q).join() ? [word(from, q)] : [word(from, q), word(to, q)]));
  return { values, synced: true };
}

/** Everything that a fetch may read in a group, one after the other in `out`; `visit` returns true to end early. */
export function tornReads(group: Group, out: Uint32Array, visit: () => boolean): boolean {
  const place = (word: number): boolean => {
    if (word === WORDS) return visit();
    for (const [lo, hi] of group.values[word] ?? []) {
      out[word * 2] = lo;
      out[word * 2 + 1] = hi;
      if (place(word + 1)) return true;
    }
    return false;
  };
  return place(0);
}

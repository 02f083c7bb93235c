/**
 * Places: what the stores of a raw sequence are stores to: STEs, CDs and level-1 stream table descriptors by where the registers and the
 * words stored before put them, queues, and everything else, which is descriptors of translation tables.
 */
import { getField, POW2 } from '../spec/bits.js';
import { l1stdPointer, l1stdStreams } from '../spec/level1.js';
import { queueAddress, queueLog2, REG, strtabLog2, strtabSplit } from '../spec/register.js';
import { STE } from '../spec/ste.js';
import type { MachineOperation } from '../stack/machine-world.js';

export type Store = Extract<MachineOperation, { op: 'store' }>;
export type PlaceKind = 'l1std' | 'ste' | 'cd' | 'queue' | 'descriptor';

const STE_BYTES = 64;
/** Bytes of an STE or CD from its start. */
const ENTRY = 64;

interface Region {
  readonly kind: PlaceKind;
  /** STEs: the StreamID of the first. */
  readonly sid: number;
  readonly first: number;
  /** Exclusive. It moves when what stands there becomes larger. */
  end: number;
}

/** What each store of a sequence is to, and the index of its 64-bit word in an STE or CD. */
export class Places {
  readonly #regions: Region[] = [];
  #split = 0;

  constructor(operations: readonly MachineOperation[]) {
    this.#tables(operations);
    for (const op of operations) if (op.op === 'store' && this.#kindAt(op.at) === 'l1std') this.#add('ste', l1stdPointer(op.lo, op.hi), STE_BYTES * l1stdStreams(op.lo, this.#split), this.#firstOf(op.at));
    for (const op of operations) {
      if (op.op !== 'store' || this.#kindAt(op.at) !== 'ste' || op.at % STE_BYTES !== 0) continue;
      const words = Uint32Array.from([op.lo, op.hi, ...Array.from({ length: 14 }, () => 0)]);
      const cd = getField(words, STE.S1ContextPtr) * 64;
      if (cd !== 0) this.#add('cd', cd, ENTRY);
    }
  }

  /** Stream tables and queues that the registers name, one after the other. */
  #tables(operations: readonly MachineOperation[]): void {
    const registers = new Map<number, number>();
    for (const op of operations) {
      if (op.op === 'boot') {
        this.#streams(op.boot.streams, op.boot.streamsLog2, op.boot.split);
        this.#add('queue', op.boot.commands, 16 * (POW2[op.boot.commandsLog2] as number));
        this.#add('queue', op.boot.events, 32 * (POW2[op.boot.eventsLog2] as number));
      }
      if (op.op !== 'register') continue;
      registers.set(op.offset, op.value);
      const base = registers.get(REG.STRTAB_BASE);
      const cfg = registers.get(REG.STRTAB_BASE_CFG);
      if ((op.offset === REG.STRTAB_BASE || op.offset === REG.STRTAB_BASE_CFG) && base !== undefined && cfg !== undefined) this.#streams(base, strtabLog2(cfg, 32), strtabSplit(cfg));
      if (op.offset === REG.CMDQ_BASE || op.offset === REG.EVENTQ_BASE) {
        const log2 = queueLog2(op.value, 19);
        const entry = op.offset === REG.CMDQ_BASE ? 16 : 32;
        this.#add('queue', queueAddress(op.value, log2, entry), entry * (POW2[log2] as number));
      }
    }
  }

  #streams(base: number, log2: number, split: number): void {
    if (split === 0) this.#add('ste', base, STE_BYTES * (POW2[log2] as number));
    else {
      this.#split = split;
      this.#add('l1std', base, 8 * (POW2[Math.max(0, log2 - split)] as number));
    }
  }

  #add(kind: PlaceKind, first: number, bytes: number, sid = 0): void {
    const known = this.#regions.find((r) => r.first === first && r.kind === kind);
    if (known === undefined) this.#regions.push({ kind, sid, first, end: first + bytes });
    else known.end = Math.max(known.end, first + bytes);
  }

  /** The first StreamID that the level-1 descriptor at an address serves. */
  #firstOf(at: number): number {
    const table = this.#regions.find((r) => r.kind === 'l1std' && at >= r.first && at < r.end);
    return table === undefined ? 0 : ((at - table.first) / 8) * (POW2[this.#split] as number);
  }

  #kindAt(at: number): PlaceKind {
    return this.#regions.find((r) => at >= r.first && at < r.end)?.kind ?? 'descriptor';
  }

  /** The StreamID whose STE is stored to, or -1. */
  streamOf(store: Store): number {
    const region = this.#regions.find((r) => store.at >= r.first && store.at < r.end);
    return region?.kind === 'ste' ? region.sid + Math.floor((store.at - region.first) / STE_BYTES) : -1;
  }

  kindOf(store: Store): PlaceKind {
    return this.#kindAt(store.at);
  }
}

/** The same sequence with each store of a kind replaced. `change` gets the store and the index of its word in its STE or CD. */
export function changeStores(operations: readonly MachineOperation[], kind: PlaceKind, change: (store: Store, word: number) => Store): MachineOperation[] {
  const places = new Places(operations);
  return operations.map((op) => (op.op === 'store' && places.kindOf(op) === kind ? change(op, (op.at % ENTRY) / 8) : op));
}

/**
 * Cost: what the recorded driver paid: commands by kind, SYNCs, whole-tag flushes, and how many pages its invalidations named for each page that it
 * unmapped.
 */
import { decodeCommand, hasAddress, newCommand, OP, rangeGranules } from '../spec/command.js';
import { tgOfCommand } from '../spec/granule.js';
import type { Recorded } from '../captures/recorded.js';

export interface CostProfile {
  readonly commands: Readonly<Record<string, number>>;
  /** TLBI and CFGI commands, without SYNC and PREFETCH. */
  readonly invalidations: number;
  readonly syncs: number;
  /** Calls that issued commands, and those that waited. */
  readonly batches: number;
  readonly waits: number;
  /** TLBIs of a whole tag or of everything. */
  readonly wholeTag: number;
  readonly maps: number;
  readonly unmaps: number;
  /** 4 KiB pages unmapped, and pages named by TLBIs with an address. */
  readonly pagesUnmapped: number;
  readonly pagesNamed: number;
}

const PAGE = 4096;
const WHOLE: ReadonlySet<number> = new Set([OP.TLBI_NSNH_ALL, OP.TLBI_NH_ALL, OP.TLBI_NH_ASID, OP.TLBI_EL2_ALL, OP.TLBI_EL2_ASID, OP.TLBI_S12_VMALL]);

export class Cost {
  readonly #commands = new Map<string, number>();
  readonly #raw = new Uint32Array(4);
  readonly #command = newCommand();
  #invalidations = 0;
  #batches = 0;
  #waits = 0;
  #whole = 0;
  #maps = 0;
  #unmaps = 0;
  #unmapped = 0;
  #named = 0;

  add(r: Recorded): void {
    const w = r.what;
    switch (w.kind) {
      case 'cmd': this.#add(w.op, w.raw); return;
      case 'issue': this.#batches += 1; if (w.sync) this.#waits += 1; return;
      case 'map': this.#maps += 1; return;
      case 'unmap': this.#unmaps += 1; return;
      case 'unmap.ret': this.#unmapped += w.size / PAGE; return;
      default: return;
    }
  }

  #add(op: string, raw: readonly number[] | null): void {
    this.#commands.set(op, (this.#commands.get(op) ?? 0) + 1);
    if (raw === null) return;
    this.#raw.set(raw);
    const c = decodeCommand(this.#raw, 0, this.#command);
    if (c.op >= OP.CFGI_STE && c.op <= OP.ATC_INV) this.#invalidations += 1;
    if (WHOLE.has(c.op)) this.#whole += 1;
    const tg = tgOfCommand(c.tg);
    if (hasAddress(c.op)) this.#named += tg === 0 ? 1 : rangeGranules(c) * 2 ** (tg - 12);
  }

  profile(): CostProfile {
    return {
      commands: Object.fromEntries([...this.#commands].sort(([a], [b]) => (a < b ? -1 : 1))), invalidations: this.#invalidations, syncs: this.#commands.get('SYNC') ?? 0,
      batches: this.#batches, waits: this.#waits, wholeTag: this.#whole, maps: this.#maps, unmaps: this.#unmaps, pagesUnmapped: this.#unmapped, pagesNamed: this.#named,
    };
  }
}

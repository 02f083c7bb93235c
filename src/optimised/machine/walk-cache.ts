/**
 * WalkCache: cached table descriptors, by tag, granule, level and span: where a walk may begin below the root.
 * Valid table descriptors only (IHI 0070 §3.21.1). Those of stage 1 are ASID-tagged; address commands remove them with
 * Leaf = 0 and, when TTL is given, above the hinted level only (§4.4.1.1); ASID and VMID commands remove those in their
 * scope. CFGI commands never reach them (§4.3.1). In nested form an entry holds the PA of the next table (and its IPA,
 * for updates), and stage-1 commands remove it.
 *
 * Why it equals its slow twin (read every level from memory): an entry is one descriptor that a walk read and followed
 * itself, with what the tables above it restrict; starting below it skips loads, and whatever was stored since is seen
 * only once the entry has gone, which the architecture grants. See span-cache.ts for the store.
 */
import { levelShift, TGS, type Tg } from '../../spec/granule.js';
import type { Context } from './context.js';
import { SpanCache } from './span-cache.js';

/** Classes: granule, then level -1..2. */
const TABLE_SHIFTS: readonly number[] = TGS.flatMap((tg) => [-1, 0, 1, 2].map((level) => Math.min(levelShift(tg, level) - 12, 52)));

/** Class of a table descriptor. */
export function tableClass(tg: Tg, level: number): number {
  return (tg - 12) * 2 + level + 1;
}

export class WalkCache extends SpanCache {
  /** Frame of the next table, as it is read: a PA; and its IPA where stage 2 lies between. */
  readonly target: Float64Array;
  readonly ipa: Float64Array;
  /** Restrictions of this table descriptor and those above it (permissions.ts, 4 bits), and the form of the context that it was read in. */
  readonly #limits: Int32Array;

  constructor(entries: number) {
    super(entries, TABLE_SHIFTS);
    this.target = new Float64Array(entries);
    this.ipa = new Float64Array(entries);
    this.#limits = new Int32Array(entries);
  }

  /** What a claimed entry leads to. `limits`: restrictions and `Context.form`. */
  fill(entry: number, target: number, ipa: number, limits: number): void {
    this.target[entry] = target;
    this.ipa[entry] = ipa;
    this.#limits[entry] = limits;
  }

  restrictedOf(entry: number): number {
    return (this.#limits[entry] as number) & 15;
  }

  /** Entry of the deepest table descriptor on the way to `frame`, read in a context of the same form, at its start level or below; or -1. */
  deepest(c: Context, frame: number): number {
    const first = tableClass(c.tg, c.startLevel);
    const classes = this.classesOf(c.tables);
    for (let cls = tableClass(c.tg, 2); cls >= first; cls -= 1) {
      if (((classes >> cls) & 1) === 0) continue;
      const entry = this.find(c.tables, cls, frame);
      if (entry >= 0 && ((this.#limits[entry] as number) & ~15) === c.form) return entry;
    }
    return -1;
  }
}

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
import { SpanCache, type Tag } from './span-cache.js';

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
  /** Restrictions of this table descriptor and those above it (permissions.ts). */
  readonly restricted: Uint8Array;

  constructor(entries: number) {
    super(entries, TABLE_SHIFTS);
    this.target = new Float64Array(entries);
    this.ipa = new Float64Array(entries);
    this.restricted = new Uint8Array(entries);
  }

  /** What a claimed entry leads to. */
  fill(entry: number, target: number, ipa: number, restricted: number): void {
    this.target[entry] = target;
    this.ipa[entry] = ipa;
    this.restricted[entry] = restricted;
  }

  /** Entry of the deepest table descriptor of the granule on the way to `frame`, at `startLevel` or below it; or -1. */
  deepest(tag: Tag, tg: Tg, startLevel: number, frame: number): number {
    const first = tableClass(tg, startLevel);
    const classes = this.classesOf(tag);
    for (let cls = tableClass(tg, 2); cls >= first; cls -= 1) {
      if (((classes >> cls) & 1) === 0) continue;
      const entry = this.find(tag, cls, frame);
      if (entry >= 0) return entry;
    }
    return -1;
  }
}

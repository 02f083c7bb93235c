/**
 * WalkCache: cached table descriptors of levels 0..2, by (ASID, span, level): where a walk may begin below the root.
 * Valid table descriptors only (IHI 0070 §3.21.1). They are ASID-tagged; address commands remove them with Leaf = 0 and,
 * when TTL is given, above the hinted level only (§4.4.1.1); ASID and VMID commands remove those in their scope.
 * CFGI commands never reach them (§4.3.1).
 *
 * Why it equals its slow twin (read every level from memory): an entry is one descriptor that a walk read and followed
 * itself; starting below it skips loads, and whatever was stored since is seen only once the entry has gone, which the
 * architecture grants. See span-cache.ts for the store.
 */
import { SpanCache } from './span-cache.js';

export class WalkCache extends SpanCache {
  /** Entry of the deepest table descriptor known on the way to `frame`, at `startLevel` or below it; or -1. */
  deepest(asid: number, startLevel: number, frame: number): number {
    for (let level = 2; level >= startLevel; level -= 1) {
      const entry = this.find(asid, level, frame);
      if (entry >= 0) return entry;
    }
    return -1;
  }
}

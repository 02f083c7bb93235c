/**
 * Cached entries as both sides understand them (stack/transaction.ts): what the concrete machine holds, described one by one with one
 * object that is used again.
 */
import { newCachedEntry, resetCachedEntry, type CachedEntry, type CachedKind } from '../../stack/transaction.js';
import type { Caches } from './invalidate.js';
import { KIND_READ, KIND_WRITE } from './permissions.js';
import { GROUP_BOTH, GROUP_BOTH_GLOBAL, GROUP_S2, type SpanCache } from './span-cache.js';

function setSpan(out: CachedEntry, cache: SpanCache, entry: number): void {
  const group = cache.groupOf(entry);
  out.world = cache.worldOf(entry);
  out.stage = group === GROUP_S2 ? 2 : group === GROUP_BOTH || group === GROUP_BOTH_GLOBAL ? 3 : 1;
  out.vmid = cache.vmidOf(entry);
  out.asid = cache.asidOf(entry);
  out.tg = cache.tgOf(entry);
  out.level = cache.levelOf(entry);
  out.frame = cache.startOf(entry);
  out.frames = cache.framesOf(entry);
}

/** Visits every entry of the SMMU's caches. `visit` must not keep what it is given. */
export function forEachCached(caches: Caches, visit: (entry: CachedEntry) => void): void {
  const out = newCachedEntry();
  const structure = (kind: CachedKind) => (sid: number, words: Uint32Array, base: number, index = -1): void => {
    resetCachedEntry(out, kind);
    out.sid = sid;
    out.ssid = index;
    out.words = words;
    out.base = base;
    visit(out);
  };
  caches.config.streams.forEachLevel1(structure('l1std'));
  caches.config.streams.forEach(structure('ste'));
  caches.config.forEachLevel1(structure('l1cd'));
  caches.config.forEachCd(structure('cd'));
  const { tables, tlb } = caches;
  tables.forEachEntry((entry) => {
    resetCachedEntry(out, 'table');
    setSpan(out, tables, entry);
    out.target = tables.target[entry] as number;
    visit(out);
  });
  tlb.forEachEntry((entry) => {
    resetCachedEntry(out, 'leaf');
    setSpan(out, tlb, entry);
    out.target = tlb.translate(entry, out.frame);
    out.canRead = (((tlb.permissions[entry] as number) >> KIND_READ) & 1) !== 0;
    out.canWrite = (((tlb.permissions[entry] as number) >> KIND_WRITE) & 1) !== 0;
    visit(out);
  });
}

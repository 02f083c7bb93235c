/**
 * Cached entries as both sides understand them (stack/transaction.ts): what the concrete machine holds, described one by one with one
 * object that is used again.
 */
import { newCachedEntry, type CachedEntry, type CachedKind } from '../../stack/transaction.js';
import type { Caches } from './invalidate.js';
import { KIND_READ, KIND_WRITE } from './permissions.js';
import { GROUP_BOTH, GROUP_BOTH_GLOBAL, GROUP_S2, type SpanCache } from './span-cache.js';

const NO_WORDS = new Uint32Array(0);

function reset(out: CachedEntry, kind: CachedKind): void {
  out.kind = kind;
  out.sid = 0;
  out.ssid = -1;
  out.words = NO_WORDS;
  out.base = 0;
  out.world = 0;
  out.stage = 0;
  out.vmid = 0;
  out.asid = 0;
  out.tg = 0;
  out.level = 0;
  out.frame = 0;
  out.frames = 0;
  out.target = 0;
  out.canRead = false;
  out.canWrite = false;
}

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
    reset(out, kind);
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
    reset(out, 'table');
    setSpan(out, tables, entry);
    out.target = tables.target[entry] as number;
    visit(out);
  });
  tlb.forEachEntry((entry) => {
    reset(out, 'leaf');
    setSpan(out, tlb, entry);
    out.target = tlb.translate(entry, out.frame);
    out.canRead = (((tlb.permissions[entry] as number) >> KIND_READ) & 1) !== 0;
    out.canWrite = (((tlb.permissions[entry] as number) >> KIND_WRITE) & 1) !== 0;
    visit(out);
  });
}

/**
 * Invalidation: what each command removes from the concrete machine's caches (IHI 0070 §4.3,
 * §4.4). Commands take effect at once and in order, so CMD_SYNC has nothing left to do. More could be removed; this
 * machine keeps to the fields: ASID, range, TG, TTL and, for table descriptors, Leaf.
 *
 * Why it equals its slow twin (the match rule of §4.4.1.1, put to every entry): a scope is that rule's ASID, frames and
 * levels, computed once; leaves live at levels 1..3 and tables at 0..2, so TTL narrows each to one run of levels.
 */
import { POW2 } from '../../spec/bits.js';
import { OP, rangeGranules, type Command } from '../../spec/command.js';
import { tgOfCommand } from '../../spec/granule.js';
import type { ConfigCache } from './config-cache.js';
import type { SpanScope } from './span-cache.js';
import type { Tlb } from './tlb.js';
import type { WalkCache } from './walk-cache.js';

export interface Caches {
  readonly tlb: Tlb;
  readonly tables: WalkCache;
  readonly config: ConfigCache;
}

const scope: SpanScope = { asid: -1, first: 0, last: 0, fromLevel: 0, toLevel: 3 };

/** Carries out one legal command. */
export function executeCommand(c: Command, caches: Caches): void {
  switch (c.op) {
    case OP.CFGI_STE: caches.config.dropStreams(c.sid, c.sid); return;
    case OP.CFGI_STE_RANGE: dropStreamRange(c, caches.config); return;
    case OP.CFGI_CD: if (c.ssid === 0) caches.config.dropCd(c.sid); return; // no substreams: others name nothing
    case OP.CFGI_CD_ALL: caches.config.dropCd(c.sid); return;
    case OP.TLBI_NH_ALL: case OP.TLBI_NSNH_ALL:
      caches.tlb.clear();
      caches.tables.clear();
      return;
    case OP.TLBI_NH_ASID: // no global leaves here, so nothing of the ASID is spared
      caches.tlb.dropAsid(c.asid);
      caches.tables.dropAsid(c.asid);
      return;
    case OP.TLBI_NH_VA: dropAddresses(c, c.asid, caches); return;
    case OP.TLBI_NH_VAA: dropAddresses(c, -1, caches); return;
    default: return; // CMD_SYNC: all is done; PREFETCH_*: hints
  }
}

/** The aligned block of 2^(Range+1) streams; Range = 31 is CFGI_ALL (§4.3.2, §4.3.6). */
function dropStreamRange(c: Command, config: ConfigCache): void {
  if (c.range === 31) {
    config.clear();
    return;
  }
  const streams = POW2[c.range + 1] as number;
  const first = c.sid - (c.sid % streams);
  config.dropStreams(first, first + streams - 1);
}

/** An address command. A range does not wrap: frames past the top name nothing. */
function dropAddresses(c: Command, asid: number, caches: Caches): void {
  const tg = tgOfCommand(c.tg);
  if (tg !== 0 && tg !== 12) return; // every entry here was made with the 4 KB granule
  scope.asid = asid;
  scope.first = c.frame;
  scope.last = c.frame + (tg === 0 ? 1 : rangeGranules(c)) - 1;
  const ttl = tg === 0 ? 0 : c.ttl;
  scope.fromLevel = ttl === 0 ? 1 : ttl;
  scope.toLevel = ttl === 0 ? 3 : ttl;
  caches.tlb.dropSpans(scope);
  if (c.leaf !== 0) return;
  scope.fromLevel = 0;
  scope.toLevel = ttl === 0 ? 2 : ttl - 1;
  caches.tables.dropSpans(scope);
}

/**
 * Match: which fact a command MUST remove, one function per (command × kind of fact), exactly the required
 * minimum of IHI 0070 §4.3 and §4.4 (over-invalidation is always legal and needs no model). StreamWorld is
 * NS-EL1, VMID 0 on this path (an SMMU without stage 2). Granule 4 KB.
 */
import { OP, rangeGranules, type Command } from '../../spec/command.js';

const VMID = 0;
const TG_4K = 1;

/** Must the command remove a cached leaf (block or page) of `level` spanning [va, va + frames) under `asid`? */
export function matchesLeaf(c: Command, asid: number, level: number, va: number, frames: number): boolean {
  switch (c.op) {
    case OP.TLBI_NSNH_ALL: return true; // §4.4.4.1: all NS non-EL2
    case OP.TLBI_NH_ALL: return c.vmid === VMID; // §4.4.2.1
    case OP.TLBI_NH_ASID: return c.vmid === VMID && c.asid === asid; // §4.4.2.2 (non-global)
    case OP.TLBI_NH_VA: return c.vmid === VMID && c.asid === asid && leafInRange(c, level, va, frames); // §4.4.2.4
    case OP.TLBI_NH_VAA: return c.vmid === VMID && leafInRange(c, level, va, frames); // §4.4.2.3
    default: return false; // CFGI_*: not required to touch TLB contents (§4.3.1 note)
  }
}

/**
 * Must the command remove a cached table descriptor of `level` spanning [va, va + frames) under `asid`?
 * Table descriptors are ASID-tagged like non-global entries.
 */
export function matchesTable(c: Command, asid: number, level: number, va: number, frames: number): boolean {
  switch (c.op) {
    case OP.TLBI_NSNH_ALL: return true;
    case OP.TLBI_NH_ALL: return c.vmid === VMID;
    case OP.TLBI_NH_ASID: return c.vmid === VMID && c.asid === asid;
    case OP.TLBI_NH_VA: return c.vmid === VMID && c.asid === asid && tableInRange(c, level, va, frames);
    case OP.TLBI_NH_VAA: return c.vmid === VMID && tableInRange(c, level, va, frames);
    default: return false;
  }
}

/** TTL = 0: leaves of any level; else only those of that level (§4.4.1.1). */
function leafInRange(c: Command, level: number, va: number, frames: number): boolean {
  if (c.tg !== 0 && c.ttl !== 0 && c.ttl !== level) return false;
  return touches(c, va, frames);
}

/** Leaf = 1 never asks for table descriptors; with TTL = L only those above L (§4.4.1.1, worked example). */
function tableInRange(c: Command, level: number, va: number, frames: number): boolean {
  if (c.leaf !== 0) return false;
  if (c.tg !== 0 && c.ttl !== 0 && level >= c.ttl) return false;
  return touches(c, va, frames);
}

/**
 * Without TG: the one address lies in the entry, whatever its size (§4.4 last note). With TG: the granule is
 * the entry's and the spans overlap; the range does not wrap (§4.4.1.1).
 */
function touches(c: Command, va: number, frames: number): boolean {
  if (c.tg === 0) return c.frame >= va && c.frame < va + frames;
  if (c.tg !== TG_4K) return false;
  return c.frame < va + frames && va < c.frame + rangeGranules(c);
}

/** Must the command remove a cached STE of `sid` (§4.3.1, §4.3.2, §4.3.6)? CFGI_CD* do not touch STEs. */
export function matchesSte(c: Command, sid: number): boolean {
  switch (c.op) {
    case OP.CFGI_STE: return c.sid === sid;
    case OP.CFGI_STE_RANGE: return inStreamRange(c, sid);
    default: return false;
  }
}

/** Must the command remove a cached level-1 descriptor that serves `span` streams from `first` on (§4.3.1 Leaf = 0, §4.3.2, §4.3.6)? */
export function matchesLevel1(c: Command, first: number, span: number): boolean {
  switch (c.op) {
    case OP.CFGI_STE: return c.leaf === 0 && c.sid >= first && c.sid < first + span;
    case OP.CFGI_STE_RANGE: {
      if (c.range === 31) return true;
      const size = 2 ** (c.range + 1);
      const from = c.sid - (c.sid % size);
      return from < first + span && first < from + size;
    }
    default: return false;
  }
}

/** Must the command remove a cached CD of (`sid`, substream 0)? CFGI_STE takes the CDs of its stream along. */
export function matchesCd(c: Command, sid: number): boolean {
  switch (c.op) {
    case OP.CFGI_CD: return c.sid === sid && c.ssid === 0; // §4.3.3
    case OP.CFGI_CD_ALL: return c.sid === sid; // §4.3.4
    case OP.CFGI_STE: return c.sid === sid;
    case OP.CFGI_STE_RANGE: return inStreamRange(c, sid);
    default: return false;
  }
}

/** The aligned block of 2^(Range+1) streams; 31 is everything (CFGI_ALL, §4.3.6). */
function inStreamRange(c: Command, sid: number): boolean {
  if (c.range === 31) return true;
  const size = 2 ** (c.range + 1);
  return Math.floor(sid / size) === Math.floor(c.sid / size);
}

export function isTlbi(op: number): boolean {
  return op === OP.TLBI_NSNH_ALL || op === OP.TLBI_NH_ALL || op === OP.TLBI_NH_ASID || op === OP.TLBI_NH_VA || op === OP.TLBI_NH_VAA;
}

export function isCfgi(op: number): boolean {
  return op === OP.CFGI_STE || op === OP.CFGI_STE_RANGE || op === OP.CFGI_CD || op === OP.CFGI_CD_ALL;
}

/** Does a TLBI name this ASID at all? */
export function namesTag(c: Command, asid: number): boolean {
  switch (c.op) {
    case OP.TLBI_NSNH_ALL: return true;
    case OP.TLBI_NH_ALL: case OP.TLBI_NH_VAA: return c.vmid === VMID;
    case OP.TLBI_NH_ASID: case OP.TLBI_NH_VA: return c.vmid === VMID && c.asid === asid;
    default: return false;
  }
}

/**
 * What a command must remove, for the literal machine: the rules of IHI 0070 §4.3 and §4.4, written out a
 * second time, in bytes. One sentence of the specification per condition; nothing here is shared with src/reference.
 */
import { OP, type Command } from '../../../src/spec/command.js';
import type { LiteralFact } from './literal.js';

export function mustRemove(c: Command, f: LiteralFact): boolean {
  switch (f.kind) {
    case 'ste': return steScope(c).includes(f.sid);
    case 'cd': return cdScope(c).includes(f.sid);
    case 'table': case 'leaf': return tlbScope(c, f.regime?.asid ?? -1) && (wholeTag(c) || byAddress(c, f));
  }
}

/** Streams whose STE the command must remove (§3, rows CFGI_STE, CFGI_STE_RANGE, CFGI_ALL). */
function steScope(c: Command): number[] {
  if (c.op === OP.CFGI_STE) return [c.sid];
  if (c.op === OP.CFGI_STE_RANGE) {
    // Start = SID & ~(2^(Range+1)-1) .. +2^(Range+1)-1; small worlds have 64 streams at the most.
    const size = c.range === 31 ? 2 ** 32 : 2 ** (c.range + 1);
    const start = c.sid - (c.sid % size);
    return Array.from({ length: 64 }, (_, sid) => sid).filter((sid) => sid >= start && sid < start + size);
  }
  return [];
}

/** "All CDs and L1CDs cached via StreamID" go with the STE; CFGI_CD takes the one index, CFGI_CD_ALL all of them. */
function cdScope(c: Command): number[] {
  if (c.op === OP.CFGI_CD) return c.ssid === 0 ? [c.sid] : [];
  if (c.op === OP.CFGI_CD_ALL) return [c.sid];
  return steScope(c);
}

/** §4: StreamWorld NS-EL1, VMID 0 on an SMMU without stage 2; every entry here is non-global. */
function tlbScope(c: Command, asid: number): boolean {
  if (c.op === OP.TLBI_NSNH_ALL) return true;
  if (c.vmid !== 0) return false;
  if (c.op === OP.TLBI_NH_ALL || c.op === OP.TLBI_NH_VAA) return true;
  return (c.op === OP.TLBI_NH_ASID || c.op === OP.TLBI_NH_VA) && c.asid === asid;
}

/** "NH_ALL, NH_ASID, NSNH_ALL remove walk caches in scope too": any address, tables and leaves. */
function wholeTag(c: Command): boolean {
  return c.op === OP.TLBI_NSNH_ALL || c.op === OP.TLBI_NH_ALL || c.op === OP.TLBI_NH_ASID;
}

/** The entry match rule of §5, conditions 2 and 3. */
function byAddress(c: Command, f: LiteralFact): boolean {
  const es = f.va * 4096;
  const ee = es + f.frames * 4096;
  const address = c.frame * 4096;
  if (c.tg === 0) {
    if (!(es <= address && address < ee)) return false;
    return f.kind === 'leaf' || c.leaf === 0; // no TTL without TG
  }
  const granule = [0, 4096, 16384, 65536][c.tg] as number;
  if (granule !== 4096) return false; // only entries inserted with that granule
  const end = address + (c.num + 1) * 2 ** c.scale * granule;
  if (!(es < end && address < ee)) return false;
  if (f.kind === 'leaf') return c.ttl === 0 || f.level === c.ttl;
  return c.leaf === 0 && (c.ttl === 0 || f.level < c.ttl);
}

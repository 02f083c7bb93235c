/**
 * A stored table case: one page table, one walker, the calls and what a right library shows. Its JSON form leaves out what has its usual value;
 * its identity is the hash of that form without `provenance`.
 */
import { createHash } from 'node:crypto';
import { hex } from '../spec/bits.js';
import type { TableGeometry, TableOperation, TableWorld } from '../stack/page-table.js';
import { canonicalJson, CaseError, expectJson, subjectJson, type CASE_SCHEMA, type Expectation, type Json, type Subject } from './case.js';

export interface TableCase {
  readonly schema: typeof CASE_SCHEMA;
  readonly kind: 'tables';
  readonly world: TableWorld;
  readonly subject: Subject;
  readonly operations: readonly TableOperation[];
  readonly expect: Expectation;
  readonly provenance: Readonly<Record<string, string | number>>;
}

/** What a case has unless it says otherwise. */
export const USUAL_GEOMETRY = { half: 'lower', ds: false, contiguous: false, dirty: false } as const;
export const USUAL_TABLE_WORLD = {
  variant: 'io-pgtable', coherent: true, cleaner: 'eager', eviction: { oneIn: 0, seed: 0 }, bbml: 0, mergeRuns: false, storeOrder: 'fifo',
} as const;

function geometryJson(g: TableGeometry): Json {
  return {
    tg: g.tg, stage: g.stage, inputBits: g.inputBits, outputBits: g.outputBits,
    ...(g.half === USUAL_GEOMETRY.half ? {} : { half: g.half }), ...(g.ds ? { ds: true } : {}), ...(g.contiguous ? { contiguous: true } : {}), ...(g.dirty ? { dirty: true } : {}),
  };
}

export function tableWorldJson(w: TableWorld): { readonly [key: string]: Json } {
  const usual = USUAL_TABLE_WORLD;
  return {
    geometry: geometryJson(w.geometry),
    ...(w.variant === usual.variant ? {} : { variant: w.variant }),
    ...(w.coherent ? {} : { coherent: false }),
    ...(w.cleaner === usual.cleaner ? {} : { cleaner: w.cleaner }),
    ...(w.eviction.oneIn === 0 ? {} : { eviction: { oneIn: w.eviction.oneIn, seed: w.eviction.seed } }),
    ...(w.bbml === usual.bbml ? {} : { bbml: w.bbml }),
    ...(w.mergeRuns ? { mergeRuns: true } : {}),
    ...(w.storeOrder === usual.storeOrder ? {} : { storeOrder: w.storeOrder }),
  };
}

function address(value: number, what: string): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new CaseError(`${what} must be an integer from 0 to 2^53 - 1 to be stored, not ${value}`);
  return hex(value);
}

/** The JSON form of one operation, keys in their fixed order. */
export function tableOperationJson(o: TableOperation, index = 0): Json {
  const at = (key: string, value: number): string => address(value, `operations[${index}].${key}`);
  switch (o.op) {
    case 'map': return { op: o.op, iova: at('iova', o.iova), pa: at('pa', o.pa), pageSize: at('pageSize', o.pageSize), count: o.count, prot: o.prot };
    case 'map-sg': return { op: o.op, iova: at('iova', o.iova), pieces: o.pieces.map((p) => [at('pieces', p.pa), at('pieces', p.size)]), prot: o.prot };
    case 'sync-map': return { op: o.op, iova: at('iova', o.iova), size: at('size', o.size) };
    case 'unmap': return { op: o.op, iova: at('iova', o.iova), pageSize: at('pageSize', o.pageSize), count: o.count };
    case 'read-dirty': return { op: o.op, iova: at('iova', o.iova), size: at('size', o.size), ...(o.clear ? { clear: true } : {}) };
    case 'access': return { op: o.op, iova: at('iova', o.iova), ...(o.write ? { write: true } : {}) };
    case 'evict': return { op: o.op, line: o.line };
    case 'sync': case 'fail-next-allocation': return { op: o.op };
    case 'together': return { op: o.op, calls: o.calls.map((c) => tableOperationJson(c, index)), order: o.order.join('') };
  }
}

/** The case's name: the first 16 hexadecimal digits of the SHA-256 of everything but `provenance`. */
export function tableCaseId(c: TableCase): string {
  const identity: Record<string, Json> = {
    schema: c.schema, kind: c.kind, world: tableWorldJson(c.world), subject: subjectJson(c.subject), operations: c.operations.map(tableOperationJson), expect: expectJson(c.expect),
  };
  return createHash('sha256').update(canonicalJson(identity)).digest('hex').slice(0, 16);
}

/**
 * A stored case: one world, what was tested, the operations and what a right subject shows. Pure data,
 * independent of any generator; its identity is the hash of everything but where it came from (`provenance`).
 * The text form is codec.ts; here are the types, the JSON form of each field and the identity.
 */
import { createHash } from 'node:crypto';
import type { Operation } from '../stack/operation.js';
import type { RuleId } from '../stack/violation.js';
import type { World } from '../stack/world.js';

export const CASE_SCHEMA = 1;

/** Which implementation of each part was tested (`part` → name; nothing said: the default), and with which mutant. */
export interface Subject {
  readonly parts: Readonly<Record<string, string>>;
  readonly mutant?: string;
}

/** What a right subject shows. */
export interface Expectation {
  readonly verdict: 'ok' | 'violation';
  readonly rule?: RuleId;
}

/** What a recorded device really got for the access at index `at` of `operations`; `pa` in bytes. */
export type Observation =
  | { readonly at: number; readonly pa: number }
  | { readonly at: number; readonly fault: string }
  | { readonly at: number; readonly bypass: true };

export interface Case {
  readonly schema: typeof CASE_SCHEMA;
  readonly kind: 'driver';
  readonly world: World;
  readonly subject: Subject;
  readonly operations: readonly Operation[];
  readonly expect: Expectation;
  /** Only recorded cases have it: sorted by `at`, at most one for an access. */
  readonly observed?: readonly Observation[];
  /** Where the case came from: free, small, and not part of its identity. */
  readonly provenance: Readonly<Record<string, string | number>>;
}

/** A case that cannot be read or written. The message is one sentence: which file, where in it, what is wrong. */
export class CaseError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CaseError';
  }
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** An address or size in bytes as it is written: hexadecimal. */
function address(value: number, what: string): string {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new CaseError(`${what} must be an integer from 0 to 2^53 - 1 to be stored, not ${value}`);
  }
  return `0x${value.toString(16)}`;
}

/** The JSON form of one operation, keys in their fixed order. */
export function operationJson(o: Operation, index = 0): Json {
  const hex = (key: string, value: number): string => address(value, `operations[${index}].${key}`);
  switch (o.op) {
    case 'map':
      return { op: o.op, domain: o.domain, iova: hex('iova', o.iova), pa: hex('pa', o.pa), size: hex('size', o.size), prot: o.prot };
    case 'unmap': case 'iova-alloc': case 'iova-free':
      return { op: o.op, domain: o.domain, iova: hex('iova', o.iova), size: hex('size', o.size) };
    case 'sync': case 'flush-all':
      return { op: o.op, domain: o.domain };
    case 'attach':
      return { op: o.op, device: o.device, to: o.to };
    case 'detach':
      return { op: o.op, device: o.device };
    case 'access':
      return { op: o.op, device: o.device, stream: o.stream, iova: hex('iova', o.iova), write: o.write };
    case 'fail-next-allocation':
      return { op: o.op };
    case 'evict':
      return { op: o.op, line: o.line };
  }
}

export function observationJson(o: Observation, index = 0): Json {
  if ('pa' in o) return { at: o.at, pa: address(o.pa, `observed[${index}].pa`) };
  return 'fault' in o ? { at: o.at, fault: o.fault } : { at: o.at, bypass: true };
}

/** The JSON form of the world, keys in their fixed order. */
export function worldJson(w: World): { readonly [key: string]: Json } {
  return {
    smmus: w.smmus.map((s) => ({
      range: s.range, asidBits: s.asidBits, asidMax: s.asidMax, queueLog2: s.queueLog2, eventLog2: s.eventLog2,
      tlbEntries: s.tlbEntries, ...(s.ds === true ? { ds: true } : {}), ...(s.forceSync === true ? { forceSync: true } : {}), ...(s.coherent === false ? { coherent: false } : {}),
    })),
    devices: w.devices.map((d) => ({ smmu: d.smmu, streams: [...d.streams] })),
    domains: w.domains.map((d) => ({ mode: d.mode, managed: d.managed, ...(d.gather === undefined ? {} : { gather: d.gather }), ...(d.coherent === false ? { coherent: false } : {}) })),
    inputBits: w.inputBits,
    flushQueue: w.flushQueue,
    storeOrder: w.storeOrder,
    ...(w.planner === undefined ? {} : { planner: w.planner }),
    ...(w.cleaner === undefined ? {} : { cleaner: w.cleaner }),
    ...(w.eviction === undefined ? {} : { eviction: { oneIn: w.eviction.oneIn, seed: w.eviction.seed } }),
  };
}

export function subjectJson(s: Subject): Json {
  return s.mutant === undefined ? { parts: sorted(s.parts) } : { parts: sorted(s.parts), mutant: s.mutant };
}

export function expectJson(e: Expectation): Json {
  return e.rule === undefined ? { verdict: e.verdict } : { verdict: e.verdict, rule: e.rule };
}

/** A copy whose keys are in code-unit order. */
export function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.keys(record).sort().map((key) => [key, record[key] as T]));
}

/** JSON without spaces, the keys of every object in code-unit order: equal data gives equal text. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalJson(item)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const record = value as { readonly [key: string]: Json };
  const fields = Object.keys(record).sort().map((key) => `${JSON.stringify(key)}:${canonicalJson(record[key] as Json)}`);
  return `{${fields.join(',')}}`;
}

/** The case's name: the first 16 hexadecimal digits of the SHA-256 of everything but `provenance`. */
export function caseId(c: Case): string {
  const identity: Record<string, Json> = {
    schema: c.schema,
    kind: c.kind,
    world: worldJson(c.world),
    subject: subjectJson(c.subject),
    operations: c.operations.map(operationJson),
    expect: expectJson(c.expect),
  };
  if (c.observed !== undefined) identity['observed'] = c.observed.map(observationJson);
  return createHash('sha256').update(canonicalJson(identity)).digest('hex').slice(0, 16);
}

/**
 * A stored system case: a SystemWorld, its operations, and what a right driver shows. Its identity is the hash of everything but where it came from.
 */
import { createHash } from 'node:crypto';
import { hex64 } from '../spec/bits.js';
import { OPERATION_KINDS, type Operation } from '../stack/operation.js';
import type { SystemDevice, SystemDomain, SystemOperation, SystemSmmu, SystemWorld } from '../stack/system.js';
import { canonicalJson, expectJson, operationJson, subjectJson, worldJson, type CASE_SCHEMA, type Expectation, type Json, type Subject } from './case.js';

export interface SystemCase {
  readonly schema: typeof CASE_SCHEMA;
  readonly kind: 'system';
  readonly world: SystemWorld;
  readonly subject: Subject;
  readonly operations: readonly SystemOperation[];
  readonly expect: Expectation;
  readonly provenance: Readonly<Record<string, string | number>>;
}

function smmuJson(s: SystemSmmu): Json {
  return {
    ...(s.stage2 === undefined ? {} : { stage2: { vmidBits: s.stage2.vmidBits, vmidMax: s.stage2.vmidMax } }), ...(s.ats === true ? { ats: true } : {}),
    ...(s.ssidBits === undefined ? {} : { ssidBits: s.ssidBits }), ...(s.linearCds === true ? { linearCds: true } : {}), ...(s.forceWriteBack === true ? { forceWriteBack: true } : {}),
    ...(s.oas === undefined ? {} : { oas: s.oas }), ...(s.dirty === true ? { dirty: true } : {}),
  };
}

function deviceJson(d: SystemDevice): Json {
  return { ...(d.ats === true ? { ats: true } : {}), ...(d.ssidBits === undefined ? {} : { ssidBits: d.ssidBits }) };
}

function domainJson(d: SystemDomain): Json {
  return { ...(d.stage === 2 ? { stage: 2 } : {}), ...(d.parent === true ? { parent: true } : {}) };
}

/** The JSON form of the world: that of its base, and beside it what each part has beyond. */
export function systemWorldJson(w: SystemWorld): { readonly [key: string]: Json } {
  return {
    ...worldJson(w.base),
    beyond: {
      smmus: w.smmus.map(smmuJson), devices: w.devices.map(deviceJson), domains: w.domains.map(domainJson),
      vsmmus: w.vsmmus.map((v) => ({ smmu: v.smmu, parent: v.parent })), guestFrames: w.guestFrames,
    },
  };
}

const PLAIN: ReadonlySet<string> = new Set(OPERATION_KINDS);

export function isPlain(o: SystemOperation): o is Operation {
  return PLAIN.has(o.op);
}

function bytes(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Words of 32 bits as words of 64. */
function wide(words: readonly number[]): string[] {
  return Array.from({ length: words.length / 2 }, (_, i) => hex64(words[2 * i] as number, words[2 * i + 1] as number));
}

/** The JSON form of one operation, keys in their fixed order. */
export function systemOperationJson(o: SystemOperation, index = 0): Json {
  if (isPlain(o)) return operationJson(o, index);
  switch (o.op) {
    case 'attach-pasid': return { op: o.op, device: o.device, ssid: o.ssid, to: o.to };
    case 'detach-pasid': return { op: o.op, device: o.device, ssid: o.ssid };
    case 'mm-exit': return { op: o.op, domain: o.domain };
    case 'vsmmu-open': case 'vsmmu-close': return { op: o.op, vsmmu: o.vsmmu };
    case 'attach-nested': return { op: o.op, device: o.device, vsmmu: o.vsmmu, ste: wide(o.ste) };
    case 'guest-commands': return { op: o.op, vsmmu: o.vsmmu, words: wide(o.words) };
    case 'guest-store': return { op: o.op, vsmmu: o.vsmmu, ipa: bytes(o.ipa), value: hex64(o.lo, o.hi) };
    case 'transact': return { op: o.op, device: o.device, stream: o.stream, ssid: o.ssid, iova: bytes(o.iova), write: o.write, ats: o.ats };
  }
}

/** The case's name: the first 16 hexadecimal digits of the SHA-256 of everything but `provenance`. */
export function systemCaseId(c: SystemCase): string {
  const identity: Record<string, Json> = {
    schema: c.schema, kind: c.kind, world: systemWorldJson(c.world), subject: subjectJson(c.subject), operations: c.operations.map(systemOperationJson), expect: expectJson(c.expect),
  };
  return createHash('sha256').update(canonicalJson(identity)).digest('hex').slice(0, 16);
}

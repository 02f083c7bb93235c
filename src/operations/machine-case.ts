/**
 * A stored machine case: one world of SMMUs, raw machine operations and what right machines show. Its JSON form leaves
 * out what has its usual value; its identity is the hash of that form without `provenance`.
 */
import { createHash } from 'node:crypto';
import { hex64 } from '../spec/bits.js';
import { FULL_FEATURES, type Features } from '../spec/features.js';
import type { Allowed, MachineConfig, MachineOperation, MachineWorld } from '../stack/machine-world.js';
import { canonicalJson, expectJson, type CASE_SCHEMA, type Expectation, type Json } from './case.js';
import { BOOT_FIELDS, commandJson, hex, OPERATION_FIELDS, registerName, writeFields } from './machine-fields.js';

export interface MachineCase {
  readonly schema: typeof CASE_SCHEMA;
  readonly kind: 'machine';
  readonly world: MachineWorld;
  readonly operations: readonly MachineOperation[];
  readonly expect: Expectation;
  readonly provenance: Readonly<Record<string, string | number>>;
}

/** What a case has unless it says otherwise. */
export const USUAL_CONFIG: MachineConfig = { features: FULL_FEATURES, tlbEntries: 64, mergeRuns: false, strictReserved: true };
export const USUAL_WORLD = { frames: 64, judged: true } as const;

function featuresJson(f: Features): Record<string, Json> {
  const keys = (Object.keys(FULL_FEATURES) as (keyof Features)[]).filter((key) => f[key] !== FULL_FEATURES[key]);
  return Object.fromEntries(keys.map((key) => [key, f[key]]));
}

function configJson(c: MachineConfig): Json {
  const features = featuresJson(c.features);
  return {
    ...(Object.keys(features).length === 0 ? {} : { features }),
    ...(c.tlbEntries === USUAL_CONFIG.tlbEntries ? {} : { tlbEntries: c.tlbEntries }),
    ...(c.mergeRuns === USUAL_CONFIG.mergeRuns ? {} : { mergeRuns: c.mergeRuns }),
    ...(c.strictReserved === USUAL_CONFIG.strictReserved ? {} : { strictReserved: c.strictReserved }),
  };
}

export function machineWorldJson(w: MachineWorld): { readonly [key: string]: Json } {
  return {
    smmus: w.smmus.map(configJson),
    ...(w.frames === USUAL_WORLD.frames ? {} : { frames: w.frames }),
    ...(w.judged === USUAL_WORLD.judged ? {} : { judged: w.judged }),
  };
}

function allowedJson(a: Allowed): Json {
  return { answer: a.answer, ...(a.pa === undefined ? {} : { pa: hex(a.pa) }), ...(a.stage2 === undefined ? {} : { stage2: a.stage2 }) };
}

/** The JSON form of one operation, keys in their fixed order. */
export function machineOperationJson(o: MachineOperation): Json {
  const plain = writeFields(OPERATION_FIELDS[o.op], { ...o, ...(o.op === 'sync' ? { msi: Math.max(0, o.msi) } : {}) });
  switch (o.op) {
    case 'store': return { op: o.op, ...plain, value: hex64(o.lo, o.hi), ...(o.held ? { held: true } : {}) };
    case 'boot': return { op: o.op, ...plain, ...writeFields(BOOT_FIELDS, { ...o.boot }), ...(o.boot.skip.length === 0 ? {} : { skip: [...o.boot.skip] }) };
    case 'register': return { op: o.op, ...plain, register: registerName(o.offset), value: hex(o.value) };
    case 'command': return { op: o.op, ...plain, command: commandJson(o.command) };
    case 'raw': return { op: o.op, ...plain, words: [hex64(o.words[0], o.words[1]), hex64(o.words[2], o.words[3])] };
    case 'claim': return { op: o.op, rule: o.rule, ...plain, allow: o.allow.map(allowedJson) };
    default: return { op: o.op, ...plain };
  }
}

/** The case's name: the first 16 hexadecimal digits of the SHA-256 of everything but `provenance`. */
export function machineCaseId(c: MachineCase): string {
  const identity: Record<string, Json> = {
    schema: c.schema, kind: c.kind, world: machineWorldJson(c.world), operations: c.operations.map(machineOperationJson), expect: expectJson(c.expect),
  };
  return createHash('sha256').update(canonicalJson(identity)).digest('hex').slice(0, 16);
}

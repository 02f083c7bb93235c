/**
 * Stored: a case of any kind, from its text and back.
 */
import { CASE_SCHEMA, caseId, type Case } from './case.js';
import { encodeCase, parseCase } from './codec.js';
import { machineCaseId, type MachineCase } from './machine-case.js';
import { encodeMachineCase, parseMachineCase } from './machine-codec.js';
import { readCaseText, readDocument } from './node.js';
import { planCaseId, type PlanCase } from './plan-case.js';
import { encodePlanCase, parsePlanCase } from './plan-codec.js';
import { systemCaseId, type SystemCase } from './system-case.js';
import { encodeSystemCase, parseSystemCase } from './system-codec.js';
import { tableCaseId, type TableCase } from './table-case.js';
import { encodeTableCase, parseTableCase } from './table-codec.js';

/** A sequence of operations. */
export type SequenceCase = Case | MachineCase | TableCase | SystemCase;
export type StoredCase = SequenceCase | PlanCase;

export function storedId(c: StoredCase): string {
  switch (c.kind) {
    case 'plan': return planCaseId(c);
    case 'machine': return machineCaseId(c);
    case 'tables': return tableCaseId(c);
    case 'system': return systemCaseId(c);
    case 'driver': return caseId(c);
  }
}

export function encodeStored(c: StoredCase): string {
  switch (c.kind) {
    case 'plan': return encodePlanCase(c);
    case 'machine': return encodeMachineCase(c);
    case 'tables': return encodeTableCase(c);
    case 'system': return encodeSystemCase(c);
    case 'driver': return encodeCase(c);
  }
}

/** Operations of a sequence; of a plan none. */
export function sizeOf(c: StoredCase): number {
  return c.kind === 'plan' ? 0 : c.operations.length;
}

/** Reads a case; `name` (a file name) starts every message. Throws CaseError. */
export function decodeStored(text: string, name: string): StoredCase {
  const n = readDocument(text, name);
  const keys = n.keys();
  if (keys.includes('schema')) n.child('schema').oneOf([CASE_SCHEMA]); // another schema may have other kinds
  switch (keys.includes('kind') ? n.child('kind').oneOf(['driver', 'machine', 'plan', 'tables', 'system']) : 'driver') {
    case 'plan': return parsePlanCase(n);
    case 'machine': return parseMachineCase(n);
    case 'tables': return parseTableCase(n);
    case 'system': return parseSystemCase(n);
    case 'driver': return parseCase(n);
  }
}

export function readStoredFile(path: string): StoredCase {
  return decodeStored(readCaseText(path), path);
}

/**
 * Stored: a case of either kind, from its text and back.
 */
import { CASE_SCHEMA, caseId, type Case } from './case.js';
import { encodeCase, parseCase } from './codec.js';
import { machineCaseId, type MachineCase } from './machine-case.js';
import { encodeMachineCase, parseMachineCase } from './machine-codec.js';
import { readCaseText, readDocument } from './node.js';

export type StoredCase = Case | MachineCase;

export function storedId(c: StoredCase): string {
  return c.kind === 'machine' ? machineCaseId(c) : caseId(c);
}

export function encodeStored(c: StoredCase): string {
  return c.kind === 'machine' ? encodeMachineCase(c) : encodeCase(c);
}

/** Reads a case; `name` (a file name) starts every message. Throws CaseError. */
export function decodeStored(text: string, name: string): StoredCase {
  const n = readDocument(text, name);
  const keys = n.keys();
  if (keys.includes('schema')) n.child('schema').oneOf([CASE_SCHEMA]); // another schema may have other kinds
  return keys.includes('kind') && n.child('kind').oneOf(['driver', 'machine']) === 'machine' ? parseMachineCase(n) : parseCase(n);
}

export function readStoredFile(path: string): StoredCase {
  return decodeStored(readCaseText(path), path);
}

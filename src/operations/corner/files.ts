/**
 * Files: the corner cases as stored machine cases, two for each that is decided: `NNN-slug-right.json` passes, `NNN-slug-wrong.json`
 * breaks its rule.
 */
import type { MachineOperation } from '../../stack/machine-world.js';
import { CASE_SCHEMA, type Expectation } from '../case.js';
import type { MachineCase } from '../machine-case.js';
import { encodeMachineCase } from '../machine-codec.js';
import type { Decided } from './builder.js';
import { DECIDED } from './cases.js';

export const FORMS = ['right', 'wrong'] as const;
export type Form = (typeof FORMS)[number];

export interface CornerFile {
  readonly name: string;
  readonly stored: MachineCase;
}

export function cornerFileName(c: Decided, form: Form): string {
  return `${String(c.number).padStart(3, '0')}-${c.slug}-${form}.json`;
}

export function cornerMachineCase(c: Decided, form: Form): MachineCase {
  const operations: readonly MachineOperation[] = form === 'right' ? c.right : c.wrong;
  const expect: Expectation = form === 'right' ? { verdict: 'ok' } : { verdict: 'violation', rule: c.rule };
  return { schema: CASE_SCHEMA, kind: 'machine', world: c.world, operations, expect, provenance: { from: 'corner-cases', number: c.number, form, scenario: c.scenario, clause: c.clause } };
}

/** All files, in the order of their names. */
export function cornerFiles(): CornerFile[] {
  return DECIDED.flatMap((c) => FORMS.map((form) => ({ name: cornerFileName(c, form), stored: cornerMachineCase(c, form) })));
}

export function cornerText(f: CornerFile): string {
  return encodeMachineCase(f.stored);
}

/**
 * Extract: the part of a recording around one violation as a case that our own stacks replay: what the kernel asked of the one domain, up to the call
 * that should have completed it, without the accesses. A right driver passes it (`expect: ok`); the recorded one did not, and `provenance` says how.
 */
import type { Case } from '../operations/case.js';
import type { Operation, Target } from '../stack/operation.js';

export interface Violated {
  readonly rule: string;
  readonly cause: string;
  readonly line: number;
}

/** `imported`: the recording up to the line of the violation. Null: it ends in nothing that a domain was asked for. */
export function extractCase(imported: Case, v: Violated): Case | null {
  const domain = lastDomain(imported.operations);
  if (domain < 0) return null;
  const devices = new Map<number, number>();
  for (const o of imported.operations) if (o.op === 'attach' && o.to === domain && !devices.has(o.device)) devices.set(o.device, devices.size);
  if (devices.size === 0) return null;
  const operations: Operation[] = [];
  for (const o of imported.operations) {
    if (o.op === 'access' || o.op === 'attach') {
      const device = devices.get(o.device);
      if (o.op !== 'attach' || device === undefined) continue;
      const to: Target = o.to === domain ? 0 : typeof o.to === 'number' ? 'blocked' : o.to;
      operations.push({ ...o, device, to });
    } else if ('domain' in o && o.domain === domain) operations.push({ ...o, domain: 0 });
  }
  const { world } = imported;
  return {
    ...caseOf(imported), operations, provenance: { ...imported.provenance, ...v },
    world: { ...world, domains: [world.domains[domain] ?? { mode: 'strict', managed: false }], devices: [...devices.values()].map((i) => ({ smmu: 0, streams: [i] })) },
  };
}

/** Without what was observed: a wrong driver's devices saw what a right one does not give. */
function caseOf(c: Case): Omit<Case, 'observed'> {
  const { observed: _, ...rest } = c;
  return rest;
}

function lastDomain(operations: readonly Operation[]): number {
  for (let i = operations.length - 1; i >= 0; i -= 1) {
    const o = operations[i] as Operation;
    if ('domain' in o) return o.domain;
    if (o.op === 'attach' && typeof o.to === 'number') return o.to;
  }
  return -1;
}

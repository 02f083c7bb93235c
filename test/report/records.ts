/** Fixed records for the tests of the reports. */
import type { FailureRecord } from '../../src/fuzz/failure.js';
import type { FuzzSummary } from '../../src/report/fuzz.js';
import { OPERATION_KINDS, type OperationKind } from '../../src/stack/operation.js';
import { RULE_IDS, type RuleId } from '../../src/stack/violation.js';
import { smallWorld } from '../../src/stack/world.js';

const attach = { op: 'attach', device: 0, to: 0 } as const;
const map = { op: 'map', domain: 0, iova: 0x4000, pa: 0x8000, size: 0x2000, prot: 'rw' } as const;
const unmap = { op: 'unmap', domain: 0, iova: 0x4000, size: 0x2000 } as const;
const sync = { op: 'sync', domain: 0 } as const;

export const RECORD: FailureRecord = {
  id: '0123456789abcdef',
  world: smallWorld(),
  operations: [attach, map, unmap, sync],
  violation: {
    rule: 'stale-translation', cause: 'a level 3 leaf outlives its unmap', expected: '0x4000: F_TRANSLATION',
    actual: 'SMMU 0 may still hold {asid 1 0x4000 -> 0x8000 level 3}', because: [],
    fact: { smmu: 0, kind: 'leaf', asid: 1, frame: 4, frames: 1, level: 3 },
  },
  mutant: 'missing-tlbi',
  explanation: { because: ['op 3 made the entry stale', 'no command went to SMMU 0 since'], verified: 'inserting TLBI_NH_VA removes the violation', tried: 1 },
  rows: [
    { operation: attach, reference: 'ok', optimised: 'ok', differs: false },
    { operation: map, reference: 'ok', optimised: 'ok', differs: false },
    { operation: unmap, reference: 'ok', optimised: 'ok', differs: false },
    { operation: sync, reference: '0x4000: F_TRANSLATION', optimised: 'SMMU 0 may still hold {asid 1 0x4000 -> 0x8000 level 3}', differs: true },
  ],
  origin: { seed: '0x5eed', run: 41208, profile: 'swarm' },
  shrunk: { from: 96, tried: 412, accepted: 37, minimal: true },
  file: 'corpus/a.json', fullFile: 'corpus/b.full.json',
};

const kinds = Object.fromEntries(OPERATION_KINDS.map((kind) => [kind, 0])) as Record<OperationKind, number>;
const rules = Object.fromEntries(RULE_IDS.map((id) => [id, { armed: 5, decided: 5, violated: 0 }])) as FuzzSummary['rules'];

export const SUMMARY: FuzzSummary = {
  verdict: 'ok', seed: '0x5eed', profile: 'swarm', mutant: null, interleavingOnly: false, runs: 1200, operations: 90_000, refused: 3600, shortest: 60, longest: 500,
  operationKinds: { ...kinds, map: 45_000, unmap: 40_000, sync: 4950, attach: 50 },
  commandKinds: { TLBI_NH_VA: 300, SYNC: 100 }, rules, failures: [], found: 0, unmodelled: [],
  determinism: { identical: 2, checked: 2 }, replayed: null, interrupted: null, elapsedMs: 18_400,
};

/** The rules with one that has other counts. */
export function rulesWith(id: RuleId, armed: number, decided: number): FuzzSummary['rules'] {
  return { ...rules, [id]: { armed, decided, violated: 0 } };
}

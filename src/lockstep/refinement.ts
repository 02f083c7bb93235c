/**
 * Refinement: what the optimised machine has cached is among the facts of the weakest machine. Judged where it
 * changes: on each insert, and at each SYNC for the entries that the SYNC's commands name (facts only die at a SYNC,
 * and only if some covered command matches them; STE and CD caches are few and are judged whole).
 */
import { entryFrames, type Pending } from '../reference/stage1/facts.js';
import { isCfgi, isTlbi } from '../reference/stage1/match.js';
import type { Stage1Reference } from '../reference/stage1/machine.js';
import type { OptimisedMachine } from '../optimised/machine/machine.js';
import type { Ledger } from '../rules/ledger.js';
import { at } from '../rules/scene.js';
import type { InsertListener } from '../stack/machine.js';

function fail(ledger: Ledger, smmu: number, what: string, when: string): never {
  return ledger.fail('machine-refinement', `${when}: ${what.replace(/0x[0-9a-f]+|\d+/g, '#')}`, 'a fact of the weakest machine', `the optimised machine of SMMU ${smmu} holds ${what} ${when}`);
}

export function checkInserts(ledger: Ledger, reference: Stage1Reference, smmu: number): InsertListener {
  return {
    leafInserted(_vmid, asid, frame, level, lo, hi): void {
      ledger.judge('machine-refinement');
      if (!reference.holdsLeaf(asid, frame, level, lo, hi)) fail(ledger, smmu, `a level ${level} leaf at ${at(frame)} of asid ${asid}`, 'on insert');
    },
    tableInserted(_vmid, asid, frame, level, lo, hi): void {
      ledger.judge('machine-refinement');
      if (!reference.holdsTable(asid, frame, level, lo, hi)) fail(ledger, smmu, `a level ${level} table descriptor at ${at(frame)} of asid ${asid}`, 'on insert');
    },
    steInserted(sid, words, base): void {
      ledger.judge('machine-refinement');
      if (!reference.holdsSte(sid, words.subarray(base, base + 16))) fail(ledger, smmu, `an STE of stream ${sid}`, 'on insert');
    },
    cdInserted(sid, words, base): void {
      ledger.judge('machine-refinement');
      if (!reference.holdsCd(sid, words.subarray(base, base + 16))) fail(ledger, smmu, `a CD of stream ${sid}`, 'on insert');
    },
  };
}

export function checkCachesAfterSync(ledger: Ledger, reference: Stage1Reference, machine: OptimisedMachine, covered: readonly Pending[], smmu: number): void {
  const tlbis = covered.filter((p) => isTlbi(p.command.op));
  if (tlbis.length > 0) {
    machine.forEachLeaf((asid, frame, level, lo, hi) => {
      if (!reference.leafNamed(tlbis, asid, level, frame, entryFrames(level))) return;
      ledger.judge('machine-refinement');
      if (!reference.holdsLeaf(asid, frame, level, lo, hi)) fail(ledger, smmu, `a level ${level} leaf at ${at(frame)} of asid ${asid}`, 'after a SYNC');
    });
    machine.forEachTable((asid, frame, level, lo, hi) => {
      if (!reference.tableNamed(tlbis, asid, level, frame, entryFrames(level))) return;
      ledger.judge('machine-refinement');
      if (!reference.holdsTable(asid, frame, level, lo, hi)) fail(ledger, smmu, `a level ${level} table descriptor at ${at(frame)} of asid ${asid}`, 'after a SYNC');
    });
  }
  if (!covered.some((p) => isCfgi(p.command.op))) return;
  machine.forEachSte((sid, words, base) => {
    ledger.judge('machine-refinement');
    if (!reference.holdsSte(sid, words.subarray(base, base + 16))) fail(ledger, smmu, `an STE of stream ${sid}`, 'after a SYNC');
  });
  machine.forEachCd((sid, words, base) => {
    ledger.judge('machine-refinement');
    if (!reference.holdsCd(sid, words.subarray(base, base + 16))) fail(ledger, smmu, `a CD of stream ${sid}`, 'after a SYNC');
  });
}

/**
 * Permitted: every outcome that an access may have at this moment. The translation procedure of
 * IHI 0070 §3.3.2 and §7.3.22, steps 1–7 for stage 1, asked of every STE fact, every CD fact below it, every leaf fact of the
 * tag, and of a fresh walk. `visit` gets each outcome with the reason for it and returns true to stop.
 */
import { CD, cdLegal } from '../../spec/cd.js';
import { getField, POW2 } from '../../spec/bits.js';
import { BIT_AF, descriptorKind, LEAF, leafFrame, leafWritable, TABLE, tableFrame } from '../../spec/descriptor.js';
import { EVENT } from '../../spec/event.js';
import { steAction } from '../../spec/ste.js';
import type { Memory } from '../../memory/memory.js';
import type { Stage1Features } from '../../stack/machine.js';
import { newOutcome, setAbort, setFault, setOk, type Outcome } from '../../stack/outcome.js';
import type { Configuration } from './configuration.js';
import { entryFrames, isCurrent, waySpan, type EntryFact, type Regime } from './facts.js';
import type { Tables } from './tables.js';

export type Visit = (outcome: Outcome, reason: string) => boolean;

export interface Asked {
  readonly memory: Memory;
  readonly features: Stage1Features;
  readonly configuration: Configuration;
  readonly tables: Tables;
}

export function permittedOutcomes(m: Asked, sid: number, frame: number, write: boolean, visit: Visit): boolean {
  const out = newOutcome();
  if (m.configuration.streams === 0) {
    setOk(out, frame); // SMMUEN = 0: bypass with GBPA attributes (step 1)
    return visit(out, 'the SMMU is not enabled');
  }
  if (sid >= m.configuration.streams) {
    setFault(out, EVENT.C_BAD_STREAMID); // step 3
    return visit(out, 'the StreamID is beyond the stream table');
  }
  if (m.configuration.unreached(sid)) {
    setFault(out, EVENT.C_BAD_STREAMID);
    if (visit(out, 'a level-1 descriptor that leads to no STE')) return true;
  }
  for (const ste of m.configuration.stesOf(sid)) {
    if (throughSte(m, ste, frame, write, out, visit)) return true;
  }
  return false;
}

function throughSte(m: Asked, ste: EntryFact, frame: number, write: boolean, out: Outcome, visit: Visit): boolean {
  const which = isCurrent(ste) ? 'the STE in memory' : 'a cached older STE';
  switch (steAction(ste.words, 0, m.features.ste)) {
    case 'illegal': setFault(out, EVENT.C_BAD_STE); return visit(out, which);
    case 'abort': setAbort(out); return visit(out, which);
    case 'bypass':
      if (frame >= (POW2[m.features.cd.oas - 12] as number)) setFault(out, EVENT.F_ADDR_SIZE); // §3.4
      else setOk(out, frame);
      return visit(out, which);
    case 'stage1':
      for (const cd of ste.cds) if (throughCd(m, cd, frame, write, out, visit, which)) return true;
      return false;
    default: return false; // stage 2 and nested throw Unmodelled where they appear
  }
}

function throughCd(m: Asked, cd: EntryFact, frame: number, write: boolean, out: Outcome, visit: Visit, ste: string): boolean {
  const which = isCurrent(cd) ? `${ste}, the CD in memory` : `${ste}, a cached older CD`;
  if (!cdLegal(cd.words, 0, m.features.cd)) { // step 6
    setFault(out, EVENT.C_BAD_CD);
    return visit(out, which);
  }
  const asid = getField(cd.words, CD.ASID);
  const own = m.configuration.regimes.find((r) => r.supports.some((s) => s.cd === cd));
  // A TLB hit needs the tag only: any regime of that tag will do (§3.3.3).
  for (const r of m.configuration.regimes) {
    if (r.asid !== asid) continue;
    const hit = m.tables.leavesAt(r, frame, (lo, hi, level, va, stale) => {
      answerLeaf(lo, hi, level, va, frame, write, out);
      return visit(out, stale ? `${which}, a stale leaf or walk of asid ${asid}` : `${which}, asid ${asid}`);
    });
    if (hit) return true;
  }
  return own !== undefined && walkFaults(m, own, frame, out, (o, why) => visit(o, `${which}, ${why}`));
}

/** A leaf answers with its output, or with F_PERMISSION (steps 7, 9). */
export function answerLeaf(lo: number, hi: number, level: number, va: number, frame: number, write: boolean, out: Outcome): void {
  if (write && !leafWritable(lo)) setFault(out, EVENT.F_PERMISSION);
  else setOk(out, leafFrame(lo, hi, level) + (frame - va));
}

/** Faults that a walk may end in: from the base, and from every cached table descriptor on the way. */
function walkFaults(m: Asked, r: Regime, frame: number, out: Outcome, visit: Visit): boolean {
  if (frame >= (POW2[r.inputBits - 12] as number)) { // TxSZ range check
    setFault(out, EVENT.F_TRANSLATION);
    return visit(out, 'out of the input range');
  }
  if (r.root !== null && walkFault(m, r, r.root.slot, r.startLevel, 0, frame, out) && visit(out, 'a walk from the table base')) return true;
  for (const way of r.wayRecs) {
    if (frame < way.va || frame >= way.va + waySpan(way)) continue;
    if (walkFault(m, r, way.slot, way.level, way.va, frame, out) && visit(out, 'a walk from a cached table descriptor')) return true;
  }
  return false;
}

/** Walks from a page; true with the fault in `out` when the walk does not end in a usable leaf. */
function walkFault(m: Asked, r: Regime, from: number, fromLevel: number, base: number, frame: number, out: Outcome): boolean {
  let slot = from;
  let va = base;
  for (let level = fromLevel; level <= 3; level += 1) {
    const size = entryFrames(level);
    const index = Math.floor((frame - va) / size);
    va += index * size;
    const lo = slot < 0 ? 0 : (m.memory.lo[slot * 512 + index] as number);
    const hi = slot < 0 ? 0 : (m.memory.hi[slot * 512 + index] as number);
    const kind = descriptorKind(lo, level, 12);
    if (kind === LEAF) {
      if (leafFrame(lo, hi, level) >= (POW2[r.outputBits - 12] as number)) setFault(out, EVENT.F_ADDR_SIZE);
      else if ((lo & BIT_AF) === 0) setFault(out, EVENT.F_ACCESS);
      else return false;
      return true;
    }
    if (kind !== TABLE) break;
    if (tableFrame(lo, hi) >= (POW2[r.outputBits - 12] as number)) {
      setFault(out, EVENT.F_ADDR_SIZE);
      return true;
    }
    slot = m.memory.slotOf(tableFrame(lo, hi));
  }
  setFault(out, EVENT.F_TRANSLATION);
  return true;
}

/**
 * Listing: every fact of the incremental machine by name, for comparison with the literal one. Two ways to list the
 * TLB: from its ways and records, and through the questions that rules ask (`leavesAt`).
 */
import { cacheableLeaf } from '../../../src/reference/machine/tables.js';
import type { Regime, Way } from '../../../src/reference/machine/facts.js';
import type { ReferenceMachine } from '../../../src/reference/machine/machine.js';

function keyOf(r: Regime): string {
  return `${r.asid}/${r.frame}/${r.startLevel}/${r.inputBits}/${r.outputBits}`;
}

function nameOf(kind: 'leaf' | 'table', r: Regime, level: number, va: number, word: string): string {
  return `${kind} ${keyOf(r)} level ${level} va ${va} ${word}`;
}

/** Leaves and table descriptors, from the ways and records. */
export function listTlb(m: ReferenceMachine): Set<string> {
  const names = new Set<string>();
  for (const r of m.regimes) {
    if (r.root !== null) listWay(m, r.root, names);
    for (const way of r.wayRecs) listWay(m, way, names);
    for (const leaf of r.leafRecs) names.add(nameOf('leaf', r, leaf.level, leaf.va, `${leaf.hi}:${leaf.lo}`));
  }
  return names;
}

function listWay(m: ReferenceMachine, way: Way, names: Set<string>): void {
  if (way.index >= 0) names.add(nameOf('table', way.regime, way.level - 1, way.va, `${way.hi}:${way.lo}`));
  for (const kid of way.kids.values()) listWay(m, kid, names);
  if (way.slot < 0) return;
  for (let i = 0; i < 512; i += 1) {
    const lo = m.memory.lo[way.slot * 512 + i] as number;
    if (lo === 0) continue;
    const hi = m.memory.hi[way.slot * 512 + i] as number;
    if (cacheableLeaf(lo, hi, way.level, way.regime.outputBits)) {
      names.add(nameOf('leaf', way.regime, way.level, way.va + i * 512 ** (3 - way.level), `${hi}:${lo}`));
    }
  }
}

/** Leaves that an access to one of `frames` may hit, as the rules see them. */
export function listHits(m: ReferenceMachine, frames: readonly number[]): Set<string> {
  const names = new Set<string>();
  for (const r of m.regimes) {
    for (const frame of frames) {
      m.tables.leavesAt(r, frame, (lo, hi, level, va) => {
        names.add(nameOf('leaf', r, level, va, `${hi}:${lo}`));
        return false;
      });
    }
  }
  return names;
}

/** STEs and CDs of the first `streams` streams. */
export function listEntries(m: ReferenceMachine, streams: number): Set<string> {
  const names = new Set<string>();
  for (let sid = 0; sid < streams; sid += 1) {
    for (const ste of m.configuration.stesOf(sid)) {
      const name = `ste ${sid} ${ste.ref} ${ste.words.join(',')}`;
      names.add(name);
      for (const cd of ste.cds) names.add(`cd ${sid} ${cd.ref} ${cd.words.join(',')} through ${name}`);
    }
  }
  return names;
}

/** Everything in one text: equal texts are equal fact sets, wildcards included. */
export function fingerprintOf(m: ReferenceMachine, streams: number): string {
  const wild = [m.unknownConfiguration(), ...[1, 2, 3].map((asid) => m.unknownTag(asid))].join(' ');
  const queue = `${m.queue.prod} ${m.queue.waiting} ${m.queue.pending.map((p) => `${p.command.op}@${p.visible}`).join(',')}`;
  return [...[...listTlb(m)].sort(), ...[...listEntries(m, streams)].sort(), wild, queue].join('\n');
}

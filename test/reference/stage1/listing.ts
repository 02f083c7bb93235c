/**
 * Listing: every fact of the incremental machine by name, for comparison with the literal one. Two ways to list the
 * TLB: from its ways and records, and through the questions that rules ask (`leavesAt`).
 */
import { cacheableLeaf } from '../../../src/reference/stage1/tables.js';
import type { EntryFact, Regime, Way } from '../../../src/reference/stage1/facts.js';
import type { Stage1Reference } from '../../../src/reference/stage1/machine.js';

function keyOf(r: Regime): string {
  return `${r.asid}/${r.frame}/${r.startLevel}/${r.inputBits}/${r.outputBits}`;
}

function nameOf(kind: 'leaf' | 'table', r: Regime, level: number, va: number, word: string): string {
  return `${kind} ${keyOf(r)} level ${level} va ${va} ${word}`;
}

/** Leaves and table descriptors, from the ways and records. */
export function listTlb(m: Stage1Reference): Set<string> {
  const names = new Set<string>();
  for (const r of m.regimes) {
    if (r.root !== null) listWay(m, r.root, names);
    for (const way of r.wayRecs) listWay(m, way, names);
    for (const leaf of r.leafRecs) names.add(nameOf('leaf', r, leaf.level, leaf.va, `${leaf.hi}:${leaf.lo}`));
  }
  return names;
}

function listWay(m: Stage1Reference, way: Way, names: Set<string>): void {
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
export function listHits(m: Stage1Reference, frames: readonly number[]): Set<string> {
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
export function listEntries(m: Stage1Reference, streams: number): Set<string> {
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

function segments(f: { readonly starts: readonly number[]; readonly ends: readonly number[] }): string {
  return f.starts.map((start, i) => `${start}-${f.ends[i]}`).join(',');
}

function held(f: EntryFact): string {
  return `${f.born} ${f.own.map(segments).join(' ')}`;
}

function wayText(way: Way, lines: string[], depth: string): void {
  lines.push(`${depth}${way.state} [${way.index}] ${way.hi}:${way.lo} level ${way.level} va ${way.va} ${segments(way)} under ${way.parent === null ? 'nothing' : `${way.parent.level}/${way.parent.va}`}`);
  for (const index of [...way.kids.keys()].sort((a, b) => a - b)) wayText(way.kids.get(index) as Way, lines, `${depth}  `);
}

/**
 * The whole state in one text, times included: facts, records, ways by page, structures, wildcards, queue. Equal texts
 * behave alike from here on.
 */
export function stateText(m: Stage1Reference, streams: number): string {
  const lines: string[] = [];
  for (const r of m.regimes) {
    lines.push(`regime ${keyOf(r)} supports ${r.supports.map((s) => `${s.ste.sid}:${s.cd.ref}@${s.cd.born}`).join(' ')}`);
    if (r.root !== null) wayText(r.root, lines, ' root ');
    for (const way of r.wayRecs) wayText(way, lines, ' record ');
    for (const l of r.leafRecs) lines.push(` leaf ${l.level} ${l.va} [${l.index}] ${l.hi}:${l.lo} until ${l.until} way ${l.way === null ? 'none' : `${l.way.level}/${l.way.va}`}`);
  }
  for (let slot = 0; slot < m.memory.slots; slot += 1) {
    const ways = m.tables.waysTo(slot).map((w) => `${w.regime.asid}/${w.level}/${w.va}`).join(' ');
    const cds = m.configuration.cdsIn(slot).map((f) => `${f.sid}/${f.ref}/${f.words[1]}`).join(' ');
    if (ways !== '' || cds !== '') lines.push(`page ${slot}: ${ways} ${cds}`);
  }
  for (let sid = 0; sid < streams; sid += 1) {
    for (const ste of m.configuration.stesOf(sid)) {
      lines.push(`ste ${sid} ${ste.words.join()} ${held(ste)}`, ...ste.cds.map((cd) => ` cd ${cd.ref} ${cd.words.join()} ${held(cd)}`));
    }
  }
  lines.push(`unknown ${m.unknownConfiguration()} ${[1, 2, 3].map((asid) => m.unknownTag(asid)).join()}`);
  lines.push(`queue ${m.queue.prod} ${m.queue.waiting} ${m.queue.pending.map((p) => `${p.command.op}@${p.visible}`).join()}`);
  return [...lines, ...[...listTlb(m)].sort()].join('\n');
}

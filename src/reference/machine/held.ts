/**
 * Held: is what a concrete machine has cached among the facts (machine refinement), and does any fact point to a page (what may be freed, IHI 0070
 * §3.21.1, §3.21.3)? An entry may be smaller than its fact: blocks and runs may be cached in pieces.
 */
import { l1cdPointer, l1cdValid, l1stdPointer, l1stdStreams } from '../../spec/level1.js';
import type { CachedEntry } from '../../stack/transaction.js';
import { addressIn, type Atc } from './atc.js';
import type { Contexts } from './contexts.js';
import { isRegime, stands, type Fact, type LeafFact, type StructureFact, type TableFact } from './facts.js';
import { stage1Allows, stage1Clean, stage2Allows, stage2Clean } from './permissions.js';
import type { Tables } from './tables.js';
import type { Memory } from '../../memory/memory.js';

interface Parts {
  readonly memory: Memory;
  readonly contexts: Contexts;
  readonly tables: Tables;
  readonly atc: Atc;
}

export function holdsEntry(m: Parts, e: CachedEntry): boolean {
  switch (e.kind) {
    case 'l1std': case 'ste': return holdsWords(m.contexts, e, e.sid);
    case 'l1cd': case 'cd': return holdsWords(m.contexts, e, e.ssid);
    case 'table': return m.tables.translations.some((f) => f.kind === 'table' && holdsTable(f, e));
    case 'leaf': return m.tables.translations.some((f) => f.kind === 'leaf' && holdsLeaf(f, e));
    case 'atc': return m.atc.held(e.sid).some((f) => f.ssid === e.ssid && addressIn(f, e.frame) >= 0 && addressIn(f, e.frame) + e.frames <= f.frames && f.target + addressIn(f, e.frame) === e.target
      && (f.canRead || !e.canRead) && (f.canWrite || !e.canWrite));
  }
}

/** Every word that is tracked is one that may be cached, in one element. */
function holdsWords(contexts: Contexts, e: CachedEntry, index: number): boolean {
  const kind = e.kind as StructureFact['kind'];
  return contexts.elements(kind, e.sid, index).some((element) => element.words.every((list, word) => {
    const lo = e.words[e.base + 2 * word] as number;
    const hi = e.words[e.base + 2 * word + 1] as number;
    return list.some((f) => f.lo === lo && f.hi === hi);
  }));
}

export function sameTag(f: TableFact | LeafFact, e: CachedEntry): boolean {
  return f.world === e.world && f.vmid === e.vmid && f.asid === e.asid && f.stage === e.stage && f.tg === e.tg && f.level === e.level;
}

function holdsTable(f: TableFact, e: CachedEntry): boolean {
  return sameTag(f, e) && f.va === e.frame && f.frames === e.frames && f.target === e.target;
}

/** Permissions of unprivileged data accesses; a write that would still have to mark a descriptor dirty is not one that the entry allows. */
function holdsLeaf(f: LeafFact, e: CachedEntry): boolean {
  if (!sameTag(f, e) || e.frame < f.va || e.frame + e.frames > f.va + f.frames || f.target + e.frame - f.va !== e.target) return false;
  return allows(f, false) === e.canRead && allows(f, true) === e.canWrite;
}

function allows(f: LeafFact, write: boolean): boolean {
  const k = { write, privileged: false, instruction: false };
  const first = f.stage === 2 ? null : (f.first ?? f);
  const second = f.stage === 2 ? f : f.second;
  const one = first === null || (stage1Allows(first, first.regime.context.hd, k) && !(write && stage1Clean(first, first.regime.context.hd)));
  return one && (second === null || (stage2Allows(second, second.regime.context.hd, k) && !(write && stage2Clean(second, second.regime.context.hd))));
}

/** What points to a page: words that begin with its kind, and the facts. */
export interface Pointer {
  readonly text: string;
  readonly facts: readonly Fact[];
}

export function pointerTo(m: Parts, slot: number): Pointer | null {
  const frame = m.memory.frameOf(slot);
  for (const a of m.contexts.store.arrays) {
    if (a.premises.length > 0 && a.open && covers(a.address, a.count * a.stride, frame)) {
        return { text: `${a.kind === 'ste' ? 'level-1 stream table descriptor' : 'STE or level-1 CD'} that leads to ${a.kind} structures`, facts: a.premises.filter((p) => !isRegime(p)) };
      }
    for (const e of a.elements.values()) {
      for (const f of e.words[0] as StructureFact[]) {
        if (a.kind === 'l1std' && l1stdStreams(f.lo, m.contexts.split) > 0 && covers(l1stdPointer(f.lo, f.hi), l1stdStreams(f.lo, m.contexts.split) * 64, frame)) {
          return { text: 'level-1 stream table descriptor', facts: [f] };
        }
        if (a.kind === 'l1cd' && l1cdValid(f.lo) && covers(l1cdPointer(f.lo, f.hi, 1), 4096, frame)) return { text: 'level-1 CD', facts: [f] };
      }
    }
  }
  for (const f of m.tables.translations) {
    if (f.kind !== 'table' || f.page === null) continue;
    const frames = Math.ceil((f.page.offset + f.page.entries) / 512);
    if (frame >= f.page.frame && frame < f.page.frame + frames) {
      return { text: `table descriptor of stage ${f.stage}, level ${f.level}, for 0x${(f.va * 4096).toString(16)}`, facts: [f] };
    }
  }
  for (const r of m.tables.regimes) {
    if (r.supports.length === 0) continue;
    if (r.roots.some((p) => frame >= p.frame && frame < p.frame + Math.ceil((p.offset + p.entries) / 512))) {
      return { text: `regime: the base of the tables of ${r.stage === 2 ? `vmid ${r.vmid}` : `asid ${r.asid}`}`, facts: r.supports[0]?.facts ?? [] };
    }
  }
  return null;
}

function covers(address: number, bytes: number, frame: number): boolean {
  return frame >= Math.floor(address / 4096) && frame * 4096 < address + bytes;
}

/** Is a pointer what memory says now, or only cached? */
export function inMemory(f: Fact): boolean {
  return f.ref >= 0 ? stands(f) : f.premises.every((p) => isRegime(p) || inMemory(p));
}

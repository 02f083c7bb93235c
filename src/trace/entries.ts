/**
 * Entries: what tracing shows of an STE or CD is the whole entry that is about to be installed, and the CFGIs behind it. The stores must have come
 * in between. An entry that becomes usable gets its other words first and the word with its valid bit last; one that goes out of use, the other
 * way round; each step in front of a batch of its own, all in front of the only one.
 */
import { OP } from '../spec/command.js';
import type { Recorded } from '../captures/recorded.js';

export interface Group {
  readonly entry: Recorded;
  /** The lines behind it, up to the first that is no CFGI of the same CPU. */
  readonly held: Recorded[];
}

const HELD_MOST = 64;

/** Does the line still belong to the writing of the entry? Lines of other CPUs are only carried along. */
export function belongs(g: Group, r: Recorded): boolean {
  if (g.held.length >= HELD_MOST) return false;
  if (r.cpu !== g.entry.cpu) return true;
  switch (r.what.kind) {
    case 'issue': case 'issue.ret': return true;
    case 'cmd': return r.what.raw === null || r.what.op === 'SYNC' || isCfgi(r);
    default: return false;
  }
}

function isCfgi(r: Recorded): boolean {
  const op = r.what.kind === 'cmd' && r.what.raw !== null ? (r.what.raw[0] as number) & 0xff : -1;
  return op === OP.CFGI_STE || op === OP.CFGI_CD;
}

export interface Named {
  readonly kind: 'ste' | 'cd';
  readonly sid: number;
  /** Index of the CD; of an STE 0. */
  readonly ssid: number;
}

/** What the first CFGI behind the entry names; null: there is none. */
export function namedBy(g: Group): Named | null {
  const r = g.held.find((x) => x.cpu === g.entry.cpu && isCfgi(x));
  if (r?.what.kind !== 'cmd' || r.what.raw === null) return null;
  const cd = ((r.what.raw[0] as number) & 0xff) === OP.CFGI_CD;
  return { kind: cd ? 'cd' : 'ste', sid: r.what.raw[1] as number, ssid: cd ? (r.what.raw[0] as number) >>> 12 : 0 };
}

/** Indices into `held` where a batch of this CPU with a CFGI begins. */
export function batches(g: Group): number[] {
  const out: number[] = [];
  let begun = -1;
  g.held.forEach((r, i) => {
    if (r.cpu !== g.entry.cpu) return;
    if (r.what.kind === 'issue') begun = i;
    if (isCfgi(r) && begun >= 0) { out.push(begun); begun = -1; }
  });
  return out;
}

/** Word indices in the order in which they must have been stored, in steps. */
export function steps(before: readonly number[], after: readonly number[], kind: 'ste' | 'cd', count: number): number[][] {
  const changed = Array.from({ length: 8 }, (_, i) => i).filter((i) => before[i * 2] !== after[i * 2] || before[i * 2 + 1] !== after[i * 2 + 1]);
  const rest = changed.filter((i) => i !== 0);
  const first = changed.includes(0) ? [0] : [];
  if (count < 2) return [usable(after, kind) ? [...rest, ...first] : [...first, ...rest]];
  return usable(after, kind) && !usable(before, kind) ? [rest, first] : usable(after, kind) ? [[...rest, ...first]] : [first, rest];
}

/** STE: V, and a Config that translates or bypasses. CD: V. */
function usable(words: readonly number[], kind: 'ste' | 'cd'): boolean {
  const lo = words[0] as number;
  return kind === 'cd' ? lo >>> 31 !== 0 : (lo & 1) !== 0 && (lo & 8) !== 0;
}

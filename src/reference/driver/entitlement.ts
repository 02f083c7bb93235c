/**
 * Entitlement: what one stream and substream of a device may see, and whether an answer is one that this allows (IHI 0070 §3.3.2, §3.9). Pure functions over
 * the flat maps of the intent: no tables, no tags, no commands.
 */
import { POW2 } from '../../spec/bits.js';
import { EVENT } from '../../spec/event.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK } from '../../stack/outcome.js';
import { ANSWER_CA, ANSWER_NONE, ANSWER_UR, type Answer } from '../../stack/transaction.js';
import { runGives, type Run } from './intervals.js';

export type Entitled =
  /** Nothing at all. `tables`: a CD table stands behind the STE for the substreams in use, so that a refusal is recorded. */
  | { readonly kind: 'blocked'; readonly tables: boolean }
  | { readonly kind: 'identity' }
  | { readonly kind: 'domain'; readonly domain: number }
  /** The process has ended: faults without a record. */
  | { readonly kind: 'gone' }
  /** A substream that nothing is attached to. */
  | { readonly kind: 'nothing' }
  /** Whatever the parent maps: the rest is the guest's affair. */
  | { readonly kind: 'guest'; readonly parent: number };

export type Way = 'access' | 'ats-request' | 'translated';

/** One domain's flat map, and what was taken away and is not due yet. */
export interface FlatMap {
  readonly runs: readonly Run[];
  at(frame: number): Run | undefined;
  readonly limbo: readonly Run[];
}

export interface Place {
  readonly frame: number;
  readonly write: boolean;
  /** Output size of the SMMU, in bits. */
  readonly oas: number;
  /** Is PCI ATS on at the endpoint? */
  readonly ats: boolean;
  /** Input size of the domain's tables; 0: there is none. */
  readonly inputBits: number;
}

const REFUSALS: readonly number[] = [EVENT.C_BAD_SUBSTREAMID, EVENT.C_BAD_CD, EVENT.F_STREAM_DISABLED];

/** May a device that is entitled so be given this answer? `map`: of the domain or parent; null where there is none. */
export function allowsAnswer(e: Entitled, map: FlatMap | null, way: Way, at: Place, a: Answer): boolean {
  if (a.kind === ANSWER_NONE) return way === 'translated' || (way === 'ats-request' && !at.ats);
  if (way === 'access') return allowsAccess(e, map, at, a);
  if (way === 'translated') return a.kind === OUTCOME_OK ? gives(e, map, at.frame, 1, { pa: a.frame, writable: at.write, oas: at.oas }) : !at.ats || e.kind === 'guest';
  if (a.kind === OUTCOME_OK) return !(a.canRead || a.canWrite) || gives(e, map, at.frame, 1, { pa: a.frame, writable: a.canWrite, oas: at.oas });
  if (a.kind === ANSWER_UR) return !at.ats || e.kind === 'guest';
  return a.kind === ANSWER_CA && (e.kind === 'nothing' || e.kind === 'guest' || e.kind === 'blocked');
}

function allowsAccess(e: Entitled, map: FlatMap | null, at: Place, a: Answer): boolean {
  const fault = (event: number): boolean => a.kind === OUTCOME_FAULT && a.event === event;
  switch (e.kind) {
    case 'blocked': return a.kind === OUTCOME_ABORT || (e.tables && fault(EVENT.F_STREAM_DISABLED));
    case 'identity': return at.frame < (POW2[at.oas - 12] as number) ? a.kind === OUTCOME_OK && a.frame === at.frame : fault(EVENT.F_ADDR_SIZE);
    case 'gone': return a.kind === OUTCOME_ABORT;
    case 'nothing': return a.kind === OUTCOME_ABORT || (a.kind === OUTCOME_FAULT && REFUSALS.includes(a.event));
    case 'guest': return a.kind !== OUTCOME_OK || gives(e, map, at.frame, 1, { pa: a.frame, writable: at.write, oas: at.oas });
    case 'domain': {
      if (map === null) return false;
      const run = map.at(at.frame);
      if (run === undefined ? nowhere(at, a) : runAllows(run, at, a)) return true;
      return map.limbo.some((r) => r.first <= at.frame && at.frame < r.end && (runAllows(r, at, a) || fault(EVENT.F_TRANSLATION)));
    }
  }
}

/** Not mapped: F_TRANSLATION; beyond what the SMMU can put out at all stage 2 says F_ADDR_SIZE (§3.4). */
function nowhere(at: Place, a: Answer): boolean {
  return a.kind === OUTCOME_FAULT && (a.event === EVENT.F_TRANSLATION || (a.event === EVENT.F_ADDR_SIZE && at.frame >= (POW2[at.oas - 12] as number)));
}

function runAllows(run: Run, at: Place, a: Answer): boolean {
  if (at.write && !run.writable) return a.kind === OUTCOME_FAULT && a.event === EVENT.F_PERMISSION;
  return a.kind === OUTCOME_OK && a.frame === run.pa + (at.frame - run.first);
}

/** May it be given [frame, frame + frames) -> pa with this right? */
export function gives(e: Entitled, map: FlatMap | null, frame: number, frames: number, to: { readonly pa: number; readonly writable: boolean; readonly oas: number }): boolean {
  switch (e.kind) {
    case 'identity': return to.pa === frame && frame + frames <= (POW2[to.oas - 12] as number);
    case 'domain': {
      if (map === null) return false;
      const run = map.at(frame);
      return (run !== undefined && runGives(run, frame, frames, to.pa, to.writable)) || map.limbo.some((r) => runGives(r, frame, frames, to.pa, to.writable));
    }
    case 'guest': return map !== null && putsOut(map, to.pa, frames, to.writable);
    default: return false;
  }
}

/** Does some address of the map lead to each of these frames? */
export function putsOut(map: FlatMap, pa: number, frames: number, writable: boolean): boolean {
  let next = pa;
  for (let moved = true; moved && next < pa + frames;) {
    moved = false;
    for (const r of [...map.runs, ...map.limbo]) {
      const end = r.pa + (r.end - r.first);
      if (next < r.pa || next >= end || (writable && !r.writable)) continue;
      next = end;
      moved = true;
    }
  }
  return next >= pa + frames;
}

/** What is allowed, in words. */
export function describeEntitled(e: Entitled, map: FlatMap | null, frame: number): string {
  switch (e.kind) {
    case 'blocked': return 'blocked';
    case 'identity': return `0x${(frame * 4096).toString(16)} as it is`;
    case 'gone': return 'a fault without a record: the process has ended';
    case 'nothing': return 'a fault: nothing is attached there';
    case 'guest': return `what domain ${e.parent} maps`;
    case 'domain': {
      const run = map?.at(frame);
      const words = [run === undefined ? 'a fault' : `0x${((run.pa + frame - run.first) * 4096).toString(16)} ${run.writable ? 'rw' : 'r'}`];
      for (const r of map?.limbo ?? []) if (r.first <= frame && frame < r.end) words.push(`0x${((r.pa + frame - r.first) * 4096).toString(16)} (not due yet)`);
      return `domain ${e.domain}: ${words.join(' or ')}`;
    }
  }
}

/**
 * Replay: what replaying stored cases showed, as text and as JSON, both from one record. Pure.
 */
import type { RuleId } from '../stack/violation.js';
import type { Verdict } from './fuzz.js';
import { counted, labelled, seconds, visible } from './words.js';

/** One case that did not show what it should. */
export interface ReplayProblem {
  readonly id: string;
  readonly file: string;
  readonly rule: RuleId | null;
  /** One sentence each. */
  readonly problems: readonly string[];
}

export interface ReplaySummary {
  readonly verb: string;
  readonly verdict: Verdict;
  readonly cases: number;
  readonly operations: number;
  /** Recorded answers that were compared. */
  readonly observed: number;
  readonly failures: readonly ReplayProblem[];
  /** Cases that met something that is not modelled. */
  readonly unmodelled: readonly string[];
  readonly elapsedMs: number;
}

export function replayJson(s: ReplaySummary): Record<string, unknown> {
  return {
    schema: 1, verb: s.verb, verdict: s.verdict, cases: s.cases, operations: s.operations, observed: s.observed, failures: s.failures,
    unmodelled: s.unmodelled, timing: { elapsedMs: Math.round(s.elapsedMs) },
  };
}

export function replayBlock(s: ReplaySummary): string {
  const counts = `${counted(s.cases, 'case')}  ${counted(s.operations, 'op')}  ${counted(s.observed, 'recorded answer')} checked  ${seconds(s.elapsedMs)}`;
  const title = s.failures.length > 0 ? `[violation] ${counted(s.failures.length, 'case')} differ${s.failures.length === 1 ? 's' : ''}`
    : s.unmodelled.length > 0 ? '[inconclusive] something met is not modelled' : '[ok] every case shows what it should';
  return [
    `${title}  ${counts}`,
    ...s.failures.flatMap((f) => labelled(f.id, [...f.problems.map(visible), visible(f.file)], 18)),
    ...labelled('unmodelled', s.unmodelled.map(visible)),
  ].join('\n');
}

/** What an operator asks to see of the state after an operation. Frames of 4 KiB, ends exclusive. */
export interface StateView {
  readonly after: number;
  readonly domains: readonly { readonly mapped: readonly Span[]; readonly limbo: readonly Span[] }[];
  readonly devices: readonly string[];
  readonly smmus: readonly {
    readonly regimes: readonly { readonly asid: number; readonly domain: number; readonly staleLeaves: number; readonly staleTables: number }[];
    readonly olderStes: number;
    readonly olderCds: number;
    readonly pending: readonly string[];
  }[];
}

interface Span {
  readonly first: number;
  readonly end: number;
  readonly pa: number;
  readonly writable: boolean;
}

/** Runs that are listed for one domain. */
const SPANS = 40;

export function stateBlock(s: StateView): string {
  const lines = [`state after ${counted(s.after, 'op')}`];
  s.domains.forEach((d, i) => {
    lines.push(...labelled(`domain ${i}`, d.mapped.length + d.limbo.length === 0 ? ['nothing mapped'] : [...spans(d.mapped, ''), ...spans(d.limbo, '  (taken away, not due yet)')]));
  });
  s.devices.forEach((target, i) => { lines.push(...labelled(`device ${i}`, [target])); });
  s.smmus.forEach((m, i) => {
    const regimes = m.regimes.map((r) => `asid ${r.asid}${r.domain < 0 ? '' : ` of domain ${r.domain}`}: ${counted(r.staleLeaves, 'stale leaf', 'stale leaves')}, ${counted(r.staleTables, 'stale table descriptor')}`);
    lines.push(...labelled(`SMMU ${i}`, [
      ...(regimes.length === 0 ? ['no translation regime'] : regimes),
      `${counted(m.olderStes, 'older STE')}, ${counted(m.olderCds, 'older CD')} may be cached`,
      m.pending.length === 0 ? 'no command waits for a CMD_SYNC' : `waiting for a CMD_SYNC: ${m.pending.join('; ')}`,
    ]));
  });
  return lines.join('\n');
}

function spans(list: readonly Span[], note: string): string[] {
  const lines = list.slice(0, SPANS).map((r) => `0x${(r.first * 4096).toString(16)}..0x${(r.end * 4096 - 1).toString(16)} -> 0x${(r.pa * 4096).toString(16)} ${r.writable ? 'rw' : 'r'}${note}`);
  if (list.length > SPANS) lines.push(`… ${list.length - SPANS} more${note}`);
  return lines;
}

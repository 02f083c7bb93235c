/**
 * Pursue: what became of each fact that a damaged command should have removed. A fact is followed by itself, not by its address: it is gone when the
 * machine has it no more, and then the SYNC that completed tells which command took it. Of a leaf it is asked at that moment, apart from the duties,
 * whether its unmap had promised already that it is gone, of a table descriptor at the release of its page, of an entry when the attach returns: then the
 * judge should have spoken.
 */
import { describeCommand, OP, type Command } from '../spec/command.js';
import { leafFrame, leafWritable } from '../spec/descriptor.js';
import { names } from '../lockstep/place.js';
import { entryFrames, isCurrent, waySpan, type EntryFact, type LeafRec, type Pending, type Regime, type Way } from '../reference/stage1/facts.js';
import { isCfgi, matchesCd, matchesSte } from '../reference/stage1/match.js';
import type { FactPlace } from '../stack/violation.js';
import type { Recorded } from '../captures/recorded.js';
import type { Judge } from './judge.js';
import { Promises } from './promises.js';

interface Stale {
  readonly place: FactPlace;
  readonly what: { readonly kind: 'leaf'; readonly fact: LeafRec; readonly regime: Regime } | { readonly kind: 'way'; readonly fact: Way; readonly regime: Regime } | { readonly kind: 'entry'; readonly fact: EntryFact };
}

const PAGE = 4096;
/** Lines at which leaves are looked at: what the line before has promised. */
const RETURNS: ReadonlySet<string> = new Set(['ret', 'unmap.ret', 'map.ret', 'unmap', 'map']);

/** What is cached and no longer in memory, among what `wanted` says. */
export function staleFacts(judge: Judge, wanted: (p: FactPlace) => boolean, streams: Iterable<number>): Stale[] {
  const m = judge.machine.reference;
  const out: Stale[] = [];
  const put = (s: Stale): void => { if (wanted(s.place)) out.push(s); };
  for (const regime of m?.regimes ?? []) {
    for (const fact of regime.leafRecs) put({ place: { smmu: 0, kind: 'leaf', asid: regime.asid, frame: fact.va, frames: entryFrames(fact.level), level: fact.level }, what: { kind: 'leaf', fact, regime } });
    for (const fact of regime.wayRecs) put({ place: { smmu: 0, kind: 'table', asid: regime.asid, frame: fact.va, frames: waySpan(fact), level: fact.level - 1 }, what: { kind: 'way', fact, regime } });
  }
  for (const sid of streams) {
    for (const ste of m?.configuration.stesOf(sid) ?? []) {
      for (const fact of [ste, ...ste.cds]) if (!isCurrent(fact)) put({ place: { smmu: 0, kind: fact.kind === 'cd' ? 'cd' : 'ste', sid }, what: { kind: 'entry', fact } });
    }
  }
  return out;
}

/** The streams that CFGIs name one by one. */
export function streamsOf(commands: readonly Command[]): Set<number> {
  return new Set(commands.filter((c) => isCfgi(c.op) && c.op !== OP.CFGI_STE_RANGE && (matchesSte(c, c.sid) || matchesCd(c, c.sid))).map((c) => c.sid));
}

/** A leaf whose page is closed is recorded anew. */
function sameLeaf(a: LeafRec, b: LeafRec): boolean {
  return a === b || (a.va === b.va && a.level === b.level && a.lo === b.lo && a.hi === b.hi);
}

function held(judge: Judge, { what }: Stale): boolean {
  const m = judge.machine.reference;
  if (m === null) return false;
  if (what.kind === 'entry') return !isCurrent(what.fact) && m.configuration.stesOf(what.fact.sid).some((ste) => ste === what.fact || ste.cds.includes(what.fact));
  return m.regimes.includes(what.regime) && (what.kind === 'leaf' ? what.regime.leafRecs.some((l) => sameLeaf(l, what.fact)) : what.regime.wayRecs.includes(what.fact));
}

/** Had its unmap promised that it is gone, and nothing mapped it again? Asked of a bookkeeping of its own (promises.ts), not of the judge's. */
export function overdue(promises: Promises, regime: Regime, fact: LeafRec): boolean {
  const domain = regime.supports.length === 0 ? null : promises.domainOf(regime.frame);
  return domain !== null && promises.broken(domain, { first: fact.va, frames: entryFrames(fact.level), pa: leafFrame(fact.lo, fact.hi, fact.level) * PAGE, write: leafWritable(fact.lo) });
}

function nameOf(p: FactPlace): string {
  if (p.kind === 'ste' || p.kind === 'cd') return `the ${p.kind.toUpperCase()} of stream ${p.sid}`;
  return `{asid ${p.asid} level ${p.level} ${p.kind === 'leaf' ? 'leaf' : 'table descriptor'} of 0x${((p.frame ?? 0) * PAGE).toString(16)}}`;
}

export class Pursuit {
  readonly promises = new Promises();
  #left: Stale[] = [];
  #cpu = -1;
  #machine: Judge['machine']['reference'] = null;
  #tag = -1;
  /** How many there were. */
  facts = 0;
  /** What took the last one. */
  by = '';
  /** One that was overdue when it went: the judge missed it. */
  missed = '';

  /** `tag`: one that is used too early, or -1. */
  begin(judge: Judge, facts: readonly Stale[], by: { readonly cpu: number; readonly tag: number }): void {
    const { cpu, tag } = by;
    this.#machine = judge.machine.reference;
    this.#tag = tag;
    this.#cpu = cpu;
    this.#left = [...facts];
    this.facts = facts.length;
  }

  /** Before a line that promises: of a freed page no table descriptor, at the return of an attach on this CPU no older entry. */
  passing(judge: Judge, r: Recorded): void {
    const w = r.what;
    const attached = w.kind === 'ret' && w.f.startsWith('arm_smmu_attach_dev') && r.cpu === this.#cpu;
    if (attached && this.#tag >= 0 && this.missed === '') this.#shared(judge, r.line);
    if (this.#left.length === 0 || this.missed !== '') return;
    const late = RETURNS.has(w.kind) ? this.#left.find((s) => held(judge, s) && this.#overdue(s)) : undefined;
    if (late !== undefined) { this.missed = `${nameOf(late.place)} was due before line ${r.line}`; return; }
    const page = w.kind === 'page' && w.what === 'free' ? Math.floor((w.pa >= 0 ? w.pa : judge.page(w.va)) / PAGE) : -1;
    const due = w.kind === 'page' && w.what === 'free' ? (s: Stale): boolean => s.what.kind === 'way' && s.what.fact.frame === page
      : attached ? (s: Stale): boolean => s.what.kind === 'entry' : null;
    const one = due === null ? undefined : this.#left.find((s) => due(s) && held(judge, s));
    if (one !== undefined) this.missed = `${nameOf(one.place)} was due at line ${r.line}`;
  }

  #overdue({ what }: Stale): boolean {
    return what.kind === 'leaf' && overdue(this.promises, what.regime, what.fact);
  }

  /** Two sets of tables live under the tag. */
  #shared(judge: Judge, line: number): void {
    const live = judge.machine.reference?.regimes.filter((r) => r.asid === this.#tag && r.supports.length > 0) ?? [];
    if (live.length > 1) this.missed = `asid ${this.#tag} stands for ${live.length} sets of tables at line ${line}`;
  }

  /** A SYNC is complete. */
  synced(judge: Judge, covered: readonly Pending[], line: number): void {
    if (this.#left.length === 0) return;
    const gone = this.#left.filter((s) => !held(judge, s));
    if (gone.length === 0) return;
    this.#left = this.#left.filter((s) => !gone.includes(s));
    for (const s of gone) if (this.#overdue(s)) this.missed = `${nameOf(s.place)} went at line ${line}, after it was due`;
    const last = gone[gone.length - 1] as Stale;
    const taker = covered.find((p) => names(p.command, last.place));
    this.by = `${taker === undefined ? 'what it was derived from went' : describeCommand(taker.command)}, complete at line ${line}: before ${nameOf(last.place)} was due`;
  }

  /** At the end of the recording. */
  end(judge: Judge): { readonly fate: 'discharged anyway' | 'never due' | 'not noticed'; readonly by: string } {
    if (this.missed !== '') return { fate: 'not noticed', by: this.missed };
    const left = this.#left.filter((s) => held(judge, s));
    const one = left[0];
    if (one === undefined && this.by === '' && judge.machine.reference !== this.#machine) return { fate: 'never due', by: 'the SMMU is switched off before it is due' };
    if (one === undefined) return { fate: 'discharged anyway', by: this.by === '' ? 'memory says again what was cached' : this.by };
    const due = left.find((s) => s.what.kind === 'entry' || this.#overdue(s));
    if (due !== undefined) return { fate: 'not noticed', by: `${nameOf(due.place)} is cached until the end` };
    const unused = one.what.kind !== 'entry' && one.what.regime.supports.length === 0;
    return { fate: 'never due', by: `${nameOf(one.place)} is cached until the end: ${unused ? `asid ${one.place.asid} is not used again` : 'its range is not handed out again, its page not freed, and no sync returns'}` };
  }
}

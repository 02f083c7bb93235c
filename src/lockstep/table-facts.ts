/**
 * TableFacts: what the weakest machine may use of one table, held against what the owner mapped. Every cached leaf, whole runs included, must map each
 * page as the owner does, or as he did before an unmap that is not synced yet. Rules `isolation` (memory itself says what nobody mapped),
 * `stale-translation` (only caches still say it, and it is due), `dirty-tracking` (a cached entry lets writes pass that mark nothing).
 */
import { BIT_READ_ONLY, BIT_S2AP_READ, BIT_S2AP_WRITE, HI_DBM } from '../spec/descriptor.js';
import { OUTCOME_OK } from '../stack/outcome.js';
import type { TableProt } from '../stack/page-table.js';
import { stands, type Fact, type LeafFact } from '../reference/machine/facts.js';
import { ruleIndex, type Ledger } from '../rules/ledger.js';
import { describeAnswer, frameAddress } from './machine-words.js';
import type { TableScene } from './table-scene.js';
import type { Span, Spans } from './table-spans.js';

const STALE = ruleIndex('stale-translation');
const ISOLATION = ruleIndex('isolation');
const DIRTY = ruleIndex('dirty-tracking');

export interface Owned {
  readonly scene: TableScene;
  readonly ledger: Ledger;
  readonly mapped: Spans;
  /** Taken away, not synced. */
  readonly limbo: Spans;
  /** Does a CPU still hold stores back? */
  readonly waiting: () => boolean;
  /** The way to a frame in memory, for explanations. */
  readonly tell: (frame: number, facts: readonly Fact[]) => readonly string[];
}

/** Does the owner let the device do so much? At stage 1 whatever is mapped can be read. */
export function allows(prot: TableProt, stage: 1 | 2, write: boolean): boolean {
  if (write) return prot === 'w' || prot === 'rw';
  return prot === 'r' || prot === 'rw' || (stage === 1 && prot === 'w');
}

function mayWrite(f: LeafFact): boolean {
  if ((f.hi & HI_DBM) !== 0) return true; // hardware may mark it
  return f.stage === 1 ? (f.lo & BIT_READ_ONLY) === 0 : (f.lo & BIT_S2AP_WRITE) !== 0;
}

function within(f: LeafFact, prot: TableProt, stage: 1 | 2): boolean {
  if (mayWrite(f) && !allows(prot, stage, true)) return false;
  return stage === 1 || (f.lo & BIT_S2AP_READ) === 0 || allows(prot, stage, false);
}

/** The first frame of the leaf's span that it maps otherwise than the owner; -1: none. */
function wrongAt(o: Owned, f: LeafFact): number {
  const stage = f.stage === 2 ? 2 : 1;
  const start = f.va - o.scene.base;
  for (let at = start; at < start + f.frames;) {
    const now = o.mapped.at(at);
    const next = now ?? o.limbo.at(at);
    if (next === undefined || !fits(f, next, at, start, stage)) {
      const before = now === undefined ? undefined : o.limbo.at(at);
      if (before === undefined || !fits(f, before, at, start, stage)) return at;
      at = Math.min(before.first + before.frames, (now as Span).first + (now as Span).frames);
      continue;
    }
    at = now === undefined ? Math.min(next.first + next.frames, o.mapped.nextFrom(at)) : next.first + next.frames;
  }
  return -1;
}

function fits(f: LeafFact, s: Span, at: number, start: number, stage: 1 | 2): boolean {
  return s.target + at - s.first === f.target + at - start && within(f, s.prot, stage);
}

/** Every cached leaf. */
export function judgeFacts(o: Owned): void {
  for (const f of o.scene.weakest.tables.translations) {
    if (f.kind !== 'leaf') continue;
    o.ledger.judgeAt(ISOLATION);
    const at = wrongAt(o, f);
    if (at >= 0) fail(o, f, at);
  }
}

function fail(o: Owned, f: LeafFact, at: number): never {
  const owner = o.mapped.at(at);
  const expected = owner === undefined ? `a fault at ${frameAddress(at)}: nothing is mapped there any more` : `${frameAddress(owner.target + at - owner.first)} ${owner.prot} at ${frameAddress(at)}`;
  const what = `${f.run ? 'a whole contiguous run' : 'a leaf'} {${frameAddress(f.va - o.scene.base)} +${f.frames * 4}K -> ${frameAddress(f.target)} level ${f.level}}`;
  const because = o.tell(at, [f]);
  if (stands(f) && o.waiting()) {
    o.ledger.fail('stale-translation', 'the store that takes it away still waits in the store buffer', expected, `${what}: the invalidation was issued before its store was visible, and the walker fetches it again`, undefined, because);
  }
  if (stands(f) && f.premises.every((p) => p.kind === 'regime' || stands(p))) {
    o.ledger.fail('isolation', f.run ? 'a contiguous run that is not whole' : 'memory maps what nobody mapped', expected, `${what} stands in the walker's view of memory`, undefined, because);
  }
  o.ledger.fail('stale-translation', `${f.run ? 'a run' : 'a leaf'} of level ${f.level} outlives its sync`, expected, `${what} may still be cached`, undefined, because);
}

/** Ranges of one sync that are asked about; every cached leaf is judged anyway. */
const ASKED = 3;

/** What was taken away is asked for through STE, CD and every walk: at its ends, in its middle, and beside it. */
export function askGone(o: Owned, gone: readonly Span[]): void {
  o.ledger.judgeAt(STALE, gone.length);
  for (const span of gone.length > ASKED ? [...gone.slice(0, ASKED - 1), gone[gone.length - 1] as Span] : gone) {
    const last = span.first + span.frames - 1;
    for (const frame of new Set([span.first, last, span.first + Math.floor(span.frames / 2), span.first - 1, last + 1])) if (frame >= 0) ask(o, frame);
  }
}

function ask(o: Owned, frame: number): void {
  const stage = o.scene.stage;
  const now = o.mapped.at(frame);
  o.scene.possible(frame, false, ({ answer, reason, facts }) => {
    if (answer.kind !== OUTCOME_OK) return false;
    const before = o.limbo.at(frame);
    if ([now, before].some((s) => s !== undefined && s.target + frame - s.first === answer.frame && allows(s.prot, stage, false))) return false;
    return o.ledger.fail('stale-translation', 'an answer from what was taken away', now === undefined ? `a fault at ${frameAddress(frame)}` : `${frameAddress(now.target + frame - now.first)} at ${frameAddress(frame)}`,
      `${describeAnswer(answer)} is possible: ${reason}`, undefined, o.tell(frame, facts));
  });
}

/** After written pages were marked clean and flushed: no cached entry of [first, end) lets a write pass that marks nothing. */
export function judgeClean(o: Owned, first: number, end: number): void {
  for (const f of o.scene.weakest.tables.translations) {
    if (f.kind !== 'leaf' || (f.hi & HI_DBM) === 0) continue;
    const start = f.va - o.scene.base;
    if (start >= end || start + f.frames <= first) continue;
    const dirty = f.stage === 1 ? (f.lo & BIT_READ_ONLY) === 0 : (f.lo & BIT_S2AP_WRITE) !== 0;
    o.ledger.judgeAt(DIRTY);
    if (!dirty || (stands(f) && f.ref >= 0)) continue;
    o.ledger.fail('dirty-tracking', 'an entry that was cached as written outlives the read-and-clear', 'after the call, a write marks its page again',
      `${f.run ? 'a whole contiguous run' : 'a leaf'} {${frameAddress(start)} +${f.frames * 4}K level ${f.level}} may still be cached as writable and dirty: writes through it mark nothing`, undefined, o.tell(Math.max(first, start), [f]));
  }
}

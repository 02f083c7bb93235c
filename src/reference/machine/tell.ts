/**
 * Tell: the weakest machine's side of an explanation: the story of the facts that something rests on with the commands that would have ended
 * it, and for what rests on no fact the facts that come nearest, or that are gone (machine refinement).
 */
import { describeCommand, type Command } from '../../spec/command.js';
import { hex64 } from '../../spec/bits.js';
import type { Memory } from '../../memory/memory.js';
import { OUTCOME_OK } from '../../stack/outcome.js';
import type { Answer, CachedEntry, Transaction } from '../../stack/transaction.js';
import type { Contexts } from './contexts.js';
import type { Fact, StructureFact, TranslationFact } from './facts.js';
import type { CommandQueue } from './queue.js';
import { culprits, isStructure, story } from './story.js';
import type { MatchContext } from './match.js';
import { remediesFor } from './remedies.js';
import type { Tables } from './tables.js';
import type { Gone, OperationAt, Trace } from './trace.js';
import { at, describeFact } from './words.js';

export interface Told {
  readonly lines: readonly string[];
  /** Each a list of commands with a CMD_SYNC after every one of them, the narrowest first. */
  readonly remedies: readonly (readonly Command[])[];
}

interface Parts {
  readonly memory: Memory;
  readonly contexts: Contexts;
  readonly tables: Tables;
  readonly queues: readonly CommandQueue[];
  readonly context: MatchContext;
  readonly trace: Trace | null;
}

/** CMDQ_CONS.ERR (§7.1). */
const ERRORS: readonly string[] = ['', 'CERROR_ILL', 'CERROR_ABT', 'CERROR_ATC_INV_SYNC'];
/** Facts that are named. */
const NEAR = 3;

/** `also`: what rests on other facts and must end too. */
export function tellFacts(p: Parts, facts: readonly Fact[], op: OperationAt, also: readonly Fact[]): Told {
  if (p.trace === null) return { lines: [], remedies: [] };
  const m = p.context;
  const guilty = culprits([...facts, ...also]);
  const each = guilty.map((f) => remediesFor(f, m));
  // What is derived goes after what it is derived from: the narrowest command for each, in that order.
  const chain = each.flatMap((list) => list.slice(0, 1)).filter((c, i, all) => all.findIndex((d) => describeCommand(d) === describeCommand(c)) === i);
  const single = [...each].reverse().flatMap((list) => list.map((c) => [c]));
  return {
    lines: [...stopped(p), ...story(facts, { trace: p.trace, memory: p.memory, context: m, pending: p.queues.flatMap((q) => [...q.pending]), op })],
    remedies: distinct([...single, ...(chain.length > 1 ? [chain] : [])]),
  };
}

/** A queue that waits for software to acknowledge an error (§7.1). */
function stopped(p: Parts): string[] {
  return p.queues.flatMap((q, i) => (q.error === 0 ? [] : [`command queue ${i} has stopped with ${ERRORS[q.error] ?? `error ${q.error}`}: what is in it from there on is not consumed`]));
}

function distinct(lists: readonly (readonly Command[])[]): (readonly Command[])[] {
  const seen = new Set<string>();
  return lists.filter((l) => {
    const key = l.map(describeCommand).join('; ');
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** When and by what a fact went. */
function went(g: Gone, op: OperationAt): string {
  const by = g.by === null ? 'what it was derived from went' : `${op(g.by.visible)} ${describeCommand(g.by.command)} names it`;
  return `the ${describeFact(g.fact)} went at the CMD_SYNC of ${op(g.at)}: ${by}`;
}

/** Facts near a cached entry that is none. */
export function nearestEntry(p: Parts, e: CachedEntry, op: OperationAt): string[] {
  if (e.kind === 'atc') return [];
  if (e.kind !== 'table' && e.kind !== 'leaf') return nearestWords(p, e, op);
  const overlaps = (f: TranslationFact): boolean => f.kind === e.kind && f.stage === e.stage && f.world === e.world && f.vmid === e.vmid && f.va < e.frame + e.frames && e.frame < f.va + f.frames;
  const gone = (p.trace?.gone ?? []).filter((g) => !isStructure(g.fact) && g.fact.kind !== 'atc' && overlaps(g.fact) && g.fact.target - g.fact.va === e.target - e.frame);
  const near = p.tables.translations.filter(overlaps);
  if (gone.length + near.length === 0) return ['no fact of its kind, tag and address is there, nor was there one'];
  return [...gone.slice(-NEAR).map((g) => went(g, op)), ...near.slice(0, NEAR).map((f) => `there is the ${describeFact(f)}: ${differs(f, e)}`)];
}

function differs(f: TranslationFact, e: CachedEntry): string {
  if (f.asid !== e.asid) return 'another ASID';
  if (f.tg !== e.tg || f.level !== e.level) return 'another granule or level';
  if (f.target - f.va !== e.target - e.frame) return 'another output address';
  return e.frame < f.va || e.frame + e.frames > f.va + f.frames ? 'a smaller span' : 'other permissions';
}

function nearestWords(p: Parts, e: CachedEntry, op: OperationAt): string[] {
  const kind = e.kind as StructureFact['kind'];
  const lines: string[] = [];
  for (const element of p.contexts.elements(kind, e.sid, kind === 'ste' || kind === 'l1std' ? e.sid : e.ssid)) {
    element.words.forEach((list, word) => {
      const lo = e.words[e.base + 2 * word] as number;
      const hi = e.words[e.base + 2 * word + 1] as number;
      if (list.some((f) => f.lo === lo && f.hi === hi)) return;
      const gone = (p.trace?.gone ?? []).filter((g) => isStructure(g.fact) && g.fact.element === element && g.fact.word === word && g.fact.lo === lo && g.fact.hi === hi).pop();
      lines.push(gone === undefined ? `its word ${word} is ${hex64(lo, hi)}; what may be cached is ${list.map((f) => hex64(f.lo, f.hi)).join(' or ') || 'nothing'}` : went(gone, op));
    });
  }
  return lines.slice(0, NEAR);
}

/** What an answer that nothing permits could have come from. */
export function nearestAnswer(p: Parts, t: Transaction, a: Answer, op: OperationAt): string[] {
  const gone = p.trace?.gone ?? [];
  const leaf = (g: Gone): boolean => g.fact.kind === 'leaf' && t.frame >= g.fact.va && t.frame < g.fact.va + g.fact.frames && a.kind === OUTCOME_OK && g.fact.target + t.frame - g.fact.va === a.frame;
  const leaves = gone.filter(leaf);
  if (leaves.length > 0) return leaves.slice(-NEAR).map((g) => went(g, op));
  const stes = gone.filter((g) => g.fact.kind === 'ste' && g.fact.element.index === t.sid);
  const words = stes.length > 0 ? stes : gone.filter((g) => isStructure(g.fact) && g.fact.element.table.sid === t.sid);
  const here = p.tables.translations.filter((f) => f.kind === 'leaf' && f.stage !== 2 && t.frame >= f.va && t.frame < f.va + f.frames);
  return [
    ...words.slice(-NEAR).map((g) => went(g, op)),
    ...(a.kind === OUTCOME_OK ? here.slice(0, NEAR).map((f) => `for ${at(t.frame)} there is the ${describeFact(f)}`) : []),
  ];
}


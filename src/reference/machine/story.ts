/**
 * Story: why something can still be used, from the facts that it rests on: what made each of them stale, which commands came since and why each
 * leaves it, and how many SYNCs completed. Told from a trace (trace.ts), oldest first, for a person who debugs a driver.
 */
import { describeCommand, OP } from '../../spec/command.js';
import type { Memory } from '../../memory/memory.js';
import { isRegime, stands, type Fact, type Pending, type StructureFact } from './facts.js';
import { matches, type MatchContext } from './match.js';
import { isStale, staleSupport, stalePremise, whyStays, type Name, type OperationAt, type Seen, type Trace } from './trace.js';
import { whyLeft } from './why-left.js';
import { describeFact, kindOf, nameElement } from './words.js';

/** What telling needs of the machine. */
export interface Teller {
  readonly trace: Trace;
  readonly memory: Memory;
  readonly context: MatchContext;
  /** Commands of every queue that no completed SYNC covers. */
  readonly pending: readonly Pending[];
  readonly op: OperationAt;
}

/** Lines of a whole story, and command lines of one fact. */
const STORY = 14;
const COMMANDS = 8;

export function story(facts: readonly Fact[], t: Teller): string[] {
  const known = new Map<Fact, boolean>();
  const stale = facts.filter((f) => isStale(f, known));
  if (stale.length === 0) return standing(facts, t);
  const lines: string[] = [];
  const told = new Set<string>();
  for (const f of stale) section(f, t, known, { lines, told });
  return lines.length <= STORY ? lines : [...lines.slice(0, STORY - 1), `… and ${lines.length - STORY + 1} more`];
}

/** Nothing is stale: memory itself says so. */
function standing(facts: readonly Fact[], t: Teller): string[] {
  const last = facts[facts.length - 1];
  if (last === undefined) return [];
  const start = last.starts[last.starts.length - 1] as number;
  const since = start > 0 ? ` since ${t.op(start)}` : '';
  const foreign = readFor(facts);
  return [
    ...t.trace.notes.slice(-2).map((n) => `${t.op(n.at)}: ${n.text}`),
    `nothing stale is needed for it: memory shows the ${describeFact(last)}${since}, and everything that leads to it`,
    ...(foreign === null ? [] : [`it was read for the ${foreign}: an entry is found by its tag alone (§3.3.3)`]),
  ];
}

/** The structure for which a translation was read, if it is none of those that the answer rests on. */
function readFor(facts: readonly Fact[]): string | null {
  for (const f of facts) {
    if ((f.kind !== 'leaf' && f.kind !== 'table') || f.regime.supports.length === 0) continue;
    if (f.regime.supports.some((s) => s.facts.every((w) => facts.includes(w)))) continue;
    const from = f.regime.supports[0]?.facts.find((w) => !facts.includes(w));
    if (from !== undefined) return nameElement(from);
  }
  return null;
}

interface Telling {
  readonly lines: string[];
  readonly told: Set<string>;
}

function section(f: Fact, t: Teller, known: Map<Fact, boolean>, into: Telling): void {
  const key = keyOf(f);
  if (into.told.has(key)) return;
  into.told.add(key);
  const origin = rootOf(f, known);
  if (origin !== f && origin.alive && into.told.has(keyOf(origin))) return; // it goes with that, or cannot be reached without it
  const lost = stands(origin) && origin.alive ? lostWords(origin, t.trace) : [];
  if (lost.length > 0) into.lines.push(...lostLines(lost, f, t));
  else into.lines.push(originLine(origin, t));
  if (lost.length === 0 && origin !== f) into.lines.push(`the ${describeFact(f)} was derived from it`);
  const since = Math.min(endOf(origin), origin.gone?.at ?? Infinity, ...lost.map(endOf));
  const { texts, premises } = commandLines(f, t, { known, name: namer([origin, f]) }, since);
  into.lines.push(...texts.slice(0, COMMANDS));
  if (texts.length > COMMANDS) into.lines.push(`… and ${texts.length - COMMANDS} more commands that leave it`);
  if (texts.length === 0) into.lines.push('no command that invalidates went out since');
  const syncs = t.trace.syncs.filter((s) => s.at > since).length;
  into.lines.push(syncs === 0 ? 'no CMD_SYNC completed since, so nothing is retired' : `${syncs} CMD_SYNC completed since, and ${syncs === 1 ? 'it does not retire it' : 'none of them retires it'}`);
  for (const p of premises) if (p.alive) section(p, t, known, into);
}

/** The words of the STE and CD that led to its tables last, when nothing does any more. */
function lostWords(f: Fact, trace: Trace): readonly Fact[] {
  const r = f.premises.find(isRegime);
  return r === undefined || r.supports.length > 0 ? [] : (trace.lost.get(r) ?? []);
}

function lostLines(lost: readonly Fact[], f: Fact, t: Teller): string[] {
  const first = lost.reduce((a, b) => (endOf(b) < endOf(a) ? b : a));
  return [
    `${t.op(endOf(first))} changed the ${describeFact(first)}, and the CMD_SYNC of ${t.op(first.gone?.at ?? 0)} retired it`,
    `the ${describeFact(f)} was read by way of it, and stays until it is itself invalidated`,
  ];
}

/** Words of one structure that went together are told once. */
function keyOf(f: Fact): string {
  if (f.kind === 'leaf' || f.kind === 'table' || f.kind === 'atc') return describeFact(f);
  return `${nameElement(f)} ${endOf(f)}`;
}

function endOf(f: Fact): number {
  return f.ends[f.ends.length - 1] as number;
}

/** The fact whose own word went, or that was itself removed, at the bottom of what makes `f` stale. */
function rootOf(f: Fact, known: Map<Fact, boolean>): Fact {
  if (!stands(f) || !f.alive) return f;
  const p = stalePremise(f, known);
  return p === null ? f : rootOf(p, known);
}

function originLine(f: Fact, t: Teller): string {
  const what = describeFact(f);
  if (stands(f)) {
    if (f.gone !== undefined) return `${t.op(f.gone.at)} removed the ${what} from the caches`;
    return f.kind === 'atc' ? `the endpoint holds the ${what}, and does not ask again` : `the tables of the ${what} are no longer in use by any STE or CD`;
  }
  const op = t.op(endOf(f));
  const changed = f.ref >= 0 && (t.memory.lo[f.ref] !== f.lo || t.memory.hi[f.ref] !== f.hi);
  if (!changed) return `${op} cut off the way to the ${what} (SMMUEN = 0, or what led to it changed): what is cached stays`;
  return `${op} made the ${what} stale: its ${f.kind === 'leaf' || f.kind === 'table' ? 'descriptor' : 'word'} changed`;
}

function commandLines(f: Fact, t: Teller, { known, name }: { readonly known: Map<Fact, boolean>; readonly name: Name }, since: number): { texts: string[]; premises: Fact[] } {
  const lines = new Map(t.trace.linesOf(f).map((l) => [l.visible, l]));
  const texts = tooEarly(f, t, since);
  const premises: Fact[] = [];
  for (const c of t.trace.commands) {
    const line = lines.get(c.visible);
    if (line === undefined && c.visible < since) continue;
    if (line === undefined && c.command.op === OP.SYNC) continue;
    if (line?.premise !== undefined && line.premise !== null && !premises.includes(line.premise)) premises.push(line.premise);
    texts.push(`${t.op(c.visible)} ${describeCommand(c.command)}: ${line === undefined ? withoutLine(f, c, t, { known, name }) : line.text(t.op, name)}`);
  }
  return { texts, premises };
}

/** What was named before is `that stage-2 leaf`. */
function namer(before: readonly Fact[]): Name {
  return (f) => {
    const same = before.filter((g) => kindOf(g) === kindOf(f));
    return same.includes(f) && same.every((g) => g === f) ? `that ${kindOf(f).replace(/^the /, '')}` : `the ${describeFact(f)}`;
  };
}

/** The last command that named the fact while memory still showed its word, and whose SYNC was over before that changed. */
function tooEarly(f: Fact, t: Teller, since: number): string[] {
  const covered = (c: Seen): boolean => t.trace.syncs.some((s) => s.queue === c.queue && s.at > c.visible && s.at < since);
  const early = t.trace.commands.filter((c) => c.visible < since && c.visible > (f.starts[0] as number) && covered(c) && matches(c.command, f, t.context)).pop();
  return early === undefined || since === Infinity ? [] : [`${t.op(early.visible)} ${describeCommand(early.command)}: names it too early: it was read again from memory until ${t.op(since)}`];
}

/** A command that no completed SYNC covers, or that need not do anything. */
function withoutLine(f: Fact, c: Seen, t: Teller, { known, name }: { readonly known: Map<Fact, boolean>; readonly name: Name }): string {
  if (c.verdict.verdict !== 'legal' && c.verdict.verdict !== 'reserved') return `need not do anything: ${c.verdict.why}`;
  if (!matches(c.command, f, t.context)) return whyLeft(c.command, f, t.context);
  const p = t.pending.find((k) => k.visible === c.visible);
  if (p !== undefined) return `names it, but no CMD_SYNC of ${c.queue === 0 ? 'its queue' : `queue ${c.queue}`} completed behind it`;
  if (c.command.op === OP.ATC_INV && f.kind === 'atc' && f.premises.every((q) => isRegime(q) || q.alive)) {
    const k: Pending = { command: c.command, visible: c.visible };
    return whyStays(f, k, [k], { m: t.context, known }).text(t.op, name);
  }
  return c.command.op === OP.ATC_INV ? 'names it, but was not carried out: SMMUEN was 0, ATS was off at the endpoint, or it did not answer (§3.9.1.4, §4.5.1)' : 'names it, but this SMMU does not complete it (erratum of its CMD_SYNC)';
}

/** A few facts below which the story lies: what a missing command would have to name, the ones that others are derived from first. */
export function culprits(facts: readonly Fact[]): Fact[] {
  const known = new Map<Fact, boolean>();
  const out: Fact[] = [];
  const visit = (f: Fact): void => {
    if (!isStale(f, known) || out.includes(f) || out.length >= 12) return;
    for (const p of f.premises) {
      if (isRegime(p)) for (const w of staleSupport(p, known) ?? []) visit(w);
      else visit(p);
    }
    if (f.alive) out.push(f);
  };
  for (const f of facts) visit(f);
  return out;
}

/** Facts of one structure count once. */
export function isStructure(f: Fact): f is StructureFact {
  return f.kind !== 'leaf' && f.kind !== 'table' && f.kind !== 'atc';
}

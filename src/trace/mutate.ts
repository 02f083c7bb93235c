/**
 * Mutate: is the judge sharp? An honest recording is damaged in one place, as a wrong driver would have done it, and judged again. A mutation that is not
 * convicted must be *harmless*, which is computed: nothing that the damaged command names was cached and stale; or a command (another, or what is left of
 * the damaged one) named the same facts in time, and is printed; or nothing relied on it until the recording ended. What is none of these is a hole
 * in the judge.
 */
import { decodeCommand, describeCommand, newCommand, OP, rangeGranules, type Command } from '../spec/command.js';
import type { Pending } from '../reference/stage1/facts.js';
import { isCfgi, namesTag } from '../reference/stage1/match.js';
import { names } from '../lockstep/place.js';
import type { Chooser } from '../stack/chooser.js';
import type { FactPlace } from '../stack/violation.js';
import { CaptureError } from '../captures/read.js';
import type { Recorded } from '../captures/recorded.js';
import { readRecording } from '../captures/recording.js';
import { noCommand } from './damage.js';
import { Pursuit, staleFacts, streamsOf } from './pursue.js';
import { onePass } from './run.js';
import { commandText } from './words.js';

export const MUTATIONS = ['drop-tlbi', 'flip-asid', 'flip-vmid', 'narrow-range', 'drop-sync', 'leaf-on-table', 'drop-cfgi', 'reuse-asid'] as const;
export type MutationKind = (typeof MUTATIONS)[number];

export type Fate = 'convicted' | 'nothing cached' | 'discharged anyway' | 'never due' | 'inconclusive' | 'not noticed';

export interface Mutated {
  readonly kind: MutationKind;
  readonly line: number;
  readonly what: string;
  readonly fate: Fate;
  /** The rule that convicted, or the command that discharged. */
  readonly by: string;
}

type Line = Recorded & { readonly what: Extract<Recorded['what'], { readonly kind: 'cmd' }> };
type Change = (r: Recorded) => readonly Recorded[];

interface Damage {
  readonly change: Change;
  readonly what: string;
  /** The tag that is used too early, -1: none. */
  readonly tag: number;
}

export async function linesOf(path: string): Promise<readonly Recorded[]> {
  const out: Recorded[] = [];
  for await (const batch of readRecording(path)) for (const r of batch) out.push(r);
  return out;
}

function commandOf(r: Line): Command {
  return decodeCommand(Uint32Array.from(r.what.raw ?? [0, 0, 0, 0]), 0, newCommand());
}

function isCommand(r: Recorded): r is Line {
  return r.what.kind === 'cmd' && r.what.raw !== null;
}

/** Indices of the lines that a kind can damage. */
function targets(lines: readonly Recorded[], kind: MutationKind): number[] {
  const out: number[] = [];
  lines.forEach((r, i) => {
    if (kind === 'reuse-asid') { if (asidOf(r) > 0 && lines.slice(0, i).some((x) => asidOf(x) > 0 && asidOf(x) !== asidOf(r))) out.push(i); }
    else if (isCommand(r) && suits(commandOf(r), kind)) out.push(i);
  });
  return out;
}

function suits(c: Command, kind: MutationKind): boolean {
  const tlbi = c.op === OP.TLBI_NH_VA || c.op === OP.TLBI_NH_ASID;
  switch (kind) {
    case 'drop-tlbi': return tlbi || c.op === OP.TLBI_NSNH_ALL;
    case 'flip-asid': case 'flip-vmid': return tlbi;
    case 'narrow-range': return c.op === OP.TLBI_NH_VA && c.tg !== 0 && rangeGranules(c) > 1;
    case 'drop-sync': return c.op === OP.SYNC;
    case 'leaf-on-table': return c.op === OP.TLBI_NH_VA && c.leaf === 0;
    case 'drop-cfgi': return isCfgi(c.op);
    case 'reuse-asid': return false;
  }
}

/** ASID of a CD that becomes valid with this store; 0: it is no such store. */
function asidOf(r: Recorded): number {
  const w = r.what;
  return w.kind === 'store' && w.to === 'cd' && w.pa % 64 === 0 && (w.words[0] as number) >>> 31 === 1 ? (w.words[1] as number) >>> 16 : 0;
}

function withRaw(r: Line, change: (raw: number[]) => void): Recorded {
  const raw = [...(r.what.raw ?? [])];
  change(raw);
  return { ...r, what: { ...r.what, raw } };
}

/** The command does nothing any more: a PREFETCH_CONFIG stands in its place, so that the queue stays as it was. */
function dropped(target: Line, more: (r: Recorded) => readonly Recorded[] = (r) => [r]): Change {
  let taken = false;
  return (r) => {
    if (r === target) return [noCommand(target)];
    if (!taken && r.line > target.line && r.what.kind === 'take' && r.what.idx === target.what.idx) { taken = true; return []; }
    return more(r);
  };
}

function changed(target: Line, change: (raw: number[]) => void): Change {
  return (r) => (r === target ? [withRaw(target, change)] : [r]);
}

/** Without its SYNC the call does not wait: neither for CONS nor at its return. */
function unsynced(lines: readonly Recorded[], at: number): Change {
  const target = lines[at] as Line;
  const issue = lines.slice(0, at).reverse().find((r) => r.what.kind === 'issue' && r.cpu === target.cpu);
  const cons = lines.slice(at).find((r) => r.what.kind === 'cons');
  return dropped(target, (r) => {
    if (r === issue && r.what.kind === 'issue') return [{ ...r, what: { ...r.what, sync: false } }];
    return r === cons ? [] : [r];
  });
}

function narrower(raw: number[]): void {
  const w0 = raw[0] as number;
  const num = (w0 >>> 12) & 31;
  const scale = (w0 >>> 20) & 63;
  // Half of it: (NUM+1) * 2^SCALE from 2^5k; TTL stays, so that the command stays legal.
  raw[0] = num > 0 ? ((w0 & ~(31 << 12)) | (Math.floor((num - 1) / 2) << 12)) >>> 0 : ((w0 & ~(63 << 20)) | ((scale - 1) << 20)) >>> 0;
}

/** From this CD on the domain uses an ASID that another had, in its CDs and its commands alike. */
function reused(lines: readonly Recorded[], at: number, c: Chooser): Damage {
  const target = lines[at] as Recorded;
  const mine = asidOf(target);
  const others = [...new Set(lines.slice(0, at).map(asidOf))].filter((a) => a > 0 && a !== mine);
  const other = others[c.index(others.length)] as number;
  const swap = (half: number): number => ((half >>> 16) === mine ? ((half & 0xffff) | (other << 16)) >>> 0 : half);
  const change: Change = (r) => {
    if (r.line < target.line) return [r];
    const w = r.what;
    if (w.kind === 'store' && asidOf(r) === mine) return [{ ...r, what: { ...w, words: w.words.map((x, i) => (i === 1 ? swap(x) : x)) } }];
    if (isCommand(r) && suits(commandOf(r), 'flip-asid')) return [withRaw(r, (raw) => { raw[1] = swap(raw[1] as number); })];
    return [r];
  };
  return { change, what: `asid ${other} instead of ${mine}`, tag: other };
}

function changeOf(lines: readonly Recorded[], at: number, kind: MutationKind, c: Chooser): Damage {
  const target = lines[at] as Line;
  const tag = -1;
  if (kind === 'reuse-asid') return reused(lines, at, c);
  const what = commandText(target.what.raw);
  const flip = 1 + c.index(7);
  switch (kind) {
    case 'drop-tlbi': case 'drop-cfgi': return { change: dropped(target), what, tag };
    case 'drop-sync': return { change: unsynced(lines, at), what, tag };
    case 'flip-asid': return { change: changed(target, (raw) => { raw[1] = ((raw[1] as number) ^ (flip << 16)) >>> 0; }), what, tag };
    case 'flip-vmid': return { change: changed(target, (raw) => { raw[1] = ((raw[1] as number) ^ flip) >>> 0; }), what, tag };
    case 'narrow-range': return { change: changed(target, narrower), what, tag };
    case 'leaf-on-table': return { change: changed(target, (raw) => { raw[2] = ((raw[2] as number) | 1) >>> 0; }), what, tag };
  }
}

/** Damages one place of a recording and judges it. */
export async function mutate(path: string, lines: readonly Recorded[], kind: MutationKind, c: Chooser): Promise<Mutated | null> {
  const all = targets(lines, kind);
  if (all.length === 0) return null;
  const at = all[c.index(all.length)] as number;
  const target = lines[at] as Recorded;
  const { change, what, tag } = changeOf(lines, at, kind, c);
  const base = { kind, line: target.line, what };
  const batch = kind === 'drop-sync' ? batchOf(lines, at) : isCommand(target) ? [commandOf(target)] : [];
  const wanted = (p: FactPlace): boolean => (tag < 0 ? batch.some((c) => names(c, p)) : p.asid === tag);
  const pursuit = new Pursuit();
  let begun = false;
  let cleaned = '';
  let end: ReturnType<Pursuit['end']> = { fate: 'not noticed', by: '' };
  try {
    const { result } = await onePass(path, {
      lines, change,
      before: (judge, r) => {
        if (r.line === target.line && !begun) {
          begun = true;
          pursuit.begin(judge, staleFacts(judge, wanted, streamsOf(batch)), { cpu: r.cpu, tag });
        }
        if (begun) pursuit.passing(judge, r);
        pursuit.promises.line(r);
      },
      synced: (judge, covered, line) => {
        if (begun) pursuit.synced(judge, covered, line);
        else if (tag >= 0) cleaned = cleanedBy(covered, tag, line) ?? cleaned;
      },
      after: (judge) => { end = pursuit.end(judge); },
    });
    if (result.verdict === 'violation') return { ...base, fate: 'convicted', by: result.findings[0]?.rule ?? '' };
    if (result.verdict === 'inconclusive') return { ...base, fate: 'inconclusive', by: result.doubts[0]?.why ?? '' };
    if (pursuit.facts === 0 && pursuit.missed === '') return { ...base, fate: 'nothing cached', by: nothing(batch, tag, cleaned) };
    return { ...base, ...end };
  } catch (error) {
    if (error instanceof CaptureError) return { ...base, fate: 'convicted', by: 'the recording contradicts itself' };
    throw error;
  }
}

/** The flush of a whole tag among the commands that a SYNC completed. */
function cleanedBy(covered: readonly Pending[], asid: number, line: number): string | null {
  const c = covered.find((p) => p.command.op !== OP.TLBI_NH_VA && namesTag(p.command, asid))?.command;
  return c === undefined ? null : `${describeCommand(c)}, complete at line ${line}, left nothing under asid ${asid}`;
}

/** Why there was nothing to remove. */
function nothing(batch: readonly Command[], tag: number, cleaned: string): string {
  if (tag >= 0) return cleaned === '' ? `nothing was ever cached under asid ${tag}` : cleaned;
  if (batch.length === 0) return 'the batch has no command but the SYNC';
  return `nothing stale that ${batch.length === 1 ? 'it names' : `one of its ${batch.length} commands names`}`;
}

function batchOf(lines: readonly Recorded[], at: number): Command[] {
  const out: Command[] = [];
  for (let i = at - 1; i >= 0; i -= 1) {
    const r = lines[i] as Recorded;
    if (r.what.kind === 'issue') break;
    if (isCommand(r)) out.push(commandOf(r));
  }
  return out;
}

/** What became of the mutations of one kind. */
export interface Tally {
  readonly kind: MutationKind;
  readonly made: number;
  readonly fates: Readonly<Record<Fate, number>>;
  readonly rules: Readonly<Record<string, number>>;
  /** One of each fate but convicted, and every one that was not noticed. */
  readonly examples: readonly Mutated[];
}

const EXAMPLES = 20;

/** So many mutations of each kind, each drawn from the seed. */
export async function campaign(path: string, each: number, choose: (kind: MutationKind) => Chooser, progress: (done: number) => void = () => undefined): Promise<readonly Tally[]> {
  const lines = await linesOf(path);
  const out: Tally[] = [];
  let done = 0;
  for (const kind of MUTATIONS) {
    const c = choose(kind);
    const fates: Record<Fate, number> = { convicted: 0, 'nothing cached': 0, 'discharged anyway': 0, 'never due': 0, inconclusive: 0, 'not noticed': 0 };
    const rules: Record<string, number> = {};
    const examples: Mutated[] = [];
    let made = 0;
    for (let i = 0; i < each; i += 1) {
      const m = await mutate(path, lines, kind, c);
      if (m === null) break;
      made += 1;
      const first = fates[m.fate] === 0;
      fates[m.fate] += 1;
      if (m.fate === 'convicted') rules[m.by] = (rules[m.by] ?? 0) + 1;
      if (m.fate === 'not noticed' || (first && m.fate !== 'convicted')) if (examples.length < EXAMPLES) examples.push(m);
      progress(++done);
    }
    out.push({ kind, made, fates, rules, examples });
  }
  return out;
}

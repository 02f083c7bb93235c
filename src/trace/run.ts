/**
 * Run: passes over a recording. One pass gives the verdict; where the order of neighbouring lines could matter two more are made. For each kind of
 * finding the first is explained: one pass that collects the lines behind it, and one for each command that might have been missing.
 */
import { readRecording } from '../captures/recording.js';
import type { ReadLimits } from '../captures/read.js';
import type { Recorded } from '../captures/recorded.js';
import type { Command } from '../spec/command.js';
import { Cost, type CostProfile } from './cost.js';
import { explain, type Explained } from './explain.js';
import { Judge } from './judge.js';
import { Links } from './links.js';
import { Orderer, type Order } from './order.js';
import { Reconstructor } from './reconstruct.js';
import type { Doubt, Finding, TraceResult } from './types.js';
import type { Watch } from './watch.js';
import type { MachineKind, Pending, Told } from './weakest.js';

/** Commands, each with a SYNC, that the driver did not issue, in front of a line. */
export interface Insertion {
  readonly before: number;
  readonly commands: readonly Command[];
}

export interface PassOptions {
  /** Which machine judges; left out: the stage-1 machine. */
  readonly machine?: MachineKind;
  /** On the whole machine: keep from this line on what is needed to tell why. */
  readonly tell?: number;
  readonly order?: Order;
  readonly insertion?: Insertion;
  readonly watch?: Watch;
  /** The last line that is judged. */
  readonly until?: number;
  readonly cost?: Cost;
  readonly limits?: Partial<ReadLimits>;
  /** Recorded lines are changed, dropped or added before they are judged. */
  readonly change?: (r: Recorded) => readonly Recorded[];
  /** The recording, where it was read before. */
  readonly lines?: readonly Recorded[];
  /** Called in front of each line. */
  readonly before?: (judge: Judge, r: Recorded) => void;
  /** Called once a SYNC is complete, with the commands that it covers. */
  readonly synced?: (judge: Judge, covered: readonly Pending[], line: number) => void;
  /** Called once everything was judged. */
  readonly after?: (judge: Judge) => void;
}

export interface Pass {
  readonly result: TraceResult;
  /** Places where the order of neighbouring lines could matter. */
  readonly choices: number;
  /** The stage-1 machine does not model it: judge it again on the whole one. */
  readonly needsWhole: boolean;
  /** By finding: what the whole machine told of it. */
  readonly told: ReadonlyMap<number, Told>;
}

export interface TraceReport {
  readonly machine: MachineKind;
  readonly result: TraceResult;
  readonly explained: readonly Explained[];
  readonly cost: CostProfile;
  readonly choices: number;
}

const EXPLAINED = 3;

export async function onePass(path: string, o: PassOptions = {}): Promise<Pass> {
  const { synced } = o;
  const judge: Judge = new Judge(path, { machine: o.machine ?? 'stage1', watch: o.watch ?? null, tell: o.tell ?? null, synced: synced === undefined ? null : (covered, line) => { synced(judge, covered, line); } });
  const orderer = new Orderer(o.order ?? 'recorded');
  let held: Recorded | null = null;
  const take = (r: Recorded | null, next: Recorded | null): void => {
    if (r === null) return;
    if (o.insertion !== undefined && r.line === o.insertion.before) for (const c of o.insertion.commands) judge.insert(c);
    o.before?.(judge, r);
    o.cost?.add(r);
    judge.add(r, next);
  };
  const feed = (r: Recorded | null): void => {
    if (r === null) return;
    take(held, r);
    held = r;
  };
  let tables: Reconstructor | null = null;
  const put = (r: Recorded): void => {
    if (tables === null) feed(orderer.next(r));
    else for (const made of tables.take(r)) feed(orderer.next(made));
  };
  for await (const batch of o.lines === undefined ? readRecording(path, o.limits) : [o.lines]) {
    const meta = batch[0]?.what;
    if (meta?.kind === 'meta' && meta.tracing) tables = new Reconstructor(await linksOf(path, o.limits));
    for (const line of batch) {
      if (o.until !== undefined && line.line > o.until) break;
      if (o.change === undefined) put(line);
      else for (const r of o.change(line)) put(r);
    }
    if (judge.needsWhole) break;
    if (o.until !== undefined && (batch[batch.length - 1]?.line ?? 0) > o.until) break;
  }
  for (const made of tables?.end() ?? []) feed(orderer.next(made));
  feed(orderer.last());
  take(held, null);
  o.after?.(judge);
  return { result: judge.result(), choices: orderer.choices, needsWhole: judge.needsWhole, told: judge.told };
}

async function linksOf(path: string, limits: Partial<ReadLimits> | undefined): Promise<Links> {
  const links = new Links();
  for await (const batch of readRecording(path, limits)) for (const r of batch) links.add(r);
  return links;
}

export function sameFinding(a: Finding, b: Finding): boolean {
  return a.rule === b.rule && a.actual === b.actual && a.line === b.line;
}

/** Findings that only some orders show become doubts. */
function settled(recorded: TraceResult, others: readonly TraceResult[]): TraceResult {
  const all = [recorded, ...others].map((r) => r.findings);
  const doubts: Doubt[] = [...recorded.doubts];
  const findings = recorded.findings.filter((f) => all.every((list) => list.some((g) => sameFinding(f, g))));
  for (const list of all) {
    for (const f of list) {
      const why = `${f.rule} in one order of neighbouring lines of different actors, and not in another: ${f.actual}`;
      if (!findings.some((g) => sameFinding(f, g)) && !doubts.some((d) => d.line === f.line && d.why === why)) doubts.push({ line: f.line, why });
    }
  }
  return { ...recorded, findings, doubts, verdict: findings.length > 0 ? 'violation' : doubts.length > 0 ? 'inconclusive' : 'ok' };
}

/** Throws CaptureError when the recording cannot be read or contradicts itself. */
export async function traceRecording(path: string, limits: Partial<ReadLimits> = {}): Promise<TraceReport> {
  let o: Pick<PassOptions, 'limits' | 'machine'> = { limits, machine: 'stage1' };
  let cost = new Cost();
  let first = await onePass(path, { ...o, cost });
  if (first.needsWhole) {
    o = { limits, machine: 'whole' };
    cost = new Cost();
    first = await onePass(path, { ...o, cost });
  }
  let result = first.result;
  if (first.choices > 0) {
    const late = await onePass(path, { ...o, order: 'late' });
    const early = await onePass(path, { ...o, order: 'early' });
    result = settled(result, [late.result, early.result]);
  }
  const explained: Explained[] = [];
  const kinds = new Set<string>();
  for (const f of result.findings) {
    const kind = `${f.how} ${f.rule} ${f.cause}`;
    if (explained.length >= EXPLAINED || kinds.has(kind) || (f.place === null && (o.machine === 'stage1' || f.how === 'proof'))) continue;
    kinds.add(kind);
    explained.push(await explain(path, f, () => o));
  }
  return { machine: o.machine ?? 'stage1', result, explained, cost: cost.profile(), choices: first.choices };
}

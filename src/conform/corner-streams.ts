/**
 * Corner streams: the StreamIDs of a corner case become those of devices that can do what the case asks of them: a stream that is written
 * through gets a writer, the others readers where that is possible; who shares a level-1 descriptor, a span of STE.CONT or a range of
 * CMD_CFGI_STE_RANGE goes on sharing it, and nobody else joins.
 */
import { getField } from '../spec/bits.js';
import { OP } from '../spec/command.js';
import { STE } from '../spec/ste.js';
import { page } from '../operations/corner/layout.js';
import { READERS, WRITERS } from '../qemu/devices.js';
import type { MachineOperation } from '../stack/machine-world.js';

/** Entries of a linear stream table as the cases have it, and with the StreamIDs of the devices: still in front of the level-1 table. */
const ENTRIES = 16;
export const STREAMS_LOG2_CARRIED = 5;
/** Streams of one level-2 table. */
const LEVEL2 = 64;
const STE_BYTES = 64;
const EVERYTHING = 31;

interface StreamTable {
  readonly at: number;
  /** Its first StreamID, and how many entries it has. */
  readonly first: number;
  readonly entries: number;
}

export function isTwoLevel(operations: readonly MachineOperation[]): boolean {
  return operations.some((o) => o.op === 'boot' && o.boot.split > 0);
}

function streamTables(twoLevel: boolean): readonly StreamTable[] {
  if (twoLevel) return [{ at: page(4), first: 0, entries: LEVEL2 }, { at: page(5), first: LEVEL2, entries: LEVEL2 }];
  return [{ at: page(3), first: 0, entries: ENTRIES }, { at: page(4), first: 0, entries: ENTRIES }];
}

interface Entry {
  readonly sid: number;
  /** Byte in the STE. */
  readonly offset: number;
  readonly table: StreamTable;
}

function entryAt(at: number, twoLevel: boolean): Entry | null {
  const table = streamTables(twoLevel).find((t) => at >= t.at && at < t.at + t.entries * STE_BYTES);
  if (table === undefined) return null;
  return { table, sid: table.first + Math.floor((at - table.at) / STE_BYTES), offset: at % STE_BYTES };
}

export type StreamMap = ReadonlyMap<number, number>;

/** What a case asks of its streams. */
interface Needs {
  readonly sids: readonly number[];
  readonly writes: ReadonlySet<number>;
  /** log2 of the span of an STE with CONT, by stream. */
  readonly spans: ReadonlyMap<number, number>;
  readonly ranges: readonly { readonly sid: number; readonly range: number }[];
}

const BY_STREAM: readonly number[] = [OP.CFGI_STE, OP.CFGI_CD, OP.CFGI_CD_ALL, OP.ATC_INV, OP.PREFETCH_CONFIG, OP.PREFETCH_ADDR];

function needsOf(operations: readonly MachineOperation[]): Needs {
  const twoLevel = isTwoLevel(operations);
  const sids = new Set<number>();
  const writes = new Set<number>();
  const spans = new Map<number, number>();
  const ranges: { sid: number; range: number }[] = [];
  for (const o of operations) {
    if (o.op === 'access' || o.op === 'claim' || o.op === 'ats-request' || o.op === 'translated' || o.op === 'endpoint') sids.add(o.sid);
    if ((o.op === 'access' || o.op === 'claim') && o.write) writes.add(o.sid);
    if (o.op === 'command' && BY_STREAM.includes(o.command.op)) sids.add(o.command.sid);
    if (o.op === 'command' && o.command.op === OP.CFGI_STE_RANGE && o.command.range < EVERYTHING) ranges.push(o.command);
    const entry = o.op === 'store' ? entryAt(o.at, twoLevel) : null;
    if (o.op !== 'store' || entry === null) continue;
    sids.add(entry.sid);
    const cont = entry.offset === 8 ? getField(Uint32Array.of(0, 0, o.lo, o.hi), STE.CONT) : 0;
    if (cont > 0) spans.set(entry.sid, cont);
  }
  return { sids: [...sids].sort((a, b) => a - b), writes, spans, ranges };
}

const block = (sid: number, log2: number): number => Math.floor(sid / 2 ** log2);

/** The least range around `sid` that covers of the case's streams those that it covered before, and no other; null: there is none. */
function rangeFor(range: { readonly sid: number; readonly range: number }, needs: Needs, map: StreamMap): number | null {
  const to = (sid: number): number => map.get(sid) as number;
  const covered = needs.sids.filter((s) => block(s, range.range + 1) === block(range.sid, range.range + 1));
  const around = covered[0];
  if (around === undefined) return range.range;
  for (let log2 = 1; log2 <= 16; log2 += 1) {
    const reached = needs.sids.filter((s) => block(to(s), log2) === block(to(around), log2));
    if (covered.every((s) => reached.includes(s))) return reached.length === covered.length ? log2 - 1 : null;
  }
  return null;
}

function keeps(needs: Needs, map: StreamMap): boolean {
  const to = (sid: number): number => map.get(sid) as number;
  const sameGroup = (log2: number, a: number, b: number): boolean => (block(a, log2) === block(b, log2)) === (block(to(a), log2) === block(to(b), log2));
  return needs.sids.every((a) => needs.sids.every((b) => sameGroup(6, a, b) && (!needs.spans.has(a) || sameGroup(needs.spans.get(a) as number, a, b))))
    && needs.sids.every((s) => !needs.writes.has(s) || WRITERS.includes(to(s)))
    && needs.ranges.every((r) => rangeFor(r, needs, map) !== null);
}

/** Every way to give the streams different devices, readers before writers. */
function* assignments(sids: readonly number[], taken: StreamMap = new Map()): globalThis.Generator<StreamMap, void, undefined> {
  const [first, ...rest] = sids;
  if (first === undefined) {
    yield taken;
    return;
  }
  const used = new Set(taken.values());
  for (const device of [...READERS, ...WRITERS]) {
    if (!used.has(device) && (device >= LEVEL2) === (first >= LEVEL2)) yield* assignments(rest, new Map([...taken, [first, device]]));
  }
}

/** The streams of both forms of a case, each with a device of its own; null when the devices cannot stand in for them. */
export function mapStreams(operations: readonly MachineOperation[]): StreamMap | null {
  const needs = needsOf(operations);
  let best: StreamMap | null = null;
  let least = Infinity;
  for (const map of assignments(needs.sids)) {
    const cost = needs.sids.filter((s) => !needs.writes.has(s) && WRITERS.includes(map.get(s) as number)).length;
    if (cost < least && keeps(needs, map)) {
      best = map;
      least = cost;
    }
  }
  return best;
}

/** One operation with the StreamIDs of the devices. `all`: both forms of the case, which decide about ranges. */
export function withStreams(o: MachineOperation, map: StreamMap, all: readonly MachineOperation[]): MachineOperation {
  const to = (sid: number): number => map.get(sid) ?? sid;
  switch (o.op) {
    case 'access': case 'claim': return { ...o, sid: to(o.sid), write: o.write || writesOnly(o.sid, map, all) };
    case 'ats-request': case 'translated': case 'endpoint': return { ...o, sid: to(o.sid) };
    case 'boot': return { ...o, boot: { ...o.boot, streamsLog2: o.boot.split > 0 ? o.boot.streamsLog2 : STREAMS_LOG2_CARRIED } };
    case 'command': return commandWithStreams(o, map, all);
    case 'store': {
      const entry = entryAt(o.at, isTwoLevel(all));
      return entry === null ? o : { ...o, at: entry.table.at + (to(entry.sid) % LEVEL2) * STE_BYTES + entry.offset };
    }
    default: return o;
  }
}

/** A reader's part that a writer has to play: what it writes can be seen, what it reads cannot. */
function writesOnly(sid: number, map: StreamMap, all: readonly MachineOperation[]): boolean {
  return WRITERS.includes(map.get(sid) ?? sid) && !needsOf(all).writes.has(sid);
}

function commandWithStreams(o: Extract<MachineOperation, { op: 'command' }>, map: StreamMap, all: readonly MachineOperation[]): MachineOperation {
  const c = o.command;
  if (BY_STREAM.includes(c.op)) return { ...o, command: { ...c, sid: map.get(c.sid) ?? c.sid } };
  if (c.op !== OP.CFGI_STE_RANGE || c.range >= EVERYTHING) return o;
  const needs = needsOf(all);
  const anchor = needs.sids.find((s) => block(s, c.range + 1) === block(c.sid, c.range + 1)) ?? c.sid;
  return { ...o, command: { ...c, sid: map.get(anchor) ?? anchor, range: rangeFor(c, needs, map) ?? c.range } };
}

/**
 * Diagram: what happened inside the operations of a sequence, as a message sequence chart in text: the driver, one
 * lane for each SMMU with its command queue, and the devices. Made from the log of a replay. Pure.
 */
import { describeCommand, OP } from '../spec/command.js';
import type { Entry } from '../lockstep/log.js';
import type { Row } from '../lockstep/replay.js';
import type { World } from '../stack/world.js';
import { describeOperation } from './operations.js';

/** A line of the chart before it is drawn: an arrow between two lanes, or a note in one. */
interface Mark {
  readonly op: number;
  readonly from: number;
  /** The same lane as `from` for a note. */
  readonly to: number;
  readonly text: string;
}

/** Driver, SMMU 0.., devices. */
export function sequenceDiagram(world: World, entries: readonly Entry[], rows: readonly Row[], end: string | null): string {
  const lanes = ['Driver', ...world.smmus.map((_, i) => `CMDQ/SMMU ${i}`), 'Device'];
  const device = lanes.length - 1;
  const marks: Mark[] = [];
  const done = new Set<number>();
  const finish = (op: number): void => {
    const row = rows[op];
    if (row === undefined || done.has(op)) return;
    done.add(op);
    marks.push(...results(row, op, world, device));
  };
  let current = -1;
  for (const e of entries) {
    if (e.kind === 'operation') {
      finish(current);
      current = e.op;
      const row = rows[e.op];
      if (row !== undefined && row.operation.op !== 'access') marks.push({ op: e.op, from: 0, to: 0, text: describeOperation(row.operation) });
      else if (row === undefined) marks.push({ op: e.op, from: 0, to: 0, text: '(end of the run: detach and flush everything)' });
      continue;
    }
    marks.push(markOf(e));
  }
  finish(current);
  if (end !== null) marks.push({ op: -2, from: 0, to: 0, text: end });
  return draw(lanes, marks);
}

function results(row: Row, op: number, world: World, device: number): Mark[] {
  const o = row.operation;
  if (o.op !== 'access') {
    const text = row.differs ? 'violation' : row.optimised === 'ok' ? '' : `returns ${row.optimised}`;
    return text === '' ? [] : [{ op, from: 0, to: 0, text }];
  }
  const smmu = 1 + (world.devices[o.device]?.smmu ?? 0);
  const what = `device ${o.device}${o.stream === 0 ? '' : ` stream ${o.stream}`} ${o.write ? 'writes' : 'reads'} 0x${o.iova.toString(16)}`;
  return [{ op, from: device, to: smmu, text: what }, { op, from: smmu, to: device, text: row.differs ? 'violation' : row.optimised }];
}

function markOf(e: Exclude<Entry, { kind: 'operation' }>): Mark {
  const lane = 1 + e.smmu;
  const note = (text: string): Mark => ({ op: e.op, from: lane, to: lane, text });
  const at = (frame: number): string => `0x${(frame * 4096).toString(16)}`;
  switch (e.kind) {
    case 'hidden': return note(`stale leaf {asid ${e.asid} ${at(e.va)} -> ${at(e.pa)} level ${e.level}}`);
    case 'unlinked': return note(`stale table descriptor {asid ${e.asid} ${at(e.va)} level ${e.level}}`);
    case 'closed': return note(`asid ${e.asid} has no STE or CD any more`);
    case 'entry': return note(`${e.entry.toUpperCase()} of stream ${e.sid} changed in memory`);
    case 'synced': return { op: e.op, from: lane, to: 0, text: `CMD_SYNC complete (${e.covered} covered)` };
    case 'command': return { op: e.op, from: 0, to: lane, text: e.command.op === OP.SYNC ? 'CMD_SYNC' : describeCommand(e.command) };
  }
}

const EDGE = 4;

/** Lanes are as far apart as the longest text between them needs. */
function draw(lanes: readonly string[], marks: readonly Mark[]): string {
  const gaps = lanes.map((name) => name.length + 2);
  for (const m of marks) {
    const left = Math.min(m.from, m.to);
    gaps[left] = Math.max(gaps[left] ?? 0, m.text.length + (m.from === m.to ? 4 : 10));
  }
  const at: number[] = [];
  let x = EDGE;
  lanes.forEach((_, i) => {
    at.push(x);
    x += gaps[i] as number;
  });
  const lines = [blank(at, x).map(() => ' ')];
  const head = lines[0] as string[];
  lanes.forEach((name, i) => { put(head, (at[i] as number), name); });
  let op = Number.NaN;
  const out = [head.join('').trimEnd()];
  for (const m of marks) {
    const line = blank(at, x);
    if (m.op !== op) {
      put(line, 0, m.op === -2 ? '' : m.op < 0 ? 'rst' : String(m.op + 1).padStart(3));
      op = m.op;
    }
    if (m.from === m.to) put(line, (at[m.from] as number) + 2, m.text);
    else arrow(line, at[m.from] as number, at[m.to] as number, m.text, at[Math.min(m.from, m.to)] as number);
    out.push(line.join('').trimEnd());
  }
  return out.join('\n');
}

function blank(at: readonly number[], width: number): string[] {
  const line = Array.from({ length: width }, () => ' ');
  for (const x of at) line[x] = '|';
  return line;
}

function put(line: string[], x: number, text: string): void {
  for (let i = 0; i < text.length; i += 1) line[x + i] = text.charAt(i);
}

function arrow(line: string[], from: number, to: number, text: string, left: number): void {
  const right = Math.max(from, to);
  for (let x = left + 1; x < right; x += 1) line[x] = '-';
  if (to > from) line[to - 1] = '>';
  else line[to + 1] = '<';
  put(line, left + 3, ` ${text} `);
}

/** A recorded line in the driver's words. */
import { decodeCommand, describeCommand, newCommand } from '../spec/command.js';
import type { Recorded } from '../captures/recorded.js';

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

function halves(lo: number, hi: number): string {
  return `0x${(BigInt(hi) * 0x100000000n + BigInt(lo)).toString(16)}`;
}

export function commandText(raw: readonly number[] | null): string {
  return raw === null ? 'SYNC' : describeCommand(decodeCommand(Uint32Array.from(raw), 0, newCommand()));
}

export function describeLine(r: Recorded): string {
  const w = r.what;
  switch (w.kind) {
    case 'meta': return 'the recording begins';
    case 'mark': return `mark "${w.text}"`;
    case 'register': return `${w.read ? 'read' : 'write'} ${w.name} ${hex(w.value)}`;
    case 'store': return `store ${w.to} ${hex(w.pa)} ${w.words.length === 2 ? `= ${halves(w.words[0] as number, w.words[1] as number)}` : `${w.words.length / 2} words`}`;
    case 'fill': return `fill ${w.to} ${hex(w.pa)} +${w.size} with ${hex(w.byte)}`;
    case 'clean': return `clean ${hex(w.pa)} +${hex(w.size)}`;
    case 'init': return `initialise ${w.count} STEs at ${hex(w.pa)}`;
    case 'page': return `table page ${w.pa < 0 ? w.va : hex(w.pa)} ${w.what === 'alloc' ? 'obtained' : 'freed'}`;
    case 'entry': return `entry at ${w.va} becomes ${halves(w.words[0] as number, w.words[1] as number)} …`;
    case 'map': return `map ${hex(w.iova)} +${hex(w.pgsize * w.count)} -> ${hex(w.pa)}${w.write ? '' : ' read-only'}`;
    case 'map.ret': return `map returns${w.ok ? '' : ' an error'}`;
    case 'unmap': return `unmap ${hex(w.iova)} +${hex(w.pgsize * w.count)}`;
    case 'unmap.ret': return `unmap returns ${hex(w.size)}`;
    case 'range': return `range ${hex(w.iova)} +${hex(w.size)} ${w.what === 'alloc' ? 'handed out' : 'given back'}`;
    case 'call': return `${w.f}(`;
    case 'ret': return `) ${w.f}`;
    case 'inv': return `invalidate ${hex(w.iova)} +${hex(w.size)}${w.leaf ? ' leaf' : ''}`;
    case 'issue': return `issue ${w.count}${w.sync ? ' and wait' : ''}`;
    case 'issue.ret': return 'issue returns';
    case 'cmd': return `[${w.idx}] ${commandText(w.raw)}`;
    case 'unseen': return `${w.commands} more commands, not traced`;
    case 'prod': return `PROD = ${w.value}`;
    case 'take': return `takes [${w.idx}] ${w.op}`;
    case 'cons': return `CONS = ${w.value}`;
    case 'xlat': return `stream ${w.sid} ${hex(w.iova)} -> ${hex(w.pa)}${w.hit ? ' (cached)' : ''}`;
    case 'bypass': return `stream ${w.sid} bypass`;
    case 'fault': return `stream ${w.sid} ${w.type}`;
    case 'attached': return w.text;
    case 'unplaced': return w.what;
    case 'selfcheck': return 'the recording ends';
    case 'ignored': case 'unknown': return r.name;
  }
}

export type Lane = 'cpu' | 'queue' | 'smmu' | 'device';

/** Who did it: a CPU's own work, what it puts into the queue, the SMMU, or a device. */
export function laneOf(r: Recorded): Lane {
  switch (r.what.kind) {
    case 'xlat': case 'bypass': case 'fault': return 'device';
    case 'take': return 'smmu';
    case 'issue': case 'issue.ret': case 'cmd': case 'prod': case 'cons': return 'queue';
    default: return r.name.startsWith('dev.') ? 'smmu' : 'cpu';
  }
}

/**
 * Table operations and table worlds in words. Pure.
 */
import type { Piece, TableGeometry, TableOperation, TableWorld } from '../stack/page-table.js';
import { startLevelOf } from '../operations/table-shape.js';
import { startEntries, stride } from '../spec/granule.js';
import { POW2 } from '../spec/bits.js';
import { bytes, counted } from './words.js';

function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

/** Pieces that are named one by one. */
const NAMED = 3;

function piecesText(pieces: readonly Piece[]): string {
  const shown = pieces.slice(0, NAMED).map((p) => `${hex(p.pa)} +${bytes(p.size)}`).join(', ');
  return pieces.length > NAMED ? `${shown} and ${counted(pieces.length - NAMED, 'more piece', 'more pieces')}` : shown;
}

function operands(op: TableOperation): string {
  switch (op.op) {
    case 'map': return `${hex(op.iova)} -> ${hex(op.pa)} ${op.count} x ${bytes(op.pageSize)} ${op.prot}`;
    case 'map-sg': return `${hex(op.iova)} -> ${piecesText(op.pieces)} ${op.prot}`;
    case 'sync-map': return `${hex(op.iova)} +${bytes(op.size)}`;
    case 'unmap': return `${hex(op.iova)} ${op.count} x ${bytes(op.pageSize)}`;
    case 'read-dirty': return `${hex(op.iova)} +${bytes(op.size)}${op.clear ? ' and clear' : ''}`;
    case 'access': return `${hex(op.iova)} ${op.write ? 'write' : 'read'}`;
    case 'evict': return `dirty line ${op.line}`;
    case 'sync': case 'fail-next-allocation': return '';
    case 'together': return `CPU 0: ${describeTableOperation(op.calls[0])} | CPU 1: ${describeTableOperation(op.calls[1])} | ${orderText(op.order)}`;
  }
}

/** As `3 steps of CPU 0, 2 of CPU 1, then to the end`. */
function orderText(order: readonly (0 | 1)[]): string {
  const parts: string[] = [];
  for (let at = 0; at < order.length;) {
    const cpu = order[at] as 0 | 1;
    let n = 0;
    while (order[at] === cpu) { n += 1; at += 1; }
    parts.push(parts.length === 0 ? `${counted(n, 'step')} of CPU ${cpu}` : `${n} of CPU ${cpu}`);
  }
  return [...parts, parts.length === 0 ? 'one after the other' : 'then to the end'].join(', ');
}

/** One operation, as `unmap  0x4000 2 x 4K`. `width`: of the column of kinds. */
export function describeTableOperation(op: TableOperation, width = 0): string {
  return `${op.op.padEnd(width)}  ${operands(op)}`.trimEnd();
}

/** As `stage 2, 4K granule, 40 -> 44 bits, 2 concatenated tables at level 1`. */
export function describeGeometry(g: TableGeometry): string {
  const level = startLevelOf(g);
  const entries = startEntries(g.tg, g.inputBits, level);
  const table = POW2[stride(g.tg)] as number;
  const root = entries > table ? `${entries / table} concatenated tables at level ${level}` : `root of ${counted(entries, 'entry', 'entries')} at level ${level}`;
  return [
    `stage ${g.stage}${g.half === 'upper' ? ', upper half' : ''}`, `${2 ** (g.tg - 10)}K granule${g.ds ? ' with DS' : ''}`, `${g.inputBits} -> ${g.outputBits} bits`, root,
    ...(g.contiguous ? ['contiguous runs'] : []), ...(g.dirty ? ['dirty tracking'] : []),
  ].join(', ');
}

export function describeTableWorld(w: TableWorld): string[] {
  const eviction = w.eviction.oneIn === 0 ? '' : `, a dirty line is written back every ${w.eviction.oneIn} stores (seed ${w.eviction.seed})`;
  const walker = w.coherent ? 'coherent walker' : `walker that is not coherent, leaves cleaned by ${w.cleaner}${eviction}`;
  return [describeGeometry(w.geometry), `${w.variant}; ${walker}; BBML ${w.bbml}${w.mergeRuns ? ', runs cached as one entry' : ''}; stores drain ${w.storeOrder}`];
}

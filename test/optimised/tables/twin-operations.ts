/** Random operations for a table of any geometry: near boundaries, small, with some misuse. */
import { bestSize, type TableShape } from '../../../src/optimised/tables/geometry.js';
import type { TableOperation, TableProt } from '../../../src/stack/page-table.js';
import type { Draw } from './draw.js';

const PROTS: readonly TableProt[] = ['rw', 'rw', 'r', 'w', 'none'];

/** Places of interest: both ends, boundaries of tables of all levels, and anywhere. */
export function anchors(shape: TableShape, draw: Draw): number[] {
  const list = [0, shape.inputEnd];
  const spans = shape.sizes.map((s) => s.bytes);
  for (let level = shape.startLevel; level <= 3; level += 1) spans.push((shape.span[level + 1] as number) * shape.entries);
  for (const span of spans) if (span < shape.inputEnd) list.push(span * (1 + draw.below(Math.min(1024, shape.inputEnd / span - 1))));
  list.push(draw.below(2 ** 26) * shape.granule % shape.inputEnd);
  return [0, 1, 2].map(() => draw.one(list));
}

/** An address near an anchor, a multiple of `size`; inside of the table unless the draw is a rare one. */
function near(shape: TableShape, places: readonly number[], size: number, draw: Draw): number {
  const anchor = draw.one(places);
  const iova = anchor - (anchor % size) + (draw.below(8) - 4) * size;
  return draw.chance(60) ? iova : Math.min(Math.max(0, iova), shape.inputEnd - size);
}

function countOf(shape: TableShape, draw: Draw): number {
  if (draw.chance(200)) return shape.entries;
  if (draw.chance(12)) return 16 + draw.below(20);
  return 1 + draw.below(4);
}

/** Output addresses: mostly as aligned as the input is, now and then only to the granule, now and then at the end of the output. */
function output(shape: TableShape, iova: number, size: number, draw: Draw): number {
  const top = Math.max(size, shape.outputEnd);
  if (draw.chance(50)) return top - size;
  const pa = (draw.below(2 ** 30) * size) % top;
  if (draw.chance(5)) return pa - (pa % shape.granule) + (draw.below(4) * shape.granule);
  return draw.chance(3) ? iova % top : pa;
}

/** More leaves in one call than this are drawn for one in a few hundred only. */
const LEAVES_MOST = 3000;

/** Would the largest sizes that fit take too many leaves? */
function tooMany(shape: TableShape, iova: number, pa: number, bytes: number): boolean {
  let left = LEAVES_MOST;
  for (let done = 0; done < bytes && left >= 0;) {
    const size = bestSize(shape, iova + done, pa + done, bytes - done);
    if (size === undefined) return false;
    done += size.bytes;
    left -= size.entries;
  }
  return left < 0;
}

/** The operation, or where it is too large a small one at the same place. */
export function drawOperation(shape: TableShape, places: readonly number[], draw: Draw): TableOperation {
  const op = drawAny(shape, places, draw);
  if (op.op === 'map' && tooMany(shape, op.iova, op.pa, op.pageSize * op.count)) return { ...op, pageSize: shape.granule, count: 3 };
  if (op.op !== 'map-sg') return op;
  let at = op.iova;
  for (const p of op.pieces) {
    if (tooMany(shape, at, p.pa, p.size)) return { ...op, pieces: op.pieces.map((q) => ({ pa: q.pa, size: shape.granule })) };
    at += p.size;
  }
  return op;
}

function drawAny(shape: TableShape, places: readonly number[], draw: Draw): TableOperation {
  const kind = draw.below(100);
  const size = draw.one(shape.sizes).bytes;
  const iova = near(shape, places, draw.chance(40) ? shape.granule : size, draw);
  const pageSize = draw.chance(60) ? draw.one([0, 512, size * 2, size + shape.granule]) : size;
  const count = draw.chance(100) ? draw.one([0, -1, 0.5]) : countOf(shape, draw);
  if (kind < 34) return { op: 'map', iova, pa: output(shape, iova, size, draw), pageSize, count, prot: draw.one(PROTS) };
  if (kind < 42) {
    const pieces = Array.from({ length: 1 + draw.below(6) }, () => ({ pa: output(shape, iova, size, draw), size: draw.chance(3) ? size : shape.granule * (1 + draw.below(20)) }));
    if (draw.chance(2)) pieces.forEach((p, i) => { if (i > 0) p.pa = (pieces[i - 1]?.pa ?? 0) + (pieces[i - 1]?.size ?? 0); });
    return { op: 'map-sg', iova, pieces, prot: draw.one(PROTS) };
  }
  if (kind < 76) return { op: 'unmap', iova, pageSize, count };
  if (kind < 82) return { op: 'sync' };
  if (kind < 84) return { op: 'sync-map', iova, size: pageSize * count };
  if (kind < 90) return { op: 'read-dirty', iova, size: shape.granule * (1 + draw.below(40)), clear: draw.chance(2) };
  if (kind < 98) return { op: 'access', iova: Math.min(Math.max(0, iova), shape.inputEnd - shape.granule), write: true };
  return { op: 'fail-next-allocation' };
}

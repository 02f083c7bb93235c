/**
 * Table live: changes of mappings that are in use, without the break that the architecture asks for at some levels of IDR3.BBML (IHI 0070 §3.21.1). Each puts
 * the table back as it was, properly, so that nothing but the live change can be wrong. Mutants only; run before a `read-dirty`, as a driver
 * does that changes sizes to track written pages more finely.
 */
import { addressHigh, addressLow, BIT_NT, BIT_TABLE, BIT_VALID, HI_CONTIGUOUS, leafAddress } from '../spec/descriptor.js';
import { levelBit } from '../stack/description.js';
import { slotOfTable, tableHigh, tableLow } from '../optimised/tables/format.js';
import { indexAt } from '../optimised/tables/geometry.js';
import { newTableGather, type TableRoom } from '../optimised/tables/room.js';

interface Place {
  readonly ref: number;
  readonly level: number;
  readonly iova: number;
  readonly lo: number;
  readonly hi: number;
}

/** The leaf that maps `iova`, or null. */
function leafOf(room: TableRoom, iova: number): Place | null {
  if (!(iova >= 0 && iova < room.shape.inputEnd)) return null;
  let slot = room.root;
  for (let level = room.shape.startLevel; level <= 3; level += 1) {
    const ref = slot * 512 + indexAt(room.shape, level, iova);
    const lo = room.cpu.loadLo(ref);
    const hi = room.cpu.loadHi(ref);
    if ((lo & BIT_VALID) === 0) return null;
    const span = room.shape.span[level + 1] as number;
    if (level === 3 || (lo & BIT_TABLE) === 0) return { ref, level, iova: iova - (iova % span), lo, hi };
    slot = slotOfTable(lo, hi);
  }
  return null;
}

/** Stores a word that walkers see at once. */
function put(room: TableRoom, ref: number, lo: number, hi: number): void {
  room.cpu.store(ref, lo >>> 0, hi >>> 0);
  room.cpu.barrier('map-done');
  if (!room.coherent) room.cpu.clean(ref, 1, 'cleared');
}

/** Invalidates the span of a leaf: leaves of its level and of the next one, the table that stood for it, and whole runs. */
function flush(room: TableRoom, at: Place): void {
  const gather = newTableGather();
  const span = (room.shape.span[at.level + 1] as number) * (room.shape.runEntries[at.level + 1] as number);
  const first = at.iova - (at.iova % span);
  Object.assign(gather, { pending: true, first: first / 4096, last: (first + span) / 4096 - 1, leaves: levelBit(at.level) | (at.level < 3 ? levelBit(at.level + 1) : 0), tables: at.level < 3 ? levelBit(at.level) : 0 });
  void room.hooks.flush(room, gather, 'dirty');
}

/** A table of leaves of the next level that map what the block maps; its slot, or -1. */
function pieces(room: TableRoom, at: Place): number {
  const { shape } = room;
  if (at.level === 3 || (at.hi & HI_CONTIGUOUS) !== 0 || shape.leafAt[at.level + 2] !== true) return -1;
  const slot = room.pages.allocateTable(shape.frames);
  if (slot < 0) return -1;
  const frame = leafAddress(at.lo, at.hi, at.level, shape);
  const size = shape.spanFrames[at.level + 2] as number;
  const type = at.level + 1 === 3 ? BIT_VALID | BIT_TABLE : BIT_VALID;
  const low = (at.lo - addressLow(frame, shape)) & ~3 & ~BIT_NT;
  const high = at.hi - addressHigh(frame, shape);
  for (let i = 0; i < shape.entries; i += 1) room.cpu.store(slot * 512 + i, (addressLow(frame + i * size, shape) + (low | type)) >>> 0, (addressHigh(frame + i * size, shape) + high) >>> 0);
  room.cpu.barrier('table-contents');
  if (!room.coherent) room.cpu.clean(slot * 512, shape.entries, 'new-table');
  return slot;
}

function breakAt(room: TableRoom, at: Place): void {
  put(room, at.ref, 0, 0);
  flush(room, at);
}

/** Block to table, live; back with a break. `nT`: the block is marked, and what is cached of it without the mark flushed, before (BBML 1). */
export function splitLive(room: TableRoom, iova: number, nT: boolean): void {
  const at = leafOf(room, iova);
  if (at === null || at.level === 3) return;
  const slot = pieces(room, at);
  if (slot < 0) return;
  if (nT) {
    put(room, at.ref, at.lo | BIT_NT, at.hi);
    flush(room, at);
  }
  put(room, at.ref, tableLow(slot), tableHigh(slot));
  flush(room, at);
  breakAt(room, at);
  room.pages.releaseTable(slot, room.shape.frames);
  put(room, at.ref, at.lo, at.hi);
}

/** Block to table with a break; table to block live. */
export function mergeLive(room: TableRoom, iova: number): void {
  const at = leafOf(room, iova);
  if (at === null || at.level === 3) return;
  const slot = pieces(room, at);
  if (slot < 0) return;
  breakAt(room, at);
  put(room, at.ref, tableLow(slot), tableHigh(slot));
  put(room, at.ref, at.lo, at.hi);
  flush(room, at);
  room.pages.releaseTable(slot, room.shape.frames);
}

/** Another output address, live; back with a break. */
export function moveLive(room: TableRoom, iova: number): void {
  const at = leafOf(room, iova);
  if (at === null || (at.hi & HI_CONTIGUOUS) !== 0) return;
  const { shape } = room;
  const frame = leafAddress(at.lo, at.hi, at.level, shape);
  const size = shape.spanFrames[at.level + 1] as number;
  const other = (frame / size) % 2 === 0 ? frame + size : frame - size;
  put(room, at.ref, at.lo - addressLow(frame, shape) + addressLow(other, shape), at.hi - addressHigh(frame, shape) + addressHigh(other, shape));
  breakAt(room, at);
  put(room, at.ref, at.lo, at.hi);
}

/** The Contiguous bit of one member of a run, live; back with a break of the whole run. */
export function unmarkLive(room: TableRoom, iova: number): void {
  const at = leafOf(room, iova);
  if (at === null || (at.hi & HI_CONTIGUOUS) === 0) return;
  const members = room.shape.runEntries[at.level + 1] as number;
  const first = at.ref - (at.ref % members);
  put(room, at.ref, at.lo, at.hi - HI_CONTIGUOUS);
  const words = Array.from({ length: members }, (_, i) => [room.cpu.loadLo(first + i), room.cpu.loadHi(first + i)] as const);
  for (let i = 0; i < members; i += 1) put(room, first + i, 0, 0);
  flush(room, at);
  words.forEach(([lo, hi], i) => { put(room, first + i, lo, first + i === at.ref ? at.hi : hi); });
}

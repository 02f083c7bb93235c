/**
 * Flatten: what stands in a Memory under a root, found by walking it as the architecture says (VMSAv8-64; IHI 0070 §3.3.2), entry by entry. It knows nothing
 * of how the table was made. What the architecture forbids, or leaves open, is told as a fault; the walk goes on as a walker would.
 */
import { POW2 } from '../../spec/bits.js';
import {
  BIT_READ_ONLY, BIT_S2AP_READ, BIT_S2AP_WRITE, descriptorKind, HI_CONTIGUOUS, HI_DBM, leafAddress, TABLE, tableAddress, type AddressForm,
} from '../../spec/descriptor.js';
import { contiguousEntries, levelShift, rootAlignment, stage1StartLevel, stage2Consistent, stride } from '../../spec/granule.js';
import { OUTPUT_BITS } from '../../spec/ste.js';
import type { Memory } from '../../memory/memory.js';
import type { TableGeometry, TableProt } from '../../stack/page-table.js';
import { Leaves, leafInfo } from './leaves.js';

/** What the walker is told of the table: STE or CD fields. */
export interface FlatRoot {
  readonly geometry: TableGeometry;
  readonly startLevel: number;
  /** 4 KiB frame of entry 0. */
  readonly frame: number;
}

/** A table that a descriptor points to: its entries are at `level`. */
export interface FlatTable {
  readonly level: number;
  readonly iova: number;
  readonly frame: number;
}

export interface Flattened {
  readonly leaves: Leaves;
  /** Tables below the root, in the order of the walk; kept only when asked for. */
  readonly tables: FlatTable[];
  tableCount: number;
  /** First few things that must not be. */
  readonly faults: string[];
}

const FAULTS_MAX = 4;
const WORDS = 512;

export function newFlattened(geometry: TableGeometry): Flattened {
  return { leaves: new Leaves(geometry.tg), tables: [], tableCount: 0, faults: [] };
}

interface Walk extends AddressForm {
  readonly root: FlatRoot;
  readonly memory: Memory;
  readonly out: Flattened;
  readonly wantTables: boolean;
}

/** Fills `out`. Reads what is visible in `memory`: stores that wait in a CPU's buffer are not. */
export function flatten(memory: Memory, root: FlatRoot, out: Flattened, wantTables = false): Flattened {
  const g = root.geometry;
  out.leaves.clear();
  out.tables.length = 0;
  out.tableCount = 0;
  out.faults.length = 0;
  const walk: Walk = { tg: g.tg, ds: g.ds, wide: g.tg === 16 && g.outputBits > 48, root, memory, out, wantTables };
  const entriesLog2 = g.inputBits - levelShift(g.tg, root.startLevel);
  if (!startIsLegal(root)) fault(walk, `a walk of ${g.inputBits} bits cannot begin at level ${root.startLevel}`);
  if ((root.frame * 4096) % (POW2[rootAlignment(entriesLog2, g.outputBits > 48)] as number) !== 0) fault(walk, 'the root is not aligned');
  walkTable(walk, root.frame, root.startLevel, 0);
  return out;
}

function startIsLegal(root: FlatRoot): boolean {
  const g = root.geometry;
  if (g.stage === 1) return root.startLevel === stage1StartLevel(g.tg, g.inputBits);
  return stage2Consistent(g.tg, g.inputBits, root.startLevel, { smallTables: g.inputBits < 25, oas: OUTPUT_BITS.find((bits) => bits >= Math.max(g.inputBits, g.outputBits)) ?? 52 });
}

function fault(walk: Walk, what: string): void {
  if (walk.out.faults.length < FAULTS_MAX) walk.out.faults.push(what);
}

function walkTable(walk: Walk, frame: number, level: number, base: number): void {
  const { memory, root } = walk;
  const isRoot = level === root.startLevel;
  const entries = POW2[isRoot ? root.geometry.inputBits - levelShift(walk.tg, level) : stride(walk.tg)] as number;
  for (let done = 0; done < entries; done += WORDS) {
    const slot = memory.slotOf(frame + done / WORDS);
    if (slot < 0) {
      fault(walk, `the table at 0x${(frame * 4096).toString(16)} is outside of memory`);
      return;
    }
    let left = memory.odd[slot] as number;
    const n = Math.min(WORDS, entries - done);
    for (let i = 0; left > 0 && i < n; i += 1) {
      const ref = slot * WORDS + i;
      if (((memory.lo[ref] as number) & 1) === 0) continue;
      left -= 1;
      takeEntry(walk, ref, level, base + (done + i) * (POW2[levelShift(walk.tg, level)] as number));
    }
  }
}

function takeEntry(walk: Walk, ref: number, level: number, iova: number): void {
  const lo = walk.memory.lo[ref] as number;
  const hi = walk.memory.hi[ref] as number;
  const kind = descriptorKind(lo, level, walk.tg, walk.ds, walk.wide);
  if (kind === TABLE) {
    const frame = tableAddress(lo, hi, walk);
    walk.out.tableCount += 1;
    if (walk.wantTables) walk.out.tables.push({ level: level + 1, iova, frame });
    walkTable(walk, frame, level + 1, iova);
    return;
  }
  if (kind === 0) {
    fault(walk, `a reserved descriptor at level ${level} for 0x${iova.toString(16)}`);
    return;
  }
  const pa = leafAddress(lo, hi, level, walk) * 4096;
  if (pa >= (POW2[walk.root.geometry.outputBits] as number)) fault(walk, `0x${iova.toString(16)} maps beyond the output size`);
  const run = (hi & HI_CONTIGUOUS) !== 0;
  if (run) checkRun(walk, ref, level, iova);
  walk.out.leaves.push(iova, pa, leafInfo(level, protOf(walk.root.geometry.stage, lo, hi), run, dirtyOf(walk.root.geometry.stage, lo, hi)));
}

/** A leaf that may become writable with the first write is a writable one that is clean. */
function protOf(stage: 1 | 2, lo: number, hi: number): TableProt {
  const clean = (hi & HI_DBM) !== 0;
  if (stage === 1) return clean || (lo & BIT_READ_ONLY) === 0 ? 'rw' : 'r';
  const write = clean || (lo & BIT_S2AP_WRITE) !== 0;
  const read = (lo & BIT_S2AP_READ) !== 0;
  return read && write ? 'rw' : read ? 'r' : write ? 'w' : 'none';
}

function dirtyOf(stage: 1 | 2, lo: number, hi: number): boolean {
  return (hi & HI_DBM) !== 0 && (stage === 1 ? (lo & BIT_READ_ONLY) === 0 : (lo & BIT_S2AP_WRITE) !== 0);
}

/** All members of a contiguous run are there, with neighbouring outputs and the same attributes but for the dirty state; the whole is aligned. */
function checkRun(walk: Walk, ref: number, level: number, iova: number): void {
  const { memory } = walk;
  const members = contiguousEntries(walk.tg, level, walk.ds);
  const size = POW2[levelShift(walk.tg, level)] as number;
  const into = (iova / size) % members;
  const at = `the contiguous run of level ${level} at 0x${(iova - into * size).toString(16)}`;
  if (members === 1) {
    fault(walk, `${at}: there are no runs at this level`);
    return;
  }
  const lo = memory.lo[ref] as number;
  const hi = memory.hi[ref] as number;
  if (into > 0) {
    const before = leafAddress(memory.lo[ref - 1] as number, memory.hi[ref - 1] as number, level, walk) * 4096;
    const same = (memory.lo[ref - 1] as number) % 2 === 1 && before + size === leafAddress(lo, hi, level, walk) * 4096 && attributes(walk, ref) === attributes(walk, ref - 1);
    if (!same) fault(walk, `${at}: member ${into} does not go on from the one before`);
  } else if ((leafAddress(lo, hi, level, walk) * 4096) % (members * size) !== 0) fault(walk, `${at}: its output is not aligned`);
  if (into < members - 1 && ((memory.lo[ref + 1] as number) % 2 === 0 || ((memory.hi[ref + 1] as number) & HI_CONTIGUOUS) === 0)) fault(walk, `${at}: member ${into + 1} is missing`);
}

/** What members of a run have in common: everything but address and dirty state. */
function attributes(walk: Walk, ref: number): number {
  const lo = walk.memory.lo[ref] as number;
  const hi = walk.memory.hi[ref] as number;
  const written = walk.root.geometry.stage === 1 ? BIT_READ_ONLY : BIT_S2AP_WRITE;
  const low = lo & 0xfff & ~((hi & HI_DBM) !== 0 ? written : 0) & ~(walk.ds ? 0x300 : 0);
  return low * 4096 + (hi >>> 19);
}

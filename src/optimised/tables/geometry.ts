/**
 * Geometry: what follows from a table's granule, stage and sizes (VMSAv8-64, to which IHI 0070 §3.3.2 defers): levels, the index bits of the
 * root, concatenation, page sizes, alignment. Computed once for a table; hot code reads arrays by `level + 1`, because levels begin at -1.
 *
 * Root: levels = ceil((inputBits - tg) / stride), and the root has the index bits that are left. At stage 2 a root of at most 16 entries
 * is given up: its entries become that many tables of the next level, side by side (concatenation). That is done wherever it can be, which
 * includes the cases in which the architecture makes it mandatory (4K level 0 below 44 bits of output, 16K level 0 without
 * 52-bit descriptors and level 1 below 42 bits, 64K level 1 below 44 bits). One exception: an SMMU without small tables has no 4K walk that begins at
 * level 3; only tables that need small tables anyway do so.
 */
import { POW2 } from '../../spec/bits.js';
import { contiguousEntries, leafAllowed, levelShift, rootAlignment, stage1StartLevel, stage2Consistent, stride, type Tg } from '../../spec/granule.js';
import type { TableGeometry } from '../../stack/page-table.js';

/** Entries of a root that stage 2 gives up for tables of the next level: as many may be put together. */
const CONCATENATED_MAX = 16;
/** Fewest input bits without small translation tables (TxSZ at most 39). */
const LARGE_TABLES_BITS = 25;
/** Tables lie in the RAM window, just above 4 GiB. */
const OUTPUT_BITS_LEAST = 36;

/** A size that a leaf, or a contiguous run of leaves, can have. */
export interface PageSize {
  readonly bytes: number;
  readonly level: number;
  /** Entries of the run; 1 for a single leaf. */
  readonly entries: number;
}

export interface TableShape {
  readonly tg: Tg;
  readonly stage: 1 | 2;
  /** Bits of 52-bit addresses in descriptors: of the 4K and 16K form, and of the 64K form. */
  readonly ds: boolean;
  readonly wide: boolean;
  readonly startLevel: number;
  /** Entries of one table; of the root, with everything that is concatenated. */
  readonly entries: number;
  readonly rootEntries: number;
  /** Tables of a granule that the root is made of; 1 unless concatenated. */
  readonly concatenated: number;
  /** 4 KiB frames of a table and of the root (at least one). */
  readonly frames: number;
  readonly rootFrames: number;
  /** log2 of the least alignment of the root. */
  readonly rootAlign: number;
  /** 2^inputBits, 2^outputBits. */
  readonly inputEnd: number;
  readonly outputEnd: number;
  /** By level + 1: bytes and 4 KiB frames of one entry; entries of a contiguous run (1: none at this level); may a leaf stand there? */
  readonly span: readonly number[];
  readonly spanFrames: readonly number[];
  readonly runEntries: readonly number[];
  readonly leafAt: readonly boolean[];
  /** Largest first. Only sizes of which one fits the table. */
  readonly sizes: readonly PageSize[];
  readonly granule: number;
}

/** Start level that the library chooses. */
export function startLevelOf(g: TableGeometry): number {
  const level = stage1StartLevel(g.tg, g.inputBits);
  if (g.stage === 1 || level === 3) return level;
  if (g.tg === 12 && level === 2 && g.inputBits >= LARGE_TABLES_BITS) return level;
  return g.inputBits - levelShift(g.tg, level) <= Math.log2(CONCATENATED_MAX) ? level + 1 : level;
}

export function isWide(g: TableGeometry): boolean {
  return g.tg === 16 && g.outputBits > 48;
}

/** Why there is no such table, or undefined. */
export function geometryFault(g: TableGeometry): string | undefined {
  const most = g.tg === 16 || g.ds ? 52 : 48;
  const least = g.tg === 16 ? 17 : 16;
  if (!Number.isInteger(g.inputBits) || g.inputBits < least || g.inputBits > most) return `a table of this granule has ${least} to ${most} input bits`;
  if (!Number.isInteger(g.outputBits) || g.outputBits < OUTPUT_BITS_LEAST || g.outputBits > most) return `a table of this granule has ${OUTPUT_BITS_LEAST} to ${most} output bits`;
  if (g.ds && g.tg === 16) return 'the 52-bit descriptor form (ds) is for granules of 4K and 16K';
  if (g.stage === 2 && g.half === 'upper') return 'stage 2 has one table: half must be lower';
  if (g.stage === 2 && !stage2Consistent(g.tg, g.inputBits, startLevelOf(g), { smallTables: g.inputBits < LARGE_TABLES_BITS, oas: Math.max(g.inputBits, g.outputBits) })) return 'no legal start level for this stage-2 table';
  return undefined;
}

export function shapeOf(g: TableGeometry, startLevel = startLevelOf(g)): TableShape {
  const levels = [-1, 0, 1, 2, 3];
  const wide = isWide(g);
  const rootEntries = POW2[Math.max(0, g.inputBits - levelShift(g.tg, startLevel))] as number;
  const entries = POW2[stride(g.tg)] as number;
  const leafAt = levels.map((l) => l >= startLevel && leafAllowed(g.tg, l, g.ds, wide));
  const runs = levels.map((l, i) => (g.contiguous && leafAt[i] === true && fits(g, l, startLevel) ? contiguousEntries(g.tg, l, g.ds) : 1));
  const span = levels.map((l) => POW2[levelShift(g.tg, l)] as number);
  const sizes = levels.flatMap((level, i): PageSize[] => {
    if (leafAt[i] !== true) return [];
    const one = { bytes: span[i] as number, level, entries: 1 };
    const members = runs[i] as number;
    return members > 1 ? [{ bytes: one.bytes * members, level, entries: members }, one] : [one];
  });
  const frames = POW2[g.tg - 12] as number;
  return {
    tg: g.tg, stage: g.stage, ds: g.ds, wide, startLevel, entries, rootEntries, concatenated: Math.max(1, rootEntries / entries),
    frames, rootFrames: Math.max(1, rootEntries / 512), rootAlign: rootAlignment(Math.log2(rootEntries), g.outputBits > 48 && (g.ds || wide)),
    inputEnd: POW2[g.inputBits] as number, outputEnd: POW2[g.outputBits] as number,
    span, spanFrames: span.map((s) => s / 4096), runEntries: runs, leafAt, sizes, granule: POW2[g.tg] as number,
  };
}

/** A run of contiguous entries never exceeds what the start table holds. */
function fits(g: TableGeometry, level: number, startLevel: number): boolean {
  return level > startLevel || contiguousEntries(g.tg, level, g.ds) <= (POW2[Math.max(0, g.inputBits - levelShift(g.tg, level))] as number);
}

export function findSize(shape: TableShape, bytes: number): PageSize | undefined {
  for (const size of shape.sizes) if (size.bytes === bytes) return size;
  return undefined;
}

/** The largest size that both addresses are aligned to and that is not more than `left`; undefined below a granule. */
export function bestSize(shape: TableShape, iova: number, pa: number, left: number): PageSize | undefined {
  for (const size of shape.sizes) if (size.bytes <= left && iova % size.bytes === 0 && pa % size.bytes === 0) return size;
  return undefined;
}

/** Index of `iova` in a table at `level`. That of the root is as wide as the root. */
export function indexAt(shape: TableShape, level: number, iova: number): number {
  const index = Math.floor(iova / (shape.span[level + 1] as number));
  return level === shape.startLevel ? index : index % shape.entries;
}

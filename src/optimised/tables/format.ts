/**
 * Format: the words that the library writes and what it reads out of them, both stages, all granules, 52-bit forms (spec/descriptor.ts). Attributes
 * are those of the Linux driver for ordinary memory; with the 52-bit form of 4K and 16K granules SH comes from elsewhere, because OA[51:50] stand there.
 */
import { POW2 } from '../../spec/bits.js';
import {
  addressHigh, addressLow, ATTR_NORMAL_CACHED, BIT_AF, BIT_NG, BIT_READ_ONLY, BIT_S2AP_READ, BIT_S2AP_WRITE, BIT_TABLE, BIT_UNPRIVILEGED, BIT_VALID, HI_CONTIGUOUS, HI_DBM, SH_INNER,
} from '../../spec/descriptor.js';
import { RAM_BASE } from '../../memory/memory.js';
import type { TableGeometry, TableProt } from '../../stack/page-table.js';
import type { TableShape } from './geometry.js';

/** Software bit [55] of a table descriptor: its line was cleaned. */
export const HI_SW_SYNC = 1 << 23;
/** Stage 2 MemAttr: normal, write-back, both inner and outer. */
const MEMATTR_NORMAL = 15 << 2;
/** The same where the STE has S2FWB: write-back whatever stage 1 says. */
const MEMATTR_FORCED = 6 << 2;

export function isWritable(prot: TableProt): boolean {
  return prot === 'w' || prot === 'rw';
}

/** Low half of a leaf without its address. */
export function leafLow(g: TableGeometry, prot: TableProt, level: number): number {
  const type = level === 3 ? BIT_VALID | BIT_TABLE : BIT_VALID;
  const common = type | BIT_AF | (g.ds ? 0 : SH_INNER);
  if (g.stage === 1) return common | BIT_NG | BIT_UNPRIVILEGED | ATTR_NORMAL_CACHED | (isWritable(prot) && !g.dirty ? 0 : BIT_READ_ONLY);
  return common | MEMATTR_NORMAL | (prot === 'r' || prot === 'rw' ? BIT_S2AP_READ : 0) | (isWritable(prot) && !g.dirty ? BIT_S2AP_WRITE : 0);
}

/** Low half of a stage-2 leaf below an STE with S2FWB. */
export function forcedLeafLow(g: TableGeometry, prot: TableProt, level: number): number {
  return leafLow(g, prot, level) - MEMATTR_NORMAL + MEMATTR_FORCED;
}

/** High half of the same: writable-clean leaves have DBM, members of a run Contiguous. */
export function leafHigh(g: TableGeometry, prot: TableProt, run: boolean): number {
  return (isWritable(prot) && g.dirty ? HI_DBM : 0) | (run ? HI_CONTIGUOUS : 0);
}

/** Written: DBM, and the permission that hardware gives with the first write. */
export function isDirty(stage: 1 | 2, lo: number, hi: number): boolean {
  if ((hi & HI_DBM) === 0) return false;
  return stage === 1 ? (lo & BIT_READ_ONLY) === 0 : (lo & BIT_S2AP_WRITE) !== 0;
}

/** Words of a pointer to the table at `slot`; tables lie below 2^48, so all forms agree. */
export function tableLow(slot: number): number {
  return (((RAM_BASE + slot) % (POW2[20] as number)) * 4096) + (BIT_VALID | BIT_TABLE);
}

export function tableHigh(slot: number): number {
  return Math.floor((RAM_BASE + slot) / (POW2[20] as number));
}

export function slotOfTable(lo: number, hi: number): number {
  return (hi & 0xffff) * (POW2[20] as number) + (lo >>> 12) - RAM_BASE;
}

/** A valid descriptor at `level`: does it point to a table? */
export function isTable(lo: number, level: number): boolean {
  return level < 3 && (lo & BIT_TABLE) !== 0;
}

/** Low and high half of the address bits of a leaf that maps to `pa` (bytes). */
export function leafAddressLow(shape: TableShape, pa: number): number {
  return addressLow(pa / 4096, shape);
}

export function leafAddressHigh(shape: TableShape, pa: number): number {
  return addressHigh(pa / 4096, shape);
}

/** Entries of `span` bytes from `pa` on until the address bits above the main field change: until there a run's words differ by one fixed step. */
export function evenSteps(shape: TableShape, pa: number, span: number): number {
  if (!shape.ds && !shape.wide) return Infinity;
  const end = POW2[shape.ds ? 50 : 48] as number;
  return (end - (pa % end)) / span;
}

/**
 * Registers of the Non-secure programming interface (IHI 0070 §6.2, §6.3): offsets in bytes, bits, field positions and
 * the queue index arithmetic of §3.5. Values are plain numbers below 2^53 (address hints RA/WA in bit 62 are
 * not written).
 */
import { extract, POW2 } from './bits.js';

export const REG = {
  IDR0: 0x00, IDR1: 0x04, IDR2: 0x08, IDR3: 0x0c, IDR4: 0x10, IDR5: 0x14, IIDR: 0x18, AIDR: 0x1c,
  CR0: 0x20, CR0ACK: 0x24, CR1: 0x28, CR2: 0x2c,
  STATUSR: 0x40, GBPA: 0x44, IRQ_CTRL: 0x50, IRQ_CTRLACK: 0x54,
  GERROR: 0x60, GERRORN: 0x64, GERROR_IRQ_CFG0: 0x68, GERROR_IRQ_CFG1: 0x70, GERROR_IRQ_CFG2: 0x74,
  STRTAB_BASE: 0x80, STRTAB_BASE_CFG: 0x88,
  CMDQ_BASE: 0x90, CMDQ_PROD: 0x98, CMDQ_CONS: 0x9c,
  EVENTQ_BASE: 0xa0, EVENTQ_IRQ_CFG0: 0xb0, EVENTQ_IRQ_CFG1: 0xb8, EVENTQ_IRQ_CFG2: 0xbc,
  IDR6: 0x190, CMDQ_CONTROL_PAGE_BASE0: 0x4000, CMDQ_CONTROL_PAGE_CFG0: 0x4008, CMDQ_CONTROL_PAGE_STATUS0: 0x400c,
  EVENTQ_PROD: 0x100a8, EVENTQ_CONS: 0x100ac,
} as const;

/** CR0 and CR0ACK (§6.3.9). */
export const CR0_SMMUEN = 1;
export const CR0_EVENTQEN = 4;
export const CR0_CMDQEN = 8;
export const CR0_ATSCHK = 16;

/** CR0 with VMID wildcards of `bits` low bits, 0..4 (CR0.VMW [8:6]). */
export function cr0Vmw(bits: number): number {
  return bits * 64;
}

/** Low VMID bits that invalidations ignore: CR0.VMW, at most 4 (§3.17.6). */
export function vmwOf(cr0: number): number {
  return Math.min(extract(cr0, 0, 6, 3), 4);
}

/** CR2 (§6.3.12). */
export const CR2_E2H = 1;
export const CR2_RECINVSID = 2;
export const CR2_PTM = 4;
export const CR2_REC_CFG_ATS = 8;

/** GBPA (§6.3.14): what traffic gets while SMMUEN is 0. UPDATE is written with a new value and reads as 0 when it is in force. */
export const GBPA_ABORT = 0x100000;
export const GBPA_UPDATE = 0x80000000;

/** IRQ_CTRL (§6.3.16). */
export const IRQ_GERROR = 1;
export const IRQ_EVENTQ = 4;

/** CMDQ_CONS.ERR [30:24] (§6.3.28). */
export const CERROR_NONE = 0;
export const CERROR_ILL = 1;
export const CERROR_ABT = 2;
export const CERROR_ATC_INV_SYNC = 3;

/** GERROR, GERRORN (§6.3.19, §7.5): an error is active while its two bits differ. */
export const GERROR_CMDQ = 1;
export const GERROR_EVENTQ_ABT = 4;
export const GERROR_MSI_CMDQ_ABT = 0x10;
export const GERROR_MSI_EVENTQ_ABT = 0x20;
export const GERROR_MSI_GERROR_ABT = 0x80;
export const GERROR_SFM = 0x100;
/** An extra command queue has an error. */
export const GERROR_CMDQP = 0x200;

/** EVENTQ_PROD.OVFLG, EVENTQ_CONS.OVACKFLG. */
export const OVERFLOW_FLAG = 0x80000000;

/**
 * Extra command queues (§3.5.6). All are in one control page, at this offset from page 0; it is 64 KiB, shared evenly.
 * Of each queue: 64-bit BASE at 0, PROD at 8, CONS at 12.
 */
export const CONTROL_PAGE = 0x20000;
export const EXTRA_PROD = 8;
export const EXTRA_CONS = 12;
/** PROD.EN and PROD.ERRACK; CONS.ENACK and CONS.ERR. An error is active while ERR and ERRACK differ. */
export const EXTRA_ENABLE = 0x80000000;
export const EXTRA_ERROR = 0x800000;

/** Offset of the BASE register of extra queue `index` of `count` (a power of two up to 256). */
export function extraQueue(index: number, count: number): number {
  return CONTROL_PAGE + index * (0x10000 / count);
}

/** CONS.ERR_REASON [26:24] of an extra queue: a CERROR code. */
export function extraReason(cons: number): number {
  return extract(cons, 0, 24, 3);
}

/** CMDQ_CONS with an error code: RD [19:0], ERR [30:24] (§6.3.28). */
export function commandCons(rd: number, error: number): number {
  return rd + error * (POW2[24] as number);
}

/** CMDQ_CONS.ERR. */
export function consError(cons: number): number {
  return extract(cons, 0, 24, 7);
}

/** RD or WR of a PROD or CONS register: [19:0], wrap bit included. */
export function queuePointer(register: number): number {
  return extract(register, 0, 0, 20);
}

/** STRTAB_BASE_CFG of a linear stream table with 2^log2size entries: FMT [17:16] = 0, LOG2SIZE [5:0]. */
export function strtabLinear(log2size: number): number {
  return log2size;
}

/** STRTAB_BASE_CFG of a two-level stream table (§6.3.25): FMT [17:16] = 1, SPLIT [10:6] = 6, 8 or 10. */
export function strtabTwoLevel(log2size: number, split: number): number {
  return 0x10000 + split * 64 + log2size;
}

/** Split of a STRTAB_BASE_CFG: 0 for a linear table; a two-level table with SPLIT other than 8 or 10 behaves as 6. FMT 2 and 3 behave as linear. */
export function strtabSplit(cfg: number): number {
  if (extract(cfg, 0, 16, 2) !== 1) return 0;
  const split = extract(cfg, 0, 6, 5);
  return split === 8 || split === 10 ? split : 6;
}

/** Effective LOG2SIZE: StreamIDs at or above 2^it are C_BAD_STREAMID (§6.3.25). `sidBits`: IDR1.SIDSIZE. */
export function strtabLog2(cfg: number, sidBits: number): number {
  return Math.min(extract(cfg, 0, 0, 6), sidBits);
}

/**
 * STRTAB_BASE.ADDR in bytes as the SMMU uses it: bits below the size of the table (two levels: of the level-1 table, 64 bytes at least)
 * are treated as zero (§6.3.24). `base` has no RA hint.
 */
export function strtabAddress(base: number, cfg: number, sidBits: number): number {
  const split = strtabSplit(cfg);
  const log2 = strtabLog2(cfg, sidBits);
  const size = POW2[split === 0 ? log2 + 6 : Math.max(6, log2 - split + 3)] as number;
  return base - (base % size);
}

/** Index of a StreamID in the level-1 table, and of its STE in the level-2 table (§3.3.2). */
export function streamIndex1(sid: number, split: number): number {
  return Math.floor(sid / (POW2[split] as number));
}

export function streamIndex2(sid: number, split: number): number {
  return sid % (POW2[split] as number);
}

/** *Q_BASE: address (bytes, 32-byte aligned) with LOG2SIZE in [4:0]. */
export function queueBase(address: number, log2size: number): number {
  return address + log2size;
}

/** LOG2SIZE of a *Q_BASE, capped by the largest size that the SMMU has (IDR1). */
export function queueLog2(base: number, most: number): number {
  return Math.min(base % 32, most);
}

/** ADDR of a *Q_BASE in bytes, aligned to the queue's size: bits below are treated as zero (§6.3.26). `entryBytes`: 16 or 32. */
export function queueAddress(base: number, log2size: number, entryBytes: number): number {
  return base - (base % Math.max(32, (POW2[log2size] as number) * entryBytes));
}

/** Entry index of a queue pointer of 2^log2size entries: bits [log2size-1:0]. */
export function queueIndex(pointer: number, log2size: number): number {
  return pointer % (POW2[log2size] as number);
}

/** The pointer one entry further, wrap bit included: modulo 2^(log2size+1). */
export function queueNext(pointer: number, log2size: number, by = 1): number {
  return (pointer + by) % (POW2[log2size + 1] as number);
}

/** Entries between `cons` and `prod`: 0 when empty, 2^log2size when full (§3.5.1: all entries are usable). */
export function queueUsed(prod: number, cons: number, log2size: number): number {
  const turn = POW2[log2size + 1] as number;
  return (prod - cons + turn) % turn;
}

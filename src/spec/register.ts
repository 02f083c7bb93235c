/**
 * The Non-secure registers that this path programs (IHI 0070 §6.2, §6.3): offsets in bytes, field positions and
 * the queue index arithmetic of §3.5. Values are plain numbers below 2^53 (address hints RA/WA in bit 62 are
 * not written).
 */
import { POW2 } from './bits.js';

export const REG = {
  IDR0: 0x00, IDR1: 0x04, IDR3: 0x0c, IDR5: 0x14,
  CR0: 0x20, CR0ACK: 0x24, CR1: 0x28, CR2: 0x2c,
  GERROR: 0x60, GERRORN: 0x64,
  STRTAB_BASE: 0x80, STRTAB_BASE_CFG: 0x88,
  CMDQ_BASE: 0x90, CMDQ_PROD: 0x98, CMDQ_CONS: 0x9c,
  EVENTQ_BASE: 0xa0, EVENTQ_PROD: 0x100a8, EVENTQ_CONS: 0x100ac,
} as const;

export const CR0_SMMUEN = 1;
export const CR0_EVENTQEN = 4;
export const CR0_CMDQEN = 8;

export const CERROR_ILL = 1;
export const GERROR_CMDQ = 1;
/** EVENTQ_PROD.OVFLG, EVENTQ_CONS.OVACKFLG. */
export const OVERFLOW_FLAG = 0x80000000;

/** STRTAB_BASE_CFG of a linear stream table with 2^log2size entries: FMT [17:16] = 0, LOG2SIZE [5:0]. */
export function strtabLinear(log2size: number): number {
  return log2size;
}

/** *Q_BASE: address (bytes, 32-byte aligned) with LOG2SIZE in [4:0]. */
export function queueBase(address: number, log2size: number): number {
  return address + log2size;
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

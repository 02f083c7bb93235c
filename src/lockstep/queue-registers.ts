/**
 * Queue registers: the main command queue (IHI 0070 §6.3.26–6.3.28) and the extra ones (§3.5.6) behind one shape.
 */
import { GERROR_CMDQ, REG } from '../spec/register.js';
import type { RegisterPort } from '../stack/machine.js';

/** RD and WR, wrap bit included: bits [19:0]. */
export const CONS_POINTER = 0x100000;
export const CR0_ATSCHK = 1 << 4;

export interface QueueRegisters {
  readonly base: number;
  readonly prod: number;
  readonly cons: number;
  /** What is written to publish up to a pointer. */
  prodValue(pointer: number, port: RegisterPort): number;
  /** Empties the queue at a *Q_BASE value and starts it. */
  setUp(write: (offset: number, value: number) => void, base: number): void;
  /** Is a command error active? */
  failed(port: RegisterPort): boolean;
  acknowledge(port: RegisterPort, prod: number): void;
}

/** Where the extra queues' pages start (one page, 16 bytes a queue: BASE, PROD, CONS; §3.5.6). */
const EXTRA_PAGE = 0x20000;
/** *_PROD.EN and *_CONS.ENACK; *_PROD.ERRACK and *_CONS.ERR. */
const EXTRA_ENABLE = 2 ** 31;
const EXTRA_ERROR = 2 ** 23;

export function mainQueue(): QueueRegisters {
  return {
    base: REG.CMDQ_BASE, prod: REG.CMDQ_PROD, cons: REG.CMDQ_CONS,
    prodValue: (pointer) => pointer,
    setUp: () => undefined,
    failed: (port) => ((port.readRegister(REG.GERROR) ^ port.readRegister(REG.GERRORN)) & GERROR_CMDQ) !== 0,
    acknowledge: (port) => {
      const active = (port.readRegister(REG.GERROR) ^ port.readRegister(REG.GERRORN)) & GERROR_CMDQ;
      port.writeRegister(REG.GERRORN, (port.readRegister(REG.GERRORN) ^ active) >>> 0);
    },
  };
}

/** The `index`-th extra queue (queue number index + 1). */
export function extraQueue(index: number): QueueRegisters {
  const base = EXTRA_PAGE + 16 * index;
  const bit = (value: number): number => Math.floor(value / EXTRA_ERROR) % 2;
  return {
    base, prod: base + 8, cons: base + 12,
    prodValue: (pointer, port) => pointer + EXTRA_ENABLE + bit(port.readRegister(base + 8)) * EXTRA_ERROR,
    setUp: (write, value) => {
      write(base + 8, 0);
      write(base, value);
      write(base + 12, 0);
      write(base + 8, EXTRA_ENABLE);
    },
    failed: (port) => bit(port.readRegister(base + 12)) !== bit(port.readRegister(base + 8)),
    acknowledge: (port, prod) => { port.writeRegister(base + 8, prod + EXTRA_ENABLE + bit(port.readRegister(base + 12)) * EXTRA_ERROR); },
  };
}

/** The code that CONS shows with an active error: ERR [30:24] of the main queue, ERR_REASON [26:24] of the others. */
export function errorCode(queue: number, cons: number): number {
  return Math.floor(cons / 2 ** 24) % (queue === 0 ? 128 : 8);
}

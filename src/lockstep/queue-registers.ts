/**
 * Queue registers: the main command queue (IHI 0070 §6.3.26–6.3.28) and the extra ones (§3.5.6) behind one shape.
 */
import { consError, EXTRA_CONS, EXTRA_ENABLE, EXTRA_ERROR, EXTRA_PROD, extraQueue, extraReason, GERROR_CMDQ, GERROR_CMDQP, REG } from '../spec/register.js';
import type { RegisterPort } from '../stack/machine.js';

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
  /** The code that CONS shows with it. */
  code(cons: number): number;
  acknowledge(port: RegisterPort, prod: number): void;
}

/** Makes GERRORN equal to GERROR in one bit. */
function acknowledgeGlobal(port: RegisterPort, bit: number): void {
  const active = (port.readRegister(REG.GERROR) ^ port.readRegister(REG.GERRORN)) & bit;
  if (active !== 0) port.writeRegister(REG.GERRORN, (port.readRegister(REG.GERRORN) ^ active) >>> 0);
}

export function mainRegisters(): QueueRegisters {
  return {
    base: REG.CMDQ_BASE, prod: REG.CMDQ_PROD, cons: REG.CMDQ_CONS,
    prodValue: (pointer) => pointer,
    setUp: () => undefined,
    failed: (port) => ((port.readRegister(REG.GERROR) ^ port.readRegister(REG.GERRORN)) & GERROR_CMDQ) !== 0,
    code: consError,
    acknowledge: (port) => { acknowledgeGlobal(port, GERROR_CMDQ); },
  };
}

/** The `index`-th of `count` extra queues (queue number index + 1). */
export function extraRegisters(index: number, count: number): QueueRegisters {
  const base = extraQueue(index, count);
  const prod = base + EXTRA_PROD;
  const cons = base + EXTRA_CONS;
  const bit = (value: number): number => Math.floor(value / EXTRA_ERROR) % 2;
  return {
    base, prod, cons,
    prodValue: (pointer, port) => pointer + EXTRA_ENABLE + bit(port.readRegister(prod)) * EXTRA_ERROR,
    setUp: (write, value) => {
      write(prod, 0);
      write(base, value);
      write(cons, 0);
      write(prod, EXTRA_ENABLE);
    },
    failed: (port) => bit(port.readRegister(cons)) !== bit(port.readRegister(prod)),
    code: extraReason,
    acknowledge: (port, pointer) => {
      acknowledgeGlobal(port, GERROR_CMDQP);
      port.writeRegister(prod, pointer + EXTRA_ENABLE + bit(port.readRegister(cons)) * EXTRA_ERROR);
    },
  };
}

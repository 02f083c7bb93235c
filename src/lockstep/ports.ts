/**
 * Ports: one register interface over both machines of an SMMU. Software sees the optimised machine's CONS; when it
 * does, the weakest machine learns that everything before it is consumed (its SYNCs complete at the last moment).
 */
import { REG } from '../spec/register.js';
import type { RegisterPort } from '../stack/machine.js';
import type { Stage1Reference } from '../reference/stage1/machine.js';

const POINTER = 0x100000;

/** Both machines behind one set of registers. */
export function bothPort(reference: Stage1Reference, optimised: RegisterPort): RegisterPort {
  return {
    writeRegister(offset, value): void {
      reference.writeRegister(offset, value);
      optimised.writeRegister(offset, value);
    },
    readRegister(offset): number {
      const value = optimised.readRegister(offset);
      if (offset === REG.CMDQ_CONS) reference.queue.observe(value % POINTER);
      return value;
    },
  };
}

/** The weakest machine alone: reading CONS completes everything that is published. */
export function referencePort(reference: Stage1Reference): RegisterPort {
  return {
    writeRegister(offset, value): void {
      reference.writeRegister(offset, value);
    },
    readRegister(offset): number {
      const value = reference.readRegister(offset);
      if (offset === REG.CMDQ_CONS) reference.queue.observe(value);
      return value;
    },
  };
}

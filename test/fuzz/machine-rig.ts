/** The optimised machine below a weakest machine that permits whatever a test does not forbid. */
import { OptimisedMachine } from '../../src/optimised/machine/machine.js';
import { queuePointer } from '../../src/spec/register.js';
import { extraRegisters, mainRegisters } from '../../src/lockstep/queue-registers.js';
import type { TransactionKind, Twins, WeakestMachine } from '../../src/lockstep/twins.js';
import type { MachineConfig } from '../../src/stack/machine-world.js';
import type { Transaction } from '../../src/stack/transaction.js';

export type Forbids = (kind: TransactionKind, t: Transaction) => boolean;

function yes(concrete: OptimisedMachine, config: MachineConfig, forbids: Forbids): WeakestMachine {
  const count = config.features.extraQueues;
  const queues = [mainRegisters(), ...Array.from({ length: count }, (_, i) => extraRegisters(i, count))];
  return {
    software: false, judged: false, listener: null,
    writeRegister: () => undefined, readRegister: () => 0, setEndpoint: () => undefined, observe: () => undefined,
    consOf: (queue) => {
      const q = queues[queue];
      const raw = q === undefined ? 0 : concrete.readRegister(q.cons);
      return { cons: queuePointer(raw), error: q?.failed(concrete) === true ? q.code(raw) : 0 };
    },
    permitted: (kind, t) => !forbids(kind, t),
    holds: () => true, pointsTo: () => null, mayUpdate: () => true,
  };
}

export function yesTwins(forbids: Forbids = () => false): Twins {
  const made: OptimisedMachine[] = [];
  return {
    // The weakest machine is made first; the concrete one is there when it is asked.
    weakest: (memory, config) => {
      const concrete = new OptimisedMachine(memory, config);
      made.push(concrete);
      return yes(concrete, config, forbids);
    },
    concrete: () => made.pop() as OptimisedMachine,
  };
}

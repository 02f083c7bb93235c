/** Rig: short sequences through the lockstep, and what they end in. */
import { Lockstep, type LockstepOptions } from '../../src/lockstep/lockstep.js';
import { replay } from '../../src/lockstep/replay.js';
import type { Operation, Prot, Target } from '../../src/stack/operation.js';
import { newOutcome, setFault, setOk, type Outcome } from '../../src/stack/outcome.js';
import type { RuleId, Violation } from '../../src/stack/violation.js';
import { ViolationError } from '../../src/stack/violation.js';
import { DEFAULT_SMMU, smallWorld, type SmmuConfig, type World } from '../../src/stack/world.js';

export const KB4 = 4096;
export const MB2 = 2 ** 21;
export const GB1 = 2 ** 30;

export function smmu(change: Partial<SmmuConfig> = {}): SmmuConfig {
  return { ...DEFAULT_SMMU, ...change };
}

export const attach = (to: Target = 0, device = 0): Operation => ({ op: 'attach', device, to });
export const detach = (device = 0): Operation => ({ op: 'detach', device });
export const map = (iova: number, pa: number, size = KB4, prot: Prot = 'rw', domain = 0): Operation => ({ op: 'map', domain, iova, pa, size, prot });
export const unmap = (iova: number, size = KB4, domain = 0): Operation => ({ op: 'unmap', domain, iova, size });
export const sync = (domain = 0): Operation => ({ op: 'sync', domain });
export const access = (iova: number, write = false, device = 0, stream = 0): Operation => ({ op: 'access', device, stream, iova, write });
export const alloc = (iova: number, size = KB4, domain = 0): Operation => ({ op: 'iova-alloc', domain, iova, size });
export const free = (iova: number, size = KB4, domain = 0): Operation => ({ op: 'iova-free', domain, iova, size });
export const flush = (domain = 0): Operation => ({ op: 'flush-all', domain });
export const fail: Operation = { op: 'fail-next-allocation' };

/** Both sides after these operations; throws when a rule breaks on the way. */
export function after(operations: readonly Operation[], world: World = smallWorld(), options: LockstepOptions = {}): Lockstep {
  const stack = new Lockstep(world, options);
  for (const op of operations) stack.step(op);
  return stack;
}

/** The violation of a whole run, teardown included; null for a clean one. */
export function verdict(operations: readonly Operation[], world: World = smallWorld(), mutant?: string): Violation | null {
  return replay(world, operations, mutant === undefined ? {} : { mutant }).violation;
}

/** The violation that `act` ends in; null when it ends well. */
export function broken(act: () => void): Violation | null {
  try {
    act();
  } catch (error) {
    if (error instanceof ViolationError) return error.violation;
    throw error;
  }
  return null;
}

/** How often a rule was armed, decided and violated so far. */
export function counts(stack: Lockstep, rule: RuleId): { armed: number; decided: number; violated: number } {
  return stack.ledger.counts()[rule];
}

/** Reference of the leaf descriptor (level 3) of a page in a domain's tables. */
export function leafRef(stack: Lockstep, iova: number, domain = 0): number {
  let slot = stack.driver.state.domains[domain]?.rootSlot ?? 0;
  for (let level = stack.driver.state.startLevel; ; level += 1) {
    const ref = slot * 512 + (Math.floor(iova / 4096 / 512 ** (3 - level)) % 512);
    if (level === 3) return ref;
    slot = stack.memory.slotOf(Math.floor((stack.memory.lo[ref] as number) / 4096) + ((stack.memory.hi[ref] as number) & 0xffff) * 2 ** 20);
  }
}

/** An access that gives this frame. */
export function ok(frame: number): Outcome {
  const o = newOutcome();
  setOk(o, frame);
  return o;
}

/** An access that ends in this event. */
export function fault(event: number): Outcome {
  const o = newOutcome();
  setFault(o, event);
  return o;
}

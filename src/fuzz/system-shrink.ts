/**
 * System shrink: the smallest sequence of a SystemWorld that breaks the same rule with the same cause: delta debugging over the operations, then SMMUs, devices,
 * domains and vSMMUs that nothing needs, plain features, plain operations, and the operations again. 1-minimal is claimed only when the last deletion pass finished.
 */
import { replaySystem } from '../lockstep/system-replay.js';
import type { SystemOperation, SystemSmmu, SystemWorld } from '../stack/system.js';
import type { Violation } from '../stack/violation.js';
import { DEFAULT_SMMU } from '../stack/world.js';
import { deleteItems } from './delta.js';

export interface SystemCandidate {
  readonly world: SystemWorld;
  readonly operations: readonly SystemOperation[];
}

export interface SystemShrinkResult extends SystemCandidate {
  readonly violation: Violation;
  readonly from: number;
  readonly tried: number;
  readonly accepted: number;
  readonly minimal: boolean;
}

export interface SystemShrinkOptions {
  readonly budget?: number;
  readonly mutant?: string;
  readonly improved?: (c: SystemCandidate, violation: Violation) => void;
}

/** Evaluations that one shrink may cost, and those kept back for the last deletion pass. */
export const SYSTEM_SHRINK_BUDGET = 2500;
const FINAL_PASS = 300;

export function shrinkSystem(start: SystemCandidate, violation: Violation, options: SystemShrinkOptions = {}): SystemShrinkResult {
  return new SystemShrinker(start, violation, options).run();
}

class SystemShrinker {
  #best: SystemCandidate;
  #violation: Violation;
  readonly #options: SystemShrinkOptions;
  readonly #from: number;
  #left: number;
  #tried = 0;
  #accepted = 0;

  constructor(start: SystemCandidate, violation: Violation, options: SystemShrinkOptions) {
    this.#best = start;
    this.#violation = violation;
    this.#options = options;
    this.#from = start.operations.length;
    this.#left = options.budget ?? SYSTEM_SHRINK_BUDGET;
  }

  run(): SystemShrinkResult {
    this.#deleteOperations();
    this.#simplifyWorld();
    this.#simplifyOperations();
    this.#deleteOperations();
    this.#simplifyWorld();
    this.#left = Math.max(this.#left, Math.min(FINAL_PASS, this.#options.budget ?? FINAL_PASS));
    const minimal = this.#deleteOperations();
    return { ...this.#best, violation: this.#violation, from: this.#from, tried: this.#tried, accepted: this.#accepted, minimal };
  }

  #try(c: SystemCandidate): boolean {
    if (this.#left <= 0 || JSON.stringify(c) === JSON.stringify(this.#best)) return false;
    this.#left -= 1;
    this.#tried += 1;
    const { mutant } = this.#options;
    const { violation } = replaySystem(c.world, c.operations, mutant === undefined ? {} : { mutant });
    if (violation === null || violation.rule !== this.#violation.rule || violation.cause !== this.#violation.cause) return false;
    this.#best = c;
    this.#violation = violation;
    this.#accepted += 1;
    this.#options.improved?.(c, violation);
    return true;
  }

  #deleteOperations(): boolean {
    return deleteItems(() => this.#best.operations, (operations) => this.#try({ world: this.#best.world, operations }), () => this.#left <= 0);
  }

  #simplifyWorld(): void {
    const world = (): SystemWorld => this.#best.world;
    for (let i = world().base.devices.length - 1; i >= 0; i -= 1) this.#try(dropDevice(this.#best, i));
    for (let i = world().vsmmus.length - 1; i >= 0; i -= 1) this.#try(dropVsmmu(this.#best, i));
    for (let i = world().base.domains.length - 1; i >= 0 && world().base.domains.length > 1; i -= 1) this.#try(dropDomain(this.#best, i));
    for (let i = world().base.smmus.length - 1; i >= 0 && world().base.smmus.length > 1; i -= 1) this.#try(dropSmmu(this.#best, i));
    const base = (part: Partial<SystemWorld['base']>): void => { this.#try({ ...this.#best, world: { ...world(), base: { ...world().base, ...part } } }); };
    base({ smmus: world().base.smmus.map(() => DEFAULT_SMMU) });
    base({ storeOrder: 'fifo' });
    base({ inputBits: 48 });
    base({ devices: world().base.devices.map((d) => ({ ...d, streams: d.streams.slice(0, 1) })) });
    world().smmus.forEach((_, i) => {
      for (const key of ['ats', 'oas', 'dirty', 'forceWriteBack', 'linearCds', 'ssidBits', 'stage2'] as const) {
        const { [key]: _dropped, ...rest }: SystemSmmu = world().smmus[i] ?? {};
        this.#try({ ...this.#best, world: { ...world(), smmus: world().smmus.map((s, k) => (k === i ? rest : s)) } });
      }
    });
    world().devices.forEach((_, i) => {
      for (const rest of [{}, { ...(world().devices[i]?.ssidBits === undefined ? {} : { ssidBits: world().devices[i]?.ssidBits as number }) }]) {
        this.#try({ ...this.#best, world: { ...world(), devices: world().devices.map((d, k) => (k === i ? rest : d)) } });
      }
    });
  }

  /** The plain form of each operation. */
  #simplifyOperations(): void {
    this.#best.operations.forEach((_, i) => {
      for (const simpler of simplerForms(this.#best.operations[i])) {
        this.#try({ world: this.#best.world, operations: this.#best.operations.map((o, k) => (k === i ? simpler : o)) });
      }
    });
  }
}

function simplerForms(op: SystemOperation | undefined): SystemOperation[] {
  switch (op?.op) {
    case 'map': return [{ ...op, size: 4096 }, { ...op, prot: 'rw' }, { ...op, pa: 0x400000000 }, { ...op, size: 4096, pa: 0x400000000, prot: 'rw' }];
    case 'unmap': return [{ ...op, size: 4096 }];
    case 'attach': return [{ ...op, to: 0 }, { ...op, to: 'blocked' }];
    case 'transact': return [{ op: 'access', device: op.device, stream: 0, iova: op.iova, write: false }, { ...op, write: false }, { ...op, stream: 0 }];
    case 'access': return [{ ...op, write: false }, { ...op, stream: 0 }];
    case 'guest-commands': return op.words.length > 4 ? Array.from({ length: op.words.length / 4 }, (_, i) => ({ ...op, words: [...op.words.slice(0, i * 4), ...op.words.slice(i * 4 + 4)] })) : [];
    case 'attach-pasid': case 'detach-pasid': return op.ssid === 1 ? [] : [{ ...op, ssid: 1 }];
    default: return [];
  }
}

function without<T>(list: readonly T[], at: number): T[] {
  return list.filter((_, i) => i !== at);
}

/** A number that stands for a place in a list of which one is dropped. */
function moved(n: number, at: number): number {
  return n > at ? n - 1 : n;
}

function dropDevice(c: SystemCandidate, at: number): SystemCandidate {
  const { world } = c;
  return {
    world: { ...world, base: { ...world.base, devices: without(world.base.devices, at) }, devices: without(world.devices, at) },
    operations: c.operations.filter((o) => !('device' in o) || o.device !== at).map((o) => ('device' in o ? { ...o, device: moved(o.device, at) } : o)),
  };
}

function dropVsmmu(c: SystemCandidate, at: number): SystemCandidate {
  return {
    world: { ...c.world, vsmmus: without(c.world.vsmmus, at) },
    operations: c.operations.filter((o) => !('vsmmu' in o) || o.vsmmu !== at).map((o) => ('vsmmu' in o ? { ...o, vsmmu: moved(o.vsmmu, at) } : o)),
  };
}

function dropDomain(c: SystemCandidate, at: number): SystemCandidate {
  const { world } = c;
  const names = (o: SystemOperation): boolean => ('domain' in o && o.domain === at) || ('to' in o && o.to === at);
  return {
    world: {
      ...world, base: { ...world.base, domains: without(world.base.domains, at) }, domains: without(world.domains, at),
      vsmmus: world.vsmmus.map((v) => ({ ...v, parent: Math.min(moved(v.parent, at), world.base.domains.length - 2) })),
    },
    operations: c.operations.filter((o) => !names(o)).map((o) => ('domain' in o ? { ...o, domain: moved(o.domain, at) } : 'to' in o && typeof o.to === 'number' ? { ...o, to: moved(o.to, at) } as SystemOperation : o)),
  };
}

/** With the devices and vSMMUs that are behind it. */
function dropSmmu(c: SystemCandidate, at: number): SystemCandidate {
  let next = c;
  for (let i = c.world.base.devices.length - 1; i >= 0; i -= 1) if (c.world.base.devices[i]?.smmu === at) next = dropDevice(next, i);
  for (let i = c.world.vsmmus.length - 1; i >= 0; i -= 1) if (c.world.vsmmus[i]?.smmu === at) next = dropVsmmu(next, i);
  const { world } = next;
  return {
    world: {
      ...world, base: { ...world.base, smmus: without(world.base.smmus, at), devices: world.base.devices.map((d) => ({ ...d, smmu: moved(d.smmu, at) })) },
      smmus: without(world.smmus, at), vsmmus: world.vsmmus.map((v) => ({ ...v, smmu: moved(v.smmu, at) })),
    },
    operations: next.operations,
  };
}

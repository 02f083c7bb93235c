/**
 * Machine shrink: the smallest raw sequence that breaks the same rule with the same cause: delta debugging over the
 * operations, the usual value for each feature and each freedom of the machines, the plain form of each operation, and the
 * operations again. 1-minimal is claimed only when the last deletion pass finished.
 */
import { FULL_FEATURES, type Features } from '../spec/features.js';
import { replayMachine } from '../lockstep/machine-replay.js';
import type { Twins } from '../lockstep/twins.js';
import type { MachineConfig, MachineOperation, MachineWorld } from '../stack/machine-world.js';
import { USUAL_CONFIG, USUAL_WORLD } from '../operations/machine-case.js';
import type { Violation } from '../stack/violation.js';
import { deleteItems } from './delta.js';

export interface MachineCandidate {
  readonly world: MachineWorld;
  readonly operations: readonly MachineOperation[];
}

export interface MachineShrinkResult extends MachineCandidate {
  readonly violation: Violation;
  readonly from: number;
  readonly tried: number;
  readonly accepted: number;
  readonly minimal: boolean;
}

export interface MachineShrinkOptions {
  readonly budget?: number;
  readonly improved?: (c: MachineCandidate, violation: Violation) => void;
  readonly twins?: Twins;
  /** The world is what a machine that stands elsewhere has: it stays as it is. */
  readonly worldStays?: boolean;
  /** What a candidate breaks, where running it on `twins` is not all there is to it. */
  readonly judge?: (c: MachineCandidate) => Violation | null;
}

/** Evaluations that one shrink may cost, and those kept back for the last deletion pass. */
export const MACHINE_SHRINK_BUDGET = 2500;
const FINAL_PASS = 300;

export function shrinkMachine(start: MachineCandidate, violation: Violation, options: MachineShrinkOptions = {}): MachineShrinkResult {
  return new MachineShrinker(start, violation, options).run();
}

class MachineShrinker {
  #best: MachineCandidate;
  #violation: Violation;
  readonly #options: MachineShrinkOptions;
  readonly #from: number;
  #left: number;
  #tried = 0;
  #accepted = 0;

  constructor(start: MachineCandidate, violation: Violation, options: MachineShrinkOptions) {
    this.#best = start;
    this.#violation = violation;
    this.#options = options;
    this.#from = start.operations.length;
    this.#left = options.budget ?? MACHINE_SHRINK_BUDGET;
  }

  run(): MachineShrinkResult {
    this.#deleteOperations();
    this.#simplifyWorld();
    this.#simplifyOperations();
    this.#deleteOperations();
    this.#simplifyWorld();
    this.#left = Math.max(this.#left, Math.min(FINAL_PASS, this.#options.budget ?? FINAL_PASS));
    const minimal = this.#deleteOperations();
    return { ...this.#best, violation: this.#violation, from: this.#from, tried: this.#tried, accepted: this.#accepted, minimal };
  }

  #try(c: MachineCandidate): boolean {
    if (this.#left <= 0 || JSON.stringify(c) === JSON.stringify(this.#best)) return false;
    this.#left -= 1;
    this.#tried += 1;
    const { twins, judge } = this.#options;
    const violation = judge === undefined ? replayMachine(c.world, c.operations, twins === undefined ? {} : { twins }).violation : judge(c);
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
    if (this.#options.worldStays === true) return;
    const world = (): MachineWorld => this.#best.world;
    for (let smmu = world().smmus.length - 1; smmu >= 0 && world().smmus.length > 1; smmu -= 1) this.#try(dropSmmu(this.#best, smmu));
    world().smmus.forEach((_, i) => {
      const change = (part: Partial<MachineConfig>): void => {
        this.#try({ ...this.#best, world: { ...world(), smmus: world().smmus.map((s, k) => (k === i ? { ...s, ...part } : s)) } });
      };
      change(USUAL_CONFIG);
      change({ features: FULL_FEATURES });
      for (const key of Object.keys(FULL_FEATURES) as (keyof Features)[]) {
        const features = world().smmus[i]?.features;
        if (features !== undefined && features[key] !== FULL_FEATURES[key]) change({ features: { ...features, [key]: FULL_FEATURES[key] } });
      }
      change({ tlbEntries: USUAL_CONFIG.tlbEntries });
      change({ mergeRuns: USUAL_CONFIG.mergeRuns });
      change({ strictReserved: USUAL_CONFIG.strictReserved });
    });
    if (world().frames > USUAL_WORLD.frames) this.#try({ ...this.#best, world: { ...world(), frames: USUAL_WORLD.frames } });
  }

  /** The plain form of each operation, and of each of its fields. */
  #simplifyOperations(): void {
    this.#best.operations.forEach((_, i) => {
      const op = this.#best.operations[i];
      if (op === undefined) return;
      for (const simpler of simplerForms(op)) {
        this.#try({ world: this.#best.world, operations: this.#best.operations.map((o, k) => (k === i ? { ...o, ...simpler } as MachineOperation : o)) });
      }
    });
  }
}

function simplerForms(op: MachineOperation): object[] {
  switch (op.op) {
    case 'store': return op.held ? [{ held: false }] : [];
    case 'boot': {
      const plain = { e2h: false, recordUnknown: true, recordAts: false, atsChk: false, vmw: 0 };
      return [{ boot: { ...op.boot, ...plain } }, ...Object.entries(plain).map(([key, value]) => ({ boot: { ...op.boot, [key]: value } }))];
    }
    case 'sync': return [{ msi: 0 }, { queue: 0 }];
    case 'command': return [{ queue: 0 }, ...(['num', 'scale', 'ttl', 'tg'] as const).map((key) => ({ command: { ...op.command, [key]: 0 } }))];
    case 'access': case 'ats-request': case 'translated': case 'claim': return [{ privileged: false, instruction: false }, { instruction: false }, { write: false }, { ssid: -1 }];
    default: return [];
  }
}

function dropSmmu(c: MachineCandidate, smmu: number): MachineCandidate {
  const operations = c.operations.filter((op) => !('smmu' in op) || op.smmu !== smmu).map((op) => ('smmu' in op && op.smmu > smmu ? { ...op, smmu: op.smmu - 1 } : op));
  return { world: { ...c.world, smmus: c.world.smmus.filter((_, i) => i !== smmu) }, operations };
}

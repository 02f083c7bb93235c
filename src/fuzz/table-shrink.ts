/**
 * Table shrink: the smallest table sequence that breaks the same rule with the same cause: the operations first, then the world (coherent, nothing
 * evicted, no runs, a smaller table), then the arguments, then the operations again. Claims 1-minimal only when the last deletion pass finished.
 */
import { replayTables } from '../lockstep/table-replay.js';
import { TABLE_OUTPUT_BITS, tableWorldProblem } from '../operations/table-shape.js';
import { USUAL_GEOMETRY, USUAL_TABLE_WORLD } from '../operations/table-case.js';
import type { TableGeometry, TableOperation, TableWorld } from '../stack/page-table.js';
import type { Violation } from '../stack/violation.js';
import { deleteItems } from './delta.js';

export interface TableCandidate {
  readonly world: TableWorld;
  readonly operations: readonly TableOperation[];
}

export interface TableShrinkResult extends TableCandidate {
  readonly violation: Violation;
  readonly from: number;
  readonly tried: number;
  readonly accepted: number;
  readonly minimal: boolean;
}

export interface TableShrinkOptions {
  readonly mutant?: string;
  readonly budget?: number;
  /** Called after each improvement. */
  readonly improved?: (c: TableCandidate, violation: Violation) => void;
}

/** Evaluations that one shrink may cost, and those kept back for the last deletion pass. */
export const TABLE_SHRINK_BUDGET = 2500;
const FINAL_PASS = 200;
/** Rounds of simpler arguments. */
const ROUNDS = 3;

export function shrinkTables(start: TableCandidate, violation: Violation, options: TableShrinkOptions = {}): TableShrinkResult {
  return new TableShrinker(start, violation, options).run();
}

class TableShrinker {
  #best: TableCandidate;
  #violation: Violation;
  readonly #options: TableShrinkOptions;
  readonly #from: number;
  #left: number;
  #tried = 0;
  #accepted = 0;

  constructor(start: TableCandidate, violation: Violation, options: TableShrinkOptions) {
    this.#best = start;
    this.#violation = violation;
    this.#options = options;
    this.#from = start.operations.length;
    this.#left = options.budget ?? TABLE_SHRINK_BUDGET;
  }

  run(): TableShrinkResult {
    this.#deleteOperations();
    this.#simplifyWorld();
    this.#deleteOperations();
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = this.#accepted;
      this.#simplifyOperations();
      this.#shift();
      this.#simplifyWorld();
      if (this.#accepted === before) break;
    }
    this.#left = Math.max(this.#left, Math.min(FINAL_PASS, this.#options.budget ?? FINAL_PASS));
    const minimal = this.#deleteOperations();
    return { ...this.#best, violation: this.#violation, from: this.#from, tried: this.#tried, accepted: this.#accepted, minimal };
  }

  #try(c: TableCandidate): boolean {
    if (this.#left <= 0 || tableWorldProblem(c.world) !== null || JSON.stringify(c) === JSON.stringify(this.#best)) return false;
    this.#left -= 1;
    this.#tried += 1;
    const { mutant } = this.#options;
    const { violation } = replayTables(c.world, c.operations, mutant === undefined ? {} : { mutant });
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

  #world(change: Partial<TableWorld>, geometry: Partial<TableGeometry> = {}): boolean {
    const { world } = this.#best;
    return this.#try({ ...this.#best, world: { ...world, ...change, geometry: { ...world.geometry, ...geometry } } });
  }

  /** The ordinary value for each freedom; then the smaller table. */
  #simplifyWorld(): void {
    const usual = USUAL_TABLE_WORLD;
    this.#world({ coherent: true, cleaner: usual.cleaner, eviction: usual.eviction });
    for (const key of ['eviction', 'cleaner', 'storeOrder', 'mergeRuns', 'bbml', 'variant'] as const) this.#world({ [key]: usual[key] });
    for (const key of ['half', 'ds', 'contiguous', 'dirty'] as const) this.#world({}, { [key]: USUAL_GEOMETRY[key] });
    this.#world({}, { stage: 1 });
    for (const outputBits of [48, 44]) if (TABLE_OUTPUT_BITS.includes(outputBits)) this.#world({}, { outputBits });
    for (const inputBits of [39, 30, 48, 40, 47]) {
      if (inputBits !== this.#best.world.geometry.inputBits && this.#inside(inputBits)) this.#world({}, { inputBits });
    }
  }

  /** Does every address fit a table of so many bits? */
  #inside(inputBits: number): boolean {
    return this.#best.operations.every((op) => !('iova' in op) || op.iova < 2 ** inputBits);
  }

  #change(at: number, op: TableOperation): boolean {
    return this.#try({ world: this.#best.world, operations: this.#best.operations.map((o, k) => (k === at ? op : o)) });
  }

  #simplifyOperations(): void {
    for (let at = 0; at < this.#best.operations.length; at += 1) {
      const now = (): TableOperation => this.#best.operations[at] as TableOperation;
      for (const simpler of simplerForms(now())) this.#change(at, { ...now(), ...simpler } as TableOperation);
      this.#simplifyTogether(at);
      this.#fewer(at);
    }
  }

  /** One call instead of two; fewer turns; shorter turns. */
  #simplifyTogether(at: number): void {
    const op = this.#best.operations[at];
    if (op?.op !== 'together') return;
    if (this.#change(at, op.calls[0]) || this.#change(at, op.calls[1])) return;
    deleteItems(() => {
      const now = this.#best.operations[at];
      return now?.op === 'together' ? now.order : [];
    }, (order) => this.#change(at, { ...op, order }), () => this.#left <= 0);
  }

  /** Counts and lists, by halves and then one by one. */
  #fewer(at: number): void {
    for (;;) {
      const op = this.#best.operations[at] as TableOperation;
      if (op.op === 'map-sg') {
        if (op.pieces.length > 1 && (this.#change(at, { ...op, pieces: op.pieces.slice(0, Math.ceil(op.pieces.length / 2)) }) || this.#change(at, { ...op, pieces: op.pieces.slice(0, -1) }))) continue;
        return;
      }
      if (op.op !== 'map' && op.op !== 'unmap') return;
      const some = [1, Math.ceil(op.count / 2), op.count - 1].filter((n) => n > 0 && n < op.count);
      if (!some.some((count) => this.#change(at, { ...op, count }) || this.#together(op.count, count))) return;
    }
  }

  /** The same count in every call that has it. */
  #together(from: number, to: number): boolean {
    return this.#try({ world: this.#best.world, operations: this.#best.operations.map((op) => ('count' in op && op.count === from ? { ...op, count: to } : op)) });
  }

  /** All addresses together towards 0, in steps that keep every alignment; all outputs to one plain place. */
  #shift(): void {
    const iovas = this.#best.operations.flatMap((op) => ('iova' in op ? [op.iova] : []));
    const least = Math.min(...iovas);
    for (let unit = 2 ** 51; unit >= 4096; unit /= 8) {
      const by = Math.floor(least / unit) * unit;
      if (iovas.length === 0 || by === 0) continue;
      this.#try({ world: this.#best.world, operations: this.#best.operations.map((op) => ('iova' in op ? { ...op, iova: op.iova - by } : op)) });
    }
    const plain = 2 ** 33;
    this.#try({ world: this.#best.world, operations: this.#best.operations.map((op) => (op.op === 'map' ? { ...op, pa: plain + (op.iova % 2 ** 30) } : op)) });
  }
}

function simplerForms(op: TableOperation): object[] {
  switch (op.op) {
    case 'map': return [{ prot: 'rw' }, { pa: 2 ** 33 }, { pa: 2 ** 33 + (op.iova % 2 ** 30) }];
    case 'map-sg': return [{ prot: 'rw' }];
    case 'access': return [{ write: false }];
    case 'read-dirty': return [{ clear: false }];
    case 'evict': return [{ line: 0 }];
    default: return [];
  }
}

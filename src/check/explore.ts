/**
 * Explore: every order of the steps of a few driver calls, of the drains of their store buffers (FIFO, as under TSO),
 * and of the completion of SYNCs, on the weakest machine (which covers every cache choice, so devices need no actors).
 * Depth first; on the way back the world is undone and the suspended calls are restored.
 *
 * A state that was seen before is not entered again. A state is: all of memory, both store buffers, everything the
 * machine holds (facts, pending commands; times by their order, which is all the justification rule looks at), and
 * each thread's position and reads. Keys are kept whole, so nothing is hidden by a hash collision.
 */
import { Ledger } from '../rules/ledger.js';
import { attached, entrySynced } from '../rules/configuration.js';
import { CoherencyRules } from '../rules/coherency.js';
import { freedRule } from '../rules/freed.js';
import { LeafRules } from '../rules/leaves.js';
import type { Scene } from '../rules/scene.js';
import { Journal } from '../memory/journal.js';
import { Memory } from '../memory/memory.js';
import { Pages } from '../memory/pages.js';
import { LINES_PER_FRAME, LINE_WORDS, type WalkerView } from '../memory/walker-view.js';
import { OptimisedDriver, ownParts } from '../optimised/driver/driver.js';
import type { DriverObserver } from '../optimised/driver/types.js';
import { findMutant } from '../mutants/mutants.js';
import { referencePort } from '../lockstep/ports.js';
import { walkerView } from '../lockstep/view.js';
import { Intent } from '../reference/driver/intent.js';
import { Stage1Reference } from '../reference/stage1/machine.js';
import type { RegisterPort } from '../stack/machine.js';
import type { Operation } from '../stack/operation.js';
import { queueUsed, REG } from '../spec/register.js';
import { ViolationError, type Violation } from '../stack/violation.js';
import type { World } from '../stack/world.js';
import { machineKey } from './state-key.js';
import { Thread, type ThreadMark } from './threads.js';

/** A few calls run alone first, and then one list of calls for each CPU. */
export interface Scenario {
  readonly id: string;
  readonly about: string;
  readonly world: World;
  readonly before: readonly Operation[];
  readonly threads: readonly (readonly Operation[])[];
}

export interface ExploreOptions {
  readonly mutant?: string;
  /** States entered at the most; beyond it the result is not complete. */
  readonly statesMax?: number;
  /** Without it every execution is run out to its end (the check of the pruning itself). */
  readonly prune?: boolean;
}

export interface Explored {
  readonly scenario: string;
  /** Ends reached, states entered, transitions taken. */
  readonly executions: number;
  readonly states: number;
  readonly transitions: number;
  readonly complete: boolean;
  readonly violation: Violation | null;
  /** The way there, one action a line, when a rule broke. */
  readonly path: readonly string[];
}

const STATES_MAX = 1_000_000;

export function explore(scenario: Scenario, options: ExploreOptions = {}): Explored {
  return new Explorer(scenario, options).run();
}

interface Action {
  readonly name: string;
  readonly act: () => void;
}

class Explorer {
  readonly #scenario: Scenario;
  readonly #options: ExploreOptions;
  readonly #journal = new Journal();
  readonly #memory = new Memory(this.#journal);
  readonly #pages = new Pages(this.#memory);
  readonly #view: WalkerView | null;
  readonly #coherency: CoherencyRules | null;
  readonly #machines: readonly Stage1Reference[];
  readonly #intent: Intent;
  readonly #scene: Scene;
  readonly #leaves: LeafRules;
  readonly #threads: readonly Thread[];
  readonly #driver: OptimisedDriver;
  readonly #seen = new Set<string>();
  readonly #path: string[] = [];
  #executions = 0;
  #transitions = 0;
  #cut = false;

  constructor(scenario: Scenario, options: ExploreOptions) {
    this.#scenario = scenario;
    this.#options = options;
    const { world } = scenario;
    this.#view = walkerView(this.#memory, this.#pages, world);
    this.#machines = world.smmus.map((config) => new Stage1Reference(config.coherent === false ? this.#view?.memory ?? this.#memory : this.#memory, config));
    this.#intent = new Intent(world);
    this.#scene = { memory: this.#memory, pages: this.#pages, machines: this.#machines, intent: this.#intent, ledger: new Ledger() };
    this.#leaves = new LeafRules(this.#scene, false);
    const mutant = options.mutant === undefined ? undefined : findMutant(options.mutant);
    if (options.mutant !== undefined && mutant === undefined) throw new RangeError(`no mutant is called ${options.mutant}`);
    const own = ownParts('steps');
    let alone = true;
    this.#driver = new OptimisedDriver({
      world, pages: this.#pages, journal: this.#journal, observer: null, parts: ownParts('plain'),
      ports: this.#machines.map((m) => this.#port(m, () => alone)),
    });
    this.#machines.forEach((m, smmu) => { m.tables.listener = this.#leaves.listener(smmu); });
    this.#coherency = this.#judgeCoherency(world);
    this.#driver.boot();
    for (const op of scenario.before) this.#alone(op);
    this.#driver.context.cpu.drainAll();
    alone = false;
    this.#pages.listeners.push(freedRule(this.#scene));
    const observer: DriverObserver = {
      planned: () => undefined,
      entrySynced: (smmu, kind, streams) => { entrySynced(this.#scene, smmu, kind, streams); },
      tagReleased: () => undefined,
    };
    this.#threads = scenario.threads.map((ops, i) => new Thread(`CPU${i}`, this.#driver, mutant?.parts?.(own, world, 'steps') ?? own, ops, observer));
    for (const t of this.#threads) t.cpu.cleanFilter = mutant?.cleans ?? null;
    const barriers = mutant?.barriers;
    if (barriers !== undefined) {
      for (const t of this.#threads) t.cpu.barrierFilter = (site) => barriers(site, t.cpu, (slot) => this.#pages.ownerOf(slot) === 'table');
    }
  }

  /** Pointers from their store on; ranges that are mapped and words that were cleared, when calls have returned. */
  #judgeCoherency(world: World): CoherencyRules | null {
    if (this.#view === null) return null;
    const { domains, startLevel } = this.#driver.state;
    const rules = new CoherencyRules(this.#scene, this.#view, domains.map((d) => ({ slot: d.rootSlot, level: startLevel, cleaned: !d.coherent })));
    this.#view.listener = rules;
    this.#machines.forEach((m, smmu) => {
      const own = this.#leaves.listener(smmu);
      if (world.smmus[smmu]?.coherent === false) m.tables.listener = { ...own, wayBorn: (way) => { rules.reached(smmu, way); own.wayBorn(way); } };
    });
    return rules;
  }

  /** While calls run alone CONS completes everything; afterwards it says how far the queue has come. */
  #port(machine: Stage1Reference, alone: () => boolean): RegisterPort {
    const whole = referencePort(machine);
    return {
      writeRegister: (offset, value) => { whole.writeRegister(offset, value); },
      readRegister: (offset) => {
        if (offset !== REG.CMDQ_CONS || alone()) return whole.readRegister(offset);
        const cons = machine.queue.consumed;
        machine.queue.observe(cons);
        return cons;
      },
    };
  }

  #alone(op: Operation): void {
    const expected = this.#intent.begin(op);
    const result = this.#driver.run(op);
    if (expected !== result) throw new Error(`scenario ${this.#scenario.id}: ${op.op} returns ${result}, expected ${expected}`);
    this.#intent.finish(op, result);
    if (op.op === 'attach') attached(this.#scene, this.#leaves, op.device);
  }

  run(): Explored {
    this.#journal.recording = true;
    // Both calls are under way from here on: what they change may be seen either way until they return.
    for (const list of this.#scenario.threads) for (const op of list) this.#intent.begin(op);
    let violation: Violation | null = null;
    try {
      this.#enter();
    } catch (error) {
      if (!(error instanceof ViolationError)) throw error;
      violation = error.violation;
    }
    return {
      scenario: this.#scenario.id, executions: this.#executions, states: this.#seen.size, transitions: this.#transitions,
      complete: violation === null && !this.#cut, violation, path: violation === null ? [] : [...this.#path],
    };
  }

  #enter(): void {
    if (this.#options.prune !== false) {
      const key = this.#key();
      if (this.#seen.has(key)) return;
      this.#seen.add(key);
    }
    if (this.#transitions >= (this.#options.statesMax ?? STATES_MAX)) {
      this.#cut = true;
      return;
    }
    const actions = this.#enabled();
    if (actions.length === 0) {
      if (this.#threads.some((t) => t.next !== null)) throw new Error(`deadlock: ${this.#path.join('; ')}`);
      this.#executions += 1;
      this.#atEnd();
      return;
    }
    const mark = this.#journal.mark();
    const marks: ThreadMark[] = this.#threads.map((t) => t.save());
    for (const action of actions) {
      this.#path.push(action.name);
      this.#transitions += 1;
      action.act();
      this.#enter();
      this.#path.pop();
      this.#journal.undo(mark);
      this.#threads.forEach((t, i) => { t.restore(marks[i] as ThreadMark); });
    }
  }

  #enabled(): Action[] {
    const actions: Action[] = [];
    for (const t of this.#threads) {
      if (t.next !== null && this.#ready(t)) actions.push({ name: `${t.name} ${t.next}`, act: () => { this.#advance(t); } });
      if (t.cpu.pending > 0) actions.push({ name: `${t.name} its oldest store becomes visible`, act: () => { t.cpu.drainOldest(); } });
    }
    this.#machines.forEach((m, i) => {
      if (m.queue.waiting > 0) actions.push({ name: `SMMU${i} CMD_SYNC completes`, act: () => { m.queue.completeSync(); } });
    });
    this.#writeBacks(actions);
    return actions;
  }

  /**
   * Any dirty line of a cleaned domain's tables may be written back. Lines that were not written back since their page was handed out are left
   * alone: that the walker cannot come to them is judged at the store of the pointer.
   */
  #writeBacks(actions: Action[]): void {
    const view = this.#view;
    if (view === null) return;
    for (let n = 0; n < view.dirtyLines; n += 1) {
      const line = view.dirtyLine(n);
      if (view.isGhost(line * LINE_WORDS) || this.#coherency?.knows(Math.floor(line / LINES_PER_FRAME)) !== true) continue;
      actions.push({ name: `the cache writes line 0x${(line * LINE_WORDS * 8).toString(16)} back`, act: () => { view.evict(n); } });
    }
  }

  /** A thread that waits for its SYNC is ready when CONS has passed it. */
  #ready(t: Thread): boolean {
    if (t.next !== 'wait for CMD_SYNC' || t.published === null) return true;
    const smmu = t.published.smmu;
    const queue = (this.#machines[smmu] as Stage1Reference).queue;
    const log2 = this.#scenario.world.smmus[smmu]?.queueLog2 ?? 0;
    return queueUsed(queue.prod, queue.consumed, log2) <= queueUsed(queue.prod, t.published.prod, log2);
  }

  #advance(t: Thread): void {
    t.step();
    if (t.next === null) this.#returned(t);
  }

  /** All calls of the thread have returned: what they promised is due. */
  #returned(t: Thread): void {
    const domains = this.#intent.domains.map((d) => d.limbo);
    const devices = this.#intent.devices.map((d) => d.before);
    this.#journal.push(() => {
      this.#intent.domains.forEach((d, i) => { d.limbo = domains[i] as typeof d.limbo; });
      this.#intent.devices.forEach((d, i) => { d.before = devices[i]; });
    });
    t.operations.forEach((op, i) => { this.#intent.finish(op, t.results[i] ?? 'ok'); });
    for (const op of t.operations) { // what nobody takes away again is there for the walker
      if (op.op !== 'map' || this.#intent.domains[op.domain]?.mapped.covers(op.iova / 4096, (op.iova + op.size) / 4096) !== true) continue;
      this.#coherency?.mapped(op.domain, op.iova / 4096, (op.iova + op.size) / 4096);
    }
    this.#judge();
  }

  /** Everything that any SMMU may still use must be allowed by what has returned so far. */
  #judge(): void {
    this.#machines.forEach((machine, smmu) => {
      for (const regime of machine.regimes) {
        const domain = this.#driver.state.domains.findIndex((d) => this.#memory.frameOf(d.rootSlot) === regime.frame);
        if (domain >= 0 && regime.supports.length > 0) this.#leaves.assign(smmu, regime, domain);
      }
    });
    this.#intent.domains.forEach((_, domain) => { this.#leaves.due(domain); });
  }

  /** Everything drained and returned: nothing may be left over, and every stream sees its target. */
  #atEnd(): void {
    this.#judge();
    this.#coherency?.taken('everything has returned');
    this.#scenario.threads.forEach((list) => {
      for (const op of list) if (op.op === 'attach' || op.op === 'detach') attached(this.#scene, this.#leaves, op.device);
    });
    const fault = this.#pages.fault;
    if (fault !== null) this.#scene.ledger.fail('use-after-free', fault.kind, 'no freed object is read', fault.what);
  }

  #key(): string {
    const memory = `${this.#memory.printA},${this.#memory.printB}`;
    return [memory, ...(this.#view === null ? [] : [this.#view.key()]), ...this.#threads.map((t) => `${t.key()}|${t.cpu.pendingKey()}`), ...this.#machines.map((m) => machineKey(m))].join('#');
  }
}

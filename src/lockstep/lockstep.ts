/**
 * Lockstep: both sides of one world, driven by the same operations, with every rule asked after each. The first
 * broken rule throws a ViolationError; what is not modelled throws Unmodelled; nothing else is an ordinary way to end.
 */
import { newCommand, type Command, type CommandFeatures } from '../spec/command.js';
import { leafFrame } from '../spec/descriptor.js';
import { type EventRecord } from '../spec/event.js';
import { Journal } from '../memory/journal.js';
import { Memory } from '../memory/memory.js';
import { Pages } from '../memory/pages.js';
import { WalkerView } from '../memory/walker-view.js';
import { OptimisedMachine } from '../optimised/machine/machine.js';
import { OptimisedDriver, ownParts } from '../optimised/driver/driver.js';
import type { Batch, DriverObserver } from '../optimised/driver/types.js';
import type { Mutant } from '../mutants/mutant.js';
import { findMutant } from '../mutants/mutants.js';
import { withCleaner } from '../parts/cleaners.js';
import { PLANNERS } from '../parts/planners.js';
import { Intent } from '../reference/driver/intent.js';
import { entryFrames } from '../reference/stage1/facts.js';
import type { TableListener } from '../reference/stage1/tables.js';
import { Stage1Reference } from '../reference/stage1/machine.js';
import { afterReset, attached, entrySynced } from '../rules/configuration.js';
import { CoherencyRules } from '../rules/coherency.js';
import { judgeNotified } from '../rules/notified.js';
import { judgePlan } from '../rules/plan.js';
import { freedRule } from '../rules/freed.js';
import { LeafRules } from '../rules/leaves.js';
import { Ledger, ruleIndex } from '../rules/ledger.js';
import type { Scene } from '../rules/scene.js';
import { commandFeatures, machineConfig, type RegisterPort } from '../stack/machine.js';
import type { Operation, Result } from '../stack/operation.js';
import { newOutcome, type Outcome } from '../stack/outcome.js';
import { Stuck, ViolationError } from '../stack/violation.js';
import type { Planner } from '../stack/planner.js';
import { hasWalkerView, type SmmuConfig, type World } from '../stack/world.js';
import { checkAccess, checkEvents } from './access.js';
import { Log } from './log.js';
import { bothPort } from './ports.js';
import { checkInserts, checkCachesAfterSync } from './refinement.js';
import { checkTables, teardown } from './teardown.js';

const ILLEGAL = ruleIndex('illegal-command');
const QUEUE = ruleIndex('queue-integrity');
const PROGRESS = ruleIndex('progress');
const RESULT = ruleIndex('api-result');

/** An extra command for one SMMU at one place: how a "missing command" is verified. */
export interface Injection {
  /** Index of the operation; the list goes out when its driver call has returned (or with its first batch). */
  readonly operation: number;
  readonly smmu: number;
  readonly words: readonly number[];
  /** With every batch of that operation, in front of its SYNC; or as a list of its own before the rules are asked. */
  readonly where: 'batch' | 'after';
}

/** Hears what the driver does to its SMMUs, from the first store on. */
export interface Tap {
  begin(memory: Memory, pages: Pages): void;
  registerWritten(smmu: number, offset: number, value: number): void;
}

export interface LockstepOptions {
  readonly tap?: Tap;
  readonly mutant?: string;
  readonly log?: Log;
  readonly injection?: Injection;
  readonly ledger?: Ledger;
  /** Instead of the planner that the world names: a candidate. */
  readonly planner?: Planner;
}

/** What one operation returned on both sides. */
export interface Step {
  readonly operation: Operation;
  readonly expected: Result;
  readonly result: Result;
  /** For an access that reached the machine. */
  readonly outcome: Outcome | null;
}

export class Lockstep {
  readonly world: World;
  readonly journal = new Journal();
  readonly memory: Memory;
  readonly pages: Pages;
  /** What SMMUs that are not coherent see; null where all are. */
  readonly view: WalkerView | null;
  readonly references: readonly Stage1Reference[];
  readonly machines: readonly OptimisedMachine[];
  readonly driver: OptimisedDriver;
  readonly intent: Intent;
  readonly ledger: Ledger;
  readonly scene: Scene;
  readonly leaves: LeafRules;
  readonly coherency: CoherencyRules | null;
  /** Commands seen, by opcode. */
  readonly commands = new Float64Array(256);
  /** Operations run, refused ones included. */
  index = -1;
  readonly outcome: Outcome = newOutcome();
  readonly #options: LockstepOptions;
  readonly #mutant: Mutant | undefined;
  readonly #smmuFeatures: readonly CommandFeatures[];
  readonly #events: EventRecord[] = [];
  #operation: Operation | null = null;

  constructor(world: World, options: LockstepOptions = {}) {
    this.world = world;
    this.#options = options;
    this.#mutant = options.mutant === undefined ? undefined : findMutant(options.mutant);
    if (options.mutant !== undefined && this.#mutant === undefined) throw new RangeError(`no mutant is called ${options.mutant}`);
    this.#smmuFeatures = world.smmus.map(commandFeatures);
    this.memory = new Memory(this.journal);
    this.pages = new Pages(this.memory);
    this.view = hasWalkerView(world) ? walkerView(this.memory, this.pages, world) : null;
    options.tap?.begin(this.memory, this.pages);
    this.references = world.smmus.map((config) => new Stage1Reference(this.#seenBy(config), config));
    this.machines = world.smmus.map((config) => new OptimisedMachine(this.#seenBy(config), machineConfig(config)));
    this.intent = new Intent(world);
    this.ledger = options.ledger ?? new Ledger();
    this.scene = { memory: this.memory, pages: this.pages, machines: this.references, intent: this.intent, ledger: this.ledger };
    this.leaves = new LeafRules(this.scene);
    this.driver = new OptimisedDriver({
      world, pages: this.pages, journal: this.journal, observer: this.#observer(), parts: this.#parts(),
      ports: world.smmus.map((_, i) => this.#port(i)),
    });
    this.pages.listeners.push(freedRule(this.scene));
    this.coherency = this.#judgeCoherency();
    this.#connect();
    this.#filterSteps();
    this.#guarded('reset', () => { this.driver.boot(); });
    afterReset(this.scene);
  }

  #port(smmu: number): RegisterPort {
    const both = bothPort(this.references[smmu] as Stage1Reference, this.machines[smmu] as OptimisedMachine);
    const { tap } = this.#options;
    if (tap === undefined) return both;
    return {
      readRegister: (offset) => both.readRegister(offset),
      writeRegister: (offset, value) => {
        tap.registerWritten(smmu, offset, value);
        both.writeRegister(offset, value);
      },
    };
  }

  #parts(): ReturnType<typeof ownParts> {
    const planner = this.#options.planner ?? PLANNERS.find((p) => p.name === this.world.planner);
    const own = withCleaner(planner === undefined ? ownParts('plain') : { ...ownParts('plain'), planner }, this.world);
    const parts = this.#mutant?.parts?.(own, this.world, 'plain') ?? own;
    const injection = this.#options.injection;
    if (injection === undefined || injection.where !== 'batch') return parts;
    return { ...parts, emit: (batch: Batch) => { parts.emit(batch); this.#inject(batch, injection); } };
  }

  #inject(batch: Batch, injection: Injection): void {
    if (this.index !== injection.operation || batch.smmu !== injection.smmu || (batch.count + 1) * 4 > batch.words.length) return;
    batch.words.set(injection.words, batch.count * 4);
    batch.count += 1;
    batch.sync = true;
  }

  #connect(): void {
    const log = this.#options.log;
    this.references.forEach((reference, smmu) => {
      if (log !== undefined) reference.configuration.changed = (kind, sid) => { log.add({ kind: 'entry', op: this.index, smmu, entry: kind, sid }); };
      const own = this.#tableListener(smmu);
      reference.tables.listener = log === undefined ? own : {
        ...own,
        leafHidden: (leaf) => {
          log.add({ kind: 'hidden', op: this.index, smmu, asid: leaf.regime.asid, va: leaf.va, frames: entryFrames(leaf.level), level: leaf.level, pa: leafFrame(leaf.lo, leaf.hi, leaf.level) });
          own.leafHidden(leaf);
        },
        regimeClosed: (regime) => { log.add({ kind: 'closed', op: this.index, smmu, asid: regime.asid }); },
        wayHidden: (way) => {
          log.add({ kind: 'unlinked', op: this.index, smmu, asid: way.regime.asid, va: way.va, frames: 512 * entryFrames(way.level), level: way.level - 1 });
        },
      };
      const machine = this.machines[smmu] as OptimisedMachine;
      reference.listener = {
        commandSeen: (command: Command) => {
          this.commands[command.op] = (this.commands[command.op] as number) + 1;
          this.ledger.judgeAt(ILLEGAL);
          this.ledger.judgeAt(QUEUE);
          log?.add({ kind: 'command', op: this.index, smmu, command: { ...newCommand(), ...command }, time: this.journal.clock.now });
        },
        synced: (covered) => {
          log?.add({ kind: 'synced', op: this.index, smmu, covered: covered.length });
          checkCachesAfterSync(this.ledger, reference, machine, covered, smmu);
        },
      };
      machine.listener = checkInserts(this.ledger, reference, smmu);
    });
  }

  /** Memory as an SMMU sees it. */
  #seenBy(config: SmmuConfig): Memory {
    return config.coherent === false && this.view !== null ? this.view.memory : this.memory;
  }

  #judgeCoherency(): CoherencyRules | null {
    if (this.view === null) return null;
    const { domains, startLevel } = this.driver.state;
    const rules = new CoherencyRules(this.scene, this.view, domains.map((d) => ({ slot: d.rootSlot, level: startLevel, cleaned: !d.coherent })));
    this.view.listener = rules;
    return rules;
  }

  /** What the tables of one SMMU tell. */
  #tableListener(smmu: number): TableListener {
    const own = this.leaves.listener(smmu);
    const { coherency } = this;
    if (coherency === null || this.world.smmus[smmu]?.coherent !== false) return own;
    return {
      ...own,
      wayBorn: (way) => {
        coherency.reached(smmu, way);
        own.wayBorn(way);
      },
    };
  }

  #observer(): DriverObserver {
    return {
      planned: (smmu, d, words, count) => {
        this.coherency?.taken('when its invalidation is issued');
        judgePlan(this.ledger, { smmu, d, words, count }, this.#smmuFeatures[smmu] as CommandFeatures, this.driver.context.parts.planner.promise);
        if (this.#operation !== null) judgeNotified(this.ledger, this.world, this.#operation, d);
      },
      entrySynced: (smmu, kind, streams) => { entrySynced(this.scene, smmu, kind, streams); },
      tagReleased: () => undefined,
    };
  }

  #filterSteps(): void {
    const cpu = this.driver.context.cpu;
    cpu.cleanFilter = this.#mutant?.cleans ?? null;
    const barriers = this.#mutant?.barriers;
    if (barriers === undefined) return;
    const isTable = (slot: number): boolean => this.pages.ownerOf(slot) === 'table';
    cpu.barrierFilter = (site) => barriers(site, cpu, isTable);
  }

  /** A driver call: using up the budget or misusing memory breaks a rule. */
  #guarded<T>(what: string, call: () => T): T {
    let value: T;
    this.ledger.judgeAt(PROGRESS);
    try {
      value = call();
    } catch (error) {
      if (error instanceof ViolationError && (error.violation.rule === 'illegal-command' || error.violation.rule === 'queue-integrity')) this.ledger.countViolated(error.violation.rule);
      if (error instanceof Stuck) this.ledger.fail('progress', 'a call does not end', 'the call returns', `${what}: ${error.message}`);
      throw error;
    }
    const fault = this.pages.fault;
    if (fault !== null) {
      this.ledger.fail(fault.kind === 'double-free' ? 'accounting' : 'use-after-free', fault.kind, 'each thing is freed once and not read afterwards', `${fault.what}: ${fault.kind}`);
    }
    return value;
  }

  /** One operation on both sides, judged. */
  step(op: Operation): Step {
    this.index += 1;
    this.#operation = op;
    const log = this.#options.log;
    if (log !== undefined) {
      log.op = this.index;
      log.add({ kind: 'operation', op: this.index });
    }
    const expected = this.intent.begin(op);
    if (op.op === 'access') {
      if (expected === 'ok') this.#access(op.device, op.stream, op.iova, op.write);
      return { operation: op, expected, result: expected, outcome: expected === 'ok' ? this.outcome : null };
    }
    const refused = this.pages.refused;
    this.coherency?.begin();
    const result = this.#guarded(op.op, () => this.driver.run(op));
    this.#compare(op, expected, result, this.pages.refused > refused);
    this.coherency?.returned(op, result);
    this.#injectAfter();
    const taken = op.op === 'sync' || op.op === 'flush-all' || op.op === 'iova-free' || op.op === 'unmap' ? this.intent.domains[op.domain]?.limbo : undefined;
    if (expected === 'ok') this.intent.finish(op, result);
    if (result === 'ok') this.#settle(op);
    if (result === 'ok' && taken !== undefined && 'domain' in op && this.intent.domains[op.domain]?.limbo.length === 0) this.leaves.gone(op.domain, taken);
    return { operation: op, expected, result, outcome: null };
  }

  /** Out of memory is right exactly when an allocation was refused in this call. */
  #compare(op: Operation, expected: Result, result: Result, refused: boolean): void {
    this.ledger.judgeAt(RESULT);
    if (result === expected || (expected === 'ok' && result === 'no-memory' && refused)) return;
    this.ledger.fail('api-result', `${op.op} returns ${result} for ${expected}`, expected, result);
  }

  #injectAfter(): void {
    const injection = this.#options.injection;
    if (injection?.where !== 'after' || injection.operation !== this.index) return;
    const batch = this.driver.context.batch;
    batch.words.set(injection.words);
    batch.count = 1;
    batch.sync = true;
    batch.smmu = injection.smmu;
    batch.purpose = 'reset';
    ownParts('plain').submit(this.driver.context, batch);
  }

  /** What falls due when this call returns. */
  #settle(op: Operation): void {
    switch (op.op) {
      case 'map':
        if (this.world.domains[op.domain]?.mode === 'strict') this.leaves.due(op.domain);
        this.#compareLookups(op.domain, op.iova, op.size);
        break;
      case 'unmap':
        if (this.world.domains[op.domain]?.gather === 'sva') this.leaves.due(op.domain);
        this.#compareLookups(op.domain, op.iova, op.size);
        break;
      case 'sync':
        if (this.world.domains[op.domain]?.mode === 'strict') this.leaves.due(op.domain);
        break;
      case 'flush-all': this.leaves.due(op.domain); break;
      case 'iova-free':
        if (this.world.domains[op.domain]?.mode === 'lazy' && this.intent.domains[op.domain]?.waiting.length === 0) this.leaves.due(op.domain);
        break;
      case 'attach': case 'detach': attached(this.scene, this.leaves, op.device); break;
      default: break;
    }
  }

  /** iova-to-phys on both sides: the ends of the range, its middle, and its neighbours. */
  #compareLookups(domain: number, iova: number, size: number): void {
    const first = iova / 4096;
    const last = first + size / 4096 - 1;
    this.#compareLookup(domain, first);
    if (last !== first) {
      this.#compareLookup(domain, last);
      this.#compareLookup(domain, Math.floor((first + last) / 2));
    }
    if (first > 0) this.#compareLookup(domain, first - 1);
    if (last + 1 < 2 ** (this.world.inputBits - 12)) this.#compareLookup(domain, last + 1);
  }

  #compareLookup(domain: number, frame: number): void {
    const expected = this.intent.lookup(domain, frame);
    const actual = this.driver.lookup(domain, frame);
    if (expected === actual) return;
    this.ledger.fail('api-result', 'iova-to-phys differs', `0x${(frame * 4096).toString(16)} -> ${expected < 0 ? 'nothing' : `0x${(expected * 4096).toString(16)}`}`,
      actual < 0 ? 'nothing' : `0x${(actual * 4096).toString(16)}`);
  }

  #access(device: number, stream: number, iova: number, write: boolean): void {
    const dev = this.world.devices[device];
    if (dev === undefined) return;
    const sid = dev.streams[stream] as number;
    const frame = Math.floor(iova / 4096);
    const machine = this.machines[dev.smmu] as OptimisedMachine;
    machine.access(sid, frame, write, this.outcome);
    checkAccess(this.scene, device, sid, frame, write, this.outcome);
    this.#events.length = 0;
    this.driver.drainEvents(dev.smmu, this.#events);
    checkEvents(this.ledger, sid, frame, write, this.outcome, this.#events);
  }

  /** The end of a run: tables against intent, everything detached and freed, nothing left. */
  close(): void {
    checkTables(this);
    this.coherency?.whole();
    this.#guarded('teardown', () => { teardown(this); });
  }
}

/** Tables are cached, and pages that are nobody's; everything else is mapped uncached. */
export function walkerView(memory: Memory, pages: Pages, world: World): WalkerView {
  const view = new WalkerView(memory, (slot) => {
    const owner = pages.ownerOf(slot);
    return owner === 'table' || owner === null;
  }, world.eviction);
  pages.observer = view;
  return view;
}

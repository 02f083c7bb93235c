/**
 * Driver: the optimised driver put together: its state in memory, one CPU or several, and the form it runs in (plain
 * for fuzzing, steps for exploring orders; the build derives one from the other).
 */
import type { Journal } from '../../memory/journal.js';
import { Cpu } from '../../memory/cpu.js';
import type { Pages } from '../../memory/pages.js';
import { EVENT_WORDS, decodeEvent, type EventRecord } from '../../spec/event.js';
import { featuresOf, type Features } from '../../spec/features.js';
import { queueIndex, queueNext, REG } from '../../spec/register.js';
import { newDescription } from '../../stack/description.js';
import type { RegisterPort } from '../../stack/machine.js';
import type { Operation, Result } from '../../stack/operation.js';
import type { SystemOperation, SystemResult, SystemWorld } from '../../stack/system.js';
import { PAYLOAD_WORDS, PLAN_MAX } from '../../stack/planner.js';
import { runSteps, type Plain, type Steps } from '../../stack/steps.js';
import { stage1StartLevel } from '../../spec/granule.js';
import { GATHER_STYLES, LIMITS, type World } from '../../stack/world.js';
import { arrayLength, entryUsers } from './invs.js';
import { Ranges } from './iova.js';
import * as performSteps from './perform.steps.js';
import * as resetSteps from './reset.steps.js';
import * as systemSteps from './system.steps.js';
import { Rcu } from './rcu.js';
import { lookup } from './table-reads.js';
import { tagsInUse } from './tags.js';
import { newGather, PAYLOAD_KINDS, type Context, type DriverObserver, type DriverState, type Parts } from './types.js';

const plainUrl = (name: string): string => new URL(`./${name}.plain.js`, import.meta.url).href;
const performPlain = (await import(plainUrl('perform'))) as Plain<typeof performSteps>;
const systemPlain = (await import(plainUrl('system'))) as Plain<typeof systemSteps>;
const resetPlain = (await import(plainUrl('reset'))) as Plain<typeof resetSteps>;

/** Commands of one list at the most (the kernel's batch), its SYNC apart. */
const LIST_MAX = 64;

export type Form = 'plain' | 'steps';

/** The driver's own parts in one form: what mutants and candidates start from. */
export function ownParts(form: Form): Parts {
  return form === 'plain' ? performPlain.OWN_PARTS : performSteps.OWN_PARTS;
}

/** Parts in steps only begin when they are called: the driver around them must be of their form. */
function formOf(parts: Parts): Form {
  return Object.prototype.toString.call(parts.submit) === '[object GeneratorFunction]' ? 'steps' : 'plain';
}

/** The PCI side of devices, as far as ATS goes. */
export interface EndpointPort {
  /** Switches ATS of every stream of a device. PCIe lets an ATC keep what it holds while ATS is off; it begins empty when ATS is switched on again. */
  setAts(device: number, on: boolean): void;
}

export interface DriverSetup {
  readonly world: World;
  /** What the world has beyond stage 1; `world` is its base. */
  readonly system?: SystemWorld;
  /** Devices with ATS in `system`: where their PCI configuration is written. */
  readonly endpoints?: EndpointPort;
  readonly pages: Pages;
  readonly journal: Journal;
  readonly ports: readonly RegisterPort[];
  readonly parts: Parts;
  readonly observer: DriverObserver | null;
}

export class OptimisedDriver {
  readonly state: DriverState;
  readonly context: Context;
  readonly #parts: Parts;
  readonly #observer: DriverObserver | null;
  readonly #form: Form;

  constructor(setup: DriverSetup) {
    this.#parts = setup.parts;
    this.#observer = setup.observer;
    this.#form = formOf(setup.parts);
    this.state = buildState(setup);
    this.context = this.newContext();
  }

  /** One more CPU inside the driver. */
  newContext(): Context {
    const words = (): Uint32Array => new Uint32Array(Math.max(PLAN_MAX, this.#parts.planner.room) * PAYLOAD_WORDS);
    return {
      state: this.state,
      cpu: new Cpu(this.state.pages.memory, this.state.world.storeOrder),
      parts: this.#parts,
      observer: this.#observer,
      batch: { words: words(), count: 0, sync: true, smmu: 0, purpose: 'invalidate' },
      description: newDescription(),
      payloads: PAYLOAD_KINDS.map((features, kind) => ({ features, words: this.state.smmus.some((s) => s.kind === kind) ? words() : new Uint32Array(0), count: 0 })),
    };
  }

  /** Brings every SMMU up; nothing of what stood in the pages of the root tables before may be seen when a domain is attached. */
  boot(): void {
    this.context.cpu.begin();
    for (const own of this.state.domains) if (!own.coherent) this.context.cpu.clean(own.rootSlot * 512, 512, 'root-table');
    for (let i = 0; i < this.state.smmus.length; i += 1) {
      if (this.#form === 'plain') resetPlain.reset(this.context, i);
      else runSteps(resetSteps.reset(this.context, i));
    }
  }

  /** Runs one operation (not `access`) to its end, alone. */
  run(op: Operation): Result {
    this.context.cpu.begin();
    return this.#form === 'plain' ? performPlain.perform(this.context, op) : runSteps(performSteps.perform(this.context, op));
  }

  /** The same for every operation that the driver has a part in. */
  runSystem(op: SystemOperation): SystemResult {
    this.context.cpu.begin();
    return this.#form === 'plain' ? systemPlain.performSystem(this.context, op) : runSteps(systemSteps.performSystem(this.context, op));
  }

  systemSteps(ctx: Context, op: SystemOperation): Steps<SystemResult> {
    return systemSteps.performSystem(ctx, op);
  }

  /** The same operation in steps, on a CPU of its own. */
  steps(ctx: Context, op: Operation): Steps<Result> {
    return performSteps.perform(ctx, op);
  }

  /** Output frame of a domain's mapping, or -1. */
  lookup(domain: number, frame: number): number {
    const own = this.state.domains[domain];
    return own === undefined ? -1 : lookup(this.context, own, frame);
  }

  /** Reads every new event record of one SMMU, as the interrupt handler does, and gives the slots back. */
  drainEvents(smmu: number, into: EventRecord[]): void {
    const s = this.state.smmus[smmu];
    if (s === undefined) return;
    const memory = this.state.pages.memory;
    const raw = s.port.readRegister(REG.EVENTQ_PROD);
    const prod = raw % 0x80000000;
    let cons = s.port.readRegister(REG.EVENTQ_CONS) % 0x80000000;
    while (cons !== prod) {
      const words = new Uint32Array(EVENT_WORDS * 2);
      const ref = s.eventSlot * 512 + queueIndex(cons, s.eventLog2) * EVENT_WORDS;
      for (let i = 0; i < EVENT_WORDS; i += 1) {
        words[i * 2] = memory.lo[ref + i] as number;
        words[i * 2 + 1] = memory.hi[ref + i] as number;
      }
      into.push(decodeEvent(words));
      cons = queueNext(cons, s.eventLog2);
    }
    s.port.writeRegister(REG.EVENTQ_CONS, cons + (raw - prod)); // and the overflow flag, acknowledged
  }

  /** Live users of a domain's array: for the ledger at the end of a run. */
  arrayUsers(domain: number): number {
    const own = this.state.domains[domain];
    const array = own === undefined ? 0 : this.context.cpu.loadLo(own.invsCell);
    let users = 0;
    for (let i = 0; i < arrayLength(this.context, array); i += 1) users += entryUsers(this.context, array, i);
    return users;
  }

  tagsInUse(smmu: number): number {
    return tagsInUse(this.context, smmu);
  }
}

/** What the SMMU says of itself in its identification registers. */
function probe(port: RegisterPort): Features {
  const id = (offset: number): number => port.readRegister(offset);
  return featuresOf(id(REG.IDR0), id(REG.IDR1), id(REG.IDR3), id(REG.IDR5), id(REG.IIDR));
}

function buildState(setup: DriverSetup): DriverState {
  const { world, pages } = setup;
  const smmus = world.smmus.map((config, i) => {
    const port = setup.ports[i] as RegisterPort;
    const features = probe(port);
    return {
      port,
      queueSlot: pages.allocateRun('queue', 1),
      queueLog2: config.queueLog2,
      eventSlot: pages.allocateRun('queue', 1),
      eventLog2: config.eventLog2,
      streamSlot: pages.allocateRun('stream', 1),
      prodCell: pages.allocateObject(1),
      consCell: pages.allocateObject(1),
      asidCell: pages.allocateObject(Math.floor(config.asidMax / 32) + 1),
      asidMax: Math.min(config.asidMax, 2 ** features.asidBits - 1),
      kind: PAYLOAD_KINDS.findIndex((k) => k.range === features.range && k.ds === (features.range && features.ds)),
      listMax: Math.min(features.forceSync ? LIMITS.forcedList : LIST_MAX, 2 ** config.queueLog2 - 1),
      forceSync: features.forceSync,
      coherent: features.coherent,
    };
  });
  const devices = world.devices.map((d) => ({ smmu: d.smmu, streams: d.streams, cdSlot: pages.allocate('cd'), target: 'none' as const }));
  // The first cells of the heap are never an array: 0 stands for none.
  const domains = world.domains.map((d) => ({
    lazy: d.mode === 'lazy', managed: d.managed, coherent: d.coherent !== false, rootSlot: pages.allocate('table'), invsCell: pages.allocateObject(1),
    gather: newGather(d.gather ?? GATHER_STYLES[0]), queuedTables: [], ranges: new Ranges(),
  }));
  return { world, startLevel: stage1StartLevel(12, world.inputBits), pages, smmus, devices, domains, rcu: new Rcu(pages, setup.journal) };
}

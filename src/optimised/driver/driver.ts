/**
 * Driver: the optimised driver put together: its state in memory, one CPU or several, and the form it runs in (plain
 * for fuzzing, steps for exploring orders; the build derives one from the other).
 */
import { Cpu } from '../../memory/cpu.js';
import { EVENT_WORDS, decodeEvent, type EventRecord } from '../../spec/event.js';
import { queueIndex, queueNext, REG } from '../../spec/register.js';
import { newDescription } from '../../stack/description.js';
import type { Operation, Result } from '../../stack/operation.js';
import type { SystemOperation, SystemResult } from '../../stack/system.js';
import { PAYLOAD_WORDS, PLAN_MAX } from '../../stack/planner.js';
import { runSteps, type Plain, type Steps } from '../../stack/steps.js';
import { arrayLength, entryUsers } from './invs.js';
import * as performSteps from './perform.steps.js';
import * as resetSteps from './reset.steps.js';
import type * as roomsSteps from './rooms.steps.js';
import * as systemSteps from './system.steps.js';
import { lookup } from '../tables/visitor.js';
import { tagsInUse, vmidCost, type VmidCost } from './tags.js';
import { buildState, releaseState, type DriverSetup } from './state.js';
import { PAYLOAD_KINDS, type Context, type DriverObserver, type DriverState, type EntryRead, type Parts, type TagType } from './types.js';

const plainUrl = (name: string): string => new URL(`./${name}.plain.js`, import.meta.url).href;
const performPlain = (await import(plainUrl('perform'))) as Plain<typeof performSteps>;
const roomsPlain = (await import(plainUrl('rooms'))) as Plain<typeof roomsSteps>;
const systemPlain = (await import(plainUrl('system'))) as Plain<typeof systemSteps>;
const resetPlain = (await import(plainUrl('reset'))) as Plain<typeof resetSteps>;

export type { DriverSetup, EndpointPort } from './state.js';

export type Form = 'plain' | 'steps';

/** The driver's own parts in one form: what mutants and candidates start from. */
export function ownParts(form: Form): Parts {
  return form === 'plain' ? performPlain.OWN_PARTS : performSteps.OWN_PARTS;
}

/** Parts in steps only begin when they are called: the driver around them must be of their form. */
function formOf(parts: Parts): Form {
  return Object.prototype.toString.call(parts.submit) === '[object GeneratorFunction]' ? 'steps' : 'plain';
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
      entry: newEntry(), nextEntry: newEntry(),
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
    return (this.#form === 'plain' ? performPlain.perform(this.context, op) : runSteps(performSteps.perform(this.context, op))) as Result; // no world of this path has others
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
    return performSteps.perform(ctx, op) as Steps<Result>;
  }

  /** Output frame of a domain's mapping, or -1. */
  lookup(domain: number, frame: number): number {
    if (this.state.domains[domain] === undefined) return -1;
    const pa = lookup(roomsPlain.roomFor(this.context, domain), frame * 4096);
    return pa < 0 ? -1 : pa / 4096;
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

  /** Ids handed out on one SMMU: ASIDs, or VMIDs (of domains and of vSMMUs). */
  tagsInUse(smmu: number, type: TagType = 's1-tag'): number {
    return tagsInUse(this.context, smmu, type);
  }

  /** VMIDs taken now, against what ids of the whole system would take. */
  vmidCost(): VmidCost {
    return vmidCost(this.context);
  }

  /** The end of a run, everything detached and closed: gives back all memory, queues and stream tables apart. */
  release(): void {
    releaseState(this.context);
  }
}

function newEntry(): EntryRead {
  return { smmu: 0, type: 's1-tag', id: 0, ssid: 0 };
}

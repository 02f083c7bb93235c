/**
 * SystemLockstep: one SystemWorld: the optimised driver on the whole weakest machines and the whole concrete machines, beside the intent, with every rule
 * asked after each operation. The first broken rule throws a ViolationError, what is not modelled Unmodelled.
 */
import { newCommand, OP, type Command, type CommandVerdict } from '../spec/command.js';
import type { Features } from '../spec/features.js';
import { Journal } from '../memory/journal.js';
import { Memory, RAM_BASE, WORDS_PER_FRAME, type MemoryWatcher } from '../memory/memory.js';
import { GUEST_FRAME, HEAP_FRAMES, Pages } from '../memory/pages.js';
import type { Mutant } from '../mutants/mutant.js';
import { findMutant } from '../mutants/mutants.js';
import { OptimisedDriver, ownParts } from '../optimised/driver/driver.js';
import { planEntry } from '../optimised/driver/entry.steps.js';
import type { DriverObserver, Parts } from '../optimised/driver/types.js';
import { PLANNERS } from '../parts/planners.js';
import { SystemIntent, type SystemIntentDevice } from '../reference/driver/system-intent.js';
import { stands, type Fact } from '../reference/machine/facts.js';
import { HitlessRule } from '../rules/hitless.js';
import { Ledger, ruleIndex } from '../rules/ledger.js';
import { judgePlan } from '../rules/plan.js';
import { checkAtc, checkConfiguredTags, checkLeaves, checkStes, checkTaken, type FactScene, type Owners } from '../rules/system-facts.js';
import { getField } from '../spec/bits.js';
import { CONFIG_S1, STE } from '../spec/ste.js';
import type { SystemOperation, SystemResult, SystemWorld } from '../stack/system.js';
import { newAnswer, newTransaction, type Answer, type Transaction } from '../stack/transaction.js';
import { Stuck, ViolationError } from '../stack/violation.js';
import type { Log } from './log.js';
import { checkAnswer, checkEntries } from './machine-checks.js';
import { checkArrays, checkIds, owners } from './system-arrays.js';
import { vmidOf } from './system-driver.js';
import { Prober } from './system-prober.js';
import { probe } from './system-probes.js';
import { makeSide, type SideListener, type SystemSide } from './system-sides.js';
import { systemTeardown } from './system-teardown.js';
import { Telling } from './telling.js';
import type { TransactionKind } from './twins.js';

const ILLEGAL = ruleIndex('illegal-command');
const RESULT = ruleIndex('api-result');
const PROGRESS = ruleIndex('progress');
const REFINEMENT = ruleIndex('machine-refinement');
const FREED = ruleIndex('use-after-free');
const WALK = ruleIndex('stale-walk');
const CONFIGURATION = ruleIndex('stale-configuration');

export interface SystemOptions {
  readonly ledger?: Ledger;
  readonly log?: Log;
  readonly mutant?: string;
}

/** What one operation came to on both sides. */
export interface SystemStep {
  readonly operation: SystemOperation;
  readonly expected: SystemResult;
  readonly result: SystemResult;
  /** Of a transaction that was sent; reused by the next one. */
  readonly answer: Answer | null;
  readonly kind: TransactionKind;
}

export class SystemLockstep implements MemoryWatcher {
  readonly world: SystemWorld;
  readonly journal = new Journal();
  readonly memory: Memory;
  readonly pages: Pages;
  readonly sides: readonly SystemSide[];
  readonly driver: OptimisedDriver;
  readonly intent: SystemIntent;
  readonly ledger: Ledger;
  /** Commands seen, by opcode. */
  readonly commands = new Float64Array(256);
  index = -1;
  readonly #log: Log | undefined;
  readonly #telling: Telling | null;
  readonly #mutant: Mutant | undefined;
  readonly #hitless: HitlessRule;
  readonly #prober: Prober;
  readonly #transaction: Transaction = newTransaction();
  readonly #answer: Answer = newAnswer();
  #owners: readonly Owners[] = [];
  #working = -1;
  #recordAt = -1;
  /** The vSMMU whose guest's commands are being issued, or -1. */
  #guest = -1;

  constructor(world: SystemWorld, options: SystemOptions = {}) {
    this.world = world;
    this.#log = options.log;
    this.#mutant = options.mutant === undefined ? undefined : findMutant(options.mutant);
    if (options.mutant !== undefined && this.#mutant === undefined) throw new RangeError(`no mutant is called ${options.mutant}`);
    this.ledger = options.ledger ?? new Ledger();
    this.memory = new Memory(this.journal);
    this.pages = new Pages(this.memory);
    this.#watchAll();
    this.memory.watchers.push(this);
    if (world.guestFrames > 0) this.pages.allocateRun('guest', world.guestFrames);
    this.#telling = options.log === undefined ? null : new Telling(options.log, this.journal.clock);
    const around = { memory: this.memory, ledger: this.ledger, telling: this.#telling, listener: this.#sideListener() };
    this.sides = world.base.smmus.map((_, smmu) => makeSide(world, smmu, around));
    this.#hitless = new HitlessRule(this.memory, this.ledger);
    this.intent = new SystemIntent(world);
    this.driver = new OptimisedDriver({
      world: world.base, system: world, pages: this.pages, journal: this.journal, observer: this.#observer(), parts: this.#parts(),
      ports: this.sides.map((s) => s.port), endpoints: { setAts: (device, on) => { this.#setAts(device, on); } },
    });
    this.#prober = new Prober(this);
    this.pages.listeners.push({ freed: (slot, owner) => { if (owner !== 'heap' && owner !== 'queue') this.#freed(slot); } });
    this.#filterBarriers();
    this.#guarded('reset', () => { this.driver.boot(); });
    this.#owners = owners(this);
  }

  /** Every page but those of the driver's own objects, which no SMMU reads. */
  #watchAll(): void {
    let watched = HEAP_FRAMES;
    const watch = (slots: number): void => {
      for (; watched < slots; watched += 1) this.memory.watch(watched);
    };
    watch(this.memory.slots);
    this.memory.grown = watch;
  }

  #sideListener(): SideListener {
    return {
      working: (smmu, recordAt) => {
        this.#working = smmu;
        this.#recordAt = recordAt;
        for (const s of this.sides ?? []) s.weakest.software = smmu < 0;
      },
      commandSeen: (smmu, command, verdict) => { this.#commandSeen(smmu, command, verdict); },
      synced: (smmu) => { this.#log?.add({ kind: 'synced', op: this.index, smmu, covered: 0 }); },
      conflict: (smmu, what, facts) => {
        if (this.#notDrivers(facts as readonly Fact[])) return;
        this.ledger.judge('break-before-make');
        this.ledger.fail('break-before-make', 'an entry is replaced without going through invalid', 'invalid, TLBI, CMD_SYNC, then the new entry', `SMMU ${smmu}: ${what}`, undefined,
          this.#telling?.facts((this.sides[smmu] as SystemSide).weakest, facts));
      },
    };
  }

  /**
   * A guest's stage 1 is the guest's. And a lazy domain promises nothing of an address before its range was given back and flushed: mapping
   * it again earlier is the caller's risk.
   */
  #notDrivers(facts: readonly Fact[]): boolean {
    const leaf = facts.find((f) => f.kind === 'leaf');
    if (leaf?.kind !== 'leaf' || leaf.regime.nested) return leaf !== undefined;
    return this.world.base.domains.some((d, domain) => d.mode === 'lazy' && this.rootOf(domain) === leaf.regime.context.rootFrame);
  }

  #commandSeen(smmu: number, command: Command, verdict: CommandVerdict): void {
    this.commands[command.op] = (this.commands[command.op] as number) + 1;
    this.#log?.add({ kind: 'command', op: this.index, smmu, command: { ...newCommand(), ...command }, time: this.journal.clock.now });
    this.ledger.judgeAt(ILLEGAL);
    if (verdict.verdict !== 'legal') {
      this.ledger.fail('illegal-command', `a command that is ${verdict.verdict}`, 'only commands that the specification defines for this SMMU', `SMMU ${smmu}: opcode 0x${command.op.toString(16)}: ${verdict.why}`);
    }
    if (this.#guest >= 0) this.#guestCommand(smmu, command);
  }

  /** What goes out for a guest names its own VMID and its own streams, and nothing more. */
  #guestCommand(smmu: number, c: Command): void {
    this.ledger.judge('isolation');
    const vsmmu = this.#guest;
    const ofVmid = c.op >= OP.TLBI_NH_ALL && c.op <= OP.TLBI_NH_VAA;
    const ofStream = c.op === OP.ATC_INV || c.op === OP.CFGI_CD || c.op === OP.CFGI_CD_ALL;
    if (c.op === OP.SYNC || (ofVmid && c.vmid === vmidOf(this.driver, vsmmu)) || (ofStream && this.intent.guestStreams(vsmmu).includes(c.sid))) return;
    this.ledger.fail('isolation', `a guest's command reaches beyond it: ${ofVmid ? 'another VMID' : ofStream ? 'another stream' : 'an opcode that is not for guests'}`,
      `commands for VMID ${vmidOf(this.driver, vsmmu)} and streams ${this.intent.guestStreams(vsmmu).join(' ')}`, `SMMU ${smmu} is given opcode 0x${c.op.toString(16)} vmid ${c.vmid} stream ${c.sid}`);
  }

  /** MemoryWatcher: the concrete machine stores only event records, access flags and dirty state. */
  stored(slot: number, index: number, oldLo: number, oldHi: number): void {
    const side = this.sides?.[this.#working];
    if (side === undefined) return;
    const ref = slot * WORDS_PER_FRAME + index;
    if (this.#recordAt >= 0 && ref >= this.#recordAt && ref < this.#recordAt + 4) return;
    this.ledger.judgeAt(REFINEMENT);
    if (side.weakest.mayUpdate(ref, [oldLo, oldHi], [this.memory.lo[ref] as number, this.memory.hi[ref] as number])) return;
    this.ledger.fail('machine-refinement', 'a store that no SMMU may make', 'event records, access flags and dirty state', `SMMU ${this.#working} stores to word ${index} of page 0x${this.memory.frameOf(slot).toString(16)}`);
  }

  #setAts(device: number, on: boolean): void {
    const dev = this.world.base.devices[device];
    const side = this.sides[dev?.smmu ?? -1];
    if (dev === undefined || side === undefined) return;
    for (const sid of new Set(dev.streams)) {
      if (on && !side.weakest.atc.endpoint(sid).ats) {
        side.weakest.emptyEndpoint(sid);
        side.concrete.emptyEndpoint(sid);
      }
      side.weakest.setEndpoint(sid, on, true);
      side.concrete.setEndpoint(sid, on, true);
      if (on) this.#prober.atsOn(side, sid);
    }
  }

  #freed(slot: number): void {
    this.sides.forEach(({ weakest }, smmu) => {
      this.ledger.judgeAt(FREED);
      this.ledger.judgeAt(WALK);
      const what = weakest.pointsTo(slot);
      if (what === null) return;
      this.ledger.fail(what.startsWith('table') ? 'stale-walk' : 'use-after-free', `a ${what.split(' ', 1)[0] ?? ''} points to a freed page`, 'nothing that memory or a cache holds points to a freed page',
        `SMMU ${smmu}: ${what} points to 0x${(this.memory.frameOf(slot) * 4096).toString(16)}`, undefined, this.#telling?.facts(weakest, weakest.pointerFacts(slot)));
    });
  }

  #parts(): Parts {
    const own = ownParts('plain');
    const { planner } = this.world.base;
    const named = planner === undefined ? own : { ...own, planner: PLANNERS.find((p) => p.name === planner) ?? own.planner };
    const parts = this.#mutant?.parts?.(named, this.world.base, 'plain') ?? named;
    const write = parts.writeEntry as unknown as (...args: Parameters<Parts['writeEntry']>) => void;
    const watched = (...args: Parameters<Parts['writeEntry']>): void => {
      this.#beforeWrite(args);
      try {
        write(...args);
        this.#hitless.end();
      } finally {
        this.#hitless.forget();
      }
    };
    return { ...parts, writeEntry: watched as unknown as Parts['writeEntry'] };
  }

  /** An STE is reached once the SMMU runs; a CD, while the STE of its device leads to CDs. */
  #beforeWrite([ctx, kind, smmu, ref, target, streams]: Parameters<Parts['writeEntry']>): void {
    const stream = ctx.state.smmus[smmu]?.streamSlot ?? 0;
    const ste = this.#hitless.entry(stream * WORDS_PER_FRAME + (streams[0] ?? 0) * 8);
    if (kind === 'cd' && (getField(ste, STE.V) === 0 || (getField(ste, STE.Config) & 5) !== CONFIG_S1)) return;
    const gap = planEntry(kind, this.#hitless.entry(ref), target).differing >= 2;
    this.#hitless.begin({ kind, ref, target: target.slice(), gap, what: `the ${kind.toUpperCase()} of stream ${streams[0] ?? 0} of SMMU ${smmu}` });
  }

  #observer(): DriverObserver {
    return {
      planned: (smmu, d, words, count) => {
        judgePlan(this.ledger, { smmu, d, words, count }, { ...(this.sides[smmu] as SystemSide).config.features, pri: false, stall: false } as Features & { pri: false; stall: false }, this.driver.context.parts.planner.promise);
      },
      entrySynced: (smmu, kind, streams, ssid) => { this.#entrySynced(smmu, kind, streams, ssid); },
      tagTaken: (smmu, id, type) => {
        const side = this.sides[smmu] as SystemSide;
        checkTaken({ ledger: this.ledger, smmu, machine: side.weakest, told: (facts) => this.#told(side, facts) }, id, type !== 's1-tag');
      },
      tagReleased: (smmu, id, type) => {
        const side = this.sides[smmu] as SystemSide;
        checkTaken({ ledger: this.ledger, smmu, machine: side.weakest, told: (facts) => this.#told(side, facts) }, id, type !== 's1-tag', 'is given back');
      },
    };
  }

  /** The entry writer waited for its SYNC: older forms of these entries must be gone. */
  #entrySynced(smmu: number, kind: 'ste' | 'cd', streams: readonly number[], ssid: number): void {
    const side = this.sides[smmu] as SystemSide;
    for (const sid of streams) {
      this.ledger.judgeAt(CONFIGURATION);
      const old = side.weakest.contexts.elements(kind, sid, kind === 'cd' ? ssid : -1).flatMap((e) => e.words.flat()).find((f) => !stands(f));
      if (kind === 'ste') this.#prober.steWritten(side, sid);
      if (old === undefined) continue;
      this.ledger.fail('stale-configuration', `an older ${kind.toUpperCase()} outlives its CFGI and SYNC`, `only the ${kind.toUpperCase()} in memory`, `SMMU ${smmu} may still hold an older ${kind.toUpperCase()} of stream ${sid}`, undefined, this.#told(side, [old]));
    }
  }

  #told(side: SystemSide, facts: readonly Fact[]): readonly string[] {
    return side.telling?.facts(side.weakest, facts) ?? [];
  }

  #filterBarriers(): void {
    const barriers = this.#mutant?.barriers;
    if (barriers === undefined) return;
    const cpu = this.driver.context.cpu;
    const isTable = (slot: number): boolean => this.pages.ownerOf(slot) === 'table';
    cpu.barrierFilter = (site) => barriers(site, cpu, isTable);
  }

  /** A driver call: using up the budget or misusing memory breaks a rule. */
  #guarded<T>(what: string, call: () => T): T {
    this.ledger.judgeAt(PROGRESS);
    let value: T;
    try {
      value = call();
    } catch (error) {
      if (error instanceof ViolationError && error.violation.rule === 'queue-integrity') this.ledger.countViolated('queue-integrity');
      if (error instanceof Stuck) this.ledger.fail('progress', 'a call does not end', 'the call returns', `${what}: ${error.message}`);
      throw error;
    }
    const fault = this.pages.fault;
    if (fault !== null) this.ledger.fail(fault.kind === 'double-free' ? 'accounting' : 'use-after-free', fault.kind, 'each thing is freed once and not read afterwards', `${fault.what}: ${fault.kind}`);
    return value;
  }

  /** First frame of a domain's start table. */
  rootOf(domain: number): number {
    return RAM_BASE + (this.driver.state.domains[domain]?.rootSlot ?? -RAM_BASE - 1);
  }

  /** One operation on both sides, judged. */
  step(op: SystemOperation): SystemStep {
    this.index += 1;
    if (this.#log !== undefined) {
      this.#log.op = this.index;
      this.#telling?.begin();
      this.#log.add({ kind: 'operation', op: this.index });
    }
    const expected = this.intent.begin(op);
    if (op.op === 'access' || op.op === 'transact') {
      const kind = op.op === 'access' || op.ats === 'no' ? 'access' : op.ats === 'request' ? 'ats-request' : 'translated';
      if (expected.code === 'ok') this.#transact(kind, op.device, this.#fill(op));
      return { operation: op, expected, result: expected, answer: expected.code === 'ok' ? this.#answer : null, kind };
    }
    if (op.op === 'guest-store') {
      if (expected.code === 'ok') this.#guestStore(op.vsmmu, op.ipa, op.lo, op.hi);
      this.#settle(op);
      return { operation: op, expected, result: expected, answer: null, kind: 'access' };
    }
    const refused = this.pages.refused;
    this.#guest = op.op === 'guest-commands' ? op.vsmmu : -1;
    const result = this.#guarded(op.op, () => this.driver.runSystem(op));
    this.#guest = -1;
    this.#compare(op, expected, result, this.pages.refused > refused);
    this.#prober.remember(op);
    this.intent.finish(op, result.code === 'command-rejected' ? 'ok' : result.code);
    this.#settle(op);
    return { operation: op, expected, result, answer: null, kind: 'access' };
  }

  /** Out of memory is right exactly when an allocation was refused in this call. */
  #compare(op: SystemOperation, expected: SystemResult, result: SystemResult, refused: boolean): void {
    this.ledger.judgeAt(RESULT);
    const same = result.code === expected.code && (op.op !== 'guest-commands' || (result.consumed ?? 0) === (expected.consumed ?? 0));
    if (same || (expected.code === 'ok' && result.code === 'no-memory' && refused)) return;
    const text = (r: SystemResult): string => (r.consumed === undefined ? r.code : `${r.code}, ${r.consumed} commands issued`);
    this.ledger.fail('api-result', result.code === expected.code ? 'another number of commands is issued' : `${op.op} returns ${result.code} for ${expected.code}`, text(expected), text(result));
  }

  #fill(op: Extract<SystemOperation, { op: 'access' | 'transact' }>): Transaction {
    const t = this.#transaction;
    t.sid = this.intent.devices[op.device]?.streams[op.stream] ?? 0;
    t.ssid = op.op === 'access' ? -1 : op.ssid;
    t.frame = Math.floor(op.iova / 4096);
    t.write = op.write;
    return t;
  }

  #transact(kind: TransactionKind, device: number, t: Transaction): void {
    const smmu = (this.intent.devices[device] as SystemIntentDevice).smmu;
    const side = this.sides[smmu] as SystemSide;
    const a = this.#answer;
    const recordAt = side.events.next();
    this.#sideWorks(smmu, recordAt);
    if (kind === 'access') side.concrete.transact(t, a);
    else if (kind === 'ats-request') side.concrete.atsRequest(t, a);
    else side.concrete.translated(t, a);
    this.#sideWorks(-1, -1);
    probe(this, device, kind, t);
    checkAnswer(this.ledger, side, kind, { t, answer: a });
    side.records.answered(t, a, { writable: recordAt >= 0, translated: kind === 'translated' });
    this.#collect(side);
    checkEntries(this.ledger, smmu, side, side.concrete);
  }

  #sideWorks(smmu: number, recordAt: number): void {
    this.#working = smmu;
    this.#recordAt = recordAt;
    for (const s of this.sides) s.weakest.software = smmu < 0;
  }

  #collect(side: SystemSide): void {
    const lossy = side.events.lossy;
    const records = side.events.drain((offset, value) => { side.port.writeRegister(offset, value); });
    if (records !== null) side.records.found(records);
    if (lossy) side.records.lost();
    side.records.settle();
  }

  /** The guest's CPU stores through its parent's map, as it is now. */
  #guestStore(vsmmu: number, ipa: number, lo: number, hi: number): void {
    const run = this.intent.mapOf(this.world.vsmmus[vsmmu]?.parent ?? -1)?.at(Math.floor(ipa / 4096));
    if (run === undefined || !run.writable) return;
    const frame = run.pa + Math.floor(ipa / 4096) - run.first - GUEST_FRAME;
    if (frame < 0 || frame >= this.world.guestFrames) return; // memory that is not modelled: nobody looks there
    for (const s of this.sides) s.weakest.software = false; // break-before-make in its own tables is the guest's affair
    this.memory.commit((HEAP_FRAMES + frame) * WORDS_PER_FRAME + Math.floor((ipa % 4096) / 8), lo >>> 0, hi >>> 0);
    for (const s of this.sides) s.weakest.software = true;
  }

  /** What must hold when the call has returned. */
  #settle(op: SystemOperation): void {
    const attaches = op.op !== 'map' && op.op !== 'unmap' && op.op !== 'sync' && op.op !== 'guest-store' && op.op !== 'guest-commands';
    if (attaches) {
      checkArrays(this);
      this.#owners = owners(this);
      checkIds(this, this.#owners);
    }
    this.sides.forEach((side, smmu) => {
      const scene = this.factScene(smmu);
      checkLeaves(scene);
      if (attaches) checkStes(scene);
      if (attaches) checkConfiguredTags(scene);
      if (side.config.features.ats) this.intent.devices.forEach((d, device) => { if (d.smmu === smmu) checkAtc(scene, device); });
      if (side.synced) checkEntries(this.ledger, smmu, side, side.concrete);
      side.synced = false;
    });
    this.#prober.after(op);
  }

  factScene(smmu: number): FactScene {
    const side = this.sides[smmu] as SystemSide;
    return {
      intent: this.intent, ledger: this.ledger, smmu, machine: side.weakest, owners: this.#owners[smmu] as Owners, rootOf: (domain) => this.rootOf(domain),
      told: (facts) => this.#told(side, facts),
    };
  }

  /** The end of a run: everything is taken off, given back and counted. */
  close(): void {
    this.#guarded('teardown', () => { systemTeardown(this); });
  }
}

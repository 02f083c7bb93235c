/**
 * Threads: driver calls that can be suspended at every step, and brought back there after the world was undone. A
 * generator cannot be copied; so each thread keeps what it read (memory, allocator, registers), and a suspended call
 * is restored by running it again against these reads, with all its effects left out. Equal reads mean equal locals.
 */
import { Cpu, type BarrierSite, type CleanSite } from '../memory/cpu.js';
import type { PageOwner, PagesPort } from '../memory/pages.js';
import type { OptimisedDriver } from '../optimised/driver/driver.js';
import { newGather, type Context, type DriverObserver, type DriverState, type Gather, type Parts } from '../optimised/driver/types.js';
import type { RcuPort } from '../optimised/driver/rcu.js';
import { REG } from '../spec/register.js';
import type { RegisterPort } from '../stack/machine.js';
import type { Operation, Result } from '../stack/operation.js';
import type { Steps } from '../stack/steps.js';

/** The reads of one thread so far, and where a re-run stands in them. */
class Reads {
  values: number[] = [];
  /** Next value to hand out; at values.length the thread is live. */
  at = 0;

  get live(): boolean {
    return this.at >= this.values.length;
  }

  /** A read: from the record while re-running, else from the world. */
  take(read: () => number): number {
    if (this.at < this.values.length) {
      this.at += 1;
      return this.values[this.at - 1] as number;
    }
    const value = read();
    this.values.push(value);
    this.at += 1;
    return value;
  }

  /** An effect without an answer: left out while re-running. It takes a place in the record, so that both agree on when live begins. */
  effect(act: () => void): void {
    this.take(() => {
      act();
      return 0;
    });
  }
}

class ThreadCpu extends Cpu {
  readonly #reads: Reads;
  readonly #real: Cpu;

  constructor(real: Cpu, reads: Reads) {
    super(real.memory);
    this.#real = real;
    this.#reads = reads;
  }

  override get pending(): number { return this.#real.pending; }
  override loadLo(ref: number): number { return this.#reads.take(() => this.#real.loadLo(ref)); }
  override loadHi(ref: number): number { return this.#reads.take(() => this.#real.loadHi(ref)); }
  override store(ref: number, lo: number, hi: number): void { this.#reads.effect(() => { this.#real.store(ref, lo, hi); }); }
  override barrier(site: BarrierSite): void { this.#reads.effect(() => { this.#real.barrier(site); }); }
  override compareExchange(ref: number, oldLo: number, oldHi: number, lo: number, hi: number): boolean {
    return this.#reads.take(() => Number(this.#real.compareExchange(ref, oldLo, oldHi, lo, hi))) === 1;
  }
  override setBits(ref: number, lo: number, hi: number): void { this.#reads.effect(() => { this.#real.setBits(ref, lo, hi); }); }
  override clearBits(ref: number, lo: number, hi: number): void { this.#reads.effect(() => { this.#real.clearBits(ref, lo, hi); }); }
  override clean(ref: number, words: number, site: CleanSite): number { return this.#reads.take(() => this.#real.clean(ref, words, site)); }
  override drainAll(): void { this.#reads.effect(() => { this.#real.drainAll(); }); }
  override step(what: string): void { this.#reads.effect(() => { this.#real.step(what); }); }
}

function threadPages(real: PagesPort, reads: Reads): PagesPort {
  return {
    memory: real.memory,
    failNext: () => { reads.effect(() => { real.failNext(); }); },
    evict: (line) => { reads.effect(() => { real.evict(line); }); },
    allocate: (owner: PageOwner) => reads.take(() => real.allocate(owner)),
    release: (slot) => { reads.effect(() => { real.release(slot); }); },
    allocateObject: (words) => reads.take(() => real.allocateObject(words)),
    releaseObject: (ref) => { reads.effect(() => { real.releaseObject(ref); }); },
    touch: (ref, what) => { reads.effect(() => { real.touch(ref, what); }); },
  };
}

function threadRcu(real: RcuPort, reads: Reads): RcuPort {
  return {
    enter: () => { reads.effect(() => { real.enter(); }); },
    exit: () => { reads.effect(() => { real.exit(); }); },
    free: (ref) => { reads.effect(() => { real.free(ref); }); },
  };
}

function copyGather(g: Gather): Gather {
  return { ...newGather(g.style), pending: g.pending, first: g.first, last: g.last, leaves: g.leaves, tables: g.tables, freed: [...g.freed] };
}

/** One CPU running a list of driver calls. */
export class Thread {
  readonly name: string;
  readonly operations: readonly Operation[];
  readonly cpu: Cpu;
  /** Steps taken so far; the next step's name, or null when all calls have returned. */
  steps = 0;
  next: string | null = 'start';
  /** SMMU and PROD of the last list it published: what 'wait for CMD_SYNC' waits for. */
  published: { smmu: number; prod: number } | null = null;
  /** Results of the calls that have returned. */
  results: Result[] = [];
  readonly #driver: OptimisedDriver;
  /** In the steps form. */
  readonly #parts: Parts;
  readonly #observer: DriverObserver | null;
  #reads = new Reads();
  #run: Steps<void>;

  constructor(name: string, driver: OptimisedDriver, parts: Parts, operations: readonly Operation[], observer: DriverObserver | null) {
    this.name = name;
    this.operations = operations;
    this.#driver = driver;
    this.#parts = parts;
    this.#observer = observer;
    this.cpu = new Cpu(driver.state.pages.memory);
    this.#run = this.#start();
  }

  #start(): Steps<void> {
    return body(this.#driver, this.#context(), this.operations, this.results);
  }

  /** A context whose every effect goes through the record; gathers and device targets are this thread's own copies. */
  #context(): Context {
    const real = this.#driver.state;
    const reads = this.#reads;
    const port = (smmu: number, own: RegisterPort): RegisterPort => ({
      writeRegister: (offset, value) => {
        if (offset === REG.CMDQ_PROD) this.published = { smmu, prod: value };
        reads.effect(() => { own.writeRegister(offset, value); });
      },
      readRegister: (offset) => reads.take(() => own.readRegister(offset)),
    });
    const state: DriverState = {
      ...real,
      pages: threadPages(real.pages, reads),
      rcu: threadRcu(real.rcu, reads),
      smmus: real.smmus.map((s, i) => ({ ...s, port: port(i, s.port) })),
      devices: real.devices.map((d) => ({ ...d })),
      vsmmus: real.vsmmus.map((v) => ({ ...v })),
      setAts: (device, on) => { reads.effect(() => { real.setAts(device, on); }); },
      domains: real.domains.map((d) => ({ ...d, gather: copyGather(d.gather), queuedTables: [...d.queuedTables] })),
    };
    const observer = this.#observer;
    const quiet: DriverObserver | null = observer === null ? null : {
      planned: (smmu, d, words, count) => { reads.effect(() => { observer.planned(smmu, d, words, count); }); },
      entrySynced: (smmu, kind, streams, ssid) => { reads.effect(() => { observer.entrySynced(smmu, kind, streams, ssid); }); },
      tagTaken: (smmu, id, type) => { reads.effect(() => { observer.tagTaken?.(smmu, id, type); }); },
      tagReleased: (smmu, id, type) => { reads.effect(() => { observer.tagReleased(smmu, id, type); }); },
    };
    return { ...this.#driver.newContext(), parts: this.#parts, cpu: new ThreadCpu(this.cpu, reads), state, observer: quiet };
  }

  /** Takes one step. */
  step(): void {
    const r = this.#run.next();
    this.steps += 1;
    this.next = r.done === true ? null : r.value;
  }

  save(): ThreadMark {
    return { steps: this.steps, reads: this.#reads.values.length };
  }

  /** Back to an earlier moment (the world has been undone): runs the call again against what it read then. */
  restore(mark: ThreadMark): void {
    if (mark.steps === this.steps) return;
    const values = this.#reads.values.slice(0, mark.reads);
    this.#reads = new Reads();
    this.#reads.values = values;
    this.results = [];
    this.published = null;
    this.steps = 0;
    this.next = 'start';
    this.#run = this.#start();
    while (this.steps < mark.steps) this.step();
    if (!this.#reads.live) throw new Error(`${this.name}: a re-run took another way: not deterministic`);
  }

  /** What the thread has read: with its position, its whole local state. */
  key(): string {
    return `${this.steps}:${this.#reads.values.join(',')}`;
  }
}

export interface ThreadMark {
  readonly steps: number;
  readonly reads: number;
}

function* body(driver: OptimisedDriver, ctx: Context, operations: readonly Operation[], results: Result[]): Steps<void> {
  for (const op of operations) {
    yield `begin ${op.op}`;
    results.push(yield* driver.steps(ctx, op));
  }
}

/**
 * Bench sides: what `bench` measures, each part of the lockstep alone on the same operations, which are drawn before.
 */
import { campaign, drawRun, newResult } from '../fuzz/campaign.js';
import { machineCampaign, newMachineResult } from '../fuzz/machine-campaign.js';
import { referencePort } from '../lockstep/ports.js';
import { Lockstep } from '../lockstep/lockstep.js';
import { Journal } from '../memory/journal.js';
import { Memory } from '../memory/memory.js';
import { Pages } from '../memory/pages.js';
import { Generator } from '../operations/generate.js';
import type { Profile } from '../operations/profiles.js';
import { OptimisedDriver, ownParts } from '../optimised/driver/driver.js';
import { OptimisedMachine } from '../optimised/machine/machine.js';
import { RandomChooser } from '../stack/chooser.js';
import { newDescription } from '../stack/description.js';
import { PAYLOAD_WORDS, type Planner } from '../stack/planner.js';
import { Intent } from '../reference/driver/intent.js';
import { Stage1Reference } from '../reference/stage1/machine.js';
import type { EventRecord } from '../spec/event.js';
import { machineConfig, type RegisterPort } from '../stack/machine.js';
import type { Operation } from '../stack/operation.js';
import { newOutcome, OUTCOME_OK } from '../stack/outcome.js';
import { smallWorld, type World } from '../stack/world.js';

export const BENCH_SEED = 'bench';

/** One run drawn ahead; accesses that no side would make are left out. */
export interface Script {
  readonly run: number;
  readonly world: World;
  readonly operations: readonly Operation[];
}

export function drawScript(profile: Profile, run: number): Script {
  const { world, mix, operations, chooser } = drawRun({ seed: BENCH_SEED, profile }, run);
  const generator = new Generator(world, mix, chooser);
  const intent = new Intent(world);
  const list: Operation[] = [];
  for (let i = 0; i < operations; i += 1) {
    const op = generator.next(intent);
    const result = intent.begin(op);
    if (op.op === 'access' ? result === 'ok' : true) list.push(op);
    if (result === 'ok') intent.finish(op, 'ok');
  }
  return { run, world, operations: list };
}

/** The whole of `fuzz`: generation, both sides, every rule, reset and teardown. */
export function fuzzSide(profile: Profile): (s: Script) => void {
  return (s) => {
    const result = newResult();
    for (const run of campaign({ seed: BENCH_SEED, profile, run: s.run }, result)) void run;
    if (result.failures.length + result.unmodelled.length > 0) throw new Error(`run ${s.run} of the bench ends in a violation: see \`smmucheck fuzz --seed ${BENCH_SEED} --run ${s.run}\``);
  };
}

/** Both sides in lockstep on drawn operations. */
export function lockstepSide(s: Script): void {
  const stack = new Lockstep(s.world);
  for (const op of s.operations) stack.step(op);
  stack.close();
}

interface Driven {
  readonly driver: OptimisedDriver;
  readonly memory: Memory;
}

function drive(world: World, port: (memory: Memory, smmu: number) => RegisterPort): Driven {
  const journal = new Journal();
  const memory = new Memory(journal);
  const pages = new Pages(memory);
  const driver = new OptimisedDriver({ world, pages, journal, observer: null, parts: ownParts('plain'), ports: world.smmus.map((_, i) => port(memory, i)) });
  driver.boot();
  return { driver, memory };
}

/** The optimised driver over the optimised machine, nothing else. */
export function optimisedSide(s: Script): void {
  const machines: OptimisedMachine[] = [];
  const { driver } = drive(s.world, (memory, i) => {
    const machine = new OptimisedMachine(memory, machineConfig(s.world.smmus[i] as World['smmus'][number]));
    machines.push(machine);
    return machine;
  });
  const outcome = newOutcome();
  const events: EventRecord[] = [];
  for (const op of s.operations) {
    if (op.op !== 'access') {
      driver.run(op);
      continue;
    }
    const device = s.world.devices[op.device] as World['devices'][number];
    (machines[device.smmu] as OptimisedMachine).access(device.streams[op.stream] as number, Math.floor(op.iova / 4096), op.write, outcome);
    events.length = 0;
    driver.drainEvents(device.smmu, events);
  }
}

/** Intent and the weakest machine. Something must write tables and commands: the optimised driver does, so it is in the figure. */
export function referenceSide(s: Script): void {
  const machines: Stage1Reference[] = [];
  const { driver } = drive(s.world, (memory, i) => {
    const machine = new Stage1Reference(memory, s.world.smmus[i] as World['smmus'][number]);
    machines.push(machine);
    return referencePort(machine);
  });
  const intent = new Intent(s.world);
  for (const op of s.operations) {
    const result = intent.begin(op);
    if (op.op === 'access') {
      const device = s.world.devices[op.device] as World['devices'][number];
      (machines[device.smmu] as Stage1Reference).permitted(device.streams[op.stream] as number, Math.floor(op.iova / 4096), op.write, () => false);
      continue;
    }
    driver.run(op);
    if (result === 'ok') intent.finish(op, 'ok');
  }
}

/** Drawing operations and keeping the intent that they are drawn from. */
export function generationSide(profile: Profile): (s: Script) => void {
  return (s) => { drawScript(profile, s.run); };
}

/** Accesses on the optimised machine alone: `step` makes the i-th; `check` says whether it was what it should be. */
export interface AccessBench {
  readonly step: (i: number) => void;
  readonly check: () => boolean;
}

function accessWorld(tlbEntries: number): { driver: OptimisedDriver; machine: OptimisedMachine } {
  const base = smallWorld();
  const world = { ...base, smmus: base.smmus.map((m) => ({ ...m, tlbEntries })) };
  const machines: OptimisedMachine[] = [];
  const { driver } = drive(world, (memory, i) => {
    const config = world.smmus[i] as World['smmus'][number];
    const machine = new OptimisedMachine(memory, machineConfig(config));
    machines.push(machine);
    return machine;
  });
  driver.run({ op: 'attach', device: 0, to: 0 });
  return { driver, machine: machines[0] as OptimisedMachine };
}

/** One page, over and over. */
export function hitBench(): AccessBench {
  const { driver, machine } = accessWorld(64);
  driver.run({ op: 'map', domain: 0, iova: 0x4000, pa: 0x800000000, size: 4096, prot: 'rw' });
  const outcome = newOutcome();
  machine.access(1, 4, false, outcome);
  const before = machine.stats.walks;
  return {
    step: () => { machine.access(1, 4, true, outcome); },
    check: () => machine.stats.walks === before && outcome.kind === OUTCOME_OK,
  };
}

/** Pages 512 GB apart, in turn, with caches too small for any of it: every access walks four levels. */
export function walkBench(): AccessBench {
  const pages = 64;
  const stride = 2 ** 27;
  const { driver, machine } = accessWorld(4);
  for (let i = 0; i < pages; i += 1) driver.run({ op: 'map', domain: 0, iova: i * stride * 4096, pa: 0x800000000 + i * 4096, size: 4096, prot: 'rw' });
  const outcome = newOutcome();
  const before = machine.stats.tlbHits;
  return {
    step: (i) => { machine.access(1, (i % pages) * stride, false, outcome); },
    check: () => machine.stats.tlbHits === before && outcome.kind === OUTCOME_OK,
  };
}

/** Descriptions that a planner is asked about in turn. */
const DESCRIPTIONS = 4096;

/** One plan a step: pages of the smallest size, from anywhere in 39 bits, up to 65,536 of them; an SMMU with range support. */
export function planBench(planner: Planner): AccessBench {
  const chooser = new RandomChooser(BENCH_SEED);
  const firsts = Float64Array.from({ length: DESCRIPTIONS }, () => chooser.index(2 ** 27));
  const lengths = Float64Array.from({ length: DESCRIPTIONS }, () => chooser.index(65_536));
  const d = { ...newDescription(), leaves: 1 };
  const features = { range: true, ds: false };
  const out = new Uint32Array(planner.room * PAYLOAD_WORDS);
  let commands = 0;
  let steps = 0;
  return {
    step: (i) => {
      d.first = firsts[i % DESCRIPTIONS] as number;
      d.last = d.first + (lengths[i % DESCRIPTIONS] as number);
      commands += planner.plan(d, features, out);
      steps += 1;
    },
    check: () => commands >= steps,
  };
}

/** What the others are measured against: one dependent look-up in a typed array a step, as plain as JavaScript gets. */
export function loopBench(): AccessBench {
  const table = Uint32Array.from({ length: 4096 }, (_, i) => Math.imul(i, 2654435761) >>> 0);
  let at = 0;
  let steps = 0;
  return {
    step: () => {
      at = (table[at & 4095] as number) ^ (at >>> 7);
      steps += 1;
    },
    check: () => steps > 0 && at >= 0,
  };
}

/** Runs of raw machine sequences on both whole machines; operations done. */
export function machineRuns(runs: number): number {
  const result = newMachineResult();
  for (const run of machineCampaign({ seed: BENCH_SEED, runs }, result)) void run;
  if (result.failures.length > 0) throw new Error(`the bench ends in a violation: see \`smmucheck fuzz --machine-only --seed ${BENCH_SEED}\``);
  return result.operations;
}

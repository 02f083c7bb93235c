/**
 * Recording: what a driver sequence does to one SMMU, as a raw machine sequence: its stores in the order in which they become
 * visible, its register writes, its commands one by one, each CMD_SYNC with the look at CONS that follows, and the accesses. So a
 * driver's own way of doing things can be run, shrunk and stored like any other raw sequence.
 */
import { decodeCommand, encodeCommand, newCommand, OP, WORDS_PER_COMMAND } from '../spec/command.js';
import { CR0_CMDQEN, CR0_EVENTQEN, queueAddress, queueIndex, queueLog2, queueNext, REG } from '../spec/register.js';
import type { Features } from '../spec/features.js';
import { Lockstep, type Tap } from '../lockstep/lockstep.js';
import { WORDS_PER_FRAME, type Memory } from '../memory/memory.js';
import type { Pages } from '../memory/pages.js';
import type { MachineOperation, MachineWorld } from '../stack/machine-world.js';
import type { Operation } from '../stack/operation.js';
import type { World } from '../stack/world.js';

const COMMAND_BYTES = 16;
const SMMU = 0;

/** Operations of a recorded sequence at most: one that maps a thousand pages shows no more than one that maps ten. */
const OPERATIONS_MAX = 300;
/** Frames of RAM at most: many more than its tables need. */
const FRAMES_MAX = 128;

/** A driver sequence that needs more memory or operations than a recorded sequence may have. */
export class TooLarge extends Error {}

class Recorder implements Tap {
  readonly operations: MachineOperation[] = [];
  /** Frames that were stored to. */
  frames = 0;
  #memory: Memory | null = null;
  #pages: Pages | null = null;
  readonly #registers = new Map<number, number>();
  readonly #commandLog2Max: number;

  constructor(commandLog2Max: number) {
    this.#commandLog2Max = commandLog2Max;
  }

  begin(memory: Memory, pages: Pages): void {
    this.#memory = memory;
    this.#pages = pages;
    memory.grow(FRAMES_MAX);
    for (let slot = 0; slot < FRAMES_MAX; slot += 1) memory.watch(slot);
    memory.watchers.push({ stored: (slot, index) => { this.#stored(slot, index); } });
  }

  /** Queues are written by whoever runs the sequence, and the driver's own objects are nobody else's business. */
  #stored(slot: number, index: number): void {
    const memory = this.#memory as Memory;
    const owner = this.#pages?.ownerOf(slot);
    if (owner === 'heap') return;
    if (slot >= FRAMES_MAX || this.operations.length >= OPERATIONS_MAX) throw new TooLarge();
    this.frames = Math.max(this.frames, slot + 1);
    if (owner === 'queue') return;
    const ref = slot * WORDS_PER_FRAME + index;
    this.operations.push({ op: 'store', at: memory.frameOf(slot) * 4096 + index * 8, lo: memory.lo[ref] as number, hi: memory.hi[ref] as number, held: false });
  }

  registerWritten(_smmu: number, offset: number, value: number): void {
    if (offset === REG.EVENTQ_CONS && this.#has(CR0_EVENTQEN)) return; // records are taken out by whoever runs the sequence
    const before = this.#registers.get(offset) ?? 0;
    this.#registers.set(offset, value);
    if (offset === REG.CMDQ_PROD && this.#has(CR0_CMDQEN)) this.#commands(before, value);
    else this.operations.push({ op: 'register', smmu: SMMU, offset, value });
  }

  /** Is a bit of CR0 set? */
  #has(bit: number): boolean {
    return ((this.#registers.get(REG.CR0) ?? 0) & bit) !== 0;
  }

  #commands(from: number, to: number): void {
    const memory = this.#memory as Memory;
    const register = this.#registers.get(REG.CMDQ_BASE) ?? 0;
    const log2 = queueLog2(register, this.#commandLog2Max);
    const base = queueAddress(register, log2, COMMAND_BYTES);
    const words = new Uint32Array(WORDS_PER_COMMAND);
    for (let at = from; at !== to; at = queueNext(at, log2)) {
      const address = base + queueIndex(at, log2) * COMMAND_BYTES;
      const ref = memory.slotOf(Math.floor(address / 4096)) * WORDS_PER_FRAME + (address % 4096) / 8;
      for (let i = 0; i < 2; i += 1) {
        words[2 * i] = memory.lo[ref + i] as number;
        words[2 * i + 1] = memory.hi[ref + i] as number;
      }
      this.#command(words);
    }
  }

  #command(words: Uint32Array): void {
    const command = decodeCommand(words, 0, newCommand());
    const again = new Uint32Array(WORDS_PER_COMMAND);
    encodeCommand(command, again);
    if (again.some((w, i) => w !== words[i])) this.operations.push({ op: 'raw', smmu: SMMU, queue: 0, words: [words[0] as number, words[1] as number, words[2] as number, words[3] as number] });
    else if (command.op === OP.SYNC) this.operations.push({ op: 'sync', smmu: SMMU, queue: 0, msi: 0 });
    else this.operations.push({ op: 'command', smmu: SMMU, queue: 0, command });
  }
}

export interface Recorded {
  readonly world: MachineWorld;
  readonly operations: readonly MachineOperation[];
  /** Driver operations that it comes from. */
  readonly from: number;
}

/** Runs a driver sequence on both stacks, judged as always, and returns what it did to its only SMMU. Throws what lockstep throws, and TooLarge. */
export function recordDriver(world: World, features: Features, next: (stack: Lockstep) => Operation | null): Recorded {
  const recorder = new Recorder(features.commandLog2);
  const stack = new Lockstep(world, { tap: recorder });
  let from = 0;
  for (let op = next(stack); op !== null; op = next(stack)) {
    from += 1;
    if (stack.step(op).result === 'ok' && op.op === 'access') recorder.operations.push(accessOf(world, op));
  }
  stack.close();
  const config = { features, tlbEntries: 64, mergeRuns: false, strictReserved: false };
  return { world: { smmus: [config], frames: Math.max(16, recorder.frames), judged: false }, operations: recorder.operations, from };
}

function accessOf(world: World, op: Extract<Operation, { op: 'access' }>): MachineOperation {
  const sid = world.devices[op.device]?.streams[op.stream] ?? 0;
  return { op: 'access', smmu: SMMU, sid, ssid: -1, iova: op.iova, write: op.write, privileged: false, instruction: false };
}

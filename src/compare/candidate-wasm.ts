/**
 * WebAssembly candidates: C compiled for wasm32. The module is given nothing (no imports), its memory cannot grow beyond what it began with and
 * the pages laid behind for the questions and answers, and its answer is read from there. What it writes beyond the answers lies beyond
 * its memory and traps; what it writes in front of them, or into the question, is seen.
 *
 * Layout of the pages behind its own: guard, description, features, guard, answers up to the very end.
 */
import { POW2 } from '../spec/bits.js';
import type { Description } from '../stack/description.js';
import { PAYLOAD_WORDS, type PlannerFeatures } from '../stack/planner.js';
import { CandidateRefused, ROOM_DEFAULT, ROOM_MAX, thrown, type Raw } from './candidate.js';
import { readShape, WASM_PAGE, type WasmShape } from './wasm-binary.js';

/** Pages that a module may begin with: 16 MiB. */
const PAGES_MAX = 256;
const GUARD_WORDS = 16;
const GUARD = 0x5afec0de;
/** struct smmucheck_description: start, last (u64), tg, leaf_levels, table_levels, everything. */
const DESCRIPTION_WORDS = 8;
/** struct smmucheck_features: range, ds. */
const FEATURES_WORDS = 2;
const HEAD_WORDS = GUARD_WORDS + DESCRIPTION_WORDS + FEATURES_WORDS + GUARD_WORDS;

const PLAN_TYPE = '(i32, i32, i32) -> i32';
const ROOM_TYPE = '() -> i32';

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** The part of WebAssembly that is used; its types belong to the browser's. */
interface Host {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> };
}

const { WebAssembly: host } = globalThis as unknown as { readonly WebAssembly: Host };

/** Throws CandidateRefused. `name` starts the sentence. */
export function loadWasm(bytes: Uint8Array, name: string): Raw {
  if (!host.validate(bytes)) throw new CandidateRefused(`${name}: not a valid WebAssembly module (was it compiled with --target=wasm32 and linked?)`);
  const shape = readShape(bytes);
  check(shape, name);
  const room = askRoom(bytes, shape, name);
  const pages = Math.ceil(((HEAD_WORDS + room * PAYLOAD_WORDS) * 4) / WASM_PAGE);
  const { plan, memory } = instance(shape.bounded(shape.pages + pages), shape, name);
  memory.grow(pages);
  return new WasmRaw(plan, memory, room);
}

function check(shape: WasmShape, name: string): void {
  const refuse = (text: string): never => { throw new CandidateRefused(`${name}: ${text}`); };
  if (shape.wants !== null) refuse(`it imports ${shape.wants}, but a candidate is given nothing`);
  const plan = shape.functions.get('plan');
  if (plan === undefined) refuse('it exports no function plan (link it with -Wl,--export=plan)');
  if (plan !== PLAN_TYPE) refuse(`plan has the type ${plan}, and not ${PLAN_TYPE} as smmucheck_plan.h declares it`);
  const room = shape.functions.get('room');
  if (room !== undefined && room !== ROOM_TYPE) refuse(`room has the type ${room}, and not ${ROOM_TYPE} as smmucheck_plan.h declares it`);
  if (shape.memory === null) refuse('it exports no memory');
  if (!shape.plainMemory) refuse('its memory is not one plain 32-bit memory');
  if (shape.pages > PAGES_MAX) refuse(`it begins with ${shape.pages * WASM_PAGE / 2 ** 20} MiB of memory, and ${PAGES_MAX * WASM_PAGE / 2 ** 20} MiB is the limit`);
}

function instance(bytes: Uint8Array, shape: WasmShape, name: string): { plan: (d: number, f: number, out: number) => unknown; room: (() => unknown) | null; memory: Memory } {
  let exports: Readonly<Record<string, unknown>>;
  try {
    ({ exports } = new host.Instance(new host.Module(bytes), {}));
  } catch (error) {
    throw new CandidateRefused(`${name}: it cannot be started: ${thrown(error)}`);
  }
  return { plan: exports['plan'] as (d: number, f: number, out: number) => unknown, room: (exports['room'] as (() => unknown) | undefined) ?? null, memory: exports[shape.memory as string] as Memory };
}

function askRoom(bytes: Uint8Array, shape: WasmShape, name: string): number {
  if (!shape.functions.has('room')) return ROOM_DEFAULT;
  const { room } = instance(bytes, shape, name);
  let value: unknown;
  try {
    value = room?.();
  } catch (error) {
    throw new CandidateRefused(`${name}: room(): ${thrown(error)}`);
  }
  if (typeof value === 'number' && value >= 1 && value <= ROOM_MAX) return value;
  throw new CandidateRefused(`${name}: room() returns ${String(value)}, and not 1 to ${ROOM_MAX}`);
}

class WasmRaw implements Raw {
  readonly room: number;
  readonly #plan: (d: number, f: number, out: number) => unknown;
  readonly #memory: Memory;
  #words: Uint32Array;
  /** Word indices. */
  readonly #head: number;
  readonly #description: number;
  readonly #features: number;
  readonly #out: number;
  readonly #asked = new Uint32Array(DESCRIPTION_WORDS + FEATURES_WORDS);

  constructor(plan: (d: number, f: number, out: number) => unknown, memory: Memory, room: number) {
    const words = new Uint32Array(memory.buffer);
    this.room = room;
    this.#plan = plan;
    this.#memory = memory;
    this.#words = words;
    this.#out = words.length - room * PAYLOAD_WORDS;
    this.#head = this.#out - HEAD_WORDS;
    this.#description = this.#head + GUARD_WORDS;
    this.#features = this.#description + DESCRIPTION_WORDS;
    words.fill(GUARD, this.#head, this.#out);
  }

  call(d: Description, f: PlannerFeatures): unknown {
    const asked = this.#asked;
    writeBytes(asked, 0, d.first, 0);
    writeBytes(asked, 2, d.last, 4095);
    asked[4] = d.tg;
    asked[5] = d.leaves;
    asked[6] = d.tables;
    asked[7] = Number(d.all);
    asked[8] = Number(f.range);
    asked[9] = Number(f.ds);
    for (let i = 0; i < asked.length; i += 1) this.#words[this.#description + i] = asked[i] as number;
    const answer = this.#plan(this.#description * 4, this.#features * 4, this.#out * 4);
    if (this.#words.length === 0) this.#words = new Uint32Array(this.#memory.buffer); // growing by nothing gives the memory a new buffer
    return answer;
  }

  harm(): string | null {
    const w = this.#words;
    for (let i = 0; i < GUARD_WORDS; i += 1) {
      if (w[this.#head + i] !== GUARD || w[this.#out - 1 - i] !== GUARD) return 'it wrote outside of the commands that it was given room for';
    }
    for (let i = 0; i < this.#asked.length; i += 1) if (w[this.#description + i] !== this.#asked[i]) return 'it changed the description or the features that it was asked about';
    return null;
  }

  read(count: number, out: Uint32Array): void {
    for (let i = 0; i < count * PAYLOAD_WORDS; i += 1) out[i] = this.#words[this.#out + i] as number;
  }
}

/** The 64-bit address of a frame, low half first. */
function writeBytes(out: Uint32Array, at: number, frame: number, low: number): void {
  out[at] = (frame % (POW2[20] as number)) * 4096 + low;
  out[at + 1] = Math.floor(frame / (POW2[20] as number));
}

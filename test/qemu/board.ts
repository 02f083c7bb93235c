/** A QEMU with an SMMU that is set up by hand: streams that translate, pass or are stopped, one CD, and a few pages in 4K tables. */
import type { ExecutionContext } from 'ava';
import { Journal } from '../../src/memory/journal.js';
import { Memory, RAM_BASE } from '../../src/memory/memory.js';
import { Software } from '../../src/lockstep/software.js';
import type { QemuBinary } from '../../src/qemu/find.js';
import { QemuMachine } from '../../src/qemu/machine.js';
import { Rig } from '../../src/qemu/rig.js';
import { setField, type Field } from '../../src/spec/bits.js';
import { CD } from '../../src/spec/cd.js';
import { ATTR_NORMAL_CACHED, BIT_AF, BIT_NG, BIT_UNPRIVILEGED, BIT_VALID, BIT_TABLE, SH_INNER } from '../../src/spec/descriptor.js';
import { CONFIG_ABORT, CONFIG_BYPASS, CONFIG_S1, STE } from '../../src/spec/ste.js';
import type { FaultRecord } from '../../src/spec/event.js';
import type { Boot } from '../../src/stack/machine-world.js';
import { OUTCOME_OK } from '../../src/stack/outcome.js';
import { newAnswer, newTransaction, type Answer, type Answered } from '../../src/stack/transaction.js';

export const RAM = RAM_BASE * 4096;
/** StreamIDs: devices that read and write and are translated; a reader that passes, and one that is stopped; a writer that passes. */
export const READER = 8;
export const WRITER = 9;
export const PASSING_READER = 16;
export const PASSING_WRITER = 17;
export const STOPPED = 72;
/** Frames that pages are mapped to. */
export const PAGE = 0x90000;
export const OTHER = 0xa0000;

const CD_AT = RAM + 0x8000;
const TABLES = 16;
const LEAVES = RAM + (TABLES + 2) * 4096;
export const BOOT: Boot = {
  streams: RAM, streamsLog2: 7, split: 0, commands: RAM + 0x3000, commandsLog2: 4, events: RAM + 0x6000, eventsLog2: 7, extra: 0, e2h: false, recordUnknown: true, recordAts: false, atsChk: false, vmw: 0, skip: [],
};

/** What one access came to. */
export interface Seen {
  readonly answer: Answer;
  readonly besides: Answered | null;
  readonly records: readonly FaultRecord[];
}

export class Board {
  readonly memory = new Memory(new Journal(), 32);
  readonly machine: QemuMachine;
  readonly software: Software;

  constructor(rig: Rig, change: Partial<Boot> = {}) {
    this.machine = new QemuMachine(rig, this.memory);
    this.software = new Software(rig.features, { port: this.machine, store: (address, lo, hi) => this.store(address, lo, hi), observed: () => undefined });
    this.#structures();
    if (change.skip?.includes('enable') !== true) this.software.boot({ ...BOOT, ...change });
  }

  store(address: number, lo: number, hi: number): boolean {
    const slot = this.memory.slotOf(Math.floor(address / 4096));
    if (slot >= 0) this.memory.commit((address - RAM) / 8, lo >>> 0, hi);
    return slot >= 0;
  }

  #structures(): void {
    for (const [sid, Config] of [[READER, CONFIG_S1], [WRITER, CONFIG_S1], [PASSING_READER, CONFIG_BYPASS], [PASSING_WRITER, CONFIG_BYPASS], [STOPPED, CONFIG_ABORT]] as const) {
      this.#structure(RAM + sid * 64, STE, { V: 1, Config, S1ContextPtr: CD_AT / 64 });
    }
    this.cd({});
    const table = BIT_VALID | BIT_TABLE;
    for (const i of [0, 1]) this.store(RAM + (TABLES + i) * 4096, (((TABLES + i + 1) * 4096) | table) >>> 0, RAM / 2 ** 32);
  }

  #structure(at: number, table: Readonly<Record<string, Field>>, fields: Readonly<Record<string, number>>): void {
    const words = new Uint32Array(16);
    for (const [name, value] of Object.entries(fields)) setField(words, table[name] as Field, value);
    for (let i = 0; i < 8; i += 1) this.store(at + 8 * i, words[2 * i] as number, words[2 * i + 1] as number);
  }

  /** The CD, with other fields than usual. */
  cd(fields: Readonly<Record<string, number>>): void {
    this.#structure(CD_AT, CD, { T0SZ: 25, TG0: 0, EPD1: 1, IPS: 4, AA64: 1, R: 1, A: 1, ASET: 1, ASID: 1, V: 1, TTB0: (RAM + TABLES * 4096) / 16, ...fields });
  }

  /** Maps an input frame below 512 to an output frame. `bits`: attributes besides. */
  map(input: number, output: number, bits = 0): void {
    const lo = (output % 0x100000) * 4096 + (BIT_VALID | BIT_TABLE | BIT_AF | BIT_NG | BIT_UNPRIVILEGED | ATTR_NORMAL_CACHED | SH_INNER | bits);
    this.store(LEAVES + 8 * input, lo, Math.floor(output / 0x100000));
  }

  /** One access; `expected`: frames where it may end. */
  access(sid: number, frame: number, write = false, expected: readonly number[] = []): Seen {
    const t = { ...newTransaction(), sid, frame, write };
    const refused = this.machine.expect(t, expected.map((f) => ({ ...newAnswer(), kind: OUTCOME_OK, frame: f })));
    if (refused !== null) throw new Error(refused);
    const answer = newAnswer();
    this.machine.transact(t, answer);
    return { answer, besides: this.machine.besides(), records: this.machine.takeRecords().map((r) => r.record) };
  }
}

/** Runs with a QEMU that is gone afterwards. */
export function withRig(t: ExecutionContext, binary: QemuBinary, act: (rig: Rig) => void, patienceMs?: number): void {
  const rig = Rig.start(binary, patienceMs);
  try {
    act(rig);
  } finally {
    rig.end();
  }
  t.false(rig.alive);
}

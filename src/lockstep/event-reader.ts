/**
 * EventReader: software's side of one event queue (IHI 0070 §3.5.2, §7.2): may a record be written now, and where; and
 * taking out what was written.
 */
import { EVENT_BYTES, EVENT_WORDS, decodeFault, newFault, type FaultRecord } from '../spec/event.js';
import { CR0_EVENTQEN, GERROR_EVENTQ_ABT, OVERFLOW_FLAG, queueAddress, queueIndex, queueLog2, queueNext, queueUsed, REG } from '../spec/register.js';
import { WORDS_PER_FRAME, type Memory } from '../memory/memory.js';
import type { RegisterPort } from '../stack/machine.js';

export class EventReader {
  readonly #memory: Memory;
  readonly #port: RegisterPort;
  readonly #log2Max: number;
  readonly #words = new Uint32Array(EVENT_WORDS * 2);

  constructor(memory: Memory, port: RegisterPort, log2Max: number) {
    this.#memory = memory;
    this.#port = port;
    this.#log2Max = log2Max;
  }

  #geometry(): { base: number; log2: number } {
    const value = this.#port.readRegister(REG.EVENTQ_BASE);
    const log2 = queueLog2(value, this.#log2Max);
    return { base: queueAddress(value, log2, EVENT_BYTES), log2 };
  }

  /** Reference of the first word of the record that would be written next; -1 when none can be written. */
  next(): number {
    const port = this.#port;
    if ((port.readRegister(REG.CR0ACK) & CR0_EVENTQEN) === 0) return -1;
    if (((port.readRegister(REG.GERROR) ^ port.readRegister(REG.GERRORN)) & GERROR_EVENTQ_ABT) !== 0) return -1;
    const { base, log2 } = this.#geometry();
    const turn = 2 ** (log2 + 1);
    const prod = port.readRegister(REG.EVENTQ_PROD) % turn;
    if (queueUsed(prod, port.readRegister(REG.EVENTQ_CONS) % turn, log2) >= 2 ** log2) return -1;
    return this.#refOf(base + queueIndex(prod, log2) * EVENT_BYTES);
  }

  #refOf(address: number): number {
    const slot = this.#memory.slotOf(Math.floor(address / 4096));
    return slot < 0 ? -1 : slot * WORDS_PER_FRAME + (address % 4096) / 8;
  }

  /** May records have been lost: is the queue off, aborted, or has it overflowed? Ask before `drain`. */
  get lossy(): boolean {
    const port = this.#port;
    return (port.readRegister(REG.CR0ACK) & CR0_EVENTQEN) === 0 || ((port.readRegister(REG.GERROR) ^ port.readRegister(REG.GERRORN)) & GERROR_EVENTQ_ABT) !== 0
      || (port.readRegister(REG.EVENTQ_PROD) >= OVERFLOW_FLAG) !== (port.readRegister(REG.EVENTQ_CONS) >= OVERFLOW_FLAG);
  }

  /** Takes every record out, overflow acknowledged; null when there is none. `write`: of a register on both sides. */
  drain(write: (offset: number, value: number) => void): FaultRecord[] | null {
    const raw = this.#port.readRegister(REG.EVENTQ_PROD);
    const seen = this.#port.readRegister(REG.EVENTQ_CONS);
    if (raw === seen) return null;
    const { base, log2 } = this.#geometry();
    const turn = 2 ** (log2 + 1);
    const prod = raw % turn;
    const records: FaultRecord[] = [];
    // Pointers that no queue of this size can have are put right without reading anything.
    const used = queueUsed(prod, seen % turn, log2);
    for (let cons = seen % turn; used <= 2 ** log2 && cons !== prod; cons = queueNext(cons, log2)) {
      const ref = this.#refOf(base + queueIndex(cons, log2) * EVENT_BYTES);
      if (ref < 0) break;
      for (let i = 0; i < EVENT_WORDS; i += 1) {
        this.#words[2 * i] = this.#memory.lo[ref + i] as number;
        this.#words[2 * i + 1] = this.#memory.hi[ref + i] as number;
      }
      records.push(decodeFault(this.#words, 0, newFault()));
    }
    write(REG.EVENTQ_CONS, prod + (raw >= OVERFLOW_FLAG ? OVERFLOW_FLAG : 0));
    return records.length === 0 ? null : records;
  }
}

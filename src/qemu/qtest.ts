/**
 * Qtest: register accesses in batches. Writes and reads are queued; one exchange sends them when a value is needed.
 */
import type { QemuProcess } from './process.js';

const LETTER = { 1: 'b', 2: 'w', 4: 'l', 8: 'q' } as const;

export class Qtest {
  readonly #process: Pick<QemuProcess, 'exchange'>;
  #queued = '';
  #count = 0;
  /** The replies of the last flush; the first one answers the command number `#first`. */
  #replies: readonly string[] = [];
  #first = 0;

  constructor(process: Pick<QemuProcess, 'exchange'>) {
    this.#process = process;
  }

  write(width: 1 | 2 | 4 | 8, address: number, value: number): void {
    this.line(`write${LETTER[width]} 0x${address.toString(16)} 0x${value.toString(16)}`);
  }

  /** A ticket for `value`, good until the next flush after the one that fetches it. */
  read(width: 1 | 2 | 4, address: number): number {
    this.line(`read${LETTER[width]} 0x${address.toString(16)}`);
    return this.#first + this.#replies.length + this.#count - 1;
  }

  /** Any command that is answered with OK. */
  line(text: string): void {
    this.#queued += `${text}\n`;
    this.#count += 1;
  }

  flush(): void {
    if (this.#count === 0) return;
    const text = this.#queued;
    const count = this.#count;
    this.#first += this.#replies.length;
    this.#replies = [];
    this.#queued = '';
    this.#count = 0;
    this.#replies = this.#process.exchange(text, count);
  }

  value(ticket: number): number {
    if (ticket >= this.#first + this.#replies.length) this.flush();
    const reply = this.#replies[ticket - this.#first];
    if (reply === undefined) throw new RangeError('the value of this ticket was not kept: it belongs to another flush');
    const value = Number(reply.slice(3));
    if (!reply.startsWith('OK ') || Number.isNaN(value)) throw new Error(`not a value: ${reply}`);
    return value;
  }
}

/**
 * Published: the commands that were published and that QEMU has not heard of yet, as they stood in the queue when PROD was written. An
 * SMMU may take one that is overwritten afterwards either way (IHI 0070 §3.21.2); QEMU is made to take it as it was.
 */
import { POW2 } from '../spec/bits.js';
import { queueAddress, queueIndex, queueLog2, queueNext, queuePointer } from '../spec/register.js';
import { WORDS_PER_FRAME, type Memory } from '../memory/memory.js';

const ENTRY_BYTES = 16;

interface Entry {
  /** Memory reference of its first word. */
  readonly ref: number;
  readonly words: readonly number[];
}

export class Published {
  /** Byte address of the queue. */
  base = 0;
  #entries: Entry[] = [];

  clear(): void {
    this.#entries.length = 0;
  }

  /** Commands from one PROD up to another, of the queue that a CMDQ_BASE value names. */
  publish(memory: Memory, queue: { readonly base: number; readonly log2Max: number }, from: number, to: number): void {
    const log2 = queueLog2(queue.base, queue.log2Max);
    this.base = queueAddress(queue.base, log2, ENTRY_BYTES);
    const turn = POW2[log2 + 1] as number;
    const end = queuePointer(to) % turn;
    for (let at = queuePointer(from) % turn; at !== end; at = queueNext(at, log2)) {
      const address = this.base + queueIndex(at, log2) * ENTRY_BYTES;
      const slot = memory.slotOf(Math.floor(address / 4096));
      if (slot < 0) continue;
      const ref = slot * WORDS_PER_FRAME + (address % 4096) / 8;
      this.#entries.push({ ref, words: wordsAt(memory, ref) });
    }
  }

  /** Is one of them another now? */
  altered(memory: Memory): boolean {
    return this.#entries.some((e) => wordsAt(memory, e.ref).some((w, i) => w !== e.words[i]));
  }
}

function wordsAt(memory: Memory, ref: number): number[] {
  return [memory.lo[ref] as number, memory.hi[ref] as number, memory.lo[ref + 1] as number, memory.hi[ref + 1] as number];
}

/**
 * Progress on stderr: one line rewritten in place on a terminal; otherwise a line at 1, 2, 5, 10, 20 and 50 seconds and
 * then every minute.
 */

const SPARSE: readonly number[] = [1000, 2000, 5000, 10_000, 20_000, 50_000];
const MINUTE = 60_000;
const REDRAW = 200;

/** The moment after `elapsed` at which the next line of a log is due, in milliseconds. */
export function nextSparse(elapsed: number): number {
  return SPARSE.find((at) => at > elapsed) ?? (Math.floor(elapsed / MINUTE) + 1) * MINUTE;
}

export class ProgressLine {
  readonly #terminal: boolean;
  readonly #write: (text: string) => void;
  #next: number;
  #shown = false;

  constructor(stream: { readonly isTTY?: boolean; write(text: string): unknown }) {
    this.#terminal = stream.isTTY === true;
    this.#write = (text) => { stream.write(text); };
    this.#next = this.#terminal ? REDRAW : nextSparse(0);
  }

  /** Shows the line if one is due `elapsed` ms after the start; `line` is only asked then. */
  update(elapsed: number, line: () => string): void {
    if (elapsed < this.#next) return;
    this.#next = this.#terminal ? elapsed + REDRAW : nextSparse(elapsed);
    this.#write(this.#terminal ? `\r\u001b[2K${line()}` : `${line()}\n`);
    this.#shown = true;
  }

  /** Takes the rewritten line off the terminal. */
  clear(): void {
    if (this.#terminal && this.#shown) this.#write('\r\u001b[2K');
    this.#shown = false;
  }
}

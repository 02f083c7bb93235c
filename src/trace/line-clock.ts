/** Line clock: while a finding is being explained, at which line a moment of the machine's clock lies. */
export class LineClock {
  readonly #times: { readonly time: number; readonly line: number }[] = [];

  /** A line begins. */
  begins(time: number, line: number): void {
    if (this.#times[this.#times.length - 1]?.time === time) this.#times.pop();
    this.#times.push({ time, line });
  }

  /** The line at which a moment lies, in words. */
  at(time: number): string {
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle] as { time: number }).time < time) low = middle + 1; else high = middle;
    }
    const found = this.#times[low - 1];
    return found === undefined ? 'an earlier line' : `line ${found.line}`;
  }
}

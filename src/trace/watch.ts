/**
 * Watch: while a finding is being explained, the lines that concern its fact: the call and the store that took it away, every command since and what it
 * does to the fact, and the SYNCs. Oldest first; a new beginning forgets what came before it.
 */
import { describeCommand, OP, type Command } from '../spec/command.js';
import { names, whyNot } from '../lockstep/place.js';
import type { FactPlace } from '../stack/violation.js';

const SHOWN = 8;

export interface Step {
  readonly line: number;
  readonly text: string;
}

export class Watch {
  readonly place: FactPlace;
  #steps: Step[] = [];
  #hiddenCommands = 0;
  #commands = 0;
  #syncs = 0;
  line = 0;
  /** The line in words, made only when it is needed. */
  text: () => string = () => '';
  /** The call that this CPU is in. */
  call: Step | null = null;

  constructor(place: FactPlace) {
    this.place = place;
  }

  /** The fact stopped being what memory says. */
  began(what: string): void {
    this.#steps = this.call === null ? [] : [this.call];
    this.#steps.push({ line: this.line, text: `${this.text()}: ${what}` });
    this.#hiddenCommands = 0;
    this.#commands = 0;
    this.#syncs = 0;
  }

  overlaps(asid: number, va: number, frames: number): boolean {
    const frame = this.place.frame ?? 0;
    return this.place.asid === asid && va < frame + (this.place.frames ?? 1) && frame < va + frames;
  }

  command(c: Command): void {
    if (c.op === OP.SYNC || c.op === OP.PREFETCH_CONFIG) return;
    this.#commands += 1;
    if (this.#commands > SHOWN) { this.#hiddenCommands += 1; return; }
    this.#steps.push({ line: this.line, text: `${describeCommand(c)}: ${names(c, this.place) ? 'names it' : whyNot(c, this.place)}` });
  }

  synced(): void {
    this.#syncs += 1;
  }

  story(): { readonly steps: readonly Step[]; readonly rest: string } {
    const rest = this.#commands === 0 ? 'no command went to the SMMU since'
      : `${this.#hiddenCommands > 0 ? `… and ${this.#hiddenCommands} more commands; ` : ''}${this.#syncs === 0 ? 'no CMD_SYNC completed since, so nothing is retired' : `${this.#syncs} CMD_SYNC completed since, and none of them retires it`}`;
    return { steps: this.#steps, rest };
  }
}

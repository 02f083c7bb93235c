/** The stage-1 machine as the judge asks it (weakest.ts). */
import { effectVerdict } from '../spec/command-verdict.js';
import { commandName, describeCommand, type Command } from '../spec/command.js';
import { EVENT } from '../spec/event.js';
import type { Features } from '../spec/features.js';
import { cdGranule } from '../spec/cd.js';
import type { ScatteredMemory } from '../memory/scattered.js';
import type { Regime } from '../reference/stage1/facts.js';
import { Stage1Reference } from '../reference/stage1/machine.js';
import type { Stage1Features } from '../stack/machine.js';
import type { Outcome } from '../stack/outcome.js';
import { violate } from '../stack/violation.js';
import type { SmmuConfig } from '../stack/world.js';
import { Stage1Duties } from './duties.js';
import type { Asked, Duties, Heard, Pending, Setting, Start, User, Weakest } from './weakest.js';

const PAGE = 4096;
const REASONS = 4;

export class Stage1Weakest implements Weakest {
  readonly reference: Stage1Reference;
  readonly #memory: ScatteredMemory;

  readonly #all: Features;

  /** `all`: what the recorded SMMU has, of which `features` are those that this machine asks about. */
  constructor(memory: ScatteredMemory, config: SmmuConfig, features: Stage1Features, all: Features) {
    this.#memory = memory;
    this.#all = all;
    this.reference = new Stage1Reference(memory, config, features);
    this.listen(null);
  }

  /** A StreamID or SubstreamID that this SMMU does not have: the machine has no names for such commands (§4.1.7). */
  #named(c: Command): void {
    const { verdict, why } = effectVerdict(c, this.#all);
    if (verdict === 'ineffective') violate({ rule: 'illegal-command', cause: `${commandName(c.op) ?? ''}: ${why}`, expected: 'a legal command', actual: `${describeCommand(c)}: ${why}`, because: [] });
  }

  writeRegister(offset: number, value: number): void { this.reference.writeRegister(offset, value); }

  observe(cons: number): void { this.reference.queue.observe(cons); }

  complete(K: readonly Pending[]): void { this.reference.synced(K); }

  listen(to: Heard | null): void {
    this.reference.listener = { commandSeen: (c) => { this.#named(c); to?.commandSeen(c); }, synced: (covered) => { to?.synced(covered); } };
  }

  streamAt(pa: number): number {
    const slot = this.#memory.knownSlot(Math.floor(pa / PAGE));
    return slot < 0 ? -1 : this.reference.configuration.streamAt(slot, (pa % PAGE) / 8);
  }

  usersOfCd(pa: number): readonly User[] {
    const slot = this.#memory.knownSlot(Math.floor(pa / PAGE));
    const ref = slot * 512 + (pa % PAGE) / 8;
    const cds = slot < 0 ? [] : this.reference.configuration.cdsIn(slot);
    return [...new Set(cds.filter((cd) => cd.ref === ref).map((cd) => cd.sid))].map((sid) => ({ sid, ssid: 0 }));
  }

  steStored(): void { /* without ATS nothing but the STE itself changes */ }

  /** A recorded access may have been a write. */
  permits(a: Asked, outcome: Outcome): boolean { return [false, true].some((write) => this.reference.permits(a.sid, a.frame, write, outcome)); }

  reasons(a: Asked): string[] {
    const texts: string[] = [];
    this.reference.permitted(a.sid, a.frame, false, (o, why) => {
      texts.push(`${o.kind === 0 ? `0x${(o.frame * PAGE).toString(16)}` : o.kind === 1 ? Object.keys(EVENT).find((k) => EVENT[k as keyof typeof EVENT] === o.event) ?? 'a fault' : 'abort'} (${why})`);
      return texts.length >= REASONS;
    });
    return texts;
  }

  #of(sid: number): Regime[] {
    return this.reference.regimes.filter((r) => r.supports.some((s) => s.ste.sid === sid));
  }

  lives(u: User): number[] {
    return this.#of(u.sid).filter((r) => r.domain >= 0).map((r) => r.domain);
  }

  start(sid: number): Start | null {
    const r = this.#of(sid)[0];
    const words = r?.supports[0]?.cd.words;
    return r === undefined || words === undefined ? null : { tg: cdGranule(words, 0) === 0 ? 12 : cdGranule(words, 0), level: r.startLevel };
  }

  duties(s: Setting): Duties { return new Stage1Duties(this.reference, s); }
}

/**
 * The whole machine as the judge asks it (weakest.ts): reference/machine with the features of the recorded ID registers. Whose tables a regime walks is said by
 * the attach, and for a domain that is never attached by itself (the parent of a nested one) by who stores to its root. ATS at the endpoint is not
 * recorded: an STE with EATS stands for it, since a driver switches both on and off together (EATS first on, last off).
 */
import { getField } from '../spec/bits.js';
import type { Command, CommandVerdict } from '../spec/command.js';
import { commandName, describeCommand, OP } from '../spec/command.js';
import { EVENT } from '../spec/event.js';
import type { Features } from '../spec/features.js';
import { S1DSS_BYPASS, S1DSS_SSID0, STE, steCdMax } from '../spec/ste.js';
import { newTableContext, stage1Context, stage2Context } from '../spec/tables.js';
import type { ScatteredMemory } from '../memory/scattered.js';
import { regimeKey, stage1Tag, type CdVector, type SteVector } from '../reference/machine/contexts.js';
import type { Regime } from '../reference/machine/facts.js';
import { ReferenceMachine, UNKNOWN_FRAME } from '../reference/machine/machine.js';
import { OUTCOME_ABORT, OUTCOME_FAULT, OUTCOME_OK, type Outcome } from '../stack/outcome.js';
import { newTransaction, WORLD_EL1, type Answer, type Transaction } from '../stack/transaction.js';
import { Unmodelled, violate } from '../stack/violation.js';
import type { Life } from './intent.js';
import type { Lives } from './lives.js';
import { WholeDuties } from './whole-duties.js';
import type { Asked, Duties, Heard, Pending, Setting, Start, User, Wanted, Weakest } from './weakest.js';

const PAGE = 4096;
const REASONS = 4;
const TLB_ENTRIES = 64;
const KINDS = [false, true].flatMap((write) => [false, true].flatMap((privileged) => (write ? [false] : [false, true]).map((instruction) => ({ write, privileged, instruction }))));

/** What the recorded SMMU has and the machine does not. */
export interface Beyond {
  readonly pri: boolean;
  readonly stall: boolean;
}

/** How a stream reaches a domain's tables: by its own addresses, or with those of a guest in between. */
export type Use = 'address' | 'through a guest';

export class WholeWeakest implements Weakest {
  readonly machine: ReferenceMachine;
  readonly #features: Features;
  readonly #beyond: Beyond;
  readonly #bound = new WeakMap<Regime, Life>();
  #lives: Lives | null = null;
  #heard: Heard | null = null;

  constructor(memory: ScatteredMemory, features: Features, beyond: Beyond) {
    this.#features = features;
    this.#beyond = beyond;
    this.machine = new ReferenceMachine(memory, { features, tlbEntries: TLB_ENTRIES, mergeRuns: false, strictReserved: true });
    this.machine.judged = true;
    this.machine.listener = {
      commandSeen: (_, command, verdict) => { this.#seen(command, verdict); },
      synced: (_, covered) => { this.#heard?.synced(covered); },
      conflict: () => undefined,
    };
  }

  #seen(c: Command, v: CommandVerdict): void {
    const foreign = c.op === OP.PRI_RESP ? this.#beyond.pri : (c.op === OP.RESUME || c.op === OP.STALL_TERM) && this.#beyond.stall;
    if (foreign) throw new Unmodelled(`command ${commandName(c.op) ?? ''} (page requests and stalls)`);
    if (v.verdict !== 'legal') {
      violate({ rule: 'illegal-command', cause: `${commandName(c.op) ?? `opcode 0x${c.op.toString(16)}`}: ${v.why}`, expected: 'a legal command', actual: `${describeCommand(c)}: ${v.why}`, because: [] });
    }
    this.#heard?.commandSeen(c);
  }

  writeRegister(offset: number, value: number): void { this.machine.writeRegister(offset, value); }

  observe(cons: number): void { this.machine.observe(0, cons); }

  complete(K: readonly Pending[]): void { this.machine.complete(K); }

  listen(to: Heard | null): void { this.#heard = to; }

  streamAt(pa: number): number {
    for (const a of this.machine.contexts.store.arrays) {
      if (a.kind === 'ste' && a.open && pa >= a.address && pa < a.address + a.count * a.stride) return a.first + Math.floor((pa - a.address) / a.stride);
    }
    return -1;
  }

  usersOfCd(pa: number): readonly User[] {
    const out = new Map<string, User>();
    for (const a of this.machine.contexts.store.arrays) {
      if (a.kind !== 'cd' || pa < a.address || pa >= a.address + a.count * a.stride) continue;
      const u = { sid: a.sid, ssid: a.first + Math.floor((pa - a.address) / a.stride) };
      out.set(`${u.sid} ${u.ssid}`, u);
    }
    return [...out.values()];
  }

  steStored(sid: number, words: Uint32Array): void {
    if (sid < 0 || !this.#features.ats) return;
    const on = getField(words, STE.EATS) !== 0;
    if (on !== this.machine.atc.endpoint(sid).ats) this.machine.setEndpoint(sid, on, true);
  }

  #transaction(a: Asked): Transaction {
    return { ...newTransaction(), sid: a.sid, ssid: a.ssid, frame: a.frame };
  }

  /** A recorded access may have been a write, privileged or a fetch: one of them must fit. */
  permits(a: Asked, o: Outcome): boolean {
    const fits = (w: Answer): boolean => (w.kind === OUTCOME_OK ? o.kind === OUTCOME_OK && (w.frame === o.frame || w.frame === UNKNOWN_FRAME)
      : w.kind === OUTCOME_FAULT ? o.kind === OUTCOME_FAULT && w.event === o.event : w.kind === OUTCOME_ABORT && o.kind === OUTCOME_ABORT);
    const t = this.#transaction(a);
    return KINDS.some((kind) => this.machine.permitted('access', { ...t, ...kind }, fits));
  }

  reasons(a: Asked): string[] {
    const texts: string[] = [];
    this.machine.permitted('access', this.#transaction(a), (w, why) => {
      const what = w.kind === OUTCOME_OK ? `0x${(w.frame * PAGE).toString(16)}` : w.kind === OUTCOME_FAULT ? Object.keys(EVENT).find((k) => EVENT[k as keyof typeof EVENT] === w.event) ?? 'a fault' : 'abort';
      texts.push(`${what} (${why})`);
      return texts.length >= REASONS;
    });
    return texts;
  }

  // ---- Whose tables

  bind(r: Regime, life: Life): void { this.#bound.set(r, life); }

  /** The life whose tables the regime walks; undefined: not known, or over. */
  ownerOf(r: Regime): Life | undefined {
    const life = this.#bound.get(r) ?? (r.half === 0 && !r.nested ? this.#lives?.storedTo(r.context.rootFrame) : undefined);
    return life?.alive === true ? life : undefined;
  }

  stage1Regime(ste: SteVector, cd: CdVector, half: 0 | 1): Regime | undefined {
    const context = stage1Context(cd.words, 0, half, this.#features, newTableContext());
    const key = regimeKey(stage1Tag(ste, cd, half), context);
    return context.disabled ? undefined : this.machine.tables.regimes.find((r) => r.key === key);
  }

  stage2Regime(ste: SteVector): Regime | undefined {
    const key = regimeKey({ world: WORLD_EL1, vmid: ste.vmid, asid: -1, stage: 2, nested: false, half: 0 }, stage2Context(ste.words, 0, this.#features, newTableContext()));
    return this.machine.tables.regimes.find((r) => r.key === key);
  }

  /** What an STE makes of traffic without a PASID. */
  effect(ste: SteVector): Wanted | 'illegal' {
    switch (ste.action) {
      case 'illegal': case 'abort': case 'bypass': return ste.action;
      case 'stage2': case 'nested': return 'translate';
      case 'stage1': {
        if (steCdMax(ste.words, 0, this.#features) === 0) return 'translate';
        const dss = getField(ste.words, STE.S1DSS);
        return dss === S1DSS_SSID0 ? 'translate' : dss === S1DSS_BYPASS ? 'bypass' : 'abort';
      }
    }
  }

  /** The regimes by which an access of the user may go, and how. */
  regimesOf(u: User): { readonly regime: Regime; readonly use: Use }[] {
    const out: { regime: Regime; use: Use }[] = [];
    const put = (regime: Regime | undefined, use: Use): void => { if (regime !== undefined) out.push({ regime, use }); };
    for (const ste of this.machine.contexts.steVectors(u.sid)) {
      if (ste.action === 'stage2' || ste.action === 'nested') put(this.stage2Regime(ste), ste.action === 'nested' ? 'through a guest' : 'address');
      if (ste.action !== 'stage1' || (u.ssid < 0 && this.effect(ste) !== 'translate')) continue;
      for (const cd of this.machine.contexts.cdVectors(u.sid, Math.max(0, u.ssid))) put(this.stage1Regime(ste, cd, 0), 'address');
    }
    return out;
  }

  lives(u: User): number[] {
    return this.regimesOf(u).flatMap(({ regime, use }) => (use === 'address' ? this.ownerOf(regime)?.number ?? [] : []));
  }

  start(sid: number): Start | null {
    const r = this.regimesOf({ sid, ssid: -1 }).find((x) => x.use === 'address')?.regime;
    return r === undefined ? null : { tg: r.context.tg, level: r.context.startLevel };
  }

  duties(s: Setting): Duties {
    this.#lives = s.lives;
    return new WholeDuties(this, s);
  }
}

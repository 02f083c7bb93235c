/**
 * Twins: the two whole machines that a machine sequence drives: what the runner needs of the weakest legal SMMU, and
 * how both are made. Another concrete SMMU can stand in the optimised machine's place.
 */
import type { Command, CommandVerdict } from '../spec/command.js';
import type { FaultRecord } from '../spec/event.js';
import type { Memory } from '../memory/memory.js';
import { OptimisedMachine } from '../optimised/machine/machine.js';
import { ReferenceMachine } from '../reference/machine/machine.js';
import type { RegisterPort } from '../stack/machine.js';
import type { MachineConfig } from '../stack/machine-world.js';
import type { Answer, CachedEntry, Transaction, WholeMachine } from '../stack/transaction.js';

/** Untranslated traffic, ATS Translation Requests, and what an endpoint may send through its ATC. */
export type TransactionKind = 'access' | 'ats-request' | 'translated';

/** What the weakest machine tells the rules. */
export interface WeakestListener {
  /** A command is visible to the SMMU. */
  commandSeen(queue: number, command: Command, verdict: CommandVerdict): void;
  synced(queue: number, covered: readonly unknown[]): void;
  /** Break-before-make was not kept. */
  conflict(what: string, facts?: readonly unknown[]): void;
}

/** The weakest legal SMMU, as far as the runner asks it. It hears of every store by itself. */
export interface WeakestMachine extends RegisterPort {
  /** Is software storing right now? */
  software: boolean;
  /** Is software held to the rules about PROD and published entries? */
  judged: boolean;
  listener: WeakestListener | null;
  setEndpoint(sid: number, ats: boolean, responds: boolean): void;
  /** Software saw this CONS (RD, wrap bit included) of a queue: SYNCs before it complete now. */
  observe(queue: number, cons: number): void;
  /** CONS at its furthest, and the error code that it must show there (0: none). */
  consOf(queue: number): { readonly cons: number; readonly error: number };
  /** Visits what may be answered until `visit` says true; was it stopped? */
  permitted(kind: TransactionKind, t: Transaction, visit: (a: Answer, reason: string, facts?: readonly unknown[]) => boolean): boolean;
  /** May this be cached now? */
  holds(e: CachedEntry): boolean;
  /** A fact that points to this page, in words: it starts with "table" for a table descriptor. */
  pointsTo(slot: number): string | null;
  /** May the SMMU itself change this word so (access flag and dirty state, §3.13)? */
  mayUpdate(ref: number, old: readonly [number, number], now: readonly [number, number]): boolean;
  /** From now on keep what telling needs. A machine that cannot tell leaves out all of these. */
  remember?(): void;
  /** Why what rests on these facts (of `permitted`, `pointerFacts`, `conflict`) can still be used; `op` names the operation of a moment; remedies end what rests on `also` as well. */
  tell?(facts: readonly unknown[], op: (time: number) => string, also?: readonly unknown[]): { readonly lines: readonly string[]; readonly remedies: readonly (readonly Command[])[] };
  /** What comes nearest to an entry, or an answer, that is not allowed. */
  tellEntry?(e: CachedEntry, op: (time: number) => string): readonly string[];
  tellAnswer?(t: Transaction, a: Answer, op: (time: number) => string): readonly string[];
  /** The facts behind what `pointsTo` says. */
  pointerFacts?(slot: number): readonly unknown[];
}

/** How far what is seen of a concrete machine tells its answers apart. Without one, everything is seen. */
export interface Likeness {
  /** Of the machine, in causes: what it does wrong is told in its name. */
  readonly name: string;
  /** Can this be what is seen when the answer is the permitted one? */
  answer(permitted: Answer, seen: Answer): boolean;
  /** Does a record say what the answer says, as far as it means something? One answer may leave its record several times. */
  record(r: FaultRecord, t: Transaction, seen: Answer): boolean;
}

export interface Twins {
  readonly likeness?: Likeness;
  /** Looking costs much: what a single command came to is looked at only when something else happens. */
  readonly seldom?: boolean;
  /** May event records come as late as the next CMD_SYNC? Otherwise each must be there when its transaction ends. */
  readonly lateEvents?: boolean;
  weakest(memory: Memory, config: MachineConfig): WeakestMachine;
  concrete(memory: Memory, config: MachineConfig): WholeMachine;
}

export const OWN_TWINS: Twins = {
  weakest: (memory, config) => new ReferenceMachine(memory, config),
  concrete: (memory, config) => new OptimisedMachine(memory, config),
};

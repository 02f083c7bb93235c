/**
 * Weakest: what the judge asks of the weakest legal machine, whichever of the two stands there.
 *
 *   stage1   reference/stage1: stage 1 of 4K granules at EL1 without substreams and ATS, for long recordings; it says itself what it does not model
 *   whole    reference/machine: all granules, both stages, EL2, substreams, ATS; every fact is listed, so it is slower
 *
 * A recording is judged on the first, because nearly every one fits it and it costs a tenth. At the first line that it does not model it throws
 * NeedsWhole, and the recording is judged from its beginning on the second (run.ts): what was cached before that line must be known there too. So no
 * line has to be looked at in advance, and the whole machine decides everything or nothing.
 */
import type { Command } from '../spec/command.js';
import type { Ledger } from '../rules/ledger.js';
import type { Outcome } from '../stack/outcome.js';
import { Unmodelled, type FactPlace, type RuleId } from '../stack/violation.js';
import type { Life } from './intent.js';
import type { Dirty, Lives, Touched } from './lives.js';
import type { Origin } from './types.js';
import type { Watch } from './watch.js';

export type MachineKind = 'stage1' | 'whole';

/** The stage-1 machine does not model it, the whole one does. */
export class NeedsWhole extends Unmodelled {}

/** A command that a SYNC covers; `visible`: the earliest moment at which it may take effect. */
export interface Pending {
  readonly command: Command;
  readonly visible: number;
}

/** What a machine tells those who listen. */
export interface Heard {
  commandSeen(c: Command): void;
  synced(covered: readonly Pending[]): void;
}

/** Who may fetch a structure: a stream, and the CD index (-1: its STE). */
export interface User {
  readonly sid: number;
  readonly ssid: number;
}

export interface Asked extends User {
  /** 4 KiB frame of the input address. */
  readonly frame: number;
}

/** Where the walks of a stream begin. */
export interface Start {
  readonly tg: number;
  readonly level: number;
}

export interface Weakest {
  writeRegister(offset: number, value: number): void;
  /** Software reads CONS. */
  observe(cons: number): void;
  /** Commands that the driver did not issue, covered by one SYNC. */
  complete(K: readonly Pending[]): void;
  listen(to: Heard | null): void;
  /** The stream whose STE is at this byte address, or -1. */
  streamAt(pa: number): number;
  /** Who may fetch the CD at this byte address. */
  usersOfCd(pa: number): readonly User[];
  /** The STE of a stream was stored. */
  steStored(sid: number, words: Uint32Array): void;
  /** May the access end so? */
  permits(a: Asked, outcome: Outcome): boolean;
  /** What it may end in, in words, a few. */
  reasons(a: Asked): string[];
  /** Numbers of the lives whose tables say by themselves where an access of the stream goes. */
  lives(u: User): number[];
  start(sid: number): Start | null;
  duties(s: Setting): Duties;
}

/** A broken promise. */
export interface Breach {
  readonly rule: RuleId;
  readonly cause: string;
  readonly expected: string;
  readonly actual: string;
  readonly place: FactPlace | null;
  readonly from: Origin | null;
  /** Whole machine, while a finding is being explained: why, and the commands that would end it, each list with a CMD_SYNC behind every one. */
  readonly told?: Told;
}

export interface Told {
  readonly lines: readonly string[];
  readonly remedies: readonly (readonly Command[])[];
}

export interface Setting {
  readonly lives: Lives;
  readonly ledger: Ledger;
  readonly watch: Watch | null;
  report(b: Breach): void;
  /** What cannot be decided, once. */
  doubt(why: string): void;
  /** The line of a moment, in words: only while a finding is being explained. */
  readonly lineAt: ((time: number) => string) | null;
}

/** What an attach leads to: `translate` through a domain's tables, or not. */
export type Wanted = 'translate' | 'bypass' | 'abort';

export interface Due {
  /** Null: it does not say. */
  readonly wanted: Wanted | null;
  /** The domain that the call names. */
  readonly life: Life | null;
  /** It is about a PASID, and not about the traffic without one. */
  readonly pasid: boolean;
  /** Is it known when the call returns? Else the commands to the endpoint may still come. */
  readonly returned: boolean;
}

/** The rules, asked at the moments that promise something. */
export interface Duties {
  /** What was taken away in [iova, iova + size) is due. */
  gone(life: Life, iova: number, size: number): void;
  /** The entry writer waited for its SYNC. */
  entries(dirty: Iterable<Dirty>): void;
  /** SMMUEN became 1. */
  reset(): void;
  /** An attach or detach returned. */
  attached(touched: readonly Touched[], due: Due): void;
  /** A table page is given back. */
  freed(slot: number): void;
}

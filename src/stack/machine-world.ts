/**
 * Machine worlds and machine operations: what `fuzz --machine-only` and the corner cases are made of. No driver: raw
 * stores, raw commands, register writes, transactions, and claims of what software believes at that point. Pure data.
 */
import type { Command } from '../spec/command.js';
import type { Features } from '../spec/features.js';
import type { RuleId } from './violation.js';

/** One SMMU and the freedoms that the concrete machine takes. */
export interface MachineConfig {
  readonly features: Features;
  /** TLB entries, a power of two, 4..4096. */
  readonly tlbEntries: number;
  /** Are contiguous runs cached as one entry? */
  readonly mergeRuns: boolean;
  /** Does a non-zero reserved field raise CERROR_ILL, or is it ignored (§4.1.5)? */
  readonly strictReserved: boolean;
}

export interface MachineWorld {
  readonly smmus: readonly MachineConfig[];
  /** Frames of RAM from RAM_BASE on, 16..512. */
  readonly frames: number;
  /**
   * Is software held to the rules about software (illegal-command, queue-integrity, break-before-make)? Random machine
   * sequences are not: there an illegal command is an input like any other.
   */
  readonly judged: boolean;
}

/** One answer that a claim allows: `ok` with any frame unless `pa` (bytes) says which. */
export interface Allowed {
  /** ok, abort, ur, ca, or the name of an event (`F_TRANSLATION`), or any-fault. */
  readonly answer: string;
  readonly pa?: number;
  /** Stage-2 fault? Left out: either. */
  readonly stage2?: boolean;
}

/** Where boot finds its tables; addresses in bytes. */
export interface Boot {
  readonly streams: number;
  readonly streamsLog2: number;
  /** 0: linear; 6, 8 or 10: two-level with that split. */
  readonly split: number;
  readonly commands: number;
  readonly commandsLog2: number;
  readonly events: number;
  readonly eventsLog2: number;
  /** Further command queues: 4 KiB apart from this address on, as many as the SMMU has, of the same size. 0: none. */
  readonly extra: number;
  /** CR2.E2H, CR2.RECINVSID, CR2.REC_CFG_ATS, CR0.ATSCHK, CR0.VMW. */
  readonly e2h: boolean;
  readonly recordUnknown: boolean;
  readonly recordAts: boolean;
  readonly atsChk: boolean;
  readonly vmw: number;
  /** Leave out of the boot sequence (the corner cases about it): names of its steps. */
  readonly skip: readonly ('cfgi-all' | 'tlbi-all' | 'tlbi-el2' | 'enable')[];
}

export interface Where {
  readonly smmu: number;
  readonly sid: number;
  /** -1: none. */
  readonly ssid: number;
  /** Bytes. */
  readonly iova: number;
  readonly write: boolean;
  readonly privileged: boolean;
  readonly instruction: boolean;
}

export type MachineOperation =
  /** A 64-bit store at a byte address. `held`: it stays in the CPU's store buffer until a barrier. */
  | { readonly op: 'store'; readonly at: number; readonly lo: number; readonly hi: number; readonly held: boolean }
  | { readonly op: 'barrier' }
  /** Registers of §3.11 in the recommended order, with CFGI_ALL, TLBI and their SYNCs. */
  | { readonly op: 'boot'; readonly smmu: number; readonly boot: Boot }
  | { readonly op: 'register'; readonly smmu: number; readonly offset: number; readonly value: number }
  /** One command is written to its queue (0: the main one) and published. */
  | { readonly op: 'command'; readonly smmu: number; readonly queue: number; readonly command: Command }
  /** Any 128 bits. */
  | { readonly op: 'raw'; readonly smmu: number; readonly queue: number; readonly words: readonly [number, number, number, number] }
  /** CMD_SYNC, and software waits until it sees CONS behind it (`msi`: until it sees the MSI at this byte address). */
  | { readonly op: 'sync'; readonly smmu: number; readonly queue: number; readonly msi: number }
  /** Software acknowledges a command error in GERRORN; `fix`: it first overwrites the failed entry with a CMD_SYNC. */
  | { readonly op: 'acknowledge'; readonly smmu: number; readonly queue: number; readonly fix: boolean }
  | ({ readonly op: 'access' } & Where)
  | ({ readonly op: 'ats-request' } & Where)
  | ({ readonly op: 'translated' } & Where)
  | { readonly op: 'endpoint'; readonly smmu: number; readonly sid: number; readonly ats: boolean; readonly responds: boolean }
  /** Every cache of the concrete machine loses everything. */
  | { readonly op: 'evict'; readonly smmu: number }
  /** From here on software relies on it: every answer that the weakest machine may give is one of `allow`. */
  | ({ readonly op: 'claim'; readonly rule: RuleId; readonly translated: boolean; readonly allow: readonly Allowed[] } & Where)
  /** Software frees these frames: no fact may point to them. */
  | { readonly op: 'free'; readonly at: number; readonly frames: number };

export const MACHINE_LIMITS = { smmus: 4, frames: 512, operations: 20_000, tlbEntries: 4096 } as const;

/**
 * System: what a world may have beyond stage-1 domains for whole devices (seeds 1 and 3): stage-2 domains and nesting parents, ATS, substreams
 * (PASIDs), processes' address spaces (SVA), vSMMUs with guests behind them. Pure data, stored in cases. Worlds without any of it are run on the fast
 * stage-1 reference; worlds with some of it on the whole weakest machine.
 */
import type { Operation, Result } from './operation.js';
import { OAS, type World } from './world.js';

/** What an SMMU has beyond `SmmuConfig`. All left out: stage 1 only, no ATS, no substreams. */
export interface SystemSmmu {
  /** IDR0.S2P, with nesting. VMIDs of 8 or 16 bits; the driver hands out at most `vmidMax`, at least 1. */
  readonly stage2?: { readonly vmidBits: 8 | 16; readonly vmidMax: number };
  readonly ats?: true;
  /** IDR1.SSIDSIZE: 0..8. */
  readonly ssidBits?: number;
  /** IDR0.CD2L = 0: tables of CDs are linear. Left out: tables of more than 64 CDs have two levels. */
  readonly linearCds?: true;
  /** IDR3.FWB: stage 2 can force the memory attributes, so that a guest cannot defeat coherency. */
  readonly forceWriteBack?: true;
  /** IDR5.OAS in bits; left out: OAS of world.ts. */
  readonly oas?: 40 | 42 | 44 | 48;
  /** IDR0.HTTU = 2. */
  readonly dirty?: true;
}

export interface SystemDevice {
  /** PCI ATS: used whenever its STE can have it. */
  readonly ats?: true;
  /** log2 of the substreams that it uses (PASIDs from 1 on); at most what its SMMU has. */
  readonly ssidBits?: number;
}

export interface SystemDomain {
  /** Left out: stage 1. Stage-2 domains are strict or lazy as others; never sva. */
  readonly stage?: 2;
  /** A stage-2 domain on which vSMMUs may stand. */
  readonly parent?: true;
}

/** A vSMMU, once it is open: the part of an SMMU that a guest sees, over one parent. It owns a VMID. */
export interface VsmmuConfig {
  readonly smmu: number;
  readonly parent: number;
}

/** A world with any of it. `smmus[i]`, `devices[i]`, `domains[i]` go with those of `base`. */
export interface SystemWorld {
  readonly base: World;
  readonly smmus: readonly SystemSmmu[];
  readonly devices: readonly SystemDevice[];
  readonly domains: readonly SystemDomain[];
  readonly vsmmus: readonly VsmmuConfig[];
  /** 4 KiB frames of memory that guests' tables can stand in: PA from GUEST_FRAME on, the same for all guests; who sees which decides stage 2. */
  readonly guestFrames: number;
}

export type SystemOperation =
  | Operation
  /** One substream of a device uses a domain (stage 1, or sva: then the device works on a process's addresses). `ssid` from 1 on. */
  | { readonly op: 'attach-pasid'; readonly device: number; readonly ssid: number; readonly to: number }
  | { readonly op: 'detach-pasid'; readonly device: number; readonly ssid: number }
  /** The process of an sva domain ends: its pages go; attached substreams stay, and fault silently from now on. */
  | { readonly op: 'mm-exit'; readonly domain: number }
  | { readonly op: 'vsmmu-open'; readonly vsmmu: number }
  | { readonly op: 'vsmmu-close'; readonly vsmmu: number }
  /** The guest's STE, words 0 and 1 as uint32 halves, for all streams of the device. */
  | { readonly op: 'attach-nested'; readonly device: number; readonly vsmmu: number; readonly ste: readonly [number, number, number, number] }
  /** Commands of the guest, four uint32 each: consumed up to the first that is refused. */
  | { readonly op: 'guest-commands'; readonly vsmmu: number; readonly words: readonly number[] }
  /** The guest stores a 64-bit word; `ipa` in bytes, translated by the parent at this moment (nothing happens where it is not mapped). */
  | { readonly op: 'guest-store'; readonly vsmmu: number; readonly ipa: number; readonly lo: number; readonly hi: number }
  /** A transaction with a substream, or over ATS: a request, or use of what a request brought. `ssid` -1: none. */
  | { readonly op: 'transact'; readonly device: number; readonly stream: number; readonly ssid: number; readonly iova: number; readonly write: boolean; readonly ats: 'no' | 'request' | 'translated' };

export type SystemError =
  | 'busy' | 'no-substreams' | 'substream-out-of-range' | 'unknown-vsmmu' | 'not-a-parent' | 'vsmmu-closed' | 'vsmmu-open' | 'vsmmu-in-use' | 'ste-rejected' | 'command-rejected' | 'mm-gone' | 'no-mm';

/** One sentence for each refusal: what it means and what to do. */
export const SYSTEM_ERRORS: Readonly<Record<SystemError, string>> = {
  busy: 'the device has substreams in use, which this attachment could not keep: detach them first',
  'no-substreams': 'the device, or its SMMU, has no substreams',
  'substream-out-of-range': 'substreams are numbered from 1 to what the device and its SMMU have',
  'unknown-vsmmu': 'the world has no vSMMU of that number',
  'not-a-parent': 'a vSMMU needs a stage-2 domain that was made as a nesting parent',
  'vsmmu-closed': 'the vSMMU is not open',
  'vsmmu-open': 'the vSMMU is open already',
  'vsmmu-in-use': 'a device is attached through the vSMMU: detach it first',
  'ste-rejected': 'the guest\'s STE has bits or a configuration that a guest may not have',
  'command-rejected': 'the guest\'s command is not one that a guest may issue: commands before it were issued',
  'mm-gone': 'the process of that domain has ended',
  'no-mm': 'that domain is not the address space of a process: only domains of gather style sva are',
};

export interface SystemResult {
  readonly code: Result | SystemError;
  /** guest-commands: how many commands were issued. */
  readonly consumed?: number;
}

export const SYSTEM_LIMITS = { vsmmus: 8, guestFrames: 64, guestCommands: 256, ssidBits: 8 } as const;

/** Sizes of a domain's tables in bits. */
export interface DomainSizes {
  readonly inputBits: number;
  readonly outputBits: number;
}

/** Stage 2 with a start table of one page: 39 bits from level 1 on, or more from level 0 on, which needs 44 bits of output. */
const ONE_PAGE_BITS = 39;

/**
 * A domain is made for the first SMMU of the world, as a kernel makes it for the first device: its output size is that SMMU's, as far as
 * physical addresses go here. Others must reach as far to share it. Stage 2 takes addresses up to its output size. Start tables put together
 * out of several are not made here: `fuzz --tables-only` has them.
 */
export function domainSizes(world: SystemWorld, domain: number): DomainSizes {
  const outputBits = Math.min(world.smmus[0]?.oas ?? OAS, OAS);
  if (world.domains[domain]?.stage !== 2) return { inputBits: world.base.inputBits, outputBits };
  return { inputBits: world.base.inputBits === ONE_PAGE_BITS || outputBits < OAS ? ONE_PAGE_BITS : outputBits, outputBits };
}

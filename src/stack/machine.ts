/**
 * Machine: what software and devices can do to one SMMU. Both machines have it; another SMMU can stand in
 * the optimised machine's place. Machines read raw words by physical address, never driver objects.
 */
import type { CdFeatures } from '../spec/cd.js';
import type { CommandFeatures } from '../spec/command.js';
import type { SteFeatures } from '../spec/ste.js';
import type { Outcome } from './outcome.js';
import type { MachineConfig } from './machine-world.js';
import type { SystemSmmu } from './system.js';
import { LIMITS, OAS, type SmmuConfig } from './world.js';

/** IDR1.CMDQS and IDR1.EVENTQS. */
const QUEUE_LOG2_MAX = 19;

/** The register interface of an SMMU: offsets of spec/register.ts, values below 2^53. */
export interface RegisterPort {
  writeRegister(offset: number, value: number): void;
  readRegister(offset: number): number;
}

/** A machine that answers with one concrete outcome. */
export interface ConcreteMachine extends RegisterPort {
  /** One access of 4 bytes at `frame` (4 KiB); the answer is written to `out`. A fault leaves an event record. */
  access(sid: number, frame: number, write: boolean, out: Outcome): void;
}

/** Hears what a concrete machine puts into its caches, at the moment it does. Words are uint32 halves. */
export interface InsertListener {
  leafInserted(vmid: number, asid: number, frame: number, level: number, lo: number, hi: number): void;
  tableInserted(vmid: number, asid: number, frame: number, level: number, lo: number, hi: number): void;
  /** `words`: 16 uint32 of the structure from `base`. */
  steInserted(sid: number, words: Uint32Array, base: number): void;
  cdInserted(sid: number, words: Uint32Array, base: number): void;
}

/** What this path's SMMU implements: stage 1 only, AArch64 tables, no substreams, no stall. */
export function commandFeatures(config: SmmuConfig): CommandFeatures {
  return {
    stage1: true, stage2: false, hyp: false, range: config.range, ds: config.ds === true, ats: false, pri: false, stall: false,
    asidBits: config.asidBits, vmidBits: 8,
  };
}

export function steFeatures(): { stage1: boolean; stage2: boolean; ssidBits: number; vmidBits: number; oas: number } {
  return { stage1: true, stage2: false, ssidBits: 0, vmidBits: 8, oas: OAS };
}

export function cdFeatures(config: SmmuConfig): { asidBits: number; oas: number } {
  return { asidBits: config.asidBits, oas: OAS };
}

/** What decides on the stage-1 path which structures and commands are legal. */
export interface Stage1Features {
  readonly command: CommandFeatures;
  readonly ste: SteFeatures;
  readonly cd: CdFeatures;
  readonly twoLevelStreams: boolean;
  /** IDR0.HTTU: what a CD with HA = 1 asks for is then not modelled here, and not illegal. */
  readonly hardwareFlags: boolean;
}

export function stage1Features(config: SmmuConfig): Stage1Features {
  return { command: commandFeatures(config), ste: steFeatures(), cd: cdFeatures(config), twoLevelStreams: false, hardwareFlags: false };
}

/** The same as features of the whole machine, with the freedoms that this path does not use switched off. */
export function machineConfig(config: SmmuConfig): MachineConfig {
  return {
    features: {
      stage1: true, stage2: false, hyp: false, coherent: config.coherent !== false, httu: 0, ats: false, splitAts: true, asidBits: config.asidBits, vmidBits: 8,
      msi: false, sev: false, vmidWildcard: false, twoLevelStreams: false, twoLevelCds: false, sidBits: LIMITS.streamLog2, ssidBits: 0,
      commandLog2: QUEUE_LOG2_MAX, eventLog2: QUEUE_LOG2_MAX, extraQueues: 0, range: config.range, bbml: 2, forceWriteBack: false, smallTables: false,
      oas: OAS, gran4k: true, gran16k: false, gran64k: false, ds: config.ds === true, wideInput: false, forceSync: config.forceSync === true, wholeRunOnly: false, repeatedList: false,
    },
    tlbEntries: config.tlbEntries, mergeRuns: false, strictReserved: true,
  };
}

/** The same for an SMMU that has more than stage 1. */
export function systemMachineConfig(config: SmmuConfig, beyond: SystemSmmu): MachineConfig {
  const plain = machineConfig(config);
  const ssidBits = beyond.ssidBits ?? 0;
  return {
    ...plain,
    features: {
      ...plain.features, stage2: beyond.stage2 !== undefined, vmidBits: beyond.stage2?.vmidBits ?? 8, ats: beyond.ats === true, ssidBits,
      twoLevelCds: ssidBits > 0 && beyond.linearCds !== true, forceWriteBack: beyond.forceWriteBack === true, oas: beyond.oas ?? OAS, httu: beyond.dirty === true ? 2 : 0,
    },
  };
}

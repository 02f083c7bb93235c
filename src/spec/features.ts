/**
 * Features: what one SMMU implements, as software learns it from IDR0, IDR1, IDR3, IDR5 and IIDR (IHI 0070 §6.3.1–6.3.7).
 * Both directions are pure functions: a machine shows the registers of its features, a driver reads features
 * from registers. Errata are features too: of the part numbers that have them, or asked for by name.
 */

/** What the SMMU implements. Sizes in bits. Little-endian, AArch64 tables, no stall, no PRI throughout. */
export interface Features {
  readonly stage1: boolean;
  readonly stage2: boolean;
  /** IDR0.Hyp: EL2 stage-1 contexts, CR2.E2H. */
  readonly hyp: boolean;
  readonly coherent: boolean;
  /** IDR0.HTTU: 0 none, 1 access flag, 2 access flag and dirty state. */
  readonly httu: 0 | 1 | 2;
  readonly ats: boolean;
  /** IDR0.NS1ATS = 0: split-stage ATS (EATS = 2) exists. */
  readonly splitAts: boolean;
  readonly asidBits: 8 | 16;
  readonly vmidBits: 8 | 16;
  readonly msi: boolean;
  readonly sev: boolean;
  /** IDR0.VMW: CR0.VMW wildcards exist. */
  readonly vmidWildcard: boolean;
  /** IDR0.ST_LEVEL: two-level stream tables. */
  readonly twoLevelStreams: boolean;
  /** IDR0.CD2L: two-level CD tables. */
  readonly twoLevelCds: boolean;
  readonly sidBits: number;
  readonly ssidBits: number;
  /** log2 of the largest queues, at most 19. */
  readonly commandLog2: number;
  readonly eventLog2: number;
  /** IDR1.ECMDQ: further command queues; how many this SMMU has (0: none). */
  readonly extraQueues: number;
  /** IDR3.RIL. */
  readonly range: boolean;
  readonly bbml: 0 | 1 | 2;
  /** IDR3.FWB. */
  readonly forceWriteBack: boolean;
  /** IDR3.STT: small translation tables (TxSZ up to 48). */
  readonly smallTables: boolean;
  /** Output address size: 32, 36, 40, 42, 44, 48 or 52. */
  readonly oas: number;
  readonly gran4k: boolean;
  readonly gran16k: boolean;
  readonly gran64k: boolean;
  /** IDR5.DS: 52-bit addresses with 4K and 16K granules. */
  readonly ds: boolean;
  /** IDR5.VAX = 1: 52-bit virtual addresses per TTB. */
  readonly wideInput: boolean;
  /** CMD_SYNC must follow at most 63 commands. */
  readonly forceSync: boolean;
  /** A contiguous run cached as one entry goes only when one range command spans it whole. */
  readonly wholeRunOnly: boolean;
  /** Of two equal invalidation lists in a row, the second has no effect. */
  readonly repeatedList: boolean;
}

/** A large present-day SMMU: what a machine case has unless it says otherwise. */
export const FULL_FEATURES: Features = {
  stage1: true, stage2: true, hyp: true, coherent: true, httu: 2, ats: true, splitAts: true, asidBits: 16, vmidBits: 16,
  msi: true, sev: false, vmidWildcard: true, twoLevelStreams: true, twoLevelCds: true, sidBits: 16, ssidBits: 10,
  commandLog2: 8, eventLog2: 7, extraQueues: 1, range: true, bbml: 2, forceWriteBack: true, smallTables: true, oas: 48,
  gran4k: true, gran16k: true, gran64k: true, ds: false, wideInput: false, forceSync: false, wholeRunOnly: false, repeatedList: false,
};

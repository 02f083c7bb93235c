/**
 * Features: what one SMMU implements, as software learns it from IDR0, IDR1, IDR3, IDR5 and IIDR (IHI 0070 §6.3.1–6.3.7).
 * Both directions are pure functions: a machine shows the registers of its features, a driver reads features
 * from registers. Errata are features too: of the part numbers that have them, or asked for by name.
 */
import { extract, POW2 } from './bits.js';

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

/** Values of the registers from which software learns the features. `idr6` counts further command queues. */
export interface FeatureRegisters {
  readonly idr0: number;
  readonly idr1: number;
  readonly idr3: number;
  readonly idr5: number;
  readonly iidr: number;
  readonly idr6: number;
}

/** Output sizes of IDR5.OAS, 0..6; 7 (56 bits) needs 128-bit descriptors and reads as 52 here. */
const OAS_BITS: readonly number[] = [32, 36, 40, 42, 44, 48, 52, 52];

type Erratum = 'forceSync' | 'wholeRunOnly' | 'repeatedList';
type Errata = Readonly<Partial<Record<Erratum, boolean>>>;

/** One part: IIDR Implementer [11:0] and ProductID [31:20], and the errata that all its revisions have. */
interface Part {
  readonly implementer: number;
  readonly product: number;
  readonly errata: Errata;
}

const ARM = 0x43b;
/** JEP106 identity code 0 is nobody's: the products of this implementer exist only in this table. */
const NOBODY = 0;

/**
 * Errata are properties of parts, not of the architecture: no ID register bit shows them, so a driver keys on IIDR. MMU-700:
 * erratum 2812531 (software must not let 64 commands stand without a CMD_SYNC). The others are known of systems whose
 * IIDR is not public; so that registers can still express them, each combination has a product of NOBODY, with
 * bit 0 forceSync, bit 1 wholeRunOnly, bit 2 repeatedList.
 */
const PARTS: readonly Part[] = [
  { implementer: ARM, product: 0x487, errata: { forceSync: true } },
  { implementer: NOBODY, product: 2, errata: { wholeRunOnly: true } },
  { implementer: NOBODY, product: 3, errata: { forceSync: true, wholeRunOnly: true } },
  { implementer: NOBODY, product: 4, errata: { repeatedList: true } },
  { implementer: NOBODY, product: 5, errata: { forceSync: true, repeatedList: true } },
  { implementer: NOBODY, product: 6, errata: { wholeRunOnly: true, repeatedList: true } },
  { implementer: NOBODY, product: 7, errata: { forceSync: true, wholeRunOnly: true, repeatedList: true } },
];

/** Errata of the part that IIDR names; none of a part that is not in the table. */
function errataOf(iidr: number): Errata {
  const implementer = extract(iidr, 0, 0, 12);
  const product = extract(iidr, 0, 20, 12);
  return PARTS.find((p) => p.implementer === implementer && p.product === product)?.errata ?? {};
}

/** IIDR of a part with exactly these errata; 0 for none. */
function iidrOf(f: Features): number {
  const part = PARTS.find((p) => (p.errata.forceSync === true) === f.forceSync && (p.errata.wholeRunOnly === true) === f.wholeRunOnly
    && (p.errata.repeatedList === true) === f.repeatedList);
  return part === undefined ? 0 : part.product * (POW2[20] as number) + part.implementer;
}

function bit(register: number, at: number): boolean {
  return extract(register, 0, at, 1) !== 0;
}

/**
 * Features from the ID registers (§6.3.1 IDR0, §6.3.2 IDR1, §6.3.4 IDR3, §6.3.6 IDR5, §6.3.7 IIDR). What is not modelled reads as absent:
 * HTTU = 3 as 2, VAX = 2 as 1, queues of more than 2^19 entries as 2^19. `idr6` 0 means one further queue when IDR1.ECMDQ is set.
 */
export function featuresOf(idr0: number, idr1: number, idr3: number, idr5: number, iidr: number, idr6 = 0): Features {
  const httu = Math.min(extract(idr0, 0, 6, 2), 2) as 0 | 1 | 2;
  const bbml = Math.min(extract(idr3, 0, 11, 2), 2) as 0 | 1 | 2;
  const errata = errataOf(iidr);
  return {
    stage1: bit(idr0, 1), stage2: bit(idr0, 0), hyp: bit(idr0, 9), coherent: bit(idr0, 4), httu,
    ats: bit(idr0, 10), splitAts: !bit(idr0, 11), asidBits: bit(idr0, 12) ? 16 : 8, vmidBits: bit(idr0, 18) ? 16 : 8,
    msi: bit(idr0, 13), sev: bit(idr0, 14), vmidWildcard: bit(idr0, 17),
    twoLevelStreams: extract(idr0, 0, 27, 2) === 1, twoLevelCds: bit(idr0, 19),
    sidBits: Math.min(extract(idr1, 0, 0, 6), 32), ssidBits: Math.min(extract(idr1, 0, 6, 5), 20),
    commandLog2: Math.min(extract(idr1, 0, 21, 5), 19), eventLog2: Math.min(extract(idr1, 0, 16, 5), 19),
    extraQueues: bit(idr1, 31) ? (POW2[extract(idr6, 0, 24, 4) + extract(idr6, 0, 16, 4)] as number) : 0,
    range: bit(idr3, 10), bbml, forceWriteBack: bit(idr3, 8), smallTables: bit(idr3, 9),
    oas: OAS_BITS[extract(idr5, 0, 0, 3)] as number,
    gran4k: bit(idr5, 4), gran16k: bit(idr5, 5), gran64k: bit(idr5, 6), ds: bit(idr5, 7), wideInput: extract(idr5, 0, 10, 2) !== 0,
    forceSync: errata.forceSync === true, wholeRunOnly: errata.wholeRunOnly === true, repeatedList: errata.repeatedList === true,
  };
}

/**
 * The ID registers of an SMMU with these features. Fixed for every model: IDR0.TTF = 2 (AArch64 tables), TTENDIAN = 2 (little-endian),
 * STALL_MODEL = 1, TERM_MODEL = 1; IDR3.HAD = 1. Throws a RangeError when the number of further queues is not a power of two,
 * because IDR6 cannot say it.
 */
export function registersOf(f: Features): FeatureRegisters {
  const queuesLog2 = POW2.indexOf(f.extraQueues);
  if (f.extraQueues !== 0 && (queuesLog2 < 0 || queuesLog2 > 8)) throw new RangeError(`${f.extraQueues} further queues: not a power of two up to 256`);
  const oas = OAS_BITS.indexOf(f.oas);
  if (oas < 0) throw new RangeError(`an output size of ${f.oas} bits has no encoding`);
  return {
    idr0: word([f.stage2, 0], [f.stage1, 1], [2, 2], [f.coherent, 4], [f.httu, 6], [f.hyp, 9], [f.ats, 10], [!f.splitAts, 11], [f.asidBits === 16, 12],
      [f.msi, 13], [f.sev, 14], [f.vmidWildcard, 17], [f.vmidBits === 16, 18], [f.twoLevelCds, 19], [2, 21], [1, 24], [1, 26], [f.twoLevelStreams, 27]),
    idr1: word([f.sidBits, 0], [f.ssidBits, 6], [f.eventLog2, 16], [f.commandLog2, 21], [f.extraQueues !== 0, 31]),
    idr3: word([1, 2], [f.forceWriteBack, 8], [f.smallTables, 9], [f.range, 10], [f.bbml, 11]),
    idr5: word([oas, 0], [f.gran4k, 4], [f.gran16k, 5], [f.gran64k, 6], [f.ds, 7], [f.wideInput, 10]),
    iidr: iidrOf(f),
    idr6: f.extraQueues === 0 ? 0 : word([queuesLog2, 16]),
  };
}

/** A register from [value, lowest bit] pairs. */
function word(...fields: readonly (readonly [number | boolean, number])[]): number {
  return fields.reduce((sum, [value, shift]) => sum + Number(value) * (POW2[shift] as number), 0);
}

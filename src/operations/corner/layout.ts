/**
 * Layout: where the corner cases keep their structures, and how the structures are written: stream table entries (IHI 0070
 * §5.2), context descriptors (§5.4), level-1 descriptors (§5.1, §5.3) and translation table descriptors. One small RAM for all.
 */
import { RAM_BASE } from '../../memory/memory.js';
import { setField, type Field } from '../../spec/bits.js';
import { CD } from '../../spec/cd.js';
import { BIT_AF, BIT_NG, BIT_READ_ONLY, BIT_UNPRIVILEGED, HI_CONTIGUOUS, HI_DBM, SH_INNER } from '../../spec/descriptor.js';
import { STE } from '../../spec/ste.js';

/** A 64-bit word. */
export interface Word {
  readonly lo: number;
  readonly hi: number;
}

export const PAGE = 4096;
const TWO32 = 2 ** 32;

/** Frames of RAM. */
export const FRAMES = 32;

/** Byte address of a page of RAM. */
export function page(n: number): number {
  return (RAM_BASE + n) * PAGE;
}

/** Command and event queue of SMMU 0 and 1, one page each; the extra command queues. */
export const QUEUES = [page(0), page(1)] as const;
export const EVENTS_AT = 0x800;
export const QUEUE_LOG2 = 5;
export const EXTRA_QUEUE = page(2);

/** Linear stream table of 16 entries; level-1 stream table; two level-2 stream tables (or a second linear table). */
export const STREAMS = page(3);
export const STREAMS_LOG2 = 4;
export const LEVEL1_STREAMS = page(3) + 0x800;
export const LEVEL2_STREAMS = [page(4), page(5)] as const;
export const OTHER_STREAMS = page(4);

/** CDs, 64 to a page; level-1 CD table; level-2 CD tables of 64 CDs. */
export const CDS = page(6);
export const OTHER_CDS = page(7);
export const LEVEL1_CDS = page(8);
export const LEVEL2_CDS = [page(9), page(10)] as const;

/** One way through three levels (1, 2, 3) of a 39-bit table with 4K granules. */
export interface Tables {
  readonly root: number;
  readonly middle: number;
  readonly last: number;
}

export const TABLE_A: Tables = { root: page(11), middle: page(12), last: page(13) };
export const TABLE_B: Tables = { root: page(14), middle: page(15), last: page(16) };
/** Stage 2. */
export const HOST: Tables = { root: page(17), middle: page(18), last: page(19) };
/** A table of 16 KB, or two of 4 KB that stand side by side. */
export const LARGE_TABLE = page(20);
/** Pages that the cases use as they like. */
export const SPARE = [page(24), page(25), page(26), page(27)] as const;
/** Pages that a device reads and writes and software frees. */
export const BUFFER = page(28);

/** Input address of most cases, aligned to 2 MB; and what it maps to, outside of RAM. */
export const IOVA = 0x1000_0000;
export const DATA = 0x4_0000_0000;
export const OTHER_DATA = 0x8_0000_0000;
/** The last page of the address space: TTB1. */
export const TOP = 2 ** 64 - PAGE;

/** IPA of page n of RAM in a guest whose memory starts here; and of its data. */
export const GUEST = 0x2000_0000;
export function guest(address: number): number {
  return GUEST + (address - page(0));
}
export const GUEST_DATA = GUEST + 0x10_0000;

/** The index of an address in a table at `level` of a 4K granule. */
export function index(va: number, level: number): number {
  return Math.floor(va / 2 ** (39 - 9 * level)) % 512;
}

/** Byte address of the level-3, level-2 or level-1 descriptor of an address. */
export function slotOf(t: Tables, va: number, level: 1 | 2 | 3 = 3): number {
  const table = level === 3 ? t.last : level === 2 ? t.middle : t.root;
  return table + index(va, level) * 8;
}

export const NOTHING: Word = { lo: 0, hi: 0 };

export interface LeafOptions {
  /** Page (level 3) or block. */
  readonly block?: boolean;
  readonly readOnly?: boolean;
  readonly global?: boolean;
  readonly old?: boolean;
  readonly dirtyBit?: boolean;
  readonly contiguous?: boolean;
  /** 52-bit form: bits [9:8] belong to the address. */
  readonly ds?: boolean;
}

/** A stage-1 leaf: AF, nG, unprivileged access, inner shareable unless said otherwise. */
export function leaf(pa: number, o: LeafOptions = {}): Word {
  const low = BIT_UNPRIVILEGED | (o.ds === true ? 0 : SH_INNER) | (o.old === true ? 0 : BIT_AF) | (o.global === true ? 0 : BIT_NG)
    | (o.readOnly === true ? BIT_READ_ONLY : 0) | (o.block === true ? 1 : 3);
  const high = (o.contiguous === true ? HI_CONTIGUOUS : 0) | (o.dirtyBit === true ? HI_DBM : 0);
  return { lo: (pa % TWO32) + low, hi: Math.floor(pa / TWO32) + high };
}

/** A stage-2 leaf: AF, read and write, normal memory. */
export function leaf2(pa: number, o: LeafOptions = {}): Word {
  const low = BIT_AF | SH_INNER | (o.readOnly === true ? 1 << 6 : 3 << 6) | (15 << 2) | (o.block === true ? 1 : 3);
  return { lo: (pa % TWO32) + low, hi: Math.floor(pa / TWO32) };
}

export function table(at: number): Word {
  return { lo: (at % TWO32) + 3, hi: Math.floor(at / TWO32) };
}

/** Eight words of an STE or CD, from field values. */
function structure(values: readonly (readonly [Field, number])[]): Word[] {
  const words = new Uint32Array(16);
  for (const [f, value] of values) setField(words, f, value);
  return Array.from({ length: 8 }, (_, i) => ({ lo: words[2 * i] as number, hi: words[2 * i + 1] as number }));
}

export interface Stage2 {
  readonly root: number;
  /** 64 - S2T0SZ; granule as S2TG, start level as S2SL0, output size as S2PS. */
  readonly bits?: number;
  readonly tg?: number;
  readonly sl0?: number;
  readonly ps?: number;
}

export interface SteOptions {
  readonly valid?: boolean;
  readonly config: number;
  /** S1ContextPtr in bytes, S1CDMax, S1Fmt, S1DSS. */
  readonly cd?: number;
  readonly cdMax?: number;
  readonly fmt?: number;
  readonly dss?: number;
  readonly cont?: number;
  readonly eats?: number;
  readonly strw?: number;
  readonly vmid?: number;
  readonly stage2?: Stage2;
}

export const ABORT = 0;
export const STAGE1 = 5;
export const STAGE2 = 6;
export const NESTED = 7;

export function ste(o: SteOptions): Word[] {
  const values: (readonly [Field, number])[] = [
    [STE.V, o.valid === false ? 0 : 1], [STE.Config, o.config], [STE.S1ContextPtr, (o.cd ?? 0) / 64], [STE.S1CDMax, o.cdMax ?? 0],
    [STE.S1Fmt, o.fmt ?? 0], [STE.S1DSS, o.dss ?? 0], [STE.CONT, o.cont ?? 0], [STE.EATS, o.eats ?? 0], [STE.STRW, o.strw ?? 0],
    [STE.S2VMID, o.vmid ?? 0],
  ];
  const s = o.stage2;
  if (s !== undefined) {
    values.push(
      [STE.S2T0SZ, 64 - (s.bits ?? 39)], [STE.S2SL0, s.sl0 ?? 1], [STE.S2TG, s.tg ?? 0], [STE.S2PS, s.ps ?? 5], [STE.S2AA64, 1], [STE.S2R, 1],
      [STE.S2TTB, s.root / 16],
    );
  }
  return structure(values);
}

export interface CdOptions {
  readonly valid?: boolean;
  readonly root: number;
  readonly asid: number;
  /** CD.TG0 and 64 - T0SZ. */
  readonly tg0?: number;
  readonly bits?: number;
  readonly ips?: number;
  readonly epd0?: boolean;
  /** The upper half: 4K granule, 39 bits. */
  readonly upper?: number;
  readonly ds?: boolean;
  readonly tbi?: boolean;
  readonly ha?: boolean;
  readonly hd?: boolean;
}

/** A CD that aborts and records, for 39 bits of 4K granules unless said otherwise. */
export function cd(o: CdOptions): Word[] {
  const values: (readonly [Field, number])[] = [
    [CD.V, o.valid === false ? 0 : 1], [CD.AA64, 1], [CD.A, 1], [CD.R, 1], [CD.ASID, o.asid], [CD.IPS, o.ips ?? 5],
    [CD.T0SZ, 64 - (o.bits ?? 39)], [CD.TG0, o.tg0 ?? 0], [CD.EPD0, o.epd0 === true ? 1 : 0], [CD.TTB0, o.root / 16],
    [CD.DS, o.ds === true ? 1 : 0], [CD.TBI0, o.tbi === true ? 1 : 0], [CD.HA, o.ha === true ? 1 : 0], [CD.HD, o.hd === true ? 1 : 0],
  ];
  if (o.upper === undefined) values.push([CD.EPD1, 1]);
  else values.push([CD.T1SZ, 25], [CD.TG1, 2], [CD.TTB1, o.upper / 16]);
  return structure(values);
}

/** An L1STD for 2^(span-1) STEs, a valid L1CD. */
export function l1std(at: number, span: number): Word {
  return { lo: (at % TWO32) + span, hi: Math.floor(at / TWO32) };
}

export function l1cd(at: number): Word {
  return { lo: (at % TWO32) + 1, hi: Math.floor(at / TWO32) };
}

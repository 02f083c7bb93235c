/**
 * What an SMMU makes of a command before it acts on it (IHI 0070 §4.1.3–4.1.7, §4.4.1.1): raise CERROR_ILL, meet a reserved field, have an
 * unpredictable range, or have identifiers that it does not implement. Verdicts are constant objects: nothing is allocated.
 */
import { POW2 } from './bits.js';
import { commandShape, hasAddress, OP, rangeAlignment, reservedBits, type Command } from './command.js';
import type { Features } from './features.js';
import { tgOfCommand } from './granule.js';

export type VerdictKind = 'legal' | 'illegal' | 'reserved' | 'unpredictable' | 'ineffective';

export interface CommandVerdict {
  /**
   * illegal: CERROR_ILL. reserved: a RES0 field is not zero, so CERROR_ILL or the whole field is ignored (§4.1.5; then `ignoreReserved` and
   * `effectVerdict`). unpredictable: need not remove anything. ineffective: names an ID beyond the implemented size, need
   * not affect any entry.
   */
  readonly verdict: VerdictKind;
  readonly why: string;
}

function say(verdict: VerdictKind, why: string): CommandVerdict {
  return { verdict, why };
}

const LEGAL = say('legal', 'legal');
const BAD_OPCODE = say('illegal', 'the opcode is reserved (§4.1.1)');
const BAD_SSEC = say('illegal', 'SSec is 1 on a Non-secure queue (§4.1.6)');
const NO_STAGE1 = say('illegal', 'the SMMU has no stage 1 (§4.3.3, §4.4.2)');
const NO_STAGE2 = say('illegal', 'the SMMU has no stage 2 (§4.4.3)');
const NO_HYP = say('illegal', 'IDR0.Hyp is 0 (§4.4.2.7)');
const NO_ATS = say('illegal', 'IDR0.ATS is 0 (§4.5.1)');
const NO_PRI = say('illegal', 'IDR0.PRI is 0 (§4.5.2)');
const NO_STALL = say('illegal', 'IDR0.STALL_MODEL says that the SMMU does not stall (§4.7.1)');
const BAD_CS = say('illegal', 'CS = 3 is reserved (§4.7.3)');
const EMPTY_RANGE = say('illegal', 'NUM, SCALE and TTL are all zero with TG set: reserved (§4.4.1.1)');
const RESERVED_BITS = say('reserved', 'a bit outside of the fields of the command is set (§4.1.5)');
const NO_RANGE = say('reserved', 'range fields are set and IDR3.RIL is 0 (§4.4.1.1)');
const RANGE_WITHOUT_TG = say('reserved', 'TTL, NUM or SCALE is set without TG (§4.4.1.1)');
const BAD_SCALE = say('unpredictable', 'SCALE is above 31, or 39 with IDR5.DS (§4.4.1.1)');
const MISALIGNED = say('unpredictable', 'the address is not aligned as TG and TTL ask (§4.4.1.1)');
const BAD_SIZE = say('unpredictable', 'Size is above 52 (§4.5.1)');
const BAD_ASID = say('ineffective', 'the ASID is beyond the implemented size (§4.4)');
const BAD_VMID = say('ineffective', 'the VMID is beyond the implemented size, or there is no stage 2 (§4.4, §4.4.2)');
const BAD_STREAM = say('ineffective', 'the StreamID is beyond IDR1.SIDSIZE (§4.1.7)');
const BAD_SUBSTREAM = say('ineffective', 'the SubstreamID is beyond IDR1.SSIDSIZE (§4.1.7)');

/**
 * The verdict of command `c`, decoded from four uint32 of `words` at `at` (the raw words say which RES0 bits are set). Of several reasons the
 * strongest: CERROR_ILL goes before everything (§4.1.3), then reserved fields, then what the command may leave undone.
 */
export function commandVerdict(c: Command, words: Uint32Array, at: number, f: Features): CommandVerdict {
  if (commandShape(c.op) === undefined) return BAD_OPCODE;
  if (c.ssec !== 0) return BAD_SSEC;
  const missing = missingFeature(c.op, f);
  if (missing !== undefined) return missing;
  if (c.op === OP.SYNC && c.cs === 3) return BAD_CS;
  if (hasAddress(c.op) && f.range && emptyRange(c, f)) return EMPTY_RANGE;
  if (reservedBits(words, at)) return RESERVED_BITS;
  if (hasAddress(c.op)) {
    if (!f.range && (c.tg !== 0 || c.ttl !== 0 || c.num !== 0 || c.scale !== 0)) return NO_RANGE;
    if (c.tg === 0 && (c.ttl !== 0 || c.num !== 0 || c.scale !== 0)) return RANGE_WITHOUT_TG;
  }
  return effectVerdict(c, f);
}

/** The verdict when reserved fields are ignored (§4.1.5): legal, unpredictable or ineffective. For commands that raise no CERROR_ILL. */
export function effectVerdict(c: Command, f: Features): CommandVerdict {
  if (c.op === OP.ATC_INV && c.size > 52) return BAD_SIZE;
  if (hasAddress(c.op) && f.range) {
    const tg = tgOfCommand(c.tg);
    if (tg !== 0) {
      if (c.scale > (f.ds ? 39 : 31)) return BAD_SCALE;
      if (c.frame % (POW2[rangeAlignment(tg, c.ttl, f.ds) - 12] as number) !== 0) return MISALIGNED;
    }
  }
  if (c.asid >= (POW2[f.asidBits] as number)) return BAD_ASID;
  if (c.vmid >= (f.stage2 ? (POW2[f.vmidBits] as number) : 1)) return BAD_VMID;
  return streamVerdict(c, f);
}

/** TTL as the SMMU takes it: 1 of a 16K range is reserved without DS and treated as 0 (§4.4.1.1). */
export function effectiveTtl(c: Command, f: Features): number {
  return tgOfCommand(c.tg) === 14 && c.ttl === 1 && !f.ds ? 0 : c.ttl;
}

/** Changes `c` to what is left when the SMMU ignores reserved range fields: without RIL all four, without TG the other three (§4.4.1.1), and a TTL that is treated as 0. */
export function ignoreReserved(c: Command, f: Features): Command {
  if (!f.range) c.tg = 0;
  if (c.tg === 0) {
    c.ttl = 0;
    c.num = 0;
    c.scale = 0;
  }
  c.ttl = effectiveTtl(c, f);
  return c;
}

function emptyRange(c: Command, f: Features): boolean {
  return c.tg !== 0 && c.num === 0 && c.scale === 0 && effectiveTtl(c, f) === 0;
}

function missingFeature(op: number, f: Features): CommandVerdict | undefined {
  switch (op) {
    case OP.CFGI_CD: case OP.CFGI_CD_ALL: case OP.TLBI_NH_ALL: case OP.TLBI_NH_ASID: case OP.TLBI_NH_VA: case OP.TLBI_NH_VAA:
      return f.stage1 ? undefined : NO_STAGE1;
    case OP.TLBI_EL2_ALL: case OP.TLBI_EL2_ASID: case OP.TLBI_EL2_VA: case OP.TLBI_EL2_VAA: return f.hyp ? undefined : NO_HYP;
    case OP.TLBI_S12_VMALL: case OP.TLBI_S2_IPA: return f.stage2 ? undefined : NO_STAGE2;
    case OP.ATC_INV: return f.ats ? undefined : NO_ATS;
    case OP.PRI_RESP: return NO_PRI;
    case OP.RESUME: case OP.STALL_TERM: return NO_STALL;
    default: return undefined;
  }
}

/** Identifiers of CFGI_* and ATC_INV. A prefetch promises nothing, so it cannot fall short. */
function streamVerdict(c: Command, f: Features): CommandVerdict {
  switch (c.op) {
    case OP.CFGI_STE: case OP.CFGI_CD_ALL: break;
    case OP.CFGI_STE_RANGE: {
      const span = POW2[c.range + 1] as number; // the low bits of the StreamID are ignored; of CFGI_ALL (31) all of them
      return c.sid - (c.sid % span) < (POW2[f.sidBits] as number) ? LEGAL : BAD_STREAM;
    }
    case OP.CFGI_CD:
      if (c.ssid >= (POW2[f.ssidBits] as number)) return BAD_SUBSTREAM;
      break;
    case OP.ATC_INV:
      if (c.ssv !== 0 && (f.ssidBits === 0 || c.ssid >= (POW2[f.ssidBits] as number))) return BAD_SUBSTREAM;
      break;
    default: return LEGAL;
  }
  return c.sid < (POW2[f.sidBits] as number) ? LEGAL : BAD_STREAM;
}

/**
 * Command queue entries (IHI 0070 §4): 16 bytes, here four uint32, low half first. Encoding and decoding of
 * every command that the driver emits, and the legality of a command (what raises CERROR_ILL, §4.1.3–4.1.5,
 * §4.4.1.1). What a command *removes* is decided elsewhere, by each side for itself.
 */
import { extract, POW2 } from './bits.js';
import { tgOfCommand, levelShift, type Tg } from './granule.js';

export { commandVerdict, effectiveTtl, effectVerdict, ignoreReserved, type CommandVerdict, type VerdictKind } from './command-verdict.js';

export const OP = {
  PREFETCH_CONFIG: 0x01, PREFETCH_ADDR: 0x02,
  CFGI_STE: 0x03, CFGI_STE_RANGE: 0x04, CFGI_CD: 0x05, CFGI_CD_ALL: 0x06,
  TLBI_NH_ALL: 0x10, TLBI_NH_ASID: 0x11, TLBI_NH_VA: 0x12, TLBI_NH_VAA: 0x13,
  TLBI_EL2_ALL: 0x20, TLBI_EL2_ASID: 0x21, TLBI_EL2_VA: 0x22, TLBI_EL2_VAA: 0x23,
  TLBI_S12_VMALL: 0x28, TLBI_S2_IPA: 0x2a, TLBI_NSNH_ALL: 0x30,
  ATC_INV: 0x40, PRI_RESP: 0x41, RESUME: 0x44, STALL_TERM: 0x45, SYNC: 0x46,
} as const;

export type CommandName = keyof typeof OP;

const NAMES = new Map<number, CommandName>(
  (Object.keys(OP) as CommandName[]).map((name) => [OP[name], name]),
);

/** A decoded command. Fields that its opcode does not have are 0. `frame` is Address[63:12]. */
export interface Command {
  op: number;
  /** CFGI_*, PREFETCH_*, ATC_INV, PRI_RESP, RESUME, STALL_TERM. */
  sid: number;
  ssid: number;
  /** SubstreamID valid. */
  ssv: number;
  ssec: number;
  /** ATC_INV: global. */
  global: number;
  vmid: number;
  asid: number;
  leaf: number;
  ttl: number;
  tg: number;
  num: number;
  scale: number;
  /** CFGI_STE_RANGE: Range (31 = all). */
  range: number;
  /** ATC_INV and PREFETCH_ADDR: Size. */
  size: number;
  frame: number;
  /**
   * CMD_SYNC: completion signal, MSI shareability, attributes, data, address[55:2] in units of 4 bytes. The last is
   * 54 bits wide: exact for addresses below 2^55.
   */
  cs: number;
  msh: number;
  msiAttr: number;
  msiData: number;
  msiAddress: number;
  /** PRI_RESP: PRGIndex and Resp; RESUME: STAG, Ac and Ab. */
  prg: number;
  resp: number;
  stag: number;
  ac: number;
  ab: number;
}

export const WORDS_PER_COMMAND = 4;

/** What the SMMU at hand implements, as far as the legality of commands depends on it. */
export interface CommandFeatures {
  readonly stage1: boolean;
  readonly stage2: boolean;
  readonly hyp: boolean;
  readonly range: boolean;
  readonly ds: boolean;
  readonly ats: boolean;
  readonly pri: boolean;
  readonly stall: boolean;
  readonly asidBits: number;
  readonly vmidBits: number;
}

export function newCommand(): Command {
  return {
    op: 0, sid: 0, ssid: 0, ssv: 0, ssec: 0, global: 0, vmid: 0, asid: 0, leaf: 0, ttl: 0, tg: 0, num: 0, scale: 0,
    range: 0, size: 0, frame: 0, cs: 0, msh: 0, msiAttr: 0, msiData: 0, msiAddress: 0, prg: 0, resp: 0, stag: 0, ac: 0, ab: 0,
  };
}

export function commandName(op: number): CommandName | undefined {
  return NAMES.get(op);
}

type Shape = 'none' | 'sid' | 'ste' | 'range' | 'cd' | 'prefetch' | 'prefetchAddr' | 'vmid' | 'asid' | 'vmidAsid'
  | 'va' | 'vaa' | 'el2va' | 'el2vaa' | 'ipa' | 'atc' | 'pri' | 'resume' | 'sync';

/** Which fields an opcode has (§4.2–4.7); `undefined` for opcodes that are reserved or not decoded here. */
export function commandShape(op: number): Shape | undefined {
  switch (op) {
    case OP.PREFETCH_CONFIG: return 'prefetch';
    case OP.PREFETCH_ADDR: return 'prefetchAddr';
    case OP.CFGI_STE: return 'ste';
    case OP.CFGI_STE_RANGE: return 'range';
    case OP.CFGI_CD: return 'cd';
    case OP.CFGI_CD_ALL: case OP.STALL_TERM: return 'sid';
    case OP.TLBI_NH_ALL: case OP.TLBI_S12_VMALL: return 'vmid';
    case OP.TLBI_NH_ASID: return 'vmidAsid';
    case OP.TLBI_NH_VA: return 'va';
    case OP.TLBI_NH_VAA: return 'vaa';
    case OP.TLBI_EL2_ALL: case OP.TLBI_NSNH_ALL: return 'none';
    case OP.TLBI_EL2_ASID: return 'asid';
    case OP.TLBI_EL2_VA: return 'el2va';
    case OP.TLBI_EL2_VAA: return 'el2vaa';
    case OP.TLBI_S2_IPA: return 'ipa';
    case OP.ATC_INV: return 'atc';
    case OP.PRI_RESP: return 'pri';
    case OP.RESUME: return 'resume';
    case OP.SYNC: return 'sync';
    default: return undefined;
  }
}

/** Is it a TLBI that names an address, and so may carry TG, TTL, NUM and SCALE? */
export function hasAddress(op: number): boolean {
  return op === OP.TLBI_NH_VA || op === OP.TLBI_NH_VAA || op === OP.TLBI_EL2_VA || op === OP.TLBI_EL2_VAA || op === OP.TLBI_S2_IPA;
}

/** Writes a command as four uint32 at `at`. Only the fields of its opcode are written; the rest is RES0. */
export function encodeCommand(c: Command, out: Uint32Array, at = 0): void {
  let w0 = c.op;
  let w1 = 0;
  let w2 = 0;
  let w3 = 0;
  const shape = commandShape(c.op);
  switch (shape) {
    case 'sid': w0 |= c.ssec << 10; w1 = c.sid; break;
    case 'ste': w0 |= c.ssec << 10; w1 = c.sid; w2 = c.leaf; break;
    case 'range': w0 |= c.ssec << 10; w1 = c.sid; w2 = c.range; break;
    case 'cd': w0 |= (c.ssec << 10) | (c.ssid << 12); w1 = c.sid; w2 = c.leaf; break;
    case 'prefetch': w0 |= (c.ssec << 10) | (c.ssv << 11) | (c.ssid << 12); w1 = c.sid; break;
    case 'prefetchAddr':
      w0 |= (c.ssec << 10) | (c.ssv << 11) | (c.ssid << 12); w1 = c.sid; w2 = c.size | frameLow(c.frame); w3 = frameHigh(c.frame); break;
    case 'vmid': w1 = c.vmid; break;
    case 'asid': w1 = c.asid << 16; break;
    case 'vmidAsid': w1 = c.vmid | (c.asid << 16); break;
    case 'va': case 'vaa': case 'el2va': case 'el2vaa': case 'ipa':
      w0 |= (c.num << 12) | (c.scale << 20);
      w1 = (hasVmid(shape) ? c.vmid : 0) | (hasAsid(shape) ? c.asid << 16 : 0);
      w2 = c.leaf | (c.ttl << 8) | (c.tg << 10) | frameLow(c.frame);
      w3 = frameHigh(c.frame);
      break;
    case 'atc':
      w0 |= (c.global << 9) | (c.ssv << 11) | (c.ssid << 12); w1 = c.sid; w2 = c.size | frameLow(c.frame); w3 = frameHigh(c.frame); break;
    case 'pri': w0 |= (c.ssv << 11) | (c.ssid << 12); w1 = c.sid; w2 = c.prg | (c.resp << 12); break;
    case 'resume': w0 |= (c.ssec << 10) | (c.ac << 12) | (c.ab << 13); w1 = c.sid; w2 = c.stag; break;
    case 'sync':
      w0 |= (c.cs << 12) | (c.msh << 22) | (c.msiAttr << 24); w1 = c.msiData;
      w2 = (c.msiAddress % (POW2[30] as number)) * 4; w3 = Math.floor(c.msiAddress / (POW2[30] as number)); break;
    case 'none': case undefined: break;
  }
  out[at] = w0;
  out[at + 1] = w1;
  out[at + 2] = w2;
  out[at + 3] = w3;
}

/** Does an address TLBI of this shape carry a VMID, an ASID? */
function hasVmid(shape: Shape): boolean {
  return shape === 'va' || shape === 'vaa' || shape === 'ipa';
}

function hasAsid(shape: Shape): boolean {
  return shape === 'va' || shape === 'el2va';
}

function frameLow(frame: number): number {
  return (frame % (POW2[20] as number)) * 4096;
}

function frameHigh(frame: number): number {
  return Math.floor(frame / (POW2[20] as number));
}

/** Reads four uint32 at `at` into `c` (every field is set). Reserved bits are not kept: ask `reservedBits`. */
export function decodeCommand(words: Uint32Array, at: number, c: Command): Command {
  return decodeWords(words[at] as number, words[at + 1] as number, words[at + 2] as number, words[at + 3] as number, c);
}

/** The same from four uint32. */
export function decodeWords(w0: number, w1: number, w2: number, w3: number, c: Command): Command {
  clear(c);
  c.op = w0 & 0xff;
  const shape = commandShape(c.op);
  switch (shape) {
    case 'sid': c.ssec = (w0 >>> 10) & 1; c.sid = w1 >>> 0; break;
    case 'ste': c.ssec = (w0 >>> 10) & 1; c.sid = w1 >>> 0; c.leaf = w2 & 1; break;
    case 'range': c.ssec = (w0 >>> 10) & 1; c.sid = w1 >>> 0; c.range = w2 & 31; break;
    case 'cd': c.ssec = (w0 >>> 10) & 1; c.ssid = w0 >>> 12; c.sid = w1 >>> 0; c.leaf = w2 & 1; break;
    case 'prefetch': case 'prefetchAddr':
      c.ssec = (w0 >>> 10) & 1; c.ssv = (w0 >>> 11) & 1; c.ssid = w0 >>> 12; c.sid = w1 >>> 0;
      if (shape === 'prefetchAddr') { c.size = w2 & 31; c.frame = extract(w2, w3, 12, 52); }
      break;
    case 'vmid': c.vmid = w1 & 0xffff; break;
    case 'asid': c.asid = w1 >>> 16; break;
    case 'vmidAsid': c.vmid = w1 & 0xffff; c.asid = w1 >>> 16; break;
    case 'va': case 'vaa': case 'el2va': case 'el2vaa': case 'ipa':
      c.num = (w0 >>> 12) & 31; c.scale = (w0 >>> 20) & 63;
      if (hasVmid(shape)) c.vmid = w1 & 0xffff;
      if (hasAsid(shape)) c.asid = w1 >>> 16;
      c.leaf = w2 & 1; c.ttl = (w2 >>> 8) & 3; c.tg = (w2 >>> 10) & 3;
      c.frame = extract(w2, w3, 12, shape === 'ipa' ? 44 : 52); // IPA[55:12], VA[63:12]
      break;
    case 'atc':
      c.global = (w0 >>> 9) & 1; c.ssv = (w0 >>> 11) & 1; c.ssid = w0 >>> 12; c.sid = w1 >>> 0;
      c.size = w2 & 63; c.frame = extract(w2, w3, 12, 52); break;
    case 'pri': c.ssv = (w0 >>> 11) & 1; c.ssid = w0 >>> 12; c.sid = w1 >>> 0; c.prg = w2 & 0x1ff; c.resp = (w2 >>> 12) & 3; break;
    case 'resume': c.ssec = (w0 >>> 10) & 1; c.ac = (w0 >>> 12) & 1; c.ab = (w0 >>> 13) & 1; c.sid = w1 >>> 0; c.stag = w2 & 0xffff; break;
    case 'sync':
      c.cs = (w0 >>> 12) & 3; c.msh = (w0 >>> 22) & 3; c.msiAttr = (w0 >>> 24) & 15; c.msiData = w1 >>> 0;
      c.msiAddress = extract(w2, w3, 2, 54); break;
    case 'none': case undefined: break;
  }
  return c;
}

function clear(c: Command): void {
  c.op = 0; c.sid = 0; c.ssid = 0; c.ssv = 0; c.ssec = 0; c.global = 0; c.vmid = 0; c.asid = 0; c.leaf = 0; c.ttl = 0;
  c.tg = 0; c.num = 0; c.scale = 0; c.range = 0; c.size = 0; c.frame = 0; c.cs = 0; c.msh = 0; c.msiAttr = 0;
  c.msiData = 0; c.msiAddress = 0; c.prg = 0; c.resp = 0; c.stag = 0; c.ac = 0; c.ab = 0;
}

const scratch = newCommand();
const again = new Uint32Array(WORDS_PER_COMMAND);

/** Has the raw command a non-zero bit outside the fields of its opcode (RES0, §4.1.5)? */
export function reservedBits(words: Uint32Array, at: number): boolean {
  decodeCommand(words, at, scratch);
  encodeCommand(scratch, again, 0);
  for (let i = 0; i < WORDS_PER_COMMAND; i += 1) if (again[i] !== words[at + i]) return true;
  return false;
}

/** Granules covered by a range command: (NUM + 1) * 2^SCALE (§4.4.1.1). */
export function rangeGranules(c: Command): number {
  return (c.num + 1) * (POW2[c.scale] as number);
}

/**
 * Log2 of the alignment in bytes that a range command's Address needs (§4.4.1.1 table); breaking it makes the
 * range UNPREDICTABLE. 12 when nothing beyond the 4 KiB field position is asked.
 */
export function rangeAlignment(tg: Tg, ttl: number, ds: boolean): number {
  if (ttl === 0 || ttl === 3) return tg;
  if (tg === 14 && ttl === 1 && !ds) return tg;
  return levelShift(tg, ttl);
}

/**
 * Why a command is illegal, reserved or UNPREDICTABLE for this SMMU; `undefined` for a legal one. The first half of
 * the list raises CERROR_ILL; misalignment only makes the range unpredictable, which software must avoid as well.
 */
export function commandError(c: Command, f: CommandFeatures): string | undefined {
  const shape = commandShape(c.op);
  if (shape === undefined) return `opcode 0x${c.op.toString(16)} is reserved (§4.1.1)`;
  if (c.ssec !== 0) return 'SSec is 1 on a Non-secure queue (§4.1.6)';
  const feature = missingFeature(c, f);
  if (feature !== undefined) return feature;
  if (c.op === OP.SYNC && c.cs === 3) return 'CS = 3 is reserved (§4.7.3)';
  if (c.op === OP.PRI_RESP && c.resp === 3) return 'Resp = 3 is reserved (§4.5.2)';
  if (c.op === OP.ATC_INV && c.size > 52) return 'Size is above 52 (§4.5.1)';
  if (c.asid >= (POW2[f.asidBits] as number)) return `ASID ${c.asid} does not fit ${f.asidBits} bits (§4.4)`;
  if (c.vmid >= (f.stage2 ? (POW2[f.vmidBits] as number) : 1)) return `VMID ${c.vmid} does not fit this SMMU (§4.4, §4.4.2)`;
  return hasAddress(c.op) ? rangeError(c, f) : undefined;
}

function missingFeature(c: Command, f: CommandFeatures): string | undefined {
  switch (c.op) {
    case OP.CFGI_CD: case OP.CFGI_CD_ALL: case OP.TLBI_NH_ALL: case OP.TLBI_NH_ASID: case OP.TLBI_NH_VA: case OP.TLBI_NH_VAA:
      return f.stage1 ? undefined : 'the SMMU has no stage 1 (§4.3.3, §4.4.2)';
    case OP.TLBI_EL2_ALL: case OP.TLBI_EL2_ASID: case OP.TLBI_EL2_VA: case OP.TLBI_EL2_VAA:
      return f.hyp ? undefined : 'IDR0.Hyp is 0 (§4.4.2.7)';
    case OP.TLBI_S12_VMALL: case OP.TLBI_S2_IPA:
      return f.stage2 ? undefined : 'the SMMU has no stage 2 (§4.4.3)';
    case OP.ATC_INV: return f.ats ? undefined : 'IDR0.ATS is 0 (§4.5.1)';
    case OP.PRI_RESP: return f.pri ? undefined : 'IDR0.PRI is 0 (§4.5.2)';
    case OP.RESUME: case OP.STALL_TERM: return f.stall ? undefined : 'the SMMU does not stall (§4.7.1)';
    default: return undefined;
  }
}

function rangeError(c: Command, f: CommandFeatures): string | undefined {
  const tg = tgOfCommand(c.tg);
  if (!f.range && (c.tg !== 0 || c.ttl !== 0 || c.num !== 0 || c.scale !== 0)) return 'range fields are set and IDR3.RIL is 0 (§4.4.1.1)';
  if (tg === 0) return c.ttl !== 0 || c.num !== 0 || c.scale !== 0 ? 'TTL, NUM or SCALE is set without TG (§4.4.1.1)' : undefined;
  if (c.num === 0 && c.scale === 0 && (c.ttl === 0 || (tg === 14 && c.ttl === 1 && !f.ds))) {
    return 'NUM, SCALE and TTL are all zero with TG set: reserved (§4.4.1.1)';
  }
  if (tg === 14 && c.ttl === 1 && !f.ds) return 'TTL = 1 with a 16K granule is reserved without DS (§4.4.1.1)';
  if (c.scale > (f.ds ? 39 : 31)) return `SCALE ${c.scale} is above ${f.ds ? 39 : 31} (§4.4.1.1)`;
  const align = rangeAlignment(tg, c.ttl, f.ds);
  if (c.frame % (POW2[align - 12] as number) !== 0) return `the address is not aligned to 2^${align} bytes as TG and TTL ask (§4.4.1.1)`;
  return undefined;
}

/** One command in words, as `TLBI_NH_VA asid 7 va 0x4000 leaf`. */
export function describeCommand(c: Command): string {
  const name = commandName(c.op) ?? `0x${c.op.toString(16)}`;
  const parts: string[] = [name];
  switch (commandShape(c.op)) {
    case 'sid': parts.push(`sid ${c.sid}`); break;
    case 'ste': parts.push(`sid ${c.sid}`); if (c.leaf !== 0) parts.push('leaf'); break;
    case 'range': if (c.range === 31) parts.push('all'); else parts.push(`sid ${c.sid} range ${c.range}`); break;
    case 'cd': parts.push(`sid ${c.sid} ssid ${c.ssid}`); if (c.leaf !== 0) parts.push('leaf'); break;
    case 'prefetch': case 'prefetchAddr':
      parts.push(`sid ${c.sid}`);
      if (c.ssv !== 0) parts.push(`ssid ${c.ssid}`);
      if (c.op === OP.PREFETCH_ADDR) parts.push(`va ${address(c.frame)} size ${c.size}`);
      break;
    case 'vmid': parts.push(`vmid ${c.vmid}`); break;
    case 'asid': parts.push(`asid ${c.asid}`); break;
    case 'vmidAsid': parts.push(`vmid ${c.vmid} asid ${c.asid}`); break;
    case 'va': parts.push(`vmid ${c.vmid} asid ${c.asid} va ${address(c.frame)}`); describeRange(c, parts); break;
    case 'vaa': parts.push(`vmid ${c.vmid} va ${address(c.frame)}`); describeRange(c, parts); break;
    case 'el2va': parts.push(`asid ${c.asid} va ${address(c.frame)}`); describeRange(c, parts); break;
    case 'el2vaa': parts.push(`va ${address(c.frame)}`); describeRange(c, parts); break;
    case 'ipa': parts.push(`vmid ${c.vmid} ipa ${address(c.frame)}`); describeRange(c, parts); break;
    case 'atc':
      parts.push(`sid ${c.sid}`);
      if (c.ssv !== 0) parts.push(`ssid ${c.ssid}`);
      if (c.global !== 0) parts.push('global');
      parts.push(c.size >= 52 ? 'everything' : `va ${address(c.frame)} size ${c.size}`);
      break;
    case 'pri': parts.push(`sid ${c.sid} group ${c.prg} response ${c.resp}`); break;
    case 'resume': parts.push(`sid ${c.sid} stag ${c.stag} ${c.ac !== 0 ? 'retry' : c.ab !== 0 ? 'abort' : 'terminate'}`); break;
    case 'sync': if (c.cs === 1) parts.push('msi'); else if (c.cs === 2) parts.push('sev'); break;
    case 'none': case undefined: break;
  }
  return parts.join(' ');
}

function describeRange(c: Command, parts: string[]): void {
  const tg = tgOfCommand(c.tg);
  if (tg !== 0) parts.push(`tg ${(POW2[tg - 10] as number)}K num ${c.num} scale ${c.scale} ttl ${c.ttl} (${rangeGranules(c)} granules)`);
  if (c.leaf !== 0) parts.push('leaf');
}

function address(frame: number): string {
  return frame < (POW2[41] as number) ? `0x${(frame * 4096).toString(16)}` : `0x${frame.toString(16)}000`;
}

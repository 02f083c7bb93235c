/**
 * Match: which fact a command MUST remove; one function per (command × kind of fact), exactly the required minimum of
 * IHI 0070 §4.3, §4.4 and §4.5. Removing more is always legal and needs no model. Commands that are UNPREDICTABLE or name
 * a tag beyond the implemented size need remove nothing: the queue gives them the verdict, and they do not get here.
 */
import { POW2 } from '../../spec/bits.js';
import { OP, rangeGranules, type Command } from '../../spec/command.js';
import { tgOfCommand } from '../../spec/granule.js';
import { WORLD_EL1, WORLD_EL2, WORLD_EL2_E2H } from '../../stack/transaction.js';
import type { AtcFact, Fact, LeafFact, StructureFact, TableFact, Tag } from './facts.js';

/** Registers and features on which the match depends. */
export interface MatchContext {
  /** CR0.VMW: so many low VMID bits are ignored in invalidation (§6.3.9.1). */
  readonly vmw: number;
  /** CR2.E2H as it is in effect (§6.3.12.3). */
  readonly e2h: boolean;
  readonly ds: boolean;
  /** Erratum: a merged contiguous run goes only when one range command spans it. */
  readonly wholeRunOnly: boolean;
  /** SMMUEN: else nothing can be fetched, so nothing is justified by tables. */
  readonly enabled: boolean;
  /** The queue whose SYNC is being judged. */
  readonly queue: number;
}

/** VA[55] in 4 KiB frames: which half an address belongs to. */
const UPPER = 2 ** 43;
const HALVES = 2 ** 44;

export function matches(c: Command, f: Fact, m: MatchContext): boolean {
  switch (f.kind) {
    case 'l1std': return matchesL1std(c, f);
    case 'ste': return matchesSte(c, f);
    case 'l1cd': return matchesL1cd(c, f);
    case 'cd': return matchesCd(c, f);
    case 'table': return f.stage === 2 ? matchesStage2Table(c, f, m) : matchesStage1Table(c, f, m);
    case 'leaf': return f.stage === 2 ? matchesStage2Leaf(c, f, m) : matchesStage1Leaf(c, f, m);
    case 'atc': return matchesAtc(c, f);
  }
}

/** A cached L1STD: with Leaf = 0 for any stream it serves; any RANGE, ALL (§4.3.1, §4.3.2, §4.3.6). */
function matchesL1std(c: Command, f: StructureFact): boolean {
  const { index, table } = f.element;
  switch (c.op) {
    case OP.CFGI_STE: return c.leaf === 0 && c.sid >= index && c.sid < index + table.span;
    case OP.CFGI_STE_RANGE: return rangesOverlap(c, index, table.span);
    default: return false;
  }
}

/** A cached STE: any CFGI_STE of the stream, RANGE, ALL. CONT does not widen it (§5.2). CFGI_CD never. */
function matchesSte(c: Command, f: StructureFact): boolean {
  switch (c.op) {
    case OP.CFGI_STE: return c.sid === f.element.index;
    case OP.CFGI_STE_RANGE: return rangesOverlap(c, f.element.index, 1);
    default: return false;
  }
}

/** A cached L1CD: CFGI_CD with Leaf = 0 for an index it serves, CD_ALL, and whatever removes the STE (§4.3.1, §4.3.3, §4.3.4). */
function matchesL1cd(c: Command, f: StructureFact): boolean {
  const { index, table } = f.element;
  switch (c.op) {
    case OP.CFGI_CD: return c.sid === table.sid && c.leaf === 0 && c.ssid >= index && c.ssid < index + table.span;
    case OP.CFGI_CD_ALL: case OP.CFGI_STE: return c.sid === table.sid;
    case OP.CFGI_STE_RANGE: return rangesOverlap(c, table.sid, 1);
    default: return false;
  }
}

/** A cached CD of (stream, index): CFGI_CD of any Leaf, CD_ALL, and whatever removes the STE. Other streams that share the table keep theirs. */
function matchesCd(c: Command, f: StructureFact): boolean {
  const { index, table } = f.element;
  switch (c.op) {
    case OP.CFGI_CD: return c.sid === table.sid && c.ssid === index;
    case OP.CFGI_CD_ALL: case OP.CFGI_STE: return c.sid === table.sid;
    case OP.CFGI_STE_RANGE: return rangesOverlap(c, table.sid, 1);
    default: return false;
  }
}

/** The aligned block of 2^(Range+1) streams (low bits of StreamID ignored); Range 31 is everything. */
function rangesOverlap(c: Command, first: number, count: number): boolean {
  if (c.range === 31) return true;
  const size = POW2[c.range + 1] as number;
  const start = c.sid - (c.sid % size);
  return first < start + size && start < first + count;
}

function vmidIs(c: Command, t: Tag, m: MatchContext): boolean {
  const unit = POW2[m.vmw] as number;
  return Math.floor(c.vmid / unit) === Math.floor(t.vmid / unit);
}

/**
 * A stage-1 or combined leaf. StreamWorld EL1: NH_*, S12_VMALL, NSNH_ALL; EL2 worlds: EL2_* (§4.4.2, §4.4.3.2, §4.4.4.1).
 * S2_IPA need not remove combined entries (§4.4.3.1). Global leaves are spared by ASID, and named by VA with any ASID.
 */
function matchesStage1Leaf(c: Command, f: LeafFact, m: MatchContext): boolean {
  const el1 = f.world === WORLD_EL1;
  switch (c.op) {
    case OP.TLBI_NSNH_ALL: return el1;
    case OP.TLBI_NH_ALL: case OP.TLBI_S12_VMALL: return el1 && vmidIs(c, f, m);
    case OP.TLBI_NH_ASID: return el1 && vmidIs(c, f, m) && f.asid === c.asid;
    case OP.TLBI_NH_VA: return el1 && vmidIs(c, f, m) && (f.asid < 0 || f.asid === c.asid) && leafInRange(c, f, m);
    case OP.TLBI_NH_VAA: return el1 && vmidIs(c, f, m) && leafInRange(c, f, m);
    case OP.TLBI_EL2_ALL: return !el1;
    case OP.TLBI_EL2_ASID: return f.world === WORLD_EL2_E2H && f.asid === c.asid;
    case OP.TLBI_EL2_VA: return el2World(f, m) && (!m.e2h || f.asid < 0 || f.asid === c.asid) && leafInRange(c, f, m);
    case OP.TLBI_EL2_VAA: return el2World(f, m) && leafInRange(c, f, m);
    default: return false; // CFGI_*: not required to touch TLB contents (§4.3.1 note)
  }
}

/** CR2.E2H selects which of the two EL2 worlds EL2_VA and EL2_VAA mean (§4.4.2.8). */
function el2World(t: Tag, m: MatchContext): boolean {
  return t.world === (m.e2h ? WORLD_EL2_E2H : WORLD_EL2);
}

/** A stage-1 table descriptor, also one that holds the PA of the next table: as leaves, but never global: only its own ASID. */
function matchesStage1Table(c: Command, f: TableFact, m: MatchContext): boolean {
  const el1 = f.world === WORLD_EL1;
  switch (c.op) {
    case OP.TLBI_NSNH_ALL: return el1;
    case OP.TLBI_NH_ALL: case OP.TLBI_S12_VMALL: return el1 && vmidIs(c, f, m);
    case OP.TLBI_NH_ASID: return el1 && vmidIs(c, f, m) && f.asid === c.asid;
    case OP.TLBI_NH_VA: return el1 && vmidIs(c, f, m) && f.asid === c.asid && tableInRange(c, f, m);
    case OP.TLBI_NH_VAA: return el1 && vmidIs(c, f, m) && tableInRange(c, f, m);
    case OP.TLBI_EL2_ALL: return !el1;
    case OP.TLBI_EL2_ASID: return f.world === WORLD_EL2_E2H && f.asid === c.asid;
    case OP.TLBI_EL2_VA: return el2World(f, m) && (!m.e2h || f.asid === c.asid) && tableInRange(c, f, m);
    case OP.TLBI_EL2_VAA: return el2World(f, m) && tableInRange(c, f, m);
    default: return false;
  }
}

/** A stage-2 leaf (IPA to PA): S2_IPA, S12_VMALL, NSNH_ALL; NH_* need not touch it (§4.4.2.1, §4.4.3). */
function matchesStage2Leaf(c: Command, f: LeafFact, m: MatchContext): boolean {
  switch (c.op) {
    case OP.TLBI_NSNH_ALL: return true;
    case OP.TLBI_S12_VMALL: return vmidIs(c, f, m);
    case OP.TLBI_S2_IPA: return vmidIs(c, f, m) && leafInRange(c, f, m);
    default: return false;
  }
}

function matchesStage2Table(c: Command, f: TableFact, m: MatchContext): boolean {
  switch (c.op) {
    case OP.TLBI_NSNH_ALL: return true;
    case OP.TLBI_S12_VMALL: return vmidIs(c, f, m);
    case OP.TLBI_S2_IPA: return vmidIs(c, f, m) && tableInRange(c, f, m);
    default: return false;
  }
}

/** TTL = 1 with 16K granules exists with DS only; else it counts as 0 (§4.4.1.1). */
function levelHint(c: Command, m: MatchContext): number {
  if (c.tg === 0) return 0;
  return c.ttl === 1 && tgOfCommand(c.tg) === 14 && !m.ds ? 0 : c.ttl;
}

/** TTL = 0: leaves of any level; else only those of that level. */
function leafInRange(c: Command, leaf: LeafFact, m: MatchContext): boolean {
  const f = leaf.first ?? leaf; // a piece that stage 2 cuts from a stage-1 block or run goes with any address of the whole (§4.4)
  const hint = levelHint(c, m);
  if (hint !== 0 && hint !== f.level) return false;
  if (m.wholeRunOnly && f.run && c.tg !== 0) {
    return tgOfCommand(c.tg) === f.tg && c.frame <= f.va && f.va + f.frames <= c.frame + rangeFrames(c);
  }
  return touches(c, f);
}

/** Leaf = 1 never asks for table descriptors; with TTL = L only those above level L (§4.4.1.1, worked example). */
function tableInRange(c: Command, f: TableFact, m: MatchContext): boolean {
  if (c.leaf !== 0) return false;
  const hint = levelHint(c, m);
  if (hint !== 0 && f.level >= hint) return false;
  return touches(c, f);
}

/**
 * Without TG: the one address lies in the entry, whatever its size (§4.4 last note). With TG: the granule is the entry's
 * and the spans overlap. A range does not wrap, and one that starts in the lower half need not reach into the upper (§4.4.1.1).
 */
function touches(c: Command, t: Tag): boolean {
  if (c.tg === 0) return c.frame >= t.va && c.frame < t.va + t.frames;
  if (tgOfCommand(c.tg) !== t.tg) return false;
  if (t.stage !== 2 && upper(c.frame) !== upper(t.va)) return false;
  return c.frame < t.va + t.frames && t.va < c.frame + rangeFrames(c);
}

function upper(frame: number): boolean {
  return frame % HALVES >= UPPER;
}

function rangeFrames(c: Command): number {
  const tg = tgOfCommand(c.tg);
  return rangeGranules(c) * (tg === 0 ? 1 : (POW2[tg - 12] as number));
}

/**
 * An ATC entry (§4.5.1): the span 4096 * 2^Size at the address aligned down to it; 52 is everything. Without a substream
 * every entry of the range goes, with one only that PASID's; G = 1: those of any PASID. PASID-less entries stay with SSV = 1.
 */
function matchesAtc(c: Command, f: AtcFact): boolean {
  if (c.op !== OP.ATC_INV || c.sid !== f.sid) return false;
  if (c.ssv !== 0 && (f.ssid < 0 || (c.global === 0 && f.ssid !== c.ssid))) return false;
  if (c.size >= 52) return true;
  if (f.aliases) return false; // no smaller span holds every alias of the top byte
  const frames = POW2[c.size] as number;
  const first = c.frame - (c.frame % frames);
  return first < f.va + f.frames && f.va < first + frames;
}

export function isCfgi(op: number): boolean {
  return op === OP.CFGI_STE || op === OP.CFGI_STE_RANGE || op === OP.CFGI_CD || op === OP.CFGI_CD_ALL;
}

export function isTlbi(op: number): boolean {
  return op >= OP.TLBI_NH_ALL && op <= OP.TLBI_NSNH_ALL;
}

/**
 * What a command must remove at the least, as data: the tables of IHI 0070 §4.3 (CFGI), §4.4 (TLBI), §4.4.1.1 (ranges and level hints) and §4.5.1
 * (ATC_INV), for the random legal SMMU of adversary.ts. Written from the clauses and not from src/reference, so that the two can be held against each other.
 */
import { OP, type Command } from '../../src/spec/command.js';

/** A cached structure, whole or in part. `sid`: whose CD or level-1 CD it is. It serves [index, index + span). */
export interface StructureTag {
  readonly kind: 'l1std' | 'ste' | 'l1cd' | 'cd';
  readonly sid: number;
  readonly index: number;
  readonly span: number;
}

export interface TranslationTag {
  readonly kind: 'table' | 'leaf';
  readonly world: number;
  readonly vmid: number;
  readonly asid: number;
  /** 1: VA in; 2: IPA in; 3: VA in, through both stages. */
  readonly stage: number;
  readonly tg: number;
  readonly level: number;
  /** What the descriptor (or the run) spans: a piece of it goes with any address of the whole (§4.4, fractured blocks). */
  readonly wholeVa: number;
  readonly wholeFrames: number;
}

export interface AtcTag {
  readonly kind: 'atc';
  readonly sid: number;
  readonly ssid: number;
  readonly va: number;
  readonly frames: number;
}

export interface Settings {
  readonly vmw: number;
  readonly e2h: boolean;
  readonly ds: boolean;
}

const EL1 = 0;
const EL2 = 1;
const E2H = 2;

/** One row of the table of §4.4. asid: any; its own or a global entry's; its own only. */
interface Row {
  readonly worlds: readonly number[] | 'selected';
  readonly vmid: boolean;
  readonly asid: 'any' | 'own-or-global' | 'own';
  readonly address: boolean;
  /** Entries by VA (of stage 1 and of both stages), entries by IPA. */
  readonly byVa: boolean;
  readonly byIpa: boolean;
}

const ROWS = new Map<number, Row>([
  [OP.TLBI_NH_ALL, { worlds: [EL1], vmid: true, asid: 'any', address: false, byVa: true, byIpa: false }],
  [OP.TLBI_NH_ASID, { worlds: [EL1], vmid: true, asid: 'own', address: false, byVa: true, byIpa: false }],
  [OP.TLBI_NH_VAA, { worlds: [EL1], vmid: true, asid: 'any', address: true, byVa: true, byIpa: false }],
  [OP.TLBI_NH_VA, { worlds: [EL1], vmid: true, asid: 'own-or-global', address: true, byVa: true, byIpa: false }],
  [OP.TLBI_EL2_ALL, { worlds: [EL2, E2H], vmid: false, asid: 'any', address: false, byVa: true, byIpa: false }],
  [OP.TLBI_EL2_ASID, { worlds: [E2H], vmid: false, asid: 'own', address: false, byVa: true, byIpa: false }],
  [OP.TLBI_EL2_VA, { worlds: 'selected', vmid: false, asid: 'own-or-global', address: true, byVa: true, byIpa: false }],
  [OP.TLBI_EL2_VAA, { worlds: 'selected', vmid: false, asid: 'any', address: true, byVa: true, byIpa: false }],
  [OP.TLBI_S12_VMALL, { worlds: [EL1], vmid: true, asid: 'any', address: false, byVa: true, byIpa: true }],
  [OP.TLBI_S2_IPA, { worlds: [EL1], vmid: true, asid: 'any', address: true, byVa: false, byIpa: true }],
  [OP.TLBI_NSNH_ALL, { worlds: [EL1], vmid: false, asid: 'any', address: false, byVa: true, byIpa: true }],
]);

export function mustRemoveTranslation(c: Command, e: TranslationTag, s: Settings): boolean {
  const row = ROWS.get(c.op);
  if (row === undefined) return false;
  const worlds = row.worlds === 'selected' ? [s.e2h ? E2H : EL2] : row.worlds;
  if (!worlds.includes(e.world) || !(e.stage === 2 ? row.byIpa : row.byVa)) return false;
  if (row.vmid && c.vmid >>> s.vmw !== e.vmid >>> s.vmw) return false;
  const untagged = e.world === EL2 || e.stage === 2; // these have no ASIDs at all
  if (row.asid === 'own' && e.asid !== c.asid) return false;
  if (row.asid === 'own-or-global' && !untagged && e.asid !== c.asid && !(e.kind === 'leaf' && e.asid === -1)) return false;
  return !row.address || (levelNamed(c, e, s) && addressNamed(c, e));
}

const GRANULES = [0, 12, 14, 16];

/** Leaf = 1: last-level entries only. TTL = L: leaves of level L, and with Leaf = 0 table descriptors above it. */
function levelNamed(c: Command, e: TranslationTag, s: Settings): boolean {
  const hint = c.tg === 0 || (c.tg === 2 && c.ttl === 1 && !s.ds) ? 0 : c.ttl;
  if (e.kind === 'leaf') return hint === 0 || e.level === hint;
  return c.leaf === 0 && (hint === 0 || e.level < hint);
}

function addressNamed(c: Command, e: TranslationTag): boolean {
  const end = e.wholeVa + e.wholeFrames;
  if (c.tg === 0) return e.wholeVa <= c.frame && c.frame < end;
  const granule = GRANULES[c.tg] as number;
  if (granule !== e.tg) return false;
  let last = c.frame + (c.num + 1) * 2 ** c.scale * 2 ** (granule - 12);
  if (e.stage !== 2 && c.frame < 2 ** 51) last = Math.min(last, 2 ** 51); // a range that begins with TTB0 need not reach TTB1
  return e.wholeVa < last && c.frame < end;
}

export function mustRemoveStructure(c: Command, e: StructureTag): boolean {
  const ofStream = e.kind === 'l1cd' || e.kind === 'cd';
  const [first, count] = ofStream ? [e.sid, 1] : [e.index, e.span];
  switch (c.op) {
    case OP.CFGI_STE: return c.sid >= first && c.sid < first + count && (e.kind !== 'l1std' || c.leaf === 0);
    case OP.CFGI_STE_RANGE: {
      if (c.range === 31) return true;
      const size = 2 ** (c.range + 1);
      const start = Math.floor(c.sid / size) * size;
      return start < first + count && first < start + size;
    }
    case OP.CFGI_CD_ALL: return ofStream && c.sid === e.sid;
    case OP.CFGI_CD: return ofStream && c.sid === e.sid && c.ssid >= e.index && c.ssid < e.index + e.span && (e.kind === 'cd' || c.leaf === 0);
    default: return false;
  }
}

/** SSV = 0: entries of the range whatever their PASID; SSV = 1: that PASID's, with G = 1 every PASID's. */
export function mustRemoveAtc(c: Command, e: AtcTag): boolean {
  if (c.op !== OP.ATC_INV || c.sid !== e.sid) return false;
  if (c.ssv === 1 && (e.ssid === -1 || (c.global === 0 && c.ssid !== e.ssid))) return false;
  if (c.size === 52) return true;
  const span = 2 ** c.size;
  const start = Math.floor(c.frame / span) * span;
  return start < e.va + e.frames && e.va < start + span;
}

/**
 * Why left: why a command need not remove a fact: the complement of match.ts, case by case, in words with the clause of IHI 0070
 * (§4.3 configuration, §4.4 translations, §4.5 endpoints). Asked only when match.ts says that it need not. Pure.
 */
import { POW2 } from '../../spec/bits.js';
import { OP, rangeGranules, type Command } from '../../spec/command.js';
import { tgOfCommand } from '../../spec/granule.js';
import { WORLD_EL1, WORLD_EL2, WORLD_EL2_E2H } from '../../stack/transaction.js';
import type { AtcFact, Fact, LeafFact, StructureFact, TableFact } from './facts.js';
import { isCfgi, isTlbi, type MatchContext } from './match.js';
import { at, numbers, worldName } from './words.js';

const UPPER = 2 ** 43;
const HALVES = 2 ** 44;

/** As `names asid 2, not 1`: follows the command and a colon. */
export function whyLeft(c: Command, f: Fact, m: MatchContext): string {
  if (!isCfgi(c.op) && !isTlbi(c.op) && c.op !== OP.ATC_INV) return 'invalidates nothing';
  if (f.kind === 'atc') return whyAtc(c, f);
  if (c.op === OP.ATC_INV) return "reaches the endpoint's ATC, not the caches of the SMMU (§4.5.1)";
  if (f.kind === 'table' || f.kind === 'leaf') return isCfgi(c.op) ? 'CFGI need not touch the TLB (§4.3.1)' : whyTranslation(c, f, m);
  return isTlbi(c.op) ? 'TLBI does not touch cached STEs and CDs (§4.4)' : whyStructure(c, f);
}

function whyStructure(c: Command, f: StructureFact): string {
  const { index, table } = f.element;
  const configuration = f.kind === 'ste' || f.kind === 'l1std';
  const sid = configuration ? index : table.sid;
  const span = f.kind === 'l1std' ? table.span : 1;
  if (c.op === OP.CFGI_STE_RANGE) {
    const size = POW2[c.range + 1] as number;
    return `covers ${numbers('stream', c.sid - (c.sid % size), size)}, not ${numbers('stream', sid, span)} (§4.3.2)`;
  }
  if (configuration && c.op !== OP.CFGI_STE) return 'removes CDs, not STEs (§4.3.3, §4.3.4)';
  if (c.sid < sid || c.sid >= sid + span) return `names stream ${c.sid}, not ${numbers('stream', sid, span)}`;
  if (c.op === OP.CFGI_CD && f.kind === 'cd') return `names CD ${c.ssid}, not CD ${index} (§4.3.3)`;
  if (c.op === OP.CFGI_CD && (c.ssid < index || c.ssid >= index + table.span)) return `names CD ${c.ssid}, not ${numbers('CD', index, table.span)}`;
  return 'Leaf = 1 leaves level-1 descriptors (§4.3.1, §4.3.3)';
}

function whyTranslation(c: Command, f: LeafFact | TableFact, m: MatchContext): string {
  const worlds = f.stage === 2 ? whyStage2(c) : whyWorld(c, f, m);
  if (worlds !== null) return worlds;
  const unit = POW2[m.vmw] as number;
  const vmids = f.world === WORLD_EL1 && c.op !== OP.TLBI_NSNH_ALL;
  if (vmids && Math.floor(c.vmid / unit) !== Math.floor(f.vmid / unit)) return `names vmid ${c.vmid}, not ${f.vmid}`;
  const byAsid = c.op === OP.TLBI_NH_ASID || c.op === OP.TLBI_EL2_ASID;
  if (byAsid && f.asid < 0) return 'a global entry is spared by ASID (§3.17, §4.4.2.2)';
  const usesAsid = byAsid || c.op === OP.TLBI_NH_VA || (c.op === OP.TLBI_EL2_VA && m.e2h);
  if (usesAsid && f.asid !== c.asid && (f.asid >= 0 || f.kind === 'table')) return `names asid ${c.asid}, not ${f.asid}`;
  return f.kind === 'leaf' ? whyLeafRange(c, f, m) : whyTableRange(c, f, m);
}

function whyStage2(c: Command): string | null {
  switch (c.op) {
    case OP.TLBI_NSNH_ALL: case OP.TLBI_S12_VMALL: case OP.TLBI_S2_IPA: return null;
    case OP.TLBI_EL2_ALL: case OP.TLBI_EL2_ASID: case OP.TLBI_EL2_VA: case OP.TLBI_EL2_VAA: return 'names entries of EL2 only (§4.4.2.7)';
    default: return 'need not touch stage-2 entries (§4.4.2)';
  }
}

/** StreamWorlds and stages that the command does not mean. */
function whyWorld(c: Command, f: LeafFact | TableFact, m: MatchContext): string | null {
  const of = worldName(f.world);
  switch (c.op) {
    case OP.TLBI_S2_IPA: return f.stage === 3 ? 'need not remove entries that combine both stages (§4.4.3.1)' : 'names stage-2 entries only (§4.4.3.1)';
    case OP.TLBI_NSNH_ALL: case OP.TLBI_NH_ALL: case OP.TLBI_S12_VMALL: case OP.TLBI_NH_ASID: case OP.TLBI_NH_VA: case OP.TLBI_NH_VAA:
      return f.world === WORLD_EL1 ? null : `names entries of EL1, not of ${of} (§4.4.2)`;
    case OP.TLBI_EL2_ALL: return f.world === WORLD_EL1 ? 'names entries of EL2, not of EL1 (§4.4.2.7)' : null;
    case OP.TLBI_EL2_ASID: return f.world === WORLD_EL2_E2H ? null : `names entries of EL2-E2H, not of ${of} (§4.4.2.10)`;
    case OP.TLBI_EL2_VA: case OP.TLBI_EL2_VAA: {
      const meant = m.e2h ? WORLD_EL2_E2H : WORLD_EL2;
      return f.world === meant ? null : `names entries of ${worldName(meant)}${f.world === WORLD_EL1 ? '' : ` (CR2.E2H = ${m.e2h ? 1 : 0})`}, not of ${of} (§4.4.2.8)`;
    }
    default: return 'does not name TLB entries';
  }
}

function hintOf(c: Command, m: MatchContext): number {
  return c.tg === 0 || (c.ttl === 1 && tgOfCommand(c.tg) === 14 && !m.ds) ? 0 : c.ttl;
}

function whyLeafRange(c: Command, leaf: LeafFact, m: MatchContext): string {
  const f = leaf.first ?? leaf;
  const missed = whyMissed(c, f);
  if (missed !== null) return missed;
  const hint = hintOf(c, m);
  if (hint !== 0 && hint !== f.level) return `TTL = ${hint} asks for leaves of level ${hint} only, not of level ${f.level} (§4.4.1.1)`;
  if (m.wholeRunOnly && f.run) return 'it spans only a part of the contiguous run, which this SMMU removes only as a whole (erratum)';
  return 'does not match it';
}

function whyTableRange(c: Command, f: TableFact, m: MatchContext): string {
  if (c.leaf !== 0) return 'Leaf = 1 asks for no table descriptor (§4.4.1.1)';
  const missed = whyMissed(c, f);
  if (missed !== null) return missed;
  const hint = hintOf(c, m);
  if (hint !== 0 && f.level >= hint) return `TTL = ${hint} asks for table descriptors above level ${hint} only, not of level ${f.level} (§4.4.1.1)`;
  return 'does not match it';
}

/** Why the addresses of the command are not the entry's; null: they are. */
function whyMissed(c: Command, f: LeafFact | TableFact): string | null {
  const what = f.frames === 1 ? at(f.va) : `${at(f.va)}..${at(f.va + f.frames)}`;
  if (c.tg === 0) return c.frame >= f.va && c.frame < f.va + f.frames ? null : `names ${at(c.frame)}, not ${what}`;
  const tg = tgOfCommand(c.tg);
  if (tg !== f.tg) return `names the ${kilobytes(tg)} granule, and the entry is of ${kilobytes(f.tg)} (§4.4.1.1)`;
  const frames = rangeGranules(c) * (POW2[tg - 12] as number);
  const covered = `covers ${at(c.frame)}..${at(c.frame + frames)}`;
  if (f.stage !== 2 && c.frame % HALVES >= UPPER !== f.va % HALVES >= UPPER) return `${covered}: the other half of the addresses, into which a range need not reach (§4.4.1.1)`;
  if (c.frame + frames <= f.va) return `${covered}: it ends before ${what}`;
  if (c.frame >= f.va + f.frames) return `${covered}: it starts behind ${what}`;
  return null;
}

function kilobytes(tg: number): string {
  return `${tg === 0 ? 4 : POW2[tg - 10] as number}K`;
}

function whyAtc(c: Command, f: AtcFact): string {
  if (c.op !== OP.ATC_INV) return `does not reach the ATC of an endpoint: only ATC_INV does (§4.5.1)`;
  if (c.sid !== f.sid) return `names stream ${c.sid}, not ${f.sid}`;
  if (c.ssv !== 0 && f.ssid < 0) return `names PASID ${c.ssid}: entries without a PASID stay (§4.5.1)`;
  if (c.ssv !== 0 && c.global === 0 && f.ssid !== c.ssid) return `names PASID ${c.ssid}, not ${f.ssid} (§4.5.1)`;
  if (f.aliases) return 'no span smaller than everything holds each address that differs in the ignored top byte (§3.9.1)';
  const frames = POW2[c.size] as number;
  const first = c.frame - (c.frame % frames);
  return `covers ${at(first)}..${at(first + frames)} (aligned to its size), not ${at(f.va)} (§4.5.1)`;
}

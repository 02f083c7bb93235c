/**
 * Machine commands: random commands for raw sequences: those that belong to a changed descriptor, those of any kind with
 * tags and addresses that are in use, and a share that is illegal, reserved or UNPREDICTABLE.
 */
import { decodeCommand, encodeCommand, newCommand, OP, rangeAlignment, type Command } from '../spec/command.js';
import { POW2 } from '../spec/bits.js';
import type { Features } from '../spec/features.js';
import { commandTg } from '../spec/granule.js';
import type { Chooser } from '../stack/chooser.js';
import type { Entry } from './machine-trees.js';
import { oneIn, pick } from './machine-worlds.js';

export interface InUse {
  readonly asids: readonly number[];
  readonly vmids: readonly number[];
  readonly sids: readonly number[];
  readonly ssids: readonly number[];
  readonly entry: Entry | null;
}

const words = new Uint32Array(4);

/** The same command without fields that its opcode does not have. */
export function plain(fields: Partial<Command>): Command {
  encodeCommand({ ...newCommand(), ...fields }, words);
  return decodeCommand(words, 0, newCommand());
}

/** TG, TTL, NUM and SCALE for the place of an entry; sometimes too narrow. */
function ranged(c: Chooser, e: Entry, f: Features): Partial<Command> {
  const frame = (e.tree.base + e.frame) % (POW2[52] as number);
  if (!f.range || oneIn(c, 3)) return { frame };
  const { tg } = e.tree;
  const level = Math.max(1, e.level);
  const ttl = e.level >= 1 && (tg !== 14 || level > 1 || f.ds) && !oneIn(c, 3) ? level : 0;
  const align = POW2[rangeAlignment(tg, ttl, f.ds) - 12] as number;
  const scale = c.index(3);
  const num = ttl === 0 && scale === 0 ? 1 + c.index(8) : c.index(8);
  return { frame: frame - (frame % align), tg: commandTg(tg), ttl, num, scale };
}

/** The command that belongs to a changed descriptor, more or less narrow. */
export function remedyFor(c: Chooser, e: Entry, f: Features, tag: { readonly asid: number; readonly vmid: number }): Command {
  const leaf = e.table ? (oneIn(c, 4) ? 1 : 0) : c.index(2);
  const wide = oneIn(c, 5);
  if (e.tree.stage === 2) {
    if (wide) return plain({ op: OP.TLBI_S12_VMALL, vmid: tag.vmid });
    return plain({ op: OP.TLBI_S2_IPA, vmid: tag.vmid, leaf, ...ranged(c, e, f) });
  }
  const el2 = f.hyp && oneIn(c, 4);
  if (wide) return plain({ op: el2 ? OP.TLBI_EL2_ALL : pick(c, [OP.TLBI_NH_ASID, OP.TLBI_NH_ALL]), asid: tag.asid, vmid: tag.vmid });
  const op = el2 ? pick(c, [OP.TLBI_EL2_VA, OP.TLBI_EL2_VAA]) : pick(c, [OP.TLBI_NH_VA, OP.TLBI_NH_VA, OP.TLBI_NH_VAA]);
  return plain({ op, asid: tag.asid, vmid: tag.vmid, leaf, ...ranged(c, e, f) });
}

const ANY: readonly number[] = [
  OP.TLBI_NH_ALL, OP.TLBI_NH_ASID, OP.TLBI_NH_VA, OP.TLBI_NH_VAA, OP.TLBI_NSNH_ALL, OP.TLBI_S12_VMALL, OP.TLBI_S2_IPA, OP.TLBI_EL2_ALL, OP.TLBI_EL2_ASID, OP.TLBI_EL2_VA, OP.TLBI_EL2_VAA,
  OP.CFGI_STE, OP.CFGI_STE_RANGE, OP.CFGI_CD, OP.CFGI_CD_ALL, OP.ATC_INV, OP.PREFETCH_CONFIG, OP.PREFETCH_ADDR, OP.SYNC,
];

/** Commands of any kind; one in twelve is damaged in one bit or uses what the SMMU does not have. */
export function randomCommand(c: Chooser, f: Features, use: InUse): { readonly command: Command } | { readonly raw: readonly [number, number, number, number] } {
  const damaged = oneIn(c, 12);
  const ops = damaged ? ANY : ANY.filter((op) => has(op, f));
  const ssid = use.ssids.length > 0 && oneIn(c, 2) ? pick(c, use.ssids) : -1;
  const command: Command = {
    ...newCommand(), op: pick(c, ops), sid: pick(c, use.sids), asid: pick(c, use.asids), vmid: pick(c, use.vmids), leaf: c.index(2), range: pick(c, [0, 2, 5, 31]),
    ssid: Math.max(0, ssid), ssv: ssid < 0 ? 0 : 1, size: pick(c, [0, 3, 9, 52]), global: oneIn(c, 6) ? 1 : 0,
  };
  if (use.entry !== null) Object.assign(command, ranged(c, use.entry, f));
  if (command.op === OP.ATC_INV) {
    const unit = POW2[Math.min(command.size, 40)] as number;
    command.frame -= command.frame % unit;
  }
  if (command.op === OP.PREFETCH_ADDR) command.size = Math.min(command.size, 9);
  if (!damaged || oneIn(c, 4)) return { command: plain(command) };
  encodeCommand(command, words);
  const bit = c.index(128);
  words[Math.floor(bit / 32)] = (words[Math.floor(bit / 32)] as number) ^ (1 << (bit % 32));
  return { raw: [words[0] as number, words[1] as number, words[2] as number, words[3] as number] };
}

function has(op: number, f: Features): boolean {
  if (op === OP.ATC_INV) return f.ats;
  if (op === OP.TLBI_S12_VMALL || op === OP.TLBI_S2_IPA) return f.stage2;
  return f.hyp || op < OP.TLBI_EL2_ALL || op > OP.TLBI_EL2_VAA;
}

/**
 * Words: facts of the weakest machine as a violation names them, by the tags that commands name (IHI 0070 §3.3.3, §3.17). Pure.
 */
import { hex64 } from '../../spec/bits.js';
import { WORLD_EL1 } from '../../stack/transaction.js';
import type { AtcFact, Fact, LeafFact, StructureFact, TableFact } from './facts.js';

const WORLDS: readonly string[] = ['EL1', 'EL2', 'EL2-E2H'];

/** Byte address of a 4 KiB frame; frames may be too large for a product. */
export function at(frame: number): string {
  if (frame < 0) return 'an unknown page';
  return frame === 0 ? '0x0' : `0x${frame.toString(16)}000`;
}

export function worldName(world: number): string {
  return WORLDS[world] ?? `world ${world}`;
}

/** One fact, as `stage-1 leaf {EL1 vmid 5 asid 1 0x10000000 -> 0x20100000 level 3}`. */
export function describeFact(f: Fact): string {
  switch (f.kind) {
    case 'leaf': return describeLeaf(f);
    case 'table': return describeTable(f);
    case 'atc': return describeAtc(f);
    default: return `${nameElement(f)} (${f.kind === 'ste' || f.kind === 'cd' ? `word ${f.word} = ` : ''}${hex64(f.lo, f.hi)})`;
  }
}

/** A structure without its value, as `CD 0 of stream 1`. */
export function nameElement(f: StructureFact): string {
  const { index, table } = f.element;
  switch (f.kind) {
    case 'ste': return `STE of stream ${index}`;
    case 'cd': return `CD ${index} of stream ${table.sid}`;
    case 'l1std': return `level-1 descriptor of ${numbers('stream', index, table.span)}`;
    case 'l1cd': return `level-1 descriptor of ${numbers('CD', index, table.span)} of stream ${table.sid}`;
  }
}

/** As `streams 0..63`. */
export function numbers(what: string, first: number, count: number): string {
  return count === 1 ? `${what} ${first}` : `${what}s ${first}..${first + count - 1}`;
}

function tag(f: LeafFact | TableFact): string {
  if (f.stage === 2) return `vmid ${f.vmid}`;
  const asid = f.asid >= 0 ? ` asid ${f.asid}` : f.kind === 'leaf' && f.world !== 1 ? ' global' : '';
  return `${worldName(f.world)}${f.world === WORLD_EL1 ? ` vmid ${f.vmid}` : ''}${asid}`;
}

function granule(tg: number): string {
  return tg === 12 ? '' : ` of ${2 ** (tg - 10)}K`;
}

function describeLeaf(f: LeafFact): string {
  const kind = f.stage === 3 ? 'combined leaf' : `stage-${f.stage} leaf`;
  const size = f.frames === 1 ? '' : ` +${sizeOf(f.frames)}`;
  return `${kind} {${tag(f)} ${at(f.va)}${size} -> ${f.stage === 1 && f.regime.nested ? 'ipa ' : ''}${at(f.target)} level ${f.level}${granule(f.tg)}${f.run ? ', whole run' : ''}${f.stage === 3 ? ', both stages' : ''}}`;
}

function describeTable(f: TableFact): string {
  const base = f.stage === 3 && f.premises[0]?.kind === 'regime';
  const kind = base ? 'base of the stage-1 tables through stage 2' : `stage-${f.stage === 2 ? 2 : 1} table descriptor${f.stage === 3 ? ' through stage 2' : ''}`;
  const to = f.stage === 1 && f.regime.nested ? 'the table at ipa' : 'the table at';
  return `${kind} {${tag(f)} ${at(f.va)} +${sizeOf(f.frames)} -> ${to} ${at(f.target)}${base ? '' : ` level ${f.level}`}${granule(f.tg)}}`;
}

function describeAtc(f: AtcFact): string {
  return `ATC entry {stream ${f.sid}${f.ssid < 0 ? '' : ` PASID ${f.ssid}`} ${at(f.va)}${f.frames === 1 ? '' : ` +${sizeOf(f.frames)}`} -> ${f.split ? 'ipa ' : ''}${at(f.target)} ${f.canRead ? 'r' : ''}${f.canWrite ? 'w' : ''}}`;
}

/** Size of a span of frames, as 64K, 2M, 1G. */
export function sizeOf(frames: number): string {
  const kilo = frames * 4;
  if (kilo >= 2 ** 20 && kilo % 2 ** 20 === 0) return `${kilo / 2 ** 20}G`;
  return kilo >= 1024 && kilo % 1024 === 0 ? `${kilo / 1024}M` : `${kilo}K`;
}

/** What kind of thing it is, in few words: "the stage-2 leaf". */
export function kindOf(f: Fact): string {
  switch (f.kind) {
    case 'leaf': return f.stage === 3 ? 'the combined leaf' : `the stage-${f.stage} leaf`;
    case 'table': return f.stage === 2 ? 'the stage-2 table descriptor' : 'the stage-1 table descriptor';
    case 'atc': return 'the ATC entry';
    default: return `the ${nameElement(f)}`;
  }
}

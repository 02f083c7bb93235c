/**
 * What an adversary can fetch of configuration (IHI 0070 §3.21.3 "reachable", §5.1–§5.4): level-1 descriptors and STEs inside the stream table, CDs of
 * valid cached STEs; with stage 2 on, through a cached stage-2 leaf. And what its complete cached structures amount to.
 */
import { CD, cdVerdict } from '../../src/spec/cd.js';
import { getField } from '../../src/spec/bits.js';
import { l1cdPointer, l1cdValid, l1stdPointer, l1stdStreams } from '../../src/spec/level1.js';
import { STE, steCdFormat, steCdMax, steCdTable, steVerdict, streamWorld } from '../../src/spec/ste.js';
import { newTableContext, stage1Context, stage2Context, type TableContext } from '../../src/spec/tables.js';
import type { Memory } from '../../src/memory/memory.js';
import type { CachedStructure, CachedTranslation, Setup } from './adversary.js';
import type { StructureTag } from './adversary-match.js';

export interface Reach {
  readonly memory: Memory;
  readonly setup: Setup;
  readonly used: ReadonlyMap<number, readonly number[]>;
  readonly structures: readonly CachedStructure[];
  readonly translations: ReadonlyMap<string, CachedTranslation>;
}

/** So many CDs of a level-2 table are looked at: the others are never written in these worlds. */
const FEW = 3;

type Found = StructureTag & { readonly address: number; readonly words: number };

/** Words of an STE and a CD that carry anything modelled here (§5.2, §5.4): the rest is MPAM, VMS and memory attributes. */
const WORDS = { l1std: 1, ste: 4, l1cd: 1, cd: 3 } as const;

/** The words of a cached structure, or null while some were not read. */
export function complete(e: CachedStructure): Uint32Array | null {
  if (e.lo.includes(undefined)) return null;
  const words = new Uint32Array(16);
  for (let i = 0; i < e.lo.length; i += 1) {
    words[2 * i] = e.lo[i] as number;
    words[2 * i + 1] = e.hi[i] as number;
  }
  return words;
}

export function structuresInReach(r: Reach, kind: StructureTag['kind']): Found[] {
  switch (kind) {
    case 'l1std': return r.setup.split === 0 ? [] : inArray({ kind, sid: -1, index: 0, span: 2 ** r.setup.split }, r.setup.streams, 2 ** (r.setup.streamsLog2 - r.setup.split));
    case 'ste': {
      if (r.setup.split === 0) return inArray({ kind, sid: -1, index: 0, span: 1 }, r.setup.streams, 2 ** r.setup.streamsLog2);
      return r.structures.filter((e) => e.kind === 'l1std').flatMap((e) => {
        const w = complete(e);
        return w === null ? [] : inArray({ kind, sid: -1, index: e.index, span: 1 }, l1stdPointer(w[0] as number, w[1] as number), l1stdStreams(w[0] as number, r.setup.split));
      });
    }
    case 'l1cd': case 'cd': return stage1Streams(r).flatMap(({ sid, words, nested }) => (kind === 'l1cd' ? level1Cds(r, sid, words) : cds(r, sid, words)).flatMap((f) => placed(r, f, nested ? words : null)));
  }
}

function inArray(first: StructureTag, address: number, count: number): Found[] {
  const size = first.kind === 'ste' || first.kind === 'cd' ? 64 : 8;
  return Array.from({ length: count }, (_, i) => ({ ...first, index: first.index + i * first.span, address: address + i * size, words: WORDS[first.kind] }));
}

/** Cached valid STEs with stage 1. */
function stage1Streams(r: Reach): { sid: number; words: Uint32Array; nested: boolean }[] {
  return r.structures.filter((e) => e.kind === 'ste').flatMap((e) => {
    const words = complete(e);
    const action = words === null ? 'abort' : steVerdict(words, 0, r.setup.features);
    return words !== null && (action === 'stage1' || action === 'nested') ? [{ sid: e.index, words, nested: action === 'nested' }] : [];
  });
}

function level1Cds(r: Reach, sid: number, ste: Uint32Array): Found[] {
  const f = r.setup.features;
  const format = steCdFormat(ste, 0, f);
  if (format === 0) return [];
  const span = format === 1 ? 64 : 1024;
  return inArray({ kind: 'l1cd', sid, index: 0, span }, steCdTable(ste, 0, f), Math.max(1, 2 ** steCdMax(ste, 0, f) / span));
}

function cds(r: Reach, sid: number, ste: Uint32Array): Found[] {
  const f = r.setup.features;
  const format = steCdFormat(ste, 0, f);
  const count = 2 ** steCdMax(ste, 0, f);
  if (format === 0) return inArray({ kind: 'cd', sid, index: 0, span: 1 }, steCdTable(ste, 0, f), count);
  return r.structures.filter((e) => e.kind === 'l1cd' && e.sid === sid).flatMap((e) => {
    const w = complete(e);
    if (w === null || !l1cdValid(w[0] as number)) return [];
    return inArray({ kind: 'cd', sid, index: e.index, span: 1 }, l1cdPointer(w[0] as number, w[1] as number, format), Math.min(e.span, count - e.index, FEW));
  });
}

/** At its own address, or with stage 2 wherever a cached stage-2 leaf of the VMID maps it readable. */
function placed(r: Reach, f: Found, nested: Uint32Array | null): Found[] {
  if (nested === null) return [f];
  const frame = Math.floor(f.address / 4096);
  return stage2Leaves(r, getField(nested, STE.S2VMID)).filter((s2) => (s2.lo & 64) !== 0 && frame >= s2.va && frame < s2.va + s2.frames)
    .map((s2) => ({ ...f, address: f.address + (s2.target - s2.va) * 4096 }));
}

export function stage2Leaves(r: Pick<Reach, 'translations'>, vmid: number): CachedTranslation[] {
  return [...r.translations.values()].filter((e) => e.kind === 'leaf' && e.stage === 2 && e.vmid === vmid);
}

/** A cached STE, alone or with a cached CD of its stream: tags and tables of the walks that it makes. */
export interface Configuration {
  readonly sid: number;
  /** Index of the CD; -1: stage 2. */
  readonly index: number;
  readonly ste: Uint32Array;
  readonly world: number;
  readonly vmid: number;
  readonly asid: number;
  readonly stage: 1 | 2;
  readonly nested: boolean;
  readonly half: 0 | 1;
  readonly context: TableContext;
}

/** Each way to walk once: STEs and CDs that differ in nothing else count as one, except for their stream, CD index and what ATS depends on. */
export function configurations(r: Reach): Configuration[] {
  const out = new Map<string, Configuration>();
  for (const e of r.structures) {
    const ste = e.kind === 'ste' ? complete(e) : null;
    if (ste === null || (steVerdict(ste, 0, r.setup.features) !== 'stage1' && steVerdict(ste, 0, r.setup.features) !== 'stage2' && steVerdict(ste, 0, r.setup.features) !== 'nested')) continue;
    const name = `${e.index} ${ste.join()}`;
    if (out.has(name)) continue;
    out.set(name, stage2Of(r, e.index, ste));
    for (const d of r.structures) {
      const cd = d.kind === 'cd' && d.sid === e.index ? complete(d) : null;
      if (cd === null || out.has(`${name} ${d.index} ${cd.join()} 0`)) continue;
      for (const half of [0, 1] as const) {
        const k = stage1Of(r, ste, cd, [e.index, d.index, half]);
        if (k !== null) out.set(`${name} ${d.index} ${cd.join()} ${half}`, k);
      }
    }
  }
  return [...out.values()].filter((k) => !k.context.disabled);
}

/** The stage-2 half of an STE; one without stage 2 gives nothing to walk. */
function stage2Of(r: Reach, sid: number, ste: Uint32Array): Configuration {
  const f = r.setup.features;
  const context = stage2Context(ste, 0, f, newTableContext());
  if (steVerdict(ste, 0, f) === 'stage1') context.disabled = true;
  return { sid, index: -1, ste, world: 0, vmid: getField(ste, STE.S2VMID), asid: -1, stage: 2, nested: false, half: 0, context };
}

function stage1Of(r: Reach, ste: Uint32Array, cd: Uint32Array, [sid, index, half]: readonly [number, number, 0 | 1]): Configuration | null {
  const f = r.setup.features;
  const e2h = r.setup.settings.e2h;
  const action = steVerdict(ste, 0, f);
  if ((action !== 'stage1' && action !== 'nested') || !cdVerdict(cd, 0, ste, 0, f, e2h)) return null;
  const world = streamWorld(ste, 0, f, e2h);
  if (half === 1 && world === 1) return null;
  return {
    sid, index, ste, world, vmid: world === 0 ? getField(ste, STE.S2VMID) : 0, asid: world === 1 ? -1 : getField(cd, CD.ASID), stage: 1, nested: action === 'nested', half,
    context: stage1Context(cd, 0, half, f, newTableContext()),
  };
}

/** Tags and tables of a walk as text. */
export function walkOf(k: Configuration): string {
  return `${k.world} ${k.vmid} ${k.asid} ${k.stage} ${k.nested} ${k.half} ${Object.values(k.context).join()}`;
}

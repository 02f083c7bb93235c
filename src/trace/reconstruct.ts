/**
 * Reconstruct: tracing alone shows no stores. They are put in where they must have been: page tables from map and unmap (synthetic.ts), STEs and CDs from the
 * entries to be installed (entries.ts), the registers from nothing. A CD's physical address follows from the kernel's linear map, which the root
 * table gives away (its kernel address when it is obtained, its physical one in the CD or STE); level-2 tables of CDs, like those of STEs, are put where
 * nothing real lies. Whatever rests on this is marked assumed.
 *
 *   attach   begins where an entry is installed, and ends at attach_device_to_domain; of a PASID, behind the CFGIs of its CD
 *   domain   lives as long as its page-table pointer stands for one tag (links.ts)
 *   CR2      E2H, when commands for the tags of EL2 are issued
 */
import { POW2 } from '../spec/bits.js';
import { CD } from '../spec/cd.js';
import { getField } from '../spec/bits.js';
import { OP } from '../spec/command.js';
import { CONFIG_BYPASS, CONFIG_NESTED, CONFIG_S2, STE, steCdFormat, steCdTable } from '../spec/ste.js';
import { newTableContext, stage1Context, stage2Context, type TableContext } from '../spec/tables.js';
import { Ranges } from '../captures/ranges.js';
import type { Recorded, RecordedWhat } from '../captures/recorded.js';
import { batches, belongs, namedBy, steps, type Group, type Named } from './entries.js';
import type { Links, Tag } from './links.js';
import { assumedFeatures } from './machine.js';
import { SyntheticTable, type SyntheticStore } from './synthetic.js';

/** Where nothing real lies: 44 bits are the least that a table address must fit. */
const PAGES = 2 ** 43;
const LEVEL1 = 2 ** 45;
const LEVEL2 = 2 ** 46;
const STREAMS = 256;
/** Level-2 tables of CDs: up to 1024 each. */
const CDS = 2 ** 44;
const CD_BLOCKS = 65_536;
const ABORTING = [1, ...Array.from({ length: 15 }, () => 0)];
const NOTHING = Array.from({ length: 16 }, () => 0);
const MAX_TABLES = 10_000;

type MapLine = Extract<RecordedWhat, { readonly kind: 'map' }>;
type UnmapLine = Extract<RecordedWhat, { readonly kind: 'unmap' }>;

/** What rests on more than the recording says, in words. */
export const ASSUMED: readonly string[] = [
  'page-table stores, from map and unmap calls; STE and CD stores, from the entries to be installed and the CFGIs that follow',
  'commands are visible as soon as they are in the queue; the SMMU has every feature that a command or structure asks for; a two-level stream table',
];

/** One page table as far as its calls tell. */
interface Table {
  readonly pointer: string;
  readonly tag: Tag | null;
  tree: SyntheticTable | null;
  /** Mapped before the root was known. */
  readonly waiting: Ranges<{ readonly pa: number; readonly pgsize: number }>;
}

export class Reconstructor {
  readonly #links: Links;
  readonly #tables = new Map<string, Table>();
  readonly #entries = new Map<string, readonly number[]>();
  readonly #kinds = new Map<string, Named>();
  readonly #streams = new Set<number>();
  readonly #mapping = new Map<number, MapLine>();
  /** CPU → is an attach open? */
  readonly #attaching = new Set<number>();
  #group: Group | null = null;
  #page = PAGES;
  /** Physical minus kernel address. */
  #offset: bigint | null = null;
  #lastPage: string | null = null;
  #enabled = false;
  #cleanedConfig = false;
  #cleanedTlb = false;
  readonly #features = assumedFeatures();
  /** Where the level-1 descriptors of a stream's CDs are, and how many CDs each serves. */
  readonly #cdTables = new Map<number, { readonly address: number; readonly span: number }>();
  /** By stream and block: level-2 tables of CDs that a CFGI announced. */
  readonly #cdBlocks = new Map<string, { readonly sid: number; readonly block: number; readonly at: number; linked: boolean }>();

  constructor(links: Links) {
    this.#links = links;
  }

  take(r: Recorded): Recorded[] {
    const out: Recorded[] = [];
    if (this.#group !== null) {
      if (belongs(this.#group, r)) { this.#group.held.push(r); return out; }
      this.#flush(out);
    }
    this.#take(r, out);
    return out;
  }

  end(): Recorded[] {
    const out: Recorded[] = [];
    if (this.#group !== null) this.#flush(out);
    return out;
  }

  #take(r: Recorded, out: Recorded[]): void {
    const w = r.what;
    switch (w.kind) {
      case 'meta': out.push(r); this.#begin(r, out); return;
      case 'entry': this.#enable(r, out); this.#group = { entry: r, held: [] }; return;
      case 'cmd': this.#seen(w.raw); this.#announced(r, w.raw, out); out.push(r); return;
      case 'page': if (w.what === 'alloc') this.#lastPage = w.va; out.push(r); return;
      case 'map': this.#life(r, w.pt, out); this.#mapping.set(r.cpu, w); out.push(r); return;
      case 'inv': this.#unlinks(r, out); out.push(r); return;
      case 'map.ret': if (w.ok) this.#mapped(r, out); this.#mapping.delete(r.cpu); out.push(r); return;
      case 'unmap': this.#life(r, w.pt, out); out.push(r); this.#unmapped(r, w, out); return;
      case 'attached': out.push(r); if (this.#attaching.delete(r.cpu)) put(out, r, { kind: 'ret', f: this.#calls.get(r.cpu) ?? 'arm_smmu_attach_dev' }); return;
      default: out.push(r);
    }
  }

  readonly #calls = new Map<number, string>();

  #begin(r: Recorded, out: Recorded[]): void {
    for (const [name, value] of [['STRTAB_BASE', LEVEL1], ['STRTAB_BASE_CFG', 0x10210], ['CR0', 8]] as const) put(out, r, { kind: 'register', name, value, read: false });
  }

  #seen(raw: readonly number[] | null): void {
    if (raw === null || this.#enabled) return;
    if (((raw[0] as number) & 0xff) === OP.CFGI_STE_RANGE && ((raw[2] as number) & 31) === 31) this.#cleanedConfig = true;
    if (((raw[0] as number) & 0xff) === OP.TLBI_NSNH_ALL) this.#cleanedTlb = true;
  }

  /** Before the first entry the SMMU must have been switched on. A recording that begins later shows nothing of the reset: it is taken as done. */
  #enable(r: Recorded, out: Recorded[]): void {
    if (this.#enabled) return;
    this.#enabled = true;
    if (!this.#cleanedConfig && !this.#cleanedTlb) {
      put(out, r, { kind: 'issue', count: 3, sync: true });
      put(out, r, { kind: 'cmd', idx: 0, op: 'CFGI_STE_RANGE', raw: [OP.CFGI_STE_RANGE, 0, 31, 0] });
      put(out, r, { kind: 'cmd', idx: 0, op: 'TLBI_NSNH_ALL', raw: [OP.TLBI_NSNH_ALL, 0, 0, 0] });
      put(out, r, { kind: 'cmd', idx: 0, op: 'TLBI_EL2_ALL', raw: [OP.TLBI_EL2_ALL, 0, 0, 0] });
      put(out, r, { kind: 'cmd', idx: 0, op: 'SYNC', raw: null });
      put(out, r, { kind: 'issue.ret' });
    }
    if (this.#links.el2) put(out, r, { kind: 'register', name: 'CR2', value: 1, read: false });
    put(out, r, { kind: 'register', name: 'CR0', value: 0xd, read: false });
  }

  // ---- Entries

  #flush(out: Recorded[]): void {
    const g = this.#group as Group;
    this.#group = null;
    const w = g.entry.what;
    if (w.kind !== 'entry') return;
    out.push(g.entry);
    const named = namedBy(g) ?? this.#kinds.get(w.va) ?? null;
    const pa = named === null ? null : this.#place(w, named, g.entry, out);
    if (named === null || pa === null) {
      put(out, g.entry, { kind: 'unplaced', what: 'an STE or CD is installed that no CFGI names, or whose address is not known' });
      for (const r of g.held) this.#take(r, out);
      return;
    }
    this.#kinds.set(w.va, named);
    this.#attach(g.entry, w.words, named, out);
    const at = batches(g);
    const before = this.#entries.get(w.va) ?? (named.kind === 'ste' ? ABORTING : NOTHING);
    const todo = steps(before, w.words, named.kind, at.length);
    this.#entries.set(w.va, w.words);
    if (at.length === 0) for (const step of todo) this.#storeStep(g.entry, named.kind, pa, w.words, step, out);
    g.held.forEach((r, i) => {
      const step = at.indexOf(i);
      // The last batch gets whatever is left.
      if (step >= 0) for (const s of step === at.length - 1 ? todo.slice(step) : todo.slice(step, step + 1)) this.#storeStep(r, named.kind, pa, w.words, s, out);
      this.#take(r, out);
    });
    this.#pasidReturns(g.entry, named, w.words, out);
  }

  #storeStep(at: Recorded, to: 'ste' | 'cd', pa: number, words: readonly number[], step: readonly number[], out: Recorded[]): void {
    for (const i of step) put(out, at, { kind: 'store', to, pa: pa + i * 8, words: [words[i * 2] as number, words[i * 2 + 1] as number] });
  }

  #place(w: Extract<RecordedWhat, { readonly kind: 'entry' }>, named: Named, at: Recorded, out: Recorded[]): number | null {
    if (named.kind === 'ste') {
      if (named.sid >= 65536) return null;
      this.#stream(named.sid, at, out);
      return LEVEL2 + named.sid * 64;
    }
    const words = Uint32Array.from(w.words);
    if (getField(words, CD.V) !== 0 && this.#offset === null && this.#lastPage !== null) this.#offset = BigInt(getField(words, CD.TTB0)) * 16n - toBig(this.#lastPage);
    const block = [...this.#cdBlocks.values()].find((x) => x.sid === named.sid && x.block === Math.floor(named.ssid / 1024));
    return block === undefined ? this.#physical(w.va) : block.at + (named.ssid % 1024) * 64;
  }

  /** CFGI_CD with Leaf = 0: a level-2 table of CDs was linked, which shows nowhere else. */
  #announced(r: Recorded, raw: readonly number[] | null, out: Recorded[]): void {
    if (raw === null || ((raw[0] as number) & 0xff) !== OP.CFGI_CD || ((raw[2] as number) & 1) !== 0) return;
    const sid = raw[1] as number;
    const block = Math.floor(((raw[0] as number) >>> 12) / 1024);
    const key = `${sid} ${block}`;
    if (this.#cdBlocks.has(key) || this.#cdBlocks.size >= CD_BLOCKS) return;
    this.#cdBlocks.set(key, { sid, block, at: CDS + this.#cdBlocks.size * 65_536, linked: false });
    this.#linkCds(r, sid, out);
  }

  /** Level-1 descriptors of CDs, once the STE says where they are. */
  #linkCds(r: Recorded, sid: number, out: Recorded[]): void {
    const table = this.#cdTables.get(sid);
    if (table === undefined) return;
    for (const b of this.#cdBlocks.values()) {
      if (b.sid !== sid || b.linked) continue;
      b.linked = true;
      // Tables of 4K hold 64 CDs: the descriptors side by side.
      for (let i = 0; i < 1024 / table.span; i += 1) {
        const at = b.at + i * table.span * 64;
        put(out, r, { kind: 'store', to: 'cd', pa: table.address + (b.block * (1024 / table.span) + i) * 8, words: [(at % (POW2[32] as number)) + 1, Math.floor(at / (POW2[32] as number))] });
      }
    }
  }

  #physical(va: string): number | null {
    if (this.#offset === null) return null;
    const pa = BigInt.asUintN(64, toBig(va) + this.#offset);
    return pa < 1n << 48n ? Number(pa) : null;
  }

  /** The first STE of a block of streams: its level-2 table, and the descriptor of it. */
  #stream(sid: number, at: Recorded, out: Recorded[]): void {
    const block = Math.floor(sid / STREAMS);
    if (this.#streams.has(block)) return;
    this.#streams.add(block);
    const table = LEVEL2 + block * STREAMS * 64;
    put(out, at, { kind: 'init', pa: table, count: STREAMS, words: ABORTING });
    put(out, at, { kind: 'store', to: 'l1', pa: LEVEL1 + block * 8, words: [(table % (POW2[32] as number)) + 9, Math.floor(table / (POW2[32] as number))] });
  }

  /** The call that installs the entry, and the page table that it installs. */
  #attach(r: Recorded, words: readonly number[], named: Named, out: Recorded[]): void {
    const w = Uint32Array.from(words);
    if (named.kind === 'ste') this.#cdTable(r, named.sid, w, out);
    const tag = tagOf(named, w);
    const pt = tag === null ? null : this.#links.tableOf(tag, r.line);
    if (named.ssid > 0) this.#pasid(r, { valid: tag !== null, pt, words: w }, out);
    else if (!this.#attaching.has(r.cpu)) {
      if (tag === null && named.kind === 'cd') return;
      const f = callOf(named, w);
      this.#attaching.add(r.cpu);
      this.#calls.set(r.cpu, f);
      put(out, r, { kind: 'call', f, a0: tag === null ? null : pointerOf(tag, pt, r.line), dom: null });
    }
    if (tag !== null && pt !== null) this.#root(r, pt, named.kind === 'cd' ? stage1Context(w, 0, 0, this.#features, newTableContext()) : stage2Context(w, 0, this.#features, newTableContext()), tag.stage, out);
  }

  #cdTable(r: Recorded, sid: number, w: Uint32Array, out: Recorded[]): void {
    const config = getField(w, STE.Config);
    const format = (config & 1) === 0 || config < CONFIG_BYPASS ? 0 : steCdFormat(w, 0, this.#features);
    if (format === 0) return;
    this.#cdTables.set(sid, { address: steCdTable(w, 0, this.#features), span: format === 1 ? 64 : 1024 });
    this.#linkCds(r, sid, out);
  }

  /** The call for a PASID, which tracing does not show; it is over when the CFGIs of its CD are (see #pasidReturns). */
  #pasid(r: Recorded, to: { readonly valid: boolean; readonly pt: string | null; readonly words: Uint32Array }, out: Recorded[]): void {
    if (!to.valid) {
      put(out, r, { kind: 'unplaced', what: 'tracing does not show when the call that takes a PASID away returns: what an ATC or the TLB still holds of it then is not judged' });
      return;
    }
    const asid = getField(to.words, CD.ASID);
    put(out, r, { kind: 'call', f: 'arm_smmu_s1_set_dev_pasid', a0: pointerOf({ stage: 1, id: asid }, to.pt, r.line), dom: null });
  }

  #pasidReturns(r: Recorded, named: Named, words: readonly number[], out: Recorded[]): void {
    if (named.ssid > 0 && getField(Uint32Array.from(words), CD.V) !== 0) put(out, r, { kind: 'ret', f: 'arm_smmu_s1_set_dev_pasid' });
  }

  #root(r: Recorded, pt: string, c: TableContext, stage: 1 | 2, out: Recorded[]): void {
    this.#life(r, pt, out);
    const table = this.#tables.get(pt);
    if (table === undefined) return;
    const root = c.rootFrame * 4096 + c.rootIndex * 8;
    if (table.tree?.root === root || c.disabled) return;
    put(out, r, { kind: 'fill', to: 'pt', pa: root, size: Math.max(c.tg === 12 ? 4096 : 8, c.rootEntries * 8), byte: 0 }); // fresh
    const size = POW2[c.tg] as number;
    table.tree = new SyntheticTable(root, { tg: c.tg, stage, startLevel: c.startLevel }, () => (this.#page = (Math.floor(this.#page / size) + 1) * size));
    for (const m of table.waiting.all()) this.#put(r, table.tree.map(m.start, m.value.pa, m.value.pgsize, m.size / m.value.pgsize), out);
  }

  // ---- Page tables

  /** The pointer stands for another tag than before: its domain was freed, and this is a new one. */
  #life(r: Recorded, pt: string, out: Recorded[]): void {
    const tag = this.#links.tagOf(pt, r.line);
    const known = this.#tables.get(pt);
    if (known !== undefined && known.tag?.id === tag?.id && known.tag?.stage === tag?.stage) return;
    if (known !== undefined) put(out, r, { kind: 'call', f: 'arm_smmu_domain_free_paging', a0: `pt ${pt}`, dom: null });
    if (known === undefined && this.#tables.size >= MAX_TABLES) return;
    if (tag === null) put(out, r, { kind: 'unplaced', what: 'a page table is used that no invalidation names: what it maps is not judged' });
    this.#tables.set(pt, { pointer: pt, tag, tree: null, waiting: new Ranges() });
  }

  /** A table that a block replaces goes before the block comes, and before it is flushed. */
  #unlinks(r: Recorded, out: Recorded[]): void {
    const m = this.#mapping.get(r.cpu);
    if (m === undefined) return;
    const tree = this.#tables.get(m.pt)?.tree;
    if (tree !== null && tree !== undefined) this.#put(r, tree.unlink(m.iova, m.pgsize, m.count), out);
  }

  #mapped(r: Recorded, out: Recorded[]): void {
    const m = this.#mapping.get(r.cpu);
    const table = m === undefined ? undefined : this.#tables.get(m.pt);
    if (m === undefined || table === undefined) return;
    if (table.tree !== null && table.tree.levelOf(m.pgsize) < 0) put(out, r, { kind: 'unplaced', what: 'a mapping with pages of a size that its granule does not have' });
    else if (table.tree !== null) this.#put(r, table.tree.map(m.iova, m.pa, m.pgsize, m.count), out);
    else {
      table.waiting.cut(m.iova, m.pgsize * m.count, (v, skipped) => ({ ...v, pa: v.pa + skipped }));
      table.waiting.add(m.iova, m.pgsize * m.count, { pa: m.pa, pgsize: m.pgsize });
    }
  }

  #unmapped(r: Recorded, w: UnmapLine, out: Recorded[]): void {
    const table = this.#tables.get(w.pt);
    if (table === undefined) return;
    if (table.tree === null) table.waiting.cut(w.iova, w.pgsize * w.count, (v, skipped) => ({ ...v, pa: v.pa + skipped }));
    else this.#put(r, table.tree.unmap(w.iova, w.pgsize, w.count), out);
  }

  #put(r: Recorded, stores: readonly SyntheticStore[], out: Recorded[]): void {
    for (const s of stores) put(out, r, { kind: 'store', to: 'pt', pa: s.pa, words: [s.lo, s.hi] });
  }
}

/** What an entry tags its translations with: the ASID of a valid CD, the VMID of an STE with stage 2 alone. */
function tagOf(named: Named, w: Uint32Array): Tag | null {
  if (named.kind === 'cd') return getField(w, CD.V) === 0 ? null : { stage: 1, id: getField(w, CD.ASID) };
  const config = getField(w, STE.Config);
  return getField(w, STE.V) !== 0 && (config === CONFIG_S2 || config === CONFIG_NESTED) ? { stage: 2, id: getField(w, STE.S2VMID) } : null;
}

function pointerOf(tag: Tag, pt: string | null, line: number): string {
  return pt === null ? `${tag.stage === 1 ? 'asid' : 'vmid'} ${tag.id} of line ${line}` : `pt ${pt}`;
}

/** Which attach an entry belongs to that no other began. */
function callOf(named: Named, w: Uint32Array): string {
  const config = getField(w, STE.Config);
  if (named.kind === 'cd') return 'arm_smmu_attach_dev';
  if (config === CONFIG_NESTED) return 'arm_smmu_attach_dev_nested';
  return config < CONFIG_BYPASS ? 'arm_smmu_attach_dev_blocked' : config === CONFIG_BYPASS ? 'arm_smmu_attach_dev_identity' : 'arm_smmu_attach_dev';
}

/** A line that was not recorded, beside one that was. */
function put(out: Recorded[], at: Recorded, what: RecordedWhat): void {
  out.push({ line: at.line, cpu: at.cpu, name: `assumed ${what.kind}`, what });
}

function toBig(va: string): bigint {
  return /^0x[0-9a-f]{1,16}$/i.test(va) ? BigInt(va) : 0n;
}

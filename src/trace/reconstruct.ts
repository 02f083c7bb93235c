/**
 * Reconstruct: tracing alone shows no stores. They are put in where they must have been: page tables from map and unmap (synthetic.ts), STEs and CDs from the
 * entries to be installed (entries.ts), the registers from nothing. A CD's physical address follows from the kernel's linear map, which the root
 * table gives away (its kernel address when it is obtained, its physical one in the CD). Whatever rests on this is marked assumed.
 *
 *   attach   begins where an entry is installed, and ends at attach_device_to_domain
 *   domain   lives as long as its page-table pointer stands for one ASID (links.ts)
 */
import { POW2 } from '../spec/bits.js';
import { CD, cdGranule, cdStartLevel } from '../spec/cd.js';
import { getField } from '../spec/bits.js';
import { OP } from '../spec/command.js';
import { Ranges } from '../captures/ranges.js';
import type { Recorded, RecordedWhat } from '../captures/recorded.js';
import { batches, belongs, namedBy, steps, type Group, type Named } from './entries.js';
import type { Links } from './links.js';
import { SyntheticTable, type SyntheticStore } from './synthetic.js';

/** Where nothing real lies: 44 bits are the least that a table address must fit. */
const PAGES = 2 ** 43;
const LEVEL1 = 2 ** 45;
const LEVEL2 = 2 ** 46;
const STREAMS = 256;
const ABORTING = [1, ...Array.from({ length: 15 }, () => 0)];
const NOTHING = Array.from({ length: 16 }, () => 0);
const MAX_TABLES = 10_000;

type MapLine = Extract<RecordedWhat, { readonly kind: 'map' }>;
type UnmapLine = Extract<RecordedWhat, { readonly kind: 'unmap' }>;

/** One page table as far as its calls tell. */
interface Table {
  readonly pointer: string;
  readonly asid: number;
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
      case 'cmd': this.#seen(w.raw); out.push(r); return;
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
      put(out, r, { kind: 'issue', count: 2, sync: true });
      put(out, r, { kind: 'cmd', idx: 0, op: 'CFGI_STE_RANGE', raw: [OP.CFGI_STE_RANGE, 0, 31, 0] });
      put(out, r, { kind: 'cmd', idx: 0, op: 'TLBI_NSNH_ALL', raw: [OP.TLBI_NSNH_ALL, 0, 0, 0] });
      put(out, r, { kind: 'cmd', idx: 0, op: 'SYNC', raw: null });
      put(out, r, { kind: 'issue.ret' });
    }
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
    return this.#physical(w.va);
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

  /** The call that installs the entry, and for a CD that becomes valid the page table that it installs. */
  #attach(r: Recorded, words: readonly number[], named: Named, out: Recorded[]): void {
    const w = Uint32Array.from(words);
    const valid = named.kind === 'cd' && getField(w, CD.V) !== 0;
    const pt = valid ? this.#links.tableOf(getField(w, CD.ASID), r.line) : null;
    if (!this.#attaching.has(r.cpu)) {
      const f = valid ? 'arm_smmu_attach_dev' : ((words[0] as number) & 8) !== 0 ? 'arm_smmu_attach_dev_identity' : 'arm_smmu_attach_dev_blocked';
      if (!valid && named.kind === 'cd') return;
      this.#attaching.add(r.cpu);
      this.#calls.set(r.cpu, f);
      put(out, r, { kind: 'call', f, a0: valid ? (pt === null ? `asid ${getField(w, CD.ASID)} of line ${r.line}` : `pt ${pt}`) : '0', dom: null });
    }
    if (valid && pt !== null) this.#root(r, pt, w, out);
  }

  #root(r: Recorded, pt: string, cd: Uint32Array, out: Recorded[]): void {
    if (cdGranule(cd, 0) !== 12) return;
    this.#life(r, pt, out);
    const table = this.#tables.get(pt);
    if (table === undefined) return;
    const root = getField(cd, CD.TTB0) * 16;
    if (table.tree?.root === root) return;
    put(out, r, { kind: 'fill', to: 'pt', pa: root, size: 4096, byte: 0 }); // a fresh page
    table.tree = new SyntheticTable(root, cdStartLevel(cd, 0), () => (this.#page += 4096));
    for (const m of table.waiting.all()) this.#put(r, table.tree.map(m.start, m.value.pa, m.value.pgsize, m.size / m.value.pgsize), out);
  }

  // ---- Page tables

  /** The pointer stands for another ASID than before: its domain was freed, and this is a new one. */
  #life(r: Recorded, pt: string, out: Recorded[]): void {
    const asid = this.#links.asidOf(pt, r.line);
    const known = this.#tables.get(pt);
    if (known?.asid === asid) return;
    if (known !== undefined) put(out, r, { kind: 'call', f: 'arm_smmu_domain_free_paging', a0: `pt ${pt}`, dom: null });
    if (known === undefined && this.#tables.size >= MAX_TABLES) return;
    if (asid < 0) put(out, r, { kind: 'unplaced', what: 'a page table is used that no invalidation names: what it maps is not judged' });
    this.#tables.set(pt, { pointer: pt, asid, tree: null, waiting: new Ranges() });
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
    if (SyntheticTable.levelOf(m.pgsize) < 0) put(out, r, { kind: 'unplaced', what: 'a mapping with pages of another granule than 4K' });
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

/** A line that was not recorded, beside one that was. */
function put(out: Recorded[], at: Recorded, what: RecordedWhat): void {
  out.push({ line: at.line, cpu: at.cpu, name: `assumed ${what.kind}`, what });
}

function toBig(va: string): bigint {
  return /^0x[0-9a-f]{1,16}$/i.test(va) ? BigInt(va) : 0n;
}

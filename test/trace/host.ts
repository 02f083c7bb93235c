/**
 * A driver for machines that have more than stage 1 of 4K granules at EL1: it writes the recording that such a host would give, right unless it is told to
 * leave something out. Tables of all granules and both stages, EL2, PASIDs, ATS, nesting. What must be found is known by construction: nothing
 * of the judge is used here.
 */
import { OP, type Command } from '../../src/spec/command.js';
import { FULL_FEATURES, registersOf } from '../../src/spec/features.js';
import { commandTg, levelShift, stage2Sl0, type Tg } from '../../src/spec/granule.js';
import { Driver, hex } from './build.js';

export interface HostOptions {
  readonly el2: boolean;
  readonly tg: Tg;
  readonly ats: boolean;
  /** log2 of the CDs of a stream: 0 for one. */
  readonly cdMax: number;
  /** Two levels of CDs (4K). */
  readonly twoLevelCds: boolean;
  readonly range: boolean;
}

export const PLAIN: HostOptions = { el2: false, tg: 12, ats: false, cdMax: 0, twoLevelCds: false, range: true };

const STES = 0x10000;
const L1 = 0x1000;
const QUEUE = 0x40000;
const CDS = 0x2000000;
const CD_TABLE = 0x20000;
const ATTRIBUTES = 0xf44n;
const STAGE2_ATTRIBUTES = 0x7fcn;

export function big(n: bigint): string {
  return `0x${n.toString(16)}`;
}

export class Host extends Driver {
  readonly o: HostOptions;
  #next = 0x10000000;

  constructor(o: Partial<HostOptions> = {}) {
    super();
    this.o = { ...PLAIN, ...o };
    const ids = registersOf({ ...FULL_FEATURES, httu: 0, extraQueues: 0, ds: false, oas: 48, range: this.o.range });
    this.add({ ev: 'meta', format: 'smmu-capture/1', name: 'a host' });
    for (const [reg, v] of [['IDR0', ids.idr0], ['IDR1', ids.idr1], ['IDR3', ids.idr3], ['IDR5', ids.idr5]] as const) this.add({ ev: 'reg.r', reg, v: hex(v) });
    for (const [reg, v] of [['CR0', 0], ['CR2', this.o.el2 ? 3 : 2], ['STRTAB_BASE', L1], ['STRTAB_BASE_CFG', 0x10210], ['CMDQ_BASE', QUEUE + 8], ['CMDQ_CONS', 0], ['CR0', 8]] as const) this.add({ ev: 'reg', reg, v: hex(v) });
    this.issue([{ op: OP.CFGI_STE_RANGE, range: 31 }]).issue([{ op: OP.TLBI_EL2_ALL }]).issue([{ op: OP.TLBI_NSNH_ALL }]);
    this.add({ ev: 'reg', reg: 'CR0', v: '0xd' });
    this.add({ cpu: 0, ev: 'ste.init', pa: hex(STES), count: 256, v: ['0x1', ...Array.from({ length: 7 }, () => '0x0')] });
    this.add({ cpu: 0, ev: 'wr', to: 'l1', pa: hex(L1), v: [hex(STES + 9)] });
  }

  /** A zeroed table of one or more granules. */
  table(tables = 1): number {
    const size = 2 ** this.o.tg * tables;
    const at = Math.ceil(this.#next / size) * size;
    this.#next = at + size;
    this.add({ cpu: this.cpu, ev: 'pt.alloc', va: `t${at}`, pa: hex(at), size: hex(size) });
    return at;
  }

  freeTable(pa: number): this {
    return this.add({ cpu: this.cpu, ev: 'pt.free', va: `t${pa}`, size: hex(2 ** this.o.tg) });
  }

  word(to: string, pa: number, value: bigint): this {
    return this.store(to, pa, big(value));
  }

  cdAddress(sid: number, ssid = 0): number {
    return this.o.twoLevelCds ? CDS + sid * 0x100000 + 0x10000 + Math.floor(ssid / 64) * 0x1000 + (ssid % 64) * 64 : CDS + sid * CD_TABLE + ssid * 64;
  }

  #cdBase(sid: number): number {
    return this.o.twoLevelCds ? CDS + sid * 0x100000 : CDS + sid * CD_TABLE;
  }

  /** A leaf table of CDs appears. */
  cdTable(sid: number, ssid: number, cfgi = true): this {
    this.word('cd', this.#cdBase(sid) + Math.floor(ssid / 64) * 8, BigInt(this.cdAddress(sid, Math.floor(ssid / 64) * 64)) | 1n);
    return cfgi ? this.issue([{ op: OP.CFGI_CD, sid, ssid, leaf: 0 }]) : this;
  }

  writeCd(sid: number, ssid: number, s: Space | null, cfgi = true): this {
    const at = this.cdAddress(sid, ssid);
    const sync = (): void => { this.issue(cfgi ? [{ op: OP.CFGI_CD, sid, ssid, leaf: 1 }] : []); };
    if (s === null) {
      this.word('cd', at, 0n);
      sync();
      this.word('cd', at + 8, 0n);
      sync();
      return this;
    }
    this.word('cd', at, 0n); // V = 0 in between
    sync();
    this.word('cd', at + 8, BigInt(s.root));
    sync();
    this.word('cd', at, (BigInt(s.tag) << 48n) | (0xe205n << 32n) | 0xc0003510n | (BigInt(s.h.o.tg === 12 ? 0 : s.h.o.tg === 16 ? 1 : 2) << 6n));
    sync();
    return this;
  }

  /** Words 1 to 3 first, word 0 last; what goes out of use, the other way round. */
  writeSte(sid: number, words: readonly [bigint, bigint, bigint, bigint], cfgi = true): this {
    const at = STES + sid * 64;
    const sync = (): void => { this.issue(cfgi ? [{ op: OP.CFGI_STE, sid, leaf: 1 }] : []); };
    const rest = (): void => { this.store('ste', at + 8, big(words[1]), big(words[2]), big(words[3])); sync(); };
    const first = (): void => { this.word('ste', at, words[0]); sync(); };
    if ((words[0] & 8n) === 0n) { first(); rest(); } else { rest(); first(); }
    return this;
  }

  stage1Ste(sid: number, dss = 2n): [bigint, bigint, bigint, bigint] {
    const format = this.o.twoLevelCds ? 1n : 0n;
    return [
      BigInt(this.#cdBase(sid)) | 1n | (5n << 1n) | (format << 4n) | (BigInt(this.o.cdMax) << 59n),
      (this.o.cdMax > 0 ? dss : 0n) | 0xd4n | (this.o.el2 ? 2n << 30n : 0n) | (this.o.ats ? 1n << 28n : 0n), 0n, 0n,
    ];
  }

  stage2Ste(s: Space, config = 6n, vmid = s.tag): [bigint, bigint, bigint, bigint] {
    const start = s.start;
    const sl0 = BigInt(stage2Sl0(this.o.tg, start));
    const tg = BigInt(this.o.tg === 12 ? 0 : this.o.tg === 16 ? 1 : 2);
    return [
      1n | (config << 1n), (this.o.ats ? 1n << 28n : 0n) | (1n << 44n),
      BigInt(vmid) | (16n << 32n) | (sl0 << 38n) | (tg << 46n) | (5n << 48n) | (1n << 51n) | (1n << 58n), BigInt(s.root),
    ];
  }

  attachTo(sid: number, s: Space, o: { readonly cfgiSte?: boolean; readonly cfgiCd?: boolean; readonly vmid?: number } = {}): this {
    this.call('arm_smmu_attach_dev', { a0: s.pointer, a1: '0x1' });
    if (s.stage === 1) {
      if (this.o.twoLevelCds) this.cdTable(sid, 0);
      this.writeCd(sid, 0, s, o.cfgiCd !== false).writeSte(sid, this.stage1Ste(sid), o.cfgiSte !== false);
    } else this.writeSte(sid, this.stage2Ste(s, 6n, o.vmid ?? s.tag), o.cfgiSte !== false);
    return this.ret('arm_smmu_attach_dev');
  }

  /** No translation any more. `flush`: the tag's, before the return. */
  detach(sid: number, o: { readonly flush?: Partial<Command>; readonly atc?: boolean; readonly cfgi?: boolean } = {}): this {
    this.call('arm_smmu_attach_dev_blocked', { a0: '0xb10c', a1: '0x1' }).writeSte(sid, [1n, 0n, 0n, 0n], o.cfgi !== false);
    if (o.atc === true) this.issue([{ op: OP.ATC_INV, sid, size: 52 }]);
    if (o.flush !== undefined) this.issue([o.flush]);
    return this.ret('arm_smmu_attach_dev_blocked');
  }

  setPasid(sid: number, ssid: number, s: Space, o: { readonly cfgi?: boolean; readonly l1?: boolean } = {}): this {
    this.call('arm_smmu_s1_set_dev_pasid', { a0: s.pointer, a1: '0x1' });
    if (this.o.twoLevelCds) this.cdTable(sid, ssid, o.l1 !== false);
    return this.writeCd(sid, ssid, s, o.cfgi !== false).ret('arm_smmu_s1_set_dev_pasid');
  }

  clearPasid(sid: number, ssid: number, o: { readonly cfgi?: boolean; readonly atc?: boolean; readonly flush?: Partial<Command> } = {}): this {
    this.call('arm_smmu_blocking_set_dev_pasid', { a0: '0xb10c', a1: '0x1' }).writeCd(sid, ssid, null, o.cfgi !== false);
    if (this.o.ats && o.atc !== false) this.issue([{ op: OP.ATC_INV, sid, ssv: 1, ssid, size: 52 }]);
    if (o.flush !== undefined) this.issue([o.flush]);
    return this.ret('arm_smmu_blocking_set_dev_pasid');
  }

  atc(sid: number, iova: number, o: Partial<Command> = {}): Partial<Command> {
    return { op: OP.ATC_INV, sid, frame: Math.floor(iova / 4096), size: this.o.tg - 12, ...o };
  }

  /** The commands of one call that syncs, a batch each. */
  syncs(s: Space, ...batches: (readonly Partial<Command>[])[]): this {
    this.call('arm_smmu_iotlb_sync', { a0: s.pointer });
    for (const b of batches) this.issue(b);
    return this.ret('arm_smmu_iotlb_sync');
  }

  translated(sid: number, iova: number, pa: number, ssid = -1): this {
    return this.add({ ev: 'xlat', sid, iova: hex(iova), pa: hex(pa), perm: 3, hit: 1, asid: 0, vmid: 0, ...(ssid < 0 ? {} : { ssid }) });
  }
}

/** One domain with tables of its own. */
export class Space {
  readonly h: Host;
  readonly pointer: string;
  readonly stage: 1 | 2;
  readonly tag: number;
  readonly root: number;
  readonly start: number;
  readonly #tables = new Map<string, number>();

  constructor(h: Host, pointer: string, tag: number, stage: 1 | 2 = 1) {
    this.h = h;
    this.pointer = pointer;
    this.tag = tag;
    this.stage = stage;
    this.start = h.o.tg === 12 ? 0 : h.o.tg === 16 ? 1 : stage === 1 ? 0 : 1;
    this.root = h.table(stage === 2 && h.o.tg === 14 ? 2 : 1);
  }

  get granule(): number { return 2 ** this.h.o.tg; }

  /** Bytes of a page, or of a block one level above. */
  size(level: number): number { return 2 ** levelShift(this.h.o.tg, level); }

  tableAt(level: number, iova: number): number | undefined {
    return level === this.start ? this.root : this.#tables.get(`${level} ${Math.floor(iova / this.size(level - 1))}`);
  }

  entry(level: number, iova: number): number {
    const within = level === this.start ? 2 ** 53 : this.size(level - 1);
    return (this.tableAt(level, iova) as number) + Math.floor((iova % within) / this.size(level)) * 8;
  }

  #leaf(pa: number, level: number, write: boolean): bigint {
    const low = this.stage === 2 ? STAGE2_ATTRIBUTES & (write ? -1n : ~0x80n) : ATTRIBUTES | (write ? 0n : 0x80n) | 0x40n;
    return BigInt(pa) | low | (level === 3 ? 3n : 1n);
  }

  map(iova: number, pa: number, o: { readonly count?: number; readonly level?: number; readonly write?: boolean; readonly stored?: number } = {}): this {
    const level = o.level ?? 3;
    const count = o.count ?? 1;
    const size = this.size(level);
    this.h.add({ cpu: this.h.cpu, ev: 'map', pt: `${this.pointer}f`, dom: this.pointer, iova: hex(iova), pa: hex(pa), pgsize: hex(size), count, prot: o.write === false ? '0x1' : '0x3' });
    for (let i = 0; i < count; i += 1) {
      const at = iova + i * size;
      for (let l = this.start; l < level; l += 1) {
        if (this.tableAt(l + 1, at) !== undefined) continue;
        const made = this.h.table();
        this.#tables.set(`${l + 1} ${Math.floor(at / this.size(l))}`, made);
        this.h.word('pt', this.entry(l, at), BigInt(made) | 3n);
      }
      this.h.word('pt', this.entry(level, at), this.#leaf((o.stored ?? pa) + i * size, level, o.write !== false));
    }
    this.h.add({ cpu: this.h.cpu, ev: 'map.ret', ret: 0 });
    return this;
  }

  /** Clears the descriptors; the invalidation is the caller's. */
  unmap(iova: number, o: { readonly count?: number; readonly level?: number; readonly clear?: boolean } = {}): this {
    const level = o.level ?? 3;
    const count = o.count ?? 1;
    const size = this.size(level);
    this.h.call('iommu_unmap_fast', { dom: this.pointer }).add({ cpu: this.h.cpu, ev: 'unmap', pt: `${this.pointer}f`, iova: hex(iova), pgsize: hex(size), count });
    if (o.clear !== false) for (let i = 0; i < count; i += 1) this.h.word('pt', this.entry(level, iova + i * size), 0n);
    this.h.add({ cpu: this.h.cpu, ev: 'unmap.ret', size: hex(size * count) }).ret('iommu_unmap_fast');
    return this;
  }

  /** Takes the table of the entries of `level` for an address out, with all that is in it. */
  unlink(level: number, iova: number): number {
    const made = this.tableAt(level, iova) as number;
    const size = this.size(level - 1);
    const from = iova - (iova % size);
    this.h.call('iommu_unmap_fast', { dom: this.pointer }).add({ cpu: this.h.cpu, ev: 'unmap', pt: `${this.pointer}f`, iova: hex(from), pgsize: hex(size), count: 1 }).word('pt', this.entry(level - 1, iova), 0n)
      .add({ cpu: this.h.cpu, ev: 'unmap.ret', size: hex(size) }).ret('iommu_unmap_fast');
    this.#tables.delete(`${level} ${Math.floor(iova / size)}`);
    return made;
  }

  /** The right command for `pages` granules from an address. */
  tlbi(iova: number, pages = 1, change: Partial<Command> = {}): Partial<Command> {
    const { el2, tg } = this.h.o;
    const tag = this.stage === 2 ? { op: OP.TLBI_S2_IPA, vmid: this.tag } : el2 ? { op: OP.TLBI_EL2_VA, asid: this.tag } : { op: OP.TLBI_NH_VA, asid: this.tag };
    const range = this.h.o.range ? { tg: commandTg(tg), ttl: 3, num: pages - 1, scale: 0 } : {};
    return { ...tag, frame: Math.floor(iova / 4096), leaf: 1, ...range, ...change };
  }

  whole(): Partial<Command> {
    return this.stage === 2 ? { op: OP.TLBI_S12_VMALL, vmid: this.tag } : this.h.o.el2 ? { op: OP.TLBI_EL2_ASID, asid: this.tag } : { op: OP.TLBI_NH_ASID, asid: this.tag };
  }
}

/** A small driver that writes a recording: right unless it is told to leave something out. */
import { writeCapture, type Line } from '../captures/write.js';
import { encodeCommand, newCommand, OP, type Command, type CommandName } from '../../src/spec/command.js';

const STES = 0x10000;
const L1 = 0x1000;
const QUEUE = 0x40000;
const CDS = 0x20000;
const PAGE = 4096;
/** Of the command queue. */
const ENTRIES = 256;

export function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

function word(lo: number, hi: number): string {
  return `0x${(BigInt(hi >>> 0) * 0x100000000n + BigInt(lo >>> 0)).toString(16)}`;
}

export class Driver {
  lines: Line[] = [];
  cpu = 0;
  #idx = 0;
  #tables = 0x100000;

  add(...lines: Line[]): this {
    this.lines.push(...lines);
    return this;
  }

  /** Commands in one batch, with a SYNC unless told otherwise. */
  issue(commands: readonly Partial<Command>[], sync = true): this {
    const all = sync ? [...commands, { op: OP.SYNC as number }] : commands;
    const cpu = this.cpu;
    this.add({ cpu, ev: 'issue', count: commands.length, sync: sync ? 1 : 0 });
    const raw = new Uint32Array(4);
    const taken: Line[] = [];
    for (const c of all) {
      encodeCommand({ ...newCommand(), ...c }, raw);
      const op = (Object.keys(OP) as CommandName[]).find((k) => OP[k] === c.op) as string;
      this.add({ cpu, ev: 'cmd', idx: this.#idx % ENTRIES, op, raw: [word(raw[0] as number, raw[1] as number), word(raw[2] as number, raw[3] as number)] });
      taken.push({ ev: 'take', idx: this.#idx % ENTRIES, op });
      this.#idx += 1;
    }
    this.add({ ev: 'prod', v: this.#idx % (2 * ENTRIES) }, ...taken);
    if (sync) this.add({ ev: 'cons', v: this.#idx % (2 * ENTRIES) });
    return this.add({ cpu, ev: 'issue.ret', ret: 0 });
  }

  boot(o: { readonly cfgi?: boolean; readonly tlbi?: boolean; readonly idr0?: string } = {}): this {
    this.add({ ev: 'meta', format: 'smmu-capture/1', name: 'hand-made' }, { ev: 'reg.r', reg: 'IDR0', v: o.idr0 ?? '0xd44101b' }, { ev: 'reg.r', reg: 'IDR1', v: '0x2730010' }, { ev: 'reg.r', reg: 'IDR3', v: '0x1414' }, { ev: 'reg.r', reg: 'IDR5', v: '0x74' });
    for (const [reg, v] of [['CR0', 0], ['STRTAB_BASE', L1], ['STRTAB_BASE_CFG', 0x10210], ['CMDQ_BASE', QUEUE + 8], ['CMDQ_CONS', 0], ['CR0', 8]] as const) this.add({ ev: 'reg', reg, v: hex(v) });
    if (o.cfgi !== false) this.issue([{ op: OP.CFGI_STE_RANGE, range: 31 }]);
    if (o.tlbi !== false) this.issue([{ op: OP.TLBI_NSNH_ALL }]);
    this.add({ ev: 'reg', reg: 'CR0', v: '0xd' });
    this.add({ cpu: 0, ev: 'ste.init', pa: hex(STES), count: 256, v: ['0x1', ...Array.from({ length: 7 }, () => '0x0')] });
    return this.add({ cpu: 0, ev: 'wr', to: 'l1', pa: hex(L1), v: [hex(STES + 9)] });
  }

  /** A fresh table page. */
  page(): number {
    this.#tables += PAGE;
    this.add({ cpu: this.cpu, ev: 'pt.alloc', va: `v${this.#tables}`, pa: hex(this.#tables), size: '0x1000' });
    return this.#tables;
  }

  free(pa: number): this {
    return this.add({ cpu: this.cpu, ev: 'pt.free', va: `v${pa}`, size: '0x1000' });
  }

  call(f: string, fields: Line = {}): this {
    return this.add({ cpu: this.cpu, ev: 'call', f, ...fields });
  }

  ret(f: string): this {
    return this.add({ cpu: this.cpu, ev: 'ret', f });
  }

  store(to: string, pa: number, ...v: string[]): this {
    return this.add({ cpu: this.cpu, ev: 'wr', to, pa: hex(pa), v });
  }

  /** CD first, then STE, each in two steps. `leaveOut`: a step whose CFGI is forgotten: 'cd' or 'ste'. */
  attach(sid: number, d: Domain, leaveOut = ''): this {
    const cd = CDS + sid * 64;
    const ste = STES + sid * 64;
    const cfgiCd: Partial<Command>[] = leaveOut === 'cd' ? [] : [{ op: OP.CFGI_CD, sid, leaf: 1 }];
    const cfgiSte: Partial<Command>[] = leaveOut === 'ste' ? [] : [{ op: OP.CFGI_STE, sid, leaf: 1 }];
    return this.call('arm_smmu_attach_dev', { a0: d.pointer, a1: '0x1' })
      .store('cd', cd + 8, hex(d.root)).issue(cfgiCd)
      .store('cd', cd, word(0xc0003510, 0x1e204 - 0x10000 + d.asid * 0x10000)).issue(cfgiCd)
      .store('ste', ste + 8, '0xd6').issue(cfgiSte)
      .store('ste', ste, hex(cd + 0xb)).issue(cfgiSte)
      .ret('arm_smmu_attach_dev');
  }

  block(sid: number, o: { readonly cfgi?: boolean; readonly flush?: number } = {}): this {
    this.call('arm_smmu_attach_dev_blocked', { a0: '0xb10c', a1: '0x1' }).store('ste', STES + sid * 64, '0x1').issue(o.cfgi === false ? [] : [{ op: OP.CFGI_STE, sid, leaf: 1 }]);
    if (o.flush !== undefined) this.issue([{ op: OP.TLBI_NH_ASID, asid: o.flush }]);
    return this.store('cd', CDS + sid * 64, '0x0').issue([{ op: OP.CFGI_CD, sid, leaf: 1 }]).ret('arm_smmu_attach_dev_blocked');
  }

  xlat(sid: number, iova: number, pa: number, walk?: readonly (readonly [string, string])[]): this {
    return this.add({ ev: 'xlat', sid, iova: hex(iova), pa: hex(pa), perm: 3, hit: walk === undefined ? 1 : 0, asid: 1, vmid: 0, ...(walk === undefined ? {} : { walk }) });
  }

  fault(sid: number, iova: number): this {
    return this.add({ ev: 'fault', type: 'F_TRANSLATION', sid, iova: hex(iova) });
  }

  /** The recording as it is written: numbered and closed. */
  numbered(close = true): Line[] {
    return [...this.lines, ...(close ? [{ ev: 'selfcheck', mismatch: 0 }] : [])].map((l, n) => ({ n, ...l }));
  }

  write(close = true, name = 'recording.jsonl'): string {
    return writeCapture(name, this.numbered(close).map((l) => `${JSON.stringify(l)}\n`).join(''));
  }
}

/** A domain with three tables below its root, all of them for the first 2 MB. */
export class Domain {
  readonly pointer: string;
  readonly asid: number;
  readonly root: number;
  readonly level1: number;
  readonly level2: number;
  level3 = 0;
  readonly #d: Driver;

  constructor(d: Driver, pointer: string, asid: number) {
    this.#d = d;
    this.pointer = pointer;
    this.asid = asid;
    this.root = d.page();
    this.level1 = d.page();
    this.level2 = d.page();
    d.store('pt', this.root, hex(this.level1 + 3)).store('pt', this.level1, hex(this.level2 + 3));
  }

  get driver(): Driver { return this.#d; }

  /** Frame numbers below 512. */
  map(page: number, pa: number, o: { readonly stored?: number } = {}): this {
    this.#d.add({ cpu: this.#d.cpu, ev: 'map', pt: `${this.pointer}f`, dom: this.pointer, iova: hex(page * PAGE), pa: hex(pa), pgsize: '0x1000', count: 1, prot: '0x7' });
    if (this.level3 === 0) {
      this.level3 = this.#d.page();
      this.#d.store('pt', this.level2, hex(this.level3 + 3));
    }
    this.#d.store('pt', this.level3 + page * 8, hex((o.stored ?? pa) + 0xf47)).add({ cpu: this.#d.cpu, ev: 'map.ret', ret: 0 });
    return this;
  }

  /** Without a sync. */
  unmap(page: number, o: { readonly clear?: boolean } = {}): this {
    const at = { iova: hex(page * PAGE) };
    this.#d.call('iommu_unmap_fast', { dom: this.pointer, ...at, size: '0x1000' }).add({ cpu: this.#d.cpu, ev: 'unmap', pt: `${this.pointer}f`, ...at, pgsize: '0x1000', count: 1 });
    if (o.clear !== false) this.#d.add({ cpu: this.#d.cpu, ev: 'fill', to: 'pt', pa: hex(this.level3 + page * 8), len: 8, v: '0x0' });
    this.#d.add({ cpu: this.#d.cpu, ev: 'unmap.ret', size: '0x1000' }).ret('iommu_unmap_fast');
    return this;
  }

  sync(commands: readonly Partial<Command>[], wait = true): this {
    this.#d.call('arm_smmu_iotlb_sync', { a0: this.pointer });
    if (commands.length > 0) this.#d.issue(commands, wait);
    this.#d.ret('arm_smmu_iotlb_sync');
    return this;
  }

  tlbi(page: number, change: Partial<Command> = {}): Partial<Command> {
    return { op: OP.TLBI_NH_VA, asid: this.asid, frame: page, leaf: 1, ...change };
  }

  alloc(page: number): this {
    this.#d.add({ cpu: this.#d.cpu, ev: 'iova.alloc', iovad: `${this.pointer}a`, dom: this.pointer, iova: hex(page * PAGE), size: '0x1000' });
    return this;
  }
}

/** A booted SMMU with stream 3 attached to a domain. */
export function attached(): { readonly d: Driver; readonly dom: Domain } {
  const d = new Driver().boot();
  const dom = new Domain(d, '0xd0', 1);
  d.attach(3, dom);
  return { d, dom };
}

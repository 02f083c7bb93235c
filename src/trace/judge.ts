/**
 * Judge: one recorded line at a time through the machine, the intent and the duties. When what is due:
 *
 *   sync returns              what this CPU unmapped in the domain since its last sync is gone (strict)
 *   iommu_unmap returns       the same: it syncs by itself
 *   range handed out          whatever was unmapped there, synced or not, is gone (lazy; and strict without a sync)
 *   commands with SYNC return STEs and CDs stored before on this CPU have no older form left
 *   attach, release return    the streams touched see the new target only, under a tag of their own
 *   table page freed          nothing cached or in memory leads to it
 *   SMMUEN                    nothing of before reset is usable
 */
import { Ledger } from '../rules/ledger.js';
import { MemoryFull } from '../memory/scattered.js';
import { Unmodelled, ViolationError } from '../stack/violation.js';
import type { Recorded, RecordedWhat } from '../captures/recorded.js';
import { CaptureError } from '../captures/read.js';
import { Accesses } from './accesses.js';
import type { Life } from './intent.js';
import { ASSUMED } from './reconstruct.js';
import { Cleaning } from './cleaning.js';
import { attaches, dueOf, KNOWN_CALLS, NAMES_DOMAIN } from './calls.js';
import { LineClock } from './line-clock.js';
import { joined, Lives, TooMany, type Cpu } from './lives.js';
import { Contradiction, RecordedMachine } from './machine.js';
import type { Command } from '../spec/command.js';
import type { Doubt, Finding, TraceResult } from './types.js';
import type { Watch } from './watch.js';
import type { Breach, Duties, MachineKind, Pending, Told, Weakest } from './weakest.js';
import { WholeWeakest } from './whole.js';
import { describeLine } from './words.js';

export const FINDINGS_KEPT = 100;
const DOUBTS_KEPT = 20;
const NAMES_KEPT = 500;
const LEAF_BYTES = 4096;

type Of<K extends RecordedWhat['kind']> = Extract<RecordedWhat, { readonly kind: K }>;

/**
 * `watch`: collects what concerns one fact, while a finding is being explained on the stage-1 machine; `tell`: on the whole one, what is needed to tell is
 * kept from this line on. `synced`: told of each SYNC that is complete.
 */
export interface Hooks {
  readonly machine: MachineKind;
  readonly watch: Watch | null;
  readonly tell: number | null;
  readonly synced: ((covered: readonly Pending[], line: number) => void) | null;
}
const NO_HOOKS: Hooks = { machine: 'stage1', watch: null, tell: null, synced: null };

export class Judge {
  readonly machine: RecordedMachine;
  readonly lives = new Lives();
  readonly ledger = new Ledger();
  readonly cleaning = new Cleaning();
  readonly findings: Finding[] = [];
  readonly #path: string;
  readonly #watch: Watch | null;
  readonly #tell: number | null;
  readonly #accesses: Accesses;
  readonly #clock = new LineClock();
  readonly #doubts: Doubt[] = [];
  readonly #unknown = new Map<string, number>();
  readonly #pages = new Map<string, { readonly pa: number; readonly size: number }>();
  #duties: Duties | null = null;
  #more = 0;
  #lines = 0;
  #line = 0;
  #tracing = false;
  #mark = '';
  /** The machine does not model what came: nothing is judged any more. */
  #stopped = false;
  /** The line at which an SMMU was switched on that does not see the CPU caches; -1: none. */
  #blind = -1;
  #now: { readonly line: number; readonly text: string } = { line: 0, text: '' };
  #how: Finding['how'] = 'violation';
  /** By finding: what the whole machine told of it. */
  readonly told = new Map<number, Told>();
  /** Stores that were not recorded stand behind what is judged now. */
  assumed = false;

  constructor(path: string, hooks: Hooks = NO_HOOKS) {
    this.#path = path;
    this.#watch = hooks.watch;
    this.#tell = hooks.tell;
    this.machine = new RecordedMachine(hooks.machine);
    this.#accesses = new Accesses(this.machine, this.lives, this.ledger);
    this.machine.started = (m) => { this.#started(m, hooks); };
  }

  #started(m: Weakest, { watch, synced }: Hooks): void {
    this.#duties = m.duties({
      lives: this.lives, ledger: this.ledger, watch, report: (b) => { this.#report(b); }, doubt: (why) => { this.doubt(this.#line, why); },
      lineAt: this.#tell === null ? null : (time) => this.#clock.at(time),
    });
    m.listen(watch === null && synced === null ? null : { commandSeen: (c) => { watch?.command(c); }, synced: (covered) => { watch?.synced(); synced?.(covered, this.#line); } });
  }

  /** What a fact's story needs is kept from now on. */
  #remember(line: number): void {
    if (this.#tell === null || line < this.#tell || !(this.machine.weakest instanceof WholeWeakest)) return;
    this.machine.weakest.machine.remember();
    this.#clock.begins(this.machine.memory.journal.clock.now, line);
  }

  /** Address of the table page that the driver knows by this pointer. */
  page(va: string): number { return this.#pages.get(va)?.pa ?? -1; }

  get stopped(): boolean { return this.#stopped; }
  /** The stage-1 machine met what it does not model: the whole one must judge it from the beginning. */
  needsWhole = false;

  /** `next`: the line behind it, which may really have come first when another did it. */
  add(r: Recorded, next: Recorded | null = null): void {
    this.#line = r.line;
    this.#lines = Math.max(this.#lines, r.line);
    const w = r.what;
    if (this.#watch !== null) this.#look(this.#watch, r);
    if (this.#tell !== null) this.#remember(r.line);
    if (w.kind === 'unknown' || ((w.kind === 'call' || w.kind === 'ret') && !KNOWN_CALLS.test(w.f))) this.#name(r.name);
    if (this.#stopped && w.kind !== 'meta') return;
    try {
      if (next !== null && isAccess(next.what) && !isAccess(w)) this.#accesses.before(next);
      this.#take(r, w);
      const refused = isAccess(w) ? null : this.#accesses.after();
      if (refused !== null) { this.#at(refused.line, refused.text); this.#how = 'proof'; this.#report(refused.breach); this.#how = 'violation'; }
      if (isAccess(w)) this.#access(r, next);
    } catch (error) {
      this.#failed(error, r);
    }
  }

  #look(watch: Watch, r: Recorded): void {
    watch.line = r.line;
    watch.text = () => describeLine(r);
    if (r.what.kind === 'unmap' || r.what.kind === 'map') watch.call = { line: r.line, text: describeLine(r) };
    if (r.what.kind === 'unmap.ret' || r.what.kind === 'map.ret') watch.call = null;
    if (r.what.kind === 'call' && r.what.f.startsWith('arm_smmu_attach_dev')) watch.call = { line: r.line, text: r.what.f };
    if (r.what.kind === 'ret' && r.what.f.startsWith('arm_smmu_attach_dev')) watch.call = null;
  }

  /** Commands of one batch, with a SYNC, that the driver did not issue. */
  insert(...commands: readonly Command[]): void {
    const m = this.machine.weakest;
    if (m === null || this.#stopped) return;
    for (const c of commands) this.#watch?.command(c);
    this.#watch?.synced();
    const clock = this.machine.memory.journal.clock;
    clock.now += 1;
    const visible = clock.now;
    clock.now += 1;
    m.complete(commands.map((command) => ({ command, visible })));
  }

  #name(name: string): void {
    const key = this.#unknown.has(name) || this.#unknown.size < NAMES_KEPT ? name : 'other names';
    this.#unknown.set(key, (this.#unknown.get(key) ?? 0) + 1);
  }

  #access(r: Recorded, next: Recorded | null): void {
    const refused = this.#accesses.judge(r, next !== null && !isAccess(next.what));
    if (refused === null) return;
    this.#at(r.line, refused.text);
    this.#how = 'proof';
    this.#report(refused.breach);
    this.#how = 'violation';
  }

  #failed(error: unknown, r: Recorded): void {
    if (error instanceof Contradiction) throw new CaptureError(`${this.#path}:${r.line}: ${error.message}: the recording contradicts itself`);
    if (error instanceof MemoryFull || error instanceof TooMany) throw new CaptureError(`${this.#path}:${r.line}: ${error.message}`);
    if (error instanceof Unmodelled) {
      this.needsWhole = this.machine.kind === 'stage1' && r.what.kind !== 'unseen';
      this.doubt(r.line, `${error.message}; from this line on nothing is judged`);
      this.#stopped = true;
    } else if (error instanceof ViolationError) {
      const v = error.violation;
      this.#at(r.line, r.name);
      this.ledger.countViolated(v.rule);
      this.#report({ rule: v.rule, cause: v.cause, expected: v.expected, actual: v.actual, place: v.fact ?? null, from: null });
      this.doubt(r.line, 'the queue is not what the SMMU asks for; from this line on nothing is judged');
      this.#stopped = true;
    } else throw error;
  }

  doubt(line: number, why: string): void {
    if (this.#doubts.length < DOUBTS_KEPT && !this.#doubts.some((d) => d.why === why)) this.#doubts.push({ line, why });
  }

  #at(line: number, text: string): void {
    this.#now = { line, text };
  }

  #report(b: Breach): void {
    if (this.findings.length >= FINDINGS_KEPT) { this.#more += 1; return; }
    const { told, ...said } = b;
    const rest = said.cause.startsWith('memory still shows') && this.cleaning.waiting ? { ...said, actual: `${said.actual} (stores to tables wait for their lines to be cleaned)` } : said;
    if (told !== undefined) this.told.set(this.findings.length, told);
    this.findings.push({ ...rest, how: this.#how, line: this.#now.line, at: this.#now.text, assumed: this.assumed, mark: this.#mark });
  }

  #take(r: Recorded, w: RecordedWhat): void {
    switch (w.kind) {
      case 'meta': this.#tracing = w.tracing; this.assumed = w.tracing; this.cleaning.on = w.cleans; return;
      case 'mark': this.#mark = w.text; return;
      case 'register': this.#register(r, w); return;
      case 'store': this.#store(r, w); this.#stored(r, w.to, w.pa, w.words.length / 2); return;
      case 'fill': this.#fill(r, w); this.#stored(r, w.to, w.pa, w.size / 8); return;
      case 'clean':
        this.cleaning.on = true;
        this.cleaning.clean(w.pa, w.size, (pa, lo, hi) => { this.machine.store(pa, [lo, hi]); });
        return;
      case 'init': for (let i = 0; i < w.count; i += 1) this.machine.store(w.pa + i * 64, w.words); return;
      case 'page': this.#page(r, w); return;
      case 'map': case 'map.ret': case 'unmap': case 'unmap.ret': this.#mapping(r, w); return;
      case 'range': this.#range(r, w); return;
      case 'call': this.#call(r, w); return;
      case 'ret': this.#returned(r, w); return;
      case 'inv': this.#invalidates(r, w); return;
      case 'issue': case 'issue.ret': case 'cmd': case 'prod': case 'take': case 'cons': this.#queue(r, w); return;
      case 'unplaced': this.doubt(r.line, w.what); return;
      case 'unseen': throw new Unmodelled(`${w.commands} commands of one call that the probe did not fetch`);
      case 'xlat': case 'bypass': case 'fault': case 'entry': case 'attached': case 'selfcheck': case 'ignored': case 'unknown': return;
    }
  }

  #register(r: Recorded, w: Of<'register'>): void {
    const before = this.machine.enabled;
    this.machine.register(w.name, w.value, w.read);
    if (w.read || before || !this.machine.enabled) return;
    this.#at(r.line, 'the write of CR0 that sets SMMUEN');
    if (this.machine.known && !this.machine.features.coherent) this.#blind = r.line;
    this.#duties?.reset();
  }

  /** Does the walker see stores to tables only when their lines are cleaned, and does the recording show that? */
  get #behindCaches(): boolean { return this.cleaning.on && this.machine.known && !this.machine.features.coherent; }

  #store(r: Recorded, w: Of<'store'>): void {
    if (w.to !== 'pt' || !this.#behindCaches) this.machine.store(w.pa, w.words);
    else this.#hidden(r, w.pa, w.words);
  }

  #fill(r: Recorded, w: Of<'fill'>): void {
    if (w.to !== 'pt' || !this.#behindCaches) this.machine.fill(w.pa, w.size, w.byte);
    else this.#hidden(r, w.pa, Array.from({ length: w.size / 4 }, () => Math.imul(w.byte, 0x01010101) >>> 0));
  }

  /** Stores that the walker need not see. */
  #hidden(r: Recorded, pa: number, words: readonly number[]): void {
    const cpu = this.lives.cpu(r.cpu);
    this.ledger.judge('publication');
    this.#broken(r, describeLine(r), this.cleaning.hide({ pa, words }, r.line, cpu.mapping === null ? null : cpu.stored));
  }

  /** The map is done: the walker must see what it stored. */
  #visible(r: Recorded, cpu: Cpu, f: string): void {
    if (cpu.stored.length === 0) return;
    this.ledger.judge('table-coherency');
    this.#broken(r, `return of ${f}`, this.cleaning.mapped(cpu.stored));
    cpu.stored.length = 0;
  }

  #broken(r: Recorded, text: string, b: Breach | null): void {
    if (b === null) return;
    this.ledger.countViolated(b.rule);
    this.#at(r.line, text);
    this.#report(b);
  }

  #stored(r: Recorded, to: 'pt' | 'ste' | 'cd' | 'l1', pa: number, words: number): void {
    const cpu = this.lives.cpu(r.cpu);
    if (to === 'pt') {
      const owner = cpu.mapping?.life ?? cpu.unmapping?.life;
      if (owner !== undefined) this.lives.stores(Math.floor(pa / LEAF_BYTES), owner);
      return;
    }
    for (let at = pa - (pa % (to === 'l1' ? 8 : 64)); at < pa + words * 8; at += to === 'l1' ? 8 : 64) {
      const sid = to === 'ste' ? this.machine.streamAt(at) : -1;
      if (to !== 'l1') this.machine.entryStored(to, at, sid);
      if (to === 'ste' && sid < 0) continue;
      const key = `${to} ${at}`;
      if (!cpu.dirty.has(key)) cpu.dirty.set(key, { kind: to, at: to === 'ste' ? sid : at, line: r.line });
      if (cpu.attaching === null) continue;
      for (const u of to === 'ste' ? [{ sid, ssid: -1 }] : to === 'cd' ? this.machine.usersOfCd(at) : []) cpu.attaching.touched.set(`${u.sid} ${u.ssid}`, u);
    }
  }

  #page(r: Recorded, w: Of<'page'>): void {
    if (this.#tracing) {
      if (w.what === 'free') this.doubt(r.line, 'tracing does not show which table a freed page was: from here on no freed table is judged');
      return;
    }
    if (w.what === 'alloc') {
      if (w.pa < 0) return;
      if (this.#behindCaches) this.cleaning.fresh(w.pa, w.size);
      if (w.pa % LEAF_BYTES === 0) for (let at = w.pa; at < w.pa + w.size; at += LEAF_BYTES) this.#zero(at);
      if (this.#pages.size >= 200_000) throw new MemoryFull();
      this.#pages.set(w.va, { pa: w.pa, size: w.size });
      return;
    }
    const page = this.#pages.get(w.va);
    if (page === undefined) { this.doubt(r.line, 'a table page is freed whose allocation is not in the recording'); return; }
    this.#pages.delete(w.va);
    this.cleaning.forget(page.pa, page.size);
    if (page.pa % LEAF_BYTES !== 0 || page.size % LEAF_BYTES !== 0) { this.doubt(r.line, 'a table that is smaller than a page is freed: what may still point to it is not judged'); return; }
    this.#at(r.line, `the table page at 0x${page.pa.toString(16)} is freed`);
    for (let at = page.pa; at < page.pa + page.size; at += LEAF_BYTES) {
      const slot = this.machine.memory.knownSlot(Math.floor(at / LEAF_BYTES));
      if (slot < 0) continue;
      this.#duties?.freed(slot);
      this.lives.freedTable(Math.floor(at / LEAF_BYTES));
      this.machine.memory.forget(Math.floor(at / LEAF_BYTES));
    }
  }

  #zero(pa: number): void {
    const slot = this.machine.memory.knownSlot(Math.floor(pa / LEAF_BYTES));
    if (slot >= 0) this.machine.memory.zeroPage(slot);
  }

  #mapping(r: Recorded, w: Of<'map' | 'map.ret' | 'unmap' | 'unmap.ret'>): void {
    const cpu = this.lives.cpu(r.cpu);
    const unknown = this.lives.mapping(cpu, w, r.line);
    if (unknown !== null) this.doubt(r.line, unknown);
    if (w.kind === 'map.ret' && !cpu.open.has('iommu_map')) this.#visible(r, cpu, 'map');
  }

  #range(r: Recorded, w: Of<'range'>): void {
    const life = this.lives.ofAllocator(w.iovad, w.dom);
    if (life === undefined || w.what === 'free') return;
    this.#at(r.line, `the address range 0x${w.iova.toString(16)} +0x${w.size.toString(16)} is handed out again`);
    this.#duties?.gone(life, w.iova, w.size);
  }

  #call(r: Recorded, w: Of<'call'>): void {
    const cpu = this.lives.cpu(r.cpu);
    const pointer = w.dom ?? w.a0;
    if (w.f === 'iommu_map' || w.f === 'iommu_unmap' || w.f === 'iommu_unmap_fast' || w.f === 'arm_smmu_iotlb_sync' || w.f === 'arm_smmu_flush_iotlb_all') {
      cpu.open.set(w.f, { life: pointer === null ? null : this.lives.of(pointer), line: r.line });
    } else if (attaches(w.f)) {
      if (w.f === 'arm_smmu_sva_set_dev_pasid') this.doubt(r.line, 'the tables of a process are not in the recording: what a PASID shares with one (SVA) is not judged');
      cpu.attaching = { f: w.f, life: NAMES_DOMAIN.has(w.f) && w.a0 !== null ? this.lives.of(w.a0) : null, line: r.line, touched: new Map() };
    } else if (w.f === 'arm_smmu_domain_free_paging' && w.a0 !== null) {
      this.lives.end(this.lives.of(w.a0));
    }
  }

  #returned(r: Recorded, w: Of<'ret'>): void {
    const cpu = this.lives.cpu(r.cpu);
    const open = cpu.open.get(w.f);
    cpu.open.delete(w.f);
    switch (w.f) {
      case 'arm_smmu_iotlb_sync': case 'iommu_unmap':
        this.#at(r.line, `return of ${w.f}${open === undefined ? '' : ` (called at line ${open.line})`}`);
        this.#synced(cpu, open?.life ?? null);
        this.#elsewhere(r, cpu, open?.life ?? null);
        return;
      case 'iommu_map': this.#visible(r, cpu, w.f); return;
      case '__iommu_dma_unmap': this.#queued(r, cpu); return;
      case 'arm_smmu_domain_inv_range': if (this.#tracing && cpu.invalidating !== null) { this.#at(r.line, `return of ${w.f}`); this.#synced(cpu, cpu.invalidating); } return;
      default: if (attaches(w.f)) this.#attached(r, cpu);
    }
  }

  /** What this CPU unmapped in the domain since its last sync is due. */
  #synced(cpu: Cpu, life: Life | null): void {
    const due = cpu.gathered.filter((g) => life === null || g.life === life);
    if (due.length === 0) return;
    const rest = cpu.gathered.filter((g) => life !== null && g.life !== life);
    cpu.gathered.length = 0;
    cpu.gathered.push(...rest);
    for (const g of joined(due)) this.#duties?.gone(g.life, g.iova, g.size);
  }

  /** A sync without an unmap of its own: the caller may have moved from another CPU in between. */
  #elsewhere(r: Recorded, own: Cpu, life: Life | null): void {
    if (life === null || own.unmapped.delete(life)) return;
    for (const cpu of this.lives.cpus()) {
      if (cpu !== own && cpu.gathered.some((g) => g.life === life)) this.doubt(r.line, 'a sync on one CPU while what its domain unmapped was unmapped on another: whether it is due is not known');
    }
  }

  /** The caller of the unmap is done and nothing was synced: the flush queue has it. */
  #queued(r: Recorded, cpu: Cpu): void {
    for (const g of cpu.gathered) g.life.lazy = true;
    if (this.#tracing && cpu.gathered.length > 0) this.doubt(r.line, 'an unmap returns without an invalidation (lazy), and tracing does not show when its address range is handed out again');
    cpu.gathered.length = 0;
  }

  #attached(r: Recorded, cpu: Cpu): void {
    const a = cpu.attaching;
    cpu.attaching = null;
    if (a === null) return;
    this.#at(r.line, `return of ${a.f} (called at line ${a.line})`);
    this.#duties?.attached([...a.touched.values()], dueOf(a, this.#tracing));
  }

  /** Tracing: the invalidation of leaves, outside of a map or unmap, is what a sync does. */
  #invalidates(r: Recorded, w: Of<'inv'>): void {
    const cpu = this.lives.cpu(r.cpu);
    const own = w.leaf && cpu.mapping === null && cpu.unmapping === null && w.pt !== null;
    cpu.invalidating = this.#tracing && own ? this.lives.tableLife(w.pt) ?? null : null;
  }

  #queue(r: Recorded, w: Of<'issue' | 'issue.ret' | 'cmd' | 'prod' | 'take' | 'cons'>): void {
    const cpu = this.lives.cpu(r.cpu);
    switch (w.kind) {
      case 'issue': cpu.waits = w.sync; cpu.lastIdx = -1; return;
      case 'cmd':
        cpu.lastIdx = w.idx;
        if (this.#tracing) this.machine.append(w.op, w.raw);
        else if (w.raw === null) throw new Contradiction('the command has no "raw" words');
        else this.machine.command(w.idx, w.op, w.raw);
        return;
      case 'prod': this.machine.prod(w.value); return;
      case 'take': this.machine.take(w.idx, w.op); return;
      case 'cons': this.machine.cons(w.value); return;
      case 'issue.ret':
        if (!cpu.waits) return;
        cpu.waits = false;
        this.machine.completed(this.#tracing ? -1 : cpu.lastIdx);
        this.#at(r.line, 'return of the call that issued the commands and waited for their SYNC');
        if (cpu.dirty.size > 0) this.#duties?.entries(cpu.dirty.values());
        cpu.dirty.clear();
    }
  }

  result(): TraceResult {
    if (this.#blind >= 0 && !this.cleaning.on) this.doubt(this.#blind, 'the SMMU does not see the CPU caches (IDR0.COHACC = 0), and the recording does not show what was cleaned');
    const verdict = this.findings.length > 0 ? 'violation' : this.#doubts.length > 0 ? 'inconclusive' : 'ok';
    return {
      form: this.#tracing ? 'tracing' : 'full', lines: this.#lines, verdict, findings: this.findings, more: this.#more, doubts: this.#doubts,
      unknown: Object.fromEntries([...this.#unknown].sort(([a], [b]) => (a < b ? -1 : 1))), accesses: this.#accesses.counts, rules: this.ledger.counts(), assumed: this.#tracing ? ASSUMED : [], domains: this.lives.count,
    };
  }
}

function isAccess(w: RecordedWhat): boolean {
  return w.kind === 'xlat' || w.kind === 'bypass' || w.kind === 'fault';
}

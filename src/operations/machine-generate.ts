/**
 * Machine generator: random raw sequences for `fuzz --machine-only`: a plausible layout, boot, then changes of it with
 * the invalidations that belong to them (or not), commands of every kind, transactions aimed at what is mapped, and a
 * share of garbage. Each run is drawn whole: nothing is read back from the machines.
 *
 * Between two CMD_SYNCs that follow a CFGI of everything few words of STEs and CDs change: until then each combination of
 * old and new words may be read, and all of them are asked.
 */
import { OP } from '../spec/command.js';
import { getField, setField } from '../spec/bits.js';
import { CD } from '../spec/cd.js';
import { BIT_AF, BIT_NG, BIT_READ_ONLY, BIT_VALID, HI_DBM } from '../spec/descriptor.js';
import type { Features } from '../spec/features.js';
import { CR0_CMDQEN, CR0_EVENTQEN, CR0_SMMUEN, GBPA_ABORT, GBPA_UPDATE, REG } from '../spec/register.js';
import { STE } from '../spec/ste.js';
import type { Chooser } from '../stack/chooser.js';
import type { MachineOperation, MachineWorld, Where } from '../stack/machine-world.js';
import { plain, randomCommand, remedyFor } from './machine-commands.js';
import { Layout, type Stream, type Structure } from './machine-layout.js';
import type { Entry } from './machine-trees.js';
import { generateReachRun } from './reach-generate.js';
import type { Reach } from './reach.js';
import { drawBoot, drawConfigs, machineWorld, oneIn, pick, PLACE, RAM } from './machine-worlds.js';

/** Operations of a run at most, the layout's stores included. */
export const RUN_OPERATIONS = 120;
/** Words of STEs and CDs that may change before a CFGI of everything and its CMD_SYNC. */
const TORN_WORDS = 4;

export interface MachineRun {
  readonly world: MachineWorld;
  readonly operations: readonly MachineOperation[];
}

/** Draws a whole run; at most `most` operations. With a `reach`: a short one within it. */
export function generateMachineRun(chooser: Chooser, most?: number, reach?: Reach): MachineRun {
  return reach === undefined ? new MachineGenerator(chooser, most ?? RUN_OPERATIONS).run() : generateReachRun(chooser, reach, most);
}

class MachineGenerator {
  readonly #c: Chooser;
  readonly #most: number;
  readonly #operations: MachineOperation[] = [];
  readonly #configs: MachineWorld['smmus'];
  readonly #features: Features;
  readonly #layout: Layout;
  #torn = 0;

  constructor(chooser: Chooser, most: number) {
    this.#c = chooser;
    this.#most = most;
    this.#configs = drawConfigs(chooser);
    this.#features = (this.#configs[0] as MachineWorld['smmus'][number]).features;
    this.#layout = new Layout(chooser, this.#features, drawBoot(chooser, this.#features), (at, lo, hi) => { this.#store(at, lo, hi); });
  }

  run(): MachineRun {
    this.#configs.forEach((_, smmu) => {
      const { boot } = this.#layout;
      this.#add({ op: 'boot', smmu, boot: { ...boot, commands: boot.commands + smmu * 2048, events: boot.events + smmu * 2048, extra: smmu === 0 ? boot.extra : 0, commandsLog2: Math.min(boot.commandsLog2, 6) } });
      for (const s of this.#layout.streams) if (s.ats) this.#add({ op: 'endpoint', smmu, sid: s.sid, ats: true, responds: !oneIn(this.#c, 12) });
    });
    while (this.#operations.length < this.#most) this.#group();
    return { world: machineWorld(this.#configs, Math.max(16, this.#layout.pool.end)), operations: this.#operations.slice(0, this.#most) };
  }

  #add(op: MachineOperation): void {
    this.#operations.push(op);
  }

  #store(at: number, lo: number, hi: number, held = false): void {
    this.#add({ op: 'store', at, lo: lo >>> 0, hi: hi >>> 0, held });
  }

  #smmu(): number {
    return this.#c.index(this.#configs.length);
  }

  #queue(): number {
    return oneIn(this.#c, 4) ? this.#c.index(1 + this.#features.extraQueues) : 0;
  }

  #group(): void {
    const c = this.#c;
    const roll = c.index(100);
    if (roll < 34) this.#access('access');
    else if (roll < 50) this.#leaf();
    else if (roll < 54) this.#table();
    else if (roll < 63) this.#configuration();
    else if (roll < 73) this.#command();
    else if (roll < 81) this.#sync(this.#smmu(), this.#queue());
    else if (roll < 93) this.#ats();
    else if (roll < 95) this.#add({ op: 'evict', smmu: this.#smmu() });
    else if (roll < 97) this.#control();
    else if (roll < 98) this.#add({ op: 'acknowledge', smmu: this.#smmu(), queue: this.#queue(), fix: !oneIn(c, 4) });
    else this.#garbage();
  }

  #stream(): Stream {
    return pick(this.#c, this.#layout.streams);
  }

  #where(s: Stream): Where {
    const c = this.#c;
    const write = oneIn(c, 2);
    const ssid = s.ssids.length > 0 ? pick(c, [-1, ...s.ssids, ...s.ssids, 9]) : oneIn(c, 24) ? c.index(3) : -1;
    return { smmu: this.#smmu(), sid: oneIn(c, 40) ? pick(c, [7, 200, 70000]) : s.sid, ssid, iova: this.#frame(s) * 4096, write, privileged: oneIn(c, 4), instruction: oneIn(c, 8) };
  }

  /** Mostly an input frame that some entry of the stream's trees serves. */
  #frame(s: Stream): number {
    const c = this.#c;
    const tree = s.trees.length === 0 ? undefined : pick(c, s.trees);
    if (tree === undefined) return pick(c, [0, 0x10, 0x90000, 2 ** 39, 2 ** 51]);
    const leaves = tree.entries.filter((e) => !e.table);
    const e = leaves.length === 0 || oneIn(c, 12) ? undefined : pick(c, leaves);
    const frame = tree.base + (e === undefined ? pick(c, [0, 0x20, 0x1000, tree.frames - 1, 2 ** 44]) : e.frame + (oneIn(c, 4) ? c.index(Math.min(tree.span(e.level), 2 ** 18)) : 0));
    if (oneIn(c, 20)) return (frame + 0x12 * 2 ** 44) % 2 ** 52; // a top byte
    return frame % 2 ** 52;
  }

  #access(op: 'access' | 'ats-request' | 'translated'): void {
    this.#add({ op, ...this.#where(this.#stream()) });
  }

  #ats(): void {
    const c = this.#c;
    const streams = this.#layout.streams.filter((s) => s.ats);
    if (streams.length === 0) {
      this.#access(oneIn(c, 12) ? 'ats-request' : 'access');
      return;
    }
    const s = pick(c, streams);
    if (oneIn(c, 10)) {
      this.#add({ op: 'endpoint', smmu: this.#smmu(), sid: s.sid, ats: !oneIn(c, 3), responds: !oneIn(c, 3) });
      return;
    }
    const where = this.#where(s);
    this.#add({ op: oneIn(c, 2) ? 'ats-request' : 'translated', ...where });
    if (oneIn(c, 2)) this.#add({ op: 'translated', ...where, write: where.write && oneIn(c, 2) });
  }

  #sync(smmu: number, queue: number): void {
    const msi = this.#features.msi && oneIn(this.#c, 8) ? RAM + PLACE.data * 4096 + 4 * this.#c.index(8) : 0;
    this.#add({ op: 'sync', smmu, queue, msi });
  }

  #entry(table: boolean): Entry | undefined {
    const all = this.#layout.trees.flatMap((t) => t.entries.filter((e) => e.table === table));
    return all.length === 0 ? undefined : pick(this.#c, all);
  }

  /** A leaf changes, and mostly what belongs to it follows. */
  #leaf(): void {
    const c = this.#c;
    const e = this.#entry(false);
    if (e === undefined) return;
    const valid = (e.lo & BIT_VALID) !== 0;
    const unit = e.tree.span(e.level) * 4096;
    switch (c.index(valid ? 9 : 2)) {
      case 0: case 1: e.lo ^= BIT_VALID; break;
      case 2: e.lo ^= BIT_READ_ONLY; break;
      case 3: e.lo ^= BIT_AF; break;
      case 4: e.lo ^= e.tree.stage === 1 ? BIT_NG : 1 << 6; break;
      case 5: e.hi ^= HI_DBM; break;
      case 6: if (unit < 2 ** 31) e.lo = (e.lo ^ unit) >>> 0; break;
      case 7: e.lo ^= c.index(2) === 0 ? 1 << 6 : 1 << (2 + c.index(10)); break;
      default: if (unit < 2 ** 31) e.lo = (e.lo ^ (BIT_VALID | unit)) >>> 0; break;
    }
    this.#changed(e);
  }

  #table(): void {
    const e = this.#entry(true);
    if (e === undefined) return;
    const c = this.#c;
    if (oneIn(c, 6)) e.hi = (e.hi ^ (1 << (27 + c.index(4)))) >>> 0; // hierarchical attributes
    else if (oneIn(c, 4)) e.lo ^= 2; // a block in its place
    else e.lo ^= BIT_VALID;
    this.#changed(e);
  }

  #changed(e: Entry): void {
    const c = this.#c;
    const held = oneIn(c, 12);
    this.#store(e.at, e.lo, e.hi, held);
    if (held && !oneIn(c, 3)) this.#add({ op: 'barrier' });
    if (oneIn(c, 3)) return;
    const smmu = this.#smmu();
    const queue = this.#queue();
    const { asids, vmids, streams } = this.#layout;
    this.#add({ op: 'command', smmu, queue, command: remedyFor(c, e, this.#features, { asid: pick(c, asids), vmid: pick(c, vmids) }) });
    if (oneIn(c, 6)) this.#access('access');
    if (oneIn(c, 6)) return;
    this.#sync(smmu, queue);
    const ats = streams.filter((s) => s.ats);
    if (ats.length === 0 || oneIn(c, 3)) return;
    const command = plain({ op: OP.ATC_INV, sid: pick(c, ats).sid, size: pick(c, [0, 9, 52]), frame: e.frame - (e.frame % 512) });
    this.#add({ op: 'command', smmu, queue, command });
    this.#sync(smmu, queue);
  }

  #configuration(): void {
    if (this.#layout.level1.length > 0 && oneIn(this.#c, 3)) this.#level1();
    else this.#structure();
  }

  /** A level-1 descriptor goes or comes back; mostly the CFGI that belongs to it follows, and somebody looks. */
  #level1(): void {
    const c = this.#c;
    const e = pick(c, this.#layout.level1);
    if (this.#torn + 1 > TORN_WORDS) this.#quieten();
    e.lo = e.lo === e.valid ? 0 : e.valid;
    this.#store(e.at, e.lo, e.hi);
    this.#torn += 1;
    const users = this.#layout.streams.filter((s) => e.kind === 'l1std' || s.ssids.length > 0);
    const stream = users.length === 0 ? this.#stream() : pick(c, users);
    const smmu = this.#smmu();
    const queue = this.#queue();
    const op = e.kind === 'l1std' ? OP.CFGI_STE : pick(c, [OP.CFGI_CD, OP.CFGI_CD, OP.CFGI_CD_ALL]);
    this.#add({ op: 'command', smmu, queue, command: plain({ op, sid: stream.sid, leaf: oneIn(c, 4) ? 1 : 0, ssid: stream.ssids.length === 0 ? 0 : pick(c, stream.ssids) }) });
    if (!oneIn(c, 6)) this.#sync(smmu, queue);
    this.#add({ op: 'access', ...this.#where(stream), smmu });
  }

  /** An STE or CD changes in one or two fields, its words in any order; mostly a CFGI follows. */
  #structure(): void {
    const c = this.#c;
    const s = pick(c, this.#layout.structures);
    const before = s.words.slice();
    for (let n = 1 + c.index(2); n > 0; n -= 1) this.#field(s);
    const words = [0, 1, 2, 3].filter((w) => s.words[2 * w] !== before[2 * w] || s.words[2 * w + 1] !== before[2 * w + 1]);
    if (oneIn(c, 2)) words.reverse();
    if (this.#torn + words.length > TORN_WORDS) this.#quieten();
    for (const w of words) this.#store(s.at + 8 * w, s.words[2 * w] as number, s.words[2 * w + 1] as number, oneIn(c, 16));
    this.#torn += words.length;
    if (oneIn(c, 4)) return;
    const stream = this.#layout.streams.find((x) => x.ste === s) ?? this.#stream();
    const smmu = this.#smmu();
    const queue = this.#queue();
    const op = s.kind === 'ste' ? OP.CFGI_STE : pick(c, [OP.CFGI_CD, OP.CFGI_CD, OP.CFGI_CD_ALL]);
    const command = plain({ op, sid: stream.sid, leaf: c.index(2), ssid: stream.ssids.length === 0 ? 0 : pick(c, stream.ssids) });
    this.#add({ op: 'command', smmu, queue, command });
    if (!oneIn(c, 4)) this.#sync(smmu, queue);
  }

  /** One field to another value that is mostly legal. */
  #field(s: Structure): void {
    const c = this.#c;
    const flip = (f: { readonly word: number; readonly shift: number; readonly width: number }): void => { setField(s.words, f, 1 - (getField(s.words, f) % 2)); };
    if (s.kind === 'ste') {
      switch (c.index(8)) {
        case 0: case 1: setField(s.words, STE.Config, pick(c, [0, 4, 5, 5, 6, 7])); break;
        case 2: flip(STE.V); break;
        case 3: setField(s.words, STE.S2VMID, pick(c, this.#layout.vmids)); break;
        case 4: setField(s.words, STE.EATS, c.index(3)); break;
        case 5: setField(s.words, STE.S1DSS, c.index(4)); break;
        case 6: flip(pick(c, [STE.S2R, STE.S2HA, STE.S2HD, STE.S2AFFD, STE.S2PTW])); break;
        default: setField(s.words, STE.STRW, pick(c, [0, 2])); break;
      }
      return;
    }
    switch (c.index(7)) {
      case 0: case 1: setField(s.words, CD.ASID, pick(c, this.#layout.asids)); break;
      case 2: flip(CD.V); break;
      case 3: flip(pick(c, [CD.EPD0, CD.EPD1])); break;
      case 4: flip(pick(c, [CD.HA, CD.HD, CD.AFFD, CD.HAD0, CD.TBI0])); break;
      case 5: flip(CD.R); break;
      default: setField(s.words, CD.T0SZ, pick(c, [getField(s.words, CD.T0SZ), 16, 25, 34])); break;
    }
  }

  /** Nothing older of the configuration may be read afterwards. */
  #quieten(): void {
    this.#add({ op: 'barrier' });
    this.#configs.forEach((_, smmu) => {
      this.#add({ op: 'command', smmu, queue: 0, command: plain({ op: OP.CFGI_STE_RANGE, range: 31 }) });
      this.#add({ op: 'sync', smmu, queue: 0, msi: 0 });
    });
    this.#torn = 0;
  }

  #command(): void {
    const c = this.#c;
    const { asids, vmids, streams } = this.#layout;
    const entry = this.#entry(oneIn(c, 4)) ?? null;
    const drawn = randomCommand(c, this.#features, { asids, vmids, sids: streams.map((s) => s.sid), ssids: streams.flatMap((s) => s.ssids), entry });
    const at = { smmu: this.#smmu(), queue: this.#queue() };
    if ('raw' in drawn) {
      this.#add({ op: 'raw', ...at, words: drawn.raw });
      if (!oneIn(c, 3)) this.#add({ op: 'acknowledge', ...at, fix: true });
      return;
    }
    this.#add({ op: 'command', ...at, command: drawn.command });
    if (oneIn(c, 2)) this.#sync(at.smmu, at.queue);
  }

  /** SMMUEN or an event queue off and on, GBPA. */
  #control(): void {
    const c = this.#c;
    const smmu = this.#smmu();
    const on = CR0_SMMUEN | CR0_CMDQEN | CR0_EVENTQEN;
    const set = (offset: number, value: number): void => { this.#add({ op: 'register', smmu, offset, value }); };
    switch (c.index(4)) {
      case 0: set(REG.GBPA, GBPA_UPDATE + (oneIn(c, 2) ? GBPA_ABORT : 0)); break;
      case 1: set(REG.CR0, on - CR0_EVENTQEN); break;
      case 2: set(REG.STRTAB_BASE, 0); break; // guarded: nothing happens
      default: set(REG.CR0, on - CR0_SMMUEN); break;
    }
    this.#access('access');
    if (!oneIn(c, 6)) set(REG.CR0, on);
  }

  /** A bit of a descriptor or of a page of tables flips, or a page is overwritten in one word. */
  #garbage(): void {
    const c = this.#c;
    const e = this.#entry(oneIn(c, 3));
    if (e === undefined || oneIn(c, 4)) {
      this.#store(RAM + (PLACE.pool + c.index(16)) * 4096 + 8 * c.index(8), c.index(2 ** 32), c.index(2 ** 16));
      return;
    }
    const bit = c.index(64);
    if (bit < 32) e.lo = (e.lo ^ (1 << bit)) >>> 0;
    else e.hi = (e.hi ^ (1 << (bit - 32))) >>> 0;
    this.#store(e.at, e.lo, e.hi);
  }
}

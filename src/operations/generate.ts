/**
 * Generate: the next operation, from one Chooser and a view of the intent. Preconditions keep sequences interesting
 * (unmap what is mapped, access what is or was); a share of calls is invalid on purpose.
 */
import type { Chooser } from '../stack/chooser.js';
import { OPERATION_KINDS, type Operation, type OperationKind } from '../stack/operation.js';
import type { World } from '../stack/world.js';
import type { Mix } from './profiles.js';

/** One run of neighbouring mapped entries: frames, ends exclusive. */
export interface RunView {
  readonly first: number;
  readonly end: number;
  readonly unit: number;
}

/** What a generator may know of the state. */
export interface StateView {
  readonly domains: readonly {
    readonly config: { readonly mode: 'strict' | 'lazy'; readonly managed: boolean };
    readonly mapped: { readonly runs: readonly RunView[]; any(first: number, end: number): boolean };
    readonly limbo: readonly RunView[];
    readonly handedOut: readonly { readonly first: number; readonly end: number }[];
    readonly waiting: readonly { readonly first: number; readonly end: number }[];
  }[];
  readonly devices: readonly { readonly streams: readonly number[]; readonly target: number | 'identity' | 'blocked' | 'none' }[];
}

/** Where operations may lead when the SMMU is another one, in frames, ends exclusive. */
export interface Window {
  readonly inputFirst: number;
  readonly inputEnd: number;
  readonly outputFirst: number;
  readonly outputEnd: number;
  /** May devices pass untranslated? Then the input range is memory as well. */
  readonly identity: boolean;
  /** What the device of a StreamID can do. */
  directions(sid: number): { readonly reads: boolean; readonly writes: boolean };
}

const FRAMES_2M = 512;
const FRAMES_1G = 262144;
/** Physical frames that mappings are drawn from: above the RAM window, below the output size. */
const PA_BASE = 0x400000;

export class Generator {
  readonly #chooser: Chooser;
  readonly #world: World;
  readonly #mix: Mix;
  readonly #total: number;
  readonly #sizeTotal: number;
  readonly #anchors: readonly number[];
  readonly #window: Window | undefined;
  /** Input frames end here. */
  readonly #top: number;
  /** Where somebody looked last: with a window often looked at again. */
  readonly #seen: number[] = [];

  constructor(world: World, mix: Mix, chooser: Chooser, window?: Window) {
    this.#world = world;
    this.#mix = mix;
    this.#chooser = chooser;
    this.#total = OPERATION_KINDS.reduce((sum, kind) => sum + mix.weights[kind], 0);
    this.#sizeTotal = mix.sizes.reduce((sum, s) => sum + s, 0);
    this.#window = window;
    const top = Math.min(2 ** (world.inputBits - 12), window?.inputEnd ?? Infinity);
    this.#top = top;
    this.#anchors = [...[0, FRAMES_2M * 3, FRAMES_1G - FRAMES_2M, FRAMES_1G * 4].map((a) => (window?.inputFirst ?? 0) + a), top - FRAMES_1G].filter((a) => a < top);
  }

  next(view: StateView): Operation {
    const c = this.#chooser;
    if (this.#mix.invalid > 0 && c.index(1000) < this.#mix.invalid) return this.#invalid(view);
    const first = this.#window === undefined ? undefined : this.#begin(view);
    if (first !== undefined) return first;
    for (let tries = 0; tries < 8; tries += 1) {
      const op = this.#make(this.#kind(), view);
      if (op !== undefined) return op;
    }
    return this.#access(view) ?? { op: 'sync', domain: 0 };
  }

  /** Short runs have no time to come to something: devices are attached soon, and something is mapped for them. */
  #begin(view: StateView): Operation | undefined {
    const c = this.#chooser;
    const device = view.devices.findIndex((d) => d.target === 'none');
    if (device >= 0 && c.index(4) > 0) return { op: 'attach', device, to: c.index(view.domains.length) };
    const used = view.devices.flatMap((d) => (typeof d.target === 'number' ? [d.target] : []));
    const domain = used.find((i) => view.domains[i]?.mapped.runs.length === 0);
    const d = view.domains[domain ?? -1];
    if (d === undefined || domain === undefined || c.index(3) === 0) return undefined;
    return d.config.managed && d.handedOut.length === 0 ? this.#allocate(view, domain) : this.#map(view, domain);
  }

  #kind(): OperationKind {
    let roll = this.#chooser.index(this.#total);
    for (const kind of OPERATION_KINDS) {
      roll -= this.#mix.weights[kind];
      if (roll < 0) return kind;
    }
    return 'access';
  }

  #make(kind: OperationKind, view: StateView): Operation | undefined {
    const c = this.#chooser;
    switch (kind) {
      case 'map': return this.#map(view);
      case 'unmap': return this.#unmap(view);
      case 'sync': {
        const domain = c.index(view.domains.length);
        return (view.domains[domain]?.limbo.length ?? 0) > 0 || c.index(16) === 0 ? { op: 'sync', domain } : undefined;
      }
      case 'attach': {
        const device = c.index(view.devices.length);
        const roll = c.index(view.domains.length * 4 + 2);
        const to = roll < view.domains.length * 4 ? roll % view.domains.length : roll % 2 === 0 && this.#window?.identity !== false ? 'identity' : 'blocked';
        return view.devices[device]?.target === to ? undefined : { op: 'attach', device, to };
      }
      case 'detach': {
        const device = c.index(view.devices.length);
        return view.devices[device]?.target === 'none' ? undefined : { op: 'detach', device };
      }
      case 'access': return this.#access(view);
      case 'iova-alloc': return this.#allocate(view);
      case 'iova-free': return this.#release(view);
      case 'flush-all': {
        const domain = c.index(view.domains.length);
        return view.domains[domain]?.config.mode === 'lazy' ? { op: 'flush-all', domain } : undefined;
      }
      case 'fail-next-allocation': return { op: 'fail-next-allocation' };
      case 'evict': return { op: 'evict', line: c.index(256) };
    }
  }

  /** Pages of one drawn size class, and the alignment it wants, in frames. */
  #size(): { frames: number; align: number } {
    const c = this.#chooser;
    let roll = c.index(this.#sizeTotal);
    let cls = 0;
    for (; cls < this.#mix.sizes.length - 1; cls += 1) {
      roll -= this.#mix.sizes[cls] as number;
      if (roll < 0) break;
    }
    switch (cls) {
      case 0: return { frames: 1, align: 1 };
      case 1: return { frames: 2 + c.index(15), align: 1 };
      case 2: return { frames: 17 + c.index(584), align: 1 };
      case 3: return { frames: 601 + c.index(3496), align: 1 };
      case 4: return { frames: FRAMES_2M * (1 + c.index(3)), align: FRAMES_2M };
      case 5: return { frames: FRAMES_2M, align: -FRAMES_2M }; // aligned address, unaligned output: 512 pages
      case 6: return { frames: FRAMES_1G, align: FRAMES_1G };
      default: return { frames: FRAMES_1G + FRAMES_2M * (1 + c.index(3)), align: FRAMES_2M };
    }
  }

  #place(frames: number, align: number): number {
    const c = this.#chooser;
    const top = this.#top;
    const anchor = this.#anchors[c.index(this.#anchors.length)] as number;
    const unit = Math.abs(align);
    const offset = unit === 1 ? c.index(this.#mix.spread) : c.index(4) * unit;
    return Math.min(anchor - (anchor % unit) + offset, top - frames - ((top - frames) % unit));
  }

  #map(view: StateView, domain = this.#chooser.index(view.domains.length)): Operation | undefined {
    const c = this.#chooser;
    const d = view.domains[domain];
    if (d === undefined) return undefined;
    const size = this.#size();
    let frames = size.frames;
    let first: number;
    if (d.config.managed) {
      const range = d.handedOut[c.index(Math.max(1, d.handedOut.length))];
      if (range === undefined) return undefined;
      frames = Math.min(frames, range.end - range.first);
      first = c.index(3) > 0 ? range.first : range.first + c.index(range.end - range.first - frames + 1);
    } else if (d.mapped.runs.length > 0 && c.index(4) === 0) { // next to something that is mapped
      const run = d.mapped.runs[c.index(d.mapped.runs.length)] as RunView;
      first = run.end;
    } else {
      first = this.#place(size.frames, size.align);
    }
    if (frames > FRAMES_1G && first % FRAMES_2M !== 0) frames = FRAMES_2M; // in pages that would be too large
    if (first + frames > this.#top || d.mapped.any(first, first + frames)) return undefined;
    const pa = this.#window === undefined ? this.#output(first, size.align) : this.#inside(this.#window, first, frames, size.align);
    return { op: 'map', domain, iova: first * 4096, pa: pa * 4096, size: frames * 4096, prot: c.index(4) === 0 ? 'r' : 'rw' };
  }

  /** An output frame: aligned for blocks, congruent to the address (so that sizes mix), or neither. */
  #output(first: number, align: number): number {
    const c = this.#chooser;
    if (align === FRAMES_1G && first % FRAMES_1G === 0) return FRAMES_1G * (16 + c.index(64));
    if ((align === FRAMES_2M && first % FRAMES_2M === 0) || c.index(4) === 0) return PA_BASE + c.index(0x1000) * FRAMES_2M + (first % FRAMES_2M);
    if (c.index(16) === 0) return FRAMES_1G * (16 + c.index(64)) + (first % FRAMES_1G);
    return PA_BASE + c.index(0x1000) * 37;
  }

  /** The same within the window. */
  #inside(w: Window, first: number, frames: number, align: number): number {
    const c = this.#chooser;
    const room = w.outputEnd - w.outputFirst - frames;
    const unit = align === FRAMES_1G && first % FRAMES_1G === 0 ? FRAMES_1G : (align === FRAMES_2M && first % FRAMES_2M === 0) || c.index(4) === 0 ? FRAMES_2M : 1;
    if (unit === 1) return w.outputFirst + c.index(Math.min(0x1000, Math.floor(room / 37))) * 37;
    const base = Math.ceil(w.outputFirst / unit) * unit;
    return base + c.index(Math.max(1, Math.floor((w.outputEnd - base - frames - (first % unit)) / unit))) * unit + (first % unit);
  }

  /** Part or all of something mapped, along whole entries; sometimes all of a 2 MB region that is full of pages. */
  #unmap(view: StateView): Operation | undefined {
    const c = this.#chooser;
    const domain = c.index(view.domains.length);
    const d = view.domains[domain];
    if (d === undefined || d.mapped.runs.length === 0) return undefined;
    const run = d.mapped.runs[c.index(d.mapped.runs.length)] as RunView;
    const units = (run.end - run.first) / run.unit;
    let from = 0;
    let count = units;
    switch (c.index(4)) {
      case 0: from = c.index(units); count = 1 + c.index(Math.min(16, units - from)); break;
      case 1: count = Math.min(units, 1 + c.index(16)); break;
      case 2: from = Math.max(0, units - 1 - c.index(16)); count = units - from; break;
      default: break;
    }
    return { op: 'unmap', domain, iova: (run.first + from * run.unit) * 4096, size: count * run.unit * 4096 };
  }

  #access(view: StateView): Operation | undefined {
    const c = this.#chooser;
    const device = c.index(view.devices.length);
    const dev = view.devices[device];
    if (dev === undefined) return undefined;
    const d = view.domains[typeof dev.target === 'number' ? dev.target : c.index(view.domains.length)];
    if (d === undefined) return undefined;
    const list: readonly RunView[] = d.limbo.length > 0 && c.index(3) === 0 ? d.limbo : d.mapped.runs;
    let frame: number;
    if (list.length > 0 && c.index(16) > 0) {
      const run = list[c.index(list.length)] as RunView;
      frame = run.first + c.index(run.end - run.first);
    } else {
      frame = this.#place(1, 1);
    }
    if (this.#window !== undefined) frame = this.#again(frame);
    const stream = c.index(dev.streams.length);
    return { op: 'access', device, stream, iova: frame * 4096, write: this.#writes(dev.streams[stream]) };
  }

  /** What was looked at before may be stale now. */
  #again(frame: number): number {
    const c = this.#chooser;
    if (this.#seen.length > 0 && c.index(4) === 0) return this.#seen[c.index(this.#seen.length)] as number;
    this.#seen.push(frame);
    if (this.#seen.length > 4) this.#seen.shift();
    return frame;
  }

  /** A direction that the device can do. */
  #writes(sid: number | undefined): boolean {
    const can = sid === undefined ? undefined : this.#window?.directions(sid);
    return this.#chooser.index(2) === 0 ? can?.writes !== false : can?.reads === false;
  }

  #allocate(view: StateView, domain = this.#chooser.index(view.domains.length)): Operation | undefined {
    const c = this.#chooser;
    const d = view.domains[domain];
    if (d === undefined || !d.config.managed) return undefined;
    const { frames, align } = this.#size();
    // Often exactly where something was given back: that is where stale translations hurt.
    const old = d.waiting[c.index(Math.max(1, d.waiting.length))];
    const again = old !== undefined && c.index(2) === 0;
    const first = again ? old.first : this.#place(frames, align);
    const size = again ? old.end - old.first : frames;
    return { op: 'iova-alloc', domain, iova: first * 4096, size: size * 4096 };
  }

  #release(view: StateView): Operation | undefined {
    const c = this.#chooser;
    const domain = c.index(view.domains.length);
    const d = view.domains[domain];
    if (d === undefined || d.handedOut.length === 0) return undefined;
    const range = d.handedOut[c.index(d.handedOut.length)];
    if (range === undefined || d.mapped.any(range.first, range.end)) return undefined;
    return { op: 'iova-free', domain, iova: range.first * 4096, size: (range.end - range.first) * 4096 };
  }

  /** A call that must be refused, or at least may be: wrong numbers, unaligned, overlapping, out of range. */
  #invalid(view: StateView): Operation {
    const c = this.#chooser;
    const domain = c.index(view.domains.length + 1);
    const device = c.index(view.devices.length + 1);
    const run = view.domains[domain]?.mapped.runs[0];
    const w = this.#window;
    const low = w === undefined ? 0x1000 : (w.inputFirst + 1) * 4096;
    const iova = run === undefined ? low : run.first * 4096;
    const pa = w === undefined ? 0x5000000 : w.outputFirst * 4096;
    switch (c.index(12)) {
      case 0: return { op: 'map', domain, iova: iova + 0x800, pa, size: 4096, prot: 'rw' };
      case 1: return { op: 'map', domain, iova, pa, size: 4096, prot: 'rw' };
      case 2: return { op: 'map', domain, iova: 2 ** this.#world.inputBits - 4096, pa, size: 8192, prot: 'r' };
      case 3: return { op: 'unmap', domain, iova, size: 4096 * (1 + c.index(600)) };
      case 4: return { op: 'unmap', domain, iova: iova + 4096 * (1 + c.index(600)), size: 4096 * (1 + c.index(1100)) };
      case 5: return { op: 'attach', device, to: c.index(view.domains.length + 2) };
      case 6: return { op: 'detach', device };
      case 7: {
        const stream = c.index(3);
        return { op: 'access', device, stream, iova, write: w !== undefined && this.#writes(view.devices[device]?.streams[stream]) };
      }
      case 9: return { op: 'map', domain, iova: 0x40000000, pa: 2 ** 44 - 4096, size: 4096 * (w === undefined ? 1 + c.index(2) : 2), prot: 'rw' };
      case 10: return { op: 'map', domain, iova: low, pa, size: 2 ** 31, prot: 'rw' };
      case 8: return { op: 'iova-free', domain, iova, size: 4096 };
      default: return { op: 'flush-all', domain };
    }
  }
}

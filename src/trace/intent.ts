/**
 * Intent: what the recorded driver was asked for, one flat map for each lifetime of a domain. Pointers are reused, so a domain is a *life*, from
 * its first use until it is freed. What an unmap takes away may be either until it is due: at the return of the sync that follows on the same CPU
 * (strict), or when the address range is handed out again (lazy).
 */
import { Ranges } from '../captures/ranges.js';

export interface Mapped {
  readonly pa: number;
  readonly write: boolean;
}

/** Taken away, and not due yet. `line`: of the unmap. */
export interface Leaving extends Mapped {
  readonly line: number;
}

export class Life {
  readonly number: number;
  readonly pointer: string;
  readonly mapped = new Ranges<Mapped>();
  readonly leaving = new Ranges<Leaving>();
  alive = true;
  /** Some unmap returned without a sync. */
  lazy = false;

  constructor(number: number, pointer: string) {
    this.number = number;
    this.pointer = pointer;
  }

  map(iova: number, size: number, to: Mapped): void {
    this.mapped.cut(iova, size, shifted);
    this.mapped.add(iova, size, to);
  }

  /** What [iova, iova + size) mapped may be either from now on. */
  unmap(iova: number, size: number, line: number): void {
    for (const r of clipped(this.mapped, iova, size)) {
      this.leaving.cut(r.start, r.size, shifted);
      this.leaving.add(r.start, r.size, { ...r.value, line });
    }
    this.mapped.cut(iova, size, shifted);
  }

  /** An unmap ended early: the rest is mapped as before. */
  restore(iova: number, size: number): void {
    for (const r of clipped(this.leaving, iova, size)) this.map(r.start, r.size, r.value);
    this.leaving.cut(iova, size, shifted);
  }

  /** What was taken away here is due. */
  due(iova: number, size: number): void {
    this.leaving.cut(iova, size, shifted);
  }

  /** May [iova, iova + size) translate to `pa`: mapped so, or being taken away? */
  permits(iova: number, size: number, pa: number, write: boolean): boolean {
    return covers(this.mapped, iova, size, pa, write) || covers(this.leaving, iova, size, pa, write) || this.#pieces(iova, size, pa, write);
  }

  /** A block whose parts are partly mapped and partly leaving. */
  #pieces(iova: number, size: number, pa: number, write: boolean): boolean {
    let at = iova;
    while (at < iova + size) {
      const r = this.mapped.overlapping(at, 1)[0];
      const good = r !== undefined && says(r, at, pa + (at - iova), write) ? r : this.leaving.overlapping(at, 1)[0];
      if (good === undefined || !says(good, at, pa + (at - iova), write)) return false;
      at = good.start + good.size;
    }
    return true;
  }

  /** Where what is being taken away in [iova, iova + size) leads. */
  takenIn(iova: number, size: number): { readonly pa: number; readonly size: number }[] {
    return clipped(this.leaving, iova, size).map((r) => ({ pa: r.value.pa, size: r.size }));
  }

  /** Does all of [pa, pa + size) still have an address here? */
  leadsTo(pa: number, size: number): boolean {
    const parts = this.mapped.all().map((r) => [r.value.pa, r.value.pa + r.size] as const).filter(([from, to]) => from < pa + size && pa < to).sort(([a], [b]) => a - b);
    let at = pa;
    for (const [from, to] of parts) {
      if (from > at) return false;
      at = Math.max(at, to);
    }
    return at >= pa + size;
  }

  describe(iova: number): string {
    const r = this.mapped.overlapping(iova, 1)[0];
    return r === undefined ? 'not mapped' : `mapped to 0x${(r.value.pa + (iova - r.start)).toString(16)}${r.value.write ? '' : ' read-only'}`;
  }
}

interface Span {
  readonly start: number;
  readonly size: number;
  readonly value: Mapped;
}

function says(r: Span, iova: number, pa: number, write: boolean): boolean {
  return r.value.pa + (iova - r.start) === pa && (r.value.write || !write);
}

function covers(ranges: { overlapping(start: number, size: number): readonly Span[] }, iova: number, size: number, pa: number, write: boolean): boolean {
  let at = iova;
  for (const r of ranges.overlapping(iova, size)) {
    if (r.start > at || !says(r, at, pa + (at - iova), write)) return false;
    at = r.start + r.size;
  }
  return at >= iova + size;
}

/** The parts of the ranges inside of [start, start + size). */
function clipped<T extends Mapped>(ranges: Ranges<T>, start: number, size: number): { start: number; size: number; value: T }[] {
  return ranges.overlapping(start, size).map((r) => {
    const from = Math.max(r.start, start);
    return { start: from, size: Math.min(r.start + r.size, start + size) - from, value: shifted(r.value, from - r.start) };
  });
}

function shifted<T extends Mapped>(value: T, skipped: number): T {
  return { ...value, pa: value.pa + skipped };
}

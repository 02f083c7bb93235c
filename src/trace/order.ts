/**
 * Order: neighbouring lines of different actors are unordered: a store is logged just after it happened, so the line in front of it or behind it may
 * really have come on its other side. Only two such exchanges can change what the driver is told: a store and the publication of another CPU's commands
 * (who came first decides whether the command saw the old word), and a completed SYNC and the return of another CPU's call (whether it was
 * complete in time). `late` takes the order that is worse for the driver wherever there is a choice, `early` the better one. A verdict
 * that all three give is the verdict; another is inconclusive there.
 */
import type { Recorded } from '../captures/recorded.js';

export type Order = 'recorded' | 'late' | 'early';

/** Who published: the CPU whose commands came last. */
export class Publisher {
  #cpu = -1;

  note(r: Recorded): void {
    if (r.what.kind === 'cmd') this.#cpu = r.cpu;
  }

  actor(r: Recorded): number {
    return r.what.kind === 'prod' || r.what.kind === 'cons' ? this.#cpu : r.cpu;
  }
}

function stores(r: Recorded): boolean {
  return r.what.kind === 'store' || r.what.kind === 'fill' || r.what.kind === 'init' || r.what.kind === 'clean';
}

function completes(r: Recorded): boolean {
  return r.what.kind === 'cons' || r.what.kind === 'issue.ret';
}

function promises(r: Recorded): boolean {
  return r.what.kind === 'ret' || (r.what.kind === 'range' && r.what.what === 'alloc') || (r.what.kind === 'page' && r.what.what === 'free');
}

/** The order of neighbours that exchanging a and b belongs to, or null when it changes nothing or they are of one actor. */
export function exchange(a: Recorded, b: Recorded, who: Publisher): Exclude<Order, 'recorded'> | null {
  if (who.actor(a) === who.actor(b)) return null;
  if ((stores(a) && b.what.kind === 'prod') || (completes(a) && promises(b))) return 'late';
  if ((a.what.kind === 'prod' && stores(b)) || (promises(a) && completes(b))) return 'early';
  return null;
}

/** Takes lines in recorded order and gives them in another. */
export class Orderer {
  readonly #order: Order;
  readonly #who = new Publisher();
  #held: Recorded | null = null;
  /** Neighbours whose order could matter, of either kind. */
  choices = 0;

  constructor(order: Order) {
    this.#order = order;
  }

  /** The next line to be judged, or null when one has to be awaited. */
  next(r: Recorded): Recorded | null {
    this.#who.note(r);
    const a = this.#held;
    if (a === null) { this.#held = r; return null; }
    const kind = exchange(a, r, this.#who);
    if (kind !== null) this.choices += 1;
    if (kind !== null && kind === this.#order) return r; // a stays behind it
    this.#held = r;
    return a;
  }

  last(): Recorded | null {
    const a = this.#held;
    this.#held = null;
    return a;
  }
}

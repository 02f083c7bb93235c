/**
 * Invalidation multiset: whom a domain must tell, and how many users each entry has. The reference of the invalidation array: no order, no
 * trash, no allocation. An entry is told as long as it has a user.
 */
import type { InvKey } from '../../stack/invalidation-array.js';

export interface Counted {
  readonly key: InvKey;
  readonly users: number;
}

function nameOf(k: InvKey): string {
  return `${k.smmu} ${k.type} ${k.id} ${k.ssid}`;
}

export class InvalidationMultiset {
  readonly #users = new Map<string, { readonly key: InvKey; users: number }>();

  /** One user more of each key; a key that stands twice counts twice. */
  add(keys: readonly InvKey[]): void {
    for (const key of keys) {
      const known = this.#users.get(nameOf(key));
      if (known === undefined) this.#users.set(nameOf(key), { key, users: 1 });
      else known.users += 1;
    }
  }

  /** One user less of each key. The keys must have been added. */
  remove(keys: readonly InvKey[]): void {
    for (const key of keys) {
      const known = this.#users.get(nameOf(key));
      if (known === undefined) throw new RangeError(`no user of ${nameOf(key)} is left to be removed`);
      known.users -= 1;
      if (known.users === 0) this.#users.delete(nameOf(key));
    }
  }

  usersOf(key: InvKey): number {
    return this.#users.get(nameOf(key))?.users ?? 0;
  }

  get hasAts(): boolean {
    return [...this.#users.values()].some((e) => e.key.type === 'ats' || e.key.type === 'ats-full');
  }

  /** What is told, sorted by name. */
  contents(): readonly Counted[] {
    return [...this.#users].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([, e]) => ({ key: e.key, users: e.users }));
  }
}

/**
 * Delta: delta debugging over a list: halves, quarters, and so on down to single items, from the end.
 */

/**
 * Offers shorter lists to `attempt` until none of one item less is accepted. `list`: what is accepted so far. Returns true when a whole
 * pass of single deletions found nothing more; false when `spent` says that the budget is used up.
 */
export function deleteItems<T>(list: () => readonly T[], attempt: (shorter: readonly T[]) => boolean, spent: () => boolean): boolean {
  let size = Math.max(1, Math.floor(list().length / 2));
  for (;;) {
    let removed = false;
    for (let at = list().length - size; at > -size; at -= size) {
      if (spent()) return false;
      const from = Math.max(0, at);
      const items = list();
      if (from >= items.length) continue;
      if (attempt([...items.slice(0, from), ...items.slice(from + size)])) removed = true;
    }
    if (size === 1 && !removed) return true;
    if (size > 1) size = Math.floor(size / 2);
  }
}

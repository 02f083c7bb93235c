/**
 * View: the walkers' view of one world. Translation tables are cached, and so are pages that are nobody's (they may become tables, and show what stood in
 * them); everything else is mapped uncached, as the driver does with queues, stream tables and CDs (IHI 0070 §3.15).
 */
import type { Memory } from '../memory/memory.js';
import type { Pages } from '../memory/pages.js';
import { WalkerView } from '../memory/walker-view.js';
import { hasWalkerView, type World } from '../stack/world.js';

/** Null where every SMMU looks into the CPU's caches. Must be there before the first page is handed out. */
export function walkerView(memory: Memory, pages: Pages, world: World): WalkerView | null {
  if (!hasWalkerView(world)) return null;
  const view = new WalkerView(memory, (slot) => {
    const owner = pages.ownerOf(slot);
    return owner === 'table' || owner === null;
  }, world.eviction);
  pages.observer = view;
  return view;
}

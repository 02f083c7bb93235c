/**
 * Rules `stale-walk` and `use-after-free`: at the moment a page is given back, nothing may lead to it any more: no
 * cached table descriptor (stale-walk), no word of memory and no STE or CD, cached or not (use-after-free).
 */
import { waySpan, type Way } from '../reference/stage1/facts.js';
import type { FreeListener, PageOwner } from '../memory/pages.js';
import { at, type Scene } from './scene.js';

/** Do the words of memory themselves still lead to the page? */
function reachable(way: Way): boolean {
  for (let w: Way | null = way; w !== null; w = w.parent) {
    if (w.state !== 'current') return false;
    if (w.index < 0) return true;
  }
  return false;
}

export function freedRule(scene: Scene): FreeListener {
  return {
    freed(slot: number, owner: PageOwner): void {
      if (owner !== 'table' && owner !== 'cd') return;
      scene.ledger.judge('use-after-free');
      if (owner === 'table') scene.ledger.judge('stale-walk');
      scene.machines.forEach((machine, smmu) => {
        const way = machine.tables.waysTo(slot)[0];
        if (way !== undefined) {
          const place = { smmu, kind: 'table' as const, asid: way.regime.asid, frame: way.va, frames: waySpan(way), level: way.level - 1 };
          if (reachable(way)) {
            scene.ledger.fail('use-after-free', 'a table that memory still points to', 'nothing leads to a freed table',
              `the table of ${at(way.va)} is freed while asid ${way.regime.asid} of SMMU ${smmu} still walks through it`, place);
          }
          scene.ledger.fail('stale-walk', 'a cached table descriptor of a freed table', 'no cached table descriptor points to a freed table',
            `SMMU ${smmu} may still hold {asid ${way.regime.asid} table descriptor of ${at(way.va)} level ${way.level - 1}}`, place);
        }
        const cd = machine.configuration.cdsIn(slot)[0];
        if (cd !== undefined) {
          scene.ledger.fail('use-after-free', 'a CD that an STE still points to', 'nothing leads to a freed CD',
            `the CD of stream ${cd.sid} is freed while SMMU ${smmu} may still fetch it`, { smmu, kind: 'cd', sid: cd.sid });
        }
      });
    },
  };
}

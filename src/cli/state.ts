/**
 * State: what `replay --state` shows, read off both sides after an operation.
 */
import type { Lockstep } from '../lockstep/lockstep.js';
import { isCurrent } from '../reference/stage1/facts.js';
import type { StateView } from '../report/replay.js';
import { describeCommand } from '../spec/command.js';

export function stateOf(stack: Lockstep, after: number): StateView {
  return {
    after,
    domains: stack.intent.domains.map((d) => ({ mapped: [...d.mapped.runs], limbo: [...d.limbo] })),
    devices: stack.intent.devices.map((d) => (typeof d.target === 'number' ? `uses domain ${d.target}` : d.target === 'none' ? 'attached to nothing' : d.target)),
    smmus: stack.references.map((reference) => {
      const stes = Array.from({ length: reference.configuration.streams }, (_, sid) => reference.configuration.stesOf(sid)).flat();
      return {
        regimes: reference.regimes.map((r) => ({ asid: r.asid, domain: r.domain, staleLeaves: r.leafRecs.length, staleTables: r.wayRecs.length })),
        olderStes: stes.filter((s) => !isCurrent(s)).length,
        olderCds: stes.flatMap((s) => s.cds).filter((cd) => !isCurrent(cd)).length,
        pending: reference.queue.pending.map((p) => describeCommand(p.command)),
      };
    }),
  };
}

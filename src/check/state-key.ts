/**
 * State key: everything the weakest machine holds, as text. Times appear by their rank only: the justification rule
 * compares times, it never measures them.
 */
import type { EntryFact, Pending, Regime, Way } from '../reference/stage1/facts.js';
import type { Stage1Reference } from '../reference/stage1/machine.js';

export function machineKey(machine: Stage1Reference): string {
  const times = new Set<number>();
  collect(machine, times);
  const order = [...times].sort((a, b) => a - b);
  const rank = new Map(order.map((t, i) => [t, i]));
  const r = (t: number): number => rank.get(t) as number;
  const parts: string[] = [];
  for (const p of machine.queue.pending) parts.push(`c${commandText(p)}@${r(p.visible)}`);
  for (const p of machine.queue.published) parts.push(`p${commandText(p)}@${r(p.visible)}`);
  parts.push(`w${machine.queue.waiting},${machine.queue.prod}`);
  for (let sid = 0; sid < machine.configuration.streams; sid += 1) {
    for (const f of machine.configuration.stesOf(sid)) {
      if (f.cds.length === 0 && f.own.every((w) => w.ends.length === 1 && w.ends[0] === Infinity)) continue; // as memory says, nothing below
      parts.push(entryText(f, r));
      for (const cd of f.cds) parts.push(entryText(cd, r));
    }
  }
  for (const regime of machine.regimes) parts.push(regimeText(regime, r));
  return parts.join(';');
}

function commandText(p: Pending): string {
  const c = p.command;
  return [c.op, c.sid, c.vmid, c.asid, c.leaf, c.ttl, c.tg, c.num, c.scale, c.range, c.frame].join('.');
}

function entryText(f: EntryFact, r: (t: number) => number): string {
  return `${f.kind}${f.sid}:${f.ref}:${r(f.born)}:${f.own.map((w) => `${w.lo}.${w.hi}[${w.starts.map(r).join('.')}][${w.ends.map(r).join('.')}]`).join('')}`;
}

function regimeText(regime: Regime, r: (t: number) => number): string {
  const ways: string[] = [];
  const visit = (w: Way): void => {
    ways.push(wayText(w, r));
    for (const kid of w.kids.values()) visit(kid);
  };
  if (regime.root !== null) visit(regime.root);
  for (const w of regime.wayRecs) visit(w);
  const leaves = regime.leafRecs.map((l) => `${l.index}.${l.lo}.${l.hi}.${l.level}.${l.va}.${l.way === null ? 'o' : l.way.frame}@${r(l.until)}`);
  return `R${regime.asid}.${regime.frame}.${regime.domain}(${ways.join(' ')})(${leaves.join(' ')})`;
}

function wayText(w: Way, r: (t: number) => number): string {
  return `${w.index}.${w.frame}.${w.level}.${w.va}.${w.state}[${w.starts.map(r).join('.')}][${w.ends.map(r).join('.')}]`;
}

function collect(machine: Stage1Reference, into: Set<number>): void {
  const add = (list: readonly number[]): void => { for (const t of list) into.add(t); };
  for (const p of machine.queue.pending) into.add(p.visible);
  for (const p of machine.queue.published) into.add(p.visible);
  for (let sid = 0; sid < machine.configuration.streams; sid += 1) {
    for (const f of machine.configuration.stesOf(sid)) {
      for (const e of [f, ...f.cds]) {
        into.add(e.born);
        for (const w of e.own) { add(w.starts); add(w.ends); }
      }
    }
  }
  const visit = (w: Way): void => {
    add(w.starts);
    add(w.ends);
    for (const kid of w.kids.values()) visit(kid);
  };
  for (const regime of machine.regimes) {
    if (regime.root !== null) visit(regime.root);
    for (const w of regime.wayRecs) visit(w);
    for (const l of regime.leafRecs) into.add(l.until);
  }
}

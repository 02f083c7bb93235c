/**
 * Teardown: the end of a run. The tables in memory against the flat map, entry by entry; then every device is taken
 * off, everything pending is flushed, all memory is given back, and the ledgers must be empty.
 */
import { BIT_VALID, leafFrame, leafWritable } from '../spec/descriptor.js';
import { isTable, slotOfTable, SPAN } from '../optimised/driver/table-reads.js';
import type { DeviceState, DomainState } from '../optimised/driver/types.js';
import type { Lockstep } from './lockstep.js';

interface Found { frame: number; end: number; pa: number; writable: boolean; unit: number }

/** Leaves of a domain's tables, joined to runs of one unit. */
function tableRuns(run: Lockstep, slot: number, level: number, base: number, out: Found[]): void {
  const span = SPAN[level] as number;
  for (let i = 0; i < 512; i += 1) {
    const ref = slot * 512 + i;
    const lo = run.memory.lo[ref] as number;
    if ((lo & BIT_VALID) === 0) continue;
    const hi = run.memory.hi[ref] as number;
    if (isTable(lo, level)) {
      tableRuns(run, slotOfTable(lo, hi), level + 1, base + i * span, out);
      continue;
    }
    const frame = base + i * span;
    const pa = leafFrame(lo, hi, level);
    const last = out[out.length - 1];
    if (last !== undefined && last.end === frame && last.unit === span && last.writable === leafWritable(lo) && last.pa + (frame - last.frame) === pa) last.end = frame + span;
    else out.push({ frame, end: frame + span, pa, writable: leafWritable(lo), unit: span });
  }
}

/** The intent's runs in the same form. */
function intentRuns(run: Lockstep, domain: number): Found[] {
  const out: Found[] = [];
  for (const r of run.intent.domains[domain]?.mapped.runs ?? []) {
    const last = out[out.length - 1];
    if (last !== undefined && last.end === r.first && last.unit === r.unit && last.writable === r.writable && last.pa + (r.first - last.frame) === r.pa) last.end = r.end;
    else out.push({ frame: r.first, end: r.end, pa: r.pa, writable: r.writable, unit: r.unit });
  }
  return out;
}

function describe(f: Found | undefined): string {
  return f === undefined ? 'nothing' : `0x${(f.frame * 4096).toString(16)}..0x${(f.end * 4096 - 1).toString(16)} -> 0x${(f.pa * 4096).toString(16)} ${f.writable ? 'rw' : 'r'} in units of ${f.unit * 4}K`;
}

/** Every leaf in memory is what was asked for, and nothing is missing. */
export function checkTables(run: Lockstep): void {
  run.driver.context.cpu.drainAll();
  run.driver.state.domains.forEach((own: DomainState, domain: number) => {
    const found: Found[] = [];
    tableRuns(run, own.rootSlot, run.driver.state.startLevel, 0, found);
    const wanted = intentRuns(run, domain);
    run.ledger.judge('translation-equivalence');
    for (let i = 0; i < Math.max(found.length, wanted.length); i += 1) {
      if (describe(found[i]) === describe(wanted[i])) continue;
      run.ledger.fail('translation-equivalence', 'the tables differ from the flat map', `domain ${domain}: ${describe(wanted[i])}`, `domain ${domain}: ${describe(found[i])}`);
    }
  });
}

/** Detaches, flushes, frees, and counts what is left. */
export function teardown(run: Lockstep): void {
  const { driver, pages, world } = run;
  world.devices.forEach((_, device) => {
    if (run.intent.devices[device]?.target !== 'none') run.step({ op: 'detach', device });
  });
  world.domains.forEach((config, domain) => { run.step(config.mode === 'lazy' ? { op: 'flush-all', domain } : { op: 'sync', domain }); });
  run.ledger.judge('accounting');
  const fail = (cause: string, expected: number, actual: number): void => {
    if (expected !== actual) run.ledger.fail('accounting', cause, `${expected}`, `${actual}`);
  };
  world.smmus.forEach((_, smmu) => { fail('ASIDs in use at the end', 0, driver.tagsInUse(smmu)); });
  driver.state.domains.forEach((own: DomainState, domain: number) => {
    fail('users in an invalidation array at the end', 0, driver.arrayUsers(domain));
    freeTables(run, own.rootSlot, driver.state.startLevel);
    pages.release(own.rootSlot);
    pages.releaseObject(own.invsCell);
  });
  for (const dev of driver.state.devices as readonly DeviceState[]) pages.release(dev.cdSlot);
  for (const s of driver.state.smmus) for (const cell of [s.prodCell, s.consCell, s.asidCell]) pages.releaseObject(cell);
  fail('pages left over', 3 * world.smmus.length, pages.pagesInUse);
  fail('driver objects left over', 0, pages.objectsInUse);
}

function freeTables(run: Lockstep, slot: number, level: number): void {
  for (let i = 0; i < 512; i += 1) {
    const lo = run.memory.lo[slot * 512 + i] as number;
    if (!isTable(lo, level)) continue;
    const child = slotOfTable(lo, run.memory.hi[slot * 512 + i] as number);
    freeTables(run, child, level + 1);
    run.pages.release(child);
  }
}

/**
 * System teardown: the end of a run: every substream, device and vSMMU is taken off through ordinary calls, maps are emptied, everything pending is flushed; then
 * no tag may be handed out, no array may name anybody, and no page but those of standing structures may be left.
 */
import { arrayOf, idsInUse } from './system-driver.js';
import type { SystemLockstep } from './system-lockstep.js';

export function systemTeardown(run: SystemLockstep): void {
  const { intent, world, driver } = run;
  intent.devices.forEach((d, device) => {
    for (const ssid of [...d.substreams.keys()]) run.step({ op: 'detach-pasid', device, ssid });
    if (d.seat !== 'none') run.step({ op: 'detach', device });
  });
  world.vsmmus.forEach((_, vsmmu) => { if (intent.open[vsmmu] === true) run.step({ op: 'vsmmu-close', vsmmu }); });
  world.base.domains.forEach((config, domain) => {
    for (const r of [...(intent.domains[domain]?.mapped.runs ?? [])]) run.step({ op: 'unmap', domain, iova: r.first * 4096, size: (r.end - r.first) * 4096 });
    run.step(config.mode === 'lazy' ? { op: 'flush-all', domain } : { op: 'sync', domain });
  });
  run.ledger.judge('accounting');
  const fail = (cause: string, actual: number): void => {
    if (actual !== 0) run.ledger.fail('accounting', cause, '0', `${actual}`);
  };
  world.base.domains.forEach((_, domain) => { fail('users in an invalidation array at the end', arrayOf(driver, domain).length); });
  for (const s of driver.state.smmus) {
    fail('ASIDs in use at the end', idsInUse(driver, s.asidCell, s.asidMax).length);
    if (s.vmidMax > 0) fail('VMIDs in use at the end', idsInUse(driver, s.vmidCell, s.vmidMax).length);
  }
  driver.release();
  // Rings and stream tables are as old as the SMMUs; the memory of guests is theirs.
  fail('pages left over', run.pages.pagesInUse - 3 * world.base.smmus.length - world.guestFrames);
  fail('driver objects left over', run.pages.objectsInUse);
}

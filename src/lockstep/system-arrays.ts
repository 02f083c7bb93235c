/**
 * System arrays: after every attachment each domain's invalidation array against the multiset that the intent gives (rule accounting), and the ids in use on
 * each SMMU: each has one owner, is in an array or a vSMMU's, and in the driver's bitmap (rule tag-lifetime).
 */
import type { OptimisedDriver } from '../optimised/driver/driver.js';
import { InvalidationMultiset } from '../reference/driver/invalidation-multiset.js';
import type { SystemIntent } from '../reference/driver/system-intent.js';
import type { Ledger } from '../rules/ledger.js';
import type { Owners } from '../rules/system-facts.js';
import type { InvKey } from '../stack/invalidation-array.js';
import { arrayOf, idsInUse, vmidOf, type ArrayEntry } from './system-driver.js';

export interface ArrayScene {
  readonly intent: SystemIntent;
  readonly driver: OptimisedDriver;
  readonly ledger: Ledger;
}

function describeKey(k: InvKey): string {
  return `{SMMU ${k.smmu} ${k.type} ${k.id}${k.ssid === 0 ? '' : ` substream ${k.ssid}`}}`;
}

/** Does every domain tell exactly those who use it? */
export function checkArrays(s: ArrayScene): void {
  const arrays = s.intent.domains.map((_, domain) => arrayOf(s.driver, domain));
  const wanted = s.intent.domains.map(() => new InvalidationMultiset());
  s.intent.devices.forEach((_, device) => {
    for (const { domain, key, vsmmu } of s.intent.contributions(device)) {
      const id = vsmmu >= 0 ? vmidOf(s.driver, vsmmu) : key.type === 's1-tag' || key.type === 's2-tag' ? tagIn(arrays[domain] ?? [], key) : key.id;
      wanted[domain]?.add([{ ...key, id }]);
    }
  });
  arrays.forEach((entries, domain) => {
    s.ledger.judge('accounting');
    const found = new InvalidationMultiset();
    for (const e of entries) for (let i = 0; i < e.users; i += 1) found.add([e.key]);
    const text = (m: InvalidationMultiset): string => m.contents().map((c) => `${describeKey(c.key)} x${c.users}`).join(' ') || 'nobody';
    const [right, actual] = [text(wanted[domain] as InvalidationMultiset), text(found)];
    if (right === actual) return;
    const missing = (wanted[domain] as InvalidationMultiset).contents().find((c) => found.usersOf(c.key) < c.users);
    s.ledger.fail('accounting', `an invalidation array ${missing === undefined ? 'names somebody who does not use the domain' : `lacks a user: ${missing.key.type}`}`, `domain ${domain}: ${right}`, `domain ${domain}: ${actual}`);
  });
}

/** The id under which a domain goes on an SMMU; -1: it has none there. */
function tagIn(entries: readonly ArrayEntry[], key: InvKey): number {
  return entries.find((e) => e.key.smmu === key.smmu && e.key.type === key.type)?.key.id ?? -1;
}

/** Who has which id; two owners of one break the rule. */
export function owners(s: ArrayScene): readonly Owners[] {
  const out = s.intent.world.base.smmus.map(() => ({ asids: new Map<number, number>(), vmids: new Map<number, number>() }));
  const taken = new Set<string>();
  const take = (smmu: number, vmid: boolean, id: number, domain: number, who: string): void => {
    const space = out[smmu];
    if (space === undefined) return;
    s.ledger.judge('tag-lifetime');
    const name = `${smmu} ${vmid ? 'VMID' : 'ASID'} ${id}`;
    if (id === 0) s.ledger.fail('tag-lifetime', `${vmid ? 'VMID' : 'ASID'} 0 is handed out`, 'ids from 1 on', `${who} has ${vmid ? 'VMID' : 'ASID'} 0 on SMMU ${smmu}`);
    if (taken.has(name)) s.ledger.fail('tag-lifetime', `two owners of one ${vmid ? 'VMID' : 'ASID'}`, 'one owner for each id of an SMMU', `${who} has ${vmid ? 'VMID' : 'ASID'} ${id} of SMMU ${smmu}, which somebody else has`);
    taken.add(name);
    (vmid ? space.vmids : space.asids).set(id, domain);
  };
  s.intent.domains.forEach((_, domain) => {
    for (const { key } of arrayOf(s.driver, domain)) {
      if (key.type === 's1-tag' || key.type === 's2-tag') take(key.smmu, key.type === 's2-tag', key.id, domain, `domain ${domain}`);
    }
  });
  s.intent.world.vsmmus.forEach((v, vsmmu) => {
    if (s.intent.open[vsmmu] === true) take(v.smmu, true, vmidOf(s.driver, vsmmu), v.parent, `vSMMU ${vsmmu}`);
  });
  return out;
}

/** An id is handed out exactly while it has an owner. */
export function checkIds(s: ArrayScene, all: readonly Owners[]): void {
  s.driver.state.smmus.forEach((smmu, i) => {
    const own = all[i] as Owners;
    for (const [name, used, owned] of [
      ['ASID', idsInUse(s.driver, smmu.asidCell, smmu.asidMax), own.asids], ['VMID', smmu.vmidMax === 0 ? [] : idsInUse(s.driver, smmu.vmidCell, smmu.vmidMax), own.vmids],
    ] as const) {
      s.ledger.judge('tag-lifetime');
      const lost = used.find((id) => !owned.has(id));
      if (lost !== undefined) s.ledger.fail('tag-lifetime', `${name}s stay handed out that nobody has`, `${name}s of SMMU ${i} in use: ${[...owned.keys()].join(' ') || 'none'}`, `${name} ${lost} is handed out`);
      const free = [...owned.keys()].find((id) => !used.includes(id));
      if (free !== undefined) s.ledger.fail('tag-lifetime', `${name}s are free while somebody has them`, `${name} ${free} of SMMU ${i} handed out`, 'it may be handed out again');
    }
  });
}

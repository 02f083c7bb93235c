/**
 * Rule `stale-configuration`, and `isolation` of tags. Judged at every SYNC of the entry writer (half of all dropped
 * CFGIs show only there), when an attach or detach returns, and once after reset.
 */
import { CD, cdLegal } from '../spec/cd.js';
import { getField } from '../spec/bits.js';
import { steAction } from '../spec/ste.js';
import { isCurrent, type EntryFact } from '../reference/stage1/facts.js';
import type { Stage1Reference } from '../reference/stage1/machine.js';
import { cdFeatures, steFeatures } from '../stack/machine.js';
import type { LeafRules } from './leaves.js';
import type { Scene } from './scene.js';

/** After reset: no STE, CD or TLB entry from before may be usable. */
export function afterReset(scene: Scene): void {
  scene.machines.forEach((machine, smmu) => {
    scene.ledger.judge('stale-configuration');
    const sid = machine.unknownConfiguration();
    if (sid >= 0) {
      scene.ledger.fail('stale-configuration', 'configuration from before reset', 'CFGI_ALL and CMD_SYNC before SMMUEN',
        `SMMU ${smmu} may use an STE or CD of stream ${sid} that was cached before reset`, { smmu, kind: 'ste', sid });
    }
  });
}

/** The entry writer waited for its SYNC: older forms of these streams' entries must be gone. */
export function entrySynced(scene: Scene, smmu: number, kind: 'ste' | 'cd', streams: readonly number[]): void {
  const machine = scene.machines[smmu] as Stage1Reference;
  for (const sid of streams) {
    const stes = machine.configuration.stesOf(sid);
    const facts = kind === 'ste' ? stes : stes.flatMap((s) => s.cds);
    if (facts.length === 0) continue;
    scene.ledger.judge('stale-configuration');
    const old = facts.find((f) => !isCurrent(f));
    if (old === undefined) continue;
    scene.ledger.fail('stale-configuration', `an older ${kind.toUpperCase()} outlives its CFGI and SYNC`, `only the ${kind.toUpperCase()} in memory`,
      `SMMU ${smmu} may still hold an older ${kind.toUpperCase()} of stream ${sid} (${describeEntry(old)})`, { smmu, kind, sid });
  }
}

/** An attach or detach returned: each stream sees its new target and nothing else; its tag is its domain's alone. */
export function attached(scene: Scene, leaves: LeafRules, device: number): void {
  const dev = scene.intent.devices[device];
  if (dev === undefined) return;
  const machine = scene.machines[dev.smmu] as Stage1Reference;
  for (const sid of dev.streams) {
    scene.ledger.judge('stale-configuration');
    for (const ste of machine.configuration.stesOf(sid)) {
      const action = steAction(ste.words, 0, steFeatures());
      const wanted = typeof dev.target === 'number' ? 'stage1' : dev.target === 'identity' ? 'bypass' : 'abort';
      if (action !== wanted) {
        scene.ledger.fail('stale-configuration', `an STE that says ${action} where ${wanted} is due`, `stream ${sid}: ${wanted}`,
          `SMMU ${dev.smmu} may use ${isCurrent(ste) ? 'the STE in memory' : 'an older STE'} of stream ${sid}: ${action}`, { smmu: dev.smmu, kind: 'ste', sid });
      }
      if (typeof dev.target === 'number') checkContexts(scene, leaves, machine, dev.smmu, ste, dev.target);
    }
  }
}

function checkContexts(scene: Scene, leaves: LeafRules, machine: Stage1Reference, smmu: number, ste: EntryFact, domain: number): void {
  for (const cd of ste.cds) {
    if (!cdLegal(cd.words, 0, cdFeatures(machine.config))) {
      scene.ledger.fail('stale-configuration', 'an invalid CD can still be used', `stream ${ste.sid}: a valid CD`,
        `SMMU ${smmu} may use ${isCurrent(cd) ? 'the CD in memory' : 'an older CD'} of stream ${ste.sid}, which is invalid`, { smmu, kind: 'cd', sid: ste.sid });
    }
    const regime = machine.regimes.find((r) => r.supports.some((s) => s.cd === cd));
    if (regime === undefined) continue;
    if (regime.domain < 0) leaves.assign(smmu, regime, domain);
    if (regime.domain !== domain) {
      scene.ledger.fail('stale-configuration', 'a CD of another domain can still be used', `stream ${ste.sid}: domain ${domain}`,
        `SMMU ${smmu} may use ${isCurrent(cd) ? 'the CD in memory' : 'an older CD'} of stream ${ste.sid}: asid ${regime.asid}, domain ${regime.domain}`, { smmu, kind: 'cd', sid: ste.sid });
    }
    checkTag(scene, leaves, machine, smmu, regime.asid, domain);
  }
}

/**
 * Nothing under this tag may be of another domain, nor from before reset. A regime that belongs to no domain yet (a CD
 * that was seen half written, say) must hold nothing that the tag's domain does not map.
 */
function checkTag(scene: Scene, leaves: LeafRules, machine: Stage1Reference, smmu: number, asid: number, domain: number): void {
  scene.ledger.judge('isolation');
  for (const r of machine.regimes) {
    if (r.asid !== asid || r.domain === domain) continue;
    if (r.domain < 0) {
      leaves.judgeForeign(smmu, r, domain);
      continue;
    }
    const leaf = r.leafRecs[0];
    const way = r.wayRecs[0];
    const live = r.supports.length > 0;
    if (leaf === undefined && way === undefined && !live) continue;
    scene.ledger.fail('isolation', live ? 'two live domains share a tag' : 'a tag is reused while facts of its old owner remain',
      `asid ${asid} on SMMU ${smmu}: domain ${domain} alone`,
      `asid ${asid} on SMMU ${smmu} also stands for domain ${r.domain}${leaf === undefined ? '' : `: 0x${(leaf.va * 4096).toString(16)} may still be cached`}`,
      leaf === undefined ? { smmu, kind: 'table', asid, frame: way?.va ?? 0, frames: 1, level: 2 } : { smmu, kind: 'leaf', asid, frame: leaf.va, frames: 1, level: leaf.level });
  }
  if (machine.unknownTag(asid)) {
    scene.ledger.fail('isolation', 'a tag is used that was not cleaned since reset', `asid ${asid} on SMMU ${smmu}: domain ${domain} alone`,
      `the TLB of SMMU ${smmu} may still hold entries of asid ${asid} from before reset`, { smmu, kind: 'leaf', asid, frame: 0, frames: 1, level: 3 });
  }
}

export function describeEntry(f: EntryFact): string {
  if (f.kind === 'ste') return steAction(f.words, 0, steFeatures());
  return getField(f.words, CD.V) === 0 ? 'V = 0' : `asid ${getField(f.words, CD.ASID)}`;
}

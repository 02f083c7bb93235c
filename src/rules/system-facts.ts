/**
 * System facts: everything that the weakest machine of one SMMU may have cached under tags in use, and everything that endpoints may hold, against what their
 * owners may see. Rules stale-translation, isolation, stale-atc. Facts under tags that nobody uses fall due when the tag is handed out again (tag-lifetime).
 */
import { BIT_READ_ONLY, BIT_S2AP_WRITE } from '../spec/descriptor.js';
import { gives, type Entitled } from '../reference/driver/entitlement.js';
import { isGuest, type SystemIntent, type SystemIntentDevice } from '../reference/driver/system-intent.js';
import type { AtcFact, Fact, LeafFact } from '../reference/machine/facts.js';
import type { ReferenceMachine } from '../reference/machine/machine.js';
import type { SteAction } from '../spec/ste.js';
import { ruleIndex, type Ledger } from './ledger.js';
import { at } from './scene.js';

const STALE = ruleIndex('stale-translation');
const ISOLATION = ruleIndex('isolation');
const ATC = ruleIndex('stale-atc');

/** Who has which id on one SMMU. */
export interface Owners {
  /** Domains by ASID, under VMID 0. */
  readonly asids: ReadonlyMap<number, number>;
  /** Stage-2 domains by VMID, of their own or of a vSMMU over them. */
  readonly vmids: ReadonlyMap<number, number>;
}

export interface FactScene {
  readonly intent: SystemIntent;
  readonly ledger: Ledger;
  readonly smmu: number;
  readonly machine: ReferenceMachine;
  readonly owners: Owners;
  /** First frame of a domain's start table. */
  rootOf(domain: number): number;
  /** Why these facts can still be used; nothing unless a failure is being explained. */
  told(facts: readonly Fact[]): readonly string[];
}

/** Every leaf under a tag in use is one that its owner maps. */
export function checkLeaves(s: FactScene): void {
  const outputBits = s.machine.config.features.oas;
  for (const f of s.machine.tables.translations) {
    if (f.kind !== 'leaf') continue;
    const owner = ownerOf(s.owners, f);
    if (owner === undefined) continue;
    s.ledger.judgeAt(STALE);
    s.ledger.judgeAt(ISOLATION);
    const e: Entitled = s.intent.gone.has(owner) ? { kind: 'gone' } : { kind: 'domain', domain: owner };
    // A combined entry: what it gives for its IPA.
    const second = f.second;
    const from = second === null ? f.va : second.va + f.target - second.target;
    const writable = second === null ? leafWritable(f) : leafWritable(second);
    if (gives(e, s.intent.mapOf(owner), from, f.frames, { pa: f.target, writable, oas: outputBits })) continue;
    failLeaf(s, f, owner, from);
  }
}

function leafWritable(f: LeafFact): boolean {
  return f.stage === 1 ? (f.lo & BIT_READ_ONLY) === 0 : (f.lo & BIT_S2AP_WRITE) !== 0;
}

/** Stage-1 leaves of guests lead to an IPA: what is behind it is asked of stage-2 leaves and combined entries. */
function ownerOf(owners: Owners, f: LeafFact): number | undefined {
  if (f.stage === 1) return f.regime.nested || f.vmid !== 0 ? undefined : owners.asids.get(f.asid);
  return owners.vmids.get(f.vmid);
}

function failLeaf(s: FactScene, f: LeafFact, owner: number, from: number): never {
  const root = (f.second ?? f).regime.context.rootFrame;
  const foreign = root !== s.rootOf(owner);
  const what = f.stage === 3 ? 'combined entry' : `stage-${f.stage} leaf`;
  const tag = f.stage === 2 ? `vmid ${f.vmid}` : `vmid ${f.vmid} asid ${f.asid}`;
  return s.ledger.fail(foreign ? 'isolation' : 'stale-translation', foreign ? `a ${what} of other tables under a tag in use` : `a ${what} that was taken away`,
    `SMMU ${s.smmu}, ${tag}: what domain ${owner} maps`, `SMMU ${s.smmu} may still have cached the ${what} {${tag} ${at(f.va)}${from === f.va ? '' : ` (ipa ${at(from)})`} -> ${at(f.target)}, ${f.frames} pages}`, undefined, s.told([f]));
}

/** Everything that the endpoints of a device may hold is what the device may see. */
export function checkAtc(s: FactScene, device: number): void {
  const dev = s.intent.devices[device];
  if (dev === undefined || !s.intent.atsOn(device)) return;
  for (const sid of new Set(dev.streams)) {
    for (const e of s.machine.atc.held(sid)) {
      s.ledger.judgeAt(ATC);
      const entitled = s.intent.entitled(device, e.ssid);
      if (gives(entitled, s.intent.behind(entitled), e.va, e.frames, { pa: e.target, writable: e.canWrite, oas: s.machine.config.features.oas })) continue;
      failAtc(s, sid, e, entitled);
    }
  }
}

function failAtc(s: FactScene, sid: number, e: AtcFact, entitled: Entitled): never {
  const who = `stream ${sid}${e.ssid < 0 ? '' : ` substream ${e.ssid}`}`;
  const record = s.machine.atc.records.includes(e);
  return s.ledger.fail('stale-atc', `an ATC entry ${record ? 'that was taken away' : 'that can still be asked for'}: ${entitled.kind}`, `${who}: nothing but what it may see (${entitled.kind})`,
    `${who} behind SMMU ${s.smmu} may hold {${at(e.va)} -> ${at(e.target)}, ${e.frames} pages, ${e.canWrite ? 'rw' : 'r'}}`, undefined, s.told([e]));
}

/** A tag is handed out, or given back: nothing may be cached under it. */
export function checkTaken(s: Pick<FactScene, 'ledger' | 'smmu' | 'machine' | 'told'>, id: number, stage2: boolean, when = 'is handed out'): void {
  s.ledger.judge('tag-lifetime');
  const f = s.machine.tables.translations.find((t) => (stage2 ? t.vmid === id : t.vmid === 0 && t.stage === 1 && t.asid === id));
  if (f === undefined) return;
  const tag = stage2 ? `VMID ${id}` : `ASID ${id}`;
  s.ledger.fail('tag-lifetime', `${stage2 ? 'a VMID' : 'an ASID'} ${when} while something is cached under it`, `${tag} of SMMU ${s.smmu} with nothing cached`,
    `SMMU ${s.smmu} may still have cached a ${f.kind === 'leaf' ? 'leaf' : 'table descriptor'} of ${at(f.va)} under ${tag}`, undefined, s.told([f]));
}

/** What each STE that may be used asks for is what its device is attached to. A guest's own mistakes make its STE illegal at the most. */
export function checkStes(s: FactScene): void {
  s.intent.devices.forEach((dev, device) => {
    if (dev.smmu !== s.smmu) return;
    const wanted = actionsFor(s.intent, device);
    for (const sid of new Set(dev.streams)) {
      for (const ste of s.machine.contexts.steVectors(sid)) {
        s.ledger.judge('stale-configuration');
        if (wanted.includes(ste.action)) continue;
        s.ledger.fail('stale-configuration', `an STE that says ${ste.action} where ${wanted[0] ?? ''} is due`, `stream ${sid}: ${wanted.join(' or ')}`, `SMMU ${s.smmu} may use an STE of stream ${sid} that says ${ste.action}`, undefined, s.told(ste.facts));
      }
    }
  });
}

function actionsFor(intent: SystemIntent, device: number): readonly SteAction[] {
  const { seat, substreams } = intent.devices[device] as SystemIntentDevice;
  if (isGuest(seat)) return seat.config === 'stage1' ? ['nested', 'illegal'] : seat.config === 'bypass' ? ['stage2'] : ['abort'];
  if (substreams.size > 0) return ['stage1'];
  if (typeof seat === 'number') return [intent.stage2(seat) ? 'stage2' : 'stage1'];
  return [seat === 'identity' ? 'bypass' : 'abort'];
}

/** The ids in CDs and STEs, cached or not, are those of the arrays: else an invalidation would miss. */
export function checkConfiguredTags(s: FactScene): void {
  for (const r of s.machine.tables.regimes) {
    if (r.supports.length === 0) continue;
    s.ledger.judge('tag-lifetime');
    const owner = r.stage === 2 ? s.owners.vmids.get(r.vmid) : r.vmid === 0 && !r.nested ? s.owners.asids.get(r.asid) : s.owners.vmids.get(r.vmid);
    const rooted = r.nested || owner === undefined || r.context.rootFrame === s.rootOf(owner);
    if (owner !== undefined && rooted) continue;
    const tag = r.stage === 2 ? `VMID ${r.vmid}` : `VMID ${r.vmid}, ASID ${r.asid}`;
    s.ledger.fail('tag-lifetime', owner === undefined ? 'an STE or CD names a tag that no array has' : 'an STE or CD names a tag of another domain',
      'STEs and CDs that name tags which the domain\'s array has', `SMMU ${s.smmu} can walk tables at ${at(r.context.rootFrame)} under ${tag}`, undefined, s.told(r.supports[0]?.facts ?? []));
  }
}

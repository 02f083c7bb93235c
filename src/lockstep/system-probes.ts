/**
 * System probes: what one stream and substream may be answered at a few addresses, against what it may see: through STE, CD and whatever is cached, as an
 * access and over ATS. What breaks is named by what the wrong answer rests on.
 */
import { describeEntitled, allowsAnswer, type Place } from '../reference/driver/entitlement.js';
import type { SystemIntent, SystemIntentDevice } from '../reference/driver/system-intent.js';
import { stands, type Fact } from '../reference/machine/facts.js';
import type { Ledger } from '../rules/ledger.js';
import { OUTCOME_OK } from '../stack/outcome.js';
import type { Answer, Transaction } from '../stack/transaction.js';
import { domainSizes } from '../stack/system.js';
import type { RuleId } from '../stack/violation.js';
import { answerName, describeAnswer, describeTransaction } from './machine-words.js';
import type { SystemSide } from './system-sides.js';
import type { TransactionKind } from './twins.js';

export interface ProbeScene {
  readonly intent: SystemIntent;
  readonly ledger: Ledger;
  readonly sides: readonly SystemSide[];
  rootOf(domain: number): number;
}

const STRUCTURES: ReadonlySet<Fact['kind']> = new Set(['l1std', 'ste', 'l1cd', 'cd']);

/** Which rule an answer breaks that rests on these facts. */
function ruleOf(kind: TransactionKind, a: Answer, facts: readonly Fact[], root: number): RuleId {
  if (kind === 'translated') return 'stale-atc';
  if (facts.some((f) => STRUCTURES.has(f.kind) && !stands(f))) return 'stale-configuration';
  const leaf = facts.find((f) => f.kind === 'leaf');
  if (leaf?.kind === 'leaf' && root >= 0 && (leaf.second ?? leaf).regime.context.rootFrame !== root) return 'isolation';
  if (facts.some((f) => !stands(f))) return 'stale-translation';
  return a.kind === OUTCOME_OK && root < 0 ? 'isolation' : 'translation-equivalence';
}

/** Everything that may be answered is allowed. */
export function probe(s: ProbeScene, device: number, kind: TransactionKind, t: Transaction): void {
  const dev = s.intent.devices[device] as SystemIntentDevice;
  const side = s.sides[dev.smmu] as SystemSide;
  const entitled = s.intent.entitled(device, t.ssid);
  const map = s.intent.behind(entitled);
  const domain = entitled.kind === 'domain' ? entitled.domain : entitled.kind === 'guest' ? entitled.parent : -1;
  const inputBits = domain < 0 ? 0 : domainSizes(s.intent.world, domain).inputBits;
  const place: Place = { frame: t.frame, write: t.write, oas: side.config.features.oas, ats: side.weakest.atc.endpoint(t.sid).ats, inputBits };
  s.ledger.judge('translation-equivalence');
  side.weakest.permitted(kind, t, (a, reason, facts) => {
    if (allowsAnswer(entitled, map, kind, place, a)) return false;
    const rule = ruleOf(kind, a, facts, domain < 0 ? -1 : s.rootOf(domain));
    return s.ledger.fail(rule, `${kind === 'access' ? 'an access' : kind === 'translated' ? 'a translated access' : 'a request'} may end in ${answerName(a)}, where ${entitled.kind} is due`,
      `${describeTransaction(t, kind)}: ${describeEntitled(entitled, map, t.frame)}`, `SMMU ${dev.smmu} may answer ${describeAnswer(a, kind)} (${reason})`, undefined,
      side.telling?.facts(side.weakest, facts));
  });
}

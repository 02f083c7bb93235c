/**
 * The verdict and the exit code of a campaign, of either kind.
 */
import type { CampaignSummary, Verdict } from '../report/fuzz.js';
import { EXIT, worst, type ExitCode } from './exit.js';

export function codeOf(s: CampaignSummary, repeatable: boolean, interrupted: ExitCode): ExitCode {
  return worst([
    s.found > 0 ? EXIT.violation : EXIT.ok,
    (s.replayed?.regressed.length ?? 0) > 0 ? EXIT.regressed : EXIT.ok,
    !repeatable || (s.determinism !== null && s.determinism.identical < s.determinism.checked) ? EXIT.nondeterministic : EXIT.ok,
    s.unmodelled.length > 0 || s.empty !== undefined ? EXIT.inconclusive : EXIT.ok,
    interrupted,
  ]);
}

export function verdictOf(s: Omit<CampaignSummary, 'verdict'>): Verdict {
  if (s.found > 0 || (s.replayed?.regressed.length ?? 0) > 0) return 'violation';
  if (s.determinism !== null && s.determinism.identical < s.determinism.checked) return 'error';
  return s.unmodelled.length > 0 || s.empty !== undefined || s.interrupted !== null ? 'inconclusive' : 'ok';
}

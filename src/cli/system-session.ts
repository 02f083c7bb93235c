/** What `fuzz` runs under a profile of systems: the driver with stage 2, ATS, substreams and guests on the whole machines, and with a mutant if one is named. */
import { createHash } from 'node:crypto';
import { SystemStore } from '../fuzz/store.js';
import { drawSystemRun, newSystemResult, systemCampaign, systemRun, type SystemCampaignOptions, type SystemFailure } from '../fuzz/system-campaign.js';
import type { Origin } from '../fuzz/failure.js';
import { findMutant } from '../mutants/mutants.js';
import type { SystemProfile } from '../operations/system-profiles.js';
import { fuzzCommand } from '../report/failure.js';
import type { CampaignSummary } from '../report/fuzz.js';
import { describeSystemWorld } from '../report/system-operations.js';
import { counted, labelled } from '../report/words.js';
import { SYSTEM_RULES } from '../rules/ledger.js';
import { fuzzReport, limitsOf, type Drive, type Kept, type Report, type SessionSettings } from './session.js';
import { systemLine, workUpSystem } from './system-found.js';

export interface SystemSettings extends SessionSettings {
  readonly profile: SystemProfile;
  readonly mutant: string | null;
  readonly verbose: boolean;
}

export class SystemDrive implements Drive<SystemFailure> {
  readonly result = newSystemResult();
  readonly rules = SYSTEM_RULES;
  readonly verb = 'fuzz';
  readonly title: string;
  readonly #s: SystemSettings;
  readonly #options: SystemCampaignOptions;

  constructor(settings: SystemSettings) {
    this.#s = settings;
    const { profile, mutant } = settings;
    this.title = `profile ${profile.name}${mutant === null ? '' : `  mutant ${mutant}`}`;
    this.#options = { ...limitsOf(settings), profile, ...(mutant === null ? {} : { mutant }) };
  }

  runs(): Generator<number, void> {
    return systemCampaign(this.#options, this.result);
  }

  drawn(run: number): readonly string[] {
    const { world, operations } = drawSystemRun(this.#options, run);
    return labelled(`run ${run}`, [counted(operations, 'operation'), ...describeSystemWorld(world)]);
  }

  before(run: number): string | null {
    if (!this.#s.verbose) return null;
    const { world, operations } = drawSystemRun(this.#options, run);
    return `run ${run}: ${counted(operations, 'operation')}; ${describeSystemWorld(world).join('; ')}`;
  }

  after(): void {
    // determinism() makes its runs by itself
  }

  #origin(run: number): Origin {
    return { seed: this.#s.seed, run, profile: this.#s.profile.name };
  }

  keep(failure: SystemFailure, corpus: string): Kept {
    const about = { mutant: this.#s.mutant, origin: this.#origin(failure.run) };
    const store = new SystemStore(corpus, failure.violation, about);
    store.original(failure, failure.violation);
    return {
      workUp: () => {
        const found = workUpSystem(failure, failure.violation, { store, shrink: this.#s.shrink, ...about });
        return { ...found, line: systemLine(found.record) };
      },
    };
  }

  again(program: string, run: number): string {
    return fuzzCommand(program, this.#origin(run), this.#s.mutant);
  }

  /** The first and the last run made twice more: the same operations, answers and violations. */
  determinism(first: number, interrupted: boolean): CampaignSummary['determinism'] {
    const made = this.result.runs;
    if (made === 0 || interrupted) return null;
    const runs = [...new Set([first, first + made - 1])];
    const identical = runs.filter((run) => systemDigest(this.#options, run) === systemDigest(this.#options, run)).length;
    return { identical, checked: runs.length };
  }

  report(s: CampaignSummary): Report {
    const { profile, mutant } = this.#s;
    return fuzzReport(s, this.result, { profile: profile.name, mutant, interleavingOnly: mutant !== null && findMutant(mutant)?.found === 'interleaving' });
  }
}

/** Of every operation of a run and what came of it. */
export function systemDigest(options: SystemCampaignOptions, run: number, most = Infinity): string {
  const hash = createHash('sha256');
  systemRun(options, run, most, newSystemResult(), (text) => { hash.update(`${text}\n`); });
  return hash.digest('hex');
}

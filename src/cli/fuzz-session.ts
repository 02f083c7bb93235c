/** What `fuzz` runs: operations of the driver on both stacks, under a profile and with a mutant if one is named. */
import { campaign, drawRun, newResult, type CampaignOptions, type FoundFailure } from '../fuzz/campaign.js';
import type { Origin } from '../fuzz/failure.js';
import { findMutant } from '../mutants/mutants.js';
import type { Profile } from '../operations/profiles.js';
import { drawnLine, drawnLines } from '../report/drawn.js';
import { fuzzCommand } from '../report/failure.js';
import type { CampaignSummary, FuzzSummary } from '../report/fuzz.js';
import type { PlannerName } from '../stack/planner.js';
import { DRIVER_RULES } from '../rules/ledger.js';
import { difference, sameAgain, totals, type DoneRun } from './determinism.js';
import { failureLine, storeOriginal, workUp, type FoundOptions } from './found.js';
import { fuzzReport, limitsOf, type Drive, type Kept, type Report, type SessionSettings } from './session.js';

export interface FuzzSettings extends SessionSettings {
  readonly profile: Profile;
  readonly mutant: string | null;
  readonly planner: PlannerName | null;
  readonly verbose: boolean;
}

export class DriverDrive implements Drive<FoundFailure> {
  readonly result = newResult();
  readonly rules = DRIVER_RULES;
  readonly verb = 'fuzz';
  readonly #about: Pick<FuzzSummary, 'profile' | 'mutant' | 'planner' | 'interleavingOnly'>;
  readonly title: string;
  readonly #s: FuzzSettings;
  readonly #options: CampaignOptions;
  #before = totals(this.result);
  #first: DoneRun | null = null;
  #last: DoneRun | null = null;

  constructor(settings: FuzzSettings) {
    this.#s = settings;
    const { profile, mutant, planner } = settings;
    this.#about = { profile: profile.name, mutant, ...(planner === null ? {} : { planner }), interleavingOnly: mutant !== null && findMutant(mutant)?.found === 'interleaving' };
    this.title = `profile ${profile.name}${planner === null ? '' : `  planner ${planner}`}${mutant === null ? '' : `  mutant ${mutant}`}`;
    this.#options = { ...limitsOf(settings), profile, ...(mutant === null ? {} : { mutant }), ...(planner === null ? {} : { planner }) };
  }

  runs(): Generator<number, void> {
    return campaign(this.#options, this.result);
  }

  drawn(run: number): readonly string[] {
    return drawnLines({ run, ...drawRun(this.#options, run) });
  }

  before(run: number): string | null {
    return this.#s.verbose ? drawnLine({ run, ...drawRun(this.#options, run) }) : null;
  }

  after(run: number | null): void {
    const after = totals(this.result);
    if (run !== null) this.#last = { run, added: difference(after, this.#before) };
    this.#first ??= this.#last;
    this.#before = after;
  }

  keep(failure: FoundFailure, corpus: string): Kept {
    const { violation } = failure;
    const options: FoundOptions = { mutant: this.#s.mutant, corpus, shrink: this.#s.shrink, origin: this.#origin(failure.run) };
    const store = storeOriginal(failure, violation, options);
    return {
      workUp: () => {
        const found = workUp(failure, violation, options, store);
        return { ...found, line: failureLine(found.record) };
      },
    };
  }

  #origin(run: number): Origin {
    const { seed, profile, planner } = this.#s;
    return { seed, run, profile: profile.name, ...(planner === null ? {} : { planner }) };
  }

  again(program: string, run: number): string {
    return fuzzCommand(program, this.#origin(run), this.#s.mutant);
  }

  /** The first and the last run, each held against two more of the same number. */
  determinism(): CampaignSummary['determinism'] {
    const done = [this.#first, this.#last].filter((d) => d !== null);
    const distinct = done.filter((d, i) => done.findIndex((e) => e.run === d.run) === i);
    if (distinct.length === 0) return null;
    return { checked: distinct.length, identical: distinct.filter((d) => sameAgain(this.#options, d)).length };
  }

  report(s: CampaignSummary): Report {
    return fuzzReport(s, this.result, this.#about);
  }
}

/** What `fuzz --machine-only` runs: random raw sequences on both whole machines, without a driver. */
import { createHash } from 'node:crypto';
import { machineCampaign, machineRun, newMachineResult, type MachineCampaignOptions, type MachineFailure } from '../fuzz/machine-campaign.js';
import { MachineStore } from '../fuzz/store.js';
import { machineCommand } from '../report/failure.js';
import type { CampaignSummary } from '../report/fuzz.js';
import { RAW_RULES } from '../rules/ledger.js';
import { machineLine, workUpMachine } from './machine-found.js';
import { fuzzReport, limitsOf, type Drive, type Kept, type Report, type SessionSettings } from './session.js';

export class MachineDrive implements Drive<MachineFailure> {
  readonly result = newMachineResult();
  readonly rules = RAW_RULES;
  readonly verb = 'fuzz';
  readonly title = 'raw machine sequences';
  readonly #s: SessionSettings;
  readonly #options: MachineCampaignOptions;

  constructor(settings: SessionSettings) {
    this.#s = settings;
    this.#options = limitsOf(settings);
  }

  runs(): Generator<number, void> {
    return machineCampaign(this.#options, this.result);
  }

  drawn(): readonly string[] {
    return [];
  }

  before(): null {
    return null;
  }

  after(): void {
    // determinism() makes its runs by itself
  }

  keep(failure: MachineFailure, corpus: string): Kept {
    const origin = { seed: this.#s.seed, run: failure.run };
    const store = new MachineStore(corpus, failure.violation, origin);
    store.original(failure, failure.violation);
    return {
      workUp: () => {
        const found = workUpMachine(failure, { store, shrink: this.#s.shrink, origin });
        return { ...found, line: machineLine(found.record) };
      },
    };
  }

  again(program: string, run: number): string {
    return machineCommand(program, this.#s.seed, run);
  }

  /** The first and the last run made twice more: the same operations, answers and violations. */
  determinism(first: number, interrupted: boolean): CampaignSummary['determinism'] {
    const made = this.result.runs;
    if (made === 0 || interrupted) return null;
    const runs = [...new Set([first, first + made - 1])];
    const identical = runs.filter((run) => digest(this.#options, run) === digest(this.#options, run)).length;
    return { identical, checked: runs.length };
  }

  report(s: CampaignSummary): Report {
    return fuzzReport(s, this.result, { profile: 'machine', mutant: null, interleavingOnly: false });
  }
}

/** Of every operation of a run and what came of it. */
function digest(options: MachineCampaignOptions, run: number): string {
  const hash = createHash('sha256');
  machineRun(options, run, Infinity, newMachineResult(), (text) => { hash.update(`${text}\n`); });
  return hash.digest('hex');
}

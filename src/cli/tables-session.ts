/** What `fuzz --tables-only` runs: random sequences on one page table each, walked by both whole machines. */
import { createHash } from 'node:crypto';
import { newTableResult, tableCampaign, tableRun, type TableCampaignOptions, type TableFailure } from '../fuzz/table-campaign.js';
import { TableStore } from '../fuzz/store.js';
import type { TableProfile } from '../operations/table-worlds.js';
import { tablesCommand } from '../report/failure.js';
import type { CampaignSummary } from '../report/fuzz.js';
import { TABLE_RULES } from '../rules/ledger.js';
import { fuzzReport, limitsOf, type Drive, type Kept, type Report, type SessionSettings } from './session.js';
import { tableLine, workUpTables } from './tables-found.js';

export interface TableSettings extends SessionSettings {
  readonly profile: TableProfile;
  readonly mutant: string | null;
}

export class TablesDrive implements Drive<TableFailure> {
  readonly result = newTableResult();
  readonly rules = TABLE_RULES;
  readonly verb = 'fuzz';
  readonly title: string;
  readonly #s: TableSettings;
  readonly #options: TableCampaignOptions;

  constructor(settings: TableSettings) {
    this.#s = settings;
    const { profile, mutant } = settings;
    this.title = `page tables  profile ${profile.name}${mutant === null ? '' : `  mutant ${mutant}`}`;
    this.#options = { ...limitsOf(settings), profile, ...(mutant === null ? {} : { mutant }) };
  }

  runs(): Generator<number, void> {
    return tableCampaign(this.#options, this.result);
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

  keep(failure: TableFailure, corpus: string): Kept {
    const source = { mutant: this.#s.mutant, origin: this.#origin(failure.run) };
    const store = new TableStore(corpus, failure.violation, source);
    store.original(failure, failure.violation);
    return {
      workUp: () => {
        const found = workUpTables(failure, { store, shrink: this.#s.shrink, source });
        return { ...found, line: tableLine(found.record) };
      },
    };
  }

  #origin(run: number): { readonly seed: string; readonly run: number; readonly profile: string } {
    return { seed: this.#s.seed, run, profile: this.#s.profile.name };
  }

  again(program: string, run: number): string {
    return tablesCommand(program, this.#origin(run), this.#s.mutant);
  }

  /** The first and the last run made twice more: the same operations, results and violations. */
  determinism(first: number, interrupted: boolean): CampaignSummary['determinism'] {
    const made = this.result.runs;
    if (made === 0 || interrupted) return null;
    const runs = [...new Set([first, first + made - 1])];
    const identical = runs.filter((run) => tablesDigest(this.#options, run) === tablesDigest(this.#options, run)).length;
    return { identical, checked: runs.length };
  }

  report(s: CampaignSummary): Report {
    return fuzzReport(s, this.result, { profile: this.#s.profile.name, mutant: this.#s.mutant, interleavingOnly: false, tables: true });
  }
}

/** Of every operation of a run and what came of it. */
export function tablesDigest(options: TableCampaignOptions, run: number): string {
  const hash = createHash('sha256');
  tableRun(options, run, Infinity, newTableResult(), (text) => { hash.update(`${text}\n`); });
  return hash.digest('hex');
}

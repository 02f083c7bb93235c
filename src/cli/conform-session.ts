/** What `conform` runs: random sequences on QEMU, on the optimised machine beside it and on the weakest one. */
import { createHash } from 'node:crypto';
import { conformCampaign, conformRun, newConformResult, reachOf, twinsFor, type ConformFailure, type ConformOptions } from '../conform/campaign.js';
import { judgeLike } from '../conform/judge.js';
import { waiversFor } from '../conform/deviations.js';
import { waiversOf, type Waiver } from '../conform/waivers.js';
import type { Elsewhere } from '../fuzz/machine-failure.js';
import { MachineStore } from '../fuzz/store.js';
import { QemuUnfit } from '../qemu/devices.js';
import type { QemuBinary } from '../qemu/find.js';
import type { Pool } from '../qemu/pool.js';
import { QemuDied } from '../qemu/process.js';
import { conformBlock, conformJson, type ConformSummary, type QemuAbout, type WaivedLine } from '../report/conform.js';
import { conformCommand } from '../report/failure.js';
import { commandKinds, type CampaignSummary } from '../report/fuzz.js';
import { shell } from '../report/words.js';
import { RAW_RULES } from '../rules/ledger.js';
import { Inconclusive } from './exit.js';
import type { MachineCandidate } from '../fuzz/machine-shrink.js';
import type { Violation } from '../stack/violation.js';
import { machineLine, workUpMachine, type Other } from './machine-found.js';
import type { Drive, Kept, Report, SessionSettings } from './session.js';

/** Sequences that are run when nothing else limits a campaign. */
export const CONFORM_BUDGET = 20_000;

export interface ConformSettings extends SessionSettings {
  readonly waivers: boolean;
}

/** An error of a QEMU that does not come up, or is none that can be driven, as one sentence; any other as it is. */
export function inWords(error: unknown, { version, path }: QemuBinary): unknown {
  return error instanceof QemuDied || error instanceof QemuUnfit ? new Inconclusive(`QEMU ${version} (${path}) cannot be driven: ${error.message}`) : error;
}

/** What runs in a pool, and what its registers say; starts it. */
export function aboutQemu(pool: Pool): QemuAbout {
  const { path, version, banner } = pool.binary;
  return { path, version, banner, identification: pool.identification, features: pool.features };
}

export function waivedLines(waivers: readonly Waiver[], counts: Readonly<Record<string, number>>): WaivedLine[] {
  return waivers.filter((w) => (counts[w.id] ?? 0) > 0).map(({ id, behaviour, clause }) => ({ id, count: counts[id] as number, behaviour, clause }));
}

/** Known deviations of this QEMU that a violation is, whether they are waived or not. */
function knownAs(pool: Pool, c: MachineCandidate, violation: Violation): readonly string[] {
  const found = waiversOf(waiversFor(pool.binary.version), { ...c, violation }, twinsFor(pool, c.operations)) ?? [];
  return found.map((w) => `${w.id}: ${w.behaviour} (${w.clause})`);
}

export function otherOf(pool: Pool, waivers: readonly Waiver[], waived: boolean): Other {
  const { version, path } = pool.binary;
  const about: Elsewhere = { name: `QEMU ${version}`, path, waived };
  return { about, twins: (operations) => twinsFor(pool, operations, { waivers }), judge: (c, like) => judgeLike(pool, waivers, c, like), known: (c, v) => knownAs(pool, c, v) };
}

export class ConformDrive implements Drive<ConformFailure> {
  readonly result = newConformResult();
  readonly verb = 'conform';
  readonly rules = RAW_RULES;
  readonly title: string;
  readonly #s: ConformSettings;
  readonly #pool: Pool;
  readonly #about: QemuAbout;
  readonly #options: ConformOptions;

  constructor(settings: ConformSettings, pool: Pool) {
    this.#s = settings;
    this.#pool = pool;
    this.#about = aboutQemu(pool);
    this.title = `${this.#about.banner}  ${this.#about.path}`;
    const { seed, run, failuresMax, timeMs } = settings;
    const runs = settings.runs ?? (run === undefined && timeMs === undefined ? CONFORM_BUDGET : undefined);
    this.#options = {
      seed, pool, failuresMax, waivers: settings.waivers ? waiversFor(this.#about.version) : [],
      ...(runs === undefined ? {} : { runs }), ...(run === undefined ? {} : { run }),
    };
  }

  * runs(): Generator<number, void> {
    try {
      yield* conformCampaign(this.#options, this.result);
    } catch (error) {
      throw inWords(error, this.#about);
    }
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

  keep(failure: ConformFailure, corpus: string): Kept {
    const origin = { seed: this.#s.seed, run: failure.run };
    const store = new MachineStore(corpus, failure.violation, origin, { expect: { verdict: 'ok' }, provenance: { qemu: this.#about.version, sequence: failure.kind } });
    store.original(failure, failure.violation);
    return {
      workUp: () => {
        const found = workUpMachine(failure, { store, shrink: this.#s.shrink, origin, other: otherOf(this.#pool, this.#options.waivers, this.#s.waivers) });
        return { ...found, line: machineLine(found.record) };
      },
    };
  }

  again(program: string, run: number): string {
    return conformCommand(program, this.#s.seed, run, `--qemu ${shell(this.#about.path)}${this.#s.waivers ? '' : ' --no-waivers'}`);
  }

  /** The first and the last sequence made twice more: the same operations, answers and violations. */
  determinism(first: number, interrupted: boolean): CampaignSummary['determinism'] {
    const made = this.result.runs;
    if (made === 0 || interrupted) return null;
    const runs = [...new Set([first, first + made - 1])];
    const identical = runs.filter((run) => this.#digest(run) === this.#digest(run)).length;
    return { identical, checked: runs.length };
  }

  #digest(run: number): string {
    const hash = createHash('sha256');
    conformRun(this.#options, run, reachOf(this.#pool), newConformResult(), (text) => { hash.update(`${text}\n`); });
    return hash.digest('hex');
  }

  empty(): string | null {
    return this.result.accesses === 0 ? 'no access could be asked of QEMU, so nothing was compared' : null;
  }

  report(s: CampaignSummary): Report {
    const { kinds, tooLarge, accesses, notAsked, answers, commands, waived } = this.result;
    const { waivers } = this.#options;
    const summary: ConformSummary = {
      ...s, qemu: this.#about, kinds, tooLarge, accesses, notAsked, answers, commandKinds: commandKinds(commands), waived: waivedLines(waivers, waived),
      known: this.#s.waivers ? waivers.length : null,
    };
    return { text: conformBlock(summary), document: conformJson(summary) };
  }
}

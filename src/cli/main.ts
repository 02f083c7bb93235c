#!/usr/bin/env node
/**
 * The command line: finds the verb, parses its options, runs it, and turns what it returns or throws into an exit
 * code. No verb prompts; a verb's code is loaded only when it is asked for.
 */
import { CaptureError } from '../captures/read.js';
import { CaseError } from '../operations/case.js';
import { columns, visible } from '../report/words.js';
import { EXIT, Inconclusive, UsageError, type ExitCode } from './exit.js';
import { helpText, parseOptions } from './options.js';
import { Output } from './output.js';
import type { Verb } from './verb.js';
import { packageVersion } from './version.js';

interface Entry {
  readonly about: string;
  readonly load: () => Promise<{ readonly verb: Verb }>;
}

const VERBS: Readonly<Record<string, Entry>> = {
  fuzz: { about: 'random sequences, both stacks in lockstep', load: () => import('./fuzz.js') },
  replay: { about: 'run stored cases again: files, directories, or - for stdin', load: () => import('./replay.js') },
  shrink: { about: 'minimise a stored case again', load: () => import('./shrink.js') },
  show: { about: 'a stored case as text, JSON, a test, or a sequence diagram', load: () => import('./show.js') },
  check: { about: 'every interleaving of a scenario, through the real driver code', load: () => import('./check.js') },
  corpus: { about: 'list, add, import, verify, minimise and merge stored cases', load: () => import('./corpus.js') },
  prove: { about: 'claims about planners, decided exhaustively and symbolically', load: () => import('./prove.js') },
  rules: { about: 'every rule: what it claims, from which clause, what it costs', load: () => import('./rules.js') },
  compare: { about: 'a planner of your own against a baseline: is it right, what does it cost', load: () => import('./compare.js') },
  plan: { about: 'the commands that every planner issues for one invalidation, side by side', load: () => import('./plan.js') },
  trace: { about: 'a recording of a real driver, judged by the same rules', load: () => import('./trace.js') },
  conform: { about: 'the models against the SMMUv3 of a QEMU', load: () => import('./conform.js') },
  decode: { about: 'a raw command, STE, CD or event record in words', load: () => import('./decode.js') },
  doctor: { about: 'versions, golden vectors, determinism, is there a QEMU', load: () => import('./doctor.js') },
  bench: { about: 'throughput, as ratios measured in one run', load: () => import('./bench.js') },
};

const UNBUILT: readonly string[] = ['mutants', 'nightly', 'merge', 'report'];

function generalHelp(): string {
  return [
    'usage: smmucheck <verb> [options]', '',
    'A model checker and fuzzer for the Arm SMMUv3 stack: hardware and driver, a reference and an optimised stack in lockstep.', '',
    ...columns(Object.entries(VERBS).map(([name, v]) => [`  ${name}`, v.about])), '',
    '`smmucheck <verb> --help` lists the options of a verb; `smmucheck --version` prints the version.',
    `Not built yet: ${UNBUILT.join(' ')}`, '',
    'Exit codes: 0 no violation, 1 violation, 2 inconclusive, 3 not deterministic, 4 a case of the corpus regressed, 5 a gate failed,',
    '64 usage or unreadable input, 70 internal error, 130/143 interrupted (partial results printed).',
  ].join('\n');
}

async function main(args: readonly string[]): Promise<ExitCode> {
  const name = args[0];
  const out = new Output(args.includes('--json'));
  try {
    if (name === undefined) throw new UsageError('no verb is given');
    if (name === '--help' || name === '-h' || name === 'help') {
      process.stdout.write(`${generalHelp()}\n`);
      return EXIT.ok;
    }
    if (name === '--version') {
      process.stdout.write(`${packageVersion()}\n`);
      return EXIT.ok;
    }
    return await runVerb(name, args.slice(1), out);
  } catch (error) {
    return failed(error, name ?? '', out);
  }
}

async function runVerb(name: string, args: readonly string[], out: Output): Promise<ExitCode> {
  const entry = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (entry === undefined) throw new UsageError(UNBUILT.includes(name) ? `the verb ${name} is not built yet` : `there is no verb "${name}"`);
  const { verb } = await entry.load();
  const parsed = parseOptions(verb.spec, args);
  if (parsed.values.has('help')) {
    process.stdout.write(`${helpText(verb.spec)}\n`);
    return EXIT.ok;
  }
  return verb.run(parsed, out);
}

/** One sentence for what cannot be answered, and a hint with it for what a user can cause; a stack for everything else. */
function failed(error: unknown, name: string, out: Output): ExitCode {
  if (error instanceof Inconclusive) {
    out.document({ schema: 1, verb: name, verdict: 'inconclusive', reason: visible(error.message), timing: {} });
    out.note(`smmucheck: ${visible(error.message)}`);
    return EXIT.inconclusive;
  }
  const user = error instanceof UsageError || error instanceof CaseError || error instanceof CaptureError;
  const message = error instanceof Error ? error.message : String(error);
  out.document({ schema: 1, verb: name, verdict: 'error', error: visible(message), timing: {} });
  if (user) {
    out.note(`smmucheck: ${visible(message)}`);
    out.note(`try: smmucheck ${Object.hasOwn(VERBS, name) ? `${name} ` : ''}--help`);
    return EXIT.usage;
  }
  out.note(`smmucheck: internal error: ${error instanceof Error ? (error.stack ?? message) : message}`);
  return EXIT.internal;
}

process.on('uncaughtException', (error) => {
  process.stderr.write(`smmucheck: internal error: ${error.stack ?? error.message}\n`);
  process.exit(EXIT.internal);
});
process.exitCode = await main(process.argv.slice(2));

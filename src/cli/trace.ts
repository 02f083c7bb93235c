/**
 * trace: a recording of a real driver, judged by the rules that judge our own.
 */
import { basename, join } from 'node:path';
import { extractCase } from '../captures/extract.js';
import { importCapture } from '../captures/to-case.js';
import { writeWhole } from '../fuzz/store.js';
import { encodeStored, storedId } from '../operations/stored.js';
import { RandomChooser } from '../stack/chooser.js';
import { around } from '../trace/around.js';
import { PLANNER_NAMES } from '../stack/planner.js';
import { campaign } from '../trace/mutate.js';
import { traceRecording } from '../trace/run.js';
import { probesText } from '../report/trace-probes.js';
import { aroundBlock, aroundDocument, traceBlock, traceDocument } from '../report/trace.js';
import { mutationsBlock, mutationsDocument, mutationsMarkdown } from '../report/trace-variations.js';
import { Scratch } from './scratch.js';
import { replanned } from './trace-what-if.js';
import { EXIT, UsageError, type ExitCode } from './exit.js';
import { duration, wholeNumber, type Parsed, type VerbSpec } from './options.js';
import { now, type Output } from './output.js';
import type { Verb } from './verb.js';

const NEAR = 12;
const TIMEOUT_MS = 2000;

const spec: VerbSpec = {
  name: 'trace', operands: 1,
  usage: ['trace <recording>', 'trace <recording> --around LINE', 'trace --probes', 'trace <recording> --extract [--out DIR]', 'trace <recording> --what-if PLANNER|FILE|all[,…] [--no-range] [--timeout TIME]', 'trace <recording> --mutate [N] [--seed S] [--markdown]'],
  about: [
    'A recording of a real driver (smmu-capture/1 as JSON Lines, or the text of tracefs; packed by gzip or not): its stores and commands drive the weakest legal',
    'SMMU, its map and unmap calls say what must be gone when, and the rules decide at every completion whether anything that was taken away could still',
    'be used. A finding "could be used" is the driver\'s fault whatever the recorded device did; "was used" is the proof. A recording that contradicts itself',
    'exits 64. Exit 2: something could not be decided, by what is not modelled or by the order of neighbouring lines.',
    '',
    'Stage 1 of 4K granules at EL1 is judged at some 200,000 lines a second; a recording that has more (EL2, 16K and 64K granules, stage 2, nesting, PASIDs,',
    'ATS) is judged from its beginning on a machine that lists every fact, which is slower and grows with what is mapped. Of an SMMU without coherent walks',
    '(IDR0.COHACC = 0) a recording must show what was cleaned: {"ev":"clean","cpu":0,"pa":"0x…","size":64}, and "clean":1 in its first line.',
  ],
  options: [
    { name: 'around', value: 'LINE', about: 'print the lanes near a line instead: driver, queue, SMMU, device' },
    { name: 'probes', about: 'print the lines that make a recording by tracing alone on a machine with an SMMU' },
    { name: 'extract', about: 'turn the part around the first violation into a case that both of our stacks replay' },
    { name: 'out', value: 'DIR', about: 'for --extract, and for wrong plans of --what-if: where to (default: a scratch directory, printed)' },
    { name: 'what-if', value: 'PLANNERS', about: `the same recording planned by others, verdict and cost side by side: ${PLANNER_NAMES.join(', ')}, all, or candidates of compare (./mine.wasm, ./mine.js); several with commas` },
    { name: 'no-range', about: 'for --what-if: as if the SMMU had no range invalidation' },
    { name: 'timeout', value: 'TIME', about: 'for --what-if: longest time for one plan of a candidate (default 2s)' },
    { name: 'mutate', value: 'N', otherwise: '50', about: 'damage an honest recording in N places of each kind (default 50) and judge each: is the judge sharp?' },
    { name: 'seed', value: 'SEED', about: 'for --mutate; default 1' },
    { name: 'markdown', about: 'for --mutate: print a section of corpus/tables/trace-mutations.md' },
  ],
};

async function run(p: Parsed, out: Output): Promise<ExitCode> {
  if (p.values.has('probes')) {
    out.print(probesText());
    out.document({ schema: 1, verb: 'trace', verdict: 'ok', probes: probesText().split('\n'), timing: {} });
    return EXIT.ok;
  }
  const file = p.operands[0];
  if (file === undefined) throw new UsageError('trace needs a recording');
  const line = wholeNumber(p, 'around', 1);
  if (line !== undefined) {
    const near = await around(file, line, NEAR);
    if (near.last < line) throw new UsageError(`${file} has ${near.last} lines, and --around asks for ${line}`);
    out.print(aroundBlock(near));
    out.document(aroundDocument(near));
    return EXIT.ok;
  }
  const each = wholeNumber(p, 'mutate', 1, 100_000);
  if (each !== undefined) return mutated(file, { each, seed: p.values.get('seed') ?? '1', markdown: p.values.has('markdown') }, out);
  const planners = p.values.get('what-if');
  if (planners !== undefined) return replanned({ file, planners, range: !p.values.has('no-range'), timeoutMs: duration(p, 'timeout') ?? TIMEOUT_MS, out: p.values.get('out') }, out);
  if (p.values.has('timeout')) throw new UsageError('option --timeout goes with --what-if');
  if (p.values.has('no-range')) throw new UsageError('option --no-range goes with --what-if');
  if (p.values.has('markdown')) throw new UsageError('option --markdown goes with --mutate');
  if (p.values.has('seed')) throw new UsageError('option --seed goes with --mutate');
  if (p.values.has('extract')) return extracted(file, p.values.get('out'), out);
  if (p.values.has('out')) throw new UsageError('option --out goes with --extract or --what-if');
  const start = now();
  const report = await traceRecording(file);
  const context = { file, program: out.program, elapsedMs: now() - start };
  out.print(traceBlock(report, context));
  out.document(traceDocument(report, context));
  return report.result.verdict === 'violation' ? EXIT.violation : report.result.verdict === 'inconclusive' ? EXIT.inconclusive : EXIT.ok;
}

async function extracted(file: string, named: string | undefined, out: Output): Promise<ExitCode> {
  const { result } = await traceRecording(file);
  const first = result.findings.find((f) => f.how === 'violation');
  if (first === undefined) throw new UsageError(`${file} shows no violation, so there is nothing to extract`);
  if (result.form !== 'full') throw new UsageError(`${file} is tracing alone, and a case needs a full recording`);
  const imported = await importCapture(file, {}, first.line);
  const found = extractCase(imported.case, { rule: first.rule, cause: first.cause, line: first.line });
  if (found === null) throw new UsageError(`${file}: the violation at line ${first.line} is not about what a domain was asked for, which is what a case holds`);
  const scratch = new Scratch(named);
  const path = join(scratch.path, `${storedId(found)}.json`);
  writeWhole(path, encodeStored(found));
  out.print([
    `extracted ${path}: ${found.operations.length} of ${imported.case.operations.length} ops up to line ${first.line} (${first.rule}: ${first.cause})`, '',
    `  replay   ${out.program} replay ${path}    (our driver passes it)`,
  ].join('\n'));
  out.document({ schema: 1, verb: 'trace', verdict: 'ok', file: path, operations: found.operations.length, line: first.line, rule: first.rule, timing: {} });
  return EXIT.ok;
}

async function mutated(file: string, how: { readonly each: number; readonly seed: string; readonly markdown: boolean }, out: Output): Promise<ExitCode> {
  const { each, seed, markdown } = how;
  const { result, machine } = await traceRecording(file);
  if (machine === 'whole') throw new UsageError(`${file} has more than stage 1 of 4K granules at EL1, and only such recordings are damaged here`);
  if (result.verdict !== 'ok') throw new UsageError(`${file} is not an honest recording (${result.verdict}), so damage to it shows nothing`);
  const tallies = await campaign(file, each, (kind) => new RandomChooser(`${seed} ${kind}`));
  out.print(markdown ? mutationsMarkdown(basename(file).replace(/\.jsonl(\.gz)?$/, ''), each, seed, tallies) : mutationsBlock(file, seed, tallies));
  out.document(mutationsDocument(file, seed, tallies));
  return tallies.some((t) => t.fates['not noticed'] > 0) ? EXIT.gate : EXIT.ok;
}

export const verb: Verb = { spec, run };

/**
 * Breaks: trees of the built program, each with one line of one source file replaced, in which a single test is run. A tree is made of hard
 * links to what is built; the broken file is transpiled alone, and its plain twin derived again where it has one. All trees are run by one
 * ava, and what each test came to is read from its TAP.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { plainTwin } from '../../src/build/plain-twins.js';
import type { Break } from '../../src/rules/claim.js';
import { folder, ROOT } from '../cli/program.js';

/** One test in one tree; without a break it runs in a tree as it was built. */
export interface Trial {
  readonly test: string;
  readonly title: string;
  readonly broken?: Break;
}

export type Outcome = 'green' | 'red' | 'not run';

/** The source with the line replaced; throws unless the line stands there exactly once. */
export function brokenSource(b: Break): string {
  const lines = readFileSync(join(ROOT, b.file), 'utf8').split('\n');
  const found = lines.flatMap((line, i) => (line.trim() === b.line ? [i] : []));
  if (found.length !== 1) throw new Error(`${b.file}: the line to break stands there ${found.length} times, not once: ${b.line}`);
  lines[found[0] as number] = b.replacement;
  return lines.join('\n');
}

function compiled(source: string, name: string): string {
  const options = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  const { outputText, diagnostics } = ts.transpileModule(source, { compilerOptions: options, fileName: name, reportDiagnostics: true });
  const [first] = diagnostics ?? [];
  if (first !== undefined) throw new Error(`${name}: with its break it is no program: ${ts.flattenDiagnosticMessageText(first.messageText, ' ')}`);
  return outputText;
}

const BUILT: readonly string[] = readdirSync(join(ROOT, 'dist'), { recursive: true, withFileTypes: true })
  .filter((e) => e.isFile() && !e.name.endsWith('.map'))
  .map((e) => join(e.parentPath, e.name).slice(ROOT.length));

/** What tests read of the project besides dist. */
const BESIDE = ['src', 'test', 'properties', 'corpus', 'package.json', 'package-lock.json'];

function link(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to); // another file system
  }
}

function makeTree(at: string): void {
  mkdirSync(at);
  for (const name of BESIDE) symlinkSync(join(ROOT, name), join(at, name));
  for (const path of new Set(BUILT.map(dirname))) mkdirSync(join(at, path), { recursive: true });
  for (const path of BUILT) link(join(ROOT, path), join(at, path));
}

function replace(path: string, text: string): void {
  rmSync(path); // a link: the original must not be written to
  writeFileSync(path, text);
}

function breakTree(at: string, b: Break): void {
  const path = join(at, 'dist', b.file.replace(/\.ts$/, '.js'));
  const text = compiled(brokenSource(b), b.file);
  replace(path, text);
  if (path.endsWith('.steps.js')) replace(path.replace(/\.steps\.js$/, '.plain.js'), plainTwin(text, b.file));
}

/** A folder that ava takes for a project, with the packages of this one. */
function makeProject(at: string): void {
  writeFileSync(join(at, 'package.json'), '{"type":"module"}');
  writeFileSync(join(at, 'ava.config.js'), "export default { files: ['*/dist/**/*.test.js'], timeout: '4m' };\n");
  mkdirSync(join(at, 'node_modules'));
  for (const name of readdirSync(join(ROOT, 'node_modules'))) if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(at, 'node_modules', name));
}

function testFile(tree: string, t: Trial): string {
  return `${tree}/dist/${t.test.replace(/\.ts$/, '.js')}`;
}

/** AVA's patterns know `*` and a leading `!`. */
function pattern(title: string): string {
  return title.replace(/^!/, '*');
}

function runAva(at: string, trials: readonly (readonly [tree: string, trial: Trial])[]): Promise<string> {
  const files = [...new Set(trials.map(([tree, t]) => testFile(tree, t)))];
  const titles = [...new Set(trials.map(([, t]) => pattern(t.title)))];
  const args = [join(ROOT, 'node_modules/ava/entrypoints/cli.mjs'), '--tap', ...titles.map((title) => `--match=${title}`), ...files];
  return new Promise((resolve, reject) => {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AVA_') && name !== 'NODE_V8_COVERAGE'));
    const child = spawn(process.execPath, args, { cwd: at, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => { text += part; });
    child.stderr.setEncoding('utf8').on('data', (part: string) => { text += part; });
    child.on('error', reject);
    child.on('close', () => { resolve(text); });
  });
}

/** `b3 › dist › test › rules › rules.test › title` → how it came out. */
function outcomes(tap: string): Map<string, Outcome> {
  const found = new Map<string, Outcome>();
  for (const line of tap.split('\n')) {
    const m = /^(not )?ok \d+ - (.*)$/.exec(line);
    if (m !== null) found.set((m[2] as string).replaceAll('\\#', '#'), m[1] === undefined ? 'green' : 'red');
  }
  return found;
}

function name(tree: string, t: Trial): string {
  return [tree, 'dist', ...t.test.replace(/(\.test)?\.ts$/, '').split('/'), t.title].join(' › ');
}

/** What each trial came to, in their order; and what ava said, for a reader who must find out why. */
export async function tried(trials: readonly Trial[]): Promise<{ readonly outcomes: readonly Outcome[]; readonly said: string }> {
  const at = folder();
  makeProject(at);
  const whole = 'whole';
  makeTree(join(at, whole));
  const placed = trials.map((t, i): [string, Trial] => {
    if (t.broken === undefined) return [whole, t];
    const tree = `b${i}`;
    makeTree(join(at, tree));
    breakTree(join(at, tree), t.broken);
    return [tree, t];
  });
  const said = await runAva(at, placed);
  const found = outcomes(said);
  return { outcomes: placed.map(([tree, t]) => found.get(name(tree, t)) ?? 'not run'), said };
}

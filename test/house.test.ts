/**
 * The house rules of the plan, read off the sources: who may import whom, no clocks and no chance
 * inside the models, no `any`, sizes of files and functions, a header in every file, and what may stand at the root.
 */
import test, { type ExecutionContext } from 'ava';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Source {
  /** Path from the root, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

function sources(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile() && e.name.endsWith('.ts'))
    .map((e) => {
      const full = join(e.parentPath, e.name);
      const text = readFileSync(full, 'utf8');
      return { path: relative(ROOT, full).replaceAll('\\', '/'), text, tree: ts.createSourceFile(full, text, ts.ScriptTarget.ES2023, true) };
    });
}

const SRC = sources('src');
const ALL = [...SRC, ...sources('test'), ...sources('properties')];

/** The room of a path: `reference/driver` for both sides' rooms, else the first folder below src. */
function room(path: string): string {
  return path.split('/')[1] ?? '';
}

/** Every module that a file imports, exports from or loads, with literal paths; relative ones from the root. */
function imports(s: Source): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) found.push(node.moduleSpecifier.text);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && node.arguments[0] !== undefined && ts.isStringLiteral(node.arguments[0])) found.push(node.arguments[0].text);
    ts.forEachChild(node, visit);
  };
  visit(s.tree);
  return found.map((m) => (m.startsWith('.') ? relative(ROOT, join(ROOT, dirname(s.path), m)).replaceAll('\\', '/') : m));
}

/**
 * What each room may import besides itself. `optimised` is allowed where a room composes or names its parts;
 * `reference` where rules read the facts. Engines are whatever stands between lockstep and report.
 */
const BASE = ['spec', 'stack', 'memory'];
const MODELS = [...BASE, 'reference', 'optimised', 'parts', 'rules', 'operations', 'captures', 'mutants', 'qemu'];
const ENGINES = ['fuzz', 'check', 'prove', 'compare', 'trace', 'conform'];
const MAY: Readonly<Record<string, readonly string[]>> = {
  spec: [],
  stack: ['spec'],
  memory: ['spec', 'stack'],
  reference: BASE,
  optimised: BASE,
  qemu: BASE,
  parts: [...BASE, 'optimised'],
  mutants: [...BASE, 'optimised', 'parts'],
  rules: [...BASE, 'reference'],
  operations: BASE,
  captures: [...BASE, 'operations'],
  lockstep: MODELS,
  build: ['operations'],
};
const NOT_MUTANTS = MODELS.filter((r) => r !== 'mutants');
for (const engine of ENGINES) (MAY as Record<string, readonly string[]>)[engine] = [...NOT_MUTANTS, 'lockstep', ...ENGINES];
(MAY as Record<string, readonly string[]>)['report'] = [...NOT_MUTANTS, 'lockstep', ...ENGINES];
(MAY as Record<string, readonly string[]>)['cli'] = [...MODELS, 'lockstep', ...ENGINES, 'report', 'build'];

/** "file imports room" for each import that is not allowed. */
function breaches(): string[] {
  return SRC.flatMap((s) => {
    const may = MAY[room(s.path)] ?? [];
    return imports(s).filter((m) => m.startsWith('src/') && room(m) !== room(s.path) && !may.includes(room(m))).map((m) => `${s.path} imports ${m}`);
  });
}

function none(t: ExecutionContext, found: readonly string[]): void {
  t.deepEqual(found, []);
}

test('the sources were found', (t) => {
  t.true(SRC.length > 60);
  t.true(ALL.length > SRC.length + 40);
});

test('every room is one of the plan', (t) => {
  none(t, [...new Set(SRC.map((s) => room(s.path)))].filter((r) => !(r in MAY)));
});

/** The explorer is an engine with a subject of its own: like lockstep it loads what it is told to, and only by name. */
const LOADS_MUTANTS: readonly string[] = ['src/check/explore.ts imports src/mutants/mutants.js'];

test('nothing imports upwards', (t) => {
  none(t, breaches().filter((b) => !LOADS_MUTANTS.includes(b)));
});

test('reference and optimised never meet', (t) => {
  none(t, SRC.flatMap((s) => imports(s).filter((m) => (room(s.path) === 'reference' && room(m) === 'optimised') || (room(s.path) === 'optimised' && room(m) === 'reference')).map((m) => `${s.path} imports ${m}`)));
});

test('rules never look at the optimised side', (t) => {
  none(t, SRC.filter((s) => room(s.path) === 'rules' && imports(s).some((m) => m.startsWith('src/optimised'))).map((s) => s.path));
});

test('only lockstep and the explorer load mutants, and the command line lists them', (t) => {
  const found = SRC.filter((s) => room(s.path) !== 'mutants' && imports(s).some((m) => m.startsWith('src/mutants'))).map((s) => s.path);
  none(t, found.filter((f) => !f.startsWith('src/lockstep/') && !f.startsWith('src/cli/') && f !== 'src/check/explore.ts'));
});

test('models need no package, except the chooser its generator and fuzzing its shrinker', (t) => {
  const models = new Set(['spec', 'stack', 'memory', 'reference', 'optimised', 'rules', 'operations', 'mutants', 'lockstep', ...ENGINES]);
  const packages = SRC.filter((s) => models.has(room(s.path))).flatMap((s) => imports(s).filter((m) => !m.startsWith('src/') && !m.startsWith('node:')).map((m) => `${s.path} ${m}`));
  t.deepEqual(packages.sort(), ['src/fuzz/shrink.ts fast-check', 'src/stack/chooser.ts seedrandom']);
});

const CLOCKLESS = new Set(['spec', 'stack', 'memory', 'reference', 'optimised', 'rules', 'operations', 'mutants', 'lockstep', 'fuzz', 'check', 'conform', 'compare', 'prove']);
const FUNCTIONS_OF_MATH = new Set(['random', 'log', 'log10', 'exp', 'pow', 'sin', 'cos', 'tan']);

/** Uses of chance, clocks and inexact functions. */
function impure(s: Source): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'Math' && FUNCTIONS_OF_MATH.has(node.name.text)) found.push(`${s.path}: Math.${node.name.text}`);
    const plain = ts.isIdentifier(node) && !(ts.isPropertyAccessExpression(node.parent) && node.parent.name === node);
    if (plain && (node.text === 'Date' || node.text === 'performance' || node.text === 'crypto')) found.push(`${s.path}: ${node.text}`);
    ts.forEachChild(node, visit);
  };
  visit(s.tree);
  return found;
}

test('no chance, clock or inexact function inside of the models and engines', (t) => {
  none(t, SRC.filter((s) => CLOCKLESS.has(room(s.path))).flatMap(impure));
});

test('tests are without chance and clocks as well', (t) => {
  none(t, ALL.filter((s) => !s.path.startsWith('src/')).flatMap(impure));
});

function nodes(s: Source, wanted: (node: ts.Node) => boolean): ts.Node[] {
  const found: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    if (wanted(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(s.tree);
  return found;
}

function line(s: Source, position: number): number {
  return s.tree.getLineAndCharacterOfPosition(position).line + 1;
}

test('no any', (t) => {
  none(t, ALL.flatMap((s) => nodes(s, (n) => n.kind === ts.SyntaxKind.AnyKeyword).map((n) => `${s.path}:${line(s, n.getStart())}`)));
});

test('no compiler or linter is told to look away', (t) => {
  const marks = new RegExp(['@ts', '(ignore|expect-error|nocheck)'].join('-'));
  none(t, ALL.filter((s) => marks.test(s.text)).map((s) => s.path));
});

test('no enum, no default export', (t) => {
  none(t, ALL.flatMap((s) => nodes(s, (n) => ts.isEnumDeclaration(n) || ts.isExportAssignment(n) || n.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(n.parent)).map((n) => `${s.path}:${line(s, n.getStart())}`)));
});

test('every file starts with a header', (t) => {
  none(t, ALL.filter((s) => !/^(#![^\n]*\n)?\/\*\*/.test(s.text)).map((s) => s.path));
});

const LINES_MAX = 450;
const FUNCTION_MAX = 60;

test(`files have at most ${LINES_MAX} lines`, (t) => {
  none(t, ALL.map((s) => ({ path: s.path, n: s.text.split('\n').length - 1 })).filter((f) => f.n > LINES_MAX).map((f) => `${f.path}: ${f.n}`));
});

test(`functions have at most ${FUNCTION_MAX} lines`, (t) => {
  const long = ALL.flatMap((s) => nodes(s, (n) => ts.isFunctionLike(n) && 'body' in n && n.body !== undefined)
    .map((n) => ({ at: `${s.path}:${line(s, n.getStart())}`, n: line(s, n.getEnd()) - line(s, n.getStart()) + 1 })));
  none(t, long.filter((f) => f.n > FUNCTION_MAX).map((f) => `${f.at}: ${f.n}`));
});

test('a yield in a steps file is a statement of its own with a label', (t) => {
  const bad = SRC.filter((s) => s.path.endsWith('.steps.ts')).flatMap((s) => nodes(s, ts.isYieldExpression)
    .filter((n) => ts.isYieldExpression(n) && n.asteriskToken === undefined && !(ts.isExpressionStatement(n.parent) && n.expression !== undefined && ts.isStringLiteral(n.expression)))
    .map((n) => `${s.path}:${line(s, n.getStart())}`));
  none(t, bad);
});

/** What the plan allows at the root; a linter's own file; and what building and installing make, which .gitignore names. */
const AT_ROOT = new Set([
  'src', 'properties', 'corpus', 'test', 'package.json', 'package-lock.json', 'tsconfig.json', 'ava.config.js', 'README.md', 'LICENSE', '.gitignore', '.ci',
  '.oxlintrc.json', 'oxlint.json', '.git', 'node_modules', 'dist', 'coverage',
]);

test('at the root stands only what the plan names', (t) => {
  none(t, readdirSync(ROOT).filter((name) => !AT_ROOT.has(name)));
});

test('what building makes is ignored', (t) => {
  const ignored = readFileSync(join(ROOT, '.gitignore'), 'utf8').split('\n');
  for (const name of ['node_modules', 'dist/', 'coverage/']) t.true(ignored.includes(name), name);
});

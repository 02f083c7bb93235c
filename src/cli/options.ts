/**
 * Options: what a verb takes, how it is parsed, and its help text. An option that is unknown, given twice, lacks its
 * value or is not built yet is a UsageError; nothing is ignored.
 */
import { parseArgs } from 'node:util';
import { columns } from '../report/words.js';
import { UsageError } from './exit.js';

export interface OptionSpec {
  readonly name: string;
  /** Placeholder of its value; missing: a flag. */
  readonly value?: string;
  /** The value may be left out, and then is this. */
  readonly otherwise?: string;
  readonly about: string;
}

export interface VerbSpec {
  readonly name: string;
  readonly usage: readonly string[];
  readonly about: readonly string[];
  readonly options: readonly OptionSpec[];
  /** Options that are planned and refused until they are built. */
  readonly unbuilt?: readonly string[];
  /** Most operands that it takes; 0 for none. */
  readonly operands: number;
}

export interface Parsed {
  readonly operands: readonly string[];
  readonly values: ReadonlyMap<string, string>;
}

const JSON_OPTION: OptionSpec = { name: 'json', about: 'print exactly one JSON document on stdout' };
const HELP_OPTION: OptionSpec = { name: 'help', about: 'print this text' };

function allOptions(spec: VerbSpec): readonly OptionSpec[] {
  return [...spec.options, JSON_OPTION, HELP_OPTION];
}

export function parseOptions(spec: VerbSpec, args: readonly string[]): Parsed {
  const known = new Map(allOptions(spec).map((o) => [o.name, o]));
  const { tokens } = parseArgs({
    args: withOptionalValues(args, known), strict: false, allowPositionals: true, tokens: true,
    options: Object.fromEntries([...known.values()].map((o) => [o.name, { type: o.value === undefined ? 'boolean' as const : 'string' as const, ...(o.name === 'help' ? { short: 'h' } : {}) }])),
  });
  const operands: string[] = [];
  const values = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const option = known.get(token.name);
    if (option === undefined) throw unknownOption(spec, token.rawName);
    values.set(option.name, valueOf(option, token.rawName, token.value, token.inlineValue === true, values));
  }
  if (operands.length > spec.operands && !values.has('help')) {
    throw new UsageError(spec.operands === 0 ? `${spec.name} takes no operand, but got "${operands[0]}"` : `${spec.name} takes at most ${spec.operands} operand${spec.operands === 1 ? '' : 's'}, but got ${operands.length}`);
  }
  return { operands, values };
}

/** `--x N` and `--x` become `--x=N` and `--x=otherwise`. */
function withOptionalValues(args: readonly string[], known: ReadonlyMap<string, OptionSpec>): string[] {
  const out: string[] = [];
  for (let i = 0; i < args.length; i += 1) {
    const arg = args[i] as string;
    if (arg === '--') return [...out, ...args.slice(i)];
    const otherwise = arg.startsWith('--') ? known.get(arg.slice(2))?.otherwise : undefined;
    if (otherwise === undefined) {
      out.push(arg);
      continue;
    }
    const next = args[i + 1];
    const given = next !== undefined && /^\d+$/.test(next);
    if (given) i += 1;
    out.push(`${arg}=${given ? next : otherwise}`);
  }
  return out;
}

function unknownOption(spec: VerbSpec, raw: string): UsageError {
  const name = raw.replace(/^-+/, '');
  if (spec.unbuilt?.includes(name) === true) return new UsageError(`option --${name} of ${spec.name} is not built yet`);
  return new UsageError(`${spec.name} has no option ${raw}`);
}

function valueOf(option: OptionSpec, raw: string, value: string | undefined, inline: boolean, seen: ReadonlyMap<string, string>): string {
  if (seen.has(option.name)) throw new UsageError(`option ${raw} is given twice`);
  if (option.value === undefined) {
    if (value !== undefined) throw new UsageError(`option ${raw} takes no value`);
    return '';
  }
  if (value === undefined || (!inline && value.startsWith('--'))) throw new UsageError(`option ${raw} needs a value: ${raw} ${option.value}`);
  if (value === '') throw new UsageError(`option ${raw} must not be empty: ${raw} ${option.value}`);
  return value;
}

/** A whole number from `least`; undefined when the option is not given. */
export function wholeNumber(p: Parsed, name: string, least: number, most = Number.MAX_SAFE_INTEGER): number | undefined {
  const text = p.values.get(name);
  if (text === undefined) return undefined;
  const n = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(n) && n >= least && n <= most) return n;
  throw new UsageError(`option --${name} must be a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}, not "${text}"`);
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** A time such as 30s, 2m or 1h, in milliseconds. */
export function duration(p: Parsed, name: string): number | undefined {
  const text = p.values.get(name);
  if (text === undefined) return undefined;
  const match = /^(\d{1,9}(?:\.\d{1,3})?)([smh])$/.exec(text);
  const ms = match === null ? 0 : Number(match[1]) * (UNITS[match[2] as string] as number);
  if (ms > 0) return ms;
  throw new UsageError(`option --${name} must be a time such as 30s, 2m or 1h, not "${text}"`);
}

/** One of the names, or undefined when the option is not given. */
export function oneOf<T extends string>(p: Parsed, name: string, names: readonly T[]): T | undefined {
  const text = p.values.get(name);
  if (text === undefined) return undefined;
  const found = names.find((n) => n === text);
  if (found === undefined) throw new UsageError(`option --${name} must be one of ${names.join(', ')}, not "${text}"`);
  return found;
}

export function helpText(spec: VerbSpec): string {
  const options = allOptions(spec).map((o) => [`  --${o.name}${o.value === undefined ? '' : o.otherwise === undefined ? ` ${o.value}` : ` [${o.value}]`}`, o.about]);
  const unbuilt = spec.unbuilt ?? [];
  return [
    ...spec.usage.map((u, i) => `${i === 0 ? 'usage: ' : '       '}smmucheck ${u}`), '',
    ...spec.about, '',
    ...columns(options),
    ...(unbuilt.length === 0 ? [] : ['', `Not built yet: ${unbuilt.map((o) => `--${o}`).join(' ')}`]),
  ].join('\n');
}

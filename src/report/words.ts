/**
 * Words: numbers, times and columns as every report prints them. Pure functions without a locale, so that the same
 * record gives the same text on every machine.
 */

/** 1234567 as `1,234,567`. */
export function count(n: number): string {
  return String(Math.trunc(n)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 op`, `2 ops`. */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** Three digits or so: 950, 31.4k, 2.4M, 1.2G. */
export function short(n: number): string {
  for (const [unit, size] of [['G', 1e9], ['M', 1e6], ['k', 1e3]] as const) {
    if (n >= size) return `${n / size >= 100 ? Math.round(n / size) : (Math.floor((n / size) * 10) / 10).toFixed(1)}${unit}`;
  }
  return String(Math.round(n));
}

/** Milliseconds as `0.42 s`, `18.4 s` or `2 min 05 s`. */
export function seconds(ms: number): string {
  if (ms < 1000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 99_950) return `${(ms / 1000).toFixed(1)} s`;
  const whole = Math.round(ms / 1000);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** Milliseconds as `00:12` or `1:00:12`. */
export function clock(ms: number): string {
  const whole = Math.floor(ms / 1000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  return `${hours > 0 ? `${hours}:` : ''}${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

/** A share as `18 %`, `4.1 %`, `<0.1 %`. */
export function percent(part: number, whole: number): string {
  const share = whole === 0 ? 0 : (part / whole) * 100;
  if (share > 0 && share < 0.1) return '<0.1 %';
  return share === 0 || share >= 10 ? `${Math.round(share)} %` : `${share.toFixed(1)} %`;
}

/** Counts by name as shares of their sum, the largest first; names with nothing are left out. */
export function shares(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts).filter(([, n]) => n > 0).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const sum = entries.reduce((total, [, n]) => total + n, 0);
  return entries.map(([name, n]) => `${name} ${percent(n, sum)}`).join('  ');
}

/** Bytes as 512, 4K, 2M or 1G, whichever is exact. */
export function bytes(n: number): string {
  for (const [unit, size] of [['G', 2 ** 30], ['M', 2 ** 20], ['K', 2 ** 10]] as const) {
    if (n >= size && n % size === 0) return `${n / size}${unit}`;
  }
  return String(n);
}

/** Rows as lines with aligned columns; `right` names the columns that align to the right. The last cell is not padded. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = [], gap = '  '): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => { widths[i] = Math.max(widths[i] ?? 0, cell.length); });
  return rows.map((row) => row
    .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
    .join(gap).trimEnd());
}

/** A named line of a block, and the lines that go on below it: `  rule       text`. */
export function labelled(label: string, texts: readonly string[], width = 11): string[] {
  return texts.map((text, i) => `  ${(i === 0 ? label : '').padEnd(width)}${text}`.trimEnd());
}

/** Words joined to lines of at most `width` characters. */
export function wrap(words: readonly string[], width = 100, glue = '  '): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines[lines.length - 1];
    if (last === undefined || last.length + glue.length + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last}${glue}${word}`;
  }
  return lines;
}

/** One word of a shell command. */
export function shell(word: string): string {
  return /^[\w./:=+@%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Text from outside with its control characters made visible: it cannot move the cursor. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (c) => `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}

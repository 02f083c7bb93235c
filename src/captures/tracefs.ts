/** Placeholder. */
import type { Recorded } from './recorded.js';

export class TraceText {
  static readonly meta: Recorded = { line: 0, cpu: -1, name: 'meta', what: { kind: 'meta', tracing: true, name: '', roles: [] } };
  constructor(path: string) { void path; }
  static looksLike(text: string): boolean { return text.startsWith('#'); }
  line(text: string, line: number): Recorded | null { void text; void line; return null; }
}

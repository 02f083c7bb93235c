/**
 * The result of exploring one scenario, as text and as JSON: a tag first, then what was covered, and for a failure one
 * lane a CPU and one for the SMMUs, step by step.
 */
import type { Explored, Scenario } from '../check/explore.js';

export interface CheckRecord {
  readonly scenario: Scenario;
  readonly explored: Explored;
  readonly mutant: string | null;
}

function lanesOf(record: CheckRecord): string[] {
  return [...record.scenario.threads.map((_, i) => `CPU${i}`), ...record.scenario.world.smmus.map((_, i) => `SMMU${i}`)];
}

const LANE = 34;

/** One line a step, in the lane of who took it. */
export function interleaving(record: CheckRecord): string[] {
  const lanes = lanesOf(record);
  const lines = [`   #  ${lanes.map((l) => l.padEnd(LANE)).join('')}`.trimEnd()];
  record.explored.path.forEach((action, i) => {
    const space = action.indexOf(' ');
    const lane = lanes.indexOf(action.slice(0, space));
    const text = action.slice(space + 1).replace('its oldest store becomes visible', '~ oldest store visible');
    lines.push(`${String(i + 1).padStart(4)}  ${' '.repeat(LANE * Math.max(0, lane))}${text}`);
  });
  return lines;
}

export function checkBlock(record: CheckRecord): string {
  const { explored, scenario } = record;
  const subject = record.mutant === null ? [] : [`  subject    mutant ${record.mutant}`];
  const counted = `${explored.executions} ends, ${explored.states} states, ${explored.transitions} transitions`;
  const v = explored.violation;
  if (v === null) {
    const tag = explored.complete ? '[ok] every order keeps every rule' : '[inconclusive] the bound was reached, not every order was seen';
    return [`${tag}  ${scenario.id}`, ...subject, `  scenario   ${scenario.about}`, `  explored   ${counted}${explored.complete ? ', complete' : ''}`,
      '  covered    orders of steps, FIFO store buffers, SYNC completion, every cache content; not: stores overtaking each other'].join('\n');
  }
  return [`[violation] ${v.rule}  ${scenario.id}`, ...subject, `  scenario   ${scenario.about}`, `  expected   ${v.expected}`, `  actual     ${v.actual}`,
    ...v.because.map((line, i) => `${i === 0 ? '  because    ' : '             '}${line}`),
    `  explored   ${counted} until then`, '', ...interleaving(record)].join('\n');
}

/** One row of the JSON list `scenarios`, with the way to a violation. */
export function checkJson(record: CheckRecord): Readonly<Record<string, unknown>> {
  const { explored } = record;
  const v = explored.violation;
  return {
    id: explored.scenario, executions: explored.executions, states: explored.states, transitions: explored.transitions, complete: explored.complete,
    verdict: v !== null ? 'violation' : explored.complete ? 'ok' : 'inconclusive',
    ...(v === null ? {} : { rule: v.rule, cause: v.cause, actual: v.actual, path: explored.path }),
  };
}

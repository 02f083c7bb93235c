/**
 * Plan case: one stored plan as text: the damage, the hardware, each command decoded, and the verdict with what stays and why. Pure.
 */
import type { PlanCase } from '../operations/plan-case.js';
import { planCaseId } from '../operations/plan-case.js';
import { violationOf, type Judged } from '../prove/plan.js';
import { describeDescription } from '../stack/description.js';
import { violationLines } from './failure.js';
import { counted, labelled, visible } from './words.js';

/** Commands that are printed unless the whole is asked. */
const SHOWN = 8;

export function planSubjectText(c: PlanCase): string {
  return 'payloads' in c.subject ? 'the commands that the case carries' : `planner ${visible(c.subject.parts.planner)}`;
}

export function planExpectation(c: PlanCase): string {
  return c.expect.verdict === 'ok' ? 'no violation of a right subject' : `a violation${c.expect.rule === undefined ? '' : ` of ${c.expect.rule}`} of this subject`;
}

/** Header of a plan case: what it is about. */
export function planLines(c: PlanCase): string[] {
  const { range, ds, wholeRunOnly } = c.features;
  const granules = (c.description.last - c.description.first + 1) / 2 ** (c.description.tg - 12);
  return [
    `case ${planCaseId(c)}  one plan`,
    ...labelled('expects', [planExpectation(c)]),
    ...labelled('subject', [planSubjectText(c)]),
    ...labelled('from', Object.entries(c.provenance).map(([key, value]) => `${visible(key)} ${visible(String(value))}`)),
    ...labelled('damage', [c.description.all ? 'everything of the tag' : `${describeDescription(c.description)}: ${counted(granules, 'granule')} of ${2 ** (c.description.tg - 10)}K`]),
    ...labelled('SMMU', [`${range ? `range commands${ds ? ', DS' : ''}` : 'no range commands'}${wholeRunOnly ? '; removes a contiguous run only with one range that spans it (erratum)' : ''}`]),
  ];
}

function commandLines(judged: Judged, whole: boolean): string[] {
  if (judged.commands === null) return labelled('commands', ['the whole tag']);
  const list = whole ? judged.commands : judged.commands.slice(0, SHOWN);
  const rest = judged.commands.length - list.length;
  return labelled('commands', [...(list.length === 0 ? ['none'] : list), ...(rest > 0 ? [`… and ${counted(rest, 'more command')}`] : [])]);
}

/** The plan and the verdict. */
export function planText(c: PlanCase, judged: Judged, whole: boolean): string {
  const v = violationOf(c, judged);
  const others = judged.violations.filter((o) => o !== v).map((o) => `${o.rule}: ${o.actual}`);
  return [
    ...planLines(c), ...commandLines(judged, whole), '',
    ...(v === null ? ['[ok] the plan is complete, legal and within what was promised']
      : [`[violation] ${v.rule}`, ...violationLines(v), ...labelled('because', v.because.map(visible)), ...labelled('and', others.map(visible))]),
  ].join('\n');
}

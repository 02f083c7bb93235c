/**
 * Conform, deviations: the table corpus/tables/qemu.md of what QEMU is known to do against the architecture, made of the waivers and of their
 * smallest cases. Pure.
 */
import { describeMachineOperation } from './machine-operations.js';
import type { Waiver } from '../conform/waivers.js';
import type { MachineOperation } from '../stack/machine-world.js';

/** Versions on which the cases were run. */
export const TRIED: readonly string[] = ['7.2.22', '10.0.13', '11.1.3'];

/** Why nothing is known of versions before. */
const UNASKED: Readonly<Record<string, string>> = { '10.0': ' (7.2 has no stage 2)', '11.0': ' (older ones have no device that could ask)' };

function versions(w: Waiver): string {
  const { from, until } = w;
  const first = `${from}${UNASKED[from] ?? ''}`;
  return until === undefined ? `${first} and later` : `${first}, no more in ${until}`;
}

function sequence(operations: readonly MachineOperation[]): string {
  return operations.map((op) => `\`${op.op === 'boot' ? 'boot' : describeMachineOperation(op).trim().replace(/ +/g, ' ')}\``).join(', ');
}

export function deviationsMarkdown(waivers: readonly Waiver[], cases: ReadonlyMap<string, readonly MachineOperation[]>): string {
  const rows = waivers.map((w) => {
    const operations = cases.get(w.id) ?? [];
    return `| ${w.id} | ${w.behaviour} | ${w.clause} | ${versions(w)} | ${sequence(operations)} | ${w.hides} |`;
  });
  return [
    '# What QEMU\'s SMMUv3 does against the architecture', '',
    `Found by \`smmucheck conform\` and run on QEMU ${TRIED.join(', ')} as Debian builds it. Each has its smallest sequence in \`corpus/conform\`; \`smmucheck conform corpus/conform --no-waivers\` shows them one by one.`,
    'A driver that is tested on QEMU alone is not tested for what the last column says. What QEMU may do but does not (it hides bugs that way), and what single accesses show of the corner cases, is in',
    '[qemu-corner-cases.md](qemu-corner-cases.md); two deviations are only there, because no random sequence can meet them: the event queue that overflows, and a linear stream table after one of two levels.', '',
    '| id | behaviour | clause | versions | smallest sequence | what it would hide or break |', '|---|---|---|---|---|---|', ...rows, '',
  ].join('\n');
}

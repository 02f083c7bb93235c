/**
 * Mutants of systems: bugs that drivers had, or nearly had, with arrays of many kinds, tags, ATS, substreams, processes and guests: classes A, B, D, E, H and N
 * of the bug zoo. Each names the family of worlds that shows it.
 */
import { getField, setField } from '../spec/bits.js';
import { OP } from '../spec/command.js';
import { CONFIG_NESTED, CONFIG_S1, STE } from '../spec/ste.js';
import type { SystemParts } from '../optimised/driver/types.js';
import { isAts, type InvKey } from '../stack/invalidation-array.js';
import { WHOLE_TAG } from '../stack/planner.js';
import type { Plain } from '../stack/steps.js';
import { filterCommands, onBatch, type Mutant } from './mutant.js';
import * as lateSteps from './system-sequences.steps.js';

const latePlain = (await import(new URL('./system-sequences.plain.js', import.meta.url).href)) as Plain<typeof lateSteps>;

type Sequences = typeof lateSteps;

/** Replaces parts that systems alone have; `late`: wrong sequences, in the form that is wanted. */
function onSystem(change: (own: SystemParts, late: Sequences) => Partial<SystemParts>): NonNullable<Mutant['parts']> {
  return (own, _world, form) => ({ ...own, system: { ...own.system, ...change(own.system, sequences(form)) } });
}

/** Both forms have the same names; which one it is only who calls them knows. */
function sequences(form: 'plain' | 'steps'): Sequences {
  return form === 'plain' ? (latePlain as unknown as Sequences) : lateSteps;
}

/** An array entry's commands, or none. */
function skipEntries(skip: (entry: InvKey) => boolean): NonNullable<Mutant['parts']> {
  return onSystem((own) => ({
    fillEntry: (ctx, entry, d) => { if (!skip(entry)) own.fillEntry(ctx, entry, d); },
  }));
}

/** S2_IPA over 2^48 bytes: what a range command can name at the most. */
const EVERY_IPA: readonly [number, number] = [OP.TLBI_S2_IPA | (31 << 12) | (31 << 20), 1 << 10];

export const SYSTEM_MUTANTS: readonly Mutant[] = [
  {
    name: 'clear-without-advance', found: 'fuzz', profile: 'nested', zoo: ['A1'], about: 'where the whole VMID goes, the reader of the array never gets past the stage-1 clear',
    parts: onSystem((own) => ({
      fillEntry: (ctx, entry, d) => {
        const whole = ctx.payloads[ctx.state.smmus[entry.smmu]?.kind ?? 0]?.count === WHOLE_TAG;
        while (entry.type === 's1-clear' && whole) ctx.cpu.step('the array is read');
        own.fillEntry(ctx, entry, d);
      },
    })),
  },
  {
    name: 'reattach-keeps-array', found: 'fuzz', profile: 'nested', zoo: ['A7'], about: 'attached again to the same domain, a device whose ATS has changed keeps its old entries in the array',
    parts: onSystem((own) => ({ keys: (ctx, dev, tag, ssid, ats) => own.keys(ctx, dev, tag, ssid, dev.target === 'nested' && tag.type === 'vsmmu-tag' ? dev.atsOn : ats) })),
  },
  {
    name: 'clear-beside-stage-2', found: 'fuzz', profile: 'nested', zoo: ['A10'], about: 'no SYNC between stage 2 and the stage 1 behind it: combined entries are made again from what stage 2 still has cached',
    parts: onSystem((own) => ({ splits: (entry, next) => own.splits(entry, next) && next.type !== 's1-clear' })),
  },
  {
    name: 'leave-before-ste', found: 'fuzz', profile: 'sharing', zoo: ['A11'], about: 'the old domain\'s array is left while STE and CD still show the old domain',
    parts: (own, _world, form) => ({ ...own, attachSequence: sequences(form).leaveBeforeSte }),
  },
  {
    name: 'array-freed-at-once', found: 'interleaving', zoo: ['A17'], about: 'an array goes back to the allocator while another CPU may be reading it',
    parts: (own, _world, form) => ({ ...own, attachSequence: sequences(form).freeAtOnce }),
  },
  {
    name: 'array-lost-without-memory', found: 'fuzz', profile: 'sharing', zoo: ['A15'], about: 'without memory for a smaller array the domain has none any more',
    parts: (own, _world, form) => ({ ...own, attachSequence: sequences(form).forgetArray }),
  },
  {
    name: 'tag-freed-before-flush', found: 'fuzz', profile: 'sharing', zoo: ['B1'], about: 'an id may be handed out again before its tag is flushed',
    parts: (own, _world, form) => ({ ...own, releaseTag: sequences(form).releaseEarly }),
  },
  {
    name: 'vmid-reused-without-flush', found: 'fuzz', profile: 'sharing', zoo: ['B2'], about: 'a VMID is given back without its whole-tag invalidation',
    parts: onBatch((b) => { if (b.purpose === 'tag-flush') filterCommands(b, (op) => op !== OP.TLBI_S12_VMALL); }),
  },
  {
    name: 'vmid-of-another-vsmmu', found: 'fuzz', profile: 'nested', zoo: ['B3'], about: 'the tag of a vSMMU is looked for in the array of its parent, where that of another vSMMU may come first',
    parts: onSystem((own) => ({
      findTag: (ctx, array, smmu, binding) => {
        const right = own.findTag(ctx, array, smmu, binding);
        const other = binding.vsmmu < 0 ? undefined : ctx.state.vsmmus.find((v) => v.smmu === smmu && v.parent === binding.domain && v.vmid !== 0
          && ctx.state.devices.some((d) => d.target === 'nested' && ctx.state.vsmmus[d.vsmmu] === v));
        return right === undefined || other === undefined ? right : { ...right, id: other.vmid };
      },
    })),
  },
  {
    name: 'clear-by-parent', found: 'fuzz', profile: 'nested', zoo: ['B4'], about: 'a parent that is attached by itself gets a stage-1 clear when it comes, and none is looked for when it goes',
    parts: onSystem((own) => ({
      keys: (ctx, dev, tag, ssid, ats) => {
        const keys = own.keys(ctx, dev, tag, ssid, ats);
        const leaving = typeof dev.target === 'number' && ctx.state.domains[dev.target]?.parent === true;
        const [first, ...rest] = keys;
        return tag.type !== 's2-tag' || leaving || first === undefined ? keys : [first, { ...first, type: 's1-clear' as const }, ...rest];
      },
    })),
  },
  {
    name: 'vmid-zero', found: 'fuzz', profile: 'sharing', zoo: ['B9'], about: 'VMID 0, under which stage 1 alone lives, is handed out to a stage-2 domain',
    parts: onSystem((own) => ({
      findTag: (ctx, array, smmu, binding) => {
        const stage2 = binding.vsmmu < 0 && ctx.state.domains[binding.domain]?.stage === 2;
        return own.findTag(ctx, array, smmu, binding) ?? (stage2 ? { smmu, type: 's2-tag', id: 0, fresh: false } : undefined);
      },
    })),
  },
  {
    name: 'vmid-flushed-by-ipa', found: 'fuzz', profile: 'nested', zoo: ['B10'], about: 'a VMID is flushed with a stage-2 range over everything: what is combined with stage 1 stays',
    parts: onBatch((b, world) => {
      if (b.purpose !== 'tag-flush' || world.smmus[b.smmu]?.range !== true) return;
      for (let i = 0; i < b.count; i += 1) {
        if (((b.words[i * 4] as number) & 0xff) !== OP.TLBI_S12_VMALL) continue;
        [b.words[i * 4], b.words[i * 4 + 2]] = EVERY_IPA;
        b.words[i * 4 + 3] = 0;
      }
    }),
  },
  {
    name: 'atc-beside-tlb', found: 'fuzz', profile: 'ats', zoo: ['D1'], about: 'no SYNC between TLB and ATC: an endpoint may ask again and be answered from what the TLB still has',
    parts: onSystem((own) => ({ splits: (entry, next) => own.splits(entry, next) && !isAts(next.type) })),
  },
  {
    name: 'ats-on-before-ste', found: 'fuzz', profile: 'ats', zoo: ['D3'], about: 'ATS is switched on at the endpoint before the STE has it',
    parts: onSystem((_own, late) => ({ atsBefore: late.atsBeforeSte, atsAfter: late.flushOnly })),
  },
  {
    name: 'ats-off-after-ste', found: 'fuzz', profile: 'ats', zoo: ['D4'], about: 'ATS is switched off at the endpoint after the STE has lost it',
    parts: onSystem((_own, late) => ({ atsBefore: late.nothing, atsAfter: late.atsAfterSte })),
  },
  {
    name: 'atc-kept-across-domains', found: 'fuzz', profile: 'ats', zoo: ['D5'], about: 'no ATC is emptied when a device moves from one domain to another',
    parts: onSystem((_own, late) => ({ atsAfter: late.atsWithoutFlush })),
  },
  {
    name: 'substream-atc-kept', found: 'fuzz', profile: 'pasid', zoo: ['D6'], about: 'a substream is taken off without ATC_INV',
    parts: onSystem((_own, late) => ({ atsAfter: late.detachWithoutFlush })),
  },
  {
    name: 'guest-atc-by-ipa', found: 'fuzz', profile: 'nested', zoo: ['D9'], about: 'behind a guest the ATC is invalidated at the address of the parent, which is not the one that it asked for',
    parts: onSystem((own) => ({ fillEntry: (ctx, entry, d) => { own.fillEntry(ctx, entry.type === 'ats-full' ? { ...entry, type: 'ats' } : entry, d); } })),
  },
  {
    name: 'ats-with-bypass', found: 'fuzz', profile: 'ats', zoo: ['D11'], about: 'ATS stays on for devices that are blocked or pass untranslated',
    parts: onSystem(() => ({ wantAts: (ctx, r) => ctx.state.devices[r.device]?.ats === true })),
  },
  {
    name: 'ats-of-substreams-forgotten', found: 'fuzz', profile: 'pasid', zoo: ['D12'], about: 'ATS goes off with the device as a whole, although its substreams need it',
    parts: onSystem((own) => ({ wantAts: (ctx, r) => own.wantAts(ctx, { ...r, substreams: r.ssid !== 0 && r.substreams }) })),
  },
  {
    name: 'stale-ste-bits', found: 'fuzz', profile: 'sharing', zoo: ['E1'], about: 'bits of the old STE stay in the new one',
    parts: (own) => ({
      ...own,
      writeEntry: (ctx, kind, smmu, ref, target, streams, ssid) => {
        const mixed = target.slice();
        if (kind === 'ste') for (let q = 1; q < 8; q += 1) if (mixed[q * 2] === 0) mixed[q * 2] = ctx.cpu.loadLo(ref + q);
        return own.writeEntry(ctx, kind, smmu, ref, mixed, streams, ssid);
      },
    }),
  },
  {
    name: 'ste-before-cd', found: 'fuzz', profile: 'sharing', zoo: ['E4'], about: 'the STE points to a CD that is written afterwards',
    parts: onSystem((_own, late) => ({ install: late.installSteFirst })),
  },
  {
    name: 'always-through-invalid', found: 'fuzz', profile: 'nested', zoo: ['E5'], about: 'every STE and CD goes through V = 0, also where one word decides',
    parts: (own, _world, form) => ({ ...own, writeEntry: sequences(form).throughInvalid }),
  },
  {
    name: 'cd-table-uninvalidated', found: 'fuzz', profile: 'pasid', zoo: ['E10'], about: 'a page of CDs is installed, and whoever has its descriptor cached as invalid does not hear of it',
    parts: onSystem((_own, late) => ({ cdTableInstalled: late.nothing })),
  },
  {
    name: 'cd-cleared-without-sync', found: 'fuzz', profile: 'pasid', zoo: ['E11'], about: 'a CD that is cleared is not invalidated',
    parts: (own, _world, form) => ({ ...own, writeEntry: sequences(form).clearWithoutSync }),
  },
  {
    name: 'ended-by-invalid-cd', found: 'fuzz', profile: 'pasid', zoo: ['E14'], about: 'when a process ends its contexts become invalid: what devices send is recorded as C_BAD_CD',
    parts: (own, _world, form) => ({ ...own, writeEntry: sequences(form).endByInvalid }),
  },
  {
    name: 'substreams-gone-ste-stays', found: 'fuzz', profile: 'pasid', zoo: ['E17'], about: 'the last substream goes, and STE and ATS stay as they were',
    parts: onSystem((_own, late) => ({ detachSubstream: late.detachWithoutDowngrade })),
  },
  {
    name: 'mm-atc-forgotten', found: 'fuzz', profile: 'pasid', zoo: ['H3'], about: 'what an mm changes is invalidated in TLBs, not in ATCs',
    parts: (own) => {
      let mm = false;
      return {
        ...own,
        invalidate: (ctx, domain, d) => {
          mm = ctx.state.domains[domain]?.gather.style === 'sva';
          return own.invalidate(ctx, domain, d);
        },
        system: { ...own.system, fillEntry: (ctx, entry, d) => { if (!mm || !isAts(entry.type)) own.system.fillEntry(ctx, entry, d); } },
      };
    },
  },
  {
    name: 'mm-exit-without-flush', found: 'fuzz', profile: 'pasid', zoo: ['H4'], about: 'a process ends and nothing of it is invalidated',
    parts: (own, _world, form) => ({ ...own, invalidate: sequences(form).invalidateUnlessGone }),
  },
  {
    name: 'guest-error-swallowed', found: 'fuzz', profile: 'nested', zoo: ['N1'], about: 'a command that a guest may not issue is counted as issued, and the list goes on behind it',
    parts: onSystem((own) => ({ guestCommand: (ctx, vsmmu, words, at, out) => Math.max(0, own.guestCommand(ctx, vsmmu, words, at, out)) })),
  },
  {
    name: 'guest-fields-unchecked', found: 'fuzz', profile: 'hostile-guest', zoo: ['N2'], about: 'of a guest\'s command only opcode and VMID are looked at: reserved bits and ranges go to the SMMU',
    parts: onSystem((own) => ({
      guestCommand: (ctx, vsmmu, words, at, out) => {
        const n = own.guestCommand(ctx, vsmmu, words, at, out);
        const op = (words[at] as number) & 0xff;
        if (n >= 0 || op < OP.TLBI_NH_ALL || op > OP.TLBI_NH_VAA) return n;
        return 1; // `out` has the words with the VMID of the vSMMU
      },
    })),
  },
  {
    name: 'combined-kept', found: 'fuzz', profile: 'nested', zoo: ['N6'], about: 'the parent changes, and stage 1 behind it is not cleared: combined entries stay',
    parts: skipEntries((entry) => entry.type === 's1-clear'),
  },
  {
    name: 'guest-vmid-kept', found: 'fuzz', profile: 'nested', zoo: ['N8'], about: 'the VMID in a guest\'s command is not replaced by that of its vSMMU',
    parts: onSystem((own) => ({
      guestCommand: (ctx, vsmmu, words, at, out) => {
        const n = own.guestCommand(ctx, vsmmu, words, at, out);
        const op = (words[at] as number) & 0xff;
        if (n === 1 && op >= OP.TLBI_NH_ALL && op <= OP.TLBI_NH_VAA) out[1] = words[at + 1] as number;
        return n;
      },
    })),
  },
  {
    name: 'guest-all-forwarded', found: 'fuzz', profile: 'nested', zoo: ['N9'], about: 'a guest\'s TLBI_NSNH_ALL goes out as it is, and hits everybody',
    parts: onSystem((own) => ({
      guestCommand: (ctx, vsmmu, words, at, out) => {
        const n = own.guestCommand(ctx, vsmmu, words, at, out);
        if (((words[at] as number) & 0xff) === OP.TLBI_NSNH_ALL) out.set([OP.TLBI_NSNH_ALL, 0, 0, 0]);
        return n;
      },
    })),
  },
  {
    name: 'guest-without-stage-2', found: 'fuzz', profile: 'nested', about: 'the STE of a guest with a stage 1 of its own lacks stage 2: its addresses are physical',
    parts: onSystem((own) => ({
      physicalSte: (guest, parent, ats) => {
        const ste = own.physicalSte(guest, parent, ats);
        if (ste !== null && getField(ste, STE.Config) === CONFIG_NESTED) setField(ste, STE.Config, CONFIG_S1);
        return ste;
      },
    })),
  },
];

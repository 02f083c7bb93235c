/**
 * Lattice: every STE and CD that the driver may want to have, as a product of choices. A configuration sets only fields that it uses, as the
 * driver's own do: whatever an entry ignores is zero in it.
 */
import { setField, type Field } from '../../spec/bits.js';
import { CD } from '../../spec/cd.js';
import { CONFIG_ABORT, CONFIG_BYPASS, CONFIG_NESTED, CONFIG_S1, CONFIG_S2, EATS_OFF, S1DSS_BYPASS, S1FMT_64K, SHCFG_INCOMING, STE } from '../../spec/ste.js';
import { ILLEGAL, translationOf, type EntryKind } from '../../spec/meaning.js';

export interface Configuration {
  readonly words: Uint32Array;
  /** The choices in words, for a reader. */
  readonly name: string;
}

/** One choice: values of a field, each a configuration of its own. */
interface Choice {
  readonly name: string;
  readonly field: Field;
  readonly values: readonly number[];
}

const choice = (name: string, field: Field, ...values: number[]): Choice => ({ name, field, values });

function product(label: string, fixed: readonly (readonly [Field, number])[], choices: readonly Choice[]): Configuration[] {
  let out: Configuration[] = [{ words: new Uint32Array(16), name: label }];
  for (const [field, value] of fixed) for (const c of out) setField(c.words, field, value);
  for (const c of choices) {
    out = out.flatMap((before) => c.values.map((value) => {
      const words = before.words.slice();
      setField(words, c.field, value);
      return { words, name: `${before.name} ${c.name}=${value}` };
    }));
  }
  return out;
}

const TABLE_A = 0xf0f0f0f0f0c0 / 64;
const TABLE_B = 0x4b4b4b4b00 / 64;
const ROOT_A = 0xdaedbeefde000 / 16;
const ROOT_B = 0x123456789000 / 16;

const STAGE1_FIXED = [[STE.V, 1], [STE.S1CIR, 1], [STE.S1COR, 1], [STE.S1CSH, 3]] as const;
const STAGE1_CHOICES = [choice('cds', STE.S1ContextPtr, TABLE_A, TABLE_B), choice('eats', STE.EATS, 0, 1), choice('stalld', STE.S1STALLD, 0, 1), choice('vmid', STE.S2VMID, 0, 5)];
const STAGE2_FIXED = [[STE.V, 1], [STE.SHCFG, SHCFG_INCOMING], [STE.S2AA64, 1], [STE.S2PTW, 1], [STE.S2R, 1], [STE.S2T0SZ, 16], [STE.S2IR0, 1], [STE.S2OR0, 1], [STE.S2SH0, 3], [STE.S2PS, 5]] as const;
const STAGE2_CHOICES = [
  choice('s2s', STE.S2S, 0, 1), choice('vmid', STE.S2VMID, 0, 5), choice('root', STE.S2TTB, ROOT_A, ROOT_B), choice('sl0', STE.S2SL0, 1, 2), choice('fwb', STE.S2FWB, 0, 1),
];
/** One CD, or a table of them and what traffic without a substream gets. */
const CD_TABLES = [
  { fixed: [], choices: [] },
  { fixed: [[STE.S1CDMax, 10], [STE.S1Fmt, S1FMT_64K]] as const, choices: [choice('dss', STE.S1DSS, 0, 2)] },
  { fixed: [[STE.S1CDMax, 10], [STE.S1Fmt, S1FMT_64K], [STE.S1DSS, S1DSS_BYPASS], [STE.SHCFG, SHCFG_INCOMING]] as const, choices: [] },
] as const;

function steLattice(): Configuration[] {
  const out = [
    { words: new Uint32Array(16), name: 'V=0' },
    ...product('abort', [[STE.V, 1], [STE.Config, CONFIG_ABORT]], []),
    ...product('bypass', [[STE.V, 1], [STE.Config, CONFIG_BYPASS]], [choice('shcfg', STE.SHCFG, 0, SHCFG_INCOMING)]),
    ...product('stage 2', [...STAGE2_FIXED, [STE.Config, CONFIG_S2]], [...STAGE2_CHOICES, choice('eats', STE.EATS, 0, 1), choice('mev', STE.MEV, 0, 1)]),
  ];
  for (const [i, t] of CD_TABLES.entries()) {
    const table = ['one CD', 'CD table', 'CD table, bypass without substream'][i] as string;
    out.push(...product(`stage 1, ${table}`, [...STAGE1_FIXED, [STE.Config, CONFIG_S1], ...t.fixed], [...t.choices, ...STAGE1_CHOICES, choice('strw', STE.STRW, 0, 2), choice('mev', STE.MEV, 0, 1)]));
    out.push(...product(`nested, ${table}`, [...STAGE1_FIXED, ...STAGE2_FIXED, [STE.Config, CONFIG_NESTED], [STE.MEV, 1], ...t.fixed], [
      ...t.choices, choice('cds', STE.S1ContextPtr, TABLE_A, TABLE_B), choice('eats', STE.EATS, EATS_OFF, 1, 2), choice('stalld', STE.S1STALLD, 0, 1), ...STAGE2_CHOICES.filter((c) => c.name !== 'sl0'),
    ]));
  }
  return out;
}

function cdLattice(): Configuration[] {
  const fixed = [[CD.V, 1], [CD.EPD1, 1], [CD.AA64, 1], [CD.A, 1], [CD.ASET, 1]] as const;
  const common = [
    choice('asid', CD.ASID, 1, 778, 1997), choice('mair', CD.MAIR0, 0x4ff, 0xff44), choice('s', CD.S, 0, 1), choice('r', CD.R, 0, 1), choice('ha', CD.HA, 0, 1), choice('ips', CD.IPS, 5, 6),
  ];
  return [
    { words: new Uint32Array(16), name: 'V=0' },
    ...product('cd', [...fixed, [CD.IR0, 1], [CD.OR0, 1], [CD.SH0, 3]], [...common, choice('ttb0', CD.TTB0, ROOT_A, ROOT_B), choice('t0sz', CD.T0SZ, 16, 25), choice('tg0', CD.TG0, 0, 1)]),
    ...product('released', [...fixed, [CD.EPD0, 1]], common),
  ];
}

/** All legal ones, each once. */
export function lattice(kind: EntryKind): readonly Configuration[] {
  return (kind === 'ste' ? steLattice() : cdLattice()).filter((c) => translationOf(kind, c.words) !== ILLEGAL);
}

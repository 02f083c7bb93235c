/**
 * Candidates as C sources and as the modules that they were compiled to, so that the tests need no compiler:
 * clang 14, `--target=wasm32 -Oz -nostdlib -Wl,--no-entry -Wl,--strip-all -Wl,--allow-undefined -Wl,--initial-memory=131072 -Wl,--export=plan
 * -Wl,--export-if-defined=room` (of `large` 23068672 bytes of memory; of `nameless` plans is exported). candidate-clang.test.ts compiles them again.
 */
import { EXAMPLE } from '../../src/compare/header.js';

export interface Module {
  readonly source: string;
  readonly wasm: string;
}

const INCLUDE = '#include "smmucheck_plan.h"\n';
const PLAN = 'int plan(const struct smmucheck_description *d, const struct smmucheck_features *f, struct smmucheck_command *out)\n';

export const MODULES = {
  /** The example that `compare --example` prints. */
  right: {
    source: EXAMPLE,
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQACBggBfwFBgIgECwcRAgZtZW1vcnkCAARwbGFuAAAKyAQBxQQGAX8BfgF/AX4CfwR+QX8hAwJAIAAoAhwNAAJAAkACQCABKAIARQ0AQQBB'
      + 'wAAgACkDCCAAKQMAIgR9IAAoAhAiBa2IIgZCBYh5p2sgBkIgVBshByABKAIEIQgCQAJAIAAoAhQiAUUNAEEAQQMgAWhrIAEgAUF/anEbIQECQCAAKAIYIgANAEEAIQAMAgtBAyAAaGsg'
      + 'AUgNAUEAIQFBASEADAQLQQQgACgCGCIAaGshAQsgAUEASA0BAkACQCABDgIEAAELIAgNACAFQQ5GDQILIAFBACAEQn9BAyABayAFQX1qbCAFaq2GQn+Fg1AbIQEMAgtBfyEDIAApAwhC'
      + 'f0EDQQMgACgCGCIHaGsiCEEDIAAoAhQiAWhrQX8gARsiASAIIAFKGyABIAcbayAAKAIQIgFBfWpsIAFqrSIJhiAAKQMAgyIKfSAJiEIBfCILQoAEVg0CIAdFrSEMQgAhBgJAA0AgCyAG'
      + 'UQ0BAkACQCAGUA0AIAYgCYYgCnwhBAwBCyAAKQMAIQQLIAJCADcDACACQQhqIARCgGCDIAyENwMAIAJBEGohAiAGQgF8IQYMAAsLIAunIQMMAgtBACEBCyAHQSdBHyAIG0sNAAJAAkBC'
      + 'ASAHrSILhiAGfCALiKdBf2oiAw0AIAcNACABDQAgBEKAYIMgAEWthCEGQgAhCwwBCyADrUIMhiALQhSGhCELIAVBdmpBAXatQgqGIARCgGCDhCAARa2EIAGtQgiGhCEGCyACIAY3Awgg'
      + 'AiALNwMAQQEPCyADCw==',
  },
  /** The example with its last page dropped from three pages on. */
  wrong: {
    source: EXAMPLE.replace('>> d->tg) + 1;', '>> d->tg) + (d->last - d->start < 2 << d->tg); /* the last page is dropped */'),
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQACBggBfwFBgIgECwcRAgZtZW1vcnkCAARwbGFuAAAK1AQB0QQEAX8CfgN/BH5BfyEDAkAgACgCHA0AAkACQAJAIAEoAgBFDQBBAEHAACAA'
      + 'KQMIIAApAwAiBH0iBSAAKAIQIgatiCAFQQIgBnSsVK18Qn98IgVCBYh5p2sgBUIgVBshByABKAIEIQgCQAJAIAAoAhQiAUUNAEEAQQMgAWhrIAEgAUF/anEbIQECQCAAKAIYIgANAEEA'
      + 'IQAMAgtBAyAAaGsgAUgNAUEAIQFBASEADAQLQQQgACgCGCIAaGshAQsgAUEASA0BAkACQCABDgIEAAELIAgNACAGQQ5GDQILIAFBACAEQn9BAyABayAGQX1qbCAGaq2GQn+Fg1AbIQEM'
      + 'AgtBfyEDIAApAwhCf0EDQQMgACgCGCIHaGsiBkEDIAAoAhQiAWhrQX8gARsiASAGIAFKGyABIAcbayAAKAIQIgFBfWpsIAFqrSIJhiAAKQMAgyIKfSAJiEIBfCILQoAEVg0CIAdFrSEM'
      + 'QgAhBQJAA0AgCyAFUQ0BAkACQCAFUA0AIAUgCYYgCnwhBAwBCyAAKQMAIQQLIAJCADcDACACQQhqIARCgGCDIAyENwMAIAJBEGohAiAFQgF8IQUMAAsLIAunIQMMAgtBACEBCyAHQSdB'
      + 'HyAIG0sNAAJAAkBCASAHrSILhiAFfCALiKdBf2oiAw0AIAcNACABDQAgBEKAYIMgAEWthCEFQgAhCwwBCyADrUIMhiALQhSGhCELIAZBdmpBAXatQgqGIARCgGCDhCAARa2EIAGtQgiG'
      + 'hCEFCyACIAU3AwggAiALNwMAQQEPCyADCw==',
  },
  /** A command a page, with more room asked for. */
  wide: {
    source: `${INCLUDE}int room(void)
{
	return 4096;
}

${PLAN}{
	int n = (int)((d->last - d->start) >> d->tg) + 1, i;

	if (d->everything || d->last - d->start >= 4096ULL << d->tg)
		return SMMUCHECK_WHOLE_TAG;
	for (i = 0; i < n; i++)
		smmucheck_single(&out[i], d->start + ((u64)i << d->tg), 0);
	return n;
}
`,
    wasm: 'AGFzbQEAAAABDAJgAAF/YAN/f38BfwMDAgABBQMBAAIGCAF/AUGAiAQLBxgDBm1lbW9yeQIABHJvb20AAARwbGFuAAEKkAECBQBBgCALhwECAX8EfkF/IQMCQCAAKAIcDQAgACkDCCAA'
      + 'KQMAfSIEQoAgIAA1AhAiBYZaDQAgBCAFiKdBAWoiA0EAIANBAEobrSEGQgAhBANAIAYgBFENASAAKQMAIQcgAkIANwMAIAJBCGogByAEIAWGfEKAYIM3AwAgAkEQaiECIARCAXwhBAwA'
      + 'CwsgAws=',
  },
  loops: {
    source: `${INCLUDE}${PLAN}{
	volatile int on = 1;

	while (on)
		;
	return SMMUCHECK_WHOLE_TAG;
}
`,
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQACBggBfwFBgIgECwcRAgZtZW1vcnkCAARwbGFuAAAKIgEgAQF/I4CAgIAAQRBrIgNBATYCDANAIAMoAgwNAAtBfws=',
  },
  traps: {
    source: `${INCLUDE}${PLAN}{
	__builtin_trap();
}
`,
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQACBggBfwFBgIgECwcRAgZtZW1vcnkCAARwbGFuAAAKBgEEAAAACw==',
  },
  tooMany: {
    source: `${INCLUDE}${PLAN}{
	return SMMUCHECK_ROOM + 1;
}
`,
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQACBggBfwFBgIgECwcRAgZtZW1vcnkCAARwbGFuAAAKBwEFAEGBBAs=',
  },
  stray: {
    source: `${INCLUDE}${PLAN}{
	smmucheck_single(out, d->start, 0);
	out->word[0] |= 0x11;
	return 1;
}
`,
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQACBggBfwFBgIgECwcRAgZtZW1vcnkCAARwbGFuAAAKIQEfAQF+IAApAwAhAyACQhE3AwAgAiADQoBggzcDCEEBCw==',
  },
  beyond: {
    source: `${INCLUDE}${PLAN}{
	out[SMMUCHECK_ROOM].word[0] = 0;
	return SMMUCHECK_WHOLE_TAG;
}
`,
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQACBggBfwFBgIgECwcRAgZtZW1vcnkCAARwbGFuAAAKDgEMACACQgA3A4BAQX8L',
  },
  before: {
    source: `${INCLUDE}${PLAN}{
	out[-1].word[1] = 0;
	return SMMUCHECK_WHOLE_TAG;
}
`,
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQACBggBfwFBgIgECwcRAgZtZW1vcnkCAARwbGFuAAAKEAEOACACQXhqQgA3AwBBfws=',
  },
  front: {
    source: `${INCLUDE}${PLAN}{
	((u32 *)d)[-1] = f->range;
	return SMMUCHECK_WHOLE_TAG;
}
`,
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQACBggBfwFBgIgECwcRAgZtZW1vcnkCAARwbGFuAAAKEwERACAAQXxqIAEoAgA2AgBBfws=',
  },
  inclusive: {
    source: `${INCLUDE}${PLAN}{
	if (!d->everything && ((d->last + 1) & ((1ULL << d->tg) - 1)))
		__builtin_trap();
	return f->range ? SMMUCHECK_WHOLE_TAG : (out->word[0] = 0, SMMUCHECK_WHOLE_TAG);
}
`,
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQACBggBfwFBgIgECwcRAgZtZW1vcnkCAARwbGFuAAAKPwE9AAJAAkAgACgCHA0AIAApAwhCAXxCfyAANQIQhkJ/hYNQRQ0BCwJAIAEoAgAN'
      + 'ACACQgA3AwALQX8PCwAACw==',
  },
  input: {
    source: `${INCLUDE}${PLAN}{
	((struct smmucheck_description *)d)->start = 0x123000;
	return SMMUCHECK_WHOLE_TAG;
}
`,
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQACBggBfwFBgIgECwcRAgZtZW1vcnkCAARwbGFuAAAKEAEOACAAQoDgyAA3AwBBfws=',
  },
  remembers: {
    source: `${INCLUDE}static int calls;

${PLAN}{
	if (++calls % 3 && !d->everything) {
		smmucheck_range(out, d->start & -(1ULL << d->tg), 31, 31, 0, d->tg, 0);
		return f->range ? 1 : SMMUCHECK_WHOLE_TAG;
	}
	return SMMUCHECK_WHOLE_TAG;
}
`,
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQACBggBfwFBkIgECwcRAgZtZW1vcnkCAARwbGFuAAAKeAF2AgJ/AX5BAEEAKAKAiICAAEEBaiIDNgKAiICAAEF/IQQCQCADQQNvRQ0AIAAo'
      + 'AhwNACAAKQMAIQUgAkKA4McPNwMAIAIgACgCECIEQXZqQQF2rUIKhiAFQn8gBK2Gg0KAYIOENwMIQQFBfyABKAIAGyEECyAECw==',
  },
  imports: {
    source: `${INCLUDE}void printk(const char *text);

${PLAN}{
	printk("hello");
	return SMMUCHECK_WHOLE_TAG;
}
`,
    wasm: 'AGFzbQEAAAABDAJgAX8AYAN/f38BfwIOAQNlbnYGcHJpbnRrAAADAgEBBQMBAAIGCAF/AUGQiAQLBxECBm1lbW9yeQIABHBsYW4AAQoSARAAQYCIgIAAEICAgIAAQX8LCw0BAEGACAsG'
      + 'aGVsbG8A',
  },
  signature: {
    source: `int plan(unsigned long long start, unsigned long long last)
{
	return start < last ? -1 : 0;
}
`,
    wasm: 'AGFzbQEAAAABBwFgAn5+AX8DAgEABQMBAAIGCAF/AUGAiAQLBxECBm1lbW9yeQIABHBsYW4AAAoOAQwAQX9BACAAIAFUGws=',
  },
  nameless: {
    source: `int plans(void)
{
	return -1;
}
`,
    wasm: 'AGFzbQEAAAABBQFgAAF/AwIBAAUDAQACBggBfwFBgIgECwcSAgZtZW1vcnkCAAVwbGFucwAACgYBBABBfws=',
  },
  large: {
    source: `${INCLUDE}static char most[20 << 20];

${PLAN}{
	most[d->start] = 1;
	return SMMUCHECK_WHOLE_TAG;
}
`,
    wasm: 'AGFzbQEAAAABCAFgA39/fwF/AwIBAAUEAQDgAgYIAX8BQYCIBAsHEQIGbWVtb3J5AgAEcGxhbgAACgYBBABBfws=',
  },
} as const satisfies Record<string, Module>;

export type ModuleName = keyof typeof MODULES;

export function bytesOf(name: ModuleName): Uint8Array {
  return new Uint8Array(Buffer.from(MODULES[name].wasm, 'base64'));
}

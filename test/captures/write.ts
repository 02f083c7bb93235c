/** Small hand-made recordings for the tests of this folder, written to a temporary directory. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

export type Line = Readonly<Record<string, unknown>>;

export const META: Line = { n: 0, ev: 'meta', format: 'smmu-capture/1', kernel: '7.2-test', qemu: '11', workload: 'hand-made' };

export function jsonl(lines: readonly Line[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

export function writeCapture(name: string, content: string | Uint8Array, pack = false): string {
  const path = join(mkdtempSync(join(tmpdir(), 'smmucheck-captures-')), name);
  writeFileSync(path, pack ? gzipSync(content) : content);
  return path;
}

export function call(f: string, fields: Line = {}): Line {
  return { cpu: 0, ev: 'call', f, ...fields };
}

export function ret(f: string): Line {
  return { cpu: 0, ev: 'ret', f };
}

/** The SMMU switched on, a two-level stream table at 0x1000 whose first leaf table is at 0x10000. */
export const BOOT: readonly Line[] = [
  META,
  { ev: 'reg.r', reg: 'IDR0', v: '0xd44101b' },
  { ev: 'reg.r', reg: 'IDR3', v: '0x1414' },
  { ev: 'reg', reg: 'STRTAB_BASE', v: '0x4000000000001000' },
  { ev: 'reg', reg: 'STRTAB_BASE_CFG', v: '0x10210' },
  { ev: 'reg', reg: 'CR0', v: '0xd' },
  { ev: 'ste.init', pa: '0x10000', count: 256, v: ['0x1', '0x0', '0x0', '0x0', '0x0', '0x0', '0x0', '0x0'] },
  { ev: 'wr', to: 'l1', pa: '0x1000', v: ['0x10009'] },
];

export function hex(n: number): string {
  return `0x${n.toString(16)}`;
}

/** A stage-1 attach of StreamID `sid` to the domain `dom` whose tables start at `root`. */
export function attach(sid: number, dom: string, root: number): Line[] {
  const cd = 0x20000 + sid * 64;
  return [
    call('arm_smmu_attach_dev', { a0: dom, a1: '0xfff0000000000001' }),
    { ev: 'wr', to: 'cd', pa: hex(cd + 8), v: [hex(root)] },
    { ev: 'wr', to: 'cd', pa: hex(cd), v: ['0x1e204c0003510'] },
    { ev: 'wr', to: 'ste', pa: hex(0x10000 + sid * 64 + 8), v: ['0xd6'] },
    { ev: 'wr', to: 'ste', pa: hex(0x10000 + sid * 64), v: [hex(cd + 0xb)] },
    ret('arm_smmu_attach_dev'),
  ];
}

/** An attach that writes only the STE: 0x9 is bypass, 0x1 abort. */
export function attachSimple(sid: number, how: 'identity' | 'blocked'): Line[] {
  return [
    call(`arm_smmu_attach_dev_${how}`, { a0: '0xffff800082cf25d0', a1: '0xfff0000000000001' }),
    { ev: 'wr', to: 'ste', pa: hex(0x10000 + sid * 64), v: [how === 'identity' ? '0x9' : '0x1'] },
    { ev: 'wr', to: 'ste', pa: hex(0x10000 + sid * 64 + 8), v: ['0x0'] },
    ret(`arm_smmu_attach_dev_${how}`),
  ];
}

export function map(dom: string, iova: number, pa: number, pages = 1, prot = '0x7'): Line[] {
  return [
    { cpu: 0, ev: 'map', pt: `${dom}f`, dom, iova: hex(iova), pa: hex(pa), pgsize: '0x1000', count: pages, prot },
    { cpu: 0, ev: 'map.ret', ret: 0 },
  ];
}

export function unmap(dom: string, iova: number, pages = 1): Line[] {
  return [
    call('iommu_unmap_fast', { dom, iova: hex(iova), size: hex(pages * 4096) }),
    { cpu: 0, ev: 'unmap', pt: `${dom}f`, iova: hex(iova), pgsize: '0x1000', count: pages },
    { cpu: 0, ev: 'unmap.ret', size: hex(pages * 4096) },
    ret('iommu_unmap_fast'),
  ];
}

export function sync(dom: string): Line[] {
  return [call('arm_smmu_iotlb_sync', { a0: dom }), ret('arm_smmu_iotlb_sync')];
}

export function flush(dom: string): Line[] {
  return [
    call('fq_flush_iotlb'), call('arm_smmu_flush_iotlb_all', { a0: dom }),
    { cpu: 0, ev: 'inv', dom, iova: '0x0', size: '0x0', pt: `${dom}f` },
    ret('arm_smmu_flush_iotlb_all'), ret('fq_flush_iotlb'),
  ];
}

export function alloc(dom: string, iova: number, pages = 1): Line {
  return { cpu: 0, ev: 'iova.alloc', iovad: `${dom}a`, dom, iova: hex(iova), size: hex(pages * 4096) };
}

export function free(dom: string, iova: number, pages = 1): Line {
  return { cpu: 0, ev: 'iova.free', iovad: `${dom}a`, iova: hex(iova), size: hex(pages * 4096) };
}

export function xlat(sid: number, iova: number, pa: number): Line {
  return { ev: 'xlat', sid, iova: hex(iova), pa: hex(pa), perm: 3, hit: 0, asid: 1, vmid: 0 };
}

/**
 * Trace probes: how to make the tracing-only form on a machine with an SMMU, as lines for a shell. Pure. Arguments are those of the arm64 calling convention;
 * the three offsets of an invalidation are those of `struct arm_smmu_domain` in the kernel at hand (`pahole arm_smmu_domain`).
 */

const PROBES: readonly string[] = [
  'p:issue arm_smmu_cmdq_issue_cmdlist n=%x3:u32 sync=%x4:u8', 'r:issue_ret arm_smmu_cmdq_issue_cmdlist ret=$retval:s32',
  'p:cw arm_smmu_cmdq_write_entries prod=%x2:x32 n=%x3:u32 c=+0(%x1):x64[8]',
  'p:entry arm_smmu_write_entry at=%x1:x64 v=+0(%x2):x64[8]',
  'p:pt_map arm_lpae_map_pages ops=%x0 iova=%x1 pa=%x2 pgsize=%x3 cnt=%x4', 'r:pt_map_ret arm_lpae_map_pages ret=$retval:s32',
  'p:pt_unmap arm_lpae_unmap_pages ops=%x0 iova=%x1 pgsize=%x2 cnt=%x3', 'r:pt_unmap_ret arm_lpae_unmap_pages ret=$retval',
  'r:pt_alloc_ret __arm_lpae_alloc_pages va=$retval', 'p:pt_free __arm_lpae_free_pages va=%x0 size=%x1',
  'p:inv arm_smmu_domain_inv_range dom=%x0 iova=%x1 size=%x2 gran=%x3:x32 leaf=%x4:u8 ops=+OPS(%x0) stage=+STAGE(%x0):u32 id=+ASID(%x0):u16', 'r:inv_ret arm_smmu_domain_inv_range',
  'r:dma_unmap_ret __iommu_dma_unmap',
];

export function probesText(): string {
  return [
    '# As root, before the devices are attached where that can be had. OPS, STAGE and ASID are offsets of struct arm_smmu_domain: pahole arm_smmu_domain',
    'cd /sys/kernel/tracing', 'echo 0 > tracing_on', 'echo 65536 > buffer_size_kb', 'echo > kprobe_events',
    ...PROBES.map((p) => `echo '${p}' >> kprobe_events`),
    'echo 1 > events/kprobes/enable', 'echo 1 > events/iommu/attach_device_to_domain/enable', 'echo 1 > tracing_on',
    '# the workload; echo "what it does now" > trace_marker names its parts',
    'echo 0 > tracing_on', 'cat trace | gzip > trace.txt.gz    # then: smmucheck trace trace.txt.gz',
  ].join('\n');
}

/* SPDX-License-Identifier: MIT */
/* Machine checks: the hardware found something broken (SDM vol. 3, chapter 16). */
#include "internal.h"

#define CPUID_FEATURES_EDX_MCE 0x0080u
#define CPUID_FEATURES_EDX_MCA 0x4000u

#define MCG_CAP_BANKS 0xffull
#define MCG_CAP_CTL   0x100ull

#define MCG_RIPV 1ull /* the interrupted program can be resumed */

#define MCI_VALID         (1ull << 63)
#define MCI_UNCORRECTED   (1ull << 61)
#define MCI_ADDRESS_VALID (1ull << 58)
#define MCI_CORRUPT       (1ull << 57) /* the processor's own state may be wrong */

#define MCI_CTL(bank)     (MSR_MC0_CTL + 4 * (bank))
#define MCI_STATUS(bank)  (MCI_CTL(bank) + 1)
#define MCI_ADDRESS(bank) (MCI_CTL(bank) + 2)

static bool present(void)
{
    const uint32_t both = CPUID_FEATURES_EDX_MCE | CPUID_FEATURES_EDX_MCA;
    return (cpuid(1, 0).edx & both) == both;
}

void machine_check_init(void)
{
    if (!present())
        return;
    uint64_t capabilities = read_msr(MSR_MCG_CAP);
    if (capabilities & MCG_CAP_CTL)
        write_msr(MSR_MCG_CTL, UINT64_MAX);
    for (unsigned bank = 0; bank < (capabilities & MCG_CAP_BANKS); bank++) {
        write_msr(MCI_CTL(bank), UINT64_MAX);
        write_msr(MCI_STATUS(bank), 0);
    }
}

/*
 * Corrected errors are counted.  An uncorrected one is the running thread's if it struck in ring 3
 * and the processor vouches for its own state; anything else is the end.
 */
struct limen_regs *machine_check(struct limen_regs *regs)
{
    uint64_t global = read_msr(MSR_MCG_STATUS);
    uint64_t banks = present() ? read_msr(MSR_MCG_CAP) & MCG_CAP_BANKS : 0;
    uint64_t fault_status = 0, fault_address = 0, fault_bank = 0;
    for (unsigned bank = 0; bank < banks; bank++) {
        uint64_t status = read_msr(MCI_STATUS(bank));
        if (!(status & MCI_VALID))
            continue;
        uint64_t address = status & MCI_ADDRESS_VALID ? read_msr(MCI_ADDRESS(bank)) : 0;
        write_msr(MCI_STATUS(bank), 0);
        if (!(status & MCI_UNCORRECTED)) {
            kernel_count(LIMEN_COUNTER_MACHINE_CHECKS);
            continue;
        }
        if (!from_user(regs) || (status & MCI_CORRUPT))
            arch_panic(regs, "machine check in bank %u: status %lx, address %lx", bank, status,
                       address);
        fault_status = status;
        fault_address = address;
        fault_bank = bank;
    }
    if (!(global & MCG_RIPV))
        arch_panic(regs, "machine check: the interrupted program cannot be resumed");
    write_msr(MSR_MCG_STATUS, 0); /* a second one before this would have shut the machine down */
    if (!fault_status)
        return regs;
    regs->error = fault_bank;
    return kernel_exception(regs, fault_status, fault_address);
}

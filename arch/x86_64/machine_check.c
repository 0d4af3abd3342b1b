/* SPDX-License-Identifier: MIT */
/* Machine checks: the hardware found something broken (SDM vol. 3, chapter 16). */
#include "internal.h"

#define CPUID_FEATURES_EDX_MCE 0x0080u
#define CPUID_FEATURES_EDX_MCA 0x4000u

#define MCG_CAP_BANKS 0xffull
#define MCG_CAP_CTL   0x100ull
#define MCG_CAP_SER   (1ull << 24) /* software error recovery: MCI_SIGNALLED and MCI_ACTION count */

#define MCG_RIPV 1ull /* the interrupted program can be resumed */

#define MCI_VALID         (1ull << 63)
#define MCI_UNCORRECTED   (1ull << 61)
#define MCI_ADDRESS_VALID (1ull << 58)
#define MCI_CORRUPT       (1ull << 57) /* the processor's own state may be wrong */
#define MCI_SIGNALLED     (1ull << 56)
#define MCI_ACTION        (1ull << 55) /* the interrupted program has used what is broken */

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

/* Something is broken that nobody has used yet, as memory scrubbing finds (SDM vol. 3, 16.6.3). */
static bool action_optional(uint64_t status)
{
    const uint64_t bits = MCI_UNCORRECTED | MCI_CORRUPT | MCI_SIGNALLED | MCI_ACTION;
    return (read_msr(MSR_MCG_CAP) & MCG_CAP_SER) &&
           (status & bits) == (MCI_UNCORRECTED | MCI_SIGNALLED);
}

struct record {
    unsigned bank;
    uint64_t status, address;
};

/* Empties the banks and counts what harmed nobody.  True, with the worst record, where one tells of
 * harm. */
static bool take_records(struct record *harm)
{
    bool harmed = false;
    uint64_t banks = present() ? read_msr(MSR_MCG_CAP) & MCG_CAP_BANKS : 0;
    for (unsigned bank = 0; bank < banks; bank++) {
        uint64_t status = read_msr(MCI_STATUS(bank));
        if (!(status & MCI_VALID))
            continue;
        uint64_t address = status & MCI_ADDRESS_VALID ? read_msr(MCI_ADDRESS(bank)) : 0;
        write_msr(MCI_STATUS(bank), 0);
        if (!(status & MCI_UNCORRECTED) || action_optional(status)) {
            kernel_count(LIMEN_COUNTER_MACHINE_CHECKS);
            continue;
        }
        if (!harmed || (status & MCI_CORRUPT))
            *harm = (struct record){bank, status, address};
        harmed = true;
    }
    return harmed;
}

static _Noreturn void stop(const struct limen_regs *regs, const struct record *record)
{
    arch_panic(regs, "machine check in bank %u: status %lx, address %lx", record->bank,
               record->status, record->address);
}

/* Nothing signals a corrected error, nor an uncorrected one before somebody needs what is lost: so
 * whoever asks for their number has the banks looked at. */
void arch_machine_check_poll(void)
{
    struct record harm;
    if (!take_records(&harm))
        return;
    if (harm.status & MCI_CORRUPT)
        stop(NULL, &harm);
    kernel_count(LIMEN_COUNTER_MACHINE_CHECKS);
}

/* An error that did harm is the running thread's if it struck in ring 3 and the processor vouches
 * for its own state; anything else is the end. */
struct limen_regs *machine_check(struct limen_regs *regs)
{
    uint64_t global = read_msr(MSR_MCG_STATUS);
    struct record harm;
    bool harmed = take_records(&harm);
    if (harmed && (!from_user(regs) || (harm.status & MCI_CORRUPT)))
        stop(regs, &harm);
    if (!(global & MCG_RIPV))
        arch_panic(regs, "machine check: the interrupted program cannot be resumed");
    write_msr(MSR_MCG_STATUS, 0); /* a second one before this would have shut the machine down */
    if (!harmed)
        return regs;
    regs->error = harm.bank;
    return kernel_exception(regs, harm.status, harm.address);
}

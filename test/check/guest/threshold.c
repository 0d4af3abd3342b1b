/* SPDX-License-Identifier: MIT */
/*
 * Invariants of the threshold, tested at every entry and exit of the kernel with checks.
 * docs/threshold.md says why each must hold.
 */
#include "internal.h"

/* Words right below the middle of a thread's stack that must stay as they were made: clear. */
#define STACK_SAMPLE 8u

/* What the hardware holds the kernel and ring 3 to, where there is such a lock. */
static void check_locks(void)
{
    struct cpuid extended = cpuid(7, 0);
    uint64_t locks = extended.ebx & 1u << 20 ? CR4_SMAP : 0;
    locks |= extended.ebx & 1u << 7 ? CR4_SMEP : 0;
    locks |= extended.ecx & 1u << 2 ? CR4_UMIP : 0;
    ASSERT((read_cr4() & locks) == locks);
    ASSERT(read_cr0() & CR0_WP);
    ASSERT(read_msr(MSR_EFER) & EFER_NXE);
    ASSERT(read_dr7() == DR7_NONE);
}

/* Every page of the upper half is the kernel's alone and is not both written and executed. */
static void check_mappings(void)
{
    uint64_t size;
    for (uint64_t at = LIMEN_PHYSMAP_BASE; at >= LIMEN_PHYSMAP_BASE; at += size) {
        uint64_t rights = kernel_rights(at, &size);
        ASSERT(!(rights & PTE_USER));
        ASSERT(!(rights & PTE_WRITE) || rights & PTE_NX);
    }
}

/* Nothing of a processor's area is mapped but its stacks, and below each lies a guard; where the
 * last instance of an IST stack is in use, the next exception of its kind pushes into nothing. */
static void check_guards(void)
{
    struct stack stack;
    uint64_t size;
    for (uint64_t at = LIMEN_CPUS_BASE; at < LIMEN_CPUS_BASE + CPU_AREA_SIZE; at += PAGE_SIZE) {
        bool on_stack = stack_find(at, &stack) && at >= stack.base;
        ASSERT(on_stack == (kernel_rights(at, &size) != 0));
        ASSERT(!on_stack || !kernel_rights(stack.base - PAGE_SIZE, &size));
    }
    for (unsigned ist = IST_NMI; ist <= IST_MC; ist++)
        ASSERT(!kernel_rights(ist_pointer(ist, UINT32_MAX) - 1, &size));
}

void arch_check_boot(void)
{
    check_locks();
    check_mappings();
    check_guards();
}

static void check_processor(void)
{
    uint64_t clear = RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_AC | RFLAGS_NT | RFLAGS_IOPL;
    ASSERT((read_rflags() & clear) == 0);
    ASSERT(read_msr(MSR_GS_BASE) == (uint64_t)this_arch_cpu->self);
}

/* A thread's stack comes after the boot: its guard, its rights, and that half of it is enough. */
static void check_stack(const struct limen_regs *regs, const struct stack *stack)
{
    uint64_t size, rights = kernel_rights((uint64_t)regs, &size);
    ASSERT((rights & (PTE_WRITE | PTE_USER | PTE_NX)) == (PTE_WRITE | PTE_NX));
    ASSERT(!kernel_rights(stack->base - PAGE_SIZE, &size));
    if (!stack->object)
        return;
    const uint64_t *half = (const uint64_t *)(stack->base + (stack->top - stack->base) / 2);
    for (unsigned word = 1; word <= STACK_SAMPLE; word++)
        ASSERT(half[-(int)word] == 0);
}

static void check_frame(const struct limen_regs *regs)
{
    struct stack stack;
    ASSERT(stack_find((uint64_t)regs, &stack));
    ASSERT((uint64_t)regs >= stack.base && (uint64_t)(regs + 1) <= stack.top);
    check_stack(regs, &stack);
    if (!from_user(regs)) {
        ASSERT(regs->cs == KERNEL_CS);
        ASSERT(is_kernel_text(regs->rip));
        ASSERT(regs->error != (uint64_t)REGS_BY_SYSCALL);
        return;
    }
    ASSERT((uint64_t)(regs + 1) == this_arch_cpu->tss.rsp0);
    ASSERT(regs->cs == USER_CS && regs->ss == USER_SS);
    ASSERT((regs->rflags & (RFLAGS_IF | RFLAGS_IOPL)) == RFLAGS_IF);
    if (regs->error == (uint64_t)REGS_BY_SYSCALL) {
        ASSERT(regs->rip <= LIMEN_USER_END); /* behind a SYSCALL in the last two bytes */
        ASSERT(regs->rcx == regs->rip && regs->r11 == regs->rflags);
    }
}

void arch_check_frame(const struct limen_regs *regs)
{
    check_processor();
    check_frame(regs);
}

/* Ring 3 has the address space and the breakpoints of the thread it goes on with. */
static void check_thread(void)
{
    const struct arch_thread *current = thread_of_stack(this_arch_cpu->tss.rsp0);
    ASSERT(read_cr3() == (current->cr3 & ~CR3_KEEP));
    ASSERT(read_dr7() == (DR7_NONE | current->breakpoint_control));
}

void arch_check_leaving(const struct limen_regs *regs)
{
    arch_check_frame(regs);
    ASSERT(this_arch_cpu->interrupt_depth == 0 || !from_user(regs));
    if (from_user(regs))
        check_thread();
}

void arch_check_fast_exit(const struct limen_regs *regs)
{
    ASSERT(arch_is_from_syscall(regs));
    arch_check_exit(regs);
}

/* SPDX-License-Identifier: MIT */
/* Faults as messages: every exception ring 3 can raise, with its whole contents. */
#include "victim.h"

#include <cpuid.h>

#define KERNEL_TEXT   0xffffffff80000000ull
#define PHYSICAL_MAP  0xffff800000000000ull
#define KERNEL_CS     0x08u
#define KERNEL_SS     0x10u
#define NOT_CANONICAL 0x0000800000000000ull
#define NOWHERE       0x0000000000777000ull /* in nobody's image */

/* Runs one instruction that must fault, with all registers as they were before it. */
static void fault_at(const struct victim *victim, const char *snippet, enum vector vector,
                     uint64_t error)
{
    struct limen_regs regs = victim_regs(victim, snippet);
    struct fault fault;

    run_victim(victim, &regs);
    fault = expect_exception(victim, vector, error, &regs);
    expect_equal(fault.detail[2], 0);
    expect_ok(limen_thread_suspend(victim->worker->thread));
}

TEST(fault, invalid_opcode)
{
    struct victim victim = new_victim();
    fault_at(&victim, snippet_ud2, INVALID_OPCODE, 0);
}

/* The error slot tells the kernel how a frame was built.  One that ring 3 wrote cannot claim to be
 * SYSCALL's, or SYSRET would take its RIP from RCX. */
TEST(fault, written_frame_does_not_leave_by_sysret)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_ud2);

    regs.rcx = (uint64_t)snippet_int3;
    regs.error = (uint64_t)REGS_BY_SYSCALL;
    run_victim(&victim, &regs);
    regs.error = 0;
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

TEST(fault, divide_error)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_div);

    regs.rcx = 0;
    run_victim(&victim, &regs);
    expect_exception(&victim, DIVIDE_ERROR, 0, &regs);
}

/* Each with the error code of a plain #GP, and nothing changed. */
TEST(fault, privileged_instructions_are_general_protection)
{
    static const char *const snippets[] = {
        snippet_hlt,          snippet_cli,        snippet_sti,        snippet_in,
        snippet_out,          snippet_ins,        snippet_outs,       snippet_mov_from_cr0,
        snippet_mov_to_cr0,   snippet_mov_to_cr3, snippet_mov_to_cr4, snippet_mov_to_cr8,
        snippet_mov_from_dr7, snippet_mov_to_dr7, snippet_lgdt,       snippet_lidt,
        snippet_lldt,         snippet_ltr,        snippet_lmsw,       snippet_clts,
        snippet_rdmsr,        snippet_wrmsr,      snippet_invlpg,     snippet_invd,
        snippet_wbinvd,       snippet_swapgs,     snippet_sysret,     snippet_rdpmc,
    };
    struct victim victim = new_victim();

    for (unsigned i = 0; i < sizeof snippets / sizeof snippets[0]; i++)
        fault_at(&victim, snippets[i], GENERAL_PROTECTION, 0);
    /* Where the processor has no extended states, or they are not switched on, it is unknown. */
    unsigned eax, ebx, ecx, edx;
    __cpuid(1, eax, ebx, ecx, edx);
    fault_at(&victim, snippet_xsetbv, ecx & bit_OSXSAVE ? GENERAL_PROTECTION : INVALID_OPCODE, 0);
}

/* An error code names a gate by its index times 8; QEMU's emulation, up to a version, times the 16
 * bytes that a gate has. */
static uint64_t gate_error_factor(void)
{
    return is_emulated() ? 16 : 8;
}

/* Runs an instruction that names a selector it may not use.  QEMU's emulation pops what IRET and
 * RET load as if in ring 0, where SMAP forbids it. */
static void selector_fault(const struct victim *victim, struct limen_regs *regs,
                           const char *snippet, uint64_t selector)
{
    regs->rip = (uint64_t)snippet;
    run_victim(victim, regs);
    struct fault fault = next_fault(victim);
    bool popped = fault.detail[0] == PAGE_FAULT && fault.detail[1] == PF_PRESENT &&
                  fault.detail[2] - regs->rsp < 40 && is_emulated();
    if (!popped && (fault.detail[0] != GENERAL_PROTECTION || fault.detail[1] != selector))
        fail("selector 0x%lx: exception %lu, error 0x%lx", selector, fault.detail[0],
             fault.detail[1]);
    regs->origin = fault.detail[0];
    regs->error = fault.detail[1];
    expect_regs(&fault.regs, regs, "a fault over a selector");
    expect_ok(limen_thread_suspend(victim->worker->thread));
}

TEST(fault, ways_to_ring_0_are_closed)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_int_80);
    uint64_t *stack = (uint64_t *)regs.rsp;

    run_victim(&victim, &regs);
    expect_exception(&victim, GENERAL_PROTECTION, 0x80 * gate_error_factor() + 2, &regs);
    expect_ok(limen_thread_suspend(victim.worker->thread));

    stack[0] = (uint64_t)snippet_ud2;
    stack[1] = KERNEL_CS;
    stack[2] = FLAGS_ALWAYS;
    stack[3] = regs.rsp;
    stack[4] = KERNEL_SS;
    selector_fault(&victim, &regs, snippet_iret_to_ring_0, KERNEL_CS);
    selector_fault(&victim, &regs, snippet_far_return_to_ring_0, KERNEL_CS);
    regs.rax = KERNEL_SS;
    selector_fault(&victim, &regs, snippet_load_kernel_ss, KERNEL_SS);
    selector_fault(&victim, &regs, snippet_load_kernel_ds, KERNEL_SS);
}

static void page_fault(const struct victim *victim, const char *snippet, uint64_t address,
                       uint64_t error)
{
    struct limen_regs regs = victim_regs(victim, snippet);
    struct fault fault;

    regs.rax = address;
    run_victim(victim, &regs);
    if (snippet == snippet_jump)
        regs.rip = address;
    fault = expect_exception(victim, PAGE_FAULT, error, &regs);
    expect_equal(fault.detail[2], address);
    expect_ok(limen_thread_suspend(victim->worker->thread));
}

TEST(fault, page_faults_tell_address_and_access)
{
    struct victim victim = new_victim();
    uint32_t frame = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    uint64_t address = addresses(LIMEN_PAGE_ORDER);

    page_fault(&victim, snippet_load, NOWHERE + 0x123, PF_USER);
    page_fault(&victim, snippet_store, NOWHERE + 0x456, PF_USER | PF_WRITE);
    page_fault(&victim, snippet_jump, NOWHERE + 0x789, PF_USER | PF_FETCH);
    page_fault(&victim, snippet_load, 0, PF_USER);
    page_fault(&victim, snippet_jump, 0, PF_USER | PF_FETCH);
    page_fault(&victim, snippet_load, LIMEN_USER_END, PF_USER);

    expect_ok(limen_map(frame, OWN_SPACE, address, LIMEN_RIGHT_READ, LIMEN_CACHE_NORMAL));
    page_fault(&victim, snippet_store, address + 8, PF_USER | PF_WRITE | PF_PRESENT);
    page_fault(&victim, snippet_jump, address + 16, PF_USER | PF_FETCH | PF_PRESENT);
    expect_ok(limen_unmap(frame));
    page_fault(&victim, snippet_load, address, PF_USER);

    expect_ok(limen_map(frame, OWN_SPACE, address, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                        LIMEN_CACHE_NORMAL));
    page_fault(&victim, snippet_jump, address, PF_USER | PF_FETCH | PF_PRESENT);
    expect_ok(limen_unmap(frame));

    expect_ok(limen_map(frame, OWN_SPACE, address, LIMEN_RIGHT_EXECUTE, LIMEN_CACHE_NORMAL));
    page_fault(&victim, snippet_store, address, PF_USER | PF_WRITE | PF_PRESENT);
    expect_ok(limen_unmap(frame));
}

/* A large frame too; and after its capability is deleted, nothing of it is left in the TLB. */
TEST(fault, unmapped_memory_is_gone_at_once)
{
    struct victim victim = new_victim();
    uint32_t frames[2];
    volatile uint64_t *small = map_new(LIMEN_PAGE_ORDER, &frames[0]);
    volatile uint64_t *large = map_new(LIMEN_LARGE_PAGE_ORDER, &frames[1]);

    *small = *large = 1;
    expect_ok(limen_delete(OWN_TABLE, frames[0]));
    expect_ok(limen_delete(OWN_TABLE, frames[1]));
    page_fault(&victim, snippet_load, (uint64_t)small, PF_USER);
    page_fault(&victim, snippet_load, (uint64_t)large, PF_USER);
    page_fault(&victim, snippet_store, (uint64_t)&large[1000], PF_USER | PF_WRITE);
}

/* The kernel's half is out of reach, mapped or not; whether it is mapped may show in bit 0. */
TEST(fault, kernel_memory_is_out_of_reach)
{
    static const uint64_t kernel[] = {KERNEL_TEXT,        KERNEL_TEXT + 0x1000,
                                      PHYSICAL_MAP,       PHYSICAL_MAP + 0x100000,
                                      0xffffd00000000000, 0xfffffffffffffff8};
    static const struct {
        const char *snippet;
        uint64_t error;
    } accesses[] = {{snippet_load, PF_USER},
                    {snippet_store, PF_USER | PF_WRITE},
                    {snippet_jump, PF_USER | PF_FETCH}};
    struct victim victim = new_victim();

    for (unsigned i = 0; i < sizeof kernel / sizeof kernel[0]; i++)
        for (unsigned j = 0; j < 3; j++) {
            struct limen_regs regs = victim_regs(&victim, accesses[j].snippet);
            regs.rax = kernel[i];
            run_victim(&victim, &regs);
            struct fault fault = next_fault(&victim);
            expect_equal(fault.detail[0], PAGE_FAULT);
            expect_equal(fault.detail[1] & ~(uint64_t)PF_PRESENT, accesses[j].error);
            expect_equal(fault.detail[2], kernel[i]);
            expect_equal(fault.regs.rcx, regs.rcx);
            expect_ok(limen_thread_suspend(victim.worker->thread));
        }
}

TEST(fault, addresses_that_are_not_canonical)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_load);

    regs.rax = NOT_CANONICAL;
    run_victim(&victim, &regs);
    expect_exception(&victim, GENERAL_PROTECTION, 0, &regs);
    expect_ok(limen_thread_suspend(victim.worker->thread));

    /* On a real processor a push there is a stack fault. */
    regs.rip = (uint64_t)snippet_push;
    regs.rsp = NOT_CANONICAL + 0x100;
    run_victim(&victim, &regs);
    expect_exception(&victim, is_emulated() ? GENERAL_PROTECTION : STACK_FAULT, 0, &regs);
}

/* The kernel does not use the stack of ring 3, wherever that points. */
TEST(fault, stack_pointer_may_be_anything)
{
    static const uint64_t stacks[] = {
        0,          8,           NOT_CANONICAL,           1ull << 63,
        UINT64_MAX, KERNEL_TEXT, PHYSICAL_MAP + 0x200000, 0xfffffffffffffff8};
    struct victim victim = new_victim();

    for (unsigned i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
        struct limen_regs regs = victim_regs(&victim, snippet_ud2);
        regs.rsp = stacks[i];
        run_victim(&victim, &regs);
        expect_exception(&victim, INVALID_OPCODE, 0, &regs);
        resume_victim(&victim);
        expect_exception(&victim, INVALID_OPCODE, 0, &regs);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

/* Traps: the RIP is that of the next instruction. */
TEST(fault, breakpoint_and_overflow)
{
    static const struct {
        const char *snippet;
        enum vector vector;
        unsigned length;
    } traps[] = {{snippet_int3, BREAKPOINT, 1},
                 {snippet_int_3, BREAKPOINT, 2},
                 {snippet_int_4, OVERFLOW, 2}};
    struct victim victim = new_victim();

    for (unsigned i = 0; i < 3; i++) {
        struct limen_regs regs = victim_regs(&victim, traps[i].snippet);
        run_victim(&victim, &regs);
        regs.rip += traps[i].length;
        expect_exception(&victim, traps[i].vector, 0, &regs);
        resume_victim(&victim);
        expect_exception(&victim, INVALID_OPCODE, 0, &regs);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

#define DR6_SINGLE_STEP 0x4000u

TEST(fault, single_step)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_nop_ud2);
    struct fault fault;

    regs.rflags |= FLAG_TF;
    run_victim(&victim, &regs);
    regs.rip += 1;
    fault = expect_exception(&victim, DEBUG, 0, &regs);
    expect(fault.detail[3] & DR6_SINGLE_STEP);

    /* The fault of an instruction comes before its trap; DR6 is not left over. */
    resume_victim(&victim);
    fault = expect_exception(&victim, INVALID_OPCODE, 0, &regs);
    expect_equal(fault.detail[3], 0);

    /* Without TF it just runs. */
    regs.rip = (uint64_t)snippet_nop_ud2;
    regs.rflags &= ~FLAG_TF;
    resume_victim_with(&victim, &regs);
    regs.rip += 1;
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

/* The kernel copies the frame with DF clear, whatever ring 3 had. */
TEST(fault, single_step_with_flags_set)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_nop_ud2);

    regs.rflags |= FLAG_TF | FLAG_DF | FLAG_AC | FLAG_NT | FLAG_ID;
    run_victim(&victim, &regs);
    regs.rip += 1;
    expect_exception(&victim, DEBUG, 0, &regs);
    resume_victim(&victim);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

TEST(fault, icebp_is_a_debug_trap)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_icebp);

    run_victim(&victim, &regs);
    if (is_emulated()) { /* it does not know the instruction */
        expect_exception(&victim, INVALID_OPCODE, 0, &regs);
        return;
    }
    regs.rip += 1;
    expect_exception(&victim, DEBUG, 0, &regs);
    resume_victim(&victim);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

/* QEMU's emulation checks no alignment. */
TEST(fault, alignment_check)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_misaligned);

    regs.rflags |= FLAG_AC;
    run_victim(&victim, &regs);
    struct fault fault = next_fault(&victim);
    expect_equal(fault.detail[0], is_emulated() ? INVALID_OPCODE : ALIGNMENT_CHECK);
    expect_equal(fault.regs.rflags & FLAG_AC, FLAG_AC);
}

/* Vector and error of a fault somewhere in a longer snippet. */
static struct fault first_fault(const char *snippet)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet);

    run_victim(&victim, &regs);
    return next_fault(&victim);
}

TEST(fault, x87_error)
{
    struct fault fault = first_fault(snippet_x87_divide);
    expect_equal(fault.detail[0], X87_ERROR);
    expect_equal(fault.detail[1], 0);
}

TEST(fault, simd_error)
{
    /* The emulation keeps the flags of SSE but raises nothing. */
    struct fault fault = first_fault(snippet_sse_divide);
    expect_equal(fault.detail[0], is_emulated() ? INVALID_OPCODE : SIMD_ERROR);
}

/* Where the processor has UMIP, ring 3 cannot read the kernel's addresses and selectors. */
TEST(fault, umip_hides_the_descriptor_tables)
{
    static const char *const snippets[] = {snippet_sgdt, snippet_sidt, snippet_sldt, snippet_str,
                                           snippet_smsw};
    unsigned eax, ebx, ecx, edx;
    struct victim victim = new_victim();

    __asm__("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(7), "c"(0));
    bool umip = ecx & 0x4;
    for (unsigned i = 0; umip && i < sizeof snippets / sizeof snippets[0]; i++)
        fault_at(&victim, snippets[i], GENERAL_PROTECTION, 0);
}

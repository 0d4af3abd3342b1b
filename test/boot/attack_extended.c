/* SPDX-License-Identifier: MIT */
/* The extended registers: areas for them that are wrong, and what is left in them or in memory. */
#include "attack.h"

#include <cpuid.h>
#include <string.h>

/* The area of XSAVE, SDM vol. 1, 13.4. */
#define CONTROL   0u
#define MXCSR     24u
#define REGISTERS 32u
#define LEGACY    416u /* where the registers of x87 and SSE end */
#define HEADER    512u
#define XCOMP_BV  520u
#define UNLOOKED                                                                                   \
    536u /* what lies from here to the components counts in the compacted format only */
#define EXTENDED 576u /* components from AVX on */

#define CONTROL_INITIAL 0x037fu
#define MXCSR_INITIAL   0x1f80u
#define MXCSR_RESERVED  16u /* the first of the reserved bits */
#define COMPACTED       63u /* bit of XCOMP_BV */

#define CPUID_XSAVE  0x0du
#define CPUID_XSAVEC 0x02u /* leaf 0dh, subleaf 1, EAX */
#define FRAMES       (1u << (LIMEN_THREAD_ORDER - LIMEN_PAGE_ORDER))

static _Alignas(64) char area[LIMEN_PAGE_SIZE];

static bool has_xsave(void)
{
    unsigned eax, ebx, ecx, edx;
    __cpuid(1, eax, ebx, ecx, edx);
    return ecx & bit_OSXSAVE;
}

static bool has_compacted(void)
{
    unsigned eax, ebx, ecx, edx;
    __cpuid_count(CPUID_XSAVE, 1, eax, ebx, ecx, edx);
    return eax & CPUID_XSAVEC;
}

static uint64_t components(void)
{
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void spin_for_ever(void *unused)
{
    (void)unused;
    for (;;)
        limen_yield();
}

TEST(attack_extended, reserved_bits_of_mxcsr)
{
    static uint32_t value;
    struct victim victim = new_victim();

    for (unsigned bit = MXCSR_RESERVED; bit < 32; bit++) {
        struct limen_regs regs = attack_at(&victim, attack_load_mxcsr);
        value = MXCSR_INITIAL | 1u << bit;
        regs.rax = (uint64_t)&value;
        run_victim(&victim, &regs);
        struct fault fault = next_fault(&victim);
        /* QEMU's emulation drops what it does not know. */
        expect_equal(fault.detail[0], is_emulated() ? INVALID_OPCODE : GENERAL_PROTECTION);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

/* -- corrupt areas -- */

/* XRSTOR of an area is the thread's own fault where it is wrong, and none where it is not; and the
 * next switches find nothing that they cannot save or restore. */
static void restore_area(const struct victim *victim, uint64_t where, uint64_t vector,
                         const char *what, unsigned bit)
{
    struct limen_regs regs = attack_at(victim, attack_restore_extended);

    regs.rbx = where;
    run_victim(victim, &regs);
    struct fault fault = next_fault(victim);
    if (fault.detail[0] != vector)
        fail("XRSTOR of %s, bit %u: exception %lu, want %lu", what, bit, fault.detail[0], vector);
    limen_yield();
    regs = attack_at(victim, attack_touch_x87);
    restart_victim(victim, &regs);
    expect_equal(next_fault(victim).detail[0], INVALID_OPCODE);
    expect_ok(limen_thread_suspend(victim->worker->thread));
}

/* INVALID_OPCODE is the end of the attack's code. */
static uint64_t passes_if(bool legal)
{
    return legal ? INVALID_OPCODE : GENERAL_PROTECTION;
}

static void clear_area(uint64_t xcomp)
{
    memset(area, 0, sizeof area);
    *(uint32_t *)(area + MXCSR) = MXCSR_INITIAL;
    *(uint64_t *)(area + XCOMP_BV) = xcomp;
}

TEST(attack_extended, each_bit_of_an_area_s_header)
{
    if (!has_xsave())
        return;
    uint64_t known = components();
    struct victim victim = new_victim();
    spawn(TEST_PRIORITY, spin_for_ever, NULL);

    for (unsigned at = HEADER; at < EXTENDED; at += 8)
        for (unsigned bit = 0; bit < 64; bit++) {
            bool legal = at >= UNLOOKED || (at == HEADER && known >> bit & 1) ||
                         (at == XCOMP_BV && bit == COMPACTED && has_compacted());
            clear_area(0);
            *(uint64_t *)(area + at) = 1ull << bit;
            restore_area(&victim, (uint64_t)area, passes_if(legal), "a header", bit);
        }
    for (unsigned bit = MXCSR_RESERVED; bit < 32; bit++) {
        clear_area(0);
        *(uint32_t *)(area + MXCSR) |= 1u << bit;
        restore_area(&victim, (uint64_t)area, passes_if(is_emulated()), "MXCSR", bit);
    }
}

/* Where the processor has the compacted format, in which all of the header counts. */
TEST(attack_extended, each_bit_of_a_compacted_area_s_header)
{
    if (!has_xsave() || !has_compacted())
        return;
    uint64_t known = components();
    struct victim victim = new_victim();
    spawn(TEST_PRIORITY, spin_for_ever, NULL);

    for (unsigned at = HEADER; at < EXTENDED; at += 8)
        for (unsigned bit = 0; bit < 64; bit++) {
            /* Bit 63 of XSTATE_BV is not set alone, which is all that is asked of it. */
            bool legal = bit == COMPACTED ? at <= XCOMP_BV : at == XCOMP_BV && known >> bit & 1;
            clear_area(1ull << COMPACTED);
            *(uint64_t *)(area + at) |= 1ull << bit;
            restore_area(&victim, (uint64_t)area, passes_if(legal), "a compacted header", bit);
        }
}

/* In the kernel's half, in none, off its alignment, and with its end where nothing is mapped. */
TEST(attack_extended, areas_where_none_can_be)
{
    static const uint64_t odd[] = {
        0,          0x777000,           LIMEN_USER_END,     1ull << 47,
        1ull << 63, 0xffff800000000000, 0xffffffff80000000, 0xffffffffffffffc0};
    static const char *const codes[] = {attack_restore_extended, attack_save_extended};
    if (!has_xsave())
        return;
    uint64_t page = (uint64_t)map_new(LIMEN_PAGE_ORDER, NULL);
    struct victim victim = new_victim();
    spawn(TEST_PRIORITY, spin_for_ever, NULL);

    for (unsigned code = 0; code < 2; code++)
        for (unsigned i = 0; i < sizeof odd / sizeof odd[0] + 64; i++) {
            bool edge = i < 64; /* in the page, and across its end */
            struct limen_regs regs = attack_at(&victim, codes[code]);
            regs.rbx = edge ? page + (i & 1 ? LIMEN_PAGE_SIZE - 64 : 0) + i : odd[i - 64];
            if (edge && i == 0)
                continue;
            clear_area(0);
            run_victim(&victim, &regs);
            struct fault fault = next_fault(&victim);
            expect(fault.detail[0] == GENERAL_PROTECTION || fault.detail[0] == PAGE_FAULT);
            expect_equal(fault.regs.rsp, regs.rsp);
            limen_yield();
            expect_ok(limen_thread_suspend(victim.worker->thread));
        }
}

/* -- what is left -- */

static void expect_initial(const char *state)
{
    expect_equal(*(const uint16_t *)(state + CONTROL), CONTROL_INITIAL);
    expect_equal(*(const uint32_t *)(state + MXCSR), MXCSR_INITIAL);
    for (unsigned at = 2; at < MXCSR; at++) /* status, tags, last instruction and operand */
        expect_equal(state[at], 0);
    for (unsigned at = REGISTERS; at < LEGACY; at++)
        expect_equal(state[at], 0);
    for (unsigned at = EXTENDED; at < LIMEN_PAGE_SIZE; at++)
        expect_equal(state[at], 0);
}

/* Every register that XRSTOR can load, but the two that say how to compute. */
static void dirty_everything(const struct victim *victim)
{
    memset(area, 0x55, sizeof area);
    *(uint16_t *)(area + CONTROL) = CONTROL_INITIAL;
    memset(area + HEADER, 0, EXTENDED - HEADER);
    *(uint64_t *)(area + HEADER) = components();
    *(uint32_t *)(area + MXCSR) = MXCSR_INITIAL;
    struct limen_regs regs = attack_at(victim, attack_restore_extended);
    regs.rbx = (uint64_t)area;
    run_victim(victim, &regs);
    expect_equal(next_fault(victim).detail[0], INVALID_OPCODE);
}

/* Ring 3 fills the memory that will be the kernel's area of another thread with ones: as a header
 * they would be a fault of the kernel's own XRSTOR, and as a state they would be loaded. */
static void fill_with_ones(uint32_t untyped, uint32_t first)
{
    expect_ok(limen_retype(untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, first, FRAMES));
    for (unsigned i = 0; i < FRAMES; i++) {
        uint64_t address = addresses(LIMEN_PAGE_ORDER);
        expect_ok(limen_map(first + i, OWN_SPACE, address, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                            LIMEN_CACHE_NORMAL));
        memset((void *)address, 0xff, LIMEN_PAGE_SIZE);
        expect_ok(limen_delete(OWN_TABLE, first + i));
    }
}

/* The whole of a new thread's extended state, in memory that was ring 3's and then a thread's. */
TEST(attack_extended, new_thread_starts_with_initial_state)
{
    if (!has_xsave())
        return;
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, LIMEN_THREAD_ORDER), frames = slots(FRAMES);
    struct victim other = new_victim(), victim = new_victim();
    uint32_t thread = victim.worker->thread = slots(1);
    uint32_t handler = minted(victim.endpoint, LIMEN_RIGHT_WRITE, VICTIM_BADGE);

    fill_with_ones(untyped, frames);
    for (unsigned round = 0; round < 3; round++) {
        dirty_everything(&other);
        expect_ok(limen_retype(untyped, LIMEN_TYPE_THREAD, 0, thread, 1));
        set_priority(thread, HIGHER);
        expect_ok(limen_thread_configure(thread, OWN_SPACE, OWN_TABLE, handler));
        clear_area(0);
        struct limen_regs regs = attack_at(&victim, attack_save_extended);
        regs.rbx = (uint64_t)area;
        run_victim(&victim, &regs);
        expect_equal(next_fault(&victim).detail[0], INVALID_OPCODE);
        expect_initial(area);
        expect_ok(limen_thread_suspend(thread));
        expect_ok(limen_thread_suspend(other.worker->thread));
        dirty_everything(&victim); /* for the next one in this memory */
        expect_ok(limen_delete(OWN_TABLE, thread));
    }
}

static void use_x87_for_ever(void *unused)
{
    (void)unused;
    for (;;) {
        __asm__ volatile("fninit; fld1; fldpi; faddp; fwait; fstp %st(0)");
        limen_yield();
    }
}

/* An x87 exception that is due strikes the thread that owes it: not the kernel as it saves the
 * state, nor another thread. */
TEST(attack_extended, pending_x87_error_stays_with_its_thread)
{
    struct victim victim = new_victim();
    spawn(LOWER, use_x87_for_ever, NULL);
    spawn(LOWER, use_x87_for_ever, NULL);

    set_priority(victim.worker->thread, LOWER);
    for (unsigned round = 0; round < 3; round++) {
        struct limen_regs regs = attack_at(&victim, attack_pending_x87);
        regs.rbx = 400000;
        run_victim(&victim, &regs);
        struct fault fault = next_fault(&victim);
        if (fault.detail[0] != X87_ERROR)
            fail("exception %lu at 0x%lx, want the x87 error", fault.detail[0], fault.regs.rip);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

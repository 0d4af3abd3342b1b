/* SPDX-License-Identifier: MIT */
/* Selectors, descriptor tables and gates: what ring 3 may load, call or see of them. */
#include "attack.h"

#include <string.h>

#define SELECTOR_END 0x48u /* beyond the table of descriptors */

static bool is_null(unsigned selector)
{
    return selector < 4;
}

/* Of ring 3's two descriptors: data, and code that may be read. */
static bool is_loadable(unsigned selector)
{
    return is_null(selector) || (selector & ~3u) == (own_ss() & ~3u) ||
           (selector & ~3u) == (own_cs() & ~3u);
}

static void load(const struct victim *victim, const char *code, unsigned selector, bool passes)
{
    struct limen_regs regs = attack_at(victim, code);

    regs.rax = selector;
    run_victim(victim, &regs);
    struct fault fault = next_fault(victim);
    bool passed = fault.detail[0] == INVALID_OPCODE;
    bool refused = fault.detail[0] == GENERAL_PROTECTION && fault.detail[1] == (selector & 0xfffcu);
    /* The TSS and its second half can be taken for what is not present. */
    if (!(passes ? passed : refused))
        fail("selector 0x%x: exception %lu, error 0x%lx", selector, fault.detail[0],
             fault.detail[1]);
    expect_ok(limen_thread_suspend(victim->worker->thread));
}

TEST(attack_segment, data_selectors)
{
    static const char *const codes[] = {attack_load_ds, attack_load_es, attack_load_fs,
                                        attack_load_gs};
    struct victim victim = new_victim();

    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        for (unsigned selector = 0; selector < SELECTOR_END; selector++)
            load(&victim, codes[i], selector, is_loadable(selector) && !(selector & 4));
        for (unsigned bit = 7; bit < 16; bit++)
            load(&victim, codes[i], 1u << bit | 3, false);
        load(&victim, codes[i], 0, true);
    }
}

TEST(attack_segment, stack_selectors)
{
    struct victim victim = new_victim();

    for (unsigned selector = 0; selector < SELECTOR_END; selector++) {
        /* A null one with RPL 3 has no place in ring 3 (SDM vol. 2, MOV). */
        load(&victim, attack_load_ss, selector, selector == own_ss());
    }
}

/* Selectors loaded by one thread are not there for the next, and come back to their own.  The
 * bases that go with them are the thread's as well. */
TEST(attack_segment, selectors_are_each_thread_s_own)
{
    static _Alignas(16) char loaded[536], clean[536];
    struct victim with = new_victim(), without = new_victim();

    for (unsigned round = 0; round < 4; round++) {
        struct limen_regs regs = attack_at(&with, attack_load_selectors);
        uint16_t want[4] = {(uint16_t)own_ss(), (uint16_t)own_cs(), round & 1 ? 3 : 0,
                            (uint16_t)own_ss()};
        regs.rax = want[0];
        regs.rcx = want[1];
        regs.rdx = want[2];
        regs.rdi = want[3];
        run_victim(&with, &regs);
        expect_equal(next_fault(&with).detail[0], INVALID_OPCODE);

        regs = attack_at(&without, attack_read_state);
        regs.rax = (uint64_t)clean;
        run_victim(&without, &regs);
        expect_equal(next_fault(&without).detail[0], INVALID_OPCODE);
        for (unsigned i = 0; i < 4; i++)
            expect_equal(((uint16_t *)(clean + 512))[i], 0);

        regs = attack_at(&with, attack_read_state);
        regs.rax = (uint64_t)loaded;
        restart_victim(&with, &regs);
        expect_equal(next_fault(&with).detail[0], INVALID_OPCODE);
        /* A null selector may lose its RPL. */
        for (unsigned i = 0; i < 4; i++)
            if (want[i] > 3)
                expect_equal(((uint16_t *)(loaded + 512))[i], want[i]);
        expect_ok(limen_thread_suspend(with.worker->thread));
        expect_ok(limen_thread_suspend(without.worker->thread));
    }
}

/* There is no gate, no task and no local table to call through, and code of the kernel's is not to
 * be jumped to. */
TEST(attack_segment, far_transfers)
{
    static struct __attribute__((packed)) {
        uint32_t offset;
        uint16_t selector;
    } pointer;
    static const char *const codes[] = {attack_far_jump, attack_far_call};
    struct victim victim = new_victim();

    for (unsigned i = 0; i < 2; i++)
        for (unsigned selector = 0; selector < SELECTOR_END; selector++) {
            if ((selector & ~3u) == (own_cs() & ~3u))
                continue;
            struct limen_regs regs = attack_at(&victim, codes[i]);
            regs.rax = (uint64_t)&pointer;
            pointer.offset = (uint32_t)(uint64_t)snippet_int3;
            pointer.selector = (uint16_t)selector;
            run_victim(&victim, &regs);
            struct fault fault = next_fault(&victim);
            if (fault.detail[0] != GENERAL_PROTECTION || fault.detail[1] != (selector & 0xfffcu))
                fail("far transfer to 0x%x: exception %lu, error 0x%lx", selector, fault.detail[0],
                     fault.detail[1]);
            expect_equal(fault.regs.rip, regs.rip);
            expect_equal(fault.regs.rsp, regs.rsp);
            expect_equal(fault.regs.cs, own_cs());
            expect_ok(limen_thread_suspend(victim.worker->thread));
        }
}

/* From reset on the register of the local table says: base 0, 64 KiB, and firmware may never have
 * touched it.  Then these would be descriptors out of memory that ring 3 can map: here a call gate
 * into ring 0, and a segment to load. */
TEST(attack_segment, memory_near_0_is_no_local_table)
{
    enum { PAGE = 0x1000, LOCAL = 4, GATE = 0, SEGMENT = 16 };
    uint32_t frame = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    uint64_t target = (uint64_t)snippet_ud2;
    struct __attribute__((packed)) {
        uint32_t offset;
        uint16_t selector;
    } pointer = {.offset = 0, .selector = PAGE + GATE + LOCAL + 3};
    uint64_t *table = (uint64_t *)addresses(LIMEN_PAGE_ORDER);
    struct victim victim = new_victim();

    expect_ok(limen_map(frame, OWN_SPACE, (uint64_t)table, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                        LIMEN_CACHE_NORMAL));
    /* A call gate of DPL 3 to the kernel's code segment (SDM vol. 3, 5.8.3.1). */
    table[GATE / 8] =
        (target & 0xffff) | 0x08ull << 16 | 0xecull << 40 | (target >> 16 & 0xffff) << 48;
    table[GATE / 8 + 1] = target >> 32;
    table[SEGMENT / 8] = 0x00cff3000000ffffull; /* flat, data, DPL 3 */
    expect_ok(limen_unmap(frame));
    expect_ok(limen_map(frame, OWN_SPACE, PAGE, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                        LIMEN_CACHE_NORMAL));

    struct limen_regs regs = attack_at(&victim, attack_far_call);
    regs.rax = victim.stack_top - 64;
    memcpy((void *)regs.rax, &pointer, sizeof pointer);
    run_victim(&victim, &regs);
    expect_exception(&victim, GENERAL_PROTECTION, PAGE + GATE + LOCAL, &regs);
    expect_ok(limen_thread_suspend(victim.worker->thread));
    load(&victim, attack_load_ds, PAGE + SEGMENT + LOCAL + 3, false);
}

/* INT n reaches its exception only where ring 3 may raise it so; no vector of a device, of the
 * kernel's or of an exception can be pretended. */
TEST(attack_segment, every_vector_by_int_n)
{
    enum { INT_N_STRIDE = 4, INT_LENGTH = 2 };
    struct victim victim = new_victim();

    for (unsigned vector = 0; vector < 256; vector++) {
        struct limen_regs regs = attack_at(&victim, attack_int_n + vector * INT_N_STRIDE);
        run_victim(&victim, &regs);
        struct fault fault = next_fault(&victim);
        bool open = vector == BREAKPOINT || vector == OVERFLOW;
        uint64_t error = vector * (is_emulated() ? 16u : 8u) + 2u;
        if (open) {
            expect_equal(fault.detail[0], vector);
            expect_equal(fault.regs.rip, regs.rip + INT_LENGTH);
        } else {
            if (fault.detail[0] != GENERAL_PROTECTION || fault.detail[1] != error)
                fail("INT %u: exception %lu, error 0x%lx", vector, fault.detail[0],
                     fault.detail[1]);
            expect_equal(fault.regs.rip, regs.rip);
        }
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

TEST(attack_segment, sysenter_leads_nowhere)
{
    struct victim victim = new_victim();
    struct limen_regs regs = attack_at(&victim, attack_sysenter);

    run_victim(&victim, &regs);
    struct fault fault = next_fault(&victim);
    /* AMD's processors do not have it in 64-bit mode. */
    expect(fault.detail[0] == GENERAL_PROTECTION || fault.detail[0] == INVALID_OPCODE);
    expect_equal(fault.regs.rip, regs.rip);
}

static bool has_umip(void)
{
    unsigned eax = 7, ebx, ecx = 0, edx;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return ecx >> 2 & 1;
}

/* Where the processor can, it hides where the kernel's tables are. */
TEST(attack_segment, tables_cannot_be_stored_to_memory)
{
    static const char *const codes[] = {attack_store_tables, attack_store_ldt, attack_store_task,
                                        attack_store_status};
    static _Alignas(16) uint8_t memory[16];
    struct victim victim = new_victim();

    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct limen_regs regs = attack_at(&victim, codes[i]);
        regs.rax = (uint64_t)memory;
        memset(memory, 0, sizeof memory);
        run_victim(&victim, &regs);
        struct fault fault = next_fault(&victim);
        if (has_umip()) {
            expect_equal(fault.detail[0], GENERAL_PROTECTION);
            expect_equal(fault.detail[1], 0);
            for (unsigned at = 0; at < sizeof memory; at++)
                expect_equal(memory[at], 0);
        } else {
            expect_equal(fault.detail[0], INVALID_OPCODE);
        }
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

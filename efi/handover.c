/* SPDX-License-Identifier: MIT */
/*
 * From the firmware's page tables to the loader's own.  The instructions that change CR3 must be
 * mapped at their own address in both; they lie in one page of the loader's text, which the new
 * tables map there and nowhere else.
 */
#include "loader.h"
#include "processor.h"

void EFIAPI handover_jump(uint64_t tables, uint64_t stack_top, uint64_t entry, uint64_t boot);

/* 32 bytes, aligned to 32: never across the end of a page. */
__asm__(".text\n"
        ".balign 32\n"
        ".globl handover_jump\n"
        "handover_jump:\n"
        "    mov %rcx, %cr3\n"
        "    mov %rdx, %rsp\n"
        "    mov %r9, %rdi\n"
        "    xor %ebp, %ebp\n" /* ends the chain of frame pointers */
        "    jmp *%r8\n"
        ".balign 32\n");

uint64_t handover_page(void)
{
    return (uintptr_t)handover_jump & ~(PAGE_SIZE - 1);
}

_Noreturn void handover(uint64_t tables, uint64_t stack_top, uint64_t entry, uint64_t boot)
{
    __asm__ volatile("pushq $2; popfq" : : : "memory", "cc"); /* no interrupts, DF and AC clear */
    msr_write(MSR_PAT, PAT_POWER_ON); /* what the tables' cache attributes refer to */
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SYSCALL | EFER_NO_EXECUTE);
    cr4_write(cr4_read() & ~CR4_GLOBAL_PAGES); /* forgets the firmware's global pages, too */
    cr0_write(cr0_read() | CR0_WRITE_PROTECT);
    handover_jump(tables, stack_top, entry, boot);
    __builtin_unreachable();
}

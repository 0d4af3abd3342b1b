/* SPDX-License-Identifier: MIT */
/* What the files of arch/ share with each other and with nobody else. */
#ifndef ARCH_INTERNAL_H
#define ARCH_INTERNAL_H

#include "arch.h"
#include "assert.h"
#include "instructions.h"

#define PAGE_SIZE       LIMEN_PAGE_SIZE
#define LARGE_PAGE_SIZE (1ull << LIMEN_LARGE_PAGE_ORDER)
#define ENTRIES         512u /* of a page table at any level */

/* Page-table entries, SDM vol. 3, 4.5. */
#define PTE_PRESENT  0x001ull
#define PTE_WRITE    0x002ull
#define PTE_USER     0x004ull
#define PTE_UNCACHED 0x018ull /* PWT and PCD: entry 3 of the PAT, uncacheable from reset on */
#define PTE_LARGE    0x080ull
#define PTE_GLOBAL   0x100ull
#define PTE_NX       (1ull << 63)
#define PTE_ADDRESS  0x000ffffffffff000ull

#define PTE_KERNEL_DATA (PTE_PRESENT | PTE_WRITE | PTE_GLOBAL | PTE_NX)

#define LINES (VECTOR_LINE_END - VECTOR_LINE)

struct line {
    uint32_t gsi;
    bool attached;
    bool level; /* triggered by level: masked from delivery until the driver is done */
};

struct io_apic {
    volatile uint32_t *registers;
    uint32_t first, pins; /* the global system interrupts first .. first + pins - 1 */
};

/* What is known of the machine: written at boot, and read from then on.  The only exceptions are
 * the lines, which change as drivers come and go, the PCIDs, as address spaces do, and the panic's
 * place on the screen. */
struct machine {
    const struct limen_boot *boot;
    uint64_t *top; /* the loader's level-4 table; its upper half is in every address space */
    uint64_t devices_used; /* bytes of the device window */
    uint16_t *pcids;       /* those that no address space has: the first `pcid_count` */
    uint32_t pcid_count;

    uint64_t tsc_base, tsc_hz;
    uint64_t ns_per_tick;        /* times 2^32 */
    uint64_t apic_ticks_per_tsc; /* times 2^32; 0: the timer takes TSC deadlines */
    uint64_t calibration_ticks;

    volatile uint32_t *apic; /* NULL: in x2APIC mode, reached by MSRs */
    struct io_apic io_apics[LIMEN_BOOT_IO_APICS_MAX];
    struct line lines[LINES];

    void *fpu_initial; /* the FPU's state as a new thread finds it */
    uint64_t xcr0;     /* state components in use; 0: no XSAVE, but FXSAVE */
    bool xsaveopt;
    bool fpu_leaks_pointers;

    volatile uint32_t *screen; /* NULL: none */
    bool screen_taken;         /* by a panic */
    uint32_t column, row;
};

static inline struct machine *this_machine(void)
{
    return this_arch_cpu->machine;
}

/* entry.S */
struct vector {
    uint64_t entry; /* 0: no gate */
    uint32_t ist, dpl;
};
extern const struct vector vector_table[256];
void syscall_entry(void);
extern const char syscall_on_kernel_stack[], exit_on_user_stack[], exit_by_iret[];
extern const char fast_exit_on_user_stack[], fast_exit_end[];
void idle_loop(void);

/* link.ld */
extern const char kernel_text[], kernel_text_end[];

/* descriptors.c */
void descriptors_init(struct arch_cpu *cpu);

/* paging.c */
void paging_init(struct machine *machine);
void pcids_init(struct machine *machine); /* once CR4 is set */
void kernel_map_page(uint64_t address, uint64_t physical, uint64_t flags);
volatile void *device_map(uint64_t physical, size_t size);
bool kernel_mapped(uint64_t address, size_t size);
/* What the tables say of a kernel address: PTE_WRITE if all levels do, PTE_USER and PTE_NX if one
 * does; 0 where nothing is mapped.  PTE_USER takes all levels to let ring 3 in, but none should
 * have it.  Sets the size of what one entry decides. */
uint64_t kernel_rights(uint64_t address, uint64_t *size);

/* stacks.c */
struct stack {
    const char *name;
    uint64_t guard, base, top; /* [guard, base) is never mapped */
    bool ist;                  /* a frame lies under the processor's block at its top */
    uint64_t object;           /* physical address of the thread it belongs to, else 0 */
};
#define IST_TOP_WORDS 16u      /* bytes above an IST stack's top, for the processor's block */
#define CPU_AREA_SIZE 0x40000u /* of a processor's stacks at LIMEN_CPUS_BASE */
#define IST_STRIDE    0x4000u  /* from one instance of an IST stack down to the next */
void stacks_init(struct arch_cpu *cpu);
bool stack_find(uint64_t address, struct stack *stack);
uint64_t ist_pointer(unsigned ist, unsigned instance); /* of the hole, beyond the last */
/* The frame that the IST entry pushed on whose stack `rsp` is, and which entry; NULL on others. */
const struct limen_regs *ist_frame(uint64_t rsp, unsigned *ist);
struct arch_thread *thread_of_stack(uint64_t stack_top);

/* switch.c */
void selectors_open(void);

/* fpu.c */
void fpu_init(struct machine *machine);
void fpu_switch(struct arch_thread *from, const struct arch_thread *to);
bool fpu_first_use(void);

/* machine_check.c */
void machine_check_init(void);
struct limen_regs *machine_check(struct limen_regs *regs);

/* cycles.c */
void cycles_init(void);

/* apic.c */
void apic_init(struct machine *machine);
void apic_end_of_interrupt(void);
void apic_error(void);
void apic_timer_enable(bool deadline);
uint32_t apic_id(void);
void apic_timer_start(uint32_t count);
uint32_t apic_timer_count(void);

/* interrupts.c */
void interrupts_init(struct machine *machine);

/* clock.c */
void clock_init(struct machine *machine);

/* console.c */
void console_init(struct machine *machine);
void console_take_screen(void);

/* symbols.c */
bool is_kernel_text(uint64_t address);
void print_symbol(uint64_t address);

/* backtrace.c */
void backtrace(const struct limen_regs *regs);

/* panic.c */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Called by entry.S only. */
struct limen_regs *arch_exception(struct limen_regs *regs);
void arch_interrupt(unsigned vector);
bool arch_paranoid(struct limen_regs *regs);
struct limen_regs *iret_fault(struct limen_regs *regs);
void arch_check_entry(const struct limen_regs *regs);
void arch_check_exit(const struct limen_regs *regs);

/* test/check/guest/threshold.c, where LIMEN_CHECKS is 1 */
void arch_check_boot(void);
void arch_check_frame(const struct limen_regs *regs);
void arch_check_leaving(const struct limen_regs *regs);

static inline bool from_user(const struct limen_regs *regs)
{
    return (regs->cs & 3) != 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/* Device interrupts: the I/O APICs, the two 8259s that must stay silent, and what becomes of an
 * interrupt that arrives. */
#include "internal.h"

/* I/O APIC: an index and a data register, and behind them two words for each pin. */
#define IO_APIC_DATA        4u /* in 32-bit words from the index */
#define IO_APIC_VERSION     1u
#define IO_APIC_PIN(n)      (0x10u + 2 * (n))
#define IO_APIC_ACTIVE_LOW  0x02000u
#define IO_APIC_LEVEL       0x08000u
#define IO_APIC_MASKED      0x10000u
#define IO_APIC_DESTINATION 24

/* 8259A: command and data ports, and the initialization sequence ICW1 to ICW4. */
#define PIC_MASTER    0x20u
#define PIC_SLAVE     0xa0u
#define PIC_ICW1      0x11u /* edge-triggered, cascaded, ICW4 follows */
#define PIC_CASCADE   2u    /* the slave's line: ICW3, a mask for the master and a number for it */
#define PIC_ICW4_8086 1u
#define PIC_MASK_ALL  0xffu

static uint32_t io_apic_read(const struct io_apic *apic, uint32_t index)
{
    apic->registers[0] = index;
    return apic->registers[IO_APIC_DATA];
}

static void io_apic_write(const struct io_apic *apic, uint32_t index, uint32_t value)
{
    apic->registers[0] = index;
    apic->registers[IO_APIC_DATA] = value;
}

/* The I/O APIC with the given global system interrupt among its pins, or NULL. */
static const struct io_apic *io_apic_of(uint32_t gsi)
{
    const struct machine *machine = this_machine();
    for (unsigned i = 0; i < machine->boot->interrupts.io_apic_count; i++)
        if (gsi - machine->io_apics[i].first < machine->io_apics[i].pins)
            return &machine->io_apics[i];
    return NULL;
}

static void silence_8259s(void)
{
    const uint16_t chips[] = {PIC_MASTER, PIC_SLAVE};
    for (unsigned i = 0; i < 2; i++) {
        port_out8(chips[i], PIC_ICW1);
        port_out8(chips[i] + 1, (uint8_t)(VECTOR_8259 + 8 * i));
        port_out8(chips[i] + 1, i == 0 ? 1u << PIC_CASCADE : PIC_CASCADE);
        port_out8(chips[i] + 1, PIC_ICW4_8086);
        port_out8(chips[i] + 1, PIC_MASK_ALL);
    }
}

void interrupts_init(struct machine *machine)
{
    const struct limen_boot_interrupts *wiring = &machine->boot->interrupts;
    silence_8259s();

    if (wiring->assumed)
        kernel_log("interrupts: a PC's usual wiring is assumed, for the loader found none told\n");
    for (unsigned i = 0; i < wiring->io_apic_count; i++) {
        struct io_apic *apic = &machine->io_apics[i];
        kernel_boot_keep(wiring->io_apics[i].address, PAGE_SIZE);
        apic->registers = device_map(wiring->io_apics[i].address, PAGE_SIZE);
        apic->first = wiring->io_apics[i].first;
        apic->pins = (io_apic_read(apic, IO_APIC_VERSION) >> 16 & 0xff) + 1;
        for (unsigned pin = 0; pin < apic->pins; pin++)
            io_apic_write(apic, IO_APIC_PIN(pin), IO_APIC_MASKED);
    }
    for (unsigned line = 0; line < LINES; line++)
        machine->lines[line].gsi = line < LIMEN_BOOT_ISA_LINES ? wiring->isa[line].gsi : line;

    apic_init(machine);
}

unsigned arch_irq_count(void)
{
    const struct machine *machine = this_machine();
    uint32_t count = LIMEN_BOOT_ISA_LINES;
    for (unsigned i = 0; i < machine->boot->interrupts.io_apic_count; i++)
        if (machine->io_apics[i].first + machine->io_apics[i].pins > count)
            count = machine->io_apics[i].first + machine->io_apics[i].pins;
    return count < LINES ? count : LINES;
}

enum limen_error arch_irq_attach(unsigned line, enum limen_irq_mode mode)
{
    struct machine *machine = this_machine();
    ASSERT(line < LINES && !machine->lines[line].attached);
    uint32_t gsi = machine->lines[line].gsi;
    const struct io_apic *apic = io_apic_of(gsi);
    if (!apic)
        return LIMEN_NOT_FOUND;
    /* An ISA line can be wired to an interrupt that has a number of its own. */
    for (unsigned other = 0; other < LINES; other++)
        if (machine->lines[other].attached && machine->lines[other].gsi == gsi)
            return LIMEN_BUSY;

    bool isa = line < LIMEN_BOOT_ISA_LINES;
    bool level = mode == LIMEN_IRQ_LEVEL_LOW ||
                 (mode == LIMEN_IRQ_DEFAULT && (!isa || machine->boot->interrupts.isa[line].level));
    bool low = mode == LIMEN_IRQ_LEVEL_LOW ||
               (mode == LIMEN_IRQ_DEFAULT && (!isa || machine->boot->interrupts.isa[line].low));
    machine->lines[line].attached = true;
    machine->lines[line].level = level;
    uint32_t pin = IO_APIC_PIN(gsi - apic->first);
    io_apic_write(apic, pin + 1, apic_id() << IO_APIC_DESTINATION);
    io_apic_write(apic, pin,
                  (VECTOR_LINE + line) | (level ? IO_APIC_LEVEL : 0) |
                      (low ? IO_APIC_ACTIVE_LOW : 0) | IO_APIC_MASKED);
    return LIMEN_OK;
}

static void set_masked(unsigned line, bool masked)
{
    uint32_t gsi = this_machine()->lines[line].gsi;
    const struct io_apic *apic = io_apic_of(gsi);
    uint32_t pin = IO_APIC_PIN(gsi - apic->first);
    uint32_t entry = io_apic_read(apic, pin) & ~IO_APIC_MASKED;
    io_apic_write(apic, pin, entry | (masked ? IO_APIC_MASKED : 0));
}

void arch_irq_detach(unsigned line)
{
    ASSERT(line < LINES && this_machine()->lines[line].attached);
    set_masked(line, true);
    this_machine()->lines[line].attached = false;
}

void arch_irq_mask(unsigned line)
{
    ASSERT(line < LINES && this_machine()->lines[line].attached);
    set_masked(line, true);
}

void arch_irq_unmask(unsigned line)
{
    ASSERT(line < LINES && this_machine()->lines[line].attached);
    set_masked(line, false);
}

/*
 * A level-triggered line is masked until its driver is done, or it would interrupt again at once.
 * One triggered by edge stays open: the I/O APIC forgets an edge that comes while the pin is masked
 * (82093AA, 3.2.4), and a driver that had just looked at its device would wait for it for ever
 * (docs/hazards/edge-interrupts.md).
 */
static void line_interrupt(unsigned line)
{
    const struct line *state = &this_machine()->lines[line];
    if (!state->attached) {
        apic_end_of_interrupt();
        kernel_count(LIMEN_COUNTER_SPURIOUS_IRQS);
        return;
    }
    if (state->level)
        set_masked(line, true);
    apic_end_of_interrupt();
    kernel_irq(line);
}

void arch_interrupt(unsigned vector)
{
    if (vector == VECTOR_TIMER) {
        apic_end_of_interrupt();
        kernel_timer();
    } else if (vector >= VECTOR_LINE && vector < VECTOR_LINE_END) {
        line_interrupt(vector - VECTOR_LINE);
    } else if (vector == VECTOR_APIC_ERROR) {
        apic_error();
        apic_end_of_interrupt();
    } else {
        /* Spurious, from the local APIC or a masked 8259: neither wants an end of interrupt. */
        kernel_count(LIMEN_COUNTER_SPURIOUS_IRQS);
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * The console of last resort: the first serial port, polled, and in a panic the screen.
 *
 * It keeps no state but the place on the screen, waits for nothing without a bound, and so works
 * from any context, a double fault included.
 */
#include "internal.h"

/* 16550, register offsets from the port base. */
#define COM1            0x3f8u
#define UART_DATA       0u /* divisor, low byte, while LCR_DIVISOR is set */
#define UART_INTERRUPTS 1u /* divisor, high byte */
#define UART_FIFO       2u
#define UART_LINE       3u
#define UART_MODEM      4u
#define UART_STATUS     5u
#define LINE_8N1        0x03u
#define LINE_DIVISOR    0x80u
#define DIVISOR_115200  1u
#define FIFO_ENABLE     0x07u /* and clear both */
#define MODEM_READY     0x03u /* DTR and RTS */
#define STATUS_EMPTY    0x20u
#define STATUS_ABSENT   0xffu /* an empty bus reads as ones */
#define POLLS_MAX       100000u

/* The font: PSF version 1, from the console-setup package, put into the image by the build. */
extern const uint8_t console_font[];
#define FONT_HEADER     4u /* magic, mode, bytes a glyph: a byte a line */
#define FONT_LINES      3u
#define GLYPH_WIDTH     8u
#define INK             0x00ffffffu /* white and blue in either channel order */
#define PAPER           0x00600060u
#define BYTES_PER_PIXEL 4u

static void serial_put(char c)
{
    for (unsigned polls = 0; polls < POLLS_MAX; polls++) {
        uint8_t status = port_in8(COM1 + UART_STATUS);
        if (status == STATUS_ABSENT)
            return;
        if (status & STATUS_EMPTY)
            break;
    }
    port_out8(COM1 + UART_DATA, (uint8_t)c);
}

static void serial_init(void)
{
    port_out8(COM1 + UART_INTERRUPTS, 0);
    port_out8(COM1 + UART_LINE, LINE_DIVISOR);
    port_out8(COM1 + UART_DATA, DIVISOR_115200);
    port_out8(COM1 + UART_INTERRUPTS, 0);
    port_out8(COM1 + UART_LINE, LINE_8N1);
    port_out8(COM1 + UART_FIFO, FIFO_ENABLE);
    port_out8(COM1 + UART_MODEM, MODEM_READY);
}

void console_init(struct machine *machine)
{
    serial_init();
    const struct limen_boot_framebuffer *screen = &machine->boot->framebuffer;
    if (screen->address)
        machine->screen =
            device_map(screen->address, (size_t)screen->stride * screen->height * BYTES_PER_PIXEL);
}

static void clear_row(struct machine *machine, uint32_t row)
{
    const struct limen_boot_framebuffer *screen = &machine->boot->framebuffer;
    uint32_t lines = console_font[FONT_LINES];
    for (uint32_t y = row * lines; y < (row + 1) * lines && y < screen->height; y++)
        for (uint32_t x = 0; x < screen->width; x++)
            machine->screen[y * screen->stride + x] = PAPER;
}

/* No scrolling, for reading the screen back is very slow: after the last row comes the first, and
 * the row below the text is always empty, so that one sees where it ends. */
static void next_row(struct machine *machine)
{
    uint32_t rows = machine->boot->framebuffer.height / console_font[FONT_LINES];
    machine->column = 0;
    machine->row = machine->row + 1 < rows ? machine->row + 1 : 0;
    clear_row(machine, machine->row);
    clear_row(machine, machine->row + 1 < rows ? machine->row + 1 : 0);
}

static void screen_put(struct machine *machine, char c)
{
    const struct limen_boot_framebuffer *screen = &machine->boot->framebuffer;
    uint32_t lines = console_font[FONT_LINES];
    if (c == '\n') {
        next_row(machine);
        return;
    }
    if ((machine->column + 1) * GLYPH_WIDTH > screen->width)
        next_row(machine);
    const uint8_t *glyph = &console_font[FONT_HEADER + (uint8_t)c * lines];
    volatile uint32_t *corner =
        &machine->screen[machine->row * lines * screen->stride + machine->column * GLYPH_WIDTH];
    for (uint32_t y = 0; y < lines; y++)
        for (uint32_t x = 0; x < GLYPH_WIDTH; x++)
            corner[y * screen->stride + x] = glyph[y] >> (GLYPH_WIDTH - 1 - x) & 1 ? INK : PAPER;
    machine->column++;
}

void console_take_screen(void)
{
    struct machine *machine = this_machine();
    if (!machine || !machine->screen)
        return;
    for (uint32_t row = 0; row * console_font[FONT_LINES] < machine->boot->framebuffer.height;
         row++)
        clear_row(machine, row);
    machine->screen_taken = true;
}

void arch_console_write(const char *text, size_t length)
{
    struct machine *machine = this_machine();
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            serial_put('\r');
        serial_put(text[i]);
        if (machine && machine->screen_taken)
            screen_put(machine, text[i]);
    }
}

uint32_t arch_port_in(uint16_t port, unsigned bytes)
{
    return bytes == 1 ? port_in8(port) : bytes == 2 ? port_in16(port) : port_in32(port);
}

void arch_port_out(uint16_t port, unsigned bytes, uint32_t value)
{
    if (bytes == 1)
        port_out8(port, (uint8_t)value);
    else if (bytes == 2)
        port_out16(port, (uint16_t)value);
    else
        port_out32(port, value);
}

/* SPDX-License-Identifier: MIT */
/* Names for addresses, from the table that the build appends to the image (symbols.py). */
#include "internal.h"

#define CALL_OPCODE 0xe8u /* with a 32-bit displacement */
#define CALL_SIZE   5u

/* Sorted by offset.  The end of a function is the start of the next. */
extern const struct symbol {
    uint32_t offset; /* from kernel_text */
    uint32_t name;   /* from symbol_names */
} symbol_table[], symbol_table_end[];
extern const char symbol_names[];

bool is_kernel_text(uint64_t address)
{
    return address >= (uint64_t)kernel_text && address < (uint64_t)kernel_text_end;
}

/* A call that does not return may be the last instruction of its function.  The address after it is
 * then the next function's, but what it says is that this one made the call. */
static bool follows_call(uint64_t offset)
{
    return offset >= CALL_SIZE && (uint8_t)kernel_text[offset - CALL_SIZE] == CALL_OPCODE;
}

void print_symbol(uint64_t address)
{
    if (!is_kernel_text(address)) {
        print("%lx", address);
        return;
    }
    uint64_t offset = address - (uint64_t)kernel_text;
    uint64_t inside = follows_call(offset) ? offset - 1 : offset;
    size_t count = (size_t)(symbol_table_end - symbol_table);
    size_t low = 1, high = count; /* the first symbol is at kernel_text itself */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (symbol_table[middle].offset <= inside)
            low = middle + 1;
        else
            high = middle;
    }
    const struct symbol *symbol = &symbol_table[low - 1];
    uint64_t end =
        low < count ? symbol_table[low].offset : (uint64_t)(kernel_text_end - kernel_text);
    print("%s+0x%lx/0x%lx", &symbol_names[symbol->name], offset - symbol->offset,
          end - symbol->offset);
}

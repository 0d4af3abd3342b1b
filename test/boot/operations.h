/* SPDX-License-Identifier: MIT */
/*
 * A valid call of every operation there is, on objects made for it: where tests begin that change
 * one thing about it.
 */
#ifndef BOOT_OPERATIONS_H
#define BOOT_OPERATIONS_H

#include "kit.h"

enum object {
    A_MEMORY,
    A_TABLE,
    A_THREAD,
    A_SPACE,
    A_FRAME,
    A_CONTROL, /* of interrupts */
    AN_IRQ,
    A_PORT,
    A_KERNEL,  /* without the right to stop it */
    A_CONTEXT, /* no authority to set budgets */
    OBJECTS,
    /* What operations need besides. */
    MORE_MEMORY = OBJECTS,
    MAPPED_FRAME,
    AN_ENDPOINT,
    A_NOTIFICATION,
    NOTHING,
    /* Copies of all these that have no rights, but for memory, which cannot be copied. */
    WITHOUT_RIGHTS,
    SLOTS = 2 * WITHOUT_RIGHTS,
};

#define HARMLESS_PORT 0x80u /* where firmware shows its progress */
#define LINE          5u    /* an interrupt of no device */
#define ENTRY         2u    /* of A_TABLE, that holds something */
#define AN_ADDRESS    0x10000000ull

/* Stands for the index of a slot. */
#define SLOT_MARK    0x510f000000000000ull
#define SLOT_MASK    0xffff000000000000ull
#define SLOT(object) (SLOT_MARK | (object))

struct operation {
    enum object object;
    uint32_t label;
    enum limen_error answer; /* to these words */
    unsigned arguments;      /* how many of them are looked at */
    uint8_t data;            /* those of which any value is as good as another, as a mask */
    uint64_t words[8];
};
extern const struct operation operations[];
extern const unsigned operation_count;

/* Makes all objects, as the table of operations wants them; and makes them anew. */
void begin_with_objects(void);
void make_objects(void);

/* The slot it is in. */
uint32_t slot_of(enum object object);

/* A word as it is sent: the index where it stands for one. */
uint64_t word_to_send(uint64_t word);

/* What the operation answers; which must be an error that it is declared to have. */
enum limen_error ask(enum object object, uint32_t label, const uint64_t words[8]);

#endif

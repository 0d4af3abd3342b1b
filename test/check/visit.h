/* SPDX-License-Identifier: MIT */
/* What a walk through the kernel's capabilities found, for the checks that compare. */
#ifndef CHECK_VISIT_H
#define CHECK_VISIT_H

#include "cpu.h"
#include "slot.h"

#include <ground.h>

#define VISIT_SLOTS   8192u
#define VISIT_OBJECTS 4096u

struct visited_object {
    enum limen_type type;
    void *object;
    unsigned order; /* in bytes */
    unsigned capabilities;
    struct slot *grave; /* not NULL: the object is dying */
};

struct visit {
    unsigned slot_count;
    unsigned object_count;
    struct slot *slots[VISIT_SLOTS];
    struct visited_object objects[VISIT_OBJECTS];
};
extern struct visit visit;

static inline struct cpu *the_cpu(void)
{
    return this_cpu->arch.self;
}

/* Visits every capability that can be reached, and fails where a link leads to no slot. */
void visit_all(void);

bool visit_has(const struct slot *slot);
struct visited_object *visit_object(const void *object);

/* The two halves of check_all() that check.c does not do itself. */
void check_threads(void);
void check_spaces(void);

#endif

/* SPDX-License-Identifier: MIT */
/* A circular doubly linked list, linked through its members. */
#ifndef KERNEL_LIST_H
#define KERNEL_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert_before(struct list *place, struct list *item)
{
    item->next = place;
    item->prev = place->prev;
    place->prev->next = item;
    place->prev = item;
}

static inline void list_append(struct list *head, struct list *item)
{
    list_insert_before(head, item);
}

static inline void list_prepend(struct list *head, struct list *item)
{
    list_insert_before(head->next, item);
}

/* Takes out the first item; says whether it was the last. */
static inline bool list_drop_first(struct list *head)
{
    struct list *second = head->next->next;

    head->next = second;
    second->prev = head;
    return second == head;
}

static inline void list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
}

#endif

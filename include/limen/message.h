/* SPDX-License-Identifier: MIT */
/*
 * Messages: the tag and the message page.
 *
 * A message is a tag, up to LIMEN_WORDS_MAX words and up to LIMEN_CAPS_MAX capabilities.  The first
 * eight words travel in registers; the others, and the indices of capabilities, through the page
 * that each thread may register (THREAD_SET_MESSAGE_PAGE).  The kernel reaches that page through
 * its own mapping, so it never follows a user pointer and never faults on one.
 */
#ifndef LIMEN_MESSAGE_H
#define LIMEN_MESSAGE_H

#include <stdint.h>

#define LIMEN_WORDS_IN_REGISTERS 8u
#define LIMEN_WORDS_MAX          64u
#define LIMEN_CAPS_MAX           4u

/* Tag: bits 6:0 words, 10:8 capabilities, 63:32 label.  Bit 11 is the kernel's: a wait on an
 * endpoint was ended by the bound notification, whose bits stand where the badge would.  A sender
 * cannot set it or the bits between. */
#define LIMEN_TAG_NOTIFICATION (1ull << 11)
#define LIMEN_TAG_SENDER_MASK  0xffffffff0000077full
#define LIMEN_TAG_WORDS_MASK   0x7full
#define LIMEN_TAG_CAPS_SHIFT   8
#define LIMEN_TAG_CAPS_MASK    0x7ull
#define LIMEN_TAG_LABEL_SHIFT  32

static inline uint64_t limen_tag(uint32_t label, unsigned words, unsigned caps)
{
    return (uint64_t)label << LIMEN_TAG_LABEL_SHIFT | (uint64_t)caps << LIMEN_TAG_CAPS_SHIFT |
           words;
}

static inline uint32_t limen_tag_label(uint64_t tag)
{
    return (uint32_t)(tag >> LIMEN_TAG_LABEL_SHIFT);
}

static inline unsigned limen_tag_words(uint64_t tag)
{
    return (unsigned)(tag & LIMEN_TAG_WORDS_MASK);
}

static inline unsigned limen_tag_caps(uint64_t tag)
{
    return (unsigned)(tag >> LIMEN_TAG_CAPS_SHIFT & LIMEN_TAG_CAPS_MASK);
}

/*
 * The start of the message page, 4 KiB, mapped readable and writable by its thread.
 *
 * words[0..7] are not read or written by the kernel: those words are in registers.  A receiver that
 * wants capabilities sets receive_first to the first of receive_count empty slots of its own table;
 * copies of the sent capabilities land there in order, and the received tag says how many did.
 */
struct limen_message_page {
    uint64_t words[LIMEN_WORDS_MAX];
    uint32_t send_caps[LIMEN_CAPS_MAX];
    uint32_t receive_first;
    uint32_t receive_count;
};

#endif

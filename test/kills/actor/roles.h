/* SPDX-License-Identifier: MIT */
/* What this program does under each of its names in the manifest. */
#ifndef KILLS_ROLES_H
#define KILLS_ROLES_H

#include <limen.h>

/* Counts, as far as the ledger and the ticker are concerned, are word 0; the others add one to
 * each word. */
#define LONG_MESSAGE LIMEN_WORDS_MAX

/* Numbers that look random, from 0 to below the limit. */
uint64_t random_below(uint64_t *seed, uint64_t limit);

/* Sends so many words, the first of them given and the next ones following it, to who adds one to
 * each, until a life of his has answered; panics if the answer is wrong. */
void ask_for_echo(const char *service, uint64_t first, unsigned words);

/* -- victims.c -- */

void echo(void);
void ledger(void);
void passive(void);
void ticker(void);
void relay(void);
void caller(void);

/* -- load.c -- */

void scribe(void);
void asker(void);
void bookkeeper(void);
void spender(void);

/* -- reaper.c -- */

void reaper(void);

#endif

/* SPDX-License-Identifier: MIT */
/* What this program does under each of its names in the manifest, and by each value of mischief=.
 */
#ifndef MISCHIEF_ROLES_H
#define MISCHIEF_ROLES_H

#define SHELL_PRIORITY 100

/* Waits for ever. */
_Noreturn void idle(void);

void null_pointer(void);

/* Lets the shell have its turns. */
void lower_priority(void);

/* -- hostile.c -- */

void victim(void);
void never_replies(void);
void replies_twice(void);
void drops_reply(void);
void drops_all(void);
void floods_endpoint(void);
void maps_everything(void);
void exhausts_memory(void);
void calls_itself(void);
void dies_of_request(void);
void gives_service_away(void);

#endif

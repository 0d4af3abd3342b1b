/* SPDX-License-Identifier: MIT */
/* What this program does under each of its names in the manifest. */
#ifndef MISCHIEF_ROLES_H
#define MISCHIEF_ROLES_H

/* Waits for ever. */
_Noreturn void idle(void);

void reaper(void);
void scribe(void);

#endif

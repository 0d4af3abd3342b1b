/* SPDX-License-Identifier: MIT */
/* Errors that come of what another thread does half-way through a long operation. */
#ifndef BOOT_ERRORS_MIDWAY_H
#define BOOT_ERRORS_MIDWAY_H

void provoke_retype_of_what_is_deleted(void);
void provoke_map_in_what_is_emptied(void);
void provoke_loss_of_the_table(void);

#endif

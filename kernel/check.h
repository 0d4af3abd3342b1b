/* SPDX-License-Identifier: MIT */
/*
 * What must be true of the kernel's data whenever no step of an operation is under way, in a unit
 * test on the host and in the guest, whose kernel with checks has this linked in.
 *
 * Starting from init's table and the list of the dying, every capability slot that can be reached
 * is visited, wherever it is; then links, counts, queues and lists are compared with what was seen.
 * A violation fails the unit test that is running, or is the
 * guest's panic.
 */
#ifndef KERNEL_CHECK_H
#define KERNEL_CHECK_H

void check_all(void);

/* How many capabilities, and how many objects, the last check_all() saw. */
unsigned check_seen(void);
unsigned check_objects(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What must be true of the kernel's data whenever no step of an operation is under way.
 *
 * Starting from init's table and the list of the dying, every capability slot that can be reached
 * is visited, wherever it is; then links, counts, queues and lists are compared with what was seen.
 * A violation fails the test that is running.
 */
#ifndef HOST_CHECK_H
#define HOST_CHECK_H

void check_all(void);

/* How many capabilities the last check_all() saw. */
unsigned check_seen(void);

#endif

#ifndef CPROCESS_DEADLINE_H
#define CPROCESS_DEADLINE_H

/* The deadline of the request in hand: the signal handler of a timer answers if the program is blocked. It writes an
 * answer encoded in advance, and ends the process with CPROCESS_EXIT_DEADLINE. One for a process of one thread. */

#include <stddef.h>
#include <stdint.h>

enum { CPROCESS_EXIT_DEADLINE = 75, CPROCESS_DEADLINE_COUNTERS = 8 };

/* Installs the handler, and makes the timer. Returns 0. */
int cprocess_deadline_init(void);

/* What is added to a word of a page when a deadline passes. Up to CPROCESS_DEADLINE_COUNTERS; more are ignored. */
void cprocess_deadline_count(uint64_t *page, int word, uint64_t amount);

/* From here on, once the monotonic clock shows `nanoseconds`, the handler sends `answer` to `connection`. The bytes stay
 * where they are, as they are, until disarmed. A timer of an earlier request that fires at most `margin` nanoseconds
 * before is left to run and set anew by the handler, so that most requests need no call, and system calls are
 * interrupted only in those that take long. */
void cprocess_deadline_arm(int connection, int64_t nanoseconds, int64_t margin, const uint8_t *answer, size_t length);

void cprocess_deadline_disarm(void);

#endif

#ifndef CPROCESS_HANDOFF_H
#define CPROCESS_HANDOFF_H

/* Connections that wait behind the request in hand: if it lasts, a timer's signal handler sends them to a socket where
 * another process finds them (cprocess_send_descriptor). One for a process of one thread. */

#include <stddef.h>
#include <stdint.h>

typedef struct {
  int64_t message; /* goes with the descriptor */
  int descriptor;
} cprocess_handoff;

enum { CPROCESS_HANDOFFS = 64 };

/* Installs the handler, and makes the timer. Returns 0. */
int cprocess_handoff_init(void);

/* From here on, once the monotonic clock shows `due` nanoseconds, the handler sends `list`, at most CPROCESS_HANDOFFS
 * of them, to `socket`. A timer of an earlier request that fires before is left to run and set anew by the handler, so
 * that most requests need no call. */
void cprocess_handoff_arm(int socket, const cprocess_handoff *list, size_t count, int64_t due);

/* How many were sent, the first ones of the list; the caller closes its own descriptors of them. */
size_t cprocess_handoff_disarm(void);

#endif

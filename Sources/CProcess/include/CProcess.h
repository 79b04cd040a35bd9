#ifndef CPROCESS_H
#define CPROCESS_H

/* What Swift cannot say by itself: calls that glibc declares for _GNU_SOURCE only, the CMSG macros, the wait status.
 * Each function returns a negative errno on failure. None allocates. */

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "CProcessScoreboard.h"
#include "CProcessDeadline.h"
#include "CProcessHandoff.h"

/* accept4(2) with SOCK_CLOEXEC | SOCK_NONBLOCK. */
int cprocess_accept(int listener);

/* memfd_create(2), close-on-exec. */
int cprocess_memory_file(const char *name);

/* Sends a message with one descriptor in it (SCM_RIGHTS), without blocking. Returns 0. */
int cprocess_send_descriptor(int socket, const void *message, size_t length, int descriptor);

/* Receives one message, without blocking: its length, or 0 at the end. *descriptor is -1 if none came with it; what
 * came is close-on-exec. */
int cprocess_receive_descriptor(int socket, void *message, size_t capacity, int *descriptor);

/* Marks every descriptor from `first` on as close-on-exec (close_range(2)). Returns 0. */
int cprocess_close_on_exec_from(int first);

/* The process that listens behind a connected unix socket (SO_PEERCRED). */
int cprocess_peer_process(int socket);

enum { CPROCESS_EXITED = 1, CPROCESS_SIGNALLED = 2, CPROCESS_STOPPED = 3 };

typedef struct {
  int process; /* 0: nothing to report */
  int what;    /* CPROCESS_… */
  int status;  /* the exit code, or the signal's number */
} cprocess_change;

/* The next child that ended (reaped by this call) or was stopped, without waiting. No child at all is "nothing". */
int cprocess_next_change(cprocess_change *change);

#endif

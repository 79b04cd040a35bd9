#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

/* Written only while not armed, but for the timer's state and what the handler has sent. */
static timer_t timer;
static int to;
static cprocess_handoff waiting[CPROCESS_HANDOFFS];
static size_t count;
static int64_t due;
static atomic_size_t sent;
static atomic_int is_armed;
static atomic_int is_running;

static void run_until(int64_t moment) {
  struct itimerspec when = {.it_value = {.tv_sec = moment / 1000000000, .tv_nsec = moment % 1000000000}};
  if (timer_settime(timer, TIMER_ABSTIME, &when, NULL) == 0) atomic_store(&is_running, 1);
}

/* Async-signal-safe throughout: signal-safety(7). */
static void handle(int signal) {
  (void)signal;
  int code = errno;
  atomic_store(&is_running, 0);
  if (atomic_load(&is_armed) && atomic_load(&sent) < count) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    if ((int64_t)time.tv_sec * 1000000000 + time.tv_nsec < due) {
      run_until(due);
    } else {
      for (size_t i = atomic_load(&sent); i < count; i++) {
        if (cprocess_send_descriptor(to, &waiting[i].message, sizeof waiting[i].message, waiting[i].descriptor) < 0) break;
        atomic_store(&sent, i + 1);
      }
    }
  }
  errno = code;
}

int cprocess_handoff_init(void) {
  struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask);
  if (sigaction(SIGRTMIN + 1, &action, NULL) < 0) return -errno;
  sigset_t unblocked;
  sigemptyset(&unblocked);
  sigaddset(&unblocked, SIGRTMIN + 1);
  if (sigprocmask(SIG_UNBLOCK, &unblocked, NULL) < 0) return -errno;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
  return timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ? -errno : 0;
}

void cprocess_handoff_arm(int socket, const cprocess_handoff *list, size_t length, int64_t nanoseconds) {
  to = socket;
  count = length < CPROCESS_HANDOFFS ? length : CPROCESS_HANDOFFS;
  memcpy(waiting, list, count * sizeof *list);
  due = nanoseconds;
  atomic_store(&sent, 0);
  atomic_store(&is_armed, 1);
  if (!atomic_load(&is_running)) run_until(nanoseconds);
}

size_t cprocess_handoff_disarm(void) {
  atomic_store(&is_armed, 0);
  return atomic_load(&sent);
}

#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Written only while not armed, but for the timer's state. */
static timer_t timer;
static int connection;
static int64_t due;
static const uint8_t *answer;
static size_t length;
static struct {
  _Atomic uint64_t *word;
  uint64_t amount;
} counters[CPROCESS_DEADLINE_COUNTERS];
static int counter_count;
static atomic_int is_armed;
/* When the timer fires; 0 while it does not run. */
static _Atomic int64_t expiry;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void run_until(int64_t moment) {
  struct itimerspec when = {.it_value = {.tv_sec = moment / 1000000000, .tv_nsec = moment % 1000000000}};
  if (timer_settime(timer, TIMER_ABSTIME, &when, NULL) == 0) atomic_store(&expiry, moment);
}

/* For a web server that does not read the answer. */
enum { WRITE_TIMEOUT_MILLISECONDS = 1000 };

static void send_answer(void) {
  int64_t end = now() + (int64_t)WRITE_TIMEOUT_MILLISECONDS * 1000000;
  while (length > 0) {
    ssize_t sent = send(connection, answer, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      answer += sent;
      length -= (size_t)sent;
    } else if (errno == EAGAIN && now() < end) {
      struct pollfd room = {.fd = connection, .events = POLLOUT};
      poll(&room, 1, 10);
    } else if (errno != EINTR) {
      break;
    }
  }
  shutdown(connection, SHUT_WR);
}

/* Async-signal-safe throughout: signal-safety(7). */
static void handle(int signal) {
  (void)signal;
  int code = errno;
  atomic_store(&expiry, 0);
  if (atomic_load(&is_armed)) {
    if (now() >= due) {
      send_answer();
      for (int index = 0; index < counter_count; index++)
        atomic_fetch_add(counters[index].word, counters[index].amount);
      _exit(CPROCESS_EXIT_DEADLINE);
    }
    run_until(due);
  }
  errno = code;
}

void cprocess_deadline_count(uint64_t *page, int word, uint64_t amount) {
  if (counter_count >= CPROCESS_DEADLINE_COUNTERS) return;
  counters[counter_count].word = (_Atomic uint64_t *)page + (word & (CPROCESS_PAGE_WORDS - 1));
  counters[counter_count++].amount = amount;
}

int cprocess_deadline_init(void) {
  counter_count = 0;
  struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask);
  if (sigaction(SIGRTMIN, &action, NULL) < 0) return -errno;
  sigset_t unblocked;
  sigemptyset(&unblocked);
  sigaddset(&unblocked, SIGRTMIN);
  if (sigprocmask(SIG_UNBLOCK, &unblocked, NULL) < 0) return -errno;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  return timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ? -errno : 0;
}

void cprocess_deadline_arm(int descriptor, int64_t nanoseconds, int64_t margin, const uint8_t *bytes, size_t count) {
  connection = descriptor;
  due = nanoseconds;
  answer = bytes;
  length = count;
  atomic_store(&is_armed, 1);
  if (atomic_load(&expiry) < nanoseconds - margin) run_until(nanoseconds);
}

void cprocess_deadline_disarm(void) { atomic_store(&is_armed, 0); }

/*
 * What a FastCGI application is without FastCGIServer: workers forked in advance, each in the loop of libfcgi's manual.
 * The tests of Tests/Pool run it to show that they can fail.
 *
 *   NaivePool SOCKET WORKERS MAXIMUM_REQUESTS
 *
 * HUP: every worker ends after its request, and is replaced. TERM: all end. A worker also ends after so many requests,
 * unless that is 0.
 */
#include <fcgiapp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_worker_signal(int number) {
  (void)number;
  FCGX_ShutdownPending();
}

static void serve(int listener, long maximum) {
  FCGX_Request request;
  char body[65536];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct sigaction action = {.sa_handler = on_worker_signal};
  sigaction(SIGTERM, &action, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  FCGX_Init();
  FCGX_InitRequest(&request, listener, 0);
  for (long served = 0; (maximum == 0 || served < maximum) && FCGX_Accept_r(&request) == 0; served++) {
    long length = 0;
    for (int count; (count = FCGX_GetStr(body, sizeof body, request.in)) > 0;) length += count;
    FCGX_FPrintF(request.out, "Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"version\":0}");
    FCGX_Finish_r(&request);
  }
}

static void replace_missing(pid_t *workers, int number, int listener, long maximum) {
  for (int i = 0; i < number; i++) {
    if (workers[i] > 0 || (workers[i] = fork()) != 0) continue;
    serve(listener, maximum);
    _exit(0);
  }
}

static void signal_all(const pid_t *workers, int number, int what) {
  for (int i = 0; i < number; i++) {
    if (workers[i] > 0) kill(workers[i], what);
  }
}

static void reap(pid_t *workers, int number) {
  for (pid_t ended; (ended = waitpid(-1, NULL, WNOHANG)) > 0;) {
    for (int i = 0; i < number; i++) {
      if (workers[i] == ended) workers[i] = 0;
    }
  }
}

int main(int count, char **arguments) {
  pid_t workers[64] = {0};
  if (count != 4) return 64;
  int number = atoi(arguments[2]);
  int listener = FCGX_OpenSocket(arguments[1], 511);
  if (listener < 0 || number < 1 || number > 64) return 1;
  chmod(arguments[1], 0666);
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGHUP);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGCHLD);
  sigprocmask(SIG_BLOCK, &awaited, NULL);
  for (int received = 0; received != SIGTERM; received = sigwaitinfo(&awaited, NULL)) {
    if (received == SIGHUP) signal_all(workers, number, SIGTERM);
    reap(workers, number);
    replace_missing(workers, number, listener, atol(arguments[3]));
  }
  signal_all(workers, number, SIGKILL);
  while (wait(NULL) > 0) {}
  unlink(arguments[1]);
  return 0;
}

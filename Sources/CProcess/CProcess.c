#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

int cprocess_accept(int listener) {
  int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  return descriptor < 0 ? -errno : descriptor;
}

int cprocess_memory_file(const char *name) {
  int descriptor = memfd_create(name, MFD_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

typedef union {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
} one_descriptor;

int cprocess_send_descriptor(int socket, const void *message, size_t length, int descriptor) {
  struct iovec part = {.iov_base = (void *)message, .iov_len = length};
  one_descriptor control;
  memset(&control, 0, sizeof control);
  struct msghdr whole = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&whole);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  return sendmsg(socket, &whole, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int cprocess_receive_descriptor(int socket, void *message, size_t capacity, int *descriptor) {
  struct iovec part = {.iov_base = message, .iov_len = capacity};
  one_descriptor control;
  struct msghdr whole = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  *descriptor = -1;
  ssize_t length = recvmsg(socket, &whole, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length < 0) return -errno;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&whole); header; header = CMSG_NXTHDR(&whole, header))
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
      memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
  return (int)length;
}

int cprocess_close_on_exec_from(int first) {
  return close_range((unsigned)first, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

int cprocess_peer_process(int socket) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ? -errno : (int)peer.pid;
}

int cprocess_next_change(cprocess_change *change) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  memset(change, 0, sizeof *change);
  if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG) < 0) return errno == ECHILD ? 0 : -errno;
  if (info.si_pid == 0) return 0;
  change->process = info.si_pid;
  change->status = info.si_status;
  switch (info.si_code) {
  case CLD_EXITED: change->what = CPROCESS_EXITED; break;
  case CLD_KILLED:
  case CLD_DUMPED: change->what = CPROCESS_SIGNALLED; break;
  default: change->what = CPROCESS_STOPPED; break;
  }
  return 0;
}

#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The answer of sock_diag(7) about one unix socket. */
static int read_answer(const char *answer, ssize_t length, uint32_t *limit) {
  const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
  if (length < (ssize_t)sizeof *header || header->nlmsg_len > (size_t)length) return -EPROTO;
  if (header->nlmsg_type == NLMSG_ERROR) {
    const struct nlmsgerr *error = NLMSG_DATA(header);
    return header->nlmsg_len >= NLMSG_LENGTH(sizeof *error) && error->error < 0 ? error->error : -EPROTO;
  }
  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || header->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
    return -EPROTO;
  const char *position = (const char *)NLMSG_DATA(header) + NLMSG_ALIGN(sizeof(struct unix_diag_msg));
  const char *end = answer + header->nlmsg_len;
  while (end - position >= (ssize_t)sizeof(struct nlattr)) {
    const struct nlattr *attribute = (const struct nlattr *)position;
    if (attribute->nla_len < sizeof *attribute || attribute->nla_len > end - position) return -EPROTO;
    if (attribute->nla_type == UNIX_DIAG_RQLEN && attribute->nla_len >= NLA_HDRLEN + sizeof(struct unix_diag_rqlen)) {
      struct unix_diag_rqlen queue;
      memcpy(&queue, position + NLA_HDRLEN, sizeof queue);
      *limit = queue.udiag_wqueue;
      return queue.udiag_rqueue > 0x7fffffff ? 0x7fffffff : (int)queue.udiag_rqueue;
    }
    position += NLA_ALIGN(attribute->nla_len);
  }
  return -ENODATA;
}

static int unix_queue(int socket_descriptor, uint32_t *limit) {
  struct stat identity;
  if (fstat(socket_descriptor, &identity) < 0) return -errno;
  int netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return -errno;
  struct {
    struct nlmsghdr header;
    struct unix_diag_req request;
  } question;
  memset(&question, 0, sizeof question);
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  question.request.sdiag_family = AF_UNIX;
  question.request.udiag_states = ~0U;
  question.request.udiag_ino = (uint32_t)identity.st_ino;
  question.request.udiag_show = UDIAG_SHOW_RQLEN;
  question.request.udiag_cookie[0] = question.request.udiag_cookie[1] = ~0U;
  _Alignas(struct nlmsghdr) char answer[1024];
  int result;
  /* The kernel answers within the call of send: there is nothing to wait for. */
  if (send(netlink, &question, sizeof question, MSG_DONTWAIT) < 0) {
    result = -errno;
  } else {
    ssize_t length = recv(netlink, answer, sizeof answer, MSG_DONTWAIT);
    result = length < 0 ? -errno : read_answer(answer, length, limit);
  }
  close(netlink);
  return result;
}

int cprocess_listen_queue(int socket_descriptor, uint32_t *limit) {
  int family = 0;
  socklen_t size = sizeof family;
  *limit = 0;
  if (getsockopt(socket_descriptor, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0) return -errno;
  if (family == AF_UNIX) return unix_queue(socket_descriptor, limit);
  struct tcp_info info;
  size = sizeof info;
  memset(&info, 0, sizeof info);
  /* For a listening socket these two are the queue and its limit. */
  if (getsockopt(socket_descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return -errno;
  *limit = info.tcpi_sacked;
  return info.tcpi_unacked > 0x7fffffff ? 0x7fffffff : (int)info.tcpi_unacked;
}

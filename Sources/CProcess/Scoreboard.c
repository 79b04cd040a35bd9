#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

typedef _Atomic uint64_t word;

/* An index outside of the page must not reach another page. */
static word *at(uint64_t *page, int index) { return (word *)page + (index & (CPROCESS_PAGE_WORDS - 1)); }
static const word *from(const uint64_t *page, int index) {
  return (const word *)page + (index & (CPROCESS_PAGE_WORDS - 1));
}

int cprocess_scoreboard_file(const char *name, size_t bytes) {
  int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return -errno;
  if (ftruncate(descriptor, (off_t)bytes) < 0 ||
      fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
    int code = errno;
    close(descriptor);
    return -code;
  }
  return descriptor;
}

void cprocess_page_begin(uint64_t *page) {
  word *sequence = at(page, 0);
  uint64_t value = atomic_load_explicit(sequence, memory_order_relaxed);
  /* Odd already: an earlier writer ended in the middle of a write. */
  atomic_store_explicit(sequence, value + 1 + (value & 1), memory_order_relaxed);
  atomic_thread_fence(memory_order_release);
}

void cprocess_page_end(uint64_t *page) {
  word *sequence = at(page, 0);
  uint64_t value = atomic_load_explicit(sequence, memory_order_relaxed);
  atomic_store_explicit(sequence, value + (value & 1), memory_order_release);
}

void cprocess_page_set(uint64_t *page, int index, uint64_t value) {
  atomic_store_explicit(at(page, index), value, memory_order_relaxed);
}

void cprocess_page_add(uint64_t *page, int index, uint64_t value) {
  /* One writer: no other can come between. */
  word *target = at(page, index);
  atomic_store_explicit(target, atomic_load_explicit(target, memory_order_relaxed) + value, memory_order_relaxed);
}

uint64_t cprocess_page_get(const uint64_t *page, int index) {
  return atomic_load_explicit(from(page, index), memory_order_acquire);
}

int cprocess_page_read(const uint64_t *page, uint64_t *words) {
  words[0] = 0;
  for (int attempt = 0; attempt < 100; attempt++) {
    uint64_t before = atomic_load_explicit(from(page, 0), memory_order_acquire);
    for (int index = 1; index < CPROCESS_PAGE_WORDS; index++)
      words[index] = atomic_load_explicit(from(page, index), memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    uint64_t after = atomic_load_explicit(from(page, 0), memory_order_relaxed);
    if (before == after && (before & 1) == 0) return 1;
  }
  return 0;
}

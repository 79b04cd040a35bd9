#ifndef CPROCESS_SCOREBOARD_H
#define CPROCESS_SCOREBOARD_H

/* Memory that processes share: pages of words that one process writes and others read, without locks, and whatever the
 * writer does. Word 0 of a page is its sequence: odd during a write. Nothing here allocates or blocks. */

#include <stddef.h>
#include <stdint.h>

enum { CPROCESS_PAGE_WORDS = 512 };

/* A file in memory, close-on-exec, of that many bytes for ever: no process that has it can cut it. */
int cprocess_scoreboard_file(const char *name, size_t bytes);

/* The writer's: what is between begin and end is seen as a whole. */
void cprocess_page_begin(uint64_t *page);
void cprocess_page_end(uint64_t *page);
void cprocess_page_set(uint64_t *page, int word, uint64_t value);
void cprocess_page_add(uint64_t *page, int word, uint64_t value);

/* One word, at any time. */
uint64_t cprocess_page_get(const uint64_t *page, int word);

/* Copies all words but the sequence, which is 0 in the copy. Returns 1; 0 if the writer wrote all the time, or ended
 * in the middle of a write: then the words are right one by one, but may be of different moments. */
int cprocess_page_read(const uint64_t *page, uint64_t *words);

/* The connections that wait on a listening socket and how many may, in *limit. */
int cprocess_listen_queue(int socket, uint32_t *limit);

#endif

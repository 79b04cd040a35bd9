#pragma once
#include <stddef.h>

// Files of the sources, as they were when this was built.
struct cdocument {
  const unsigned char *bytes;
  size_t count;
};

extern const struct cdocument cdocuments_openapi;
extern const struct cdocument cdocuments_client;

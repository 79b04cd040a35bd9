#include "CDocuments.h"

// SwiftPM's .embedInCode would write an array literal, over which the Swift compiler sits for half a minute at each build
// of the target that holds it; C copies the bytes.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char openapi[] = {
#embed "../CartAPI/Description/openapi.json"
};

static const unsigned char client[] = {
#embed "../CartAPI/Client/cart.js"
};

const struct cdocument cdocuments_openapi = {openapi, sizeof openapi};
const struct cdocument cdocuments_client = {client, sizeof client};

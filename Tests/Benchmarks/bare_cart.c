/*
 * The least that a cart behind FastCGI could be, to measure cartd against: libfcgi, hiredis and jansson, no checks.
 *
 * A cart is two hashes: `bare:lines:USER`, SKU → what does not change of the line, as JSON; `bare:quantities:USER`,
 * SKU → its quantity. GET reads both; POST adds `quantity` of `sku`, as the body says, and reads both. Either is one
 * round trip to Redis, and no add is lost. The answer is the whole cart.
 *
 * Serves the listening socket on descriptor 0, one request at a time. BARE_REDIS is the path of Redis' socket; with
 * BARE_CONNECT in the environment, Redis is connected to anew for each request.
 */
#include <fcgiapp.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static redisContext *connect_to_redis(void) {
  redisContext *redis = redisConnectUnix(getenv("BARE_REDIS"));
  if (redis == NULL || redis->err) exit(1);
  return redis;
}

static redisReply *next_reply(redisContext *redis) {
  redisReply *reply = NULL;
  if (redisGetReply(redis, (void **)&reply) != REDIS_OK || reply->type == REDIS_REPLY_ERROR) exit(1);
  return reply;
}

static void append_addition(redisContext *redis, FCGX_Request *request, const char *user) {
  char bytes[4096];
  int length = FCGX_GetStr(bytes, sizeof bytes, request->in);
  json_t *body = json_loadb(bytes, length, 0, NULL);
  redisAppendCommand(redis, "HINCRBY bare:quantities:%s %s %lld", user, json_string_value(json_object_get(body, "sku")),
                     (long long)json_integer_value(json_object_get(body, "quantity")));
  json_decref(body);
}

static json_t *cart_of(const redisReply *quantities, const redisReply *lines) {
  json_t *amounts = json_object(), *array = json_array();
  json_int_t pieces = 0, total = 0;
  for (size_t i = 0; i + 1 < quantities->elements; i += 2)
    json_object_set_new(amounts, quantities->element[i]->str, json_integer(atoll(quantities->element[i + 1]->str)));
  for (size_t i = 0; i < lines->elements; i++) {
    json_t *line = json_loadb(lines->element[i]->str, lines->element[i]->len, 0, NULL);
    json_t *amount = json_object_get(amounts, json_string_value(json_object_get(line, "sku")));
    json_int_t quantity = json_integer_value(amount);
    json_int_t price = quantity * json_integer_value(json_object_get(line, "unitPrice"));
    json_object_set(line, "quantity", amount);
    json_object_set_new(line, "lineTotal", json_integer(price));
    json_array_append_new(array, line);
    pieces += quantity;
    total += price;
  }
  json_decref(amounts);
  json_t *cart = json_object();
  json_object_set_new(cart, "currency", json_string("GBP"));
  json_object_set_new(cart, "lines", array);
  json_object_set_new(cart, "quantity", json_integer(pieces));
  json_object_set_new(cart, "total", json_integer(total));
  return cart;
}

static void answer(FCGX_Request *request, json_t *cart) {
  char *body = json_dumps(cart, JSON_COMPACT);
  int length = (int)strlen(body);
  FCGX_FPrintF(request->out, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", length);
  FCGX_PutStr(body, length, request->out);
  free(body);
}

int main(void) {
  int connects = getenv("BARE_CONNECT") != NULL;
  redisContext *redis = connects ? NULL : connect_to_redis();
  FCGX_Request request;
  FCGX_Init();
  FCGX_InitRequest(&request, 0, 0);
  while (FCGX_Accept_r(&request) == 0) {
    if (connects) redis = connect_to_redis();
    const char *user = FCGX_GetParam("CART_USER", request.envp);
    int adds = strcmp(FCGX_GetParam("REQUEST_METHOD", request.envp), "POST") == 0;
    if (adds) append_addition(redis, &request, user);
    redisAppendCommand(redis, "HGETALL bare:quantities:%s", user);
    redisAppendCommand(redis, "HVALS bare:lines:%s", user);
    if (adds) freeReplyObject(next_reply(redis));
    redisReply *quantities = next_reply(redis), *lines = next_reply(redis);
    json_t *cart = cart_of(quantities, lines);
    freeReplyObject(quantities);
    freeReplyObject(lines);
    if (connects) redisFree(redis);
    answer(&request, cart);
    json_decref(cart);
    FCGX_Finish_r(&request);
  }
  return 0;
}

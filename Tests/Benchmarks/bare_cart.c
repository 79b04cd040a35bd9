/*
 * The least that a cart behind FastCGI could be, to measure cartd against: libfcgi and hiredis, no checks.
 *
 * GET answers one HGETALL, POST one HINCRBY and one HGETALL, the fields as a JSON object. The hash is `bare:cart`; the
 * SKU of a POST is what stands behind "sku":" in its body.
 *
 *   BARE_REDIS=/path/redis.sock spawn-fcgi -F 4 -s bare.sock ./bare_cart
 *
 * With BARE_PIPELINE=1 a POST sends its two commands at once.
 */
#include <fcgiapp.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static redisReply *increment_and_read(redisContext *redis, const char *sku, int pipeline) {
  redisReply *reply = NULL;
  if (!pipeline) {
    freeReplyObject(redisCommand(redis, "HINCRBY bare:cart %s 1", sku));
    return redisCommand(redis, "HGETALL bare:cart");
  }
  redisAppendCommand(redis, "HINCRBY bare:cart %s 1", sku);
  redisAppendCommand(redis, "HGETALL bare:cart");
  redisGetReply(redis, (void **)&reply);
  freeReplyObject(reply);
  redisGetReply(redis, (void **)&reply);
  return reply;
}

static void print(FCGX_Request *request, const redisReply *fields) {
  char body[4096];
  int length = 0;
  body[length++] = '{';
  for (size_t i = 0; i + 1 < fields->elements; i += 2) {
    length += snprintf(body + length, sizeof body - length, "%s\"%s\":%s", i ? "," : "", fields->element[i]->str,
                       fields->element[i + 1]->str);
  }
  body[length++] = '}';
  FCGX_FPrintF(request->out, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", length);
  FCGX_PutStr(body, length, request->out);
}

int main(void) {
  const char *path = getenv("BARE_REDIS");
  int pipeline = getenv("BARE_PIPELINE") != NULL;
  redisContext *redis = redisConnectUnix(path ? path : "redis.sock");
  if (redis == NULL || redis->err) return 1;
  FCGX_Request request;
  FCGX_Init();
  FCGX_InitRequest(&request, 0, 0);
  while (FCGX_Accept_r(&request) == 0) {
    redisReply *fields;
    const char *method = FCGX_GetParam("REQUEST_METHOD", request.envp);
    if (method && strcmp(method, "POST") == 0) {
      char body[1024];
      int length = FCGX_GetStr(body, sizeof body - 1, request.in);
      body[length] = 0;
      char *sku = strstr(body, "\"sku\":\"");
      sku = sku ? sku + 7 : body;
      sku[strcspn(sku, "\"")] = 0;
      fields = increment_and_read(redis, sku, pipeline);
    } else {
      fields = redisCommand(redis, "HGETALL bare:cart");
    }
    if (fields == NULL) return 1;
    print(&request, fields);
    freeReplyObject(fields);
    FCGX_Finish_r(&request);
  }
  return 0;
}

/* The verb `compilers`: its answer follows what is put and taken away, and asking again does not walk the store. */
#include "verbs.h"

#include "../tests/kit/test.h"

#include <stdio.h>
#include <string.h>

struct desk {
  struct cache *cache;
  struct blobs blobs;
  struct compilers compilers;
  char said[200]; // the counters of the last answer
};

static void keep(void *context, const struct wire_cache_reply *reply) {
  struct desk *desk = context;
  size_t at = 0;
  desk->said[0] = 0;
  CHECK_MESSAGE(reply->status == FARM_OK, "%s", reply->message);
  for (uint32_t i = 0; i < reply->counters_count && at < sizeof desk->said; i++)
    at += (size_t)snprintf(desk->said + at, sizeof desk->said - at, "%s=%llu ", reply->counters[i].name,
                           (unsigned long long)reply->counters[i].value);
}

static const char *ask(struct desk *desk, const char *verb, const char *argument, const struct digest *blob) {
  struct wire_argument list = {argument};
  struct wire_cache message = {.verb = verb, .arguments = &list, .arguments_count = argument != NULL};
  if (blob) message.blob = *blob;
  verbs_carry_out(desk->cache, &desk->blobs, &desk->compilers, &message, keep, desk);
  return desk->said;
}

static void envelope_of(const char *text, const char *compiler, struct bytes_writer *out) {
  struct arena arena = {0};
  struct digest digest = digest_of_text(text);
  const struct artefact artefact = {
      .key = artefact_key(&digest, "sm_90a", compiler, &arena), .message = "", .data = (const uint8_t *)text, .length = 1};
  REQUIRE_OK(artefact_encode(&artefact, out));
  arena_free(&arena);
}

/* Artefacts of the texts `a`, `b` …, by one compiler or, every other one, by two. */
static void put(struct desk *desk, const char *texts, const char *compiler, const char *other) {
  struct bytes_writer list = {0};
  struct digest blob;
  bytes_put_u32(&list, (uint32_t)strlen(texts));
  for (size_t i = 0; texts[i]; i++) {
    struct bytes_writer one = {0};
    envelope_of((const char[]){texts[i], 0}, other && i % 2 ? other : compiler, &one);
    bytes_put_blob(&list, one.data, one.length);
    bytes_writer_free(&one);
  }
  REQUIRE_OK(blobs_add(&desk->blobs, list.data, list.length, &blob));
  ask(desk, "artefacts-put", NULL, &blob);
  bytes_writer_free(&list);
}

static void put_unseen(struct desk *desk, const char *text, const char *compiler) {
  struct bytes_writer one = {0};
  envelope_of(text, compiler, &one);
  REQUIRE_OK(cache_put(desk->cache, one.data, one.length, CACHE_NEWEST, NULL));
  REQUIRE_OK(cache_commit(desk->cache));
  bytes_writer_free(&one);
}

TEST(verbs_compilers_follow_the_store, "") {
  struct desk desk = {0};
  REQUIRE_OK(cache_open(test_folder(), NULL, &desk.cache));
  REQUIRE_OK(blobs_open(test_folder(), &desk.blobs));
  CHECK_TEXT(ask(&desk, "compilers", NULL, NULL), "");
  put(&desk, "ab", "nvrtc 13.0", NULL);
  CHECK_TEXT(ask(&desk, "compilers", NULL, NULL), "nvrtc 13.0=2 ");
  put(&desk, "bc", "nvrtc 13.0", NULL); // one of them is there
  CHECK_TEXT(ask(&desk, "compilers", NULL, NULL), "nvrtc 13.0=3 ");
  put(&desk, "defg", "nvrtc 13.0", "nvrtc 12.4");
  CHECK_TEXT(ask(&desk, "compilers", NULL, NULL), "nvrtc 13.0=5 nvrtc 12.4=2 ");
  put_unseen(&desk, "x", "nvrtc 13.1"); // whoever walks the store sees it
  CHECK_TEXT(ask(&desk, "compilers", NULL, NULL), "nvrtc 13.0=5 nvrtc 12.4=2 ");
  put(&desk, "gh", "nvrtc 12.4", "nvrtc 13.0"); // which of them is new, only the store knows
  const char *said = ask(&desk, "compilers", NULL, NULL);
  CHECK_MESSAGE(strstr(said, "nvrtc 13.0=6") && strstr(said, "nvrtc 12.4=2") && strstr(said, "nvrtc 13.1=1"), "%s", said);
  ask(&desk, "prune", "key=nvrtc 13", NULL);
  CHECK_TEXT(ask(&desk, "compilers", NULL, NULL), "nvrtc 12.4=2 ");
  compilers_forget(&desk.compilers);
  blobs_close(&desk.blobs);
  cache_close(&desk.cache);
}

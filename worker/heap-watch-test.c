/* The walk over the heap finds a header that was written over, whatever lies behind it; and a heap in use is sound. */
#include "../tests/kit/test.h"
#include "fault-tactics-test.h"
#include "measure.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

TEST(heap_in_use_is_sound, "") {
  void *blocks[200] = {0};
  CHECK(heap_is_sound());
  for (int round = 0; round < 20; round++) {
    for (size_t i = 0; i < 200; i++) {
      size_t k = (i * 7 + (size_t)round * 13) % 200;
      free(blocks[k]);
      blocks[k] = (i + (size_t)round) % 3 ? malloc((i * 977 + (size_t)round * 331) % 70000) : NULL;
      if (blocks[k]) memset(blocks[k], 1, (i * 977 + (size_t)round * 331) % 70000);
    }
    CHECK(heap_is_sound());
  }
  for (size_t i = 0; i < 200; i++) free(blocks[i]);
  CHECK(heap_is_sound());
}

TEST(heap_overruns_of_one_word_are_found, "") {
  if (under_asan() || under_tsan()) SKIP("the sanitizer's allocator is another one");
  CHECK(heap_is_sound());
  for (size_t bytes = 24; bytes < 100000; bytes = bytes * 3 + 8) { // 8 modulo 16: nothing but the next size word follows
    bytes = bytes / 16 * 16 + 8;
    char *block = malloc(bytes), *volatile hidden = block;
    REQUIRE(block);
    char kept[8];
    memcpy(kept, hidden + bytes, 8);
    memset(hidden + bytes, 0x41, 8);
    bool found = !heap_is_sound();
    memcpy(hidden + bytes, kept, 8);
    CHECK_MESSAGE(found, "a block of %zu bytes", bytes);
    CHECK(heap_is_sound());
    free(block);
  }
}

static void *allocate(void *argument) {
  for (size_t i = 1; i < 300; i++) free(malloc(i * 100));
  return argument;
}

TEST(heap_shared_by_threads_is_sound, "") {
  pthread_t threads[4];
  CHECK(heap_is_sound());
  for (int i = 0; i < 4; i++) REQUIRE(pthread_create(&threads[i], NULL, allocate, NULL) == 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  CHECK(heap_is_sound());
}

/* A fuzzer's corpus as a regression test, without libFuzzer.
 *
 * A module keeps a table of specimens, right and wrong, each made by a function. The test holds every file of tests/corpus/NAME
 * against its function (so that the corpus can be made again: TUNEFARM_WRITE_CORPUS=1 writes the files), reads it, compares the
 * status, and sends all files through the fuzz target. What a fuzzer found stays beside the specimens as `found-…`.
 */
#ifndef TESTS_CORPUS_CORPUS_TEST_H
#define TESTS_CORPUS_CORPUS_TEST_H

#include "../../base/bytes.h"
#include "../../base/file.h"
#include "../kit/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CORPUS_MOST_FILE_BYTES = 8192 };

struct specimen {
  const char *name;
  void (*build)(struct bytes_writer *out, const char *with);
  enum farm_status status;
  const char *message; // a part of it; NULL: accepted
  const char *with;    // whatever the function asks for
};

struct corpus {
  const char *name;
  const struct specimen *specimens; // NULL: the module calls corpus_check_file itself
  int count;
  /* Reads as the module does and returns its status; checks that what was accepted is written again as it was. */
  enum farm_status (*read)(const struct specimen *specimen, const uint8_t *data, size_t length);
  int (*fuzz)(const uint8_t *data, size_t length);
};

/* A file in memory of exactly its length, so that a sanitizer sees a read past the end. */
static inline uint8_t *corpus_load(const char *path, size_t *out_length) {
  char *data;
  REQUIRE_OK(file_read_all(path, CORPUS_MOST_FILE_BYTES, &data, out_length));
  uint8_t *exact = malloc(*out_length ? *out_length : 1);
  REQUIRE(exact != NULL);
  memcpy(exact, data, *out_length);
  free(data);
  return exact;
}

/* The file of a corpus is what was made; returned for free(). */
static inline uint8_t *corpus_check_file(const char *corpus, const char *name, const void *made, size_t length) {
  char path[512];
  size_t file_length;
  snprintf(path, sizeof path, "tests/corpus/%s/%s", corpus, name);
  if (getenv("TUNEFARM_WRITE_CORPUS")) REQUIRE_OK(file_write_atomic(path, length ? made : "", length));
  uint8_t *data = corpus_load(path, &file_length);
  bool same = file_length == length && (!length || memcmp(data, made, length) == 0);
  if (!same) test_fail(__FILE__, __LINE__, "%s is not what its specimen makes", path), test_stop();
  return data;
}

static inline void corpus_check_specimen(const struct corpus *corpus, const struct specimen *specimen) {
  struct bytes_writer made = {0};
  specimen->build(&made, specimen->with);
  REQUIRE(!made.failed);
  uint8_t *data = corpus_check_file(corpus->name, specimen->name, made.data, made.length);
  enum farm_status status = corpus->read(specimen, data, made.length);
  CHECK_MESSAGE(status == specimen->status, "%s/%s: %s (%s) instead of %s", corpus->name, specimen->name, status_name(status),
                status_message(), status_name(specimen->status));
  if (status != FARM_OK && specimen->message)
    CHECK_MESSAGE(strstr(status_message(), specimen->message), "%s/%s: \"%s\" does not say \"%s\"", corpus->name, specimen->name,
                  status_message(), specimen->message);
  free(data);
  bytes_writer_free(&made);
}

static inline void corpus_check_specimens(const struct corpus *corpus) {
  for (int i = 0; i < corpus->count; i++) corpus_check_specimen(corpus, &corpus->specimens[i]);
}

/* Every file through the fuzz target. A file that is neither a specimen's nor found by a fuzzer is a leftover. */
static inline void corpus_run(const struct corpus *corpus) {
  char path[512];
  int specimens = 0;
  snprintf(path, sizeof path, "tests/corpus/%s", corpus->name);
  DIR *entries = opendir(path);
  REQUIRE(entries != NULL);
  for (struct dirent *entry; (entry = readdir(entries));) {
    size_t length;
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "tests/corpus/%s/%s", corpus->name, entry->d_name);
    uint8_t *data = corpus_load(path, &length);
    corpus->fuzz(data, length);
    free(data);
    if (strncmp(entry->d_name, "found-", 6) != 0) specimens++;
  }
  closedir(entries);
  CHECK_MESSAGE(specimens == corpus->count, "tests/corpus/%s has %d specimens, its table %d", corpus->name, specimens,
                corpus->count);
}

#endif

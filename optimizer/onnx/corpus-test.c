/* The fuzzers' corpora, without a fuzzer: every file of tests/corpus/onnx and tests/corpus/ir goes through what the fuzz targets
 * do. The onnx corpus holds a file per import case (written anew with TUNEFARM_WRITE_CORPUS set) beside what fuzzing has found.
 */
#include "../../base/file.h"
#include "../../tests/kit/test.h"
#include "import-cases.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LLVMFuzzerTestOneInput onnx_fuzz_one
#include "onnx-fuzz.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput ir_fuzz_one
#include "../ir/ir-fuzz.c"
#undef LLVMFuzzerTestOneInput

#define CORPUS "tests/corpus/onnx"

static int corpus_run(const char *folder, int (*one)(const uint8_t *, size_t)) {
  DIR *entries = opendir(folder);
  int count = 0;
  REQUIRE(entries != NULL);
  for (struct dirent *entry; (entry = readdir(entries));) {
    char path[512], *data;
    size_t length;
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    REQUIRE_OK(file_read_all(path, 1 << 20, &data, &length));
    one((const uint8_t *)data, length);
    free(data);
    count++;
  }
  closedir(entries);
  return count;
}

TEST(corpus_of_onnx_files_is_survived, "timeout:120") { CHECK(corpus_run(CORPUS, onnx_fuzz_one) >= import_case_count); }
TEST(corpus_of_ir_texts_is_survived, "") { CHECK(corpus_run("tests/corpus/ir", ir_fuzz_one) > 0); }

TEST(corpus_has_each_import_case, "") {
  for (int i = 0; i < import_case_count; i++) {
    char path[512], *data;
    size_t length;
    struct pb_writer writer = {0};
    import_cases[i].build(&writer);
    snprintf(path, sizeof path, CORPUS "/%s.onnx", import_cases[i].name);
    if (getenv("TUNEFARM_WRITE_CORPUS"))
      REQUIRE_OK(file_write_atomic(path, writer.length ? writer.data : (uint8_t *)"", writer.length));
    REQUIRE_OK(file_read_all(path, 1 << 20, &data, &length));
    bool same = length == writer.length && (!length || memcmp(data, writer.data, length) == 0);
    CHECK_MESSAGE(same, "%s is not what its case builds", path);
    free(data);
    pb_writer_free(&writer);
  }
}

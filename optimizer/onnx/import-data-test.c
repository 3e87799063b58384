/* Every model of the data folder: imported with known types, or refused with a status and a message; never a crash. */
#include "import.h"

#include "../../tests/kit/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_PATH = 512 };

struct tally {
  int imported, unsupported, invalid, other;
};

static void model_try(const char *path, struct tally *tally, bool show) {
  struct model *model = NULL;
  enum farm_status status = onnx_import(path, &model);
  if (status == FARM_OK)
    tally->imported++;
  else if (status == FARM_UNSUPPORTED)
    tally->unsupported++;
  else if (status == FARM_INVALID)
    tally->invalid++;
  else
    tally->other++;
  if (status != FARM_OK && show) fprintf(stderr, "%s\n", status_message());
  if (status == FARM_INVALID) CHECK_MESSAGE(false, "%s", status_message());
  if (status == FARM_UNSUPPORTED) CHECK_MESSAGE(strstr(status_message(), "[rule: ") != NULL, "%s", status_message());
  model_free(&model);
}

static void suite_try(const char *folder, struct tally *tally, bool show) {
  DIR *entries = opendir(folder);
  REQUIRE(entries != NULL);
  for (struct dirent *entry; (entry = readdir(entries));) {
    char path[MOST_PATH];
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s/model.onnx", folder, entry->d_name);
    if (access(path, R_OK) != 0) continue;
    model_try(path, tally, show);
  }
  closedir(entries);
}

static void light_try(const char *name) {
  char path[MOST_PATH];
  struct tally tally = {0};
  snprintf(path, sizeof path, "onnx-suite/light/light_%s.onnx", name);
  model_try(test_data(path), &tally, true);
  CHECK(tally.other == 0);
}

static void folder_try(const char *relative) {
  struct tally tally = {0};
  suite_try(test_data(relative), &tally, getenv("TUNEFARM_SHOW") != NULL);
  fprintf(stderr, "%s: %d imported, %d unsupported, %d invalid, %d other\n", relative, tally.imported, tally.unsupported,
          tally.invalid, tally.other);
  CHECK(tally.other == 0);
}

TEST(import_of_node_suite, "timeout:120") { folder_try("onnx-suite/node"); }
TEST(import_of_converted_suite, "") { folder_try("onnx-suite/pytorch-converted"); }
TEST(import_of_operator_suite, "") { folder_try("onnx-suite/pytorch-operator"); }
TEST(import_of_simple_suite, "") { folder_try("onnx-suite/simple"); }
TEST(import_of_real_models, "") { folder_try("models"); }
TEST(import_of_light_models, "") {
  static const char *const names[] = {"bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50",
                                      "shufflenet",   "squeezenet",  "vgg19",        "zfnet512"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) light_try(names[i]);
}

/* External data stays in the model's folder: every known way out of it is tried, by both ways of opening files. */
#include "import.h"

#include "../../base/file.h"
#include "../../tests/kit/test.h"
#include "external-data.h"
#include "import-cases.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *at(const char *name) { // a path within the test's folder, one of a few kept
  static char paths[8][512];
  static int next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", test_folder(), name);
  return path;
}

/*  folder/secret.bin, folder/model/{w.bin, sub/w.bin, link.bin -> ../secret.bin, here.bin -> w.bin, out -> .., hard.bin =
 * secret.bin, fifo} */
static void folders_make(void) {
  static const float numbers[] = {1, 2, 3, 4, 5, 6, 7, 8};
  REQUIRE_OK(file_make_folders(at("model/sub")));
  REQUIRE_OK(file_write_atomic(at("secret.bin"), numbers, sizeof numbers));
  REQUIRE_OK(file_write_atomic(at("lonely.bin"), numbers, sizeof numbers));
  REQUIRE_OK(file_write_atomic(at("model/w.bin"), numbers, sizeof numbers));
  REQUIRE_OK(file_write_atomic(at("model/sub/w.bin"), numbers, sizeof numbers));
  REQUIRE(symlink("../secret.bin", at("model/link.bin")) == 0);
  REQUIRE(symlink("w.bin", at("model/here.bin")) == 0);
  REQUIRE(symlink("..", at("model/out")) == 0);
  REQUIRE(symlink("sub", at("model/in")) == 0);
  REQUIRE(link(at("secret.bin"), at("model/hard.bin")) == 0);
  REQUIRE(mkfifo(at("model/fifo"), 0600) == 0);
}

static const struct {
  const char *location;
  enum farm_status status;
} places[] = {
    {"w.bin", FARM_OK},
    {"sub/w.bin", FARM_OK},
    {"./w.bin", FARM_OK},
    {"sub//w.bin", FARM_OK},
    {"../secret.bin", FARM_INVALID},
    {"sub/../../secret.bin", FARM_INVALID},
    {"sub/../w.bin", FARM_INVALID},
    {"..", FARM_INVALID},
    {"/etc/passwd", FARM_INVALID},
    {"//etc/passwd", FARM_INVALID},
    {"..\\secret.bin", FARM_INVALID},
    {"C:w.bin", FARM_INVALID},
    {"link.bin", FARM_INVALID},
    {"here.bin", FARM_INVALID},
    {"out/secret.bin", FARM_INVALID},
    {"in/w.bin", FARM_INVALID},
    {"hard.bin", FARM_INVALID},
    {"fifo", FARM_INVALID},
    {"sub", FARM_INVALID},
    {".", FARM_INVALID},
    {"w.bin/", FARM_INVALID},
    {"", FARM_INVALID},
    {"absent.bin", FARM_NOT_FOUND},
    {"w.bin/w.bin", FARM_INVALID},
};

TEST(external_open_never_leaves_the_folder, "") {
  folders_make();
  static enum farm_status (*const ways[])(int, const char *, int *) = {external_open, external_open_by_walk};
  int folder = open(at("model"), O_RDONLY | O_DIRECTORY);
  REQUIRE(folder >= 0);
  for (size_t way = 0; way < 2; way++)
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
      int fd = -1;
      enum farm_status status = ways[way](folder, places[i].location, &fd);
      CHECK_MESSAGE((status == FARM_OK) == (places[i].status == FARM_OK), "way %zu, \"%s\": %s: %s", way, places[i].location,
                    status_name(status), status_message());
      CHECK_MESSAGE(!strstr(places[i].location, "absent") || status == FARM_NOT_FOUND, "%s", status_message());
      CHECK((fd >= 0) == (status == FARM_OK));
      if (fd >= 0) close(fd);
    }
  close(folder);
}

TEST(external_open_refuses_long_names, "") {
  char name[2000];
  memset(name, 'a', sizeof name - 1);
  name[sizeof name - 1] = 0;
  int folder = open(".", O_RDONLY | O_DIRECTORY), fd;
  CHECK(external_open(folder, name, &fd) != FARM_OK);
  CHECK(external_open_by_walk(folder, name, &fd) != FARM_OK);
  close(folder);
}

struct entry {
  const char *key, *value;
};

/* A model of one external initializer f32[2] "b", with these entries, beside the files above. */
static enum farm_status entries_import(const struct entry *entries, size_t count, struct model **out_model) {
  struct pb_writer writer = {0};
  case_begin(&writer);
  pb_begin(&writer, 5);
  pb_put_i64(&writer, 1, 2);
  pb_put_i64(&writer, 2, DTYPE_F32);
  pb_put_text(&writer, 8, "b");
  for (size_t i = 0; i < count; i++) {
    pb_begin(&writer, 13);
    pb_put_text(&writer, 1, entries[i].key);
    pb_put_text(&writer, 2, entries[i].value);
    pb_end(&writer);
  }
  pb_put_i64(&writer, 14, 1);
  pb_end(&writer);
  onnx_node_put(&writer, "Identity", "", "b", "y");
  onnx_value_put(&writer, ONNX_OUTPUT, "y", DTYPE_F32, NULL);
  case_end(&writer);
  REQUIRE_OK(pb_write_file(&writer, at("model/m.onnx")));
  pb_writer_free(&writer);
  return onnx_import(at("model/m.onnx"), out_model);
}
#define IMPORT(...)                                                                                                              \
  entries_import((struct entry[]){__VA_ARGS__}, sizeof((struct entry[]){__VA_ARGS__}) / sizeof(struct entry), &model)

static void contents_check(struct model **model, float first) {
  const struct tensor *tensor = (*model)->graph->first->inputs[0]->constant;
  REQUIRE(tensor && tensor->data);
  CHECK(((const float *)tensor->data)[0] == first);
  model_free(model);
}

TEST(external_data_is_read_where_it_lies, "") {
  folders_make();
  struct model *model = NULL;
  REQUIRE_OK(IMPORT({"location", "w.bin"}));
  contents_check(&model, 1);
  REQUIRE_OK(IMPORT({"location", "sub/w.bin"}, {"offset", "8"}, {"length", "8"}, {"checksum", "whatever"}, {"basepath", "/etc"}));
  contents_check(&model, 3);
  REQUIRE_OK(IMPORT({"location", "w.bin"}, {"offset", "24"}));
  contents_check(&model, 7);
  REQUIRE_OK(IMPORT({"location", "w.bin"}, {"offset", "2"})); // not aligned: copied
  model_free(&model);
}

TEST(external_data_refuses_bad_entries, "") {
  folders_make();
  struct model *model = NULL;
  CHECK(IMPORT({"offset", "0"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"offset", "-8"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"offset", "+8"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"offset", " 8"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"offset", "0x8"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"offset", ""}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"offset", "32"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"offset", "28"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"offset", "18446744073709551612"}) == FARM_INVALID); // + 8 wraps
  CHECK(IMPORT({"location", "w.bin"}, {"offset", "99999999999999999999999"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"offset", "18446744073709551616"}) == FARM_INVALID); // 2^64
  CHECK(IMPORT({"location", "w.bin"}, {"length", "4"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"length", "16"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"length", "-8"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"location", "sub/w.bin"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "w.bin"}, {"offset", "0"}, {"offset", "8"}) == FARM_INVALID);
  CHECK(IMPORT({"location", "../secret.bin"}) == FARM_INVALID);
  CHECK(strstr(status_message(), "\"b\"") && strstr(status_message(), "../secret.bin"));
  CHECK(IMPORT({"location", "link.bin"}) == FARM_INVALID);
  CHECK(model == NULL);
}

TEST(external_data_maps_a_file_once, "") {
  folders_make();
  struct external_data external;
  struct onnx_entry location = {.key = "location", .value = "w.bin"};
  struct onnx_tensor tensor = {.location = 1, .external = {&location, 1, 1}};
  const uint8_t *first, *second;
  REQUIRE_OK(external_data_create(at("model"), &external));
  REQUIRE_OK(external_data_find(&external, &tensor, 8, &first));
  REQUIRE_OK(external_data_find(&external, &tensor, 32, &second));
  CHECK(first == second && external.count == 1);
  external_data_free(&external);
}

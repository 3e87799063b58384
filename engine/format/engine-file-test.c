#include "engine-layout.h"
#include "plan-builder-test.h"

#include "../../base/file.h"
#include "../../base/random.h"
#include "../../tests/corpus/corpus-test.h"

#include <limits.h>
#include <unistd.h>
#include "engine-fuzz.c" // the corpus runs without libFuzzer

/* One of everything the format knows: symbols, every place, packed and shared weights, every attribute type, an If and its
 * blocks. */
static const float weight_data[6] = {1, 2, 3, 4, 5, 6};
static const float packed_data[20] = {6, 5, 4, 3, 2, 1};
static const int64_t shape_data[2] = {-1, 3};
static const int64_t tensor_data[2] = {7, 8};
static const struct tensor tensor_value = {.dtype = DTYPE_I64, .rank = 1, .dims = {2}, .data = (void *)(uintptr_t)tensor_data};

static void all_attrs(struct plan_builder *b, struct plan_step *step) {
  static const char *const strings[] = {"one", "two"};
  builder_attr(b, step, (struct attr){.name = "f", .type = ATTR_FLOAT, .count = 1, .f = 0.5f});
  builder_attr(b, step, (struct attr){.name = "i", .type = ATTR_INT, .count = 1, .i = -3});
  builder_attr(b, step, (struct attr){.name = "s", .type = ATTR_STRING, .count = 1, .s = "te\0xt", .length = 5});
  builder_attr(b, step, (struct attr){.name = "t", .type = ATTR_TENSOR, .count = 1, .tensor = &tensor_value});
  builder_attr(b, step, (struct attr){.name = "fs", .type = ATTR_FLOATS, .count = 2, .floats = weight_data});
  builder_attr(b, step, (struct attr){.name = "is", .type = ATTR_INTS, .count = 2, .ints = shape_data});
  builder_attr(b, step, (struct attr){.name = "ss", .type = ATTR_STRINGS, .count = 2, .strings = strings});
}

static struct plan_builder *sample(void) {
  struct plan_builder *b = builder_new();
  builder_symbol(b, "batch", 1, 4, 8);
  uint32_t x = builder_input(b, "x", F32(-2, 3));
  uint32_t flag = builder_input(b, "flag", SCALAR(DTYPE_BOOL));
  uint32_t w = builder_constant(b, "w", F32(2, 3), weight_data);
  uint32_t folded = builder_value(b, "folded", VALUE_NONE, F32(2, 3));
  uint32_t shape = builder_constant(b, "shape", I64(2), shape_data);
  uint32_t packed = builder_weight(b, packed_data, sizeof packed_data);
  uint32_t a = builder_value(b, "a", VALUE_ARENA, F32(-2, 3));
  uint32_t v = builder_view(b, "v", a, 0, F32(-2, 3));
  uint32_t dims = builder_value(b, "dims", VALUE_HOST, I64(2));
  uint32_t pooled = builder_value(b, "pooled", VALUE_POOLED, UNRANKED(DTYPE_F32));
  uint32_t y = builder_output(b, "y", F32(-2, 3));
  struct plan_step *gemm =
      builder_step(b, 0, STEP_KERNEL, "Gemm", 13, (uint32_t[]){x, folded, PLAN_NO_INDEX}, 3, (uint32_t[]){a}, 1);
  gemm->variant = "gemm_f32__any__baseline{kc=8}";
  gemm->packed_weight = packed;
  gemm->packed_input = 1;
  gemm->packing_revision = 3;
  gemm->problem = "gemm m4 n2 k3 f32 acc:f32 w:const";
  gemm->median_ns = 123.5;
  all_attrs(b, gemm);
  builder_step(b, 0, STEP_VIEW, "Reshape", 14, (uint32_t[]){a, shape}, 2, (uint32_t[]){v}, 1);
  builder_step(b, 0, STEP_HOST, "Shape", 15, (uint32_t[]){v}, 1, (uint32_t[]){dims}, 1);
  struct plan_step *branch = builder_step(b, 0, STEP_IF, "If", 16, (uint32_t[]){flag}, 1, (uint32_t[]){pooled}, 1);
  for (int i = 0; i < 2; i++) {
    int block = builder_block(b);
    branch->blocks[i] = (uint32_t)block;
    uint32_t made = builder_value(b, i ? "else" : "then", VALUE_POOLED, UNRANKED(DTYPE_F32));
    builder_step(b, block, STEP_KERNEL, i ? "Add" : "Mul", 14, (uint32_t[]){v, w}, 2, (uint32_t[]){made}, 1);
    builder_gives(b, block, made, UNRANKED(DTYPE_F32));
  }
  builder_step(b, 0, STEP_COPY, "Identity", 16, (uint32_t[]){pooled}, 1, (uint32_t[]){y}, 1);
  return b;
}

/* The same for a GPU: the kernel has an image, what the branches do is the host's; one more is a library's. */
static const char image_data[] = "\177ELF kernels", fallback_data[] = "\177ELF kernels of the fallback";
static const char library_version[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
enum { LIBRARY_STEP = 5 }; // of block 0

static struct plan_builder *cuda_sample(void) {
  struct plan_builder *b = sample();
  b->section.device_class = "cuda sm:90";
  b->section.sm = 90;
  b->section.compiler = "nvrtc 13.0";
  b->steps[0][0].variant = "gemm_f32__tiled__sm75{tile=64}";
  b->steps[0][0].image = builder_weight(b, image_data, sizeof image_data);
  uint32_t z = builder_value(b, "z", VALUE_ARENA, F32(-2, 3));
  struct plan_step *product = builder_step(b, 0, STEP_KERNEL, "MatMul", 13, (uint32_t[]){b->block_inputs[0][0], 2}, 2, &z, 1);
  product->variant = "gemm_f32__cublaslt__cuda{rank=1}";
  product->library = library_version;
  product->fallback = "gemm_f32__tiled__sm75{tile=64}";
  product->fallback_image = builder_weight(b, fallback_data, sizeof fallback_data);
  return b;
}

static enum farm_status decode(const uint8_t *bytes, size_t length, bool verify) {
  struct engine *engine = NULL;
  enum farm_status status = engine_decode(bytes, length, verify, &engine);
  engine_close(&engine);
  return status;
}

TEST(engine_reads_back_what_was_written, "") {
  struct plan_builder *b = sample();
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  struct engine *engine;
  REQUIRE_OK(engine_decode(bytes, length, true, &engine));
  CHECK_TEXT(engine->model_name, "hand-made");
  CHECK(digest_equal(&engine->lock_digest, &b->engine.lock_digest) && digest_equal(&engine->digest, &b->engine.digest));
  const struct plan *plan = &engine->sections[0].plan;
  const struct plan_step *gemm = &plan->blocks[0].steps[0];
  CHECK(gemm->packing_revision == 3 && gemm->median_ns == 123.5 && gemm->inputs[2] == PLAN_NO_INDEX);
  CHECK(attr_float(&gemm->attrs, "f", 0) == 0.5f && attr_int(&gemm->attrs, "i", 0) == -3);
  const struct attr *text = attr_find(&gemm->attrs, "s");
  CHECK(text && text->length == 5 && memcmp(text->s, "te\0xt", 6) == 0);
  CHECK(attr_tensor(&gemm->attrs, "t") && memcmp(attr_tensor(&gemm->attrs, "t")->data, tensor_data, 16) == 0);
  int64_t ints[2];
  CHECK(attr_ints(&gemm->attrs, "is", ints, 2) == 2 && ints[0] == -1 && ints[1] == 3);
  CHECK_TEXT(attr_find(&gemm->attrs, "ss")->strings[1], "two");
  CHECK(plan->symbols[0].max == 8 && plan->input_types[0].dims[0] == DIM_FIRST_SYMBOL && plan->values[0].type.dims[0] == 4);
  CHECK(memcmp(plan->values[2].type.data, weight_data, sizeof weight_data) == 0);
  CHECK((uintptr_t)plan->values[2].type.data % 64 == 0);
  struct bytes_writer again = {0};
  REQUIRE_OK(engine_encode(engine, &again));
  CHECK(again.length == length && memcmp(again.data, bytes, length) == 0);
  bytes_writer_free(&again);
  engine_close(&engine);
  free(bytes);
  builder_free(b);
}

TEST(engine_golden_file_is_written_and_read_alike, "") {
  struct plan_builder *b = cuda_sample();
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  const char *path = "tests/golden/engine/all-2.engine";
  if (getenv("TUNEFARM_GOLDEN")) REQUIRE_OK(file_write_atomic(path, bytes, length));
  struct file_map map;
  REQUIRE_OK(file_map_open(path, &map));
  CHECK_MESSAGE(map.length == length && memcmp(map.data, bytes, length) == 0,
                "the writer's bytes changed: a new version is needed");
  struct engine *engine;
  REQUIRE_OK(engine_open(path, true, &engine));
  CHECK(engine->sections[0].plan.blocks[0].step_count == LIBRARY_STEP + 1);
  engine_close(&engine);
  file_map_close(&map);
  free(bytes);
  builder_free(b);
}

/* Written again, a file of version 1 is what this version's writer makes of the same engine. */
TEST(engine_of_version_1_is_read_and_becomes_one_of_version_2, "") {
  struct plan_builder *b = sample();
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  struct engine *engine;
  REQUIRE_OK(engine_open("tests/golden/engine/all-1.engine", true, &engine));
  const struct engine_section *section = &engine->sections[0];
  CHECK(section->sm == 0 && !section_is_cuda(section) && section_host_steps(section) == 0);
  CHECK_TEXT(section->compiler, "");
  for (int i = 0; i < section->plan.blocks[0].step_count; i++) {
    const struct plan_step *step = &section->plan.blocks[0].steps[i];
    CHECK(step->image == PLAN_NO_INDEX && step->fallback_image == PLAN_NO_INDEX && !step->library[0] && !step->fallback[0]);
  }
  struct bytes_writer again = {0};
  REQUIRE_OK(engine_encode(engine, &again));
  CHECK(again.length == length && memcmp(again.data, bytes, length) == 0);
  bytes_writer_free(&again);
  engine_close(&engine);
  free(bytes);
  builder_free(b);
}

TEST(engine_section_of_a_gpu_keeps_its_images, "") {
  struct plan_builder *b = cuda_sample();
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  struct engine *engine;
  REQUIRE_OK(engine_decode(bytes, length, true, &engine));
  const struct engine_section *section = &engine->sections[0];
  const struct plan_step *gemm = &section->plan.blocks[0].steps[0];
  CHECK(section_is_cuda(section) && section->sm == 90);
  CHECK_TEXT(section->compiler, "nvrtc 13.0");
  const struct engine_weight *image = &engine->weights[gemm->image];
  CHECK(image->bytes == sizeof image_data && memcmp(image->data, image_data, sizeof image_data) == 0);
  const struct plan_step *product = &section->plan.blocks[0].steps[LIBRARY_STEP];
  CHECK(product->image == PLAN_NO_INDEX && memcmp(engine->weights[product->fallback_image].data, fallback_data, 8) == 0);
  CHECK_TEXT(product->library, library_version);
  CHECK_TEXT(product->fallback, "gemm_f32__tiled__sm75{tile=64}");
  CHECK(plan_step_on_device(section, 0, product) && plan_step_on_device(section, 0, gemm) && !plan_step_on_device(section, 1, gemm));
  CHECK(!plan_step_on_device(section, 0, &section->plan.blocks[0].steps[1]));
  CHECK_MESSAGE(section_host_steps(section) == 3, "%d host steps, not the If and one in each branch", section_host_steps(section));
  engine_close(&engine);
  free(bytes);
  builder_free(b);
}

TEST(engine_is_written_to_a_file_and_opened, "") {
  struct plan_builder *b = sample();
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/a.engine", test_folder());
  REQUIRE_OK(engine_write(&b->engine, path));
  struct engine *engine;
  REQUIRE_OK(engine_open(path, true, &engine));
  engine_close(&engine);
  CHECK(engine_open("/does/not/exist", false, &engine) == FARM_NOT_FOUND);
  builder_free(b);
}

TEST(engine_truncated_anywhere_is_refused, "") {
  struct plan_builder *b = cuda_sample();
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  for (size_t cut = 0; cut < length; cut++) {
    uint8_t *shorter = malloc(cut + 1); // so that a sanitizer sees a read past the end
    memcpy(shorter, bytes, cut);
    CHECK_MESSAGE(decode(shorter, cut, true) == FARM_INVALID, "%zu of %zu bytes are accepted", cut, length);
    free(shorter);
  }
  free(bytes);
  builder_free(b);
}

TEST(engine_with_a_flipped_bit_is_refused, "") {
  struct plan_builder *b = cuda_sample();
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  for (size_t bit = 0; bit < length * 8; bit++) {
    bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    enum farm_status status = decode(bytes, length, true);
    CHECK_MESSAGE(status == FARM_INVALID || (status == FARM_MISMATCH && bit / 8 >= 8 && bit / 8 < 16), "bit %zu of byte %zu: %s",
                  bit % 8, bit / 8, status_name(status));
    bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  CHECK(decode(bytes, length, true) == FARM_OK);
  free(bytes);
  builder_free(b);
}

TEST(engine_weights_are_verified_only_when_asked, "") {
  struct plan_builder *b = sample();
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  bytes[length - 1] ^= 1;
  CHECK(decode(bytes, length, false) == FARM_OK);
  CHECK(decode(bytes, length, true) == FARM_INVALID);
  free(bytes);
  builder_free(b);
}

/* ---- files with right checksums and wrong content ---- */

TEST(engine_with_random_metadata_never_crashes, "timeout:120") {
  struct plan_builder *b = cuda_sample();
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  uint8_t *changed = aligned_alloc(64, (length + 63) / 64 * 64);
  for (uint64_t round = 0; round < 20000; round++) {
    memcpy(changed, bytes, length);
    for (uint64_t i = 0; i < 1 + round % 3; i++) {
      uint64_t at = ENGINE_HEADER_BYTES + random_u64(round, i) % (ENGINE_PAGE - ENGINE_HEADER_BYTES);
      if (at < length) changed[at] = (uint8_t)(random_u64(round, i + 50) % 4 ? random_u64(round, i + 100) : 0xff);
    }
    LLVMFuzzerTestOneInput(changed, length); // mends the checksums
  }
  free(changed);
  free(bytes);
  builder_free(b);
}

/* ---- golden errors: a sample spoiled in way NAME is refused as the line `NAME STATUS message` of errors.txt says. With
 * TUNEFARM_GOLDEN set, golden files are written anew; with TUNEFARM_WRITE_CORPUS set, the corpus, which has the plans. ---- */

static void spoil_version(struct plan_builder *b, uint8_t *bytes) { (void)b, bytes[8] = 3; }
static void spoil_order(struct plan_builder *b, uint8_t *bytes) { (void)b, bytes[12] = 1, bytes[15] = 4; }
static void spoil_magic(struct plan_builder *b, uint8_t *bytes) { (void)b, bytes[0] = 'P'; }
static void spoil_header(struct plan_builder *b, uint8_t *bytes) { (void)b, bytes[ENGINE_HEADER_BYTES + 40] ^= 1; }
static void spoil_metadata(struct plan_builder *b, uint8_t *bytes) {
  (void)b, bytes[ENGINE_HEADER_BYTES + 2 * ENGINE_ENTRY_BYTES + 10] ^= 1;
}
static void spoil_arena(struct plan_builder *b) { b->section.plan.arena_bytes = 64; }
static void spoil_place(struct plan_builder *b) { b->values[5].offset = 32; }
static void spoil_view(struct plan_builder *b) { b->values[6].offset = 4; }
static void spoil_circle(struct plan_builder *b) { b->values[6].of = 6; }
static void spoil_weight(struct plan_builder *b) { b->values[2].weight = 99; }
static void spoil_size(struct plan_builder *b) { b->values[2].type.dims[0] = 3; }
static void spoil_symbol(struct plan_builder *b) { b->symbols[0].min = 9; }
static void spoil_order_of_steps(struct plan_builder *b) {
  struct plan_step first = b->steps[0][0];
  b->steps[0][0] = b->steps[0][1];
  b->steps[0][1] = first;
}
static void spoil_twice(struct plan_builder *b) { b->steps[0][2].outputs = b->steps[0][0].outputs; }
static void spoil_block(struct plan_builder *b) { b->steps[0][3].blocks[1] = b->steps[0][3].blocks[0]; }
static void spoil_self(struct plan_builder *b) { b->steps[0][3].blocks[1] = 0; }
static void spoil_scope(struct plan_builder *b) { b->steps[0][4].inputs = b->steps[1][0].outputs; }
static void spoil_packed(struct plan_builder *b) { b->steps[0][0].packed_input = 0; }
static void spoil_none(struct plan_builder *b) { b->steps[0][0].packed_weight = PLAN_NO_INDEX; }
static void spoil_workspace(struct plan_builder *b) { b->steps[0][0].workspace_bytes = UINT64_MAX; }
static void spoil_input(struct plan_builder *b) { b->block_inputs[0][1] = 5; }

static void cpu_image(struct plan_builder *b) { b->section.device_class = "cpu vendor:any"; }
static void cpu_images_said(struct plan_builder *b) { cpu_image(b), b->steps[0][0].image = PLAN_NO_INDEX; }
static void image_of_no_weight(struct plan_builder *b) { b->steps[0][0].image = 99; }
static void image_of_no_variant(struct plan_builder *b) { b->steps[0][0].variant = ""; }
static void image_of_a_view(struct plan_builder *b) { b->steps[0][1].image = b->steps[0][0].image; }
static void image_of_a_branch(struct plan_builder *b) {
  b->steps[1][0].image = b->steps[0][0].image;
  b->steps[1][0].variant = b->steps[0][0].variant;
}
static void image_of_no_bytes(struct plan_builder *b) { b->steps[0][0].image = builder_weight(b, "", 0); }
static void image_of_no_sm(struct plan_builder *b) { b->section.sm = 0; }
static void image_of_an_odd_sm(struct plan_builder *b) { b->section.sm = -90; }
static void image_of_no_compiler(struct plan_builder *b) { b->section.compiler = ""; }

static void image_neither(struct plan_builder *b) { b->steps[0][0].image = PLAN_NO_INDEX; }
static void library_of_a_cpu(struct plan_builder *b) {
  cpu_images_said(b);
  b->section.sm = 0;
  b->section.compiler = "";
}
static void library_of_no_version(struct plan_builder *b) { b->steps[0][LIBRARY_STEP].library = "13.0"; }
static void library_of_no_name(struct plan_builder *b) { b->steps[0][LIBRARY_STEP].library = ""; }
static void library_without_fallback(struct plan_builder *b) { b->steps[0][LIBRARY_STEP].fallback = ""; }
static void library_without_image(struct plan_builder *b) { b->steps[0][LIBRARY_STEP].fallback_image = PLAN_NO_INDEX; }
static void library_with_an_image(struct plan_builder *b) {
  b->steps[0][LIBRARY_STEP].image = b->steps[0][LIBRARY_STEP].fallback_image;
}
static void library_of_no_weight(struct plan_builder *b) { b->steps[0][LIBRARY_STEP].fallback_image = 99; }
static void library_of_no_bytes(struct plan_builder *b) { b->steps[0][LIBRARY_STEP].fallback_image = builder_weight(b, "", 0); }
static void library_of_no_variant(struct plan_builder *b) { b->steps[0][LIBRARY_STEP].variant = ""; }
static void library_of_packed_weights(struct plan_builder *b) {
  b->steps[0][LIBRARY_STEP].packed_weight = b->steps[0][0].packed_weight;
  b->steps[0][LIBRARY_STEP].packed_input = 1;
}
static void library_of_a_branch(struct plan_builder *b) {
  b->steps[1][0].fallback = b->steps[0][LIBRARY_STEP].fallback;
  b->steps[1][0].fallback_image = b->steps[0][LIBRARY_STEP].fallback_image;
}

static const struct spoiling {
  const char *name; // `image-…` spoils cuda_sample
  void (*plan)(struct plan_builder *b);
  void (*bytes)(struct plan_builder *b, uint8_t *bytes);
} spoilings[] = {
    {"version", NULL, spoil_version},
    {"byte-order", NULL, spoil_order},
    {"magic", NULL, spoil_magic},
    {"header", NULL, spoil_header},
    {"metadata", NULL, spoil_metadata},
    {"arena", spoil_arena, NULL},
    {"place", spoil_place, NULL},
    {"view", spoil_view, NULL},
    {"circle", spoil_circle, NULL},
    {"weight", spoil_weight, NULL},
    {"size", spoil_size, NULL},
    {"symbol", spoil_symbol, NULL},
    {"order", spoil_order_of_steps, NULL},
    {"twice", spoil_twice, NULL},
    {"block", spoil_block, NULL},
    {"self", spoil_self, NULL},
    {"scope", spoil_scope, NULL},
    {"packed", spoil_packed, NULL},
    {"none", spoil_none, NULL},
    {"workspace", spoil_workspace, NULL},
    {"input", spoil_input, NULL},
    {"image-cpu", cpu_image, NULL},
    {"image-said", cpu_images_said, NULL},
    {"image-weight", image_of_no_weight, NULL},
    {"image-host", image_of_no_variant, NULL},
    {"image-view", image_of_a_view, NULL},
    {"image-branch", image_of_a_branch, NULL},
    {"image-empty", image_of_no_bytes, NULL},
    {"image-sm", image_of_no_sm, NULL},
    {"image-odd-sm", image_of_an_odd_sm, NULL},
    {"image-compiler", image_of_no_compiler, NULL},
    {"image-neither", image_neither, NULL},
    {"image-library-cpu", library_of_a_cpu, NULL},
    {"image-library-version", library_of_no_version, NULL},
    {"image-library-name", library_of_no_name, NULL},
    {"image-library-fallback", library_without_fallback, NULL},
    {"image-library-image", library_without_image, NULL},
    {"image-library-images", library_with_an_image, NULL},
    {"image-library-weight", library_of_no_weight, NULL},
    {"image-library-empty", library_of_no_bytes, NULL},
    {"image-library-host", library_of_no_variant, NULL},
    {"image-library-packed", library_of_packed_weights, NULL},
    {"image-library-branch", library_of_a_branch, NULL},
};

static void error_line(const struct spoiling *spoiling, char *out, size_t out_bytes) {
  struct plan_builder *b = strncmp(spoiling->name, "image-", 6) == 0 ? cuda_sample() : sample();
  if (spoiling->plan) spoiling->plan(b);
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  if (spoiling->bytes) spoiling->bytes(b, bytes);
  if (spoiling->plan) free(corpus_check_file("engine", spoiling->name, bytes, length));
  enum farm_status status = decode(bytes, length, true);
  snprintf(out, out_bytes, "%s %s %s\n", spoiling->name, status_name(status), status == FARM_OK ? "accepted" : status_message());
  free(bytes);
  builder_free(b);
}

TEST(engine_golden_errors, "") {
  char *all = calloc(1, 1 << 16);
  for (size_t i = 0; i < sizeof spoilings / sizeof *spoilings; i++) {
    char line[2048];
    error_line(&spoilings[i], line, sizeof line);
    CHECK_MESSAGE(!strstr(line, " OK "), "%s", line);
    strcat(all, line);
  }
  const char *path = "tests/golden/engine/errors.txt";
  if (getenv("TUNEFARM_GOLDEN")) REQUIRE_OK(file_write_atomic(path, all, strlen(all)));
  char *golden;
  size_t length;
  REQUIRE_OK(file_read_all(path, 1 << 16, &golden, &length));
  CHECK_TEXT(all, golden);
  free(golden);
  free(all);
}

TEST(engine_corpus_has_right_ones, "") {
  for (int cuda = 0; cuda < 2; cuda++) {
    struct plan_builder *b = cuda ? cuda_sample() : sample();
    size_t length;
    uint8_t *bytes = builder_bytes(b, &length);
    free(corpus_check_file("engine", cuda ? "right-cuda" : "right", bytes, length));
    free(bytes);
    builder_free(b);
  }
}

TEST(engine_corpus_is_survived, "") {
  int count = 2; // the right ones
  for (size_t i = 0; i < sizeof spoilings / sizeof *spoilings; i++) count += spoilings[i].plan != NULL;
  corpus_run(&(struct corpus){.name = "engine", .count = count, .fuzz = LLVMFuzzerTestOneInput});
}

TEST(engine_record_with_a_later_field_is_read, "") {
  /* The last record of the file is the section; a later writer appends to it. */
  struct plan_builder *b = sample();
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  uint8_t *longer = calloc(1, length);
  memcpy(longer, bytes, length);
  uint8_t *entry = longer + ENGINE_HEADER_BYTES;
  struct bytes_reader in = bytes_reader_of(entry + 8, 16);
  size_t at = bytes_get_u64(&in), size = bytes_get_u64(&in);
  size_t section = at; // find the section's length: the u32 whose record ends where the metadata end
  for (size_t i = at; i + 4 <= at + size; i++) {
    struct bytes_reader word = bytes_reader_of(longer + i, 4);
    if (i + 4 + bytes_get_u32(&word) == at + size) {
      section = i;
      break;
    }
  }
  size_t old = at + size - section - 4;
  for (int i = 0; i < 4; i++) longer[section + (size_t)i] = (uint8_t)((old + 8) >> (8 * i));
  for (int i = 0; i < 8; i++) longer[at + size + (size_t)i] = 0xaa;
  for (int i = 0; i < 8; i++) entry[16 + i] = (uint8_t)((uint64_t)(size + 8) >> (8 * i));
  struct digest digest = digest_of(longer + at, size + 8);
  memcpy(entry + 24, digest.bytes, DIGEST_BYTES);
  memset(longer + ENGINE_DIGEST_AT, 0, DIGEST_BYTES);
  digest = digest_of(longer, ENGINE_HEADER_BYTES + 2 * ENGINE_ENTRY_BYTES);
  memcpy(longer + ENGINE_DIGEST_AT, digest.bytes, DIGEST_BYTES);
  REQUIRE_OK(decode(longer, length, true));
  free(longer);
  free(bytes);
  builder_free(b);
}

/* Engines with a section for a GPU whose checksums are right and whose metadata is not: what the reader accepts is safe to load,
 * prepare and run on a device, too. */
#include "gpu-net-test.h"

#include "../../base/file.h"
#include "../format/engine-layout.h"

static void checksums_mend(uint8_t *data) {
  uint8_t *entry = data + ENGINE_HEADER_BYTES;
  struct bytes_reader fields = bytes_reader_of(entry + 8, 16);
  uint64_t offset = bytes_get_u64(&fields), bytes = bytes_get_u64(&fields);
  struct digest digest = digest_of(data + offset, bytes);
  memcpy(entry + 24, digest.bytes, DIGEST_BYTES);
  memset(data + ENGINE_DIGEST_AT, 0, DIGEST_BYTES);
  digest = digest_of(data, ENGINE_HEADER_BYTES + 2 * ENGINE_ENTRY_BYTES);
  memcpy(data + ENGINE_DIGEST_AT, digest.bytes, DIGEST_BYTES);
}

/* As far as it goes; returns whether it ran. */
static bool run_bytes(const uint8_t *bytes, size_t length) {
  farm_engine_options_t options = {.size = sizeof options, .section = "cuda"};
  struct net_run run = {0};
  enum farm_status status = farm_engine_load_bytes(bytes, length, &options, &run.engine);
  if (status == FARM_OK) {
    run.input_count = farm_engine_input_count(run.engine);
    status = run.input_count <= NET_MOST_BINDINGS ? farm_context_create(run.engine, NULL, &run.context) : FARM_INVALID;
  }
  if (status == FARM_OK) status = net_feed(&run, 1, 3);
  if (status == FARM_OK) status = farm_context_run(run.context);
  net_close(&run);
  return status == FARM_OK;
}

static void rounds_run(const struct net *net, int rounds, uint64_t seed) {
  char *file;
  size_t length;
  int ran = 0;
  REQUIRE_OK(file_read_all(net->engine, 1 << 26, &file, &length));
  uint8_t *changed = test_keep(aligned_alloc(64, (length + 63) / 64 * 64));
  struct bytes_reader entry = bytes_reader_of(file + ENGINE_HEADER_BYTES + 8, 16);
  uint64_t at = bytes_get_u64(&entry), bytes = bytes_get_u64(&entry);
  for (uint64_t round = 0; round < (uint64_t)rounds; round++) {
    memcpy(changed, file, length);
    for (uint64_t i = 0; i < round % 3; i++) {                                        // the first is as it was
      uint64_t where = bytes / 2 + random_u64(seed + round, i) % (bytes - bytes / 2); // the second section
      changed[at + where] = (uint8_t)(random_u64(seed + round, i + 50) % 4 ? random_u64(seed + round, i + 100) : 0xff);
    }
    checksums_mend(changed);
    ran += run_bytes(changed, length);
  }
  CHECK_MESSAGE(ran > rounds / 4 && ran < rounds, "%d of %d ran", ran, rounds);
  free(file);
}

/* The product is a library's. */
static const struct record *library_record(void *context, const char *problem) {
  static char version[DIGEST_HEX_BYTES];
  static struct record_entry entry = {.variant = "gemm_f32__cublaslt__cuda{rank=1}", .source_digest = version, .message = "",
                                      .times = {.n = 9, .median = 1000, .ci_low = 999, .ci_high = 1001}};
  static const struct record record = {.entry_count = 1, .entries = &entry};
  struct digest digest = digest_of_text("cublaslt 990000, tactic 2");
  (void)context;
  digest_to_hex(&digest, version);
  return strncmp(problem, "gemm ", 5) == 0 ? &record : NULL;
}

TEST(gpu_survives_engines_with_random_metadata, "timeout:240") {
  static const int64_t axis = 1;
  static struct build_shape shape = {.input = "x", .rank = 2, .min = {1, 32}, .opt = {4, 32}, .max = {8, 32}};
  net_gpu("sm=90,product=fake,mem=64m");
  net_library("TUNEFARM_LIBCUBLASLT", "libfakecublaslt.so");
  setenv("TUNEFARM_GPU_PATIENCE", "20", 1);
  setenv("TUNEFARM_LOG", "error", 1); // libraries of no known version are met often
  struct net net = net_begin("hostile");
  net_input(&net, "x", "batch 32");
  net_ints(&net, "axis", -1, &axis);
  NET_WEIGHT(&net, "w", 32, 16);
  net_node(&net, "Relu", "x", "r");
  net_node(&net, "CumSum", "r axis", "sum");
  net_node(&net, "MatMul", "sum w", "m");
  onnx_node_begin(&net.writer, "Concat", "", "cat", "m r", "cat");
  onnx_attr_int(&net.writer, "axis", 1);
  onnx_node_end(&net.writer);
  net_node(&net, "Exp", "cat", "y");
  net_output(&net, "y", "batch 48");
  net.shapes = &shape;
  net.shape_count = 1;
  net.facts.record = library_record;
  net_build(&net);
  rounds_run(&net, getenv("TUNEFARM_HOSTILE_ROUNDS") ? atoi(getenv("TUNEFARM_HOSTILE_ROUNDS")) : 150, 7);
}

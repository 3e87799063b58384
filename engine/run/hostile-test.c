/* Engines whose checksums are right and whose content is not: what the reader accepts must be safe to load, prepare and run. */
#include "../format/engine-layout.h"
#include "run-case-test.h"

#include "../../base/random.h"

/* Everything at once: varying shapes, host arithmetic, views, a branch, a loop, sizes that only data tells. */
static struct plan_builder *everything(void) {
  static const int64_t minus[1] = {-1}, trips = 3;
  static const float w[3] = {1, 2, 3};
  struct plan_builder *b = builder_new();
  builder_symbol(b, "n", 1, 2, 4);
  uint32_t x = builder_input(b, "x", F32(-2, 3)), flag = builder_input(b, "flag", SCALAR(DTYPE_BOOL));
  uint32_t c = builder_constant(b, "w", F32(3), w), s = builder_constant(b, "s", I64(1), minus);
  uint32_t m = builder_constant(b, "m", SCALAR(DTYPE_I64), &trips);
  uint32_t a = builder_value(b, "a", VALUE_ARENA, F32(-2, 3)), v = builder_view(b, "v", a, 0, F32(12));
  b->values[v].fixed = false;
  uint32_t dims = builder_value(b, "dims", VALUE_HOST, I64(2)), same = builder_value(b, "same", VALUE_ARENA, F32(-2, 3));
  uint32_t chosen = builder_value(b, "chosen", VALUE_POOLED, UNRANKED(DTYPE_F32));
  uint32_t where = builder_value(b, "where", VALUE_POOLED, I64(1, DIM_UNKNOWN));
  uint32_t y = builder_output(b, "y", F32(-2, 3)), all = builder_value(b, "all", VALUE_OUTPUT, UNRANKED(DTYPE_F32));
  builder_gives(b, 0, all, UNRANKED(DTYPE_F32));
  builder_gives(b, 0, where, I64(1, DIM_UNKNOWN));
  op(b, 0, STEP_KERNEL, "Add", 14, IDS(x, c), IDS(a));
  op(b, 0, STEP_VIEW, "Reshape", 14, IDS(a, s), IDS(v));
  op(b, 0, STEP_HOST, "Shape", 15, IDS(x), IDS(dims));
  op(b, 0, STEP_KERNEL, "Reshape", 14, IDS(v, dims), IDS(same));
  op(b, 0, STEP_KERNEL, "NonZero", 13, IDS(v), IDS(where));
  struct plan_step *branch = op(b, 0, STEP_IF, "If", 16, IDS(flag), IDS(chosen));
  for (int i = 0; i < 2; i++) {
    int block = builder_block(b);
    branch->blocks[i] = (uint32_t)block;
    uint32_t made = builder_value(b, "made", VALUE_POOLED, UNRANKED(DTYPE_F32));
    op(b, block, STEP_KERNEL, i ? "Add" : "Mul", 14, IDS(same, c), IDS(made));
    builder_gives(b, block, made, UNRANKED(DTYPE_F32));
  }
  struct plan_step *loop = op(b, 0, STEP_LOOP, "Loop", 16, IDS(m, PLAN_NO_INDEX, chosen), IDS(y, all));
  int body = builder_block(b);
  loop->blocks[0] = (uint32_t)body;
  uint32_t i = builder_value(b, "i", VALUE_HOST, SCALAR(DTYPE_I64)),
           going = builder_value(b, "going", VALUE_HOST, SCALAR(DTYPE_BOOL));
  uint32_t in = builder_value(b, "in", VALUE_POOLED, UNRANKED(DTYPE_F32)),
           out = builder_value(b, "out", VALUE_POOLED, UNRANKED(DTYPE_F32));
  uint32_t takes[] = {i, going, in}, gives[] = {going, out, in};
  for (int k = 0; k < 3; k++) builder_takes(b, body, takes[k]);
  op(b, body, STEP_KERNEL, "Add", 14, IDS(in, c), IDS(out));
  for (int k = 0; k < 3; k++) builder_gives(b, body, gives[k], UNRANKED(DTYPE_F32));
  return b;
}

static void checksums_set(uint8_t *data) {
  uint8_t *entry = data + ENGINE_HEADER_BYTES;
  struct bytes_reader fields = bytes_reader_of(entry + 8, 16);
  uint64_t offset = bytes_get_u64(&fields), bytes = bytes_get_u64(&fields);
  struct digest digest = digest_of(data + offset, bytes);
  memcpy(entry + 24, digest.bytes, DIGEST_BYTES);
  memset(data + ENGINE_DIGEST_AT, 0, DIGEST_BYTES);
  digest = digest_of(data, ENGINE_HEADER_BYTES + 2 * ENGINE_ENTRY_BYTES);
  memcpy(data + ENGINE_DIGEST_AT, digest.bytes, DIGEST_BYTES);
}

/* Runs it at its optimal shapes; every status is fine. Tells whether it ran. */
static bool run_any(const uint8_t *data, size_t length) {
  farm_engine_t *engine = NULL;
  farm_context_t *context = NULL;
  static _Alignas(64) uint8_t zeros[1 << 16];
  bool ran = false;
  if (farm_engine_load_bytes(data, length, NULL, &engine) != FARM_OK) return false;
  if (engine->plan->arena_bytes > 1 << 24 ||
      farm_context_create(engine, &(farm_context_options_t){sizeof(farm_context_options_t), 1, 0}, &context) != FARM_OK)
    goto free_engine;
  context->pool_limit = 1 << 26;
  for (int i = 0; i < farm_engine_input_count(engine); i++) {
    farm_binding_t binding = {.size = sizeof binding};
    if (farm_engine_input(engine, i, &binding) != FARM_OK) continue;
    binding.tensor.data = zeros + 64;
    binding.tensor.bytes = sizeof zeros - 64;
    for (int d = 0; d < binding.tensor.rank; d++) binding.tensor.dims[d] = binding.opt[d] < 0 ? 1 : binding.opt[d];
    farm_context_set_input(context, i, &binding.tensor);
  }
  for (int i = 0; i < 2; i++) ran = farm_context_run(context) == FARM_OK;
  for (int i = 0; i < farm_engine_output_count(engine) && ran; i++) {
    farm_tensor_t output = {.size = sizeof output};
    volatile uint8_t sum = 0;
    if (farm_context_get_output(context, i, &output) == FARM_OK)
      for (size_t k = 0; k < output.bytes; k++) sum = (uint8_t)(sum + ((const uint8_t *)output.data)[k]);
  }
  farm_context_free(context);
free_engine:
  farm_engine_free(engine);
  return ran;
}

TEST(run_accepted_engines_never_crash, "timeout:300") {
  struct plan_builder *b = everything();
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  REQUIRE(run_any(bytes, length));
  uint8_t *changed = aligned_alloc(64, (length + 63) / 64 * 64);
  struct bytes_reader fields = bytes_reader_of(bytes + ENGINE_HEADER_BYTES + 8, 16);
  uint64_t offset = bytes_get_u64(&fields), size = bytes_get_u64(&fields);
  const char *rounds = getenv("TUNEFARM_HOSTILE_ROUNDS");
  int ran = 0, all = rounds ? atoi(rounds) : 6000;
  for (uint64_t round = 0; round < (uint64_t)all; round++) {
    memcpy(changed, bytes, length);
    for (uint64_t i = 0; i < 1 + round % 3; i++) {
      uint8_t *at = &changed[offset + random_u64(round, i) % size];
      uint64_t dice = random_u64(round, i + 50);
      *at = dice % 4 == 0 ? 0xff : dice % 4 == 1 ? (uint8_t)(*at + 1) : dice % 4 == 2 ? (uint8_t)random_u64(round, i + 100) : 0;
    }
    checksums_set(changed);
    ran += run_any(changed, length);
  }
  CHECK_MESSAGE(ran > all / 20, "only %d of %d ran: the changes are too coarse to tell anything", ran, all);
  free(changed);
  free(bytes);
  builder_free(b);
}

/* For tests of engine/format and engine/run: small plans made by hand, without the linker. Values lie in the arena one behind the
 * other; nothing is shared, so only the plan itself is under test.
 *
 *   struct plan_builder *b = builder_new();
 *   uint32_t x = builder_input(b, "x", F32(2, 3)), y = builder_output(b, "y", F32(2, 3));
 *   builder_step(b, 0, STEP_KERNEL, "Relu", 14, (uint32_t[]){x}, 1, (uint32_t[]){y}, 1);
 *   struct engine *engine = builder_finish(b);
 */
#ifndef ENGINE_FORMAT_PLAN_BUILDER_TEST_H
#define ENGINE_FORMAT_PLAN_BUILDER_TEST_H

#include "../../tests/kit/test.h"
#include "engine-file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUILDER_MOST = 64 };

struct plan_builder {
  struct engine engine;
  struct engine_section section;
  struct engine_weight weights[BUILDER_MOST];
  struct plan_value values[BUILDER_MOST];
  struct plan_block blocks[8];
  struct plan_step steps[8][BUILDER_MOST];
  struct plan_symbol symbols[4];
  struct tensor input_types[8], output_types[8];
  uint32_t block_inputs[8][8], block_outputs[8][8];
};

#define BUILDER_FN static inline __attribute__((unused))
#define BUILDER_TYPE(type, ...)                                                                                                  \
  ((struct tensor){.dtype = (type), .rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / 8), .dims = {__VA_ARGS__}})
#define F32(...) BUILDER_TYPE(DTYPE_F32, __VA_ARGS__)
#define I64(...) BUILDER_TYPE(DTYPE_I64, __VA_ARGS__)
#define SCALAR(type) ((struct tensor){.dtype = (type)})
#define UNRANKED(type) ((struct tensor){.dtype = (type), .rank = -1})

BUILDER_FN struct plan_builder *builder_new(void) {
  struct plan_builder *b = calloc(1, sizeof *b);
  REQUIRE(b);
  b->engine.model_name = "hand-made";
  b->engine.model_digest = digest_of_text("model");
  b->engine.lock_digest = digest_of_text("lock");
  b->engine.build = "0.1.0";
  b->engine.options = "effort=0";
  b->engine.weights = b->weights;
  b->engine.sections = &b->section;
  b->engine.section_count = 1;
  b->section.device_class = "cpu vendor:any family:0 model:0 isa:baseline l1d:32k l2:1m l3:32m mem:1g";
  b->section.threads = 1;
  b->section.compiler = "";
  b->section.plan = (struct plan){.symbols = b->symbols,
                                  .values = b->values,
                                  .blocks = b->blocks,
                                  .input_types = b->input_types,
                                  .output_types = b->output_types,
                                  .block_count = 1};
  for (int i = 0; i < 8; i++)
    b->blocks[i] = (struct plan_block){.steps = b->steps[i], .inputs = b->block_inputs[i], .outputs = b->block_outputs[i]};
  return b;
}

BUILDER_FN uint32_t builder_symbol(struct plan_builder *b, const char *name, int64_t min, int64_t opt, int64_t max) {
  b->symbols[b->section.plan.symbol_count] = (struct plan_symbol){name, min, opt, max};
  return (uint32_t)b->section.plan.symbol_count++;
}

BUILDER_FN int64_t builder_dim(const struct plan_builder *b, int64_t dim, bool largest) {
  if (dim > DIM_FIRST_SYMBOL) return dim;
  const struct plan_symbol *symbol = &b->symbols[DIM_FIRST_SYMBOL - dim];
  return largest ? symbol->max : symbol->opt;
}

BUILDER_FN struct tensor builder_at(const struct plan_builder *b, struct tensor type, bool largest) {
  for (int i = 0; i < type.rank; i++) type.dims[i] = builder_dim(b, type.dims[i], largest);
  return type;
}

/* `type` may hold symbols; reserved for the largest shapes. */
BUILDER_FN uint32_t builder_value(struct plan_builder *b, const char *name, enum value_place place, struct tensor type) {
  struct plan *plan = &b->section.plan;
  REQUIRE(plan->value_count < BUILDER_MOST);
  struct tensor largest = builder_at(b, type, true);
  size_t bytes = tensor_bytes(&largest);
  bool sized = bytes != SIZE_MAX && place != VALUE_POOLED && place != VALUE_HOST && place != VALUE_NONE;
  struct plan_value *value = &b->values[plan->value_count];
  *value = (struct plan_value){
      name,         builder_at(b, type, false), tensor_bytes(&type) != SIZE_MAX, place, 0, sized ? bytes : 0, PLAN_NO_INDEX,
      PLAN_NO_INDEX};
  if (place == VALUE_ARENA) {
    value->offset = plan->arena_bytes;
    plan->arena_bytes += (bytes + 63) / 64 * 64;
    plan->lower_bound_bytes = plan->arena_bytes;
  }
  return (uint32_t)plan->value_count++;
}

BUILDER_FN uint32_t builder_input(struct plan_builder *b, const char *name, struct tensor type) {
  uint32_t value = builder_value(b, name, VALUE_INPUT, type);
  b->input_types[b->blocks[0].input_count] = type;
  b->block_inputs[0][b->blocks[0].input_count++] = value;
  return value;
}

BUILDER_FN void builder_gives(struct plan_builder *b, int block, uint32_t value, struct tensor type) {
  if (block == 0) b->output_types[b->blocks[0].output_count] = type;
  b->block_outputs[block][b->blocks[block].output_count++] = value;
}

BUILDER_FN void builder_takes(struct plan_builder *b, int block, uint32_t value) {
  b->block_inputs[block][b->blocks[block].input_count++] = value;
}

BUILDER_FN uint32_t builder_output(struct plan_builder *b, const char *name, struct tensor type) {
  uint32_t value = builder_value(b, name, VALUE_OUTPUT, type);
  builder_gives(b, 0, value, type);
  return value;
}

BUILDER_FN uint32_t builder_view(struct plan_builder *b, const char *name, uint32_t of, uint64_t offset, struct tensor type) {
  uint32_t value = builder_value(b, name, VALUE_VIEW, type);
  b->values[value].of = of;
  b->values[value].offset = offset;
  return value;
}

/* `data` must outlive the builder. */
BUILDER_FN uint32_t builder_weight(struct plan_builder *b, const void *data, size_t bytes) {
  b->weights[b->engine.weight_count] = (struct engine_weight){digest_of(data, bytes), bytes, 0, data};
  return (uint32_t)b->engine.weight_count++;
}

BUILDER_FN uint32_t builder_constant(struct plan_builder *b, const char *name, struct tensor type, const void *data) {
  uint32_t value = builder_value(b, name, VALUE_CONSTANT, type);
  b->values[value].weight = builder_weight(b, data, tensor_bytes(&type));
  return value;
}

BUILDER_FN struct plan_step *builder_step(struct plan_builder *b, int block, enum step_kind kind, const char *op, int version,
                                          const uint32_t *inputs, int input_count, const uint32_t *outputs, int output_count) {
  struct plan_step *step = &b->steps[block][b->blocks[block].step_count++];
  *step = (struct plan_step){.kind = kind,
                             .name = op,
                             .origin = op,
                             .domain = "",
                             .op = op,
                             .since_version = version,
                             .opset = version,
                             .input_count = input_count,
                             .output_count = output_count,
                             .inputs = arena_copy(&b->engine.arena, inputs, (size_t)input_count * 4),
                             .outputs = arena_copy(&b->engine.arena, outputs, (size_t)output_count * 4),
                             .blocks = {PLAN_NO_INDEX, PLAN_NO_INDEX},
                             .variant = "",
                             .packed_weight = PLAN_NO_INDEX,
                             .image = PLAN_NO_INDEX,
                             .library = "",
                             .fallback = "",
                             .fallback_image = PLAN_NO_INDEX,
                             .problem = ""};
  return step;
}

BUILDER_FN void builder_attr(struct plan_builder *b, struct plan_step *step, struct attr attr) {
  struct attr *items = arena_alloc_array(&b->engine.arena, (size_t)step->attrs.count + 1, sizeof *items);
  REQUIRE(items);
  if (step->attrs.count) memcpy(items, step->attrs.items, (size_t)step->attrs.count * sizeof *items);
  items[step->attrs.count++] = attr;
  step->attrs.items = items;
}

BUILDER_FN int builder_block(struct plan_builder *b) { return b->section.plan.block_count++; }

/* The file's bytes, 64-byte aligned, and its length; free() them. */
BUILDER_FN uint8_t *builder_bytes(struct plan_builder *b, size_t *out_length) {
  struct bytes_writer out = {0};
  REQUIRE_OK(engine_encode(&b->engine, &out));
  uint8_t *bytes = aligned_alloc(64, (out.length + 63) / 64 * 64);
  REQUIRE(bytes);
  memcpy(bytes, out.data, out.length);
  *out_length = out.length;
  bytes_writer_free(&out);
  return bytes;
}

BUILDER_FN void builder_free(struct plan_builder *b) {
  arena_free(&b->engine.arena);
  free(b);
}

#endif

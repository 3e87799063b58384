/* struct engine ──► bytes, as docs/formats/engine.md lays them out: header, table of contents, metadata, weights. */
#include "engine-file.h"
#include "engine-layout.h"

#include "../../base/file.h"

#include <string.h>

/* ---- records: a length that is known when they end ---- */

static size_t record_begin(struct bytes_writer *out) {
  bytes_put_u32(out, 0);
  return out->length;
}

static void patch(struct bytes_writer *out, size_t at, uint64_t value, size_t bytes) {
  if (out->failed) return;
  for (size_t i = 0; i < bytes; i++) out->data[at + i] = (uint8_t)(value >> (8 * i));
}

static void record_end(struct bytes_writer *out, size_t begin) {
  if (!out->failed && out->length - begin > UINT32_MAX) out->failed = true;
  patch(out, begin - 4, out->length - begin, 4);
}

static void put_indices(struct bytes_writer *out, const uint32_t *indices, int count) {
  bytes_put_u32(out, (uint32_t)count);
  for (int i = 0; i < count; i++) bytes_put_u32(out, indices[i]);
}

static void put_type(struct bytes_writer *out, const struct tensor *type) {
  bytes_put_u32(out, (uint32_t)type->dtype);
  bytes_put_u32(out, (uint32_t)type->rank);
  for (int i = 0; i < type->rank; i++) bytes_put_i64(out, type->dims[i]);
}

/* ---- attributes ---- */

static enum farm_status put_tensor(struct bytes_writer *out, const struct attr *attr) {
  size_t bytes = tensor_bytes(attr->tensor);
  FAIL_IF(bytes > UINT32_MAX, FARM_INVALID, "attribute %s: a tensor that cannot be stored", attr->name);
  put_type(out, attr->tensor);
  bytes_put_blob(out, attr->tensor->data, bytes);
  return FARM_OK;
}

static void put_list(struct bytes_writer *out, const struct attr *attr) {
  bytes_put_u32(out, (uint32_t)attr->count);
  for (int i = 0; i < attr->count; i++) {
    if (attr->type == ATTR_FLOATS)
      bytes_put_f32(out, attr->floats[i]);
    else if (attr->type == ATTR_INTS)
      bytes_put_i64(out, attr->ints[i]);
    else
      bytes_put_string(out, attr->strings[i]);
  }
}

static enum farm_status put_attr(struct bytes_writer *out, const struct attr *attr) {
  FAIL_IF(attr->type == ATTR_GRAPH, FARM_INVALID, "attribute %s is a graph; a plan has blocks instead", attr->name);
  size_t begin = record_begin(out);
  bytes_put_string(out, attr->name);
  bytes_put_u8(out, (uint8_t)attr->type);
  if (attr->type == ATTR_FLOAT)
    bytes_put_f32(out, attr->f);
  else if (attr->type == ATTR_INT)
    bytes_put_i64(out, attr->i);
  else if (attr->type == ATTR_STRING)
    bytes_put_blob(out, attr->s, attr->length);
  else if (attr->type == ATTR_TENSOR)
    TRY(put_tensor(out, attr));
  else
    put_list(out, attr);
  record_end(out, begin);
  return FARM_OK;
}

/* ---- plans ---- */

static enum farm_status put_step(struct bytes_writer *out, const struct plan_step *step) {
  size_t begin = record_begin(out);
  bytes_put_u8(out, (uint8_t)step->kind);
  bytes_put_string(out, step->name);
  bytes_put_string(out, step->origin);
  bytes_put_string(out, step->domain);
  bytes_put_string(out, step->op);
  bytes_put_u32(out, (uint32_t)step->since_version);
  bytes_put_u32(out, (uint32_t)step->opset);
  bytes_put_u32(out, (uint32_t)step->attrs.count);
  for (int i = 0; i < step->attrs.count; i++) TRY(put_attr(out, &step->attrs.items[i]));
  put_indices(out, step->inputs, step->input_count);
  put_indices(out, step->outputs, step->output_count);
  bytes_put_u32(out, step->blocks[0]);
  bytes_put_u32(out, step->blocks[1]);
  bytes_put_string(out, step->variant);
  bytes_put_u32(out, step->packing_revision);
  bytes_put_u32(out, step->packed_weight);
  bytes_put_u32(out, step->packed_input);
  bytes_put_u64(out, step->workspace_offset);
  bytes_put_u64(out, step->workspace_bytes);
  bytes_put_string(out, step->problem);
  bytes_put_f64(out, step->estimated_ns);
  bytes_put_f64(out, step->median_ns);
  bytes_put_f64(out, step->ci95_ns);
  bytes_put_u32(out, step->candidates);
  bytes_put_u32(out, step->ties);
  bytes_put_f32(out, step->error);
  bytes_put_u32(out, step->image);
  bytes_put_string(out, step->library);
  bytes_put_string(out, step->fallback);
  bytes_put_u32(out, step->fallback_image);
  record_end(out, begin);
  return FARM_OK;
}

static void put_value(struct bytes_writer *out, const struct plan_value *value) {
  size_t begin = record_begin(out);
  bytes_put_string(out, value->name);
  put_type(out, &value->type);
  bytes_put_u8(out, value->fixed);
  bytes_put_u8(out, (uint8_t)value->place);
  bytes_put_u64(out, value->offset);
  bytes_put_u64(out, value->bytes);
  bytes_put_u32(out, value->of);
  bytes_put_u32(out, value->weight);
  record_end(out, begin);
}

static void put_symbol(struct bytes_writer *out, const struct plan_symbol *symbol) {
  size_t begin = record_begin(out);
  bytes_put_string(out, symbol->name);
  bytes_put_i64(out, symbol->min);
  bytes_put_i64(out, symbol->opt);
  bytes_put_i64(out, symbol->max);
  record_end(out, begin);
}

static enum farm_status put_block(struct bytes_writer *out, const struct plan_block *block) {
  size_t begin = record_begin(out);
  bytes_put_u32(out, (uint32_t)block->step_count);
  for (int i = 0; i < block->step_count; i++) {
    enum farm_status status = put_step(out, &block->steps[i]);
    if (status != FARM_OK) return status_prefix(status, "step %s", block->steps[i].name);
  }
  put_indices(out, block->inputs, block->input_count);
  put_indices(out, block->outputs, block->output_count);
  record_end(out, begin);
  return FARM_OK;
}

static enum farm_status put_section(struct bytes_writer *out, const struct engine_section *section) {
  const struct plan *plan = &section->plan;
  size_t begin = record_begin(out);
  bytes_put_string(out, section->device_class);
  bytes_put_u32(out, (uint32_t)section->threads);
  bytes_put_u8(out, section->measured);
  bytes_put_u64(out, plan->arena_bytes);
  bytes_put_u64(out, plan->lower_bound_bytes);
  bytes_put_u32(out, (uint32_t)plan->symbol_count);
  for (int i = 0; i < plan->symbol_count; i++) put_symbol(out, &plan->symbols[i]);
  bytes_put_u32(out, (uint32_t)plan->value_count);
  for (int i = 0; i < plan->value_count; i++) put_value(out, &plan->values[i]);
  bytes_put_u32(out, (uint32_t)plan->block_count);
  for (int i = 0; i < plan->block_count; i++) TRY(put_block(out, &plan->blocks[i]));
  for (int i = 0; i < plan->blocks[0].input_count; i++) put_type(out, &plan->input_types[i]);
  for (int i = 0; i < plan->blocks[0].output_count; i++) put_type(out, &plan->output_types[i]);
  bytes_put_u32(out, (uint32_t)section->sm);
  bytes_put_string(out, section->compiler);
  record_end(out, begin);
  return FARM_OK;
}

/* ---- weights ---- */

static uint64_t weights_place(struct engine *engine) {
  uint64_t at = 0;
  for (int i = 0; i < engine->weight_count; i++) {
    at = (at + ENGINE_WEIGHT_ALIGN - 1) / ENGINE_WEIGHT_ALIGN * ENGINE_WEIGHT_ALIGN;
    engine->weights[i].offset = at;
    at += engine->weights[i].bytes;
  }
  return at;
}

static void put_weight(struct bytes_writer *out, const struct engine_weight *weight) {
  size_t begin = record_begin(out);
  bytes_put(out, weight->digest.bytes, DIGEST_BYTES);
  bytes_put_u64(out, weight->bytes);
  bytes_put_u64(out, weight->offset);
  bytes_put_u32(out, 0);
  record_end(out, begin);
}

static enum farm_status put_metadata(struct bytes_writer *out, const struct engine *engine) {
  bytes_put_string(out, engine->model_name);
  bytes_put(out, engine->model_digest.bytes, DIGEST_BYTES);
  bytes_put_string(out, engine->build);
  bytes_put_string(out, engine->options);
  bytes_put(out, engine->lock_digest.bytes, DIGEST_BYTES);
  bytes_put_u32(out, (uint32_t)engine->weight_count);
  for (int i = 0; i < engine->weight_count; i++) put_weight(out, &engine->weights[i]);
  bytes_put_u32(out, (uint32_t)engine->section_count);
  for (int i = 0; i < engine->section_count; i++) {
    enum farm_status status = put_section(out, &engine->sections[i]);
    if (status != FARM_OK) return status_prefix(status, "section %d", i);
  }
  return FARM_OK;
}

/* ---- the file ---- */

static void put_zeros(struct bytes_writer *out, size_t count) {
  for (size_t i = 0; i < count; i++) bytes_put_u8(out, 0);
}

static void put_entry(struct bytes_writer *out, enum engine_area kind) {
  bytes_put_u32(out, kind);
  bytes_put_u32(out, ENGINE_REQUIRED);
  put_zeros(out, ENGINE_ENTRY_BYTES - 8);
}

static void patch_entry(struct bytes_writer *out, int index, uint64_t offset, uint64_t length, const struct digest *digest) {
  size_t at = ENGINE_HEADER_BYTES + (size_t)index * ENGINE_ENTRY_BYTES;
  patch(out, at + 8, offset, 8);
  patch(out, at + 16, length, 8);
  if (digest && !out->failed) memcpy(out->data + at + 24, digest->bytes, DIGEST_BYTES);
}

static void put_weight_area(struct bytes_writer *out, const struct engine *engine, size_t area) {
  for (int i = 0; i < engine->weight_count && !out->failed; i++) {
    const struct engine_weight *weight = &engine->weights[i];
    put_zeros(out, area + weight->offset - out->length);
    bytes_put(out, weight->data, weight->bytes);
  }
}

enum farm_status engine_encode(struct engine *engine, struct bytes_writer *out) {
  size_t start = out->length;
  FAIL_IF(start != 0, FARM_FAILURE, "an engine begins a file");
  enum { ENTRIES = 2, AREA_AT = ENGINE_HEADER_BYTES + ENTRIES * ENGINE_ENTRY_BYTES };
  uint64_t weight_bytes = weights_place(engine);
  bytes_put(out, ENGINE_MAGIC, 8);
  bytes_put_u32(out, ENGINE_FORMAT_VERSION);
  bytes_put_u32(out, ENGINE_BYTE_ORDER);
  bytes_put_u64(out, 0);
  bytes_put_u32(out, ENTRIES);
  put_zeros(out, ENGINE_HEADER_BYTES - 28);
  put_entry(out, ENGINE_METADATA);
  put_entry(out, ENGINE_WEIGHTS);
  TRY(put_metadata(out, engine));
  size_t metadata_bytes = out->length - AREA_AT;
  bytes_align(out, ENGINE_PAGE);
  size_t area = out->length;
  put_weight_area(out, engine, area);
  FAIL_IF(out->failed, FARM_NO_MEMORY, "out of memory for an engine of %llu bytes of weights", (unsigned long long)weight_bytes);
  struct digest metadata = digest_of(out->data + AREA_AT, metadata_bytes);
  patch_entry(out, 0, AREA_AT, metadata_bytes, &metadata);
  patch_entry(out, 1, area, weight_bytes, NULL);
  patch(out, 16, out->length, 8);
  engine->digest = digest_of(out->data, AREA_AT);
  memcpy(out->data + ENGINE_DIGEST_AT, engine->digest.bytes, DIGEST_BYTES);
  return FARM_OK;
}

enum farm_status engine_write(struct engine *engine, const char *path) {
  struct bytes_writer out = {0};
  enum farm_status status = engine_encode(engine, &out);
  if (status == FARM_OK) status = file_write_atomic(path, out.data, out.length);
  bytes_writer_free(&out);
  return status;
}

/* Bytes ──► struct engine, believing nothing: header and digests first, then counts against what can be there, then plan_check.
 * Weights stay where they are in the map. */
#include "engine-file.h"
#include "engine-layout.h"

#include "../../base/file.h"

#include <stdlib.h>
#include <string.h>

/* What a decoder needs at every step. */
struct reader {
  struct bytes_reader in;
  struct arena *arena;
  uint32_t version; // of the file
};

static struct reader record_open(struct reader *outer) {
  size_t length;
  const uint8_t *data = bytes_get_blob(&outer->in, &length);
  struct reader record = {bytes_reader_of(data, length), outer->arena, outer->version};
  record.in.failed = data == NULL;
  return record;
}

/* What a record has left unread is from a later writer, and can be ignored; reading past it is an error of the whole. */
static void record_close(struct reader *outer, const struct reader *record) {
  if (!bytes_reader_ok(&record->in)) outer->in.failed = true;
}

/* A list's items, each of at least `least_bytes` in the file; never NULL unless it failed. */
static void *list_open(struct reader *reader, size_t least_bytes, size_t item_bytes, int *out_count) {
  uint32_t count = bytes_get_count(&reader->in, least_bytes);
  void *items = count > INT32_MAX ? NULL : arena_alloc_array(reader->arena, (size_t)count + 1, item_bytes);
  if (!items) reader->in.failed = true;
  *out_count = reader->in.failed ? 0 : (int)count;
  return items;
}

static const char *get_text(struct reader *reader) { return bytes_get_string(&reader->in, reader->arena); }

static struct digest get_digest(struct reader *reader) {
  struct digest digest = {0};
  const uint8_t *bytes = bytes_get(&reader->in, DIGEST_BYTES);
  if (bytes) memcpy(digest.bytes, bytes, DIGEST_BYTES);
  return digest;
}

static const uint32_t *get_indices(struct reader *reader, int *out_count) {
  uint32_t *items = list_open(reader, 4, sizeof *items, out_count);
  for (int i = 0; i < *out_count; i++) items[i] = bytes_get_u32(&reader->in);
  return items;
}

static struct tensor get_type(struct reader *reader) {
  struct tensor type = {.dtype = (enum dtype)bytes_get_u32(&reader->in), .rank = (int)bytes_get_u32(&reader->in)};
  if ((type.dtype != DTYPE_NONE && !dtype_known((int)type.dtype)) || type.rank < -1 || type.rank > TENSOR_MAX_RANK) {
    reader->in.failed = true;
    return (struct tensor){.rank = -1};
  }
  for (int i = 0; i < type.rank; i++) type.dims[i] = bytes_get_i64(&reader->in);
  return type;
}

/* ---- attributes ---- */

static const struct tensor *get_tensor(struct reader *reader) {
  struct tensor *tensor = arena_alloc(reader->arena, sizeof *tensor);
  struct tensor type = get_type(reader);
  size_t length;
  const uint8_t *data = bytes_get_blob(&reader->in, &length);
  void *copy = data && tensor_bytes(&type) == length ? arena_copy(reader->arena, data, length) : NULL;
  if (!tensor || !copy) {
    reader->in.failed = true;
    return NULL;
  }
  *tensor = type;
  tensor->data = copy;
  return tensor;
}

static void get_string_attr(struct reader *reader, struct attr *attr) {
  size_t length;
  const uint8_t *data = bytes_get_blob(&reader->in, &length);
  attr->s = data ? arena_string(reader->arena, (const char *)data, length) : NULL;
  attr->length = length;
  if (!attr->s) reader->in.failed = true;
}

static void get_floats(struct reader *reader, struct attr *attr) {
  float *items = list_open(reader, 4, sizeof *items, &attr->count);
  for (int i = 0; i < attr->count; i++) items[i] = bytes_get_f32(&reader->in);
  attr->floats = items;
}

static void get_ints(struct reader *reader, struct attr *attr) {
  int64_t *items = list_open(reader, 8, sizeof *items, &attr->count);
  for (int i = 0; i < attr->count; i++) items[i] = bytes_get_i64(&reader->in);
  attr->ints = items;
}

static void get_strings(struct reader *reader, struct attr *attr) {
  const char **items = list_open(reader, 4, sizeof *items, &attr->count);
  for (int i = 0; i < attr->count; i++) items[i] = get_text(reader);
  attr->strings = items;
}

static void get_attr(struct reader *outer, struct attr *attr) {
  struct reader reader = record_open(outer);
  *attr = (struct attr){.name = get_text(&reader), .count = 1};
  attr->type = (enum attr_type)bytes_get_u8(&reader.in);
  if (attr->type == ATTR_FLOAT)
    attr->f = bytes_get_f32(&reader.in);
  else if (attr->type == ATTR_INT)
    attr->i = bytes_get_i64(&reader.in);
  else if (attr->type == ATTR_STRING)
    get_string_attr(&reader, attr);
  else if (attr->type == ATTR_TENSOR)
    attr->tensor = get_tensor(&reader);
  else if (attr->type == ATTR_FLOATS)
    get_floats(&reader, attr);
  else if (attr->type == ATTR_INTS)
    get_ints(&reader, attr);
  else if (attr->type == ATTR_STRINGS)
    get_strings(&reader, attr);
  else
    reader.in.failed = true;
  record_close(outer, &reader);
}

/* ---- plans ---- */

static void get_step(struct reader *outer, struct plan_step *step) {
  struct reader reader = record_open(outer);
  step->kind = (enum step_kind)bytes_get_u8(&reader.in);
  step->name = get_text(&reader);
  step->origin = get_text(&reader);
  step->domain = get_text(&reader);
  step->op = get_text(&reader);
  step->since_version = (int)bytes_get_u32(&reader.in);
  step->opset = (int)bytes_get_u32(&reader.in);
  struct attr *attrs = list_open(&reader, 4 + 4 + 1 + 4, sizeof *attrs, &step->attrs.count);
  for (int i = 0; i < step->attrs.count; i++) get_attr(&reader, &attrs[i]);
  step->attrs.items = attrs;
  step->inputs = get_indices(&reader, &step->input_count);
  step->outputs = get_indices(&reader, &step->output_count);
  step->blocks[0] = bytes_get_u32(&reader.in);
  step->blocks[1] = bytes_get_u32(&reader.in);
  step->variant = get_text(&reader);
  step->packing_revision = bytes_get_u32(&reader.in);
  step->packed_weight = bytes_get_u32(&reader.in);
  step->packed_input = bytes_get_u32(&reader.in);
  step->workspace_offset = bytes_get_u64(&reader.in);
  step->workspace_bytes = bytes_get_u64(&reader.in);
  step->problem = get_text(&reader);
  step->estimated_ns = bytes_get_f64(&reader.in);
  step->median_ns = bytes_get_f64(&reader.in);
  step->ci95_ns = bytes_get_f64(&reader.in);
  step->candidates = bytes_get_u32(&reader.in);
  step->ties = bytes_get_u32(&reader.in);
  step->error = bytes_get_f32(&reader.in);
  step->image = reader.version >= 2 ? bytes_get_u32(&reader.in) : PLAN_NO_INDEX;
  step->library = reader.version >= 2 ? get_text(&reader) : "";
  step->fallback = reader.version >= 2 ? get_text(&reader) : "";
  step->fallback_image = reader.version >= 2 ? bytes_get_u32(&reader.in) : PLAN_NO_INDEX;
  record_close(outer, &reader);
}

static void get_value(struct reader *outer, struct plan_value *value) {
  struct reader reader = record_open(outer);
  value->name = get_text(&reader);
  value->type = get_type(&reader);
  value->fixed = bytes_get_u8(&reader.in) != 0;
  value->place = (enum value_place)bytes_get_u8(&reader.in);
  value->offset = bytes_get_u64(&reader.in);
  value->bytes = bytes_get_u64(&reader.in);
  value->of = bytes_get_u32(&reader.in);
  value->weight = bytes_get_u32(&reader.in);
  record_close(outer, &reader);
}

static void get_symbol(struct reader *outer, struct plan_symbol *symbol) {
  struct reader reader = record_open(outer);
  symbol->name = get_text(&reader);
  symbol->min = bytes_get_i64(&reader.in);
  symbol->opt = bytes_get_i64(&reader.in);
  symbol->max = bytes_get_i64(&reader.in);
  record_close(outer, &reader);
}

enum { LEAST_STEP = 4 + 1 + 5 * 4 + 4 * 2 + 3 * 4 + 2 * 4 + 4, LEAST_VALUE = 4 + 4 + 8 + 2 };

static void get_block(struct reader *outer, struct plan_block *block) {
  struct reader reader = record_open(outer);
  block->steps = list_open(&reader, LEAST_STEP, sizeof *block->steps, &block->step_count);
  for (int i = 0; i < block->step_count && !reader.in.failed; i++) get_step(&reader, &block->steps[i]);
  block->inputs = get_indices(&reader, &block->input_count);
  block->outputs = get_indices(&reader, &block->output_count);
  record_close(outer, &reader);
}

static struct tensor *get_types(struct reader *reader, int count) {
  struct tensor *types = arena_alloc_array(reader->arena, (size_t)count + 1, sizeof *types);
  if (!types) reader->in.failed = true;
  for (int i = 0; i < count && !reader->in.failed; i++) types[i] = get_type(reader);
  return types;
}

static void get_section(struct reader *outer, struct engine_section *section) {
  struct reader reader = record_open(outer);
  struct plan *plan = &section->plan;
  section->device_class = get_text(&reader);
  section->threads = (int)bytes_get_u32(&reader.in);
  section->measured = bytes_get_u8(&reader.in) != 0;
  plan->arena_bytes = bytes_get_u64(&reader.in);
  plan->lower_bound_bytes = bytes_get_u64(&reader.in);
  plan->symbols = list_open(&reader, 4 + 4 + 24, sizeof *plan->symbols, &plan->symbol_count);
  for (int i = 0; i < plan->symbol_count; i++) get_symbol(&reader, &plan->symbols[i]);
  plan->values = list_open(&reader, LEAST_VALUE, sizeof *plan->values, &plan->value_count);
  for (int i = 0; i < plan->value_count && !reader.in.failed; i++) get_value(&reader, &plan->values[i]);
  plan->blocks = list_open(&reader, 4 + 12, sizeof *plan->blocks, &plan->block_count);
  for (int i = 0; i < plan->block_count && !reader.in.failed; i++) get_block(&reader, &plan->blocks[i]);
  if (plan->block_count > 0 && !reader.in.failed) {
    plan->input_types = get_types(&reader, plan->blocks[0].input_count);
    plan->output_types = get_types(&reader, plan->blocks[0].output_count);
  }
  section->sm = reader.version >= 2 ? (int)bytes_get_u32(&reader.in) : 0;
  section->compiler = reader.version >= 2 ? get_text(&reader) : "";
  record_close(outer, &reader);
}

/* ---- the file ---- */

struct areas {
  const uint8_t *metadata, *weights;
  size_t metadata_bytes, weight_bytes;
};

struct header {
  uint32_t version, entries;
  struct digest digest;
};

static bool all_zero(const uint8_t *data, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (data[i]) return false;
  return true;
}

static enum farm_status header_check(const uint8_t *data, size_t length, struct header *out) {
  FAIL_IF(length < ENGINE_HEADER_BYTES, FARM_INVALID, "%zu bytes are too few for an engine", length);
  FAIL_IF(memcmp(data, ENGINE_MAGIC, 8) != 0, FARM_INVALID, "not an engine file");
  struct bytes_reader in = bytes_reader_of(data + 8, ENGINE_HEADER_BYTES - 8);
  uint32_t version = bytes_get_u32(&in), order = bytes_get_u32(&in);
  uint64_t said = bytes_get_u64(&in);
  uint32_t entries = bytes_get_u32(&in), zero = bytes_get_u32(&in);
  FAIL_IF(order != ENGINE_BYTE_ORDER, FARM_MISMATCH, "an engine of another byte order");
  FAIL_IF(version < ENGINE_OLDEST_VERSION || version > ENGINE_FORMAT_VERSION, FARM_MISMATCH,
          "engine format %u; this tunefarm reads %d to %d", version, ENGINE_OLDEST_VERSION, ENGINE_FORMAT_VERSION);
  FAIL_IF(said != length, FARM_INVALID, "engine of %zu bytes says it has %llu", length, (unsigned long long)said);
  FAIL_IF(entries < 1 || entries > ENGINE_MOST_ENTRIES || zero, FARM_INVALID, "engine with %u areas", entries);
  size_t bytes = ENGINE_HEADER_BYTES + (size_t)entries * ENGINE_ENTRY_BYTES;
  FAIL_IF(length < bytes, FARM_INVALID, "engine ends in its table of contents");
  struct digest_state state;
  static const uint8_t zeros[DIGEST_BYTES];
  digest_begin(&state);
  digest_add(&state, data, ENGINE_DIGEST_AT);
  digest_add(&state, zeros, DIGEST_BYTES);
  digest_add(&state, data + ENGINE_HEADER_BYTES, bytes - ENGINE_HEADER_BYTES);
  *out = (struct header){version, entries, digest_end(&state)};
  FAIL_IF(memcmp(out->digest.bytes, data + ENGINE_DIGEST_AT, DIGEST_BYTES) != 0, FARM_INVALID, "engine with a damaged header");
  return FARM_OK;
}

static enum farm_status area_add(const uint8_t *data, uint32_t kind, uint32_t flags, const uint8_t *digest, uint64_t offset,
                                 uint64_t length, struct areas *areas) {
  if (kind == ENGINE_METADATA) {
    FAIL_IF(areas->metadata, FARM_INVALID, "engine with two metadata areas");
    struct digest found = digest_of(data + offset, length);
    FAIL_IF(memcmp(found.bytes, digest, DIGEST_BYTES) != 0, FARM_INVALID, "engine with damaged metadata");
    areas->metadata = data + offset;
    areas->metadata_bytes = length;
  } else if (kind == ENGINE_WEIGHTS) {
    FAIL_IF(areas->weights || offset % ENGINE_PAGE, FARM_INVALID, "engine with misplaced weights");
    areas->weights = data + offset;
    areas->weight_bytes = length;
  } else {
    FAIL_IF(flags & ENGINE_REQUIRED, FARM_MISMATCH, "engine needs area %u, which this tunefarm does not know", kind);
  }
  return FARM_OK;
}

static enum farm_status areas_find(const uint8_t *data, size_t length, uint32_t entries, struct areas *areas) {
  struct bytes_reader in = bytes_reader_of(data + ENGINE_HEADER_BYTES, (size_t)entries * ENGINE_ENTRY_BYTES);
  uint64_t at = ENGINE_HEADER_BYTES + (uint64_t)entries * ENGINE_ENTRY_BYTES;
  for (uint32_t i = 0; i < entries; i++) {
    uint32_t kind = bytes_get_u32(&in), flags = bytes_get_u32(&in);
    uint64_t offset = bytes_get_u64(&in), bytes = bytes_get_u64(&in);
    const uint8_t *digest = bytes_get(&in, DIGEST_BYTES);
    bytes_get_u64(&in);
    FAIL_IF(offset < at || offset > length || bytes > length - offset, FARM_INVALID, "engine area %u lies outside the file",
            kind);
    FAIL_IF(offset - at >= ENGINE_PAGE || !all_zero(data + at, offset - at), FARM_INVALID, "engine with bytes between its areas");
    TRY(area_add(data, kind, flags, digest, offset, bytes, areas));
    at = offset + bytes;
  }
  FAIL_IF(at != length, FARM_INVALID, "engine with bytes behind its areas");
  FAIL_IF(!areas->metadata || !areas->weights, FARM_INVALID, "engine without metadata or weights");
  return FARM_OK;
}

static enum farm_status get_weights(struct reader *reader, const struct areas *areas, struct engine *engine) {
  enum { LEAST = 4 + DIGEST_BYTES + 8 + 8 + 4 };
  uint64_t at = 0;
  engine->weights = list_open(reader, LEAST, sizeof *engine->weights, &engine->weight_count);
  for (int i = 0; i < engine->weight_count && !reader->in.failed; i++) {
    struct engine_weight *weight = &engine->weights[i];
    struct reader record = record_open(reader);
    weight->digest = get_digest(&record);
    weight->bytes = bytes_get_u64(&record.in);
    weight->offset = bytes_get_u64(&record.in);
    uint32_t flags = bytes_get_u32(&record.in);
    record_close(reader, &record);
    if (reader->in.failed) break;
    FAIL_IF(flags, FARM_MISMATCH, "weight %d is stored in a way this tunefarm does not know", i);
    FAIL_IF(weight->offset % ENGINE_WEIGHT_ALIGN || weight->offset < at || weight->offset > areas->weight_bytes ||
                weight->bytes > areas->weight_bytes - weight->offset,
            FARM_INVALID, "weight %d lies outside the weights", i);
    at = weight->offset + weight->bytes;
    weight->data = areas->weights + weight->offset;
  }
  return FARM_OK;
}

static enum farm_status weights_verify(const struct engine *engine, const struct areas *areas) {
  uint64_t at = 0;
  for (int i = 0; i < engine->weight_count; i++) {
    const struct engine_weight *weight = &engine->weights[i];
    struct digest found = digest_of(weight->data, weight->bytes);
    FAIL_IF(!digest_equal(&found, &weight->digest), FARM_INVALID, "weight %d is damaged", i);
    FAIL_IF(!all_zero(areas->weights + at, weight->offset - at), FARM_INVALID, "engine with bytes between its weights");
    at = weight->offset + weight->bytes;
  }
  FAIL_IF(!all_zero(areas->weights + at, areas->weight_bytes - at), FARM_INVALID, "engine with bytes behind its weights");
  return FARM_OK;
}

static enum farm_status metadata_read(const struct areas *areas, uint32_t version, struct engine *engine) {
  struct reader reader = {bytes_reader_of(areas->metadata, areas->metadata_bytes), &engine->arena, version};
  engine->model_name = get_text(&reader);
  engine->model_digest = get_digest(&reader);
  engine->build = get_text(&reader);
  engine->options = get_text(&reader);
  engine->lock_digest = get_digest(&reader);
  TRY(get_weights(&reader, areas, engine));
  engine->sections = list_open(&reader, 4 + 4 + 4 + 1 + 16 + 12, sizeof *engine->sections, &engine->section_count);
  for (int i = 0; i < engine->section_count && !reader.in.failed; i++) get_section(&reader, &engine->sections[i]);
  FAIL_IF(!bytes_reader_finished(&reader.in), FARM_INVALID, "engine with malformed metadata");
  return FARM_OK;
}

/* Constants point into the map. The length was checked by plan_check. */
static void constants_bind(struct engine *engine) {
  for (int s = 0; s < engine->section_count; s++) {
    struct plan *plan = &engine->sections[s].plan;
    for (int v = 0; v < plan->value_count; v++)
      if (plan->values[v].place == VALUE_CONSTANT)
        plan->values[v].type.data = (void *)(uintptr_t)engine->weights[plan->values[v].weight].data;
  }
}

static enum farm_status engine_fill(const uint8_t *data, size_t length, bool verify_weights, struct engine *engine) {
  struct header header;
  struct areas areas = {0};
  TRY(header_check(data, length, &header));
  engine->digest = header.digest;
  engine->version = (int)header.version;
  TRY(areas_find(data, length, header.entries, &areas));
  engine->arena.limit_bytes = areas.metadata_bytes * 32 + (1 << 20); // the least records become about 10 times as large
  TRY(metadata_read(&areas, header.version, engine));
  for (int i = 0; i < engine->section_count; i++) {
    enum farm_status status = section_check(&engine->sections[i], engine);
    if (status != FARM_OK) return status_prefix(status, "section %d", i);
  }
  if (verify_weights) TRY(weights_verify(engine, &areas));
  engine->arena.limit_bytes = 0;
  constants_bind(engine);
  return FARM_OK;
}

enum farm_status engine_decode(const void *data, size_t length, bool verify_weights, struct engine **out_engine) {
  struct engine *engine = calloc(1, sizeof *engine);
  FAIL_IF(!engine, FARM_NO_MEMORY, "out of memory for an engine");
  enum farm_status status = engine_fill(data, length, verify_weights, engine);
  if (status != FARM_OK) {
    engine_close(&engine);
    return status;
  }
  *out_engine = engine;
  return FARM_OK;
}

enum farm_status engine_open(const char *path, bool verify_weights, struct engine **out_engine) {
  struct file_map *map = calloc(1, sizeof *map);
  FAIL_IF(!map, FARM_NO_MEMORY, "out of memory for %s", path);
  enum farm_status status;
  struct engine *engine;
  TRY_OR(file_map_open(path, map), free_map);
  status = engine_decode(map->data, map->length, verify_weights, &engine);
  if (status != FARM_OK) {
    file_map_close(map);
    status = status_prefix(status, "%s", path);
    goto free_map;
  }
  engine->map = map;
  *out_engine = engine;
  return FARM_OK;
free_map:
  free(map);
  return status;
}

void engine_close(struct engine **engine_at) {
  struct engine *engine = *engine_at;
  if (!engine) return;
  if (engine->map) file_map_close(engine->map);
  free(engine->map);
  arena_free(&engine->arena);
  free(engine);
  *engine_at = NULL;
}

/* See pb-schema.h. */
#include "pb-schema.h"

#include "../../base/arena.h"

#include <limits.h>
#include <string.h>

enum { PLACES_NAMED = 8 }; // innermost fields in an error's message; more would push out its cause

struct list { // the layout of any PB_LIST
  void *items;
  int count, capacity;
};

/* Room for `more` items at the end of the list at `where`; the place of the first in *out_items. Counts them in. */
static enum farm_status list_extend(struct arena *arena, void *where, size_t more, size_t item_bytes, void **out_items) {
  struct list list;
  memcpy(&list, where, sizeof list);
  FAIL_IF(more > (size_t)(INT_MAX / 2 - list.count), FARM_INVALID, "a repeated field has too many items");
  *out_items = NULL;
  if (!more) return FARM_OK;
  size_t need = (size_t)list.count + more;
  if (need > (size_t)list.capacity) {
    size_t capacity = (size_t)list.capacity * 2;
    if (capacity < need) capacity = need;
    void *items = arena_alloc_array(arena, capacity, item_bytes);
    if (!items) return FARM_NO_MEMORY;
    if (list.count) memcpy(items, list.items, (size_t)list.count * item_bytes);
    list.items = items;
    list.capacity = (int)capacity;
  }
  *out_items = (char *)list.items + (size_t)list.count * item_bytes;
  list.count = (int)need;
  memcpy(where, &list, sizeof list);
  return FARM_OK;
}

static enum farm_status text_store(struct pb_decoder *decoder, struct pb_slice bytes, const char **out_text) {
  FAIL_IF(bytes.length > decoder->text_bytes, FARM_INVALID, "a text of %zu bytes (at most %zu)", bytes.length,
          decoder->text_bytes);
  FAIL_IF(memchr(bytes.data, 0, bytes.length), FARM_INVALID, "a text holds a zero byte");
  *out_text = arena_string(decoder->arena, (const char *)bytes.data, bytes.length);
  return *out_text ? FARM_OK : FARM_NO_MEMORY;
}

static enum farm_status message_store(struct pb_decoder *decoder, const struct pb_rule *rule, struct pb_slice bytes, void *at) {
  if (rule->repeated) {
    TRY(list_extend(decoder->arena, at, 1, rule->message->bytes, &at));
    return pb_decode(decoder, rule->message, bytes, at);
  }
  void *object;
  memcpy(&object, at, sizeof object);
  if (!object) {
    object = arena_alloc(decoder->arena, rule->message->bytes);
    if (!object) return FARM_NO_MEMORY;
    memcpy(at, &object, sizeof object);
  }
  return pb_decode(decoder, rule->message, bytes, object);
}

static size_t scalar_bytes(enum pb_kind kind) {
  static const size_t bytes[] = {
      [PB_I64] = sizeof(int64_t), [PB_F32] = sizeof(float), [PB_TEXT] = sizeof(char *), [PB_SLICE] = sizeof(struct pb_slice)};
  return bytes[kind];
}

static void number_store(enum pb_kind kind, uint64_t bits, void *at) {
  if (kind == PB_I64)
    memcpy(at, &(int64_t){(int64_t)bits}, sizeof(int64_t));
  else
    memcpy(at, &(float){pb_float(bits)}, sizeof(float));
}

static enum farm_status packed_store(struct pb_decoder *decoder, const struct pb_rule *rule, struct pb_slice bytes, void *at) {
  FAIL_IF(rule->kind == PB_F32 && bytes.length % 4, FARM_INVALID, "packed floats in %zu bytes", bytes.length);
  size_t count = rule->kind == PB_I64 ? pb_varint_count(bytes) : bytes.length / 4;
  char *items;
  TRY(list_extend(decoder->arena, at, count, scalar_bytes(rule->kind), (void **)&items));
  struct pb_reader reader = pb_reader_of(bytes);
  for (size_t i = 0; i < count; i++) {
    uint64_t bits;
    TRY(rule->kind == PB_I64 ? pb_varint(&reader, &bits) : pb_fixed(&reader, 4, &bits));
    number_store(rule->kind, bits, items + i * scalar_bytes(rule->kind));
  }
  FAIL_IF(!pb_finished(&reader), FARM_INVALID, "a packed field ends inside a varint");
  return FARM_OK;
}

static enum pb_wire wire_of(enum pb_kind kind) { return kind == PB_I64 ? PB_VARINT : kind == PB_F32 ? PB_FIXED32 : PB_BYTES; }

static enum farm_status field_store(struct pb_decoder *decoder, const struct pb_rule *rule, const struct pb_field *field,
                                    void *at) {
  bool number = rule->kind == PB_I64 || rule->kind == PB_F32;
  if (number && rule->repeated && field->wire == PB_BYTES) return packed_store(decoder, rule, field->bytes, at);
  FAIL_IF(field->wire != wire_of(rule->kind), FARM_INVALID, "field %u has wire type %d", field->number, (int)field->wire);
  if (rule->kind == PB_MESSAGE) return message_store(decoder, rule, field->bytes, at);
  if (rule->repeated) TRY(list_extend(decoder->arena, at, 1, scalar_bytes(rule->kind), &at));
  if (rule->kind == PB_TEXT) {
    const char *text = NULL;
    TRY(text_store(decoder, field->bytes, &text));
    memcpy(at, &text, sizeof text);
  } else if (rule->kind == PB_SLICE) {
    memcpy(at, &field->bytes, sizeof field->bytes);
  } else {
    number_store(rule->kind, field->value, at);
  }
  return FARM_OK;
}

static const struct pb_rule *rule_find(const struct pb_schema *schema, uint32_t number) {
  for (int i = 0; i < schema->rule_count; i++)
    if (schema->rules[i].number == number) return &schema->rules[i];
  return NULL;
}

static enum farm_status fields_decode(struct pb_decoder *decoder, const struct pb_schema *schema, struct pb_slice slice,
                                      char *object) {
  uint32_t *present = (uint32_t *)object;
  struct pb_reader reader = pb_reader_of(slice);
  while (!pb_finished(&reader)) {
    struct pb_field field;
    TRY(pb_next(&reader, &field));
    if (field.number < 32) *present |= UINT32_C(1) << field.number;
    const struct pb_rule *rule = rule_find(schema, field.number);
    enum farm_status status = rule ? field_store(decoder, rule, &field, object + rule->offset) : FARM_OK;
    if (status != FARM_OK)
      return decoder->places_named++ < PLACES_NAMED ? status_prefix(status, "%s.%s", schema->name, rule->name) : status;
  }
  return FARM_OK;
}

enum farm_status pb_decode(struct pb_decoder *decoder, const struct pb_schema *schema, struct pb_slice slice, void *object) {
  FAIL_IF(decoder->depth_left <= 0, FARM_INVALID, "messages are nested too deeply");
  FAIL_IF(decoder->messages_left <= 0, FARM_INVALID, "there are too many messages");
  decoder->messages_left--;
  if (schema->source_offset) {
    void *at;
    TRY(list_extend(decoder->arena, (char *)object + schema->source_offset, 1, sizeof slice, &at));
    memcpy(at, &slice, sizeof slice);
  }
  decoder->depth_left--;
  enum farm_status status = fields_decode(decoder, schema, slice, object);
  decoder->depth_left++;
  return status;
}

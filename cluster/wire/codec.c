/* Messages to frames and back, by walking the field tables. Normative: docs/protocol-1.md.
 *
 * A frame: u16 magic, u8 version, u8 type, then the fields in order; lists as a u32 count and their parts. The decoder trusts
 * nothing: counts are held against what is left, values against their bounds, and a frame must end where its last field does.
 */
#include "messages.h"

#include <math.h>
#include <string.h>

enum { MAGIC = 0x7466, HEADER_BYTES = 4 };

static const void *at(const void *base, size_t offset) { return (const uint8_t *)base + offset; }
static void *at_mutable(void *base, size_t offset) { return (uint8_t *)base + offset; }
static bool is_control(char c) { return (unsigned char)c < 0x20 || c == 0x7f; }

static bool has_control(const char *text) {
  for (; *text; text++)
    if (is_control(*text)) return true;
  return false;
}

static uint64_t number_at(enum wire_field_type type, const void *value) {
  switch (type) {
  case WIRE_T_U8:
    return *(const uint8_t *)value;
  case WIRE_T_U16:
    return *(const uint16_t *)value;
  case WIRE_T_U32:
    return *(const uint32_t *)value;
  default:
    return *(const uint64_t *)value;
  }
}

/* ---- encoding ---- */

static enum farm_status encode_struct(const struct wire_struct *shape, const void *value, struct bytes_writer *out);

static enum farm_status encode_number(const struct wire_field *field, const void *value, struct bytes_writer *out) {
  uint64_t number = number_at(field->type, value);
  FAIL_IF(field->bound && number > field->bound, FARM_INVALID, "%s %llu is above %llu", field->name, (unsigned long long)number,
          (unsigned long long)field->bound);
  if (field->type == WIRE_T_U8)
    bytes_put_u8(out, (uint8_t)number);
  else if (field->type == WIRE_T_U16)
    bytes_put_u16(out, (uint16_t)number);
  else if (field->type == WIRE_T_U32)
    bytes_put_u32(out, (uint32_t)number);
  else
    bytes_put_u64(out, number);
  return FARM_OK;
}

static enum farm_status encode_text(const struct wire_field *field, const char *text, struct bytes_writer *out) {
  if (!text) text = "";
  size_t length = strlen(text);
  if (field->type == WIRE_T_TEXT) {
    FAIL_IF(length > field->bound, FARM_INVALID, "%s has %zu bytes, allowed are %llu", field->name, length,
            (unsigned long long)field->bound);
    FAIL_IF(has_control(text), FARM_INVALID, "%s holds a control character", field->name);
    bytes_put_string(out, text);
    return FARM_OK;
  }
  if (length > field->bound) length = field->bound;
  bytes_put_u32(out, (uint32_t)length);
  for (size_t i = 0; i < length; i++) bytes_put_u8(out, is_control(text[i]) ? ' ' : (uint8_t)text[i]);
  return FARM_OK;
}

static enum farm_status encode_list(const struct wire_field *field, const void *value, struct bytes_writer *out) {
  const void *items = *(const void *const *)at(value, field->offset);
  uint32_t count = *(const uint32_t *)at(value, field->count_offset);
  FAIL_IF(count > field->bound, FARM_INVALID, "%s has %u parts, allowed are %llu", field->name, count,
          (unsigned long long)field->bound);
  bytes_put_u32(out, count);
  for (uint32_t i = 0; i < count; i++) TRY(encode_struct(field->part, at(items, i * field->part->bytes), out));
  return FARM_OK;
}

static enum farm_status encode_field(const struct wire_field *field, const void *owner, struct bytes_writer *out) {
  const void *value = at(owner, field->offset);
  switch (field->type) {
  case WIRE_T_F64: {
    double number = *(const double *)value;
    FAIL_IF(!isfinite(number) || number < 0, FARM_INVALID, "%s is no amount", field->name);
    bytes_put_f64(out, number);
    return FARM_OK;
  }
  case WIRE_T_TEXT:
  case WIRE_T_NOTE:
    return encode_text(field, *(const char *const *)value, out);
  case WIRE_T_BLOB: {
    const struct wire_blob *blob = value;
    FAIL_IF(blob->length > field->bound, FARM_INVALID, "%s has %u bytes, allowed are %llu", field->name, blob->length,
            (unsigned long long)field->bound);
    bytes_put_blob(out, blob->data, blob->length);
    return FARM_OK;
  }
  case WIRE_T_DIGEST:
    bytes_put(out, value, DIGEST_BYTES);
    return FARM_OK;
  case WIRE_T_STATUS:
    bytes_put_string(out, status_name(*(const enum farm_status *)value));
    return FARM_OK;
  case WIRE_T_LEASE:
    bytes_put_u64(out, ((const struct wire_lease *)value)->epoch);
    bytes_put_u64(out, ((const struct wire_lease *)value)->counter);
    return FARM_OK;
  case WIRE_T_LIST:
    return encode_list(field, owner, out);
  default:
    return encode_number(field, value, out);
  }
}

static enum farm_status encode_struct(const struct wire_struct *shape, const void *value, struct bytes_writer *out) {
  for (uint32_t i = 0; i < shape->field_count; i++) TRY(encode_field(&shape->fields[i], value, out));
  return FARM_OK;
}

/* The body of a message: every member of the union begins at the same place. */
static const void *body_of(const struct wire_message *message) { return &message->hello; }

enum farm_status wire_encode(const struct wire_message *message, struct bytes_writer *out) {
  const struct wire_struct *shape = wire_struct_of(message->type);
  FAIL_IF(!shape, FARM_INVALID, "message %d is unknown", (int)message->type);
  size_t begin = out->length;
  bytes_put_u16(out, MAGIC);
  bytes_put_u8(out, WIRE_VERSION);
  bytes_put_u8(out, (uint8_t)message->type);
  enum farm_status status = encode_struct(shape, body_of(message), out);
  if (status == FARM_OK && out->failed) status = status_set(FARM_NO_MEMORY, "out of memory");
  if (status == FARM_OK && out->length - begin > WIRE_MOST_BYTES)
    status = status_set(FARM_INVALID, "%zu bytes are more than a frame holds", out->length - begin);
  if (status == FARM_OK) return FARM_OK;
  out->length = begin;
  return status_prefix(status, "message %s", wire_type_name(message->type));
}

/* ---- decoding ---- */

static enum farm_status decode_struct(const struct wire_struct *shape, struct bytes_reader *in, struct arena *arena, void *out);

/* Least bytes that one value of the struct takes in a frame. */
static size_t least_bytes(const struct wire_struct *shape) {
  static const uint8_t sizes[] = {
      [WIRE_T_U8] = 1,   [WIRE_T_U16] = 2,  [WIRE_T_U32] = 4,     [WIRE_T_U64] = 8,    [WIRE_T_F64] = 8,    [WIRE_T_TEXT] = 4,
      [WIRE_T_NOTE] = 4, [WIRE_T_BLOB] = 4, [WIRE_T_DIGEST] = 32, [WIRE_T_STATUS] = 4, [WIRE_T_LEASE] = 16, [WIRE_T_LIST] = 4};
  size_t bytes = 0;
  for (uint32_t i = 0; i < shape->field_count; i++) bytes += sizes[shape->fields[i].type];
  return bytes;
}

static enum farm_status status_from_name(const char *name) {
  for (int code = 0; code < FARM_STATUS_COUNT; code++)
    if (strcmp(name, status_name((enum farm_status)code)) == 0) return (enum farm_status)code;
  return FARM_FAILURE; // one that a later version made
}

static enum farm_status decode_number(const struct wire_field *field, struct bytes_reader *in, void *out) {
  uint64_t number;
  switch (field->type) {
  case WIRE_T_U8:
    number = *(uint8_t *)out = bytes_get_u8(in);
    break;
  case WIRE_T_U16:
    number = *(uint16_t *)out = bytes_get_u16(in);
    break;
  case WIRE_T_U32:
    number = *(uint32_t *)out = bytes_get_u32(in);
    break;
  default:
    number = *(uint64_t *)out = bytes_get_u64(in);
    break;
  }
  FAIL_IF(field->bound && number > field->bound, FARM_INVALID, "%s is above its bound", field->name);
  return FARM_OK;
}

static enum farm_status decode_list(const struct wire_field *field, struct bytes_reader *in, struct arena *arena, void *owner) {
  uint32_t count = bytes_get_count(in, least_bytes(field->part));
  FAIL_IF(in->failed || count > field->bound, FARM_INVALID, "%s: cut short or too many", field->name);
  uint8_t *items = arena_alloc_array(arena, count, field->part->bytes);
  FAIL_IF(!items, FARM_NO_MEMORY, "%s: out of memory for %u parts", field->name, count);
  for (uint32_t i = 0; i < count; i++) TRY(decode_struct(field->part, in, arena, items + i * field->part->bytes));
  *(const void **)at_mutable(owner, field->offset) = items;
  *(uint32_t *)at_mutable(owner, field->count_offset) = count;
  return FARM_OK;
}

static enum farm_status decode_blob(const struct wire_field *field, struct bytes_reader *in, struct arena *arena,
                                    struct wire_blob *out) {
  size_t length;
  const uint8_t *data = bytes_get_blob(in, &length);
  FAIL_IF(in->failed || length > field->bound, FARM_INVALID, "%s: cut short or too long", field->name);
  out->data = arena_copy(arena, data, length);
  FAIL_IF(!out->data, FARM_NO_MEMORY, "%s: out of memory", field->name);
  out->length = (uint32_t)length;
  return FARM_OK;
}

static enum farm_status decode_field(const struct wire_field *field, struct bytes_reader *in, struct arena *arena, void *owner) {
  void *value = at_mutable(owner, field->offset);
  switch (field->type) {
  case WIRE_T_F64: {
    double number = bytes_get_f64(in);
    FAIL_IF(!isfinite(number) || signbit(number), FARM_INVALID, "%s is no amount", field->name);
    *(double *)value = number;
    return FARM_OK;
  }
  case WIRE_T_TEXT:
  case WIRE_T_NOTE: {
    const char *text = bytes_get_string(in, arena);
    FAIL_IF(in->failed || strlen(text) > field->bound || has_control(text), FARM_INVALID, "%s is no text in its bounds",
            field->name);
    *(const char **)value = text;
    return FARM_OK;
  }
  case WIRE_T_BLOB:
    return decode_blob(field, in, arena, value);
  case WIRE_T_DIGEST: {
    const uint8_t *bytes = bytes_get(in, DIGEST_BYTES);
    if (bytes) memcpy(value, bytes, DIGEST_BYTES);
    return FARM_OK;
  }
  case WIRE_T_STATUS:
    *(enum farm_status *)value = status_from_name(bytes_get_string(in, arena));
    return FARM_OK;
  case WIRE_T_LEASE:
    *(struct wire_lease *)value = (struct wire_lease){bytes_get_u64(in), 0};
    ((struct wire_lease *)value)->counter = bytes_get_u64(in);
    return FARM_OK;
  case WIRE_T_LIST:
    return decode_list(field, in, arena, owner);
  default:
    return decode_number(field, in, value);
  }
}

static enum farm_status decode_struct(const struct wire_struct *shape, struct bytes_reader *in, struct arena *arena, void *out) {
  for (uint32_t i = 0; i < shape->field_count; i++) {
    TRY(decode_field(&shape->fields[i], in, arena, out));
    FAIL_IF(in->failed, FARM_INVALID, "%s: cut short", shape->fields[i].name);
  }
  return FARM_OK;
}

enum farm_status wire_decode(const void *data, size_t length, struct arena *arena, struct wire_message *out) {
  FAIL_IF(length > WIRE_MOST_BYTES, FARM_INVALID, "frame of %zu bytes", length);
  struct bytes_reader in = bytes_reader_of(data, length);
  uint16_t magic = bytes_get_u16(&in);
  uint8_t version = bytes_get_u8(&in), type = bytes_get_u8(&in);
  FAIL_IF(in.failed || magic != MAGIC, FARM_INVALID, "not a frame of this protocol");
  bool greeting = type == WIRE_HELLO || type == WIRE_WELCOME || type == WIRE_REFUSE;
  FAIL_IF(version != WIRE_VERSION && !greeting, FARM_MISMATCH, "protocol %u, this build speaks %d", version, WIRE_VERSION);
  const struct wire_struct *shape = wire_struct_of((enum wire_type)type);
  FAIL_IF(!shape, FARM_INVALID, "message %u is unknown", type);
  struct wire_message message = {.type = (enum wire_type)type};
  enum farm_status status = decode_struct(shape, &in, arena, &message.hello);
  if (status == FARM_OK && !bytes_reader_finished(&in) && version == WIRE_VERSION)
    status = status_set(FARM_INVALID, "bytes after its end");
  if (status != FARM_OK) return status_prefix(status, "message %s", shape->name);
  *out = message;
  return FARM_OK;
}

/* ---- printing, copying ---- */

static void print_field(const struct wire_field *field, const void *owner, struct strbuf *out) {
  const void *value = at(owner, field->offset);
  switch (field->type) {
  case WIRE_T_TEXT:
  case WIRE_T_NOTE:
    strbuf_printf(out, " %s=%s", field->name, *(const char *const *)value ? *(const char *const *)value : "");
    break;
  case WIRE_T_F64:
    strbuf_printf(out, " %s=%g", field->name, *(const double *)value);
    break;
  case WIRE_T_BLOB:
    strbuf_printf(out, " %s=%uB", field->name, ((const struct wire_blob *)value)->length);
    break;
  case WIRE_T_STATUS:
    strbuf_printf(out, " %s=%s", field->name, status_name(*(const enum farm_status *)value));
    break;
  case WIRE_T_LIST:
    strbuf_printf(out, " %s[%u]", field->name, *(const uint32_t *)at(owner, field->count_offset));
    break;
  case WIRE_T_LEASE:
    strbuf_printf(out, " %s=%llx/%llu", field->name, (unsigned long long)((const struct wire_lease *)value)->epoch,
                  (unsigned long long)((const struct wire_lease *)value)->counter);
    break;
  case WIRE_T_DIGEST: {
    char hex[DIGEST_HEX_BYTES];
    digest_to_hex(value, hex);
    strbuf_printf(out, " %s=%.12s", field->name, hex);
    break;
  }
  default:
    strbuf_printf(out, " %s=%llu", field->name, (unsigned long long)number_at(field->type, value));
  }
}

void wire_print(const struct wire_message *message, struct strbuf *out) {
  const struct wire_struct *shape = wire_struct_of(message->type);
  strbuf_add(out, wire_type_name(message->type));
  for (uint32_t i = 0; shape && i < shape->field_count; i++) print_field(&shape->fields[i], body_of(message), out);
}

enum farm_status wire_copy_job(const struct wire_job *job, struct arena *arena, struct wire_job *out) {
  struct bytes_writer bytes = {0};
  struct wire_message message = {.type = WIRE_JOB, .job = *job}, copy;
  enum farm_status status = wire_encode(&message, &bytes);
  if (status == FARM_OK) status = wire_decode(bytes.data, bytes.length, arena, &copy);
  bytes_writer_free(&bytes);
  if (status == FARM_OK) *out = copy.job;
  return status;
}

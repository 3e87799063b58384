/* The codec: every message with random contents goes there and back; what is damaged or out of bounds is refused. */
#include "messages.h"

#include "../../base/random.h"
#include "../../tests/kit/test.h"

#include <stdlib.h>
#include <string.h>

static const enum wire_type all_types[] = {
#define X(name, body, number, sender) WIRE_##name,
    WIRE_MESSAGE_LIST(X)
#undef X
};
enum { TYPES = sizeof all_types / sizeof *all_types };

static uint64_t next(uint64_t *seed) {
  *seed += 0x9e3779b97f4a7c15u;
  return random_u64(*seed, 0);
}

static uint64_t bounded(uint64_t *seed, uint64_t bound) { return bound ? next(seed) % (bound + 1) : next(seed); }

static char *random_text(struct arena *arena, uint64_t *seed, uint64_t bound) {
  size_t length = next(seed) % ((bound < 40 ? bound : 40) + 1);
  char *text = arena_alloc(arena, length + 1);
  for (size_t i = 0; i < length; i++) text[i] = (char)(' ' + next(seed) % 94);
  return text;
}

static void fill(const struct wire_struct *shape, void *out, struct arena *arena, uint64_t *seed) {
  for (uint32_t i = 0; i < shape->field_count; i++) {
    const struct wire_field *field = &shape->fields[i];
    uint8_t *value = (uint8_t *)out + field->offset;
    switch (field->type) {
    case WIRE_T_U8:
      *value = (uint8_t)bounded(seed, field->bound);
      break;
    case WIRE_T_U16:
      *(uint16_t *)value = (uint16_t)bounded(seed, field->bound);
      break;
    case WIRE_T_U32:
      *(uint32_t *)value = (uint32_t)bounded(seed, field->bound);
      break;
    case WIRE_T_U64:
      *(uint64_t *)value = bounded(seed, field->bound);
      break;
    case WIRE_T_F64:
      *(double *)value = (double)(next(seed) % 1000000) / 7;
      break;
    case WIRE_T_TEXT:
    case WIRE_T_NOTE:
      *(const char **)value = random_text(arena, seed, field->bound);
      break;
    case WIRE_T_BLOB: {
      struct wire_blob *blob = (struct wire_blob *)value;
      blob->length = (uint32_t)(next(seed) % 33);
      blob->data = arena_copy(arena, "0123456789abcdef0123456789abcdef", blob->length);
      break;
    }
    case WIRE_T_DIGEST:
      *(struct digest *)value = digest_of(seed, sizeof *seed);
      break;
    case WIRE_T_STATUS:
      *(enum farm_status *)value = (enum farm_status)(next(seed) % FARM_STATUS_COUNT);
      break;
    case WIRE_T_LEASE:
      *(struct wire_lease *)value = (struct wire_lease){next(seed), next(seed)};
      break;
    case WIRE_T_LIST: {
      uint32_t count = (uint32_t)(next(seed) % 4);
      uint8_t *items = arena_alloc_array(arena, count, field->part->bytes);
      for (uint32_t k = 0; k < count; k++) fill(field->part, items + k * field->part->bytes, arena, seed);
      *(void **)value = items;
      *(uint32_t *)((uint8_t *)out + field->count_offset) = count;
      break;
    }
    }
  }
}

static struct wire_message random_message(enum wire_type type, struct arena *arena, uint64_t *seed) {
  struct wire_message message = {.type = type};
  fill(wire_struct_of(type), &message.hello, arena, seed);
  return message;
}

TEST(wire_every_message_round_trips, "") {
  uint64_t seed = 1;
  for (int run = 0; run < 100 * TYPES; run++) {
    struct arena arena = {0};
    struct bytes_writer out = {0}, again = {0};
    struct wire_message message = random_message(all_types[run % TYPES], &arena, &seed), back;
    REQUIRE_OK(wire_encode(&message, &out));
    REQUIRE_OK(wire_decode(out.data, out.length, &arena, &back));
    REQUIRE_OK(wire_encode(&back, &again));
    CHECK(out.length == again.length && memcmp(out.data, again.data, out.length) == 0);
    struct strbuf text = {0}, text_again = {0};
    wire_print(&message, &text), wire_print(&back, &text_again);
    CHECK_TEXT(strbuf_text(&text_again), strbuf_text(&text));
    strbuf_free(&text), strbuf_free(&text_again), bytes_writer_free(&out), bytes_writer_free(&again), arena_free(&arena);
  }
}

TEST(wire_truncated_or_padded_frames_are_refused, "") {
  uint64_t seed = 2;
  for (int run = 0; run < TYPES; run++) {
    struct arena arena = {0};
    struct bytes_writer out = {0};
    struct wire_message message = random_message(all_types[run], &arena, &seed), back;
    REQUIRE_OK(wire_encode(&message, &out));
    for (size_t length = 0; length < out.length; length++) CHECK(wire_decode(out.data, length, &arena, &back) != FARM_OK);
    bytes_put_u8(&out, 0);
    CHECK(wire_decode(out.data, out.length, &arena, &back) != FARM_OK);
    bytes_writer_free(&out), arena_free(&arena);
  }
}

/* What damage leaves readable must be within bounds: it encodes again. */
TEST(wire_damaged_frames_never_pass_bounds, "") {
  uint64_t seed = 3;
  int accepted = 0;
  for (int run = 0; run < 20000; run++) {
    struct arena arena = {.limit_bytes = 64 << 20};
    struct bytes_writer out = {0}, again = {0};
    struct wire_message message = random_message(all_types[run % TYPES], &arena, &seed), back;
    REQUIRE_OK(wire_encode(&message, &out));
    for (int edit = 0; edit <= run % 3; edit++) out.data[next(&seed) % out.length] = (uint8_t)next(&seed);
    if (wire_decode(out.data, out.length, &arena, &back) == FARM_OK) accepted++, CHECK(wire_encode(&back, &again) == FARM_OK);
    bytes_writer_free(&out), bytes_writer_free(&again), arena_free(&arena);
  }
  CHECK(accepted > 100);
}

TEST(wire_bounds_name_the_field, "") {
  struct bytes_writer out = {0};
  struct wire_message message = {.type = WIRE_READY, .ready = {.credits = 65}};
  CHECK(wire_encode(&message, &out) == FARM_INVALID && strstr(status_message(), "READY: credits"));
  message = (struct wire_message){.type = WIRE_HELLO, .hello = {.host = "a\nb"}};
  CHECK(wire_encode(&message, &out) == FARM_INVALID && strstr(status_message(), "host"));
  CHECK(out.length == 0);
  message = (struct wire_message){.type = WIRE_BYE, .bye = {.reason = "two\nlines"}}; // a NOTE is made to fit
  REQUIRE_OK(wire_encode(&message, &out));
  struct arena arena = {0};
  REQUIRE_OK(wire_decode(out.data, out.length, &arena, &message));
  CHECK_TEXT(message.bye.reason, "two lines");
  bytes_writer_free(&out), arena_free(&arena);
}

TEST(wire_later_greetings_are_read_by_their_leading_fields, "") {
  struct bytes_writer out = {0};
  struct arena arena = {0};
  struct wire_message message = {.type = WIRE_REFUSE,
                                 .refuse = {.protocol_low = 2, .protocol_high = 3, .status = FARM_MISMATCH, .reason = "old"}},
                      back;
  REQUIRE_OK(wire_encode(&message, &out));
  out.data[2] = 2;
  bytes_put_u32(&out, 7);
  REQUIRE_OK(wire_decode(out.data, out.length, &arena, &back));
  CHECK(back.refuse.protocol_low == 2);
  out.data[3] = WIRE_STARTED;
  CHECK(wire_decode(out.data, out.length, &arena, &back) == FARM_MISMATCH);
  bytes_writer_free(&out), arena_free(&arena);
}

/* Numbers on the wire are for ever. */
TEST(wire_golden_frame, "") {
  static const uint8_t golden[] = {0x66, 0x74, 1, 52, 5, 0, 0, 0, 0, 0, 0, 0, 7, 0,   0,   0, 0, 0, 0,
                                   0,    9,    0, 0,  0, 0, 0, 0, 0, 2, 0, 0, 0, 'O', 'K', 0, 0, 0, 0,
                                   1,    0,    0, 0,  3, 0, 0, 0, 1, 2, 3, 0, 0, 0,   0,   0, 0, 0, 0};
  struct wire_record record = {{(const uint8_t *)"\1\2\3", 3}};
  struct wire_message message = {.type = WIRE_FINISHED,
                                 .finished = {.lease = {5, 7}, .sequence = 9, .records = &record, .records_count = 1}};
  struct bytes_writer out = {0};
  REQUIRE_OK(wire_encode(&message, &out));
  CHECK(out.length == sizeof golden && memcmp(out.data, golden, sizeof golden) == 0);
  bytes_writer_free(&out);
}

/* The wire reader, the schema decoder and the writer: what is written comes back; what is malformed is refused. */
#include "onnx-model.h"
#include "onnx-writer.h"

#include "../../base/arena.h"
#include "../../tests/kit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum farm_status first_field(const void *data, size_t length, struct pb_field *out_field) {
  struct pb_reader reader = pb_reader_of((struct pb_slice){data, length});
  return pb_next(&reader, out_field);
}
#define FIELD(...) first_field((uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), &field)

TEST(pb_reader_reads_every_wire_type, "") {
  struct pb_field field;
  REQUIRE_OK(FIELD(0x08, 0x96, 0x01));
  CHECK(field.number == 1 && field.wire == PB_VARINT && field.value == 150);
  REQUIRE_OK(FIELD(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01));
  CHECK((int64_t)field.value == -1);
  REQUIRE_OK(FIELD(0x15, 0, 0, 0x80, 0x3f));
  CHECK(field.number == 2 && pb_float(field.value) == 1.0f);
  REQUIRE_OK(FIELD(0x19, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f));
  CHECK(field.number == 3 && pb_double(field.value) == 1.0);
  const uint8_t text[] = {0x22, 2, 'h', 'i'}; // lives longer than the field that points into it
  REQUIRE_OK(first_field(text, sizeof text, &field));
  CHECK(field.number == 4 && field.bytes.length == 2 && memcmp(field.bytes.data, "hi", 2) == 0);
}

TEST(pb_reader_refuses_what_is_malformed, "") {
  struct pb_field field;
  CHECK(FIELD(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0x00) == FARM_INVALID); // 11 bytes
  CHECK(FIELD(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02) == FARM_INVALID);       // 65 bits
  CHECK(FIELD(0x08, 0x80) == FARM_INVALID);                                                             // cut off
  CHECK(FIELD(0x08) == FARM_INVALID);
  CHECK(FIELD(0x15, 0, 0, 0) == FARM_INVALID);
  CHECK(FIELD(0x19, 0, 0, 0, 0, 0, 0, 0) == FARM_INVALID);
  CHECK(FIELD(0x22, 3, 'h', 'i') == FARM_INVALID);
  CHECK(FIELD(0x22, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'x') == FARM_INVALID); // length 2^64 - 1
  CHECK(FIELD(0x00, 0x01) == FARM_INVALID);                                                            // field 0
  for (uint8_t wire = 3; wire < 8; wire++)
    if (wire != 5) CHECK(FIELD((uint8_t)(0x08 | wire), 0, 0, 0, 0, 0, 0, 0, 0) == FARM_INVALID);
}

static enum farm_status model_of(struct pb_writer *writer, struct arena *arena, struct onnx_model *out_model) {
  memset(out_model, 0, sizeof *out_model);
  return onnx_model_decode((struct pb_slice){writer->data, writer->length}, arena, out_model);
}

TEST(schema_merges_and_lets_the_last_win, "") {
  struct arena arena = {0};
  struct pb_writer writer = {0};
  struct onnx_model model;
  onnx_model_begin(&writer, 3, "first");
  pb_put_i64(&writer, 1, 9);
  pb_put_text(&writer, 3000, "unknown fields are skipped");
  onnx_graph_begin(&writer, "one");
  onnx_node_put(&writer, "Relu", "a", "x", "y");
  onnx_graph_end(&writer);
  onnx_graph_begin(&writer, "two");
  onnx_node_put(&writer, "Relu", "b", "y _ ", "z");
  onnx_graph_end(&writer);
  REQUIRE_OK(model_of(&writer, &arena, &model));
  CHECK(model.ir_version == 9);
  CHECK_TEXT(model.graph->name, "two");
  REQUIRE(model.graph->nodes.count == 2);
  CHECK_TEXT(model.graph->nodes.items[0].name, "a");
  CHECK(model.graph->nodes.items[1].inputs.count == 2);
  CHECK_TEXT(model.graph->nodes.items[1].inputs.items[1], "");
  pb_writer_free(&writer);
  arena_free(&arena);
}

TEST(schema_reads_numbers_packed_and_not, "") {
  struct arena arena = {0};
  struct pb_writer writer = {0};
  struct onnx_tensor tensor = {0};
  pb_put_packed_i64(&writer, 1, (int64_t[]){2, -3}, 2);
  pb_put_i64(&writer, 1, 5);
  REQUIRE_OK(onnx_tensor_decode((struct pb_slice){writer.data, writer.length}, &arena, &tensor));
  CHECK(tensor.dims.count == 3 && tensor.dims.items[0] == 2 && tensor.dims.items[1] == -3 && tensor.dims.items[2] == 5);
  pb_writer_free(&writer);
  arena_free(&arena);
}

TEST(schema_refuses_bad_fields, "") {
  static const struct {
    const char *bytes, *why;
    size_t length;
  } cases[] = {
      {"\x0a\x01\x80", "a packed varint is cut off", 3},
      {"\x10\x80", "a varint is cut off", 2},
      {"\x12\x01x", "data_type as bytes", 3},
      {"\x42\x01\x00", "a zero byte in a name", 3},
      {"\x48\x01", "raw_data as a varint", 2},
      {"\x6a\x02\x0a\x05", "an entry's key is longer than the entry", 4},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct arena arena = {0};
    struct onnx_tensor tensor = {0};
    struct pb_slice slice = {(const uint8_t *)cases[i].bytes, cases[i].length};
    CHECK_MESSAGE(onnx_tensor_decode(slice, &arena, &tensor) == FARM_INVALID, "%s", cases[i].why);
    arena_free(&arena);
  }
}

/* Graphs in attributes in nodes in graphs: 40 levels are 120 messages deep. */
TEST(schema_refuses_deep_nesting, "") {
  for (int levels = 5; levels <= 20; levels += 15) {
    struct arena arena = {0};
    struct pb_writer writer = {0};
    struct onnx_model model;
    onnx_graph_begin(&writer, "main");
    for (int i = 0; i < levels; i++) {
      onnx_node_begin(&writer, "If", "", "", "c", "y");
      onnx_attr_graph_begin(&writer, "then_branch", "g");
    }
    for (int i = 0; i < levels; i++) {
      onnx_attr_graph_end(&writer);
      onnx_node_end(&writer);
    }
    onnx_graph_end(&writer);
    CHECK(!writer.failed || levels > 15);
    if (!writer.failed) CHECK(model_of(&writer, &arena, &model) == FARM_OK);
    pb_writer_free(&writer);
    arena_free(&arena);
  }
  uint8_t bomb[4096]; // each level: graph.node.attribute.g, written from the inside out
  size_t at = sizeof bomb;
  for (int i = 0; at > 16 || i % 3; i++) {
    size_t length = sizeof bomb - at;
    static const uint8_t tags[] = {0x32, 0x2a, 0x0a};
    if (length >= 128) bomb[--at] = (uint8_t)(length >> 7);
    bomb[--at] = (uint8_t)(length >= 128 ? length | 0x80 : length);
    bomb[--at] = tags[i % 3];
  }
  struct pb_writer writer = {0};
  struct arena arena = {0};
  struct onnx_model model;
  pb_put_bytes(&writer, 7, bomb + at, sizeof bomb - at);
  CHECK(model_of(&writer, &arena, &model) == FARM_INVALID);
  CHECK(strstr(status_message(), "nested too deeply") != NULL);
  pb_writer_free(&writer);
  arena_free(&arena);
}

static enum farm_status count_fill(void *context, uint64_t offset, void *out, size_t length) {
  (void)context;
  for (size_t i = 0; i < length; i++) ((uint8_t *)out)[i] = (uint8_t)((offset + i) * 7);
  return FARM_OK;
}

struct sink {
  uint8_t *data;
  size_t length, capacity;
};
static enum farm_status memory_sink(void *context, const void *data, size_t length) {
  struct sink *sink = context;
  FAIL_IF(length > sink->capacity - sink->length, FARM_NO_SPACE, "full");
  memcpy(sink->data + sink->length, data, length);
  sink->length += length;
  return FARM_OK;
}

TEST(writer_streams_payloads_inside_messages, "") {
  struct pb_writer writer = {0};
  struct tensor type = {.dtype = DTYPE_U8, .rank = 2, .dims = {1000, 300}};
  onnx_graph_begin(&writer, "main");
  onnx_initializer_stream(&writer, "a", &type, count_fill, NULL);
  onnx_initializer_stream(&writer, "b", &type, count_fill, NULL);
  onnx_graph_end(&writer);
  struct sink sink = {.data = malloc(1 << 20), .capacity = 1 << 20};
  REQUIRE_OK(pb_write(&writer, memory_sink, &sink));
  struct arena arena = {0};
  struct onnx_model model = {0};
  REQUIRE_OK(onnx_model_decode((struct pb_slice){sink.data, sink.length}, &arena, &model));
  REQUIRE(model.graph->initializers.count == 2);
  for (int i = 0; i < 2; i++) {
    struct pb_slice raw = model.graph->initializers.items[i].raw_data;
    REQUIRE(raw.length == 300000);
    bool same = true;
    for (size_t j = 0; j < raw.length; j++) same &= raw.data[j] == (uint8_t)(j * 7);
    CHECK(same);
  }
  sink.capacity = sink.length / 2;
  sink.length = 0;
  CHECK(pb_write(&writer, memory_sink, &sink) == FARM_NO_SPACE);
  free(sink.data);
  pb_writer_free(&writer);
  arena_free(&arena);
}

TEST(writer_refuses_messages_left_open, "") {
  struct pb_writer writer = {0};
  struct sink sink = {0};
  pb_begin(&writer, 1);
  CHECK(pb_write(&writer, memory_sink, &sink) == FARM_INVALID);
  pb_end(&writer);
  pb_end(&writer);
  CHECK(pb_write(&writer, memory_sink, &sink) != FARM_OK);
  pb_writer_free(&writer);
}

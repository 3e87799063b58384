/* Decoding a protobuf message into a plain struct by a table: which field goes where, and of which kind.
 *
 *   bytes ──pb_decode(schema)──► struct { uint32_t present; members at the offsets that the rules name }
 *
 * As protobuf demands: unknown fields are skipped; a scalar given twice is the last one; a singular message given twice is
 * merged; repeated numbers come packed or not; order does not matter. Beyond it: a known field of another wire type, a text with
 * a zero byte or longer than the limit, too deep a nesting and too many messages are refused. Everything is made in one arena;
 * slices stay in the caller's bytes.
 */
#ifndef OPTIMIZER_ONNX_PB_SCHEMA_H
#define OPTIMIZER_ONNX_PB_SCHEMA_H

#include "pb-reader.h"

struct arena;

enum pb_kind {
  PB_I64,    // int64_t (also int32, enum, bool)
  PB_F32,    // float
  PB_TEXT,   // const char *, copied, zero-terminated
  PB_SLICE,  // struct pb_slice, in place
  PB_MESSAGE // pointer to its struct; a repeated one: the structs themselves
};

/* A repeated member; every PB_LIST has this layout. */
#define PB_LIST(type)                                                                                                            \
  struct {                                                                                                                       \
    type *items;                                                                                                                 \
    int count, capacity;                                                                                                         \
  }

struct pb_schema;
struct pb_rule {
  uint32_t number; // below 32: also the bit of `present`
  enum pb_kind kind;
  bool repeated;
  size_t offset;
  const char *name;
  const struct pb_schema *message;
};

struct pb_schema {
  const char *name;
  size_t bytes; // of the struct; its first member is uint32_t present: bit n tells that field n occurred
  const struct pb_rule *rules;
  int rule_count;
  size_t source_offset; // where a PB_LIST(struct pb_slice) of the message's own bytes is kept; 0: it is not
};

struct pb_decoder {
  struct arena *arena;
  int depth_left;        // nested messages
  int64_t messages_left; // in total
  size_t text_bytes;     // longest text
  int places_named;      // fields put before the error's message so far
};

/* Merges the message into `object` (zeroed before the first). The message of an error names the innermost fields on the way to
 * it. */
enum farm_status pb_decode(struct pb_decoder *decoder, const struct pb_schema *schema, struct pb_slice slice, void *object);

#endif

/* A queue of encoded messages: what was set aside or waits for its acknowledgement. */
#ifndef CLUSTER_WIRE_FRAMES_H
#define CLUSTER_WIRE_FRAMES_H

#include "messages.h"

struct frame {
  uint64_t sequence;
  uint8_t *data;
  size_t length;
};
struct frames {
  struct frame *items; // [begin, count) are live
  size_t begin, count, capacity;
};

enum farm_status frames_push(struct frames *frames, const struct wire_message *message, uint64_t sequence);
bool frames_pop(struct frames *frames, struct arena *arena, struct wire_message *out); // the oldest; false: empty
void frames_drop_through(struct frames *frames, uint64_t sequence);                    // those with a sequence up to this
void frames_free(struct frames *frames);

#endif

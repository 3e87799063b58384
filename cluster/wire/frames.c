/* See frames.h. */
#include "frames.h"

#include "../../base/array.h"

#include <stdlib.h>
#include <string.h>

static void close_gap(struct frames *frames) {
  if (frames->begin < 64 && frames->begin != frames->count) return;
  memmove(frames->items, frames->items + frames->begin, (frames->count - frames->begin) * sizeof *frames->items);
  frames->count -= frames->begin;
  frames->begin = 0;
}

enum farm_status frames_push(struct frames *frames, const struct wire_message *message, uint64_t sequence) {
  struct bytes_writer bytes = {0};
  enum farm_status status = array_reserve(&frames->items, &frames->capacity, frames->count + 1);
  if (status == FARM_OK) status = wire_encode(message, &bytes);
  if (status == FARM_OK)
    frames->items[frames->count++] = (struct frame){sequence, bytes.data, bytes.length};
  else
    bytes_writer_free(&bytes);
  return status;
}

bool frames_pop(struct frames *frames, struct arena *arena, struct wire_message *out) {
  if (frames->begin == frames->count) return false;
  struct frame *frame = &frames->items[frames->begin++];
  bool decoded = wire_decode(frame->data, frame->length, arena, out) == FARM_OK;
  free(frame->data);
  close_gap(frames);
  return decoded;
}

void frames_drop_through(struct frames *frames, uint64_t sequence) {
  while (frames->begin < frames->count && frames->items[frames->begin].sequence <= sequence)
    free(frames->items[frames->begin++].data);
  if (frames->items) close_gap(frames);
}

void frames_free(struct frames *frames) {
  for (size_t i = frames->begin; i < frames->count; i++) free(frames->items[i].data);
  free(frames->items);
  *frames = (struct frames){0};
}

/* See artefact-shelf.h. A job has tens of texts, a session hundreds: a list does. */
#include "artefact-shelf.h"

#include "../base/arena.h"
#include "../base/array.h"

#include <stdlib.h>
#include <string.h>

const struct artefact_on_shelf *artefact_shelf_find(const struct artefact_shelf *shelf, const struct digest *text) {
  for (size_t i = 0; i < shelf->count; i++)
    if (digest_equal(&shelf->items[i].text, text)) return &shelf->items[i];
  return NULL;
}

enum farm_status artefact_shelf_put(struct artefact_shelf *shelf, const struct digest *text, enum farm_status status,
                                    const char *message, const void *data, size_t length) {
  if (artefact_shelf_find(shelf, text)) return FARM_OK;
  TRY(array_reserve(&shelf->items, &shelf->capacity, shelf->count + 1));
  struct artefact_on_shelf item = {*text, status, strdup(message), malloc(length + 1), length};
  if (!item.message || !item.data) {
    free(item.message), free(item.data);
    return status_set(FARM_NO_MEMORY, "out of memory for a compiled kernel of %zu bytes", length);
  }
  if (length) memcpy(item.data, data, length);
  shelf->items[shelf->count++] = item;
  shelf->bytes += length;
  return FARM_OK;
}

void artefact_shelf_clear(struct artefact_shelf *shelf) {
  for (size_t i = 0; i < shelf->count; i++) free(shelf->items[i].message), free(shelf->items[i].data);
  free(shelf->items);
  *shelf = (struct artefact_shelf){0};
}

void artefact_frame_put(struct bytes_writer *out, const struct artefact_on_shelf *artefact) {
  bytes_put(out, artefact->text.bytes, DIGEST_BYTES);
  bytes_put_u8(out, artefact->status == FARM_OK);
  bytes_put_string(out, artefact->message);
  bytes_put_blob(out, artefact->data, artefact->length);
}

enum farm_status artefact_frame_take(const void *body, size_t length, struct artefact_shelf *shelf) {
  struct bytes_reader in = bytes_reader_of(body, length);
  struct arena arena = {0};
  struct digest text;
  size_t bytes;
  const uint8_t *digest = bytes_get(&in, DIGEST_BYTES);
  bool good = bytes_get_u8(&in) != 0;
  const char *message = bytes_get_string(&in, &arena);
  const uint8_t *data = bytes_get_blob(&in, &bytes);
  enum farm_status status = bytes_reader_finished(&in) && digest && (data || !bytes)
                                ? FARM_OK
                                : status_set(FARM_INVALID, "a malformed frame of a compiled kernel");
  if (status == FARM_OK) {
    memcpy(text.bytes, digest, DIGEST_BYTES);
    status = artefact_shelf_put(shelf, &text, good ? FARM_OK : FARM_TACTIC_REFUSED, message, data, bytes);
  }
  arena_free(&arena);
  return status;
}

/* What leaves the core: encoded at once, so that nothing in an action points back into it. */
#include "core-impl.h"

#include "../../base/log.h"

#include <stdlib.h>
#include <string.h>

static void forget_actions(struct core *core) {
  for (size_t i = 0; i < core->action_count; i++) free(core->actions[i].data);
  core->action_count = 0;
  core->handed_out = false;
}

static void add(struct core *core, struct core_action action) {
  if (core->handed_out) forget_actions(core);
  if (array_reserve(&core->actions, &core->action_capacity, core->action_count + 1) == FARM_OK)
    core->actions[core->action_count++] = action;
  else
    free(action.data);
}

struct core_action *core_actions(struct core *core, size_t *out_count) {
  if (core->handed_out) forget_actions(core);
  core->handed_out = true;
  *out_count = core->action_count;
  return core->actions;
}

void core_send(struct core *core, uint64_t peer, const struct wire_message *message) {
  struct bytes_writer bytes = {0};
  if (peer == 0) return;
  if (wire_encode(message, &bytes) == FARM_OK) {
    add(core, (struct core_action){.kind = CORE_SEND, .peer = peer, .data = bytes.data, .length = bytes.length});
    return;
  }
  log_warning("cannot send: %s", status_message());
  bytes_writer_free(&bytes);
}

void core_put(struct core *core, enum core_action_kind kind, uint64_t sequence, uint32_t part, const void *data, size_t length) {
  uint8_t *copy = length ? malloc(length) : NULL;
  if (length && !copy) return log_error("out of memory for %zu bytes to be stored", length);
  if (length) memcpy(copy, data, length);
  add(core, (struct core_action){.kind = kind, .sequence = sequence, .part = part, .data = copy, .length = length});
}

void core_put_message(struct core *core, enum core_action_kind kind, uint64_t sequence, uint32_t part,
                      const struct wire_message *message) {
  struct bytes_writer bytes = {0};
  if (wire_encode(message, &bytes) == FARM_OK)
    core_put(core, kind, sequence, part, bytes.data, bytes.length);
  else
    log_warning("cannot store: %s", status_message());
  bytes_writer_free(&bytes);
}

void core_drop_peer(struct core *core, uint64_t peer) { add(core, (struct core_action){.kind = CORE_DROP_PEER, .peer = peer}); }

void core_fault(struct core *core, uint64_t peer, uint32_t request, enum farm_status status, const char *message) {
  core_send(core, peer, &(struct wire_message){.type = WIRE_FAULT, .fault = {request, status, message}});
}

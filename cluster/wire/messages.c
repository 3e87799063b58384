/* The tables behind the messages: one row per field, made from the list in messages.h. */
#include "messages.h"

#include <stddef.h>

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof *(array))

#define X(name) static const struct wire_struct struct_##name;
WIRE_PART_LIST(X)
WIRE_BODY_LIST(X)
#undef X

/* `HERE` is the struct whose rows are being written. */
#define ROW(kind, field, most) {#field, WIRE_T_##kind, most, offsetof(HERE, field), 0, NULL},
#define ROWS(member, field, most)                                                                                                \
  {#field, WIRE_T_LIST, most, offsetof(HERE, field), offsetof(HERE, field##_count), &struct_##member},
#define TABLE(name)                                                                                                              \
  static const struct wire_field fields_##name[] = {WIRE_FIELDS_##name(ROW, ROWS)};                                              \
  static const struct wire_struct struct_##name = {#name, sizeof(struct wire_##name), fields_##name, COUNT(fields_##name)};

#define HERE struct wire_variant
TABLE(variant)
#undef HERE
#define HERE struct wire_item
TABLE(item)
#undef HERE
#define HERE struct wire_record
TABLE(record)
#undef HERE
#define HERE struct wire_blob_ref
TABLE(blob_ref)
#undef HERE
#define HERE struct wire_job
TABLE(job)
#undef HERE
#define HERE struct wire_result
TABLE(result)
#undef HERE
#define HERE struct wire_class_progress
TABLE(class_progress)
#undef HERE
#define HERE struct wire_worker_info
TABLE(worker_info)
#undef HERE
#define HERE struct wire_build_info
TABLE(build_info)
#undef HERE
#define HERE struct wire_counter
TABLE(counter)
#undef HERE
#define HERE struct wire_found
TABLE(found)
#undef HERE
#define HERE struct wire_argument
TABLE(argument)
#undef HERE
#define HERE struct wire_hello
TABLE(hello)
#undef HERE
#define HERE struct wire_welcome
TABLE(welcome)
#undef HERE
#define HERE struct wire_refuse
TABLE(refuse)
#undef HERE
#define HERE struct wire_heartbeat
TABLE(heartbeat)
#undef HERE
#define HERE struct wire_bye
TABLE(bye)
#undef HERE
#define HERE struct wire_fault
TABLE(fault)
#undef HERE
#define HERE struct wire_submit
TABLE(submit)
#undef HERE
#define HERE struct wire_accepted
TABLE(accepted)
#undef HERE
#define HERE struct wire_attach
TABLE(attach)
#undef HERE
#define HERE struct wire_progress
TABLE(progress)
#undef HERE
#define HERE struct wire_results
TABLE(results)
#undef HERE
#define HERE struct wire_done
TABLE(done)
#undef HERE
#define HERE struct wire_close
TABLE(close)
#undef HERE
#define HERE struct wire_cancel
TABLE(cancel)
#undef HERE
#define HERE struct wire_status_query
TABLE(status_query)
#undef HERE
#define HERE struct wire_status_reply
TABLE(status_reply)
#undef HERE
#define HERE struct wire_lookup
TABLE(lookup)
#undef HERE
#define HERE struct wire_founds
TABLE(founds)
#undef HERE
#define HERE struct wire_cache
TABLE(cache)
#undef HERE
#define HERE struct wire_cache_reply
TABLE(cache_reply)
#undef HERE
#define HERE struct wire_drain
TABLE(drain)
#undef HERE
#define HERE struct wire_execute
TABLE(execute)
#undef HERE
#define HERE struct wire_executed
TABLE(executed)
#undef HERE
#define HERE struct wire_ready
TABLE(ready)
#undef HERE
#define HERE struct wire_started
TABLE(started)
#undef HERE
#define HERE struct wire_partial
TABLE(partial)
#undef HERE
#define HERE struct wire_finished
TABLE(finished)
#undef HERE
#define HERE struct wire_returned
TABLE(returned)
#undef HERE
#define HERE struct wire_stored
TABLE(stored)
#undef HERE
#define HERE struct wire_stop
TABLE(stop)
#undef HERE
#define HERE struct wire_blob_put
TABLE(blob_put)
#undef HERE
#define HERE struct wire_blob_state
TABLE(blob_state)
#undef HERE
#define HERE struct wire_blob_get
TABLE(blob_get)
#undef HERE
#define HERE struct wire_blob_chunk
TABLE(blob_chunk)
#undef HERE

static const struct {
  enum wire_type type;
  const char *name;
  const struct wire_struct *body;
} messages[] = {
#define X(name, body, number, sender) {WIRE_##name, #name, &struct_##body},
    WIRE_MESSAGE_LIST(X)
#undef X
};

const struct wire_struct *wire_struct_of(enum wire_type type) {
  for (uint32_t i = 0; i < COUNT(messages); i++)
    if (messages[i].type == type) return messages[i].body;
  return NULL;
}

const char *wire_type_name(enum wire_type type) {
  for (uint32_t i = 0; i < COUNT(messages); i++)
    if (messages[i].type == type) return messages[i].name;
  return "?";
}

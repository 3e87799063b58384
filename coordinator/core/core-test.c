/* The core by scripts: each line is an event or an expectation, so that a test reads as the conversation that it is.
 *
 *   w hello CLASS | a hello          a worker (names that begin with w) or a client greets
 *   w ready N                        credits
 *   a submit ID FLAGS P:V[@US][/D] … a build: problem P with V variants v0 v1 …, estimated microseconds, default [v0]
 *   w started | w land V [STATUS]    a screen record of variant V of its job (median 100 + V), FAILED: TACTIC_WRONG
 *   w finish | w final | w fail      the job's end: without more, with its final record, as a whole
 *   w return V | w bye | w lost      hand back; leave; gone for good
 *   w broken                         its connection is broken: nothing can be sent to it, nothing comes
 *   w copy W                         pretend to hold the job of W
 *   a execute S [T]                  an execute job of spec S for T threads [1]
 *   w executed                       its end
 *   a huge ID N                      the first chunk of a build of N items
 *   a timed N                        the last DONE to a counted N variants
 *   a why TEXT                       the last DONE says so
 *   a drain                          asks that the workers leave
 *   a attach ID | a cancel ID | a close ID
 *   tick S                           time passes, everyone's heart beats; `w silent` stops w's
 *   deaf S                           time passes in which the coordinator does nothing; then it ticks, then hears
 *   records N                        so many are stored
 *   restart                          the coordinator is killed and comes back from what was durable
 *   x< TEXT                          the next message to x is this; "x<" alone: there is none
 */
#include "core.h"

#include "../../base/map.h"
#include "../../tests/kit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE "0000000000000000000000000000000000000000000000000000000000000000"
enum { PEERS = 8, INBOX = 64 };

struct actor {
  char name[8], class_name[32];
  uint64_t id;
  bool worker, beating;
  uint32_t timed; // variants, as its last DONE says
  char why[600];  // the same
  struct arena arena;
  struct wire_job job;
  char inbox[INBOX][160];
  int first, count;
};

struct stored {
  size_t length;
  uint8_t data[];
};

struct bench {
  struct core *core;
  struct map records, builds, jobs;
  struct actor actors[PEERS];
  int actor_count;
  uint64_t now, next_id, epoch, sequence;
};

static void keep(struct map *map, const char *key, const void *data, size_t length) {
  struct stored *stored = malloc(sizeof *stored + length);
  stored->length = length;
  memcpy(stored->data, data, length);
  free(map_remove(map, key));
  REQUIRE(map_set(map, key, stored) == FARM_OK);
}

static enum farm_status find(void *context, const char *key, bool any_age, struct arena *arena, struct record *out,
                             struct wire_blob *out_bytes) {
  (void)any_age;
  const struct stored *stored = map_get(&((struct bench *)context)->records, key);
  if (!stored) return FARM_NOT_FOUND;
  const uint8_t *data = arena_copy(arena, stored->data, stored->length);
  REQUIRE(record_decode(data, stored->length, arena, out) == FARM_OK);
  if (out_bytes) *out_bytes = (struct wire_blob){data, (uint32_t)stored->length};
  return FARM_OK;
}

static uint64_t unix_time(void *context) { return 1700000000 + ((struct bench *)context)->now / 1000000000; }

static struct actor *actor_named(struct bench *bench, const char *name) {
  for (int i = 0; i < bench->actor_count; i++)
    if (strcmp(bench->actors[i].name, name) == 0) return &bench->actors[i];
  REQUIRE(bench->actor_count < PEERS);
  struct actor *actor = &bench->actors[bench->actor_count++];
  snprintf(actor->name, sizeof actor->name, "%s", name);
  actor->worker = name[0] == 'w';
  return actor;
}

/* ---- what comes out ---- */

static void describe(struct actor *actor, const struct wire_message *m, char out[160]) {
  static const char *const kinds[] = {"", "screen", "final", "execute"};
  int at = 0;
  out[0] = 0;
  switch (m->type) {
  case WIRE_JOB:
    arena_free(&actor->arena);
    REQUIRE(wire_copy_job(&m->job, &actor->arena, &actor->job) == FARM_OK);
    at = snprintf(out, 160, "JOB %s %s", kinds[m->job.kind], m->job.kind == WIRE_JOB_EXECUTE ? m->job.spec : m->job.problem);
    for (uint32_t i = 0; i < m->job.variants_count; i++)
      at += snprintf(out + at, 160 - (size_t)at, " %s", m->job.variants[i].text);
    break;
  case WIRE_RESULT:
    snprintf(out, 160, "RESULT %u %s%s", m->results.results[0].item, status_name(m->results.results[0].status),
             m->results.results[0].hit ? " hit" : "");
    break;
  case WIRE_DONE:
    snprintf(out, 160, "DONE %s", status_name(m->done.status)), actor->timed = m->done.variants_timed;
    snprintf(actor->why, sizeof actor->why, "%s", m->done.message);
    break;
  case WIRE_FAULT:
    snprintf(out, 160, "FAULT %s", status_name(m->fault.status));
    break;
  case WIRE_REFUSE:
    snprintf(out, 160, "REFUSE %s", status_name(m->refuse.status));
    break;
  case WIRE_STOP:
    snprintf(out, 160, "STOP %s", m->stop.reason);
    break;
  case WIRE_DRAIN:
    snprintf(out, 160, "DRAIN");
    break;
  case WIRE_EXECUTED:
    snprintf(out, 160, "EXECUTED %s%s%.100s", status_name(m->executed.status), m->executed.message[0] ? ": " : "",
             m->executed.message);
    break;
  default:
    break; // greetings, heartbeats, acknowledgements and progress are not what scripts are about
  }
}

static void deliver(struct bench *bench, const struct core_action *action) {
  struct arena arena = {0};
  struct wire_message message;
  REQUIRE(wire_decode(action->data, action->length, &arena, &message) == FARM_OK);
  for (int i = 0; i < bench->actor_count; i++) {
    struct actor *actor = &bench->actors[i];
    if (actor->id != action->peer) continue;
    describe(actor, &message, actor->inbox[actor->count % INBOX]);
    if (actor->inbox[actor->count % INBOX][0]) actor->count++;
  }
  arena_free(&arena);
}

static void settle(struct bench *bench) {
  size_t count;
  struct core_action *actions = core_actions(bench->core, &count);
  for (size_t i = 0; i < count; i++) {
    struct core_action *action = &actions[i];
    char key[32];
    snprintf(key, sizeof key, "%06llu", (unsigned long long)action->sequence);
    struct arena arena = {0};
    struct record record;
    if (action->kind == CORE_SEND)
      deliver(bench, action);
    else if (action->kind == CORE_PUT_BUILD)
      keep(&bench->builds, key, action->data, action->length); // scripts submit in one chunk
    else if (action->kind == CORE_PUT_JOB)
      keep(&bench->jobs, key, action->data, action->length);
    else if (action->kind == CORE_DROP_BUILD)
      free(map_remove(&bench->builds, key));
    else if (action->kind == CORE_DROP_JOB)
      free(map_remove(&bench->jobs, key));
    else if (action->kind == CORE_PUT_RECORD) {
      REQUIRE(record_decode(action->data, action->length, &arena, &record) == FARM_OK);
      keep(&bench->records, record_key(&record, &arena), action->data, action->length);
    }
    arena_free(&arena);
  }
}

static void start(struct bench *bench) {
  struct core_options options = {.build = "bench", .epoch = ++bench->epoch};
  REQUIRE_OK(core_create(&options, &(struct core_port){bench, find, unix_time}, &bench->core));
  for (struct map_entry *e = map_next(&bench->builds, NULL); e; e = map_next(&bench->builds, e))
    core_restore_build(bench->core, strtoull(e->key, NULL, 10), 0, ((struct stored *)e->value)->data,
                       ((struct stored *)e->value)->length);
  for (struct map_entry *e = map_next(&bench->jobs, NULL); e; e = map_next(&bench->jobs, e))
    core_restore_job(bench->core, strtoull(e->key, NULL, 10), ((struct stored *)e->value)->data,
                     ((struct stored *)e->value)->length);
  core_start(bench->core, bench->now);
  settle(bench);
}

static void send(struct bench *bench, const struct actor *actor, const struct wire_message *message) {
  struct bytes_writer bytes = {0};
  struct arena arena = {0};
  struct wire_message read;
  REQUIRE_OK(wire_encode(message, &bytes));
  REQUIRE_OK(wire_decode(bytes.data, bytes.length, &arena, &read));
  core_receive(bench->core, bench->now, actor->id, &read);
  settle(bench);
  bytes_writer_free(&bytes), arena_free(&arena);
}

/* ---- what goes in ---- */

static struct record_entry entry_of(const char *variant, enum farm_status status) {
  double t = 100 + atof(variant + 1);
  struct record_entry entry = {
      .variant = variant, .source_digest = SOURCE, .status = status, .message = status ? "wrong" : "", .rank = RECORD_RANK_NONE};
  if (status == FARM_OK) entry.times = (struct record_times){5, t, t, t, t, t, t, t, t};
  return entry;
}

static void report(struct bench *bench, struct actor *worker, enum record_kind kind, struct record_entry *entries, uint32_t count,
                   bool finished) {
  struct record record = {.kind = kind,
                          .problem = worker->job.problem,
                          .device_class = worker->job.device_class,
                          .policy = worker->job.policy,
                          .threads = worker->job.threads,
                          .device = worker->name,
                          .build = "b",
                          .clocks = "",
                          .unix_s = unix_time(bench),
                          .device_s = 0.1,
                          .entry_count = count,
                          .entries = entries};
  struct bytes_writer bytes = {0};
  if (count) REQUIRE_OK(record_encode(&record, &bytes));
  struct wire_record encoded = {{bytes.data, (uint32_t)bytes.length}};
  if (finished)
    send(bench, worker,
         &(struct wire_message){
             .type = WIRE_FINISHED,
             .finished = {
                 .lease = worker->job.lease, .sequence = ++bench->sequence, .records = &encoded, .records_count = count > 0}});
  else
    send(bench, worker,
         &(struct wire_message){
             .type = WIRE_PARTIAL,
             .partial = {.lease = worker->job.lease, .sequence = ++bench->sequence, .records = &encoded, .records_count = 1}});
  bytes_writer_free(&bytes);
}

static void final(struct bench *bench, struct actor *worker) {
  struct record_entry entries[16];
  for (uint32_t i = 0; i < worker->job.variants_count; i++) {
    entries[i] = entry_of(worker->job.variants[i].text, FARM_OK);
    entries[i].finalist = true, entries[i].rank = i;
  }
  report(bench, worker, RECORD_FINAL, entries, worker->job.variants_count, true);
}

static void submit(struct bench *bench, struct actor *client, char *words) {
  struct arena arena = {0};
  struct wire_item items[16] = {0};
  uint32_t count = 0;
  char *rest, *id = strtok_r(words, " ", &rest), *flags = strtok_r(NULL, " ", &rest);
  for (char *word; (word = strtok_r(NULL, " ", &rest)); count++) {
    char *colon = strchr(word, ':'), *at = strchr(word, '@'), *slash = strchr(word, '/');
    uint32_t variants = (uint32_t)atoi(colon + 1);
    struct wire_variant *list = arena_alloc_array(&arena, variants, sizeof *list);
    for (uint32_t v = 0; v < variants; v++) list[v] = (struct wire_variant){arena_printf(&arena, "v%u", v), SOURCE};
    items[count] = (struct wire_item){.problem = arena_string(&arena, word, (size_t)(colon - word)),
                                      .device_class = "c",
                                      .threads = 1,
                                      .default_index = slash ? (uint32_t)atoi(slash + 1) : 0,
                                      .estimated_ns = at ? atof(at + 1) * 1e3 : 1000,
                                      .variants = list,
                                      .variants_count = variants};
  }
  send(bench, client,
       &(struct wire_message){.type = WIRE_SUBMIT,
                              .submit = {.build = digest_of_text(id),
                                         .label = id,
                                         .policy = "cold/1",
                                         .flags = (uint32_t)atoi(flags),
                                         .item_total = count,
                                         .items = items,
                                         .items_count = count}});
  arena_free(&arena);
}

static void submit_huge(struct bench *bench, struct actor *client, struct digest id, uint32_t total) {
  struct wire_variant variant = {"v0", SOURCE};
  struct wire_item item = {.problem = "p", .device_class = "c", .threads = 1, .variants = &variant, .variants_count = 1};
  send(bench, client,
       &(struct wire_message){
           .type = WIRE_SUBMIT,
           .submit = {.build = id, .label = "", .policy = "cold/1", .item_total = total, .items = &item, .items_count = 1}});
}

static void hello(struct bench *bench, struct actor *actor, const char *class_name, bool naming) {
  actor->id = ++bench->next_id;
  actor->beating = true;
  snprintf(actor->class_name, sizeof actor->class_name, "%s", class_name ? class_name : "");
  send(bench, actor,
       &(struct wire_message){.type = WIRE_HELLO,
                              .hello = {.protocol_low = 1,
                                        .protocol_high = 1,
                                        .role = actor->worker ? WIRE_ROLE_WORKER : WIRE_ROLE_CLIENT,
                                        .host = actor->name,
                                        .device_class = actor->class_name,
                                        .device = "d",
                                        .threads = 4,
                                        .catalogue = actor->name,
                                        .running = &actor->job,
                                        .running_count = naming}});
}

static void tick(struct bench *bench, double seconds) {
  for (double passed = 0; passed < seconds; passed += 0.5) {
    bench->now += 500000000;
    for (int i = 0; i < bench->actor_count; i++)
      if (bench->actors[i].beating) send(bench, &bench->actors[i], &(struct wire_message){.type = WIRE_HEARTBEAT});
    core_tick(bench->core, bench->now);
    settle(bench);
  }
}

static void act(struct bench *bench, struct actor *actor, const char *verb, char *rest) {
  struct digest id = digest_of_text(rest);
  char *second = strchr(rest, ' ');
  if (strcmp(verb, "why") == 0) return CHECK_TEXT(actor->why, rest);
  if (second && strcmp(verb, "submit") != 0) *second++ = 0;
  struct record_entry entry = entry_of(rest[0] ? rest : "v0", second ? FARM_TACTIC_WRONG : FARM_OK);
  if (strcmp(verb, "hello") == 0)
    hello(bench, actor, rest, second != NULL);
  else if (strcmp(verb, "ready") == 0)
    send(bench, actor, &(struct wire_message){.type = WIRE_READY, .ready = {(uint32_t)atoi(rest)}});
  else if (strcmp(verb, "submit") == 0)
    submit(bench, actor, rest);
  else if (strcmp(verb, "huge") == 0)
    submit_huge(bench, actor, digest_of_text(rest), (uint32_t)atoi(second));
  else if (strcmp(verb, "started") == 0)
    send(bench, actor, &(struct wire_message){.type = WIRE_STARTED, .started = {actor->job.lease}});
  else if (strcmp(verb, "land") == 0)
    report(bench, actor, RECORD_SCREEN, &entry, 1, false);
  else if (strcmp(verb, "finish") == 0)
    report(bench, actor, RECORD_SCREEN, NULL, 0, true);
  else if (strcmp(verb, "final") == 0)
    final(bench, actor);
  else if (strcmp(verb, "fail") == 0)
    send(bench, actor,
         &(struct wire_message){.type = WIRE_FINISHED,
                                .finished = {.lease = actor->job.lease, .sequence = 1, .status = FARM_NO_MEMORY}});
  else if (strcmp(verb, "execute") == 0)
    send(bench, actor,
         &(struct wire_message){.type = WIRE_EXECUTE,
                                .execute = {.request = 1,
                                            .device_class = "c",
                                            .threads = second ? (uint32_t)atoi(second) : 1,
                                            .spec = rest,
                                            .deadline_ms = 1000}});
  else if (strcmp(verb, "executed") == 0)
    send(bench, actor,
         &(struct wire_message){.type = WIRE_FINISHED, .finished = {.lease = actor->job.lease, .sequence = ++bench->sequence}});
  else if (strcmp(verb, "return") == 0)
    send(bench, actor,
         &(struct wire_message){.type = WIRE_RETURN,
                                .returned = {.lease = actor->job.lease,
                                             .sequence = 1,
                                             .reason = "unknown",
                                             .unknown = &(struct wire_variant){rest, SOURCE},
                                             .unknown_count = 1}});
  else if (strcmp(verb, "bye") == 0)
    send(bench, actor, &(struct wire_message){.type = WIRE_BYE}), actor->beating = false;
  else if (strcmp(verb, "lost") == 0)
    core_peer_gone(bench->core, bench->now, actor->id), actor->beating = false, settle(bench);
  else if (strcmp(verb, "broken") == 0)
    core_peer_unreachable(bench->core, bench->now, actor->id), actor->beating = false, settle(bench);
  else if (strcmp(verb, "drain") == 0)
    send(bench, actor, &(struct wire_message){.type = WIRE_DRAIN});
  else if (strcmp(verb, "silent") == 0)
    actor->beating = false;
  else if (strcmp(verb, "attach") == 0)
    send(bench, actor, &(struct wire_message){.type = WIRE_ATTACH, .attach = {.build = id}});
  else if (strcmp(verb, "cancel") == 0)
    send(bench, actor, &(struct wire_message){.type = WIRE_CANCEL, .cancel = {id}});
  else if (strcmp(verb, "copy") == 0)
    REQUIRE_OK(wire_copy_job(&actor_named(bench, rest)->job, &actor->arena, &actor->job));
  else if (strcmp(verb, "timed") == 0)
    CHECK_MESSAGE(actor->timed == (uint32_t)atoi(rest), "%s: %u variants timed, expected %s", actor->name, actor->timed, rest);
  else if (strcmp(verb, "close") == 0)
    send(bench, actor, &(struct wire_message){.type = WIRE_CLOSE, .close = {id}});
  else
    CHECK_MESSAGE(false, "no such verb: %s", verb);
}

static void expect(struct actor *actor, const char *text, const char *script, int line) {
  const char *next = actor->first < actor->count ? actor->inbox[actor->first % INBOX] : "";
  if (actor->first < actor->count) actor->first++;
  CHECK_MESSAGE(strcmp(next, text) == 0, "%s, line %d: %s got \"%s\", expected \"%s\"", script, line, actor->name, next, text);
}

static void run(const char *name, const char *const *script) {
  struct bench *bench = calloc(1, sizeof *bench);
  start(bench);
  for (int line = 0; script[line]; line++) {
    char text[200];
    snprintf(text, sizeof text, "%s", script[line]);
    char *rest, *who = strtok_r(text, " ", &rest);
    size_t length = strlen(who);
    if (strcmp(who, "tick") == 0)
      tick(bench, atof(rest));
    else if (strcmp(who, "records") == 0)
      CHECK_MESSAGE(bench->records.count == (size_t)atoi(rest), "%s, line %d: %zu records", name, line + 1, bench->records.count);
    else if (strcmp(who, "deaf") == 0) {
      bench->now += (uint64_t)(atof(rest) * 1e9);
      core_tick(bench->core, bench->now);
      settle(bench);
    } else if (strcmp(who, "restart") == 0)
      core_free(&bench->core), start(bench);
    else if (who[length - 1] == '<')
      who[length - 1] = 0, expect(actor_named(bench, who), rest, name, line + 1);
    else {
      char *verb = strtok_r(NULL, " ", &rest);
      act(bench, actor_named(bench, who), verb, rest);
    }
  }
  core_free(&bench->core);
  struct map *maps[] = {&bench->records, &bench->builds, &bench->jobs};
  for (int i = 0; i < 3; i++) {
    for (struct map_entry *e = map_next(maps[i], NULL); e; e = map_next(maps[i], e)) free(e->value);
    map_free(maps[i]);
  }
  for (int i = 0; i < bench->actor_count; i++) arena_free(&bench->actors[i].arena);
  free(bench);
}

#define SCRIPT(name, ...)                                                                                                        \
  TEST(name, "") {                                                                                                               \
    static const char *const script[] = {__VA_ARGS__, NULL};                                                                     \
    run(#name, script);                                                                                                          \
  }

SCRIPT(core_screens_then_final_then_hits, "w hello c", "w ready 1", "a hello", "a submit A 0 p:3", "w< JOB screen p v0 v1 v2",
       "w started", "w land v0", "w land v1", "w land v2 FAILED", "w finish", "w ready 1", "w< JOB final p v0 v1", "w started",
       "a<", "w final", "a< RESULT 0 OK", "a< DONE OK", "w ready 1", "w<", "a close A", "b hello", "b submit B 0 p:3",
       "b< RESULT 0 OK hit", "b< DONE OK", "w<")

SCRIPT(core_only_what_is_missing_is_measured, "w hello c", "w ready 1", "a hello", "a submit A 0 p:2", "w< JOB screen p v0 v1",
       "w land v0", "w land v1", "w finish", "w ready 1", "w< JOB final p v0 v1", "w final", "a< RESULT 0 OK", "a< DONE OK",
       "w ready 1", "a submit B 0 p:3", "w< JOB screen p v2", "w land v2", "w finish", "w ready 1", "w< JOB final p v0 v1 v2",
       "w final", "a< RESULT 0 OK", "a< DONE OK")

/* The new variant fails: the final of before still says it all. */
SCRIPT(core_no_new_final_when_nothing_new_survives, "w hello c", "w ready 1", "a hello", "a submit A 0 p:2",
       "w< JOB screen p v0 v1", "w land v0", "w land v1", "w finish", "w ready 1", "w< JOB final p v0 v1", "w final",
       "a< RESULT 0 OK", "a< DONE OK", "w ready 1", "a submit B 0 p:3", "w< JOB screen p v2", "w land v2 FAILED",
       "a< RESULT 0 OK", "a< DONE OK", "w finish", "w ready 1", "w<")

SCRIPT(core_builds_in_flight_share_a_task, "w hello c", "a hello", "b hello", "a submit A 0 p:2", "b submit B 0 p:2", "w ready 1",
       "w< JOB screen p v0 v1", "w land v0", "w land v1", "w finish", "w ready 1", "w< JOB final p v0 v1", "w final",
       "a< RESULT 0 OK", "b< RESULT 0 OK", "a< DONE OK", "b< DONE OK", "w ready 1", "w<")

SCRIPT(core_one_working_variant_needs_no_final, "w hello c", "w ready 1", "a hello", "a submit A 0 p:1", "w< JOB screen p v0",
       "w land v0", "a< RESULT 0 OK", "a< DONE OK")
SCRIPT(core_nothing_works, "w hello c", "w ready 1", "a hello", "a submit A 0 p:2", "w< JOB screen p v0 v1", "w land v0 FAILED",
       "w land v1 FAILED", "a< RESULT 0 FAILURE", "a< DONE FAILURE", "a why no variant of `p` works on c; v0: TACTIC_WRONG wrong",
       "a close A", "a submit B 0 q:1 p:2", "a< RESULT 1 FAILURE hit", "w finish", "w ready 1", "w< JOB screen q v0", "w land v0",
       "a< RESULT 0 OK", "a< DONE FAILURE", "a why no variant of `p` works on c; v0: TACTIC_WRONG wrong")

SCRIPT(core_longest_first, "w hello c", "a hello", "a submit A 0 s:1@10 l:1@9000 m:1@500", "w ready 1", "w< JOB screen l v0",
       "w land v0", "w finish", "w ready 1", "w< JOB screen m v0", "w land v0", "w finish", "w ready 1", "w< JOB screen s v0")

SCRIPT(core_builds_take_turns, "w hello c", "a hello", "b hello", "a submit A 0 a0:1 a1:1 a2:1", "b submit B 0 b0:1 b1:1",
       "w ready 1", "w< JOB screen a0 v0", "w land v0", "w finish", "w ready 1", "w< JOB screen b0 v0", "w land v0", "w finish",
       "w ready 1", "w< JOB screen a1 v0", "w land v0", "w finish", "w ready 1", "w< JOB screen b1 v0")

SCRIPT(core_silent_worker_loses_its_lease, "w1 hello c", "w1 ready 1", "a hello", "a submit A 0 p:3", "w1< JOB screen p v0 v1 v2",
       "w1 started", "w1 land v0", "w2 hello c", "w2 ready 1", "w2<", "w1 silent", "tick 2", "w2<", "tick 2",
       "w2< JOB screen p v2", /* v1 is suspected: alone, later */ "w2 started", "w2 land v2", "w2 finish", "w2 ready 1",
       "w2< JOB screen p v1")

SCRIPT(core_two_workers_quarantine_a_variant, "w1 hello c", "w1 ready 1", "a hello", "a submit A 0 p:2", "w1< JOB screen p v0 v1",
       "w1 started", "w1 land v0", "w1 lost", "w2 hello c", "w2 ready 1", "w2< JOB screen p v1", "w2 started", "w2 lost",
       /* v1 is out, v0 alone needs no final */ "a< RESULT 0 OK", "a< DONE OK")

SCRIPT(core_three_deaths_on_one_worker_quarantine, "w hello c", "w ready 1", "a hello", "a submit A 0 p:1", "w< JOB screen p v0",
       "w started", "w lost", "w hello c", "w ready 1", "w< JOB screen p v0", "w started", "w lost", "w hello c", "w ready 1",
       "w< JOB screen p v0", "w started", "w lost", "a< RESULT 0 FAILURE", "a< DONE FAILURE")

SCRIPT(core_not_started_is_not_blamed, "w hello c", "w ready 1", "a hello", "a submit A 0 p:1", "w< JOB screen p v0", "w lost",
       "w hello c", "w ready 1", "w< JOB screen p v0", "w lost", "w hello c", "w ready 1", "w< JOB screen p v0", "w lost",
       "w hello c", "w ready 1", "w< JOB screen p v0", "w started", "w land v0", "a< RESULT 0 OK")

/* Four suspects in a row on w1 while w2 does well: w1 gets nothing for a while, and its suspects are cleared. */
SCRIPT(core_worker_with_many_suspects_is_set_aside, "w2 hello c", "w1 hello c", "w1 ready 1", "a hello",
       "a submit A 0 p:1@900 q:1@800 r:1@700 s:1@600", "w1< JOB screen p v0", "w1 started", "w1 lost", "w1 hello c", "w1 ready 1",
       "w1< JOB screen q v0", "w1 started", "w1 lost", "w1 hello c", "w1 ready 1", "w1< JOB screen r v0", "w1 started", "w1 lost",
       "w1 hello c", "w1 ready 1", "w1<", "tick 9", "w1<", "tick 2", "w1< JOB screen p v0")

SCRIPT(core_deadline_counts_from_started_and_from_news, "w hello c", "w ready 1", "a hello", "a submit A 0 p:2",
       "w< JOB screen p v0 v1", "tick 100", "w<", "w started", "tick 50", "w<", "w land v0", "tick 50", "w<", "tick 20",
       "w< STOP overdue", "w finish", "w ready 1", "w< JOB screen p v1")

SCRIPT(core_late_result_counts_while_it_is_missing, "w1 hello c", "w1 ready 1", "a hello", "a submit A 0 p:1",
       "w1< JOB screen p v0", "w1 started", "w1 lost", "w1 hello c", "w1 land v0", "a< RESULT 0 OK", "a< DONE OK")
SCRIPT(core_duplicate_result_is_not_counted_twice, "w hello c", "w ready 1", "a hello", "a submit A 0 p:2",
       "w< JOB screen p v0 v1", "w land v0", "w land v0", "w land v0", "a<", "w land v1", "w finish", "w ready 1",
       "w< JOB final p v0 v1", "w final", "a< RESULT 0 OK", "a< DONE OK", "a timed 2")
SCRIPT(core_record_of_another_class_is_refused, "w hello c", "w ready 1", "a hello", "a submit A 0 p:1", "w< JOB screen p v0",
       "w2 hello other", "w2 copy w", "w2 land v0", "a<", "w land v0", "a< RESULT 0 OK")

SCRIPT(core_return_goes_to_another_catalogue, "w1 hello c", "w1 ready 1", "a hello", "a submit A 0 p:2", "w1< JOB screen p v0 v1",
       "w2 hello c", "w2 ready 1", "w1 return v1", "w2< JOB screen p v0", "w1 ready 1", "w1<", "w2 land v0", "w2 finish",
       "w2 ready 1", "w2< JOB screen p v1")
SCRIPT(core_variant_that_nobody_has_fails_its_item, "w hello c", "w ready 1", "a hello", "a submit A 0 p:2",
       "w< JOB screen p v0 v1", "w return v1", "a< RESULT 0 MISMATCH", "a< DONE MISMATCH")
SCRIPT(core_job_that_fails_as_a_whole_is_tried_three_times, "w hello c", "w ready 1", "a hello", "a submit A 0 p:1",
       "w< JOB screen p v0", "w fail", "w ready 1", "w< JOB screen p v0", "w fail", "w ready 1", "w< JOB screen p v0", "w fail",
       "a< RESULT 0 NO_MEMORY", "a< DONE NO_MEMORY",
       "a why it could not be measured, 3 times on 1 workers, the last w/d: ", "records 0")
/* No variant is to blame that a worker lacks memory: another one measures it, and nothing bad is remembered. */
SCRIPT(core_job_that_fails_as_a_whole_goes_to_another_worker, "w1 hello c", "w1 ready 1", "a hello", "a submit A 0 p:2",
       "w1< JOB screen p v0 v1", "w2 hello c", "w1 fail", "w1 ready 1", "w1<", "w2 ready 1", "w2< JOB screen p v0", "w2 land v0",
       "w1< JOB screen p v1", "w1 land v1", "w2 finish", "w2 ready 1", "w2< JOB final p v0 v1", "records 2")
SCRIPT(core_job_that_fails_on_two_workers_ends, "w1 hello c", "w1 ready 1", "a hello", "a submit A 0 p:2",
       "w1< JOB screen p v0 v1", "w1 started", "w1 land v0", "w2 hello c", "w2 ready 1", "w1 fail", "w2< JOB screen p v1",
       "w2 fail", "a< RESULT 0 NO_MEMORY", "records 1")
/* Its own trouble, time and again: it is set aside, and what it failed is not held against the tasks. */
SCRIPT(core_worker_that_fails_everything_is_set_aside, "w2 hello c", "w1 hello c", "w1 ready 1", "a hello",
       "a submit A 0 p:1@900 q:1@800 r:1@700", "w1< JOB screen p v0", "w1 fail", "w1 ready 1", "w1< JOB screen q v0", "w1 fail",
       "w1 ready 1", "w1< JOB screen r v0", "w1 fail", "w1 ready 1", "w1<", "a<", "w2 ready 1", "w2< JOB screen p v0",
       "w2 land v0", "a< RESULT 0 OK", "records 2")

SCRIPT(core_waits_for_a_worker, "a hello", "a submit A 0 p:1", "tick 100", "a<", "w hello c", "w ready 1", "w< JOB screen p v0")
SCRIPT(core_fails_fast_when_asked_to, "a hello", "a submit A 1 p:1 q:1", "tick 8", "a<", "tick 4", "a< RESULT 0 NOT_FOUND",
       "a< RESULT 1 NOT_FOUND", "a< DONE NOT_FOUND", "a why no worker of this device class is registered: c")
SCRIPT(core_worker_of_another_class_gets_nothing, "w hello other", "w ready 1", "a hello", "a submit A 0 p:1", "w<")

SCRIPT(core_client_reattaches, "w hello c", "w ready 1", "a hello", "a submit A 0 p:1 q:1", "w< JOB screen p v0", "w land v0",
       "a< RESULT 0 OK", "a lost", "b hello", "b attach A", "b< RESULT 0 OK", "w finish", "w ready 1", "w< JOB screen q v0",
       "w land v0", "b< RESULT 1 OK", "b< DONE OK", "c hello", "c attach X", "c< FAULT NOT_FOUND")
SCRIPT(core_orphans_end, "w hello c", "a hello", "a submit A 0 p:1", "a lost", "tick 59", "b hello", "b attach A", "b<", "b lost",
       "tick 61", "c hello", "c attach A", "c< FAULT NOT_FOUND", "w ready 1", "w<")
SCRIPT(core_cancel_stops_jobs, "w hello c", "w ready 1", "a hello", "a submit A 0 p:1", "w< JOB screen p v0", "a cancel A",
       "a< DONE CANCELLED", "w< STOP nobody waits for it", "w finish", "w ready 1", "w<")

/* An execute job ends while the connection is broken: what the worker says on the next one counts. */
SCRIPT(core_end_of_a_job_counts_on_another_connection, "w hello c", "w ready 1", "a hello", "a execute x", "w< JOB execute x",
       "w started", "w hello c", "w executed", "a< EXECUTED OK", "w ready 1", "tick 5", "w<")
SCRIPT(core_end_of_a_job_is_its_workers_alone, "w hello c", "w ready 1", "a hello", "a execute x", "w< JOB execute x",
       "w started", "w2 hello c", "w2 copy w", "w2 executed", "a<", "w executed", "a< EXECUTED OK")

/* The connection breaks, and is another one a moment later: nobody is suspected, nothing is measured twice. */
SCRIPT(core_broken_connection_keeps_what_was_begun, "w1 hello c", "w1 ready 1", "a hello", "a submit A 0 p:2",
       "w1< JOB screen p v0 v1", "w1 started", "w1 land v0", "w2 hello c", "w2 ready 1", "w1 broken", "w2<", "tick 1",
       "w1 hello c naming", "tick 9", "w2<", "w1 land v1", "w2< JOB final p v0 v1", "w2 final", "a< RESULT 0 OK", "a< DONE OK")
SCRIPT(core_broken_connection_gives_back_what_was_not_begun, "w1 hello c", "w1 ready 2", "a hello", "a submit A 0 p:1",
       "w1< JOB screen p v0", "w2 hello c", "w2 ready 1", "w1 broken", "w2< JOB screen p v0")
SCRIPT(core_broken_connection_is_silence_in_the_end, "w1 hello c", "w1 ready 1", "a hello", "a submit A 0 p:1",
       "w1< JOB screen p v0", "w1 started", "w2 hello c", "w2 ready 1", "w1 broken", "tick 2", "w2<", "tick 2",
       "w2< JOB screen p v0", "w1 ready 1", "w1< REFUSE AGAIN")
/* It was stopped, or waited for its disk: what it did not hear was no silence. */
SCRIPT(core_that_did_not_listen_blames_nobody, "w1 hello c", "w1 ready 1", "a hello", "a submit A 0 p:2",
       "w1< JOB screen p v0 v1", "w1 started", "w2 hello c", "w2 ready 1", "tick 1", "deaf 70", "w2<", "tick 2", "w2<",
       "w1 land v0", "w1 land v1", "w2< JOB final p v0 v1")
SCRIPT(core_that_did_not_listen_still_hears_silence, "w1 hello c", "w1 ready 1", "a hello", "a submit A 0 p:1",
       "w1< JOB screen p v0", "w1 started", "w2 hello c", "w2 ready 1", "tick 1", "w1 silent", "deaf 5", "w2<", "tick 2", "w2<",
       "tick 2", "w2< JOB screen p v0")

/* Giving back is no loss; a worker with too few threads is not asked. */
SCRIPT(core_execute_job_outlives_many_who_give_it_back, "w hello c", "w ready 8", "a hello", "a execute x", "w< JOB execute x",
       "w return v", "tick 2", "w< JOB execute x", "w return v", "tick 2", "w< JOB execute x", "w return v", "tick 2",
       "w< JOB execute x", "w return v", "tick 2", "a<", "w< JOB execute x", "w started", "w executed", "a< EXECUTED OK")
SCRIPT(core_execute_job_goes_to_who_has_the_threads, "w hello c", "w ready 1", "a hello", "a execute x 5", "tick 2", "w<", "a<",
       "b hello", "b execute y 4", "w< JOB execute y")
SCRIPT(core_execute_job_says_what_became_of_it, "w hello c", "w ready 8", "a hello", "a execute x", "w< JOB execute x",
       "w started", "tick 2", "w< STOP overdue", "w< JOB execute x", "w started", "tick 2", "w< STOP overdue", "w< JOB execute x",
       "w started", "tick 2", "w< STOP overdue",
       "a< EXECUTED TIMED_OUT: 3 attempts came to nothing, the last: no result within its deadline")

SCRIPT(core_restart_keeps_what_was_accepted, "w hello c", "w ready 1", "a hello", "a submit A 0 p:2", "w< JOB screen p v0 v1",
       "w started", "w land v0", "restart", "a hello", "a attach A", "a<",
       /* another worker waits out the grace, since the lease may still be alive */ "w2 hello c", "w2 ready 1", "w2<",
       "w hello c naming", "tick 4", "w2<", "w land v1", "w2< JOB final p v0 v1", "w2 final", "a< RESULT 0 OK", "a< DONE OK")
SCRIPT(core_restart_hands_out_what_nobody_names, "w hello c", "w ready 1", "a hello", "a submit A 0 p:1", "w< JOB screen p v0",
       "w started", "restart", "a hello", "a attach A", "w2 hello c", "w2 ready 1", "tick 2", "w2<", "tick 2",
       "w2< JOB screen p v0")
/* Workers that are there leave; one that is started afterwards, as local ones are, serves builds again. */
SCRIPT(core_drained_farm_serves_again_when_workers_come, "w hello c", "w ready 2", "a hello", "a submit A 0 p:1",
       "w< JOB screen p v0", "b hello", "b drain", "w< DRAIN", "a submit B 0 q:1", "w<", "w land v0", "a< RESULT 0 OK",
       "a< DONE OK", "w finish", "w<", "w bye", "tick 2", "a<", "w hello c", "w ready 1", "w< JOB screen q v0")

SCRIPT(core_strangers_are_told_to_greet, "w hello c", "restart", "w ready 1", "w< REFUSE AGAIN")
SCRIPT(core_worker_without_class_is_refused, "w hello", "w< REFUSE MISMATCH")
/* Another build with another default: it has to be in a final, too. */
SCRIPT(core_every_default_is_a_finalist, "w hello c", "w ready 1", "a hello", "a submit A 0 p:7",
       "w< JOB screen p v0 v1 v2 v3 v4 v5 v6", "w land v0", "w land v1", "w land v2", "w land v3", "w land v4", "w land v5",
       "w land v6", "w finish", "w ready 1", "w< JOB final p v0 v1 v2 v3 v4", "w final", "a< RESULT 0 OK", "a< DONE OK",
       "w ready 1", "a submit B 0 p:7/3", "a< RESULT 0 OK hit", "a< DONE OK", "a submit C 0 p:7/6",
       "w< JOB final p v0 v1 v2 v3 v4 v6", "w final", "a< RESULT 0 OK", "a< DONE OK")
/* It joins while the other's final is being timed: one more final, for it alone to wait for. */
SCRIPT(core_default_that_joins_late_waits_for_its_own_final, "w hello c", "w ready 1", "a hello", "b hello", "a submit A 0 p:7",
       "w< JOB screen p v0 v1 v2 v3 v4 v5 v6", "w land v0", "w land v1", "w land v2", "w land v3", "w land v4", "w land v5",
       "w land v6", "w finish", "w ready 1", "w< JOB final p v0 v1 v2 v3 v4", "b submit B 0 p:7/6", "w final", "a< RESULT 0 OK",
       "a< DONE OK", "b<", "w ready 1", "w< JOB final p v0 v1 v2 v3 v4 v6", "w final", "b< RESULT 0 OK", "b< DONE OK")
/* The stored final would do for the one, but not for the other, whose default it did not time. */
SCRIPT(core_stored_final_must_hold_every_default, "w hello c", "w ready 1", "a hello", "b hello", "a submit A 0 p:7",
       "w< JOB screen p v0 v1 v2 v3 v4 v5 v6", "w land v0", "w land v1", "w land v2", "w land v3", "w land v4", "w land v5",
       "w land v6", "w finish", "w ready 1", "w< JOB final p v0 v1 v2 v3 v4", "w final", "a< RESULT 0 OK", "a< DONE OK",
       "w ready 1", "a submit B 0 p:8", "w< JOB screen p v7", "b submit C 0 p:7/6", "w land v7 FAILED", "w finish", "w ready 1",
       "w< JOB final p v0 v1 v2 v3 v4 v6", "w final", "a< RESULT 0 OK", "b< RESULT 0 OK")

/* It would be refused the next time, too: the client is told why, not to come again. */
SCRIPT(core_refuses_a_build_that_is_too_large_for_good, "a hello", "a huge A 200001", "a< DONE INVALID",
       "a why the build has 200001 items, a coordinator takes at most 200000", "a<", "a huge B 200000", "a<")

/* See artefact-supply.h. */
#include "artefact-supply.h"

#include "../kernels/cuda/cuda-artefact.h"
#include "../kernels/cuda/cuda-tactic.h"
#include "child-protocol.h"

#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 60000, KEYS_AT_ONCE = 64, COMPILERS_MOST = 16 };
#define SESSION_MOST_BYTES ((size_t)512 << 20)

/* ---- texts of a job ---- */

/* The text of one variant of a job; empty: it has none (a library's tactic). */
static enum farm_status text_of(const struct problem *problem, const char *variant_text, struct strbuf *out) {
  struct variant variant;
  strbuf_clear(out);
  TRY(variant_parse(variant_text, &variant));
  const struct cuda_tactic *tactic = cuda_tactic_of(variant.tactic);
  if (!tactic || !tactic->source || !variant_legal(problem, &variant)) return FARM_OK; // the child says what is wrong with it
  if (tactic->source(problem, &variant, out) != FARM_OK) strbuf_clear(out);            // the same
  FAIL_IF(out->failed, FARM_NO_MEMORY, "out of memory for a kernel's text");
  return FARM_OK;
}

/* One text of the job that is not on the shelf. */
struct want {
  uint32_t variant; // the first that has it
  struct digest text;
  char *source;
  bool found;
};
struct wants {
  struct want *items;
  uint32_t count;
};

static bool is_wanted(const struct wants *wants, const struct digest *text) {
  for (uint32_t i = 0; i < wants->count; i++)
    if (digest_equal(&wants->items[i].text, text)) return true;
  return false;
}

static enum farm_status wants_collect(const struct artefact_supply *supply, const struct wire_job *job,
                                      const struct problem *problem, struct wants *wants) {
  struct strbuf source = {0};
  enum farm_status status = FARM_OK;
  for (uint32_t i = 0; i < job->variants_count && status == FARM_OK; i++) {
    status = text_of(problem, job->variants[i].text, &source);
    if (status != FARM_OK || source.length == 0) continue;
    struct digest text = digest_of_text(strbuf_text(&source));
    if (artefact_shelf_find(&supply->shelf, &text) || is_wanted(wants, &text)) continue;
    struct want want = {.variant = i, .text = text, .source = strdup(strbuf_text(&source))};
    if (!want.source)
      status = status_set(FARM_NO_MEMORY, "out of memory for a kernel's text");
    else
      wants->items[wants->count++] = want;
  }
  strbuf_free(&source);
  return status;
}

/* ---- compilers: greatest first ---- */

static int greater_first(const void *a, const void *b) { return -strverscmp(*(const char *const *)a, *(const char *const *)b); }

static enum farm_status compilers_ask(struct artefact_supply *supply, struct arena *arena, const char **out, int *out_count) {
  struct wire_cache_reply reply;
  TRY(worker_link_cache(supply->link, "compilers", NULL, 0, NULL, WAIT_MS, arena, &reply));
  *out_count = 0;
  for (uint32_t i = 0; i < reply.counters_count && *out_count < COMPILERS_MOST; i++) out[(*out_count)++] = reply.counters[i].name;
  qsort(out, (size_t)*out_count, sizeof *out, greater_first);
  return FARM_OK;
}

/* ---- artefacts ---- */

struct taking {
  struct artefact_supply *supply;
  struct wants *wants;
  const char *const *keys; // of `asked`
  struct want *const *asked;
  uint32_t count;
};

static enum farm_status artefact_take(void *context, const struct artefact *artefact, const void *envelope, size_t length) {
  (void)envelope, (void)length;
  struct taking *taking = context;
  for (uint32_t i = 0; i < taking->count; i++) {
    if (strcmp(taking->keys[i], artefact->key) != 0) continue;
    taking->asked[i]->found = true;
    return artefact_shelf_put(&taking->supply->shelf, &taking->asked[i]->text, artefact->status, artefact->message,
                              artefact->data, artefact->length);
  }
  return FARM_OK; // not asked for
}

static enum farm_status some_fetch(struct taking *taking, struct arena *arena) {
  struct wire_cache_reply reply;
  struct worker_link *link = taking->supply->link;
  uint8_t *data;
  size_t length;
  TRY(worker_link_cache(link, "artefacts-get", taking->keys, taking->count, NULL, WAIT_MS, arena, &reply));
  if (reply.blob_bytes == 0) return FARM_OK;
  TRY(worker_link_blob_get(link, &reply.blob, SESSION_MOST_BYTES, WAIT_MS, &data, &length));
  enum farm_status status = artefact_list_each(data, length, artefact_take, taking);
  free(data);
  return status;
}

static enum farm_status wants_fetch(struct artefact_supply *supply, struct wants *wants, const char *compiler,
                                    struct arena *arena) {
  for (uint32_t at = 0; at < wants->count;) {
    const char *keys[KEYS_AT_ONCE];
    struct want *asked[KEYS_AT_ONCE];
    struct taking taking = {supply, wants, keys, asked, 0};
    for (; at < wants->count && taking.count < KEYS_AT_ONCE; at++) {
      if (wants->items[at].found) continue;
      asked[taking.count] = &wants->items[at];
      TRY(cuda_artefact_key_text(wants->items[at].source, supply->sm, compiler, arena, &keys[taking.count]));
      taking.count++;
    }
    if (taking.count) TRY(some_fetch(&taking, arena));
  }
  return FARM_OK;
}

/* Every variant whose text was wanted and not found. */
static enum farm_status missing_name(const struct wants *wants, const struct wire_job *job, const struct problem *problem,
                                     struct wire_variant *out_missing, uint32_t *out_count) {
  struct strbuf source = {0};
  enum farm_status status = FARM_OK;
  *out_count = 0;
  for (uint32_t i = 0; i < job->variants_count && status == FARM_OK; i++) {
    status = text_of(problem, job->variants[i].text, &source);
    struct digest text = digest_of_text(strbuf_text(&source));
    for (uint32_t w = 0; w < wants->count && status == FARM_OK; w++)
      if (!wants->items[w].found && digest_equal(&wants->items[w].text, &text)) out_missing[(*out_count)++] = job->variants[i];
  }
  strbuf_free(&source);
  return status;
}

static enum farm_status fetch(struct artefact_supply *supply, const struct wire_job *job, const struct problem *problem,
                              struct wants *wants, struct arena *arena, struct wire_variant *out_missing, uint32_t *out_count) {
  const char *compilers[COMPILERS_MOST];
  int compiler_count = 0;
  if (supply->shelf.bytes > SESSION_MOST_BYTES) artefact_shelf_clear(&supply->shelf);
  TRY(wants_collect(supply, job, problem, wants));
  *out_count = 0;
  if (wants->count == 0) return FARM_OK;
  TRY(compilers_ask(supply, arena, compilers, &compiler_count));
  for (int i = 0; i < compiler_count; i++) TRY(wants_fetch(supply, wants, compilers[i], arena));
  return missing_name(wants, job, problem, out_missing, out_count);
}

enum farm_status artefact_supply_fetch(struct artefact_supply *supply, const struct wire_job *job,
                                       struct wire_variant *out_missing, uint32_t *out_count) {
  struct arena arena = {0};
  struct problem problem;
  struct wants wants = {calloc(job->variants_count + 1, sizeof *wants.items), 0};
  FAIL_IF(!wants.items, FARM_NO_MEMORY, "out of memory for a job");
  enum farm_status status = problem_parse(job->problem, &arena, &problem);
  if (status == FARM_OK) status = fetch(supply, job, &problem, &wants, &arena, out_missing, out_count);
  for (uint32_t i = 0; i < wants.count; i++) free(wants.items[i].source);
  free(wants.items);
  arena_free(&arena);
  return status;
}

static enum farm_status send_text(const struct artefact_supply *supply, const struct strbuf *source, int fd) {
  struct bytes_writer body = {0};
  if (source->length == 0) return FARM_OK;
  struct digest text = digest_of_text(strbuf_text(source));
  const struct artefact_on_shelf *found = artefact_shelf_find(&supply->shelf, &text);
  if (!found) return FARM_OK; // the child says what it lacks
  artefact_frame_put(&body, found);
  enum farm_status status = body.failed ? status_set(FARM_NO_MEMORY, "out of memory for a compiled kernel")
                                        : child_frame_send(fd, CHILD_ARTEFACT, body.data, body.length);
  bytes_writer_free(&body);
  return status;
}

enum farm_status artefact_supply_send(const struct artefact_supply *supply, const struct wire_job *job, uint32_t variant,
                                      int fd) {
  struct arena arena = {0};
  struct problem problem;
  struct strbuf source = {0};
  enum farm_status status = problem_parse(job->problem, &arena, &problem);
  if (status == FARM_OK) status = text_of(&problem, job->variants[variant].text, &source);
  if (status == FARM_OK) status = send_text(supply, &source, fd);
  strbuf_free(&source);
  arena_free(&arena);
  return status;
}

void artefact_supply_free(struct artefact_supply *supply) { artefact_shelf_clear(&supply->shelf); }

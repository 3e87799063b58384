/* What the core thinks of its workers: who is set aside because too much died on it, and who lacks which variants. */
#include "core-impl.h"

#include "../../base/log.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t aside_most_ns = 300000000000ull;

struct culprit *core_culprit(struct core *core, const char *name) {
  struct culprit *culprit = map_get(&core->culprits, name);
  if (culprit) return culprit;
  culprit = calloc(1, sizeof *culprit);
  if (culprit && map_set(&core->culprits, name, culprit) == FARM_OK) return culprit;
  free(culprit);
  return NULL;
}

bool worker_is_aside(struct core *core, const struct peer *worker) {
  const struct culprit *culprit = map_get(&core->culprits, worker->name);
  return culprit && culprit->aside_until_ns > core->now;
}

bool worker_has_colleague(struct core *core, const struct device_pool *pool, const char *name) {
  for (struct map_entry *e = map_next(&core->peers, NULL); e; e = map_next(&core->peers, e)) {
    const struct peer *other = e->value;
    if (other->role == WIRE_ROLE_WORKER && other->pool == pool && strcmp(other->name, name) != 0 && !other->draining &&
        !worker_is_aside(core, other))
      return true;
  }
  return false;
}

bool variant_is_blamed(const struct task_variant *variant, const char *name) {
  for (uint32_t i = 0; i < variant->blamed_count; i++)
    if (strcmp(variant->blamed[i], name) == 0) return true;
  return false;
}

bool task_failed_on(const struct task *task, const char *name) {
  for (uint32_t i = 0; i < task->failed_on_count; i++)
    if (strcmp(task->failed_on[i], name) == 0) return true;
  return false;
}

static void forgive_failures(struct task *task, const char *name) {
  for (uint32_t i = 0; i < task->failed_on_count; i++)
    if (strcmp(task->failed_on[i], name) == 0) {
      task->failed_on[i] = task->failed_on[--task->failed_on_count];
      task->failures = task->failed_on_count;
      return;
    }
}

static void forgive_suspects(struct core *core, const char *name) {
  for (struct map_entry *e = map_next(&core->tasks, NULL); e; e = map_next(&core->tasks, e)) {
    struct task *task = e->value;
    forgive_failures(task, name);
    for (size_t i = 0; i < task->variant_count; i++) {
      struct task_variant *variant = &task->variants[i];
      for (uint32_t b = 0; b < variant->blamed_count; b++)
        if (strcmp(variant->blamed[b], name) == 0) {
          variant->blamed[b] = variant->blamed[--variant->blamed_count];
          variant->deaths = variant->blamed_count;
          break;
        }
    }
  }
}

void worker_suspect(struct core *core, const struct device_pool *pool, const char *name) {
  struct culprit *culprit = core_culprit(core, name);
  if (!culprit || ++culprit->suspects < SUSPECTS_MOST || !worker_has_colleague(core, pool, name)) return;
  culprit->aside_for_ns = culprit->aside_for_ns ? culprit->aside_for_ns * 2 : core->options.set_aside_ns;
  if (culprit->aside_for_ns > aside_most_ns) culprit->aside_for_ns = aside_most_ns;
  culprit->aside_until_ns = core->now + culprit->aside_for_ns;
  culprit->suspects = 0;
  core->counters.workers_set_aside++;
  log_warning("worker %s is set aside for %.0f s: %d variants in a row did not survive on it", name,
              (double)culprit->aside_for_ns * 1e-9, SUSPECTS_MOST);
  forgive_suspects(core, name);
}

/* ---- catalogues ---- */

static uint64_t hash_of(const char *text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
  return hash;
}

bool worker_lacks(const struct peer *worker, const struct task_variant *variant) {
  uint64_t hash = hash_of(worker->catalogue);
  for (uint32_t i = 0; i < variant->refused_count; i++)
    if (variant->refused[i] == hash) return true;
  return false;
}

void worker_refuses(const struct peer *worker, struct task_variant *variant) {
  if (!worker_lacks(worker, variant) && variant->refused_count < REFUSALS_MOST)
    variant->refused[variant->refused_count++] = hash_of(worker->catalogue);
}

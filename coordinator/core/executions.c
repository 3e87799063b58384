/* Execute jobs: a client asks, one worker of the class runs, the answer goes back. Nothing of it is stored: a client that loses
 * its connection asks again. They go before tuning jobs, since somebody waits for each. */
#include "core-impl.h"

#include <stdio.h>
#include <stdlib.h>

enum { ATTEMPTS_MOST = 3, RETURNS_MOST = 16 };

void execution_free(struct core *core, struct execution *execution) {
  for (size_t i = 0; i < core->execution_count; i++)
    if (core->executions[i] == execution) {
      for (core->execution_count--; i < core->execution_count; i++)
        core->executions[i] = core->executions[i + 1]; // first come, first served
      break;
    }
  if (execution->job) execution->job->execution = NULL;
  arena_free(&execution->arena);
  free(execution);
}

static enum farm_status keep(struct execution *execution, const struct wire_message *message) {
  struct bytes_writer bytes = {0};
  struct wire_message copy;
  enum farm_status status = wire_encode(message, &bytes);
  if (status == FARM_OK) status = wire_decode(bytes.data, bytes.length, &execution->arena, &copy);
  if (status == FARM_OK) execution->request = copy.execute;
  bytes_writer_free(&bytes);
  return status;
}

void executions_take(struct core *core, struct peer *peer, const struct wire_message *message) {
  uint32_t request = message->execute.request;
  struct execution *execution = core->execution_count < EXECUTIONS_MOST ? calloc(1, sizeof *execution) : NULL;
  if (!execution) return core_fault(core, peer->id, request, FARM_AGAIN, "too many execute jobs wait");
  if (array_reserve(&core->executions, &core->execution_capacity, core->execution_count + 1) != FARM_OK ||
      keep(execution, message) != FARM_OK) {
    arena_free(&execution->arena);
    free(execution);
    return core_fault(core, peer->id, request, FARM_NO_MEMORY, "out of memory");
  }
  execution->peer = peer->id;
  core->executions[core->execution_count++] = execution;
}

void executions_finish(struct core *core, struct execution *execution, enum farm_status status, const char *message,
                       const struct wire_finished *finished) {
  if (!execution) return; // its client went away
  struct wire_message reply = {
      .type = WIRE_EXECUTED,
      .executed = {.request = execution->request.request, .status = status, .message = message, .report = ""}};
  if (finished) {
    reply.executed.report = finished->report;
    reply.executed.blobs = finished->blobs, reply.executed.blobs_count = finished->blobs_count;
  }
  core_send(core, execution->peer, &reply);
  execution_free(core, execution);
}

void executions_retry(struct core *core, struct execution *execution, enum farm_status status, const char *why) {
  char message[160];
  if (++execution->attempts < ATTEMPTS_MOST) return;
  snprintf(message, sizeof message, "%d attempts came to nothing, the last: %.100s", ATTEMPTS_MOST, why);
  executions_finish(core, execution, status, message, NULL);
}

void executions_returned(struct core *core, struct execution *execution, const char *why) {
  char message[400];
  if (++execution->returns < RETURNS_MOST) return;
  snprintf(message, sizeof message, "%d times workers gave it back, the last time: %.300s", RETURNS_MOST, why);
  executions_finish(core, execution, FARM_AGAIN, message, NULL);
}

void executions_of_peer_end(struct core *core, uint64_t peer) {
  for (size_t i = core->execution_count; i-- > 0;) {
    struct execution *execution = core->executions[i];
    if (execution->peer != peer) continue;
    struct job *job = execution->job;
    if (job && job->worker)
      core_send(core, job->worker->id, &(struct wire_message){.type = WIRE_STOP, .stop = {job->lease, "its client went away"}});
    if (job) job_remove(core, job);
    execution_free(core, execution);
  }
}

struct execution *executions_next(struct core *core, const struct peer *worker) {
  for (size_t i = 0; i < core->execution_count; i++) {
    const struct wire_execute *request = &core->executions[i]->request;
    if (core->executions[i]->job || (worker->threads && request->threads > worker->threads)) continue;
    if (core_pool(core, request->device_class) == worker->pool) return core->executions[i];
  }
  return NULL;
}

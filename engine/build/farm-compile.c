/* Compiling for a build with a farm: see farm-images.h. Compilers of the farm get batches, all at once; what a batch could not do
 * is tried text by text, so that one text that brings a compiler down costs itself. */
#include "farm-images-internal.h"

#include "../../base/clock.h"
#include "../../base/log.h"
#include "../../device/nvrtc.h"
#include "../../kernels/cuda/cuda-artefact.h"
#include "../../kernels/cuda/cuda-tactic.h"

#include <string.h>

enum { BATCH = 8, COMPILE_MS = 1800000, DEADLINE_MS = 600000, PUT_AT_ONCE = 32, LOOK_MS = 2000 };

/* ---- into the store ---- */

static enum farm_status list_put(struct farm_images *images, const struct bytes_writer *envelopes, uint32_t count) {
  struct arena arena = {0};
  struct bytes_writer list = {0};
  struct digest blob;
  struct wire_cache_reply reply;
  bytes_put_u32(&list, count);
  bytes_put(&list, envelopes->data, envelopes->length);
  enum farm_status status = envelopes->failed || list.failed
                                ? status_set(FARM_NO_MEMORY, "out of memory for artefacts")
                                : client_blob_put(images->client, list.data, list.length, FARM_IMAGES_WAIT_MS, &blob);
  if (status == FARM_OK)
    status = client_cache(images->client, "artefacts-put", NULL, 0, &blob, FARM_IMAGES_WAIT_MS, NULL, NULL, &arena, &reply);
  bytes_writer_free(&list);
  arena_free(&arena);
  return status;
}

static enum farm_status blob_keep(struct farm_images *images, const struct digest *blob) {
  struct arena arena = {0};
  struct wire_cache_reply reply;
  enum farm_status status =
      client_cache(images->client, "artefacts-put", NULL, 0, blob, FARM_IMAGES_WAIT_MS, NULL, NULL, &arena, &reply);
  arena_free(&arena);
  return status;
}

/* ---- here ---- */

static enum farm_status compile_here(struct farm_images *images, const struct image_text *texts, size_t count) {
  for (size_t at = 0; at < count; at += PUT_AT_ONCE) {
    struct bytes_writer envelopes = {0};
    uint32_t part = (uint32_t)(count - at < PUT_AT_ONCE ? count - at : PUT_AT_ONCE);
    enum farm_status status = FARM_OK;
    for (uint32_t i = 0; i < part && status == FARM_OK; i++) {
      struct bytes_writer envelope = {0};
      bool good = false;
      status = cuda_artefact_compile(texts[at + i].source, texts[at + i].sm, images->compiler, &envelope, &good);
      bytes_put_blob(&envelopes, envelope.data, envelope.length);
      bytes_writer_free(&envelope);
      images->compiled += good;
      images->failed += !good;
    }
    if (status == FARM_OK) status = list_put(images, &envelopes, part);
    bytes_writer_free(&envelopes);
    TRY(status);
  }
  return FARM_OK;
}

/* ---- at the farm ---- */

static enum farm_status texts_put(struct farm_images *images, const struct image_text *texts, uint32_t count,
                                  struct wire_blob_ref *out) {
  struct bytes_writer list = {0};
  bytes_put_u32(&list, count);
  for (uint32_t i = 0; i < count; i++) {
    bytes_put_u32(&list, (uint32_t)texts[i].sm);
    bytes_put_blob(&list, texts[i].source, strlen(texts[i].source));
  }
  *out = (struct wire_blob_ref){.name = "texts", .length = list.length};
  enum farm_status status = list.failed
                                ? status_set(FARM_NO_MEMORY, "out of memory for texts")
                                : client_blob_put(images->client, list.data, list.length, FARM_IMAGES_WAIT_MS, &out->digest);
  bytes_writer_free(&list);
  return status;
}

void farm_images_tell(const struct farm_images *images, uint32_t done, uint32_t running, const char *detail) {
  const struct build_progress now = {
      .phase = "compile", .done = done, .total = images->total, .running = running, .eta_s = -1, .detail = detail};
  if (images->progress) images->progress(images->progress_context, &now);
}

/* What is waited for: `count` texts in jobs of `batch`. */
struct waiting {
  struct farm_images *images;
  uint32_t count, batch;
  uint64_t gone_ns; // since when there is no compiler; 0: there is one
};

/* Compilers that are started anew, or whose coordinator is, are back in a moment: those that stay away have left. */
static enum farm_status look(void *context, const struct wire_status_reply *now, uint32_t left) {
  struct waiting *waiting = context;
  struct farm_images *images = waiting->images;
  uint32_t there = 0, open = left * waiting->batch < waiting->count ? left * waiting->batch : waiting->count;
  for (uint32_t i = 0; i < now->workers_count; i++) there += strcmp(now->workers[i].device_class, images->worker_class) == 0;
  farm_images_tell(images, images->done + waiting->count - open, there,
                   there ? images->compiler : "the farm's compilers have left");
  if (there)
    waiting->gone_ns = 0;
  else if (!waiting->gone_ns)
    waiting->gone_ns = clock_now_ns();
  if (there || clock_now_ns() - waiting->gone_ns < (uint64_t)images->gone_ms * 1000000ull) return FARM_OK;
  images->workers = 0;
  return status_set(FARM_UNSUPPORTED, "the farm's last compiler (%s) has left", images->compiler);
}

/* The compiler died of a single text, or hangs on it: that is what is known of it. */
static enum farm_status text_give_up(struct farm_images *images, const struct image_text *text, const char *why) {
  struct bytes_writer envelope = {0}, envelopes = {0};
  enum farm_status reason = status_set(FARM_TACTIC_REFUSED, "%.400s", why);
  enum farm_status status = cuda_artefact_wrap(text->source, text->sm, images->compiler, reason, NULL, &envelope);
  bytes_put_blob(&envelopes, envelope.data, envelope.length);
  if (status == FARM_OK) status = list_put(images, &envelopes, 1);
  images->failed++;
  bytes_writer_free(&envelope), bytes_writer_free(&envelopes);
  return status;
}

static enum farm_status compile_at_farm(struct farm_images *images, const struct image_text *texts, size_t count, uint32_t batch);

static enum farm_status answer_take(struct farm_images *images, const struct image_text *texts, uint32_t count,
                                    const struct wire_executed *answer) {
  if (answer->status == FARM_OK && answer->blobs_count == 1) {
    images->compiled += count;
    return blob_keep(images, &answer->blobs[0].digest);
  }
  FAIL_IF(answer->status == FARM_OK, FARM_FAILURE, "a compiler answered without artefacts");
  if (count > 1) return compile_at_farm(images, texts, count, 1);
  bool its_fault = status_loses(answer->status) == LOSES_TACTIC;
  return its_fault ? text_give_up(images, texts, answer->message) : status_set(answer->status, "compiling: %s", answer->message);
}

static enum farm_status compile_at_farm(struct farm_images *images, const struct image_text *texts, size_t count,
                                        uint32_t batch) {
  struct arena arena = {0};
  char spec[48];
  uint32_t jobs = (uint32_t)((count + batch - 1) / batch);
  struct wire_execute *executes = arena_alloc_array(&arena, jobs, sizeof *executes);
  struct wire_blob_ref *blobs = arena_alloc_array(&arena, jobs, sizeof *blobs);
  struct wire_executed *answers = arena_alloc_array(&arena, jobs, sizeof *answers);
  enum farm_status status = executes && blobs && answers ? FARM_OK : status_set(FARM_NO_MEMORY, "out of memory for compile jobs");
  snprintf(spec, sizeof spec, "compile/1 options=%d", CUDA_OPTIONS_REVISION);
  for (uint32_t i = 0; i < jobs && status == FARM_OK; i++) {
    size_t first = (size_t)i * batch;
    status = texts_put(images, texts + first, (uint32_t)(count - first < batch ? count - first : batch), &blobs[i]);
    executes[i] = (struct wire_execute){.device_class = images->worker_class,
                                        .threads = 1,
                                        .spec = spec,
                                        .estimated_ns = 1e8 * batch,
                                        .deadline_ms = DEADLINE_MS,
                                        .blobs = &blobs[i],
                                        .blobs_count = 1};
  }
  struct waiting waiting = {images, (uint32_t)count, batch, 0};
  const struct client_watch watch = {look, &waiting, images->gone_ms / 4 < LOOK_MS ? images->gone_ms / 4 : LOOK_MS};
  if (status == FARM_OK) status = client_execute_all(images->client, executes, jobs, COMPILE_MS, &watch, &arena, answers);
  for (uint32_t i = 0; i < jobs && status == FARM_OK; i++) {
    size_t first = (size_t)i * batch;
    status = answer_take(images, texts + first, (uint32_t)(count - first < batch ? count - first : batch), &answers[i]);
  }
  arena_free(&arena);
  return status;
}

/* As many jobs as keep every compiler busy, none larger than a batch. */
static uint32_t batch_of(const struct farm_images *images, size_t count) {
  size_t share = (count + images->workers - 1) / images->workers;
  return share < 1 ? 1 : share > BATCH ? BATCH : (uint32_t)share;
}

enum farm_status farm_images_compile(struct farm_images *images, const struct image_text *texts, size_t count) {
  if (count == 0) return FARM_OK;
  const uint32_t compiled = images->compiled, failed = images->failed;
  if (images->workers > 0) {
    char own[FARM_COMPILER_BYTES];
    enum farm_status status = compile_at_farm(images, texts, count, batch_of(images, count));
    if (images->workers > 0) return status;
    images->local = nvrtc_version(own, sizeof own) == FARM_OK && strcmp(own, images->compiler) == 0;
    FAIL_IF(!images->local, FARM_UNSUPPORTED, "the farm's last compiler has left, and there is no %s here to go on with",
            images->compiler);
    log_warning("the farm's last compiler has left: this machine goes on");
    images->compiled = compiled, images->failed = failed; // these texts begin anew
  }
  FAIL_IF(!images->local, FARM_UNSUPPORTED,
          "nobody compiles for this build: the farm has no compiler (`tunefarm worker --compiler`) and there is no NVRTC here");
  return compile_here(images, texts, count);
}

/* See compile.h. */
#include "compile.h"

#include "../device/nvrtc.h"
#include "../kernels/cuda/cuda-artefact.h"
#include "../kernels/cuda/cuda-tactic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { TEXTS_MOST = 4096, SM_MOST = 9999 };
#define ALLOWED_NS 120e9 // for one text

struct compilation {
  const struct compile_events *events;
  char compiler[64];
  int compiled, failed;
};

bool compile_is_spec(const char *spec) { return strncmp(spec, "compile/", 8) == 0; }

static enum farm_status text_compile(struct compilation *c, const char *source, int sm) {
  struct bytes_writer envelope = {0};
  bool good = false;
  c->events->running(c->events->context, -1, ALLOWED_NS);
  enum farm_status status = cuda_artefact_compile(source, sm, c->compiler, &envelope, &good);
  if (status == FARM_OK) status = c->events->artefact(c->events->context, envelope.data, envelope.length);
  c->compiled += good;
  c->failed += !good;
  bytes_writer_free(&envelope);
  return status;
}

static enum farm_status texts_compile(struct compilation *c, const void *data, size_t length) {
  struct bytes_reader in = bytes_reader_of(data, length);
  uint32_t count = bytes_get_count(&in, 8);
  FAIL_IF(count > TEXTS_MOST, FARM_INVALID, "compile job: %u texts", count);
  for (uint32_t i = 0; i < count; i++) {
    size_t bytes;
    uint32_t sm = bytes_get_u32(&in);
    const uint8_t *text = bytes_get_blob(&in, &bytes);
    FAIL_IF(!text || sm > SM_MOST || memchr(text, 0, bytes), FARM_INVALID, "compile job: malformed texts");
    char *source = strndup((const char *)text, bytes);
    FAIL_IF(!source, FARM_NO_MEMORY, "out of memory for a text");
    enum farm_status status = text_compile(c, source, (int)sm);
    free(source);
    TRY(status);
  }
  FAIL_IF(!bytes_reader_finished(&in), FARM_INVALID, "compile job: malformed texts");
  return FARM_OK;
}

enum farm_status compile_job(const struct wire_job *job, int first_fd, const struct compile_events *events,
                             struct strbuf *out_report) {
  struct compilation c = {.events = events};
  struct stat info;
  int options, end = 0;
  FAIL_IF(sscanf(job->spec, "compile/1 options=%d%n", &options, &end) != 1 || job->spec[end], FARM_UNSUPPORTED,
          "unknown compile job `%.100s`", job->spec);
  FAIL_IF(options != CUDA_OPTIONS_REVISION, FARM_UNSUPPORTED, "compile job with options %d, this build has %d", options,
          CUDA_OPTIONS_REVISION);
  TRY(nvrtc_version(c.compiler, sizeof c.compiler));
  FAIL_IF(job->blobs_count != 1 || fstat(first_fd, &info) != 0 || info.st_size <= 0, FARM_INVALID, "compile job: no texts");
  void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, first_fd, 0);
  FAIL_IF(data == MAP_FAILED, FARM_NO_MEMORY, "cannot map texts of %lld bytes", (long long)info.st_size);
  enum farm_status status = texts_compile(&c, data, (size_t)info.st_size);
  munmap(data, (size_t)info.st_size);
  if (status == FARM_OK)
    strbuf_printf(out_report, "{\"compiler\":\"%s\",\"compiled\":%d,\"failed\":%d}", c.compiler, c.compiled, c.failed);
  return status;
}

/* Compile jobs in the measuring child of a compiler's worker: texts become artefacts. Needs NVRTC and no GPU.
 *
 *   compile/1 options=R     blob `texts`: u32 count, then u32 SM version and the text as a blob, for each
 *
 * R is CUDA_OPTIONS_REVISION of who asks. Each text gives one artefact, also when it does not compile; the report is
 * {"compiler","compiled","failed"}. A compiler's worker registers with the class text `compiler nvrtc 13.0`: whoever wants
 * something compiled finds there which keys its artefacts will have.
 */
#ifndef WORKER_COMPILE_H
#define WORKER_COMPILE_H

#include "../base/strbuf.h"
#include "../cluster/wire/messages.h"

struct compile_events {
  void *context;
  void (*running)(void *context, int blob, double allowed_ns); // as in measure.h
  enum farm_status (*artefact)(void *context, const void *envelope, size_t length);
};

bool compile_is_spec(const char *spec);
/* Blob i of the job is descriptor first_fd + i. FARM_UNSUPPORTED: other options, or no compiler. */
enum farm_status compile_job(const struct wire_job *job, int first_fd, const struct compile_events *events,
                             struct strbuf *out_report);

#endif

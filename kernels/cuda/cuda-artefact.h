/* A kernel's text and the artefact that compiling it gives (problem/artefact.h): one place for workers and builders. Needs NVRTC
 * to compile, nothing to name. */
#ifndef KERNELS_CUDA_CUDA_ARTEFACT_H
#define KERNELS_CUDA_CUDA_ARTEFACT_H

#include "../../problem/artefact.h"

/* The key of a text's artefact, in `arena`. */
enum farm_status cuda_artefact_key_text(const char *source, int sm, const char *compiler, struct arena *arena,
                                        const char **out_key);
/* The envelope of an artefact that says how compiling ended: `status` FARM_OK with the image, else this thread's message as the
 * reason. */
enum farm_status cuda_artefact_wrap(const char *source, int sm, const char *compiler, enum farm_status status,
                                    const struct bytes_writer *image, struct bytes_writer *out_envelope);
/* Compiles with this process's NVRTC, whose version `compiler` must be. *out_good: it compiled; an artefact is made in either
 * case. */
enum farm_status cuda_artefact_compile(const char *source, int sm, const char *compiler, struct bytes_writer *out_envelope,
                                       bool *out_good);

#endif

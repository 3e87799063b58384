/* CUDA C++ text to a cubin, through NVRTC opened at run time. Needs no GPU and no driver. TUNEFARM_LIBNVRTC names another library. */
#ifndef DEVICE_NVRTC_H
#define DEVICE_NVRTC_H

#include "../base/bytes.h"
#include "../base/status.h"
#include "../base/strbuf.h"

#include <stdbool.h>

/* "nvrtc 13.0"; part of an artefact's key. FARM_UNSUPPORTED with what was tried when there is none. */
enum farm_status nvrtc_version(char *out, size_t out_bytes);
/* "sm_90a" for sm 90: the architecture's own features are used where it has some (90a, 100a, 120a). */
void nvrtc_arch(int sm, char out[16]);
/* Can this NVRTC compile for it? */
bool nvrtc_supports(int sm);
/* Compiles one text. FARM_INVALID: it does not compile; the message has the first error, `log` (may be NULL) everything. */
enum farm_status nvrtc_compile(const char *name, const char *source, int sm, struct bytes_writer *out_cubin, struct strbuf *log);

#endif

/* The host's C++ compiler as the fake NVRTC's: text to image (fake-image.h), kept in a folder by the digest of all that went in.
 *
 *   the compiler: $TUNEFARM_FAKE_CXX, else $CXX, else the first of g++, clang++, c++ on the path
 *   the folder:   $TUNEFARM_FAKE_CACHE, else $XDG_CACHE_HOME/tunefarm/fake-nvrtc, else ~/.cache/…; what is in it may be deleted
 */
#ifndef DEVICE_FAKE_NVRTC_COMPILER_H
#define DEVICE_FAKE_NVRTC_COMPILER_H

#include "../../base/bytes.h"
#include "../../base/status.h"
#include "../../base/strbuf.h"

#include <stdbool.h>

struct fake_target {
  int sm;
  bool specific; // "sm_90a"
};

/* FARM_INVALID: it does not compile; `log` has the compiler's words. `image` is set up by the caller. */
enum farm_status fake_compile(const char *source, const char *name, const struct fake_target *target, struct bytes_writer *image,
                              struct strbuf *log);

#endif

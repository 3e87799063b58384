/* Libraries that are opened at run time: where they may lie, and the functions taken out of them.
 *
 * One table says it all (library-search.c): a library's variable, its names from the newest version to the oldest, and the
 * folders where installers and Python wheels put it. A variable that is set names the only file that is tried. Versions of the
 * compiler and of cuBLASLt that are later than the driver's come last: an older driver does not load what they make. What was
 * opened is never closed: drivers do not survive it.
 */
#ifndef DEVICE_LIBRARY_SEARCH_H
#define DEVICE_LIBRARY_SEARCH_H

#include "../base/status.h"

#include <stddef.h>

enum library { LIBRARY_CUDA, LIBRARY_NVRTC, LIBRARY_CUBLASLT, LIBRARY_NVML, LIBRARY_COUNT };

const char *library_title(enum library which);    // "CUDA driver"
const char *library_variable(enum library which); // "TUNEFARM_LIBCUDA"

/* A function of a library and the place of its pointer in a struct. */
struct library_function {
  const char *name;
  size_t offset;
  int optional; // stays NULL where the library lacks it
};
#define LIBRARY_FUNCTION(type, name) {#name, offsetof(struct type, name), 0},
#define LIBRARY_OPTIONAL(type, name) {#name, offsetof(struct type, name), 1},

struct library_table {
  enum library which;
  const struct library_function *functions;
  int count;
  void *table;                     // a struct of function pointers
  enum farm_status (*begin)(void); // called once after opening; may be NULL
};
/* Opens the library and fills the table: once per process, from any thread; the first call does it, later ones repeat its result
 * and its message. FARM_UNSUPPORTED with what was tried, or with the function that is missing. */
enum farm_status library_once(const struct library_table *table);
const char *library_file(enum library which); // what was opened; "" before, and without it

#endif

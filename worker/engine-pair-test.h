/* Small engine files for execute jobs: y = x + x, the same by a longer way, and something else. */
#ifndef WORKER_ENGINE_PAIR_TEST_H
#define WORKER_ENGINE_PAIR_TEST_H

#include "../engine/build/compare-engines.h"

#include <stddef.h>

enum engine_kind { ENGINE_PLAIN, ENGINE_LONGER, ENGINE_WRONG, ENGINE_OTHER_INPUTS, ENGINE_BROKEN };
void engine_file_write(const char *name, enum engine_kind kind, char *out_path, size_t out_bytes); // in the test's folder

#endif

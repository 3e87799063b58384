/* `--shape NAME=1x3x224x224[:opt[:max]]`: which sizes an engine is made for. */
#include "build.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *dims_parse(const char *text, int64_t *out_dims, int *out_rank) {
  *out_rank = 0;
  while (*out_rank < TENSOR_MAX_RANK && isdigit((unsigned char)*text)) {
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (value > INT32_MAX || end - text > 10) return NULL;
    out_dims[(*out_rank)++] = (int64_t)value;
    text = end;
    if (*text != 'x') return text;
    text++;
  }
  return NULL;
}

enum farm_status build_shape_parse(const char *text, struct arena *arena, struct build_shape *out) {
  const char *equals = strrchr(text, '=');
  FAIL_IF(!equals || equals == text, FARM_USAGE, "--shape %s: no NAME=1x3x224x224", text);
  struct build_shape shape = {.input = arena_string(arena, text, (size_t)(equals - text))};
  FAIL_IF(!shape.input, FARM_NO_MEMORY, "out of memory for a shape");
  int64_t *parts[3] = {shape.min, shape.opt, shape.max};
  const char *at = equals + 1;
  int given = 0, rank;
  do {
    FAIL_IF(given == 3, FARM_USAGE, "--shape %s: more than min:opt:max", text);
    at = dims_parse(at + (given > 0), parts[given], &rank);
    FAIL_IF(!at || (given && rank != shape.rank), FARM_USAGE, "--shape %s: part %d is not a shape like 1x3x224x224", text,
            given + 1);
    shape.rank = rank;
    given++;
  } while (*at == ':');
  FAIL_IF(*at, FARM_USAGE, "--shape %s: `%s` is left over", text, at);
  for (int i = 0; i < shape.rank; i++) { // min:max without opt is not a form: two parts are min and opt = max
    if (given < 2) shape.opt[i] = shape.min[i];
    if (given < 3) shape.max[i] = shape.opt[i];
    FAIL_IF(shape.min[i] > shape.opt[i] || shape.opt[i] > shape.max[i], FARM_USAGE,
            "--shape %s: dimension %d is not min <= opt <= max", text, i);
  }
  *out = shape;
  return FARM_OK;
}

/* See cuda-launch.h. */
#include "cuda-launch.h"

#include <string.h>

int cuda_grid_most = 1 << 20;

const char *cuda_type_name(enum dtype type) {
  switch (type) {
  case DTYPE_F32:
    return "float";
  case DTYPE_F16:
    return "f16";
  case DTYPE_BF16:
    return "bf16";
  case DTYPE_BOOL:
    return "bool8";
  default:
    return NULL;
  }
}

bool cuda_is_float(enum dtype type) { return type == DTYPE_F32 || type == DTYPE_F16 || type == DTYPE_BF16; }

bool cuda_floats_only(const struct problem *problem) {
  for (int i = 0; i < problem->input_count + problem->output_count; i++)
    if (!cuda_is_float(problem->operands[i].dtype)) return false;
  return true;
}

bool cuda_sums_in_f32(const struct problem *problem) { return cuda_floats_only(problem) && cuda_is_float(problem->accumulate); }

int cuda_widest_vector(const struct problem *problem) {
  int widest = 4;
  for (int i = 0; i < problem->input_count + problem->output_count; i++)
    if (problem->operands[i].dtype == DTYPE_F16 || problem->operands[i].dtype == DTYPE_BF16) widest = 8;
  return widest;
}

void cuda_launch_blocks(struct cuda_launch *out, const char *entry, int64_t blocks, int threads, const void *arguments, size_t bytes) {
  *out = (struct cuda_launch){.entry = entry, .grid = {(uint32_t)blocks, 1, 1}, .block = {(uint32_t)threads, 1, 1}};
  out->argument_bytes = (uint32_t)bytes;
  memcpy(out->arguments, arguments, bytes);
}

void cuda_launch_line(struct cuda_launch *out, const char *entry, double blocks, int threads, const void *arguments,
                      size_t bytes) {
  const int64_t wide = blocks < 1 ? 1 : blocks > cuda_grid_most ? cuda_grid_most : (int64_t)blocks;
  cuda_launch_blocks(out, entry, wide, threads, arguments, bytes);
}

/* ---- rows ---- */
struct cuda_rows cuda_rows_of(int64_t len, int threads, int group, int vector, int items_most) {
  struct cuda_rows rows = {.threads = threads, .group = group, .vector = vector, .items = 1};
  while (rows.items <= items_most && (int64_t)rows.items * group * vector < len) rows.items *= 2;
  if (rows.items > items_most) rows.items = 0;
  return rows;
}

bool cuda_rows_legal(const struct cuda_rows *rows, int64_t len, int widest) {
  if (len >= 1 << 30 || (rows->vector != 1 && (rows->vector != widest || len % rows->vector != 0))) return false;
  if (rows->group == 32) return rows->items > 0;
  return rows->threads == 128 || (int64_t)rows->threads * rows->vector <= 2 * len;
}

void cuda_rows_define(const struct cuda_rows *rows, struct strbuf *out) {
  strbuf_printf(out, "#define THREADS %d\n#define GROUP %d\n#define VECTOR %d\n#define ITEMS %d\n", rows->threads, rows->group,
                rows->vector, rows->items);
}

double cuda_rows_blocks(const struct cuda_rows *rows, double count) {
  double per_block = rows->threads / rows->group;
  return (double)(int64_t)((count + per_block - 1) / per_block);
}

double cuda_rows_cost(const struct cuda_rows *rows, const struct problem *problem, const struct device_class *device_class,
                      double count, double len, int passes, double operations_per_elem) {
  const double reread = rows->items ? 1 : 1 + 0.35 * (passes - 1); // what is read again mostly comes from a cache
  const double rounds = rows->items ? rows->items : len / ((double)rows->group * rows->vector);
  const double idle = rows->items ? (double)rows->items * rows->group * rows->vector / len : 1;
  struct cuda_work work = {.bytes = problem_bytes(problem) * reread * (rows->vector == 1 ? 1.25 : 1.0),
                           .operations = count * len * operations_per_elem * idle,
                           .per_clock = CUDA_F32_PER_CLOCK,
                           .blocks = cuda_rows_blocks(rows, count),
                           .threads = rows->threads,
                           .depth = 1 + (rows->group > 32 ? 0.3 * passes : 0.15 * passes) + 0.05 * rounds,
                           .launches = 1};
  return cuda_cost(device_class, &work);
}

/* What a GPU can do at best: the ceilings that kernels are held against. One program (gpu-limits-main.c), a file per kind of
 * limit.
 *
 *   struct limits ──limits_memory, limits_products, limits_launches──► rows, and what was not measured with the reason
 *
 * Every row is the median of device time over repeats, with the spread beside it; operands are random, never zeros. Nothing here
 * changes a setting of the card.
 */
#ifndef GPU_CHECK_LIMITS_H
#define GPU_CHECK_LIMITS_H

#include "../base/bytes.h"
#include "../device/cuda-device.h"

#include <jansson.h>

struct limits {
  struct cuda_device *device;
  struct bytes_writer cubin; // of the kernels' text
  struct cuda_image *image;
  json_t *rows, *missing;
  uint64_t end_ns;                        // begin nothing new behind it
  int64_t largest_bytes, largest_product; // the latter: rows of a square matrix
  int repeats;
};

/* ---- limits-sample.c ---- */

struct limits_time {
  double us, low_us, high_us; // median and quartiles of one call
  int n;
};
/* Something to time: puts one call on the stream. */
struct limits_work {
  enum farm_status (*put)(void *context);
  void *context;
  int calls; // in one graph: a sample is the time of the graph over this
};
/* Captures `calls` calls as a graph, warms up, times its replays between marks. */
enum farm_status limits_sample(const struct limits *limits, const struct limits_work *work, struct limits_time *out);
bool limits_has_time(const struct limits *limits);
/* A row: {"what", "bytes" or "size", "us", "spread", "n", "value", "unit"}; amount is in the unit times microseconds. */
enum farm_status limits_row(struct limits *limits, const char *what, int64_t size, const struct limits_time *time, double value,
                            const char *unit);
enum farm_status limits_missing(struct limits *limits, const char *what, const char *why);

/* ---- limits-text.c ---- */

/* Arguments of every kernel of the text. */
struct limits_args {
  cuda_address from, to;
  long long count;      // of 16 bytes
  uint32_t keep, force; // fill: random bits & keep | force
};
enum farm_status limits_compile(int sm, struct bytes_writer *out_cubin);
enum farm_status limits_image_make(struct limits *limits);
struct cuda_launch limits_launch(const struct limits *limits, const char *entry, const struct limits_args *args);
/* Random bits, of which `keep` are kept and `force` set in each 32-bit word. */
enum farm_status limits_fill(struct limits *limits, cuda_address to, int64_t bytes, uint32_t keep, uint32_t force);

/* ---- the limits ---- */
enum farm_status limits_memory(struct limits *limits);   // copies and reads from 1 MiB to largest_bytes
enum farm_status limits_products(struct limits *limits); // square matrix products through cuBLASLt
enum farm_status limits_launches(struct limits *limits); // empty kernels: alone, in a row, in graphs, overlapping

#endif

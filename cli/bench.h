/* `tunefarm bench`: one problem, its variants, and what was found of each. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "report.h"

#include "../kernels/kernel-check.h"
#include "../problem/record.h"
#include "../worker/cores.h"

struct bench_row { // of one variant
  struct variant variant;
  char text[VARIANT_TEXT_MAX];
  double estimated_ns;
  struct kernel_verdict verdict; // of --verify
  struct record_entry entry;     // status and message of either; times of --time and --tune
  bool known;                    // something was found out
};

enum { BENCH_MOST_PEAKS = 8 };

struct bench {
  struct arena arena;
  struct problem problem;
  const char *text; // canonical
  struct device_class device_class;
  char class_text[DEVICE_CLASS_TEXT_MAX], cores_text[256];
  cpu_set_t cores;
  int threads, row_count, default_row; // -1: the default is not among the rows
  struct bench_row *rows;
  const char *policy, *clocks; // clocks: what was seen of them and of foreign load in the last measurement
  double peak_gflops[BENCH_MOST_PEAKS], read_gbs;
  int peak_count;
  bool verified, timed, finals;
};

/* Checks every row against the reference, each in a process of its own. */
enum farm_status bench_verify(struct bench *bench);
/* Screens all rows in a measuring child as a farm's worker does; with `finals` also times the finalists interleaved. */
enum farm_status bench_time(struct bench *bench, bool finals);
/* The fastest row that is right, -1: none. */
int bench_winner(const struct bench *bench);
json_t *bench_describe(const struct bench *bench);
void bench_show(const json_t *root);

#endif

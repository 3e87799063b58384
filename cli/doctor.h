/* `tunefarm doctor`: what was found on this machine, and what is wrong with it. Each part adds its key to the report. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "report.h"

enum doctor_severity { DOCTOR_NOTE, DOCTOR_WARNING, DOCTOR_ERROR }; // ERROR: tunefarm would fail

struct doctor {
  json_t *root, *problems;
  int errors;
};

void doctor_problem(struct doctor *doctor, enum doctor_severity severity, const char *advice, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* "cpu", "memory": class, instruction sets, cores, huge pages. */
enum farm_status doctor_cpu(struct doctor *doctor);
/* "peaks", "noise": multiply-adds and reads on one core and on all, and how steady they are. Takes about three seconds. */
enum farm_status doctor_peaks(struct doctor *doctor);
/* "storage", "runtime": the cache folder and where sockets and locks lie. */
enum farm_status doctor_storage(struct doctor *doctor, const char *cache);
/* "libraries". */
enum farm_status doctor_libraries(struct doctor *doctor);
/* "gpu": driver, NVRTC, cuBLASLt, NVML with their versions or why there are none; the devices with their classes. */
enum farm_status doctor_gpu(struct doctor *doctor);
void doctor_gpu_show(const json_t *root);

/* The first line of a small text file without its end, "" when it cannot be read. */
const char *doctor_file_line(const char *path, char *out, size_t bytes);

#endif

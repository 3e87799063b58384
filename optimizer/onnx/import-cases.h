/* Small models, right and wrong, made by our own writer: the importer's tests, and the seeds of its fuzzer's corpus. */
#ifndef OPTIMIZER_ONNX_IMPORT_CASES_H
#define OPTIMIZER_ONNX_IMPORT_CASES_H

#include "onnx-writer.h"

struct import_case {
  const char *name;
  void (*build)(struct pb_writer *writer);
  enum farm_status status; // of the import
  const char *message;     // a part of it
};

extern const struct import_case import_cases[];
extern const int import_case_count;

/* A model of IR 8 and opset 17 up to and into its graph; and to its end. */
void case_begin(struct pb_writer *writer);
void case_end(struct pb_writer *writer);

#endif

/* Fuzz target: whatever problem_parse accepts prints canonically and passes everything that a worker asks of a problem. */
#include "op-text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t length);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t length) {
  struct arena arena = {.limit_bytes = 1 << 20};
  struct problem problem, again;
  struct tensor types[PROBLEM_MAX_OPERANDS];
  char *text = malloc(length + 1);
  if (!text) return 0;
  memcpy(text, data, length);
  text[length] = 0;
  if (problem_parse(text, &arena, &problem) == FARM_OK) {
    const char *first = problem_print(&problem, &arena);
    if (!first || problem_parse(first, &arena, &again) != FARM_OK) __builtin_trap();
    const char *second = problem_print(&again, &arena);
    if (!second || strcmp(first, second)) __builtin_trap();
    if (problem_macs(&problem) < 0 || problem_bytes(&problem) < 0) __builtin_trap();
    struct op_operands operands;
    if (op_text_operands(&problem, &operands) && problem.kind != PROBLEM_OP) __builtin_trap();
    if (problem.kind != PROBLEM_OP && problem_operand_types(&problem, types) != FARM_OK) __builtin_trap();
  }
  arena_free(&arena);
  free(text);
  return 0;
}

/* Runs a variant on a case and compares. See kernel-check.h. */
#include "kernel-case.h"

#include <stdlib.h>
#include <string.h>

struct kernel_trial {
  struct kernel_case *of;
  struct variant variant;
  int copies;
  bool nhwc;
  struct guarded layout_inputs[PROBLEM_MAX_OPERANDS]; // nhwc copies of what has a layout
  struct guarded outputs[PROBLEM_MAX_OPERANDS];
  struct guarded workspace, *packed;
  struct tensor inputs[PROBLEM_MAX_OPERANDS], results[PROBLEM_MAX_OPERANDS];
  const struct tensor *input_list[PROBLEM_MAX_OPERANDS];
  struct tensor *output_list[PROBLEM_MAX_OPERANDS];
};

/* The description of an nchw operand as the kernel gets it. */
static struct tensor as_nhwc(const struct tensor *nchw) {
  struct tensor type = *nchw;
  type.dims[1] = nchw->dims[2], type.dims[2] = nchw->dims[3], type.dims[3] = nchw->dims[1];
  return type;
}

static enum farm_status trial_inputs(struct kernel_trial *trial) {
  const struct kernel_case *of = trial->of;
  for (int i = 0; i < of->problem->input_count; i++) {
    trial->inputs[i] = of->types[i];
    trial->input_list[i] = &trial->inputs[i];
    if (!trial->nhwc || !operand_has_layout(of->problem, &of->types[i], i)) continue;
    TRY(guarded_make(of->inputs[i].bytes, &trial->layout_inputs[i]));
    layout_to_nhwc(&of->types[i], of->types[i].data, trial->layout_inputs[i].data);
    trial->inputs[i] = as_nhwc(&of->types[i]);
    trial->inputs[i].data = trial->layout_inputs[i].data;
  }
  return FARM_OK;
}

static enum farm_status trial_outputs(struct kernel_trial *trial) {
  const struct kernel_case *of = trial->of;
  for (int i = 0; i < of->problem->output_count; i++) {
    const struct tensor *type = &of->types[of->problem->input_count + i];
    size_t bytes = tensor_bytes(type);
    FAIL_IF(bytes == SIZE_MAX, FARM_INVALID, "output %d of the problem has no size", i);
    TRY(guarded_make(bytes, &trial->outputs[i]));
    trial->results[i] =
        trial->nhwc && operand_has_layout(of->problem, type, of->problem->input_count + i) ? as_nhwc(type) : *type;
    trial->results[i].data = trial->outputs[i].data;
    trial->output_list[i] = &trial->results[i];
  }
  return FARM_OK;
}

static enum farm_status trial_packed(struct kernel_trial *trial) {
  const struct problem *problem = trial->of->problem;
  size_t bytes = variant_packed_bytes(problem, &trial->variant);
  if (bytes == 0) return FARM_OK;
  trial->packed = calloc((size_t)trial->copies, sizeof *trial->packed);
  FAIL_IF(!trial->packed, FARM_NO_MEMORY, "no memory for packed weights");
  for (int i = 0; i < trial->copies; i++) {
    TRY(guarded_make(bytes, &trial->packed[i]));
    const struct tactic *tactic = trial->variant.tactic;
    if (i > 0)
      memcpy(trial->packed[i].data, trial->packed[0].data, bytes);
    else
      tactic->pack(problem, &trial->variant, trial->of->types[tactic->packed_operand].data, trial->packed[0].data);
  }
  return FARM_OK;
}

enum farm_status kernel_trial_make(struct kernel_case *kernel_case, const struct variant *variant, int threads, int copies,
                                   struct kernel_trial **out_trial) {
  FAIL_IF(!variant->tactic->run, FARM_TACTIC_REFUSED, "%s does not run on a CPU", variant->tactic->id);
  struct kernel_trial *trial = calloc(1, sizeof *trial);
  FAIL_IF(!trial, FARM_NO_MEMORY, "no memory for a trial");
  trial->of = kernel_case;
  trial->variant = *variant;
  trial->copies = copies < 1 ? 1 : copies;
  trial->nhwc = variant->tactic->layout == LAYOUT_NHWC;
  enum farm_status status;
  TRY_OR(trial_inputs(trial), free_trial);
  TRY_OR(trial_outputs(trial), free_trial);
  TRY_OR(trial_packed(trial), free_trial);
  TRY_OR(guarded_make(variant_workspace(kernel_case->problem, variant, threads), &trial->workspace), free_trial);
  *out_trial = trial;
  return FARM_OK;
free_trial:
  kernel_trial_free(&trial);
  return status;
}

void kernel_trial_free(struct kernel_trial **trial) {
  struct kernel_trial *made = *trial;
  if (!made) return;
  for (int i = 0; i < PROBLEM_MAX_OPERANDS; i++) {
    guarded_free(&made->layout_inputs[i]);
    guarded_free(&made->outputs[i]);
  }
  for (int i = 0; made->packed && i < made->copies; i++) guarded_free(&made->packed[i]);
  free(made->packed);
  guarded_free(&made->workspace);
  free(made);
  *trial = NULL;
}

size_t kernel_trial_packed_bytes(const struct kernel_trial *trial) { return trial->packed ? trial->packed[0].bytes : 0; }

enum farm_status kernel_trial_run(struct kernel_trial *trial, struct thread_pool *pool, int64_t turn) {
  const struct problem *problem = trial->of->problem;
  struct kernel_call call = {.problem = problem, .variant = &trial->variant, .scalars = &trial->of->scalars, .pool = pool};
  call.input_count = problem->input_count;
  call.output_count = problem->output_count;
  call.inputs = trial->input_list;
  call.outputs = trial->output_list;
  call.packed = trial->packed ? trial->packed[turn % trial->copies].data : NULL;
  call.workspace = trial->workspace.data;
  return trial->variant.tactic->run(&call);
}

/* ---- guards ---- */
static enum farm_status overran(const struct kernel_trial *trial, const char *what, int index) {
  char text[VARIANT_TEXT_MAX];
  variant_print(&trial->variant, text);
  return status_set(FARM_TACTIC_OVERRAN, "%s wrote outside %s %d", text, what, index);
}

enum farm_status kernel_trial_guards(const struct kernel_trial *trial) {
  const struct kernel_case *of = trial->of;
  for (int i = 0; i < of->problem->input_count; i++)
    if (!guarded_intact(&of->inputs[i]) || !guarded_intact(&trial->layout_inputs[i])) return overran(trial, "input", i);
  for (int i = 0; i < of->problem->output_count; i++)
    if (!guarded_intact(&trial->outputs[i])) return overran(trial, "output", i);
  for (int i = 0; trial->packed && i < trial->copies; i++)
    if (!guarded_intact(&trial->packed[i])) return overran(trial, "packed copy", i);
  return guarded_intact(&trial->workspace) ? FARM_OK : overran(trial, "workspace", 0);
}

static void forbid_zones(const struct kernel_trial *trial, bool forbid) {
  for (int i = 0; i < PROBLEM_MAX_OPERANDS; i++) {
    guarded_forbid(&trial->of->inputs[i], forbid);
    guarded_forbid(&trial->layout_inputs[i], forbid);
    guarded_forbid(&trial->outputs[i], forbid);
  }
  for (int i = 0; trial->packed && i < trial->copies; i++) guarded_forbid(&trial->packed[i], forbid);
  guarded_forbid(&trial->workspace, forbid);
}

enum farm_status kernel_trial_check(struct kernel_trial *trial, struct thread_pool *pool, struct kernel_verdict *out_verdict) {
  const struct kernel_case *of = trial->of;
  *out_verdict = (struct kernel_verdict){0};
  TRY(kernel_case_expect(trial->of));
  for (int i = 0; i < of->problem->output_count; i++) guarded_fill(&trial->outputs[i]);
  guarded_fill(&trial->workspace);
  forbid_zones(trial, true);
  enum farm_status status = kernel_trial_run(trial, pool, 0);
  forbid_zones(trial, false);
  TRY(status);
  struct kernel_results results = {.of = of, .variant = &trial->variant, .nhwc = trial->nhwc};
  for (int i = 0; i < of->problem->output_count; i++) results.outputs[i] = trial->outputs[i].data;
  enum farm_status compared = kernel_results_compare(&results, out_verdict);
  TRY(kernel_trial_guards(trial));
  return compared;
}

enum farm_status kernel_check(const struct problem *problem, const struct variant *variant, struct thread_pool *pool,
                              struct kernel_verdict *out_verdict) {
  struct kernel_case *made = NULL;
  struct kernel_trial *trial = NULL;
  TRY(kernel_case_make(problem, &made));
  enum farm_status status = kernel_trial_make(made, variant, thread_pool_size(pool), 1, &trial);
  if (status == FARM_OK) status = kernel_trial_check(trial, pool, out_verdict);
  kernel_trial_free(&trial);
  kernel_case_free(&made);
  return status;
}

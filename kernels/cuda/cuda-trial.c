/* See cuda-trial.h. All device buffers of a trial stand in one list, each between its own guard zones, so that freeing and
 * checking them are one loop each.
 */
#include "cuda-trial.h"

#include "../kernel-case.h"

#include <stdlib.h>
#include <string.h>

enum { PATTERN = 0xff };

struct device_buffer { // [ guard | bytes | guard ]
  cuda_address base;
  size_t bytes;
  const char *what; // "input", …
  int index;
};

struct cuda_trial {
  struct cuda_device *device;
  struct kernel_case *of;
  struct variant variant;
  bool nhwc;
  int copies;
  uint64_t patience_ns;
  struct device_buffer *buffers;
  int buffer_count, buffer_capacity;
  void *layout_inputs[PROBLEM_MAX_OPERANDS];                       // nhwc copies on the host of what has a layout
  int inputs[PROBLEM_MAX_OPERANDS], outputs[PROBLEM_MAX_OPERANDS]; // places in `buffers` of the first copy
  int packed, workspace;                                           // likewise; -1: none
  struct cuda_image *image;
  struct cuda_step **steps; // [copies]
};

/* ---- buffers ---- */
static cuda_address data_of(const struct cuda_trial *trial, int place) {
  return place < 0 ? 0 : trial->buffers[place].base + GUARD_BYTES;
}

static enum farm_status buffer_add(struct cuda_trial *trial, const char *what, int index, size_t bytes) {
  FAIL_IF(bytes > SIZE_MAX / 2 || trial->buffer_count == trial->buffer_capacity, FARM_INVALID, "%s %d has no size", what, index);
  struct device_buffer *buffer = &trial->buffers[trial->buffer_count];
  *buffer = (struct device_buffer){.bytes = bytes, .what = what, .index = index};
  TRY(cuda_alloc(trial->device, bytes + 2 * GUARD_BYTES, &buffer->base));
  trial->buffer_count++;
  return cuda_fill(trial->device, buffer->base, PATTERN, bytes + 2 * GUARD_BYTES);
}

/* A buffer and further ones with the same contents behind it, `copies` in all. */
static enum farm_status buffers_filled(struct cuda_trial *trial, const char *what, int index, int copies, const void *from,
                                       size_t bytes, int *out_place) {
  *out_place = trial->buffer_count;
  for (int i = 0; i < copies; i++) {
    TRY(buffer_add(trial, what, index, bytes));
    const cuda_address to = data_of(trial, trial->buffer_count - 1);
    if (bytes > 0)
      TRY(i == 0 ? cuda_copy_in(trial->device, to, from, bytes)
                 : cuda_copy_on(trial->device, to, data_of(trial, *out_place), bytes));
  }
  return FARM_OK;
}

/* ---- operands ---- */
static bool is_packed(const struct problem *problem, const struct variant *variant, int input) {
  return input == variant->tactic->packed_operand && variant_packed_bytes(problem, variant) > 0;
}

static bool is_copied(const struct problem *problem, const struct variant *variant, int input) {
  return problem->operands[input].constant && !is_packed(problem, variant, input);
}

static const void *input_on_host(const struct cuda_trial *trial, int input) {
  return trial->layout_inputs[input] ? trial->layout_inputs[input] : trial->of->types[input].data;
}

static enum farm_status upload_input(struct cuda_trial *trial, int input) {
  const struct kernel_case *of = trial->of;
  const struct tensor *type = &of->types[input];
  if (trial->nhwc && operand_has_layout(of->problem, type, input)) {
    trial->layout_inputs[input] = malloc(of->inputs[input].bytes);
    FAIL_IF(!trial->layout_inputs[input], FARM_NO_MEMORY, "no memory for input %d in nhwc", input);
    layout_to_nhwc(type, type->data, trial->layout_inputs[input]);
  }
  const int copies = is_copied(of->problem, &trial->variant, input) ? trial->copies : 1;
  return buffers_filled(trial, "input", input, copies, input_on_host(trial, input), of->inputs[input].bytes,
                        &trial->inputs[input]);
}

static enum farm_status upload_packed(struct cuda_trial *trial) {
  const struct tactic *tactic = trial->variant.tactic;
  const size_t bytes = variant_packed_bytes(trial->of->problem, &trial->variant);
  trial->packed = -1;
  if (bytes == 0) return FARM_OK;
  void *packed = malloc(bytes);
  FAIL_IF(!packed, FARM_NO_MEMORY, "no memory for packed weights");
  memset(packed, PATTERN, bytes);
  tactic->pack(trial->of->problem, &trial->variant, trial->of->types[tactic->packed_operand].data, packed);
  enum farm_status status =
      buffers_filled(trial, "packed copy", tactic->packed_operand, trial->copies, packed, bytes, &trial->packed);
  if (status == FARM_OK) status = cuda_wait(trial->device); // before `packed` goes
  free(packed);
  return status;
}

static enum farm_status make_buffers(struct cuda_trial *trial) {
  const struct problem *problem = trial->of->problem;
  trial->buffer_capacity = (problem->input_count + 1) * trial->copies + problem->output_count + 1;
  trial->buffers = calloc((size_t)trial->buffer_capacity, sizeof *trial->buffers);
  FAIL_IF(!trial->buffers, FARM_NO_MEMORY, "no memory for a trial");
  for (int i = 0; i < problem->input_count; i++) TRY(upload_input(trial, i));
  for (int i = 0; i < problem->output_count; i++) {
    trial->outputs[i] = trial->buffer_count;
    TRY(buffer_add(trial, "output", i, tensor_bytes(&trial->of->types[problem->input_count + i])));
  }
  TRY(upload_packed(trial));
  trial->workspace = trial->buffer_count;
  return buffer_add(trial, "workspace", 0, variant_workspace(problem, &trial->variant, 1));
}

/* ---- image and steps ---- */
static enum farm_status make_image(struct cuda_trial *trial, const struct cuda_trial_options *options) {
  const struct cuda_tactic *tactic = cuda_tactic_of(trial->variant.tactic);
  if (!tactic->source) return FARM_OK;
  struct strbuf source = {0};
  struct bytes_writer cubin = {0};
  enum farm_status status = tactic->source(trial->of->problem, &trial->variant, &source);
  if (status == FARM_OK && source.failed) status = status_set(FARM_NO_MEMORY, "no memory for a kernel's text");
  if (status == FARM_OK)
    status = options->cubin(options->context, strbuf_text(&source), cuda_device_about(trial->device)->sm, &cubin);
  if (status == FARM_OK && cubin.failed) status = status_set(FARM_NO_MEMORY, "no memory for a cubin");
  if (status == FARM_OK) status = cuda_image_load(trial->device, cubin.data, cubin.length, &trial->image);
  strbuf_free(&source);
  bytes_writer_free(&cubin);
  return status;
}

static enum farm_status make_steps(struct cuda_trial *trial) {
  const struct problem *problem = trial->of->problem;
  trial->steps = calloc((size_t)trial->copies, sizeof(struct cuda_step *));
  FAIL_IF(!trial->steps, FARM_NO_MEMORY, "no memory for a trial");
  for (int copy = 0; copy < trial->copies; copy++) {
    struct cuda_call call = {.problem = problem, .variant = &trial->variant, .scalars = &trial->of->scalars};
    for (int i = 0; i < problem->input_count; i++)
      call.inputs[i] = data_of(trial, trial->inputs[i] + (is_copied(problem, &trial->variant, i) ? copy : 0));
    for (int i = 0; i < problem->output_count; i++) call.outputs[i] = data_of(trial, trial->outputs[i]);
    call.packed = trial->packed < 0 ? 0 : data_of(trial, trial->packed + copy);
    call.workspace = data_of(trial, trial->workspace);
    TRY(cuda_step_make(trial->device, trial->image, &call, &trial->steps[copy]));
  }
  return FARM_OK;
}

enum farm_status cuda_trial_make(struct cuda_device *device, struct kernel_case *kernel_case, const struct variant *variant,
                                 const struct cuda_trial_options *options, struct cuda_trial **out_trial) {
  const int sm = cuda_device_about(device)->sm;
  FAIL_IF(!cuda_tactic_fits(variant->tactic, sm), FARM_TACTIC_REFUSED, "%s is not for sm_%d", variant->tactic->id, sm);
  struct cuda_trial *trial = calloc(1, sizeof *trial);
  FAIL_IF(!trial, FARM_NO_MEMORY, "no memory for a trial");
  *trial = (struct cuda_trial){.device = device, .of = kernel_case, .variant = *variant, .patience_ns = options->patience_ns};
  trial->copies = options->copies < 1 ? 1 : options->copies;
  trial->nhwc = variant->tactic->layout == LAYOUT_NHWC;
  enum farm_status status;
  TRY_OR(make_image(trial, options), free_trial); // before anything large
  TRY_OR(make_buffers(trial), free_trial);
  TRY_OR(make_steps(trial), free_trial);
  TRY_OR(cuda_wait(device), free_trial);
  *out_trial = trial;
  return FARM_OK;
free_trial:
  cuda_trial_free(&trial);
  return status;
}

void cuda_trial_free(struct cuda_trial **trial) {
  struct cuda_trial *made = *trial;
  if (!made) return;
  for (int i = 0; made->steps && i < made->copies; i++) cuda_step_free(&made->steps[i]);
  free(made->steps);
  cuda_image_unload(&made->image);
  for (int i = 0; i < made->buffer_count; i++) cuda_free(made->device, &made->buffers[i].base);
  free(made->buffers);
  for (int i = 0; i < PROBLEM_MAX_OPERANDS; i++) free(made->layout_inputs[i]);
  free(made);
  *trial = NULL;
}

enum farm_status cuda_trial_run(struct cuda_trial *trial, int64_t turn) {
  return cuda_step_enqueue(trial->steps[turn % trial->copies]);
}

size_t cuda_trial_weight_bytes_of(const struct problem *problem, const struct variant *variant) {
  size_t bytes = variant_packed_bytes(problem, variant);
  struct tensor types[PROBLEM_MAX_OPERANDS];
  if (problem_operand_types(problem, types) != FARM_OK) return bytes;
  for (int i = 0; i < problem->input_count; i++)
    if (is_copied(problem, variant, i)) bytes += tensor_bytes(&types[i]);
  return bytes;
}

size_t cuda_trial_weight_bytes(const struct cuda_trial *trial) {
  return cuda_trial_weight_bytes_of(trial->of->problem, &trial->variant);
}

/* ---- checks ---- */
static enum farm_status overran(const struct cuda_trial *trial, const char *where, const struct device_buffer *buffer) {
  char text[VARIANT_TEXT_MAX];
  variant_print(&trial->variant, text);
  return status_set(FARM_TACTIC_OVERRAN, "%s wrote %s %s %d", text, where, buffer->what, buffer->index);
}

static bool all_pattern(const unsigned char *zone, size_t bytes) {
  for (size_t i = 0; i < bytes; i++)
    if (zone[i] != PATTERN) return false;
  return true;
}

static enum farm_status wait_patiently(struct cuda_trial *trial) {
  return trial->patience_ns ? cuda_wait_for(trial->device, trial->patience_ns) : cuda_wait(trial->device);
}

/* Both zones of every buffer, into `zones`, which is pinned: thousands of copies are on their way at once. */
static enum farm_status guards_download(struct cuda_trial *trial, unsigned char *zones) {
  for (int i = 0; i < trial->buffer_count; i++) {
    const struct device_buffer *buffer = &trial->buffers[i];
    unsigned char *to = zones + (size_t)i * 2 * GUARD_BYTES;
    TRY(cuda_copy_out(trial->device, to, buffer->base, GUARD_BYTES));
    TRY(cuda_copy_out(trial->device, to + GUARD_BYTES, buffer->base + GUARD_BYTES + buffer->bytes, GUARD_BYTES));
  }
  return cuda_wait(trial->device);
}

enum farm_status cuda_trial_guards(struct cuda_trial *trial) {
  void *zones;
  TRY(wait_patiently(trial)); // what comes next may wait in the driver for what runs, and has no patience
  TRY(cuda_host_alloc(trial->device, (size_t)trial->buffer_count * 2 * GUARD_BYTES, &zones));
  enum farm_status status = guards_download(trial, zones);
  for (int i = 0; status == FARM_OK && i < trial->buffer_count; i++)
    if (!all_pattern((unsigned char *)zones + (size_t)i * 2 * GUARD_BYTES, 2 * GUARD_BYTES))
      status = overran(trial, "outside", &trial->buffers[i]);
  cuda_host_free(trial->device, &zones);
  return status;
}

/* The contents of one buffer, malloc'ed. */
static enum farm_status download(struct cuda_trial *trial, int place, unsigned char **out_data) {
  const struct device_buffer *buffer = &trial->buffers[place];
  unsigned char *data = malloc(buffer->bytes + 1);
  FAIL_IF(!data, FARM_NO_MEMORY, "no memory for %s %d", buffer->what, buffer->index);
  enum farm_status status = cuda_copy_out(trial->device, data, data_of(trial, place), buffer->bytes);
  if (status == FARM_OK) status = cuda_wait(trial->device);
  if (status != FARM_OK) {
    free(data);
    return status;
  }
  *out_data = data;
  return FARM_OK;
}

static enum farm_status inputs_unchanged(struct cuda_trial *trial) {
  for (int i = 0; i < trial->of->problem->input_count; i++) {
    const struct device_buffer *buffer = &trial->buffers[trial->inputs[i]];
    unsigned char *data;
    if (buffer->bytes == 0) continue;
    TRY(download(trial, trial->inputs[i], &data));
    const bool same = memcmp(data, input_on_host(trial, i), buffer->bytes) == 0;
    free(data);
    if (!same) return overran(trial, "into", buffer);
  }
  return FARM_OK;
}

static enum farm_status compare_outputs(struct cuda_trial *trial, struct kernel_verdict *out_verdict) {
  struct kernel_results results = {.of = trial->of, .variant = &trial->variant, .nhwc = trial->nhwc};
  unsigned char *data[PROBLEM_MAX_OPERANDS] = {0};
  enum farm_status status = FARM_OK;
  const int count = trial->of->problem->output_count;
  for (int i = 0; i < count && status == FARM_OK; i++) {
    status = download(trial, trial->outputs[i], &data[i]);
    results.outputs[i] = data[i];
  }
  if (status == FARM_OK) status = kernel_results_compare(&results, out_verdict);
  for (int i = 0; i < count; i++) free(data[i]);
  return status;
}

static enum farm_status refill(struct cuda_trial *trial, int place) {
  return cuda_fill(trial->device, data_of(trial, place), PATTERN, trial->buffers[place].bytes);
}

enum farm_status cuda_trial_check(struct cuda_trial *trial, struct kernel_verdict *out_verdict) {
  *out_verdict = (struct kernel_verdict){0};
  TRY(kernel_case_expect(trial->of));
  for (int i = 0; i < trial->of->problem->output_count; i++) TRY(refill(trial, trial->outputs[i]));
  TRY(refill(trial, trial->workspace));
  TRY(cuda_trial_run(trial, 0));
  TRY(wait_patiently(trial));
  enum farm_status compared = compare_outputs(trial, out_verdict);
  if (compared != FARM_OK && compared != FARM_TACTIC_WRONG) return compared;
  TRY(cuda_trial_guards(trial));
  TRY(inputs_unchanged(trial));
  return compared;
}

/* Tests only: one operation of no kind on a device, against its operator's reference. Shapes of outputs may be the operator's
 * own.
 *
 *   case_open, case_attr…, case_tensor…, case_expect (or case_tensor for the output, filled by hand), case_run, case_close
 */
#ifndef KERNELS_CUDA_OP_OP_CASE_TEST_H
#define KERNELS_CUDA_OP_OP_CASE_TEST_H

#include "../../../operators/operation.h"
#include "../cuda-launch.h"
#include "../cuda-sweep-test.h"

enum { CASE_MOST = 8, CASE_MOST_ATTRS = 4 };

struct operation_case {
  struct operation operation;
  struct attr attrs[CASE_MOST_ATTRS];
  int input_count, output_count;
  struct tensor input_tensors[CASE_MOST], output_tensors[CASE_MOST]; // outputs as they are expected
  const struct tensor *inputs[CASE_MOST], *outputs[CASE_MOST];       // NULL: left out
};

static inline void case_open_at(struct operation_case *made, const char *name, int opset) {
  *made = (struct operation_case){0};
  made->operation = (struct operation){operator_find("", name, opset), {made->attrs, 0}, opset};
  REQUIRE(made->operation.row);
}

static inline void case_attr(struct operation_case *made, struct attr attr) {
  REQUIRE(made->operation.attrs.count < CASE_MOST_ATTRS);
  made->attrs[made->operation.attrs.count++] = attr;
}

static inline void case_int(struct operation_case *made, const char *attr, int64_t value) {
  case_attr(made, (struct attr){.name = attr, .type = ATTR_INT, .count = 1, .i = value});
}

/* `values` must outlive the case. */
static inline void case_ints(struct operation_case *made, const char *attr, int count, const int64_t *values) {
  case_attr(made, (struct attr){.name = attr, .type = ATTR_INTS, .count = count, .ints = values});
}

static inline void case_open(struct operation_case *made, const char *name, const char *attr, int64_t value) {
  case_open_at(made, name, 13);
  case_int(made, attr, value);
}

static inline struct tensor *case_tensor(struct operation_case *made, bool is_input, enum dtype dtype, int rank,
                                         const int64_t *dims) {
  int *count = is_input ? &made->input_count : &made->output_count;
  REQUIRE(*count < CASE_MOST);
  struct tensor *tensor = is_input ? &made->input_tensors[*count] : &made->output_tensors[*count];
  *tensor = (struct tensor){.dtype = dtype, .rank = rank};
  for (int i = 0; i < rank; i++) tensor->dims[i] = dims[i];
  REQUIRE_OK(tensor_alloc(tensor));
  (is_input ? made->inputs : made->outputs)[(*count)++] = tensor;
  return tensor;
}
#define DIMS(...)                                                                                                                \
  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]) { __VA_ARGS__ }

/* Bytes that differ from their neighbours'; bools are 0 and 1. */
static inline struct tensor *case_input(struct operation_case *made, enum dtype dtype, int rank, const int64_t *dims) {
  struct tensor *tensor = case_tensor(made, true, dtype, rank, dims);
  unsigned char *bytes = tensor->data;
  for (size_t i = 0; i < tensor_bytes(tensor); i++)
    bytes[i] = (unsigned char)(i * 37 + i / 251 + (size_t)made->input_count * 101);
  for (size_t i = 0; dtype == DTYPE_BOOL && i < tensor_bytes(tensor); i++) bytes[i] %= 2;
  return tensor;
}

/* What the operator reads on the host. count -1: left out. */
static inline void case_list(struct operation_case *made, enum dtype dtype, int count, const int64_t *values) {
  if (count < 0) {
    made->input_count++;
    return;
  }
  struct tensor *tensor = case_tensor(made, true, dtype, 1, (const int64_t[]){count});
  for (int i = 0; i < count; i++) dtype_store_i64(dtype, tensor->data, i, values[i]);
}

/* `count` outputs as the shape function has them. */
static inline void case_shapes(struct operation_case *made, int count) {
  struct arena arena = {0};
  struct shape_info infos[CASE_MOST] = {0}, outputs[CASE_MOST] = {0};
  const struct shape_info *inputs[CASE_MOST] = {0};
  for (int i = 0; i < made->input_count; i++) {
    if (!made->inputs[i]) continue;
    infos[i].type = *made->inputs[i];
    infos[i].type.data = NULL;
    if (made->operation.row->host_inputs >> i & 1) infos[i].constant = made->inputs[i];
    inputs[i] = &infos[i];
  }
  for (int i = 0; i < count; i++) outputs[i].type.rank = -1;
  struct shape_call call = {.row = made->operation.row,
                            .attrs = &made->operation.attrs,
                            .opset = made->operation.opset,
                            .input_count = made->input_count,
                            .inputs = inputs,
                            .output_count = count,
                            .outputs = outputs,
                            .arena = &arena};
  REQUIRE_OK(made->operation.row->shape(&call));
  for (int i = 0; i < count; i++) case_tensor(made, false, outputs[i].type.dtype, outputs[i].type.rank, outputs[i].type.dims);
  arena_free(&arena);
}

static inline void case_expect(struct operation_case *made) {
  struct tensor *outputs[CASE_MOST];
  for (int i = 0; i < made->output_count; i++) outputs[i] = &made->output_tensors[i];
  struct reference_call call = {.row = made->operation.row,
                                .attrs = &made->operation.attrs,
                                .opset = made->operation.opset,
                                .input_count = made->input_count,
                                .inputs = made->inputs,
                                .output_count = made->output_count,
                                .outputs = outputs};
  REQUIRE_OK(made->operation.row->reference(&call));
}

static inline void case_close(struct operation_case *made) {
  for (int i = 0; i < made->input_count; i++) tensor_free(&made->input_tensors[i]);
  for (int i = 0; i < made->output_count; i++) tensor_free(&made->output_tensors[i]);
}

/* To the bit, but for NaN. */
static inline void case_compare(const struct tensor *wanted, const char *what, const void *got) {
  const size_t bytes = (size_t)dtype_bits(wanted->dtype) / 8;
  for (int64_t i = 0; i < tensor_elems(wanted); i++) {
    const double a = dtype_load_f64(wanted->dtype, got, i), b = dtype_load_f64(wanted->dtype, wanted->data, i);
    const bool same = memcmp((const char *)got + (size_t)i * bytes, (const char *)wanted->data + (size_t)i * bytes, bytes) == 0;
    CHECK_MESSAGE(same || (a != a && b != b), "%s: element %lld is %.17g instead of %.17g", what, (long long)i, a, b);
    if (!same && !(a != a && b != b)) return;
  }
}

static inline struct cuda_image *case_image(struct cuda_sweep *sweep, const struct problem *problem,
                                            const struct variant *variant) {
  struct strbuf source = {0};
  struct bytes_writer cubin = {0};
  struct cuda_image *image = NULL;
  REQUIRE_OK(cuda_tactic_of(variant->tactic)->source(problem, variant, &source));
  REQUIRE_OK(cuda_sweep_cubin(sweep, strbuf_text(&source), sweep->device_class.sm, &cubin));
  REQUIRE_OK(cuda_image_load(sweep->device, cubin.data, cubin.length, &image));
  strbuf_free(&source);
  bytes_writer_free(&cubin);
  return image;
}

/* Allocations are as large as what they hold: the emulator sees every byte beyond. */
static inline cuda_address case_place(struct cuda_sweep *sweep, size_t bytes) {
  cuda_address address = 0;
  REQUIRE_OK(cuda_alloc(sweep->device, bytes ? bytes : 1, &address));
  REQUIRE_OK(cuda_fill(sweep->device, address, 0xa5, bytes ? bytes : 1));
  return address;
}

/* As the runtime has it: nothing of what is read on the host is on the device. */
static inline void case_operands(struct cuda_sweep *sweep, const struct operation_case *made, struct cuda_call *call) {
  for (int i = 0; i < made->input_count; i++) {
    if (!made->inputs[i]) continue;
    const size_t bytes = tensor_bytes(made->inputs[i]);
    if (made->operation.row->host_inputs >> i & 1) {
      call->contents[i] = made->inputs[i];
      continue;
    }
    call->inputs[i] = case_place(sweep, bytes);
    if (bytes) REQUIRE_OK(cuda_copy_in(sweep->device, call->inputs[i], made->inputs[i]->data, bytes));
  }
  for (int i = 0; i < made->output_count; i++) call->outputs[i] = case_place(sweep, tensor_bytes(made->outputs[i]));
}

static inline void case_outputs(struct cuda_sweep *sweep, const struct operation_case *made, const char *what,
                                const struct cuda_call *call) {
  for (int i = 0; i < made->output_count; i++) {
    const size_t bytes = tensor_bytes(made->outputs[i]);
    unsigned char *got = malloc(bytes + 1);
    REQUIRE(got);
    REQUIRE_OK(cuda_copy_out(sweep->device, got, call->outputs[i], bytes ? bytes : 1));
    REQUIRE_OK(cuda_wait(sweep->device));
    if (bytes)
      case_compare(made->outputs[i], what, got);
    else
      CHECK(got[0] == 0xa5);
    free(got);
  }
}

static inline void case_variant_run(struct cuda_sweep *sweep, const struct operation_case *made, const struct problem *problem,
                                    const struct variant *variant) {
  struct cuda_image *image = case_image(sweep, problem, variant);
  const struct operation_scalars scalars = {0};
  struct cuda_call call = {.problem = problem, .variant = variant, .scalars = &scalars};
  struct cuda_step *step = NULL;
  case_operands(sweep, made, &call);
  REQUIRE_OK(cuda_step_make(sweep->device, image, &call, &step));
  REQUIRE_OK(cuda_step_enqueue(step));
  case_outputs(sweep, made, problem->op_text, &call);
  cuda_step_free(&step);
  for (int i = 0; i < made->input_count; i++) cuda_free(sweep->device, &call.inputs[i]);
  for (int i = 0; i < made->output_count; i++) cuda_free(sweep->device, &call.outputs[i]);
  cuda_image_unload(&image);
  sweep->checked++;
}

static inline void case_run(struct cuda_sweep *sweep, const struct operation_case *made) {
  struct arena arena = {0};
  struct problem problem;
  struct variant variants[8];
  REQUIRE_OK(operation_problem(&made->operation, made->inputs, made->input_count, 0, made->outputs, made->output_count, &arena,
                               &problem));
  CHECK(problem.kind == PROBLEM_OP);
  int count = catalogue_variants(&problem, &sweep->device_class, LAYOUT_ANY, variants, 8);
  CHECK_MESSAGE(count > 0 && count <= 8, "%s has %d variants", problem.op_text, count);
  for (int i = 0; i < count && i < 8; i++)
    if (sweep->stride == 1 || i == 0) case_variant_run(sweep, made, &problem, &variants[i]);
  arena_free(&arena);
}

#endif

/* Sections for GPUs from the model to the outputs, on the fake driver: what runs where, that it is right, and what faults do. */
#include "gpu-net-test.h"

#include "../../base/file.h"
#include "../../device/cuda-api.h"

#include <pthread.h>
#include <sys/wait.h>

#define GPU "sm=90,product=fake,mem=512m"

/* y = (relu(x w + b) v) + x */
static struct net products(void) {
  struct net net = net_begin("products");
  net_input(&net, "x", "3 20");
  NET_WEIGHT(&net, "w", 20, 24);
  NET_WEIGHT(&net, "b", 24);
  NET_WEIGHT(&net, "v", 24, 20);
  net_node(&net, "MatMul", "x w", "xw");
  net_node(&net, "Add", "xw b", "xwb");
  net_node(&net, "Relu", "xwb", "r");
  net_node(&net, "MatMul", "r v", "rv");
  net_node(&net, "Add", "rv x", "y");
  net_output(&net, "y", "3 20");
  return net;
}

TEST(gpu_runs_products_with_epilogues, "timeout:120") {
  net_gpu(GPU);
  struct net net = products();
  CHECK(net_build(&net) == 0);
  net_check(&net, 0);
}

TEST(gpu_runs_maps_reductions_and_softmax, "timeout:120") {
  net_gpu(GPU);
  struct net net = net_begin("maps");
  net_input(&net, "x", "4 6 10");
  NET_WEIGHT(&net, "c", 10);
  net_node(&net, "Sigmoid", "x", "s");
  net_node(&net, "Mul", "x s", "xs");
  net_node(&net, "Add", "xs c", "z");
  onnx_node_begin(&net.writer, "Softmax", "", "soft", "z", "soft");
  onnx_attr_int(&net.writer, "axis", -1);
  onnx_node_end(&net.writer);
  onnx_node_begin(&net.writer, "Transpose", "", "turn", "soft", "turned");
  onnx_attr_ints(&net.writer, "perm", (int64_t[]){2, 0, 1}, 3);
  onnx_node_end(&net.writer);
  onnx_node_begin(&net.writer, "ReduceMean", "", "mean", "turned", "mean");
  onnx_attr_ints(&net.writer, "axes", (int64_t[]){2}, 1);
  onnx_node_end(&net.writer);
  net_output(&net, "mean", "10 4 1");
  net_output(&net, "z", "4 6 10");
  CHECK(net_build(&net) == 0);
  net_check(&net, 0);
}

TEST(gpu_runs_an_image_network, "timeout:240") {
  net_gpu(GPU);
  struct net net = net_begin("image");
  net_input(&net, "x", "1 4 9 9");
  NET_WEIGHT(&net, "w", 8, 4, 3, 3);
  NET_WEIGHT(&net, "b", 8);
  NET_WEIGHT(&net, "v", 8, 5);
  onnx_node_begin(&net.writer, "Conv", "", "conv", "x w b", "conv");
  onnx_attr_ints(&net.writer, "pads", (int64_t[]){1, 1, 1, 1}, 4);
  onnx_node_end(&net.writer);
  net_node(&net, "Relu", "conv", "r");
  onnx_node_begin(&net.writer, "MaxPool", "", "pool", "r", "pool");
  onnx_attr_ints(&net.writer, "kernel_shape", (int64_t[]){3, 3}, 2);
  onnx_attr_ints(&net.writer, "strides", (int64_t[]){2, 2}, 2);
  onnx_node_end(&net.writer);
  net_node(&net, "GlobalAveragePool", "pool", "gap");
  net_node(&net, "Flatten", "gap", "flat");
  net_node(&net, "MatMul", "flat v", "y");
  net_output(&net, "y", "1 5");
  CHECK(net_build(&net) == 0);
  net_check(&net, 0);
}

/* relu on the device, a running sum on the host, an addition on the device. */
static struct net host_between(void) {
  static const int64_t axis = 1;
  struct net net = net_begin("between");
  net_input(&net, "x", "4 32");
  net_ints(&net, "axis", -1, &axis);
  NET_WEIGHT(&net, "c", 32);
  net_node(&net, "Relu", "x", "r");
  net_node(&net, "CumSum", "r axis", "sum");
  net_node(&net, "Add", "sum c", "a");
  net_node(&net, "Mul", "a r", "y");
  net_output(&net, "y", "4 32");
  net_output(&net, "r", "4 32");
  return net;
}

TEST(gpu_stops_for_host_steps, "timeout:120") {
  net_gpu(GPU);
  struct net net = host_between();
  int host_steps = net_build(&net);
  CHECK_MESSAGE(host_steps == 1, "%d host steps, not the running sum alone", host_steps);
  net_check(&net, 0);
}

/* Parts of one value are made by the device and by the host: neither loses what the other wrote. */
TEST(gpu_and_host_write_parts_of_one_value, "timeout:120") {
  static const int64_t axis = 1;
  net_gpu(GPU);
  struct net net = net_begin("parts");
  net_input(&net, "x", "2 32");
  net_ints(&net, "axis", -1, &axis);
  net_node(&net, "Relu", "x", "a");
  net_node(&net, "CumSum", "x axis", "b");
  net_node(&net, "Neg", "x", "c");
  net_node(&net, "CumSum", "c axis", "d");
  onnx_node_begin(&net.writer, "Concat", "", "cat", "a b c d", "cat");
  onnx_attr_int(&net.writer, "axis", 0);
  onnx_node_end(&net.writer);
  net_node(&net, "Exp", "cat", "e");
  net_node(&net, "CumSum", "cat axis", "y");
  net_output(&net, "y", "8 32");
  net_output(&net, "e", "8 32");
  CHECK(net_build(&net) == 3);
  net_check(&net, 0);
}

/* y = x - (the first part of x), and nothing reads x any more: yet y cannot be written over it, for the part is read again for each row.
 * What is an output is never written over. */
static struct net part_of_itself(const char *name, bool x_is_output) {
  struct net net = net_begin(name);
  net_input(&net, "in", "3 8");
  NET_WEIGHT(&net, "w", 8, 4096);
  NET_WEIGHT(&net, "v", 4096, 5);
  net_node(&net, "MatMul", "in w", "x");
  onnx_node_begin(&net.writer, "Split", "", "split", "x", "a b c");
  onnx_attr_int(&net.writer, "axis", 0);
  onnx_node_end(&net.writer);
  net_node(&net, "Add", "b c", "bc");
  net_node(&net, "Sub", "x a", "y");
  net_node(&net, "MatMul", "y v", "z");
  net_output(&net, "z", "3 5");
  net_output(&net, "bc", "1 4096");
  if (x_is_output) net_output(&net, "x", "3 4096");
  return net;
}

TEST(gpu_and_cpu_do_not_write_over_what_is_read_again, "timeout:120") {
  net_gpu(GPU);
  struct net net = part_of_itself("part", false), other = part_of_itself("other", true);
  struct net_run run, expected;
  CHECK(net_build(&net) == 0);
  net_build(&other);
  REQUIRE_OK(net_open(&other, "cpu", false, &expected));
  REQUIRE_OK(net_feed(&expected, 1, 0));
  REQUIRE_OK(farm_context_run(expected.context));
  for (int i = 0; i < 2; i++) {
    REQUIRE_OK(net_open(&net, i ? "cuda" : "cpu", false, &run));
    REQUIRE_OK(net_feed(&run, 1, 0));
    REQUIRE_OK(farm_context_run(run.context));
    net_compare(&run, &expected);
    net_close(&run);
  }
  net_close(&expected);
}

/* y = sx - st, whose rows are numbers of their own: at the best shapes both have as many, at others one of them is repeated. */
static struct net rows_of_two(const char *name, bool all_are_outputs) {
  static struct build_shape shapes[2] = {{.input = "p", .rank = 2, .min = {1, 8}, .opt = {4, 8}, .max = {4, 8}},
                                         {.input = "q", .rank = 2, .min = {1, 8}, .opt = {4, 8}, .max = {4, 8}}};
  struct net net = net_begin(name);
  net_input(&net, "p", "a 8");
  net_input(&net, "q", "b 8");
  NET_WEIGHT(&net, "w", 8, 4096);
  NET_WEIGHT(&net, "v", 4096, 5);
  for (int i = 0; i < 2; i++) {
    net_node(&net, "MatMul", i ? "q w" : "p w", i ? "t" : "x");
    onnx_node_begin(&net.writer, "Softmax", "", i ? "softt" : "softx", i ? "t" : "x", i ? "st" : "sx");
    onnx_attr_int(&net.writer, "axis", -1);
    onnx_node_end(&net.writer);
  }
  net_node(&net, "Sub", "sx st", "y");
  net_node(&net, "MatMul", "y v", "z");
  net_output(&net, "z", "c 5");
  if (all_are_outputs) net_output(&net, "sx", "a 4096");
  if (all_are_outputs) net_output(&net, "st", "b 4096");
  net.shapes = shapes;
  net.shape_count = 2;
  return net;
}

static void feed_rows(struct net_run *run, int input, int64_t rows) {
  farm_binding_t binding = {.size = sizeof binding};
  REQUIRE_OK(farm_engine_input(run->engine, input, &binding));
  farm_tensor_t tensor = binding.tensor;
  tensor.dims[0] = rows;
  REQUIRE_OK(net_fill(&tensor, (uint64_t)input + 1));
  REQUIRE_OK(farm_context_set_input(run->context, input, &tensor));
  free(run->inputs[input]);
  run->inputs[input] = tensor.data;
}

TEST(gpu_and_cpu_do_not_write_over_what_is_repeated_at_some_shapes, "timeout:120") {
  static const int64_t rows[][2] = {{4, 4}, {1, 4}, {4, 1}, {1, 1}};
  net_gpu(GPU);
  struct net net = rows_of_two("rows", false), other = rows_of_two("others", true);
  struct net_run run, expected;
  CHECK(net_build(&net) == 0);
  net_build(&other);
  REQUIRE_OK(net_open(&other, "cpu", false, &expected));
  for (int i = 0; i < 2; i++) {
    REQUIRE_OK(net_open(&net, i ? "cuda" : "cpu", false, &run));
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
      for (int input = 0; input < 2; input++) feed_rows(&run, input, rows[r][input]);
      for (int input = 0; input < 2; input++) feed_rows(&expected, input, rows[r][input]);
      REQUIRE_OK(farm_context_run(run.context));
      REQUIRE_OK(farm_context_run(expected.context));
      net_compare(&run, &expected);
    }
    net_close(&run);
  }
  net_close(&expected);
}

static void branch(struct net *net, const char *attribute, const char *op) {
  char made[16];
  snprintf(made, sizeof made, "in_%.4s", attribute);
  onnx_attr_graph_begin(&net->writer, attribute, attribute);
  net_node(net, op, "a c", made);
  onnx_value_put(&net->writer, ONNX_OUTPUT, made, DTYPE_F32, "4 8");
  onnx_attr_graph_end(&net->writer);
}

/* Behind a branch and a loop sizes are not known before they run: those steps are the host's, and find their weights there. */
TEST(gpu_leaves_branches_and_loops_to_the_host, "timeout:120") {
  static const int64_t trips = 3;
  net_gpu(GPU);
  struct net net = net_begin("control");
  net_input(&net, "x", "4 8");
  onnx_value_put(&net.writer, ONNX_INPUT, "flag", DTYPE_BOOL, "");
  NET_WEIGHT(&net, "c", 8);
  NET_WEIGHT(&net, "w", 8, 8);
  net_ints(&net, "trips", -1, &trips);
  net_node(&net, "Exp", "x", "a");
  onnx_node_begin(&net.writer, "If", "", "if", "flag", "chosen");
  branch(&net, "then_branch", "Add");
  branch(&net, "else_branch", "Mul");
  onnx_node_end(&net.writer);
  net_node(&net, "MatMul", "chosen w", "m");
  onnx_node_begin(&net.writer, "Loop", "", "loop", "trips _ m", "looped");
  onnx_attr_graph_begin(&net.writer, "body", "body");
  onnx_value_put(&net.writer, ONNX_INPUT, "i", DTYPE_I64, "");
  onnx_value_put(&net.writer, ONNX_INPUT, "going", DTYPE_BOOL, "");
  onnx_value_put(&net.writer, ONNX_INPUT, "in", DTYPE_F32, "4 8");
  net_node(&net, "Add", "in a", "out");
  net_node(&net, "Identity", "going", "on");
  onnx_value_put(&net.writer, ONNX_OUTPUT, "on", DTYPE_BOOL, "");
  onnx_value_put(&net.writer, ONNX_OUTPUT, "out", DTYPE_F32, "4 8");
  onnx_attr_graph_end(&net.writer);
  onnx_node_end(&net.writer);
  net_node(&net, "Add", "looped x", "last"); // only blocks read `a`
  net_node(&net, "MatMul", "last w", "y");   // where `last` lies would do for the device, but nobody knows its size
  net_output(&net, "y", "4 8");
  CHECK(net_build(&net) == 8);
  net_check(&net, 0);
}

static struct net batched(void) {
  static struct build_shape shape = {.input = "x", .rank = 2, .min = {1, 16}, .opt = {4, 16}, .max = {8, 16}};
  struct net net = net_begin("batched");
  net_input(&net, "x", "batch 16");
  NET_WEIGHT(&net, "w", 16, 12);
  NET_WEIGHT(&net, "c", 12);
  net_node(&net, "MatMul", "x w", "m");
  net_node(&net, "Add", "m c", "a");
  onnx_node_begin(&net.writer, "Softmax", "", "soft", "a", "soft");
  onnx_attr_int(&net.writer, "axis", -1);
  onnx_node_end(&net.writer);
  net_node(&net, "Exp", "soft", "y");
  net_output(&net, "y", "batch 12");
  net.shapes = &shape;
  net.shape_count = 1;
  return net;
}

TEST(gpu_runs_batches_of_any_size, "timeout:120") {
  net_gpu(GPU);
  struct net net = batched();
  CHECK(net_build(&net) == 0);
  net_check(&net, 4, 8, 1, 4, 3, 2, 5, 6, 7, 8, 4); // more shapes than are kept
}

/* Not the text for the batch that the linker took: one image serves all. */
TEST(gpu_keeps_batches_of_any_size_on_the_device, "timeout:120") {
  net_gpu(GPU);
  struct net net = batched();
  net_build(&net);
  struct net_run gpu;
  REQUIRE_OK(net_open(&net, "cuda", true, &gpu));
  for (int64_t batch = 1; batch <= 8; batch++) {
    REQUIRE_OK(net_feed(&gpu, 1, batch));
    REQUIRE_OK(farm_context_run(gpu.context));
  }
  for (int i = 0; i < farm_context_step_count(gpu.context); i++) {
    farm_step_profile_t p = {.size = sizeof p};
    REQUIRE_OK(farm_context_profile(gpu.context, i, &p));
    CHECK_MESSAGE(p.calls == 0 || p.calls == p.device_calls, "%s: %d of %d calls on the device", p.name, (int)p.device_calls,
                  (int)p.calls);
  }
  net_close(&gpu);
}

/* ---- contexts ---- */

TEST(gpu_contexts_share_weights, "timeout:120") {
  net_gpu(GPU);
  struct net net = products();
  net_build(&net);
  struct net_run one, cpu;
  farm_engine_info_t before = {.size = sizeof before}, after = before;
  REQUIRE_OK(net_open(&net, "cuda-sm90", false, &one));
  REQUIRE_OK(net_open(&net, "cpu", false, &cpu));
  REQUIRE_OK(net_feed(&one, 1, 0));
  REQUIRE_OK(net_feed(&cpu, 1, 0));
  REQUIRE_OK(farm_context_run(one.context));
  REQUIRE_OK(farm_context_run(cpu.context));
  REQUIRE_OK(farm_engine_info(one.engine, &before));
  CHECK(strstr(before.device, "GPU-") && strstr(before.device, "NVIDIA") && before.host_steps == 0);
  CHECK(before.device_weight_bytes >= (20 * 24 + 24 + 24 * 20) * 4);
  CHECK(farm_context_device_memory(one.context) >= before.arena_bytes && farm_context_device_memory(cpu.context) == 0);
  struct net_run two = {.engine = one.engine, .input_count = 1, .output_count = 1};
  REQUIRE_OK(farm_context_create(one.engine, NULL, &two.context));
  REQUIRE_OK(net_feed(&two, 1, 0));
  REQUIRE_OK(farm_context_run(two.context));
  REQUIRE_OK(farm_engine_info(one.engine, &after));
  CHECK(before.device_weight_bytes == after.device_weight_bytes);
  net_compare(&two, &cpu);
  net_compare(&one, &cpu);
  farm_context_free(two.context);
  free(two.inputs[0]);
  net_close(&one);
  net_close(&cpu);
}

struct runner {
  struct net_run run;
  const struct net *net;
  uint64_t seed;
  enum farm_status status;
};

static void *run_often(void *argument) {
  struct runner *runner = argument;
  runner->status = farm_context_create(runner->run.engine, NULL, &runner->run.context);
  if (runner->status == FARM_OK) runner->status = net_feed(&runner->run, runner->seed, 0);
  for (int i = 0; i < 20 && runner->status == FARM_OK; i++) runner->status = farm_context_run(runner->run.context);
  return NULL;
}

TEST(gpu_contexts_of_two_threads_take_turns, "timeout:120") {
  net_gpu(GPU);
  struct net net = host_between();
  net_build(&net);
  struct net_run cpu;
  REQUIRE_OK(net_open(&net, "cpu", false, &cpu));
  struct runner runners[2];
  pthread_t threads[2];
  farm_engine_options_t options = {.size = sizeof options, .section = "cuda"};
  farm_engine_t *engine;
  REQUIRE_OK(farm_engine_load(net.engine, &options, &engine));
  for (int i = 0; i < 2; i++) {
    runners[i] = (struct runner){{.engine = engine, .input_count = 1, .output_count = 2}, &net, (uint64_t)i + 5, FARM_OK};
    REQUIRE(pthread_create(&threads[i], NULL, run_often, &runners[i]) == 0);
  }
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], NULL);
    REQUIRE_OK(runners[i].status);
    REQUIRE_OK(net_feed(&cpu, runners[i].seed, 0));
    REQUIRE_OK(farm_context_run(cpu.context));
    net_compare(&runners[i].run, &cpu);
    farm_context_free(runners[i].run.context);
    free(runners[i].run.inputs[0]);
  }
  farm_engine_free(engine);
  net_close(&cpu);
}

TEST(gpu_reads_and_writes_the_users_buffers, "timeout:120") {
  net_gpu(GPU);
  struct net net = host_between();
  net_build(&net);
  struct net_run gpu, cpu;
  REQUIRE_OK(net_open(&net, "cuda", false, &gpu));
  REQUIRE_OK(net_open(&net, "cpu", false, &cpu));
  REQUIRE_OK(net_feed(&gpu, 1, 0));
  REQUIRE_OK(net_feed(&cpu, 1, 0));
  REQUIRE_OK(farm_context_run(gpu.context));
  float out[2][4 * 32 + 1] = {{0}};
  for (int i = 0; i < 2; i++) {
    farm_tensor_t bound = {.size = sizeof bound, .data = (char *)&out[i][0] + (i == 1), .bytes = 4 * 32 * 4}; // one lies badly
    REQUIRE_OK(farm_context_set_output(gpu.context, i, &bound));
  }
  ((float *)gpu.inputs[0])[7] = ((float *)cpu.inputs[0])[7] = 3; // nothing is bound anew
  REQUIRE_OK(farm_context_run(gpu.context));
  REQUIRE_OK(farm_context_run(cpu.context));
  for (int i = 0; i < 2; i++) {
    farm_tensor_t tensor = {.size = sizeof tensor};
    float got[4 * 32];
    REQUIRE_OK(farm_context_get_output(cpu.context, i, &tensor));
    memcpy(got, (char *)&out[i][0] + (i == 1), sizeof got);
    for (int k = 0; k < 4 * 32; k++) CHECK(fabsf(got[k] - ((float *)tensor.data)[k]) < 1e-3f);
  }
  net_close(&gpu);
  net_close(&cpu);
}

TEST(gpu_profile_tells_where_each_step_ran, "timeout:120") {
  net_gpu(GPU);
  struct net net = host_between();
  net_build(&net);
  struct net_run gpu, cpu;
  REQUIRE_OK(net_open(&net, "cuda", true, &gpu));
  REQUIRE_OK(net_open(&net, "cpu", true, &cpu));
  REQUIRE_OK(net_feed(&gpu, 1, 0));
  REQUIRE_OK(net_feed(&cpu, 1, 0));
  for (int i = 0; i < 3; i++) REQUIRE_OK(farm_context_run(gpu.context));
  REQUIRE_OK(farm_context_run(cpu.context));
  net_compare(&gpu, &cpu);
  int on_device = 0, on_host = 0;
  for (int i = 0; i < farm_context_step_count(gpu.context); i++) {
    farm_step_profile_t p = {.size = sizeof p};
    REQUIRE_OK(farm_context_profile(gpu.context, i, &p));
    if (p.calls == 0) continue;
    CHECK(p.calls == 3 && p.total_ns > 0);
    CHECK(p.device_calls == 0 || p.device_calls == 3);
    on_device += p.device_calls != 0;
    on_host += !p.device_calls;
    CHECK((p.device_calls != 0) == (strstr(p.variant, "__sm") != NULL));
  }
  CHECK_MESSAGE(on_device == 2 && on_host == 1, "%d steps on the device, %d on the host", on_device, on_host);
  net_close(&gpu);
  net_close(&cpu);
}

/* ---- a process that uses CUDA itself ---- */

static void current_is(const struct cuda_api *api, cuda_context expected, const char *after) {
  cuda_context current = NULL;
  CHECK_MESSAGE(api->cuCtxGetCurrent(&current) == CUDA_SUCCESS && current == expected, "another context after %s", after);
}

/* Opened on this thread, run on a second one, closed there: neither keeps a context of ours, which might be gone by then. */
static void *run_and_close(void *argument) {
  struct net_run *gpu = argument;
  const struct cuda_api *api;
  REQUIRE_OK(cuda_api(&api));
  REQUIRE_OK(net_feed(gpu, 1, 0));
  REQUIRE_OK(farm_context_run(gpu->context));
  current_is(api, NULL, "a run");
  net_close(gpu);
  current_is(api, NULL, "the end");
  return NULL;
}

TEST(gpu_engines_leave_the_callers_context_current, "timeout:120") {
  net_gpu(GPU);
  struct net net = host_between();
  const struct cuda_api *api;
  cuda_context theirs = NULL;
  struct net_run gpu, second;
  pthread_t thread;
  net_build(&net);
  REQUIRE_OK(cuda_api(&api));
  REQUIRE(api->cuCtxCreate_v2(&theirs, 0, 0) == CUDA_SUCCESS);
  for (int profile = 0; profile < 2; profile++) {
    REQUIRE_OK(net_open(&net, "cuda", profile, &gpu));
    current_is(api, theirs, "loading");
    REQUIRE_OK(net_feed(&gpu, 1, 0));
    for (int i = 0; i < 2; i++) {
      REQUIRE_OK(farm_context_run(gpu.context));
      current_is(api, theirs, "a run");
    }
    net_close(&gpu);
    current_is(api, theirs, "the end");
  }
  REQUIRE_OK(net_open(&net, "cuda", false, &second));
  REQUIRE(pthread_create(&thread, NULL, run_and_close, &second) == 0);
  REQUIRE(pthread_join(thread, NULL) == 0);
  current_is(api, theirs, "what another thread did");
  REQUIRE(api->cuCtxPopCurrent_v2(&theirs) == CUDA_SUCCESS);
  current_is(api, NULL, "all of it");
  REQUIRE(api->cuCtxDestroy_v2(theirs) == CUDA_SUCCESS);
}

/* ---- choice of the section ---- */

TEST(gpu_section_is_taken_where_one_fits, "timeout:120") {
  net_gpu(GPU);
  struct net net = products();
  net_build(&net);
  static const struct {
    const char *about, *wanted, *device;
    enum farm_status status;
    const char *says; // in device or message
  } cases[] = {
      {GPU, NULL, NULL, FARM_OK, "GPU-"},
      {GPU, "cpu", NULL, FARM_OK, "cpu"},
      {GPU, "cuda-sm90", NULL, FARM_OK, "GPU-"},
      {GPU, "cuda sm:90", "0", FARM_OK, "GPU-"},
      {GPU, "cuda-sm80", NULL, FARM_MISMATCH, "cuda-sm80"},
      {GPU, NULL, "GPU-no-such", FARM_NOT_FOUND, "GPU-no-such"},
      {"sm=80", NULL, NULL, FARM_OK, "cpu"},
      {"sm=80", "cuda", NULL, FARM_MISMATCH, "SM version 80"},
      {"sm=80", NULL, "0", FARM_MISMATCH, "SM version 80"},
      {GPU ",devices=2", NULL, "gpu-66616b65-6375-6461-0000-000000000001", FARM_OK, "-000000000001"},
      {"fault=nodevice@1", NULL, NULL, FARM_OK, "cpu"},
      {"fault=nodevice@1", "cuda", NULL, FARM_MISMATCH, "cuda"},
      {"fault=nodevice@1", NULL, "0", FARM_MISMATCH, "does not start"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    pid_t child = fork(); // a driver reads its description once
    REQUIRE(child >= 0);
    if (child == 0) {
      setenv("TUNEFARM_FAKE_CUDA", cases[i].about, 1);
      farm_engine_options_t options = {.size = sizeof options, .section = cases[i].wanted, .device = cases[i].device};
      farm_engine_info_t info = {.size = sizeof info};
      farm_engine_t *engine = NULL;
      enum farm_status status = farm_engine_load(net.engine, &options, &engine);
      if (status == FARM_OK) status = farm_engine_info(engine, &info);
      const char *said = status == FARM_OK ? info.device : farm_last_message();
      bool right = status == cases[i].status && strstr(said, cases[i].says);
      if (!right) fprintf(stderr, "case %zu: %s, %s\n", i, farm_status_text(status), said);
      _exit(!right);
    }
    int code;
    REQUIRE(waitpid(child, &code, 0) == child);
    CHECK_MESSAGE(code == 0, "case %zu", i);
  }
}

/* ---- faults ---- */

/* A device that is gone, or whose kernel never ends, takes what its driver held along: that is no leak of ours. */
void __lsan_disable(void) __attribute__((weak));
static void driver_may_leak(const char *about) {
  if (__lsan_disable && (strncmp(about, "lost", 4) == 0 || strncmp(about, "hang", 4) == 0)) __lsan_disable();
}

/* A fault is told with its status, again and again; the process, and engines on the CPU, go on. */
static void fault(const char *about, enum farm_status wanted, bool sticks) {
  char spec[128];
  struct net net = host_between();
  net_gpu("sm=90");
  net_build(&net);
  driver_may_leak(about);
  snprintf(spec, sizeof spec, GPU ",fault=%s", about);
  setenv("TUNEFARM_FAKE_CUDA", spec, 1);
  setenv("TUNEFARM_GPU_PATIENCE", "0.3", 1);
  struct net_run gpu, cpu;
  enum farm_status status = net_open(&net, "cuda", false, &gpu);
  if (status == FARM_OK) status = net_feed(&gpu, 1, 0);
  for (int i = 0; i < 4 && status == FARM_OK; i++) status = farm_context_run(gpu.context);
  CHECK_MESSAGE(status == wanted, "%s: %s (%s)", about, farm_status_text(status), farm_last_message());
  if (gpu.context) {
    enum farm_status again = farm_context_run(gpu.context);
    CHECK_MESSAGE(again == (sticks ? wanted : FARM_OK), "%s, again: %s (%s)", about, farm_status_text(again),
                  farm_last_message());
    farm_tensor_t tensor = {.size = sizeof tensor};
    CHECK((farm_context_get_output(gpu.context, 0, &tensor) == FARM_OK) == !sticks);
  }
  REQUIRE_OK(net_open(&net, "cpu", false, &cpu));
  REQUIRE_OK(net_feed(&cpu, 1, 0));
  REQUIRE_OK(farm_context_run(cpu.context));
  if (gpu.context && !sticks) net_compare(&gpu, &cpu);
  net_close(&gpu);
  net_close(&cpu);
}

TEST(gpu_out_of_memory_is_told_and_passes, "timeout:120") { fault("oom@2", FARM_NO_MEMORY, false); }
TEST(gpu_without_memory_for_an_arena_makes_no_context, "timeout:120") { fault("oom@1", FARM_NO_MEMORY, true); }
TEST(gpu_launch_failure_sticks, "timeout:120") { fault("launch@3", FARM_WORKER_LOST, true); }
TEST(gpu_illegal_address_sticks, "timeout:120") { fault("illegal@1", FARM_WORKER_LOST, true); }
TEST(gpu_lost_sticks, "timeout:120") { fault("lost@2", FARM_WORKER_LOST, true); }
TEST(gpu_hang_ends_at_the_patience, "timeout:120") { fault("hang@2", FARM_TIMED_OUT, true); }

/* ---- linking ---- */

static struct digest file_digest(const char *path) {
  char *data;
  size_t length;
  REQUIRE_OK(file_read_all(path, 1u << 28, &data, &length));
  struct digest digest = digest_of(data, length);
  free(data);
  return digest;
}

TEST(gpu_section_links_without_a_driver_to_the_same_bytes, "timeout:120") {
  net_gpu(GPU);
  setenv("TUNEFARM_LIBCUDA", "/does/not/exist.so", 1);
  struct net net = host_between();
  net_build(&net);
  struct digest first = file_digest(net.engine), again;
  char other[600], lock[600];
  snprintf(other, sizeof other, "%s.other", net.engine);
  snprintf(lock, sizeof lock, "%s.lock", net.engine);
  for (int i = 0; i < 3; i++) { // plainly, writing a lock, from the lock
    struct build_report report;
    REQUIRE_OK(net_build_as(&net, other, CACHE_OFF, i ? lock : NULL, &report));
    build_report_free(&report);
    again = file_digest(other);
    CHECK_MESSAGE(digest_equal(&first, &again), "build %d gave other bytes", i);
  }
  struct engine *engine;
  REQUIRE_OK(engine_open(net.engine, true, &engine));
  CHECK(engine->section_count == 2 && engine->version == 2);
  const struct engine_section *section = &engine->sections[1];
  CHECK_TEXT(section->device_class, "cuda sm:90");
  CHECK(!section->measured && section->sm == 90 && section->threads == 1 && strstr(section->compiler, "nvrtc"));
  int images = 0;
  for (int i = 0; i < section->plan.blocks[0].step_count; i++) {
    const struct plan_step *step = &section->plan.blocks[0].steps[i];
    CHECK(plan_step_on_device(section, 0, step) == (step->image != PLAN_NO_INDEX));
    images += step->image != PLAN_NO_INDEX;
  }
  CHECK(images == 2);
  engine_close(&engine);
}

TEST(gpu_section_that_nobody_measured_is_no_locked_build, "timeout:120") {
  net_gpu(GPU);
  struct net net = products();
  struct build_report report;
  char lock[600];
  snprintf(lock, sizeof lock, "%s.lock", net.engine);
  net_write(&net);
  CHECK(net_build_as(&net, net.engine, CACHE_LOCKED, NULL, &report) == FARM_LOCKED_MISS && report.missing_count > 0);
  build_report_free(&report);
  REQUIRE_OK(net_build_as(&net, net.engine, CACHE_OFF, lock, &report));
  build_report_free(&report);
  CHECK(net_build_as(&net, net.engine, CACHE_LOCKED, lock, &report) == FARM_LOCKED_MISS);
  CHECK(strstr(status_message(), "cuda sm:90"));
  build_report_free(&report);
}

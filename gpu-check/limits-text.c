/* The kernels whose limits are limits of the device: fill, copy, read, nothing. In the dialect of kernels/cuda/dialect.cuh. */
#include "limits.h"

#include "../device/nvrtc.h"
#include "../kernels/cuda/cuda-tactic.h"

#include <string.h>

enum { THREADS = 512, BLOCKS_PER_MULTIPROCESSOR = 4 };

/* Copy and read go through the data in the steps of a whole grid, four loads of 16 bytes under way per thread. The read's result
 * depends on every word and is stored in a case that random data does not meet. */
static const char text[] =
    "struct limits_args { FARM_POINTER(const uint4) from; FARM_POINTER(uint4) to; long long count; u32 keep, force; };\n"
    "FARM_DEVICE u32 mixed(u64 x) {\n"
    "  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;\n"
    "  x = (x ^ x >> 27) * 0x94d049bb133111ebull;\n"
    "  return (u32)(x >> 32);\n"
    "}\n"
    "FARM_KERNEL(limits_fill, limits_args, 512) {\n"
    "  for (i64 i = (i64)blockIdx.x * 512 + threadIdx.x; i < args.count; i += (i64)gridDim.x * 512) {\n"
    "    uint4 v;\n"
    "    v.x = (mixed((u64)i * 4 + 1) & args.keep) | args.force;\n"
    "    v.y = (mixed((u64)i * 4 + 2) & args.keep) | args.force;\n"
    "    v.z = (mixed((u64)i * 4 + 3) & args.keep) | args.force;\n"
    "    v.w = (mixed((u64)i * 4 + 4) & args.keep) | args.force;\n"
    "    store4(args.to + i, v);\n"
    "  }\n"
    "}\n"
    "FARM_KERNEL(limits_copy, limits_args, 512) {\n"
    "  i64 step = (i64)gridDim.x * 512, i = (i64)blockIdx.x * 512 + threadIdx.x;\n"
    "  for (; i + 3 * step < args.count; i += 4 * step) {\n"
    "    uint4 a = load4(args.from + i), b = load4(args.from + i + step);\n"
    "    uint4 c = load4(args.from + i + 2 * step), d = load4(args.from + i + 3 * step);\n"
    "    store4(args.to + i, a);\n"
    "    store4(args.to + i + step, b);\n"
    "    store4(args.to + i + 2 * step, c);\n"
    "    store4(args.to + i + 3 * step, d);\n"
    "  }\n"
    "  for (; i < args.count; i += step) store4(args.to + i, load4(args.from + i));\n"
    "}\n"
    "FARM_KERNEL(limits_read, limits_args, 512) {\n"
    "  i64 step = (i64)gridDim.x * 512, i = (i64)blockIdx.x * 512 + threadIdx.x;\n"
    "  u32 sum = 0;\n"
    "  for (; i + 3 * step < args.count; i += 4 * step) {\n"
    "    uint4 a = load4(args.from + i), b = load4(args.from + i + step);\n"
    "    uint4 c = load4(args.from + i + 2 * step), d = load4(args.from + i + 3 * step);\n"
    "    sum += (a.x ^ a.y ^ a.z ^ a.w) + (b.x ^ b.y ^ b.z ^ b.w) + (c.x ^ c.y ^ c.z ^ c.w) + (d.x ^ d.y ^ d.z ^ d.w);\n"
    "  }\n"
    "  for (; i < args.count; i += step) {\n"
    "    uint4 a = load4(args.from + i);\n"
    "    sum += a.x ^ a.y ^ a.z ^ a.w;\n"
    "  }\n"
    "  if (sum == args.force) {\n"
    "    uint4 v;\n"
    "    v.x = v.y = v.z = v.w = sum;\n"
    "    store4(args.to + threadIdx.x, v);\n"
    "  }\n"
    "}\n"
    "FARM_KERNEL(limits_nothing, limits_args, 512) {}\n"
    "FARM_KERNEL(limits_overlapping, limits_args, 512) {\n"
    "#if !defined(FARM_SIMT) && __CUDA_ARCH__ >= 900\n"
    "  asm volatile(\"griddepcontrol.launch_dependents;\");\n"
    "  asm volatile(\"griddepcontrol.wait;\" : : : \"memory\");\n"
    "#endif\n"
    "}\n";

enum farm_status limits_compile(int sm, struct bytes_writer *out_cubin) {
  struct strbuf source = {0}, log = {0};
  cuda_source_begin(&source);
  strbuf_add(&source, text);
  enum farm_status status = source.failed ? status_set(FARM_NO_MEMORY, "out of memory for a text")
                                          : nvrtc_compile("limits.cu", strbuf_text(&source), sm, out_cubin, &log);
  strbuf_free(&source);
  strbuf_free(&log);
  return status;
}

enum farm_status limits_image_make(struct limits *limits) {
  TRY(limits_compile(cuda_device_about(limits->device)->sm, &limits->cubin));
  return cuda_image_load(limits->device, limits->cubin.data, limits->cubin.length, &limits->image);
}

struct cuda_launch limits_launch(const struct limits *limits, const char *entry, const struct limits_args *args) {
  uint32_t most = (uint32_t)cuda_device_about(limits->device)->multiprocessors * BLOCKS_PER_MULTIPROCESSOR;
  int64_t wanted = (args->count + THREADS - 1) / THREADS;
  struct cuda_launch launch = {.entry = entry, .grid = {1, 1, 1}, .block = {THREADS, 1, 1}, .argument_bytes = sizeof *args};
  if (wanted > 1) launch.grid[0] = wanted < most ? (uint32_t)wanted : most;
  memcpy(launch.arguments, args, sizeof *args);
  return launch;
}

enum farm_status limits_fill(struct limits *limits, cuda_address to, int64_t bytes, uint32_t keep, uint32_t force) {
  struct limits_args args = {.to = to, .count = bytes / 16, .keep = keep, .force = force};
  struct cuda_launch launch = limits_launch(limits, "limits_fill", &args);
  return cuda_launch(limits->device, limits->image, &launch);
}
